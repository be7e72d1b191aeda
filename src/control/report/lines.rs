//! What the journal says of a span: who did what, and the measures that were laid.
//!
//! Does not know: totals, how a report is written.

use std::sync::Arc;

use serde::Deserialize;

use super::super::Office;
use crate::bounds;
use crate::journal::{self, Line};
use crate::plan::Level;
use crate::portal::Portal;
use crate::report::{Actor, At, Event, FORCED, Forecast, Measure};

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub timeline: Vec<Event>,
    pub left_out: usize,
    pub measures: Vec<Measure>,
    /// When the posture first rose, and by whom.
    pub raised: Option<(u64, String)>,
}

impl Office {
    pub(super) fn lines(&self, span: (u64, u64), portals: &[Arc<Portal>]) -> Found {
        let path = journal::file_in(&self.state_dir);
        let (lines, left_out) = journal::read(&path, span, bounds::REPORT_LINES).unwrap_or_default();
        let town = self.house.town.load();
        let others: Vec<&str> = town
            .portals
            .list
            .iter()
            .map(|p| p.name.as_str())
            .filter(|name| !portals.iter().any(|p| p.name == *name))
            .collect();
        let mut found = Found { left_out, ..Found::default() };
        for line in lines.iter().filter(|l| !others.iter().any(|other| is_of(l, other))) {
            found.add(line, portals);
        }
        found
    }
}

impl Found {
    fn add(&mut self, line: &Line, portals: &[Arc<Portal>]) {
        let applied = line.outcome.starts_with("applied");
        if self.raised.is_none() && applied && raises(line) {
            self.raised = Some((line.at, line.who.clone()));
        }
        if applied && matches!(line.kind.as_deref(), Some("measure" | "ban")) {
            self.measure(line);
        }
        let actor = if matches!(line.who.as_str(), "ladder" | "clock") { Actor::Boma } else { Actor::People };
        // Texts of incidents hold the portal's title as a word of its own.
        let title = portals.first().map_or("", |p| &p.title);
        let until = line.until.map_or(String::new(), |u| format!(", until {}", At(u).timestamp()));
        self.timeline.push(Event {
            at: At(line.at),
            actor,
            who: line.who.clone(),
            what: format!("{}{until}", line.what.replace("{portal}", title)),
            outcome: line.outcome.clone(),
            line: Some(line.n),
        });
    }

    fn measure(&mut self, line: &Line) {
        let mut end = |name: &str, how: &str| {
            if let Some(open) = self.measures.iter_mut().rev().find(|m| m.name == name && m.ended.is_none()) {
                (open.ended, open.how_ended) = (Some(At(line.at)), format!("{how} by {}", line.who));
            }
        };
        let what = line.what.as_str();
        if let Some(name) = what.strip_suffix(" taken out") {
            end(name, "taken out");
        } else if let Some((name, _)) = what.strip_prefix("end of ").and_then(|w| w.split_once(", laid for: ")) {
            end(name, "by itself,");
        } else if let Some((name, why)) = what.split_once(" taken back: ") {
            end(name, &format!("taken back because {why},"));
        } else if let Some(name) = what.strip_prefix("a later end of ") {
            if let Some(open) = self.measures.iter_mut().rev().find(|m| m.name == name) {
                open.until = line.until.map(At);
            }
        } else if let Some((name, reason)) = what.split_once(" for: ") {
            let (laid, until) = (At(line.at), line.until.map(At));
            let (name, forced) = name.strip_suffix(", forced,").map_or((name, ""), |name| (name, FORCED));
            let said = |key: &str| line.about.as_ref()?.get(key);
            let text = |key: &str| said(key)?.as_str().map(str::to_owned);
            self.measures.push(Measure {
                name: name.to_owned(),
                rule: text("rule"),
                owner: text("owner"),
                forecast: said("forecast").and_then(|f| Forecast::deserialize(f).ok()),
                reason: format!("{reason}{forced}"),
                by: line.who.clone(),
                laid,
                until,
                ..Measure::default()
            });
        }
    }
}

/// "posture attack of huduma: …", and its like.
fn raises(line: &Line) -> bool {
    let level = line.what.strip_prefix("posture ").and_then(|rest| rest.split([' ', ':']).next());
    let ended = line.what.contains(" has expired; now ");
    !ended && level.and_then(Level::named).is_some_and(|level| level > Level::Normal)
}

/// Whether a change of posture is of this portal alone.
fn is_of(line: &Line, portal: &str) -> bool {
    let posture = line.what.strip_prefix("posture ").and_then(|rest| rest.split_once(' '));
    let Some((_, rest)) = posture else { return false };
    let named = rest.strip_prefix("of portal ").or_else(|| rest.strip_prefix("of "));
    named.and_then(|n| n.strip_prefix(portal)).is_some_and(|after| after.is_empty() || after.starts_with([':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, kind: &str, who: &str, what: &str, until: Option<u64>) -> Line {
        Line {
            n: at,
            at,
            who: who.into(),
            what: what.into(),
            outcome: "applied, generation 1".into(),
            kind: Some(kind.into()),
            until,
            text: None,
            about: None,
            prev: String::new(),
            hash: String::new(),
        }
    }

    #[test]
    fn lines_tell_who_raised_what_and_what_became_of_measures() {
        let mut found = Found::default();
        for one in [
            line(1, "posture", "ladder", "posture guarded of huduma: requests", None),
            line(2, "measure", "staff soc (analyst)", "measure m for: INC-42", Some(100)),
            line(3, "measure", "staff soc (analyst)", "measure n, forced, for: INC-43", Some(100)),
            line(4, "measure", "staff lead (lead)", "a later end of measure m", Some(200)),
            line(5, "ban", "staff soc (analyst)", "ban of 192.0.2.0/24 for: INC-42", Some(60)),
            line(6, "measure", "clock", "measure n taken back: it hit 30 settled citizens", None),
            line(7, "ban", "staff soc (analyst)", "ban of 192.0.2.0/24 taken out", None),
            line(8, "measure", "clock", "end of measure m, laid for: INC-42", None),
            line(9, "posture", "clock", "posture attack has expired; now auto. It was pinned for: x", None),
        ] {
            found.add(&one, &[]);
        }
        assert_eq!(found.raised, Some((1, "ladder".into())));
        let told: Vec<String> = found
            .measures
            .iter()
            .map(|m| {
                format!("{} {} {:?} {:?} {}", m.name, m.reason, m.until.map(|a| a.0), m.ended.map(|a| a.0), m.how_ended)
            })
            .collect();
        assert_eq!(
            told,
            [
                "measure m INC-42 Some(200) Some(8) by itself, by clock",
                "measure n INC-43 (forced) Some(100) Some(6) taken back because it hit 30 settled citizens, by clock",
                "ban of 192.0.2.0/24 INC-42 Some(60) Some(7) taken out by staff soc (analyst)",
            ]
        );
        assert_eq!(found.timeline.iter().filter(|e| e.actor == Actor::Boma).count(), 4);
        assert!(
            !raises(&line(1, "posture", "x", "posture auto", None))
                && !raises(&line(1, "posture", "x", "posture normal of a: x", None))
        );
    }

    #[test]
    fn another_portals_posture_is_another_portals() {
        let is = |what: &str| is_of(&line(1, "posture", "x", what, None), "tax");
        assert!(is("posture attack of tax: why") && is("posture attack of tax for: INC") && is("posture auto of tax"));
        assert!(is("posture closed of portal tax has expired; now static"));
        assert!(!is("posture attack of taxes: why") && !is("posture attack for: tax") && !is("measure of tax"));
    }
}
