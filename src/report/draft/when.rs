//! When what happened, how that is known, and how long it took.
//!
//! Does not know: the journal, totals.

use super::super::blocks::Block::{self, Heading, Table};
use super::super::{At, HURT, Moments};
use super::{Pen, span};

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
                let note =
                    format!("totals: there was such a {hurt} until {}, and no calm is known since", self.clock(until));
                row_or("not known to be", "Contained", None, note)
            }
            // Nobody can be relieved of what there was not.
            (None, None) => row_or("does not apply", "Contained", None, format!("totals: there was no {hurt}")),
        };
        let onset = match m.onset {
            Some(_) => "totals, an estimate: the first minute with more than three times the median of the hour before",
            None => {
                "totals: no minute had more than three times the median of the hour before, or there are none of that hour"
            }
        };
        let recovered = match m.recovered {
            Some(_) => "totals: the posture was back to normal",
            None => "totals: the posture was raised when the span ended, or it was too early to tell",
        };
        let closed = match m.closed {
            Some(at) if m.recovered.is_none_or(|back| back > at) => {
                "incidents: it was resolved or withdrawn; that the posture was back to normal then is not known"
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
                    row("Recovered", m.recovered, recovered.into()),
                    row("Closed", m.closed, closed.into()),
                ],
            ),
            Table(
                vec!["Measure of time", "Took"],
                vec![
                    took("Time to detect (from an estimate)", Moments::between(m.onset, m.detected)),
                    took("From there to telling the public", Moments::between(m.detected, m.first_statement)),
                    took("Time to contain", Moments::between(m.detected, m.contained)),
                    took("Time to recover", Moments::between(m.detected, m.recovered)),
                ],
            ),
        ]
    }
}
