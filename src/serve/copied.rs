//! A snapshot as an answer: dated, in the reader's coding, and not sent again to whoever has it.
//!
//! Does not know: why a snapshot is given.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use minijinja::HtmlEscape;

use super::read::Request;
use super::reference::Shown;
use super::respond::{Made, takes_gzip};
use super::tag;
use super::visit::Visit;
use crate::pages::{Copied, admit_banner};
use crate::reason::Reason;
use crate::snapshot::{self, Hole, Page, Words};
use crate::wire::{Body, Broken, Chunk, Head, Payload};
use crate::{cache, path};

/// Exact addresses only: a page with a query is another page, and another host's may be another site's. A session in the
/// address is none of it.
pub fn exact(visit: &Visit<'_>, request: &Request, head: &dyn Head) -> Option<Arc<Page>> {
    if !matches!(head.method(), "GET" | "HEAD") {
        return None;
    }
    let portal = visit.portal();
    if !portal.is_copied(&request.host) {
        return None;
    }
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
            let banner = shelf.banner(portal, Copied { language, path: &path, taken, forms: about.forms > 0 });
            Words { html: banner.html, code: banner.code }
        }
        Hole::Note => shelf.form_note(portal, language).into(),
        Hole::Policy => {
            let widened = policies.next().map(|p| admit_banner(p)).unwrap_or_default();
            HtmlEscape(&widened).to_string().into()
        }
    };
    let served = visit.house.board.serve(page, shelf.stamp(portal), takes_gzip(head), words)?;
    let tagged = match served.has_code() {
        true => tag::coded(visit, head, &served.mark, (reason, Shown::Copy)),
        false => tag::plain(head, &served.mark, false),
    };
    let mut made = Made::empty(if tagged.known { 304 } else { 200 }, reason);
    let fields = &mut made.fields;
    fields.push("etag", tagged.tag);
    fields.push("age", visit.now.unix().saturating_sub(taken).to_string());
    fields.push("cache-control", "no-cache");
    fields.push("cache-status", "boma; hit; detail=snapshot");
    fields.push("last-modified", cache::write_date(taken));
    fields.push("vary", "accept-encoding");
    visit.cache = Some("snapshot");
    if tagged.known {
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
    let pieces = tagged.code.filter(|_| head.method() != "HEAD").and_then(|code| served.with(&code));
    made.body = match pieces {
        Some(pieces) => Payload::Stream(Box::pin(Spliced(pieces.into_iter()))),
        None => Payload::Bytes(served.body().clone()),
    };
    Some(made)
}

/// A body in pieces: what is long is not copied, so that a large page costs its memory once however many slow readers it has.
struct Spliced(std::array::IntoIter<Bytes, 4>);

impl Body for Spliced {
    fn poll_chunk(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let piece = self.0.find(|piece| !piece.is_empty());
        Poll::Ready(piece.map(|piece| Ok(Chunk::Data(piece))))
    }

    fn exact(&self) -> Option<u64> {
        Some(self.0.as_slice().iter().map(|piece| piece.len() as u64).sum())
    }
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
