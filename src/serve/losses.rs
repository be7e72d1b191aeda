//! What a posture would take away: of the last ten minutes' requests those that reached the origin and would not any more,
//! by what they were. Said before somebody pins a step that serves copies and statements only.
//!
//! Does not know: who may pin a posture.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use serde::Serialize;

use super::copied;
use super::decide::{self, Decision};
use super::read::{self, Request};
use super::visit::Visit;
use crate::bounds;
use crate::client::Client;
use crate::facts::Kind;
use crate::force::House;
use crate::plan::{Level, Reach};
use crate::telemetry::Fact;
use crate::wire::Arrival;

/// Services that are named, the most used first.
const SERVICES: usize = 10;

/// The losses, in estimates where a second held more requests than were kept.
#[derive(Debug, Default, Serialize)]
pub struct Losses {
    /// Requests of the last ten minutes that reach an origin as things stand.
    pub served: u64,
    /// How many of them would be answered by a copy.
    pub copies: u64,
    /// How many would be asked for a challenge first.
    pub challenged: u64,
    /// What would be lost, the most first.
    pub lost: Vec<Lost>,
    /// Services by what people call them, and how many of their requests would be lost.
    pub services: Vec<(String, u64)>,
}

#[derive(Debug, Serialize)]
pub struct Lost {
    pub class: &'static str,
    pub kind: &'static str,
    /// They send something: forms, call-backs.
    pub sends: bool,
    pub requests: u64,
    /// Passes, or prefixes where there is none, among the requests that were kept.
    pub clients: u64,
}

/// What would be lost with this posture, of one portal or of all.
pub fn losses(house: &House, level: Level, portal: Option<&str>) -> Losses {
    let law = Rc::new(house.law.load_full());
    let ipv6_prefix = house.town.load().settings.client.ipv6_prefix;
    let since = house.now().unix().saturating_sub(bounds::RECENT.as_secs());
    let mut sums = Sums::default();
    house.recent.each(since, |fact, weight| {
        let client = Client::new(fact.address, fact.address, ipv6_prefix, false).with(fact.fingerprint);
        let arrival = Arrival { scheme: fact.scheme, redirect_https: false };
        let mut visit = Visit::open(house, String::new(), client, arrival);
        visit.law = law.clone();
        let Ok(request) = read::read(&mut visit, fact) else { return };
        visit.pass = fact.pass;
        if visit.portal.is_none() || portal.is_some_and(|name| name != visit.portal().name) {
            return;
        }
        if matches!(decided(&mut visit, &request, fact), Decision::Go(_)) {
            sums.served += weight;
            visit.level = level;
            let decision = decided(&mut visit, &request, fact);
            sums.see(&visit, &request, fact, weight, &decision);
        }
    });
    sums.told()
}

fn decided(visit: &mut Visit<'_>, request: &Request, fact: &Fact) -> Decision {
    let law = visit.law.clone();
    let plan = law.rules.plan(&request.facts(visit, fact), visit.level, visit.now.unix());
    decide::without_limits(visit, request, &plan)
}

#[derive(Default)]
struct Sums {
    served: f64,
    copies: f64,
    challenged: f64,
    /// By class, kind, and whether something is sent.
    lost: BTreeMap<(&'static str, &'static str, bool), (f64, HashSet<u128>)>,
    services: HashMap<String, f64>,
}

impl Sums {
    fn see(&mut self, visit: &Visit<'_>, request: &Request, fact: &Fact, weight: f64, decision: &Decision) {
        match decision {
            Decision::Go(_) | Decision::Wait(_) => return,
            Decision::Challenge(_) => {
                self.challenged += weight;
                return;
            }
            Decision::Refuse(_) | Decision::Limited(_) | Decision::Fallback(_) => {}
        }
        let portal = visit.portal();
        if visit.effects().reach != Reach::None && copied::exact(visit, request, fact).is_some() {
            self.copies += weight;
            return;
        }
        let key = (visit.route().class.as_str(), visit.kind.as_str(), !request.safe);
        let (requests, clients) = self.lost.entry(key).or_default();
        *requests += weight;
        clients.insert(fact.pass.map_or(visit.client.prefix.0, |p| p.id));
        let mut used = portal.services.iter().filter(|s| s.holds(&request.match_path));
        if visit.kind != Kind::Subresource
            && let Some((_, name)) = used.next().and_then(|s| s.name.first())
        {
            *self.services.entry(name.clone()).or_default() += weight;
        }
    }

    fn told(self) -> Losses {
        let row = |((class, kind, sends), (requests, clients)): (_, (f64, HashSet<u128>))| Lost {
            class,
            kind,
            sends,
            requests: requests as u64,
            clients: clients.len() as u64,
        };
        let mut lost: Vec<Lost> = self.lost.into_iter().map(row).collect();
        lost.sort_by_key(|l| std::cmp::Reverse(l.requests));
        let mut services: Vec<(String, u64)> = self.services.into_iter().map(|(name, n)| (name, n as u64)).collect();
        services.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        services.truncate(SERVICES);
        let [served, copies, challenged] = [self.served, self.copies, self.challenged].map(|n| n as u64);
        Losses { served, copies, challenged, lost, services }
    }
}
