//! The case files under tests/cases/rules, the shipped reference, and the law's freedom from order.
//!
//! A case is the TOML text, a line `----`, and either the faults (`line:column message`, help indented) or requests
//! with their plans: `METHOD host/path?query [key=value …] => what the plan says`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::*;
use crate::client::{Client, Fingerprint};
use crate::facts::{Kind, Pass};
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
    Sources { now: NOW, list: Box::leak(Box::new(list)), measures: &[], countries: true, asns: true }
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
    let mut fingerprint = None;
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
                pass = Some(Pass { id: 1, level, born: 0, expires: u64::MAX });
            }
            "at" => at = NOW + value.parse::<u64>().unwrap(),
            "kind" => kind = Kind::ALL.into_iter().find(|k| k.as_str() == value).unwrap(),
            "portal" => portal = value.to_owned(),
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
        scheme: "https",
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
fn the_shipped_reference_is_good() {
    let read = read("config/rules.toml", include_str!("../../config/rules.toml"), &sources());
    assert_eq!(read.faults, []);
    for key in &read.not_built {
        assert!(NOT_BUILT.contains(&key.as_str()), "{key} is missing from the list that status shows");
    }
    assert!(read.value.rules().count() >= 3);
}

/// Fifty rules and limits in a hundred orders: the plans of a hundred requests are always the same.
#[test]
fn the_order_in_the_file_never_matters() {
    let mut random: u64 = 88_172_645_463_325_252;
    let mut next = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    let thens = ["log", "challenge", "static", "deny", "drop", "allow"];
    let mut tables: Vec<String> = Vec::new();
    for i in 0..40 {
        let path = ["/a*", "/a/b", "*b", "re:^/[ab]", "/c*d*"][next(5)];
        let who = ["pass = true", "list = \"l\"", "method = { not = \"POST\" }"][next(3)];
        let then = thens[next(6)];
        let who = if then == "allow" && who.contains("not") { "pass = true" } else { who };
        tables.push(format!("[[rule]]\nname = \"r{i}\"\nthen = \"{then}\"\nmatch = {{ path = \"{path}\", {who} }}\n"));
    }
    for i in 0..10 {
        let per = ["client", "address", "network", "portal", "header:x-key"][next(5)];
        tables.push(format!(
            "[[limit]]\nname = \"l{i}\"\nper = \"{per}\"\nrate = \"1/s\"\nmatch = {{ path = \"/a*\" }}\n"
        ));
    }
    let list = "[[list]]\nname = \"l\"\ncidrs = [\"192.0.2.0/24\"]\n";
    let requests: Vec<String> = (0..100)
        .map(|_| {
            let path = ["a", "a/b", "ab", "b", "c1d2", "x"][next(6)];
            let who = ["", " pass=1", " from=198.51.100.7", " from=198.51.100.7 pass=1"][next(4)];
            format!("{} h.example/{path}{who}", ["GET", "POST"][next(2)])
        })
        .collect();
    let plans = |tables: &[String]| {
        let got = read("rules.toml", &format!("{list}{}", tables.concat()), &sources());
        assert_eq!(got.faults, []);
        requests.iter().map(|r| plan_of(&got.value, r)).collect::<Vec<_>>()
    };
    let first = plans(&tables);
    assert!(first.iter().any(|p| p.contains("drop=")) && first.iter().any(|p| p == "nothing"), "{first:?}");
    for _ in 0..100 {
        for i in (1..tables.len()).rev() {
            tables.swap(i, next(i + 1));
        }
        assert_eq!(plans(&tables), first);
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
