//! A kept answer as it goes out: whole, in part, or as the word that the client has it already.

use std::sync::Arc;

use bytes::Bytes;

use super::condition;
use super::keep::Kept;
use super::range::{self, Wanted};
use crate::clock::Now;
use crate::pen;
use crate::wire::{Common, Fields, Head};

/// An answer out of the cache.
pub struct Given {
    pub status: u16,
    /// Fields that are shared with whoever else gets it.
    pub common: Option<Arc<Common>>,
    /// Fields of its own.
    pub fields: Fields,
    pub body: Bytes,
}

/// Gives a kept answer to a request; `status` is the text of its `Cache-Status`.
pub fn give(kept: &Kept, head: &dyn Head, now: Now, status: impl Into<Bytes>) -> Given {
    let mut fields = Fields::with_capacity(4);
    fields.push("age", pen::number(kept.age(now)));
    fields.push("cache-status", status);
    let without = |names: &dyn Fn(&str) -> bool, mut own: Fields| {
        own.0.extend(kept.fields().0.iter().filter(|(name, _)| !names(name)).cloned());
        own
    };
    if matches!(head.method(), "GET" | "HEAD") && condition::is_known(head, kept) {
        // What describes the body the client has with the body (RFC 9110 section 15.4.5).
        let has_etag = kept.etag().is_some();
        let of_body = |name: &str| {
            (name.starts_with("content-") && !matches!(name, "content-location" | "content-security-policy"))
                || (has_etag && name == "last-modified")
        };
        return Given { status: 304, common: None, fields: without(&of_body, fields), body: Bytes::new() };
    }
    match range::wanted(head, kept) {
        Wanted::Whole => {
            Given { status: kept.status, common: Some(kept.common.clone()), fields, body: kept.body.clone() }
        }
        Wanted::Part(part) => {
            fields.push("content-range", format!("bytes {}-{}/{}", part.start, part.end - 1, kept.body.len()));
            Given { status: 206, common: Some(kept.common.clone()), fields, body: kept.body.slice(part) }
        }
        Wanted::Nothing => {
            fields.push("content-range", format!("bytes */{}", kept.body.len()));
            let of_body = |name: &str| name.starts_with("content-") || matches!(name, "etag" | "last-modified");
            Given { status: 416, common: None, fields: without(&of_body, fields), body: Bytes::new() }
        }
    }
}
