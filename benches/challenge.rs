//! What challenges cost whoever gives them out: `cargo bench --bench challenge`. A million challenge pages and a million wrong
//! solutions beside a million plain 429s, each from an address of its own; CPU time of the whole process for each request,
//! bytes out, and resident memory before and after. Then what 10,000 solved passes of one /24 get in each posture.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use boma::challenge::{Ask, Challenge, SEAL_WIDTH, Work, asked, work};
use boma::facts::browser;
use boma::seal::Secret;
use boma::wire::NoHead;

use common::{Running, boma, ports, staff};

const REQUESTS: usize = 1_000_000;
const CONNECTIONS: usize = 4;
/// Requests that are on their way at once on each of them.
const DEPTH: usize = 32;
const SECRET: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

struct House {
    running: Running,
    port: u16,
    admin: u16,
}

fn main() {
    let only = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let folder = std::env::temp_dir().join(format!("boma-challenge-{}", std::process::id()));
    for (name, row) in [("flood", flood as fn(&Path)), ("passes", passes)] {
        if only.as_ref().is_none_or(|o| name.contains(o.as_str())) {
            row(&folder.join(name));
        }
    }
    let _ = fs::remove_dir_all(&folder);
}

fn house(folder: &Path) -> House {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("secret.key"), SECRET).unwrap();
    let [port, admin] = ports();
    let origin = origin();
    let settings = format!(
        "[server]\nsecret = \"secret.key\"\n[[listen]]\naddress = \"127.0.0.1:{port}\"\n[admin]\naddress = \"127.0.0.1:{admin}\"\n\
[client]\ntrusted_proxies = [\"127.0.0.1\"]\n[log]\naccess = \"off\"\n[[portal]]\nname = \"huduma\"\nhosts = [\"huduma.example\"]\n\
title = \"Huduma\"\nlanguages = [\"en\", \"sw\"]\norigins = [\"http://127.0.0.1:{origin}\"]\n"
    );
    let rules = "[posture]\nauto = false\n[[limit]]\nname = \"few\"\nper = \"portal\"\nrate = \"1/h\"\nburst = 1\nmatch = { path = \"/few\" }\nthen = \"deny\"\n";
    let running = boma(folder, &settings, rules, port);
    House { running, port, admin }
}

impl House {
    fn posture(&self, level: &str) {
        let wish = format!("{{\"level\":\"{level}\",\"for\":\"1h\",\"reason\":\"bench\"}}");
        let (status, said) = staff(self.admin, "PUT", "/api/v1/posture", &wish);
        assert_eq!(status, 200, "{said}");
    }
}

/// An origin that answers everything with two bytes.
fn origin() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut held = Vec::new();
                let mut piece = [0; 16 * 1024];
                while let Ok(n @ 1..) = stream.read(&mut piece) {
                    held.extend_from_slice(&piece[..n]);
                    while let Some(end) = held.windows(4).position(|w| w == b"\r\n\r\n") {
                        held.drain(..end + 4);
                        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    port
}

/// No two alike, and none of them near another.
fn address(n: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x1000_0000 + (n as u32).wrapping_mul(2053) % 0x5000_0000)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn flood(folder: &Path) {
    let house = house(folder);
    house.posture("attack");
    let challenge = Challenge::new(&Secret::parse(SECRET).unwrap(), Duration::from_secs(3600));
    let hardest = Ask { level: 1, work: Work::step(Work::ORDINARY), wait: 3, browser: browser(&NoHead) };
    let mut seal = [0; SEAL_WIDTH];
    challenge.issue(&hardest, now(), &mut seal);
    let seal = String::from_utf8_lossy(&seal).into_owned();
    // All parts are right but the last, so that all of them must be looked at.
    let solved = work(seal.as_bytes(), hardest.work);
    let nearly = format!("{}.0", solved.rsplit_once('.').unwrap().0);
    let get = |path: &'static str, fields: &'static str| {
        move |n: usize| {
            format!("GET {path} HTTP/1.1\r\nHost: huduma.example\r\nX-Forwarded-For: {}\r\n{fields}\r\n", address(n))
        }
    };
    let post = |body: String| {
        move |n: usize| {
            format!(
                "POST /.well-known/boma/challenge HTTP/1.1\r\nHost: huduma.example\r\nX-Forwarded-For: {}\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\
Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
                address(n),
                body.len()
            )
        }
    };
    let forged = format!("{}A{}", &seal[..20], &seal[21..]);
    // Fills the table of buckets, which is bounded, before anything is measured.
    row(&house, "to begin with", REQUESTS / 2, 429, &get("/few", ""));
    row(&house, "a plain 429", REQUESTS, 429, &get("/few", ""));
    row(&house, "the challenge page", REQUESTS, 503, &get("/", "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n"));
    row(&house, "a solution that is nearly right", REQUESTS, 403, &post(format!("seal={seal}&work={nearly}")));
    row(&house, "a solution of a forged seal", REQUESTS, 403, &post(format!("seal={forged}&work={nearly}")));
    row(&house, "a plain 429", REQUESTS, 429, &get("/few", ""));
}

fn row(house: &House, what: &str, n: usize, wanted: u16, request: &(dyn Fn(usize) -> String + Sync)) {
    let (cpu, rss, begun) = (house.running.cpu(), house.running.rss(), Instant::now());
    let counts: Vec<(BTreeMap<u16, usize>, u64)> = thread::scope(|scope| {
        let run =
            |part: usize| scope.spawn(move || pipeline(house.port, part * (n / CONNECTIONS), n / CONNECTIONS, request));
        let threads: Vec<_> = (0..CONNECTIONS).map(run).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let bytes: u64 = counts.iter().map(|(_, bytes)| bytes).sum();
    let mut statuses = BTreeMap::new();
    counts.iter().flat_map(|(c, _)| c).for_each(|(status, n)| *statuses.entry(*status).or_insert(0) += n);
    assert!(statuses.get(&wanted).copied().unwrap_or(0) * 1000 >= n * 999, "{what}: {statuses:?}");
    println!(
        "{what:<32} {n} requests: {:>6.1} µs of CPU and {:>5} bytes out each, {:>7.0}/s; resident {} KiB before, {} after",
        (house.running.cpu() - cpu) as f64 / n as f64,
        bytes / n as u64,
        n as f64 / begun.elapsed().as_secs_f64(),
        rss,
        house.running.rss()
    );
}

/// Sends requests by the dozen and reads as many answers: how often each status came, and all bytes.
fn pipeline(
    port: u16,
    first: usize,
    n: usize,
    request: &(dyn Fn(usize) -> String + Sync),
) -> (BTreeMap<u16, usize>, u64) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut statuses, mut bytes) = (BTreeMap::new(), 0);
    let (mut held, mut piece) = (Vec::new(), vec![0; 256 * 1024]);
    for begin in (first..first + n).step_by(DEPTH) {
        let batch = DEPTH.min(first + n - begin);
        let text: String = (begin..begin + batch).map(request).collect();
        stream.write_all(text.as_bytes()).unwrap();
        for _ in 0..batch {
            let whole = loop {
                if let Some(whole) = whole(&held) {
                    break whole;
                }
                let n = stream.read(&mut piece).unwrap();
                assert!(n > 0, "boma closed the connection");
                held.extend_from_slice(&piece[..n]);
            };
            let status = std::str::from_utf8(&held[9..12]).unwrap().parse().unwrap();
            *statuses.entry(status).or_insert(0) += 1;
            bytes += whole as u64;
            held.drain(..whole);
        }
    }
    (statuses, bytes)
}

/// The length of the answer that `held` begins with, once it is whole.
fn whole(held: &[u8]) -> Option<usize> {
    let end = held.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&held[..end]).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length:")).map_or(0, |n| n.trim().parse().unwrap());
    (held.len() >= end + length).then_some(end + length)
}

fn passes(folder: &Path) {
    const PASSES: usize = 10_000;
    const SECONDS: u64 = 20;
    let house = house(folder);
    let member = |n: usize| format!("X-Forwarded-For: 203.0.113.{}\r\n", n % 256);
    let begun = Instant::now();
    let mut link = Link::new(house.port);
    let cookies: Vec<String> = (0..PASSES).filter_map(|n| link.earn(&member(n), n)).collect();
    println!("{} passes for one /24 in {:.0} s, worked out by one core", cookies.len(), begun.elapsed().as_secs_f64());
    for posture in ["normal", "guarded", "attack"] {
        house.posture(posture);
        let (begun, mut served, mut asked) = (Instant::now(), 0_u64, 0_u64);
        while begun.elapsed() < Duration::from_secs(SECONDS) {
            let n = asked as usize % cookies.len();
            let fields =
                format!("{}Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nCookie: {}\r\n", member(n), cookies[n]);
            served += u64::from(link.ask("GET", "/", &fields, "").0 == 200);
            asked += 1;
        }
        println!("{posture:<8} of {} requests/s with these passes {} are served", asked / SECONDS, served / SECONDS);
    }
}

/// One kept-alive connection.
struct Link {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Link {
    fn new(port: u16) -> Link {
        Link { stream: TcpStream::connect(("127.0.0.1", port)).unwrap(), held: Vec::new() }
    }

    fn ask(&mut self, method: &str, path: &str, fields: &str, body: &str) -> (u16, String) {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let text = format!("{method} {path} HTTP/1.1\r\nHost: huduma.example\r\n{fields}{length}\r\n{body}");
        self.stream.write_all(text.as_bytes()).unwrap();
        let mut piece = [0; 64 * 1024];
        let end = loop {
            if let Some(end) = whole(&self.held) {
                break end;
            }
            let n = self.stream.read(&mut piece).unwrap();
            assert!(n > 0, "boma closed the connection");
            self.held.extend_from_slice(&piece[..n]);
        };
        let answer: Vec<u8> = self.held.drain(..end).collect();
        let said = String::from_utf8_lossy(&answer).into_owned();
        (said[9..12].parse().unwrap(), said)
    }

    /// A pass, as a Cookie field has it; own paths have a limit of their own, which is waited for.
    fn earn(&mut self, fields: &str, n: usize) -> Option<String> {
        let fields = format!("{fields}Accept: application/json\r\n");
        let (status, said) = self.ask("GET", "/.well-known/boma/challenge", &fields, "");
        assert_eq!(status, 200, "pass {n}: {said}");
        let at = said.find("\"seal\":\"")? + 8;
        let seal = said.get(at..at + SEAL_WIDTH)?;
        let body = format!("seal={seal}&work={}", work(seal.as_bytes(), asked(seal.as_bytes())?));
        let (_, said) = self.ask("POST", "/.well-known/boma/challenge", &fields, &body);
        let at = said.find("boma_pass=")?;
        said[at..].split(';').next().map(str::to_owned)
    }
}
