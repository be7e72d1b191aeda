//! The SOC's law: `rules.toml`, read, checked and compiled into a [`RuleSet`], which answers one question per
//! request: what do the rules want done ([`RuleSet::plan`])?
//!
//! Verdicts need no order: all rules that match count, and the plan is the same however the file is sorted.
//!
//! Does not know: guards, files, pages, who may change rules.

mod clause;
mod climb;
mod column;
mod compile;
mod conditions;
mod explain;
mod expression;
mod file;
mod found;
mod index;
mod lists;
mod looks;
mod measure;
mod pattern;
mod print;
mod ranges;
mod scout;
mod trie;
mod values;
mod words;

use std::cell::RefCell;
use std::collections::HashSet;

use ipnet::IpNet;
use serde::Serialize;

pub use clause::Field;
use clause::Known;
use compile::Compiled;
pub use explain::Match;
use expression::Expressions;
use found::Found;
use lists::Lists;
pub use looks::{Look, Looks};
pub use measure::Measure;

use crate::clock::Breath;
use crate::facts::Facts;
use crate::fault::{self, Fault, Read};
use crate::plan::{Climb, Level, Plan, Quota};

/// What a rule wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Log,
    Challenge,
    Queue,
    Static,
    Deny,
    Drop,
    Allow,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Verdict::Log => "log",
            Verdict::Challenge => "challenge",
            Verdict::Queue => "queue",
            Verdict::Static => "static",
            Verdict::Deny => "deny",
            Verdict::Drop => "drop",
            Verdict::Allow => "allow",
        }
    }
}

/// What a table of the file is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    Rule(Verdict),
    Limit(Quota),
}

/// A rule or limit as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub name: String,
    pub clauses: Vec<clause::Clause>,
    pub from: Level,
    pub shadow: bool,
    pub until: Option<u64>,
    pub reason: Option<String>,
    pub owner: Option<String>,
    /// It had expired when it was read: it never comes back.
    pub expired: bool,
    /// Laid over the file.
    pub measure: bool,
    pub ban: Option<u64>,
    pub meaning: Meaning,
}

/// All rules and limits of one file, ready to be asked. Immutable; a change makes a new one.
pub struct RuleSet {
    text: String,
    compiled: Compiled,
    summaries: Vec<Summary>,
    files: Vec<(String, u64)>,
    staff: Vec<IpNet>,
    climb: Climb,
    looks: Vec<Looks>,
}

/// A rule or limit, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub name: String,
    pub then: &'static str,
    pub from: &'static str,
    pub shadow: bool,
    pub until: Option<u64>,
    pub reason: Option<String>,
    pub owner: Option<String>,
    pub expired: bool,
    /// Laid over the file; not part of it.
    pub measure: bool,
}

/// What the law refers to beside its own text.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Seconds since the Unix epoch: a rule that ended before is out.
    pub now: u64,
    /// The text of a list's file, by the path that the rules write, or why it cannot be had.
    pub list: &'a dyn Fn(&str) -> Result<String, String>,
    /// What is laid over the file; those that have ended are left out.
    pub measures: &'a [Measure],
    /// Whether the databases are there that tell countries and autonomous systems.
    pub countries: bool,
    pub asns: bool,
    /// Between the pieces of the work, where others may want the core.
    pub breath: Option<&'a Breath>,
}

/// What rules want to know that costs a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    pub country: bool,
    pub asn: bool,
    pub known_path: bool,
    pub settled: bool,
}

impl Sources<'_> {
    fn known<'l>(&self, lists: &'l Lists, expressions: &'l RefCell<Expressions>) -> Known<'l> {
        Known { lists, expressions, countries: self.countries, asns: self.asns }
    }

    fn pause(&self) {
        if let Some(breath) = self.breath {
            breath.take();
        }
    }

    /// Where there are no files.
    pub fn at(now: u64) -> Sources<'static> {
        Sources {
            now,
            list: &|_| Err("there are no files here".to_owned()),
            measures: &[],
            countries: false,
            asns: false,
            breath: None,
        }
    }
}

/// All that a file says, checked.
pub(crate) struct Plain {
    lists: Lists,
    drafts: Vec<Draft>,
    climb: Climb,
}

fn plain(
    file: &str,
    text: &str,
    sources: &Sources<'_>,
    names: &mut HashSet<String>,
    expressions: &RefCell<Expressions>,
) -> Read<Plain> {
    fault::read(file, text, |top| {
        sources.pause();
        let lists = Lists::read(top, sources);
        let drafts = file::read(top, sources.known(&lists, expressions), sources, names);
        Plain { lists, drafts, climb: climb::read(top) }
    })
}

/// The text of `rules.toml` in one spelling: two files that mean the same read the same.
pub fn normal(file: &str, text: &str, sources: &Sources<'_>) -> Read<String> {
    let Read { value, faults, warnings } = plain(file, text, sources, &mut HashSet::new(), &RefCell::default());
    Read { value: print::print(&value), faults, warnings }
}

/// Reads the text of `rules.toml`: parse, validate, compile. The value counts only where there are no faults.
pub fn read(file: &str, text: &str, sources: &Sources<'_>) -> Read<RuleSet> {
    let (mut names, expressions) = (HashSet::new(), RefCell::default());
    let Read { value, mut faults, mut warnings } = plain(file, text, sources, &mut names, &expressions);
    let Plain { lists, mut drafts, climb } = value;
    for measure in sources.measures.iter().filter(|m| m.until > sources.now) {
        let label = format!("measure {}", measure.name);
        let known = sources.known(&lists, &expressions);
        let read = fault::read(&label, &measure.text, |top| file::measure(top, known, measure, &mut names));
        drafts.extend(read.value);
        faults.extend(read.faults);
        warnings.extend(read.warnings);
    }
    let (files, staff) = (lists.files().to_vec(), lists.staff().to_vec());
    let summaries = drafts.iter().map(Summary::of).collect();
    let looks = drafts.iter().filter(|d| !d.expired).map(Looks::of).collect();
    let compiled =
        if faults.is_empty() { compile::compile(drafts, lists, &|| sources.pause()) } else { Ok(Compiled::default()) };
    let compiled = compiled.unwrap_or_else(|message| {
        faults.push(Fault::whole(file, message, "write fewer or simpler patterns"));
        Compiled::default()
    });
    Read { value: RuleSet { text: text.to_owned(), compiled, summaries, files, staff, climb, looks }, faults, warnings }
}

/// Whether a list's file can be used as it stands.
pub fn is_list(text: &str) -> bool {
    lists::lines(text).all(|(_, found)| found.is_ok())
}

impl Summary {
    fn of(draft: &Draft) -> Summary {
        Summary {
            name: draft.name.clone(),
            then: match &draft.meaning {
                Meaning::Rule(verdict) => verdict.as_str(),
                Meaning::Limit(_) => "limit",
            },
            from: draft.from.as_str(),
            shadow: draft.shadow,
            until: draft.until,
            reason: draft.reason.clone(),
            owner: draft.owner.clone(),
            expired: draft.expired,
            measure: draft.measure,
        }
    }
}

impl RuleSet {
    pub fn empty() -> RuleSet {
        RuleSet {
            text: String::new(),
            compiled: Compiled::default(),
            summaries: Vec::new(),
            files: Vec::new(),
            staff: Vec::new(),
            climb: Climb::default(),
            looks: Vec::new(),
        }
    }

    /// The plan for one request at a posture. Pure; what it costs grows with the conditions that the request
    /// satisfies, hardly with the number of rules.
    pub fn plan<'a>(&'a self, facts: &Facts<'_>, level: Level, now_unix: u64) -> Plan<'a> {
        self.plan_seen(&[], facts, level, now_unix, |_| {})
    }

    /// The number of a rule or limit in force, for [`RuleSet::plan_seen`].
    pub fn number(&self, name: &str) -> Option<u32> {
        let place = self.compiled.all.binary_search_by(|one| one.name.as_str().cmp(name)).ok()?;
        u32::try_from(place).ok()
    }

    /// The plan as if some of the rules or limits were not there; `see` is told the names of all that match and are in force.
    pub fn plan_seen<'a>(
        &'a self,
        but: &[u32],
        facts: &Facts<'_>,
        level: Level,
        now_unix: u64,
        mut see: impl FnMut(&'a str),
    ) -> Plan<'a> {
        let mut found = Found::new();
        self.compiled.matching(facts, level, |number| {
            let act = &self.compiled.acts[number as usize];
            if act.until <= now_unix || but.contains(&number) {
                return;
            }
            let one = &self.compiled.all[number as usize];
            see(&one.name);
            found.add(act.does, number);
            if act.bans
                && let Some(lasts) = one.ban
            {
                found.ban(lasts, number);
            }
        });
        found.plan(&self.compiled)
    }

    /// As it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lists' files by the paths that the rules write, and stamps of what they held.
    pub fn files(&self) -> &[(String, u64)] {
        &self.files
    }

    pub fn asks(&self) -> Asks {
        self.compiled.asks
    }

    /// How the posture ladder climbs by itself.
    pub fn climb(&self) -> &Climb {
        &self.climb
    }

    /// Staff's own networks: the list named `staff`. Nothing bans them by itself.
    pub fn staff(&self) -> &[IpNet] {
        &self.staff
    }

    pub fn quotas(&self) -> impl Iterator<Item = &Quota> {
        (0..self.compiled.all.len() as u32).filter_map(|n| self.compiled.quota(n))
    }

    /// Whether the operator wrote a budget of their own, which takes the built-in one's place.
    pub fn has_budget(&self) -> bool {
        self.compiled.has_budget
    }

    pub fn rules(&self) -> impl Iterator<Item = &Summary> {
        self.summaries.iter()
    }
}

#[cfg(test)]
mod tests;
