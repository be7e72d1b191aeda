//! What the law costs: asking it, changing it, and the worst texts that may be proposed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use boma::client::Client;
use boma::facts::{Facts, Kind};
use boma::http1::RequestHead;
use boma::path::for_matching;
use boma::plan::Level;
use boma::rules::{self, RuleSet, Sources};
use boma::wire::Head;
use bytes::BytesMut;

use super::common::large::{Asked, Dice, Hits, Large, Size};

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
    let one = std::env::var("HITS").ok();
    for level in [Level::Normal, Level::Attack] {
        for bytes in [20, 200] {
            for (hits, name) in [(Hits::None, "none"), (Hits::One, "one"), (Hits::Many, "many")] {
                if one.as_ref().is_some_and(|o| o != name) {
                    continue;
                }
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
    set.plan_seen(&[], &ready[0].facts(), level, NOW, |_| matched += 1);
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

/// A text that is made to be slow or large to read, and the text that every list's file holds.
type Bad = (&'static str, String, String);

/// Texts that are made to be slow or large: how long each takes to be read, with how much memory, and how long a request
/// takes that is made to be slow in turn.
pub fn texts() {
    let all = bad_texts();
    // Each in a process of its own, so that what one takes is not there for the next.
    if let Some((name, text, file)) = std::env::var("BOMA_TEXT").ok().and_then(|n| all.get(n.parse::<usize>().ok()?)) {
        return bad_text(name, text, file);
    }
    println!("{:<46} {:>8} {:>9} {:>8} {:>10}  first fault", "texts", "KiB", "ms", "MiB", "ask, µs");
    for (i, (name, ..)) in all.iter().enumerate() {
        let own = std::env::current_exe().expect("this program");
        let done = std::process::Command::new(own).arg("texts").env("BOMA_TEXT", i.to_string()).status();
        assert!(done.is_ok_and(|s| s.success()), "{name}");
    }
}

fn bad_text(name: &str, text: &str, file: &str) {
    let before = peak();
    let start = Instant::now();
    let list = |_: &str| Ok(file.to_owned());
    let read = rules::read("rules.toml", text, &Sources { list: &list, ..Sources::at(NOW) });
    let took = start.elapsed();
    let memory = peak().saturating_sub(before) / 1024;
    let fault = read.faults.first().map_or("none", |f| f.message.as_str());
    let fault: String = fault.chars().take(70).collect();
    let ask = if read.faults.is_empty() { format!("{:.1}", slowest(&read.value)) } else { "-".into() };
    println!(
        "{name:<46} {:>8} {:>9.1} {memory:>8} {ask:>10}  {fault} ({})",
        text.len() / 1024,
        millis(took),
        read.faults.len()
    );
}

/// Microseconds for a request of long fields that hold much of what patterns look for: no two alike, so that nothing
/// is remembered of the one before, but for the first, which has one piece again and again.
fn slowest(set: &RuleSet) -> f64 {
    let mut dice = Dice::new(3);
    let mut long = "aaab".repeat(1900);
    let mut times: Vec<Duration> = (0..31)
        .map(|_| {
            let head = format!("GET /{long}?{long} HTTP/1.1\r\nHost: h\r\nUser-Agent: {long}\r\n\r\n");
            let ready = Ready::new(&Asked { head: head.into_bytes(), from: [198, 18, 0, 1].into() });
            let facts = ready.facts();
            long = (0..7600).map(|_| ["a", "b", "aaab", "x"][dice.below(4)]).collect();
            long.truncate(7600);
            let start = Instant::now();
            black_box(set.plan(&facts, Level::Attack, NOW));
            start.elapsed()
        })
        .collect();
    let first = times[0];
    middle(&mut times).max(first).as_secs_f64() * 1e6
}

/// The most that was resident since it was reset, in KiB.
fn peak() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn rule(i: usize, matched: &str) -> String {
    format!("[[rule]]\nname = \"r{i}\"\nmatch = {{ {matched} }}\nthen = \"log\"\n")
}

fn bad_texts() -> Vec<Bad> {
    const MIB: usize = 1 << 20;
    let rules = |n: usize, matched: &dyn Fn(usize) -> String| (0..n).map(|i| rule(i, &matched(i))).collect::<String>();
    let many = |bytes: usize, item: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        let mut i = 0;
        while text.len() < bytes {
            text.push_str(&item(i));
            i += 1;
        }
        text
    };
    let plain = |name, text| (name, text, String::new());
    vec![
        plain(
            "200 rules, alternations of 8 KiB",
            rules(200, &|i| format!("path = 're:{}'", many(8000, &|j| format!("x{}y|", i * 10_000 + j)))),
        ),
        plain(
            "10,000 expressions, one word in all",
            rules(10_000, &|i| format!("user_agent = 're:aaab[0-9]{{3}}x{i}'")),
        ),
        plain("10,000 expressions without a word", rules(10_000, &|i| format!("user_agent = 're:a.{{3}}b.*{i}'"))),
        plain("2,000 expressions, one word in all", rules(2000, &|i| format!("user_agent = 're:aaab[0-9]{{3}}x{i}'"))),
        plain("400 expressions a.{30}b", rules(400, &|i| format!("user_agent = 're:a.{{30}}b{i}'"))),
        plain("100 expressions a.{30}b of ASCII", rules(100, &|i| format!("user_agent = 're:(?-u:a[ab]{{30}}b{i})'"))),
        plain("20 expressions a.*b.{9}a", rules(20, &|i| format!("user_agent = 're:a.*b.{{9}}a{i}$'"))),
        plain("200 expressions \\w+x", rules(200, &|i| format!("user_agent = 're:\\w+x{i}'"))),
        plain("10,000 times \\w{30}", rules(10_000, &|i| format!("path = 're:\\w{{30}}{i}'"))),
        plain(
            "200 expressions of many scripts, long",
            rules(200, &|i| format!("path = 're:{}{i}'", many(8000, &|_| "(?i)[\\x{0}-\\x{10FFFF}]".into()))),
        ),
        plain("50 expressions \\w*a.*b.*", rules(50, &|i| format!("user_agent = 're:\\w*a.*b.*a.*b.*{i}'"))),
        plain("counted repetitions, nested", rules(200, &|i| format!("path = 're:((a{{{}}}){{100}}){{100}}'", i + 1))),
        plain(
            "4 MiB of globs",
            format!(
                "[[rule]]\nname = \"r\"\nthen = \"log\"\nmatch.path = [{}]\n",
                many(3 * MIB + MIB / 2, &|i| { format!("'*/{i}*a*b*',") })
            ),
        ),
        plain("10,000 globs", rules(10_000, &|i| format!("path = '*/{i}*a*b*'"))),
        plain(
            "4 MiB of texts and beginnings",
            format!(
                "[[rule]]\nname = \"r\"\nthen = \"log\"\nmatch.path = [{}]\n",
                many(3 * MIB + MIB / 2, &|i| { format!("'/{i}','/{i}*',") })
            ),
        ),
        plain("globs of 8 KiB, all stars", rules(400, &|i| format!("path = '{}{i}'", "*a".repeat(4000)))),
        plain(
            "8,000 prefixes, each in the next",
            format!(
                "[[rule]]\nname = \"r\"\nthen = \"log\"\nmatch.user_agent = [{}]\n",
                (1..2800)
                    .map(|i| { format!("'{}*',", "aaab".repeat(i).get(..i).unwrap_or_default()) })
                    .collect::<String>()
            ),
        ),
        plain(
            "words, each in the next",
            format!(
                "[[rule]]\nname = \"r\"\nthen = \"log\"\nmatch.user_agent = [{}]\n",
                (1..2800)
                    .map(|i| { format!("'*{}*',", "aaab".repeat(i).get(..i).unwrap_or_default()) })
                    .collect::<String>()
            ),
        ),
        plain(
            "10,000 rules on one path and method",
            rules(10_000, &|i| format!("path = '*', method = \"GET\", user_agent = {{ not = 'x{i}' }}")),
        ),
        plain(
            "150,000 names of fields",
            format!(
                "[[rule]]\nname = \"r\"\nthen = \"log\"\nmatch.header = {{ {} }}\n",
                (0..150_000).map(|i| { format!("h{i}=\"\",") }).collect::<String>()
            ),
        ),
        plain(
            "not in not",
            format!(
                "[[rule]]\nname = \"r\"\nthen = \"log\"\nmatch.path = {}1{}\n",
                "{ not = ".repeat(100_000),
                "}".repeat(100_000)
            ),
        ),
        (
            "10,000 lists, one file of 16 MiB",
            (0..10_000).map(|i| format!("[[list]]\nname = \"l{i}\"\nfile = \"f\"\n")).collect(),
            many(16 * MIB - 20, &|i| format!("10.{}.{}.{}\n", i >> 16 & 255, i >> 8 & 255, i & 255)),
        ),
        ("a list of 16 MiB of nonsense", "[[list]]\nname = \"l\"\nfile = \"f\"\n".into(), "x\n".repeat(8 * MIB - 1)),
        plain(
            "4 MiB of networks",
            format!(
                "[[list]]\nname = \"l\"\ncidrs = [{}]\n",
                many(4 * MIB - 100, &|i| { format!("'10.{}.{}.{}',", i >> 16 & 255, i >> 8 & 255, i & 255) })
            ),
        ),
        plain(
            "networks with bits beyond",
            format!("[[list]]\nname = \"l\"\ncidrs = [{}]\n", "'10.0.0.1/8',".repeat(150_000)),
        ),
        plain(
            "unknown lists, a thousand known",
            (0..900)
                .map(|i| format!("[[list]]\nname = \"list-{i}\"\ncidrs=[]\n"))
                .chain([format!(
                    "[[rule]]\nname = \"r\"\nthen = \"log\"\nmatch.list = [{}]\n",
                    "'lisst',".repeat(200_000)
                )])
                .collect(),
        ),
        plain("190,000 unknown keys", (0..190_000).map(|i| format!("k{i}=1\n")).collect()),
        plain("4 MiB of tables", many(4 * MIB - 100, &|i| format!("[[a]]\na{i}.b.c.d.e=1\n"))),
        plain("empty rules", "[[rule]]\n".repeat(90_000)),
        plain("1 MiB of broken lines", "=\n".repeat(MIB / 2)),
        plain("4 MiB of broken lines", "=\n".repeat(2 * MIB - 1)),
        plain("a dotted key, deep", format!("{}a=1\n", "a.".repeat(100_000))),
        plain("brackets, deep", format!("a={}\n", "[".repeat(100_000))),
        plain("16 MiB of comments", "# a comment\n".repeat(16 * MIB / 12)),
        plain("4 MiB of comments", "# a comment\n".repeat(4 * MIB / 12)),
    ]
}
