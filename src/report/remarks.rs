//! What of the record does not fit together: an end that was told before it was one, a promise that was not kept.
//!
//! Does not know: where the record is kept.

use super::draft::{Pen, span};
use super::{At, HURT, Portal, Report, Statement};

impl Pen<'_> {
    pub fn remarks(&self) -> Vec<String> {
        let moments = &self.report.moments;
        let mut all: Vec<String> = Vec::new();
        if let Some(closed) = moments.closed.filter(|at| *at <= self.report.to) {
            all.extend(self.report.portals.iter().filter_map(|portal| self.closed_while_raised(closed, portal)));
            all.extend(self.closed_while_hurt(closed));
            all.extend(self.left_over(closed));
        }
        if let (Some(recovered), None, Some(_)) = (moments.recovered, moments.closed, moments.first_statement) {
            all.push(format!(
                "The posture was back to normal at {}, but in this span the public was not told that it is over: an incident was not closed.",
                self.exact(recovered)
            ));
        }
        if let (Some(hurt), Some(recovered)) = (moments.hurt_until, moments.recovered)
            && hurt > recovered
        {
            all.push(format!(
                "The posture was back to normal at {}, but citizens were turned away after that: the last minute in which {HURT} % or more of their requests were refused, failed or told to come again ended at {}.",
                self.exact(recovered),
                self.exact(hurt)
            ));
        }
        all.extend(self.raised_again());
        all.extend(self.report.statements.iter().filter_map(|statement| self.broken_promise(statement)));
        all
    }

    /// The posture by which minutes went that began after the end, or by which the portal stood when nothing later is counted.
    fn closed_while_raised(&self, closed: At, portal: &Portal) -> Option<String> {
        let report = self.report;
        let after = report.postures.iter().filter(|s| s.portal == portal.name && s.to.0 >= closed.0 + 60);
        let says = |level: &str, until: String| {
            format!(
                "The incident was closed at {}, while the posture of {} was {level}: {until}.",
                self.exact(closed),
                portal.title
            )
        };
        let last = after.clone().map(|s| s.to).max();
        if let (Some(first), Some(last)) = (after.min_by_key(|s| s.from), last) {
            let until = match report.moments.recovered {
                Some(_) => format!("it was raised until {}", self.exact(last)),
                None => "it was not back to normal when the span ended".into(),
            };
            return Some(says(&first.level, until));
        }
        let uncounted = report.traffic.ended.is_none_or(|ended| ended.0 < closed.0 + 60);
        (portal.is_raised() && uncounted && report.is_fresh())
            .then(|| says(&portal.posture, "it was not back to normal when this was drawn up".into()))
    }

    fn closed_while_hurt(&self, closed: At) -> Option<String> {
        let moments = &self.report.moments;
        // A whole minute between, and the closing was no haste.
        let hurt = moments.hurt_until.filter(|hurt| hurt.0 + 60 > closed.0)?;
        let over = if hurt > closed { "" } else { ", and no whole minute of calm lay between" };
        Some(format!(
            "The incident was closed at {}, but until {} minutes came in which {HURT} % or more of citizens' requests were refused, failed or told to come again{over}.",
            self.exact(closed),
            self.exact(hurt)
        ))
    }

    /// Measures that stayed in force.
    fn left_over(&self, closed: At) -> Option<String> {
        let stays = |m: &&super::Measure| {
            m.laid < closed && m.ended.is_none_or(|at| at > closed) && m.until.is_none_or(|at| at > closed)
        };
        let names: Vec<&str> = self.report.measures.iter().filter(stays).map(|m| m.name.as_str()).collect();
        (!names.is_empty()).then(|| {
            format!(
                "The incident was closed at {}, while this was still in force: {}.",
                self.exact(closed),
                names.join(", ")
            )
        })
    }

    fn raised_again(&self) -> Option<String> {
        let report = self.report;
        let recovered = report.moments.recovered.filter(|_| report.is_fresh())?;
        let risen = report.portals.iter().find(|p| p.is_raised())?;
        Some(format!(
            "The posture was back to normal at {}, but that of {} was {} again when this was drawn up.",
            self.exact(recovered),
            risen.title,
            risen.posture
        ))
    }

    fn broken_promise(&self, statement: &Statement) -> Option<String> {
        let due = statement.next?;
        let what = format!("incident {}, update {}", statement.incident, statement.update);
        let told = self.exact(due);
        match statement.followed {
            Some(came) if came > due => {
                let late = span(came.0 - due.0);
                Some(format!(
                    "A next update was promised by {told} ({what}); it came {late} late, at {}.",
                    self.exact(came)
                ))
            }
            None if due < self.report.made => {
                Some(format!("A next update was promised by {told} ({what}); none came."))
            }
            _ => None,
        }
    }
}

impl Report {
    /// Where portals stand now says something of the end of the span.
    pub(super) fn is_fresh(&self) -> bool {
        self.made.0 <= self.to.0 + 120
    }

    /// All portals stood as on a quiet day when this was made, which was soon after the span.
    pub(super) fn ends_quietly(&self) -> bool {
        self.is_fresh() && !self.portals.iter().any(Portal::is_raised)
    }
}

impl Pen<'_> {
    /// What became of the promise of a next update, for the table of statements.
    pub(super) fn promise(&self, statement: &Statement) -> String {
        let Some(due) = statement.next else {
            let over = matches!(statement.state.as_str(), "resolved" | "postmortem");
            return if over { "none was due" } else { "none was promised" }.into();
        };
        let by = format!("by {}", self.clock(due));
        match statement.followed {
            Some(came) if came <= due => format!("{by}; came at {}", self.clock(came)),
            Some(came) => format!("{by}; came late, at {}", self.clock(came)),
            None if due < self.report.made => format!("{by}; none came"),
            None => format!("{by}; it was not due yet when this was drawn up"),
        }
    }
}
