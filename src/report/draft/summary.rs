//! One paragraph for who reads no further. Every figure in it stands below as well, with its source.
//!
//! Does not know: the journal, totals.

use super::super::{Moments, Peak, Rush};
use super::answers::End;
use super::{Pen, number, span, times};

impl Pen<'_> {
    pub fn summary(&self) -> String {
        let (report, moments) = (self.report, &self.report.moments);
        let Some(at) = moments.detected else {
            let (from, to) = (self.local(report.from), self.local(report.to));
            let calm = format!("Between {from} and {to} the protection of {} was not raised.", self.portals());
            return [vec![calm], self.came(), vec![self.citizens_in_short()], self.told_in_short()].concat().join(" ");
        };
        let raised = format!(
            "On {} protection of {} was raised by {}{}; {}.",
            self.local(at),
            self.portals(),
            self.raiser(),
            self.why(at).map_or(String::new(), |why| format!(" ({why})")),
            self.stood()
        );
        let says = [vec![raised], self.came(), vec![self.citizens_in_short()], self.told_in_short()].concat();
        [says, self.not_fitting().into_iter().collect()].concat().join(" ")
    }

    /// For how long it stood raised.
    fn stood(&self) -> String {
        let (report, moments) = (self.report, &self.report.moments);
        let since = |to| Moments::between(moments.detected, Some(to)).map_or("no time".into(), span);
        match self.end() {
            End::Back(at) => format!("it stood raised for {}, until {}", since(at), self.clock(at)),
            End::JustBack => format!("it was back to normal when this was drawn up, {} later", since(report.made)),
            End::Raised(levels) => {
                format!("it was raised ({levels}) when this was drawn up, {} later", since(report.made))
            }
            End::Unknown => {
                format!("when it came down is not known: the span ended {} later", since(report.to))
            }
        }
    }

    /// How much came, and for how long much came.
    fn came(&self) -> Vec<String> {
        let traffic = &self.report.traffic;
        let Some(Peak { at, requests, .. }) = traffic.peak else { return Vec::new() };
        let mut says = vec![format!(
            "{} requests came in the span of this report, {} of them in its busiest minute, that from {}.",
            number(traffic.requests),
            number(requests),
            self.clock(at)
        )];
        if let Some(Rush { from, to, minutes, requests, over, .. }) = traffic.rush {
            let over = if over { "" } else { " or longer" };
            let (from, to) = (self.clock(from), self.clock(to));
            let (minutes, requests) = (times(minutes, "minute"), number(requests));
            says.push(format!(
                "Far more than usual came in {minutes}{over}, from {from} to {to}: {requests} requests."
            ));
        }
        says
    }

    fn citizens_in_short(&self) -> String {
        if let Some(hard) = self.hard() {
            return format!("{hard} People are not counted.");
        }
        let citizens = &self.report.citizens;
        let Some(told) = citizens.fared.in_short() else {
            return "No request is known to have been a citizen's.".into();
        };
        let requests = number(citizens.fared.served.requests());
        format!("Of {requests} requests that count as citizens' {told} (people are not counted).")
    }

    fn told_in_short(&self) -> Vec<String> {
        let moments = &self.report.moments;
        let Some(at) = moments.first_statement else {
            return vec!["Staff published no statement.".into()];
        };
        vec![format!("The public was told first at {}{}.", self.clock(at), self.after_detection(at))]
    }

    fn not_fitting(&self) -> Option<String> {
        let remarks = &self.report.remarks;
        match remarks.len() as u64 {
            0 => None,
            1 => Some("One thing does not fit together, and stands below.".into()),
            n => Some(format!("{} things do not fit together, and stand below.", number(n))),
        }
    }
}
