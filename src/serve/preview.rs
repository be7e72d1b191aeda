//! What a draft of rules would have done to the last ten minutes, beside what the rules in force do: the corridor's own
//! reading and decision over the requests that were kept.
//!
//! Does not know: who may put rules in force.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;
use serde::Serialize;

use super::decide;
use super::read;
use super::trial::{Met, outcome};
use super::visit::Visit;
use crate::bounds;
use crate::client::{Client, Prefix};
use crate::force::{House, Law};
use crate::plan::{Per, Quota};
use crate::reason::Reason;
use crate::rules::RuleSet;
use crate::telemetry::Fact;
use crate::telemetry::sketch::{Distinct, Frequent, cut};
use crate::wire::Arrival;

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
    /// Of the settled passes seen at all, how many hundredths.
    pub settled_share: f64,
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
    /// Who, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<(String, u64)>,
}

/// What happens to one request, with every bucket full.
struct Outcome {
    reason: Reason,
    quotas: Vec<Quota>,
    matched: Vec<String>,
    /// The pass of a settled citizen.
    settled: Option<u128>,
}

/// The rules that a request is tried under; `but`: as if this one of them were not there.
struct Under<'a> {
    law: &'a Arc<Law>,
    but: Option<u32>,
    /// With what matched, and the limits that it counts on.
    whole: bool,
}

impl Under<'_> {
    fn outcome(&self, house: &House, fact: &Fact, client: Client) -> Option<Outcome> {
        let arrival = Arrival { scheme: fact.scheme, redirect_https: false };
        let mut visit = Visit::open(house, String::new(), client, arrival);
        visit.law = self.law.clone();
        let request = read::read(&mut visit, fact).ok()?;
        visit.pass = fact.pass;
        let (mut quotas, mut matched) = (Vec::new(), Vec::new());
        let mut meet = |met: Met<'_>| match met {
            Met::Rule(name) if self.whole => matched.push(name.to_owned()),
            Met::Limit(quota) if self.whole => quotas.push(quota.clone()),
            _ => {}
        };
        let reason = outcome(&mut visit, &request, fact, self.but, &mut meet, decide::without_limits);
        let settled = visit.is_settled().then(|| visit.pass.map(|p| p.id)).flatten();
        Some(Outcome { reason, quotas, matched, settled })
    }
}

/// Tries a draft on the last ten minutes.
pub fn preview(house: &House, draft: Arc<RuleSet>) -> Preview {
    let old = house.law.load_full();
    let names: HashSet<String> = old.rules.rules().map(|r| r.name.clone()).collect();
    let new = Arc::new(Law { generation: 0, rules: draft, measures: old.measures.clone(), ladder: old.ladder.clone() });
    let before: HashMap<u64, &Quota> = old.rules.quotas().map(|q| (q.id, q)).collect();
    let fresh: Vec<Quota> = new.rules.quotas().filter(|q| before.get(&q.id) != Some(q)).cloned().collect();
    let since = house.now().unix().saturating_sub(bounds::RECENT.as_secs());
    let (old, new) = (Under { law: &old, but: None, whole: false }, Under { law: &new, but: None, whole: true });
    let before = |fact: &Fact, client, _: &Outcome| Some(old.outcome(house, fact, client)?.reason);
    let counts = compare(house, before, &new, &fresh, since);
    let idle = new.law.rules.rules().filter(|r| !names.contains(&r.name) && !counts.matched.contains(&r.name));
    let idle = idle.map(|r| r.name.clone()).collect();
    counts.told(&fresh, idle, bounds::RECENT.as_secs())
}

/// What a rule or limit in force has done since then, beside what would have come without it.
pub fn effect(house: &House, name: &str, since: u64) -> Preview {
    let law = house.law.load_full();
    let now = house.now().unix();
    let since = since.max(now.saturating_sub(bounds::RECENT.as_secs()));
    let Some(number) = law.rules.number(name) else { return Preview::default() };
    let own: Vec<Quota> = law.rules.quotas().filter(|q| q.name == name).cloned().collect();
    let without = Under { law: &law, but: Some(number), whole: false };
    let with = Under { law: &law, but: None, whole: !own.is_empty() };
    let before = |fact: &Fact, client, with: &Outcome| match severity(with.reason) {
        // A rule more does not make milder what is served.
        0 => Some(with.reason),
        _ => Some(without.outcome(house, fact, client)?.reason),
    };
    compare(house, before, &with, &own, since).told(&own, Vec::new(), now.saturating_sub(since).max(1))
}

/// How many of the last ten minutes' requests a rule or limit in force matched.
pub fn hits(house: &House, name: &str) -> u64 {
    let law = house.law.load_full();
    let under = Under { law: &law, but: None, whole: true };
    let clients = Clients::new(house);
    let mut hits = 0.0;
    house.recent.each(house.now().unix().saturating_sub(bounds::RECENT.as_secs()), |fact, weight| {
        let outcome = under.outcome(house, fact, clients.of(fact));
        if outcome.is_some_and(|o| o.matched.iter().any(|m| m == name)) {
            hits += weight;
        }
    });
    hits as u64
}

/// Whom a ban of this net would have sent away in the last ten minutes.
pub fn ban(house: &House, net: IpNet) -> Preview {
    let law = house.law.load_full();
    let since = house.now().unix().saturating_sub(bounds::RECENT.as_secs());
    let under = Under { law: &law, but: None, whole: false };
    let mut counts = Counts::default();
    let clients = Clients::new(house);
    house.recent.each(since, |fact, weight| {
        let client = clients.of(fact);
        let Some(outcome) = under.outcome(house, fact, client) else { return };
        let after = if net.contains(&client.address) { Reason::Banned } else { outcome.reason };
        counts.see(fact, weight, &client, (outcome.reason, after), outcome.settled, &law.rules);
    });
    counts.told(&[], Vec::new(), bounds::RECENT.as_secs())
}

/// Tries what came since then under the one, as `before` tells it, and under the other, which alone has `fresh` limits.
fn compare(
    house: &House,
    before: impl Fn(&Fact, Client, &Outcome) -> Option<Reason>,
    under: &Under<'_>,
    fresh: &[Quota],
    since: u64,
) -> Counts {
    let mut counts = Counts::default();
    let clients = Clients::new(house);
    let rules = &under.law.rules;
    house.recent.each(since, |fact, weight| {
        let client = clients.of(fact);
        let Some(after) = under.outcome(house, fact, client) else { return };
        let Some(before) = before(fact, client, &after) else { return };
        counts.see(fact, weight, &client, (before, after.reason), after.settled, rules);
        for quota in after.quotas.iter().filter(|q| fresh.iter().any(|f| f.id == q.id)) {
            counts.limited(quota, fact, weight, (&client, after.settled), rules);
        }
        counts.matched.extend(after.matched);
    });
    counts
}

/// Whose address is whose.
struct Clients(u8);

impl Clients {
    fn new(house: &House) -> Clients {
        Clients(house.town.load().settings.client.ipv6_prefix)
    }

    fn of(&self, fact: &Fact) -> Client {
        Client::new(fact.address, fact.address, self.0, false).with(fact.fingerprint)
    }
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
    settled: Citizens,
    settled_hit: Citizens,
    verdicts: HashMap<&'static str, f64>,
    paths: Frequent<str>,
    networks: Frequent<str>,
    /// By limit and key.
    keys: HashMap<(u64, u128), Counted>,
    matched: HashSet<String>,
}

/// Settled passes by the prefix that they were seen on: of each only so many count.
#[derive(Default)]
struct Citizens(HashMap<u128, HashSet<u128>>);

impl Citizens {
    fn add(&mut self, prefix: u128, pass: u128) {
        let of = self.0.entry(prefix).or_default();
        if of.len() < bounds::SETTLED_PER_PREFIX {
            of.insert(pass);
        }
    }

    fn number(&self) -> u64 {
        self.0.values().map(|of| of.len() as u64).sum()
    }
}

/// What counted on one key of a limit.
#[derive(Default)]
struct Counted {
    requests: f64,
    kept: u32,
    staff: f64,
    /// Prefix and pass.
    settled: HashSet<(u128, u128)>,
}

/// Requests of a key below which an estimate may be one that came in a second full of others.
const SEVERAL: u32 = 3;

/// How severe an outcome is.
fn severity(reason: Reason) -> u8 {
    match reason {
        Reason::Served | Reason::Own => 0,
        Reason::ChallengeRule | Reason::ChallengePosture | Reason::ChallengeLimit => 1,
        Reason::StaticRule | Reason::Posture | Reason::Closed => 2,
        Reason::Denied | Reason::NeedsPass | Reason::OverLimit => 3,
        _ => 4,
    }
}

impl Counts {
    pub(super) fn see(
        &mut self,
        fact: &Fact,
        weight: f64,
        client: &Client,
        (old, new): (Reason, Reason),
        settled: Option<u128>,
        rules: &RuleSet,
    ) {
        self.requests += weight;
        *self.verdicts.entry(new.row().verdict).or_default() += weight;
        if fact.pass.is_some() {
            self.with_pass += weight;
        }
        settled.iter().for_each(|pass| self.settled.add(client.prefix.0, *pass));
        if severity(new) <= severity(old) {
            self.milder += if severity(new) < severity(old) { weight } else { 0.0 };
            return;
        }
        self.stricter += weight;
        self.clients.insert(client.prefix.0);
        settled.iter().for_each(|pass| self.settled_hit.add(client.prefix.0, *pass));
        if fact.pass.is_some() {
            self.hit_with_pass += weight;
        }
        if rules.staff().iter().any(|net| net.contains(&client.address)) {
            self.staff += weight;
        }
        self.paths.add(cut(&fact.path), weight);
        self.networks.add(&network(client.network), weight);
    }

    fn limited(
        &mut self,
        quota: &Quota,
        fact: &Fact,
        weight: f64,
        (client, settled): (&Client, Option<u128>),
        rules: &RuleSet,
    ) {
        let key = match quota.per {
            Per::Client => fact.pass.map_or(client.prefix.0, |p| p.id),
            Per::Network => client.network.0,
            Per::Portal | Per::Country | Per::Asn => 0,
            Per::Header(_) | Per::Address => client.prefix.0,
        };
        let counted = self.keys.entry((quota.id, key)).or_default();
        counted.requests += weight;
        counted.kept += 1;
        if rules.staff().iter().any(|net| net.contains(&client.address)) {
            counted.staff += weight;
        }
        counted.settled.extend(settled.map(|pass| (client.prefix.0, pass)));
    }

    pub(super) fn told(mut self, quotas: &[Quota], idle: Vec<String>, seconds: u64) -> Preview {
        let seconds = seconds as f64;
        let mut limits = Vec::new();
        for quota in quotas {
            let room = f64::from(quota.burst) + seconds * 1e9 / quota.interval as f64;
            let by_time = quota.concurrent.is_none() && quota.count.is_none();
            let (mut matched, mut over, mut keys) = (0.0, 0.0, 0);
            for (_, counted) in self.keys.iter().filter(|((id, _), _)| *id == quota.id) {
                matched += counted.requests;
                let sure = counted.kept >= SEVERAL || counted.requests <= f64::from(counted.kept);
                if by_time && sure && counted.requests > room {
                    over += counted.requests - room;
                    keys += 1;
                    // Who shares a key that is over it is refused with it.
                    self.staff += if quota.shadow { 0.0 } else { counted.staff };
                    let hit = counted.settled.iter().filter(|_| !quota.shadow);
                    hit.for_each(|(prefix, pass)| self.settled_hit.add(*prefix, *pass));
                }
            }
            let (name, matched, over) = (quota.name.clone(), matched as u64, over as u64);
            limits.push(LimitPreview { name, matched, over, keys, clients: Vec::new() });
        }
        let share = self.settled_hit.number() as f64 * 100.0 / self.settled.number().max(1) as f64;
        Preview {
            requests: self.requests as u64,
            with_pass: self.with_pass as u64,
            changed: Changed {
                stricter: self.stricter as u64,
                milder: self.milder as u64,
                clients: self.clients.count(),
                with_pass: self.hit_with_pass as u64,
                settled_passes: self.settled_hit.number(),
                settled_share: (share * 10.0).round() / 10.0,
                staff: self.staff as u64,
                paths: self.paths.top(TOP),
                networks: self.networks.top(TOP),
            },
            verdicts: self.verdicts.into_iter().map(|(name, n)| (name, n as u64)).collect(),
            limits,
            idle,
        }
    }
}

/// A /24 or /48, in words.
pub(super) fn network(prefix: Prefix) -> String {
    let address = prefix.address();
    format!("{address}/{}", if address.is_ipv4() { 24 } else { 48 })
}

impl Preview {
    /// Why nobody should put this in force without meaning it.
    pub fn harm(&self) -> Option<String> {
        let changed = &self.changed;
        if changed.staff > 0 {
            return Some(format!(
                "of what came of late it would have hit {} requests from staff's own networks (the list \"staff\")",
                changed.staff
            ));
        }
        let many = changed.settled_passes >= bounds::HARM_LEAST && changed.settled_share >= bounds::HARM_SHARE;
        many.then(|| {
            format!(
                "of what came of late it would have hit {} settled citizens ({} % of those who came)",
                changed.settled_passes, changed.settled_share
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
