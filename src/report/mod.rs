//! The first draft of the report after an attack or a failure: what is known, as plain data, and how it is written: Markdown,
//! HTML for print, JSON, indicators as CSV and STIX 2.1. Facts stand apart from estimates, and what is not known is said.
//!
//! Does not know: where facts come from, who asks.

mod annex;
mod blocks;
mod changes;
mod draft;
mod html;
mod indicators;
mod laid;
mod notices;
mod spoken;
mod stix;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::bounds;
use crate::uptime::Served;

pub use changes::{Line, RulesChange};
pub use indicators::csv;
pub use laid::{Did, FORCED, Forecast, Measure};
pub use notices::{Notice, notices};
pub use spoken::Statement;
pub use stix::bundle;

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
    pub incident: Option<Incident>,
    /// What staff published, the oldest first.
    pub statements: Vec<Statement>,
    /// Where the figures of each part come from.
    pub sources: BTreeMap<&'static str, &'static str>,
    pub moments: Moments,
    pub traffic: Traffic,
    pub citizens: Citizens,
    /// Where the portals stood, by the totals of each minute.
    pub postures: Vec<Step>,
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
pub const SOURCES: [(&str, &str); 10] = [
    ("changes", "the versions of the rules that are kept"),
    ("citizens", "the totals of each minute"),
    ("evidence", "the files themselves, as they were when this was made"),
    ("incident", "the record of incidents"),
    (
        "measures",
        "the journal; what they did: the totals of each minute; forecasts: a sample of the ten minutes before, as the journal holds them",
    ),
    ("moments", "journal, totals and the record of incidents; onset is an estimate"),
    ("seen", "a sample of each minute: estimates"),
    ("statements", "the record of incidents"),
    ("timeline", "the journal"),
    ("traffic", "the totals of each minute"),
];

#[derive(Clone, Debug, Serialize)]
pub struct Portal {
    pub name: String,
    pub title: String,
    pub host: Option<String>,
}

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
    /// Whether there was a minute in which many citizens were refused.
    pub hurt: bool,
}

impl Moments {
    /// Seconds from one to the other.
    pub fn between(from: Option<At>, to: Option<At>) -> Option<u64> {
        to?.0.checked_sub(from?.0)
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Traffic {
    /// Minutes of which totals are kept.
    pub minutes: u64,
    pub requests: u64,
    pub outcomes: Vec<Became>,
    pub sent_away: u64,
    pub peak: Option<Peak>,
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

#[derive(Clone, Debug, Default, Serialize)]
pub struct Citizens {
    pub definition: &'static str,
    #[serde(flatten)]
    pub served: Served,
    pub classes: Vec<(String, Served)>,
    /// Minutes with a posture above its foot, and such in which many citizens were refused.
    pub minutes_risen: u64,
    pub minutes_hurt: u64,
    /// The minute in which the most of their requests were not answered; `None`: all were.
    pub worst: Option<Worst>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Worst {
    pub at: At,
    #[serde(flatten)]
    pub served: Served,
}

/// Hundredths of citizens' requests that must be refused for a minute to count as one in which they were hurt.
pub const HURT: u64 = 5;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub portal: String,
    pub level: String,
    pub from: At,
    pub to: At,
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

/// What the kept samples say of who came: estimates.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    pub minutes: u64,
    pub sample: u64,
    pub requests: u64,
    pub networks: Vec<Network>,
    pub paths: Vec<(String, u64)>,
    pub agents: Vec<(String, u64)>,
    /// JA4 of their TLS.
    pub fingerprints: Vec<(String, u64)>,
    /// Of the networks that came most often in each minute.
    pub countries: Vec<(String, u64)>,
    pub rules: Vec<(String, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    pub net: String,
    pub first: At,
    pub last: At,
    /// Requests of the sample; the other numbers are what they stand for.
    pub sample: u64,
    pub requests: u64,
    pub sent_away: u64,
    pub with_pass: u64,
    pub asn: Option<u32>,
    pub country: Option<String>,
}

impl Network {
    /// Whether it may be named to others: much came from there, most of it was sent away, and nobody with a pass came from there.
    pub fn indicates(&self) -> bool {
        let much = self.sample >= bounds::INDICATOR_SAMPLE && self.sent_away >= bounds::INDICATOR_SENT_AWAY;
        much && self.with_pass == 0 && self.sent_away * 2 > self.requests
    }

    /// Until when it does.
    fn until(&self) -> Option<At> {
        self.indicates().then(|| At(self.last.0 + bounds::INDICATOR_LASTS.as_secs()))
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    pub what: String,
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Report {
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
