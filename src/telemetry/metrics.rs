//! One table of every metric. Names are the contract's (DESIGN 4.5); labels never hold what a client made up.
//!
//! Does not know: HTTP, requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{self, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{self, Gauge};
use prometheus_client::registry::Registry;

use crate::apart::Apart;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub portal: String,
    pub route: String,
    pub code: u16,
    pub action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabels {
    pub portal: String,
    pub reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PortalLabel {
    pub portal: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClassLabels {
    pub portal: String,
    pub class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FareLabels {
    pub portal: String,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabel {
    pub source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BuildLabels {
    pub version: &'static str,
}

/// Every metric that boma has.
pub struct Metrics {
    registry: Registry,
    pub requests: Family<RequestLabels, Requests>,
    pub citizens: Family<FareLabels, Counter>,
    pub duration: Seconds,
    pub in_flight: Gauge<i64, Sum>,
    pub connections: Gauge<i64, Sum>,
    pub connections_refused: Counter,
    pub origin_failures: Family<FailureLabels, Counter>,
    pub posture: Family<PortalLabel, Gauge>,
    pub challenge: Family<OutcomeLabel, Counter>,
    pub waiting: Family<OutcomeLabel, Counter>,
    pub waiting_people: Family<ClassLabels, Gauge>,
    pub cache: Family<OutcomeLabel, Requests>,
    /// The one of `cache` that is counted most, at hand.
    pub cache_hit: Requests,
    pub limit_keys: Gauge,
    pub limit_capacity: Gauge,
    pub limit_evictions: Gauge,
    pub limit_shared: Gauge,
    pub snapshots: Gauge,
    pub snapshot_fetches: Family<OutcomeLabel, Counter>,
    pub snapshot_alarms: Gauge,
    pub rules_generation: Gauge,
    pub rules_rejected: Counter,
    pub reload_successful: Gauge,
    pub reload_at: Gauge,
    pub troubles: Gauge,
    pub store_lost: Gauge,
    pub log_dropped: Counter,
    pub bans: Gauge,
    pub incidents: Gauge,
    pub incident_overdue: Gauge,
    pub bans_laid: Counter,
    pub banned: Counter,
    pub admin_refused: Family<OutcomeLabel, Counter>,
    pub bot_checks: Family<OutcomeLabel, Counter>,
    pub strain: Family<SourceLabel, Gauge>,
    pub admit_limit: Family<PortalLabel, Gauge>,
    pub admit_recovery: Family<PortalLabel, Gauge>,
    pub admit_inside: Family<ClassLabels, Gauge>,
    pub admit_share: Family<ClassLabels, Gauge>,
    pub admit_waiting: Family<ClassLabels, Gauge>,
    /// Requests that a full gate sent away.
    pub admit_refused: Family<ClassLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut m = Metrics {
            registry: Registry::default(),
            requests: Family::default(),
            citizens: Family::default(),
            duration: Seconds::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            origin_failures: Family::default(),
            posture: Family::default(),
            challenge: Family::default(),
            waiting: Family::default(),
            waiting_people: Family::default(),
            cache: Family::default(),
            cache_hit: Counter::default(),
            limit_keys: Gauge::default(),
            limit_capacity: Gauge::default(),
            limit_evictions: Gauge::default(),
            limit_shared: Gauge::default(),
            snapshots: Gauge::default(),
            snapshot_fetches: Family::default(),
            snapshot_alarms: Gauge::default(),
            rules_generation: Gauge::default(),
            rules_rejected: Counter::default(),
            reload_successful: Gauge::default(),
            reload_at: Gauge::default(),
            troubles: Gauge::default(),
            store_lost: Gauge::default(),
            log_dropped: Counter::default(),
            bans: Gauge::default(),
            incidents: Gauge::default(),
            incident_overdue: Gauge::default(),
            bans_laid: Counter::default(),
            banned: Counter::default(),
            admin_refused: Family::default(),
            bot_checks: Family::default(),
            strain: Family::default(),
            admit_limit: Family::default(),
            admit_recovery: Family::default(),
            admit_inside: Family::default(),
            admit_share: Family::default(),
            admit_waiting: Family::default(),
            admit_refused: Family::default(),
        };
        m.register();
        m
    }
}

impl Metrics {
    #[rustfmt::skip]
    fn register(&mut self) {
        self.cache_hit = self.cache.get_or_create_owned(&OutcomeLabel { outcome: "hit" });
        let r = &mut self.registry;
        r.register("boma_http_requests", "Requests by portal, route, status and what was done", self.requests.clone());
        r.register("boma_citizens", "Citizens' requests by how they fared, once a minute: full, copies, delayed, refused", self.citizens.clone());
        r.register("boma_http_request_duration_seconds", "From the request's head to the end of the answer", self.duration.clone());
        r.register("boma_http_in_flight", "Requests being answered", self.in_flight.clone());
        r.register("boma_connections", "Connections of clients", self.connections.clone());
        r.register("boma_connections_refused", "Connections closed at once because there was no room", self.connections_refused.clone());
        r.register("boma_origin_failures", "Requests that the origin refused, broke, left hanging or answered with 5xx", self.origin_failures.clone());
        r.register("boma_posture", "Step of the posture ladder: 0 normal to 4 closed", self.posture.clone());
        r.register("boma_challenge", "Challenges by outcome", self.challenge.clone());
        r.register("boma_waiting", "Places in the waiting rooms by what became of them: told, early, called, let_in, lapsed, full", self.waiting.clone());
        r.register("boma_waiting_people", "Who waits for their turn, by portal and class", self.waiting_people.clone());
        r.register("boma_cache", "Answers from what boma keeps, by outcome", self.cache.clone());
        r.register("boma_limit_keys", "Buckets in use", self.limit_keys.clone());
        r.register("boma_limit_capacity", "Buckets that [client] memory has room for", self.limit_capacity.clone());
        r.register("boma_limit_evictions", "Buckets given up to make room", self.limit_evictions.clone());
        r.register("boma_limit_shared", "Requests counted on their network's bucket because the table was full", self.limit_shared.clone());
        r.register("boma_snapshots", "Snapshots held", self.snapshots.clone());
        r.register("boma_snapshot_fetches", "Boma's own fetches for snapshots: kept, unchanged, failed, or why the answer was refused", self.snapshot_fetches.clone());
        r.register("boma_snapshot_alarms", "Pages that lack the text by which they are known, or are too small: empty, defaced, or others", self.snapshot_alarms.clone());
        r.register("boma_rules_generation", "Generation of the rules in force", self.rules_generation.clone());
        r.register("boma_rules_rejected", "Changes of rules that were refused", self.rules_rejected.clone());
        r.register("boma_config_last_reload_successful", "1 when the last reload of a file was taken, 0 when it was refused", self.reload_successful.clone());
        r.register("boma_config_last_reload_success_timestamp_seconds", "When a file was last taken", self.reload_at.clone());
        r.register("boma_troubles", "Troubles that status names: files replaced by their last good copy, a store that keeps nothing", self.troubles.clone());
        r.register("boma_store_lost", "Writes to the store that were lost", self.store_lost.clone());
        r.register("boma_log_dropped", "Access-log lines dropped because the sink was slower than the traffic", self.log_dropped.clone());
        r.register("boma_bans", "Bans that hold", self.bans.clone());
        r.register("boma_bans_laid", "Bans that rules and limits laid by themselves", self.bans_laid.clone());
        r.register("boma_banned", "Connections closed at once because of a ban", self.banned.clone());
        r.register("boma_incidents", "Incidents that are open", self.incidents.clone());
        r.register("boma_incident_overdue", "Open incidents whose promised update has not come", self.incident_overdue.clone());
        r.register("boma_admin_refused", "Calls of the staff door turned away: a wrong or expired token, too many of those, a role that may not", self.admin_refused.clone());
        r.register("boma_bot_checks", "Addresses of self-styled bots that were looked up, by outcome", self.bot_checks.clone());
        r.register("boma_strain", "How hard pressed the machine is: 0 none, 1 tight, 2 scarce (strangers are turned away), 3 spent", self.strain.clone());
        r.register("boma_admit_limit", "Requests that may be with a portal's origins at once, now", self.admit_limit.clone());
        r.register("boma_admit_recovery_percent", "How much of the last good limit is let in: less than 100 after a failure of the origins", self.admit_recovery.clone());
        r.register("boma_admit_in_flight", "Requests that are with a portal's origins, by class", self.admit_inside.clone());
        r.register("boma_admit_share", "Permits that a class has for itself among those that want any", self.admit_share.clone());
        r.register("boma_admit_waiting", "Requests that wait for a permit, by class", self.admit_waiting.clone());
        r.register("boma_admit_refused", "Requests that no permit came free for, by class", self.admit_refused.clone());
        // A counter that appears with its first event hides that event from `rate()`.
        for outcome in ["verified", "refuted", "unanswered"] {
            drop(self.bot_checks.get_or_create(&OutcomeLabel { outcome }));
        }
        for outcome in ["kept", "unchanged", "failed", "unexpected"] {
            drop(self.snapshot_fetches.get_or_create(&OutcomeLabel { outcome }));
        }
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        r.register("boma_build_info", "Version of this boma", build);
    }

    /// The text that Prometheus scrapes (OpenMetrics 1.0).
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// What every request counts up, or up and down.
#[derive(Debug, Default)]
pub struct Sum(Apart<AtomicI64>);

impl Sum {
    /// What the calling worker's part was before.
    fn add(&self, n: i64) -> i64 {
        self.0.mine().fetch_add(n, Ordering::Relaxed)
    }

    fn all(&self) -> i64 {
        self.0.each().map(|n| n.load(Ordering::Relaxed)).sum()
    }
}

pub type Requests = Counter<u64, Sum>;

impl counter::Atomic<u64> for Sum {
    fn inc(&self) -> u64 {
        self.add(1) as u64
    }
    fn inc_by(&self, n: u64) -> u64 {
        self.add(n as i64) as u64
    }
    fn get(&self) -> u64 {
        self.all() as u64
    }
}

impl gauge::Atomic<i64> for Sum {
    fn inc(&self) -> i64 {
        self.add(1)
    }
    fn inc_by(&self, n: i64) -> i64 {
        self.add(n)
    }
    fn dec(&self) -> i64 {
        self.add(-1)
    }
    fn dec_by(&self, n: i64) -> i64 {
        self.add(-n)
    }
    fn set(&self, n: i64) -> i64 {
        self.add(n - self.all())
    }
    fn get(&self) -> i64 {
        self.all()
    }
}

/// Upper bounds of the duration buckets, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// A histogram of durations without a lock: prometheus-client's own takes one per observation.
#[derive(Clone, Debug, Default)]
pub struct Seconds(Arc<Apart<Buckets>>);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Seconds {
    pub fn observe(&self, nanos: u64) {
        let seconds = nanos as f64 / 1e9;
        let at = BOUNDS.iter().position(|b| seconds <= *b).unwrap_or(BOUNDS.len());
        let mine = self.0.mine();
        mine.counts[at].fetch_add(1, Ordering::Relaxed);
        mine.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl EncodeMetric for Seconds {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let add =
            |of: &dyn Fn(&Buckets) -> &AtomicU64| self.0.each().map(|b| of(b).load(Ordering::Relaxed)).sum::<u64>();
        let counts: Vec<u64> = (0..=BOUNDS.len()).map(|at| add(&|b| &b.counts[at])).collect();
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let sum = add(&|b| &b.nanos) as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_names_are_there() {
        let metrics = Metrics::default();
        let labels = RequestLabels { portal: "p\"\n".into(), route: "/a*".into(), code: 200, action: "allowed" };
        metrics.requests.get_or_create(&labels).inc();
        metrics.challenge.get_or_create(&OutcomeLabel { outcome: "solved" }).inc();
        metrics.duration.observe(3_000_000);
        let text = metrics.text();
        for line in [
            "boma_http_requests_total{portal=\"p\\\"\\n\",route=\"/a*\",code=\"200\",action=\"allowed\"} 1",
            "boma_http_request_duration_seconds_bucket{le=\"0.005\"} 1",
            "boma_http_request_duration_seconds_bucket{le=\"+Inf\"} 1",
            "boma_http_in_flight 0",
            "boma_limit_keys 0",
            "boma_challenge_total{outcome=\"solved\"} 1",
            "boma_rules_generation 0",
            "boma_rules_rejected_total 0",
            "boma_config_last_reload_successful 0",
            "boma_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
