//! A snapshot as an answer: dated, in the reader's coding, and not sent again to whoever has it.
//!
//! Does not know: why a snapshot is given.

use std::sync::Arc;

use minijinja::HtmlEscape;

use super::read::Request;
use super::respond::{Made, takes_gzip};
use super::visit::Visit;
use crate::pages::{Copied, admit_banner};
use crate::reason::Reason;
use crate::snapshot::{self, Hole, Page};
use crate::wire::{Head, Payload};
use crate::{cache, path};

/// Exact addresses only: a page with a query is another page. A session in the address is none of it.
pub fn exact(visit: &Visit<'_>, request: &Request, head: &dyn Head) -> Option<Arc<Page>> {
    if !matches!(head.method(), "GET" | "HEAD") {
        return None;
    }
    let portal = visit.portal();
    visit.house.board.find(&portal.name, &snapshot::plain_address(&request.target, &portal.session_cookies))
}

pub fn answer(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, page: &Page, reason: Reason) -> Option<Made> {
    let about = &page.newest().about;
    let (portal, shelf) = (visit.portal?, visit.town.shelf.load());
    let taken = page.checked();
    if let Some(to) = about.location() {
        return moved(visit, to, reason);
    }
    let language = about.language.as_deref();
    let mut policies = about.policies.iter();
    let words = |hole| match hole {
        Hole::Banner => {
            let path = path::for_matching(&request.path);
            shelf.banner(portal, Copied { language, path: &path, taken, forms: about.forms > 0 })
        }
        Hole::Note => shelf.form_note(portal, language),
        Hole::Policy => {
            let widened = policies.next().map(|p| admit_banner(p)).unwrap_or_default();
            HtmlEscape(&widened).to_string()
        }
    };
    let served = visit.house.board.serve(page, shelf.stamp(portal), takes_gzip(head), words)?;
    let has = |v: &[u8]| {
        v.split(|b| *b == b',').map(<[u8]>::trim_ascii).any(|tag| tag == b"*" || tag == served.tag.as_bytes())
    };
    let known = head.any("if-none-match", &mut |v| has(v));
    let mut made = Made::empty(if known { 304 } else { 200 }, reason);
    let fields = &mut made.fields;
    fields.push("etag", served.tag);
    fields.push("age", visit.now.unix().saturating_sub(taken).to_string());
    fields.push("cache-control", "no-cache");
    fields.push("cache-status", "boma; hit; detail=snapshot");
    fields.push("last-modified", cache::write_date(taken));
    fields.push("vary", "accept-encoding");
    visit.cache = Some("snapshot");
    if known {
        return Some(made);
    }
    fields.push("content-type", about.content_type.clone());
    for (name, value) in &about.fields {
        match name.as_str() {
            "content-security-policy" if about.is_html() => fields.push(name.clone(), admit_banner(value)),
            _ => fields.push(name.clone(), value.clone()),
        }
    }
    if served.packed {
        fields.push("content-encoding", "gzip");
    }
    made.body = Payload::Bytes(served.body);
    Some(made)
}

/// A redirect that was kept: as far as its end is there, and is none itself. No browser keeps it, so that it ends with the bad day.
fn moved(visit: &mut Visit<'_>, to: &str, reason: Reason) -> Option<Made> {
    let end = visit.house.board.find(&visit.portal().name, to)?;
    if end.newest().about.location().is_some() {
        return None;
    }
    let mut made = Made::empty(302, reason);
    made.fields.push("location", to.to_owned());
    made.fields.push("cache-control", "no-store");
    made.fields.push("cache-status", "boma; hit; detail=snapshot");
    visit.cache = Some("snapshot");
    Some(made)
}
