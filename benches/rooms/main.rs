//! What the guards cost by themselves: `cargo bench --bench rooms`, or `-- NAME` for one of: limit, challenge, form,
//! path, policy, compile, texts, keys, bots. Nanoseconds per call, the median of five runs.

mod bots;
#[path = "../common/mod.rs"]
mod common;
mod keys;
mod law;

use std::hint::black_box;
use std::time::{Duration, Instant};

use boma::challenge::{Ask, Asker, Challenge, Form, Forms, SEAL_WIDTH, Work, work};
use boma::client::Prefix;
use boma::clock::SECOND;
use boma::limit::{Key, Limits};
use boma::plan::{Per, Quota, Then};
use boma::seal::Secret;

fn main() {
    let only = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    for (name, rows) in [
        ("limit", limit as fn()),
        ("challenge", challenge),
        ("form", form),
        ("path", path),
        ("policy", law::policy),
        ("compile", law::compile),
        ("texts", law::texts),
        ("keys", keys::keys),
        ("bots", bots::bots),
    ] {
        if only.as_ref().is_none_or(|o| name.contains(o.as_str())) {
            rows();
        }
    }
}

fn limit() {
    let quota = Quota {
        name: "q".into(),
        id: 1,
        per: Per::Client,
        interval: SECOND / 20,
        burst: 300,
        then: Then::Deny,
        shadow: false,
        budget: false,
        count: None,
        concurrent: None,
        ban: None,
    };
    let limits = Limits::new(64 << 20, [7; 16]);
    let mut now = 1_000 * SECOND;
    row("limit: take, one key", 1_000_000, |_| {
        now += 1000;
        black_box(limits.take(&quota, Key::Prefix(7), Key::Network(7), 1000, now).is_ok());
    });
    row("limit: take, a million keys", 1_000_000, |i| {
        now += 1000;
        black_box(limits.take(&quota, Key::Prefix(u128::from(i)), Key::Network(7), 1000, now).is_ok());
    });
}

fn challenge() {
    let Some(secret) = Secret::random() else { return };
    let challenge = Challenge::new(&secret, Duration::from_secs(3600));
    let mut seal = [0; SEAL_WIDTH];
    let asker = Asker { prefix: Prefix(7), browser: 7 };
    for step in [0, Work::ORDINARY] {
        let ask = Ask { level: 1, work: Work::step(step), wait: 3, browser: 7 };
        row(&format!("challenge: issue, step {step}"), 100_000, |_| {
            challenge.issue(&ask, 1_790_000_000, black_box(&mut seal));
        });
        let solution = work(&seal, ask.work);
        row(&format!("challenge: verify a solution, step {step}"), 20_000, |_| {
            assert!(challenge.solve(black_box(&seal), solution.as_bytes(), &asker, 1_790_000_001).is_ok());
        });
        row(&format!("challenge: verify a wrong one, step {step}"), 20_000, |_| {
            assert!(challenge.solve(black_box(&seal), b"1.2.3", &asker, 1_790_000_001).is_err());
        });
    }
    if let Some(pass) = challenge.quiet(&asker, 1_790_000_001) {
        let text = challenge.seal_pass(&pass);
        row("challenge: open a pass", 100_000, |_| {
            assert!(challenge.open_pass(black_box(text.as_bytes()), 1_790_000_002).is_some());
        });
    }
}

fn form() {
    let secret = Secret::random().expect("randomness");
    let forms = Forms::new(&secret);
    for (size, length) in [("1 KiB", 1 << 10), ("64 KiB", 64 << 10)] {
        let form = Form {
            tie: forms.tie(b"a seal", None, 7, 1_790_000_000),
            portal: "huduma".into(),
            scheme: "https".into(),
            authority: "huduma.example".into(),
            method: "POST".into(),
            target: "/forms/licence".into(),
            fields: vec![("cookie", "session=0123456789abcdef".into()), ("user-agent", "Mozilla/5.0".into())],
            body: vec![b'x'; length].into(),
        };
        let text = forms.seal(&form).expect("a sealed form");
        row(&format!("form: seal {size}"), 5_000, |_| assert!(forms.seal(black_box(&form)).is_some()));
        row(&format!("form: open {size}"), 5_000, |_| assert!(forms.open(black_box(text.as_bytes())).is_some()));
        let forged = "A".repeat(text.len());
        row(&format!("form: refuse a forged one of {size}"), 5_000, |_| {
            assert!(forms.open(black_box(forged.as_bytes())).is_none());
        });
    }
}

fn path() {
    row("path: normalise, nothing to do", 1_000_000, |_| {
        black_box(boma::path::normalise(black_box("/services/licences/business/renew")).is_ok());
    });
}

fn row(name: &str, calls: u64, mut call: impl FnMut(u64)) {
    let mut runs: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(&mut call);
            start.elapsed().as_nanos() as f64 / calls as f64
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    println!("{name:<34} {:>10.0} ns", runs[2]);
}
