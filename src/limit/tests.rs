//! Buckets held against governor's, and the table under more keys than it can hold.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use governor::{Quota as GovernorQuota, RateLimiter};

use super::*;
use crate::clock::SECOND;
use crate::plan::{Per, Then};

fn quota(per_second: u64, burst: u32) -> Quota {
    Quota {
        name: "q".into(),
        id: 7,
        per: Per::Client,
        interval: SECOND / per_second,
        burst,
        then: Then::Challenge,
        shadow: false,
        budget: false,
        count: None,
        concurrent: None,
        ban: None,
    }
}

#[test]
fn the_same_verdicts_as_governor() {
    let limits = Limits::new(1 << 20, [7; 16]);
    let quota = quota(20, 30);
    let clock = FakeRelativeClock::default();
    let oracle = RateLimiter::direct_with_clock(
        GovernorQuota::with_period(Duration::from_nanos(quota.interval))
            .unwrap()
            .allow_burst(NonZeroU32::new(30).unwrap()),
        clock.clone(),
    );
    let mut now = 1_000 * SECOND;
    let mut random: u64 = 88_172_645_463_325_252;
    let mut admitted = 0;
    for _ in 0..20_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let step = random % 60_000_000;
        now += step;
        clock.advance(Duration::from_nanos(step));
        let ours = limits.take(&quota, Key::Pass(1), Key::Network(1), 1000, now);
        assert_eq!(ours.is_ok(), oracle.check().is_ok());
        admitted += u64::from(ours.is_ok());
    }
    assert!(admitted > 5_000 && admitted < 20_000, "both verdicts occur: {admitted}");
}

#[test]
fn a_refusal_names_the_wait_and_spends_nothing() {
    let limits = Limits::new(1 << 20, [7; 16]);
    let quota = quota(10, 2);
    let now = 50 * SECOND;
    let take = |now| limits.take(&quota, Key::Prefix(5), Key::Network(1), 1000, now);
    assert!(take(now).is_ok() && take(now).is_ok());
    for _ in 0..10 {
        assert_eq!(take(now), Err(Limited { retry_after: SECOND / 10 }));
    }
    assert!(take(now + SECOND / 10).is_ok());
}

#[test]
fn a_factor_scales_rate_and_burst_and_a_changed_rate_keeps_the_fill() {
    let limits = Limits::new(1 << 20, [7; 16]);
    let now = 50 * SECOND;
    let burst = |factor, key| {
        (0..1000).filter(|_| limits.take(&quota(20, 300), Key::Pass(key), Key::Network(1), factor, now).is_ok()).count()
    };
    assert_eq!(burst(1000, 1), 300);
    assert_eq!(burst(500, 2), 150);
    assert_eq!(burst(1, 3), 1, "never below one");
    let again = |at| limits.take(&quota(40, 300), Key::Pass(1), Key::Network(1), 1000, at);
    assert_eq!(again(now), Err(Limited { retry_after: SECOND / 40 }), "an empty bucket stays empty under a new rate");
    assert!(again(now + SECOND / 40).is_ok(), "and fills at the new rate");
}

/// A million keys on 8 MiB, each with a debt that outlives the test, so that no slot ever comes free; among them one
/// that asks far above its rate throughout.
#[test]
fn a_million_keys_stay_within_the_bound_and_the_heaviest_is_counted_exactly() {
    let limits = Limits::new(8 << 20, [7; 16]);
    assert!(limits.capacity() * 25 <= 8 << 20);
    let slow = Quota { interval: 1000 * SECOND, burst: 3, id: 1, ..quota(1, 1) };
    let heavy = quota(20, 20);
    let start = 1_000 * SECOND;
    let mut admitted = 0u64;
    let seconds = 100;
    for i in 0..1_000_000u64 {
        let now = start + i * seconds * SECOND / 1_000_000;
        let network = u128::from(i) >> 8;
        let _ = limits.take(&slow, Key::Prefix(u128::from(i)), Key::Network(network), 1000, now);
        if i % 100 == 0 && limits.take(&heavy, Key::Prefix(u128::MAX), Key::Network(9), 1000, now).is_ok() {
            admitted += 1;
        }
    }
    let due = 20 + 20 * seconds;
    assert!(admitted.abs_diff(due) * 100 <= due, "admitted {admitted}, due {due}");
    assert!(limits.keys() <= limits.capacity());
    assert!(limits.evictions() > 0 && limits.shared() > 0, "the table was full");
}

/// A flood in which no two requests have so much as a network in common, on a limit whose tokens take an hour to come
/// back: every bucket is live to the end, the networks' buckets want room all the time, and the table is full of debts that
/// are longer than any that the budget can make.
#[test]
fn in_a_full_table_the_heavy_stay_limited_and_pass_holders_keep_their_own_budget() {
    let limits = Limits::new(4 << 20, [7; 16]);
    let slow = Quota { interval: 3600 * SECOND, burst: 3, id: 1, ..quota(1, 1) };
    let budget = quota(20, 300);
    let (start, seconds, keys) = (1_000 * SECOND, 60, 1_000_000u64);
    let (mut heavy, mut refused, mut by_pass) = (0u64, 0, 0u64);
    for i in 0..keys {
        let now = start + i * seconds * SECOND / keys;
        let network = Key::Network(u128::from(i) << 80);
        let _ = limits.take(&slow, Key::Prefix(u128::from(i) << 64), network, 1000, now);
        // One key at 1,600 a second, in the network of the citizens.
        if i % 10 == 0 && limits.take(&budget, Key::Prefix(u128::MAX), Key::Network(9), 1000, now).is_ok() {
            heavy += 1;
        }
        // A hundred pass-holders, who load a page with thirty parts twice a minute.
        if i % (keys / 6000) == 0 {
            let holder = i / (keys / 6000) / 30 % 100;
            by_pass += 1;
            refused += u64::from(limits.take(&budget, Key::Pass(holder.into()), Key::Network(9), 1000, now).is_err());
        }
    }
    let due = 300 + 20 * seconds;
    assert!(heavy.abs_diff(due) * 100 <= due, "admitted {heavy}, due {due}");
    assert_eq!(refused, 0, "of {by_pass} requests with a pass");
    assert!(limits.shared() > keys / 2 && limits.evictions() > keys / 10, "the table was full");
}

#[test]
fn buckets_outlive_a_restart_by_what_is_left_of_them() {
    let quota = quota(1, 10);
    let now = 1_000 * SECOND;
    let limits = Limits::new(1 << 20, [7; 16]);
    let take = |limits: &Limits, key: u128, now: u64| {
        limits.take(&quota, Key::Prefix(key), Key::Network(0), 1000, now).is_ok()
    };
    assert!((0..10).all(|_| take(&limits, 1, now)) && !take(&limits, 1, now));
    assert!((0..2).all(|_| take(&limits, 2, now)));
    let kept = limits.save(now);
    assert_eq!(kept.len(), 2 * 24);
    // Another clock, four seconds later: the first has four tokens again, and the second all.
    let (again, later) = (Limits::new(1 << 20, [7; 16]), 5 * SECOND);
    again.load(&kept, 4 * SECOND, later);
    assert_eq!((0..20).filter(|_| take(&again, 1, later)).count(), 4);
    assert_eq!((0..20).filter(|_| take(&again, 2, later)).count(), 10);
    again.load(b"torn", 0, later);
}
