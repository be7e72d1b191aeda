//! The seam between the corridor and whatever speaks HTTP: a borrowed request head, a poll-based body that need
//! not be `Send`, and a reply. Names are lower case; values are bytes, as they came.
//!
//! Does not know: hyper, sockets, rules.

use std::borrow::Cow;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock::Now;

/// A request's head, borrowed from whoever parsed it.
pub trait Head {
    fn method(&self) -> &str;
    /// Path as sent, with dot segments and percent signs.
    fn path(&self) -> &str;
    /// Query without its question mark.
    fn query(&self) -> Option<&str>;
    /// Authority of an absolute-form target or of `:authority`.
    fn authority(&self) -> Option<&str>;
    fn version(&self) -> Version;
    /// The first value of a field; `name` in lower case.
    fn field(&self, name: &str) -> Option<&[u8]>;
    /// Whether any value of the field satisfies `test`.
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;
    /// Every field in the order in which it came (values of one name together, where the speaker keeps them so).
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8]));
    /// The protocol that the client wants to go on with, by `Upgrade` (RFC 9110 section 7.8) or `:protocol`
    /// (RFC 8441).
    fn upgrade(&self) -> Option<&str> {
        None
    }

    /// The first value as text; `None` where it is absent or no UTF-8.
    fn text(&self, name: &str) -> Option<&str> {
        self.field(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    fn count(&self, name: &str) -> usize {
        let mut n = 0;
        self.any(name, &mut |_| {
            n += 1;
            false
        });
        n
    }
}

/// Whether a Content-Type names gRPC, whose answers end with a status of its own.
pub fn is_grpc(content_type: Option<&[u8]>) -> bool {
    let Some(rest) = content_type.and_then(|t| t.strip_prefix(b"application/grpc")) else { return false };
    matches!(rest.first(), None | Some(b'+' | b';'))
}

/// Whether a Content-Type names what is made of events, which come when there are any, and have no end of their own.
pub fn is_stream(content_type: Option<&[u8]>) -> bool {
    content_type.is_some_and(|t| t.starts_with(b"text/event-stream")) || is_grpc(content_type)
}

/// What is left of a head that could not be read.
pub struct NoHead;

impl Head for NoHead {
    fn method(&self) -> &str {
        ""
    }
    fn path(&self) -> &str {
        ""
    }
    fn query(&self) -> Option<&str> {
        None
    }
    fn authority(&self) -> Option<&str> {
        None
    }
    fn version(&self) -> Version {
        Version::Http11
    }
    fn field(&self, _: &str) -> Option<&[u8]> {
        None
    }
    fn any(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
    fn each(&self, _: &mut dyn FnMut(&str, &[u8])) {}
}

/// The head of a GET of which nothing counts but its fields, their names in lower case.
pub struct FieldsAlone<'a>(pub &'a [(String, Vec<u8>)]);

impl Head for FieldsAlone<'_> {
    fn method(&self) -> &str {
        "GET"
    }
    fn path(&self) -> &str {
        ""
    }
    fn query(&self) -> Option<&str> {
        None
    }
    fn authority(&self) -> Option<&str> {
        None
    }
    fn version(&self) -> Version {
        Version::Http11
    }
    fn field(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.iter().filter(|(n, _)| n == name).any(|(_, v)| test(v))
    }
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.0.iter().for_each(|(n, v)| visit(n, v));
    }
}

/// A cookie's value shorter than this is a flag such as `lang=sw`, which pages repeat lawfully.
const SECRET_BYTES: usize = 8;

/// Whether a body repeats the value of a cookie (a `Set-Cookie` field's value) that is long enough to be a secret: such a
/// body is for its own visitor alone.
pub fn repeats_cookie(body: &[u8], set: &[u8]) -> bool {
    let pair = set.split(|b| *b == b';').next().unwrap_or(set);
    let Some(at) = pair.iter().position(|b| *b == b'=') else { return false };
    let value = pair[at + 1..].trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
    value.len() >= SECRET_BYTES && memchr::memmem::find(body, value).is_some()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Http10,
    Http11,
    Http2,
}

impl Version {
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "1.0",
            Version::Http11 => "1.1",
            Version::Http2 => "2",
        }
    }
}

/// A piece of a body.
#[derive(Debug)]
pub enum Chunk {
    Data(Bytes),
    Trailers(Fields),
}

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The sender went away.
    Gone,
    /// The sender broke the framing.
    Malformed,
    /// Nothing came for as long as `[deadlines]` allows.
    Idle,
    /// More than the route's `max_body`.
    TooLarge,
    /// boma ended it, because the posture keeps its origin from everybody.
    Barred,
}

/// A body in the making. After an `Err` it is over, and must never be made to look whole.
pub trait Body {
    fn poll_chunk(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>>;
    /// Bytes still to come, where the framing says so.
    fn exact(&self) -> Option<u64>;
    /// Whether nothing more will come; `false` is always a lawful answer.
    fn ended(&self) -> bool {
        self.exact() == Some(0)
    }
    /// Whether it was given up while its reader was slow. Who waits before it reads on asks this when it is woken,
    /// and treats the body as broken.
    fn is_given_up(&self) -> bool {
        false
    }
}

pub type BodyBox = Pin<Box<dyn Body>>;

/// The body of a request that has none.
pub struct Empty;

impl Body for Empty {
    fn poll_chunk(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        Poll::Ready(None)
    }
    fn exact(&self) -> Option<u64> {
        Some(0)
    }
}

/// A prepared body.
pub struct Whole(pub Bytes);

impl Body for Whole {
    fn poll_chunk(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready((!bytes.is_empty()).then_some(Ok(Chunk::Data(bytes))))
    }
    fn exact(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}

/// Reads a body whole, up to `most` bytes.
///
/// # Errors
/// [`Broken::TooLarge`] beyond `most`, or whatever broke the body.
pub async fn read_whole(mut body: BodyBox, most: usize) -> Result<Bytes, Broken> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = poll_fn(|cx| body.as_mut().poll_chunk(cx)).await {
        if let Chunk::Data(data) = chunk? {
            if whole.len() + data.len() > most {
                return Err(Broken::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// Fields of a reply or a trailer section, in order.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Vec<(Cow<'static, str>, Bytes)>);

impl Fields {
    pub fn with_capacity(n: usize) -> Fields {
        Fields(Vec::with_capacity(n))
    }

    /// Appends a field; `name` in lower case.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// Replaces every value of the field by this one.
    pub fn set(&mut self, name: &'static str, value: impl Into<Bytes>) {
        self.remove(name);
        self.push(name, value);
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| n != name);
    }

    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_ref())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_ref())
    }
}

/// Whether a value ends no line but its own, whoever made it. Without an early end, for most are short and all but all clean.
pub fn is_clean(value: &[u8]) -> bool {
    value.iter().fold(true, |clean, b| clean & !matches!(b, b'\r' | b'\n' | 0))
}

/// Fields that many answers share, and as HTTP/1 writes them: those are only copied.
#[derive(Debug, Default)]
pub struct Common {
    pub fields: Fields,
    pub lines: Bytes,
}

impl Common {
    pub fn new(fields: Fields) -> Common {
        let mut lines = Vec::with_capacity(512);
        for (name, value) in fields.0.iter().filter(|(_, value)| is_clean(value)) {
            for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
                lines.extend_from_slice(piece);
            }
        }
        Common { fields, lines: lines.into() }
    }
}

/// What fills a hole in a prepared body. Every filling but a form has a fixed width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// The reference code that a citizen can read out to staff ([`crate::reason::REFERENCE_WIDTH`] characters).
    Reference,
    /// The sealed challenge.
    Seal,
    /// Seconds before the button may be pressed, for whoever has no scripts.
    Wait,
    /// A sealed form that rides along, of any width.
    Form,
    /// Somebody's place in the line, and between how many minutes it takes.
    Place,
    From,
    To,
    /// Whether what follows is shown: an attribute, or as many spaces. Of the estimate, of that there is none, of that nobody is
    /// called for now.
    Known,
    Unknown,
    Still,
    /// The value of the field for an access code, with the attribute's name, or as many spaces.
    Code,
}

/// A body made when the law was loaded, with holes to fill for each answer, in the order in which they lie.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    pub bytes: Bytes,
    pub holes: Vec<(Hole, Range<usize>)>,
}

impl Prepared {
    /// The body with its holes filled; without holes it is a reference to the prepared bytes, no copy.
    pub fn fill(&self, form: &[u8], mut filling: impl FnMut(Hole, &mut [u8])) -> Bytes {
        if self.holes.is_empty() {
            return self.bytes.clone();
        }
        let mut out = Vec::with_capacity(self.bytes.len() + form.len());
        let mut from = 0;
        for (hole, range) in &self.holes {
            out.extend_from_slice(&self.bytes[from..range.start]);
            from = range.end;
            if *hole == Hole::Form {
                out.extend_from_slice(form);
                continue;
            }
            let at = out.len();
            out.extend_from_slice(&self.bytes[range.clone()]);
            filling(*hole, &mut out[at..]);
        }
        out.extend_from_slice(&self.bytes[from..]);
        out.into()
    }
}

/// A client's connection, as far as the corridor may speak to it before the answer.
pub trait Line {
    /// Sends an informational answer (1xx), where the client's version has them.
    fn inform(&self, status: u16, fields: &Fields);
    /// The request showed a valid pass.
    fn showed(&self, pass: u128);
}

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// This door only sends citizens on to https.
    pub redirect_https: bool,
}

/// Bytes both ways, after the origin has agreed to another protocol.
pub trait Tunnel: AsyncRead + AsyncWrite {}

impl<T: AsyncRead + AsyncWrite> Tunnel for T {}

pub type TunnelBox = Pin<Box<dyn Tunnel>>;

/// What goes back.
pub enum Reply {
    Answer(Answer),
    /// The connection ends without an answer.
    Close,
}

pub struct Answer {
    /// When it was made, where it is boma's own and whole.
    pub made: Option<Now>,
    pub status: u16,
    /// Fields that it shares with other answers; they come before its own.
    pub common: Option<Arc<Common>>,
    pub fields: Fields,
    pub body: Payload,
}

pub enum Payload {
    Bytes(Bytes),
    Stream(BodyBox),
    /// The other protocol begins; the answer's status is 101.
    Tunnel(TunnelBox),
}
