//! The keeper: takes snapshots on a timer and at the start, and ends pins whose time is over. It runs on a thread of
//! its own and fetches by the second door, which no citizen's request goes through.
//!
//! Does not know: citizens' requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Change, Office, Who};
use crate::bounds;
use crate::clock::SECOND;
use crate::origin::{self, Origins};
use crate::plan::{Effects, Reach};
use crate::portal::{Fallback, Portal};
use crate::snapshot::{self, Page, Snapshot};
use crate::store::{Rows, Table};
use crate::{pages, portal};

/// Between two looks at what is due.
const BEAT: Duration = Duration::from_millis(250);
/// A page that could not be taken is tried again after this, or after `every` where that is shorter: at the start
/// the origin may come up after boma.
const AGAIN: Duration = Duration::from_secs(10);

/// Runs until `stop`. Needs a local runtime around it.
pub async fn keep(office: Arc<Office>, stop: Arc<AtomicBool>) {
    let origins = Origins::new(office.house.fleet.clone(), office.house.clock.clone());
    // Beside the snapshots, which may wait long for a slow page.
    let checks = tokio::task::spawn_local(check_health(office.clone()));
    let ladder = tokio::task::spawn_local(super::climb::listen(office.clone()));
    let strain = tokio::task::spawn_local(super::strain::watch(office.clone()));
    let bots = tokio::task::spawn_local(super::bots::verify(office.clone()));
    let rooms = tokio::task::spawn_local(super::waiting::drain(office.clone()));
    let mut due: HashMap<(String, String), u64> = HashMap::new();
    let mut edition = 0;
    let mut names_due = 0;
    let (mut harm_due, mut turn) = (0, 0usize);
    let mut looking: Option<JoinHandle<()>> = None;
    let mut keep_due = office.house.now().mono + bounds::KEEP_EVERY.as_nanos() as u64;
    while !stop.load(Ordering::Relaxed) {
        let _ = office.propose(Change::Expire, &Who::Clock);
        if office.house.now().mono >= harm_due {
            // On a thread that steps aside: ten minutes of requests are tried anew.
            if looking.as_ref().is_none_or(JoinHandle::is_finished) {
                let (office, turn) = (office.clone(), turn);
                looking = Some(tokio::task::spawn_blocking(move || office.undo_harm(turn)));
            }
            turn += 1;
            harm_due = office.house.now().mono + bounds::HARM_EVERY.as_nanos() as u64;
        }
        if office.house.now().mono >= keep_due && !office.house.is_draining() {
            office.keep_some();
            keep_due = office.house.now().mono + bounds::KEEP_EVERY.as_nanos() as u64;
        }
        let town = office.house.town.load_full();
        if office.house.now().mono >= names_due {
            office.check_names(&town.portals.list).await;
            office.end_bans();
            names_due = office.house.now().mono + bounds::RESOLVE_FRESH.as_nanos() as u64;
        }
        if town.edition != edition {
            edition = town.edition;
            office.take_down(&town.portals.list);
            due.retain(|(name, path), _| town.portals.list.iter().any(|p| p.name == *name && wanted(p).contains(path)));
        }
        for portal in &town.portals.list {
            for path in wanted(portal) {
                let key = (portal.name.clone(), path.clone());
                let now = office.house.now().mono;
                if due.get(&key).is_some_and(|at| *at > now) || !office.may_fetch(portal, &path) {
                    continue;
                }
                let taken = office.take(&origins, portal, &path).await;
                let wait = if taken { portal.snapshot.every } else { portal.snapshot.every.min(AGAIN) };
                due.insert(key, office.house.now().mono + wait.as_nanos() as u64);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        origins.sweep(&town.portals.list);
        tokio::time::sleep(BEAT).await;
    }
    checks.abort();
    ladder.abort();
    bots.abort();
    strain.abort();
    rooms.abort();
}

/// Asks the origins of portals with `health` how they are; a posture that spares the origin spares it this too.
async fn check_health(office: Arc<Office>) {
    let origins = Origins::new(office.house.fleet.clone(), office.house.clock.clone());
    loop {
        let town = office.house.town.load_full();
        for (at, portal) in town.portals.list.iter().enumerate() {
            if let Some(path) = &portal.health
                && office.may_fetch(portal, path.split('?').next().unwrap_or(path))
            {
                origins.check(portal, town.outbound(at), path).await;
            }
        }
        origins.sweep(&town.portals.list);
        tokio::time::sleep(bounds::HEALTH_EVERY).await;
    }
}

/// The exact paths whose pages a portal wants kept, at most `snapshot.pages`.
fn wanted(portal: &Portal) -> Vec<String> {
    let exact = portal.routes.all().iter().filter(|r| r.fallback == Fallback::Snapshot && !r.path.ends_with('*'));
    let mut paths: Vec<String> = portal.snapshot.start.iter().cloned().chain(exact.map(|r| r.path.clone())).collect();
    let mut seen = std::collections::HashSet::new();
    paths.retain(|p| seen.insert(p.clone()));
    paths.truncate(portal.snapshot.pages);
    paths
}

impl Office {
    /// Puts what was kept over the restart in its place again.
    pub fn restore(&self, mut rows: Rows) {
        self.keep_generation();
        self.restore_versions(rows.remove(&Table::Versions).unwrap_or_default());
        self.restore_measures(rows.remove(&Table::Measures).unwrap_or_default());
        self.restore_kept();
        self.restore_rooms(rows.remove(&Table::Waiting).unwrap_or_default());
        self.restore_baselines(rows.remove(&Table::Baselines).unwrap_or_default());
        self.restore_bans(rows.remove(&Table::Bans).unwrap_or_default());
        self.restore_wordings(rows.remove(&Table::Wordings).unwrap_or_default());
        self.restore_incidents(rows.remove(&Table::Incidents).unwrap_or_default());
        self.restore_snapshots(rows.remove(&Table::Snapshots).unwrap_or_default());
    }

    fn restore_snapshots(&self, rows: Vec<(String, Vec<u8>)>) {
        let mut by_portal: HashMap<String, Vec<(String, Snapshot)>> = HashMap::new();
        for (key, row) in rows {
            let parsed = snapshot::parse_row_key(&key).map(|(portal, path)| (portal.to_owned(), path.to_owned()));
            match (parsed, snapshot::decode(row)) {
                (Some((portal, path)), Some(snapshot)) => by_portal.entry(portal).or_default().push((path, snapshot)),
                _ => self.house.store.remove(Table::Snapshots, &key),
            }
        }
        for (portal, snapshots) in by_portal {
            self.put_up(&portal, snapshots);
        }
        self.take_down(&self.house.town.load().portals.list);
    }

    /// Makes the copies of these portals' pages anew, after a portal's name, language or news may have changed.
    pub(super) fn dress(&self, of: impl Fn(&str) -> bool) {
        let mut by_portal: HashMap<String, Vec<(String, Snapshot)>> = HashMap::new();
        for (portal, path, snapshot) in self.house.board.snapshots().into_iter().filter(|(portal, ..)| of(portal)) {
            by_portal.entry(portal).or_default().push((path, snapshot));
        }
        for (portal, snapshots) in by_portal {
            self.put_up(&portal, snapshots);
        }
    }

    fn put_up(&self, portal: &str, snapshots: Vec<(String, Snapshot)>) -> bool {
        let town = self.house.town.load();
        let Some(at) = town.portals.list.iter().position(|p| p.name == portal) else { return false };
        let dressed = snapshots.into_iter().map(|(path, snapshot)| {
            let html = snapshot.about.is_html();
            let served = if html {
                town.shelf.load().banner(at, &snapshot.body, snapshot.about.taken).into()
            } else {
                snapshot.body.clone()
            };
            let policy = snapshot.about.fields.iter().find(|(name, _)| name == "content-security-policy");
            let policy = policy.filter(|_| html).map(|(_, csp)| pages::admit_banner(csp));
            (path, Page { snapshot, served, policy })
        });
        self.house.board.put(portal, dressed.collect())
    }

    fn take_down(&self, portals: &[Arc<Portal>]) {
        let keep =
            |name: &str, path: &str| portals.iter().any(|p| p.name == name && wanted(p).iter().any(|w| w == path));
        for (portal, path) in self.house.board.retain(keep) {
            self.house.store.remove(Table::Snapshots, &snapshot::row_key(&portal, &path));
        }
    }

    /// A posture that spares the origin spares it boma's own fetches too.
    fn may_fetch(&self, portal: &portal::Portal, path: &str) -> bool {
        let law = self.house.law.load();
        let level = self.house.standing.load().level(&portal.name, self.house.now().unix());
        let Effects { reach, .. } = law.ladder.levels[level as usize];
        match reach {
            Reach::All => true,
            Reach::StayUp => portal.routes.find(path).1.stay_up,
            Reach::None => false,
        }
    }

    /// Says which origins' names do not resolve, and takes it back when they do.
    async fn check_names(&self, portals: &[Arc<Portal>]) {
        for portal in portals {
            for address in &portal.origins {
                let trouble = format!("origin {} of portal {} does not resolve", address.authority(), portal.name);
                if origin::resolves(address).await {
                    self.house.untrouble(|t| t == trouble);
                } else if !self.house.troubles().contains(&trouble) {
                    self.house.trouble(trouble);
                }
            }
        }
    }

    /// Takes one page; whether a good one came.
    async fn take(&self, origins: &Origins, portal: &Arc<Portal>, path: &str) -> bool {
        let town = self.house.town.load_full();
        let at = town.portals.list.iter().position(|p| p.name == portal.name);
        let tls = at.and_then(|at| town.outbound(at));
        let now = self.house.now().wall / SECOND;
        let judged = match origins.fetch(portal, tls, path, bounds::SNAPSHOT_BYTES).await {
            Ok(fetched) => {
                snapshot::judge(fetched.status, &fetched.fields, fetched.body, now).map_err(|r| r.to_string())
            }
            Err(fault) => Err(format!("the origin could not be asked ({fault:?})")),
        };
        let snapshot = match judged {
            Ok(snapshot) => snapshot,
            Err(why) => {
                tracing::warn!(portal = portal.name, path, why, "no snapshot was taken; the old copy stays");
                return false;
            }
        };
        let row = snapshot::encode(&snapshot);
        if !self.put_up(&portal.name, vec![(path.to_owned(), snapshot)]) {
            self.house.trouble(format!(
                "no room for a snapshot of {path} of portal {}: fewer pages must be wanted",
                portal.name
            ));
            return false;
        }
        self.house.store.put(Table::Snapshots, &snapshot::row_key(&portal.name, path), row);
        true
    }
}
