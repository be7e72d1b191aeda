//! What one minute of a portal was made of, by the sample of the last ten minutes: which networks came most often, and what
//! they asked for. Kept while a posture stands above its foot, so that a report can say later who came, when logs are gone.
//!
//! Of addresses it keeps their networks (/24 or /48), of requests no query, no cookie and no body; and no path and no browser that
//! only one or two requests of the sample had. Of paths that the portal is not known to have the form is kept, where it came often.
//!
//! Does not know: files, why a posture rose.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::bounds;

/// A request of the sample.
pub struct Look<'a> {
    pub network: &'a str,
    pub path: &'a str,
    pub agent: &'a str,
    /// Of its TLS, where boma spoke that.
    pub fingerprint: Option<&'a str>,
    /// The portal is known to have the path.
    pub known: bool,
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
    /// How many networks the sample held.
    #[serde(default)]
    pub distinct_networks: u64,
    pub paths: Vec<(String, u64)>,
    /// Requests for paths that the portal is not known to have and that are not in `paths`, and the forms of these. `None`: nobody
    /// looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_up: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forms: Vec<(String, u64)>,
    pub agents: Vec<(String, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<(String, u64)>,
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
    /// Those of `paths` that the portal is not known to have.
    made_up: HashSet<String>,
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
            let one = all.entry(kept(name)).or_default();
            *one = (one.0 + 1, one.1 + look.weight);
        };
        count(&mut self.paths, look.path);
        if !look.known {
            self.made_up.insert(kept(look.path));
        }
        count(&mut self.agents, look.agent);
        look.fingerprint.iter().for_each(|fingerprint| count(&mut self.fingerprints, fingerprint));
    }

    pub fn told(self, at: u64, portal: &str) -> Seen {
        let network = |(net, (sample, estimates)): (String, (u64, [f64; 3]))| {
            let [requests, sent_away, with_pass] = estimates.map(|n| n.round() as u64);
            Network { net, sample, requests, sent_away, with_pass, ..Network::default() }
        };
        let mut networks: Vec<Network> = self.networks.into_iter().map(network).collect();
        networks.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.net.cmp(&b.net)));
        let distinct_networks = networks.len() as u64;
        networks.truncate(bounds::SEEN_NETWORKS);
        let paths = top(&self.paths, bounds::SEEN_LEAST);
        let (made_up, forms) = made_up(&self.paths, &self.made_up, &paths);
        Seen {
            at,
            portal: portal.to_owned(),
            sample: self.sample,
            requests: self.requests.round() as u64,
            networks,
            distinct_networks,
            paths,
            made_up: Some(made_up),
            forms,
            agents: top(&self.agents, bounds::SEEN_LEAST),
            fingerprints: top(&self.fingerprints, bounds::SEEN_LEAST),
        }
    }
}

fn kept(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(bounds::SEEN_NAME_CHARS).collect()
}

/// How many requests asked for paths that the portal is not known to have, other than those in `named`; and their forms.
fn made_up(
    paths: &HashMap<String, (u64, f64)>,
    unknown: &HashSet<String>,
    named: &[(String, u64)],
) -> (u64, Vec<(String, u64)>) {
    let (mut all, mut forms) = (0.0, HashMap::<String, (u64, f64)>::new());
    for (path, (seen, n)) in paths {
        if unknown.contains(path) && !named.iter().any(|(name, _)| name == path) {
            all += n;
            let of = forms.entry(form(path)).or_default();
            *of = (of.0 + seen, of.1 + n);
        }
    }
    (all.round() as u64, top(&forms, bounds::SEEN_LEAST))
}

/// A path with a star for each part that is more than a plain word.
fn form(path: &str) -> String {
    let part = |part: &str| {
        let plain = part.bytes().all(|b| b.is_ascii_alphabetic()) && part.len() <= 20;
        if plain { part.to_owned() } else { "*".to_owned() }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn top(all: &HashMap<String, (u64, f64)>, least: u64) -> Vec<(String, u64)> {
    let often = all.iter().filter(|(_, (seen, _))| *seen >= least);
    let mut top: Vec<(String, u64)> = often.map(|(name, (_, n))| (name.clone(), n.round() as u64)).collect();
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
            let known = !path.starts_with("/made-up") && path != "/wp-login.php";
            let fingerprint = with_pass.then_some("t13d1516h2_8daaf6152771_b186095e22b6");
            let (agent, sent_away) = ("Bot\n", !with_pass);
            looking.see(&Look { network, path, agent, fingerprint, known, sent_away, with_pass, weight: 10.0 });
        };
        (0..38).for_each(|n| see("192.0.2.0/24", &format!("/made-up-{n}/x/{n}"), false));
        (0..2).for_each(|n| see("192.0.2.0/24", &format!("/made-up-{n}/seldom"), false));
        (0..5).for_each(|_| see("198.51.100.0/24", "/wp-login.php", true));
        (0..3).for_each(|_| see("198.51.100.0/24", "/login", true));
        see("198.51.100.0/24", "/account/of-one-person", false);
        (0..500).for_each(|n| see(&format!("net {n:03}"), "/a", false));
        let seen = looking.told(60, "huduma");
        assert_eq!((seen.at, seen.sample, seen.requests), (60, 549, 5490));
        assert_eq!((seen.networks.len(), seen.distinct_networks), (bounds::SEEN_NETWORKS, 502));
        assert_eq!(seen.made_up, Some(400), "what is named is not told twice");
        assert_eq!(seen.forms, [("/*/x/*".into(), 380)], "and no form that only two had");
        let network = |n: usize| {
            (&*seen.networks[n].net, seen.networks[n].requests, seen.networks[n].sent_away, seen.networks[n].with_pass)
        };
        assert_eq!((network(0), network(1)), (("192.0.2.0/24", 400, 400, 0), ("198.51.100.0/24", 90, 10, 80)));
        assert_eq!(seen.paths, [("/a".into(), 5000), ("/wp-login.php".into(), 50), ("/login".into(), 30)]);
        assert_eq!(seen.agents, [("Bot".to_owned(), 5490)]);
        assert_eq!(seen.fingerprints, [("t13d1516h2_8daaf6152771_b186095e22b6".to_owned(), 80)]);
        let line = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Seen>(&line).unwrap(), seen);
        let old =
            r#"{"at":60,"portal":"p","sample":1,"requests":1,"networks":[],"paths":[],"agents":[],"rules":[["m",1]]}"#;
        assert_eq!(serde_json::from_str::<Seen>(old).unwrap().made_up, None, "as an earlier version wrote it");
    }
}
