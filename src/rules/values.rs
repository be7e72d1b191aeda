//! The values that a request has in its fields: none, one, or several where fields repeat.
//!
//! Does not know: patterns, rules.

use std::borrow::Cow;

use super::clause::Field;
use crate::client::Fingerprint;
use crate::facts::Facts;
use crate::path;

/// Parameters of a query that are read: more than this no form has.
const PARAMETERS: usize = 512;

/// Calls `see` with every value of a field that requests do not name themselves.
pub fn each(field: &Field, facts: &Facts<'_>, see: &mut dyn FnMut(&str)) {
    match field {
        Field::Path => see(facts.match_path),
        Field::Method => see(facts.method),
        Field::Host => see(facts.host),
        Field::Scheme => see(facts.scheme),
        Field::Kind => see(facts.kind.as_str()),
        Field::Route => see(facts.route),
        Field::KnownPath if facts.known_path => see("true"),
        Field::KnownPath => {}
        Field::Class => see(facts.class),
        Field::Country => see(facts.country.unwrap_or("unknown")),
        Field::CountryKnown => facts.country.iter().for_each(|_| see("true")),
        Field::Asn => match facts.asn {
            Some(asn) => see(&asn.to_string()),
            None => see("unknown"),
        },
        Field::AsnKnown => facts.asn.iter().for_each(|_| see("true")),
        Field::Fingerprint => see(facts.client.fingerprint.as_ref().map_or("unknown", Fingerprint::as_str)),
        Field::FingerprintKnown => facts.client.fingerprint.iter().for_each(|_| see("true")),
        Field::Service => {
            let mine = facts.services.iter().filter(|s| s.holds(facts.match_path));
            mine.flat_map(|s| &s.name).for_each(|(_, name)| see(name));
        }
        Field::Portal => see(facts.portal),
        Field::Pass if facts.pass.is_some_and(|pass| pass.level > 0) => see("true"),
        Field::Settled if facts.settled => see("true"),
        Field::Query => facts.query.into_iter().for_each(see),
        Field::Pass
        | Field::Settled
        | Field::List
        | Field::UserAgent
        | Field::Header(_)
        | Field::Param(_)
        | Field::Cookie(_) => {}
    }
}

/// What a field says, as text.
pub fn text(value: &[u8]) -> Cow<'_, str> {
    // Most are UTF-8, and the check for that alone is the faster one.
    std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed)
}

/// The parameters of a query: their names, decoded, and their values as they came.
pub fn parameters(query: &str, mut see: impl FnMut(&str, &str)) {
    let mut rest = Some(query);
    for _ in 0..PARAMETERS {
        let Some(text) = rest else { return };
        let (pair, more) = cut(text, b'&');
        let (name, value) = cut(pair, b'=');
        see(&path::form_decoded(name), value.unwrap_or(""));
        rest = more;
    }
}

/// What stands before the sign, and behind it. Names and values are short: a plain loop is done before a clever search
/// has begun.
fn cut(text: &str, sign: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|b| b == sign) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// The cookies of one field.
pub fn cookies(field: &str, mut see: impl FnMut(&str, &str)) {
    for pair in field.split(';').take(PARAMETERS) {
        if let Some((name, value)) = pair.split_once('=') {
            see(name.trim(), value.trim());
        }
    }
}
