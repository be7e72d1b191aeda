//! `/api/v1/cache`: what is kept, and purging it.
//!
//! Does not know: how answers are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
use crate::bounds;
use crate::cache::What;
use crate::control::Change;

pub async fn show(State(desk): State<Desk>) -> Response {
    let house = &desk.office.house;
    let (addresses, bytes) = house.cache.holds();
    let memory = house.town.load().settings.cache.memory;
    Json(json!({ "addresses": addresses, "bytes": bytes, "memory": memory })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    portal: Option<String>,
    path: Option<String>,
    prefix: Option<String>,
    tag: Option<String>,
    #[serde(default)]
    all: bool,
}

impl Wish {
    fn what(self) -> Result<What, String> {
        let help = "name one thing to purge, such as {\"path\": \"/news\"}, {\"prefix\": \"/news/\"}, {\"tag\": \"news\"} or {\"all\": true}";
        let path = |text: &str| match crate::path::normalise(text) {
            Ok(path) => Ok(path.into_owned()),
            Err(_) => Err(format!("{text:?} is no path: write such as \"/news\", without a query")),
        };
        match (self.path, self.prefix, self.tag, self.all) {
            (Some(text), None, None, false) => path(&text).map(What::Path),
            (None, Some(text), None, false) => match text.strip_suffix('*') {
                Some(begins) => path(begins).map(What::Prefix),
                None => path(&text).map(What::Below),
            },
            (None, None, Some(tag), false) if !tag.is_empty() && tag.len() <= bounds::CACHE_TAG_BYTES => {
                Ok(What::Tag(tag))
            }
            (None, None, None, true) => Ok(What::All),
            _ => Err(help.to_owned()),
        }
    }
}

pub async fn purge(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let wish = serde_json::from_slice::<Wish>(&body).map_err(|e| format!("{e}; write {{\"path\": \"/news\"}}"));
    let (portal, what) = match wish.and_then(|w| Ok((w.portal.clone(), w.what()?))) {
        Ok(wish) => wish,
        Err(help) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    };
    let gone = Arc::new(AtomicUsize::new(0));
    let change = Change::Purge { portal, what, gone: gone.clone() };
    match aside(&desk, move |office| office.propose(change, &badge.who())).await {
        Ok(Ok(applied)) => {
            let purged = gone.load(Ordering::Relaxed);
            Json(json!({ "purged": purged, "warnings": applied.warnings })).into_response()
        }
        Ok(Err(rejected)) => refused(rejected),
        Err(response) => response,
    }
}
