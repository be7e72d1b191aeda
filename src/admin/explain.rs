//! `/api/v1/explain`: a POST, for a request is too much for an address; it changes nothing.
//!
//! Does not know: how a verdict is found.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Desk;
use super::routes::problem;
use crate::plan::Level;
use crate::serve::explain::{self, Asked};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    method: String,
    /// A whole address, or a path of the first portal's.
    url: String,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    from: Option<IpAddr>,
    posture: Option<String>,
    #[serde(default)]
    pass: bool,
    /// With a pass, and a settled citizen's.
    #[serde(default)]
    settled: bool,
}

pub async fn request(State(desk): State<Desk>, body: Bytes) -> Response {
    let wish = serde_json::from_slice::<Wish>(&body)
        .map_err(|e| format!("{e}; write {{\"method\": \"GET\", \"url\": \"https://huduma.example/login\"}}"));
    match wish.and_then(|w| w.asked(&desk)) {
        Ok(asked) => Json(explain::explain(&desk.office.house, &asked)).into_response(),
        Err(help) => problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    }
}

impl Wish {
    fn asked(self, desk: &Desk) -> Result<Asked, String> {
        let (scheme, rest) = match self.url.split_once("://") {
            Some(("https", rest)) => ("https", rest),
            Some(("http", rest)) => ("http", rest),
            None if self.url.starts_with('/') => ("https", self.url.as_str()),
            _ => return Err(format!("{:?} is no address: write https://huduma.example/login, or /login", self.url)),
        };
        let (authority, target) = match rest.find(['/', '?']) {
            Some(0) => (first_host(desk), rest),
            Some(at) => (rest[..at].to_owned(), &rest[at..]),
            None => (rest.to_owned(), "/"),
        };
        let target = target.split('#').next().unwrap_or(target);
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q.to_owned())));
        let posture = match &self.posture {
            Some(name) => Some(
                Level::named(name)
                    .ok_or_else(|| format!("{name:?} is no posture: write one of {}", Level::NAMES.join(", ")))?,
            ),
            None => None,
        };
        // What a browser that goes to a page sends, so that the question need not say it.
        let mut fields: Vec<(String, String)> =
            self.fields.into_iter().map(|(n, v)| (n.to_ascii_lowercase(), v)).collect();
        if !fields.iter().any(|(n, _)| n == "accept" || n.starts_with("sec-fetch-")) {
            fields.push(("accept".into(), "text/html".into()));
        }
        Ok(Asked {
            method: self.method.to_ascii_uppercase(),
            scheme,
            authority,
            path: if path.is_empty() { "/".into() } else { path.to_owned() },
            query,
            fields,
            from: self.from.unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
            posture,
            pass: (self.pass || self.settled).then_some(1),
            settled: self.settled,
        })
    }
}

fn first_host(desk: &Desk) -> String {
    let town = desk.office.house.town.load();
    let host = town.portals.list.first().and_then(|p| p.host.clone().or_else(|| p.hosts.first().cloned()));
    host.map(|h| h.replace('*', "www")).unwrap_or_default()
}

#[derive(Deserialize)]
pub struct Ref {
    #[serde(rename = "ref")]
    code: String,
}

pub async fn reference(State(desk): State<Desk>, Query(asked): Query<Ref>) -> Response {
    match explain::refer(&desk.office.house, &asked.code) {
        Some(referred) => Json(referred).into_response(),
        None => {
            let help = "this is no reference code of this boma's: 20 letters and digits in four groups, as the citizen's page shows them";
            problem(StatusCode::NOT_FOUND, help)
        }
    }
}
