//! What a draft of rules would have done to the last ten minutes, beside what the rules in force do: the corridor's own
//! reading and decision over the requests that were kept.
//!
//! Measures that overlap hide each other: what the one sends away the other changes nothing about. So harm is also told
//! beside the law without those measures that nobody forced.
//!
//! Does not know: who may put rules in force.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use ipnet::IpNet;

use super::counts::{Changed, Citizen, Counts, Preview, Tried, severity};
use super::decide;
use super::read;
use super::trial::{Met, outcome};
use super::visit::Visit;
use crate::bounds;
use crate::client::Client;
use crate::force::{House, Law};
use crate::plan::Quota;
use crate::reason::Reason;
use crate::rules::{Measure, RuleSet};
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

/// The rules that a request is tried under.
struct Under<'a> {
    law: &'a Arc<Law>,
    /// As if these of them were not there.
    but: Vec<u32>,
    /// With what matched, and the limits that it counts on.
    whole: bool,
}

impl Under<'_> {
    fn outcome(&self, house: &House, fact: &Fact, client: Client) -> Option<Outcome> {
        let arrival = Arrival { scheme: fact.scheme, redirect_https: false };
        let mut visit = Visit::open(house, String::new(), client, arrival);
        visit.law = Rc::new(self.law.clone());
        let request = read::read(&mut visit, fact).ok()?;
        visit.pass = fact.pass;
        let (mut quotas, mut matched) = (Vec::new(), Vec::new());
        let mut meet = |met: Met<'_>| match met {
            Met::Rule(name) if self.whole => matched.push(name.to_owned()),
            Met::Limit(quota, key) if self.whole => quotas.push((quota.clone(), key)),
            _ => {}
        };
        let reason = outcome(&mut visit, &request, fact, &self.but, &mut meet, decide::without_limits);
        let pass = visit.pass.filter(|_| visit.is_settled());
        let settled = pass.map(|p| Citizen::new(p.id, &visit.client, visit.portal.unwrap_or(0)));
        Some(Outcome { reason, quotas, matched, settled })
    }
}

/// What two laws do, the one beside the other.
struct Beside<'a> {
    /// Of the one after.
    rules: &'a RuleSet,
    /// Limits of the one after that the one before has not, or not so.
    limits: Vec<Tried>,
    counts: Counts,
}

impl<'a> Beside<'a> {
    fn new(rules: &'a RuleSet, limits: Vec<Tried>) -> Beside<'a> {
        Beside { rules, limits, counts: Counts::default() }
    }

    fn see(&mut self, (fact, weight): (&Fact, f64), client: &Client, before: Reason, after: &Outcome) {
        self.counts.see(fact, weight, client, (before, after.reason), after.settled, self.rules);
        for (quota, key) in after.quotas.iter().filter(|(q, _)| self.limits.iter().any(|t| t.quota.id == q.id)) {
            self.counts.limited((quota, *key), (fact, weight), (client, after.settled), self.rules);
        }
        for name in &after.matched {
            if !self.counts.matched.contains(name) {
                self.counts.matched.insert(name.clone());
            }
        }
    }

    fn told(self, idle: Vec<String>, seconds: u64) -> Preview {
        self.counts.told(&self.limits, idle, seconds)
    }
}

/// The measures that may turn out to harm: those that nobody forced, and that are stricter than nothing.
fn unforced(law: &Law) -> impl Iterator<Item = &Measure> {
    let milder: HashSet<&str> =
        law.rules.rules().filter(|r| r.measure && r.then == "allow").map(|r| r.name.as_str()).collect();
    law.measures.iter().filter(move |m| !m.forced && !milder.contains(m.name.as_str()))
}

fn numbers<'m>(rules: &RuleSet, measures: impl Iterator<Item = &'m Measure>) -> Vec<u32> {
    measures.filter_map(|m| rules.number(&m.name)).collect()
}

/// Tries a draft on the last ten minutes.
pub fn preview(house: &House, draft: Arc<RuleSet>) -> Preview {
    let old = house.law.load_full();
    let names: HashSet<String> = old.rules.rules().map(|r| r.name.clone()).collect();
    let new = Arc::new(Law { generation: 0, rules: draft, measures: old.measures.clone(), ladder: old.ladder.clone() });
    let quotas: HashMap<u64, &Quota> = old.rules.quotas().map(|q| (q.id, q)).collect();
    let tried = |q: &Quota| Tried { quota: q.clone(), old: quotas.get(&q.id).map(|q| (*q).clone()), stood: false };
    let fresh = || new.rules.quotas().map(tried).filter(|t| t.old.as_ref() != Some(&t.quota));
    let laid: HashSet<&str> = unforced(&old).map(|m| m.name.as_str()).collect();
    let of_laid = new.rules.quotas().filter(|q| laid.contains(q.name.as_str()));
    let of_laid = of_laid.map(|q| Tried { quota: q.clone(), old: None, stood: true });

    let under = |law, but, whole| Under { law, but, whole };
    let (before, after) = (under(&old, Vec::new(), false), under(&new, Vec::new(), true));
    let bare_before = under(&old, numbers(&old.rules, unforced(&old)), false);
    let bare_after = under(&new, numbers(&new.rules, unforced(&old)), true);
    let mut whole = Beside::new(&new.rules, fresh().collect());
    let mut alone = Beside::new(&new.rules, fresh().collect());
    let mut together = Beside::new(&new.rules, fresh().chain(of_laid).collect());
    each(house, since(house, 0), |fact, weight, client| {
        let tried = |under: &Under<'_>| under.outcome(house, fact, client);
        let (Some(before), Some(after)) = (tried(&before), tried(&after)) else { return };
        whole.see((fact, weight), &client, before.reason, &after);
        if laid.is_empty() {
            return;
        }
        let (Some(bare_before), Some(bare_after)) = (tried(&bare_before), tried(&bare_after)) else { return };
        alone.see((fact, weight), &client, bare_before.reason, &bare_after);
        together.see((fact, weight), &client, bare_before.reason, &after);
    });
    let idle = new.rules.rules().filter(|r| !names.contains(&r.name) && !whole.counts.matched.contains(&r.name));
    let idle = idle.map(|r| r.name.clone()).collect();
    let seconds = bounds::RECENT.as_secs();
    let changed = |one: Beside<'_>| (!laid.is_empty()).then(|| one.told(Vec::new(), seconds).changed);
    Preview { alone: changed(alone), together: changed(together), ..whole.told(idle, seconds) }
}

/// Why a measure in force is to be taken back, by what it has done since it was laid: it alone, or it as the last of several that
/// harm together.
pub fn harm_done(house: &House, name: &str) -> Option<String> {
    let law = house.law.load_full();
    let own = unforced(&law).find(|m| m.name == name)?;
    let alone = effect(house, &law, own);
    if let Some(why) = alone.harm_done() {
        return Some(why);
    }
    let later = |m: &&Measure| (m.since, &m.name) > (own.since, &own.name);
    let adds = |m: &Measure| effect(house, &law, m).changed.settled_passes > 0;
    if alone.changed.settled_passes == 0 || unforced(&law).filter(later).any(adds) {
        return None;
    }
    let all = done(house, &law, &unforced(&law).collect::<Vec<_>>(), own.since);
    all.harm_done().map(|why| format!("together with the measures laid before {why}"))
}

/// What one measure in force does to what the law without the unforced ones would do.
fn effect(house: &House, law: &Arc<Law>, measure: &Measure) -> Preview {
    done(house, law, &[measure], measure.since)
}

fn done(house: &House, law: &Arc<Law>, measures: &[&Measure], from: u64) -> Preview {
    let all = numbers(&law.rules, unforced(law));
    let with: Vec<u32> = numbers(&law.rules, measures.iter().copied());
    let stood = |q: &&Quota| law.rules.number(&q.name).is_some_and(|n| with.contains(&n));
    let limits = law.rules.quotas().filter(stood).map(|q| Tried { quota: q.clone(), old: None, stood: true }).collect();
    let after = Under { law, but: all.iter().copied().filter(|n| !with.contains(n)).collect(), whole: true };
    let before = Under { law, but: all, whole: false };
    let mut beside = Beside::new(&law.rules, limits);
    let since = since(house, from);
    each(house, since, |fact, weight, client| {
        let Some(after) = after.outcome(house, fact, client) else { return };
        let before = match severity(after.reason) {
            // Measures do not make milder what is served.
            0 => after.reason,
            _ => before.outcome(house, fact, client).map_or(after.reason, |o| o.reason),
        };
        beside.see((fact, weight), &client, before, &after);
    });
    beside.told(Vec::new(), house.now().unix().saturating_sub(since).max(1))
}

/// How many of the last ten minutes' requests a rule or limit in force matched.
pub fn hits(house: &House, name: &str) -> u64 {
    let law = house.law.load_full();
    let under = Under { law: &law, but: Vec::new(), whole: true };
    let mut hits = 0.0;
    each(house, since(house, 0), |fact, weight, client| {
        let outcome = under.outcome(house, fact, client);
        if outcome.is_some_and(|o| o.matched.iter().any(|m| m == name)) {
            hits += weight;
        }
    });
    hits as u64
}

/// Whom a ban of this net would have sent away in the last ten minutes.
pub fn ban(house: &House, net: IpNet) -> Preview {
    let law = house.law.load_full();
    let bare = numbers(&law.rules, unforced(&law));
    let measures = !bare.is_empty();
    let tried = |but| (Under { law: &law, but, whole: false }, Counts::default());
    let mut both = [tried(Vec::new()), tried(bare)];
    each(house, since(house, 0), |fact, weight, client| {
        for (under, counts) in &mut both {
            let Some(outcome) = under.outcome(house, fact, client) else { continue };
            let after = if net.contains(&client.address) { Reason::Banned } else { outcome.reason };
            counts.see(fact, weight, &client, (outcome.reason, after), outcome.settled, &law.rules);
        }
    });
    let [whole, alone] = both.map(|(_, counts)| counts.told(&[], Vec::new(), bounds::RECENT.as_secs()));
    let alone: Option<Changed> = measures.then_some(alone.changed);
    Preview { alone, ..whole }
}

/// From then on, or as far back as the sample goes.
fn since(house: &House, from: u64) -> u64 {
    from.max(house.now().unix().saturating_sub(bounds::RECENT.as_secs()))
}

/// Everything that came since then: the request, how many it stands for, and whose it is.
fn each(house: &House, since: u64, mut see: impl FnMut(&Fact, f64, Client)) {
    let ipv6_prefix = house.town.load().settings.client.ipv6_prefix;
    house.recent.each(since, |fact, weight| {
        let client = Client::new(fact.address, fact.address, ipv6_prefix, false).with(fact.fingerprint);
        see(fact, weight, client);
        house.breath.take();
    });
}

#[cfg(test)]
mod tests;
