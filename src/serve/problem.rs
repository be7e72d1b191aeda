//! boma's own errors for programs: `application/problem+json` (RFC 9457), and for gRPC its own status.
//!
//! Does not know: pages, why a request is refused beyond the reason's name.

use std::fmt::Write as _;

use super::respond::{Made, common, reference};
use super::visit::Visit;
use crate::reason::{Blame, Reason};
use crate::wire::{self, Head, Payload};

/// `more`: what it says besides, as JSON that begins with a comma.
pub fn problem(
    visit: &mut Visit<'_>,
    head: &dyn Head,
    status: u16,
    reason: Reason,
    retry: Option<u64>,
    more: &str,
) -> Made {
    let row = reason.row();
    let mut made = common(reason, status, retry);
    if wire::is_grpc(head.field("content-type")) && head.upgrade().is_none() {
        grpc(&mut made, status, row.title);
        return made;
    }
    // Titles and ids hold nothing that JSON would escape, so that a refusal under flood costs one formatting.
    let mut body = format!(
        "{{\"type\":\"about:blank\",\"title\":\"{}\",\"status\":{status},\"reason\":\"{}\",\"request_id\":\"{}\"",
        row.title, row.name, visit.id
    );
    if !matches!(reason, Reason::OverLimit | Reason::NeedsPass) {
        let _ = write!(body, ",\"reference\":\"{}\"", reference(visit, reason));
    }
    if let Some(seconds) = retry {
        let _ = write!(body, ",\"retry_after\":{seconds}");
    }
    body.push_str(more);
    if row.blame == Blame::Origin && visit.unsafe_sent {
        body.push_str(
            ",\"detail\":\"It is not known whether this request was carried out. Check before you send it again.\"",
        );
    }
    body.push('}');
    made.body = Payload::Bytes(body.into());
    made.fields.push("content-type", "application/problem+json");
    made
}

/// gRPC over HTTP/2 reads trailers-only answers: status 200 and `grpc-status` among the fields.
fn grpc(made: &mut Made, status: u16, message: &'static str) {
    let code = match status {
        400 => "3",
        403 => "7",
        404 | 501 => "12",
        408 | 504 => "4",
        413 | 429 | 431 => "8",
        _ => "14",
    };
    made.status = 200;
    made.fields.push("content-type", "application/grpc");
    made.fields.push("grpc-status", code);
    made.fields.push("grpc-message", message);
}
