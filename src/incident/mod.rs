//! Incidents: what staff tell citizens of one thing that goes wrong or is planned, in numbered updates. Plain data and pure
//! verbs; who calls hands the time in.
//!
//! Of each matter the update that spoke of it last holds ([`Incident::present`]). So nothing is edited: what was said before
//! stays in its update, and a correction keeps the wording that it replaces.
//!
//! Does not know: who keeps incidents, what pages look like.

mod draft;
mod said;
pub mod sms;
mod wording;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use draft::{Draft, RESOLVED, Spoken, TEMPLATES, template};
pub use wording::{Kept, Wording, Wordings, differences};

use crate::bounds;

/// Texts per language tag.
pub type Texts = BTreeMap<String, String>;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Scheduled,
    Investigating,
    Identified,
    Monitoring,
    Resolved,
    /// What was learned, once it is over.
    Postmortem,
}

impl State {
    pub const NAMES: [&str; 6] = ["scheduled", "investigating", "identified", "monitoring", "resolved", "postmortem"];

    pub fn as_str(self) -> &'static str {
        State::NAMES[self as usize]
    }
}

/// How much of a service it takes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    None,
    /// Slower.
    #[default]
    Minor,
    /// In part.
    Major,
    /// All of it.
    Critical,
}

impl Impact {
    pub const NAMES: [&str; 4] = ["none", "minor", "major", "critical"];

    pub fn as_str(self) -> &'static str {
        Impact::NAMES[self as usize]
    }
}

/// What one update says. What it leaves out stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub title: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub text: Texts,
    /// Services by a name of theirs, or paths as routes are written; empty: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affects: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub works: Texts,
    /// What to do instead, by service.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub instead: BTreeMap<String, Texts>,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub deadlines: Texts,
    /// Is my data safe?
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub data: Texts,
    /// What of my payment?
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub payments: Texts,
    /// What of the form that I was filling in?
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub form: Texts,
    /// By when the next update is promised, in seconds since the Unix epoch, as all times here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<u64>,
    /// When it is expected to be over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<u64>,
}

/// Who says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The member of staff, whom citizens are not shown.
    pub by: String,
    /// The office in whose name it is said; `None`: the portal's.
    pub office: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// From 1 on.
    pub n: u32,
    pub at: u64,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    pub said: Said,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<Correction>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    pub at: u64,
    pub by: String,
    /// What the update said until then.
    pub before: Said,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub at: u64,
    pub by: String,
    pub reason: Texts,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: u64,
    /// One portal, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<String>,
    /// Oldest first; at least one.
    pub updates: Vec<Update>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawn>,
}

impl Incident {
    /// # Errors
    /// What is missing or too long, and what to write.
    pub fn open(id: u64, portal: Option<String>, said: Said, author: Author, now: u64) -> Result<Incident, String> {
        let mut said = said.checked()?;
        if said.title.is_empty() {
            return Err("there is no title: write one in the portal's language, such as --title en=\"Payments are slow\", or name a --template".into());
        }
        if said.text.is_empty() {
            return Err(
                "there is no text: write such as --text en=\"We are looking into it.\", or name a --template".into()
            );
        }
        let state = *said.state.get_or_insert(State::Investigating);
        if state >= State::Resolved {
            return Err("what is opened is not resolved yet: leave the state out".into());
        }
        if state == State::Scheduled && said.starts.is_none() {
            return Err("what is planned has a beginning: write --starts 2026-12-01T22:00, and --ends".into());
        }
        let incident = Incident { id, portal, updates: Vec::new(), withdrawn: None };
        incident.with(said, author, now)
    }

    /// The same with an update more.
    ///
    /// # Errors
    /// What does not fit, and what to write.
    pub fn update(&self, said: Said, author: Author, now: u64) -> Result<Incident, String> {
        self.not_withdrawn()?;
        let said = said.checked()?;
        if said.text.is_empty() {
            return Err("there is no text: write such as --text en=\"We know the cause.\"".into());
        }
        if said.state == Some(State::Postmortem) && self.ended().is_none() {
            return Err(format!(
                "it is not over: write its postmortem once it is resolved (boma incident resolve {})",
                self.id
            ));
        }
        if self.state() >= State::Resolved && said.state.is_none() {
            return Err("it is resolved: to open it again name its state, such as --state monitoring".into());
        }
        if self.updates.len() >= bounds::INCIDENT_UPDATES {
            return Err(format!("it has {} updates: resolve it and open another", self.updates.len()));
        }
        self.with(said, author, now)
    }

    fn with(&self, said: Said, author: Author, now: u64) -> Result<Incident, String> {
        let mut next = self.clone();
        let n = next.updates.len() as u32 + 1;
        let Author { by, office } = author;
        let office = office.map(|o| said::clean(&o, "the office", bounds::INCIDENT_OFFICE_CHARS)).transpose()?;
        // A clock that was set back must not turn the order round.
        let at = now.max(self.updates.last().map_or(0, |u| u.at));
        next.updates.push(Update { n, at, by, office, said, corrections: Vec::new() });
        let present = next.present();
        if present.instead.len() > bounds::INCIDENT_INSTEAD {
            return Err(format!(
                "it says of {} services what to do instead: write {} at most",
                present.instead.len(),
                bounds::INCIDENT_INSTEAD
            ));
        }
        if let (Some(starts), Some(ends)) = (present.starts, present.ends)
            && ends <= starts
        {
            return Err("it ends before it begins: write --ends later than --starts".into());
        }
        Ok(next)
    }

    /// The same with one update put right; what it said stays beside it.
    ///
    /// # Errors
    /// What does not fit, and what to write.
    pub fn correct(&self, n: u32, said: Said, by: String, now: u64) -> Result<Incident, String> {
        self.not_withdrawn()?;
        let said = said.checked_for(self.updates.iter().find(|u| u.n == n).and_then(|u| u.said.state))?;
        if said.state.is_some() || said.next.is_some() {
            return Err("a correction mends words: write a state and a next update as an update of their own".into());
        }
        let mut next = self.clone();
        let most = next.updates.len();
        let Some(update) = next.updates.iter_mut().find(|u| u.n == n) else {
            return Err(format!("there is no update {n}: it has 1 to {most}"));
        };
        let mended = update.said.clone().with(&said);
        if mended == update.said {
            return Err(format!("update {n} says that already: write what it should say, such as --text en=…"));
        }
        if update.corrections.len() >= bounds::INCIDENT_CORRECTIONS {
            return Err(format!("update {n} was corrected {} times: write another update", update.corrections.len()));
        }
        let before = std::mem::replace(&mut update.said, mended);
        update.corrections.push(Correction { at: now, by, before });
        Ok(next)
    }

    /// The same, taken back with a reason that stays to be read.
    ///
    /// # Errors
    /// What does not fit, and what to write.
    pub fn withdraw(&self, reason: Texts, by: String, now: u64) -> Result<Incident, String> {
        self.not_withdrawn()?;
        let reason = said::texts(reason, "the reason", bounds::INCIDENT_TEXT_CHARS)?;
        if reason.is_empty() {
            return Err(
                "there is no reason: citizens are told why, write such as --text en=\"This was not so.\"".into()
            );
        }
        Ok(Incident { withdrawn: Some(Withdrawn { at: now, by, reason }), ..self.clone() })
    }

    fn not_withdrawn(&self) -> Result<(), String> {
        match self.withdrawn {
            Some(_) => Err(format!("incident {} was withdrawn, and stays so: open another", self.id)),
            None => Ok(()),
        }
    }

    /// What holds now: of each matter what was said of it last.
    pub fn present(&self) -> Said {
        let mut present = self.updates.iter().fold(Said::default(), |all, u| all.with(&u.said));
        // A promise is kept by the update that follows.
        present.next = self.updates.last().and_then(|u| u.said.next);
        present
    }

    pub fn state(&self) -> State {
        self.updates.iter().rev().find_map(|u| u.said.state).unwrap_or(State::Investigating)
    }

    pub fn opened(&self) -> u64 {
        self.updates.first().map_or(0, |u| u.at)
    }

    /// When it was resolved or withdrawn.
    pub fn ended(&self) -> Option<u64> {
        let resolved = || {
            let said = self.updates.iter().rev().find(|u| u.said.state == Some(State::Resolved));
            said.filter(|_| self.state() >= State::Resolved).map(|u| u.at)
        };
        self.withdrawn.as_ref().map(|w| w.at).or_else(resolved)
    }

    /// What was learned, where that was written.
    pub fn postmortem(&self) -> Option<&Update> {
        let last = self.updates.iter().rev().find(|u| u.said.state == Some(State::Postmortem));
        last.filter(|_| self.state() == State::Postmortem && self.withdrawn.is_none())
    }

    /// When anything of it last changed.
    pub fn changed(&self) -> u64 {
        let updates = self.updates.iter().flat_map(|u| u.corrections.iter().map(|c| c.at).chain([u.at]));
        updates.chain(self.withdrawn.as_ref().map(|w| w.at)).max().unwrap_or(0)
    }

    /// By when an update is promised, where one is.
    pub fn next(&self) -> Option<u64> {
        if self.ended().is_some() { None } else { self.updates.last()?.said.next }
    }

    /// Whether the promised update has not come.
    pub fn is_late(&self, now: u64) -> bool {
        self.next().is_some_and(|next| next < now)
    }

    /// Whether it is under way: what is planned is not before it begins.
    pub fn is_current(&self, now: u64) -> bool {
        self.ended().is_none() && (self.state() != State::Scheduled || self.present().starts.is_none_or(|s| s <= now))
    }

    pub fn concerns(&self, portal: &str) -> bool {
        self.portal.as_deref().is_none_or(|p| p == portal)
    }
}

#[cfg(test)]
mod tests;
