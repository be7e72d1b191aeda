//! Full handshakes: for each request a connection over TLS 1.3 that shakes hands anew. wrk cannot: it takes its last session
//! up again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::load::Ran;

/// How many shake hands at once.
const THREADS: usize = 8;

/// What all contenders speak: TLS 1.3 and X25519.
pub fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519];
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

pub fn run(client: &Arc<ClientConfig>, port: u16, seconds: u64) -> Ran {
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let shake = || {
        let mut count = (0, 0);
        while Instant::now() < end {
            let is_good = once(client, port).expect("a handshake and an answer");
            count = (count.0 + 1, count.1 + usize::from(!is_good));
        }
        count
    };
    let (requests, refused) = thread::scope(|scope| {
        let all: Vec<_> = (0..THREADS).map(|_| scope.spawn(shake)).collect();
        let counts = all.into_iter().map(|one| one.join().expect("a client"));
        counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    });
    let speed = requests as f64 / start.elapsed().as_secs_f64();
    Ran { requests: requests as f64, refused: refused as f64, speed }
}

/// Whether it was served.
fn once(client: &Arc<ClientConfig>, port: u16) -> io::Result<bool> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let name = ServerName::try_from("huduma.example").expect("a name");
    let connection = ClientConnection::new(client.clone(), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(b"GET /1k HTTP/1.1\r\nHost: huduma.example\r\nConnection: close\r\n\r\n")?;
    let (mut room, mut text) = ([0; 4096], Vec::new());
    while text.len() < 1024 || !text.ends_with(b"x") {
        match stream.read(&mut room)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => text.extend_from_slice(&room[..n]),
        }
    }
    assert_eq!(stream.conn.handshake_kind(), Some(rustls::HandshakeKind::Full), "a full handshake");
    Ok(text.starts_with(b"HTTP/1.1 200"))
}
