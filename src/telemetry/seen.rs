//! What one minute of a portal was made of, by the sample of the last ten minutes: which networks came most often, and what
//! they asked for. Kept while a posture stands above its foot, so that a report can say later who came, when logs are gone.
//!
//! Of addresses it keeps their networks (/24 or /48), of requests no query, no cookie and no body; and no path and no browser that
//! only one or two requests of the sample had.
//!
//! Does not know: files, why a posture rose.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::bounds;

/// A request of the sample.
pub struct Look<'a> {
    pub network: &'a str,
    pub path: &'a str,
    pub agent: &'a str,
    /// Of its TLS, where boma spoke that.
    pub fingerprint: Option<&'a str>,
    /// The rule or limit that decided.
    pub rule: Option<&'a str>,
    /// boma challenged, limited, denied or dropped it.
    pub sent_away: bool,
    pub with_pass: bool,
    /// How many it stands for.
    pub weight: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub net: String,
    /// Its requests that were looked at.
    #[serde(default)]
    pub sample: u64,
    /// Estimates, as all numbers of requests here.
    pub requests: u64,
    pub sent_away: u64,
    pub with_pass: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// One minute of one portal. A minute may have several: after a restart, and where one process takes over from another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Its beginning, in seconds since the Unix epoch.
    pub at: u64,
    pub portal: String,
    /// Requests that were looked at, and for how many they stand.
    pub sample: u64,
    pub requests: u64,
    /// The most frequent first, as all lists here.
    pub networks: Vec<Network>,
    pub paths: Vec<(String, u64)>,
    pub agents: Vec<(String, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<(String, u64)>,
    pub rules: Vec<(String, u64)>,
}

/// A minute that is being looked at; bounded by the sample.
#[derive(Default)]
pub struct Looking {
    sample: u64,
    requests: f64,
    /// How often each was seen, and what that stands for: requests, of them sent away, of them with a pass.
    networks: HashMap<String, (u64, [f64; 3])>,
    /// How often each was seen, and what it stands for.
    paths: HashMap<String, (u64, f64)>,
    agents: HashMap<String, (u64, f64)>,
    fingerprints: HashMap<String, (u64, f64)>,
    rules: HashMap<String, (u64, f64)>,
}

impl Looking {
    pub fn see(&mut self, look: &Look<'_>) {
        self.sample += 1;
        self.requests += look.weight;
        let (sample, network) = self.networks.entry(look.network.to_owned()).or_default();
        *sample += 1;
        network[0] += look.weight;
        network[1] += if look.sent_away { look.weight } else { 0.0 };
        network[2] += if look.with_pass { look.weight } else { 0.0 };
        let count = |all: &mut HashMap<String, (u64, f64)>, name: &str| {
            let name: String = name.chars().filter(|c| !c.is_control()).take(bounds::SEEN_NAME_CHARS).collect();
            let one = all.entry(name).or_default();
            *one = (one.0 + 1, one.1 + look.weight);
        };
        count(&mut self.paths, look.path);
        count(&mut self.agents, look.agent);
        look.fingerprint.iter().for_each(|fingerprint| count(&mut self.fingerprints, fingerprint));
        look.rule.iter().for_each(|rule| count(&mut self.rules, rule));
    }

    pub fn told(self, at: u64, portal: &str) -> Seen {
        let network = |(net, (sample, estimates)): (String, (u64, [f64; 3]))| {
            let [requests, sent_away, with_pass] = estimates.map(|n| n.round() as u64);
            Network { net, sample, requests, sent_away, with_pass, ..Network::default() }
        };
        let mut networks: Vec<Network> = self.networks.into_iter().map(network).collect();
        networks.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.net.cmp(&b.net)));
        networks.truncate(bounds::SEEN_NETWORKS);
        Seen {
            at,
            portal: portal.to_owned(),
            sample: self.sample,
            requests: self.requests.round() as u64,
            networks,
            paths: top(self.paths, bounds::SEEN_LEAST),
            agents: top(self.agents, bounds::SEEN_LEAST),
            fingerprints: top(self.fingerprints, bounds::SEEN_LEAST),
            rules: top(self.rules, 1),
        }
    }
}

fn top(all: HashMap<String, (u64, f64)>, least: u64) -> Vec<(String, u64)> {
    let often = all.into_iter().filter(|(_, (seen, _))| *seen >= least);
    let mut top: Vec<(String, u64)> = often.map(|(name, (_, n))| (name, n.round() as u64)).collect();
    top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    top.truncate(bounds::SEEN_NAMES);
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_often_is_kept_and_what_came_once_is_not() {
        let mut looking = Looking::default();
        let mut see = |network: &str, path: &str, with_pass: bool| {
            let rule = (!with_pass).then_some("budget");
            let fingerprint = with_pass.then_some("t13d1516h2_8daaf6152771_b186095e22b6");
            let (agent, sent_away) = ("Bot\n", !with_pass);
            looking.see(&Look { network, path, agent, fingerprint, rule, sent_away, with_pass, weight: 10.0 });
        };
        (0..40).for_each(|n| see("192.0.2.0/24", &format!("/made-up-{n}"), false));
        (0..3).for_each(|_| see("198.51.100.0/24", "/login", true));
        see("198.51.100.0/24", "/account/of-one-person", false);
        (0..500).for_each(|n| see(&format!("net {n:03}"), "/a", false));
        let seen = looking.told(60, "huduma");
        assert_eq!((seen.at, seen.sample, seen.requests), (60, 544, 5440));
        assert_eq!(seen.networks.len(), bounds::SEEN_NETWORKS);
        let network = |n: usize| {
            (&*seen.networks[n].net, seen.networks[n].requests, seen.networks[n].sent_away, seen.networks[n].with_pass)
        };
        assert_eq!((network(0), network(1)), (("192.0.2.0/24", 400, 400, 0), ("198.51.100.0/24", 40, 10, 30)));
        assert_eq!(seen.paths, [("/a".into(), 5000), ("/login".into(), 30)]);
        assert_eq!((&seen.agents, &seen.rules), (&vec![("Bot".to_owned(), 5440)], &vec![("budget".to_owned(), 5410)]));
        assert_eq!(seen.fingerprints, [("t13d1516h2_8daaf6152771_b186095e22b6".to_owned(), 30)]);
        let line = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Seen>(&line).unwrap(), seen);
    }
}
