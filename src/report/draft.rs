//! What a report says, in order: first what a minister reads, then facts, then estimates, then what people fill in.
//!
//! Does not know: Markdown, HTML.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::blocks::Block::{self, Heading, List, Open, Table, Text, Title};
use super::{Actor, At, Event, HURT, Moments, Report};
use crate::units;
use crate::uptime::{self, Served};

pub fn blocks(report: &Report) -> Vec<Block> {
    let pen = Pen { report, zone: TimeZone::get(&report.zone).unwrap_or(TimeZone::UTC) };
    let mut all = vec![Title(report.title())];
    all.extend(pen.front());
    all.extend(pen.moments());
    all.extend(pen.traffic());
    all.extend(pen.citizens());
    all.extend(pen.done());
    all.extend(pen.timeline());
    all.extend(pen.seen());
    all.extend(pen.notices());
    all.extend(pen.evidence());
    all.extend(to_fill_in());
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
            vec!["Report".into(), report.id.clone()],
            vec!["Marking".into(), report.tlp.label()],
            vec![
                "Status".into(),
                format!("{}: a first draft, drawn up by {} at {}", report.status, report.by, self.utc(report.made)),
            ],
            vec!["Portals".into(), report.portals.iter().map(|p| p.title.as_str()).collect::<Vec<_>>().join(", ")],
            vec![
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
            rows.push(vec!["Incident".into(), format!("{}: {} ({})", incident.id, incident.title, incident.state)]);
        }
        vec![Table(vec!["", ""], rows), Heading("Summary"), Text(self.summary())]
    }

    /// What a minister reads. Every figure in it stands below as well.
    fn summary(&self) -> String {
        let (report, moments) = (self.report, &self.report.moments);
        let portals: Vec<&str> = report.portals.iter().map(|p| p.title.as_str()).collect();
        let mut says = vec![match moments.detected {
            Some(at) => format!(
                "On {} protection of {} was raised by {}.",
                self.local(at),
                portals.join(", "),
                moments.detected_by
            ),
            None => format!(
                "Between {} and {} the protection of {} was not raised.",
                self.local(report.from),
                self.local(report.to),
                portals.join(", ")
            ),
        }];
        if let Some(peak) = report.traffic.peak {
            says.push(format!(
                "At its peak, in the minute from {}, {} requests came, and {} of them were sent away.",
                self.local(peak.at),
                number(peak.requests),
                number(peak.sent_away)
            ));
        }
        says.push(match report.citizens.served.shares() {
            Some([_, copies, delayed, refused]) => format!(
                "Of the requests of citizens, as far as they can be told from robots, {} were answered: {} from copies, {} after a wait. {} were not.",
                uptime::percent(1000 - refused), uptime::percent(copies), uptime::percent(delayed), uptime::percent(refused)
            ),
            None => "No request is known to have been a citizen's.".into(),
        });
        says.push(match (moments.first_statement, Moments::between(moments.detected, moments.first_statement)) {
            (Some(at), Some(after)) => format!("The public was told at {}, {} later.", self.local(at), span(after)),
            (Some(at), None) => format!("The public was told at {}.", self.local(at)),
            (None, _) => "Staff published no statement.".into(),
        });
        says.push(match (moments.detected, moments.recovered) {
            (None, _) => String::new(),
            (Some(_), Some(at)) => format!("Everything stood as usual again at {}.", self.local(at)),
            (Some(_), None) => "At the end of the span the protection was still raised.".into(),
        });
        says.retain(|s| !s.is_empty());
        says.join(" ")
    }

    fn moments(&self) -> Vec<Block> {
        let m = &self.report.moments;
        let row = |what: &str, at: Option<At>, note: String| {
            let times = at.map_or(["not known".to_owned(), String::new()], |at| [self.utc(at), self.local(at)]);
            [vec![what.to_owned()], times.to_vec(), vec![note]].concat()
        };
        let hurt = format!("end of the last minute in which {HURT} % or more of citizens' requests were not answered");
        let contained = if m.hurt {
            hurt
        } else {
            format!("there was no minute in which {HURT} % or more of citizens' requests were not answered")
        };
        let took = |what: &str, seconds: Option<u64>| vec![what.to_owned(), seconds.map_or("not known".into(), span)];
        vec![
            Heading("When"),
            Table(
                vec!["Moment", "UTC", "Local", "How it is known"],
                vec![
                    row(
                        "Began",
                        m.onset,
                        "estimate: the first minute with more than three times the median of the hour before".into(),
                    ),
                    row("Detected", m.detected, format!("the first rise of the posture, by {}", m.detected_by)),
                    row("First public statement", m.first_statement, "the first incident that staff published".into()),
                    row("Contained", m.contained, contained),
                    row("Recovered", m.recovered, "the posture was back at its foot".into()),
                ],
            ),
            Table(
                vec!["Measure of time", ""],
                vec![
                    took("Time to detect (from an estimate)", Moments::between(m.onset, m.detected)),
                    took("Time to tell the public", Moments::between(m.detected, m.first_statement)),
                    took("Time to contain", Moments::between(m.detected, m.contained)),
                    took("Time to recover", Moments::between(m.detected, m.recovered)),
                ],
            ),
        ]
    }

    fn traffic(&self) -> Vec<Block> {
        let traffic = &self.report.traffic;
        let row =
            |(name, all, with_pass): &(&str, u64, u64)| vec![(*name).to_owned(), number(*all), number(*with_pass)];
        let mut says = format!(
            "Facts, from the totals of {} minutes: {} requests, of which {} were sent away (challenged, limited, denied or dropped).",
            number(traffic.minutes),
            number(traffic.requests),
            number(traffic.sent_away)
        );
        if let Some(peak) = traffic.peak {
            says.push_str(&format!(
                " Peak minute: {} ({}), {} requests, {} a second on average, {} sent away.",
                self.utc(peak.at),
                self.local(peak.at),
                number(peak.requests),
                number(peak.requests / 60),
                number(peak.sent_away)
            ));
        }
        says.push_str(" Connections that a ban closed before a request was read are not in it.");
        vec![
            Heading("How much"),
            Text(says),
            Table(
                vec!["What became of it", "Requests", "Of them with a pass"],
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
        vec![
            Heading("What it meant for citizens"),
            Text(format!(
                "Facts, by this definition: {} Minutes with a raised posture: {}. Minutes in which {HURT} % or more were not answered: {}. How many people that were is not counted.",
                citizens.definition,
                number(citizens.minutes_risen),
                number(citizens.minutes_hurt)
            )),
            Table(
                vec!["Class of service", "In full", "From a copy", "Delayed", "Not answered"],
                rows.chain([row("all", &citizens.served)]).collect(),
            ),
        ]
    }

    fn done(&self) -> Vec<Block> {
        let report = self.report;
        let by = |actor: Actor| -> Vec<String> {
            let of = report.timeline.iter().filter(|e| e.actor == actor);
            of.map(|e| format!("{}: {} ({}, {})", self.local(e.at), e.what, e.who, e.outcome)).collect()
        };
        let or_none = |all: Vec<String>| if all.is_empty() { Text("Nothing.".into()) } else { List(all) };
        let step = |s: &super::Step| {
            vec![s.portal.clone(), s.level.clone(), self.utc(s.from), self.local(s.from), self.utc(s.to)]
        };
        let measure = |m: &super::Measure| {
            let at = |at: Option<At>| at.map_or("not known".into(), |at| self.utc(at));
            let ended = m.ended.map_or("still in force".into(), |e| format!("{} {}", self.utc(e), m.how_ended));
            vec![m.name.clone(), m.reason.clone(), m.by.clone(), self.utc(m.laid), at(m.until), ended]
        };
        let mut all = vec![
            Heading("What boma did by itself"),
            or_none(by(Actor::Boma)),
            Heading("What people did"),
            or_none(by(Actor::People)),
            Heading("Postures"),
        ];
        all.push(match report.postures.is_empty() {
            true => Text("None was raised.".into()),
            false => Table(
                vec!["Portal", "Highest posture", "From (UTC)", "Local", "To (UTC)"],
                report.postures.iter().map(step).collect(),
            ),
        });
        all.push(Heading("Measures and bans, with their ends"));
        all.push(match report.measures.is_empty() {
            true => Text("None was laid by hand.".into()),
            false => Table(
                vec!["Name", "Reason", "By", "Laid (UTC)", "To end (UTC)", "Ended"],
                report.measures.iter().map(measure).collect(),
            ),
        });
        all
    }

    fn timeline(&self) -> Vec<Block> {
        let report = self.report;
        let row = |e: &Event| {
            let line = e.line.map_or(String::new(), |n| n.to_string());
            vec![self.utc(e.at), self.local(e.at), e.who.clone(), e.what.clone(), e.outcome.clone(), line]
        };
        let mut all = vec![
            Heading("Timeline"),
            Table(
                vec!["UTC", "Local", "Who", "What", "Outcome", "Journal line"],
                report.timeline.iter().map(row).collect(),
            ),
        ];
        if report.timeline_left_out > 0 {
            all.push(Text(format!(
                "{} more lines of the journal did not fit: ask for a shorter span.",
                report.timeline_left_out
            )));
        }
        all
    }
}

fn to_fill_in() -> Vec<Block> {
    vec![
        Heading("Interpretation"),
        Text("All above is drawn from records. What follows is for people to judge.".into()),
        Heading("Causes"),
        Open("root cause, and what contributed to it"),
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
