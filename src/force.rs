//! What is in force: the law, the town and the standing that the office publishes and each visit pins, and the
//! shared parts of the house around them. Publishing is one pointer swap; whoever pinned the old one keeps it to
//! the end of the request.
//!
//! This floor stands between the rooms and the corridor, because the corridor and the office both need it and must
//! not know each other.
//!
//! Does not know: requests, files, who publishes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use rustls::ClientConfig;

use crate::admit::{Counters, Gate};
use crate::ban::Bans;
use crate::bots::Bots;
use crate::bounds;
use crate::cache::Cache;
use crate::challenge::{Challenge, Codes, Forms};
use crate::client::canonical;
use crate::clock::{Breath, Clock, Now, SECOND};
use crate::habit::{Habits, Usual, Usuals};
use crate::incident::{Incident, Wordings};
use crate::known::Known;
use crate::limit::Limits;
use crate::origin::Fleet;
use crate::pages::{News, Shelf};
use crate::places::Places;
use crate::plan::{Ladder, Per, Quota, Then, quota_id};
use crate::portal::{Portal, Portals};
use crate::posture::{Ears, Signals, Standing};
use crate::reason::Reason;
use crate::rules::{Measure, RuleSet};
use crate::seal::{self, Key, Secret};
use crate::settings::Settings;
use crate::settled::Settled;
use crate::snapshot::{Board, Seals};
use crate::staff::Tokens;
use crate::store::Store;
use crate::strain::Pulse;
use crate::telemetry::{AccessLog, Feed, Kind, Metrics, Recent, Registers, Totals};
use crate::waiting::{self, Rooms, Suite};
use crate::words::Words;

/// The rules in force and the table of postures under them.
pub struct Law {
    /// Rises by one with every change of the rules; the ETag of the staff door.
    pub generation: u64,
    pub rules: Arc<RuleSet>,
    /// What is laid over the rules file.
    pub measures: Arc<[Measure]>,
    pub ladder: Ladder,
}

/// For each portal how boma speaks TLS with its origins; `None` where it does not, or its files cannot be used.
pub type Outbound = Vec<Option<Arc<ClientConfig>>>;

/// The settings in force, ready to be asked: portals, their pages and permits, who is trusted.
pub struct Town {
    /// Rises with every reload, so that workers know when their handles are old.
    pub edition: u64,
    pub portals: Portals,
    /// The pages; swapped within its town where what there is to tell changes.
    pub shelf: ArcSwap<Shelf>,
    pub gates: Vec<Gate>,
    /// Who waits, by portal and class.
    pub rooms: Vec<Arc<Suite>>,
    /// What the ladder hears, by portal.
    pub signals: Vec<Arc<Signals>>,
    /// What is counted of each minute, by portal.
    pub totals: Vec<Arc<Totals>>,
    /// Whether readers load parts of its pages, by portal.
    pub usual: Vec<Arc<Usual>>,
    outbound: Outbound,
    pub settings: Arc<Settings>,
}

impl Town {
    /// `told`: a portal as staff speak of it, and what there is to tell of it, now.
    pub fn new(
        edition: u64,
        settings: Arc<Settings>,
        outbound: Outbound,
        (counters, books): (&Counters, &Books),
        words: &Words,
        (told, now_unix): (impl Fn(&Arc<Portal>) -> (Arc<Portal>, News), u64),
    ) -> Town {
        let portals = Portals::new(settings.portals.clone());
        let gates = portals.list.iter().map(|p| Gate::new(counters.of(&p.name), p.max_in_flight)).collect();
        let rooms = portals.list.iter().map(|p| books.rooms.of(&p.name)).collect();
        let signals = portals.list.iter().map(|p| books.ears.of(&p.name)).collect();
        let totals = portals.list.iter().map(|p| books.registers.of(&p.name)).collect();
        let usual = portals.list.iter().map(|p| books.usuals.of(&p.name)).collect();
        let (told, news): (Vec<_>, Vec<_>) = portals.list.iter().map(told).unzip();
        let shelf = ArcSwap::from_pointee(Shelf::new(words, &told, news, now_unix));
        Town { edition, portals, shelf, gates, rooms, signals, totals, usual, outbound, settings }
    }

    /// TLS towards the origins of a portal, by its number.
    pub fn outbound(&self, portal: usize) -> Option<&Arc<ClientConfig>> {
        self.outbound.get(portal)?.as_ref()
    }

    /// Whether the forwarding field of this peer is believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        trusts(&self.settings.client.trusted_proxies, peer)
    }
}

fn trusts(trusted: &[IpNet], peer: IpAddr) -> bool {
    let peer = canonical(peer);
    trusted.iter().any(|net| net.contains(&peer))
}

/// What is written of portals by their names, so that a reload goes on with it.
#[derive(Default)]
pub struct Books {
    pub ears: Ears,
    pub registers: Registers,
    pub rooms: Rooms,
    pub usuals: Usuals,
}

/// Everything that all workers and both doors share.
pub struct House {
    pub clock: Clock,
    /// What works for staff for long takes it between the pieces.
    pub breath: Breath,
    pub limits: Limits,
    /// Paths that origins have answered of late.
    pub known: Known,
    pub settled: Settled,
    /// How passes are used.
    pub habits: Habits,
    pub bans: Bans,
    pub bots: Bots,
    pub cache: Cache,
    pub counters: Counters,
    pub books: Books,
    pub places: ArcSwap<Places>,
    /// A sample of the last ten minutes.
    pub recent: Recent,
    pub challenge: ArcSwap<Challenge>,
    pub codes: Codes,
    pub forms: Forms,
    /// Seals places in the waiting rooms.
    pub seats: waiting::Seals,
    pub law: Arc<ArcSwap<Law>>,
    pub town: Arc<ArcSwap<Town>>,
    pub standing: ArcSwap<Standing>,
    /// What boma says, in all languages.
    pub words: ArcSwap<Words>,
    /// All that are kept, oldest first.
    pub incidents: ArcSwap<Vec<Arc<Incident>>>,
    /// What staff say of services in the place of the settings' words, by portal.
    pub wordings: ArcSwap<BTreeMap<String, Wordings>>,
    /// Who may come in by the staff door.
    pub tokens: ArcSwap<Tokens>,
    pub board: Board,
    /// Signs snapshots that are kept.
    pub seals: Seals,
    pub metrics: Metrics,
    /// What changes, for whoever listens: the office's journal and troubles.
    pub feed: Feed,
    pub access: AccessLog,
    pub store: Store,
    pub secret: Secret,
    /// Seals reference codes.
    pub references: Key,
    /// The limit on boma's own paths, which no rule stands before.
    pub own_paths: Quota,
    /// The limit on forms that are sealed and opened.
    pub form_lane: Quota,
    /// How many passes of a prefix get a budget of their own: of those that were worked for, and of quiet ones.
    pub minted: Quota,
    pub quiet: Quota,
    /// How many pages of people without a pass are taken for first ones, of a prefix.
    pub first: Quota,
    /// How many challenges a network is given before the whole page is kept from it, and for how long an answer gets it back.
    pub unanswered: Quota,
    pub answered: Quota,
    /// How many wrong access codes one prefix may send.
    pub wrong_codes: Quota,
    pub draining: AtomicBool,
    /// How hard pressed the machine is.
    pub pulse: Pulse,
    /// How all origins have been doing.
    pub fleet: Arc<Fleet>,
    /// What `Via` calls this process: a request that comes back with it has gone round.
    pub pseudonym: String,
    troubles: Mutex<Vec<String>>,
}

/// What is remembered of clients: all of it together keeps to `[client] memory`.
pub struct Tables {
    pub limits: Limits,
    pub known: Known,
    pub settled: Settled,
    pub habits: Habits,
    pub bans: Bans,
}

impl Tables {
    pub fn new(memory: u64, ipv6_prefix: u8, secret: &Secret) -> Tables {
        let (bans, known) = (memory / bounds::BANS_SHARE, memory / bounds::KNOWN_SHARE);
        let needed = Known::bytes(bounds::KNOWN_PATHS + Settled::ENTRIES + bounds::HABITS);
        let part = (known as f64 / needed as f64).min(1.0);
        let paths = (bounds::KNOWN_PATHS as f64 * part) as usize;
        let limits = memory - bans - known.min(needed);
        Tables {
            limits: Limits::new(limits, secret.key("boma limits v1").mac(&[])),
            known: Known::new(secret.key("boma known paths v1").mac(&[]), paths, bounds::KNOWN_FOR),
            settled: Settled::new(secret, part),
            habits: Habits::new(secret, part),
            bans: Bans::new(ipv6_prefix, bans),
        }
    }
}

/// What the house is built from.
pub struct Materials {
    pub clock: Clock,
    pub settings: Arc<Settings>,
    pub law: Law,
    pub standing: Standing,
    pub metrics: Metrics,
    pub access: AccessLog,
    pub store: Store,
    pub secret: Secret,
    pub outbound: Outbound,
    pub places: Places,
    pub tokens: Tokens,
    pub words: Words,
    pub troubles: Vec<String>,
}

impl House {
    pub fn new(m: Materials) -> House {
        let counters = Counters::default();
        let books = Books::default();
        let untold = (|p: &Arc<Portal>| (p.clone(), News::default()), m.clock.now().unix());
        let town = Town::new(1, m.settings.clone(), m.outbound, (&counters, &books), &m.words, untold);
        let pseudonym = pseudonym();
        let Tables { limits, known, settled, habits, bans } = {
            let client = &m.settings.client;
            Tables::new(client.memory, client.ipv6_prefix, &m.secret)
        };
        let house = House {
            limits,
            known,
            settled,
            habits,
            bots: Bots::new(&m.secret),
            cache: Cache::new(m.settings.cache.memory, m.secret.key("boma cache v1").mac(&[])),
            bans,
            codes: Codes::new(&m.secret),
            challenge: ArcSwap::from_pointee(Challenge::new(&m.secret, m.settings.challenge.pass_lifetime)),
            forms: Forms::new(&m.secret),
            seats: waiting::Seals::new(&m.secret),
            law: Arc::new(ArcSwap::from_pointee(m.law)),
            town: Arc::new(ArcSwap::from_pointee(town)),
            standing: ArcSwap::from_pointee(m.standing),
            wordings: ArcSwap::default(),
            words: ArcSwap::from_pointee(m.words),
            incidents: ArcSwap::default(),
            board: Board::default(),
            seals: Seals::new(&m.secret),
            references: m.secret.key("boma reference v1"),
            // A mobile operator's address may carry thousands who solve a challenge in the same minute, and one check costs
            // microseconds.
            own_paths: own_quota("own-paths", SECOND / 100, 1000),
            wrong_codes: own_quota("wrong-codes", bounds::WRONG_CODE_EVERY.as_nanos() as u64, bounds::WRONG_CODES),
            // A form costs up to a hundred times as much, and few citizens send one in the minute in which they are checked.
            form_lane: own_quota("form-lane", SECOND / 20, 200),
            minted: own_quota("minted", bounds::MINTED_EVERY.as_nanos() as u64, bounds::MINTED),
            unanswered: own_quota("unanswered", bounds::UNANSWERED_EVERY.as_nanos() as u64, bounds::UNANSWERED),
            // Two, so that an answer within the time of another prolongs it.
            answered: own_quota("answered", bounds::ANSWERED_FOR.as_nanos() as u64, 2),
            quiet: own_quota("quiet", bounds::QUIET_EVERY.as_nanos() as u64, bounds::QUIET),
            first: own_quota("first", bounds::QUIET_EVERY.as_nanos() as u64, bounds::QUIET),
            draining: AtomicBool::new(false),
            pulse: Pulse::default(),
            fleet: Arc::default(),
            feed: Feed::new(pseudonym.clone()),
            pseudonym,
            troubles: Mutex::new(Vec::new()),
            counters,
            books,
            places: ArcSwap::from_pointee(m.places),
            tokens: ArcSwap::from_pointee(m.tokens),
            recent: Recent::default(),
            breath: Breath::new(m.clock.clone()),
            clock: m.clock,
            metrics: m.metrics,
            access: m.access,
            store: m.store,
            secret: m.secret,
        };
        m.troubles.into_iter().for_each(|t| house.trouble(t));
        house
    }

    /// Why a portal's posture, as it is now, keeps requests of a route from the origin.
    pub fn bars(&self, portal: &str, stay_up: bool, now: Now) -> Option<Reason> {
        let level = self.standing.load().level(portal, now.unix());
        self.law.load().ladder.levels[level as usize].reach.bars(stay_up)
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Says a trouble loudly: in the log, in metrics, in the feed and in status. The newest [`bounds::HISTORY`] stay.
    pub fn trouble(&self, trouble: String) {
        tracing::error!("{trouble}");
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if !troubles.contains(&trouble) {
            self.feed.tell(self.now().unix(), Kind::Trouble, "boma", &trouble, "holds");
            troubles.push(trouble);
        }
        if troubles.len() > bounds::HISTORY {
            troubles.remove(0);
        }
        self.metrics.troubles.set(troubles.len() as i64);
    }

    /// Takes troubles back that are over.
    pub fn untrouble(&self, over: impl Fn(&str) -> bool) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.retain(|t| {
            let ends = over(t);
            if ends {
                self.feed.tell(self.now().unix(), Kind::Trouble, "boma", t, "over");
            }
            !ends
        });
        self.metrics.troubles.set(troubles.len() as i64);
    }

    pub fn troubles(&self) -> Vec<String> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.town.load().settings.server.workers.unwrap_or_else(cores)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

fn pseudonym() -> String {
    let mut bytes = [0; 4];
    seal::random(&mut bytes);
    format!("boma-{:08x}", u32::from_le_bytes(bytes))
}

/// A limit of boma's own, on each prefix.
fn own_quota(name: &str, interval: u64, burst: u32) -> Quota {
    Quota {
        name: name.into(),
        id: quota_id(name),
        per: Per::Address,
        interval,
        burst,
        then: Then::Deny,
        shadow: false,
        budget: false,
        count: None,
        concurrent: None,
        ban: None,
    }
}
