//! Buckets: one per client, shared ones, and a million of them within their bound.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::harness::{Boma, Client, Mode, Origin, Setup, eventually, get, navigate, request};

const TRUSTING: &str = "[client]\ntrusted_proxies = [\"127.0.0.1\"]\n";

#[test]
fn over_a_limit_comes_429_with_when_to_return() {
    let rules = "[[limit]]\nname = \"search\"\nper = \"client\"\nrate = \"1/m\"\nburst = 2\nmatch = { path = \"/search*\" }\nthen = \"deny\"\n";
    let origin = Origin::start();
    let boma = Setup::new().rules(rules).start(origin.address);
    assert_eq!((get(boma.at(), "/search?q=1").status, get(boma.at(), "/search?q=2").status), (200, 200));
    let over = get(boma.at(), "/search?q=3");
    assert_eq!(over.status, 429);
    assert!(over.field("retry-after").unwrap().parse::<u64>().unwrap() >= 59, "{over:?}");
    assert_eq!(over.field("ratelimit-policy"), Some("\"search\";q=2;w=120"));
    assert!(over.field("ratelimit").unwrap().starts_with("\"search\";r=0;t="));
    assert_eq!(over.field("content-type"), Some("application/problem+json"));
    assert_eq!(over.json()["status"], 429);
    assert_eq!(get(boma.at(), "/other").status, 200);
    assert!(navigate(boma.at(), "/search").text().contains("<h1>Please wait a moment</h1>"));
    assert_eq!(origin.reached_by_citizens().len(), 3);
}

#[test]
fn each_kind_of_key_counts_by_itself() {
    let limit = |name: &str, per: &str| {
        format!(
            "[[limit]]\nname = \"{name}\"\nper = \"{per}\"\nrate = \"1/h\"\nburst = 2\nthen = \"deny\"\nmatch = {{ path = \"/{name}\" }}\n"
        )
    };
    let rules = limit("client", "client")
        + &limit("address", "address")
        + &limit("network", "network")
        + &limit("portal", "portal")
        + &limit("header", "header:X-Key");
    let origin = Origin::start();
    let boma = Setup::new().settings(TRUSTING).rules(&rules).start(origin.address);
    let ask = |path: &str, from: &str, key: &str| {
        request(boma.at(), "GET", path, &format!("X-Forwarded-For: {from}\r\nX-Key: {key}\r\n"), "").status
    };
    for path in ["/client", "/address"] {
        let statuses =
            ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8::3"]
                .map(|from| ask(path, from, "k"));
        assert_eq!(statuses, [200, 200, 429, 200, 200, 200, 429], "{path}: a /64 is one client");
    }
    let network = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.3.1"].map(|from| ask("/network", from, "k"));
    assert_eq!(network, [200, 200, 429, 200]);
    let portal = ["192.0.2.1", "198.51.100.1", "203.0.113.1"].map(|from| ask("/portal", from, "k"));
    assert_eq!(portal, [200, 200, 429]);
    let header = [("192.0.2.1", "a"), ("192.0.2.2", "a"), ("192.0.2.3", "a"), ("192.0.2.3", "b")]
        .map(|(from, key)| ask("/header", from, key));
    assert_eq!(header, [200, 200, 429, 200]);
}

#[test]
fn the_built_in_budget_holds_where_no_limit_is_written_and_shadow_limits_only_tell() {
    let rules = "[[limit]]\nname = \"tried\"\nper = \"address\"\nrate = \"1/h\"\nthen = \"deny\"\nshadow = true\n";
    let origin = Origin::start();
    let boma = Setup::new().rules(rules).start(origin.address);
    let mut client = crate::harness::Client::connect(boma.at()).unwrap();
    let served = (0..330).filter(|_| client.ask("GET", "/", "", "").unwrap().status == 200).count();
    assert!((300..330).contains(&served), "a burst of 300, and little more: {served}");
    let page = navigate(boma.at(), "/");
    assert_eq!(page.status, 503, "a person over budget is challenged, not refused");
    assert!(page.text().contains("name=\"boma-seal\""));
}

#[test]
fn forwarded_addresses_of_strangers_are_not_believed() {
    let rules = "[[limit]]\nname = \"one\"\nper = \"address\"\nrate = \"1/h\"\nburst = 1\nthen = \"deny\"\n";
    let origin = Origin::start();
    let boma = Setup::new().rules(rules).start(origin.address);
    let ask = |from: &str| request(boma.at(), "GET", "/", &format!("X-Forwarded-For: {from}\r\n"), "").status;
    assert_eq!((ask("192.0.2.1"), ask("192.0.2.2")), (200, 429));
}

/// One million keys on 8 MiB, forwarded from a trusted hop, while one client asks far above its rate.
#[test]
fn a_million_clients_stay_within_the_bound_and_the_heaviest_is_counted_exactly() {
    const KEYS: u32 = 1_000_000;
    const BATCH: u32 = 200;
    // A `static` rule answers what the limits let through, so that no origin has to.
    let rules = "[[limit]]\nname = \"budget\"\nper = \"client\"\nrate = \"50/s\"\nburst = 50\nthen = \"deny\"\n\
[[rule]]\nname = \"all\"\nmatch = { path = \"*\" }\nthen = \"static\"\n";
    let settings = "[client]\ntrusted_proxies = [\"127.0.0.1\"]\nmemory = \"8MiB\"\n";
    let origin = Origin::start();
    let boma = Setup::new().settings(settings).rules(rules).start(origin.address);
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", boma.child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    let before = resident();
    let mut stream = TcpStream::connect(boma.at()).unwrap();
    let mut reader = BufReader::with_capacity(1 << 20, stream.try_clone().unwrap());
    let ask = |batch: &mut Vec<u8>, from: &str| {
        let _ = write!(batch, "GET / HTTP/1.1\r\nHost: huduma.example\r\nX-Forwarded-For: {from}\r\n\r\n");
    };
    let heavy = "203.0.113.9";
    let (mut admitted, mut refused) = (0u64, 0u64);
    let start = Instant::now();
    for first in (0..KEYS).step_by(BATCH as usize) {
        let mut batch = Vec::with_capacity(64 * 1024);
        for i in first..first + BATCH {
            let [b, c, d] = [(i >> 16) as u8, (i >> 8) as u8, i as u8];
            ask(&mut batch, &format!("10.{b}.{c}.{d}"));
            if i % 50 == 0 {
                ask(&mut batch, heavy);
            }
        }
        stream.write_all(&batch).unwrap();
        for i in first..first + BATCH {
            assert_eq!(answered(&mut reader), 503, "each of the million is within its own budget");
            if i % 50 == 0 {
                match answered(&mut reader) {
                    503 => admitted += 1,
                    429 => refused += 1,
                    other => panic!("{other}"),
                }
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let due = 50.0 + 50.0 * seconds;
    let after = resident();
    let (evictions, shared) = (boma.metric("boma_limit_evictions"), boma.metric("boma_limit_shared"));
    println!(
        "{KEYS} keys in {seconds:.1} s: resident {before} MiB before, {after} MiB after; evictions {evictions}, shared {shared}; heaviest admitted {admitted} of {due:.0} due, {refused} refused"
    );
    assert!(boma.metric("boma_limit_capacity") * 25.0 <= 8.0 * 1024.0 * 1024.0);
    assert!(after - before < 8 + 24, "the table's 8 MiB and the working memory around it: {before} -> {after} MiB");
    assert!(refused > 0, "the heaviest asks more than it gets");
    // The batch makes time coarse by up to one batch's length at either end.
    assert!((admitted as f64 - due).abs() <= due * 0.01 + 5.0, "admitted {admitted}, due {due:.0}");
}

/// Reads one answer of a pipelined connection; its status.
fn answered(reader: &mut BufReader<TcpStream>) -> u16 {
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).unwrap();
    let status = line[9..12].parse().unwrap();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    status
}

#[test]
fn only_answers_of_the_kind_that_counts_are_counted() {
    let origin = Origin::start();
    let boma = Setup::new()
        .rules("[[limit]]\nname = \"guesses\"\nper = \"client\"\nrate = \"1/h\"\nburst = 2\ncount = { status = [500] }\nthen = \"deny\"\n")
        .start(origin.address);
    let ask = |path: &str| request(boma.at(), "GET", path, "Accept: application/json\r\n", "").status;
    assert!((0..20).all(|_| ask("/good") == 200));
    origin.set(Mode::Fails);
    assert_eq!((ask("/a"), ask("/b"), ask("/c")), (500, 500, 429));
    origin.set(Mode::Works);
    assert_eq!(ask("/good"), 429, "whoever is over it is over it for all that it is for");
    assert_eq!(origin.reached_by_citizens().len(), 22);
}

#[test]
fn requests_at_once_are_limited_and_each_that_ends_makes_room() {
    let origin = Origin::start();
    let boma = Setup::new()
        .settings(TRUSTING)
        .rules("[[limit]]\nname = \"at-once\"\nper = \"client\"\nconcurrent = 2\nmatch = { path = \"/slow*\" }\nthen = \"deny\"\n")
        .start(origin.address);
    origin.set(Mode::Hangs);
    let mut under_way: Vec<Client> = (0..2).map(|_| Client::connect(boma.at()).unwrap()).collect();
    for client in &mut under_way {
        client.send(b"GET /slow HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    }
    eventually("both are at the origin", || (origin.reached_by_citizens().len() == 2).then_some(()));
    origin.set(Mode::Works);
    let third = get(boma.at(), "/slow");
    assert_eq!(third.status, 429);
    assert_eq!(third.field("ratelimit-policy"), Some("\"at-once\";q=2;qu=\"concurrent-requests\""));
    assert_eq!(request(boma.at(), "GET", "/slow", "X-Forwarded-For: 192.0.2.9\r\n", "").status, 200, "another client");
    assert_eq!(get(boma.at(), "/other").status, 200);
    drop(under_way);
    eventually("there is room again", || (get(boma.at(), "/slow").status == 200).then_some(()));
}

#[test]
fn limits_and_known_paths_outlive_a_restart() {
    let origin = Origin::start();
    let rules = "[[limit]]\nname = \"few\"\nper = \"client\"\nrate = \"1/h\"\nburst = 2\nmatch = { path = \"/few\" }\nthen = \"deny\"\n[[rule]]\nname = \"guessed\"\nmatch = { known_path = false, header.x-strict = \"1\" }\nthen = \"deny\"\n";
    let mut boma = Setup::new().rules(rules).start(origin.address);
    assert_eq!(
        (get(boma.at(), "/few").status, get(boma.at(), "/few").status, get(boma.at(), "/few").status),
        (200, 200, 429)
    );
    let strict = |boma: &Boma, path: &str| request(boma.at(), "GET", path, "X-Strict: 1\r\n", "").status;
    assert_eq!((strict(&boma, "/page"), get(boma.at(), "/page").status, strict(&boma, "/page")), (403, 200, 200));
    boma.signal("TERM");
    assert!(boma.wait().success());
    let boma = Boma::start(boma.kill(), &[]);
    assert_eq!(get(boma.at(), "/few").status, 429, "the bucket is as empty as it was");
    assert_eq!((strict(&boma, "/page"), strict(&boma, "/other")), (200, 403));
}
