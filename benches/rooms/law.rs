//! What the law costs: asking it, changing it, and the worst texts that may be proposed.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use boma::client::Client;
use boma::facts::{Facts, Kind};
use boma::http1::RequestHead;
use boma::path::for_matching;
use boma::plan::Level;
use boma::rules::{self, RuleSet, Sources};
use boma::wire::Head;
use bytes::BytesMut;

use super::large::{Asked, Hits, Large, Size};

const NOW: u64 = 1_796_148_000;
const REQUESTS: usize = 512;
const ROUNDS: usize = 200;

/// Rules, compiled; their files are handed over as text.
fn set(large: &Large) -> RuleSet {
    let list = |name: &str| {
        let found = large.files.iter().find(|(file, _)| file == name);
        found.map(|(_, text)| text.clone()).ok_or_else(|| "no such file".to_owned())
    };
    let read = rules::read("rules.toml", &large.rules, &Sources { list: &list, ..Sources::at(NOW) });
    assert!(read.faults.is_empty(), "{}", read.faults[0]);
    read.value
}

/// A head and who sent it, as the corridor has them when it asks the law.
struct Ready {
    head: RequestHead,
    client: Client,
    match_path: String,
}

impl Ready {
    fn new(asked: &Asked) -> Ready {
        let mut bytes = BytesMut::from(asked.head.as_slice());
        let head = RequestHead::take(&mut bytes, &mut 0, 64 * 1024, 100).unwrap().unwrap();
        let match_path = for_matching(head.path()).into_owned();
        Ready { head, client: Client::new(asked.from, asked.from, 64, false), match_path }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            method: self.head.method(),
            scheme: "https",
            host: "huduma.example",
            path: self.head.path(),
            match_path: &self.match_path,
            query: self.head.query(),
            kind: Kind::Navigation,
            client: &self.client,
            pass: None,
            settled: false,
            portal: "huduma",
            route: "*",
            class: "information",
            country: None,
            asn: None,
            known_path: false,
            services: &[],
            head: &self.head,
        }
    }
}

/// 10,000 networks, 100 patterns and 200 rules beside ten of each.
pub fn policy() {
    let (large, small) = (Large::new(Size::LARGE, 1), Large::new(Size::SMALL, 1));
    let (many, few) = (set(&large), set(&small));
    let clock = clock_cost();
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>8} {:>7}",
        "policy, ns a request", "matched", "median", "p99", "10 rules", "ratio"
    );
    for level in [Level::Normal, Level::Attack] {
        for bytes in [20, 200] {
            for (hits, name) in [(Hits::None, "none"), (Hits::One, "one"), (Hits::Many, "many")] {
                let ready: Vec<Ready> = large.requests(hits, bytes, REQUESTS).iter().map(Ready::new).collect();
                let (matched, median, p99) = cost(&many, &ready, level, clock);
                let (_, base, _) = cost(&few, &ready, level, clock);
                println!(
                    "{:<44} {matched:>8} {median:>8} {p99:>8} {base:>8} {:>7.2}",
                    format!("path of {bytes} bytes, matches {name}, {level}"),
                    median as f64 / base as f64
                );
            }
        }
    }
}

/// What reading the clock twice costs, which every measured call pays.
fn clock_cost() -> u64 {
    let mut all: Vec<u64> = (0..100_000).map(|_| Instant::now().elapsed().as_nanos() as u64).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

/// Rules that match, and nanoseconds: the median and the hundredth part that takes longest.
fn cost(set: &RuleSet, ready: &[Ready], level: Level, clock: u64) -> (usize, u64, u64) {
    let mut matched = 0;
    set.plan_seen(None, &ready[0].facts(), level, NOW, |_| matched += 1);
    let mut all = Vec::with_capacity(ready.len() * ROUNDS);
    for round in 0..ROUNDS + 5 {
        for one in ready {
            let facts = one.facts();
            let start = Instant::now();
            black_box(set.plan(black_box(&facts), level, NOW));
            let took = start.elapsed().as_nanos() as u64;
            if round >= 5 {
                all.push(took.saturating_sub(clock));
            }
        }
    }
    all.sort_unstable();
    (matched, all[all.len() / 2], all[all.len() * 99 / 100])
}

/// Reading and compiling, and giving an old set back.
pub fn compile() {
    for (what, large) in [
        ("10,000 networks, 100 patterns, 200 rules", Large::new(Size::LARGE, 1)),
        ("the same with 10,000 rules", Large::new(Size { rules: 10_000, ..Size::LARGE }, 1)),
    ] {
        let (mut reads, mut drops) = (Vec::new(), Vec::new());
        for _ in 0..11 {
            let start = Instant::now();
            let set = black_box(set(&large));
            reads.push(start.elapsed());
            let start = Instant::now();
            drop(set);
            drops.push(start.elapsed());
        }
        let bytes = large.rules.len() + large.files.iter().map(|(_, t)| t.len()).sum::<usize>();
        println!(
            "compile: {what} ({} KiB): read {:.1} ms, at most {:.1}; dropped in {:.2} ms",
            bytes / 1024,
            millis(middle(&mut reads)),
            millis(reads[reads.len() - 1]),
            millis(middle(&mut drops)),
        );
    }
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Texts that are made to be slow or large to read.
pub fn texts() {
    let _ = IpAddr::from([0, 0, 0, 0]);
}
