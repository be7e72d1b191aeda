//! The first draft of the report after an attack or a failure: what is known, as plain data, and how it is written: Markdown,
//! HTML for print, JSON, indicators as CSV and STIX 2.1. Facts stand apart from estimates, and what is not known is said.
//!
//! Does not know: where facts come from, who asks.

mod annex;
mod blocks;
mod changes;
mod draft;
mod fared;
mod html;
mod indicators;
mod laid;
mod notices;
mod remarks;
mod spoken;
mod stix;
mod who;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

pub use changes::{Line, RulesChange};
pub use fared::{Citizens, Fared, Hard, Worst};
pub use indicators::csv;
pub use laid::{Decided, Did, FORCED, Forecast, Measure};
pub use notices::{Notice, notices};
pub use spoken::Statement;
pub use stix::bundle;
pub use who::{Network, Other, Seen};

/// Seconds since the Unix epoch; in JSON as RFC 3339 has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub u64);

impl At {
    pub fn timestamp(self) -> jiff::Timestamp {
        i64::try_from(self.0).ok().and_then(|s| jiff::Timestamp::from_second(s).ok()).unwrap_or_default()
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.timestamp())
    }
}

/// How far it may be passed on (FIRST's Traffic Light Protocol 2.0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tlp {
    Clear,
    Green,
    #[default]
    Amber,
    AmberStrict,
    Red,
}

impl Tlp {
    pub const ALL: [Tlp; 5] = [Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red];
    pub const NAMES: [&str; 5] = ["clear", "green", "amber", "amber+strict", "red"];

    pub fn as_str(self) -> &'static str {
        Tlp::NAMES[self as usize]
    }

    pub fn named(name: &str) -> Option<Tlp> {
        Tlp::ALL.into_iter().find(|tlp| tlp.as_str() == name)
    }

    pub fn label(self) -> String {
        format!("TLP:{}", self.as_str().to_ascii_uppercase())
    }
}

impl Serialize for Tlp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.label())
    }
}

/// In which form it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Markdown,
    Html,
    Json,
    Csv,
    Stix,
}

impl Form {
    pub const ALL: [Form; 5] = [Form::Markdown, Form::Html, Form::Json, Form::Csv, Form::Stix];
    pub const NAMES: [&str; 5] = ["markdown", "html", "json", "csv", "stix"];

    pub fn named(name: &str) -> Option<Form> {
        Form::ALL.into_iter().find(|form| Form::NAMES[*form as usize] == name)
    }

    /// What a file of it is called.
    pub fn file(self) -> &'static str {
        match self {
            Form::Markdown => "report.md",
            Form::Html => "report.html",
            Form::Json => "report.json",
            Form::Csv => "indicators.csv",
            Form::Stix => "indicators.stix.json",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Form::Markdown => "text/markdown; charset=utf-8",
            Form::Html => "text/html; charset=utf-8",
            Form::Json => "application/json",
            Form::Csv => "text/csv; charset=utf-8; header=present",
            Form::Stix => "application/stix+json;version=2.1",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub id: String,
    pub status: &'static str,
    pub made: At,
    pub by: String,
    pub tlp: Tlp,
    pub portals: Vec<Portal>,
    /// The portal's zone, in which local times are.
    pub zone: String,
    pub from: At,
    pub to: At,
    /// What a minister reads, and what of the record does not fit together: in the words of Markdown and HTML.
    pub summary: String,
    pub remarks: Vec<String>,
    pub incident: Option<Incident>,
    /// What staff published, the oldest first.
    pub statements: Vec<Statement>,
    /// Where the figures of each part come from.
    pub sources: BTreeMap<&'static str, &'static str>,
    pub moments: Moments,
    pub traffic: Traffic,
    /// What rules and limits decided, other than measures that the span tells of.
    pub rules: Vec<Decided>,
    pub citizens: Citizens,
    /// Where the portals stood, by the totals of each minute.
    pub postures: Vec<Step>,
    /// Each change of it, the oldest first.
    pub turns: Vec<Turn>,
    pub measures: Vec<Measure>,
    pub changes: Vec<RulesChange>,
    pub timeline: Vec<Event>,
    /// Lines of the journal that did not fit.
    pub timeline_left_out: usize,
    pub seen: Option<Seen>,
    pub notices: Vec<Notice>,
    pub evidence: Vec<Evidence>,
    pub journal: String,
    pub not_known: Vec<String>,
}

/// As [`Report::sources`] has them.
pub const SOURCES: [(&str, &str); 13] = [
    ("changes", "the versions of the rules that are kept"),
    ("citizens", "the totals of each minute"),
    ("evidence", "the files themselves, as they were when this was made"),
    ("incident", "the record of incidents"),
    (
        "measures",
        "the journal; what they did: the totals of each minute; forecasts: a sample of the ten minutes before, as the journal holds them",
    ),
    ("moments", "journal, totals and the record of incidents; onset is an estimate"),
    ("remarks", "what the other parts say, held against each other"),
    ("rules", "the totals of each minute"),
    ("seen", "a sample of each minute: estimates"),
    ("statements", "the record of incidents"),
    ("timeline", "the journal"),
    ("traffic", "the totals of each minute"),
    ("turns", "the journal"),
];

#[derive(Clone, Debug, Serialize)]
pub struct Portal {
    pub name: String,
    pub title: String,
    /// `None` where it has no name that the public knows.
    pub host: Option<String>,
    /// Where it stood when this was made.
    pub posture: String,
}

impl Portal {
    fn is_raised(&self) -> bool {
        self.posture != FOOT
    }
}

/// The posture of a quiet day.
const FOOT: &str = "normal";

#[derive(Clone, Debug, Serialize)]
pub struct Incident {
    pub id: u64,
    pub title: String,
    pub state: String,
    pub opened: At,
    pub ended: Option<At>,
    pub updates: usize,
    /// Services and paths; empty: the whole portal.
    pub affects: Vec<String>,
    /// What was said to what people ask; empty: nothing.
    pub data: String,
    pub payments: String,
    pub postmortem: String,
}

/// What happened when; `None`: not known, or not yet.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Moments {
    /// An estimate.
    pub onset: Option<At>,
    pub detected: Option<At>,
    pub detected_by: String,
    pub first_statement: Option<At>,
    pub contained: Option<At>,
    pub recovered: Option<At>,
    /// The incident was resolved or withdrawn.
    pub closed: Option<At>,
    /// When the last minute ended in which many citizens were turned away, calm or not since; `None`: there was none.
    pub hurt_until: Option<At>,
}

impl Moments {
    /// Seconds from one to the other.
    pub fn between(from: Option<At>, to: Option<At>) -> Option<u64> {
        to?.0.checked_sub(from?.0)
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Traffic {
    /// Minutes of which totals are kept, when the first of them began, and when the last ended.
    pub minutes: u64,
    pub began: Option<At>,
    pub ended: Option<At>,
    /// To the portals, and to boma's own pages: status page, checks.
    pub requests: u64,
    pub own: u64,
    pub outcomes: Vec<Became>,
    pub sent_away: u64,
    pub peak: Option<Peak>,
    /// The minutes around detection in which much came. `None`: nothing was detected, or not more came than is usual.
    pub rush: Option<Rush>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rush {
    /// When the first minute of it began and the last ended, and how many there were between.
    pub from: At,
    pub to: At,
    pub minutes: u64,
    /// That came in these minutes, and of them those that the origin or the cache answered.
    pub requests: u64,
    pub full: u64,
    /// More requests than this had each.
    pub above: u64,
    /// The median of the minutes before, of the last hour at most, where that is known; and how many they are.
    pub usual: Option<u64>,
    pub usual_of: u64,
    /// Some calm followed within the span.
    pub over: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Became {
    pub outcome: &'static str,
    pub means: &'static str,
    pub requests: u64,
    pub with_pass: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Peak {
    pub at: At,
    pub requests: u64,
    pub sent_away: u64,
}

/// Hundredths of citizens' requests that must be refused, fail or be told to come again for a minute to count as one in which they
/// were hurt.
pub const HURT: u64 = 5;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub portal: String,
    pub level: String,
    pub from: At,
    pub to: At,
}

/// A change of a posture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Turn {
    pub at: At,
    /// As it was set: a posture, or `auto`, where boma chooses it by itself.
    pub level: String,
    /// `None`: of all.
    pub portal: Option<String>,
    /// Whether that is above the posture of a quiet day.
    pub raised: bool,
    pub who: String,
    /// Empty: nothing was given.
    pub why: String,
}

/// Whose doing something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    Boma,
    People,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    pub at: At,
    pub actor: Actor,
    pub who: String,
    pub what: String,
    pub outcome: String,
    /// The journal's line.
    pub line: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    pub what: String,
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Report {
    /// The same with what is said of it as a whole.
    pub fn told(mut self) -> Report {
        let remarks = draft::Pen::new(&self).remarks();
        self.remarks = remarks;
        let summary = draft::Pen::new(&self).summary();
        self.summary = summary;
        self
    }

    pub fn title(&self) -> String {
        let portals: Vec<&str> = self.portals.iter().map(|p| p.title.as_str()).collect();
        format!("After-action report (draft): {}", portals.join(", "))
    }

    pub fn written(&self, form: Form) -> String {
        match form {
            Form::Markdown => blocks::markdown(&draft::blocks(self)),
            Form::Html => html::page(self, &draft::blocks(self)),
            Form::Json => serde_json::to_string_pretty(self).unwrap_or_default() + "\n",
            Form::Csv => csv(self),
            Form::Stix => serde_json::to_string_pretty(&bundle(self)).unwrap_or_default() + "\n",
        }
    }
}

#[cfg(test)]
mod tests;
