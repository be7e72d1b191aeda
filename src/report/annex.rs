//! What a report says beside the course of things: who came, by when authorities are to be told, what it rests on.
//!
//! Does not know: Markdown, HTML.

use super::blocks::Block::{self, Heading, List, Table, Text};
use super::draft::{Pen, number};

/// Rows of one table of estimates.
const ROWS: usize = 20;

impl Pen<'_> {
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
                "From a sample of {} requests of {} minutes, standing for about {}. Numbers are estimates. Networks that people with passes came from as well, or whose requests were mostly answered, are no indicators: whole providers share an address. Paths and browsers are given by whoever asks, and shown where the sample of a minute held them three times or more.",
                number(seen.sample),
                number(seen.minutes),
                number(seen.requests)
            )),
            Table(
                vec![
                    "Network",
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
            ("Rule or limit that decided", &seen.rules),
        ] {
            all.push(match rows.is_empty() {
                true => Text(format!("{what}: none came often enough to be kept.")),
                false => Table(vec![what, "Requests"], rows.iter().take(ROWS).map(named).collect()),
            });
        }
        all
    }

    pub fn notices(&self) -> Vec<Block> {
        let row = |n: &super::Notice| {
            vec![n.law.to_owned(), n.what.to_owned(), self.utc(n.due), self.local(n.due), n.applies.to_owned()]
        };
        let says = match self.report.notices.is_empty() {
            true => "None can be reckoned: nothing was detected in this span.",
            false => {
                "Reckoned from the moment of detection. Whether a law applies, and from when it counts, is for your lawyers to say."
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
