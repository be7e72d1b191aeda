//! What was changed in the rules file within a span, line by line.
//!
//! Does not know: what rules mean, where versions are kept.

use serde::Serialize;

use super::At;
use super::blocks::Block::{self, Heading, Table, Text};
use super::draft::{Pen, number};
use crate::bounds;

/// One line that was taken out or put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    Out(String),
    In(String),
}

/// A version of the rules beside the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RulesChange {
    pub version: u64,
    pub at: At,
    pub who: String,
    pub lines: Vec<Line>,
}

impl Pen<'_> {
    pub fn changes(&self) -> Vec<Block> {
        let changes = &self.report.changes;
        let heading = Heading("Changes of the rules");
        if changes.is_empty() {
            return vec![heading, Text("The rules file stayed as it was.".into())];
        }
        let told =
            changes.iter().map(|c| format!("version {}, in force from {}, by {}", c.version, self.utc(c.at), c.who));
        let mut all =
            vec![heading, Text(format!("From the versions that are kept: {}.", told.collect::<Vec<_>>().join("; ")))];
        let row = |version: u64, line: &Line| {
            let (what, text) = match line {
                Line::Out(text) => ("taken out", text),
                Line::In(text) => ("put in", text),
            };
            vec![version.to_string(), what.to_owned(), text.clone()]
        };
        let mut rows: Vec<_> =
            changes.iter().flat_map(|c| c.lines.iter().map(move |line| row(c.version, line))).collect();
        let more = rows.len().saturating_sub(bounds::REPORT_CHANGES);
        rows.truncate(bounds::REPORT_CHANGES);
        all.push(Table(vec!["Version", "Change", "Line"], rows));
        if more > 0 {
            all.push(Text(format!("{} more lines: `boma rules diff` shows them.", number(more as u64))));
        }
        all
    }
}
