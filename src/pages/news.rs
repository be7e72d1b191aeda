//! What there is to tell of a portal, and what it means for each of its services.
//!
//! Does not know: languages, layout.

use std::sync::Arc;

use crate::incident::{Impact, Incident, State};
use crate::portal::{Portal, Service};
use crate::uptime::Day;

/// What is to be told of one portal; pages are made anew where it differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Newest first: under way, planned, and ended of late.
    pub incidents: Vec<Shown>,
    pub mood: Option<Mood>,
    /// How citizens were served, the oldest day first. Only the sheets tell of it.
    pub days: Arc<[Day]>,
}

/// An incident, and what the time makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub incident: Arc<Incident>,
    pub current: bool,
    /// The promised update has not come.
    pub late: bool,
}

/// What boma itself has to say while nobody has written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mood {
    pub what: Restraint,
    /// Seconds since the Unix epoch.
    pub since: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restraint {
    Slow,
    /// The origin fails, whatever the posture.
    Failing,
    /// It failed, and comes back in steps.
    Returning,
    /// Copies and statements only.
    Copies,
    Closed,
}

/// How a service is, in Statuspage's words; from well to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Up {
    Operational,
    Degraded,
    Partial,
    Planned,
    Major,
}

impl Up {
    pub fn as_str(self) -> &'static str {
        match self {
            Up::Operational => "operational",
            Up::Degraded => "degraded_performance",
            Up::Partial => "partial_outage",
            Up::Planned => "under_maintenance",
            Up::Major => "major_outage",
        }
    }

    /// Statuspage's word for a page as a whole.
    pub fn indicator(self) -> &'static str {
        match self {
            Up::Operational => "none",
            Up::Degraded => "minor",
            Up::Partial | Up::Planned => "major",
            Up::Major => "critical",
        }
    }
}

impl News {
    pub fn current(&self) -> impl Iterator<Item = &Shown> {
        self.incidents.iter().filter(|s| s.current)
    }

    /// The one that every page names: the gravest, of equals the newest.
    pub fn lead(&self) -> Option<&Shown> {
        self.current().reduce(|worst, s| {
            let impact = |s: &Shown| s.incident.present().impact.unwrap_or_default();
            if impact(s) > impact(worst) { s } else { worst }
        })
    }

    /// Boma's own line stands only until somebody has written.
    pub fn mood(&self) -> Option<Mood> {
        self.mood.filter(|_| self.current().next().is_none())
    }

    pub fn is_closed(&self) -> bool {
        self.mood.is_some_and(|mood| mood.what == Restraint::Closed)
    }

    /// How a service is; `None`: the portal as a whole, where it names no services.
    pub fn up(&self, service: Option<&Service>) -> Up {
        let incidents = self.current().filter(|s| service.is_none_or(|service| affects(&s.incident, service)));
        let by_incident = incidents.map(|s| {
            let present = s.incident.present();
            match present.impact.unwrap_or_default() {
                Impact::None => Up::Operational,
                _ if present.state == Some(State::Scheduled) => Up::Planned,
                Impact::Minor => Up::Degraded,
                Impact::Major => Up::Partial,
                Impact::Critical => Up::Major,
            }
        });
        let by_mood = self.mood.map(|m| match m.what {
            Restraint::Slow | Restraint::Returning => Up::Degraded,
            Restraint::Failing | Restraint::Copies => Up::Partial,
            Restraint::Closed => Up::Major,
        });
        by_incident.chain(by_mood).max().unwrap_or(Up::Operational)
    }

    pub fn worst(&self, portal: &Portal) -> Up {
        portal.services.iter().map(|s| self.up(Some(s))).max().unwrap_or_else(|| self.up(None))
    }
}

/// Whether an incident names this service, or a path of it, or nothing at all.
pub fn affects(incident: &Incident, service: &Service) -> bool {
    let affected = incident.present().affects.unwrap_or_default();
    affected.is_empty() || affected.iter().any(|a| is(service, a))
}

/// Whether a service is meant by a name of it or by a path.
pub fn is(service: &Service, named: &str) -> bool {
    if named.starts_with('/') {
        return service.paths.iter().any(|p| p == named) || service.holds(named.trim_end_matches('*'));
    }
    let names = service.name.iter().map(|(_, name)| name).chain(&service.known_as);
    names.into_iter().any(|name| name.to_lowercase() == named.to_lowercase())
}
