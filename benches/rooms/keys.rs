//! Ten million keys against the bounded table of buckets, of the size that `[client] memory` has where nobody says.

use std::time::Instant;

use boma::clock::SECOND;
use boma::limit::{Key, Limits};
use boma::plan::{Per, Quota, Then};

const MEMORY: u64 = 64 << 20;
const KEYS: u64 = 10_000_000;
/// Of the run, by a clock that is handed in.
const SECONDS: u64 = 100;
/// Pass-holders, who load a page of thirty parts every half minute, from the network that the attacker's key is in.
const HOLDERS: u64 = 1000;

fn quota(name: u64, interval: u64, burst: u32) -> Quota {
    Quota {
        name: "q".into(),
        id: name,
        per: Per::Client,
        interval,
        burst,
        then: Then::Deny,
        shadow: false,
        budget: false,
        count: None,
        concurrent: None,
        ban: None,
    }
}

/// Every key comes once, every other one IPv4 and all with networks of their own as far as there are so many, on the
/// built-in budget alone, and on a limit by the hour besides; one key comes a thousand times a second.
pub fn keys() {
    for (what, hourly) in [("20/s, burst 300", false), ("and 3/h besides", true)] {
        let before = resident();
        let limits = Limits::new(MEMORY, [7; 16]);
        let (budget, slow) = (quota(1, SECOND / 20, 300), quota(2, 1200 * SECOND, 3));
        let (mut heavy, mut by_pass, mut refused, mut takes, mut most) = (0u64, 0u64, 0u64, 0u64, 0);
        let begun = Instant::now();
        for i in 0..KEYS {
            let now = 1000 * SECOND + i * SECONDS * SECOND / KEYS;
            let address =
                if i % 2 == 0 { 0xffff_0000_0000 | u128::from(i / 2) } else { 0x2001_0db8 << 96 | u128::from(i) << 64 };
            let network = address & if i % 2 == 0 { u128::MAX << 8 } else { u128::MAX << 80 };
            let mut take = |quota: &Quota, key, network| {
                takes += 1;
                limits.take(quota, key, Key::Network(network), 1000, now).is_ok()
            };
            take(&budget, Key::Prefix(address), network);
            if hourly {
                take(&slow, Key::Prefix(address), network);
            }
            if i % (KEYS / SECONDS / 1000) == 0 {
                heavy += u64::from(take(&budget, Key::Prefix(1), 0));
            }
            if i % (KEYS / SECONDS / HOLDERS) == 0 {
                by_pass += 1;
                refused += u64::from(!take(&budget, Key::Pass((by_pass / 30 % HOLDERS).into()), 0));
            }
            if i % 1_000_000 == 0 {
                most = most.max(resident());
            }
        }
        let nanos = begun.elapsed().as_nanos() as u64 / takes;
        most = most.max(resident());
        println!("keys: {KEYS} distinct ones in {SECONDS} s, {what}: {nanos} ns a take");
        println!(
            "    resident memory {} KiB more, of {} KiB allowed; {} buckets, {} live, {} pushed out, {} requests on their network's",
            most.saturating_sub(before),
            MEMORY >> 10,
            limits.capacity(),
            limits.keys(),
            limits.evictions(),
            limits.shared()
        );
        println!(
            "    the key that comes 1,000 times a second: {heavy} admitted, {} due; of {by_pass} requests with a pass {refused} refused",
            300 + 20 * SECONDS
        );
    }
}

/// Of this process, in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}
