//! Memory for each connection that is kept alive and idle.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::house::House;
use super::load::connect_from;

const HELD: [usize; 2] = [5_000, 15_000];
const OF_ONE_ADDRESS: usize = 100;

/// What the bench holds of a connection, so that it stays open.
enum Held {
    Plain(#[expect(dead_code, reason = "held, not used")] TcpStream),
    Secure(#[expect(dead_code, reason = "held, not used")] Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Each answers one request on every connection, which then stays open. Growth of resident memory, of all processes.
pub fn run(house: &House, folder: &Path) {
    for tls in [false, true] {
        for contender in house.holders(tls) {
            // Each has clients of its own, as each gives out tickets that only it can read.
            let client = client(folder);
            let mut held = Vec::new();
            for _ in 0..200 {
                held.push(open(contender.port, held.len(), tls.then_some(&client)));
            }
            // What the first ones make it allocate once is no connection's own.
            held.clear();
            sleep(Duration::from_secs(1));
            let before = contender.running.rss_of_all();
            for count in HELD {
                while held.len() < count {
                    held.push(open(contender.port, held.len(), tls.then_some(&client)));
                }
                sleep(Duration::from_secs(1));
                let each = contender.running.rss_of_all().saturating_sub(before) as f64 / count as f64;
                let kind = if tls { "TLS" } else { "plain" };
                println!("idle, {kind:<5} {count:>6} held {:>31} KiB", format!("{} {each:.2}", contender.name));
            }
        }
    }
}

/// What a client of the bench believes: the bench's certificate.
pub fn roots(folder: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let chain = CertificateDer::from_pem_file(folder.join("chain.pem")).expect("the bench's certificate");
    roots.add(chain).expect("a root");
    roots
}

fn client(folder: &Path) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(config.with_root_certificates(roots(folder)).with_no_client_auth())
}

/// The n-th: of one address there are no more than a shield lets in.
fn open(port: u16, n: usize, client: Option<&Arc<ClientConfig>>) -> Held {
    let from = Ipv4Addr::new(127, 0, 1, (n / OF_ONE_ADDRESS) as u8 + 1);
    let mut stream = connect_from(from, port).expect("a connection");
    let Some(client) = client else {
        ask(&mut stream);
        return Held::Plain(stream);
    };
    let name = ServerName::try_from("huduma.example").expect("a name");
    let connection = ClientConnection::new(client.clone(), name).expect("a client");
    let mut stream = StreamOwned::new(connection, stream);
    ask(&mut stream);
    Held::Secure(Box::new(stream))
}

fn ask(stream: &mut (impl Read + Write)) {
    stream.write_all(b"GET /1k HTTP/1.1\r\nHost: huduma.example\r\n\r\n").expect("a request goes");
    let (mut room, mut text) = ([0; 4096], Vec::new());
    while !text.ends_with(b"x") || text.len() < 1024 {
        let n = stream.read(&mut room).expect("an answer comes");
        assert!(n > 0, "the connection ended: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&room[..n]);
    }
    assert!(text.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&text));
}
