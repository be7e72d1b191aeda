//! Adds up what the totals and samples of a span hold.
//!
//! Does not know: the journal, how a report is written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::super::Office;
use crate::bounds;
use crate::plan::Level;
use crate::report::{self, At, Became, Citizens, HURT, Measure, Network, Peak, Step, Traffic, Worst};
use crate::telemetry::Outcome;
use crate::telemetry::seen;
use crate::telemetry::totals::Minute;
use crate::uptime::{DEFINITION, Served};

/// Rows of a list in a report.
const ROWS: usize = 50;

#[derive(Default)]
struct Sum {
    requests: u64,
    sent_away: u64,
    citizens: Served,
}

#[derive(Default)]
pub(super) struct Sums {
    minutes: BTreeMap<u64, Sum>,
    risen: BTreeMap<(String, u64), Level>,
    /// By outcome: requests, and of them with a pass.
    outcomes: BTreeMap<usize, (Outcome, [u64; 2])>,
    classes: BTreeMap<String, Served>,
    /// What measures decided, by name and minute.
    deeds: BTreeMap<String, BTreeMap<u64, [u64; 4]>>,
}

impl Sums {
    pub fn of(office: &Office, span: (u64, u64), portal: Option<&str>) -> Sums {
        let mut sums = Sums::default();
        office.each_minute(span, portal, |minute| {
            office.house.breath.take();
            sums.add(&minute);
        });
        sums
    }

    pub fn add(&mut self, minute: &Minute) {
        if minute.posture > Level::Normal {
            let level = self.risen.entry((minute.portal.clone(), minute.at)).or_insert(minute.posture);
            *level = minute.posture.max(*level);
        }
        for name in minute.deeds.keys() {
            let Some(deed) = minute.deed(name) else { continue };
            let all = self.deeds.entry(name.clone()).or_default().entry(minute.at).or_default();
            all.iter_mut().zip(deed).for_each(|(all, n)| *all += n);
        }
        let sum = self.minutes.entry(minute.at).or_default();
        minute.each(|class, outcome, [all, with_pass, citizens]| {
            sum.requests += all;
            if outcome.is_sent_away() {
                sum.sent_away += all;
            }
            let (_, counts) = self.outcomes.entry(outcome as usize).or_insert((outcome, [0; 2]));
            *counts = [counts[0] + all, counts[1] + with_pass];
            if let Some(fare) = outcome.fare().filter(|_| citizens > 0) {
                sum.citizens.add(fare, citizens);
                self.classes.entry(class.to_owned()).or_default().add(fare, citizens);
            }
        });
    }

    pub fn traffic(&self) -> Traffic {
        let peak = self.minutes.iter().rev().max_by_key(|(_, sum)| sum.requests);
        Traffic {
            minutes: self.minutes.values().filter(|s| s.requests > 0).count() as u64,
            requests: self.minutes.values().map(|s| s.requests).sum(),
            outcomes: self.outcomes.values().map(became).collect(),
            sent_away: self.minutes.values().map(|s| s.sent_away).sum(),
            peak: peak.filter(|(_, sum)| sum.requests > 0).map(|(at, sum)| Peak {
                at: At(*at),
                requests: sum.requests,
                sent_away: sum.sent_away,
            }),
        }
    }

    pub fn citizens(&self) -> Citizens {
        let risen: std::collections::BTreeSet<u64> = self.risen.keys().map(|(_, at)| *at).collect();
        Citizens {
            definition: DEFINITION,
            served: self.classes.values().fold(Served::default(), |all, s| all.with(s)),
            classes: self.classes.iter().map(|(class, served)| (class.clone(), *served)).collect(),
            minutes_risen: risen.len() as u64,
            minutes_hurt: self.minutes.values().filter(|s| hurts(&s.citizens)).count() as u64,
            worst: self.worst(),
        }
    }

    /// The minute in which the most of citizens' requests were refused; of equals the one with the fewest others, then the first.
    fn worst(&self) -> Option<Worst> {
        let hurt = self.minutes.iter().rev().filter(|(_, sum)| sum.citizens.refused > 0);
        let worst = hurt.max_by_key(|(_, sum)| (sum.citizens.refused, Reverse(sum.citizens.requests())));
        worst.map(|(at, sum)| Worst { at: At(*at), served: sum.citizens })
    }

    /// What each measure did: a minute belongs to the measure of its name that was laid last before its end.
    pub fn tell(&self, measures: &mut [Measure]) {
        for (name, minutes) in &self.deeds {
            for (at, [decided, sent_away, with_pass, citizens]) in minutes {
                let is_its =
                    |m: &&mut Measure| m.name.strip_prefix("measure ") == Some(name.as_str()) && m.laid.0 < at + 60;
                let Some(measure) = measures.iter_mut().rev().find(is_its) else { continue };
                let did = measure.did.get_or_insert_default();
                did.decided += decided;
                did.sent_away += sent_away;
                did.with_pass += with_pass;
                did.citizens += citizens;
            }
        }
    }

    /// Runs of minutes with one posture.
    pub fn postures(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for ((portal, at), level) in &self.risen {
            match steps.last_mut() {
                Some(last) if last.portal == *portal && last.level == level.as_str() && last.to.0 == *at => {
                    last.to = At(at + 60);
                }
                _ => {
                    let (portal, level) = (portal.clone(), level.as_str().to_owned());
                    steps.push(Step { portal, level, from: At(*at), to: At(at + 60) });
                }
            }
        }
        steps.truncate(ROWS);
        steps
    }

    /// The first and the last minute above the foot.
    pub fn risen(&self) -> Option<(u64, u64)> {
        let all = || self.risen.keys().map(|(_, at)| *at);
        all().min().zip(all().max())
    }

    /// When the last minute ended in which citizens were hurt, where some calm followed; and whether there was one.
    pub fn contained(&self, detected: Option<u64>, to: u64) -> (Option<u64>, bool) {
        let hurt = self.minutes.iter().rev().find(|(_, sum)| hurts(&sum.citizens)).map(|(at, _)| at + 60);
        let calm = |end: &u64| end + bounds::REPORT_CALM.as_secs() <= to && detected.is_some_and(|d| *end >= d);
        (hurt.filter(calm), hurt.is_some())
    }
}

fn became((outcome, [requests, with_pass]): &(Outcome, [u64; 2])) -> Became {
    let name = Outcome::ALL[*outcome as usize].1;
    Became { outcome: name, means: outcome.says(), requests: *requests, with_pass: *with_pass }
}

fn hurts(served: &Served) -> bool {
    served.refused > 0 && served.refused * 100 >= HURT * served.requests()
}

/// An estimate of when it began: the first of the ten minutes before it was detected that had more than three times the median
/// of the hour before.
pub(super) fn onset(office: &Office, detected: u64, portal: Option<&str>) -> Option<u64> {
    let mut minutes: BTreeMap<u64, u64> = BTreeMap::new();
    office.each_minute((detected.saturating_sub(3600), detected), portal, |minute| {
        let all = minutes.entry(minute.at).or_default();
        minute.each(|_, _, [n, ..]| *all += n);
    });
    first_high(&minutes, detected)
}

fn first_high(minutes: &BTreeMap<u64, u64>, detected: u64) -> Option<u64> {
    let edge = detected.saturating_sub(600);
    let mut before: Vec<u64> = minutes.range(..edge).map(|(_, n)| *n).collect();
    if before.len() < 10 {
        return None;
    }
    let middle = before.len() / 2;
    let median = *before.select_nth_unstable(middle).1;
    minutes.range(edge..=detected).find(|(_, n)| **n > 3 * median).map(|(at, _)| *at)
}

/// Samples of many minutes.
#[derive(Default)]
pub(super) struct Samples {
    minutes: std::collections::BTreeSet<u64>,
    sample: u64,
    requests: u64,
    networks: HashMap<String, Network>,
    paths: HashMap<String, u64>,
    agents: HashMap<String, u64>,
    fingerprints: HashMap<String, u64>,
    countries: HashMap<String, u64>,
    rules: HashMap<String, u64>,
}

impl Samples {
    pub fn add(&mut self, seen: seen::Seen) {
        self.minutes.insert(seen.at);
        self.sample += seen.sample;
        self.requests += seen.requests;
        for one in seen.networks {
            if let Some(country) = &one.country {
                *self.countries.entry(country.clone()).or_default() += one.requests;
            }
            if self.networks.len() >= bounds::REPORT_NETWORKS && !self.networks.contains_key(&one.net) {
                continue;
            }
            let new = || Network { net: one.net.clone(), first: At(seen.at), ..Network::default() };
            let network = self.networks.entry(one.net.clone()).or_insert_with(new);
            network.first = network.first.min(At(seen.at));
            network.last = network.last.max(At(seen.at + 60));
            network.sample += one.sample;
            network.requests += one.requests;
            network.sent_away += one.sent_away;
            network.with_pass += one.with_pass;
            network.asn = one.asn.or(network.asn);
            network.country = one.country.or(network.country.take());
        }
        let count = |all: &mut HashMap<String, u64>, names: Vec<(String, u64)>| {
            for (name, n) in names {
                if all.len() < bounds::REPORT_NETWORKS || all.contains_key(&name) {
                    *all.entry(name).or_default() += n;
                }
            }
        };
        count(&mut self.paths, seen.paths);
        count(&mut self.agents, seen.agents);
        count(&mut self.fingerprints, seen.fingerprints);
        count(&mut self.rules, seen.rules);
    }

    pub fn told(self) -> Option<report::Seen> {
        if self.sample == 0 {
            return None;
        }
        let top = |all: HashMap<String, u64>| {
            let mut all: Vec<(String, u64)> = all.into_iter().collect();
            all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            all.truncate(ROWS);
            all
        };
        let mut networks: Vec<Network> = self.networks.into_values().collect();
        networks.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.net.cmp(&b.net)));
        networks.truncate(ROWS);
        Some(report::Seen {
            minutes: self.minutes.len() as u64,
            sample: self.sample,
            requests: self.requests,
            networks,
            paths: top(self.paths),
            agents: top(self.agents),
            fingerprints: top(self.fingerprints),
            countries: top(self.countries),
            rules: top(self.rules),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn minute(n: u64, posture: Level, counts: serde_json::Value) -> Minute {
        let counts = counts.as_object().unwrap().clone();
        Minute { at: n * 60, portal: "huduma".into(), posture, counts, deeds: serde_json::Map::new() }
    }

    /// A day of which everything is known.
    #[test]
    fn each_figure_is_the_sum_of_its_minutes() {
        let mut sums = Sums::default();
        let quiet = json!({ "information": { "full": [100, 40, 90] } });
        (0..60).for_each(|n| sums.add(&minute(n, Level::Normal, quiet.clone())));
        let flood = json!({
            "information": { "full": [50, 50, 50], "challenged": [5000, 10, 10], "limited": [1000, 0, 0], "gone": [7, 0, 0] },
            "payment": { "statement": [20, 5, 5], "full": [30, 30, 30] },
        });
        (60..63).for_each(|n| sums.add(&minute(n, Level::Attack, flood.clone())));
        // Two processes, one minute.
        sums.add(&minute(62, Level::Guarded, json!({ "payment": { "denied": [400, 0, 0] } })));
        (63..70).for_each(|n| sums.add(&minute(n, Level::Guarded, json!({ "payment": { "full": [10, 10, 10] } }))));
        let traffic = sums.traffic();
        assert_eq!((traffic.minutes, traffic.requests), (70, 60 * 100 + 3 * 6107 + 400 + 70));
        assert_eq!(traffic.sent_away, 3 * 6000 + 400);
        let peak = traffic.peak.unwrap();
        assert_eq!((peak.at, peak.requests, peak.sent_away), (At(62 * 60), 6507, 6400));
        let outcome =
            |name: &str| traffic.outcomes.iter().find(|o| o.outcome == name).map(|o| (o.requests, o.with_pass));
        assert_eq!(
            (outcome("full"), outcome("challenged"), outcome("own")),
            (Some((6310, 2710)), Some((15_000, 30)), None)
        );
        let citizens = sums.citizens();
        assert_eq!(citizens.served, Served { full: 5400 + 150 + 90 + 70, copies: 0, delayed: 30, refused: 15 });
        assert_eq!(citizens.classes[1], ("payment".into(), Served { full: 160, refused: 15, ..Served::default() }));
        assert_eq!((citizens.minutes_risen, citizens.minutes_hurt), (10, 3));
        let worst = Worst { at: At(60 * 60), served: Served { full: 80, copies: 0, delayed: 10, refused: 5 } };
        assert_eq!(citizens.worst, Some(worst), "of equals the first");
        let steps: Vec<_> = sums.postures().iter().map(|s| (s.level.clone(), s.from.0 / 60, s.to.0 / 60)).collect();
        assert_eq!(steps, [("attack".into(), 60, 63), ("guarded".into(), 63, 70)]);
        assert_eq!(sums.risen(), Some((60 * 60, 69 * 60)));
        assert_eq!(sums.contained(Some(60 * 60), 70 * 60), (Some(63 * 60), true));
        assert_eq!(sums.contained(Some(60 * 60), 64 * 60), (None, true), "a minute of calm is none");
    }

    #[test]
    fn what_a_measure_did_is_its_own_minutes_and_not_known_where_none_names_it() {
        let mut sums = Sums::default();
        for (n, deeds) in [
            (1, json!({ "m": [10, 8, 2, 1], "n": [0, 0, 0, 0] })),
            (2, json!({ "m": [5, 5, 0, 0] })),
            (2, json!({ "m": [1, 0, 0, 0] })),
            (3, json!({ "m": [7, 7, 7, 7], "gone": [9, 9, 9, 9] })),
        ] {
            let deeds = deeds.as_object().unwrap().clone();
            sums.add(&Minute { deeds, ..minute(n, Level::Normal, json!({})) });
        }
        let measure = |name: &str, laid| Measure { name: name.into(), laid: At(laid), ..Measure::default() };
        let mut measures = vec![
            measure("measure m", 70),
            measure("measure n", 70),
            measure("measure m", 185),
            measure("ban of gone", 0),
            measure("measure late", 70),
        ];
        sums.tell(&mut measures);
        let did: Vec<_> =
            measures.iter().map(|m| m.did.map(|d| [d.decided, d.sent_away, d.with_pass, d.citizens])).collect();
        assert_eq!(did, [Some([16, 13, 2, 1]), Some([0; 4]), Some([7; 4]), None, None]);
    }

    #[test]
    fn the_beginning_is_reckoned_from_the_hour_before_or_not_known() {
        let quiet: BTreeMap<u64, u64> = (0..60).map(|n| (n * 60, 100)).collect();
        assert_eq!(first_high(&quiet, 3600), None);
        let mut flood = quiet.clone();
        flood.extend([(57 * 60, 301), (58 * 60, 5000), (59 * 60, 9000)]);
        assert_eq!(first_high(&flood, 3600), Some(57 * 60));
        flood.retain(|at, _| *at >= 45 * 60);
        assert_eq!(first_high(&flood, 3600), None, "five minutes are no hour");
    }

    #[test]
    fn samples_of_minutes_are_one() {
        let network = |net: &str, requests| seen::Network {
            net: net.into(),
            requests,
            sent_away: requests,
            ..Default::default()
        };
        let minute = |at, networks| seen::Seen {
            at,
            sample: 5,
            requests: 50,
            networks,
            paths: vec![("/a".into(), 3)],
            ..Default::default()
        };
        let mut all = Samples::default();
        assert!(Samples::default().told().is_none());
        all.add(minute(120, vec![network("b", 10), network("a", 40)]));
        all.add(minute(60, vec![network("b", 90)]));
        let told = all.told().unwrap();
        assert_eq!((told.minutes, told.sample, told.requests), (2, 10, 100));
        let b = &told.networks[0];
        assert_eq!((&*b.net, b.requests, b.first, b.last), ("b", 100, At(60), At(180)));
        assert_eq!(told.paths, [("/a".into(), 6)]);
    }
}
