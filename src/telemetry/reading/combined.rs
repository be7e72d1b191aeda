//! Apache's and nginx's lines: combined, common and vhost_combined, told apart by themselves.
//!
//! Does not know: boma's own.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use memchr::memchr;

use super::{Holds, Logged, Query, Unread, guess};
use crate::telemetry::{Fact, Fate};

/// `[vhost ]client ident user [time] "request" status bytes[ "referrer" "agent"[ …]]`
pub fn read(bytes: &[u8]) -> Result<Logged, Unread> {
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
        fingerprint: None,
        pass: None,
        fate: Fate::default(),
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
    use crate::facts::Kind;
    use crate::wire::Head;

    const AT: u64 = 1_700_000_000_000_000_000;

    fn one(text: &str) -> Logged {
        read(text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why:?}"))
    }

    /// Method, authority, path, query, agent, referrer.
    fn told(text: &str) -> [String; 6] {
        let fact = one(text).fact;
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
            assert_eq!(one(line).at, AT, "{line}");
        }
        let common = one(r#"192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET / HTTP/1.0" 304 -"#);
        assert!(!common.holds.user_agent && !common.holds.host && common.origin == Some(304));
        assert_eq!(common.kind, Kind::Program);
        let browser = |path: &str| {
            one(&format!(r#"::1 - - [14/Nov/2023:22:13:20 +0000] "GET {path} HTTP/1.1" 200 1 "-" "Mozilla/5.0""#)).kind
        };
        assert_eq!((browser("/a.b/c"), browser("/a.CSS?v=1.2")), (Kind::Navigation, Kind::Subresource));
    }

    #[test]
    fn what_is_no_line_or_no_request_says_so() {
        let why = |text: &str| read(text.as_bytes()).map(|l| l.fact.path).unwrap_err();
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
}
