//! The first paragraph: when, how long, how much, who was hurt, what was done, how it stands. Every figure in it stands below as
//! well, with its source.
//!
//! Does not know: the journal, totals.

use super::super::{Actor, Moments, Peak, Rush};
use super::{Pen, number, span, times};

impl Pen<'_> {
    pub fn summary(&self) -> String {
        let mut says = vec![self.when()];
        says.extend(self.how_long());
        says.extend(self.how_much());
        says.extend(self.became());
        says.extend(self.uncounted());
        says.push(self.hurt());
        says.extend(self.worst_in_short());
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
            (None, _) if report.ends_quietly() => format!(
                "it was back to normal when this was drawn up, {} later",
                Moments::between(Some(at), Some(report.made)).map_or("no time".into(), span)
            ),
            (None, so_far) => format!(
                "it was raised still, or again, when the span of this report ended {} later, at {}",
                so_far.map_or("no time".into(), span),
                self.clock(report.to)
            ),
        };
        let by = match moments.detected_by.as_str() {
            "ladder" | "clock" => "boma itself",
            who => who,
        };
        format!("On {} protection of {} was raised by {by}; {stood}.", self.local(at), self.portals())
    }

    fn how_long(&self) -> Option<String> {
        self.report.moments.detected?;
        let Some(Rush { from, to, minutes, over, .. }) = self.report.traffic.rush else {
            return Some("No rush of requests is known.".into());
        };
        let long = (to.0 - from.0) / 60;
        let within = if minutes < long { format!(" (in {minutes} of them)") } else { String::new() };
        let longer = if over { "" } else { " or longer" };
        let end = if over { "" } else { ": no calm followed before the span ended" };
        let (from, to) = (self.clock(from), self.clock(to));
        Some(format!(
            "The rush of requests lasted {}{within}{longer}, from {from} to {to}{end}.",
            times(long, "minute")
        ))
    }

    /// By what minutes were told as the rush.
    pub(super) fn rush_by(&self) -> String {
        let Some(Rush { above, usual, minutes, .. }) = self.report.traffic.rush else { return String::new() };
        let (minutes, above) = (times(minutes, "minute"), number(above));
        match usual {
            Some(usual) => format!(
                "The rush is the {minutes} with more than {above} requests, three times the median of the hour before ({}).",
                number(usual)
            ),
            None => format!(
                "How much is usual is not known, because no hour before is counted: the rush is the {minutes} with more than {above} requests, a quarter of what came in its busiest."
            ),
        }
    }

    fn how_much(&self) -> Option<String> {
        let traffic = &self.report.traffic;
        let Peak { requests, .. } = traffic.peak?;
        let mut says = format!(
            "{} requests came to the portal, up to {} a second (the average of the peak minute)",
            number(traffic.requests),
            number((requests + 30) / 60)
        );
        if let Some(seen) = &self.report.seen {
            if let Some(most) = seen.most() {
                says.push_str(&format!("; by a sample, {most}"));
            }
            let networks = number(seen.distinct_networks);
            says.push_str(&format!("; they came from {networks} networks or more, citizens' among them"));
        }
        Some(says + ".")
    }

    /// What boma did with what came.
    fn became(&self) -> Option<String> {
        let sum = |outcomes: &[&str]| outcomes.iter().map(|outcome| self.of(outcome).0).sum::<u64>();
        let parts = [
            (sum(&["challenged"]), "were given a check first"),
            (sum(&["limited", "denied", "dropped"]), "were refused by a limit, a rule or a ban"),
            (sum(&["waiting"]), "were told to come again, because too many came at once"),
            (sum(&["statement"]), "were told that the service cannot be had"),
            (sum(&["full", "cache"]), "were answered in full"),
            (sum(&["copy"]), "got a dated copy"),
            (sum(&["failed"]), "met an error of the portal's own"),
        ];
        let told: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(*n))).collect();
        (!told.is_empty()).then(|| format!("Of these {}.", told.join(", ")))
    }

    /// That the end of the span is in no figure.
    fn uncounted(&self) -> Option<String> {
        let (ended, to) = (self.report.traffic.ended?, self.report.to);
        (ended < to && to.0 - ended.0 < 120).then(|| {
            format!(
                "These figures end at {}; what came in the last {} of the span is not counted yet.",
                self.exact(ended),
                span(to.0 - ended.0)
            )
        })
    }

    fn hurt(&self) -> String {
        let fared = &self.report.citizens.fared;
        let Some(told) = fared.told() else {
            return "No request is known to have been a citizen's.".into();
        };
        let mut says = format!("Of {} requests that count as citizens', {told}.", number(fared.served.requests()));
        if self.of("challenged").0 > 0 {
            says.push_str(" Who was given a check and did not pass it is not among them.");
        }
        says.push_str(&self.refused_with_pass());
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

    fn what_was_done(&self) -> String {
        let (report, moments) = (self.report, &self.report.moments);
        let done = |actor| report.timeline.iter().filter(|e| e.actor == actor).count() as u64;
        let bans = report.measures.iter().filter(|m| m.is_ban()).count() as u64;
        let mut says = format!(
            "By the journal boma acted {} by itself, and people {}; they laid {} and {}.",
            times(done(Actor::Boma), "time"),
            times(done(Actor::People), "time"),
            times(report.measures.len() as u64 - bans, "measure"),
            times(bans, "ban"),
        );
        let deeds = report.measures.iter().filter_map(|m| Some((&m.name, m.did.as_ref()?)));
        if let Some((name, did)) = deeds.max_by_key(|(_, did)| did.sent_away) {
            says.push_str(&format!(
                " The measure {name} sent away {} requests, as far as counted.",
                number(did.sent_away)
            ));
        }
        let Some(at) = moments.first_statement else {
            return says + " Staff published no statement.";
        };
        let after = Moments::between(moments.detected, Some(at));
        says.push_str(&format!(
            " The public was told first at {}{}; {} in this span.",
            self.local(at),
            after.map_or(String::new(), |after| format!(", {} after protection was raised", span(after))),
            times(report.statements.len() as u64, "statement")
        ));
        says
    }

    fn how_it_stands(&self) -> Option<String> {
        let (report, moments) = (self.report, &self.report.moments);
        let back = match (moments.detected, moments.recovered) {
            (None, _) => String::new(),
            (Some(_), Some(at)) => format!("The posture was back to normal at {}.", self.local(at)),
            (Some(_), None) if report.ends_quietly() => {
                "That the posture was back to normal for longer than a minute is too early to tell.".into()
            }
            (Some(_), None) => "That it was back to normal within the span is not known.".into(),
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
