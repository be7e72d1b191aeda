//! A request as it goes to an origin, by whichever version of HTTP.
//!
//! Does not know: connections, why it is sent.

use std::time::Duration;

use super::websocket::Key;
use crate::http1::ResponseHead;
use crate::portal::Portal;
use crate::wire::{self, Fields};

/// Puts fields, one after the other, where they are wanted.
pub type Fill<'a> = &'a dyn Fn(&mut dyn FnMut(&str, &[u8]));

/// A request as the exchanges send it.
pub struct Ask<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub host: &'a str,
    /// Every field but Host and those that frame the body.
    pub fields: Fill<'a>,
    pub upgrade: Option<&'a str>,
    /// With an upgrade.
    pub key: Option<Key<'a>>,
    pub response_timeout: Duration,
    pub body_timeout: Duration,
    pub stream_timeout: Duration,
}

impl<'a> Ask<'a> {
    /// A request of boma's own.
    pub fn own(portal: &Portal, path: &'a str, host: &'a str, fields: Fill<'a>) -> Ask<'a> {
        Ask {
            method: "GET",
            target: path,
            host,
            fields,
            upgrade: None,
            key: None,
            response_timeout: portal.response_timeout,
            body_timeout: portal.body_timeout,
            stream_timeout: portal.body_timeout,
        }
    }

    /// Idempotent by RFC 9110 section 9.2.2.
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }

    /// How long nothing may come of an answer's body. What is made of events comes when there are any.
    pub fn silence(&self, answer: &Fields) -> Duration {
        if wire::is_stream(answer.first("content-type")) { self.stream_timeout } else { self.body_timeout }
    }

    /// The protocol that the origin goes on with, where it was asked for that one.
    pub fn agreed(&self, head: &ResponseHead) -> Option<String> {
        let answer = std::str::from_utf8(head.all("upgrade").next()?).ok()?;
        let accepted = self.key.as_ref()?.is_accepted(head.all("sec-websocket-accept").next());
        (accepted && answer.eq_ignore_ascii_case(self.upgrade?)).then(|| answer.to_owned())
    }
}
