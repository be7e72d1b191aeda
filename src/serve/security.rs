//! `/.well-known/security.txt` (RFC 9116): whom to tell of a vulnerability, from the settings, in every posture.
//!
//! Does not know: who reads it.

use crate::bounds;
use crate::portal::{Portal, Security};
use crate::reason::Reason;
use crate::wire::Payload;

use super::read::SECURITY;
use super::respond::Made;
use super::visit::Visit;

pub fn answer(visit: &Visit<'_>) -> Made {
    let portal = visit.portal();
    let Some(security) = &portal.security else { return Made::empty(404, Reason::OwnNotFound) };
    let mut made = Made::empty(200, Reason::Own);
    made.body = Payload::Bytes(text(portal, security, visit.now.unix()).into());
    made.fields.push("content-type", "text/plain; charset=utf-8");
    made.fields.push("cache-control", "public, max-age=3600");
    made.fields.push("x-content-type-options", "nosniff");
    made
}

fn text(portal: &Portal, security: &Security, now: u64) -> String {
    // The same all day long, so that whoever watches for changes sees none.
    let expires = now - now % 86_400 + bounds::SECURITY_LASTS.as_secs();
    let expires = jiff::Timestamp::from_second(i64::try_from(expires).unwrap_or(0)).unwrap_or_default();
    let mut out = String::new();
    let mut line = |name: &str, value: &str| out.push_str(&format!("{name}: {value}\r\n"));
    security.contact.iter().for_each(|contact| line("Contact", contact));
    line("Expires", &expires.to_string());
    for (name, value) in [
        ("Encryption", &security.encryption),
        ("Acknowledgments", &security.acknowledgments),
        ("Policy", &security.policy),
    ] {
        value.iter().for_each(|value| line(name, value));
    }
    line("Preferred-Languages", &portal.languages.join(", "));
    if let Some(host) = &portal.host {
        line("Canonical", &format!("https://{host}{SECURITY}"));
    }
    out
}
