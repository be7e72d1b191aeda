//! When what happened, how that is known, and how long it took.
//!
//! Does not know: the journal, totals.

use super::super::blocks::Block::{self, Heading, Table};
use super::super::{At, HURT, Moments};
use super::answers::End;
use super::{Pen, span};
use crate::bounds;

impl Pen<'_> {
    pub(super) fn moments(&self) -> Vec<Block> {
        let m = &self.report.moments;
        let row_or = |none: &str, what: &str, at: Option<At>, note: String| {
            let times = at.map_or([none.to_owned(), String::new()], |at| [self.utc(at), self.local(at)]);
            [vec![what.to_owned()], times.to_vec(), vec![note]].concat()
        };
        let row = |what: &str, at: Option<At>, note: String| row_or("not known", what, at, note);
        let hurt = format!(
            "minute in which {HURT} % or more of citizens' requests were refused, failed or told to come again"
        );
        let contained = match (m.hurt_until, m.contained) {
            (_, Some(_)) => row("Contained", m.contained, format!("totals: end of the last {hurt}")),
            (Some(until), None) => {
                let (until, calm) = (self.clock(until), span(bounds::REPORT_CALM.as_secs()));
                let note = format!(
                    "totals: there was such a {hurt} until {until}, and less than {calm} of calm is counted since"
                );
                row_or("not known to be", "Contained", None, note)
            }
            // Nobody can be relieved of what there was not.
            (None, None) => row_or("does not apply", "Contained", None, format!("totals: there was no {hurt}")),
        };
        let usual = self.report.traffic.rush.map(|rush| rush.usual);
        let onset = match m.onset {
            Some(_) if usual == Some(None) => {
                "totals, an estimate: the first minute of the rush; how much is usual is not known"
            }
            Some(_) => "totals, an estimate: the first minute with more than three times the median of those before",
            None => "totals: no minute had more than three times the median of those before, or there are hardly any",
        };
        let closed = match m.closed {
            Some(at) if m.recovered.is_some_and(|back| back > at) => {
                "incidents: it was resolved or withdrawn, before the posture was back to normal"
            }
            Some(_) => "incidents: it was resolved or withdrawn",
            None => "incidents: none of this span was resolved or withdrawn in it",
        };
        let detected = match m.detected {
            Some(_) => format!("journal or totals: the first rise of the posture, by {}", m.detected_by),
            None => "journal and totals: the posture did not rise".into(),
        };
        let took = |what: &str, seconds: Option<u64>| vec![what.to_owned(), seconds.map_or("not known".into(), span)];
        vec![
            Heading("When"),
            Table(
                vec!["Moment", "UTC", "Local", "How it is known"],
                vec![
                    row("Began", m.onset, onset.into()),
                    row("Detected", m.detected, detected),
                    row(
                        "First public statement",
                        m.first_statement,
                        "incidents: the first that staff published".into(),
                    ),
                    contained,
                    row("Recovered", self.back(), self.how_recovered()),
                    row("Closed", m.closed, closed.into()),
                ],
            ),
            Table(
                vec!["Measure of time", "Took"],
                vec![
                    took("Time to detect (from an estimate)", Moments::between(m.onset, m.detected)),
                    took("From there to telling the public", Moments::between(m.detected, m.first_statement)),
                    took("Time to contain", Moments::between(m.detected, m.contained)),
                    took("Time to recover", Moments::between(m.detected, self.back())),
                ],
            ),
        ]
    }
    fn how_recovered(&self) -> String {
        if self.report.moments.detected.is_none() {
            return "does not apply: the posture did not rise".into();
        }
        match self.end() {
            End::Back(at) if self.report.moments.recovered != Some(at) => {
                "journal: the posture was set to normal".into()
            }
            End::Back(_) => "totals: the posture was back to normal".into(),
            End::JustBack => {
                "the posture was back to normal when this was drawn up, for less than a counted minute".into()
            }
            End::Raised(levels) => format!("the posture was raised ({levels}) when this was drawn up"),
            End::Unknown => "totals: the posture was raised in the last minute of the span that is counted".into(),
        }
    }

    /// When it was back to normal, where that is known.
    fn back(&self) -> Option<At> {
        match self.end() {
            End::Back(at) if self.report.moments.detected.is_some() => Some(at),
            _ => None,
        }
    }
}
