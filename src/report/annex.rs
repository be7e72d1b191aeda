//! What a report says beside the course of things: the timeline, by when authorities are to be told, what it rests on.
//!
//! Does not know: Markdown, HTML.

use super::blocks::Block::{self, Heading, List, Table, Text};
use super::draft::{Pen, number};
use super::{At, Event, Notice};

impl Pen<'_> {
    /// The journal's lines, and between them what the totals tell.
    pub fn timeline(&self) -> Vec<Block> {
        let (report, moments) = (self.report, &self.report.moments);
        let row = |e: &Event| {
            let source = e.line.map_or(String::new(), |n| format!("journal, line {n}"));
            (e.at, [e.who.clone(), e.what.clone(), e.outcome.clone(), source])
        };
        let counted = [
            ("it began (an estimate)", moments.onset),
            ("peak minute", report.traffic.peak.map(|p| p.at)),
            ("worst minute for citizens", report.citizens.worst.map(|w| w.at)),
            ("contained", moments.contained),
            ("back to normal, for a whole minute", moments.recovered),
        ];
        let counted =
            counted.into_iter().filter_map(|(what, at)| Some((at?, ["", what, "", "totals"].map(str::to_owned))));
        let mut rows: Vec<(At, [String; 4])> = counted.chain(report.timeline.iter().map(row)).collect();
        rows.sort_by_key(|(at, _)| *at);
        let timed = |(at, rest): (At, [String; 4])| [vec![self.utc(at), self.local(at)], rest.to_vec()].concat();
        let head = vec!["UTC", "Local", "Who", "What", "Outcome", "Source"];
        let mut all = vec![Heading("Timeline"), Table(head, rows.into_iter().map(timed).collect())];
        if report.timeline_left_out > 0 {
            let says =
                format!("{} more lines of the journal did not fit: ask for a shorter span.", report.timeline_left_out);
            all.push(Text(says));
        }
        all
    }

    pub fn notices(&self) -> Vec<Block> {
        let row = |n: &Notice| {
            vec![n.law.to_owned(), n.what.to_owned(), self.utc(n.due), self.local(n.due), n.applies.to_owned()]
        };
        let says = match self.report.notices.first() {
            None => "None can be reckoned: nothing was detected in this span.",
            Some(Notice { own: true, .. }) => {
                "Reckoned from the moment of detection; the law of the portal's own country, by its time zone, comes first. Whether a law applies, and from when it counts, is for your lawyers to say."
            }
            Some(_) => {
                "Reckoned from the moment of detection. No law of the portal's own country is in this list, as far as its time zone tells: ask your lawyers. Whether one of these applies, and from when it counts, is for them to say as well."
            }
        };
        let rows: Vec<_> = self.report.notices.iter().map(row).collect();
        let mut all = vec![Heading("Notice clocks"), Text(says.into())];
        if !rows.is_empty() {
            all.push(Table(vec!["Law", "What", "Due (UTC)", "Local", "Applies to"], rows));
        }
        all
    }

    pub fn evidence(&self) -> Vec<Block> {
        let report = self.report;
        let row = |e: &super::Evidence| vec![e.what.clone(), e.file.clone(), number(e.bytes), e.sha256.clone()];
        vec![
            Heading("Evidence"),
            Text(format!(
                "{} Files are named as they are in boma's state folder; the rules by their path at the staff door. Files that are still written to have the hash that they had at {}.",
                report.journal,
                self.utc(report.made)
            )),
            Table(vec!["What", "File", "Bytes", "SHA-256"], report.evidence.iter().map(row).collect()),
            Heading("What is not known"),
            List(report.not_known.clone()),
        ]
    }
}
