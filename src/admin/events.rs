//! `/api/v1/events`: what changes, as server-sent events (WHATWG HTML 9.2). A listener that comes back with `Last-Event-ID`
//! goes on where it was; what is gone by then is said.
//!
//! Does not know: what changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use super::Desk;
use super::auth::Badge;
use super::routes::problem;
use crate::bounds;
use crate::telemetry::feed::{Listener, Told};

const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One of [`bounds::EVENT_LISTENERS`] places.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(all: &Arc<AtomicUsize>) -> Option<Place> {
        if all.fetch_add(1, Ordering::Relaxed) >= bounds::EVENT_LISTENERS {
            all.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Place(all.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Stream {
    desk: Desk,
    badge: Badge,
    listener: Listener,
    _place: Place,
    /// The last word was said.
    ended: bool,
}

pub async fn stream(State(desk): State<Desk>, badge: Badge, headers: HeaderMap) -> Response {
    let Some(place) = Place::take(&desk.listeners) else {
        let help = format!("{} listeners are here already: end one, or ask /api/v1/status", bounds::EVENT_LISTENERS);
        let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, &help);
        response.headers_mut().insert(RETRY_AFTER, bounds::EVENT_BEAT.as_secs().into());
        return response;
    };
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let listener = desk.office.house.feed.listen(last);
    let stream = Stream { desk, badge, listener, _place: place, ended: false };
    // Something at once, so that whoever asks knows that it is heard; and how soon to come back.
    let first = stream::once(async { Ok::<_, Infallible>(": boma\nretry: 2000\n\n".to_owned()) });
    let rest = stream::unfold(stream, |mut stream| async { stream.next().await.map(|text| (Ok(text), stream)) });
    let body = Body::from_stream(stream::StreamExt::chain(first, rest));
    // nginx, where it stands before this door, would gather events until a buffer is full.
    ([(CONTENT_TYPE, "text/event-stream"), (BUFFERING, "no")], body).into_response()
}

impl Stream {
    /// What is to be sent next; waits for it.
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let house = self.desk.office.house.clone();
        loop {
            if !self.desk.gate.still(&house, &self.badge) {
                return Some(self.end("the token is not known, or no longer"));
            }
            match house.feed.take(&mut self.listener) {
                None => return Some(self.end("boma drains: come back")),
                Some(told) if !told.is_empty() => return Some(told.iter().map(said).collect()),
                Some(_) => {}
            }
            if tokio::time::timeout(bounds::EVENT_BEAT, self.listener.rung()).await.is_err() {
                return Some(": still here\n\n".into());
            }
        }
    }

    fn end(&mut self, why: &str) -> String {
        self.ended = true;
        format!("event: end\ndata: {}\n\n", json!({ "why": why }))
    }
}

fn said(told: &Told) -> String {
    match told {
        Told::Event(event) => {
            let data = serde_json::to_string(&**event).unwrap_or_default();
            format!("id: {}\nevent: {}\ndata: {data}\n\n", event.id, event.kind.as_str())
        }
        Told::Gap(missed) => {
            let what = "events were missed; status and the journal have what became of them";
            format!("event: gap\ndata: {}\n\n", json!({ "missed": missed, "what": what }))
        }
    }
}
