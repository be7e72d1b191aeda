//! Listens for the ladder once a second, and puts what it decides in force by the one door.
//!
//! Does not know: how the ladder decides.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Change, Office, Who};
use crate::posture::{Baseline, Climber, Plight};
use crate::store::Table;

/// Between two times that baselines are kept.
const KEEP_EVERY: u64 = 600;

/// Who listens to one portal.
pub(super) struct Listener {
    climber: Climber,
    plight: Plight,
}

impl Listener {
    fn new(climber: Climber) -> Listener {
        Listener { climber, plight: Plight::default() }
    }
}

/// Why a portal stands where it does, for people.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Climbed {
    pub why: String,
    /// Seconds since the Unix epoch.
    pub since: u64,
}

impl Office {
    /// Begins where the ladder stood, and knows what was usual, before a restart.
    pub(super) fn restore_baselines(&self, rows: Vec<(String, Vec<u8>)>) {
        let standing = self.house.standing.load();
        let now = self.house.now().unix();
        let mut listeners = self.listeners();
        for (portal, row) in rows {
            if let Ok(baseline) = serde_json::from_slice::<Baseline>(&row) {
                let level = standing.climbed(&portal);
                listeners.insert(portal, Listener::new(Climber::new(level, baseline, now)));
            }
        }
    }

    /// Hears all portals once.
    fn hear(&self) {
        let town = self.house.town.load_full();
        let law = self.house.law.load_full();
        let now = self.house.now().unix();
        let mut moved = Vec::new();
        {
            let mut listeners = self.listeners();
            listeners.retain(|name, _| town.portals.list.iter().any(|p| p.name == *name));
            for (portal, signals) in town.portals.list.iter().zip(&town.signals) {
                let level = self.house.standing.load().climbed(&portal.name);
                let new = || Listener::new(Climber::new(level, Baseline::default(), now));
                let Listener { climber, plight } = listeners.entry(portal.name.clone()).or_insert_with(new);
                let usual = self.house.standing.load().level(&portal.name, now) == climber.level();
                let sample = signals.take();
                plight.hear(sample, now);
                if let Some(level) = climber.hear(sample, law.rules.climb(), usual, now) {
                    moved.push((portal.name.clone(), level, climber.why().to_owned()));
                }
            }
        }
        for (portal, level, why) in moved {
            let _ = self.propose(Change::Climb { portal, level, why }, &Who::Ladder);
        }
    }

    /// Since when a portal's origin fails citizens.
    pub(super) fn failing(&self, portal: &str) -> Option<u64> {
        self.listeners().get(portal).and_then(|l| l.plight.since())
    }

    pub(super) fn keep_baselines(&self) {
        for (portal, listener) in self.listeners().iter() {
            let row = serde_json::to_vec(&listener.climber.baseline).unwrap_or_default();
            self.house.store.put(Table::Baselines, portal, row);
        }
    }

    /// Why a portal stands where it does by itself.
    pub(super) fn climbed(&self, portal: &str) -> Climbed {
        let told = |l: &Listener| Climbed { why: l.climber.why().to_owned(), since: l.climber.since() };
        self.listeners().get(portal).map(told).unwrap_or_default()
    }
}

/// Runs for as long as the house does.
pub async fn listen(office: Arc<Office>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    // After a pause (a machine that slept) the seconds that were missed are not made up for.
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut kept = office.house.now().unix();
    loop {
        beat.tick().await;
        office.hear();
        office.look_at_incidents();
        office.count(&mut office.counting());
        let now = office.house.now().unix();
        office.house.feed.tell_bans(now);
        if now >= kept + KEEP_EVERY {
            kept = now;
            office.keep_baselines();
        }
    }
}
