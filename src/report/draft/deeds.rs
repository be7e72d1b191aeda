//! What was done, each deed by its name: postures, measures, bans, changes of the rules, statements.
//!
//! Does not know: the journal, totals.

use super::super::{At, Line, Measure, Moments, Turn};
use super::{Pen, number, span, times};

/// Of each kind of deed so many are named; the others stand in the timeline.
const NAMED: usize = 6;

impl Pen<'_> {
    pub(super) fn what_was_done(&self) -> Vec<String> {
        let report = self.report;
        let mut says = Vec::new();
        says.extend(self.turned());
        let (bans, measures): (Vec<&Measure>, Vec<&Measure>) = report.measures.iter().partition(|m| m.is_ban());
        says.extend(measures.iter().take(NAMED).map(|m| self.lay(m)));
        says.extend(more(measures.len(), "measure"));
        if measures.is_empty() {
            says.push("Staff laid no measure.".into());
        }
        if !bans.is_empty() {
            says.push(format!("Staff laid {}.", times(bans.len() as u64, "ban")));
        }
        says.extend(self.ruled());
        if !measures.is_empty() && report.traffic.rush.is_some_and(|rush| rush.over) {
            says.push("Whether measures ended the rush, or whoever sent it, is not known.".into());
        }
        says.push(self.published());
        says
    }

    /// The steps of the posture in their order, by whose they were; of many the first and the last ones.
    fn turned(&self) -> Vec<String> {
        let turns = &self.report.turns;
        let left_out = turns.len().saturating_sub(2 * NAMED);
        let (first, last) =
            if left_out > 0 { (&turns[..NAMED], &turns[turns.len() - NAMED..]) } else { (&turns[..], &[][..]) };
        let mut says = self.set(first);
        says.extend((left_out > 0).then(|| format!("It was set {} more.", times(left_out as u64, "time"))));
        says.extend(self.set(last));
        says
    }

    fn set(&self, turns: &[Turn]) -> Vec<String> {
        let one = self.report.portals.len() == 1;
        let told = |t: &Turn| {
            let of = t.portal.as_ref().filter(|_| !one).map_or(String::new(), |p| format!(" (of {p})"));
            format!("{}{of} at {}", t.level, self.second(t.at))
        };
        let runs = turns.chunk_by(|a, b| itself(&a.who) == itself(&b.who));
        let run = |run: &[Turn]| {
            let steps: Vec<String> = run.iter().map(told).collect();
            capital(format!("{} set the posture to {}.", itself(&run[0].who), steps.join(", ")))
        };
        runs.map(run).collect()
    }

    /// Changes of the rules file; of what was put in the first lines.
    fn ruled(&self) -> Option<String> {
        let changes = &self.report.changes;
        let put = changes.iter().flat_map(|change| &change.lines).filter_map(|line| match line {
            Line::In(text) if !text.trim().is_empty() && !text.trim_start().starts_with('#') => Some(text.trim()),
            _ => None,
        });
        let put: Vec<&str> = put.take(NAMED).collect();
        let told = if put.is_empty() { String::new() } else { format!("; put in: {}", put.join(" · ")) };
        let changed = times(changes.len() as u64, "time");
        (!changes.is_empty()).then(|| format!("The rules file was changed {changed}{told}."))
    }

    fn lay(&self, m: &Measure) -> String {
        let did = match &m.did {
            Some(did) => format!(
                "it sent away {} requests, of them {} with a pass{}",
                number(did.sent_away),
                number(did.with_pass),
                self.until_when(m)
            ),
            None => "what it did is not counted".into(),
        };
        let end = match m.ended {
            Some(at) => format!("it ended at {}, {}", self.clock(at), m.how_ended),
            None => "its end is not within the span".into(),
        };
        let name = capital(m.name.clone());
        format!("{name} was laid at {} by {} for {}: {did}; {end}.", self.clock(m.laid), m.by, m.reason)
    }

    /// Where it went on deciding in minutes that no total has yet.
    fn until_when(&self, m: &Measure) -> String {
        match self.report.traffic.ended.filter(|at| m.ended.is_none_or(|end| end > *at)) {
            Some(at) => format!(" until {}, as far as counted", self.clock(at)),
            None => String::new(),
        }
    }

    pub(super) fn after_detection(&self, at: At) -> String {
        let after = Moments::between(self.report.moments.detected, Some(at));
        after.map_or(String::new(), |after| format!(", {} after protection was raised", span(after)))
    }

    fn published(&self) -> String {
        let (report, moments) = (self.report, &self.report.moments);
        let Some(at) = moments.first_statement else { return "Staff published no statement.".into() };
        let after = self.after_detection(at);
        let told = |s: &super::super::Statement| format!("{} at {}", s.state, self.clock(s.at));
        let told: Vec<String> = report.statements.iter().take(NAMED).map(told).collect();
        let mut says = format!("The public was told first at {}{after}", self.local(at));
        if !told.is_empty() {
            says.push_str(&format!("; statements: {}", told.join(", ")));
        }
        [Some(says + "."), more(report.statements.len(), "statement")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// As a sentence begins.
fn capital(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Whose doing it was, as people say it.
pub(super) fn itself(who: &str) -> &str {
    if matches!(who, "ladder" | "clock") { "boma itself" } else { who }
}

/// How many of them were not named.
fn more(n: usize, what: &str) -> Option<String> {
    let more = n.saturating_sub(NAMED) as u64;
    (more > 0).then(|| format!("{} more stand below.", times(more, what)))
}
