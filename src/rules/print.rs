//! Rules in one spelling: sorted by name, defaults left out, every pattern as it is matched.
//!
//! Does not know: requests, files.

use std::fmt::Write as _;
use std::time::Duration;

use super::clause::{Clause, Field};
use super::lists::Written;
use super::pattern::Pattern;
use super::{Draft, Meaning, Plain};
use crate::plan::{Climb, Level, Per, Quota, Rate, Then};
use crate::units::human;

pub fn print(plain: &Plain) -> String {
    let mut tables = Vec::new();
    if plain.climb != Climb::default() {
        tables.push(posture(&plain.climb));
    }
    let mut lists: Vec<&Written> = plain.lists.written().iter().collect();
    lists.sort();
    tables.extend(lists.into_iter().map(list));
    let mut drafts: Vec<&Draft> = plain.drafts.iter().collect();
    drafts.sort_by_key(|d| (matches!(d.meaning, Meaning::Rule(_)), &d.name));
    tables.extend(drafts.into_iter().map(draft));
    tables.join("\n")
}

fn draft(draft: &Draft) -> String {
    let (word, budget) = match &draft.meaning {
        Meaning::Rule(_) => ("rule", None),
        Meaning::Limit(quota) => ("limit", Some(quota)),
    };
    let mut out = format!("[[{word}]]\nname = {}\n", quoted(&draft.name));
    if let Some(quota) = budget {
        out.push_str(&self::quota(quota));
    }
    if !draft.clauses.is_empty() {
        let mut clauses: Vec<&Clause> = draft.clauses.iter().collect();
        clauses.sort_by(|a, b| a.field.cmp(&b.field));
        // Beside conditions on parameters, one on the whole query can be written in one way only.
        let beside = clauses.iter().any(|c| matches!(c.field, Field::Param(_)));
        let clauses: Vec<String> = clauses.into_iter().map(|c| clause(c, beside)).collect();
        let _ = writeln!(out, "match = {{ {} }}", clauses.join(", "));
    }
    match &draft.meaning {
        Meaning::Rule(verdict) => {
            let _ = writeln!(out, "then = \"{}\"", verdict.as_str());
        }
        Meaning::Limit(quota) if quota.then == Then::Deny => out.push_str("then = \"deny\"\n"),
        Meaning::Limit(_) => {}
    }
    if let Some(lasts) = draft.ban {
        let _ = writeln!(out, "ban = \"{}\"", human(Duration::from_secs(lasts)));
    }
    if draft.from != Level::Normal {
        let _ = writeln!(out, "from = \"{}\"", draft.from);
    }
    if draft.shadow {
        out.push_str("shadow = true\n");
    }
    if let Some(until) = draft.until {
        let until = jiff::Timestamp::from_second(until as i64).unwrap_or_default();
        let _ = writeln!(out, "until = {until}");
    }
    for (key, text) in [("reason", &draft.reason), ("owner", &draft.owner)] {
        if let Some(text) = text {
            let _ = writeln!(out, "{key} = {}", quoted(text));
        }
    }
    out
}

fn quota(quota: &Quota) -> String {
    let per = match &quota.per {
        Per::Client => "client",
        Per::Header(name) => &format!("header:{name}"),
        Per::Address => "address",
        Per::Network => "network",
        Per::Asn => "asn",
        Per::Country => "country",
        Per::Portal => "portal",
    };
    let mut out = format!("per = {}\n", quoted(per));
    match quota.concurrent {
        Some(most) => drop(writeln!(out, "concurrent = {most}")),
        None => drop(writeln!(out, "rate = \"{}\"\nburst = {}", rate(quota.interval), quota.burst)),
    }
    if let Some(statuses) = &quota.count {
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let _ = writeln!(out, "count = {{ status = [{}] }}", statuses.join(", "));
    }
    out
}

/// The shortest text that is read as this interval.
fn rate(interval: u64) -> String {
    let same = |text: &str| Rate::parse(text).is_some_and(|r| r.interval == interval);
    let units = [("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    for digits in 0..18 {
        for (unit, seconds) in units {
            let text = format!("{:.digits$}/{unit}", seconds * 1e9 / interval as f64);
            if same(&text) {
                return text;
            }
        }
    }
    // Of the slowest ones a number's last bits decide.
    let number = 3600.0 * 1e9 / interval as f64;
    let near = (0..64)
        .map(|i| f64::from_bits(number.to_bits() + i))
        .chain((1..64).map(|i| f64::from_bits(number.to_bits() - i)));
    let texts = near.map(|n| format!("{n}/h"));
    texts.into_iter().find(|t| same(t)).unwrap_or_else(|| format!("{number}/h"))
}

fn clause(clause: &Clause, beside: bool) -> String {
    let Clause { field, patterns, not } = clause;
    let truth = *field == Field::Query && *patterns == [Pattern::any()];
    match field {
        Field::Pass | Field::KnownPath => return format!("{field} = {}", !not),
        Field::Query if truth && beside => return "query.not = true".into(),
        Field::Query if truth => return format!("query = {}", !not),
        _ => {}
    }
    let texts: Vec<String> = patterns.iter().map(|p| value(field, p)).collect();
    let values = match texts.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    let key = match field {
        Field::Header(name) => format!("header.{}", self::key(name)),
        Field::Cookie(name) => format!("cookie.{}", self::key(name)),
        Field::Param(name) => format!("query.{}", self::key(name)),
        field => field.to_string(),
    };
    match field {
        Field::Query if beside => format!("query.not = {values}"),
        _ if *not => format!("{key} = {{ not = {values} }}"),
        _ => format!("{key} = {values}"),
    }
}

fn value(field: &Field, pattern: &Pattern) -> String {
    let text = match pattern {
        Pattern::Exact(text) if *field == Field::Country && text.len() == 2 => text.to_ascii_uppercase(),
        Pattern::Exact(text) if *field == Field::Asn && text.bytes().all(|b| b.is_ascii_digit()) => {
            return text.clone();
        }
        Pattern::Exact(_) if *field == Field::Settled => "settled".into(),
        Pattern::Exact(text) | Pattern::Glob(text) => text.clone(),
        Pattern::Prefix(text) => format!("{text}*"),
        Pattern::Suffix(text) => format!("*{text}"),
        Pattern::Expression(source) => format!("re:{source}"),
    };
    quoted(&text)
}

fn list(list: &Written) -> String {
    let mut out = format!("[[list]]\nname = {}\n", quoted(&list.name));
    if !list.cidrs.is_empty() || list.file.is_none() {
        let cidrs: Vec<String> = list.cidrs.iter().map(|net| format!("\"{net}\"")).collect();
        let _ = writeln!(out, "cidrs = [{}]", cidrs.join(", "));
    }
    if let Some(file) = &list.file {
        let _ = writeln!(out, "file = {}", quoted(file));
    }
    out
}

fn posture(climb: &Climb) -> String {
    let share = |share: f64| {
        let texts = (0..18).map(|digits| format!("{:.digits$}", share * 100.0));
        let same = |text: &String| text.parse::<f64>().is_ok_and(|n| n / 100.0 == share);
        texts.into_iter().find(same).unwrap_or_else(|| (share * 100.0).to_string())
    };
    let Climb { auto, max, requests, min_requests, origin_errors, origin_latency, unsolved, hold, lower_after } = climb;
    let time = |seconds: &u64| human(Duration::from_secs(*seconds));
    format!(
        "[posture]\nauto = {auto}\nauto_max = \"{max}\"\nlower_after = \"{}\"\n\n[posture.raise]\nrequests = \"{requests}x\"\nmin_requests = \"{}\"\norigin_errors = \"{}%\"\norigin_latency = \"{origin_latency}x\"\nunsolved = \"{}%\"\nhold = \"{}\"\n",
        time(lower_after),
        rate((1e9 / min_requests).round() as u64),
        share(*origin_errors),
        share(*unsolved),
        time(hold)
    )
}

/// A key, in quotes where it must be.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if bare { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
