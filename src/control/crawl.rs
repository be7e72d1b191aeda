//! The crawl: rounds through each portal's pages, by the second door to the origin, which no citizen's request goes through. It
//! asks for one page at a time, pauses longer than the page took, waits while the portal is busy or its posture spares the
//! origin, and gives up a round where the origin fails again and again.
//!
//! Does not know: citizens' requests, what makes a good copy.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Office;
use super::round::Round;
use crate::bounds;
use crate::origin::Origins;
use crate::portal::Portal;

/// Runs rounds until `stop`. Needs a local runtime around it.
pub async fn crawl(office: Arc<Office>, stop: Arc<AtomicBool>) {
    let origins = Rc::new(Origins::new(office.house.fleet.clone(), office.house.clock.clone()));
    let mut lanes: HashMap<String, Lane> = HashMap::new();
    let mut edition = 0;
    while !stop.load(Ordering::Relaxed) {
        let town = office.house.town.load_full();
        if town.edition != edition {
            edition = town.edition;
            office.take_down(&town.portals.list);
            lanes.retain(|name, _| town.portals.list.iter().any(|p| p.name == *name));
            office.albums().retain(|name, _| town.portals.list.iter().any(|p| p.name == *name));
        }
        for portal in town.portals.list.iter().filter(|p| p.keeps_copies()) {
            lanes.entry(portal.name.clone()).or_default().look(&office, &origins, portal, &stop).await;
        }
        origins.sweep(&town.portals.list);
        tokio::time::sleep(bounds::CRAWL_BEAT).await;
    }
    lanes.into_values().filter_map(|l| l.round).for_each(|round| round.abort());
}

/// One portal's rounds, one after the other.
#[derive(Default)]
struct Lane {
    portal: Option<Arc<Portal>>,
    round: Option<JoinHandle<bool>>,
    began: u64,
    due: u64,
}

impl Lane {
    async fn look(
        &mut self,
        office: &Arc<Office>,
        origins: &Rc<Origins>,
        portal: &Arc<Portal>,
        stop: &Arc<AtomicBool>,
    ) {
        let now = office.house.now().mono;
        if let Some(round) = self.round.take_if(|round| round.is_finished()) {
            let every = portal.snapshot.every;
            let wait = |from: u64, d: Duration| from + d.as_nanos() as u64;
            self.due = match round.await.unwrap_or(false) {
                true => wait(self.began, every).max(now),
                false => wait(now, every.min(bounds::CRAWL_AGAIN)),
            };
        }
        if self.round.is_some() {
            return;
        }
        let mut portals_changed = false;
        if self.portal.as_ref().is_none_or(|p| **p != **portal) {
            portals_changed = self.portal.replace(portal.clone()).is_some();
            self.due = now;
        }
        let wanted = office.albums().entry(portal.name.clone()).or_default().wanted.take();
        if self.due > now && wanted.is_none() {
            return;
        }
        let only = wanted.filter(|addresses| !addresses.is_empty());
        if only.is_none() {
            self.began = now;
        }
        let round = Round::new(office.clone(), origins.clone(), portal.clone(), stop.clone(), portals_changed);
        let whole = only.is_none();
        self.round = Some(tokio::task::spawn_local(async move {
            let came_through = round.run(only).await;
            // One that was for a few pages moves no other.
            came_through || !whole
        }));
    }
}
