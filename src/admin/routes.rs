//! The router, made of the [`table`], and the handlers of probes, status, posture and rules.
//!
//! Does not know: how a change is made.

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{self, Badge};
use super::{Desk, VERSION, measures, table};
use crate::control::{Applied, Change, Force, Office, Rejected};
use crate::plan::Level;
use crate::posture::Pin;
use crate::serve::losses;
use crate::{bounds, units};

pub fn router(desk: Desk) -> Router {
    let (mut open, mut closed) = (Router::new(), Router::new());
    for path in table::paths() {
        let mut methods = MethodRouter::new();
        let mut guarded = false;
        let mut allow = Vec::new();
        for row in table::methods_of(path) {
            allow.push(row.method);
            if row.method == "GET" {
                allow.push("HEAD");
            }
            let handler = (row.handler)();
            methods = methods.merge(match row.least {
                Some(least) => {
                    guarded = true;
                    handler.route_layer(middleware::from_fn_with_state((desk.clone(), least), auth::permit))
                }
                None => handler,
            });
        }
        let methods = only(methods, allow.join(", "));
        (open, closed) = match guarded {
            true => (open, closed.route(path, methods)),
            false => (open.route(path, methods), closed),
        };
    }
    closed
        .layer(DefaultBodyLimit::max(bounds::ADMIN_BODY_BYTES))
        .layer(middleware::from_fn_with_state(desk.clone(), auth::authenticate))
        .merge(open)
        .fallback(nothing)
        .layer(middleware::map_response(marked))
        .with_state(desk)
}

/// A known path asked with a method that it does not have.
fn only(methods: MethodRouter<Desk>, allow: String) -> MethodRouter<Desk> {
    methods.fallback(move || async move {
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("write one of {allow}"));
        if let Ok(allow) = HeaderValue::from_str(&allow) {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    })
}

/// What staff read must be now, not some cache's then; and whoever asks may know that it is boma that answers.
async fn marked(response: Response) -> Response {
    let mut response = in_our_words(response).await;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static(VERSION), HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    response
}

/// axum's own refusals (no number where one belongs, a body too large) are plain text.
async fn in_our_words(response: Response) -> Response {
    let plain = response.headers().get(CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/plain"));
    let status = response.status();
    if !(plain && status.is_client_error()) {
        return response;
    }
    let said = to_bytes(response.into_body(), bounds::REASON_BYTES).await.unwrap_or_default();
    problem(status, &String::from_utf8_lossy(&said))
}

async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is {}", table::paths().join(", ")))
}

pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

/// Asks the office on another thread: it may be at a change that takes a moment, and the probes must not wait for that.
pub async fn aside<T: Send + 'static>(
    desk: &Desk,
    ask: impl FnOnce(&Office) -> T + Send + 'static,
) -> Result<T, Response> {
    let office = desk.office.clone();
    let asked = tokio::task::spawn_blocking(move || ask(&office));
    asked.await.map_err(|_| problem(StatusCode::INTERNAL_SERVER_ERROR, "it could not be told; see the log"))
}

pub async fn livez() -> &'static str {
    "ok\n"
}

#[derive(Deserialize)]
pub struct Verbose {
    verbose: Option<String>,
}

/// Ready unless boma drains. A dead origin is no reason: boma is what answers then.
pub async fn readyz(State(desk): State<Desk>, Query(asked): Query<Verbose>) -> Response {
    let ready = !desk.office.house.is_draining();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if asked.verbose.is_none() {
        return (code, if ready { "ok\n" } else { "draining\n" }).into_response();
    }
    let status = match aside(&desk, Office::status).await {
        Ok(status) => status,
        Err(response) => return response,
    };
    let mut text = String::from(if ready { "[+] serving\n" } else { "[-] draining\n" });
    text.push_str(&format!("[+] rules generation {}\n", status.rules_generation));
    for differs in &status.files_not_in_force {
        text.push_str(&format!("[!] {} is not in force as it stands\n", differs.file));
    }
    for trouble in &status.troubles {
        text.push_str(&format!("[!] {trouble}\n"));
    }
    (code, text).into_response()
}

pub async fn metrics(State(desk): State<Desk>) -> Response {
    desk.office.gauge();
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], desk.office.house.metrics.text()).into_response()
}

pub async fn status(State(desk): State<Desk>) -> Response {
    match aside(&desk, Office::status).await {
        Ok(status) => Json(status).into_response(),
        Err(response) => response,
    }
}

#[derive(Deserialize)]
pub struct Span {
    from: Option<u64>,
    to: Option<u64>,
}

/// The totals of each minute, by default of the last hour.
pub async fn totals(State(desk): State<Desk>, Query(Span { from, to }): Query<Span>) -> Response {
    let to = to.unwrap_or_else(|| desk.office.house.now().unix());
    let from = from.unwrap_or(to.saturating_sub(3600));
    match aside(&desk, move |office| office.totals(from, to)).await {
        Ok(minutes) => Json(json!({ "from": from, "to": to, "minutes": minutes })).into_response(),
        Err(response) => response,
    }
}

pub async fn posture(State(desk): State<Desk>) -> Response {
    match aside(&desk, Office::status).await {
        Ok(status) => Json(json!({ "portals": status.postures, "pins": status.pins })).into_response(),
        Err(response) => response,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    level: String,
    #[serde(rename = "for")]
    lasts: Option<String>,
    reason: Option<String>,
    then: Option<String>,
    portal: Option<String>,
}

pub async fn put_posture(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(e) => {
            let help = format!("{e}; write {{\"level\": \"attack\", \"for\": \"30m\", \"reason\": \"INC-42\"}}");
            return problem(StatusCode::UNPROCESSABLE_ENTITY, &help);
        }
    };
    let now = desk.office.house.now().unix();
    let change = match wish.change(now, &badge) {
        Ok(change) => change,
        Err(help) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    };
    let pinned = aside(&desk, move |office| {
        let Applied { warnings, .. } = office.propose(change, &badge.who())?;
        let status = office.status();
        Ok(json!({ "portals": status.postures, "pins": status.pins, "warnings": warnings }))
    });
    match pinned.await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(rejected)) => refused(rejected),
        Err(response) => response,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    level: String,
    portal: Option<String>,
}

/// What a posture would take away, by the last ten minutes; it is not pinned.
pub async fn preview_posture(State(desk): State<Desk>, body: Bytes) -> Response {
    let step = serde_json::from_slice::<Step>(&body).ok().and_then(|s| Some((Level::named(&s.level)?, s.portal)));
    let Some((level, portal)) = step else {
        let help = format!("write {{\"level\": \"static\"}}, one of {}", Level::NAMES.join(", "));
        return problem(StatusCode::UNPROCESSABLE_ENTITY, &help);
    };
    let house = desk.office.house.clone();
    match measures::on_the_side(move || Ok(losses::losses(&house, level, portal.as_deref()))).await {
        Ok(losses) => Json(losses).into_response(),
        Err(response) => response,
    }
}

impl Wish {
    fn change(self, now: u64, badge: &Badge) -> Result<Change, String> {
        if self.level == "auto" {
            return Ok(Change::Release(self.portal));
        }
        let names = Level::NAMES.join(", ");
        let level = |name: &str| {
            Level::named(name).ok_or_else(|| format!("{name:?} is no posture: write one of {names}, or auto"))
        };
        let lasts = self
            .lasts
            .as_deref()
            .ok_or("\"for\" is missing: a pinned posture must end, write such as \"for\": \"30m\"")?;
        let reason = self.reason.unwrap_or_default().trim().to_owned();
        if reason.is_empty() || reason.len() > bounds::REASON_BYTES {
            return Err(format!(
                "\"reason\" is missing or longer than {} bytes: say why, such as \"INC-42\"",
                bounds::REASON_BYTES
            ));
        }
        let most = bounds::PIN_LONGEST;
        let lasts = units::duration(lasts).filter(|d| *d >= Duration::from_secs(1) && *d <= most);
        let lasts = lasts.ok_or_else(|| format!("\"for\" is a time from \"1s\" to \"{}\"", units::human(most)))?;
        let then = self.then.as_deref().map(level).transpose()?;
        let until = now + lasts.as_secs();
        Ok(Change::Pin(Pin {
            level: level(&self.level)?,
            until,
            reason,
            by: badge.who().to_string(),
            since: now,
            then,
            portal: self.portal,
        }))
    }
}

pub async fn rules(State(desk): State<Desk>) -> Response {
    let law = desk.office.house.law.load();
    let text = law.rules.text().to_owned();
    let tag = etag(law.generation);
    ([(CONTENT_TYPE, "application/toml"), (ETAG, tag.as_str())], text).into_response()
}

fn etag(generation: u64) -> String {
    format!("\"{generation}\"")
}

/// `?force=REASON`: although it would harm citizens or staff.
#[derive(Deserialize)]
pub struct Forced {
    force: Force,
}

pub async fn put_rules(
    State(desk): State<Desk>,
    badge: Badge,
    Query(Forced { force }): Query<Forced>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(given) = headers.get(IF_MATCH).and_then(|v| v.to_str().ok()) else {
        let help = "send If-Match with the ETag of the rules that you changed, so that nobody's change is lost";
        return problem(StatusCode::PRECONDITION_REQUIRED, help);
    };
    let current = desk.office.house.law.load().generation;
    let generation = if given.trim() == "*" {
        Some(current)
    } else {
        given.trim().trim_start_matches("W/").trim_matches('"').parse().ok()
    };
    let Some(generation) = generation else { return refused(Rejected::Stale { generation: current }) };
    let Ok(text) = String::from_utf8(body.to_vec()) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "the body is not UTF-8: send the TOML text of rules.toml");
    };
    propose(&desk, &badge, Change::Rules { text, generation, force: measures::meant(force) }).await
}

/// Proposes a change to the rules. Parsing large ones and waiting for the disk take their time, and the probes must
/// not wait for it.
pub async fn propose(desk: &Desk, badge: &Badge, change: Change) -> Response {
    let (office, who) = (desk.office.clone(), badge.who());
    let proposed = tokio::task::spawn_blocking(move || office.propose(change, &who));
    match proposed.await {
        Ok(Ok(applied)) => {
            let body =
                json!({ "generation": applied.generation, "changed": applied.changed, "warnings": applied.warnings });
            ([(ETAG, etag(applied.generation))], Json(body)).into_response()
        }
        Ok(Err(rejected)) => refused(rejected),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the change could not be made; see the log"),
    }
}

pub fn refused(rejected: Rejected) -> Response {
    match rejected {
        Rejected::Faults(faults) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "faults": faults }))).into_response()
        }
        Rejected::Stale { generation } => {
            let help = format!(
                "the rules changed meanwhile: the generation in force is {generation}; read them again and repeat your change"
            );
            let mut response = problem(StatusCode::PRECONDITION_FAILED, &help);
            if let Ok(tag) = HeaderValue::from_str(&etag(generation)) {
                response.headers_mut().insert(ETAG, tag);
            }
            response
        }
        Rejected::ReadOnly(why) => {
            let help = format!("the rules file cannot be written ({why}): use a measure, or change its source");
            problem(StatusCode::CONFLICT, &help)
        }
        Rejected::Leaving => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "another boma is taking over: repeat this in a moment")
        }
        Rejected::Harmful(why) => {
            problem(StatusCode::CONFLICT, &format!("{why}; to do it all the same, force it (--force)"))
        }
        Rejected::Unknown(why) => problem(StatusCode::NOT_FOUND, &why),
        Rejected::NotNow(why) => problem(StatusCode::CONFLICT, &why),
    }
}

/// RFC 9457.
pub fn problem(code: StatusCode, detail: &str) -> Response {
    problem_with(code, detail, json!({}))
}

/// With members of its own.
pub fn problem_with(code: StatusCode, detail: &str, more: Value) -> Response {
    let mut body =
        json!({ "type": "about:blank", "title": code.canonical_reason(), "status": code.as_u16(), "detail": detail });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    let kind: (HeaderName, &str) = (CONTENT_TYPE, "application/problem+json");
    (code, [kind], body.to_string()).into_response()
}
