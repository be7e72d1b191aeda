//! What is asked first after an attack, and what is known of it: when, how long, how much, who was hurt, what was done, how it
//! stands. Every figure stands below as well, with its source.
//!
//! Does not know: the journal, totals.

use super::super::blocks::Block;
use super::super::{At, FOOT, HURT, Moments, Peak, Rush};
use super::deeds::itself;
use super::{Pen, number, share, span, times};

/// How it ended, as far as that is known.
pub(super) enum End {
    /// By the totals, or else by the journal.
    Back(At),
    /// Back to normal when this was drawn up, too short a time before for a minute of the totals to show it.
    JustBack,
    /// Raised when this was drawn up, which was soon after the span: the postures.
    Raised(String),
    /// The span ended while it was raised, and this was drawn up long after.
    Unknown,
}

impl Pen<'_> {
    pub(super) fn end(&self) -> End {
        let report = self.report;
        // The journal knows the second, the totals that it stayed so.
        let turned = report.turns.last().filter(|turn| turn.level == FOOT && report.portals.len() == 1).map(|t| t.at);
        let quiet = report.ends_quietly();
        match (report.moments.recovered, turned) {
            (Some(at), Some(turned)) if turned <= at && at.0 - turned.0 <= 60 => End::Back(turned),
            (Some(at), _) => End::Back(at),
            (None, Some(turned)) if quiet => End::Back(turned),
            (None, _) if quiet => End::JustBack,
            (None, _) if report.is_fresh() => {
                let raised = report.portals.iter().filter(|p| p.is_raised());
                End::Raised(match report.portals.len() {
                    1 => raised.map(|p| p.posture.clone()).collect(),
                    _ => raised.map(|p| format!("{}: {}", p.title, p.posture)).collect::<Vec<_>>().join(", "),
                })
            }
            (None, _) => End::Unknown,
        }
    }

    pub(super) fn answers(&self) -> Block {
        let rows = [
            ("When?", self.when()),
            ("How long?", self.how_long()),
            ("How much?", self.how_much()),
            ("Who was hurt?", self.hurt()),
            ("What was done?", self.what_was_done()),
            ("How does it stand?", self.how_it_stands()),
        ];
        let row = |(asked, known): (&str, Vec<String>)| vec![asked.to_owned(), known.join(" ")];
        Block::Table(vec!["What is asked first", "What is known"], rows.into_iter().map(row).collect())
    }

    pub(super) fn raiser(&self) -> &str {
        itself(&self.report.moments.detected_by)
    }

    /// What the journal gives as the reason for the first rise.
    pub(super) fn why(&self, detected: At) -> Option<&str> {
        let turn = self.report.turns.iter().find(|t| t.at == detected && t.raised)?;
        (!turn.why.is_empty()).then_some(turn.why.as_str())
    }

    fn when(&self) -> Vec<String> {
        let (report, moments) = (self.report, &self.report.moments);
        let Some(at) = moments.detected else {
            return vec!["Protection was not raised in this span.".into()];
        };
        let began = match moments.onset {
            Some(onset) => format!("It began at about {} (an estimate).", self.local(onset)),
            None => "When it began is not known.".into(),
        };
        let mut says = vec![began, format!("Protection was raised at {} by {}.", self.local(at), self.raiser())];
        if let Some(Peak { at, .. }) = report.traffic.peak {
            says.push(format!("The busiest minute was that from {}.", self.local(at)));
        }
        if let Some(at) = moments.first_statement {
            says.push(format!("The public was told first at {}.", self.local(at)));
        }
        if let Some(at) = moments.hurt_until {
            says.push(format!(
                "The last minute in which citizens were turned away in numbers ended at {}.",
                self.local(at)
            ));
        }
        says.push(match self.end() {
            End::Back(at) => format!("Protection was back to normal at {}.", self.local(at)),
            End::JustBack => "Protection had just come back to normal when this was drawn up.".into(),
            End::Raised(_) => "Protection had not come down when this was drawn up.".into(),
            End::Unknown => "When protection came down is not known: the span ended before.".into(),
        });
        if let Some(at) = moments.closed {
            says.push(format!("The incident was closed at {}.", self.local(at)));
        }
        says
    }

    fn how_long(&self) -> Vec<String> {
        let (report, moments) = (self.report, &self.report.moments);
        let mut says = Vec::new();
        if let Some(at) = moments.detected {
            let since = |to| Moments::between(Some(at), Some(to)).map_or("no time".into(), span);
            says.push(match self.end() {
                End::Back(at) => format!("Protection stood raised for {}.", since(at)),
                End::JustBack | End::Raised(_) => format!("Protection stood raised for {} so far.", since(report.made)),
                End::Unknown => format!("Protection stood raised for {} or longer.", since(report.to)),
            });
        }
        says.push(match report.traffic.rush {
            Some(Rush { from, to, minutes, over, .. }) => {
                let long = (to.0 - from.0) / 60;
                let within = if minutes < long { format!(", in {minutes} of them") } else { String::new() };
                let end = if over { "" } else { " or longer: no calm followed before the span ended" };
                let (from, to) = (self.clock(from), self.clock(to));
                format!(
                    "Far more requests than usual came for {}{within}, from {from} to {to}{end}.",
                    times(long, "minute")
                )
            }
            None if moments.detected.is_some() => "No minute with far more requests than usual is known.".into(),
            None => return says,
        });
        says.push(match report.citizens.minutes_hurt {
            0 => format!("There was no minute in which {HURT}\u{a0}% or more of citizens' requests were turned away."),
            n => format!(
                "In {} {HURT}\u{a0}% or more of citizens' requests were turned away (where none counts: of those with a pass).",
                times(n, "minute")
            ),
        });
        says
    }

    fn how_much(&self) -> Vec<String> {
        let traffic = &self.report.traffic;
        let Some(Peak { requests, .. }) = traffic.peak else { return vec!["Nothing came.".into()] };
        let mut says = vec![format!(
            "{} requests came to the portal; {} in the busiest minute, which is {} a second on average.",
            number(traffic.requests),
            number(requests),
            number((requests + 30) / 60)
        )];
        says.extend(self.became());
        if let Some(Rush { requests, full, minutes, .. }) = traffic.rush {
            says.push(format!(
                "In the {} in which far more than usual came it was {} requests, of which {} ({}) were answered in full.",
                times(minutes, "minute"),
                number(requests),
                number(full),
                share(full, requests)
            ));
        }
        if let Some(seen) = &self.report.seen {
            if let Some(most) = seen.most() {
                says.push(format!("By a sample, {most}."));
            }
            let networks = number(seen.distinct_networks);
            says.push(format!("They came from {networks} networks or more, citizens' among them."));
        }
        says.extend(self.uncounted());
        says
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

    fn hurt(&self) -> Vec<String> {
        let citizens = &self.report.citizens;
        let people = "How many people were hurt is not known: boma counts requests.".to_owned();
        let Some(told) = citizens.fared.told() else {
            let known = "No request is known to have been a citizen's.".to_owned();
            return [vec![known, people], self.hard().into_iter().collect()].concat();
        };
        let requests = number(citizens.fared.served.requests());
        let mut says = vec![people];
        says.extend(self.hard());
        says.push(format!(
            "In the whole span, its quiet minutes too, of {requests} requests that count as citizens', {told}."
        ));
        says.extend(self.hardest_hit());
        says.extend(self.worst_in_short());
        if self.of("challenged").0 > 0 {
            says.push("Who was given a check and did not pass it is not among them.".into());
        }
        says.extend(self.refused_with_pass());
        says
    }

    fn hardest_hit(&self) -> Option<String> {
        let classes = &self.report.citizens.classes;
        let hurt = classes.iter().filter(|(_, f)| f.turned_away() > 0).max_by(|(_, a), (_, b)| {
            let of = |x: &super::super::Fared, y: &super::super::Fared| {
                u128::from(x.turned_away()) * u128::from(y.served.requests())
            };
            of(a, b).cmp(&of(b, a))
        });
        let (class, fared) = hurt.filter(|_| classes.len() > 1)?;
        Some(format!(
            "Hardest hit was the class {class}: of its {} requests {} were refused, failed or told to come again.",
            number(fared.served.requests()),
            number(fared.turned_away())
        ))
    }

    fn how_it_stands(&self) -> Vec<String> {
        let (report, moments) = (self.report, &self.report.moments);
        let mut says = match (moments.detected, self.end()) {
            (None, _) => Vec::new(),
            (Some(_), End::Back(at)) => {
                vec![format!("Back to normal since {}, as far as this span goes.", self.local(at))]
            }
            (Some(_), End::JustBack) => {
                vec!["Back to normal when this was drawn up; whether it stays so must be seen.".into()]
            }
            (Some(_), End::Raised(levels)) => vec![format!("Protection was raised ({levels}) when this was drawn up.")],
            (Some(_), End::Unknown) => vec!["Not known: the span ended while protection was raised.".into()],
        };
        if let Some(incident) = &report.incident {
            says.push(format!("The incident is {}.", incident.state));
        } else if let Some(last) = report.statements.last() {
            says.push(format!("The last statement left the incident {}.", last.state));
        }
        match report.remarks.as_slice() {
            [] => {}
            [one] => says.push(format!("One thing does not fit together: {one}")),
            [first, ..] => says.push(format!(
                "{} things do not fit together, and stand below; the first: {first}",
                number(report.remarks.len() as u64)
            )),
        }
        says
    }
}
