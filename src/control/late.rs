//! A state directory that came after the start, as where a disk is mounted late: what it holds of bans, measures, incidents and
//! words of services is put beside what came since, before anything is written over. Where both speak of one thing the newer word
//! holds, which is the one in memory.
//!
//! Does not know: where rows lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Office;
use crate::ban::Ban;
use crate::incident::Incident;
use crate::store::{Rows, Table};

impl Office {
    pub(super) fn take_up(&self, mut rows: Rows) {
        let mut of = |table| rows.remove(&table).unwrap_or_default();
        let (bans, measures) = (of(Table::Bans), of(Table::Measures));
        let (incidents, wordings) = (of(Table::Incidents), of(Table::Wordings));
        let all = [bans.len(), measures.len(), incidents.len(), wordings.len()];
        if all == [0; 4] {
            return;
        }
        // No change passes by meanwhile.
        let _desk = self.desk();
        let held: BTreeMap<String, Ban> =
            self.house.bans.list(self.house.now().unix()).into_iter().map(|ban| (ban.key(), ban)).collect();
        let longer = |row: &[u8], than: &Ban| serde_json::from_slice::<Ban>(row).is_ok_and(|b| b.until > than.until);
        let counts = |(key, row): &(String, Vec<u8>)| held.get(key).is_none_or(|ban| longer(row, ban));
        self.restore_bans(bans.into_iter().filter(counts).collect());
        let live = self.live_measures();
        self.restore_measures(measures.into_iter().filter(|(name, _)| !live.iter().any(|m| m.name == *name)).collect());
        self.join_wordings(wordings);
        self.join_incidents(incidents);
        let [bans, measures, incidents, _] = all;
        let what = format!("{bans} bans, {measures} measures and {incidents} incidents");
        self.house.trouble(format!("{what} are taken up from the state directory, which came after the start"));
    }

    fn join_wordings(&self, rows: Vec<(String, Vec<u8>)>) {
        let since = self.house.wordings.load_full();
        self.restore_wordings(rows);
        let mut all = BTreeMap::clone(&self.house.wordings.load());
        all.extend(since.iter().map(|(portal, said)| (portal.clone(), said.clone())));
        self.house.wordings.store(Arc::new(all));
        self.tell();
    }

    /// Incidents that were opened since get numbers after those of before, which citizens may have read.
    fn join_incidents(&self, rows: Vec<(String, Vec<u8>)>) {
        let since = self.house.incidents.load_full();
        self.restore_incidents(rows);
        let mut all = Vec::clone(&self.house.incidents.load());
        let last = all.last().map_or(0, |incident| incident.id);
        all.extend(since.iter().map(|i| Arc::new(Incident { id: last + i.id, ..Incident::clone(i) })));
        self.house.incidents.store(Arc::new(all));
        self.tell();
    }
}
