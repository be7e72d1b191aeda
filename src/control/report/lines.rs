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
use crate::report::{Actor, At, Event, FORCED, Forecast, Measure, Turn};

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub timeline: Vec<Event>,
    pub left_out: usize,
    pub measures: Vec<Measure>,
    pub turns: Vec<Turn>,
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
        if let Some(turn) = turn(line).filter(|_| applied) {
            // A pin that ends falls back to what was there before: nobody raised it.
            if self.raised.is_none() && turn.raised && !line.what.contains(EXPIRED) {
                self.raised = Some((line.at, line.who.clone()));
            }
            self.turns.push(turn);
        }
        if applied && matches!(line.kind.as_deref(), Some("measure" | "ban")) {
            self.measure(line);
        }
        let actor = if matches!(line.who.as_str(), "ladder" | "clock") { Actor::Boma } else { Actor::People };
        // Texts of incidents hold the portal's title as a word of its own.
        let title = portals.first().map_or("", |p| &p.title);
        let until = line.until.map_or(String::new(), |u| format!(", until {}", At(u).timestamp()));
        let what = match line.what.split_once(" for: ") {
            Some((name, reason)) if matches!(line.kind.as_deref(), Some("measure" | "ban")) => {
                format!("{name} laid for: {reason}")
            }
            _ => line.what.replace("{portal}", title),
        };
        self.timeline.push(Event {
            at: At(line.at),
            actor,
            who: line.who.clone(),
            what: format!("{what}{until}"),
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

const EXPIRED: &str = " has expired; now ";

/// "posture attack of huduma: …", and its like.
fn turn(line: &Line) -> Option<Turn> {
    let rest = line.what.strip_prefix("posture ")?;
    let (set, why) = match rest.split_once(EXPIRED) {
        Some((pinned, then)) => {
            let then = then.split('.').next().unwrap_or(then);
            let of = pinned.split_once(' ').map_or(String::new(), |(_, of)| format!(" {of}"));
            (format!("{then}{of}"), format!("{} was set until then", pinned.split(' ').next().unwrap_or(pinned)))
        }
        None => match rest.split_once(": ") {
            Some((set, why)) => (set.strip_suffix(" for").unwrap_or(set).to_owned(), why.to_owned()),
            None => (rest.to_owned(), String::new()),
        },
    };
    let (level, of) = set.split_once(' ').map_or((set.as_str(), None), |(level, of)| (level, Some(of)));
    let named = |of: &str| of.strip_prefix("of portal ").or_else(|| of.strip_prefix("of ")).map(str::to_owned);
    Some(Turn {
        at: At(line.at),
        level: level.to_owned(),
        portal: of.and_then(named),
        raised: Level::named(level).is_some_and(|level| level > Level::Normal),
        who: line.who.clone(),
        why,
    })
}

/// Whether a change of posture is of this portal alone.
fn is_of(line: &Line, portal: &str) -> bool {
    turn(line).is_some_and(|turn| turn.portal.as_deref() == Some(portal))
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
        assert_eq!(found.timeline[1].what, "measure m laid for: INC-42, until 1970-01-01T00:01:40Z");
        assert_eq!(found.turns.iter().map(|t| &*t.level).collect::<Vec<_>>(), ["guarded", "auto"]);
    }

    #[test]
    fn a_change_of_posture_says_what_was_set_of_which_portal_and_why() {
        for (what, level, portal, raised, why) in [
            (
                "posture guarded of huduma: no room at the origin",
                "guarded",
                Some("huduma"),
                true,
                "no room at the origin",
            ),
            ("posture normal of huduma: calm", "normal", Some("huduma"), false, "calm"),
            ("posture attack for: INC-42: it burns", "attack", None, true, "INC-42: it burns"),
            ("posture static of tax for: INC-42", "static", Some("tax"), true, "INC-42"),
            ("posture auto", "auto", None, false, ""),
            ("posture auto of tax", "auto", Some("tax"), false, ""),
            (
                "posture closed of portal tax has expired; now static. It was pinned for: x: y",
                "static",
                Some("tax"),
                true,
                "closed was set until then",
            ),
            (
                "posture attack has expired; now auto. It was pinned for: x",
                "auto",
                None,
                false,
                "attack was set until then",
            ),
        ] {
            let turn = turn(&line(1, "posture", "x", what, None)).unwrap();
            let told = (&*turn.level, turn.portal.as_deref(), turn.raised, &*turn.why);
            assert_eq!(told, (level, portal, raised, why), "{what}");
        }
        assert_eq!(turn(&line(1, "measure", "x", "measure posture for: x", None)), None);
    }

    #[test]
    fn another_portals_posture_is_another_portals() {
        let is = |what: &str| is_of(&line(1, "posture", "x", what, None), "tax");
        assert!(is("posture attack of tax: why") && is("posture attack of tax for: INC") && is("posture auto of tax"));
        assert!(is("posture closed of portal tax has expired; now static"));
        assert!(!is("posture attack of taxes: why") && !is("posture attack for: tax") && !is("measure of tax"));
    }
}
