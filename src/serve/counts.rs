//! What a draft would have done, added up: whom it hits, how hard, and whether that is harm.
//!
//! Does not know: how a request is judged.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::over::{self, Counted};
use crate::bounds;
use crate::client::{Client, Prefix};
use crate::plan::Quota;
use crate::posture::origin_of;
use crate::reason::Reason;
use crate::report::Forecast;
use crate::rules::RuleSet;
use crate::telemetry::Fact;
use crate::telemetry::sketch::{Distinct, Frequent, cut};

/// Entries of a list of the most frequent.
pub(super) const TOP: usize = 5;

/// The outcome, in numbers that are estimates where a second held more requests than were kept.
#[derive(Debug, Default, Serialize)]
pub struct Preview {
    /// Requests of the last ten minutes.
    pub requests: u64,
    /// How many of them with a pass.
    pub with_pass: u64,
    /// What the draft would have answered otherwise than the rules in force.
    pub changed: Changed,
    /// Where measures hide what it does: what it alone would have changed if they were not there, and what they and it together
    /// change of what the file alone would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone: Option<Changed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<Changed>,
    /// What would become of all requests, as the access log's verdicts.
    pub verdicts: HashMap<&'static str, u64>,
    /// For each limit that is new or changed, how many requests it would have refused.
    pub limits: Vec<LimitPreview>,
    /// Rules and limits of the draft that matched nothing.
    pub idle: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
pub struct Changed {
    /// Served now, and would have been sent away or challenged.
    pub stricter: u64,
    /// The other way round.
    pub milder: u64,
    /// Distinct clients among the requests that were kept.
    pub clients: u64,
    pub with_pass: u64,
    /// Distinct passes of settled citizens, few of each prefix.
    pub settled_passes: u64,
    /// Of the settled passes seen on the portal that is hit the most, how many hundredths.
    pub settled_share: f64,
    /// The distinct prefixes that they were seen on.
    pub settled_prefixes: usize,
    /// From the list `staff`.
    pub staff: u64,
    pub paths: Vec<(String, u64)>,
    pub networks: Vec<(String, u64)>,
}

#[derive(Debug, Serialize)]
pub struct LimitPreview {
    pub name: String,
    pub matched: u64,
    /// As if all of a key's requests had come evenly: at least so many.
    pub over: u64,
    /// Keys that would have been over it.
    pub keys: u64,
    /// What of it nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Who, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<(String, u64)>,
}

#[derive(Default)]
pub(super) struct Counts {
    requests: f64,
    with_pass: f64,
    stricter: f64,
    milder: f64,
    hit_with_pass: f64,
    staff: f64,
    clients: Distinct,
    /// By portal.
    settled: HashMap<usize, Citizens>,
    settled_hit: HashMap<usize, Citizens>,
    verdicts: HashMap<&'static str, f64>,
    paths: Frequent<str>,
    networks: Frequent<str>,
    /// By limit and key.
    keys: HashMap<(u64, u64), Key>,
    pub matched: HashSet<String>,
}

/// A settled citizen's request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Citizen {
    pub pass: u128,
    /// An address, or of IPv6 the /48.
    pub prefix: u128,
    pub portal: usize,
}

impl Citizen {
    pub fn new(pass: u128, client: &Client, portal: usize) -> Citizen {
        Citizen { pass, prefix: origin_of(client), portal }
    }
}

/// Settled passes, each once, wherever it was seen; and of one prefix only so many.
#[derive(Default)]
struct Citizens {
    passes: HashSet<u128>,
    of_prefix: HashMap<u128, usize>,
}

impl Citizens {
    fn add(&mut self, citizen: Citizen) {
        let of = self.of_prefix.entry(citizen.prefix).or_default();
        if *of < bounds::SETTLED_PER_PREFIX && self.passes.insert(citizen.pass) {
            *of += 1;
        }
    }

    fn number(&self) -> u64 {
        self.passes.len() as u64
    }

    fn prefixes(&self) -> usize {
        self.of_prefix.values().filter(|n| **n > 0).count()
    }
}

/// What counted on one key of a limit, and by whom.
#[derive(Default)]
struct Key {
    counted: Counted,
    staff: f64,
    settled: HashSet<Citizen>,
    /// Of those that the limit itself refused.
    refused_staff: f64,
    refused_settled: HashSet<Citizen>,
}

/// A limit whose harm is told.
pub(super) struct Tried {
    pub quota: Quota,
    /// What it was before.
    pub old: Option<Quota>,
    /// It has stood all the while: what it refused is known.
    pub stood: bool,
}

/// How severe an outcome is.
pub(super) fn severity(reason: Reason) -> u8 {
    match reason {
        Reason::Served | Reason::Own => 0,
        Reason::ChallengeRule | Reason::ChallengePosture | Reason::ChallengeLimit => 1,
        Reason::StaticRule | Reason::Posture | Reason::Closed => 2,
        Reason::Denied | Reason::NeedsPass | Reason::OverLimit => 3,
        _ => 4,
    }
}

impl Counts {
    pub fn see(
        &mut self,
        fact: &Fact,
        weight: f64,
        client: &Client,
        (old, new): (Reason, Reason),
        settled: Option<Citizen>,
        rules: &RuleSet,
    ) {
        self.requests += weight;
        *self.verdicts.entry(new.row().verdict).or_default() += weight;
        if fact.pass.is_some() {
            self.with_pass += weight;
        }
        settled.iter().for_each(|c| self.settled.entry(c.portal).or_default().add(*c));
        if severity(new) <= severity(old) {
            self.milder += if severity(new) < severity(old) { weight } else { 0.0 };
            return;
        }
        self.stricter += weight;
        self.clients.insert(client.prefix.0);
        settled.iter().for_each(|c| self.settled_hit.entry(c.portal).or_default().add(*c));
        if fact.pass.is_some() {
            self.hit_with_pass += weight;
        }
        if rules.staff().iter().any(|net| net.contains(&client.address)) {
            self.staff += weight;
        }
        self.paths.add(cut(&fact.path), weight);
        self.networks.add(&network(client.network), weight);
    }

    /// One request counts on a limit, by this key.
    pub fn limited(
        &mut self,
        (quota, key): (&Quota, u64),
        (fact, weight): (&Fact, f64),
        (client, settled): (&Client, Option<Citizen>),
        rules: &RuleSet,
    ) {
        let key = self.keys.entry((quota.id, key)).or_default();
        key.counted.add(quota, &fact.fate, weight);
        let staff = if rules.staff().iter().any(|net| net.contains(&client.address)) { weight } else { 0.0 };
        key.staff += staff;
        key.settled.extend(settled);
        if fact.fate.limit == Some(quota.id) {
            key.refused_staff += staff;
            key.refused_settled.extend(settled);
        }
    }

    /// The sums; `limits`: those that are new or changed.
    pub fn told(mut self, limits: &[Tried], idle: Vec<String>, seconds: u64) -> Preview {
        let limits = limits.iter().map(|tried| self.limit(tried, seconds)).collect();
        // A small portal's citizens are not lost among a large one's.
        let worst = self.settled_hit.iter().max_by_key(|(_, hit)| hit.number());
        let of = worst.and_then(|(portal, _)| self.settled.get(portal)).map_or(0, Citizens::number);
        let share = worst.map_or(0, |(_, hit)| hit.number()) as f64 * 100.0 / of.max(1) as f64;
        Preview {
            requests: self.requests as u64,
            with_pass: self.with_pass as u64,
            changed: Changed {
                stricter: self.stricter as u64,
                milder: self.milder as u64,
                clients: self.clients.count(),
                with_pass: self.hit_with_pass as u64,
                settled_passes: self.settled_hit.values().map(Citizens::number).sum(),
                settled_share: (share * 10.0).round() / 10.0,
                settled_prefixes: self.settled_hit.values().map(Citizens::prefixes).max().unwrap_or(0),
                staff: self.staff as u64,
                paths: self.paths.top(TOP),
                networks: self.networks.top(TOP),
            },
            alone: None,
            together: None,
            verdicts: self.verdicts.into_iter().map(|(name, n)| (name, n as u64)).collect(),
            limits,
            idle,
        }
    }

    /// Adds up one limit, and whom it hits.
    fn limit(&mut self, tried: &Tried, seconds: u64) -> LimitPreview {
        let quota = &tried.quota;
        let (mut matched, mut answered, mut over, mut keys) = (0.0, 0.0, 0.0, 0);
        // What answers told of the one that stood is only of those whom it let through; but whom it did not is known.
        let known = tried.stood && (quota.concurrent.is_some() || quota.count.is_some());
        for (_, key) in self.keys.iter().filter(|((id, _), _)| *id == quota.id) {
            matched += key.counted.requests;
            answered += key.counted.answered;
            let refused = if known { key.counted.refused } else { key.counted.over(quota, seconds) };
            if refused == 0.0 {
                continue;
            }
            over += refused;
            keys += 1;
            // Whom the old one refuses as well the new one does not harm.
            if quota.shadow || tried.old.as_ref().is_some_and(|old| key.counted.over(old, seconds) > 0.0) {
                continue;
            }
            // Who shares a key that is over it is refused with it.
            let (staff, settled) =
                if known { (key.refused_staff, &key.refused_settled) } else { (key.staff, &key.settled) };
            self.staff += staff;
            let hit = &mut self.settled_hit;
            settled.iter().for_each(|c| hit.entry(c.portal).or_default().add(*c));
        }
        let unknown = over::unknown(quota, matched, answered).filter(|_| !known);
        let (name, matched, over) = (quota.name.clone(), matched as u64, over as u64);
        LimitPreview { name, matched, over, keys, unknown, clients: Vec::new() }
    }
}

/// A /24 or /48, in words.
pub(super) fn network(prefix: Prefix) -> String {
    let address = prefix.address();
    format!("{address}/{}", if address.is_ipv4() { 24 } else { 48 })
}

impl Changed {
    fn citizens(&self) -> Option<String> {
        let (hit, share) = (self.settled_passes, self.settled_share);
        let many = hit >= bounds::HARM_LEAST && share >= bounds::HARM_SHARE;
        many.then(|| format!("hit {hit} settled citizens ({share} % of those who came)"))
    }
}

impl Preview {
    /// In short, as the journal keeps it.
    pub fn forecast(&self) -> Forecast {
        let Changed { stricter, milder, clients, with_pass, settled_passes, .. } = self.changed;
        let over = self.limits.iter().map(|limit| limit.over).sum();
        Forecast { requests: self.requests, stricter, milder, over, clients, with_pass, settled_passes }
    }

    /// Why nobody should put this in force without meaning it. What measures hide counts as well: they end, and it may not.
    pub fn harm(&self) -> Option<String> {
        let both = || std::iter::once(&self.changed).chain(&self.alone);
        if let Some(changed) = both().find(|c| c.staff > 0) {
            return Some(format!(
                "of what came of late it would have hit {} requests from staff's own networks (the list \"staff\")",
                changed.staff
            ));
        }
        if let Some(hit) = self.changed.citizens() {
            return Some(format!("of what came of late it would have {hit}"));
        }
        if let Some(hit) = self.alone.as_ref().and_then(Changed::citizens) {
            return Some(format!(
                "of what came of late it would have {hit}, if measures did not send them away already"
            ));
        }
        let adds = both().any(|c| c.settled_passes > 0);
        let hit = self.together.as_ref().filter(|_| adds).and_then(Changed::citizens)?;
        Some(format!("of what came of late it would have {hit} together with the measures in force"))
    }

    /// Why what is in force is taken back by itself. Staff who try it are no reason, nor are passes of a few addresses: nobody
    /// is to take a measure back by wanting to.
    pub fn harm_done(&self) -> Option<String> {
        let hit = self.changed.citizens().filter(|_| self.changed.settled_prefixes >= bounds::HARM_PREFIXES)?;
        Some(format!("it {hit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Per, Then};
    use crate::wire::NoHead;

    #[test]
    fn many_settled_citizens_or_any_of_staff_are_harm() {
        let harm = |settled_passes, settled_share, staff| {
            let changed = Changed { settled_passes, settled_share, staff, ..Changed::default() };
            Preview { changed, ..Preview::default() }.harm().is_some()
        };
        assert!(!harm(0, 0.0, 0) && harm(0, 0.0, 1));
        assert!(harm(bounds::HARM_LEAST, bounds::HARM_SHARE, 0));
        assert!(!harm(bounds::HARM_LEAST - 1, 100.0, 0) && !harm(1000, bounds::HARM_SHARE - 0.1, 0));
    }

    #[test]
    fn staff_and_a_few_addresses_are_no_reason_to_take_back_what_is_in_force() {
        let done = |settled_passes, settled_prefixes, staff| {
            let changed =
                Changed { settled_passes, settled_share: 50.0, settled_prefixes, staff, ..Changed::default() };
            Preview { changed, ..Preview::default() }.harm_done().is_some()
        };
        assert!(!done(0, 0, 10) && !done(1000, bounds::HARM_PREFIXES - 1, 0));
        assert!(done(bounds::HARM_LEAST, bounds::HARM_PREFIXES, 0));
    }

    #[test]
    fn a_pass_is_one_citizen_wherever_it_is_seen_and_one_prefix_is_few() {
        let mut citizens = Citizens::default();
        (0..1000).for_each(|prefix| citizens.add(Citizen { pass: 7, prefix, portal: 0 }));
        assert_eq!(citizens.number(), 1);
        (0..1000).for_each(|pass| citizens.add(Citizen { pass: 100 + pass, prefix: 5000, portal: 0 }));
        assert_eq!(citizens.number(), 1 + bounds::SETTLED_PER_PREFIX as u64);
        assert_eq!(citizens.prefixes(), 2);
    }

    #[test]
    fn a_milder_limit_harms_nobody_and_keys_are_apart() {
        let quota = |burst| Quota {
            name: "l".into(),
            id: 7,
            per: Per::Country,
            interval: 1_000_000_000,
            burst,
            then: Then::Deny,
            shadow: false,
            budget: false,
            count: None,
            concurrent: None,
            ban: None,
        };
        let client = Client::new("192.0.2.1".parse().unwrap(), "192.0.2.1".parse().unwrap(), 64, false);
        let rules = RuleSet::empty();
        let fact = Fact::of(&NoHead, "https", "h", &client, None);
        let told = |countries: u64, quota: &Quota, old: Option<Quota>| {
            let limits = [Tried { quota: quota.clone(), old, stood: false }];
            let mut counts = Counts::default();
            for n in 0..3000u128 {
                let citizen = Citizen { pass: n, prefix: n, portal: 0 };
                counts.settled.entry(0).or_default().add(citizen);
                let key = n as u64 % countries;
                counts.limited((&limits[0].quota, key), (&fact, 1.0), (&client, Some(citizen)), &rules);
            }
            counts.told(&limits, Vec::new(), 600)
        };
        let (narrow, wider, wide) = (quota(1), quota(1000), quota(10_000));
        assert!(told(1, &narrow, None).harm().is_some());
        assert!(told(1, &wider, Some(narrow.clone())).harm().is_none(), "it was refused before");
        assert!(told(1, &narrow, Some(wide)).harm().is_some());
        let apart = told(6, &narrow, None);
        assert_eq!((apart.limits[0].over, apart.limits[0].keys), (0, 0));
    }
}
