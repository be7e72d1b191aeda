//! `/api/v1/bans`.
//!
//! Does not know: how a ban is laid.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::json;

use super::Desk;
use super::auth::Badge;
use super::measures::{on_the_side, told};
use super::routes::{problem, propose};
use crate::ban::Ban;
use crate::control::Change;
use crate::serve::preview;
use crate::{bounds, units};

pub async fn list(State(desk): State<Desk>) -> Response {
    let house = &desk.office.house;
    Json(json!({ "bans": house.bans.list(house.now().unix()) })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    net: String,
    #[serde(rename = "for")]
    lasts: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    force: bool,
}

pub async fn add(State(desk): State<Desk>, badge: Badge, body: Bytes) -> Response {
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        Err(e) => {
            let help = format!("{e}; write {{\"net\": \"192.0.2.0/24\", \"for\": \"1h\", \"reason\": \"INC-42\"}}");
            return problem(StatusCode::UNPROCESSABLE_ENTITY, &help);
        }
    };
    if let Some(response) = badge.may_not_force(wish.force, &desk) {
        return response;
    }
    match wish.change(desk.office.house.now().unix(), &badge) {
        Ok(change) => propose(&desk, &badge, change).await,
        Err(help) => problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    }
}

/// Whom a ban would have hit of late; it is not laid.
pub async fn preview(State(desk): State<Desk>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Asked {
        net: String,
    }
    let asked = serde_json::from_slice::<Asked>(&body).map_err(|e| format!("{e}; write {{\"net\": \"192.0.2.0/24\"}}"));
    let net = match asked.and_then(|a| net(&a.net)) {
        Ok(net) => net,
        Err(help) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    };
    match on_the_side(move || Ok(preview::ban(&desk.office.house, net))).await {
        Ok(preview) => told(&preview),
        Err(response) => response,
    }
}

impl Wish {
    fn change(self, now: u64, badge: &Badge) -> Result<Change, String> {
        let net = net(&self.net)?;
        let reason = self.reason.unwrap_or_default().trim().to_owned();
        if reason.is_empty() || reason.len() > bounds::REASON_BYTES {
            return Err(format!(
                "\"reason\" is missing or longer than {} bytes: say why, such as \"INC-42\"",
                bounds::REASON_BYTES
            ));
        }
        let most = bounds::BAN_BY_HAND_LONGEST;
        let lasts = self.lasts.ok_or("\"for\" is missing: a ban must end, write such as \"for\": \"1h\"")?;
        let lasts = units::duration(&lasts).filter(|d| *d >= Duration::from_secs(1) && *d <= most);
        let lasts = lasts.ok_or_else(|| format!("\"for\" is a time from \"1s\" to \"{}\"", units::human(most)))?;
        let by = Some(badge.who().to_string());
        let ban = Ban { net, since: now, until: now + lasts.as_secs(), reason, by, times: 1 };
        Ok(Change::AddBan { ban, force: self.force })
    }
}

/// A network, or one address.
fn net(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    // What is written as IPv4 inside IPv6 is IPv4, as clients' addresses are.
    let plain = |net: IpNet| match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => {
            let mapped = v6.addr().to_ipv4_mapped();
            mapped.and_then(|a| IpNet::new(IpAddr::V4(a), v6.prefix_len() - 96).ok()).unwrap_or(net)
        }
        _ => net,
    };
    parsed.map(|net| plain(net).trunc()).ok_or_else(|| {
        format!("{text:?} is no network and no address: write such as \"192.0.2.0/24\" or \"2001:db8::/48\"")
    })
}

pub async fn remove(State(desk): State<Desk>, badge: Badge, Path(text): Path<String>) -> Response {
    match net(&text) {
        Ok(net) => propose(&desk, &badge, Change::RemoveBan(net)).await,
        Err(help) => problem(StatusCode::UNPROCESSABLE_ENTITY, &help),
    }
}
