//! Keeps what the minutes were made of in which a posture stood above its foot, and the ten before it rose.
//!
//! Does not know: how requests are sampled.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;

use super::Office;
use super::totals::{Counting, day_of, read};
use crate::bounds;
use crate::client::{Client, Fingerprint};
use crate::path;
use crate::plan::Level;
use crate::telemetry::Fact;
use crate::telemetry::seen::{Look, Looking, Seen};
use crate::wire::Head;

pub(super) const SEEN: &str = "seen.jsonl";
/// Workers hand their last second over a moment after it is over.
const LATE: u64 = 62;

/// Minutes that are to be kept, by portal, and the portals that stand above their foot.
#[derive(Default)]
pub(super) struct Watching {
    wanted: HashSet<(u64, String)>,
    risen: HashSet<String>,
}

impl Office {
    /// Called about once a second, and where a posture changes: one that stands for a moment only is seen too.
    pub(super) fn watch_minutes(&self, watching: &mut Watching) {
        let (now, standing) = (self.house.now().unix(), self.house.standing.load());
        let minute = now - now % 60;
        for portal in &self.house.town.load().portals.list {
            let name = &portal.name;
            if standing.level(name, now) == Level::Normal {
                watching.risen.remove(name);
                continue;
            }
            let before = if watching.risen.insert(name.clone()) { bounds::RECENT.as_secs() / 60 - 1 } else { 0 };
            watching.wanted.extend((0..=before).map(|n| (minute - n * 60, name.clone())));
        }
    }

    /// Keeps the minutes that are over.
    pub(super) fn keep_seen_minutes(&self, counting: &mut Counting) {
        self.keep_seen(counting, self.house.now().unix().saturating_sub(LATE));
    }

    /// Keeps the minutes that began until then.
    pub(super) fn keep_seen(&self, counting: &mut Counting, until: u64) {
        let watching = &mut counting.watching;
        let due: HashSet<(u64, String)> = watching.wanted.iter().filter(|(at, _)| *at <= until).cloned().collect();
        let Some(oldest) = due.iter().map(|(at, _)| *at).min() else { return };
        watching.wanted.retain(|one| !due.contains(one));
        let mut by_day: BTreeMap<String, String> = BTreeMap::new();
        for seen in self.look_at(oldest, &due) {
            let lines = by_day.entry(day_of(seen.at)).or_default();
            lines.push_str(&serde_json::to_string(&seen).unwrap_or_default());
            lines.push('\n');
        }
        for (day, lines) in by_day {
            let name = format!("{day}.{SEEN}");
            let there = fs::metadata(self.totals_folder().join(&name)).map_or(0, |m| m.len());
            if there + lines.len() as u64 > bounds::SEEN_BYTES {
                tracing::warn!(name, "what the last minutes were made of is not kept: the day's file is full");
                continue;
            }
            self.append_lines(counting, name, lines);
        }
    }

    fn look_at(&self, oldest: u64, due: &HashSet<(u64, String)>) -> Vec<Seen> {
        let (town, places, now) = (self.house.town.load_full(), self.house.places.load(), self.house.now().unix());
        let mut minutes: BTreeMap<(u64, String), Looking> = BTreeMap::new();
        let mut addresses = HashMap::new();
        self.house.recent.each(oldest, |fact: &Fact, weight| {
            let portal = town.portals.find(&fact.authority);
            let came = fact.fate.came / 1000;
            let Some(key) = portal.map(|(_, p)| (came - came % 60, p.name.clone())).filter(|k| due.contains(k)) else {
                return;
            };
            let network = network(fact);
            let known = path::normalise(&fact.path)
                .is_ok_and(|path| self.house.known.is_known((&*key.1, &*path::for_matching(&path)), now));
            addresses.entry(network.clone()).or_insert(fact.address);
            minutes.entry(key).or_default().see(&Look {
                network: &network,
                path: &fact.path,
                agent: fact.text("user-agent").unwrap_or_default(),
                fingerprint: fact.fingerprint.as_ref().map(Fingerprint::as_str),
                known,
                sent_away: fact.fate.sent_away,
                with_pass: fact.pass.is_some(),
                weight,
            });
        });
        let told = minutes.into_iter().map(|((at, portal), looking)| looking.told(at, &portal));
        let placed = told.map(|mut seen| {
            for network in &mut seen.networks {
                let Some(address) = addresses.get(&network.net) else { continue };
                network.asn = places.asn(*address);
                network.country = places.country(*address).map(|c| c.as_str().to_owned());
            }
            seen
        });
        placed.collect()
    }

    /// What is kept of these minutes, of one portal or of all.
    pub(super) fn each_seen(&self, (from, to): (u64, u64), portal: Option<&str>, mut see: impl FnMut(Seen)) {
        for day in super::totals::days_between(from, to) {
            let path = self.totals_folder().join(format!("{day}.{SEEN}"));
            let wanted = move |s: &Seen| (from..=to).contains(&s.at);
            read(&path, wanted).filter(|s| portal.is_none_or(|name| name == s.portal)).for_each(&mut see);
        }
    }
}

/// The /24 or /48 around whoever asked.
fn network(fact: &Fact) -> String {
    let prefix = Client::new(fact.address, fact.address, 64, false).network;
    let address = prefix.address();
    format!("{address}/{}", if address.is_ipv4() { 24 } else { 48 })
}
