//! `/api/v1/snapshots`: the copies of pages, taking them anew, and what has changed in one.
//!
//! Does not know: how a page is fetched.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use super::auth::Badge;
use super::routes::{aside, problem, propose, refused};
use crate::control::{Change, Office};
use crate::snapshot::Listed;

#[derive(Deserialize)]
pub struct Which {
    portal: Option<String>,
}

pub async fn list(State(desk): State<Desk>, Query(Which { portal }): Query<Which>) -> Response {
    let told = aside(&desk, move |office| {
        let meant = |name: &str| portal.as_deref().is_none_or(|p| p == name);
        let albums: Vec<_> = office.all_albums().into_iter().filter(|a| meant(&a.portal)).collect();
        let held = office.house.board.list().into_iter().filter(|l| meant(&l.portal));
        json!({ "portals": albums, "bytes": office.house.board.bytes(), "snapshots": held.map(one).collect::<Vec<_>>() })
    });
    match told.await {
        Ok(told) => Json(told).into_response(),
        Err(response) => response,
    }
}

fn one(listed: Listed) -> Value {
    let about = &listed.page.newest().about;
    let version = |(at, copy): (usize, &std::sync::Arc<crate::snapshot::Copy>)| json!({ "version": at + 1, "taken": copy.about.taken, "bytes": copy.about.plain });
    json!({
        "portal": listed.portal,
        "path": &*listed.address,
        "content_type": about.content_type,
        "part": listed.page.part,
        "checked": listed.page.checked(),
        "bytes": about.plain,
        "versions": listed.page.versions().iter().enumerate().map(version).collect::<Vec<_>>(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    portal: Option<String>,
    #[serde(default)]
    paths: Vec<String>,
}

pub async fn refresh(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let wish =
        if body.is_empty() { Ok(Wish { portal: None, paths: Vec::new() }) } else { serde_json::from_slice(&body) };
    match wish {
        Ok(Wish { portal, paths }) => propose(&desk, &badge, Change::Refresh { portal, paths }).await,
        Err(e) => problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("{e}; write {{\"paths\": [\"/news\"]}}, or {{}} for all"),
        ),
    }
}

#[derive(Deserialize)]
pub struct Between {
    portal: Option<String>,
    path: String,
    from: Option<usize>,
    to: Option<usize>,
}

pub async fn diff(State(desk): State<Desk>, Query(asked): Query<Between>) -> Response {
    let between = (asked.from.unwrap_or(2), asked.to.unwrap_or(1));
    let told = move |office: &Office| office.difference(asked.portal.as_deref(), &asked.path, between);
    match aside(&desk, told).await {
        Ok(Ok(difference)) => Json(difference).into_response(),
        Ok(Err(rejected)) => refused(rejected),
        Err(response) => response,
    }
}
