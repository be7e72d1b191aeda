//! `/api/v1/report`.
//!
//! Does not know: what a report says.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Desk;
use super::routes::{aside, problem, refused};
use crate::control::Wanted;
use crate::report::{Form, Tlp};

/// All forms of one draft, by the names of their files.
const ALL: &str = "all";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    incident: Option<u64>,
    from: Option<String>,
    to: Option<String>,
    portal: Option<String>,
    tlp: Option<String>,
    format: Option<String>,
}

/// A first draft of the report of an incident or of a span.
pub async fn draft(State(desk): State<Desk>, Query(asked): Query<Asked>) -> Response {
    let Asked { incident, from, to, portal, tlp, format } = asked;
    let Some(tlp) = tlp.as_deref().map_or(Some(Tlp::default()), Tlp::named) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, &format!("\"tlp\" is one of {}", Tlp::NAMES.join(", ")));
    };
    let format = format.unwrap_or_else(|| "json".into());
    let form = Form::named(&format);
    if form.is_none() && format != ALL {
        let help = format!("\"format\" is one of {}, {ALL}", Form::NAMES.join(", "));
        return problem(StatusCode::UNPROCESSABLE_ENTITY, &help);
    }
    let wanted = Wanted { incident, from, to, portal, tlp };
    let drawn = aside(&desk, move |office| {
        let report = office.report(&wanted)?;
        Ok(match form {
            Some(form) => ([(CONTENT_TYPE, form.media_type())], report.written(form)).into_response(),
            None => {
                let files = Form::ALL.map(|form| (form.file().to_owned(), Value::from(report.written(form))));
                Json(files.into_iter().collect::<Map<String, Value>>()).into_response()
            }
        })
    });
    match drawn.await {
        Ok(Ok(response)) => response,
        Ok(Err(rejected)) => refused(rejected),
        Err(response) => response,
    }
}
