//! The wire's targets: whatever bytes come, in whatever pieces, they mean one thing; and what the own HTTP/1 takes,
//! hyper takes the same way.
//!
//! Does not know: how inputs are made.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::edge::{Counter, Hello, Offence, Parsed, Source, parse_hello, parse_proxy};
use crate::http1::{
    BodyFault, Decoder, Framing, HeadFault, RequestHead, ResponseHead, Step, request_framing, response_framing,
};
use crate::serve::{foreign_cookies, host_of};
use crate::settings::Caps;
use crate::wire::Head;

/// A request as a reader understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Understood {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// How far a reader came: the requests that are whole, and why it stopped.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// All bytes are used, or more must come.
    Open,
    Head(HeadFault),
    Body,
}

const FIELDS: usize = 100;
const BYTES: usize = 32 * 1024;

/// The own reader over bytes that come in pieces of `size`.
fn own(data: &[u8], size: usize) -> (Vec<Understood>, End) {
    let (mut buf, mut scanned, mut requests) = (BytesMut::new(), 0, Vec::new());
    let mut pieces = data.chunks(size.max(1));
    loop {
        let head = loop {
            match RequestHead::take(&mut buf, &mut scanned, BYTES, FIELDS) {
                Ok(Some(head)) => break head,
                Ok(None) => {}
                Err(fault) => return (requests, End::Head(fault)),
            }
            let Some(piece) = pieces.next() else { return (requests, End::Open) };
            buf.extend_from_slice(piece);
        };
        let Ok(framing) = request_framing(&head) else { return (requests, End::Head(HeadFault::Malformed)) };
        let mut target = head.path().to_owned();
        if let Some(query) = head.query() {
            target = format!("{target}?{query}");
        }
        let mut fields = Vec::new();
        head.each(&mut |name, value| fields.push((name.to_owned(), value.to_vec())));
        fields.sort();
        let (mut decoder, mut body) = (Decoder::new(framing), Vec::new());
        loop {
            match decoder.step(&mut buf) {
                Err(BodyFault) => return (requests, End::Body),
                Ok(Step::Data(data)) => body.extend_from_slice(&data),
                Ok(Step::Trailers(_)) => {}
                Ok(Step::End) => break,
                Ok(Step::More) => match pieces.next() {
                    Some(piece) => buf.extend_from_slice(piece),
                    None => return (requests, End::Open),
                },
            }
        }
        requests.push(Understood { method: head.method().to_owned(), target, fields, body });
    }
}

/// What comes in pieces means what it means whole; and of what the own reader takes, hyper reads the same.
pub fn http1_request(data: &[u8]) {
    let whole = own(data, data.len());
    for size in [1, 7] {
        assert_eq!(own(data, size), whole, "in pieces of {size}");
    }
    let theirs = hyper(data);
    // hyper may stop earlier, where its URI type is narrower; it must never have read another request than ours.
    for (i, (ours, theirs)) in whole.0.iter().zip(&theirs).enumerate() {
        assert_eq!(ours, theirs, "request {i} of {}", data.escape_ascii());
    }
}

/// The requests that hyper reads whole out of the bytes.
fn hyper(data: &[u8]) -> Vec<Understood> {
    let seen: Rc<RefCell<Vec<Understood>>> = Rc::default();
    let shared = seen.clone();
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let seen = shared.clone();
        async move {
            let (parts, mut body) = request.into_parts();
            let mut fields: Vec<(String, Vec<u8>)> =
                parts.headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect();
            fields.sort();
            let mut came = Vec::new();
            loop {
                match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                    Some(Ok(frame)) => came.extend_from_slice(frame.data_ref().map_or(&[][..], |d| d)),
                    Some(Err(_)) => break,
                    None => {
                        let target = parts.uri.path_and_query().map_or("", |p| p.as_str()).to_owned();
                        let method = parts.method.as_str().to_owned();
                        seen.borrow_mut().push(Understood { method, target, fields, body: came });
                        break;
                    }
                }
            }
            Ok::<_, Infallible>(http::Response::new(String::new()))
        }
    });
    thread_local!(static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));
    let fed = Fed(Bytes::copy_from_slice(data));
    RUNTIME.with(|runtime| {
        let connection = hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .header_read_timeout(None)
            .max_headers(FIELDS)
            .serve_connection(hyper_util::rt::TokioIo::new(fed), service);
        let _ = runtime.block_on(connection);
    });
    seen.take()
}

/// Gives its bytes and then ends; swallows what is written.
struct Fed(Bytes);

impl AsyncRead for Fed {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let n = self.0.len().min(buf.remaining());
        buf.put_slice(&self.0.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Fed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An answer means the same in whatever pieces it comes; the first byte says whether the request was HEAD.
pub fn http1_response(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let whole = answer(data, data.len(), first & 1 == 1);
    for size in [1, 7] {
        assert_eq!(answer(data, size, first & 1 == 1), whole, "in pieces of {size}");
    }
}

/// Status, body and how it ended; `true`: whole.
fn answer(data: &[u8], size: usize, to_head: bool) -> Option<(u16, Vec<u8>, bool)> {
    let (mut buf, mut scanned) = (BytesMut::new(), 0);
    let mut pieces = data.chunks(size.max(1));
    let head = loop {
        match ResponseHead::take(&mut buf, &mut scanned).ok()? {
            Some(head) => break head,
            None => buf.extend_from_slice(pieces.next()?),
        }
    };
    assert!((100..600).contains(&head.status));
    let framing = response_framing(&head, to_head).ok()?;
    assert!(!to_head || framing == Framing::Empty);
    let (mut decoder, mut body) = (Decoder::new(framing), Vec::new());
    loop {
        match decoder.step(&mut buf) {
            Err(BodyFault) => return Some((head.status, Vec::new(), false)),
            Ok(Step::Data(data)) => body.extend_from_slice(&data),
            Ok(Step::Trailers(_)) => {}
            Ok(Step::End) => return Some((head.status, body, true)),
            Ok(Step::More) => match pieces.next() {
                Some(piece) => buf.extend_from_slice(piece),
                None => return Some((head.status, body, decoder.ends_at_close())),
            },
        }
    }
}

/// A PROXY header is found at the same place whatever follows it, and no part of it is one.
pub fn client_hello(data: &[u8]) {
    let parsed = parse_hello(data);
    match parsed {
        Hello::Whole(fingerprint) => {
            let text = fingerprint.as_str();
            assert!(text.len() == 36 && text.is_ascii() && text.matches('_').count() >= 2, "{text}");
            assert_eq!(parse_hello(&[data, b"more"].concat()), parsed, "whatever follows");
        }
        Hello::Not => assert_eq!(parse_hello(&[data, b"\r\n"].concat()), Hello::Not, "more makes no difference"),
        Hello::More => assert!(data.len() < 128 * 1024),
    }
}

pub fn proxy_header(data: &[u8]) {
    let parsed = parse_proxy(data);
    match parsed {
        Parsed::Header(length, source) => {
            assert!(length <= data.len());
            assert_eq!(parse_proxy(&data[..length]), parsed, "without what follows");
            assert!((0..length).all(|n| parse_proxy(&data[..n]) == Parsed::More), "a part of it");
            if let Source::Address(address) = source {
                assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
        Parsed::Not => assert_eq!(parse_proxy(&[data, b"\r\n"].concat()), Parsed::Not, "more makes no difference"),
        Parsed::More => assert!(data.len() < 8192),
    }
}

/// Frames are counted alike in whatever pieces they come.
pub fn frames(data: &[u8]) {
    let count = |size: usize| -> Result<(), Offence> {
        let mut counter = Counter::new(&Caps::default());
        data.chunks(size.max(1)).try_for_each(|piece| counter.feed(piece, 0))
    };
    let whole = count(data.len());
    for size in [1, 9, 100] {
        assert_eq!(count(size), whole, "in pieces of {size}");
    }
}

/// Fields of a request that say something to boma: a host has one spelling, boma's own cookies stay here and all others
/// go on in their order, and whatever languages are asked for, one of the portal's is chosen.
pub fn fields(data: &[u8]) {
    let request = [b"GET / HTTP/1.1\r\n", data, b"\r\n\r\n"].concat();
    let (mut buf, mut scanned) = (BytesMut::from(&request[..]), 0);
    let Ok(Some(head)) = RequestHead::take(&mut buf, &mut scanned, BYTES, FIELDS) else { return };
    if let Some(host) = head.text("host").and_then(host_of) {
        assert_eq!(host_of(&host).as_deref(), Some(&*host), "read again");
        assert!(
            !host.contains(|c: char| c.is_ascii_uppercase() || c.is_whitespace() || "/,@?#".contains(c)),
            "{host:?}"
        );
    }
    let (mut sent, mut own) = (Vec::new(), 0);
    head.any("cookie", &mut |value| {
        for pair in value.split(|b| *b == b';').map(<[u8]>::trim_ascii).filter(|p| !p.is_empty()) {
            let of_boma = [&b"boma_pass="[..], b"boma_place=", b"boma_lang="].iter().any(|name| pair.starts_with(name));
            match of_boma {
                true => own += 1,
                false => sent.push(pair.to_vec()),
            }
        }
        false
    });
    let kept = foreign_cookies(&head).unwrap_or_default();
    let kept: Vec<Vec<u8>> =
        kept.split(|b| *b == b';').map(|p| p.trim_ascii().to_vec()).filter(|p| !p.is_empty()).collect();
    assert_eq!(kept, sent, "without {own} of boma's own");
    let portal = super::portal();
    let languages = &portal.languages;
    let (language, _) =
        crate::pages::choose(languages, head.query(), head.text("cookie"), head.text("accept-language"));
    assert!(language < languages.len());
}
