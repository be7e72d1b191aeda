use std::net::Ipv4Addr;
use std::path::Path;

use super::*;
use crate::clock::Clock;
use crate::facts::Pass;
use crate::plan::{Level, quota_id};
use crate::rules::{self, Sources};
use crate::serve::trial::{Ground, vacant};
use crate::telemetry::{Fate, Sampler};
use crate::{posture, settings};

const NOW: u64 = 1_796_148_000;
const SETTINGS: &str = "[[listen]]\naddress = \"127.0.0.1:8080\"\n[[portal]]\nname = \"huduma\"\nhosts = [\"huduma.example\"]\norigins = [\"http://127.0.0.1:3000\"]\n";
const WIDE: &str = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000/s\"\nburst = 10000\n";

fn rule(name: &str, matched: &str, then: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\nmatch = {{ {matched} }}\nthen = \"{then}\"\n")
}

fn limit(name: &str, what: &str) -> String {
    format!("[[limit]]\nname = \"{name}\"\nper = \"client\"\nmatch = {{ path = \"/search\" }}\n{what}\n")
}

/// Laid so many seconds ago.
fn measure(name: &str, ago: u64, text: String) -> Measure {
    let said = |text: &str| text.to_owned();
    let (since, until) = (NOW - ago, NOW + 3600);
    Measure { name: said(name), text, since, until, reason: said("r"), owner: said("o"), by: said("b"), forced: false }
}

fn read(measures: &[Measure], more: &str) -> Arc<RuleSet> {
    let read = rules::read("rules.toml", &format!("{WIDE}{more}"), &Sources { measures, ..Sources::at(NOW) });
    assert_eq!(read.faults, []);
    Arc::new(read.value)
}

/// With these measures in force.
fn house(measures: &[Measure]) -> House {
    let settings = settings::read("boma.toml", SETTINGS, Path::new("/"));
    assert_eq!(settings.faults, []);
    let ladder = posture::read_ladder("postures.toml", posture::BUILT_IN).value;
    let ground = Ground {
        settings: Arc::new(settings.value),
        ladder: ladder.clone(),
        places: Arc::default(),
        posture: Level::Normal,
    };
    let house = vacant(&ground, RuleSet::empty(), Clock::manual(NOW)).unwrap();
    lay(&house, measures);
    house
}

fn lay(house: &House, measures: &[Measure]) {
    let ladder = house.law.load().ladder.clone();
    house.law.store(Arc::new(Law { generation: 1, rules: read(measures, ""), measures: measures.into(), ladder }));
}

/// So many settled citizens, each of an address of their own, came within the last minute.
fn came(house: &House, citizens: u32, path: impl Fn(u32) -> String, fate: impl Fn(u32) -> Fate) {
    let sampler = Sampler::new(1, 7);
    for i in 0..citizens {
        let pass = Pass::proven(u128::from(i) + 1, 1, NOW - 3 * 3600, u64::MAX);
        let fact = Fact {
            method: "GET".into(),
            scheme: "https",
            authority: "huduma.example".into(),
            path: path(i).into(),
            query: None,
            fields: vec![("accept".into(), b"text/html".as_slice().into())],
            address: Ipv4Addr::from(0x0a00_0000 + i).into(),
            fingerprint: None,
            pass: Some(pass),
            fate: fate(i),
        };
        sampler.offer(&house.recent, NOW - 60 + u64::from(i) / 10, true, || fact);
    }
    sampler.flush(&house.recent, NOW + 1);
}

#[test]
fn measures_that_overlap_do_not_hide_each_other_s_harm() {
    let deny = |name, ago| measure(name, ago, rule(name, "path = \"/search*\"", "deny"));
    let (first, second) = (deny("first", 120), deny("second", 90));
    let house = house(&[first.clone(), second.clone()]);
    came(&house, 100, |i| if i < 30 { "/search".into() } else { "/".into() }, |_| Fate::default());
    for name in ["first", "second"] {
        assert!(harm_done(&house, name).is_some_and(|why| why.contains("hit 30 settled citizens")), "{name}");
    }
    let third = deny("third", 0);
    let seen = preview(&house, read(&[first.clone(), second.clone(), third.clone()], ""));
    assert_eq!((seen.changed.stricter, seen.alone.as_ref().map(|a| a.stricter)), (0, Some(30)));
    assert!(seen.harm().is_some_and(|why| why.contains("30 settled citizens") && why.contains("if measures")));
    assert!(ban(&house, "10.0.0.0/27".parse().unwrap()).harm().is_some(), "nor that of a ban");
    // The rules file likewise: it stays when they are gone.
    let file = preview(&house, read(&[first.clone(), second.clone()], &rule("for-good", "path = \"/search\"", "deny")));
    assert!(file.harm().is_some());
    // What was forced is meant: beside it the other does no harm, and neither does a third.
    let forced = Measure { forced: true, ..first };
    lay(&house, &[forced.clone(), second.clone()]);
    assert_eq!((harm_done(&house, "first"), harm_done(&house, "second")), (None, None));
    assert_eq!(preview(&house, read(&[forced, second, third], "")).harm(), None);
}

#[test]
fn many_that_harm_a_little_harm_together_and_the_last_one_goes() {
    let deny =
        |n: u32, ago| measure(&format!("m{n}"), ago, rule(&format!("m{n}"), &format!("path = \"/p{n}\""), "deny"));
    let (one, two, idle) = (deny(1, 300), deny(2, 200), deny(9, 100));
    let house = house(std::slice::from_ref(&one));
    came(&house, 400, |i| format!("/p{}", if i < 30 { i / 15 + 1 } else { 0 }), |_| Fate::default());
    let seen = preview(&house, read(&[one.clone(), two.clone()], ""));
    assert!(seen.harm().is_some_and(|why| why.contains("30 settled citizens") && why.contains("together")), "{seen:?}");
    let elsewhere = preview(&house, read(&[one.clone(), deny(7, 0)], ""));
    assert_eq!(elsewhere.harm(), None, "which adds nothing to it");
    lay(&house, &[one.clone(), two, idle]);
    assert_eq!((harm_done(&house, "m1"), harm_done(&house, "m9")), (None, None));
    assert!(harm_done(&house, "m2").is_some_and(|why| why.starts_with("together")));
    // One that lets them through again makes good what others do.
    let mercy = measure("mercy", 10, rule("mercy", "pass = true", "allow"));
    lay(&house, &[one, deny(2, 200), mercy]);
    assert_eq!((harm_done(&house, "m2"), harm_done(&house, "mercy")), (None, None));
}

#[test]
fn limits_on_answers_and_on_requests_at_once_are_judged_by_what_the_sample_tells() {
    let counting = limit("failed", "rate = \"1/h\"\nburst = 2\ncount = { status = [404] }");
    let at_once = limit("at-once", "concurrent = 3");
    let seen = |fate: &dyn Fn(u32) -> Fate, draft: &str| {
        let house = house(&[]);
        // Ten requests each of thirty citizens.
        (0..10).for_each(|_| came(&house, 30, |_| "/search".into(), fate));
        preview(&house, read(&[], draft))
    };
    let answered = |status| move |_| Fate { came: 1000, answered: 3000, origin: Some(status), ..Fate::default() };
    let (good, bad) = (seen(&answered(200), &counting), seen(&answered(404), &counting));
    assert_eq!((good.limits[0].over, good.harm()), (0, None));
    assert_eq!(bad.limits[0].keys, 30);
    assert!(bad.harm().is_some_and(|why| why.contains("30 settled citizens")), "{bad:?}");
    let full = seen(&answered(200), &at_once);
    assert_eq!((full.limits[0].over, full.limits[0].keys), (30 * 7, 30));
    assert!(full.harm().is_some());
    for draft in [&counting, &at_once] {
        let nothing = seen(&|_| Fate::default(), draft);
        let said = nothing.limits[0].unknown.as_deref().unwrap_or_default();
        assert!(said.starts_with("not judged") && nothing.harm().is_none(), "{said}");
    }
}

#[test]
fn a_limit_in_force_is_judged_by_whom_it_refused() {
    for text in [
        limit("l", "rate = \"1/h\"\nburst = 2\ncount = { status = [404] }"),
        limit("l", "concurrent = 3"),
        limit("l", "rate = \"1/h\"\nburst = 1"),
    ] {
        let house = house(&[measure("l", 120, text.clone())]);
        let refused = |_| Fate { limit: Some(quota_id("l")), ..Fate::default() };
        (0..5).for_each(|_| came(&house, 30, |_| "/search".into(), refused));
        assert!(harm_done(&house, "l").is_some_and(|why| why.contains("hit 30 settled citizens")), "{text}");
    }
}
