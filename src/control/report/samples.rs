//! Adds up the samples of a span: who came, and for what.
//!
//! Does not know: how a minute is sampled, how a report is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::bounds;
use crate::report::{At, Network, Other, Seen};
use crate::telemetry::seen;

/// Networks of a report, and names of each kind.
const NETWORKS: usize = 50;
const NAMES: usize = 20;

/// Samples of many minutes.
#[derive(Default)]
pub(super) struct Samples {
    minutes: BTreeSet<u64>,
    distinct_networks: u64,
    made_up: Option<u64>,
    forms: HashMap<String, u64>,
    sample: u64,
    requests: u64,
    networks: HashMap<String, Network>,
    paths: HashMap<String, u64>,
    agents: HashMap<String, u64>,
    fingerprints: HashMap<String, u64>,
    countries: HashMap<String, u64>,
}

impl Samples {
    pub fn add(&mut self, seen: seen::Seen) {
        self.minutes.insert(seen.at);
        self.sample += seen.sample;
        self.requests += seen.requests;
        self.distinct_networks = self.distinct_networks.max(seen.distinct_networks).max(seen.networks.len() as u64);
        if let Some(n) = seen.made_up {
            *self.made_up.get_or_insert_default() += n;
        }
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
        count(&mut self.forms, seen.forms);
    }

    /// Networks that are no indicators are named only where `others` says so.
    pub fn told(self, others: bool) -> Option<Seen> {
        if self.sample == 0 {
            return None;
        }
        let top = |all: HashMap<String, u64>| {
            let mut all: Vec<(String, u64)> = all.into_iter().collect();
            all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            all.truncate(NAMES);
            all
        };
        let mut networks: Vec<Network> = self.networks.into_values().collect();
        networks.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.net.cmp(&b.net)));
        let (mut indicators, mut other_networks) = (Vec::new(), Vec::new());
        let mut spared: BTreeMap<&'static str, u64> = BTreeMap::new();
        for network in networks {
            match network.spared() {
                None => indicators.push(network),
                Some(why) => {
                    *spared.entry(why).or_default() += 1;
                    other_networks.push(Other { network, why });
                }
            }
        }
        indicators.truncate(NETWORKS);
        other_networks.truncate(if others { bounds::REPORT_OTHERS } else { 0 });
        Some(Seen {
            minutes: self.minutes.len() as u64,
            sample: self.sample,
            requests: self.requests,
            distinct_networks: self.distinct_networks,
            indicators,
            other_networks,
            spared: spared.into_iter().collect(),
            paths: top(self.paths),
            made_up: self.made_up,
            forms: top(self.forms),
            agents: top(self.agents),
            fingerprints: top(self.fingerprints),
            countries: top(self.countries),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_minutes_are_one() {
        let network = |net: &str, requests| seen::Network {
            net: net.into(),
            requests,
            sample: requests / 10,
            sent_away: requests,
            ..Default::default()
        };
        let minute = |at, networks| seen::Seen {
            at,
            sample: 5,
            requests: 50,
            networks,
            distinct_networks: if at == 60 { 7 } else { 2 },
            made_up: (at == 60).then_some(20),
            forms: if at == 60 { vec![("/*".into(), 10)] } else { vec![] },
            paths: vec![("/a".into(), 3)],
            ..Default::default()
        };
        assert!(Samples::default().told(true).is_none());
        let all = || {
            let mut all = Samples::default();
            all.add(minute(120, vec![network("b", 10), network("a", 40)]));
            all.add(minute(60, vec![network("b", 90)]));
            all
        };
        let told = all().told(true).unwrap();
        assert_eq!((told.minutes, told.sample, told.requests), (2, 10, 100));
        let b = &told.indicators[0];
        assert_eq!((&*b.net, b.requests, b.first, b.last), ("b", 100, At(60), At(180)));
        assert_eq!((told.distinct_networks, told.made_up), (7, Some(20)));
        let [other] = &told.other_networks[..] else { panic!("{:?}", told.other_networks) };
        assert_eq!((&*other.network.net, &told.spared[..]), ("a", &[(other.why, 1)][..]));
        assert_eq!((told.paths, told.forms), (vec![("/a".into(), 6)], vec![("/*".into(), 10)]));
        let none = all().told(false).unwrap();
        assert_eq!((none.other_networks.len(), none.spared.len(), none.indicators.len()), (0, 1, 1));
    }
}
