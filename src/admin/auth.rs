//! Who may come in by the staff door: whoever sends a token of the staff's file, or the one in `BOMA_ADMIN_TOKEN`. Wrong
//! tokens are counted, and an address that sends many must wait.
//!
//! Does not know: what a role may do at which route.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::Desk;
use super::hall::Seat;
use super::routes::{problem, problem_with};
use crate::bounds;
use crate::client::Prefix;
use crate::clock::SECOND;
use crate::control::Who;
use crate::force::House;
use crate::limit::{Key, Limits};
use crate::plan::{Per, Quota, Then, quota_id};
use crate::staff::{ADMINISTRATOR, Hash, Role};
use crate::telemetry::metrics::OutcomeLabel;

/// The administrator's token, as the environment gives it. Held as a hash, as all are: comparing hashes tells
/// nothing of a token's length.
pub struct Token(Hash);

impl Token {
    /// `None` for a token too short to be safe.
    pub fn new(text: &str) -> Option<Token> {
        let text = text.trim();
        (text.len() >= Token::LEAST).then(|| Token(Hash::of(text)))
    }

    /// Characters that a token needs at least.
    pub const LEAST: usize = 8;
}

/// Who is in: what every guarded handler may ask for.
#[derive(Clone, Debug)]
pub struct Badge {
    pub name: String,
    pub role: Role,
    hash: Hash,
}

impl Badge {
    pub fn who(&self) -> Who {
        Who::Staff(self.name.clone(), self.role)
    }

    /// The refusal of a change that is forced by somebody who may not.
    pub fn may_not_force(&self, forced: bool, desk: &Desk) -> Option<Response> {
        (forced && !self.role.may(super::table::FORCES)).then(|| self.lacks(super::table::FORCES, desk))
    }

    /// The refusal of somebody whose role is not enough.
    pub fn lacks(&self, needed: Role, desk: &Desk) -> Response {
        count(&desk.office.house, "role");
        let detail = format!("this needs the role {needed}; the token {:?} has {}", self.name, self.role);
        let more = serde_json::json!({ "needs": needed, "has": self.role, "token": self.name });
        let mut response = problem_with(StatusCode::FORBIDDEN, &detail, more);
        let scope = format!("Bearer realm=\"boma\", error=\"insufficient_scope\", scope=\"{needed}\"");
        if let Ok(scope) = HeaderValue::from_str(&scope) {
            response.headers_mut().insert(WWW_AUTHENTICATE, scope);
        }
        response
    }
}

impl<S: Sync> FromRequestParts<S> for Badge {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Badge, Response> {
        // Only a route that was left out of the guarded ones could come without.
        parts.extensions.get::<Badge>().cloned().ok_or_else(|| challenge(None, "this needs a token"))
    }
}

/// Checks tokens.
pub struct Gate {
    administrator: Option<Hash>,
    /// How many wrong ones an address may send.
    wrong: Limits,
    quota: Quota,
    counts: Arc<[u16]>,
}

impl Gate {
    pub fn new(house: &House, administrator: Option<Token>) -> Gate {
        let key = house.secret.key("boma wrong tokens v1").mac(&[]);
        let interval = bounds::WRONG_TOKEN_EVERY.as_nanos() as u64;
        let quota = Quota {
            name: "wrong-tokens".into(),
            id: quota_id("wrong-tokens"),
            per: Per::Address,
            interval,
            burst: bounds::WRONG_TOKENS,
            then: Then::Deny,
            shadow: false,
            budget: false,
            count: None,
            concurrent: None,
            ban: None,
        };
        Gate {
            administrator: administrator.map(|t| t.0),
            wrong: Limits::new(bounds::WRONG_TOKENS_BYTES, key),
            quota,
            counts: Arc::new([StatusCode::UNAUTHORIZED.as_u16()]),
        }
    }

    /// Whose token this is, and whether it has expired.
    fn badge(&self, house: &House, hash: Hash, now_unix: u64) -> Option<(Badge, Option<u64>)> {
        let tokens = house.tokens.load();
        // The file goes first: a token that stands in it has its own role, whatever the environment makes of it.
        let Some(token) = tokens.find(&hash) else {
            let administrator = self.administrator.is_some_and(|a| a.is(&hash));
            return administrator.then(|| (Badge { name: ADMINISTRATOR.into(), role: Role::Admin, hash }, None));
        };
        let badge = Badge { name: token.name.clone(), role: token.role, hash };
        Some((badge, token.expires.filter(|_| token.has_expired(now_unix))))
    }

    /// Whether who came in may still be here: tokens are taken out and expire while a stream runs.
    pub fn still(&self, house: &House, badge: &Badge) -> bool {
        let now = house.now().unix();
        self.badge(house, badge.hash, now).is_some_and(|(b, over)| over.is_none() && b.role == badge.role)
    }

    /// # Errors
    /// Why not.
    fn admit(&self, house: &House, address: IpAddr, headers: &HeaderMap) -> Result<Badge, Turned> {
        let Some(token) = bearer(headers) else {
            let nobody = self.administrator.is_none() && house.tokens.load().all().is_empty();
            let help = "no token is known: start boma with BOMA_ADMIN_TOKEN in its environment, or name a file in [admin] tokens and write it with `boma token add`";
            return Err(Turned::Empty(if nobody { help } else { "send the header Authorization: Bearer TOKEN" }));
        };
        let now = house.now();
        let key = Key::Prefix(Prefix::of(address, 32, 64).0);
        let coarse = Key::Network(Prefix::of(address, 24, 48).0);
        let allowance = self.wrong.look(&self.quota, &self.counts, (key, coarse), 1000, now.mono);
        if let Err(limited) = &allowance
            && token.len() < bounds::UNGUESSABLE
        {
            return Err(Turned::Wait(limited.retry_after));
        }
        let found = self.badge(house, Hash::of(token), now.unix());
        if let Some((badge, None)) = found {
            return Ok(badge);
        }
        let tally = allowance.map_err(|limited| Turned::Wait(limited.retry_after))?;
        self.wrong.answered(&tally, StatusCode::UNAUTHORIZED.as_u16(), now.mono);
        let (name, help) = match found {
            Some((badge, Some(end))) => (badge.name, format!("this token has expired {}", date(end))),
            _ => (String::new(), "this token is not known, or no longer".to_owned()),
        };
        tracing::warn!(peer = %address, name, "a wrong token at the staff door");
        Err(Turned::Wrong(help))
    }
}

/// Who does not come in.
enum Turned {
    /// Without a token.
    Empty(&'static str),
    Wrong(String),
    /// After too many wrong ones; nanoseconds.
    Wait(u64),
}

impl Turned {
    fn response(self, house: &House) -> Response {
        match self {
            Turned::Empty(help) => challenge(None, help),
            Turned::Wrong(help) => {
                count(house, "token");
                challenge(Some("invalid_token"), &help)
            }
            Turned::Wait(nanoseconds) => {
                count(house, "limited");
                let help = "too many wrong tokens came from this address: wait as Retry-After says, and look for what sends them";
                let mut response = problem(StatusCode::TOO_MANY_REQUESTS, help);
                response.headers_mut().insert(RETRY_AFTER, nanoseconds.div_ceil(SECOND).into());
                response
            }
        }
    }
}

fn date(unix: u64) -> String {
    i64::try_from(unix).ok().and_then(|s| jiff::Timestamp::from_second(s).ok()).map_or(String::new(), |t| t.to_string())
}

/// The bearer token that a request carries (RFC 6750).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    let given = given.and_then(|v| v.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    given.map(|(_, token)| token.trim())
}

fn count(house: &House, outcome: &'static str) {
    house.metrics.admin_refused.get_or_create(&OutcomeLabel { outcome }).inc();
}

fn challenge(error: Option<&str>, detail: &str) -> Response {
    let mut response = problem(StatusCode::UNAUTHORIZED, detail);
    let asks = error.map_or("Bearer realm=\"boma\"".to_owned(), |e| format!("Bearer realm=\"boma\", error=\"{e}\""));
    if let Ok(asks) = HeaderValue::from_str(&asks) {
        response.headers_mut().insert(WWW_AUTHENTICATE, asks);
    }
    response
}

/// Stands before every guarded route.
pub async fn authenticate(State(desk): State<Desk>, mut request: Request, next: Next) -> Response {
    let seat = request.extensions().get::<Arc<Seat>>().cloned();
    let address = seat.as_ref().map_or(IpAddr::from([0, 0, 0, 0]), |s| s.address);
    match desk.gate.admit(&desk.office.house, address, request.headers()) {
        Ok(badge) => {
            seat.iter().for_each(|s| s.has_shown_a_token());
            request.extensions_mut().insert(badge);
            next.run(request).await
        }
        Err(turned) => turned.response(&desk.office.house),
    }
}

/// Stands before one method of a route.
pub async fn permit(State((desk, least)): State<(Desk, Role)>, badge: Badge, request: Request, next: Next) -> Response {
    if badge.role.may(least) { next.run(request).await } else { badge.lacks(least, &desk) }
}
