//! Conditions on a kept answer (RFC 9110 section 13, RFC 9111 section 4.3): those that a client sets, and those that
//! boma sets when it asks the origin about it.

use super::keep::Kept;
use super::time::{self, parse_date};
use crate::wire::Head;

/// Fields by which a request is conditional or for a part; they are not sent on where boma wants the whole.
pub const CONDITIONS: [&str; 6] =
    ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range"];

/// The same, and which codings the client takes.
pub const CONDITIONS_AND_CODINGS: [&str; 7] =
    ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range", "accept-encoding"];

/// Whether the client has what is kept, so that 304 says it all (RFC 9110 sections 13.1.2 and 13.1.3).
pub fn is_known(head: &dyn Head, kept: &Kept) -> bool {
    if kept.status != 200 {
        return false;
    }
    if head.field("if-none-match").is_some() {
        let etag = kept.etag();
        return head.any("if-none-match", &mut |list| {
            list.trim_ascii() == b"*" || etag.is_some_and(|etag| each_tag(list).any(|tag| same(tag, etag)))
        });
    }
    let Some(since) = head.field("if-modified-since").filter(|_| head.count("if-modified-since") == 1) else {
        return false;
    };
    let modified = time::date(kept.fields(), "last-modified").or_else(|| time::date(kept.fields(), "date"));
    parse_date(since.trim_ascii()).zip(modified).is_some_and(|(since, modified)| modified <= since)
}

/// Only the origin can judge these.
pub fn is_for_the_origin(head: &dyn Head) -> bool {
    head.field("if-match").is_some() || head.field("if-unmodified-since").is_some()
}

/// Entity tags of a list, with their quotes; commas may stand within those.
fn each_tag(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        while let [b',' | b' ' | b'\t', more @ ..] = rest {
            rest = more;
        }
        let opens = if rest.starts_with(b"W/") { 2 } else { 0 };
        let end = match rest.get(opens) {
            Some(b'"') => rest[opens + 1..].iter().position(|b| *b == b'"').map_or(rest.len(), |n| opens + n + 2),
            // Without quotes it is none, and equals only one that was given so.
            Some(_) => rest.iter().position(|b| *b == b',').unwrap_or(rest.len()),
            None => return None,
        };
        let (tag, more) = rest.split_at(end);
        rest = more;
        Some(tag.trim_ascii())
    })
}

/// Weak comparison (RFC 9110 section 8.8.3.2).
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let opaque = |tag| <[u8]>::strip_prefix(tag, b"W/").unwrap_or(tag);
    opaque(a.trim_ascii()) == opaque(b.trim_ascii())
}

fn same_strongly(a: &[u8], b: &[u8]) -> bool {
    a.trim_ascii() == b.trim_ascii() && !a.trim_ascii().starts_with(b"W/")
}

/// Whether `If-Range` lets a part be given; without it, it is (RFC 9110 section 13.1.5).
pub fn range_holds(head: &dyn Head, kept: &Kept) -> bool {
    let Some(value) = head.field("if-range").map(<[u8]>::trim_ascii) else { return true };
    if value.starts_with(b"\"") || value.starts_with(b"W/") {
        return kept.etag().is_some_and(|etag| same_strongly(value, etag));
    }
    let modified = time::date(kept.fields(), "last-modified");
    let dated = time::date(kept.fields(), "date");
    // Within the second in which it changed, it may have changed again.
    let strong = modified.zip(dated).is_some_and(|(modified, dated)| modified < dated);
    strong && parse_date(value).is_some_and(|given| Some(given) == modified)
}

/// The conditions by which the origin is asked whether a kept answer still holds (RFC 9111 section 4.3.1).
pub fn validators(kept: &Kept) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    if let Some(etag) = kept.etag() {
        all.push(("if-none-match", etag.to_vec()));
    }
    if let Some(modified) = kept.fields().first("last-modified").filter(|_| kept.status == 200) {
        all.push(("if-modified-since", modified.to_vec()));
    }
    all
}
