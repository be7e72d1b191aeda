//! What becomes of a request, from the plan, the posture and the limits: the order-free law of DESIGN 4.3.
//!
//! static < limited < deny < drop, the most severe wins; `allow` beats all but drop and the posture's reach; a
//! challenge is a duty that any refusal cancels.
//!
//! Does not know: pages, statuses, the origin.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::challenge::Challenge;
use crate::facts::{Bucket, Kind};
use crate::force::Law;
use crate::limit::{Key, Limited};
use crate::places::Country;
use crate::plan::{Per, Plan, Quota, Reach, Refusal, Then};
use crate::portal::Class;
use crate::proofs::Cleared;
use crate::reason::Reason;
use crate::store::Table;
use crate::strain::Strain;
use crate::wire::Head;
use crate::{bounds, client::Client};

use super::budget::{self, Leans};
use super::read::Request;
use super::visit::{Queue, Visit};
use super::wait::Told;

pub enum Decision {
    Go(Cleared),
    /// A pass is needed; the reason says whose wish it is.
    Challenge(Reason),
    Limited(OverLimit),
    Refuse(Reason),
    Fallback(Reason),
    /// Others come first.
    Wait(Told),
}

/// Over a limit that nothing but waiting helps with.
pub struct OverLimit {
    pub limit: String,
    pub burst: u32,
    /// Seconds in which a whole burst comes back; `None` where it is requests at once that are limited.
    pub window: Option<u64>,
    /// Nanoseconds until one token is back.
    pub wait: u64,
}

/// The level of pass that a limit with `then = "challenge"` asks for.
const LIMIT_LEVEL: u8 = 1;

pub fn decide(visit: &mut Visit<'_>, request: &Request, plan: &Plan<'_>, head: &dyn Head) -> Decision {
    let decision = judge(visit, request, plan, head);
    if let Decision::Refuse(_) | Decision::Challenge(_) = decision
        && let Some((lasts, rule)) = plan.ban
    {
        strike(visit, lasts, rule);
    }
    decision
}

/// Whoever is sent away again and again is banned; who holds a pass has a budget of their own to lose instead.
fn strike(visit: &Visit<'_>, lasts: u64, name: &str) {
    let (house, client) = (visit.house, &visit.client);
    let trusted_itself = client.peer_trusted && client.address == client.peer;
    if visit.vouched().is_some() || trusted_itself || visit.is_staff() {
        return;
    }
    if let Some(ban) = house.bans.strike(client.address, lasts, name, visit.now.unix()) {
        tracing::warn!(net = %ban.net, rule = name, times = ban.times, "banned");
        house.metrics.bans_laid.inc();
        house.feed.banned(|| format!("{} by {name}", ban.net));
        house.store.put(Table::Bans, &ban.key(), serde_json::to_vec(&ban).unwrap_or_default());
    }
}

fn judge(visit: &mut Visit<'_>, request: &Request, plan: &Plan<'_>, head: &dyn Head) -> Decision {
    if let Some(decision) = before_limits(visit, plan) {
        return decision;
    }
    if is_strained_out(visit) {
        return Decision::Fallback(Reason::Strained);
    }
    match take_limits(visit, plan, head) {
        Ok(asked_by_limit) => after_limits(visit, request, plan, asked_by_limit),
        Err(over) => Decision::Limited(over),
    }
}

/// Whether the machine is so strained that strangers get no more than a page. Call-backs and emergencies are nobody's to shed.
fn is_strained_out(visit: &Visit<'_>) -> bool {
    let known = || {
        let urgent = matches!(visit.route().class, Class::Emergency | Class::Payment);
        urgent || visit.pass.is_some() || visit.bot().is_some() || visit.is_staff()
    };
    visit.house.pulse.strain() >= Strain::Scarce && !known()
}

/// What would become of a request that exceeds no limit.
pub fn without_limits(visit: &mut Visit<'_>, request: &Request, plan: &Plan<'_>) -> Decision {
    before_limits(visit, plan).unwrap_or_else(|| after_limits(visit, request, plan, None))
}

/// What needs no limit: it spends nothing.
fn before_limits(visit: &mut Visit<'_>, plan: &Plan<'_>) -> Option<Decision> {
    if let Some((Refusal::Drop, rule)) = plan.refusal {
        return Some(named(visit, rule, Decision::Refuse(Reason::Dropped)));
    }
    if let (Some((Refusal::Deny, rule)), None) = (plan.refusal, plan.allow) {
        return Some(named(visit, rule, Decision::Refuse(Reason::Denied)));
    }
    if let Some(reason) = visit.effects().reach.bars(visit.route().stay_up) {
        return Some(Decision::Fallback(reason));
    }
    let rule = plan.allow?;
    visit.queue = Queue::Never;
    visit.rule = Some(rule.to_owned());
    Some(cleared_or(0, visit, Reason::ChallengeRule))
}

/// Whether an answer out of the cache may be given before anything is spent: only bans, refusals and rules stand before it.
pub fn lets_kept(visit: &Visit<'_>, plan: &Plan<'_>) -> bool {
    if matches!(plan.refusal, Some((Refusal::Drop, _))) || visit.effects().reach == Reach::None {
        return false;
    }
    let denied = matches!(plan.refusal, Some((Refusal::Deny, _)));
    let asked = plan.challenge.is_some_and(|(level, _)| level > visit.pass.map_or(0, |p| p.level));
    plan.allow.is_some() || !(denied || asked)
}

fn after_limits(
    visit: &mut Visit<'_>,
    request: &Request,
    plan: &Plan<'_>,
    asked_by_limit: Option<OverLimit>,
) -> Decision {
    if let Some((Refusal::Static, rule)) = plan.refusal {
        return named(visit, rule, Decision::Fallback(Reason::StaticRule));
    }
    duties(visit, request, plan, asked_by_limit)
}

fn named(visit: &mut Visit<'_>, rule: &str, decision: Decision) -> Decision {
    visit.rule = Some(rule.to_owned());
    decision
}

/// The challenge, by whoever demands the most: a rule, the posture, or a limit that was passed.
fn duties(visit: &mut Visit<'_>, request: &Request, plan: &Plan<'_>, asked_by_limit: Option<OverLimit>) -> Decision {
    if let Some(over) = asked_by_limit {
        let takes_challenge = visit.kind == Kind::Navigation && visit.may_be_challenged() && !request.spared;
        visit.needed = LIMIT_LEVEL;
        return if takes_challenge { Decision::Challenge(Reason::ChallengeLimit) } else { Decision::Limited(over) };
    }
    visit.queue = match plan.queue {
        _ if request.spared => Queue::Never,
        Some(rule) => Queue::Rule(rule.to_owned()),
        None => Queue::IfFull,
    };
    if request.spared {
        return cleared_or(0, visit, Reason::ChallengeRule);
    }
    let by_rule = plan.challenge.map_or(0, |(level, _)| level);
    if by_rule > visit.pass.map_or(0, |p| p.level) {
        visit.rule = plan.challenge.map(|(_, rule)| rule.to_owned());
        if !visit.may_be_challenged() {
            return Decision::Refuse(Reason::NeedsPass);
        }
    }
    // Call-backs, APIs and good bots are never asked for a pass by a posture: they keep to the small budget of programs.
    let asked = visit.may_be_challenged() && !has_grace(visit, request);
    // What is fresh in the cache costs the origin nothing.
    let by_posture = if asked && !visit.fresh { visit.effects().needed(visit.kind, request.safe) } else { 0 };
    let reason = if by_rule >= by_posture { Reason::ChallengeRule } else { Reason::ChallengePosture };
    cleared_or(by_rule.max(by_posture), visit, reason)
}

/// Who was here before the posture rose finishes what they have begun: the form that is open, and what its page asks for.
fn has_grace(visit: &Visit<'_>, request: &Request) -> bool {
    let finishes = match visit.kind {
        Kind::Navigation => !request.safe,
        Kind::Background | Kind::Subresource => true,
        Kind::Program => false,
    };
    let (Some(pass), Some(rose)) = (visit.pass.filter(|_| finishes), visit.risen()) else { return false };
    pass.born <= rose && visit.now.unix() < rose.saturating_add(bounds::PASS_GRACE.as_secs())
}

fn cleared_or(needed: u8, visit: &mut Visit<'_>, reason: Reason) -> Decision {
    visit.needed = needed.max(1);
    match Challenge::check(needed, visit.pass.as_ref()) {
        Some(cleared) => Decision::Go(cleared),
        None => Decision::Challenge(reason),
    }
}

/// Takes from every limit that matched, narrowest key first, and stops at the first refusal. `Ok(Some)` is a limit
/// that asks for a challenge instead.
fn take_limits(visit: &mut Visit<'_>, plan: &Plan<'_>, head: &dyn Head) -> Result<Option<OverLimit>, OverLimit> {
    let law = visit.law.clone();
    for (nth, quota) in quotas(&law, plan).enumerate() {
        if is_exempt(visit, quota) {
            continue;
        }
        let leans = budget::leans(visit, quota);
        if leans == Leans::First && budget::take_of_prefix(visit, quota).is_ok() {
            continue;
        }
        let own = take(visit, quota, head);
        if leans == Leans::Last && own.is_err() && budget::take_of_prefix(visit, quota).is_ok() {
            continue;
        }
        let overspent = own.is_err();
        let Err(limited) = own.and_then(|()| budget::take_of_crowd(visit, quota)) else {
            visit.spent |= 1u64.checked_shl(nth as u32).unwrap_or(0);
            continue;
        };
        if quota.shadow {
            visit.noted.push(quota.name.clone());
            continue;
        }
        visit.rule = Some(quota.name.clone());
        if let Some(lasts) = quota.ban {
            strike(visit, lasts, &quota.name);
        }
        let over = over(quota, limited);
        // A quiet pass is no answer to a challenge: who solves one has a budget of their own.
        let has_own_bucket = quota.per == Per::Client && visit.pass.is_some_and(|pass| pass.level > 0);
        if has_own_bucket
            && overspent
            && quota.budget
            && let Some(pass) = visit.pass
        {
            visit.house.settled.overspent(pass.id, visit.now.unix());
        }
        return if quota.then == Then::Challenge && !has_own_bucket { Ok(Some(over)) } else { Err(over) };
    }
    Ok(None)
}

/// Who holds a pass neither spends nor is refused where a shared key asks for one.
fn is_exempt(visit: &Visit<'_>, quota: &Quota) -> bool {
    let passed = visit.pass.is_some_and(|p| p.level >= LIMIT_LEVEL);
    quota.then == Then::Challenge && quota.per != Per::Client && passed
}

/// The limits that a request would really spend from, and stamps of the keys by which; nothing is spent.
pub fn counted(visit: &mut Visit<'_>, plan: &Plan<'_>, head: &dyn Head, see: &mut dyn FnMut(&Quota, u64)) {
    if before_limits(visit, plan).is_some() {
        return;
    }
    let (law, portal) = (visit.law.clone(), visit.portal());
    let counting = quotas(&law, plan).filter(|q| !is_exempt(visit, q));
    let stamp = |q: &Quota| {
        let mut hasher = DefaultHasher::new();
        key(&q.per, visit, visit.country.as_ref(), &portal.name, head).hash(&mut hasher);
        hasher.finish()
    };
    counting.for_each(|q| see(q, stamp(q)));
}

/// The limits that a request counts on: the built-in budget where the operator wrote none, then the plan's.
pub fn quotas<'a, 'p: 'a>(law: &'a Law, plan: &'a Plan<'p>) -> impl Iterator<Item = &'a Quota> + use<'a, 'p> {
    let built_in = (!law.rules.has_budget()).then_some(&law.ladder.budget);
    built_in.into_iter().chain(plan.limits.iter().copied())
}

/// What becomes of a request that may go on and is not let in already: it goes, or a rule has it wait.
pub fn goes(visit: &mut Visit<'_>) -> Reason {
    let Queue::Rule(rule) = &visit.queue else { return Reason::Served };
    if !visit.may_be_challenged() {
        return Reason::Served;
    }
    visit.rule = Some(rule.clone());
    Reason::WaitRule
}

/// Gives back what a request has spent that only brought another one, which spends by itself.
pub fn give_back(visit: &mut Visit<'_>, request: &Request, head: &dyn Head) {
    let (law, portal, spent) = (visit.law.clone(), visit.portal().clone(), std::mem::take(&mut visit.spent));
    let plan = law.rules.plan(&request.facts(visit, head), visit.level, visit.now.unix());
    let tokens = |q: &Quota| q.concurrent.is_none() && q.count.is_none();
    for (nth, quota) in quotas(&law, &plan).enumerate().take(64) {
        if spent >> nth & 1 == 1 && tokens(quota) {
            let key = key(&quota.per, visit, visit.country.as_ref(), &portal.name, head);
            let coarse = Key::Network(visit.client.network.0);
            visit.house.limits.give_back(quota, key, coarse, factor(visit, quota), visit.now.mono);
        }
    }
    visit.tallies.clear();
    visit.entered.clear();
}

fn factor(visit: &Visit<'_>, quota: &Quota) -> u32 {
    if quota.budget { budget::factor(visit, quota) } else { 1000 }
}

fn take(visit: &mut Visit<'_>, quota: &Quota, head: &dyn Head) -> Result<(), Limited> {
    let portal = visit.portal();
    let factor = factor(visit, quota);
    let country = visit.country;
    let key = key(&quota.per, visit, country.as_ref(), &portal.name, head);
    let coarse = Key::Network(visit.client.network.0);
    let limits = &visit.house.limits;
    if let Some(most) = quota.concurrent {
        // When one of them ends nobody knows.
        let limited = Limited { retry_after: crate::clock::SECOND };
        let entered = limits.enter(quota, key, most).ok_or(limited)?;
        visit.entered.push(entered);
        return Ok(());
    }
    if let Some(statuses) = &quota.count {
        let tally = limits.look(quota, statuses, (key, coarse), factor, visit.now.mono)?;
        visit.tallies.push(tally);
        return Ok(());
    }
    limits.take(quota, key, coarse, factor, visit.now.mono)
}

fn key<'a>(per: &Per, visit: &Visit<'_>, country: Option<&'a Country>, portal: &'a str, head: &'a dyn Head) -> Key<'a> {
    let Client { prefix, network, .. } = visit.client;
    match per {
        Per::Client => visit.pass.map_or(Key::Prefix(prefix.0), |pass| match pass.bucket() {
            Bucket::Own(id) => Key::Pass(id),
            Bucket::Visitor(id) => Key::Visitor(id),
            Bucket::Shared(lane, home) => Key::Lane(lane, home),
        }),
        Per::Header(name) => match head.field(name) {
            Some(value) if value.len() <= bounds::LIMIT_KEY_BYTES => Key::Header(value),
            _ => Key::Prefix(prefix.0),
        },
        Per::Address => Key::Prefix(prefix.0),
        Per::Network => Key::Network(network.0),
        Per::Asn => visit.asn.map_or(Key::Network(network.0), Key::Asn),
        Per::Country => match country {
            Some(country) => Key::Country(country.as_str()),
            None => Key::Network(network.0),
        },
        Per::Portal => Key::Portal(portal),
    }
}

pub fn over(quota: &Quota, limited: Limited) -> OverLimit {
    let window = match quota.concurrent {
        Some(_) => None,
        None => Some((quota.interval.saturating_mul(u64::from(quota.burst)) / crate::clock::SECOND).max(1)),
    };
    let burst = quota.concurrent.unwrap_or(quota.burst);
    OverLimit { limit: quota.name.clone(), burst, window, wait: limited.retry_after }
}

/// A limit of the house's own.
pub fn take_own(visit: &Visit<'_>, quota: &Quota) -> Result<(), OverLimit> {
    let Client { prefix, network, .. } = visit.client;
    let limits = &visit.house.limits;
    limits
        .take(quota, Key::Prefix(prefix.0), Key::Network(network.0), 1000, visit.now.mono)
        .map_err(|limited| over(quota, limited))
}
