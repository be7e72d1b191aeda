//! `/api/v1/services`.
//!
//! Does not know: who keeps what staff say, what pages look like.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Desk;
use super::auth::Badge;
use super::routes::{aside, problem, refused};
use crate::control::{Change, Meant, Rewording};
use crate::incident::{Texts, Wording};

const EXAMPLE: &str = r#"write {"service": "Pay a licence", "phone": "+254 20 000 0000", "instead": {"en": "…"}}, or {"contact": true, "phone": "…"}"#;

/// What is meant, and what is said of it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    portal: Option<String>,
    service: Option<String>,
    contact: bool,
    name: Texts,
    instead: Option<Texts>,
    phone: Option<String>,
    office: Option<String>,
    ussd: Option<String>,
}

/// All services and contacts as citizens are told of them.
pub async fn list(State(desk): State<Desk>) -> Response {
    Json(json!({ "portals": desk.office.services() })).into_response()
}

pub async fn reword(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(e) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("{e}; {EXAMPLE}")),
    };
    let Wish { portal, service, contact, name, instead, phone, office, ussd } = wish;
    let of = match (service, contact) {
        (Some(service), false) => Meant::Service(service),
        (None, true) => Meant::Contact,
        _ => {
            let help = format!("one is meant, a service or whom to ask: {EXAMPLE}");
            return problem(StatusCode::UNPROCESSABLE_ENTITY, &help);
        }
    };
    let wording = Some(Wording { name, instead, phone, office, ussd });
    said(&desk, badge, Rewording { portal, of, wording }).await
}

/// What is meant is told as the settings have it again.
pub async fn reset(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Asked {
        portal: Option<String>,
        service: Option<String>,
        contact: bool,
        all: bool,
    }
    let example = "write {\"service\": \"Pay a licence\"}, {\"contact\": true} or {\"all\": true}";
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(e) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("{e}; {example}")),
    };
    let of = match (asked.service, asked.contact, asked.all) {
        (Some(service), false, false) => Meant::Service(service),
        (None, true, false) => Meant::Contact,
        (None, false, true) => Meant::All,
        _ => return problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("one thing is meant: {example}")),
    };
    said(&desk, badge, Rewording { portal: asked.portal, of, wording: None }).await
}

/// Says it, and answers with all as it is told then.
async fn said(desk: &Desk, badge: Badge, rewording: Rewording) -> Response {
    let done = aside(desk, move |office| {
        let applied = office.propose(Change::Reword(rewording), &badge.who())?;
        Ok(json!({ "changed": applied.changed, "portals": office.services(), "warnings": applied.warnings }))
    });
    match done.await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(rejected)) => refused(rejected),
        Err(response) => response,
    }
}
