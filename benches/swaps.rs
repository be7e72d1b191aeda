//! What changing large rules costs those who are being served, and what having them costs a start: `cargo bench --bench
//! swaps`. Needs Debian's nginx as the origin.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use common::large::{Large, Size};
use common::{Running, TOKEN, nginx, ports};

/// Nobody is limited, and nothing climbs: `[posture]` comes with the large rules.
const WIDE: &str = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000000/s\"\nburst = 10000000\n";

fn main() {
    let folder = std::env::temp_dir().join(format!("boma-swaps-{}", std::process::id()));
    fs::create_dir_all(folder.join("www")).expect("a folder for the bench");
    fs::write(folder.join("www/1k"), "x".repeat(1024)).unwrap();
    let only = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let [port] = ports();
    let place = folder.display();
    let root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let user = if root { "user root;" } else { "" };
    let text = format!(
        "{user} daemon off; error_log stderr crit; pid {place}/origin.pid; worker_processes 1;\nevents {{ worker_connections 1000; }}\n\
http {{ access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
keepalive_requests 1000000;\nserver {{ listen 127.0.0.1:{port}; root {place}/www; }} }}\n"
    );
    let origin = nginx(&folder, "origin", &text, port);
    for (name, row) in [("changes", changes as fn(&Path, u16)), ("starts", starts)] {
        if only.as_ref().is_none_or(|o| name.contains(o.as_str())) {
            row(&folder, port);
        }
    }
    drop(origin);
    let _ = fs::remove_dir_all(&folder);
}

/// A hundred changes by the staff door beside a constant load, and the same load without.
fn changes(folder: &Path, origin: u16) {
    const SWAPS: u32 = 100;
    const LONG: Duration = Duration::from_secs(20);
    let large = Large::new(Size::LARGE, 1);
    let one = format!("{}{WIDE}", large.rules);
    let other = format!("{one}[[rule]]\nname = \"another\"\nmatch = {{ path = \"/another\" }}\nthen = \"log\"\n");
    let files = Files::new(folder.join("changes"), origin, &large, &one);
    let boma = files.start();
    load(files.plain, Duration::from_secs(2));
    for round in 1..=3 {
        println!("load without changes, {round}: {}", load(files.plain, LONG));
        let mut puts: Vec<Duration> = Vec::new();
        let before = boma.cpu();
        let busy = thread::scope(|scope| {
            let busy = scope.spawn(|| load(files.plain, LONG));
            let begun = Instant::now();
            for i in 0..SWAPS {
                sleep((LONG / (SWAPS + 1) * i).saturating_sub(begun.elapsed()));
                let start = Instant::now();
                files.put_rules(if i % 2 == 0 { &other } else { &one });
                puts.push(start.elapsed());
            }
            busy.join().unwrap()
        });
        puts.sort_unstable();
        println!("load beside {SWAPS} changes, {round}: {busy}");
        println!(
            "    a change by PUT {:.1} ms, at most {:.1}; boma's CPU {} ms in all; {} KiB resident",
            millis(puts[puts.len() / 2]),
            millis(puts[puts.len() - 1]),
            (boma.cpu() - before) / 1000,
            boma.rss()
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A thousand requests a second by the clock, on eight connections: how many failed, and how long they took from when they
/// were due.
fn load(port: u16, long: Duration) -> String {
    const CONNECTIONS: u32 = 8;
    const EVERY: Duration = Duration::from_millis(8);
    let begun = Instant::now();
    let one = |number: u32| {
        let connect = || {
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            stream
        };
        let (mut stream, mut times, mut failed, mut due) = (connect(), Vec::new(), 0, EVERY / CONNECTIONS * number);
        while due < long {
            sleep(due.saturating_sub(begun.elapsed()));
            let sent = stream.write_all(b"GET /1k HTTP/1.1\r\nHost: huduma.example\r\n\r\n").is_ok();
            let (mut room, mut came, mut good) = ([0; 4096], 0, false);
            while sent && came < 1024 {
                let Ok(n @ 1..) = stream.read(&mut room) else { break };
                good = good || room.starts_with(b"HTTP/1.1 200");
                came += n;
            }
            times.push(begun.elapsed().saturating_sub(due));
            if !good || came < 1024 {
                failed += 1;
                stream = connect();
            }
            due += EVERY;
        }
        (times, failed)
    };
    let (mut times, failed) = thread::scope(|scope| {
        let all: Vec<_> = (0..CONNECTIONS).map(|number| scope.spawn(move || one(number))).collect();
        all.into_iter().map(|t| t.join().unwrap()).fold((Vec::new(), 0), |(mut all, lost), (times, failed)| {
            all.extend(times);
            (all, lost + failed)
        })
    });
    times.sort_unstable();
    let at = |share: f64| millis(times[((times.len() - 1) as f64 * share) as usize]);
    format!(
        "{} requests, {failed} failed; median {:.2} ms, p99 {:.2}, p99.9 {:.2}, at most {:.1}",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    )
}

/// From the first instruction to the first connection: on an empty state directory, and on what the time before left.
fn starts(folder: &Path, origin: u16) {
    for (what, size) in [
        ("no rules", Size { cidrs: 10, patterns: 10, rules: 0 }),
        ("200 rules, 10,000 networks", Size::LARGE),
        ("10,000 rules, 10,000 networks", Size { rules: 10_000, ..Size::LARGE }),
    ] {
        let large = Large::new(size, 1);
        let files = Files::new(folder.join("starts"), origin, &large, &large.rules);
        let (mut first, mut next) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let _ = fs::remove_dir_all(files.folder.join("state"));
            first.push(files.start_timed());
            next.push(files.start_timed());
        }
        first.sort_unstable();
        next.sort_unstable();
        println!("start with {what}: {:.0} ms, the first time {:.0}", millis(next[2]), millis(first[2]));
    }
}

/// The files of one boma, and its ports.
struct Files {
    folder: PathBuf,
    settings: String,
    rules: String,
    plain: u16,
    admin: u16,
}

impl Files {
    fn new(folder: PathBuf, origin: u16, large: &Large, rules: &str) -> Files {
        fs::create_dir_all(&folder).unwrap();
        large.files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        let [plain, admin] = ports();
        let settings = format!(
            "[[listen]]\naddress = \"127.0.0.1:{plain}\"\n[admin]\naddress = \"127.0.0.1:{admin}\"\n[log]\naccess = \"off\"\n\
[[portal]]\nname = \"p\"\nhosts = [\"huduma.example\"]\norigins = [\"http://127.0.0.1:{origin}\"]\n"
        );
        Files { folder, settings, rules: rules.to_owned(), plain, admin }
    }

    fn start(&self) -> Running {
        common::boma(&self.folder, &self.settings, &self.rules, self.plain)
    }

    fn start_timed(&self) -> Duration {
        let begun = Instant::now();
        thread::scope(|scope| {
            let running = scope.spawn(|| self.start());
            while TcpStream::connect(("127.0.0.1", self.plain)).is_err() {
                assert!(begun.elapsed() < Duration::from_secs(20), "nothing listens");
                sleep(Duration::from_millis(1));
            }
            let took = begun.elapsed();
            drop(running.join().unwrap());
            took
        })
    }

    fn put_rules(&self, text: &str) {
        let mut staff = TcpStream::connect(("127.0.0.1", self.admin)).unwrap();
        let head = format!(
            "PUT /api/v1/rules HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nIf-Match: *\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            text.len()
        );
        staff.write_all(head.as_bytes()).unwrap();
        staff.write_all(text.as_bytes()).unwrap();
        let mut said = String::new();
        staff.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
}
