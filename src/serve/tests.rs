//! The case files under tests/cases/verdicts: what becomes of requests by rules, limits and posture together.
//!
//! A case is the TOML text of the rules, a line `----`, and requests in the order in which they come, all in one second:
//! `METHOD path?query [key=value …] => verdict reason [by NAME] [noted NAME,…]`. Each is also explained, and both must agree.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::explain::{Asked, explain};
use super::trial::{Ground, vacant};
use super::*;
use crate::client::Client;
use crate::clock::{Clock, SECOND};
use crate::facts::Pass;
use crate::laws;
use crate::plan::Level;
use crate::posture;
use crate::rules::{self, Sources};
use crate::settings;
use crate::wire::Arrival;

/// 2026-12-01T18:00:00Z.
const NOW: u64 = 1_796_148_000;
const SETTINGS: &str = r#"
[[listen]]
address = "127.0.0.1:8080"
[[portal]]
name = "huduma"
hosts = ["huduma.example"]
origins = ["http://127.0.0.1:3000"]
[[portal.route]]
path = "/api/*"
challenge = "never"
[[portal.route]]
path = "/stays/*"
stay_up = true
class = "payment"
"#;

pub(super) fn house(rules: &str) -> House {
    let settings = settings::read("boma.toml", SETTINGS, Path::new("/"));
    assert_eq!(settings.faults, []);
    let rules = rules::read("rules.toml", rules, &Sources::at(NOW));
    assert_eq!(rules.faults, []);
    let ground = Ground {
        settings: Arc::new(settings.value),
        ladder: posture::read_ladder("postures.toml", posture::BUILT_IN).value,
        places: Arc::default(),
        posture: Level::Normal,
    };
    vacant(&ground, rules.value, Clock::manual(NOW)).unwrap()
}

/// What the line asks for, and how many seconds after the beginning.
fn asked(line: &str) -> (Asked, u64) {
    let words: Vec<&str> = line.split(' ').filter(|w| !w.is_empty()).collect();
    let (path, query) = words[1].split_once('?').map_or((words[1], None), |(p, q)| (p, Some(q.to_owned())));
    let (mut fields, mut kind, mut at) = (Vec::new(), "navigation", 0);
    let (mut from, mut posture, mut pass) = ("192.0.2.1", Level::Normal, None);
    for word in &words[2..] {
        let (key, value) = word.split_once('=').unwrap();
        match key {
            "from" => from = value,
            "level" => posture = Level::named(value).unwrap(),
            "pass" => pass = Some(value.parse().unwrap()),
            "kind" => kind = value,
            "at" => at = value.parse().unwrap(),
            header => fields.push((header.to_owned(), value.replace('+', " "))),
        }
    }
    fields.extend(laws::fields_of(kind).iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    let asked = Asked {
        method: words[0].to_owned(),
        scheme: "https",
        authority: "huduma.example".into(),
        path: path.to_owned(),
        query,
        fields,
        from: from.parse().unwrap(),
        posture: Some(posture),
        pass,
        settled: false,
    };
    (asked, at)
}

/// The real way up to the origin, without sending anything.
fn really<'h>(house: &'h House, asked: &Asked) -> (Reason, Visit<'h>) {
    let client = Client::new(asked.from, asked.from, 64, false);
    let mut visit = Visit::open(house, String::new(), client, Arrival { scheme: asked.scheme, redirect_https: false });
    let request = match read::read(&mut visit, asked) {
        Ok(request) => request,
        Err(reason) => return (reason, visit),
    };
    visit.level = asked.posture.unwrap();
    visit.pass = asked.pass.map(|level| Pass::proven(7, level, NOW, u64::MAX));
    let law = visit.law.clone();
    let plan = law.rules.plan(&request.facts(&visit, asked), visit.level, visit.now.unix());
    visit.note(&plan);
    let reason = match decide::decide(&mut visit, &request, &plan, asked) {
        Decision::Go(_) => decide::goes(&mut visit),
        Decision::Wait(told) => told.reason,
        Decision::Challenge(reason) | Decision::Refuse(reason) | Decision::Fallback(reason) => reason,
        Decision::Limited(_) => Reason::OverLimit,
    };
    (reason, visit)
}

/// What explanations say, where no limit has the last word.
fn agrees(house: &House, asked: &Asked, reason: Reason, rule: Option<&str>) {
    let said = explain(house, asked);
    if !matches!(reason, Reason::OverLimit | Reason::ChallengeLimit) {
        assert_eq!((said.reason, said.rule.as_deref()), (reason.row().name, rule), "{asked:?}: {said:?}");
    }
}

#[test]
fn every_verdict_is_as_its_case_says_and_is_explained_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/verdicts");
    let mut cases = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (rules, expected) = text.split_once("----\n").unwrap_or_else(|| panic!("{}: no line ----", path.display()));
        let house = house(rules);
        let mut said = String::new();
        for line in expected.lines() {
            let Some((asking, _)) = line.split_once(" => ") else {
                let _ = writeln!(said, "{line}");
                continue;
            };
            let (asked, at) = asked(asking);
            if let Clock::Manual(time) = &house.clock {
                time.store((NOW + at) * SECOND, std::sync::atomic::Ordering::Relaxed);
            }
            let (reason, visit) = really(&house, &asked);
            let row = reason.row();
            let _ = write!(said, "{asking} => {} {}", row.verdict, row.name);
            if let Some(rule) = &visit.rule {
                let _ = write!(said, " by {rule}");
            }
            if !visit.noted.is_empty() {
                let _ = write!(said, " noted {}", visit.noted.join(","));
            }
            said.push('\n');
            agrees(&house, &asked, reason, visit.rule.as_deref());
        }
        assert_eq!(said, expected, "{}", path.display());
        cases += 1;
    }
    assert!(cases >= 5, "{cases} cases in {}", folder.display());
}

/// Random laws and requests in all postures: what is explained is what becomes of them.
#[test]
fn explanations_and_the_real_way_agree() {
    let mut reasons = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let mut dice = laws::Dice::new(seed);
        let house = house(&laws::law(&mut dice, 12, 4, false).concat());
        for _ in 0..200 {
            let ask = laws::ask(&mut dice);
            let level = dice.one(&Level::ALL);
            let mut line = format!("{} {} from={} kind={} level={level}", ask.method, ask.target, ask.from, ask.kind);
            if ask.pass {
                line.push_str(" pass=1");
            }
            for (name, value) in &ask.fields {
                let _ = write!(line, " {name}={}", value.replace(' ', "+"));
            }
            let (asked, _) = asked(&line);
            let (reason, visit) = really(&house, &asked);
            agrees(&house, &asked, reason, visit.rule.as_deref());
            reasons.insert(reason.row().name);
        }
    }
    let all = [
        "challenge.limit",
        "challenge.no_page",
        "challenge.posture",
        "challenge.rule",
        "limit.over",
        "posture.closed",
        "posture.static",
        "rules.deny",
        "rules.drop",
        "rules.static",
        "served",
    ];
    assert!(all.iter().all(|name| reasons.contains(name)), "{reasons:?}");
}
