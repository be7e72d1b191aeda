//! What the wire carries besides plain requests: other protocols, early hints, streams, trailers, gRPC; TLS and HTTP/2
//! to origins; PROXY headers; and how long and how many.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;

use crate::frames::{Came, Conn, DATA, END_HEADERS, END_STREAM, HEADERS, block, frame};
use crate::harness::{Boma, CEILING, Client, Folder, Origin, Setup, get, navigate, request};
use crate::strict::Recorder;

/// Runs `talk` with each connection and its first head.
pub fn scripted(talk: impl Fn(TcpStream, String) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let talk = Arc::new(talk);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let talk = talk.clone();
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    if stream.read_exact(&mut byte).is_err() {
                        return;
                    }
                    head.push(byte[0]);
                }
                talk(stream, String::from_utf8(head).unwrap());
            });
        }
    });
    address
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(CEILING)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(end) {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            other => panic!("{other:?} after {}", bytes.escape_ascii()),
        }
    }
    bytes
}

/// What a server answers to the key in a head (RFC 6455 section 4.2.2).
pub fn accept(head: &str) -> String {
    use base64::Engine as _;
    let key = head.lines().find_map(|l| {
        let (name, value) = l.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
    });
    let text = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.expect("a key"));
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(hash)
}

/// A WebSocket origin that only echoes: boma looks at no frame.
pub fn echo() -> SocketAddr {
    scripted(|mut stream, sent| {
        let head = sent.to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        let accept = accept(&sent);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\nhello"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        let mut room = [0; 65536];
        while let Ok(n @ 1..) = stream.read(&mut room) {
            stream.write_all(&room[..n]).unwrap();
        }
    })
}

#[test]
fn a_websocket_goes_through_both_ways() {
    let boma = Setup::new().start(echo());
    let mut stream = connect(boma.at());
    stream
        .write_all(b"GET /ws HTTP/1.1\r\nHost: huduma.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nearly")
        .unwrap();
    let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101") && head.contains("upgrade: websocket\r\n"), "{head}");
    assert!(
        head.contains("connection: upgrade\r\n")
            && head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"),
        "{head}"
    );
    let mut came = [0; 10];
    stream.read_exact(&mut came).unwrap();
    assert_eq!(&came, b"helloearly");
    let big: Vec<u8> = (0..3_000_000u32).map(|i| i as u8).collect();
    let (mut sending, sent) = (stream.try_clone().unwrap(), big.clone());
    let sender = thread::spawn(move || sending.write_all(&sent).unwrap());
    let mut back = vec![0; big.len()];
    stream.read_exact(&mut back).unwrap();
    assert!(back == big);
    sender.join().unwrap();
}

#[test]
fn a_websocket_over_http2_is_one_stream_beside_others() {
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start(echo());
    let mut conn = Conn::open(boma.at());
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/ws"),
        (":authority", "huduma.example"),
        ("sec-websocket-version", "13"),
    ];
    conn.send(&frame(HEADERS, END_HEADERS, 1, &block(&fields)));
    let status = conn.until("status", |c| if let Came::Status(1, s) = c { Some(s.clone()) } else { None });
    assert_eq!(status.as_deref(), Ok("200"));
    conn.send(&frame(DATA, 0, 1, &[7; 1000]));
    let mut came = 0;
    conn.until("hello and the echo", |c| {
        if let Came::Data(1, n, _) = c {
            came += n;
        }
        (came == 1005).then_some(())
    })
    .unwrap();
}

#[test]
fn an_upgrade_that_the_origin_declines_is_a_plain_answer() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    let answer =
        request(boma.at(), "GET", "/ws", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n", "");
    assert_eq!(answer.status, 200);
}

#[test]
fn early_hints_come_before_the_answer_in_both_versions() {
    let origin = scripted(|mut stream, _| {
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n").unwrap();
        thread::sleep(Duration::from_millis(50));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
    });
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start(origin);
    let mut stream = connect(boma.at());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    let early = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).unwrap();
    assert_eq!(early, "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n");
    assert!(read_until(&mut stream, b"\r\n\r\n").starts_with(b"HTTP/1.1 200 OK\r\n"));
    let mut stream = connect(boma.at());
    stream.write_all(b"GET / HTTP/1.0\r\nHost: huduma.example\r\n\r\n").unwrap();
    assert!(read_until(&mut stream, b"\r\n\r\n").starts_with(b"HTTP/1.1 200 OK\r\n"), "HTTP/1.0 knows none");
    let mut conn = Conn::open(boma.at());
    assert_eq!(conn.good(1).as_deref(), Ok("103"));
    let status = conn.until("answer", |c| if let Came::Status(1, s) = c { Some(s.clone()) } else { None });
    assert_eq!(status.as_deref(), Ok("200"));
}

#[test]
fn events_come_without_delay() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = scripted(move |mut stream, _| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..3 {
            wait.lock().unwrap().recv().unwrap();
            stream.write_all(b"9\r\ndata: 1\n\n\r\n").unwrap();
        }
        stream.write_all(b"0\r\nX-Sum: 3\r\n\r\n").unwrap();
    });
    let boma = Setup::new().start(origin);
    let mut stream = connect(boma.at());
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    // The head comes before there is any event, and each event before the next one is made.
    assert!(read_until(&mut stream, b"\r\n\r\n").starts_with(b"HTTP/1.1 200 OK\r\n"));
    for _ in 0..3 {
        go.send(()).unwrap();
        assert_eq!(read_until(&mut stream, b"\n\n\r\n"), b"9\r\ndata: 1\n\n\r\n");
    }
    assert_eq!(read_until(&mut stream, b"\r\n\r\n"), b"0\r\nx-sum: 3\r\n\r\n");
}

#[test]
fn a_proxy_header_says_who_is_asking() {
    let origin = Recorder::start();
    let boma = Setup { listen: "proxy_protocol = \"v1v2\"", ..Setup::new() }.start(origin.address);
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x34\x00\x50";
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    for (header, who) in [
        (&b"PROXY TCP4 192.0.2.9 10.0.0.1 4660 80\r\n"[..], "x-forwarded-for: 192.0.2.9\r\n"),
        (b"PROXY TCP6 2001:db8::9 2001:db8::1 4660 80\r\n", "x-forwarded-for: 2001:db8::9\r\n"),
        (b"PROXY UNKNOWN\r\n", "x-forwarded-for: 127.0.0.1\r\n"),
        (v2, "x-forwarded-for: 192.0.2.7\r\n"),
        (local, "x-forwarded-for: 127.0.0.1\r\n"),
    ] {
        let mut stream = connect(boma.at());
        for byte in header {
            stream.write_all(&[*byte]).unwrap();
        }
        stream.write_all(b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
        assert!(read_until(&mut stream, b"\r\n\r\n").starts_with(b"HTTP/1.1 200"), "{}", header.escape_ascii());
        let seen = origin.take().pop().unwrap().unwrap();
        assert!(seen.head.contains(who), "{who} in {}", seen.head);
    }
    // Whoever has none, or a broken one, is closed upon.
    for raw in [&b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n"[..], b"PROXY TCP4 1.2.3 10.0.0.1 1 2\r\n"] {
        let mut stream = connect(boma.at());
        stream.write_all(raw).unwrap();
        assert!(matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)));
    }
    // Elsewhere a header is no HTTP.
    let plain = Setup::new().start(origin.address);
    let mut stream = connect(plain.at());
    stream
        .write_all(b"PROXY TCP4 192.0.2.9 10.0.0.1 4660 80\r\nGET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n")
        .unwrap();
    assert!(read_until(&mut stream, b"\r\n\r\n").starts_with(b"HTTP/1.1 400"));
}

#[test]
fn a_plain_door_sends_citizens_on_to_https() {
    let origin = Origin::start();
    let boma = Setup { listen: "redirect_https = true", ..Setup::new() }.start(origin.address);
    let answer = navigate(boma.at(), "/a/../pay?x=1");
    assert_eq!((answer.status, answer.field("location")), (308, Some("https://huduma.example/pay?x=1")));
    assert_eq!(get(boma.at(), "/.well-known/acme-challenge/x").status, 200);
    assert_eq!(get(boma.at(), "/.well-known/boma/live").status, 204);
}

/// An HTTP/2 origin: answers with what came, and gRPC's trailers.
pub fn http2_origin(tls: Option<Arc<rustls::ServerConfig>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => http2_talk(stream).await,
                        Some(config) => {
                            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(config).accept(stream).await {
                                http2_talk(stream).await;
                            }
                        }
                    }
                });
            }
        });
    });
    address
}

async fn http2_talk<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static>(stream: S) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::spawn(async move {
            let (parts, mut body) = request.into_parts();
            let mut came = Vec::new();
            while let Some(Ok(data)) = body.data().await {
                let _ = body.flow_control().release_capacity(data.len());
                came.extend_from_slice(&data);
            }
            let mut response = http::Response::new(());
            let said = |name: &str| parts.headers.get(name).cloned().unwrap_or(http::HeaderValue::from_static("-"));
            response.headers_mut().insert("x-te", said("te"));
            response.headers_mut().insert("content-type", said("content-type"));
            let path = parts.uri.path().to_owned();
            if path == "/refused" {
                return respond.send_reset(h2::Reason::INTERNAL_ERROR);
            }
            let mut stream = respond.send_response(response, false).unwrap();
            stream
                .send_data(Bytes::from(format!("{} {path} {} ", parts.method, parts.uri.authority().unwrap())), false)
                .unwrap();
            if path == "/cut" {
                return stream.send_reset(h2::Reason::INTERNAL_ERROR);
            }
            stream.send_data(came.into(), false).unwrap();
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
            stream.send_trailers(trailers).unwrap();
        });
    }
}

#[test]
fn an_origin_may_speak_http2_and_grpc_comes_through_with_its_trailers() {
    let origin = http2_origin(None);
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start_at(&format!("unused.invalid\", \"h2c://{origin}"));
    // An origin that does not resolve comes first: the other one answers all the same.
    let answer = request(boma.at(), "POST", "/a", "", "body");
    assert_eq!((answer.status, answer.text().as_str()), (200, "POST /a huduma.example body"));
    assert_eq!(request(boma.at(), "GET", "/refused", "", "").status, 502);
    let mut client = Client::connect(boma.at()).unwrap();
    assert!(client.ask("GET", "/cut", "", "").map_or(true, |a| a.status == 502), "cut, or refused");
    let mut conn = Conn::open(boma.at());
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/svc/Call"),
        (":authority", "huduma.example"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ];
    conn.send(&frame(HEADERS, END_HEADERS, 1, &block(&fields)));
    conn.send(&frame(DATA, END_STREAM, 1, b"\0\0\0\0\x02hi"));
    let (mut heads, mut length) = (0, 0);
    conn.until("head, data and trailers", |came| {
        match came {
            Came::Status(1, _) => heads += 1,
            Came::Data(1, n, _) => length += n,
            _ => {}
        }
        (heads == 2).then_some(())
    })
    .unwrap();
    assert_eq!(length, "POST /svc/Call huduma.example ".len() + 7);
}

/// A root, and a certificate under it for `name`; PEM files in the folder.
fn certificates(folder: &Folder, name: &str) -> (Vec<u8>, Vec<u8>) {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(root, root_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    folder.write(&format!("{name}.root.pem"), &root_pem);
    folder.write(&format!("{name}.pem"), &leaf.pem());
    folder.write(&format!("{name}.key"), &key.serialize_pem());
    (leaf.pem().into_bytes(), key.serialize_pem().into_bytes())
}

fn server_config(folder: &Folder, name: &str, clients: Option<&str>) -> Arc<rustls::ServerConfig> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let (chain, key) = certificates(folder, name);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(root) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(folder.0.join(root)).unwrap()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(&chain).unwrap()];
    let mut config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(&key).unwrap()).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

#[test]
fn an_origin_by_tls_must_prove_itself_and_may_ask_boma_to() {
    let folder = Folder::new();
    certificates(&folder, "boma.internal");
    let config = server_config(&folder, "origin.internal", Some("boma.internal.root.pem"));
    let origin = http2_origin(Some(config));
    let start = |tls: &str| {
        let setup = Setup::new();
        for file in ["boma.internal.pem", "boma.internal.key", "origin.internal.root.pem"] {
            std::fs::copy(folder.0.join(file), setup.file(file)).unwrap();
        }
        setup.portal(tls).start_at(&format!("127.0.0.1:1\", \"h2://{origin}"))
    };
    let all = "origin_tls = { roots = \"origin.internal.root.pem\", chain = \"boma.internal.pem\", key = \"boma.internal.key\", name = \"origin.internal\" }\n";
    let boma = start(all);
    let answer = get(boma.at(), "/tls");
    assert_eq!((answer.status, answer.text().as_str()), (200, "GET /tls huduma.example "), "{}", boma.log());
    for (what, tls) in [
        ("another name", all.replace("name = \"origin.internal\"", "name = \"other.internal\"")),
        ("no root", all.replace("roots = \"origin.internal.root.pem\", ", "")),
        ("no certificate", all.replace("chain = \"boma.internal.pem\", key = \"boma.internal.key\", ", "")),
    ] {
        assert_eq!(get(start(&tls).at(), "/tls").status, 502, "{what}");
    }
}

#[test]
fn whoever_keeps_boma_waiting_is_closed_upon() {
    let origin = Origin::start();
    let boma = Setup { listen: "h2c = true", ..Setup::new() }
        .settings("[deadlines]\nfirst_byte = \"300ms\"\nhead = \"300ms\"\nidle = \"300ms\"\nupload = \"300ms\"\n")
        .start(origin.address);
    let ends = |what: &str, raw: &[u8], expect: &[u8]| {
        let mut stream = connect(boma.at());
        stream.write_all(raw).unwrap();
        let mut came = Vec::new();
        let _ =
            stream.read_to_end(&mut came).map_err(|e| assert_ne!(e.kind(), std::io::ErrorKind::WouldBlock, "{what}"));
        assert!(came.starts_with(expect), "{what}: {}", came.escape_ascii());
    };
    ends("nothing", b"", b"");
    ends("half a head", b"GET / HTTP/1.1\r\nHo", b"");
    ends("kept alive", b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n", b"HTTP/1.1 200");
    let stalled = b"POST / HTTP/1.1\r\nHost: huduma.example\r\nContent-Length: 9\r\n\r\nabc";
    ends("a stalled upload", stalled, b"HTTP/1.1 408");
    let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat();
    ends("HTTP/2 without a request", &preface, b"");
    ends("half a preface", b"PRI * HTTP/2.0\r\n", b"");
    // A request that the origin takes its time over is none of these.
    assert_eq!(get(boma.at(), "/slow").status, 200);
}

#[test]
fn a_full_address_makes_room_and_passes_nobody_by() {
    let origin = Origin::start();
    let boma = Setup::new().settings("[server]\nworkers = 1\n[caps]\nper_address = 20\n").start(origin.address);
    let mut idle: Vec<Client> = (0..20).map(|_| Client::connect(boma.at()).unwrap()).collect();
    for client in &mut idle {
        assert_eq!(client.ask("GET", "/a", "", "").unwrap().status, 200);
    }
    // Every newcomer is served: one that idles goes for it.
    let mut later: Vec<Client> = (0..10).map(|_| Client::connect(boma.at()).unwrap()).collect();
    for client in &mut later {
        assert_eq!(client.ask("GET", "/b", "", "").unwrap().status, 200);
    }
    let left = idle.iter_mut().filter_map(|c| c.ask("GET", "/c", "", "").ok()).count();
    assert!((1..=11).contains(&left), "{left} of 20 idle ones are left");
}

#[test]
fn a_reload_changes_caps_and_deadlines_without_a_restart() {
    let origin = Origin::start();
    let boma: Boma = Setup::new().start(origin.address);
    let text = std::fs::read_to_string(boma.setup.file("boma.toml")).unwrap();
    std::fs::write(boma.setup.file("boma.toml"), format!("{text}\n[caps]\nfields = 3\n")).unwrap();
    crate::harness::eventually("the cap is in force", || {
        (request(boma.at(), "GET", "/", "A: 1\r\nB: 2\r\nC: 3\r\n", "").status == 431).then_some(())
    });
}
