//! Calls who waits, once a second and as fast as each gate takes people in, and keeps what is known of the lines over a restart.
//!
//! Does not know: the order of a line, who stands in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Office;
use crate::bounds;
use crate::plan::Reach;
use crate::portal::Class;
use crate::store::{Store, Table};
use crate::telemetry::metrics::ClassLabels;
use crate::waiting::{Counts, Room, Space, used_key};

/// A waiting room in which somebody is, for people.
#[derive(Clone, Debug, Serialize)]
pub struct RoomLine {
    pub portal: String,
    pub class: &'static str,
    /// Who waits, who was called and has not come yet, and whose visit goes on.
    pub waiting: u32,
    pub called: u32,
    pub visiting: u32,
    /// Calls a second.
    pub rate: f32,
    /// Since when the first in the line waits, in seconds since the Unix epoch.
    pub oldest: Option<u64>,
    /// Nobody is called: the posture keeps them from the origin.
    pub still: bool,
}

/// What of the rooms was written, and when.
#[derive(Default)]
pub(super) struct Kept {
    rows: HashMap<String, Vec<u8>>,
    places_due: u64,
}

impl Office {
    /// One second of all rooms.
    fn call(&self) {
        let house = &self.house;
        let (town, law, now) = (house.town.load_full(), house.law.load_full(), house.now().unix());
        for ((portal, gate), suite) in town.portals.list.iter().zip(&town.gates).zip(&town.rooms) {
            let level = house.standing.load().level(&portal.name, now);
            let reach = law.ladder.levels[level as usize].reach;
            for class in Class::ALL {
                let still = match reach {
                    Reach::All => false,
                    Reach::None => true,
                    Reach::StayUp => !portal.routes.all().iter().any(|r| r.class == class && r.stay_up),
                };
                let load = gate.load(class);
                let space = Space {
                    free: load.limit.saturating_sub(load.inside + load.waiting),
                    // Readers at the gate who get a copy otherwise come before others in line, and not before readers there.
                    queued: match suite[class as usize].is_busy_for_readers() {
                        true => load.waiting.saturating_sub(load.spared),
                        false => load.waiting,
                    },
                    queued_most: load.waiting_most,
                    per_second: load.per_second,
                    sustained: load.sustained,
                };
                let done = suite[class as usize].beat(&space, still, now);
                let count = |outcome, n: u32| {
                    let label = crate::telemetry::metrics::OutcomeLabel { outcome };
                    house.metrics.waiting.get_or_create(&label).inc_by(u64::from(n));
                };
                if done.called > 0 {
                    count("called", done.called);
                }
                if done.lapsed > 0 {
                    count("lapsed", done.lapsed);
                }
            }
        }
    }

    /// The rooms in which anybody is.
    pub(super) fn rooms(&self) -> Vec<RoomLine> {
        let mut lines = Vec::new();
        self.each_room(|portal, class, counts| {
            if counts.waiting + counts.due + counts.visiting > 0 {
                lines.push(RoomLine {
                    portal: portal.to_owned(),
                    class: class.as_str(),
                    waiting: counts.waiting,
                    called: counts.due,
                    visiting: counts.visiting,
                    rate: counts.rate(),
                    oldest: counts.oldest,
                    still: counts.still,
                });
            }
        });
        lines
    }

    fn each_room(&self, mut see: impl FnMut(&str, Class, Counts)) {
        let town = self.house.town.load();
        for (portal, suite) in town.portals.list.iter().zip(&town.rooms) {
            Class::ALL.into_iter().for_each(|class| see(&portal.name, class, suite[class as usize].counts()));
        }
    }

    pub(super) fn gauge_rooms(&self) {
        self.each_room(|portal, class, counts| {
            let labels = ClassLabels { portal: portal.to_owned(), class: class.as_str() };
            self.house.metrics.waiting_people.get_or_create(&labels).set(i64::from(counts.waiting));
        });
    }

    /// Writes what has changed: counts every second, places as seldom as they are many.
    pub(super) fn keep_rooms(&self, kept: &mut Kept, all: bool) {
        let (house, town) = (&self.house, self.house.town.load());
        let now = house.now().unix();
        let with_places = all || now >= kept.places_due;
        let (mut places, mut rows) = (0, Vec::new());
        for (portal, suite) in town.portals.list.iter().zip(&town.rooms) {
            for class in Class::ALL {
                let room = &suite[class as usize];
                let counts = room.counts();
                let none = counts.minutes.is_empty() && counts.waiting + counts.visiting == 0;
                let row = |what: &str| format!("{what}\n{}\n{}", portal.name, class.as_str());
                if none && !kept.rows.contains_key(&row("counts")) {
                    continue;
                }
                rows.push((row("counts"), serde_json::to_vec(&counts).unwrap_or_default()));
                if with_places {
                    let saved = room.save();
                    places += (counts.waiting + counts.due + counts.visiting) as usize;
                    rows.push((row("places"), saved));
                }
                forget_used(&house.store, (&portal.name, class), room, now);
            }
        }
        if with_places {
            kept.places_due = now + 1 + (places / bounds::PLACES_KEPT_EVERY) as u64;
        }
        let mut changed = false;
        for (key, row) in rows {
            if kept.rows.get(&key) != Some(&row) {
                house.store.put(Table::Waiting, &key, row.clone());
                kept.rows.insert(key, row);
                changed = true;
            }
        }
        if changed {
            house.store.put(Table::Waiting, "at", now.to_le_bytes().to_vec());
        }
    }

    /// Puts the rooms back as they were.
    pub(super) fn restore_rooms(&self, rows: Vec<(String, Vec<u8>)>) {
        let now = self.house.now().unix();
        let number = |row: &[u8]| row.try_into().map(u64::from_le_bytes).ok();
        let mut counts: HashMap<(String, Class), Counts> = HashMap::new();
        let mut places: HashMap<(String, Class), Vec<u8>> = HashMap::new();
        let mut used: HashMap<(String, Class), Vec<(u128, u64)>> = HashMap::new();
        let mut at = 0;
        for (key, row) in rows {
            let mut parts = key.split('\n');
            let what = parts.next().unwrap_or_default();
            let of = parts.next().zip(parts.next());
            let class = |name: &str| Class::ALL.into_iter().find(|c| c.as_str() == name);
            let room = of.and_then(|(portal, name)| Some((portal.to_owned(), class(name)?)));
            match (what, room) {
                ("at", _) => at = number(&row).unwrap_or(0),
                ("counts", Some(room)) => drop(counts.insert(room, serde_json::from_slice(&row).unwrap_or_default())),
                ("places", Some(room)) => drop(places.insert(room, row)),
                ("used", Some(room)) => {
                    let holder = parts.next().and_then(|id| u128::from_str_radix(id, 16).ok());
                    match holder.zip(number(&row)) {
                        Some((holder, since)) if since + bounds::PLACE_VISIT_MOST.as_secs() > now => {
                            used.entry(room).or_default().push((holder, since));
                        }
                        _ => self.house.store.remove(Table::Waiting, &key),
                    }
                }
                _ => self.house.store.remove(Table::Waiting, &key),
            }
        }
        let town = self.house.town.load();
        for (portal, suite) in town.portals.list.iter().zip(&town.rooms) {
            for class in Class::ALL {
                let room = (portal.name.clone(), class);
                let (counts, places) = (counts.remove(&room).unwrap_or_default(), places.remove(&room));
                let used = used.remove(&room).unwrap_or_default();
                suite[class as usize].restore(counts, &places.unwrap_or_default(), &used, at, now);
            }
        }
    }
}

/// Takes the rows of visits from the disk that say nothing any more, so that they do not gather.
fn forget_used(store: &Store, (portal, class): (&str, Class), room: &Room, now: u64) {
    for holder in room.outdated(now) {
        store.remove(Table::Waiting, &used_key(portal, class, holder));
    }
}

/// Runs for as long as the house does.
pub(super) async fn drain(office: Arc<Office>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut kept = Kept::default();
    loop {
        beat.tick().await;
        office.call();
        if !office.has_handed_over() {
            office.keep_rooms(&mut kept, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;
    use crate::waiting::{Asked, Holder, Turn};

    const NOW: u64 = 1_790_000_000;

    /// As serving does: the row of a used place is written at once.
    fn lets_in(store: &Store, room: &Room, id: u128, now: u64) {
        let holder = Holder { id, crowd: None, free: false, reads: false };
        let asked = Asked { holder, with: None, enters: true, stays: true, by_rule: true };
        assert!(matches!(room.ask(&asked, now), Turn::Waits(_)));
        let space = Space { free: 9, queued: 0, queued_most: 100, per_second: 9.0, sustained: 0.0 };
        room.beat(&space, false, now + 1);
        assert_eq!(room.ask(&asked, now + 6), Turn::In { used: true });
        store.put(Table::Waiting, &used_key("huduma", Class::Filing, id), (now + 6).to_le_bytes().to_vec());
    }

    #[test]
    fn rows_of_used_places_do_not_gather_while_boma_runs() {
        let folder = std::env::temp_dir().join(format!("boma-used-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let opened = store::open(&folder, NOW);
        assert_eq!(opened.troubles, Vec::<String>::new());
        let room = Room::default();
        let visit = bounds::PLACE_VISIT.as_secs();
        let mut now = NOW;
        // Six hours of visits, one a minute.
        for id in 1..=360 {
            lets_in(&opened.store, &room, id, now);
            now += 60;
            forget_used(&opened.store, ("huduma", Class::Filing), &room, now);
        }
        opened.store.release();
        drop(opened);
        let rows = store::open(&folder, now).rows.remove(&Table::Waiting).unwrap_or_default();
        let kept: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
        let wanted: Vec<String> =
            (360 - visit / 60 + 1..=360).map(|id| used_key("huduma", Class::Filing, u128::from(id))).collect();
        assert_eq!(kept, wanted, "those of visits that may go on, and no others");
    }
}
