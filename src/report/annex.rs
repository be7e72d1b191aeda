//! What a report says beside the course of things: who came, by when authorities are to be told, what it rests on.
//!
//! Does not know: Markdown, HTML.

use super::blocks::Block::{self, Heading, List, Table, Text};
use super::draft::{Pen, number};
use super::{At, Event, Notice};
use crate::bounds;

/// Rows of one table of estimates.
const ROWS: usize = 20;

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
            ("recovered", moments.recovered),
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

    pub fn seen(&self) -> Vec<Block> {
        let heading = Heading("Who came (estimates)");
        let Some(seen) = &self.report.seen else {
            return vec![heading, Text("Not known: no sample is kept of this span.".into())];
        };
        let network = |n: &super::Network| {
            let place = [n.country.clone(), n.asn.map(|a| format!("AS{a}"))]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ");
            let named = if n.indicates() { "yes" } else { "no" };
            vec![
                n.net.clone(),
                number(n.sample),
                number(n.requests),
                number(n.sent_away),
                number(n.with_pass),
                place,
                self.utc(n.first),
                self.utc(n.last),
                named.into(),
            ]
        };
        let named = |(name, n): &(String, u64)| vec![name.clone(), number(*n)];
        let mut all = vec![
            heading,
            Text(format!(
                "From a sample of {} requests of {} minutes, standing for about {}. Numbers are estimates; what came to boma's own paths is not among them. A network is an indicator where the sample held {} of its requests or more, standing for {} or more that were sent away, which are most of what came from there, and nobody with a pass came from there: whole providers share an address. Paths and browsers are given by whoever asks, and shown where the sample of a minute held them three times or more.",
                number(seen.sample),
                number(seen.minutes),
                number(seen.requests),
                bounds::INDICATOR_SAMPLE,
                bounds::INDICATOR_SENT_AWAY
            )),
            Table(
                vec![
                    "Network",
                    "Sample",
                    "Requests",
                    "Sent away",
                    "With a pass",
                    "Place",
                    "First (UTC)",
                    "Last (UTC)",
                    "Indicator",
                ],
                seen.networks.iter().take(ROWS).map(network).collect(),
            ),
        ];
        for (what, rows) in [
            ("Path", &seen.paths),
            ("Browser, as it calls itself", &seen.agents),
            ("Fingerprint of its TLS (JA4)", &seen.fingerprints),
            ("Country, of the networks that came most often", &seen.countries),
            ("Rule or limit that decided", &seen.rules),
        ] {
            all.push(match rows.is_empty() {
                true => Text(format!("{what}: none is known, or came often enough to be kept.")),
                false => Table(vec![what, "Requests"], rows.iter().take(ROWS).map(named).collect()),
            });
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
                "{} Files that are still written to have the hash that they had at {}.",
                report.journal,
                self.utc(report.made)
            )),
            Table(vec!["What", "File", "Bytes", "SHA-256"], report.evidence.iter().map(row).collect()),
            Heading("What is not known"),
            List(report.not_known.clone()),
        ]
    }
}
