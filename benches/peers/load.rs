//! Load by wrk and h2load, and what they counted.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};

use super::hands;

const CONNECTIONS: u32 = 32;
/// Streams at once on a connection of HTTP/2.
const STREAMS: u32 = 10;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Plain HTTP/1.1, connections kept.
    Plain,
    /// A connection for each request.
    Fresh,
    /// HTTP/1.1 over TLS, connections kept.
    Tls,
    /// A connection over TLS for each request: a full handshake, no session is taken up again.
    Handshake,
    /// A connection over TLS for each request, which takes the session of the last one up again, as wrk does.
    Resumed,
    /// HTTP/2 over TLS, ten streams on each connection.
    Http2,
    /// Plain HTTP/1.1, and another file than that of 1 KiB.
    File(&'static str),
    /// Plain HTTP/1.1, each request in another one of a million clients' names (`X-Forwarded-For`).
    Keys,
}

impl Load {
    /// How long it has to run before it is the work that is meant.
    pub fn warm_up(self) -> u64 {
        // Each of the million is let through once.
        if self == Load::Keys { 60 } else { 1 }
    }
}

/// Names them one after the other, so that each comes again only after all the others.
const KEYS: &str = "local n = 0
function request()
  n = (n + 1) % 1000000
  local name = string.format('10.%d.%d.%d', math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256)
  return wrk.format('GET', nil, {['Host'] = 'huduma.example', ['X-Forwarded-For'] = name})
end
";

pub struct Ran {
    pub requests: f64,
    /// Those that got no 2xx.
    pub refused: f64,
    pub speed: f64,
}

pub fn run(load: Load, client: &Arc<ClientConfig>, port: u16, seconds: u64) -> Ran {
    match load {
        Load::Handshake => hands::run(client, port, seconds),
        Load::Http2 => h2load(port, seconds),
        _ => wrk(load, port, seconds),
    }
}

/// Load of which nothing is counted: connections may be refused.
pub fn flood(load: Load, port: u16, seconds: u64) {
    let _ = command(load, port, seconds).output();
}

/// A connection of the bench's own, from an address of this machine. Reading waits five seconds at most.
pub fn connect_from(address: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((address, 0)).into())?;
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn number(text: &str) -> f64 {
    text.trim_matches(|c: char| !c.is_ascii_digit() && c != '.').parse().unwrap_or(0.0)
}

fn script() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("boma-keys-{}.lua", std::process::id()))
}

fn command(load: Load, port: u16, seconds: u64) -> Command {
    let scheme = if matches!(load, Load::Tls | Load::Resumed) { "https" } else { "http" };
    let file = if let Load::File(name) = load { name } else { "1k" };
    let mut command = Command::new("wrk");
    command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "-H", "Host: huduma.example"]);
    if matches!(load, Load::Fresh | Load::Resumed) {
        command.args(["-H", "Connection: close"]);
    }
    if load == Load::Keys {
        std::fs::write(script(), KEYS).expect("wrk's script");
        command.arg("-s").arg(script());
    }
    command.arg(format!("{scheme}://127.0.0.1:{port}/{file}"));
    command
}

fn wrk(load: Load, port: u16, seconds: u64) -> Ran {
    let done = command(load, port, seconds).output().expect("wrk runs");
    let _ = std::fs::remove_file(script());
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let find = |word: &str| text.lines().find(|l| l.contains(word)).unwrap_or("");
    let nth = |line: &str, at: usize| line.split_whitespace().nth(at).map_or(0.0, number);
    let requests = nth(find("requests in"), 0);
    let refused = find("Non-2xx").rsplit(' ').next().map_or(0.0, number);
    assert!(requests > 0.0, "wrk counted nothing:\n{text}");
    assert!(!text.contains("Socket errors"), "connections failed:\n{text}");
    Ran { requests, refused, speed: nth(find("Requests/sec"), 1) }
}

fn h2load(port: u16, seconds: u64) -> Ran {
    let mut command = Command::new("h2load");
    command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-m{STREAMS}"), &format!("-D{seconds}")]);
    command.args(["-H", ":authority: huduma.example", &format!("https://127.0.0.1:{port}/1k")]);
    let done = command.output().expect("h2load runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let find = |word: &str| text.lines().find(|l| l.starts_with(word)).unwrap_or("");
    // requests: 100 total, 101 started, 100 done, 100 succeeded, 0 failed, …
    let words: Vec<&str> = find("requests:").split_whitespace().collect();
    let count = |of: &str| words.iter().position(|w| w.starts_with(of)).map_or(0.0, |at| number(words[at - 1]));
    let requests = count("done");
    assert!(requests > 0.0 && count("errored") == 0.0, "h2load counted nothing:\n{text}");
    let speed = find("finished in").split_whitespace().nth(3).map_or(0.0, number);
    Ran { requests, refused: requests - count("succeeded"), speed }
}
