//! Load by wrk and h2load, and what they counted.

use std::process::Command;

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
    /// HTTP/2 over TLS, ten streams on each connection.
    Http2,
}

pub struct Ran {
    pub requests: f64,
    /// Those that got no 2xx.
    pub refused: f64,
    pub speed: f64,
}

pub fn run(load: Load, port: u16, seconds: u64) -> Ran {
    match load {
        Load::Http2 => h2load(port, seconds),
        _ => wrk(load, port, seconds),
    }
}

fn number(text: &str) -> f64 {
    text.trim_matches(|c: char| !c.is_ascii_digit() && c != '.').parse().unwrap_or(0.0)
}

fn wrk(load: Load, port: u16, seconds: u64) -> Ran {
    let scheme = if load == Load::Tls { "https" } else { "http" };
    let mut command = Command::new("wrk");
    command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "-H", "Host: huduma.example"]);
    if load == Load::Fresh {
        command.args(["-H", "Connection: close"]);
    }
    let done = command.arg(format!("{scheme}://127.0.0.1:{port}/1k")).output().expect("wrk runs");
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
