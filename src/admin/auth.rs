//! Who may come in by the staff door: one administrator, by the token in `BOMA_ADMIN_TOKEN`.
//!
//! Does not know: routes.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::seal;

/// The administrator's token.
pub struct Token(String);

impl Token {
    /// `None` for a token too short to be safe.
    pub fn new(text: &str) -> Option<Token> {
        let text = text.trim();
        (text.len() >= Token::LEAST).then(|| Token(text.to_owned()))
    }

    /// Characters that a token needs at least.
    pub const LEAST: usize = 8;

    /// Whether the request carries it as a bearer token (RFC 6750).
    pub fn opens(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        let given = given.and_then(|v| v.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        given.is_some_and(|(_, token)| seal::same(token.trim().as_bytes(), self.0.as_bytes()))
    }
}
