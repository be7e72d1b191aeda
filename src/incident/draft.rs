//! What staff write, and what an update says by it; the statements that are prepared for the first minutes.
//!
//! Does not know: incidents that are open.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Impact, Said, State, Texts};
use crate::words::{Language, TEMPLATE_KEYS, Words};
use crate::{bounds, units};

/// The statements for the first minutes. What they say is in the files of languages; what they are is here.
pub const TEMPLATES: [&str; 4] = ["flood", "origin-failure", "planned-work", "precautionary-shutdown"];
/// What is said at the end where nobody says anything else.
pub const RESOLVED: &str = "resolved";

/// Whose words a prepared statement is in: of these languages.
#[derive(Clone, Copy)]
pub struct Spoken<'a> {
    pub words: &'a Words,
    pub tags: &'a [String],
}

impl Spoken<'_> {
    /// A text in each of the languages that says it; in English where none does.
    fn texts(self, template: &str, part: &str) -> Texts {
        let key = format!("{TEMPLATE_KEYS}{}_{part}", template.replace('-', "_"));
        let says = |language: &Arc<Language>| Some((language.tag.clone(), language.get(&key)?.to_owned()));
        let spoken = self.tags.iter().filter_map(|tag| says(self.words.find(tag)?));
        let texts: Texts = spoken.take(bounds::INCIDENT_LANGUAGES).collect();
        if texts.is_empty() { says(self.words.english()).into_iter().collect() } else { texts }
    }
}

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
pub fn template(name: &str, spoken: Spoken<'_>) -> Option<Draft> {
    use {Impact as I, State as S};
    let (state, impact, next) = match name {
        "flood" => (S::Investigating, Some(I::Minor), Some("30m")),
        "origin-failure" => (S::Investigating, Some(I::Critical), Some("30m")),
        // It has --starts and --ends, which the pages show.
        "planned-work" => (S::Scheduled, Some(I::Critical), None),
        "precautionary-shutdown" => (S::Identified, Some(I::Critical), Some("1h")),
        RESOLVED => (S::Resolved, None, None),
        _ => return None,
    };
    let texts = |part| spoken.texts(name, part);
    let (title, text, next) = (texts("title"), texts("text"), next.map(str::to_owned));
    Some(Draft { state: Some(state), impact, next, title, text, ..Draft::default() })
}

impl Draft {
    /// What it says, over its template where it names one, in the languages that are spoken.
    ///
    /// # Errors
    /// Which part cannot be read, and what to write.
    pub fn said(self, now: u64, zone: &TimeZone, spoken: Spoken<'_>) -> Result<Said, String> {
        let base = match &self.template {
            None => Said::default(),
            Some(name) => {
                let known = template(name, spoken).filter(|_| TEMPLATES.contains(&name.as_str()));
                let known = known
                    .ok_or_else(|| format!("there is no template {name:?}: write one of {}", TEMPLATES.join(", ")))?;
                known.said(now, zone, spoken)?
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
