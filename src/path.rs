//! One spelling for every path: what the rules see is what the origin gets (RFC 3986 section 6.2.2).
//!
//! Does not know: queries, routes, rules.

use std::borrow::Cow;

/// Why a path is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// It does not begin with `/`.
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    Percent,
    /// `%00`, a control character, a backslash or a byte outside ASCII, plain or encoded where said.
    Forbidden,
}

/// Normalises a path: dot segments removed, unreserved characters decoded, hexadecimal digits in upper case;
/// `//` and `%2F` kept. Borrows where nothing is to be done.
///
/// # Errors
/// [`PathFault`]: `%00`, encoded or plain controls, a backslash (plain or encoded), malformed percent signs.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, PathFault> {
    if !path.starts_with('/') {
        return Err(PathFault::NotAbsolute);
    }
    let bytes = path.as_bytes();
    let (mut rewrite, mut before) = (false, 0);
    for &b in bytes {
        match b {
            b'%' => rewrite = true,
            b'.' => rewrite |= before == b'/',
            0..=0x20 | 0x7f..=0xff | b'\\' | b'#' | b'?' => return Err(PathFault::Forbidden),
            _ => {}
        }
        before = b;
    }
    if !rewrite {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode(bytes)?;
    let clean = remove_dot_segments(&decoded);
    Ok(if clean == path { Cow::Borrowed(path) } else { Cow::Owned(clean) })
}

fn decode(bytes: &[u8]) -> Result<String, PathFault> {
    let mut out = String::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] != b'%' {
            out.push(char::from(bytes[i]));
            i += 1;
            continue;
        }
        let (Some(high), Some(low)) = (hex(bytes.get(i + 1)), hex(bytes.get(i + 2))) else {
            return Err(PathFault::Percent);
        };
        let byte = high << 4 | low;
        match byte {
            0..=0x1f | 0x7f | b'\\' => return Err(PathFault::Forbidden),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push(char::from(b"0123456789ABCDEF"[usize::from(high)]));
                out.push(char::from(b"0123456789ABCDEF"[usize::from(low)]));
            }
        }
        i += 3;
    }
    Ok(out)
}

/// Percent signs and plus signs undone, as forms are encoded; what is malformed stays as it is.
pub fn form_decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |i: usize| tail.get(i).and_then(|b| char::from(*b).to_digit(16));
        rest = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                &tail[2..]
            }
            (b'+', ..) => {
                bytes.push(b' ');
                tail
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    byte.and_then(|b| char::from(*b).to_digit(16)).map(|d| d as u8)
}

/// RFC 3986 section 5.2.4, for a path that begins with `/`.
fn remove_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

/// The path as rules match it: `;parameters` of every segment left out. Some servers route without them, so a
/// rule on `/login` must hold for `/login;x`.
pub fn for_matching(path: &str) -> Cow<'_, str> {
    if memchr::memchr(b';', path.as_bytes()).is_none() {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    for segment in path[1..].split('/') {
        out.push('/');
        out.push_str(segment.split(';').next().unwrap_or(""));
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_one() {
        for (from, to) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../b", "/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/%61dmin", "/admin"),
            ("/a/%2e%2E/b", "/b"),
            ("/a%2fb", "/a%2Fb"),
            ("//a//b", "//a//b"),
            ("/a//../b", "/a/b"),
            ("/.well-known/x", "/.well-known/x"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%20b", "/a%20b"),
        ] {
            assert_eq!(normalise(from).as_deref(), Ok(to), "{from}");
            assert_eq!(normalise(to).as_deref(), Ok(to), "a second time: {to}");
        }
    }

    #[test]
    fn what_two_readers_may_read_differently_is_refused() {
        for bad in
            ["/%00", "/a%0d", "/a\\b", "/a%5cb", "/%", "/%2", "/%zz", "a/b", "", "*", "/a b", "/é", "/a\u{7f}", "/a?b"]
        {
            assert!(normalise(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parameters_are_left_out_for_matching() {
        assert_eq!(for_matching("/login;a=1/x;b"), "/login/x");
        assert_eq!(for_matching("/login"), "/login");
    }
}
