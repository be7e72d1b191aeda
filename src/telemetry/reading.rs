//! Access logs, read back: boma's own JSON, and the formats of Apache and nginx (combined, common, vhost_combined).
//! A line is a pure question: [`line`] says what request it tells of, or why none.
//!
//! Does not know: files, rules, what becomes of a request.

use std::borrow::Cow;
use std::io::{self, BufRead};
use std::net::IpAddr;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use memchr::{memchr, memmem};
use serde::Deserialize;

use super::recent::Fact;
use crate::bounds;
use crate::facts::{Kind, Pass};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// boma's own.
    Json,
    /// Apache's and nginx's combined, common and vhost_combined.
    Combined,
}

impl Format {
    pub const ALL: [Format; 2] = [Format::Json, Format::Combined];

    pub fn as_str(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Combined => "combined",
        }
    }
}

/// A request, as an access log tells of it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Nanoseconds since the Unix epoch.
    pub at: u64,
    /// Its authority is empty where the line has no host.
    pub fact: Fact,
    /// A guess, where the line does not say it.
    pub kind: Kind,
    /// The origin's own status, where it was asked.
    pub origin: Option<u16>,
    /// Nanoseconds that the answer took.
    pub took: Option<u64>,
    pub holds: Holds,
}

/// What is known of requests beside time, client, method and path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    pub host: bool,
    pub scheme: bool,
    pub query: Query,
    pub user_agent: bool,
    pub referrer: bool,
    pub kind: bool,
    /// Whether there was a pass; never whose.
    pub pass: bool,
    pub took: bool,
}

/// How much of queries is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    #[default]
    Nothing,
    Names,
    Whole,
}

impl Holds {
    /// What either holds.
    pub fn or(self, other: Holds) -> Holds {
        Holds {
            host: self.host || other.host,
            scheme: self.scheme || other.scheme,
            query: self.query.max(other.query),
            user_agent: self.user_agent || other.user_agent,
            referrer: self.referrer || other.referrer,
            kind: self.kind || other.kind,
            pass: self.pass || other.pass,
            took: self.took || other.took,
        }
    }
}

/// Why a line tells of no request that rules could be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is no line of this format; what was missed.
    Wrong(&'static str),
    /// What came was no request: TLS on a plain port, a connection that ended early.
    NoRequest,
    /// It was for boma's own paths.
    Own,
    /// It was for no portal: another host, a banned client, a head that could not be read.
    NoPortal,
}

/// The request that a line tells of. The line comes without its end.
///
/// # Errors
/// Why there is none.
pub fn line(format: Format, bytes: &[u8]) -> Result<Logged, Unread> {
    match format {
        Format::Json => json(bytes),
        Format::Combined => combined(bytes),
    }
}

/// Which format most lines of a sample have, `None` where nothing of it can be read (as `wanted`, where somebody says); and
/// what the lines hold.
pub fn detect(wanted: Option<Format>, sample: &[u8]) -> Option<(Format, Holds)> {
    let seen = Format::ALL.into_iter().filter(|f| wanted.is_none_or(|w| w == *f)).map(|format| {
        let lines = sample.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
        let read = lines.filter_map(|bytes| match line(format, bytes) {
            Ok(logged) => Some(logged.holds),
            Err(Unread::Wrong(_)) => None,
            Err(_) => Some(Holds::default()),
        });
        let (count, holds) = read.fold((0, Holds::default()), |(n, all), holds| (n + 1, all.or(holds)));
        (count, format, holds)
    });
    let (count, format, holds) = seen.max_by_key(|(count, ..)| *count)?;
    (count > 0).then_some((format, holds))
}

/// Lines of a file, each of at most [`bounds::REPLAY_LINE_BYTES`].
pub struct Lines<R> {
    from: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub fn new(from: R) -> Lines<R> {
        Lines { from, line: Vec::new() }
    }

    /// The next line without its end, and its bytes with it; `None` at the end of the file. A line that is too long is empty.
    ///
    /// # Errors
    /// The system's.
    pub fn next(&mut self) -> io::Result<Option<(&[u8], usize)>> {
        self.line.clear();
        let (mut bytes, mut fits) = (0, true);
        loop {
            let there = match self.from.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                there => there?,
            };
            let end = memchr(b'\n', there);
            let piece = &there[..end.unwrap_or(there.len())];
            fits &= self.line.len() + piece.len() <= bounds::REPLAY_LINE_BYTES;
            if fits {
                self.line.extend_from_slice(piece);
            }
            let (used, last) = (piece.len() + usize::from(end.is_some()), there.is_empty());
            self.from.consume(used);
            bytes += used;
            if end.is_some() || last {
                break;
            }
        }
        if !fits {
            self.line.clear();
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        Ok((bytes > 0).then_some((line, bytes)))
    }
}

/// A line of boma's own.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(rename = "@timestamp", borrow)]
    at: Cow<'a, str>,
    #[serde(rename = "client.ip", borrow)]
    client: Cow<'a, str>,
    #[serde(rename = "http.request.method")]
    method: Box<str>,
    #[serde(rename = "url.domain")]
    host: Box<str>,
    #[serde(rename = "url.path")]
    path: Box<str>,
    #[serde(rename = "url.query")]
    query: Option<Box<str>>,
    #[serde(rename = "url.scheme", default, borrow)]
    scheme: Cow<'a, str>,
    #[serde(rename = "user_agent.original")]
    user_agent: Option<String>,
    #[serde(rename = "http.request.referrer")]
    referrer: Option<String>,
    #[serde(rename = "http.response.status_code")]
    status: u16,
    #[serde(rename = "boma.portal", borrow)]
    portal: Cow<'a, str>,
    #[serde(rename = "boma.reason", borrow)]
    reason: Cow<'a, str>,
    #[serde(rename = "boma.kind", default, borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "boma.pass")]
    pass: Option<u8>,
    #[serde(rename = "event.duration")]
    took: Option<u64>,
}

fn json(bytes: &[u8]) -> Result<Logged, Unread> {
    let read: Json<'_> =
        serde_json::from_slice(bytes).map_err(|_| Unread::Wrong("no JSON line of boma's access log"))?;
    let time = read.at.parse::<jiff::Timestamp>().ok().and_then(|t| u64::try_from(t.as_nanosecond()).ok());
    let at = time.ok_or(Unread::Wrong("\"@timestamp\" is no time"))?;
    let address = read.client.parse().map_err(|_| Unread::Wrong("\"client.ip\" is no address"))?;
    if matches!(&*read.reason, "own" | "own.not_found" | "challenge.solved" | "challenge.failed") {
        return Err(Unread::Own);
    }
    if read.portal.is_empty() {
        return Err(Unread::NoPortal);
    }
    let kind = Kind::ALL.into_iter().find(|k| k.as_str() == read.kind);
    let agent = read.user_agent.as_deref().unwrap_or_default();
    let known = kind.unwrap_or_else(|| guess(&read.method, &read.path, agent.as_bytes()));
    let query = match &read.query {
        Some(query) if query.contains('=') => Query::Whole,
        Some(_) => Query::Names,
        None => Query::Nothing,
    };
    let holds = Holds {
        host: true,
        scheme: !read.scheme.is_empty(),
        query,
        user_agent: true,
        referrer: true,
        kind: kind.is_some(),
        pass: true,
        took: read.took.is_some(),
    };
    let pass = read.pass.map(|level| pass(address, agent.as_bytes(), level, at));
    let mut fields = Vec::with_capacity(2);
    for (name, value) in [("user-agent", read.user_agent), ("referer", read.referrer)] {
        fields.extend(value.map(|v| (name.into(), v.into_bytes().into())));
    }
    let scheme = if read.scheme == "http" { "http" } else { "https" };
    let Json { method, host: authority, path, query, .. } = read;
    let fact = Fact { method, scheme, authority, path, query, fields, address, pass };
    let origin = matches!(&*read.reason, "served" | "origin.error").then_some(read.status);
    Ok(Logged { at, fact, kind: known, origin, took: read.took, holds })
}

/// Whose pass it was no log says: those of one address and one browser count as one.
fn pass(address: IpAddr, agent: &[u8], level: u8, at: u64) -> Pass {
    use std::hash::{Hash, Hasher};
    let hash = |seed: u8| {
        let mut hasher = siphasher::sip::SipHasher13::new();
        (seed, address, agent).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    // As young as can be: nobody is taken for a citizen of long standing on a guess.
    let born = at / crate::clock::SECOND;
    Pass { id: hash(0) << 64 | hash(1), level, born, expires: u64::MAX }
}

/// What kind of thing asked, from what every log holds.
fn guess(method: &str, path: &str, agent: &[u8]) -> Kind {
    const ASSETS: [&str; 17] = [
        "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "avif", "woff", "woff2", "ttf",
        "mp4", "wasm",
    ];
    if memmem::find(agent, b"Mozilla/").is_none() {
        return Kind::Program;
    }
    let end = path.rsplit('/').next().and_then(|last| last.rsplit_once('.')).map_or("", |(_, end)| end);
    let asset = method == "GET" && ASSETS.iter().any(|a| a.eq_ignore_ascii_case(end));
    if asset { Kind::Subresource } else { Kind::Navigation }
}

/// `[vhost ]client ident user [time] "request" status bytes[ "referrer" "agent"[ …]]`
fn combined(bytes: &[u8]) -> Result<Logged, Unread> {
    let mut rest = bytes;
    let first = word(&mut rest);
    let (host, address) = match address(first) {
        Some(client) => (&b""[..], client),
        None => (first, address(word(&mut rest)).ok_or(Unread::Wrong("no address where the client's stands"))?),
    };
    let at = timed(&mut rest).ok_or(Unread::Wrong("no [time] such as [14/Nov/2023:22:13:20 +0000]"))?;
    let request = quoted(&mut rest).ok_or(Unread::Wrong("no \"request\" in quotes behind the time"))?;
    let (status, size) = (word(&mut rest), word(&mut rest));
    let number = |text: &[u8]| text == b"-" || (!text.is_empty() && text.iter().all(u8::is_ascii_digit));
    if !number(status) || !number(size) {
        return Err(Unread::Wrong("no status and size behind the request"));
    }
    let (referrer, agent) = (quoted(&mut rest), quoted(&mut rest));
    let named = agent.is_some();
    let said = |value: &Cow<'_, [u8]>| !matches!(&**value, b"" | b"-");
    let (referrer, agent) = (referrer.filter(said), agent.filter(said));
    let request = String::from_utf8_lossy(&request);
    let asked = Asked::read(&request).ok_or(Unread::NoRequest)?;
    let authority = asked.authority.map_or(String::from_utf8_lossy(host), Cow::Borrowed);
    let kind = guess(asked.method, asked.path, agent.as_deref().unwrap_or_default());
    let holds = Holds {
        host: !authority.is_empty(),
        query: if asked.query.is_some() { Query::Whole } else { Query::Nothing },
        user_agent: named,
        referrer: named,
        ..Holds::default()
    };
    let mut fields = Vec::with_capacity(2);
    for (name, value) in [("user-agent", agent), ("referer", referrer)] {
        fields.extend(value.map(|v| (name.into(), v.into_owned().into())));
    }
    let fact = Fact {
        method: asked.method.into(),
        scheme: "https",
        authority: authority.into(),
        path: asked.path.into(),
        query: asked.query.map(Into::into),
        fields,
        address,
        pass: None,
    };
    let origin = std::str::from_utf8(status).ok().and_then(|s| s.parse().ok());
    Ok(Logged { at, fact, kind, origin, took: None, holds })
}

/// A request's first line.
struct Asked<'a> {
    method: &'a str,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn read(line: &'a str) -> Option<Asked<'a>> {
        let (method, rest) = line.split_once(' ')?;
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if method.is_empty() || !method.bytes().all(token) {
            return None;
        }
        // Blanks within a target are the client's mistake, and its own.
        let target = match rest.rsplit_once(' ') {
            Some((target, version)) if version.starts_with("HTTP/") => target,
            _ => rest,
        };
        let (authority, target) = match target.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                (Some(&rest[..end]), if end == rest.len() { "/" } else { &rest[end..] })
            }
            _ => (None, target),
        };
        if !target.starts_with(['/', '?']) && target != "*" {
            return None;
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        Some(Asked { method, authority, path: if path.is_empty() { "/" } else { path }, query })
    }
}

/// Takes what stands before the next blank.
fn word<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let all = rest.trim_ascii_start();
    let (word, after) = all.split_at(memchr(b' ', all).unwrap_or(all.len()));
    *rest = after;
    word
}

fn address(text: &[u8]) -> Option<IpAddr> {
    let bare = text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]")).unwrap_or(text);
    std::str::from_utf8(bare).ok()?.parse().ok()
}

/// Takes up to the end of `[time]`. Users' names stand before it, and may hold blanks and brackets.
fn timed(rest: &mut &[u8]) -> Option<u64> {
    const LENGTH: usize = "14/Nov/2023:22:13:20 +0000".len();
    let mut from = 0;
    loop {
        let open = from + memchr(b'[', rest.get(from..)?)?;
        let text = rest.get(open + 1..open + 1 + LENGTH)?;
        if rest.get(open + 1 + LENGTH) == Some(&b']')
            && let Some(at) = time(text)
        {
            *rest = &rest[open + LENGTH + 2..];
            return Some(at);
        }
        from = open + 1;
    }
}

/// `14/Nov/2023:22:13:20 +0000`, in nanoseconds since the Unix epoch.
fn time(text: &[u8]) -> Option<u64> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let number = |at: usize, digits: usize| {
        let text = &text[at..at + digits];
        text.iter().all(u8::is_ascii_digit).then(|| text.iter().fold(0i16, |n, b| n * 10 + i16::from(b - b'0')))
    };
    let signs = [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':'), (20, b' ')];
    if !signs.iter().all(|(at, sign)| text[*at] == *sign) {
        return None;
    }
    let month = MONTHS.chunks(3).position(|m| m == &text[3..6])? as i8 + 1;
    let small = |at: usize| number(at, 2).map(|n| n as i8);
    let civil = DateTime::new(number(7, 4)?, month, small(0)?, small(12)?, small(15)?, small(18)?, 0).ok()?;
    let minutes = i32::from(number(22, 2)?) * 60 + i32::from(number(24, 2)?);
    let offset = match text[21] {
        b'+' => minutes * 60,
        b'-' => -minutes * 60,
        _ => return None,
    };
    let stamp = Offset::from_seconds(offset).ok()?.to_timestamp(civil).ok()?;
    u64::try_from(stamp.as_nanosecond()).ok()
}

/// Takes a text in quotes, and undoes escapes: `\"`, `\\`, `\xhh` and C's. `None` where there is none, or it does not end.
fn quoted<'a>(rest: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let text = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let mut end = memchr(b'"', text)?;
    // A quote behind an odd number of backslashes is the text's own.
    while text[..end].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1 {
        end += 1 + memchr(b'"', &text[end + 1..])?;
    }
    *rest = &text[end + 1..];
    let text = &text[..end];
    Some(if memchr(b'\\', text).is_none() { Cow::Borrowed(text) } else { Cow::Owned(unescaped(text)) })
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let digit = |b: &u8| char::from(*b).to_digit(16);
    while let [first, tail @ ..] = rest {
        let (byte, after) = match (first, tail) {
            (b'\\', [b'x', high, low, after @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                ((digit(high).unwrap_or(0) * 16 + digit(low).unwrap_or(0)) as u8, after)
            }
            (b'\\', [sign @ (b'"' | b'\\'), after @ ..]) => (*sign, after),
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'v', after @ ..]) => (0x0b, after),
            (b'\\', [b'f', after @ ..]) => (0x0c, after),
            (b'\\', [b'b', after @ ..]) => (0x08, after),
            _ => (*first, tail),
        };
        out.push(byte);
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Head;

    const AT: u64 = 1_700_000_000_000_000_000;

    fn read(text: &str) -> Logged {
        combined(text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why:?}"))
    }

    /// Method, authority, path, query, agent, referrer.
    fn told(text: &str) -> [String; 6] {
        let fact = read(text).fact;
        let field = |name: &str| fact.field(name).map_or("-".into(), |v| String::from_utf8_lossy(v).into_owned());
        let query = fact.query.as_deref().unwrap_or("-").to_owned();
        [
            fact.method.to_string(),
            fact.authority.to_string(),
            fact.path.to_string(),
            query,
            field("user-agent"),
            field("referer"),
        ]
    }

    #[test]
    fn combined_common_and_vhost_lines_are_told_apart_by_themselves() {
        for (line, told_as) in [
            (
                r#"192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET /a?id=1&b HTTP/1.1" 200 42 "https://x.example/p" "curl/8""#,
                ["GET", "", "/a", "id=1&b", "curl/8", "https://x.example/p"],
            ),
            (
                r#"192.0.2.7 - - [15/Nov/2023:01:13:20 +0300] "POST /a HTTP/2.0" 499 - "-" "-" 0.003"#,
                ["POST", "", "/a", "-", "-", "-"],
            ),
            (r#"192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.0" 304 -"#, ["GET", "", "/", "-", "-", "-"]),
            (
                r#"huduma.example:443 2001:db8::7 - "Asha [a] O" [14/Nov/2023:22:13:20 +0000] "GET /x HTTP/1.1" 200 1 "-" "M""#,
                ["GET", "huduma.example:443", "/x", "-", "M", "-"],
            ),
            (
                r#"::ffff:192.0.2.7 - Ali [1] [14/Nov/2023:22:13:20 +0000] "GET https://h.example?q HTTP/1.1" 200 1 "" "a \"b\" \\ \x00\xff\t""#,
                ["GET", "h.example", "/", "q", "a \"b\" \\ \0\u{fffd}\t", "-"],
            ),
            (
                r#"192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET /a b?c d HTTP/1.1" 200 1"#,
                ["GET", "", "/a b", "c d", "-", "-"],
            ),
            (
                r#"192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "OPTIONS * HTTP/1.1" 200 1"#,
                ["OPTIONS", "", "*", "-", "-", "-"],
            ),
        ] {
            assert_eq!(told(line), told_as.map(str::to_owned), "{line}");
            assert_eq!(read(line).at, AT, "{line}");
        }
        let common = read(r#"192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.0" 304 -"#);
        assert!(!common.holds.user_agent && !common.holds.host && common.origin == Some(304));
        assert_eq!(common.kind, Kind::Program);
        let browser = |path: &str| {
            read(&format!(r#"::1 - - [14/Nov/2023:22:13:20 +0000] "GET {path} HTTP/1.1" 200 1 "-" "Mozilla/5.0""#)).kind
        };
        assert_eq!((browser("/a.b/c"), browser("/a.CSS?v=1.2")), (Kind::Navigation, Kind::Subresource));
    }

    #[test]
    fn what_is_no_line_or_no_request_says_so() {
        let why = |text: &str| combined(text.as_bytes()).map(|l| l.fact.path).unwrap_err();
        for (line, missed) in [
            ("", "address"),
            ("hello world", "address"),
            ("host.example - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 200 1", "address"),
            ("192.0.2.7 - - [14/Nov/2023:22:13:20] \"GET / HTTP/1.1\" 200 1", "time"),
            ("192.0.2.7 - - [31/Feb/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 200 1", "time"),
            ("192.0.2.7 - - [14/Nov/1923:22:13:20 +0000] \"GET / HTTP/1.1\" 200 1", "time"),
            ("192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] GET / HTTP/1.1 200 1", "request"),
            ("192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\\\" 200 1", "request"),
            ("192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" OK", "status"),
            ("192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.1\" 200", "status"),
        ] {
            assert!(matches!(why(line), Unread::Wrong(said) if said.contains(missed)), "{line}: {:?}", why(line));
        }
        for request in
            ["-", "", "\\x16\\x03\\x01", "GET", "CONNECT h.example:443 HTTP/1.1", "G(T / HTTP/1.1", "GET a HTTP/1.1"]
        {
            let line = format!("192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"{request}\" 400 1");
            assert_eq!(why(&line), Unread::NoRequest, "{request}");
        }
    }

    #[test]
    fn a_file_says_by_itself_what_it_is_and_what_it_holds() {
        let found = |lines: &[&str]| detect(None, lines.join("\n").as_bytes());
        assert_eq!(found(&["a", "{}", ""]), None);
        let plain = r#"192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET /a HTTP/1.1" 200 42 "-" "curl/8""#;
        let (format, holds) = found(&["rotated", plain, &plain.replace("/a", "/a?b=1")]).unwrap();
        assert_eq!(format, Format::Combined);
        assert_eq!(holds, Holds { query: Query::Whole, user_agent: true, referrer: true, ..Holds::default() });
    }

    #[test]
    fn lines_end_where_they_end_and_none_is_too_long() {
        let long = "x".repeat(bounds::REPLAY_LINE_BYTES + 1);
        let text = format!("one\r\n\n{long}\ntwo\n{}\nlast", &long[1..]);
        for room in [1, 7, 1 << 20] {
            let mut lines = Lines::new(io::BufReader::with_capacity(room, text.as_bytes()));
            let mut all = Vec::new();
            while let Some((line, bytes)) = lines.next().unwrap() {
                all.push((line.len(), bytes));
            }
            let most = bounds::REPLAY_LINE_BYTES;
            assert_eq!(all, [(3, 5), (0, 1), (0, most + 2), (3, 4), (most, most + 1), (4, 4)], "{room}");
        }
    }
}
