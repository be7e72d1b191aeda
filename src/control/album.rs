//! The album: snapshots on the board and in the store. What is taken goes up and is written down, what is not wanted any more
//! comes down, and what was kept over a restart is put up again.
//!
//! Does not know: how a page is fetched, when one is due.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::{Office, Who};
use crate::bounds;
use crate::portal::Portal;
use crate::snapshot::{Copy, Listed, Page, Row, row_key};
use crate::store::Table;
use crate::telemetry::Kind;

/// What became of a good copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    New,
    /// The origin gave the same as before.
    Unchanged,
    NoRoom,
}

/// How the snapshots of one portal stand.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Album {
    pub portal: String,
    /// `waiting`, `taking`, or `paused` where the posture spares the origin or the origin is busy.
    pub state: &'static str,
    /// When the last round that came to its end did so, seconds since the Unix epoch.
    pub ended: Option<u64>,
    /// Of the round under way, or else of the last: pages and parts that were asked for, and how many fetches failed.
    pub pages: usize,
    pub parts: usize,
    pub failed: usize,
    /// Why the last round broke off.
    pub broke_off: Option<String>,
    /// Addresses that were refused in it, and why.
    pub refused: Vec<Refusal>,
    /// Pages that lack the text by which they are known, or are too small.
    pub unexpected: BTreeSet<String>,
    /// What staff want taken anew, soon: everything, or some addresses.
    #[serde(skip)]
    pub wanted: Option<Vec<String>>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    pub address: String,
    pub why: String,
}

/// How many refusals are told of.
const REFUSALS: usize = 200;

impl Album {
    pub fn refuse(&mut self, address: &str, why: String) {
        if self.refused.len() < REFUSALS {
            self.refused.push(Refusal { address: address.to_owned(), why });
        }
    }
}

impl Office {
    /// Puts up again what was kept over the restart.
    pub(super) fn restore_snapshots(&self, manifests: Vec<Row>, copies: Vec<Row>) {
        let house = &self.house;
        let (kept, lost) = house.seals.restore(manifests, copies);
        if lost.damaged > 0 {
            house.trouble(format!(
                "{} snapshots in the store were damaged, or not made by this boma: they are left out and taken again",
                lost.damaged
            ));
        }
        lost.manifests.iter().for_each(|key| house.store.remove(Table::Snapshots, key));
        lost.copies.iter().for_each(|key| house.store.remove(Table::Copies, key));
        let mut by_portal: HashMap<String, Vec<(Arc<str>, Page)>> = HashMap::new();
        for page in kept {
            by_portal.entry(page.portal).or_default().push((page.address, page.page));
        }
        for (portal, pages) in by_portal {
            let without = house.board.put(&portal, pages);
            if !without.is_empty() {
                house.trouble(no_room(&portal, without.len()));
            }
        }
        self.take_down(&house.town.load().portals.list);
    }

    /// Puts a good copy up and writes it down. Waits for the store's queue: not for a thread that others wait for.
    pub(super) fn keep_copy(&self, portal: &str, address: &Arc<str>, copy: Copy, part: bool) -> Kept {
        let (house, now) = (&self.house, copy.about.taken);
        let key = row_key(portal, address);
        let old = house.board.find(portal, address);
        if let Some(page) = old.as_ref().filter(|page| page.newest().same(&copy)) {
            if page.check(now) {
                let ((name, manifest), _) = house.seals.manifest(&key, page);
                house.store.put_surely(Table::Snapshots, &name, manifest);
            }
            return Kept::Unchanged;
        }
        let before = old.iter().flat_map(|page| page.versions()).cloned();
        let versions: Vec<Arc<Copy>> =
            std::iter::once(Arc::new(copy)).chain(before).take(bounds::SNAPSHOT_VERSIONS).collect();
        let Some(page) = Page::new(versions, part, now) else { return Kept::NoRoom };
        if !house.board.put(portal, vec![(address.clone(), page)]).is_empty() {
            return Kept::NoRoom;
        }
        let Some(page) = house.board.find(portal, address) else { return Kept::NoRoom };
        self.write_down(&key, &page, old.as_deref());
        Kept::New
    }

    /// First the new version, then the manifest that names it, then away with what is named no more: whenever the power goes, every
    /// manifest finds what it names.
    fn write_down(&self, key: &str, page: &Page, old: Option<&Page>) {
        let house = &self.house;
        let ((name, manifest), copies) = house.seals.manifest(key, page);
        let named: BTreeSet<String> = copies.iter().map(|(key, _)| key.clone()).collect();
        let before: BTreeSet<String> = old
            .map(|old| house.seals.manifest(key, old).1)
            .unwrap_or_default()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        for (key, row) in copies.into_iter().filter(|(key, _)| !before.contains(key)) {
            house.store.put_surely(Table::Copies, &key, row);
        }
        house.store.put_surely(Table::Snapshots, &name, manifest);
        before.difference(&named).for_each(|key| house.store.remove_surely(Table::Copies, key));
    }

    /// Puts all copies into the store again.
    pub(super) fn put_snapshots(&self) {
        for Listed { portal, address, page } in self.house.board.list() {
            self.write_down(&row_key(&portal, &address), &page, None);
        }
    }

    /// Takes down what no portal's settings allow any more.
    pub(super) fn take_down(&self, portals: &[Arc<Portal>]) {
        let allowed = |portal: &Portal, address: &str| {
            let path = address.split('?').next().unwrap_or(address);
            portal.keeps_copies() && portal.routes.find(&crate::path::for_matching(path)).1.fallback.has_copies()
        };
        self.take_off(|name, address, _| portals.iter().any(|p| p.name == name && allowed(p, address)));
    }

    /// Takes down what `keep` does not want, here and in the store.
    pub(super) fn take_off(&self, keep: impl Fn(&str, &str, &Page) -> bool) {
        for Listed { portal, address, page } in self.house.board.retain(keep) {
            let key = row_key(&portal, &address);
            let ((name, _), copies) = self.house.seals.manifest(&key, &page);
            self.house.store.remove(Table::Snapshots, &name);
            copies.iter().for_each(|(key, _)| self.house.store.remove(Table::Copies, key));
        }
    }

    /// A page lacks what it is known by, or has it again: an alarm for as long as any page of the portal does.
    pub(super) fn expected(&self, portal: &str, address: &str, is: bool) {
        let (began, ended) = {
            let mut albums = self.albums();
            let unexpected = &mut albums.entry(portal.to_owned()).or_default().unexpected;
            match is {
                false => (unexpected.insert(address.to_owned()) && unexpected.len() == 1, false),
                true => (false, unexpected.remove(address) && unexpected.is_empty()),
            }
        };
        let begins = format!("pages of portal {portal} are not as expected: ");
        if began {
            let why =
                "it lacks the text by which it is known (`expect`), or is too small: empty, defaced, or another page?";
            let trouble = format!("{begins}{address} first; {why} The copy from before stays");
            self.record(&Who::Clock, (Kind::Trouble, &trouble, None), None, "holds");
            self.house.trouble(trouble);
        }
        if ended {
            self.record(&Who::Clock, (Kind::Trouble, &format!("{begins}{address} last"), None), None, "over");
            self.house.untrouble(|t| t.starts_with(&begins));
        }
    }
}

pub(super) fn no_room(portal: &str, pages: usize) -> String {
    format!("no room for {pages} snapshots of portal {portal}: fewer must be wanted (snapshot.pages, snapshot.depth)")
}
