//! Heads of requests and answers: found, checked, and kept as ranges into the bytes that came.
//!
//! Does not know: bodies, sockets.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::fields::{Fields, Span, Whole, Written, span};
use super::link::lists;
use crate::bounds;
use crate::wire::{Head, Version};

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// Not the grammar of RFC 9112, or open to two readings.
    Malformed,
    /// More bytes or fields than allowed.
    TooLarge,
    /// A version that is not spoken here.
    Version,
}

/// The end of a head in `buf`, after its empty line; `None` where more must come.
///
/// `scanned` is how far an earlier look came, so that a head sent byte by byte is not read again and again. With
/// `strict`, a line that ends in a bare LF is a fault at once; else it counts as a line's end, as RFC 9112 section
/// 2.2 allows a recipient (some old origins need it).
pub fn head_end(buf: &[u8], scanned: &mut usize, strict: bool) -> Result<Option<usize>, HeadFault> {
    let from = *scanned;
    for at in memchr::memchr_iter(b'\n', &buf[from..]).map(|i| i + from) {
        let crlf = at > 0 && buf[at - 1] == b'\r';
        if strict && !crlf {
            return Err(HeadFault::Malformed);
        }
        let line_end = if crlf { at - 1 } else { at };
        *scanned = at + 1;
        if line_end == 0 || buf[line_end - 1] == b'\n' {
            return Ok(Some(at + 1));
        }
    }
    *scanned = buf.len();
    Ok(None)
}

/// The first bytes of `buf`; all of it is taken as it is, which needs no second owner.
fn front(buf: &mut BytesMut, end: usize) -> BytesMut {
    if end == buf.len() { std::mem::take(buf) } else { buf.split_to(end) }
}

/// A request's head.
#[derive(Debug)]
pub struct RequestHead {
    pub(super) fields: Fields<Written>,
    pub(super) version: Version,
    method: Span,
    path: Span,
    query: Option<Span>,
    authority: Option<Span>,
}

impl RequestHead {
    /// Takes a request's head off the front of `buf`; `None` where more must come. `scanned` begins at 0 and is 0
    /// again after a head.
    ///
    /// # Errors
    /// [`HeadFault`]; the connection cannot be used any further.
    pub fn take(
        buf: &mut BytesMut,
        scanned: &mut usize,
        most_bytes: usize,
        most_fields: usize,
    ) -> Result<Option<RequestHead>, HeadFault> {
        // Empty lines before a request are some old client's leftover (RFC 9112 section 2.2): all of them, or what is
        // taken would hang on how the bytes were cut.
        while *scanned == 0 && buf.starts_with(b"\r\n") {
            buf.advance(2);
        }
        match buf.first() {
            None => return Ok(None),
            Some(b'\r') if buf.len() == 1 => return Ok(None),
            Some(first) if !is_token(*first) => return Err(HeadFault::Malformed),
            Some(_) => {}
        }
        let end = match head_end(buf, scanned, true)? {
            Some(end) if end <= most_bytes => end,
            None if buf.len() <= most_bytes => return Ok(None),
            _ => return Err(HeadFault::TooLarge),
        };
        *scanned = 0;
        RequestHead::parse(front(buf, end), most_fields).map(Some)
    }

    fn parse(mut bytes: BytesMut, most_fields: usize) -> Result<RequestHead, HeadFault> {
        let mut room = [const { MaybeUninit::uninit() }; bounds::HEAD_FIELDS_MOST];
        let mut parsed = httparse::Request::new(&mut []);
        let done = parsed.parse_with_uninit_headers(&bytes, &mut room[..most_fields.min(bounds::HEAD_FIELDS_MOST)]);
        match done {
            Ok(httparse::Status::Complete(n)) if n == bytes.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(HeadFault::TooLarge),
            Err(httparse::Error::Version) => return Err(version_fault(&bytes)),
            _ => return Err(HeadFault::Malformed),
        }
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(HeadFault::Malformed);
        };
        // httparse skips blanks here and there; the line must be its three parts and nothing else.
        let line = memchr::memchr(b'\r', &bytes).unwrap_or(0);
        if line != method.len() + target.len() + " HTTP/1.1".len() + 1 {
            return Err(HeadFault::Malformed);
        }
        if !target.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'#') {
            return Err(HeadFault::Malformed);
        }
        let target_at = span(&bytes, target.as_bytes()).start;
        let method_at = span(&bytes, method.as_bytes());
        let parts = target_parts(method, target)?;
        let place = |r: Range<usize>| target_at + r.start as u32..target_at + r.end as u32;
        let spans = spans(&bytes, parsed.headers)?;
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        for (name, _) in &spans {
            bytes[name.start as usize..name.end as usize].make_ascii_lowercase();
        }
        Ok(RequestHead {
            fields: Fields::new(bytes.into(), spans),
            version,
            method: method_at,
            path: place(parts.path),
            query: parts.query.map(place),
            authority: parts.authority.map(place),
        })
    }

    /// Whether the client would send another request on this connection.
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.version, &self.fields)
    }

    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11
            && self.fields.all("expect").any(|v| v.trim_ascii().eq_ignore_ascii_case(b"100-continue"))
    }
}

fn version_fault(bytes: &[u8]) -> HeadFault {
    let line = bytes.split(|b| *b == b'\r').next().unwrap_or(&[]);
    let word = line.rsplit(|b| *b == b' ').next().unwrap_or(&[]);
    let parts = line.split(|b| *b == b' ').filter(|p| !p.is_empty()).count();
    let blanks = line.iter().filter(|b| **b == b' ').count();
    let well_formed = (parts, blanks) == (3, 2)
        && word.len() == 8
        && word.starts_with(b"HTTP/")
        && word[5].is_ascii_digit()
        && word[6] == b'.';
    if well_formed && word[7].is_ascii_digit() { HeadFault::Version } else { HeadFault::Malformed }
}

fn spans(bytes: &[u8], headers: &[httparse::Header<'_>]) -> Result<Vec<(Span, Span)>, HeadFault> {
    let mut spans = Vec::with_capacity(headers.len());
    for header in headers {
        if header.name.is_empty() {
            return Err(HeadFault::Malformed);
        }
        spans.push((span(bytes, header.name.as_bytes()), span(bytes, header.value)));
    }
    Ok(spans)
}

struct Parts {
    authority: Option<Range<usize>>,
    path: Range<usize>,
    query: Option<Range<usize>>,
}

/// Origin-form, absolute-form, or `*` for OPTIONS (RFC 9112 section 3.2); authority-form is for tunnels, which boma
/// does not open.
fn target_parts(method: &str, target: &str) -> Result<Parts, HeadFault> {
    let (authority, from) = if target.starts_with('/') {
        (None, 0)
    } else if target == "*" && method == "OPTIONS" {
        return Ok(Parts { authority: None, path: 0..1, query: None });
    } else {
        let scheme = ["http://", "https://"]
            .into_iter()
            .find(|s| target.get(..s.len()).is_some_and(|start| start.eq_ignore_ascii_case(s)));
        let start = scheme.ok_or(HeadFault::Malformed)?.len();
        // Some readers take an authority to end at the first slash, others at a question mark: only the first is
        // written by anybody.
        let end = memchr::memchr(b'/', &target.as_bytes()[start..]).map(|i| i + start).ok_or(HeadFault::Malformed)?;
        if end == start || target[start..end].contains(['?', '@']) {
            return Err(HeadFault::Malformed);
        }
        (Some(start..end), end)
    };
    let query_at = memchr::memchr(b'?', &target.as_bytes()[from..]).map(|i| i + from);
    Ok(Parts { authority, path: from..query_at.unwrap_or(target.len()), query: query_at.map(|q| q + 1..target.len()) })
}

impl Head for RequestHead {
    fn method(&self) -> &str {
        self.fields.text(&self.method)
    }

    fn path(&self) -> &str {
        self.fields.text(&self.path)
    }

    fn query(&self) -> Option<&str> {
        self.query.as_ref().map(|q| self.fields.text(q))
    }

    fn authority(&self) -> Option<&str> {
        self.authority.as_ref().map(|a| self.fields.text(a))
    }

    fn version(&self) -> Version {
        self.version
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.first(name).map(|value| self.fields.at(value))
    }

    fn text(&self, name: &str) -> Option<&str> {
        let value = self.fields.first(name)?;
        self.fields.whole.text(value.start as usize..value.end as usize)
    }

    fn count(&self, name: &str) -> usize {
        self.fields.all(name).count()
    }

    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.fields.all(name).any(test)
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.fields.iter().for_each(|(name, value)| visit(name, value));
    }

    fn upgrade(&self) -> Option<&str> {
        if self.version != Version::Http11 || !self.fields.all("connection").any(|v| lists(v, b"upgrade")) {
            return None;
        }
        self.text("upgrade")
    }
}

/// An answer's head.
#[derive(Debug)]
pub struct ResponseHead {
    pub(super) fields: Fields<Bytes>,
    pub version: Version,
    pub status: u16,
}

impl ResponseHead {
    /// Takes an answer's head off the front of `buf`; `None` where more must come.
    ///
    /// # Errors
    /// [`HeadFault`]; the connection cannot be used any further.
    pub fn take(buf: &mut BytesMut, scanned: &mut usize) -> Result<Option<ResponseHead>, HeadFault> {
        let magic = b"HTTP/1.";
        let known = magic.len().min(buf.len());
        if buf[..known] != magic[..known] {
            return Err(HeadFault::Malformed);
        }
        let end = match head_end(buf, scanned, false)? {
            Some(end) if end <= bounds::ORIGIN_HEAD_BYTES => end,
            None if buf.len() <= bounds::ORIGIN_HEAD_BYTES => return Ok(None),
            _ => return Err(HeadFault::TooLarge),
        };
        *scanned = 0;
        ResponseHead::parse(front(buf, end)).map(Some)
    }

    fn parse(mut bytes: BytesMut) -> Result<ResponseHead, HeadFault> {
        let mut room = [const { MaybeUninit::uninit() }; bounds::ORIGIN_HEAD_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let done = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, &bytes, &mut room);
        match done {
            Ok(httparse::Status::Complete(n)) if n == bytes.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(HeadFault::TooLarge),
            _ => return Err(HeadFault::Malformed),
        }
        let (Some(minor), Some(status)) = (parsed.version, parsed.code) else { return Err(HeadFault::Malformed) };
        if !(100..600).contains(&status) {
            return Err(HeadFault::Malformed);
        }
        let spans = spans(&bytes, parsed.headers)?;
        for (name, _) in &spans {
            bytes[name.start as usize..name.end as usize].make_ascii_lowercase();
        }
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        Ok(ResponseHead { fields: Fields::new(bytes.freeze(), spans), version, status })
    }

    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.version, &self.fields)
    }

    /// Every field in its order, the name as bytes of ASCII; the value shares the head's bytes.
    pub fn each(&self, mut visit: impl FnMut(&[u8], Bytes)) {
        for (name, value) in &self.fields.spans {
            visit(self.fields.at(name), self.fields.whole.slice(value.start as usize..value.end as usize));
        }
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.all(name)
    }
}

fn keeps_alive(version: Version, fields: &Fields<impl Whole>) -> bool {
    let says = |word: &[u8]| fields.all("connection").any(|v| lists(v, word));
    match version {
        Version::Http10 => says(b"keep-alive") && !says(b"close"),
        _ => !says(b"close"),
    }
}

/// A character of a token (RFC 9110 section 5.6.2).
pub fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::super::{Framing, request_framing, response_framing};
    use super::*;

    fn take(text: &str) -> Result<Option<RequestHead>, HeadFault> {
        RequestHead::take(&mut BytesMut::from(text), &mut 0, 4096, 10)
    }

    fn good(text: &str) -> RequestHead {
        take(text).unwrap().unwrap()
    }

    #[test]
    fn a_head_is_found_wherever_it_is_cut() {
        let text = "\r\nPOST /a?b=1&c HTTP/1.1\r\nHost: h\r\nCookie:  a=1 \r\nContent-Length: 3\r\n\r\nxyz";
        for cut in 0..text.len() - 4 {
            let (mut buf, mut scanned) = (BytesMut::from(&text[..cut]), 0);
            assert!(RequestHead::take(&mut buf, &mut scanned, 4096, 10).unwrap().is_none(), "{cut}");
            buf.extend_from_slice(&text.as_bytes()[cut..]);
            let head = RequestHead::take(&mut buf, &mut scanned, 4096, 10).unwrap().unwrap();
            assert_eq!((head.method(), head.path(), head.query()), ("POST", "/a", Some("b=1&c")), "{cut}");
            assert_eq!(head.field("cookie"), Some(&b"a=1"[..]));
            assert_eq!(request_framing(&head), Ok(Framing::Length(3)));
            assert_eq!((&buf[..], scanned), (&b"xyz"[..], 0));
        }
    }

    #[test]
    fn a_value_that_is_no_text_leaves_the_others_as_they_are() {
        let text = b"GET /a?b HTTP/1.1\r\nHost: h\r\nX-Name: Jos\xe9\r\nX-Place: Malm\xc3\xb6\r\n\r\n";
        let head = RequestHead::take(&mut BytesMut::from(&text[..]), &mut 0, 4096, 10).unwrap().unwrap();
        assert_eq!((head.method(), head.path(), head.query(), head.text("host")), ("GET", "/a", Some("b"), Some("h")));
        assert_eq!((head.field("x-name"), head.text("x-name")), (Some(&b"Jos\xe9"[..]), None));
        assert_eq!((head.text("x-place"), head.count("x-name"), head.count("x-none")), (Some("Malm\u{f6}"), 1, 0));
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        for text in [
            "GET / HTTP/1.1\nHost: h\n\n",
            "GET / HTTP/1.1\r\nHost: h\n\r\n",
            "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\rx\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\0\r\n\r\n",
            "GET / HTTP/1.1\r\n: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET /#a HTTP/1.1\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\n\r\n",
            "GET * HTTP/1.1\r\n\r\n",
            "GET a HTTP/1.1\r\n\r\n",
            "CONNECT h:443 HTTP/1.1\r\n\r\n",
            "GET http://a@h/ HTTP/1.1\r\n\r\n",
            "GET http://h?/x HTTP/1.1\r\n\r\n",
            "GET ftp://h/ HTTP/1.1\r\n\r\n",
            "GET /\r\n\r\n",
            " GET / HTTP/1.1\r\n\r\n",
            "\n GET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(take(text).err(), Some(HeadFault::Malformed), "{text:?}");
        }
        for text in ["GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.2\r\n\r\n"] {
            assert_eq!(take(text).err(), Some(HeadFault::Version), "{text:?}");
        }
    }

    #[test]
    fn framing_is_plain_or_refused() {
        let framing = |fields: &str| request_framing(&good(&format!("POST / HTTP/1.1\r\n{fields}\r\n")));
        assert_eq!(framing(""), Ok(Framing::Empty));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(framing("Content-Length: 0\r\n"), Ok(Framing::Empty));
        for fields in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 01\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: \u{b}chunked\r\n",
        ] {
            let head = take(&format!("POST / HTTP/1.1\r\n{fields}\r\n"));
            let refused = head.map(|h| request_framing(&h.unwrap()).err());
            assert!(matches!(refused, Ok(Some(_)) | Err(_)), "{fields:?}");
        }
    }

    #[test]
    fn answers_are_read_with_the_slips_that_say_one_thing() {
        let take = |text: &str| ResponseHead::take(&mut BytesMut::from(text), &mut 0);
        let framing = |text: &str| take(text).and_then(|h| response_framing(&h.unwrap(), false));
        assert_eq!(framing("HTTP/1.1 200\r\n\r\n"), Ok(Framing::UntilClose));
        assert_eq!(framing("HTTP/1.0 200 OK\nContent-Length: 2\nContent-Length: 2\n\n"), Ok(Framing::Length(2)));
        assert_eq!(framing("HTTP/1.1 304 N\r\nContent-Length: 2\r\n\r\n"), Ok(Framing::Empty));
        for text in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 600 x\r\n\r\n",
            "HTTP/1.1 99 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(framing(text).is_err(), "{text:?}");
        }
    }
}
