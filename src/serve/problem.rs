//! boma's own errors for programs: `application/problem+json` (RFC 9457), and for gRPC its own status.
//!
//! Does not know: pages, why a request is refused beyond the reason's name.

use super::respond::{Made, common, reference};
use super::visit::Visit;
use crate::pen::Values;
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
    // Titles and ids hold nothing that JSON would escape, so that a refusal under flood costs no more than copies.
    let mut body = Values::default();
    body.text("{\"type\":\"about:blank\",\"title\":\"").text(row.title).text("\",\"status\":").number(status.into());
    body.text(",\"reason\":\"").text(row.name).text("\",\"request_id\":\"").text(&visit.id).text("\"");
    if !matches!(reason, Reason::OverLimit | Reason::NeedsPass) {
        body.text(",\"reference\":\"").text(&reference(visit, reason)).text("\"");
    }
    if let Some(seconds) = retry {
        body.text(",\"retry_after\":").number(seconds);
    }
    body.text(more);
    if row.blame == Blame::Origin && visit.unsafe_sent {
        body.text(
            ",\"detail\":\"It is not known whether this request was carried out. Check before you send it again.\"",
        );
    }
    made.body = Payload::Bytes(body.text("}").take());
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
