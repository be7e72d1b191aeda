//! Ten million keys against what is remembered of clients, of the size that `[client] memory` has where nobody says: the
//! table of buckets, and beside it bans, paths and passes, filled to the brim.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use boma::bounds;
use boma::clock::SECOND;
use boma::facts::Pass;
use boma::force::Tables;
use boma::limit::Key;
use boma::plan::{Per, Quota, Then};
use boma::seal::Secret;

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

/// On the built-in budget alone, and on a limit by the hour besides; each in a process of its own, so that what one takes is
/// not there for the next.
pub fn keys() {
    if let Ok(hourly) = std::env::var("BOMA_KEYS") {
        return run(hourly == "1");
    }
    for hourly in ["0", "1"] {
        let own = std::env::current_exe().expect("this program");
        let done = std::process::Command::new(own).arg("keys").env("BOMA_KEYS", hourly).status();
        assert!(done.is_ok_and(|s| s.success()), "more than is allowed");
    }
}

/// Every key comes once, every other one IPv4 and all with networks of their own as far as there are so many; one key comes a
/// thousand times a second.
fn run(hourly: bool) {
    let before = resident();
    let tables = Tables::new(MEMORY, 64, &Secret::random().expect("a secret"));
    fill(&tables);
    let others = resident() - before;
    let limits = &tables.limits;
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
    most = most.max(resident()).saturating_sub(before);
    let what = if hourly { "and 3/h besides" } else { "20/s, burst 300" };
    println!("keys: {KEYS} distinct ones in {SECONDS} s, {what}: {nanos} ns a take");
    println!(
        "    resident memory {most} KiB more, {others} of them bans, paths and passes, of {} KiB allowed; {} buckets, {} live, {} pushed out, {} requests on their network's",
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
    assert!(most <= MEMORY >> 10, "{most} KiB");
}

/// Everything but the buckets: more addresses that did wrong, paths, passes and sessions than there is room for.
fn fill(tables: &Tables) {
    let born = 1_790_000_000;
    for i in 0..2_000_000u32 {
        let id = u128::from(i);
        tables.known.note(i, born);
        tables.settled.made(&Pass::proven(id, 1, born, born + 3600), id, born);
        tables.settled.overspent(id, born);
        tables.settled.vouched_for(id, &i.to_le_bytes(), born);
    }
    for i in 0..200_000u32 {
        let address = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + i));
        (0..u64::from(bounds::BAN_STRIKES)).for_each(|s| drop(tables.bans.strike(address, 600, "search", born + s)));
    }
}

/// Of this process, in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}
