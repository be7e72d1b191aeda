//! One request's visit: the clock and the law pinned once, and what becomes known on the way.
//!
//! Does not know: policy.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::admit::Gate;
use crate::bots::{Claim, Standing};
use crate::client::Client;
use crate::clock::Now;
use crate::facts::{Kind, Pass};
use crate::force::{House, Law, Town};
use crate::habit::Usual;
use crate::limit::{Entered, Tally};
use crate::pages::Choice;
use crate::places::Country;
use crate::plan::{Effects, Level, Plan};
use crate::portal::{Portal, Route};
use crate::posture::Signals;
use crate::waiting::Room;
use crate::wire::Arrival;

/// Whether a request has to wait for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queue {
    Never,
    /// Where its gate is full, or others wait.
    IfFull,
    /// This rule says so.
    Rule(String),
}

pub struct Visit<'h> {
    pub house: &'h House,
    pub id: String,
    pub now: Now,
    pub law: Pinned<Law>,
    pub town: Pinned<Town>,
    pub client: Client,
    /// How the request came in; a trusted peer may say otherwise for the citizen.
    pub arrival: Arrival,
    pub level: Level,
    /// Index of the portal, once the host is known.
    pub portal: Option<usize>,
    pub route: usize,
    pub kind: Kind,
    pub pass: Option<Pass>,
    /// It calls itself a good bot.
    pub claim: Option<Claim>,
    /// The level of pass that a challenge asks for.
    pub needed: u8,
    /// Where the client is, where a rule asks.
    pub country: Option<Country>,
    pub asn: Option<u32>,
    pub language: usize,
    pub choice: Choice,
    pub queue: Queue,
    /// There is a copy for it, if the origin has no room.
    pub spared: bool,
    /// It asks for an address that the portal has, as it has it: nothing of its query was left out.
    pub exact: bool,
    /// It is taken for one of a person's first pages although no pass says so that counts now.
    pub first: bool,
    /// It is let in by a place in line.
    pub called: bool,
    /// The rule or limit that decided, and those that only tell.
    pub rule: Option<String>,
    pub noted: Vec<String>,
    pub reference: Option<String>,
    /// The challenge that was issued is one of many that nobody in the network has answered.
    pub unheard: bool,
    pub cache: Option<&'static str>,
    /// What answers was kept in the cache.
    pub from_cache: bool,
    /// There is a fresh answer in the cache: no posture asks for a pass.
    pub fresh: bool,
    /// It was answered before anything was spent.
    pub free: bool,
    /// The request may change something at the origin, so a failure leaves its fate unknown.
    pub unsafe_sent: bool,
    /// Of the limits that it counts on those that it has taken from, by their order.
    pub spent: u64,
    /// What is spent when the answer is one that counts, and what counts until it has gone out.
    pub tallies: Vec<Tally>,
    pub entered: Vec<Entered>,
    /// As the log shows them.
    pub host: Rc<str>,
    pub path: Rc<str>,
}

/// Shared by all workers, and counted among the visits of one.
#[allow(clippy::redundant_allocation)]
pub type Pinned<T> = Rc<Arc<T>>;

/// The law and the town by which a worker's visits go. Were each counted by the visit itself, all workers would write to the same
/// two counts on every request; so the worker counts once, and its visits among themselves.
pub struct Pins {
    law: RefCell<Pin<Law>>,
    town: RefCell<Pin<Town>>,
}

struct Pin<T> {
    /// Whether it is still in force is seen without a write.
    newest: Cache<Arc<ArcSwap<T>>, Arc<T>>,
    pinned: Pinned<T>,
}

impl Pins {
    pub fn new(house: &House) -> Pins {
        Pins { law: Pin::of(&house.law), town: Pin::of(&house.town) }
    }

    /// What is in force now; what was before is let go of.
    pub fn law(&self) -> Pinned<Law> {
        self.law.borrow_mut().renew()
    }

    pub fn town(&self) -> Pinned<Town> {
        self.town.borrow_mut().renew()
    }
}

impl<T> Pin<T> {
    fn of(all: &Arc<ArcSwap<T>>) -> RefCell<Pin<T>> {
        RefCell::new(Pin { newest: Cache::new(all.clone()), pinned: Rc::new(all.load_full()) })
    }

    fn renew(&mut self) -> Pinned<T> {
        let now = self.newest.load();
        if !Arc::ptr_eq(now, &self.pinned) {
            self.pinned = Rc::new(now.clone());
        }
        self.pinned.clone()
    }
}

impl<'h> Visit<'h> {
    pub fn open(house: &'h House, id: String, client: Client, arrival: Arrival) -> Visit<'h> {
        Visit::pinned((Rc::new(house.law.load_full()), Rc::new(house.town.load_full())), house, id, client, arrival)
    }

    /// A visit that goes by what its worker has pinned.
    #[inline]
    pub fn pinned(
        (law, town): (Pinned<Law>, Pinned<Town>),
        house: &'h House,
        id: String,
        client: Client,
        arrival: Arrival,
    ) -> Visit<'h> {
        thread_local!(static NOTHING: Rc<str> = Rc::default());
        Visit {
            house,
            id,
            now: house.now(),
            law,
            town,
            client,
            arrival,
            level: Level::Normal,
            portal: None,
            route: 0,
            kind: Kind::Program,
            pass: None,
            claim: None,
            needed: 1,
            country: None,
            asn: None,
            language: 0,
            choice: Choice::Browser,
            queue: Queue::IfFull,
            spared: false,
            exact: false,
            first: false,
            called: false,
            rule: None,
            noted: Vec::new(),
            reference: None,
            unheard: false,
            cache: None,
            from_cache: false,
            fresh: false,
            free: false,
            unsafe_sent: false,
            spent: 0,
            tallies: Vec::new(),
            entered: Vec::new(),
            host: NOTHING.with(Rc::clone),
            path: NOTHING.with(Rc::clone),
        }
    }

    /// Remembers what rules wanted told, and whose word decided where a rule did.
    pub fn note(&mut self, plan: &Plan<'_>) {
        self.noted.extend(plan.noted.iter().map(|n| (*n).to_owned()));
    }

    pub fn effects(&self) -> &Effects {
        &self.law.ladder.levels[self.level as usize]
    }

    /// The good bot that it is verified as.
    pub fn bot(&self) -> Option<&str> {
        let verified = self.claim.as_ref().filter(|c| c.standing == Standing::Verified);
        verified.map(|c| &*c.name)
    }

    /// Neither call-backs and APIs nor good bots can take a challenge.
    pub fn may_be_challenged(&self) -> bool {
        self.route().challenge && self.bot().is_none()
    }

    /// The portal; only asked once `read` has found it.
    pub fn portal(&self) -> &Arc<Portal> {
        &self.town.portals.list[self.portal.unwrap_or(0)]
    }

    pub fn route(&self) -> &Route {
        let portal = &self.town.portals.list[self.portal.unwrap_or(0)];
        &portal.routes.all()[self.route]
    }

    /// The pass, where it says something of its holder.
    pub fn vouched(&self) -> Option<&Pass> {
        self.pass.as_ref().filter(|pass| pass.vouches(self.now.unix()))
    }

    /// When the portal's posture rose, where it has.
    pub fn risen(&self) -> Option<u64> {
        self.portal.and_then(|p| self.house.standing.load().risen(&self.town.portals.list[p].name))
    }

    /// Whether the pass is a settled citizen's.
    pub fn is_settled(&self) -> bool {
        let Some(pass) = &self.pass else { return false };
        self.house.settled.is(pass, self.risen(), self.now.unix())
    }

    /// Whether it comes from the operators' own networks (the list `staff`).
    pub fn is_staff(&self) -> bool {
        self.law.rules.staff().iter().any(|net| net.contains(&self.client.address))
    }

    pub fn signals(&self) -> &Signals {
        &self.town.signals[self.portal.unwrap_or(0)]
    }

    /// Who waits for the class of its route.
    pub fn room(&self) -> &Room {
        &self.town.rooms[self.portal.unwrap_or(0)][self.route().class as usize]
    }

    /// Whether readers load parts of the portal's pages.
    pub fn usual(&self) -> &Usual {
        &self.town.usual[self.portal.unwrap_or(0)]
    }

    pub fn gate(&self) -> &Gate {
        &self.town.gates[self.portal.unwrap_or(0)]
    }
}
