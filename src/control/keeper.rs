//! The keeper: ends pins whose time is over, looks after names, bans and what measures do, and lets snapshots be taken. It runs on a
//! thread of its own.
//!
//! Does not know: citizens' requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::anew::Anew;
use super::{Change, Office, Who};
use crate::bounds;
use crate::origin::{self, Origins};
use crate::portal::Portal;
use crate::store::{Rows, Table};

/// Between two looks at what is due.
const BEAT: Duration = Duration::from_millis(250);

/// Runs until `stop`. Needs a local runtime around it.
pub async fn keep(office: Arc<Office>, stop: Arc<AtomicBool>) {
    let crawl = tokio::task::spawn_local(super::crawl::crawl(office.clone(), stop.clone()));
    let checks = tokio::task::spawn_local(check_health(office.clone()));
    let ladder = tokio::task::spawn_local(super::climb::listen(office.clone()));
    let strain = tokio::task::spawn_local(super::strain::watch(office.clone()));
    let bots = tokio::task::spawn_local(super::bots::verify(office.clone()));
    let rooms = tokio::task::spawn_local(super::waiting::drain(office.clone()));
    let mut names_due = 0;
    let (mut harm_due, mut turn) = (0, 0usize);
    let mut anew = Anew::default();
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
        office.look_at_store(&mut anew).await;
        let town = office.house.town.load_full();
        if office.house.now().mono >= names_due {
            office.check_names(&town.portals.list).await;
            office.end_bans();
            names_due = office.house.now().mono + bounds::RESOLVE_FRESH.as_nanos() as u64;
        }
        tokio::time::sleep(BEAT).await;
    }
    crawl.abort();
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
        let copies = rows.remove(&Table::Copies).unwrap_or_default();
        self.restore_snapshots(rows.remove(&Table::Snapshots).unwrap_or_default(), copies);
    }

    /// A posture that spares the origin spares it boma's own fetches too.
    fn may_fetch(&self, portal: &Portal, path: &str) -> bool {
        self.house.bars(&portal.name, portal.routes.find(path).1.stay_up, self.house.now()).is_none()
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
}
