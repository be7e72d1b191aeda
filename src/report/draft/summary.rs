//! The first paragraph: when, how long, how much, who was hurt, what was done, how it stands. Every figure in it stands below as
//! well, with its source.
//!
//! Does not know: the journal, totals.

use super::super::{Actor, Moments, Peak, Rush};
use super::{Pen, number, span, whom};

impl Pen<'_> {
    pub fn summary(&self) -> String {
        let mut says = vec![self.when()];
        says.extend(self.how_long());
        says.extend(self.how_much());
        says.extend(self.became());
        says.push(self.hurt());
        says.extend(self.worst_in_short());
        says.extend(self.refused_with_pass());
        says.push(self.what_was_done());
        says.extend(self.how_it_stands());
        says.join(" ")
    }

    fn when(&self) -> String {
        let (report, moments) = (self.report, &self.report.moments);
        let Some(at) = moments.detected else {
            let (from, to) = (self.local(report.from), self.local(report.to));
            return format!("Between {from} and {to} the protection of {} was not raised.", self.portals());
        };
        let stood = match (Moments::between(Some(at), moments.recovered), Moments::between(Some(at), Some(report.to))) {
            (Some(long), _) => format!("it stood raised for {}", span(long)),
            (None, so_far) => format!(
                "it was raised still, or again, when the span of this report ended {} later, at {}",
                so_far.map_or("no time".into(), span),
                self.clock(report.to)
            ),
        };
        let by = whom(&moments.detected_by);
        format!("On {} protection of {} was raised by {by}; {stood}.", self.local(at), self.portals())
    }

    fn how_long(&self) -> Option<String> {
        self.report.moments.detected?;
        let Some(rush) = self.report.traffic.rush else {
            return Some("No minute had more than three times as many requests as usual.".into());
        };
        let Rush { from, to, minutes, over, .. } = rush;
        let long = (to.0 - from.0) / 60;
        let within = if minutes < long { format!(" (in {minutes} of them)") } else { String::new() };
        let unit = if long == 1 { "minute" } else { "minutes" };
        let end = match over {
            true => String::new(),
            false => ", or longer: no calm followed before the span ended".into(),
        };
        Some(format!(
            "The rush of requests lasted {long} {unit}{within}, from {} to {}{end}.",
            self.clock(from),
            self.clock(to)
        ))
    }

    /// By what minutes were told as the rush.
    pub(super) fn rush_by(&self) -> String {
        match self.report.traffic.rush {
            None => String::new(),
            Some(Rush { above, usual: Some(usual), minutes, .. }) => format!(
                "The rush is the {} with more than {} requests, three times the median of the hour before ({}).",
                if minutes == 1 { "one minute".into() } else { format!("{minutes} minutes") },
                number(above),
                number(usual)
            ),
            Some(Rush { above, usual: None, minutes, .. }) => format!(
                "How much is usual is not known, because no hour before is counted: the rush is the {} with more than {} requests, a quarter of the peak.",
                if minutes == 1 { "one minute".into() } else { format!("{minutes} minutes") },
                number(above)
            ),
        }
    }

    fn how_much(&self) -> Option<String> {
        let traffic = &self.report.traffic;
        let Peak { at, requests, .. } = traffic.peak?;
        let mut says = format!(
            "{} requests came to the portal, up to {} a second (on average of the peak minute, from {}).",
            number(traffic.requests),
            number((requests + 30) / 60),
            self.clock(at)
        );
        if traffic.own > 0 {
            let own = number(traffic.own);
            says.push_str(&format!(" {own} more came to boma's own pages, such as checks and the status page."));
        }
        if let Some(seen) = &self.report.seen {
            if let Some(most) = seen.most() {
                says.push_str(&format!(" By a sample, {most}."));
            }
            let networks = number(seen.distinct_networks);
            says.push_str(&format!(" They came from {networks} networks or more, citizens' among them."));
        }
        Some(says)
    }

    /// What boma did with what came.
    fn became(&self) -> Option<String> {
        let sum = |outcomes: &[&str]| outcomes.iter().map(|outcome| self.of(outcome).0).sum::<u64>();
        let parts = [
            (sum(&["challenged"]), "were given a check to pass first"),
            (sum(&["limited", "denied", "dropped"]), "were refused by a limit, a rule or a ban"),
            (sum(&["waiting"]), "were told to come again, because too many came at once"),
            (sum(&["statement"]), "were told that the service cannot be had"),
            (sum(&["full", "cache"]), "were answered in full"),
            (sum(&["copy"]), "got a dated copy"),
            (sum(&["failed"]), "met an error of the portal's own"),
        ];
        let told: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(*n))).collect();
        (!told.is_empty()).then(|| format!("Of all these {}.", told.join(", ")))
    }

    fn hurt(&self) -> String {
        let fared = &self.report.citizens.fared;
        let Some(told) = fared.told() else {
            return "No request is known to have been a citizen's.".into();
        };
        let mut says =
            format!("Of {} requests that are known to be citizens', {told}.", number(fared.served.requests()));
        let classes = &self.report.citizens.classes;
        let hurt = classes.iter().filter(|(_, f)| f.turned_away() > 0).max_by(|(_, a), (_, b)| {
            let of = |x: &super::super::Fared, y: &super::super::Fared| {
                u128::from(x.turned_away()) * u128::from(y.served.requests())
            };
            of(a, b).cmp(&of(b, a))
        });
        if let Some((class, fared)) = hurt.filter(|_| classes.len() > 1) {
            says.push_str(&format!(
                " Hardest hit was the class {class}: of its {} requests {} were refused, failed or told to come again.",
                number(fared.served.requests()),
                number(fared.turned_away())
            ));
        }
        says
    }

    fn refused_with_pass(&self) -> Option<String> {
        let n: u64 = ["limited", "denied", "dropped"].iter().map(|outcome| self.of(outcome).1).sum();
        (n > 0).then(|| {
            format!(
                "Of all requests that were refused by a limit, a rule or a ban {} held a pass: some of them may have been people's.",
                number(n)
            )
        })
    }

    fn what_was_done(&self) -> String {
        let (report, moments) = (self.report, &self.report.moments);
        let done = |actor| report.timeline.iter().filter(|e| e.actor == actor).count() as u64;
        let times = |n: u64, one: &str, many: &str| format!("{} {}", number(n), if n == 1 { one } else { many });
        let bans = report.measures.iter().filter(|m| m.is_ban()).count() as u64;
        let mut says = format!(
            "By the journal boma did {} by itself, and people did {}: they laid {} and {}.",
            times(done(Actor::Boma), "thing", "things"),
            times(done(Actor::People), "thing", "things"),
            times(report.measures.len() as u64 - bans, "measure", "measures"),
            times(bans, "ban", "bans"),
        );
        says.push_str(&match (moments.first_statement, Moments::between(moments.detected, moments.first_statement)) {
            (None, _) => " Staff published no statement.".to_owned(),
            (Some(at), after) => format!(
                " The public was told first at {}{}; {} published in this span.",
                self.local(at),
                after.map_or(String::new(), |after| format!(", {} after protection was raised", span(after))),
                match report.statements.len() as u64 {
                    1 => "1 statement was".to_owned(),
                    n => format!("{} statements were", number(n)),
                }
            ),
        });
        says
    }

    fn how_it_stands(&self) -> Option<String> {
        let (report, moments) = (self.report, &self.report.moments);
        let back = match (moments.detected, moments.recovered) {
            (None, _) => String::new(),
            (Some(_), Some(at)) => format!("The posture was back to normal at {}.", self.local(at)),
            (Some(_), None) => {
                "That the posture was back to normal is not known: it was raised when the span ended, or it was too early to tell."
                    .into()
            }
        };
        let remarks = match report.remarks.len() as u64 {
            0 => String::new(),
            1 => format!("One thing does not fit together: {}", report.remarks[0]),
            n => format!("{} things do not fit together, and stand below; the first: {}", number(n), report.remarks[0]),
        };
        let says = [back, remarks].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ");
        (!says.is_empty()).then_some(says)
    }
}
