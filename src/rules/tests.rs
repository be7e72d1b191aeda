//! The case files under tests/cases/rules, the shipped reference, and the law's freedom from order.
//!
//! A case is the TOML text, a line `----`, and either the faults (`line:column message`, help indented) or requests
//! with their plans: `METHOD host/path?query [key=value …] => what the plan says`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use laws::Dice;

use super::*;
use crate::client::{Client, Fingerprint};
use crate::facts::{Kind, Pass};
use crate::laws;
use crate::path;
use crate::portal::{Class, Service};
use crate::wire::{Head, Version};

/// 2026-12-01T18:00:00Z: the time at which cases are read.
const NOW: u64 = 1_796_148_000;

/// Two lists' files.
fn sources() -> Sources<'static> {
    let list = |path: &str| match path {
        "lists/good.txt" => Ok("# offices\n203.0.113.0/24 ; the first\n\n2001:db8:1::/48\n".to_owned()),
        "lists/bad.txt" => Ok("203.0.113.0/24\n203.0.113\n".to_owned()),
        _ => Err("No such file or directory (os error 2)".to_owned()),
    };
    Sources { now: NOW, list: Box::leak(Box::new(list)), measures: &[], countries: true, asns: true, breath: None }
}

struct Asked {
    method: String,
    path: String,
    query: Option<String>,
    fields: Vec<(String, String)>,
}

impl Head for Asked {
    fn method(&self) -> &str {
        &self.method
    }
    fn path(&self) -> &str {
        &self.path
    }
    fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
    fn authority(&self) -> Option<&str> {
        None
    }
    fn version(&self) -> Version {
        Version::Http11
    }
    fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_bytes())
    }
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.fields.iter().filter(|(n, _)| n == name).any(|(_, v)| test(v.as_bytes()))
    }
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.fields.iter().for_each(|(n, v)| visit(n, v.as_bytes()));
    }
}

/// Splits at blanks outside quotes; quotes fall away.
fn words(text: &str) -> Vec<String> {
    let (mut all, mut quoted) = (vec![String::new()], false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => all.push(String::new()),
            c => all.last_mut().unwrap().push(c),
        }
    }
    all.retain(|w| !w.is_empty());
    all
}

fn plan_of(set: &RuleSet, line: &str) -> String {
    let words = words(line);
    let (host, rest) = words[1].split_once('/').unwrap();
    let (raw, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q.to_owned())));
    let path = path::normalise(&format!("/{raw}")).unwrap().into_owned();
    let mut asked = Asked { method: words[0].clone(), path: path.clone(), query, fields: Vec::new() };
    let (mut from, mut level, mut pass, mut at, mut kind) =
        ("192.0.2.1".to_owned(), Level::Normal, None, NOW, Kind::Navigation);
    let (mut portal, mut route, mut class) = ("huduma".to_owned(), "*".to_owned(), Class::Information);
    let (mut fingerprint, mut scheme) = (None, "https");
    let (mut country, mut asn, mut known_path, mut settled) = (None, None, false, false);
    let licence = [("en".to_owned(), "Pay a licence".to_owned()), ("sw".to_owned(), "Lipia leseni".to_owned())];
    let services = [Service { name: licence.into(), paths: vec!["/pay/*".into()], ..Service::default() }];
    for word in &words[2..] {
        let (key, value) = word.split_once('=').unwrap();
        match key {
            "from" => from = value.to_owned(),
            "level" => level = Level::named(value).unwrap(),
            "pass" => {
                settled = value == "settled";
                let level = if settled { 1 } else { value.parse().unwrap() };
                pass = Some(Pass::proven(1, level, 0, u64::MAX));
            }
            "at" => at = NOW + value.parse::<u64>().unwrap(),
            "kind" => kind = Kind::ALL.into_iter().find(|k| k.as_str() == value).unwrap(),
            "portal" => portal = value.to_owned(),
            "scheme" => scheme = if value == "http" { "http" } else { "https" },
            "route" => route = value.to_owned(),
            "country" => country = Some(value.to_owned()),
            "ja4" => fingerprint = Fingerprint::of(value),
            "known" => known_path = value == "true",
            "asn" => asn = Some(value.parse().unwrap()),
            "class" => class = Class::ALL.into_iter().find(|c| c.as_str() == value).unwrap(),
            "ua" => asked.fields.push(("user-agent".into(), value.into())),
            header => asked.fields.push((header.to_owned(), value.to_owned())),
        }
    }
    let client = Client::new(from.parse().unwrap(), from.parse().unwrap(), 64, false).with(fingerprint);
    let match_path = path::for_matching(&path);
    let facts = Facts {
        method: &asked.method,
        scheme,
        host,
        path: &path,
        match_path: &match_path,
        query: asked.query.as_deref(),
        kind,
        client: &client,
        pass,
        settled,
        portal: &portal,
        route: &route,
        class: class.as_str(),
        country: country.as_deref(),
        asn,
        known_path,
        services: &services,
        head: &asked,
    };
    shown(&set.plan(&facts, level, at))
}

fn shown(plan: &Plan<'_>) -> String {
    let mut out = String::new();
    if let Some(name) = plan.allow {
        let _ = write!(out, " allow={name}");
    }
    if let Some((refusal, name)) = plan.refusal {
        let _ = write!(out, " {}={name}", format!("{refusal:?}").to_lowercase());
    }
    if let Some((level, name)) = plan.challenge {
        let _ = write!(out, " challenge{level}={name}");
    }
    let limits: Vec<&str> = plan.limits.iter().map(|q| q.name.as_str()).collect();
    for (key, names) in [("limits", limits), ("noted", plan.noted.to_vec())] {
        if !names.is_empty() {
            let _ = write!(out, " {key}={}", names.join(","));
        }
    }
    if out.is_empty() { "nothing".into() } else { out.trim_start().to_owned() }
}

#[test]
fn every_case_file_is_answered_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/rules");
    let mut cases = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (toml, expected) = text.split_once("----\n").unwrap_or_else(|| panic!("{}: no line ----", path.display()));
        let got = read("rules.toml", toml, &sources());
        let mut said = String::new();
        for fault in got.faults.iter().chain(&got.warnings) {
            let _ = writeln!(said, "{}:{} {}\n    {}", fault.line, fault.column, fault.message, fault.help);
        }
        for line in expected.lines().filter(|l| l.contains(" => ")) {
            let asked = line.split_once(" => ").unwrap().0;
            assert!(got.faults.is_empty(), "{}: {said}", path.display());
            let _ = writeln!(said, "{asked} => {}", plan_of(&got.value, asked));
        }
        assert_eq!(said, expected, "{}", path.display());
        cases += 1;
    }
    assert!(cases >= 30, "{cases} cases in {}", folder.display());
}

#[test]
fn no_law_wants_nothing() {
    let read = read("rules.toml", "", &sources());
    assert_eq!((read.faults, plan_of(&read.value, "GET /")), (vec![], plan_of(&RuleSet::empty(), "GET /")));
}

#[test]
fn the_shipped_reference_is_good() {
    let read = read("config/rules.toml", include_str!("../../config/rules.toml"), &sources());
    assert_eq!(read.faults, []);
    assert!(read.value.rules().count() >= 3);
}

/// Laws of fifty rules and limits, each in many orders: the plans of a hundred requests are always the same, and so are they
/// when the law is printed and read again.
#[test]
fn neither_the_order_in_the_file_nor_its_spelling_matters() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        // Of many rules some always match; of few, often none.
        let (rules, limits) = dice.one(&[(40, 10), (3, 1)]);
        let mut tables = laws::law(&mut dice, rules, limits, true);
        let asks: Vec<String> = (0..100).map(|_| laws::ask(&mut dice).line()).collect();
        let plans = |text: &str| {
            let got = read("rules.toml", text, &sources());
            assert_eq!(got.faults, [], "{text}");
            let at = |level: &str| {
                asks.iter().map(|a| plan_of(&got.value, &format!("{a} level={level}"))).collect::<Vec<_>>()
            };
            [at("normal"), at("attack")]
        };
        let first = plans(&tables.concat());
        let words = first.iter().flatten().flat_map(|p| p.split([' ', '='])).filter(|w| !w.contains(char::is_numeric));
        seen.extend(words.map(str::to_owned));
        for _ in 0..20 {
            dice.shuffle(&mut tables);
            assert_eq!(plans(&tables.concat()), first, "seed {seed}");
        }
        assert_eq!(plans(&normal("rules.toml", &tables.concat(), &sources()).value), first, "seed {seed}");
    }
    let all = ["allow", "deny", "drop", "limits", "noted", "nothing", "static"];
    assert!(all.iter().all(|word| seen.contains(*word)), "{seen:?}");
}

/// What is printed means the same, to the last bit, and is printed the same again.
#[test]
fn what_is_read_and_printed_and_read_is_the_same() {
    let data = |text: &str| {
        let mut got = plain("rules.toml", text, &sources(), &mut HashSet::new(), &RefCell::default());
        assert_eq!(got.faults, [], "{text}");
        got.value.drafts.sort_by(|a, b| a.name.cmp(&b.name));
        got.value.drafts.iter_mut().for_each(|d| d.clauses.sort_by(|a, b| a.field.cmp(&b.field)));
        let mut lists = got.value.lists.written().to_vec();
        lists.sort();
        (lists, got.value.drafts, got.value.climb)
    };
    let mut texts = vec![include_str!("../../config/rules.toml").to_owned()];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/rules");
    for entry in fs::read_dir(&folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        texts.push(text.split_once("----\n").unwrap().0.to_owned());
    }
    texts.retain(|text| read("rules.toml", text, &sources()).faults.is_empty());
    texts.extend((0..50).map(|seed| laws::law(&mut Dice::new(seed), 30, 10, true).concat()));
    texts.extend(odd_rates());
    assert!(texts.len() >= 80, "{}", texts.len());
    for text in texts {
        let printed = normal("rules.toml", &text, &sources()).value;
        assert_eq!(data(&printed), data(&text), "{printed}");
        assert_eq!(normal("rules.toml", &printed, &sources()).value, printed);
    }
}

/// Limits whose rates no short number writes, and a ladder with numbers of its own.
fn odd_rates() -> impl Iterator<Item = String> {
    let mut dice = Dice::new(7);
    (0..200).map(move |i| {
        let number = format!("{}.{:06}", dice.below(if i % 2 == 0 { 3 } else { 100_000 }), 1 + dice.below(999_998));
        let unit = dice.one(&["s", "m", "h"]);
        let share = format!("{}.{}", 1 + dice.below(98), dice.below(1000));
        format!(
            "[posture]\nlower_after = \"{}s\"\n[posture.raise]\nrequests = \"{share}1x\"\nmin_requests = \"{number}/{unit}\"\norigin_errors = \"{share}%\"\n[[limit]]\nname = \"l\"\nper = \"client\"\nrate = \"{number}/{unit}\"\n",
            1 + dice.below(80_000)
        )
    })
}

/// However odd a text is, reading it takes no longer than its length allows, and says no more than people read.
#[test]
fn no_text_is_slow_or_large() {
    let many = |n: usize, one: &dyn Fn(usize) -> String| (0..n).map(one).collect::<String>();
    let rule = |matches: &str| format!("[[rule]]\nname = \"r\"\nthen = \"deny\"\nmatch = {{ {matches} }}\n");
    let list = |text: &str, n: usize| format!("[{}]", vec![text; n].join(", "));
    let texts: Vec<(&str, String)> = vec![
        ("rules without anything", "[[rule]]\n".repeat(50_000)),
        ("more of them", "[[rule]]\n".repeat(400_000)),
        ("rules beyond the bound", many(12_000, &|i| rule("path = \"/\"").replace("\"r\"", &format!("\"r{i}\"")))),
        ("one name", rule("path = \"/\"").repeat(12_000)),
        (
            "lists and none that is meant",
            many(900, &|i| format!("[[list]]\nname = \"l{i}\"\ncidrs = []\n"))
                + &many(9_000, &|i| rule(&format!("list = \"m{i}\""))),
        ),
        ("headers", rule(&many(50_000, &|i| format!("header.h{i} = \"x\", ")).replace(", }", " }"))),
        ("unknown keys", rule(&many(100_000, &|i| format!("k{i} = 1, ")))),
        ("patterns", rule(&format!("path = [{}]", many(100_000, &|i| format!("\"/a{i}*b*c\", "))))),
        ("wrong patterns", rule(&format!("path = {}", list("\"re:(\"", 300_000)))),
        ("expressions", rule(&format!("path = [{}]", many(100_000, &|i| format!(r"'re:\w{i}\w', "))))),
        ("large expressions", rule(&format!("path = [{}]", many(100_000, &|i| format!(r"'re:\w{{50}}{i}', "))))),
        ("too large expressions", rule(&format!("path = {}", list(r"'re:((\w{90}){90}){90}'", 100_000)))),
        ("addresses", format!("[[list]]\nname = \"l\"\ncidrs = {}\n", list("\"x\"", 300_000))),
        ("one long line of wrong words", rule(&format!("method = {}", list("5", 300_000)))),
        ("a long name", format!("[[rule]]\nname = \"{}\"\n", "x".repeat(4_000_000))),
        ("no TOML", "= ".repeat(1_000_000)),
        ("no TOML on many lines", "=\n".repeat(100_000)),
        ("brackets", "[".repeat(1_000_000)),
        ("braces", format!("a = {}", "{a=".repeat(90_000))),
        ("dots", format!("{}a = 1", "a.".repeat(90_000))),
        ("dots in a header", format!("[{}a]", "a.".repeat(90_000))),
    ];
    for (what, text) in texts {
        let start = std::time::Instant::now();
        let got = read("rules.toml", &text, &sources());
        let took = start.elapsed();
        println!("{what}: {} faults of {} bytes in {took:?}", got.faults.len(), text.len());
        assert!(took.as_secs() < 60, "{what}: {took:?}");
        let said: usize = got.faults.iter().chain(&got.warnings).map(|f| f.message.len() + f.help.len()).sum();
        assert!(said < 1 << 20, "{what}: {said} bytes of faults");
    }
}

#[test]
fn a_measure_lies_over_the_file_until_its_end_and_says_what_does_not_fit() {
    let measure = |name: &str, text: &str| Measure {
        name: name.into(),
        text: text.into(),
        since: NOW,
        until: NOW + 60,
        reason: "INC-42".into(),
        owner: "soc".into(),
        by: "staff".into(),
        forced: false,
    };
    let file = "[[list]]\nname = \"l\"\ncidrs = [\"192.0.2.0/24\"]\n[[rule]]\nname = \"r\"\nmatch = { path = \"/a*\" }\nthen = \"log\"\n";
    let over = |measures: &[Measure]| read("rules.toml", file, &Sources { measures, ..sources() });
    let deny = measure("m", "[[rule]]\nname = \"m\"\nmatch = { list = \"l\", path = \"/a*\" }\nthen = \"deny\"\n");
    let got = over(std::slice::from_ref(&deny));
    assert_eq!(got.faults, []);
    assert_eq!(plan_of(&got.value, "GET h.example/a"), "deny=m noted=r");
    assert_eq!(plan_of(&got.value, "GET h.example/a at=60"), "noted=r", "its end has come");
    let told: Vec<_> = got.value.rules().filter(|s| s.measure).map(|s| (s.until, s.reason.as_deref())).collect();
    assert_eq!(told, [(Some(NOW + 60), Some("INC-42"))]);
    let ended = Measure { until: NOW, ..deny };
    assert_eq!(plan_of(&over(&[ended]).value, "GET h.example/a"), "noted=r");
    for (text, fault) in [
        ("", "a measure of 0 rules and limits"),
        ("[[rule]]\nname = \"r\"\nmatch = { path = \"/\" }\nthen = \"deny\"\n", "is the name of another rule"),
        ("[[rule]]\nname = \"m\"\nmatch = { list = \"k\" }\nthen = \"deny\"\n", "there is no list \"k\""),
        (
            "[[rule]]\nname = \"m\"\nuntil = 2099-01-01T00:00:00Z\nmatch = { path = \"/\" }\nthen = \"deny\"\n",
            "`rule.until` in a measure",
        ),
        (
            "[posture]\nauto = false\n[[limit]]\nname = \"m\"\nper = \"client\"\nrate = \"1/s\"\n",
            "unknown key `posture`",
        ),
    ] {
        let said: Vec<String> = over(&[measure("m", text)]).faults.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|f| f.contains(fault) && f.starts_with("measure m:")), "{text}: {said:?}");
    }
}
