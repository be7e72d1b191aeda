//! What is kept, in memory and by bytes. An address has one place, with its variants in it; which address goes when
//! there is no room is moka's to say: whatever is asked for once does not drive out what is asked for often.

use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher, Hash as _, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::keep::Kept;
use super::reuse;
use super::turns::{Joined, Leader, Turns};
use super::vary::Asking;
use crate::bounds;
use crate::clock::Now;

/// The keyed hash of an address: nobody outside can find two that are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Key(pub u128);

/// Where an answer lies, as far as it differs from others by that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub portal: String,
    pub scheme: &'static str,
    /// Host and port, as the origin is asked for them.
    pub authority: String,
    pub path: String,
    pub query: Option<String>,
    /// What was fetched by boma's own word is kept apart: the same address may lie on two routes over time.
    pub own: bool,
}

/// The same, borrowed: what is kept is found without a copy.
#[derive(Clone, Copy, Hash)]
pub struct At<'a> {
    pub portal: &'a str,
    pub scheme: &'static str,
    pub authority: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub own: bool,
}

impl At<'_> {
    pub fn address(&self) -> Address {
        let At { portal, scheme, authority, path, query, own } = *self;
        let (portal, authority, path) = (portal.to_owned(), authority.to_owned(), path.to_owned());
        Address { portal, scheme, authority, path, query: query.map(str::to_owned), own }
    }
}

impl Address {
    pub fn at(&self) -> At<'_> {
        let Address { portal, scheme, authority, path, query, own } = self;
        At { portal, scheme, authority, path, query: query.as_deref(), own: *own }
    }
}

/// An address's place in the larder.
#[derive(Debug)]
pub struct Place {
    pub address: Arc<Address>,
    /// Newest first.
    list: Vec<Arc<Kept>>,
    /// Answers here are for one request each: until then (the clock's nanoseconds) nobody waits for another's.
    passes_until: u64,
}

impl Place {
    /// The answer for a request.
    pub fn select(&self, asking: &Asking<'_>, now: Now) -> Option<&Arc<Kept>> {
        self.list.iter().find(|kept| kept.selected.matches(asking)).filter(|kept| !reuse::is_over(kept, now))
    }

    /// Whether there are answers here for other requests.
    pub fn has_others(&self) -> bool {
        !self.list.is_empty()
    }

    pub fn passes(&self, now: Now) -> bool {
        now.mono < self.passes_until
    }

    /// The names by which answers here are selected.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().flat_map(|kept| kept.selected.names())
    }

    fn with(&self, kept: Arc<Kept>, now: Now) -> Place {
        let same = |other: &&Arc<Kept>| other.selected == kept.selected;
        let good = self.list.iter().find(same).is_some_and(|old| reuse::stands_in(old, now));
        // An error takes no good copy's place.
        if good && reuse::is_trouble(kept.status) {
            return Place { list: self.list.clone(), ..self.empty(self.passes_until) };
        }
        let mut list = vec![kept.clone()];
        list.extend(self.list.iter().filter(|other| other.selected != kept.selected).cloned());
        list.truncate(bounds::CACHE_VARIANTS);
        Place { list, ..self.empty(0) }
    }

    fn empty(&self, passes_until: u64) -> Place {
        Place { address: self.address.clone(), list: Vec::new(), passes_until }
    }

    fn weight(&self) -> u32 {
        let Address { portal, authority, path, query, .. } = &*self.address;
        let address = portal.len() + authority.len() + path.len() + query.as_ref().map_or(0, String::len);
        let all = 256 + address + self.list.iter().map(|kept| kept.weight()).sum::<usize>();
        u32::try_from(all).unwrap_or(u32::MAX)
    }
}

/// What is to be purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One path, with every query.
    Path(String),
    /// It and what lies below it, by whole names: of `/news` not `/newsletter`.
    Below(String),
    /// Whatever begins with it.
    Prefix(String),
    /// What its origin gave this tag (`Cache-Tag`, `Surrogate-Key`).
    Tag(String),
    All,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Path(path) => write!(f, "path {path}"),
            What::Below(path) => write!(f, "everything below {path}"),
            What::Prefix(prefix) => write!(f, "everything that begins with {prefix}"),
            What::Tag(tag) => write!(f, "tag {tag}"),
            What::All => f.write_str("everything"),
        }
    }
}

impl What {
    fn names(&self, address: &Address) -> bool {
        match self {
            What::Path(path) => address.path == *path,
            What::Below(path) => {
                let rest = address.path.strip_prefix(path.as_str());
                rest.is_some_and(|rest| path.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
            }
            What::Prefix(prefix) => address.path.starts_with(prefix),
            What::Tag(_) => false,
            What::All => true,
        }
    }
}

/// What a thread found of late: to see that nothing was changed since costs less than to look again. It holds nothing that is given up.
#[derive(Default)]
struct Near {
    edition: u64,
    key: Key,
    place: Weak<Place>,
    times: u8,
}

/// How many a thread has near by, and how often each is found there before it is looked for again.
const NEAR_BY: usize = 64;
const UNHEARD: u8 = 7;

fn new_edition() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// All that is kept.
pub struct Cache {
    places: moka::sync::Cache<u128, Arc<Place>, AsItIs>,
    turns: Arc<Turns>,
    keys: (u64, u64),
    /// Another number after each change, and never one that was there before, in whichever cache.
    edition: AtomicU64,
    /// Bytes of the largest answer that is kept.
    pub largest: usize,
}

impl Cache {
    /// `memory`: bytes of everything; `secret`: of this process.
    pub fn new(memory: u64, secret: [u8; 16]) -> Cache {
        let word = |at: usize| secret[at..at + 8].iter().fold(0, |n, b| n << 8 | u64::from(*b));
        let places = moka::sync::Cache::builder()
            .max_capacity(memory)
            .weigher(|_: &u128, place: &Arc<Place>| place.weight())
            .build_with_hasher(AsItIs);
        let largest = bounds::CACHE_ANSWER_BYTES.min((memory / bounds::CACHE_ANSWER_SHARE) as usize);
        let edition = AtomicU64::new(new_edition());
        Cache { places, turns: Arc::new(Turns::default()), keys: (word(0), word(8)), edition, largest }
    }

    pub fn key(&self, at: At<'_>) -> Key {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        at.hash(&mut hasher);
        Key(hasher.finish128().as_u128())
    }

    pub fn find(&self, key: Key) -> Option<Arc<Place>> {
        thread_local!(static NEAR: RefCell<[Near; NEAR_BY]> = RefCell::new(std::array::from_fn(|_| Near::default())));
        let edition = self.edition.load(Ordering::Acquire);
        NEAR.with_borrow_mut(|near| {
            let near = &mut near[key.0 as usize % NEAR_BY];
            // What is asked for often moka has to hear of, or it would give it up before others.
            if (near.edition, near.key) == (edition, key) && near.times < UNHEARD {
                near.times += 1;
                if let Some(place) = near.place.upgrade() {
                    return Some(place);
                }
            }
            let place = self.places.get(&key.0)?;
            *near = Near { edition, key, place: Arc::downgrade(&place), times: 0 };
            Some(place)
        })
    }

    /// What threads have near by is no longer so.
    fn changed(&self) {
        self.edition.store(new_edition(), Ordering::Release);
    }

    fn forget(&self, key: u128) {
        self.places.invalidate(&key);
        self.changed();
    }

    /// Keeps an answer.
    pub fn put(&self, key: Key, address: &Arc<Address>, kept: Arc<Kept>, now: Now) {
        self.change(key, address, |place| place.with(kept, now));
    }

    /// Keeps what was fetched for many, unless it was made void on its way; that may happen in this very moment.
    pub fn put_for(&self, leader: Option<&Leader>, key: Key, address: &Arc<Address>, kept: Arc<Kept>, now: Now) {
        let is_void = || leader.is_some_and(Leader::is_void);
        if is_void() {
            return;
        }
        self.put(key, address, kept, now);
        if is_void() {
            self.forget(key.0);
        }
    }

    /// Notes that answers here are for one request each.
    pub fn pass(&self, key: Key, address: &Arc<Address>, now: Now) {
        let until = now.mono.saturating_add(bounds::CACHE_PASS.as_nanos() as u64);
        self.change(key, address, |place| Place { list: place.list.clone(), ..place.empty(until) });
    }

    fn change(&self, key: Key, address: &Arc<Address>, change: impl FnOnce(&Place) -> Place) {
        self.places.entry(key.0).and_upsert_with(|old| {
            let none = Place { address: address.clone(), list: Vec::new(), passes_until: 0 };
            Arc::new(change(old.as_ref().map_or(&none, |entry| entry.value())))
        });
        self.changed();
    }

    /// Forgets an address, and whatever is on its way to it.
    pub fn void(&self, address: &Address) {
        for own in [false, true] {
            let address = Address { own, ..address.clone() };
            self.turns.void(|of| *of == address);
            self.forget(self.key(address.at()).0);
        }
    }

    /// Forgets what is named; gives how many answers that were.
    pub fn purge(&self, portal: Option<&str>, what: &What) -> usize {
        let here = |address: &Address| portal.is_none_or(|p| p == address.portal);
        // A tag is known only when its answer has come.
        let tagged = matches!(what, What::Tag(_));
        self.turns.void(|address| here(address) && (tagged || what.names(address)));
        let mut gone = 0;
        for (key, place) in self.places.iter().filter(|(_, place)| here(&place.address)) {
            match what {
                What::Tag(tag) => {
                    let list: Vec<_> = place.list.iter().filter(|k| !k.tags.contains(tag)).cloned().collect();
                    let less = place.list.len() - list.len();
                    if less > 0 {
                        gone += less;
                        self.forget(*key);
                    }
                }
                _ if what.names(&place.address) => {
                    gone += place.list.len();
                    self.forget(*key);
                }
                _ => {}
            }
        }
        gone
    }

    /// How many addresses are kept, and their bytes.
    pub fn holds(&self) -> (u64, u64) {
        self.places.run_pending_tasks();
        (self.places.entry_count(), self.places.weighted_size())
    }

    /// Waits for whoever fetches the same already, or is to fetch it. Where answers here differ by fields, the same is
    /// what agrees in those. What boma fetches as nobody differs by nothing but its encoding, whether anything is kept yet or not.
    pub fn join(&self, key: Key, address: &Arc<Address>, place: Option<&Place>, asking: &Asking<'_>) -> Joined {
        let place = place.filter(|_| !address.own);
        let mut names: Vec<String> = place.into_iter().flat_map(|p| p.names()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        // What an origin gives by its own word may be one answer for all, and nobody knows before the first has come.
        (key.0, asking.encoding.filter(|_| address.own)).hash(&mut hasher);
        super::vary::Selected::by(&names, asking).stamp(&mut hasher);
        self.turns.join(hasher.finish128().as_u128(), address)
    }

    /// Bytes of answers that come in to be kept, in all; whether there is room for so many more.
    pub fn gathers(&self, bytes: usize) -> bool {
        self.turns.gathers(bytes)
    }

    pub fn gathered(&self, bytes: usize) {
        self.turns.gathered(bytes);
    }
}

/// Keys are hashes already.
#[derive(Clone, Copy, Default)]
pub struct AsItIs;

pub struct Low(u64);

impl BuildHasher for AsItIs {
    type Hasher = Low;
    fn build_hasher(&self) -> Low {
        Low(0)
    }
}

impl Hasher for Low {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }
    fn write_u128(&mut self, n: u128) {
        self.0 = n as u64;
    }
}
