//! What staff and the files of templates write, and what an update says by it.
//!
//! Does not know: incidents that are open.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Impact, Said, State, Texts};
use crate::units;

/// The texts for the first minutes, in all languages that are shipped.
pub const TEMPLATES: [&str; 4] = ["flood", "origin-failure", "planned-work", "precautionary-shutdown"];
/// What is said at the end where nobody says anything else.
pub const RESOLVED: &str = "resolved";
const FILES: [(&str, &str); 5] = [
    (TEMPLATES[0], include_str!("../../config/incident/flood.toml")),
    (TEMPLATES[1], include_str!("../../config/incident/origin-failure.toml")),
    (TEMPLATES[2], include_str!("../../config/incident/planned-work.toml")),
    (TEMPLATES[3], include_str!("../../config/incident/precautionary-shutdown.toml")),
    (RESOLVED, include_str!("../../config/incident/resolved.toml")),
];

/// A [`Said`] with times as people write them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    pub template: Option<String>,
    pub portal: Option<String>,
    pub office: Option<String>,
    /// The number of the update that this puts right.
    pub correct: Option<u32>,
    pub state: Option<State>,
    pub impact: Option<Impact>,
    pub title: Texts,
    pub text: Texts,
    pub affects: Option<Vec<String>>,
    pub works: Texts,
    pub instead: BTreeMap<String, Texts>,
    pub deadlines: Texts,
    pub data: Texts,
    pub payments: Texts,
    pub form: Texts,
    /// "30m", or a time.
    pub next: Option<String>,
    pub starts: Option<String>,
    pub ends: Option<String>,
}

/// A template by its name.
pub fn template(name: &str) -> Option<Draft> {
    let (_, text) = FILES.iter().find(|(n, _)| *n == name)?;
    // The files are part of the build, and a test reads them all.
    toml::from_str(text).ok()
}

impl Draft {
    /// What it says, over its template where it names one.
    ///
    /// # Errors
    /// Which part cannot be read, and what to write.
    pub fn said(self, now: u64, zone: &TimeZone) -> Result<Said, String> {
        let base = match &self.template {
            None => Said::default(),
            Some(name) => {
                let known = template(name).filter(|_| TEMPLATES.contains(&name.as_str()));
                let known = known
                    .ok_or_else(|| format!("there is no template {name:?}: write one of {}", TEMPLATES.join(", ")))?;
                known.said(now, zone)?
            }
        };
        let time = |what: &str, text: Option<String>| text.map(|t| time(what, &t, now, zone)).transpose();
        let own = Said {
            state: self.state,
            impact: self.impact,
            title: self.title,
            text: self.text,
            affects: self.affects,
            works: self.works,
            instead: self.instead,
            deadlines: self.deadlines,
            data: self.data,
            payments: self.payments,
            form: self.form,
            next: time("next", self.next)?,
            starts: time("starts", self.starts)?,
            ends: time("ends", self.ends)?,
        };
        if own.next.is_some_and(|next| next <= now) {
            return Err("the next update would be due already: write such as --next 30m".into());
        }
        Ok(base.with(&own))
    }
}

/// A time from now, or one by the calendar; without an offset it is the portal's.
fn time(what: &str, text: &str, now: u64, zone: &TimeZone) -> Result<u64, String> {
    let text = text.trim();
    if let Some(from_now) = units::duration(text) {
        return Ok(now.saturating_add(from_now.as_secs()));
    }
    let local = || text.parse::<DateTime>().ok().and_then(|t| t.to_zoned(zone.clone()).ok()).map(|t| t.timestamp());
    let found = text.parse::<Timestamp>().ok().or_else(local).and_then(|t| u64::try_from(t.as_second()).ok());
    found.ok_or_else(|| {
        format!("--{what} {text:?} is no time: write such as 30m, 2026-12-01T22:00 or 2026-12-01T22:00+03:00")
    })
}
