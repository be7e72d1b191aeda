//! HTTP/2 by real frames on a socket, prior knowledge: requests well formed and not, and what a connection may and
//! may not do (numbers are RFC 9113's sections).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::harness::{Boma, Setup};
use crate::strict::Recorder;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 0x20;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let n = payload.len() as u32;
    let mut bytes = vec![(n >> 16) as u8, (n >> 8) as u8, n as u8, kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Literals that are never indexed: every byte as it stands.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fn text(out: &mut Vec<u8>, s: &[u8]) {
        if s.len() < 127 {
            out.push(s.len() as u8);
        } else {
            out.push(127);
            let mut rest = s.len() - 127;
            while rest >= 128 {
                out.push((rest % 128) as u8 | 128);
                rest /= 128;
            }
            out.push(rest as u8);
        }
        out.extend_from_slice(s);
    }
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0x10);
        text(&mut out, name.as_bytes());
        text(&mut out, value.as_bytes());
    }
    out
}

/// What came on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    Status(u32, String),
    Data(u32, usize, bool),
    Reset(u32, u32),
    Ack,
    Pong(Vec<u8>),
    Goaway(u32),
    Other(u8),
    Closed,
}

pub struct Conn {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Conn {
    /// With the preface and empty settings sent.
    pub fn open(to: SocketAddr) -> Conn {
        let mut conn = Conn::raw(to);
        conn.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
        conn
    }

    pub fn raw(to: SocketAddr) -> Conn {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        Conn { stream, bytes: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next frame, or `None` when nothing came for `most`.
    pub fn next(&mut self, most: Duration) -> Option<Came> {
        let start = Instant::now();
        loop {
            if let Some(came) = self.parse() {
                return Some(came);
            }
            let left = most.checked_sub(start.elapsed()).filter(|d| !d.is_zero())?;
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut room = [0; 65536];
            match self.stream.read(&mut room) {
                Ok(0) => return Some(Came::Closed),
                Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    return None;
                }
                Err(_) => return Some(Came::Closed),
                Ok(n) => self.bytes.extend_from_slice(&room[..n]),
            }
        }
    }

    fn parse(&mut self) -> Option<Came> {
        let head: [u8; 9] = self.bytes.get(..9)?.try_into().unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = self.bytes.get(9..9 + length)?.to_vec();
        self.bytes.drain(..9 + length);
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        Some(match head[3] {
            HEADERS => Came::Status(stream, status(&payload)),
            DATA => Came::Data(stream, length, head[4] & END_STREAM != 0),
            RST => Came::Reset(stream, number(0)),
            SETTINGS if head[4] & 1 != 0 => Came::Ack,
            PING if head[4] & 1 != 0 => Came::Pong(payload),
            GOAWAY => Came::Goaway(number(4)),
            kind => Came::Other(kind),
        })
    }

    /// Waits for what `wanted` picks; fails when the connection ends or nothing comes.
    pub fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Came) -> Option<T>) -> Result<T, String> {
        let mut seen = Vec::new();
        while let Some(came) = self.next(Duration::from_secs(20)) {
            if let Some(found) = wanted(&came) {
                return Ok(found);
            }
            if came == Came::Closed {
                break;
            }
            seen.push(came);
        }
        Err(format!("no {what}; came {seen:?}"))
    }

    /// A good GET on a new stream; its status.
    pub fn good(&mut self, stream: u32) -> Result<String, String> {
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/good"), (":authority", "huduma.example")];
        self.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(&fields)));
        self.until("answer to a good request", |came| match came {
            Came::Status(s, status) if *s == stream => Some(status.clone()),
            _ => None,
        })
    }
}

/// `:status` of a header block as h2 writes it: an index, or a literal with or without Huffman's code.
fn status(block: &[u8]) -> String {
    const INDEXED: [&str; 7] = ["200", "204", "206", "304", "400", "404", "500"];
    if (0x88..=0x8e).contains(&block[0]) {
        return INDEXED[usize::from(block[0] - 0x88)].into();
    }
    let length = usize::from(block[1] & 0x7f);
    let value = &block[2..2 + length];
    if block[1] & 0x80 == 0 {
        return String::from_utf8_lossy(value).into_owned();
    }
    let bits: Vec<u8> = value.iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
    let (mut out, mut at) = (String::new(), 0);
    while out.len() < 3 {
        let take = |n: usize| bits[at..at + n].iter().fold(0u8, |v, b| v << 1 | b);
        let (digit, n) = match take(5) {
            d @ 0..=2 => (d, 5),
            _ => (take(6) - 0x19 + 3, 6),
        };
        out.push(char::from(b'0' + digit));
        at += n;
    }
    out
}

fn house(origin: &Recorder) -> Boma {
    let setup = Setup { listen: "h2c = true", ..Setup::new() };
    setup
        .portal("[[portal.route]]\npath = \"/small\"\nmax_body = \"10B\"\n")
        .rules("[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\nburst = 1000000\n")
        .start(origin.address)
}

type Fields = Vec<(&'static str, String)>;

/// A request: its fields and its other frames after HEADERS on stream 1.
struct Case {
    name: &'static str,
    fields: Fields,
    body: Option<Vec<u8>>,
    /// The status; empty: refused, by reset, GOAWAY or a status of 400 and more.
    want: &'static str,
}

fn base(method: &'static str, path: &str) -> Fields {
    vec![
        (":method", method.into()),
        (":scheme", "http".into()),
        (":path", path.into()),
        (":authority", "huduma.example".into()),
    ]
}

fn with(method: &'static str, more: &[(&'static str, &str)]) -> Fields {
    let mut fields = base(method, "/c");
    fields.extend(more.iter().map(|(n, v)| (*n, (*v).to_owned())));
    fields
}

fn without(name: &str, more: &[(&'static str, &str)]) -> Fields {
    let mut fields = with("GET", more);
    fields.retain(|(n, _)| *n != name || more.iter().any(|(m, _)| *m == name));
    fields
}

/// Only these values in the place of that field's.
fn instead(name: &'static str, value: &str) -> Fields {
    let mut fields = base("GET", "/c");
    for (n, v) in &mut fields {
        if *n == name {
            value.clone_into(v);
        }
    }
    fields
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let case = |name, fields, want| Case { name, fields, body: None, want };
    let data = |d: &[u8]| frame(DATA, END_STREAM, 1, d);
    let body = |name, fields, body: Vec<u8>, want| Case { name, fields, body: Some(body), want };
    let trailers = |t: &[(&str, &str)]| [frame(DATA, 0, 1, b"abc"), frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(t))].concat();
    let many: Vec<(&'static str, &str)> = (0..150).map(|_| ("x-a", "1")).collect();
    vec![
        case("get", base("GET", "/c"), "200"),
        case("head", base("HEAD", "/c"), "200"),
        case("options", base("OPTIONS", "/c"), "200"),
        case("options of the server", base("OPTIONS", "*"), "200"),
        case("delete", base("DELETE", "/c"), "200"),
        case("another method", base("BREW", "/c"), "200"),
        case("query", base("GET", "/c?a=b&c"), "200"),
        case("dot segments", base("GET", "/a/../c"), "200"),
        case("post", base("POST", "/c"), "200"),
        body("post with a body", base("POST", "/c"), data(b"abc"), "200"),
        body("body of length", with("POST", &[("content-length", "3")]), data(b"abc"), "200"),
        body("body in pieces", base("POST", "/c"), [frame(DATA, 0, 1, b"a"), frame(DATA, 0, 1, b"b"), data(b"c")].concat(), "200"),
        body("an empty piece at the end", base("POST", "/c"), [frame(DATA, 0, 1, b"abc"), data(b"")].concat(), "200"),
        body("padding", base("POST", "/c"), frame(DATA, END_STREAM | PADDED, 1, b"\x02abc\0\0"), "200"),
        body("trailers", base("POST", "/c"), trailers(&[("x-sum", "1")]), "200"),
        body("length 0", with("POST", &[("content-length", "0")]), data(b""), "200"),
        case("te trailers", with("GET", &[("te", "trailers")]), "200"),
        case("host like authority", with("GET", &[("host", "huduma.example")]), "200"),
        case("host without authority", without(":authority", &[("host", "huduma.example")]), "200"),
        case("authority with a port", instead(":authority", "huduma.example:8080"), "200"),
        case("authority in capitals", instead(":authority", "HUDUMA.example"), "200"),
        case("cookie crumbs", with("GET", &[("cookie", "a=1"), ("cookie", "b=2")]), "200"),
        case("bytes beyond ASCII in a value", with("GET", &[("x-a", "\u{e9}")]), "200"),
        case("an empty value", with("GET", &[("x-a", "")]), "200"),
        case("https", instead(":scheme", "https"), "200"),
        case("traceparent", with("GET", &[("traceparent", "00-1-2-01")]), "200"),
        case("expect", with("POST", &[("expect", "100-continue")]), "200"),
        case("another host", instead(":authority", "other.example"), "421"),
        body("body too large by its head", { let mut f = base("POST", "/small"); f.push(("content-length", "11".into())); f }, data(b"01234567890"), "413"),
        body("body too large", base("POST", "/small"), data(b"01234567890"), "413"),
        case("fields without number", with("GET", &many), "431"),
        case("connection", with("GET", &[("connection", "close")]), ""),
        case("keep-alive", with("GET", &[("keep-alive", "timeout=5")]), ""),
        case("proxy-connection", with("GET", &[("proxy-connection", "close")]), ""),
        case("transfer-encoding", with("POST", &[("transfer-encoding", "chunked")]), ""),
        case("upgrade", with("GET", &[("upgrade", "h2c")]), ""),
        case("te gzip", with("GET", &[("te", "gzip")]), ""),
        case("LF in a value", with("GET", &[("x-a", "b\nc")]), ""),
        case("CR in a value", with("GET", &[("x-a", "b\rc")]), ""),
        case("CRLF and a field in a value", with("GET", &[("x-a", "b\r\nhost: evil")]), ""),
        case("NUL in a value", with("GET", &[("x-a", "b\0c")]), ""),
        case("capitals in a name", with("GET", &[("X-A", "b")]), ""),
        case("a blank in a name", with("GET", &[("x a", "b")]), ""),
        case("a colon in a name", with("GET", &[("x:a", "b")]), ""),
        case("LF in a name", with("GET", &[("x\na", "b")]), ""),
        case("NUL in a name", with("GET", &[("x\0a", "b")]), ""),
        case("an empty name", with("GET", &[("", "b")]), ""),
        case("no method", without(":method", &[]), ""),
        case("no scheme", without(":scheme", &[]), ""),
        case("no path", without(":path", &[]), ""),
        case("no authority, no host", without(":authority", &[]), ""),
        case("two methods", with("GET", &[(":method", "GET")]), ""),
        case("two schemes", with("GET", &[(":scheme", "http")]), ""),
        case("two paths", with("GET", &[(":path", "/d")]), ""),
        case("two authorities", with("GET", &[(":authority", "huduma.example")]), ""),
        case("an unknown pseudo-field", with("GET", &[(":other", "x")]), ""),
        case("status in a request", with("GET", &[(":status", "200")]), ""),
        case("a pseudo-field after others", { let mut f = without(":path", &[("x-a", "b")]); f.push((":path", "/c".into())); f }, ""),
        case("an empty path", instead(":path", ""), ""),
        case("a path without slash", instead(":path", "c"), ""),
        case("a star for GET", instead(":path", "*"), ""),
        case("a whole address for path", instead(":path", "http://huduma.example/c"), ""),
        case("a path with a blank", instead(":path", "/c d"), ""),
        case("a path with LF", instead(":path", "/c\nd"), ""),
        case("a path with CRLF", instead(":path", "/c HTTP/1.1\r\nhost: evil"), ""),
        case("a path with NUL", instead(":path", "/c\0"), ""),
        case("a path with a backslash", instead(":path", "/c\\d"), ""),
        case("a path with an encoded NUL", instead(":path", "/c%00"), ""),
        case("a path beyond ASCII", instead(":path", "/c\u{e9}"), ""),
        case("an empty method", instead(":method", ""), ""),
        case("a method with a blank", instead(":method", "GET /x"), ""),
        case("authority with a user", instead(":authority", "a@huduma.example"), ""),
        case("authority with a slash", instead(":authority", "huduma.example/x"), ""),
        case("authority with a comma", instead(":authority", "huduma.example,evil"), ""),
        case("authority with a blank", instead(":authority", "huduma example"), ""),
        case("an empty authority", instead(":authority", ""), ""),
        case("host against authority", with("GET", &[("host", "evil.example")]), ""),
        case("two hosts", without(":authority", &[("host", "huduma.example"), ("host", "evil.example")]), ""),
        body("length too small", with("POST", &[("content-length", "2")]), data(b"abc"), ""),
        body("length too large", with("POST", &[("content-length", "4")]), data(b"abc"), ""),
        body("two lengths", with("POST", &[("content-length", "3"), ("content-length", "4")]), data(b"abc"), ""),
        body("length +3", with("POST", &[("content-length", "+3")]), data(b"abc"), ""),
        body("length of letters", with("POST", &[("content-length", "x")]), data(b"abc"), ""),
        case("length without a body", with("GET", &[("content-length", "3")]), ""),
        // h2 leaves it out instead of refusing the request (RFC 9113 section 8.1); nothing of it goes on.
        body("a pseudo-field at the end", base("POST", "/c"), trailers(&[(":path", "/d")]), ""),
        body("a length in trailers", base("POST", "/c"), trailers(&[("content-length", "9"), ("host", "evil")]), "200"),
        case("a blank before a value", with("GET", &[("x-a", " b")]), ""),
        case("a tab after a value", with("GET", &[("x-a", "b\t")]), ""),
        body("trailers in capitals", base("POST", "/c"), trailers(&[("X-Sum", "1")]), ""),
        case("connect", vec![(":method", "CONNECT".into()), (":authority", "huduma.example:80".into())], ""),
        case("a head too large", with("GET", &[("x-a", &*Box::leak("x".repeat(60_000).into_boxed_str()))]), ""),
    ]
}

#[test]
fn requests_are_served_or_refused_and_arrive_unambiguous() {
    let origin = Recorder::start();
    let boma = house(&origin);
    let cases = cases();
    assert!(cases.len() >= 70, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        origin.take();
        let mut conn = Conn::open(boma.at());
        let fields: Vec<(&str, &str)> = case.fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let block = block(&fields);
        let end = if case.body.is_none() { END_STREAM } else { 0 };
        let mut pieces = block.chunks(16_000);
        let first = pieces.next().unwrap();
        let rest: Vec<&[u8]> = pieces.collect();
        let mut sent = frame(HEADERS, end | if rest.is_empty() { END_HEADERS } else { 0 }, 1, first);
        for (i, piece) in rest.iter().enumerate() {
            let flags = if i + 1 == rest.len() { END_HEADERS } else { 0 };
            sent.extend_from_slice(&frame(CONTINUATION, flags, 1, piece));
        }
        sent.extend_from_slice(case.body.as_deref().unwrap_or(&[]));
        conn.send(&sent);
        let came = conn.until("answer", |came| match came {
            Came::Status(1, status) if !status.starts_with('1') => Some(status.clone()),
            Came::Reset(1, _) | Came::Goaway(_) | Came::Closed => Some("refused".into()),
            _ => None,
        });
        let came = came.unwrap_or_else(|why| why);
        let fine = match case.want {
            "" => came == "refused" || came.starts_with('4'),
            want => came == want,
        };
        if !fine {
            wrong.push(format!("{}: {came} for {:?}", case.name, case.want));
        }
        let seen = origin.take();
        let reached = seen.iter().all(|s| s.as_ref().is_ok_and(|s| s.line.contains("/c") || s.line == "OPTIONS *"));
        if !reached || seen.len() != usize::from(case.want == "200") {
            wrong.push(format!("{}: reached the origin: {seen:?}", case.name));
        }
        if case.name == "cookie crumbs" && !seen[0].as_ref().unwrap().head.contains("cookie: a=1; b=2\r") {
            wrong.push(format!("cookies: {seen:?}"));
        }
        if case.name.contains("in trailers") && !seen.iter().flatten().all(|s| s.body == b"abc") {
            wrong.push(format!("{}: {seen:?}", case.name));
        }
        if case.name == "trailers" && !seen[0].as_ref().unwrap().body.ends_with(b"|trailers:x-sum: 1") {
            wrong.push(format!("trailers: {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// What a connection's misbehaviour must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    /// GOAWAY or the end.
    ToGoaway,
    /// A reset of the stream, or more.
    ToReset,
    /// Nothing: a good request is answered after it.
    Nowhere,
}

#[rustfmt::skip]
fn behaviour() -> Vec<(&'static str, Vec<u8>, Leads)> {
    use Leads::{Nowhere, ToGoaway, ToReset};
    let text: Vec<(&str, String)> = base("POST", "/c");
    let fields: Vec<(&str, &str)> = text.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let head = block(&fields);
    let open = |stream| frame(HEADERS, END_HEADERS, stream, &head);
    let whole = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &head);
    let setting = |id: u16, value: u32| frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let window = |stream, by: u32| frame(WINDOW, 0, stream, &by.to_be_bytes());
    vec![
        ("4.1 a frame of unknown kind", frame(0x16, 0, 0, b"12345678"), Nowhere),
        ("4.1 undefined flags", frame(PING, 0x16, 0, b"12345678"), Nowhere),
        ("4.1 the reserved bit", frame(PING, 0, 0x8000_0000, b"12345678"), Nowhere),
        ("4.2 data too large", [open(1), frame(DATA, 0, 1, &[0; 16385])].concat(), ToGoaway),
        ("4.2 headers too large", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0; 16385]), ToGoaway),
        ("4.3 an invalid block", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40"), ToGoaway),
        ("4.3 priority within a block", [frame(HEADERS, END_STREAM, 1, &head), frame(PRIORITY, 0, 1, b"\0\0\0\0\x0f")].concat(), ToGoaway),
        ("4.3 another stream's headers within a block", [frame(HEADERS, END_STREAM, 1, &head), whole(3)].concat(), ToGoaway),
        ("5.1 data on an idle stream", frame(DATA, END_STREAM, 1, b"x"), ToGoaway),
        ("5.1 reset of an idle stream", frame(RST, 0, 1, &[0; 4]), ToGoaway),
        ("5.1 window of an idle stream", window(1, 100), ToGoaway),
        ("5.1 continuation on an idle stream", frame(CONTINUATION, END_HEADERS, 1, &head), ToGoaway),
        ("5.1 data after the end", [whole(1), frame(DATA, END_STREAM, 1, b"x")].concat(), ToReset),
        ("5.1 headers after the end", [whole(1), whole(1)].concat(), ToReset),
        ("5.1 continuation after the end", [whole(1), frame(CONTINUATION, END_HEADERS, 1, &head)].concat(), ToGoaway),
        ("5.1 data after a reset", [open(1), frame(RST, 0, 1, &8u32.to_be_bytes()), frame(DATA, END_STREAM, 1, b"x")].concat(), Nowhere),
        ("5.1 headers after a reset", [open(1), frame(RST, 0, 1, &8u32.to_be_bytes()), whole(1)].concat(), ToReset),
        ("5.1 priority on an idle stream", frame(PRIORITY, 0, 5, b"\0\0\0\0\x0f"), Nowhere),
        ("5.1.1 an even stream", whole(2), ToGoaway),
        ("5.1.1 a smaller stream", [whole(5), whole(3)].concat(), ToGoaway),
        ("5.3.1 headers that depend on themselves", frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, &[&b"\0\0\0\x01\x0f"[..], &head].concat()), ToReset),
        ("5.3.1 priority that depends on itself", frame(PRIORITY, 0, 1, b"\0\0\0\x01\x0f"), ToReset),
        ("6.1 data on stream 0", frame(DATA, END_STREAM, 0, b"x"), ToGoaway),
        ("6.1 padding longer than data", [open(1), frame(DATA, END_STREAM | PADDED, 1, b"\x10x")].concat(), ToGoaway),
        ("6.2 headers with priority", frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, &[&b"\0\0\0\0\x0f"[..], &head].concat()), Nowhere),
        ("6.2 headers on stream 0", whole(0), ToGoaway),
        ("6.2 padding longer than headers", frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, &[&[200][..], &head[..20]].concat()), ToGoaway),
        ("6.2 padded headers", frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, &[&[2][..], &head, &[0, 0]].concat()), Nowhere),
        ("6.3 priority on stream 0", frame(PRIORITY, 0, 0, b"\0\0\0\0\x0f"), ToGoaway),
        ("6.3 priority of a wrong length", [open(1), frame(PRIORITY, 0, 1, b"\0\0\0\0")].concat(), ToReset),
        ("6.4 reset on stream 0", frame(RST, 0, 0, &[0; 4]), ToGoaway),
        ("6.4 reset of a wrong length", [open(1), frame(RST, 0, 1, &[0; 3])].concat(), ToGoaway),
        ("6.5 settings with ack and payload", frame(SETTINGS, 1, 0, &[0; 6]), ToGoaway),
        ("6.5 settings on a stream", frame(SETTINGS, 0, 1, &[]), ToGoaway),
        ("6.5 settings of a wrong length", frame(SETTINGS, 0, 0, &[0; 3]), ToGoaway),
        ("6.5.2 push of 2", setting(2, 2), ToGoaway),
        ("6.5.2 a window of 2^31", setting(4, 1 << 31), ToGoaway),
        ("6.5.2 frames of 16383", setting(5, 16383), ToGoaway),
        ("6.5.2 frames of 2^24", setting(5, 1 << 24), ToGoaway),
        ("6.5.2 an unknown setting", setting(0xff, 1), Nowhere),
        ("6.5.3 many settings", [setting(3, 100), setting(4, 65535), setting(4, 70000)].concat(), Nowhere),
        ("6.6 push from a client", [open(1), frame(PUSH, END_HEADERS, 1, &[&2u32.to_be_bytes()[..], &head].concat())].concat(), ToGoaway),
        ("6.7 ping on a stream", frame(PING, 0, 1, b"12345678"), ToGoaway),
        ("6.7 ping of a wrong length", frame(PING, 0, 0, b"123456"), ToGoaway),
        ("6.7 a pong that nobody asked for", frame(PING, 1, 0, b"12345678"), Nowhere),
        ("6.8 goaway on a stream", frame(GOAWAY, 0, 1, &[0; 8]), ToGoaway),
        ("6.9 window by 0", window(0, 0), ToGoaway),
        ("6.9 a stream's window by 0", [open(1), window(1, 0)].concat(), ToReset),
        ("6.9 window of a wrong length", frame(WINDOW, 0, 0, &[0; 3]), ToGoaway),
        ("6.9.1 window beyond 2^31", [window(0, 0x7fff_ffff), window(0, 0x7fff_ffff)].concat(), ToGoaway),
        ("6.9.1 a stream's window beyond 2^31", [open(1), window(1, 0x7fff_ffff), window(1, 0x7fff_ffff)].concat(), ToReset),
        ("6.10 continuations", [frame(HEADERS, END_STREAM, 1, &head[..10]), frame(CONTINUATION, 0, 1, &head[10..20]), frame(CONTINUATION, END_HEADERS, 1, &head[20..])].concat(), Nowhere),
        ("6.10 data within a block", [frame(HEADERS, 0, 1, &head), frame(DATA, END_STREAM, 1, b"x")].concat(), ToGoaway),
        ("6.10 continuation on stream 0", [frame(HEADERS, END_STREAM, 1, &head), frame(CONTINUATION, END_HEADERS, 0, &head)].concat(), ToGoaway),
        ("6.10 continuation after the block", [open(1), frame(CONTINUATION, END_HEADERS, 1, &head)].concat(), ToGoaway),
        ("8.1 a second head without end", [open(1), frame(HEADERS, END_HEADERS, 1, &block(&[("x-a", "b")]))].concat(), ToReset),
        ("HPACK 2.3.3 an index that is none", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[&head[..], &[0xff, 0x60]].concat()), ToGoaway),
        ("HPACK 4.2 a table too large", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[&[0x3f, 0xe1, 0xff, 0x03][..], &head].concat()), ToGoaway),
        ("HPACK 6.1 index 0", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[&head[..], &[0x80]].concat()), ToGoaway),
    ]
}

#[test]
fn connections_are_held_to_their_protocol() {
    let origin = Recorder::start();
    let boma = house(&origin);
    let all = behaviour();
    assert!(all.len() >= 40);
    let mut wrong = Vec::new();
    for (name, bytes, leads) in &all {
        let mut conn = Conn::open(boma.at());
        conn.send(bytes);
        let got = match leads {
            Leads::Nowhere => conn.good(101).map(|s| s == "200"),
            Leads::ToGoaway | Leads::ToReset => conn.until("refusal", |came| match came {
                Came::Goaway(_) | Came::Closed => Some(true),
                Came::Reset(..) => (*leads == Leads::ToReset).then_some(true),
                _ => None,
            }),
        };
        if got != Ok(true) {
            wrong.push(format!("{name}: {leads:?} wanted, {got:?}"));
        }
    }
    let mut conn = Conn::raw(boma.at());
    conn.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    conn.until("end", |came| matches!(came, Came::Closed | Came::Goaway(_) | Came::Other(_)).then_some(())).unwrap();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn pings_windows_and_settings_are_answered() {
    let origin = Recorder::start();
    let boma = house(&origin);
    let mut conn = Conn::open(boma.at());
    conn.send(&frame(PING, 0, 0, b"abcdefgh"));
    let (mut ack, mut pong) = (false, false);
    conn.until("pong and ack", |came| {
        ack |= *came == Came::Ack;
        pong |= *came == Came::Pong(b"abcdefgh".to_vec());
        (ack && pong).then_some(())
    })
    .unwrap();
    // No window: the head comes and the body waits for one.
    let mut conn = Conn::raw(boma.at());
    conn.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])].concat());
    assert_eq!(conn.good(1).unwrap(), "200");
    assert_eq!(conn.next(Duration::from_millis(200)).filter(|c| matches!(c, Came::Data(..))), None);
    conn.send(&frame(WINDOW, 0, 1, &1u32.to_be_bytes()));
    let one = conn.until("one byte", |came| if let Came::Data(1, n, _) = came { Some(*n) } else { None });
    assert_eq!(one, Ok(1));
    conn.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 100]));
    let rest = conn.until("the rest", |came| if let Came::Data(1, n, true) = came { Some(*n) } else { None });
    assert_eq!(rest, Ok(3));
}

#[test]
fn an_early_answer_to_an_upload_arrives_over_http2_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 422 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        }
    });
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start(address);
    let mut conn = Conn::open(boma.at());
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/up"), (":authority", "huduma.example")];
    conn.send(&[frame(HEADERS, END_HEADERS, 1, &block(&fields)), frame(DATA, 0, 1, &[0; 16000])].concat());
    let status = conn.until("status", |c| if let Came::Status(1, s) = c { Some(s.clone()) } else { None });
    assert_eq!(status.as_deref(), Ok("422"));
    conn.until("the body", |c| matches!(c, Came::Data(1, 2, true)).then_some(())).unwrap();
}

#[test]
fn a_connection_that_floods_is_told_why_it_ends() {
    let origin = Recorder::start();
    let boma = house(&origin);
    let mut conn = Conn::open(boma.at());
    assert_eq!(conn.good(1).as_deref(), Ok("200"));
    // In steps, each answered, so that the end is not overtaken by what was still on its way.
    let mut came = None;
    for _ in 0..100 {
        conn.send(&frame(PING, 0, 0, b"12345678").repeat(20));
        let mut pongs = 0;
        came = conn
            .until("pongs or the end", |c| match c {
                Came::Pong(_) => {
                    pongs += 1;
                    (pongs == 20).then_some(None)
                }
                Came::Goaway(code) => Some(Some(*code)),
                _ => None,
            })
            .unwrap();
        if came.is_some() {
            break;
        }
    }
    assert_eq!(came, Some(11), "ENHANCE_YOUR_CALM");
}
