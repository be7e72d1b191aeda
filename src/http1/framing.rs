//! Which framing a head gives its body; anything that two readers could frame differently is refused.
//!
//! Does not know: how bodies are read.

use super::Framing;
use super::head::{HeadFault, RequestHead, ResponseHead};
use crate::wire::Version;

/// How a request's body is framed. Anything that two readers could frame differently is refused (RFC 9112 sections
/// 6.1 to 6.3, 11.2).
///
/// # Errors
/// [`HeadFault::Malformed`]: Content-Length beside Transfer-Encoding, repeated or malformed Content-Length, a
/// Transfer-Encoding that is not exactly `chunked`, or one in HTTP/1.0.
pub fn request_framing(head: &RequestHead) -> Result<Framing, HeadFault> {
    let mut codings = head.fields.all("transfer-encoding");
    let mut lengths = head.fields.all("content-length");
    match (codings.next(), lengths.next()) {
        (None, None) => Ok(Framing::Empty),
        (None, Some(length)) if lengths.next().is_none() => {
            content_length(length).map(Framing::length).ok_or(HeadFault::Malformed)
        }
        (Some(coding), None) => {
            let chunked = codings.next().is_none() && coding.eq_ignore_ascii_case(b"chunked");
            if chunked && head.version == Version::Http11 { Ok(Framing::Chunked) } else { Err(HeadFault::Malformed) }
        }
        _ => Err(HeadFault::Malformed),
    }
}

/// Digits only, and no zero before them: some readers take that for octal.
fn content_length(value: &[u8]) -> Option<u64> {
    let plain = (1..=19).contains(&value.len())
        && value.iter().all(u8::is_ascii_digit)
        && (value.len() == 1 || value[0] != b'0');
    plain.then(|| value.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')))
}

/// How an answer's body is framed (RFC 9112 section 6.3).
///
/// # Errors
/// [`HeadFault::Malformed`] where two readers could frame it differently.
pub fn response_framing(head: &ResponseHead, to_head: bool) -> Result<Framing, HeadFault> {
    let mut codings = head.fields.all("transfer-encoding");
    let coding = codings.next();
    let mut length = None;
    for value in head.fields.all("content-length") {
        let read = content_length(value).ok_or(HeadFault::Malformed)?;
        // The same length twice is a known slip of old servers, and says one thing.
        if length.replace(read).is_some_and(|before| before != read) {
            return Err(HeadFault::Malformed);
        }
    }
    let framing = match (coding, length) {
        (Some(coding), None) if head.version == Version::Http11 => {
            if codings.next().is_some() || !coding.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadFault::Malformed);
            }
            Framing::Chunked
        }
        (Some(_), _) => return Err(HeadFault::Malformed),
        (None, Some(length)) => Framing::length(length),
        (None, None) => Framing::UntilClose,
    };
    let bodiless = to_head || head.status < 200 || matches!(head.status, 204 | 304);
    Ok(if bodiless { Framing::Empty } else { framing })
}
