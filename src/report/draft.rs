//! What a report says, in order: first what a minister reads, then facts, then estimates, then what people fill in.
//!
//! Does not know: Markdown, HTML.

mod when;

use std::time::Duration;

use jiff::tz::TimeZone;

use super::blocks::Block::{self, Heading, List, Open, Table, Text, Title};
use super::{Actor, At, Became, Event, HURT, Moments, Report, Worst};
use crate::units;
use crate::uptime::{self, Served};

pub fn blocks(report: &Report) -> Vec<Block> {
    let pen = Pen { report, zone: TimeZone::get(&report.zone).unwrap_or(TimeZone::UTC) };
    let mut all = vec![Title(report.title())];
    all.extend(pen.front());
    all.extend(pen.moments());
    all.extend(pen.traffic());
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

impl Pen<'_> {
    pub fn utc(&self, at: At) -> String {
        at.timestamp().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    }

    pub fn local(&self, at: At) -> String {
        at.timestamp().to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
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
        let rows = rows.into_iter().map(Vec::from).collect();
        vec![
            Table(vec!["Item", "Value"], rows),
            Open("authors, and who has read it"),
            Heading("Summary"),
            Text(self.summary()),
        ]
    }

    fn portals(&self) -> String {
        self.report.portals.iter().map(|p| p.title.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// What a minister reads. Every figure in it stands below as well, with its source.
    fn summary(&self) -> String {
        let (report, moments) = (self.report, &self.report.moments);
        let traffic = &report.traffic;
        let mut says = vec![match moments.detected {
            Some(at) => format!(
                "On {} protection of {} was raised by {}; {}.",
                self.local(at),
                self.portals(),
                whom(&moments.detected_by),
                match (
                    Moments::between(moments.detected, moments.recovered),
                    Moments::between(Some(at), Some(report.to))
                ) {
                    (Some(long), _) => format!("it stood raised for {}", span(long)),
                    (None, so_far) => format!(
                        "it stood raised still, or again, when this span ended {} later",
                        so_far.map_or("no time".into(), span)
                    ),
                }
            ),
            None => format!(
                "Between {} and {} the protection of {} was not raised.",
                self.local(report.from),
                self.local(report.to),
                self.portals()
            ),
        }];
        if let Some(peak) = traffic.peak {
            says.push(format!(
                "{} requests came, of which boma sent {} away{}. At the peak, in the minute from {}, {} came, and {} of them were sent away.",
                number(traffic.requests),
                number(traffic.sent_away),
                match self.of("waiting").0 {
                    0 => String::new(),
                    n => format!(" and told {} to come again, because too many came at once", number(n)),
                },
                self.local(peak.at),
                number(peak.requests),
                number(peak.sent_away)
            ));
        }
        says.push(self.hurt());
        let count = |actor| report.timeline.iter().filter(|e| e.actor == actor).count() as u64;
        says.push(format!(
            "By the journal boma did {} things by itself, and people did {}, of which {} laid a measure or a ban.",
            number(count(Actor::Boma)),
            number(count(Actor::People)),
            number(report.measures.len() as u64)
        ));
        says.push(match (moments.first_statement, Moments::between(moments.detected, moments.first_statement)) {
            (Some(at), Some(after)) => format!("The public was told at {}, {} later.", self.local(at), span(after)),
            (Some(at), None) => format!("The public was told at {}.", self.local(at)),
            (None, _) => "Staff published no statement.".into(),
        });
        says.push(match (moments.detected, moments.recovered) {
            (None, _) => String::new(),
            (Some(_), Some(at)) => format!("Everything stood as usual again at {}.", self.local(at)),
            (Some(_), None) => {
                "At the end of the span not everything stood as usual, or it was too early to tell.".into()
            }
        });
        says.retain(|s| !s.is_empty());
        says.join(" ")
    }

    /// How citizens fared, and where it was worst.
    fn hurt(&self) -> String {
        let citizens = &self.report.citizens;
        let Some([full, copies, delayed, refused]) = citizens.served.shares() else {
            return "No request is known to have been a citizen's.".into();
        };
        let mut says = format!(
            "Of {} requests that are known to be citizens', {} were answered at once ({} in full, {} from dated copies); {} were made to wait, by a check or because too many came; {} were not answered.",
            number(citizens.served.requests()),
            uptime::percent(full + copies),
            uptime::percent(full),
            uptime::percent(copies),
            uptime::percent(delayed),
            uptime::percent(refused)
        );
        let worst = citizens.classes.iter().filter(|(_, s)| s.refused > 0).max_by_key(|(_, s)| s.refused);
        if let Some((class, served)) = worst.filter(|_| citizens.classes.len() > 1) {
            says.push_str(&format!(
                " Hardest hit was the class {class}: {} of its {} were not answered.",
                number(served.refused),
                number(served.requests())
            ));
        }
        if let Some(worst) = citizens.worst {
            says.push_str(&format!(
                " The worst minute for them was that from {}: {} of {} were not answered.",
                self.local(worst.at),
                number(worst.served.refused),
                number(worst.served.requests())
            ));
        }
        let with_pass: u64 = ["limited", "denied", "dropped"].iter().map(|outcome| self.of(outcome).1).sum();
        if with_pass > 0 {
            says.push_str(&format!(
                " Of all requests {} that held a pass were refused by a limit, a rule or a ban: some of them may have been people's.",
                number(with_pass)
            ));
        }
        says
    }

    /// How many requests had an outcome, and how many of them a pass.
    fn of(&self, outcome: &str) -> (u64, u64) {
        let found = self.report.traffic.outcomes.iter().find(|b| b.outcome == outcome);
        found.map_or((0, 0), |b| (b.requests, b.with_pass))
    }

    fn traffic(&self) -> Vec<Block> {
        let traffic = &self.report.traffic;
        let row = |b: &Became| {
            let share = share(b.requests, traffic.requests);
            vec![b.outcome.to_owned(), b.means.to_owned(), number(b.requests), share, number(b.with_pass)]
        };
        let span = (self.report.to.0 - self.report.from.0).div_ceil(60);
        let mut says = format!(
            "Facts, from the totals of each minute: {} of the {} minutes have any; in the others nothing came, boma did not run, or they were not over. {} requests came, of which {} ({}) were sent away (challenged, limited, denied or dropped).",
            number(traffic.minutes),
            number(span),
            number(traffic.requests),
            number(traffic.sent_away),
            share(traffic.sent_away, traffic.requests)
        );
        if let Some(peak) = traffic.peak {
            says.push_str(&format!(
                " Peak minute: {} ({}), {} requests, {} a second on average, {} sent away.",
                self.utc(peak.at),
                self.local(peak.at),
                number(peak.requests),
                number((peak.requests + 30) / 60),
                number(peak.sent_away)
            ));
        }
        says.push_str(" Connections that were closed before a request was read are not in it.");
        vec![
            Heading("How much, and what became of it"),
            Text(says),
            Table(
                vec!["Outcome", "What it means", "Requests", "Share", "Of them with a pass"],
                traffic.outcomes.iter().map(row).collect(),
            ),
        ]
    }

    fn citizens(&self) -> Vec<Block> {
        let citizens = &self.report.citizens;
        let row = |name: &str, served: &Served| {
            let share = |at: usize| served.shares().map_or(String::new(), |s| format!(" ({})", uptime::percent(s[at])));
            let cells = served.all().into_iter().enumerate().map(|(at, n)| format!("{}{}", number(n), share(at)));
            [name.to_owned()].into_iter().chain(cells).collect::<Vec<String>>()
        };
        let rows = citizens.classes.iter().map(|(class, served)| row(class, served));
        let of = |name: &str| self.report.traffic.outcomes.iter().find(|b| b.outcome == name).map_or(0, |b| b.requests);
        vec![
            Heading("What it meant for citizens"),
            Text(format!(
                "Facts, from the totals of each minute, by this definition: {} Minutes with a raised posture: {}. Minutes in which {HURT} % or more were not answered: {}.",
                citizens.definition,
                number(citizens.minutes_risen),
                number(citizens.minutes_hurt)
            )),
            Text(self.worst()),
            Text(format!(
                "While a posture is raised, whoever comes without a pass is not counted as a citizen before a check is passed: {} requests were given a check, and {} checks were passed. How many people gave up at one, and how many people there were, is not counted.",
                number(of("challenged")),
                number(of("solved"))
            )),
            Table(
                vec!["Class of service", "In full", "From a copy", "Made to wait", "Not answered"],
                rows.chain([row("all", &citizens.served)]).collect(),
            ),
        ]
    }

    fn worst(&self) -> String {
        let Some(Worst { at, served }) = self.report.citizens.worst else {
            return "Worst minute for citizens: none; in every minute all of their requests were answered, if late."
                .into();
        };
        let [full, copies, delayed, refused] = served.all().map(number);
        format!(
            "Worst minute for citizens, by how many of their requests were not answered: {} ({}), {refused} of {} ({}); {full} were answered in full, {copies} from a copy, {delayed} made to wait.",
            self.utc(at),
            self.local(at),
            number(served.requests()),
            share(served.refused, served.requests())
        )
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

/// Whose doing it was, for who does not know boma's parts.
fn whom(who: &str) -> &str {
    match who {
        "ladder" => "boma itself (ladder)",
        "clock" => "boma itself (clock)",
        who => who,
    }
}

/// Of all; what is there is never rounded to nothing.
fn share(n: u64, all: u64) -> String {
    match (n as f64 * 1000.0 / all.max(1) as f64).round() as u32 {
        0 if n > 0 => format!("under {}", uptime::percent(1)),
        thousandths => uptime::percent(thousandths),
    }
}

fn span(seconds: u64) -> String {
    units::left(Duration::from_secs(seconds))
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
