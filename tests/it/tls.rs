//! TLS at the citizens' door: certificates by name, tickets, protocols, handshakes that do not end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore};

use crate::harness::{Boma, CEILING, Origin, Setup, eventually};

/// A house with a certificate for each of the names, the first for all others.
fn house(origin: &Origin, names: &[&str], settings: &str) -> (Boma, Vec<CertificateDer<'static>>) {
    let mut setup = Setup::new();
    let mut made = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let pair = rcgen::generate_simple_self_signed(vec![(*name).to_owned()]).unwrap();
        setup.folder.write(&format!("{i}.pem"), &pair.cert.pem());
        setup.folder.write(&format!("{i}.key"), &pair.signing_key.serialize_pem());
        setup = setup.settings(&format!("[[certificate]]\nchain = \"{i}.pem\"\nkey = \"{i}.key\"\n"));
        made.push(CertificateDer::from_pem_slice(pair.cert.pem().as_bytes()).unwrap());
    }
    setup.listen = "tls = true";
    (setup.settings(settings).start(origin.address), made)
}

fn client(trusted: &[CertificateDer<'static>], protocols: &[&str]) -> Arc<ClientConfig> {
    client_of(trusted, protocols, rustls::crypto::aws_lc_rs::default_provider())
}

fn client_of(trusted: &[CertificateDer<'static>], protocols: &[&str], provider: CryptoProvider) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|c| roots.add(c.clone()).unwrap());
    let builder =
        ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Asks for a page; the connection as it was then, and the start of the answer.
fn ask(to: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> std::io::Result<(ClientConnection, String)> {
    let connection = ClientConnection::new(config.clone(), name.to_owned().try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(CEILING))?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: huduma.example\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok((stream.conn, answer))
}

#[test]
fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let origin = Origin::start();
    let (boma, certificates) = house(&origin, &["huduma.example", "*.ardhi.example"], "");
    let config = client(&certificates, &[]);
    for (name, which) in [("huduma.example", 0), ("a.ardhi.example", 1)] {
        let (connection, answer) = ask(boma.at(), &config, name).unwrap();
        assert_eq!(connection.peer_certificates().unwrap()[0], certificates[which], "{name}");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // A name that none is for gets the first, which a careful client then refuses.
    let refused = ask(boma.at(), &config, "elsewhere.example").unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
}

#[test]
fn of_the_suites_that_a_client_offers_the_cheapest_is_taken_and_any_strong_one_will_do() {
    let origin = Origin::start();
    let (boma, certificates) = house(&origin, &["huduma.example"], "");
    use rustls::CipherSuite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256};
    for (offered, agreed) in [
        (
            &[TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256, TLS13_AES_128_GCM_SHA256][..],
            TLS13_AES_128_GCM_SHA256,
        ),
        (&[TLS13_AES_256_GCM_SHA384], TLS13_AES_256_GCM_SHA384),
        (&[TLS13_CHACHA20_POLY1305_SHA256], TLS13_CHACHA20_POLY1305_SHA256),
    ] {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|suite| offered.contains(&suite.suite()));
        provider.cipher_suites.sort_by_key(|suite| offered.iter().position(|o| *o == suite.suite()));
        let config = client_of(&certificates, &["http/1.1"], provider);
        let (connection, answer) = ask(boma.at(), &config, "huduma.example").unwrap();
        assert_eq!(connection.negotiated_cipher_suite().map(|suite| suite.suite()), Some(agreed), "of {offered:?}");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[test]
fn a_ticket_of_one_worker_is_good_at_the_others() {
    let origin = Origin::start();
    let (boma, certificates) = house(&origin, &["huduma.example"], "[server]\nworkers = 4\n");
    let config = client(&certificates, &["http/1.1"]);
    let (first, _) = ask(boma.at(), &config, "huduma.example").unwrap();
    assert_eq!(first.handshake_kind(), Some(HandshakeKind::Full));
    for _ in 0..16 {
        let (again, answer) = ask(boma.at(), &config, "huduma.example").unwrap();
        assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[test]
fn a_protocol_that_is_not_spoken_is_refused_in_the_handshake() {
    let origin = Origin::start();
    let (boma, certificates) = house(&origin, &["huduma.example"], "");
    for (offered, agreed) in
        [(&["h2", "http/1.1"][..], Some(&b"h2"[..])), (&["http/1.1"], Some(b"http/1.1")), (&[], None)]
    {
        let config = client(&certificates, offered);
        let connection = ClientConnection::new(config, "huduma.example".try_into().unwrap()).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(boma.at()).unwrap());
        stream.flush().unwrap();
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        assert_eq!(stream.conn.alpn_protocol(), agreed);
    }
    let refused = ask(boma.at(), &client(&certificates, &["spdy/3"]), "huduma.example").unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let origin = Origin::start();
    let (boma, _) = house(&origin, &["huduma.example"], "[deadlines]\nhandshake = \"300ms\"\n");
    let mut stream = TcpStream::connect(boma.at()).unwrap();
    stream.set_read_timeout(Some(CEILING)).unwrap();
    // The head of a TLS record, and nothing of what it promises.
    stream.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    let mut came = Vec::new();
    assert!(!matches!(stream.read_to_end(&mut came), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock));
    // What is no TLS at all gets an alert, not silence.
    let mut stream = TcpStream::connect(boma.at()).unwrap();
    stream.set_read_timeout(Some(CEILING)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    let _ = stream.read_to_end(&mut came);
    assert_eq!(came.first(), Some(&21));
}

#[test]
fn a_tool_is_known_by_the_fingerprint_of_its_tls() {
    let origin = Origin::start();
    let (boma, certificates) = house(&origin, &["huduma.example"], "");
    let (tool, browser) = (client(&certificates, &[]), client(&certificates, &["http/1.1"]));
    let answer = |config| ask(boma.at(), config, "huduma.example").unwrap().1;
    assert!(answer(&tool).starts_with("HTTP/1.1 200"));
    let fingerprint = eventually("the log tells it", || {
        let log = std::fs::read_to_string(boma.setup.file("access.log")).unwrap_or_default();
        let line: serde_json::Value = serde_json::from_str(log.lines().next()?).ok()?;
        line["tls.client.ja4"].as_str().map(str::to_owned)
    });
    assert!(fingerprint.starts_with("t13d") && fingerprint.len() == 36, "{fingerprint}");
    // This library leaves an extension out when it comes again: what it says of ciphers and protocols stays.
    let ciphers = fingerprint.split('_').nth(1).unwrap();
    let rule =
        format!("[[rule]]\nname = \"tool\"\nmatch = {{ fingerprint = \"t13d*00_{ciphers}_*\" }}\nthen = \"deny\"\n");
    boma.setup.folder.write("rules.toml", &rule);
    eventually("the rule is in force", || answer(&tool).starts_with("HTTP/1.1 403").then_some(()));
    assert!(answer(&browser).starts_with("HTTP/1.1 200"), "another client is another");
    // What it would have done to those of the last minutes is known too.
    eventually("it is looked back upon", || {
        let seen = boma.staff("POST", "/api/v1/rules/preview", "", &rule).json();
        (seen["verdicts"]["denied"].as_u64() >= Some(1)).then_some(())
    });
}
