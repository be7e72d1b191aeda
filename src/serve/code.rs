//! Access codes as citizens and programs use them: a page with one field, and what becomes of what they send. A link may hold
//! the code; it fills the field and nothing more, for whoever looks at links before people do must not use them up.
//!
//! Does not know: how a code is made.

use std::sync::Arc;

use serde::Deserialize;

use crate::challenge::{CODE_WIDTH, spell};
use crate::client::Client;
use crate::facts::Kind;
use crate::limit::Key;
use crate::pages::CODE_FIELD_WIDTH;
use crate::path::form_decoded;
use crate::reason::Reason;
use crate::wire::{Head, Hole, Payload};

use super::read::Request;
use super::respond::{self, Made};
use super::visit::Visit;
use super::wait::Ride;
use super::{decide, holder, mint, own};

/// Whether the page with the field is asked for: `?code`, `?code=…`.
pub fn is_asked(head: &dyn Head) -> bool {
    typed_in_link(head).is_some()
}

fn typed_in_link<'a>(head: &'a dyn Head) -> Option<&'a str> {
    let value = |pair: &'a str| pair.strip_prefix("code").filter(|rest| rest.is_empty() || rest.starts_with('='));
    head.query()?.split('&').find_map(value)
}

pub fn page(visit: &mut Visit<'_>, head: &dyn Head) -> Made {
    let typed = typed_in_link(head).unwrap_or_default();
    let typed = form_decoded(typed.strip_prefix('=').unwrap_or(typed));
    shown(visit, typed.as_bytes(), Reason::Own)
}

fn shown(visit: &mut Visit<'_>, typed: &[u8], reason: Reason) -> Made {
    let town = visit.town.clone();
    visit.kind = Kind::Navigation;
    let shelf = town.shelf.load();
    let html = shelf.code(visit.portal, visit.language, reason != Reason::Own);
    // Only what can be a code stands in the field again, so nothing that anybody types becomes part of a page.
    let field = spell(typed).map_or_else(|| " ".repeat(CODE_FIELD_WIDTH), |code| format!(" value=\"{code}\""));
    let reference = respond::reference(visit, reason);
    let mut made = respond::common(reason, reason.row().status, None);
    let fill = |hole, out: &mut [u8]| match hole {
        Hole::Reference => respond::copy(reference.as_bytes(), out),
        Hole::Code => respond::copy(field.as_bytes(), out),
        _ => {}
    };
    made.body = Payload::Bytes(html.body.fill(b"", fill));
    respond::dress(&mut made, html);
    made
}

#[derive(Deserialize)]
struct Sent {
    code: String,
}

/// The code in what was posted, where there is one.
pub fn sent(body: &[u8], json: bool) -> Option<Vec<u8>> {
    if json {
        return serde_json::from_slice::<Sent>(body).ok().map(|sent| sent.code.into_bytes());
    }
    let value = body.split(|b| *b == b'&').find_map(|pair| pair.strip_prefix(b"code="))?;
    // A code is ASCII, and whatever is none stays wrong.
    Some(form_decoded(&String::from_utf8_lossy(value)).into_owned().into_bytes())
}

/// A pass for a right code; a wrong one counts, and after too many of them none is looked at for a while.
pub fn answer(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, typed: &[u8]) -> Made {
    let (house, now) = (visit.house, visit.now);
    let Client { prefix, network, .. } = visit.client;
    let quota = &house.wrong_codes;
    let status = Reason::WrongCode.row().status;
    let keys = (Key::Prefix(prefix.0), Key::Network(network.0));
    let tally = match house.limits.look(quota, &Arc::from([status]), keys, 1000, now.mono) {
        Ok(tally) => tally,
        Err(limited) => return respond::limited(visit, head, decide::over(quota, limited), Ride::Nothing),
    };
    let Some(code) = house.codes.open(typed, &visit.portal().name, now.unix()) else {
        house.limits.answered(&tally, status, now.mono);
        mint::count(visit, "wrong_code");
        return match visit.kind {
            Kind::Navigation => shown(visit, typed, Reason::WrongCode),
            _ => respond::refusal(visit, head, Reason::WrongCode),
        };
    };
    mint::count(visit, "code");
    let pass = house.challenge.load().coded(&code, &mint::asker(visit, head), now.unix());
    let before = visit.pass.replace(pass);
    holder::moves(visit, head, before, &pass);
    own::given(visit, request, head, pass)
}

const _: () = assert!(CODE_FIELD_WIDTH == CODE_WIDTH + " value=\"\"".len());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_whatever_holds_them() {
        for (body, code) in [
            ("code=ab-c", Some("ab-c")),
            ("lang=sw&code=%61b+c%2", Some("ab c%2")),
            ("code=", Some("")),
            ("seal=x&work=1", None),
            ("barcode=1", None),
        ] {
            assert_eq!(sent(body.as_bytes(), false).as_deref(), code.map(str::as_bytes), "{body}");
        }
        assert_eq!(sent(br#"{"code": "a b"}"#, true).as_deref(), Some(&b"a b"[..]));
        assert_eq!(sent(br#"{"seal": "a", "work": ""}"#, true), None);
    }
}
