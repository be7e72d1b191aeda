//! What was done is noted: in the journal, the log, the feed and the history that `status` shows.
//!
//! Does not know: how a change is made.

use serde_json::Value;

use super::anew::NO_JOURNAL;
use super::change::{Applied, Rejected, Who};
use super::{Desk, Entry, Office};
use crate::bounds;
use crate::journal::Note;
use crate::store::Table;
use crate::telemetry::Kind;

impl Office {
    pub(super) fn note(
        &self,
        desk: &mut Desk,
        who: &Who,
        (kind, what, until): (Kind, String, Option<u64>),
        text: Option<&str>,
        outcome: &Result<Applied, Rejected>,
    ) {
        let said = match outcome {
            Ok(applied) if !applied.changed => return,
            Ok(applied) => format!("applied, generation {}", applied.generation),
            Err(Rejected::Faults(faults)) => {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                format!("rejected, {} faults, the first: {first}", faults.len())
            }
            Err(Rejected::Stale { .. }) => "rejected: made from an older generation".into(),
            Err(Rejected::ReadOnly(why)) => format!("rejected: the file cannot be written ({why})"),
            Err(Rejected::Leaving) => "rejected: another process has taken over".into(),
            Err(Rejected::Harmful(why) | Rejected::Unknown(why) | Rejected::NotNow(why)) => format!("rejected: {why}"),
        };
        if outcome.is_ok() {
            tracing::info!(%who, what, outcome = said, "change applied");
        } else {
            tracing::error!(%who, what, outcome = said, "change rejected");
            if let Err(Rejected::Faults(faults)) = outcome {
                faults.iter().take(bounds::HISTORY).for_each(|fault| tracing::error!("{fault}"));
            }
        }
        let about = outcome.as_ref().ok().and_then(|applied| applied.about.as_ref());
        let at = self.write_note(desk, who, (kind, &what, until), (text, about), &said);
        let name = who.to_string();
        self.house.feed.tell(at, kind, &name, &what, &said);
        desk.history.push(Entry { at, who: name, what, outcome: said });
        if desk.history.len() > bounds::HISTORY {
            desk.history.remove(0);
        }
    }

    /// Writes into the journal what is no change and yet should be read there later.
    pub(super) fn record(&self, who: &Who, what: (Kind, &str, Option<u64>), text: Option<&str>, outcome: &str) {
        self.write_note(&mut self.desk(), who, what, (text, None), outcome);
    }

    /// When it is, seconds since the Unix epoch.
    fn write_note(
        &self,
        desk: &mut Desk,
        who: &Who,
        (kind, what, until): (Kind, &str, Option<u64>),
        (text, about): (Option<&str>, Option<&Value>),
        outcome: &str,
    ) -> u64 {
        let at = self.house.now().unix();
        let name = who.to_string();
        let note = Note { at, who: &name, what, outcome, kind: kind.as_str(), until, text, about };
        let written = desk.journal.as_mut().map(|j| j.append(note));
        self.put_journal_end(desk);
        match written {
            Some(Err(e)) => {
                self.house.trouble(format!("{NO_JOURNAL} cannot be written ({e}): its lines wait in memory"))
            }
            Some(Ok(())) => self.journal_is_whole(),
            None => {}
        }
        at
    }

    /// How long the journal is and how it ends, so that nobody cuts it while boma is down.
    pub(super) fn put_journal_end(&self, desk: &Desk) {
        if let Some(journal) = &desk.journal {
            let row = serde_json::to_vec(&journal.end()).unwrap_or_default();
            self.house.store.put_surely(Table::Standing, "journal", row);
        }
    }

    pub(super) fn journal_is_whole(&self) {
        self.house.untrouble(|t| t.starts_with(NO_JOURNAL) && t.contains("cannot be written"));
    }
}
