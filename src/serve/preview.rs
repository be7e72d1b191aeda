//! What a draft of rules would have done to the last ten minutes, beside what the rules in force do: the corridor's own
//! reading and decision over the requests that were kept.
//!
//! Does not know: who may put rules in force.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;

use super::counts::{Citizen, Counts, Preview, severity};
use super::decide;
use super::read;
use super::trial::{Met, outcome};
use super::visit::Visit;
use crate::bounds;
use crate::client::Client;
use crate::force::{House, Law};
use crate::plan::Quota;
use crate::reason::Reason;
use crate::rules::RuleSet;
use crate::telemetry::Fact;
use crate::wire::Arrival;

/// What happens to one request, with every bucket full.
struct Outcome {
    reason: Reason,
    /// The limits that it counts on, and the keys by which.
    quotas: Vec<(Quota, u64)>,
    matched: Vec<String>,
    settled: Option<Citizen>,
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
            Met::Limit(quota, key) if self.whole => quotas.push((quota.clone(), key)),
            _ => {}
        };
        let reason = outcome(&mut visit, &request, fact, self.but, &mut meet, decide::without_limits);
        let pass = visit.pass.filter(|_| visit.is_settled());
        let settled = pass.map(|p| Citizen::new(p.id, &visit.client, visit.portal.unwrap_or(0)));
        Some(Outcome { reason, quotas, matched, settled })
    }
}

/// Limits that are new or changed, and what they were before.
type Limits = Vec<(Quota, Option<Quota>)>;

/// Tries a draft on the last ten minutes.
pub fn preview(house: &House, draft: Arc<RuleSet>) -> Preview {
    let old = house.law.load_full();
    let names: HashSet<String> = old.rules.rules().map(|r| r.name.clone()).collect();
    let new = Arc::new(Law { generation: 0, rules: draft, measures: old.measures.clone(), ladder: old.ladder.clone() });
    let before: HashMap<u64, &Quota> = old.rules.quotas().map(|q| (q.id, q)).collect();
    let with_old = |q: &Quota| (q.clone(), before.get(&q.id).map(|old| (*old).clone()));
    let fresh: Limits = new.rules.quotas().map(with_old).filter(|(q, old)| old.as_ref() != Some(q)).collect();
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
    let own: Limits = law.rules.quotas().filter(|q| q.name == name).map(|q| (q.clone(), None)).collect();
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

/// Tries what came since then under the one, as `before` tells it, and under the other; `fresh`: limits of the other that
/// the one has not.
fn compare(
    house: &House,
    before: impl Fn(&Fact, Client, &Outcome) -> Option<Reason>,
    under: &Under<'_>,
    fresh: &[(Quota, Option<Quota>)],
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
        for (quota, key) in after.quotas.iter().filter(|(q, _)| fresh.iter().any(|(f, _)| f.id == q.id)) {
            counts.limited((quota, *key), weight, (&client, after.settled), rules);
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
