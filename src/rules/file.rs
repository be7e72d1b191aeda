//! The tables of `rules.toml`: names, rates, verdicts, times.
//!
//! Does not know: requests, how rules are compiled.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::clause::{self, Clause, Known};
use super::{Draft, Meaning, Measure, Sources, Verdict};
use crate::bounds;
use crate::fault::{At, Section};
use crate::plan::{Level, Per, Quota, Rate, Then, quota_id};
use crate::units::nearest;

/// The longest name of a rule, limit or list.
const NAME_BYTES: usize = 100;

/// Reads `[[limit]]` and `[[rule]]`; what has expired is among them, and marked.
pub fn read(top: &Section<'_>, known: Known<'_>, sources: &Sources<'_>, names: &mut HashSet<String>) -> Vec<Draft> {
    let mut file = File { known, now_unix: sources.now, names, measure: None, drafts: Vec::new() };
    file.tables(top, &|| sources.pause());
    file.drafts
}

/// Reads a measure: one `[[rule]]` or one `[[limit]]`.
pub fn measure(top: &Section<'_>, known: Known<'_>, measure: &Measure, names: &mut HashSet<String>) -> Vec<Draft> {
    let mut file = File { known, now_unix: 0, names, measure: Some(measure), drafts: Vec::new() };
    let tables = file.tables(top, &|| {});
    if tables != 1 {
        top.fault(0..0, format!("a measure of {tables} rules and limits"), "write one [[rule]] or one [[limit]]");
    }
    file.drafts
}

/// The name that a table must have.
pub fn name(table: &Section<'_>, what: &str) -> Option<At<String>> {
    let Some(name) = table.string("name", "a-name") else {
        if !table.has("name") {
            table.fault(table.span(), format!("`{what}.name` is missing"), "write name = \"a-name\"");
        }
        return None;
    };
    let text = name.value.as_str();
    let fit = (1..=NAME_BYTES).contains(&text.len())
        && text.trim() == text
        && text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
    if !fit {
        let help =
            format!("write 1 to {NAME_BYTES} letters, digits and signs of ASCII: names stand in logs and headers");
        table.fault(name.span, format!("`{what}.name` is {text:?}"), help);
        return None;
    }
    Some(name)
}

struct File<'l> {
    known: Known<'l>,
    now_unix: u64,
    names: &'l mut HashSet<String>,
    /// What is read is laid over the file.
    measure: Option<&'l Measure>,
    drafts: Vec<Draft>,
}

/// What rules and limits have in common.
struct Common {
    name: Option<At<String>>,
    clauses: Vec<Clause>,
    from: Level,
    shadow: bool,
    until: Option<u64>,
    reason: Option<String>,
    owner: Option<String>,
    /// Seconds.
    ban: Option<u64>,
}

impl File<'_> {
    /// How many tables there were.
    fn tables(&mut self, top: &Section<'_>, pause: &dyn Fn()) -> usize {
        let (limits, rules) = (top.sections("limit"), top.sections("rule"));
        for table in &limits {
            self.limit(table);
            table.finish();
            pause();
        }
        for table in &rules {
            self.rule(table);
            table.finish();
            pause();
        }
        limits.len() + rules.len()
    }

    fn rule(&mut self, table: &Section<'_>) {
        let common = self.common(table, "rule");
        if !table.has("match") {
            let help = "write match = { path = \"/login*\" }, or match = { path = \"*\" } for every request";
            table.fault(table.span(), "`rule.match` is missing", help);
        }
        let known = [
            ("log", Verdict::Log),
            ("challenge", Verdict::Challenge),
            ("queue", Verdict::Queue),
            ("static", Verdict::Static),
            ("deny", Verdict::Deny),
            ("drop", Verdict::Drop),
            ("allow", Verdict::Allow),
        ];
        if !table.has("then") {
            table.fault(table.span(), "`rule.then` is missing", "write then = \"challenge\", or \"log\" to try it out");
        }
        let Some(then) = choice(table, "rule.then", "then", &known) else { return };
        if then.value == Verdict::Allow && !common.clauses.iter().any(Clause::names_client) {
            let help = "add `list` or `pass = true` to its match: what else a request says of itself, anyone can say";
            table.fault(then.span, "`allow` must say who the client is", help);
        }
        if common.ban.is_some() && !matches!(then.value, Verdict::Deny | Verdict::Drop | Verdict::Challenge) {
            let help = "a ban is for whoever is refused or challenged again and again: leave it out";
            table.fault(table.span(), "`rule.ban` on a rule that sends nobody away", help);
        }
        self.add(table, common, Meaning::Rule(then.value));
    }

    fn limit(&mut self, table: &Section<'_>) {
        let common = self.common(table, "limit");
        let per = per(table, self.known);
        let concurrent = concurrent(table);
        let rate = if concurrent.is_some() { Some(Rate { interval: 1, per_second: 1 }) } else { rate(table) };
        let count = count(table);
        let burst = table.integer("burst", 1, 10_000_000);
        if let (Some(rate), Some(burst)) = (rate, &burst)
            && !rate.fills(burst.value as u32)
        {
            let help = "write a smaller burst or a higher rate";
            table.fault(burst.span.clone(), "a bucket of this size takes more than ten years to fill", help);
        }
        let then = choice(table, "limit.then", "then", &[("challenge", Then::Challenge), ("deny", Then::Deny)]);
        let (Some(per), Some(rate)) = (per, rate) else { return };
        let budget = per == Per::Client
            && !table.has("match")
            && common.from == Level::Normal
            && common.until.is_none()
            && !common.shadow
            && self.measure.is_none()
            && !table.has("count")
            && !table.has("concurrent");
        let name = common.name.as_ref().map_or("", |n| n.value.as_str());
        if name == "budget" && !budget {
            let help = "give it another name; only a limit per client on all requests may take the budget's place";
            table.fault(table.span(), "\"budget\" is the name of the built-in budget", help);
        }
        if common.ban.is_some() && !matches!(per, Per::Client | Per::Address) {
            let help =
                "leave it out, or write per = \"client\" or \"address\": one empties it, and others would be banned";
            table.fault(table.span(), "`limit.ban` on a bucket that many share", help);
        }
        let quota = Quota {
            name: name.to_owned(),
            id: quota_id(name),
            per,
            interval: rate.interval,
            burst: burst.map_or(rate.per_second, |b| b.value as u32),
            then: then.map_or(Then::Challenge, |t| t.value),
            shadow: common.shadow,
            budget,
            count,
            concurrent,
            ban: common.ban,
        };
        self.add(table, common, Meaning::Limit(quota));
    }

    fn common(&mut self, table: &Section<'_>, what: &str) -> Common {
        let name = name(table, what);
        if let Some(name) = &name
            && !self.names.insert(name.value.clone())
        {
            let message = format!("{:?} is the name of another rule or limit", name.value);
            table.fault(name.span.clone(), message, "give each its own: logs and counters go by it");
        }
        let clauses = match table.section("match") {
            Some(inner) => clause::read(&inner, &format!("{what}.match"), self.known),
            None => Vec::new(),
        };
        let from = table.word("from", &Level::NAMES).and_then(|w| Level::named(w.value));
        for key in ["until", "reason", "owner"] {
            if self.measure.is_some() && table.has(key) {
                let help = "leave it out: a measure's end, reason and owner are given beside it";
                table.fault(table.span(), format!("`{what}.{key}` in a measure"), help);
            }
        }
        let ban = table.duration("ban", Duration::from_secs(1), bounds::BAN_LONGEST);
        let until = table.instant("until");
        let note = |key: &str, example: &str, most: usize| {
            let text = table.string(key, example)?;
            if text.value.len() > most {
                let message = format!("`{what}.{key}` has {} bytes", text.value.len());
                table.fault(text.span, message, format!("write at most {most}"));
            }
            Some(text.value)
        };
        let reason = note("reason", "INC-42", bounds::REASON_BYTES);
        let owner = note("owner", "soc@huduma.example", NAME_BYTES);
        if let (Some(until), Some(name)) = (&until, &name)
            && until.value <= self.now_unix
        {
            let message = format!("{:?} expired {} and is out", name.value, date(until.value));
            table.warn(until.span.clone(), message, "take it out of the file, or give it a later `until`");
        }
        Common {
            name,
            clauses,
            from: from.unwrap_or(Level::Normal),
            shadow: table.boolean("shadow").is_some_and(|s| s.value),
            until: until.map(|u| u.value),
            reason,
            owner,
            ban: ban.map(|b| b.value.as_secs()),
        }
    }

    fn add(&mut self, table: &Section<'_>, common: Common, meaning: Meaning) {
        let Some(name) = common.name else { return };
        if self.drafts.len() == bounds::RULES {
            let message = format!("more than {} rules and limits", bounds::RULES);
            table.fault(table.span(), message, "put addresses into a [[list]], or several patterns into one rule");
        }
        let measure = self.measure;
        self.drafts.push(Draft {
            name: name.value,
            clauses: common.clauses,
            from: common.from,
            shadow: common.shadow,
            until: measure.map_or(common.until, |m| Some(m.until)),
            reason: measure.map_or(common.reason, |m| Some(m.reason.clone())),
            owner: measure.map_or(common.owner, |m| Some(m.owner.clone())),
            expired: common.until.is_some_and(|u| u <= self.now_unix),
            measure: measure.is_some(),
            ban: common.ban,
            meaning,
        });
    }
}

fn date(unix: u64) -> String {
    jiff::Timestamp::from_second(unix as i64).map_or_else(|_| unix.to_string(), |t| t.to_string())
}

/// One of a few words.
fn choice<T: Copy>(table: &Section<'_>, what: &str, key: &str, known: &[(&str, T)]) -> Option<At<T>> {
    let word = table.string(key, known[0].0)?;
    if let Some((_, value)) = known.iter().find(|(w, _)| *w == word.value) {
        return Some(At { value: *value, span: word.span });
    }
    let words: Vec<&str> = known.iter().map(|(w, _)| *w).collect();
    let list = format!("write one of {}", words.join(", "));
    let help = nearest(&word.value, &words).map_or(list, |near| format!("did you mean \"{near}\"?"));
    table.fault(word.span, format!("`{what}` is {:?}", word.value), help);
    None
}

fn per(table: &Section<'_>, known: Known<'_>) -> Option<Per> {
    if !table.has("per") {
        table.fault(table.span(), "`limit.per` is missing", "write per = \"client\"");
    }
    if let Some(text) = table.string("per", "client").filter(|t| t.value.starts_with("header:")) {
        let name = &text.value["header:".len()..];
        if let Some(clause::Field::Header(name)) = clause::header(name) {
            return Some(Per::Header(name));
        }
        table.fault(text.span, format!("{name:?} is no header's name"), "write per = \"header:x-api-key\"");
        return None;
    }
    let words =
        [("client", 0), ("address", 1), ("network", 2), ("asn", 3), ("country", 4), ("portal", 5), ("header:NAME", 6)];
    let chosen = table.is_text("per").then(|| choice(table, "limit.per", "per", &words))??;
    let database = match chosen.value {
        3 if !known.asns => Some("asn_db"),
        4 if !known.countries => Some("country_db"),
        _ => None,
    };
    if let Some(database) = database {
        let help = format!("name its file in boma.toml: [client] {database} = \"geo/….mmdb\"");
        table.fault(chosen.span, "`limit.per` needs a database that is not there", help);
    }
    match chosen.value {
        0 => Some(Per::Client),
        1 => Some(Per::Address),
        2 => Some(Per::Network),
        3 => Some(Per::Asn),
        4 => Some(Per::Country),
        5 => Some(Per::Portal),
        _ => None,
    }
}

/// How many at once, where that is what is limited.
fn concurrent(table: &Section<'_>) -> Option<u32> {
    let most = table.integer("concurrent", 1, 1_000_000)?;
    for key in ["rate", "burst", "count"] {
        if table.has(key) {
            let help = "write two limits: one with concurrent, one with rate";
            table.fault(most.span.clone(), format!("`limit.concurrent` beside `{key}`"), help);
        }
    }
    Some(most.value as u32)
}

/// The statuses of the answers that count.
fn count(table: &Section<'_>) -> Option<Arc<[u16]>> {
    let inner = table.section("count")?;
    let statuses = inner.integers("status", 100, 599, 404);
    if statuses.as_ref().is_none_or(Vec::is_empty) && !inner.has("status") {
        inner.fault(inner.span(), "`limit.count` names nothing", "write count = { status = [404] }");
    }
    inner.finish();
    Some(statuses?.into_iter().map(|s| s.value as u16).collect())
}

fn rate(table: &Section<'_>) -> Option<Rate> {
    if !table.has("rate") {
        table.fault(table.span(), "`limit.rate` is missing", "write rate = \"20/s\"");
    }
    let text = table.string("rate", "20/s")?;
    let rate = Rate::parse(&text.value);
    if rate.is_none() {
        let help = "write a number above 0, at most a million a second, per s, m or h: \"20/s\", \"1.5/m\"";
        table.fault(text.span, format!("`limit.rate` is {:?}", text.value), help);
    }
    rate
}
