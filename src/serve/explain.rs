//! Why a request gets what it gets: the corridor's own reading, rules and decision, without spending anything and
//! without sending anything. So it cannot say otherwise than the real way does.
//!
//! Does not know: who asks.

use std::net::IpAddr;

use serde::Serialize;

use super::copied;
use super::decide::{self, Decision};
use super::kept::{self, Look};
use super::read::{self, Request};
use super::reference::{self, Shown};
use super::visit::Visit;
use crate::bots::Claim;
use crate::cache::{self, Kept};
use crate::client::Client;
use crate::facts::{Facts, Kind, Pass};
use crate::force::House;
use crate::plan::{Level, Plan};
use crate::reason::Reason;
use crate::rules::Match;
use crate::wire::{Arrival, Head, Version};

/// A request that somebody asks about.
#[derive(Debug)]
pub struct Asked {
    pub method: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    pub authority: String,
    pub path: String,
    pub query: Option<String>,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    pub from: IpAddr,
    /// As if this posture were in force.
    pub posture: Option<Level>,
    /// As if it came with a pass of this level.
    pub pass: Option<u8>,
    /// As if that were a settled citizen's.
    pub settled: bool,
}

impl Head for Asked {
    fn method(&self) -> &str {
        &self.method
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    fn authority(&self) -> Option<&str> {
        Some(&self.authority)
    }

    fn version(&self) -> Version {
        Version::Http11
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_bytes())
    }

    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.fields.iter().filter(|(n, _)| n == name).any(|(_, v)| test(v.as_bytes()))
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.fields.iter().for_each(|(n, v)| visit(n, v.as_bytes()));
    }
}

/// What would become of it, as long as no limit is exceeded.
#[derive(Debug, Serialize)]
pub struct Explained {
    pub verdict: &'static str,
    /// As the access log's `boma.reason`.
    pub reason: &'static str,
    /// 0: the origin's own.
    pub status: u16,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
    pub portal: Option<String>,
    pub route: Option<String>,
    pub class: Option<&'static str>,
    pub kind: &'static str,
    pub posture: &'static str,
    /// As rules match it: normalised, without parameters.
    pub path: String,
    pub client: IpAddr,
    pub pass: Option<u8>,
    /// Where it calls itself a good bot: whether it is one.
    pub bot: Option<String>,
    /// What answers out of the cache now, as the access log's `boma.cache`: `hit`, `stale` or `snapshot`; `miss` where
    /// the origin's answer would be looked at to be kept.
    pub cache: Option<&'static str>,
    /// Every rule and limit whose conditions hold, in force or not.
    pub matched: Vec<Match>,
    /// The limits that it would count on, in the order in which they are asked.
    pub limits: Vec<String>,
}

/// Explains a request.
pub fn explain(house: &House, asked: &Asked) -> Explained {
    let town = house.town.load();
    let policy = &town.settings.client;
    let client = Client::new(asked.from, asked.from, policy.ipv6_prefix, false);
    let arrival = Arrival { scheme: asked.scheme, redirect_https: false };
    let mut visit = Visit::open(house, String::new(), client, arrival);
    let banned = house.bans.holds(asked.from, visit.now.unix());
    let request = read::read(&mut visit, asked);
    if let Some(level) = asked.posture {
        visit.level = level;
    }
    if let Some(level) = asked.pass {
        let now = visit.now.unix();
        visit.pass = Some(Pass::proven(0, level, now, now + 3600));
    }
    let request = match request {
        _ if banned => return told(&visit, asked, None, Reason::Banned, Vec::new(), Vec::new()),
        Ok(request) => request,
        Err(reason) => return told(&visit, asked, None, reason, Vec::new(), Vec::new()),
    };
    let law = visit.law.clone();
    let facts = Facts { settled: asked.settled, ..request.facts(&visit, asked) };
    let matched = law.rules.explain(&facts, visit.level, visit.now.unix());
    let plan = law.rules.plan(&facts, visit.level, visit.now.unix());
    let limits = decide::quotas(&law, &plan).map(|q| q.name.clone()).collect();
    let reason = if request.own {
        match plan.refusal {
            Some((crate::plan::Refusal::Drop, rule)) if &*request.path != read::LIVE => {
                visit.rule = Some(rule.to_owned());
                Reason::Dropped
            }
            _ => Reason::Own,
        }
    } else {
        on_its_way(&mut visit, &request, &plan, asked)
    };
    told(&visit, asked, Some(&request), reason, matched, limits)
}

/// From the cache on; what answers out of it, or out of a snapshot, the visit notes.
fn on_its_way(visit: &mut Visit<'_>, request: &Request, plan: &Plan<'_>, asked: &Asked) -> Reason {
    let now = visit.now;
    let named = |kept: &Kept| if kept.times.is_fresh(now) { "hit" } else { "stale" };
    let look = kept::look(visit, request, asked, true);
    let usable = look.as_ref().and_then(Look::usable);
    visit.fresh = usable.is_some();
    visit.cache = look.as_ref().filter(|look| !look.only_stands_in).map(|_| usable.map_or("miss", |kept| named(kept)));
    if usable.is_some_and(|kept| kept::is_free(visit, plan, kept)) {
        return Reason::Served;
    }
    let reason = match decide::without_limits(visit, request, plan) {
        Decision::Go(_) => decide::goes(visit),
        Decision::Challenge(reason) | Decision::Refuse(reason) | Decision::Fallback(reason) => reason,
        Decision::Wait(told) => told.reason,
        Decision::Limited(_) => Reason::OverLimit,
    };
    if reason == Reason::Served {
        return reason;
    }
    visit.cache = None;
    if !matches!(reason, Reason::Posture | Reason::StaticRule) {
        return reason;
    }
    if let Some(kept) = look.and_then(|look| look.kept).filter(|kept| cache::stands_in(kept, now)) {
        visit.cache = Some(named(&kept));
        return Reason::Served;
    }
    visit.cache = copied::exact(visit, request, asked).map(|_| "snapshot");
    reason
}

fn told(
    visit: &Visit<'_>,
    asked: &Asked,
    request: Option<&Request>,
    reason: Reason,
    matched: Vec<Match>,
    limits: Vec<String>,
) -> Explained {
    let row = reason.row();
    let challenge = matches!(reason, Reason::ChallengeRule | Reason::ChallengePosture | Reason::ChallengeLimit);
    let status = match visit.kind {
        Kind::Subresource | Kind::Background if challenge => Reason::NeedsPass.row().status,
        _ if challenge => visit.town.settings.challenge.status,
        _ if visit.cache == Some("snapshot") => 200,
        _ => row.status,
    };
    let portal = visit.portal.map(|p| &visit.town.portals.list[p]);
    Explained {
        verdict: row.verdict,
        reason: row.name,
        status,
        rule: visit.rule.clone(),
        portal: portal.map(|p| p.name.clone()),
        route: portal.map(|_| visit.route().path.clone()),
        class: portal.map(|_| visit.route().class.as_str()),
        kind: visit.kind.as_str(),
        posture: visit.level.as_str(),
        path: request.map_or_else(|| asked.path.clone(), |r| r.match_path.to_string()),
        client: asked.from,
        pass: visit.pass.map(|p| p.level),
        bot: visit.claim.as_ref().map(Claim::said),
        cache: visit.cache,
        matched,
        limits,
    }
}

/// What a citizen's reference code says.
#[derive(Debug, Serialize)]
pub struct Referred {
    /// Seconds since the Unix epoch.
    pub at: u64,
    pub verdict: &'static str,
    pub reason: &'static str,
    /// What it stood on: `page`, `copy` or `status`.
    pub shown: &'static str,
    /// Why a page or copy of boma's was shown, in a sentence; empty where there is no more to it.
    pub told: &'static str,
    /// The code as the access log has it (`boma.reference`).
    pub reference: String,
}

/// Reads a reference code; `None` where it is none of this boma's.
pub fn refer(house: &House, code: &str) -> Option<Referred> {
    let found = reference::open(&house.references, code)?;
    let row = found.reason()?.row();
    let shown = match found.shown {
        Shown::Page => "page",
        Shown::Copy => "copy",
        Shown::Status => "status",
    };
    let reference = reference::seal(&house.references, found);
    let (verdict, reason, told) = (row.verdict, row.name, row.title);
    Some(Referred { at: u64::from(found.unix), verdict, reason, shown, told, reference })
}
