//! What rules would have done to the requests of an access log: the corridor's own reading, decision and limits, in the
//! log's own time. Memory is bounded, however long the log and whatever stands in it.
//!
//! Does not know: files, formats of logs.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::counts::{Counts, LimitPreview, Preview, TOP, network};
use super::read;
pub use super::trial::Ground;
use super::trial::{Met, Tape, Trial};
use super::visit::Visit;
use crate::bounds;
use crate::client::{Client, Prefix};
use crate::clock::SECOND;
use crate::plan::{Quota, quota_id};
use crate::portal::Portals;
use crate::reason::Reason;
use crate::rules::{Field, Look, RuleSet};
use crate::telemetry::reading::{Holds, Logged, Query, Unread};
use crate::telemetry::sketch::{Distinct, Frequent, cut};
use crate::wire::Arrival;

/// What came of it: as a preview, with what a log adds.
#[derive(Debug, Serialize)]
pub struct Replayed {
    #[serde(flatten)]
    pub preview: Preview,
    /// Distinct ones, and by how many hundredths that may be wrong (one standard error); 0: it is exact.
    pub clients: u64,
    pub clients_error: f64,
    /// The most frequent of all requests, and how much too low these counts may be.
    pub paths: Vec<(String, u64)>,
    pub networks: Vec<(String, u64)>,
    pub missed: u64,
    /// Whether other rules stood beside these: `changed` says nothing otherwise.
    pub compared: bool,
    pub posture: &'static str,
    /// When the log begins and ends, in seconds since the Unix epoch.
    pub from: u64,
    pub to: u64,
    /// Lines that lie before the newest, and by how many seconds at most.
    pub late: u64,
    pub latest: u64,
    pub left_out: LeftOut,
    /// What the log does not hold.
    pub not_held: Vec<&'static str>,
    /// Rules and limits that look at it, and at what: they took no part.
    pub not_judged: Vec<NotJudged>,
    /// What was assumed.
    pub assumed: Vec<String>,
}

/// Lines that tell of no request that rules could be asked about.
#[derive(Debug, Default, Serialize)]
pub struct LeftOut {
    pub no_request: u64,
    pub own_paths: u64,
    /// Of another host, of a banned client, or refused before rules are asked.
    pub no_portal: u64,
}

#[derive(Debug, Serialize)]
pub struct NotJudged {
    pub name: String,
    pub fields: Vec<String>,
}

/// A replay under way.
pub struct Replay {
    old: Option<Trial>,
    new: Trial,
    ipv6_prefix: u8,
    host: Box<str>,
    tape: Tape,
    counts: Counts,
    clients: Distinct,
    paths: Frequent<str>,
    networks: Frequent<u128>,
    /// By the limits' ids.
    limits: HashMap<u64, Limit>,
    matched: HashSet<String>,
    told: Replayed,
}

/// What came upon a limit.
struct Limit {
    name: String,
    matched: u64,
    over: u64,
    keys: Distinct,
    clients: Frequent<u128>,
}

impl Replay {
    /// Of `new` rules, compared with `old` ones, upon a log that holds so much; `said` is the host of requests whose log holds
    /// none.
    ///
    /// # Errors
    /// What is wrong with `host`, and what to write instead.
    pub fn new(
        ground: &Ground,
        (old, new): (Option<RuleSet>, RuleSet),
        holds: Holds,
        said: Option<&str>,
    ) -> Result<Replay, String> {
        let portals = Portals::new(ground.settings.portals.clone());
        let host = host(&portals, said)?;
        let sure = holds.host || said.is_some();
        let held = |look: &Look| self::holds(look, holds, sure, portals.list.len() == 1);
        let mut not_judged: Vec<NotJudged> = Vec::new();
        let mut laid_aside = |mut rules: RuleSet| {
            let looks = rules.looks().to_vec();
            let mut names = HashSet::new();
            for looks in &looks {
                let mut fields: Vec<String> =
                    looks.at.iter().filter(|l| !held(l)).map(|l| l.field.to_string()).collect();
                fields.extend((looks.concurrent && !holds.took).then(|| "concurrent".to_owned()));
                if !fields.is_empty() && names.insert(looks.name.as_str()) {
                    not_judged.retain(|n| n.name != looks.name);
                    not_judged.push(NotJudged { name: looks.name.clone(), fields });
                }
            }
            rules.lay_aside(&names);
            rules
        };
        let old = old.map(&mut laid_aside).map(|rules| Trial::new(ground, rules)).transpose()?;
        let new = Trial::new(ground, laid_aside(new))?;
        not_judged.sort_by(|a, b| a.name.cmp(&b.name));
        let law = new.house.law.load();
        let built_in = (!law.rules.has_budget()).then_some(&law.ladder.budget);
        let judged = |q: &&Quota| not_judged.iter().all(|n| n.name != q.name);
        let limits = built_in.into_iter().chain(law.rules.quotas()).filter(judged);
        let limits = limits.map(|q| (q.id, Limit::new(&q.name))).collect();
        let refused = Some(ground.settings.log.refused).filter(|n| *n > 1 && holds.pass);
        let assumed = assumed(holds, &host, law.rules.asks().known_path, refused);
        drop(law);
        let told = Replayed {
            preview: Preview::default(),
            clients: 0,
            clients_error: 0.0,
            paths: Vec::new(),
            networks: Vec::new(),
            missed: 0,
            compared: old.is_some(),
            posture: ground.posture.as_str(),
            from: u64::MAX,
            to: 0,
            late: 0,
            latest: 0,
            left_out: LeftOut::default(),
            not_held: not_held(holds),
            not_judged,
            assumed,
        };
        Ok(Replay {
            old,
            new,
            ipv6_prefix: ground.settings.client.ipv6_prefix,
            host: host.into(),
            tape: Tape::default(),
            counts: Counts::default(),
            clients: Distinct::default(),
            paths: Frequent::default(),
            networks: Frequent::default(),
            limits,
            matched: HashSet::new(),
            told,
        })
    }

    /// A line that tells of no request.
    pub fn left_out(&mut self, why: Unread) {
        match why {
            Unread::Wrong(_) => {}
            Unread::NoRequest => self.told.left_out.no_request += 1,
            Unread::Own => self.told.left_out.own_paths += 1,
            Unread::NoPortal => self.told.left_out.no_portal += 1,
        }
    }

    /// The next request of the log.
    pub fn see(&mut self, mut logged: Logged) {
        let now = self.tape.at(logged.at);
        if logged.fact.authority.is_empty() {
            logged.fact.authority.clone_from(&self.host);
        }
        let (address, scheme) = (logged.fact.address, logged.fact.scheme);
        let client = Client::new(address, address, self.ipv6_prefix, false).with(logged.fact.fingerprint);
        let arrival = Arrival { scheme, redirect_https: false };
        let mut visit = Visit::open(&self.new.house, String::new(), client, arrival);
        visit.now = now;
        let request = match read::read(&mut visit, &logged.fact) {
            Ok(request) if request.own => return self.left_out(Unread::Own),
            Ok(request) => request,
            Err(_) => return self.left_out(Unread::NoPortal),
        };
        (visit.pass, visit.kind) = (logged.fact.pass, logged.kind);
        let (limits, matched) = (&mut self.limits, &mut self.matched);
        let mut meet = |met: Met<'_>| match met {
            Met::Rule(name) if !matched.contains(name) => drop(matched.insert(name.to_owned())),
            Met::Rule(_) => {}
            Met::Limit(quota, _) => limits.get_mut(&quota.id).into_iter().for_each(|limit| limit.matched += 1),
        };
        let after = self.new.judge(&mut visit, &request, &logged, &mut meet);
        let refused = matches!(after, Reason::OverLimit | Reason::ChallengeLimit);
        for name in visit.noted.iter().chain(visit.rule.iter().filter(|_| refused)) {
            if let Some(limit) = self.limits.get_mut(&quota_id(name)) {
                limit.over += 1;
                limit.keys.insert(client.prefix.0);
                limit.clients.add(&client.prefix.0, 1.0);
            }
        }
        let law = visit.law.clone();
        let before = self.old.as_ref().map(|old| {
            old.receive(&mut visit);
            old.judge(&mut visit, &request, &logged, &mut |_| {})
        });
        self.counts.see(&logged.fact, 1.0, &client, (before.unwrap_or(after), after), None, &law.rules);
        self.clients.insert(client.prefix.0);
        self.paths.add(cut(&logged.fact.path), 1.0);
        self.networks.add(&client.network.0, 1.0);
        let (from, to, at) = (&mut self.told.from, &mut self.told.to, logged.at / SECOND);
        (*from, *to) = ((*from).min(at), (*to).max(at));
    }

    pub fn told(self) -> Replayed {
        let law = self.new.house.law.load();
        let known: HashSet<String> = match &self.old {
            Some(old) => old.house.law.load().rules.rules().map(|r| r.name.clone()).collect(),
            None => HashSet::new(),
        };
        let judged = |name: &str| self.told.not_judged.iter().all(|n| n.name != name);
        let idle = law
            .rules
            .rules()
            .filter(|r| !r.expired && !known.contains(&r.name) && judged(&r.name) && !self.matched.contains(&r.name));
        let idle = idle.map(|r| r.name.clone()).collect();
        let mut preview = self.counts.told(&[], idle, 0);
        preview.limits = self.limits.into_values().map(Limit::told).collect();
        preview.limits.sort_by(|a, b| b.over.cmp(&a.over).then_with(|| a.name.cmp(&b.name)));
        Replayed {
            preview,
            clients: self.clients.count(),
            clients_error: (self.clients.error() * 10.0).round() / 10.0,
            paths: self.paths.top(TOP),
            networks: self.networks.top(TOP).into_iter().map(|(net, n)| (network(Prefix(net)), n)).collect(),
            missed: self.paths.missed().max(self.networks.missed()),
            from: self.told.from.min(self.told.to),
            late: self.tape.late,
            latest: self.tape.latest / SECOND,
            ..self.told
        }
    }
}

impl Limit {
    fn new(name: &str) -> Limit {
        Limit {
            name: name.to_owned(),
            matched: 0,
            over: 0,
            keys: Distinct::new(bounds::DISTINCT_OF_LIMIT),
            clients: Frequent::new(bounds::FREQUENT_OF_LIMIT),
        }
    }

    fn told(self) -> LimitPreview {
        let clients = self.clients.top(TOP).into_iter().map(|(prefix, n)| (Prefix(prefix).address().to_string(), n));
        let (matched, over, keys) = (self.matched, self.over, self.keys.count());
        LimitPreview { name: self.name, matched, over, keys, unknown: None, clients: clients.collect() }
    }
}

/// The host of requests whose log holds none: what somebody says, else the first portal's.
fn host(portals: &Portals, said: Option<&str>) -> Result<String, String> {
    let hosts = || portals.list.iter().flat_map(|p| p.hosts.clone()).collect::<Vec<_>>().join(", ");
    if let Some(said) = said {
        let found = read::host_of(said).is_some_and(|host| portals.find(&host).is_some());
        return if found {
            Ok(said.to_owned())
        } else {
            Err(format!("no portal has the host {said:?}: there are {}", hosts()))
        };
    }
    let Some(portal) = portals.list.first() else { return Err("the settings have no portal".into()) };
    let first = portal.host.as_ref().or_else(|| portal.hosts.iter().find(|h| !h.starts_with('*')));
    let wild = || portal.hosts.first().map_or(String::new(), |h| h.replacen('*', "www", 1));
    Ok(first.cloned().unwrap_or_else(wild))
}

/// Whether a log that holds so much tells what a rule looks at. `sure`: the host is known; `one`: there is one portal.
fn holds(look: &Look, holds: Holds, sure: bool, one: bool) -> bool {
    match &look.field {
        Field::Path | Field::Method | Field::List | Field::KnownPath => true,
        Field::Country | Field::Asn | Field::CountryKnown | Field::AsnKnown => true,
        Field::Host => sure,
        Field::Portal | Field::Route | Field::Class | Field::Service => sure || one,
        Field::Scheme => holds.scheme,
        Field::Kind => holds.kind,
        Field::Pass => holds.pass,
        Field::UserAgent => holds.user_agent,
        Field::Header(name) => match name.as_str() {
            "user-agent" => holds.user_agent,
            "referer" => holds.referrer,
            _ => false,
        },
        Field::Fingerprint | Field::FingerprintKnown => holds.fingerprint,
        Field::Cookie(_) | Field::Settled => false,
        Field::Query | Field::Param(_) if look.presence => holds.query >= Query::Names,
        Field::Query | Field::Param(_) => holds.query == Query::Whole,
    }
}

fn not_held(holds: Holds) -> Vec<&'static str> {
    let query = match holds.query {
        Query::Nothing => Some("query"),
        Query::Names => Some("values of query"),
        Query::Whole => None,
    };
    let headers = if holds.user_agent { "header.* but user-agent and referer" } else { "header.*" };
    let fields = [
        (!holds.host).then_some("host"),
        (!holds.scheme).then_some("scheme"),
        query,
        (!holds.user_agent).then_some("user_agent"),
        Some(headers),
        Some("cookie.*"),
        (!holds.kind).then_some("kind"),
        Some(if holds.pass { "how old a pass is" } else { "pass" }),
        (!holds.fingerprint).then_some("fingerprint"),
        (!holds.took).then_some("how long answers took"),
    ];
    fields.into_iter().flatten().collect()
}

fn assumed(holds: Holds, host: &str, known_path: bool, refused: Option<u32>) -> Vec<String> {
    let all = [
        (!holds.host).then(|| format!("every request was for {host}")),
        (!holds.kind).then(|| "kinds of requests are guessed from user agent and path".into()),
        holds.pass.then(|| "passes of one address and user agent are one, and none is settled".into()),
        (!holds.pass).then(|| "nobody held a pass".into()),
        refused.map(|n| format!("each request stands for itself: of refused ones [log] may have written one in {n}")),
        known_path.then(|| "known_path knows what was answered within this log".into()),
    ];
    all.into_iter().flatten().collect()
}
