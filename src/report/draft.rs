//! What a report says, in order: first what a minister reads, then facts, then estimates, then what people fill in.
//!
//! Does not know: Markdown, HTML.

mod answers;
mod deeds;
mod summary;
mod when;

use std::time::Duration;

use jiff::tz::TimeZone;

use super::blocks::Block::{self, Heading, List, Open, Table, Text, Title};
use super::{Actor, At, Became, Event, Report, Rush};
use crate::units;
use crate::uptime;

pub fn blocks(report: &Report) -> Vec<Block> {
    let pen = Pen::new(report);
    let mut all = vec![Title(report.title())];
    all.extend(pen.front());
    all.extend(pen.moments());
    all.extend(pen.traffic());
    all.extend(pen.decided());
    all.extend(pen.citizens());
    all.extend(pen.said());
    all.extend(pen.done());
    all.extend(pen.laid());
    all.extend(pen.changes());
    all.extend(pen.timeline());
    all.extend(pen.seen());
    all.extend(pen.notices());
    all.extend(pen.evidence());
    all.extend(pen.words());
    all.extend(to_fill_in());
    all.push(Text(format!("{} · end of the draft {}", report.tlp.label(), report.id)));
    all
}

pub struct Pen<'a> {
    pub report: &'a Report,
    zone: TimeZone,
}

impl<'a> Pen<'a> {
    pub fn new(report: &'a Report) -> Pen<'a> {
        Pen { report, zone: TimeZone::get(&report.zone).unwrap_or(TimeZone::UTC) }
    }

    pub fn utc(&self, at: At) -> String {
        at.timestamp().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    pub fn local(&self, at: At) -> String {
        at.timestamp().to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// The time alone, for what is known to be of the day that was named.
    pub fn clock(&self, at: At) -> String {
        at.timestamp().to_zoned(self.zone.clone()).strftime("%H:%M %Z").to_string()
    }

    /// The time to the second, for what follows closely on another.
    pub fn second(&self, at: At) -> String {
        at.timestamp().to_zoned(self.zone.clone()).strftime("%H:%M:%S %Z").to_string()
    }

    /// To the second, for what happened within one minute.
    pub fn exact(&self, at: At) -> String {
        at.timestamp().to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    fn front(&self) -> Vec<Block> {
        let report = self.report;
        let mut rows = vec![
            ["Report".into(), report.id.clone()],
            ["Marking".into(), report.tlp.label()],
            [
                "Status".into(),
                format!("{}: a first draft, drawn up by {} at {}", report.status, report.by, self.utc(report.made)),
            ],
            ["Portals".into(), self.portals()],
            [
                "Span".into(),
                format!(
                    "{} to {} ({} to {})",
                    self.utc(report.from),
                    self.utc(report.to),
                    self.local(report.from),
                    self.local(report.to)
                ),
            ],
        ];
        if let Some(incident) = &report.incident {
            let affects = match incident.affects.is_empty() {
                true => "the whole portal".into(),
                false => incident.affects.join(", "),
            };
            rows.push(["Incident".into(), format!("{}: {} ({})", incident.id, incident.title, incident.state)]);
            rows.push(["Services that it named".into(), affects]);
        }
        let stand = |p: &super::Portal| format!("{}: {}", p.title, p.posture);
        let stand = report.portals.iter().map(stand).collect::<Vec<_>>().join(", ");
        rows.push(["Posture when this was drawn up".into(), stand]);
        let rows = rows.into_iter().map(Vec::from).collect();
        let mut all = vec![
            Heading("Summary"),
            Text(report.summary.clone()),
            self.answers(),
            Table(vec!["Item", "Value"], rows),
            Open("authors, and who has read it"),
        ];
        if !report.remarks.is_empty() {
            all.extend([Heading("What does not fit together"), List(report.remarks.clone())]);
        }
        all
    }

    fn portals(&self) -> String {
        self.report.portals.iter().map(|p| p.title.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn refused_with_pass(&self) -> Option<String> {
        let n: u64 = ["limited", "denied", "dropped"].iter().map(|outcome| self.of(outcome).1).sum();
        (n > 0).then(|| {
            format!(
                "Of those that were refused by a limit, a rule or a ban {} held a pass: some of them may have been people's.",
                number(n)
            )
        })
    }

    /// How many requests had an outcome, and how many of them a pass.
    pub fn of(&self, outcome: &str) -> (u64, u64) {
        let found = self.report.traffic.outcomes.iter().find(|b| b.outcome == outcome);
        found.map_or((0, 0), |b| (b.requests, b.with_pass))
    }

    fn traffic(&self) -> Vec<Block> {
        let (report, traffic) = (self.report, &self.report.traffic);
        let all = traffic.requests + traffic.own;
        let row = |b: &Became| {
            let share = share(b.requests, all);
            vec![b.outcome.to_owned(), b.means.to_owned(), number(b.requests), share, number(b.with_pass)]
        };
        let mut says = "Facts, from the totals of each minute.".to_owned();
        if let (Some(began), Some(ended)) = (traffic.began, traffic.ended) {
            says.push_str(&format!(
                " They are of whole minutes: the first that is counted began at {}, the last ended at {}, while the span is from {} to {}. {} of these minutes have any; in the others nothing came, or boma did not run. A minute that is under way is counted when it is over.",
                self.utc(began),
                self.utc(ended),
                self.utc(report.from),
                self.utc(report.to),
                number(traffic.minutes)
            ));
        }
        says.push_str(&format!(
            " {} requests came to the portal, and {} to boma's own pages (checks, status page). {} were sent away (challenged, limited, denied or dropped; whoever was told to come again is not among these).{} Connections that were closed before a request was read are not counted.",
            number(traffic.requests),
            number(traffic.own),
            number(traffic.sent_away),
            self.refused_with_pass().map_or(String::new(), |says| format!(" {says}"))
        ));
        let mut blocks = vec![Heading("How much, and what became of it"), Text(says)];
        if let Some(peak) = traffic.peak {
            blocks.push(Text(format!(
                "Peak minute: {} ({}), {} requests to the portal, {} a second on average, {} sent away. {}",
                self.utc(peak.at),
                self.local(peak.at),
                number(peak.requests),
                number((peak.requests + 30) / 60),
                number(peak.sent_away),
                self.rush_by()
            )));
        }
        let head = vec!["Outcome", "What it means", "Requests", "Share", "Of them with a pass"];
        blocks.push(Table(head, traffic.outcomes.iter().map(row).collect()));
        blocks
    }

    /// By what minutes were told as the rush.
    fn rush_by(&self) -> String {
        let Some(Rush { above, usual, usual_of, minutes, .. }) = self.report.traffic.rush else { return String::new() };
        let (minutes, above) = (times(minutes, "minute"), number(above));
        match usual {
            Some(usual) => format!(
                "The rush is the {minutes} with more than {above} requests, three times the median of {} before ({}).",
                times(usual_of, "minute"),
                number(usual)
            ),
            None => format!(
                "How much is usual is not known, because hardly a minute before is counted: the rush is the {minutes} with more than {above} requests, a quarter of what came in its busiest."
            ),
        }
    }

    fn done(&self) -> Vec<Block> {
        let report = self.report;
        let by = |actor: Actor| -> Vec<Block> {
            let of = report.timeline.iter().filter(|e| e.actor == actor);
            let line = |e: &Event| e.line.map_or(String::new(), |n| format!("; journal, line {n}"));
            let told = |e: &Event| format!("{}: {} ({}, {}{})", self.local(e.at), e.what, e.who, e.outcome, line(e));
            let all: Vec<String> = of.map(told).collect();
            let entries = if all.len() == 1 { "entry" } else { "entries" };
            let count = Text(format!("{} {entries} of the journal.", number(all.len() as u64)));
            if all.is_empty() { vec![count] } else { vec![count, List(all)] }
        };
        let step = |s: &super::Step| {
            vec![s.portal.clone(), s.level.clone(), self.utc(s.from), self.local(s.from), self.utc(s.to)]
        };
        let mut all = vec![Heading("What boma did by itself")];
        all.extend(by(Actor::Boma));
        all.push(Heading("What people did"));
        all.extend(by(Actor::People));
        all.push(Heading("Postures"));
        all.push(Text("From the totals of each minute: the highest posture in it.".into()));
        all.push(match report.postures.is_empty() {
            true => Text("None was raised.".into()),
            false => Table(
                vec!["Portal", "Highest posture", "From (UTC)", "Local", "To (UTC)"],
                report.postures.iter().map(step).collect(),
            ),
        });
        all
    }
}

fn to_fill_in() -> Vec<Block> {
    vec![
        Heading("Interpretation"),
        Text("All above is drawn from records. What follows is for people to judge.".into()),
        Heading("Causes"),
        Open("by what way it came, its root cause, and what contributed to it"),
        Heading("Data at risk"),
        Open("whether anybody's data was read, changed or lost, and how that is known"),
        Heading("People affected"),
        Open("an estimate of how many, and how it was made"),
        Heading("What worked, and what did not"),
        Open("detection, measures, statements, cooperation"),
        Heading("Actions"),
        Table(vec!["Action", "Owner", "Due", "Done"], vec![vec![String::new(); 4]; 5]),
    ]
}

/// Of all; what is there is never rounded to nothing.
pub fn share(n: u64, all: u64) -> String {
    match (n as f64 * 1000.0 / all.max(1) as f64).round() as u32 {
        0 if n > 0 => format!("under {}", uptime::percent(1)),
        thousandths => uptime::percent(thousandths),
    }
}

pub fn span(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (minutes @ 1..10, rest @ 1..) => format!("{minutes} min {rest} s"),
        _ => units::left(Duration::from_secs(seconds)),
    }
}

/// "2 minutes".
pub fn times(n: u64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// "1,234,567".
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
