//! `/api/v1/passes`: access codes for people who cannot pass otherwise.
//!
//! Does not know: what a code holds.

use std::time::Duration;

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
use crate::control::Change;
use crate::{bounds, units};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default = "one")]
    count: usize,
    #[serde(rename = "for")]
    lasts: Option<String>,
    reason: Option<String>,
    portal: Option<String>,
}

fn one() -> usize {
    1
}

pub async fn issue(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let now = desk.office.house.now().unix();
    let wish = serde_json::from_slice::<Wish>(&body)
        .map_err(|e| format!("{e}; write {{\"count\": 1, \"for\": \"30d\", \"reason\": \"INC-42\"}}"));
    let (count, ends, portal, reason) = match wish.and_then(|w| w.checked(now)) {
        Ok(checked) => checked,
        Err(help) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    };
    let change = Change::GiveCodes { count, ends, portal: portal.clone(), reason };
    let warnings = match aside(&desk, move |office| office.propose(change, &badge.who())).await {
        Ok(Ok(applied)) => applied.warnings,
        Ok(Err(rejected)) => return refused(rejected),
        Err(response) => return response,
    };
    let codes = &desk.office.house.codes;
    // Made after it is in the journal; they are kept nowhere.
    match (0..count).map(|_| codes.issue(portal.as_deref(), ends)).collect::<Option<Vec<_>>>() {
        Some(codes) => {
            let body = json!({ "codes": codes, "ends": ends, "portal": portal, "warnings": warnings });
            (StatusCode::CREATED, Json(body)).into_response()
        }
        None => problem(StatusCode::INTERNAL_SERVER_ERROR, "the system gives no random bytes"),
    }
}

impl Wish {
    fn checked(self, now: u64) -> Result<(usize, u64, Option<String>, String), String> {
        if !(1..=bounds::CODES_AT_ONCE).contains(&self.count) {
            return Err(format!("\"count\" is a number from 1 to {}", bounds::CODES_AT_ONCE));
        }
        let reason = self.reason.unwrap_or_default().trim().to_owned();
        if reason.is_empty() || reason.len() > bounds::REASON_BYTES {
            let most = bounds::REASON_BYTES;
            return Err(format!("\"reason\" is missing or longer than {most} bytes: say why, such as \"INC-42\""));
        }
        let (least, most) = (bounds::CODE_SHORTEST, bounds::CODE_LONGEST);
        let lasts = self.lasts.ok_or("\"for\" is missing: a code must end, write such as \"for\": \"30d\"")?;
        let lasts = units::duration(&lasts).filter(|d: &Duration| (least..=most).contains(d));
        let help = || format!("\"for\" is a time from \"{}\" to \"{}\"", units::human(least), units::human(most));
        Ok((self.count, now + lasts.ok_or_else(help)?.as_secs(), self.portal, reason))
    }
}
