//! The files that a report rests on, with their hashes, and whether the journal is as it was written.
//!
//! Does not know: what stands in them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use similar::{ChangeTag, TextDiff};

use super::super::{Office, Version, totals};
use crate::report::{At, Evidence, Line, RulesChange};
use crate::{bounds, journal};

impl Office {
    pub(super) fn evidence(&self, from: u64, to: u64) -> Vec<Evidence> {
        let mut all = self.rules_then(from, to);
        let mut add = |what: &str, path: &Path| {
            // A day without one has none.
            if let Ok((bytes, sha256)) = self.hashed(path) {
                // Where a machine keeps them is nobody's business who reads a report.
                let name = path.strip_prefix(&self.state_dir).ok().or(path.file_name().map(Path::new));
                let file = name.map_or(String::new(), |name| name.display().to_string());
                all.push(Evidence { what: what.into(), file, bytes, sha256 });
            }
        };
        add("the settings' file", &self.config);
        add("the journal: who changed what", &journal::file_in(&self.state_dir));
        for day in totals::days_between(from, to) {
            let path = |kind: &str| self.totals_folder().join(format!("{day}.{kind}"));
            add("totals of each minute", &path("jsonl"));
            add("totals around changes of posture", &path("kept.jsonl"));
            add("what minutes were made of", &path("seen.jsonl"));
        }
        all
    }

    /// The rules that were in force, each version.
    fn rules_then(&self, from: u64, to: u64) -> Vec<Evidence> {
        let versions = self.versions();
        let first = versions.iter().rposition(|v| v.at <= from).unwrap_or(0);
        let then = versions[first..].iter().filter(|v| v.at <= to);
        let told = |v: &Version| Evidence {
            what: format!("version {} of the rules, in force from {}, by {}", v.version, At(v.at).timestamp(), v.who),
            file: format!("/api/v1/rules/history/{}", v.version),
            bytes: v.text.len() as u64,
            sha256: journal::sha256(v.text.as_bytes()),
        };
        then.map(told).collect()
    }

    /// What each version changed that came into force within the span.
    pub(super) fn changes(&self, (from, to): (u64, u64)) -> Vec<RulesChange> {
        let versions = self.versions();
        let then = versions.windows(2).filter(|pair| (from..=to).contains(&pair[1].at));
        let told = |pair: &[Version]| {
            let diff = TextDiff::from_lines(&pair[0].text, &pair[1].text);
            let line = |change: similar::Change<&str>| {
                let text = change.value().trim_end().to_owned();
                match change.tag() {
                    ChangeTag::Equal => None,
                    ChangeTag::Delete => Some(Line::Out(text)),
                    ChangeTag::Insert => Some(Line::In(text)),
                }
            };
            let lines = diff.iter_all_changes().filter_map(line).take(bounds::REPORT_CHANGES_KEPT).collect();
            RulesChange { version: pair[1].version, at: At(pair[1].at), who: pair[1].who.clone(), lines }
        };
        then.map(told).collect()
    }

    fn hashed(&self, path: &Path) -> io::Result<(u64, String)> {
        let mut file = File::open(path)?;
        let (mut context, mut bytes, mut piece) = (Context::new(&SHA256), 0, vec![0; 64 * 1024]);
        loop {
            let n = file.read(&mut piece)?;
            if n == 0 {
                let hash = context.finish();
                return Ok((bytes, hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()));
            }
            context.update(&piece[..n]);
            bytes += n as u64;
            self.house.breath.take();
        }
    }

    pub(super) fn checked_journal(&self) -> String {
        let path = journal::file_in(&self.state_dir);
        match journal::verify(&path) {
            Ok(lines) => format!("The journal was checked: {lines} lines, all as they were written."),
            Err(why) => {
                let why = why.replace(&path.display().to_string(), "the journal");
                format!("THE JOURNAL IS NOT AS IT WAS WRITTEN, or cannot be read: {why}.")
            }
        }
    }
}
