//! The changes there are, who wants them, and what can become of them.
//!
//! Does not know: HTTP, file watching.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use ipnet::IpNet;
use serde_json::Value;

use super::services::Rewording;
use crate::ban::Ban;
use crate::cache::What;
use crate::fault::Fault;
use crate::force::House;
use crate::incident::{Author, Said, Texts};
use crate::plan::Level;
use crate::posture::Pin;
use crate::report::Forecast;
use crate::rules::{Measure, RuleSet};
use crate::staff::Role;
use crate::telemetry::Kind;

/// Who wants a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    File,
    Signal,
    /// By the staff door, with the token's name and role.
    Staff(String, Role),
    /// The posture ladder.
    Ladder,
    Clock,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::File => f.write_str("file"),
            Who::Signal => f.write_str("signal"),
            Who::Staff(name, role) => write!(f, "staff {name} ({role})"),
            Who::Ladder => f.write_str("ladder"),
            Who::Clock => f.write_str("clock"),
        }
    }
}

/// Why a change is to be made although it would harm those whom it should not; `None`: then it is not to be.
pub type Force = Option<String>;

/// What rules would have done to what came of late.
#[derive(Default)]
pub struct Judged {
    /// Why they harm those whom they should not, in words; `None`: they do not.
    pub harm: Option<String>,
    pub forecast: Forecast,
}

/// Who says whether a change would harm those whom it should not, by what came of late; in words where it would. The
/// corridor knows that, and the office must not know the corridor: whoever builds the house hands it in.
#[derive(Clone, Copy)]
pub struct Judge {
    /// These rules, in the place of those in force.
    pub rules: fn(&House, Arc<RuleSet>) -> Judged,
    /// A measure in force, by what it has done.
    pub measure: fn(&House, &str) -> Option<String>,
    pub ban: fn(&House, IpNet) -> Option<String>,
    /// How many of the last ten minutes' requests a rule or limit in force matched.
    pub hits: fn(&House, &str) -> u64,
}

/// What can be changed while boma runs. Closed: each change passes the same door.
pub enum Change {
    /// The rules file as it stands now.
    RulesFile(String),
    /// The files of its lists.
    Lists,
    /// The MMDB files.
    Places,
    /// The files of good bots' networks.
    Bots,
    /// The files of operators' languages.
    Languages,
    /// New rules from staff, to be written to the file; `generation` is the one that they were made from.
    Rules {
        text: String,
        generation: u64,
        force: Force,
    },
    Postures(String),
    Settings(String),
    Certificates,
    /// The file of the staff's tokens.
    Tokens(String),
    /// Back to an earlier version of the rules; without a number the one before.
    RollBack {
        version: Option<u64>,
        force: Force,
    },
    /// Forced where it says so itself.
    AddMeasure(Measure),
    ExtendMeasure {
        name: String,
        until: u64,
    },
    RemoveMeasure(String),
    /// A measure that harms those whom it should not, with what it did.
    UndoMeasure {
        name: String,
        /// As it was judged: one that was laid anew meanwhile stays.
        since: u64,
        why: String,
    },
    /// `force`: although staff's own networks, or very many, are in it.
    AddBan {
        ban: Ban,
        force: bool,
    },
    RemoveBan(IpNet),
    Pin(Pin),
    /// Access codes for citizens, of one portal or of all.
    GiveCodes {
        count: usize,
        ends: u64,
        portal: Option<String>,
        reason: String,
    },
    Incident(Telling),
    /// Kept answers are forgotten, of one portal or of all; how many those were goes into the last one.
    Purge {
        portal: Option<String>,
        what: What,
        gone: Arc<AtomicUsize>,
    },
    /// Snapshots are taken anew, of one portal or of all: of these paths, or of every page.
    Refresh {
        portal: Option<String>,
        paths: Vec<String>,
    },
    /// What citizens are told of services and of whom to ask.
    Reword(Rewording),
    /// Back to `auto`, of one portal or of all.
    Release(Option<String>),
    /// The ladder moved by itself.
    Climb {
        portal: String,
        level: Level,
        why: String,
    },
    /// Pins and measures that have ended.
    Expire,
}

/// What is told to citizens.
pub enum Telling {
    Open { portal: Option<String>, said: Said, author: Author },
    Update { id: u64, said: Said, author: Author },
    Correct { id: u64, n: u32, said: Said, by: String },
    Withdraw { id: u64, reason: Texts, by: String },
}

impl Telling {
    fn what(&self) -> String {
        let first = |texts: &Texts| texts.get("en").or(texts.values().next()).cloned().unwrap_or_default();
        match self {
            Telling::Open { portal, said, .. } => {
                format!("incident{} opened: {}", of(portal.as_deref()), first(&said.title))
            }
            Telling::Update { id, said, .. } => {
                let state = said.state.map_or(String::new(), |s| format!(", {}", s.as_str()));
                format!("incident {id}{state}: {}", first(&said.text))
            }
            Telling::Correct { id, n, .. } => format!("incident {id}, update {n} corrected"),
            Telling::Withdraw { id, reason, .. } => format!("incident {id} withdrawn: {}", first(reason)),
        }
    }

    pub(super) fn said(&self) -> Option<&Said> {
        match self {
            Telling::Open { said, .. } | Telling::Update { said, .. } | Telling::Correct { said, .. } => Some(said),
            Telling::Withdraw { .. } => None,
        }
    }

    fn text(&self) -> String {
        let text = match self {
            Telling::Withdraw { reason, .. } => serde_json::to_string(reason),
            telling => serde_json::to_string(&telling.said()),
        };
        text.unwrap_or_default()
    }
}

impl Change {
    pub(super) fn what(&self) -> String {
        match self {
            Change::RulesFile(_) => "rules".into(),
            Change::Rules { force, .. } => format!("rules{}", forced(force)),
            Change::Lists => "lists".into(),
            Change::Places => "countries and autonomous systems".into(),
            Change::Bots => "networks of good bots".into(),
            Change::Languages => "languages".into(),
            Change::Postures(_) => "postures".into(),
            Change::Settings(_) => "settings".into(),
            Change::Certificates => "certificates".into(),
            Change::Tokens(_) => "the staff's tokens".into(),
            Change::RollBack { version, force } => {
                let version = version.map_or("the version before".into(), |v| format!("version {v}"));
                format!("rules back to {version}{}", forced(force))
            }
            Change::AddMeasure(m) if m.forced => format!("measure {}, forced, for: {}", m.name, m.reason),
            Change::AddMeasure(m) => format!("measure {} for: {}", m.name, m.reason),
            Change::UndoMeasure { name, why, .. } => format!("measure {name} taken back: {why}"),
            Change::ExtendMeasure { name, .. } => format!("a later end of measure {name}"),
            Change::RemoveMeasure(name) => format!("measure {name} taken out"),
            Change::AddBan { ban, .. } => format!("ban of {} for: {}", ban.net, ban.reason),
            Change::RemoveBan(net) => format!("ban of {net} taken out"),
            Change::Pin(pin) => format!("posture {}{} for: {}", pin.level, of(pin.portal.as_deref()), pin.reason),
            Change::GiveCodes { count, ends, portal, reason } => {
                let ends = jiff::Timestamp::from_second(*ends as i64).unwrap_or_default();
                format!("{count} access codes{} until {ends} for: {reason}", of(portal.as_deref()))
            }
            Change::Climb { portal, level, why } => format!("posture {level} of {portal}: {why}"),
            Change::Release(portal) => format!("posture auto{}", of(portal.as_deref())),
            Change::Incident(telling) => telling.what(),
            Change::Purge { portal, what, .. } => format!("{what} purged from the cache{}", of(portal.as_deref())),
            Change::Refresh { portal, paths } if paths.is_empty() => {
                format!("snapshots taken anew{}", of(portal.as_deref()))
            }
            Change::Refresh { portal, paths } => {
                format!("snapshots of {} taken anew{}", paths.join(", "), of(portal.as_deref()))
            }
            Change::Reword(_) => "words of services".into(),
            Change::Expire => "expiry".into(),
        }
    }

    /// What listeners take it for.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Change::RulesFile(_)
            | Change::Lists
            | Change::Rules { .. }
            | Change::Postures(_)
            | Change::RollBack { .. } => Kind::Rules,
            Change::Places
            | Change::Bots
            | Change::Languages
            | Change::Settings(_)
            | Change::Certificates
            | Change::Tokens(_) => Kind::Settings,
            Change::AddMeasure(_)
            | Change::ExtendMeasure { .. }
            | Change::RemoveMeasure(_)
            | Change::UndoMeasure { .. } => Kind::Measure,
            Change::AddBan { .. } | Change::RemoveBan(_) => Kind::Ban,
            Change::GiveCodes { .. } => Kind::Pass,
            Change::Incident(_) | Change::Reword(_) => Kind::Incident,
            Change::Purge { .. } | Change::Refresh { .. } => Kind::Cache,
            // Of what ends only pins are told as a change; measures say so themselves.
            Change::Pin(_) | Change::Release(_) | Change::Climb { .. } | Change::Expire => Kind::Posture,
        }
    }

    /// When it ends by itself.
    pub(super) fn until(&self) -> Option<u64> {
        match self {
            Change::AddMeasure(measure) => Some(measure.until),
            Change::ExtendMeasure { until, .. } => Some(*until),
            Change::AddBan { ban, .. } => Some(ban.until),
            Change::Pin(pin) => Some(pin.until).filter(|until| *until < u64::MAX),
            Change::GiveCodes { ends, .. } => Some(*ends),
            _ => None,
        }
    }

    /// What was proposed, word by word, where it has words.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Change::RulesFile(text)
            | Change::Rules { text, .. }
            | Change::Postures(text)
            | Change::Settings(text)
            | Change::Tokens(text) => Some(text.clone()),
            Change::AddMeasure(measure) => Some(measure.text.clone()),
            Change::Incident(telling) => Some(telling.text()),
            Change::Reword(rewording) => serde_json::to_string(rewording.wording.as_ref()?).ok(),
            _ => None,
        }
    }
}

fn forced(force: &Force) -> String {
    force.as_ref().map_or(String::new(), |reason| format!(", forced for: {reason}"))
}

fn of(portal: Option<&str>) -> String {
    portal.map_or(String::new(), |p| format!(" of {p}"))
}

/// A change in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub generation: u64,
    /// Whether anything differs from before.
    pub changed: bool,
    /// The incident that was told of.
    pub incident: Option<u64>,
    pub warnings: Vec<Fault>,
    /// What the journal says besides.
    pub about: Option<Value>,
}

/// A change that was not taken; everything is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    Faults(Vec<Fault>),
    /// Made from an older generation than the one in force.
    Stale {
        generation: u64,
    },
    /// The file cannot be written.
    ReadOnly(String),
    /// Another process has taken over, or is about to: it knows nothing of this change.
    Leaving,
    /// It would harm those whom it should not, in words; it can be forced.
    Harmful(String),
    /// What is named is not there, in words.
    Unknown(String),
    /// It cannot be done as things stand, in words.
    NotNow(String),
}
