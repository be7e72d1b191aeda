//! What a draft of rules would have done to the last ten minutes, beside what the rules in force do: the corridor's own
//! reading and decision over the requests that were kept.
//!
//! Does not know: who may put rules in force.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::decide::{self, Decision};
use super::read::{self, Request};
use super::visit::Visit;
use crate::bounds;
use crate::client::{Client, Prefix};
use crate::force::{House, Law};
use crate::plan::{Per, Plan, Quota};
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
    /// Distinct passes that are older than ten minutes.
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
    /// Who they are, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<(String, u64)>,
}

/// What a request meets on its way.
pub(super) enum Met<'m> {
    /// A rule or limit that matches and is in force.
    Rule(&'m str),
    /// A limit that it counts on.
    Limit(&'m Quota),
}

/// What happens to a request that was read, by the visit's own law; `decide` is the corridor's decision, with limits or
/// without.
pub(super) fn outcome<'h>(
    visit: &mut Visit<'h>,
    request: &Request,
    fact: &Fact,
    meet: &mut dyn FnMut(Met<'_>),
    decide: impl FnOnce(&mut Visit<'h>, &Request, &Plan<'_>) -> Decision,
) -> Reason {
    let law = visit.law.clone();
    let facts = request.facts(visit, fact);
    let plan = law.rules.plan_seen(&facts, visit.level, visit.now.unix(), |name| meet(Met::Rule(name)));
    decide::quotas(&law, &plan).for_each(|quota| meet(Met::Limit(quota)));
    match decide(visit, request, &plan) {
        Decision::Go(_) => Reason::Served,
        Decision::Challenge(reason) | Decision::Refuse(reason) | Decision::Fallback(reason) => reason,
        Decision::Limited(_) => Reason::OverLimit,
    }
}

/// What happens to one request, with every bucket full.
struct Outcome {
    reason: Reason,
    quotas: Vec<Quota>,
    matched: Vec<String>,
}

/// `whole`: with what matched, and the limits that it counts on.
fn untouched(house: &House, law: &Arc<Law>, fact: &Fact, client: Client, whole: bool) -> Option<Outcome> {
    let arrival = Arrival { scheme: fact.scheme, redirect_https: false };
    let mut visit = Visit::open(house, String::new(), client, arrival);
    visit.law = law.clone();
    let request = read::read(&mut visit, fact).ok()?;
    visit.pass = fact.pass;
    let (mut quotas, mut matched) = (Vec::new(), Vec::new());
    let mut meet = |met: Met<'_>| match met {
        Met::Rule(name) if whole => matched.push(name.to_owned()),
        Met::Limit(quota) if whole => quotas.push(quota.clone()),
        _ => {}
    };
    let reason = outcome(&mut visit, &request, fact, &mut meet, decide::without_limits);
    Some(Outcome { reason, quotas, matched })
}

/// Tries a draft on the last ten minutes.
pub fn preview(house: &House, draft: Arc<RuleSet>) -> Preview {
    let old = house.law.load_full();
    let names: HashSet<String> = old.rules.rules().map(|r| r.name.clone()).collect();
    let (measures, ladder) = (old.measures.clone(), old.ladder.clone());
    let new = Arc::new(Law { generation: 0, rules: draft, measures, ladder });
    let before: HashMap<u64, &Quota> = old.rules.quotas().map(|q| (q.id, q)).collect();
    let new_quotas: Vec<Quota> = new.rules.quotas().filter(|q| before.get(&q.id) != Some(q)).cloned().collect();
    let fresh: HashSet<u64> = new_quotas.iter().map(|q| q.id).collect();
    let now = house.now().unix();
    let mut counts = Counts::default();
    let ipv6_prefix = house.town.load().settings.client.ipv6_prefix;
    house.recent.each(now, |fact, weight| {
        let client = Client::new(fact.address, fact.address, ipv6_prefix, false);
        let (Some(before), Some(after)) =
            (untouched(house, &old, fact, client, false), untouched(house, &new, fact, client, true))
        else {
            return;
        };
        counts.see(fact, weight, &client, (before.reason, after.reason), now, &new.rules);
        for quota in after.quotas.iter().filter(|q| fresh.contains(&q.id)) {
            counts.limited(quota, fact, weight, (&client, now), &new.rules);
        }
        counts.matched.extend(after.matched);
    });
    let idle = new.rules.rules().filter(|r| !names.contains(&r.name) && !counts.matched.contains(&r.name));
    let idle = idle.map(|r| r.name.clone()).collect();
    counts.told(&new_quotas, idle)
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
    settled: HashSet<u128>,
    settled_hit: HashSet<u128>,
    verdicts: HashMap<&'static str, f64>,
    paths: Frequent<str>,
    networks: Frequent<str>,
    /// By limit and key.
    keys: HashMap<(u64, u128), Counted>,
    pub matched: HashSet<String>,
}

/// What counted on one key of a limit.
#[derive(Default)]
struct Counted {
    requests: f64,
    kept: u32,
    staff: f64,
    settled: HashSet<u128>,
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
        now: u64,
        rules: &RuleSet,
    ) {
        self.requests += weight;
        *self.verdicts.entry(new.row().verdict).or_default() += weight;
        let settled = settled(fact, now);
        if fact.pass.is_some() {
            self.with_pass += weight;
        }
        self.settled.extend(settled);
        if severity(new) <= severity(old) {
            self.milder += if severity(new) < severity(old) { weight } else { 0.0 };
            return;
        }
        self.stricter += weight;
        self.clients.insert(client.prefix.0);
        self.settled_hit.extend(settled);
        if fact.pass.is_some() {
            self.hit_with_pass += weight;
        }
        if rules.staff().iter().any(|net| net.contains(&client.address)) {
            self.staff += weight;
        }
        self.paths.add(cut(&fact.path), weight);
        self.networks.add(&network(client.network), weight);
    }

    fn limited(&mut self, quota: &Quota, fact: &Fact, weight: f64, (client, now): (&Client, u64), rules: &RuleSet) {
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
        counted.settled.extend(settled(fact, now));
    }

    pub(super) fn told(mut self, quotas: &[Quota], idle: Vec<String>) -> Preview {
        let seconds = bounds::RECENT.as_secs() as f64;
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
                    self.settled_hit.extend(counted.settled.iter().filter(|_| !quota.shadow));
                }
            }
            limits.push(LimitPreview {
                name: quota.name.clone(),
                matched: matched as u64,
                over: over as u64,
                keys,
                clients: Vec::new(),
            });
        }
        let share = self.settled_hit.len() as f64 * 100.0 / self.settled.len().max(1) as f64;
        Preview {
            requests: self.requests as u64,
            with_pass: self.with_pass as u64,
            changed: Changed {
                stricter: self.stricter as u64,
                milder: self.milder as u64,
                clients: self.clients.count(),
                with_pass: self.hit_with_pass as u64,
                settled_passes: self.settled_hit.len() as u64,
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

/// The pass of a citizen who has had it for a while.
fn settled(fact: &Fact, now: u64) -> Option<u128> {
    fact.pass.filter(|p| p.born + bounds::SETTLED.as_secs() <= now).map(|p| p.id)
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
                "in the last ten minutes it would have hit {} requests from staff's own networks (the list \"staff\")",
                changed.staff
            ));
        }
        let many = changed.settled_passes >= bounds::HARM_LEAST && changed.settled_share >= bounds::HARM_SHARE;
        many.then(|| {
            format!(
                "in the last ten minutes it would have hit {} citizens who passed long before ({} % of them)",
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
