//! Earlier versions of the rules file, to be looked at and gone back to.
//!
//! Does not know: what rules mean.

use serde::{Deserialize, Serialize};

use super::change::{Applied, Force, Rejected};
use super::{Desk, Office, Who};
use crate::bounds;
use crate::store::Table;

/// A text that was in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// From 1 on; over restarts too.
    pub version: u64,
    /// Seconds since the Unix epoch.
    pub at: u64,
    pub who: String,
    pub text: String,
}

/// The key of the generation in the table of standing.
pub const GENERATION: &str = "generation";

impl Office {
    /// Generations never go back, over restarts neither: a draft made from the rules of before would seem to be made from
    /// others.
    pub(super) fn keep_generation(&self) {
        let generation = self.house.law.load().generation;
        self.house.store.put_surely(Table::Standing, GENERATION, generation.to_string().into_bytes());
    }

    /// All that are kept, the oldest first; the last one is in force.
    pub fn versions(&self) -> Vec<Version> {
        self.desk().versions.clone()
    }

    /// Keeps the rules in force as a version, unless they are the last one.
    pub(super) fn keep_version(&self, desk: &mut Desk, who: &Who) {
        let law = self.house.law.load();
        let text = law.rules.text();
        if desk.versions.last().is_some_and(|v| v.text == text) {
            return;
        }
        let version = Version {
            version: desk.versions.last().map_or(1, |v| v.version + 1),
            at: self.house.now().unix(),
            who: who.to_string(),
            text: text.to_owned(),
        };
        self.put_version(&version);
        desk.versions.push(version);
        while desk.versions.len() > bounds::VERSIONS {
            let oldest = desk.versions.remove(0);
            self.house.store.remove_surely(Table::Versions, &key(&oldest));
        }
    }

    fn put_version(&self, version: &Version) {
        self.house.store.put_surely(Table::Versions, &key(version), serde_json::to_vec(version).unwrap_or_default());
    }

    pub(super) fn put_versions(&self, desk: &Desk) {
        desk.versions.iter().for_each(|version| self.put_version(version));
    }

    /// The text of an earlier version; without a number, of the one before what is in force.
    pub(super) fn version_text(&self, desk: &Desk, wanted: Option<u64>) -> Result<String, Rejected> {
        let found = match wanted {
            Some(n) => desk.versions.iter().find(|v| v.version == n),
            None => desk.versions.iter().rev().nth(1),
        };
        let missing = || match wanted {
            Some(n) => format!("there is no version {n} of the rules: `boma rules history` lists them"),
            None => "there is no version of the rules before this one".to_owned(),
        };
        found.map(|v| v.text.clone()).ok_or_else(|| Rejected::Unknown(missing()))
    }

    /// Goes back to an earlier version, which becomes the newest one.
    pub(super) fn roll_back(&self, desk: &mut Desk, wanted: Option<u64>, force: &Force) -> Result<Applied, Rejected> {
        let text = self.version_text(desk, wanted)?;
        let generation = self.house.law.load().generation;
        self.staff_rules(desk, &text, generation, force)
    }

    pub(super) fn restore_versions(&self, rows: Vec<(String, Vec<u8>)>) {
        let mut desk = self.desk();
        desk.versions = rows.iter().filter_map(|(_, row)| serde_json::from_slice(row).ok()).collect();
        desk.versions.sort_by_key(|v| v.version);
        self.keep_version(&mut desk, &Who::File);
    }
}

fn key(version: &Version) -> String {
    format!("{:012}", version.version)
}
