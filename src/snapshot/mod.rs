//! Pages for bad days. [`judge`] says whether an answer to boma's own fetch may be kept for everybody, and makes a [`Copy`] of
//! it: washed of what is its visitor's alone, and packed. The [`Board`] holds them ready to be served, by portal and exact
//! address; [`Seals`] signs what is kept of them over a restart.
//!
//! A snapshot is fetched without cookies, so it holds nobody's session; what an answer sets for its own visitor is
//! left out, and a page that repeats such a value is refused.
//!
//! Does not know: how a page is fetched, where rows are kept, how the banner looks.

mod address;
mod copy;
mod judge;
mod robots;
mod rows;
mod session;
pub mod sitemap;
mod style;
mod wash;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use copy::Place;

pub use address::Site;
pub use copy::{About, Copy, Dressed, Hole, Words};
pub use judge::{Asked, How, Judged, Lead, Refused, judge, wants_https};
pub use robots::Robots;
pub use rows::{Kept, Lost, Manifest, Row, Seals, parse_row_key, row_key};
pub use session::{Sessions, plain_address};
pub use wash::{Washed, page as wash_page};

use crate::bounds;

/// What is held of one address.
pub struct Page {
    /// The newest first; one at least.
    versions: Vec<Arc<Copy>>,
    /// Another page needs it; it is none that people go to.
    pub part: bool,
    /// When the newest was last what the origin gave, seconds since the Unix epoch.
    checked: AtomicU64,
    /// And as was last written down.
    noted: AtomicU64,
    dressed: ArcSwapOption<Worn>,
}

/// A page as it was last served.
struct Worn {
    /// What its words were made of.
    stamp: (u64, u64),
    dressed: Dressed,
    plain: ArcSwapOption<Plain>,
}

/// A page unpacked, counted while it is held.
struct Plain {
    body: Bytes,
    held: Arc<AtomicUsize>,
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.held.fetch_sub(self.body.len(), Ordering::Relaxed);
    }
}

impl Page {
    pub fn new(versions: Vec<Arc<Copy>>, part: bool, checked: u64) -> Option<Page> {
        let (checked, noted) = (AtomicU64::new(checked), AtomicU64::new(checked));
        (!versions.is_empty()).then_some(Page { versions, part, checked, noted, dressed: ArcSwapOption::empty() })
    }

    pub fn versions(&self) -> &[Arc<Copy>] {
        &self.versions
    }

    pub fn newest(&self) -> &Arc<Copy> {
        &self.versions[0]
    }

    /// When the origin last gave this page so, seconds since the Unix epoch.
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// The origin gave it so again; whether that is to be written down.
    pub fn check(&self, now: u64) -> bool {
        self.checked.store(now, Ordering::Relaxed);
        let due = now.saturating_sub(self.noted.load(Ordering::Relaxed)) >= bounds::SNAPSHOT_NOTED.as_secs();
        if due {
            self.noted.store(now, Ordering::Relaxed);
        }
        due
    }

    fn weight(&self) -> usize {
        // The newest is held twice once it was served.
        self.newest().weight() + self.versions.iter().map(|v| v.weight()).sum::<usize>()
    }
}

/// A page's body as it goes out, and what tells it from others, whoever reads it.
pub struct Served {
    body: Bytes,
    pub packed: bool,
    pub mark: String,
    code: Option<Place>,
}

impl Served {
    /// Whether each answer holds a code of its own.
    pub fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// The body as it is for everybody; zeros stand in the place of a code. It has the length of every answer.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body with a code in its place, in pieces of which all that is long is shared with every other answer; `None` where it
    /// has no place for it.
    pub fn with(&self, code: &str) -> Option<[Bytes; 4]> {
        let place = self.code.as_ref().filter(|place| place.width() == code.len())?;
        Some(place.with(&self.body, self.packed, code.as_bytes()))
    }
}

type Pages = HashMap<Arc<str>, Arc<Page>>;

/// All snapshots, by portal and address.
#[derive(Default)]
pub struct Board {
    portals: ArcSwap<HashMap<String, Arc<Pages>>>,
    /// Bytes of pages that are held unpacked.
    plain: Arc<AtomicUsize>,
    bytes: AtomicUsize,
}

/// One address on the board, for lists.
pub struct Listed {
    pub portal: String,
    pub address: Arc<str>,
    pub page: Arc<Page>,
}

impl Board {
    pub fn find(&self, portal: &str, address: &str) -> Option<Arc<Page>> {
        self.portals.load().get(portal)?.get(address).cloned()
    }

    /// Puts pages of one portal up, in the place of those that are there; gives back the addresses for which the bounds leave no room.
    pub fn put(&self, portal: &str, pages: Vec<(Arc<str>, Page)>) -> Vec<Arc<str>> {
        let mut all = HashMap::clone(&self.portals.load());
        let mut mine = all.get(portal).map_or_else(Pages::default, |p| Pages::clone(p));
        let mut without = Vec::new();
        let mut bytes = self.bytes.load(Ordering::Relaxed);
        for (address, mut page) in pages {
            let old = mine.get(&address).map_or(0, |p| p.weight());
            let most = bounds::SNAPSHOTS_BYTES + old - bytes.min(bounds::SNAPSHOTS_BYTES);
            // Earlier versions give way before a page stays away.
            while page.versions.len() > 1 && page.weight() > most {
                page.versions.pop();
            }
            let room =
                mine.contains_key(&address) || mine.len() < bounds::SNAPSHOTS_PER_PORTAL + bounds::SNAPSHOT_PARTS;
            if room && page.weight() <= most {
                bytes = bytes - old + page.weight();
                mine.insert(address, Arc::new(page));
            } else {
                without.push(address);
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        all.insert(portal.to_owned(), Arc::new(mine));
        self.portals.store(Arc::new(all));
        without
    }

    /// Takes down what `keep` does not want any more; gives what was taken down.
    pub fn retain(&self, keep: impl Fn(&str, &str, &Page) -> bool) -> Vec<Listed> {
        let mut all = HashMap::clone(&self.portals.load());
        let mut gone = Vec::new();
        for (portal, pages) in &mut all {
            let out: Vec<Listed> = pages
                .iter()
                .filter(|(address, page)| !keep(portal, address, page))
                .map(|(address, page)| Listed { portal: portal.clone(), address: address.clone(), page: page.clone() })
                .collect();
            if !out.is_empty() {
                let mut left = Pages::clone(pages);
                out.iter().for_each(|e| drop(left.remove(&e.address)));
                *pages = Arc::new(left);
            }
            gone.extend(out);
        }
        if !gone.is_empty() {
            self.bytes.fetch_sub(gone.iter().map(|e| e.page.weight()).sum(), Ordering::Relaxed);
            self.portals.store(Arc::new(all));
        }
        gone
    }

    /// Every address, in order.
    pub fn list(&self) -> Vec<Listed> {
        let all = self.portals.load();
        let of = |(portal, pages): (&String, &Arc<Pages>)| {
            let one = |(address, page): (&Arc<str>, &Arc<Page>)| Listed {
                portal: portal.clone(),
                address: address.clone(),
                page: page.clone(),
            };
            pages.iter().map(one).collect::<Vec<_>>()
        };
        let mut list: Vec<Listed> = all.iter().flat_map(of).collect();
        list.sort_by(|a, b| (&a.portal, &a.address).cmp(&(&b.portal, &b.address)));
        list
    }

    pub fn len(&self) -> usize {
        self.portals.load().values().map(|p| p.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all that is held.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A page as it is served: with the words that `fill` gives for its holes, which are asked for anew where `stamp` is another
    /// or the page was checked since. `None` where what is held does not unpack.
    pub fn serve<W: Into<Words>>(
        &self,
        page: &Page,
        stamp: u64,
        gzip: bool,
        fill: impl FnMut(Hole) -> W,
    ) -> Option<Served> {
        let stamp = (stamp, page.checked());
        let worn = match page.dressed.load_full().filter(|worn| worn.stamp == stamp) {
            Some(worn) => worn,
            None => {
                let worn = Worn { stamp, dressed: page.newest().dress(fill), plain: ArcSwapOption::empty() };
                let worn = Arc::new(worn);
                page.dressed.store(Some(worn.clone()));
                worn
            }
        };
        let Dressed { body, packed, mark, plain, code } = &worn.dressed;
        let served = |body, packed: bool| Served {
            body,
            packed,
            mark: format!("{mark:08x}-{plain:x}{}", if packed { "z" } else { "" }),
            code: code.clone(),
        };
        if gzip || !packed {
            return Some(served(body.clone(), *packed));
        }
        let body = match worn.plain.load_full() {
            Some(plain) => plain.body.clone(),
            None => self.unpacked(&worn)?,
        };
        Some(served(body, false))
    }

    fn unpacked(&self, worn: &Worn) -> Option<Bytes> {
        let body = worn.dressed.unpacked()?;
        let held = self.plain.fetch_add(body.len(), Ordering::Relaxed) + body.len();
        // It is taken off again with what it is counted in.
        let plain = Plain { body: body.clone(), held: self.plain.clone() };
        if held <= bounds::SNAPSHOTS_PLAIN_BYTES {
            worn.plain.store(Some(Arc::new(plain)));
        }
        Some(body)
    }
}

#[cfg(test)]
mod tests;
