//! Every route of the staff door, each method with the least role that may use it: the one place for both. The router is
//! made of it; the OpenAPI description and the README are held against it by tests. No GET changes anything.
//!
//! Does not know: what a route does.

use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::{Desk, bans, cache, events, explain, incidents, measures, passes, report, routes, services, snapshots};
use crate::staff::Role::{self, Analyst, Communicator, Lead, Viewer};

/// One method of one route.
pub struct Row {
    pub path: &'static str,
    pub method: &'static str,
    /// `None`: open to all, without a token.
    pub least: Option<Role>,
    pub handler: fn() -> MethodRouter<Desk>,
}

/// Who may force (`"force": true`) what boma advises against.
pub const FORCES: Role = Lead;

const fn row(
    method: &'static str,
    path: &'static str,
    least: Option<Role>,
    handler: fn() -> MethodRouter<Desk>,
) -> Row {
    Row { path, method, least, handler }
}

/// The methods of a path stand together.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row("GET", "/livez", None, || get(routes::livez)),
    row("GET", "/readyz", None, || get(routes::readyz)),
    row("GET", "/metrics", None, || get(routes::metrics)),
    row("GET", "/api/v1/openapi.json", Some(Viewer), || get(routes::openapi)),
    row("GET", "/api/v1/status", Some(Viewer), || get(routes::status)),
    row("GET", "/api/v1/events", Some(Viewer), || get(events::stream)),
    row("GET", "/api/v1/posture", Some(Viewer), || get(routes::posture)),
    row("PUT", "/api/v1/posture", Some(Lead), || put(routes::put_posture)),
    row("POST", "/api/v1/posture/preview", Some(Analyst), || post(routes::preview_posture)),
    row("GET", "/api/v1/rules", Some(Viewer), || get(routes::rules)),
    row("PUT", "/api/v1/rules", Some(Lead), || put(routes::put_rules)),
    row("GET", "/api/v1/rules/history", Some(Viewer), || get(measures::history)),
    row("GET", "/api/v1/rules/history/{version}", Some(Viewer), || get(measures::version)),
    row("POST", "/api/v1/rules/rollback", Some(Lead), || post(measures::roll_back)),
    row("POST", "/api/v1/rules/preview", Some(Analyst), || post(measures::preview_rules)),
    row("GET", "/api/v1/measures", Some(Viewer), || get(measures::list)),
    row("POST", "/api/v1/measures", Some(Analyst), || post(measures::add)),
    row("POST", "/api/v1/measures/preview", Some(Analyst), || post(measures::preview)),
    row("PATCH", "/api/v1/measures/{name}", Some(Analyst), || patch(measures::extend)),
    row("DELETE", "/api/v1/measures/{name}", Some(Analyst), || delete(measures::remove)),
    row("GET", "/api/v1/bans", Some(Viewer), || get(bans::list)),
    row("POST", "/api/v1/bans", Some(Analyst), || post(bans::add)),
    row("POST", "/api/v1/bans/preview", Some(Analyst), || post(bans::preview)),
    row("DELETE", "/api/v1/bans/{*net}", Some(Analyst), || delete(bans::remove)),
    row("GET", "/api/v1/cache", Some(Viewer), || get(cache::show)),
    row("POST", "/api/v1/cache/purge", Some(Analyst), || post(cache::purge)),
    row("GET", "/api/v1/snapshots", Some(Viewer), || get(snapshots::list)),
    row("GET", "/api/v1/snapshots/diff", Some(Viewer), || get(snapshots::diff)),
    row("POST", "/api/v1/snapshots/refresh", Some(Analyst), || post(snapshots::refresh)),
    row("POST", "/api/v1/passes", Some(Analyst), || post(passes::issue)),
    row("GET", "/api/v1/incidents", Some(Viewer), || get(incidents::list)),
    row("POST", "/api/v1/incidents", Some(Communicator), || post(incidents::open)),
    row("POST", "/api/v1/incidents/preview", Some(Communicator), || post(incidents::preview)),
    row("GET", "/api/v1/incidents/{id}", Some(Viewer), || get(incidents::one)),
    row("POST", "/api/v1/incidents/{id}/updates", Some(Communicator), || post(incidents::update)),
    row("POST", "/api/v1/incidents/{id}/resolve", Some(Communicator), || post(incidents::resolve)),
    row("POST", "/api/v1/incidents/{id}/withdraw", Some(Communicator), || post(incidents::withdraw)),
    row("GET", "/api/v1/services", Some(Viewer), || get(services::list)),
    row("PATCH", "/api/v1/services", Some(Communicator), || patch(services::reword)),
    row("POST", "/api/v1/services/reset", Some(Communicator), || post(services::reset)),
    row("GET", "/api/v1/totals", Some(Viewer), || get(routes::totals)),
    row("GET", "/api/v1/report", Some(Viewer), || get(report::draft)),
    row("GET", "/api/v1/explain", Some(Viewer), || get(explain::reference)),
    row("POST", "/api/v1/explain", Some(Analyst), || post(explain::request)),
];

/// Every path once, in the table's order.
pub fn paths() -> Vec<&'static str> {
    let mut paths: Vec<&str> = TABLE.iter().map(|r| r.path).collect();
    paths.dedup();
    paths
}

pub fn methods_of(path: &str) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |r| r.path == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn described() -> Value {
        serde_json::from_str(include_str!("openapi.json")).unwrap()
    }

    #[test]
    fn the_paths_stand_together_and_what_reads_is_a_viewers() {
        let once: BTreeSet<&str> = paths().into_iter().collect();
        assert_eq!(once.len(), paths().len(), "a path stands in two places");
        for row in TABLE {
            let reads = row.method == "GET";
            assert_eq!(reads, matches!(row.least, None | Some(Viewer)), "{} {}", row.method, row.path);
            assert_eq!(row.least.is_none(), !row.path.starts_with("/api/"), "{}", row.path);
        }
    }

    #[test]
    fn every_route_is_described_with_its_role_and_nothing_else_is() {
        let api = described();
        let mut described = BTreeSet::new();
        for (path, methods) in api["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let role = operation["x-role"].as_str().unwrap_or_else(|| panic!("{method} {path} has no x-role"));
                let open = operation["security"].as_array().is_some_and(Vec::is_empty);
                assert_eq!(open, role == "none", "{method} {path}: only what is open has \"security\": []");
                let responses = operation["responses"].as_object().unwrap();
                let says = |code: &str| responses.contains_key(code);
                assert_eq!((says("401"), says("429")), (!open, !open), "{method} {path}");
                assert_eq!(says("403"), !matches!(role, "none" | "viewer"), "{method} {path}");
                for key in ["operationId", "summary"] {
                    assert!(operation[key].is_string(), "{method} {path} has no {key}");
                }
                described.insert(format!("{} {path} {role}", method.to_uppercase()));
            }
        }
        let role = |r: &Row| r.least.map_or("none", Role::as_str);
        let built = TABLE.iter().map(|r| format!("{} {} {}", r.method, r.path.replace("{*", "{"), role(r)));
        assert_eq!(described, built.collect::<BTreeSet<_>>());
    }

    #[test]
    fn what_may_be_forced_is_described_as_the_leads() {
        let api = described();
        let forced: Vec<String> = api["components"]["schemas"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, s)| s["properties"]["force"].is_object())
            .map(|(name, s)| format!("{name} {}", s["properties"]["force"]["x-role"].as_str().unwrap_or("none")))
            .collect();
        assert_eq!(forced, ["BanWish", "MeasureWish", "RollBackWish"].map(|name| format!("{name} {FORCES}")));
    }

    #[test]
    fn every_reference_within_the_description_leads_somewhere() {
        fn walk(value: &Value, all: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    all.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|v| walk(v, all));
                }
                Value::Array(items) => items.iter().for_each(|v| walk(v, all)),
                _ => {}
            }
        }
        let (api, mut all) = (described(), Vec::new());
        walk(&api, &mut all);
        assert!(all.len() > 20);
        for reference in all {
            assert!(api.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
        }
    }

    #[test]
    fn the_readme_says_who_may_do_what() {
        let readme = include_str!("../../README.md");
        for least in Role::ALL {
            let of: Vec<String> = TABLE
                .iter()
                .filter(|r| r.least == Some(least))
                .map(|r| format!("`{} {}`", r.method, r.path.trim_start_matches("/api/v1/").replace("{*", "{")))
                .collect();
            if !of.is_empty() {
                let line = format!("| {least} | {} |", of.join(" "));
                assert!(readme.contains(&line), "README.md does not say:\n{line}");
            }
        }
        assert!(readme.contains(&format!("`\"force\": true` needs {FORCES}")));
    }
}
