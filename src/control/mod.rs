//! The office: the one door for every change. [`Office::propose`] takes a change, checks it whole, puts it in force by
//! one pointer swap, or says why not and leaves everything as it was.
//!
//! Does not know: HTTP, what rules mean, requests.

mod album;
mod anew;
mod aside;
mod bans;
mod bots;
mod change;
mod check;
mod climb;
mod crawl;
mod files;
mod gauges;
mod incidents;
mod keeper;
mod kept;
mod late;
mod lists;
mod measures;
mod note;
mod pem;
mod places;
mod propose;
mod purge;
mod refresh;
mod report;
mod round;
mod seen;
mod services;
mod start;
mod strain;
mod tokens;
mod totals;
mod town;
mod uptime;
mod versions;
mod waiting;
mod watch;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

pub use album::{Album, Refusal};
pub use aside::step_aside;
pub use change::{Applied, Change, Force, Judge, Judged, Rejected, Telling, Who};
pub use check::{Book, Checked, book, check};
pub use climb::Climbed;
use climb::Listener;
pub use files::LastGood;
pub use incidents::IncidentLine;
pub use keeper::keep;
pub use refresh::{Difference, Version as CopyVersion};
pub use report::Wanted;
pub use services::{Meant, PortalServices, Rewording};
pub use start::{Given, Started, sink, start};
pub use versions::{GENERATION, Version};
pub use waiting::RoomLine;
pub use watch::{Bell, watch};

use crate::admit::{Gate, Load};
use crate::bots::Line;
use crate::certificate::Keyring;
use crate::fault::Fault;
use crate::force::{House, Law};
use crate::journal::Journal;
use crate::places::Age;
use crate::portal::Class;
use crate::posture::Pin;
use crate::rules::Measure;
use crate::snapshot::Listed;
use crate::strain::Source;

/// The office. One lock: changes are rare, and must not pass each other.
pub struct Office {
    pub house: Arc<House>,
    keyring: Arc<Keyring>,
    desk: Mutex<Desk>,
    /// The ladder of each portal.
    listeners: Mutex<HashMap<String, Listener>>,
    last_good: LastGood,
    pub config: PathBuf,
    state_dir: PathBuf,
    handed_over: AtomicBool,
    /// Laws that were in force, as long as a request may go by them.
    old_laws: Mutex<Vec<Arc<Law>>>,
    judge: Judge,
    counting: Mutex<totals::Counting>,
    uptime: Mutex<uptime::Uptime>,
    /// How the snapshots of each portal stand.
    albums: Mutex<BTreeMap<String, Album>>,
}

/// What the office remembers of its own work.
#[derive(Default)]
struct Desk {
    /// Settings that differ from what is in force because they need a restart.
    restart_needed: Vec<String>,
    /// Files whose text is not what is in force, and why.
    differs: Vec<Differs>,
    history: Vec<Entry>,
    versions: Vec<Version>,
    journal: Option<Journal>,
    /// Measures whose end was told, and that end.
    warned: Vec<(String, u64)>,
    /// Incidents whose update is overdue, as was said, and by when it was promised.
    overdue: Vec<(u64, u64)>,
    /// Measures that should be taken back and cannot be, and since when they are laid.
    stuck: Vec<(String, u64)>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Differs {
    pub file: String,
    pub faults: Vec<Fault>,
}

/// One change that was proposed.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Seconds since the Unix epoch.
    pub at: u64,
    pub who: String,
    pub what: String,
    pub outcome: String,
}

/// What `status` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub version: &'static str,
    pub draining: bool,
    pub rules_generation: u64,
    pub postures: Vec<PortalPosture>,
    pub pins: Vec<Pin>,
    pub measures: Vec<MeasureLine>,
    /// Those that are open.
    pub incidents: Vec<IncidentLine>,
    /// How many hold.
    pub bans: usize,
    /// The MMDB files and their ages.
    pub places: Vec<Age>,
    /// Good bots, and the ages of their files.
    pub bots: Vec<Line>,
    pub troubles: Vec<String>,
    pub restart_needed: Vec<String>,
    /// Keys of the contract that are not built yet: there are none, and scripts ask.
    pub not_built: [&'static str; 0],
    pub files_not_in_force: Vec<Differs>,
    pub snapshots: Vec<SnapshotLine>,
    /// Waiting rooms in which anybody is.
    pub waiting: Vec<RoomLine>,
    pub limits: LimitLine,
    pub store_keeps: bool,
    /// How hard pressed the machine is, by what runs out.
    pub strain: BTreeMap<&'static str, &'static str>,
    pub history: Vec<Entry>,
}

/// A measure, for people.
#[derive(Clone, Debug, Serialize)]
pub struct MeasureLine {
    #[serde(flatten)]
    pub measure: Measure,
    /// Seconds.
    pub left: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct PortalPosture {
    pub portal: String,
    pub posture: &'static str,
    /// Where the ladder stands by itself, pinned or not, and why.
    pub climbed: &'static str,
    #[serde(flatten)]
    pub reason: Climbed,
    pub in_flight: u32,
    /// How many may be, now.
    pub max_in_flight: u32,
    /// Whether boma finds that out.
    pub adaptive: bool,
    /// Hundredths of the last good limit that are let in after a failure of the origins; none: all is well.
    pub recovering: Option<u32>,
    pub classes: Vec<ClassLine>,
}

/// How it goes with one class at a portal's gate.
#[derive(Clone, Debug, Serialize)]
pub struct ClassLine {
    pub class: &'static str,
    pub in_flight: u32,
    pub limit: u32,
    pub waiting: u32,
    pub waiting_most: u32,
    pub per_second: f32,
}

impl ClassLine {
    fn all(gate: &Gate) -> Vec<ClassLine> {
        let line = |class: Class| {
            let Load { inside, limit, waiting, waiting_most, per_second, .. } = gate.load(class);
            ClassLine { class: class.as_str(), in_flight: inside, limit, waiting, waiting_most, per_second }
        };
        Class::ALL.into_iter().map(line).collect()
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct SnapshotLine {
    pub portal: String,
    pub path: String,
    pub taken: u64,
    pub bytes: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct LimitLine {
    pub keys: u64,
    pub capacity: u64,
    pub evictions: u64,
    pub shared: u64,
}

impl Office {
    pub fn new(
        house: Arc<House>,
        keyring: Arc<Keyring>,
        last_good: LastGood,
        (config, state_dir): (PathBuf, PathBuf),
        differs: Vec<(String, Vec<Fault>)>,
        judge: Judge,
    ) -> Office {
        let differs: Vec<Differs> = differs.into_iter().map(|(file, faults)| Differs { file, faults }).collect();
        let desk = Desk::default();
        let office = Office {
            house,
            keyring,
            desk: Mutex::new(desk),
            listeners: Mutex::default(),
            last_good,
            config,
            state_dir,
            handed_over: AtomicBool::new(false),
            old_laws: Mutex::default(),
            judge,
            counting: Mutex::default(),
            uptime: Mutex::default(),
            albums: Mutex::default(),
        };
        office.reloaded(differs.is_empty());
        office.desk().differs = differs;
        office
    }

    /// The measures in force, the one that ends next first.
    pub fn measures(&self) -> Vec<MeasureLine> {
        let now = self.house.now().unix();
        let law = self.house.law.load();
        let live = law.measures.iter().filter(|m| m.until > now);
        let mut lines: Vec<_> = live.map(|m| MeasureLine { measure: m.clone(), left: m.until - now }).collect();
        lines.sort_by_key(|l| (l.left, l.measure.name.clone()));
        lines
    }

    /// Begins to keep the journal.
    pub fn keep_journal(&self, journal: Journal) {
        self.desk().journal = Some(journal);
    }

    /// Leaves everything that is kept to another process.
    pub fn hand_over(&self) {
        self.settle();
        self.house.store.release();
        self.keep();
        self.handed_over.store(true, Ordering::Relaxed);
        if let Some(journal) = &mut self.desk().journal {
            journal.close();
        }
    }

    /// Whether another process keeps everything now.
    pub fn has_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }

    /// Takes it back.
    pub fn take_back(&self) {
        self.house.store.reclaim();
        self.handed_over.store(false, Ordering::Relaxed);
        if let Some(Err(e)) = self.desk().journal.as_mut().map(Journal::reopen) {
            tracing::error!(error = %e, "the journal stays closed");
        }
    }

    fn counting(&self) -> MutexGuard<'_, totals::Counting> {
        self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uptime(&self) -> MutexGuard<'_, uptime::Uptime> {
        self.uptime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn albums(&self) -> MutexGuard<'_, BTreeMap<String, Album>> {
        self.albums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<String, Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn old_laws(&self) -> MutexGuard<'_, Vec<Arc<Law>>> {
        self.old_laws.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self) -> Status {
        let house = &self.house;
        let (town, standing, now) = (house.town.load(), house.standing.load(), house.now().unix());
        let posture = |(i, p): (usize, &Arc<crate::portal::Portal>)| PortalPosture {
            portal: p.name.clone(),
            posture: standing.level(&p.name, now).as_str(),
            climbed: standing.climbed(&p.name).as_str(),
            reason: self.climbed(&p.name),
            in_flight: town.gates[i].inside(),
            max_in_flight: town.gates[i].limit(),
            adaptive: town.gates[i].is_adaptive(),
            recovering: town.gates[i].returning().map(|(percent, _)| percent),
            classes: ClassLine::all(&town.gates[i]),
        };
        let snapshot = |e: Listed| SnapshotLine {
            taken: e.page.checked(),
            bytes: e.page.newest().about.plain,
            path: e.address.to_string(),
            portal: e.portal,
        };
        let desk = self.desk();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            draining: house.is_draining(),
            rules_generation: house.law.load().generation,
            postures: town.portals.list.iter().enumerate().map(posture).collect(),
            pins: standing.pins().cloned().collect(),
            measures: self.measures(),
            incidents: self.open_incidents(),
            places: house.places.load().ages(now),
            bots: house.bots.lines(now),
            bans: house.bans.list(now).len(),
            troubles: house.troubles(),
            restart_needed: desk.restart_needed.clone(),
            not_built: [],
            files_not_in_force: desk.differs.clone(),
            snapshots: house.board.list().into_iter().map(snapshot).collect(),
            waiting: self.rooms(),
            limits: LimitLine {
                keys: house.limits.keys(),
                capacity: house.limits.capacity(),
                evictions: house.limits.evictions(),
                shared: house.limits.shared(),
            },
            store_keeps: house.store.keeps(),
            strain: Source::ALL.map(|s| (s.as_str(), house.pulse.of(s).as_str())).into(),
            history: desk.history.clone(),
        }
    }
}
