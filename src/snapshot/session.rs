//! Sessions that servers write into links, taken out of them: `;jsessionid=…` (Java), `PHPSESSID=…`, the portal's own
//! `session_cookies`, `(S(…))` (ASP.NET). In addresses within scripts, data and style sheets too, so it reads bytes, not links.

use std::borrow::Cow;

use regex::bytes::{Captures, Regex};

/// Parameters that are a session wherever they stand, and how one begins that ends otherwise on each server.
const PLAIN: [&str; 5] = ["jsessionid", "phpsessid", "cfid", "cftoken", "oscsid"];
const ASP: &str = "aspsessionid";
/// What sessions are made of, percent signs too, but for those that end a parameter or a text.
/// PHP's may hold commas, which part candidates of `srcset` as well: there white space follows.
const VALUE: &str = "(?:[A-Za-z0-9._~!:-]|,[A-Za-z0-9-]|%2[01458-9A-E]|%3[AD])+";
/// Between two parameters: plain, in HTML, in JSON, and in an address within an address.
const AND: &str = "(?:&amp;|&#0*38;|\\\\u0026|&|%26)";

/// What is written in the place of what was found.
type By<'a> = &'a dyn Fn(&Captures<'_>) -> Vec<u8>;

/// Takes the sessions of one portal out of its pages.
#[derive(Clone, Debug)]
pub struct Sessions {
    names: Vec<String>,
    /// `;jsessionid=…`
    parameter: Option<Regex>,
    /// `?PHPSESSID=…`, with what parts it from the next parameter.
    first: Option<Regex>,
    /// `&PHPSESSID=…`
    further: Option<Regex>,
    /// `/(S(…))`
    segment: Option<Regex>,
}

impl Sessions {
    /// `cookies`: the portal's `session_cookies`.
    pub fn new(cookies: &[String]) -> Sessions {
        let own = cookies.iter().map(|c| regex::escape(c));
        let plain = PLAIN.iter().map(|n| (*n).to_owned()).chain([format!("{ASP}[a-z]*")]);
        let names = plain.chain(own).collect::<Vec<_>>().join("|");
        let built = |pattern: String| Regex::new(&format!("(?i-u){pattern}")).ok();
        Sessions {
            names: cookies.iter().map(|c| c.to_ascii_lowercase()).collect(),
            parameter: built(format!("(?:;|%3b)(?:{names})(?:=|%3d){VALUE}")),
            first: built(format!("(\\?|%3f)(?:{names})(?:=|%3d){VALUE}({AND})?")),
            further: built(format!("{AND}(?:{names})(?:=|%3d){VALUE}")),
            segment: built("/\\((?:[A-Z]\\([A-Za-z0-9_-]{16,}\\))+\\)".into()),
        }
    }

    /// The same text without them.
    pub fn stripped<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        // `&amp;` ends as a parameter of Java's begins, so those that stand behind it come first.
        let mut out = Cow::Borrowed(text);
        let rest = |found: &Captures<'_>| if found.get(2).is_some() { found[1].to_vec() } else { Vec::new() };
        let none = |_: &Captures<'_>| Vec::new();
        let (further, first) = (&self.further, &self.first);
        let all: [(_, By<'_>); 4] =
            [(further, &none), (first, &rest), (&self.parameter, &none), (&self.segment, &none)];
        for (pattern, by) in all {
            if let Some(pattern) = pattern {
                out = replaced(pattern, out, by);
            }
        }
        out
    }

    /// Whether any is left, in whatever spelling.
    pub fn are_in(&self, text: &[u8]) -> bool {
        [&self.parameter, &self.first, &self.further, &self.segment].into_iter().flatten().any(|r| r.is_match(text))
    }

    /// Whether a name (in lower case) is that of a session's cookie.
    pub fn name(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name) || ["jsessionid", "phpsessid", "cftoken", "oscsid"].contains(&name)
    }
}

fn replaced<'t>(pattern: &Regex, text: Cow<'t, [u8]>, by: By<'_>) -> Cow<'t, [u8]> {
    match text {
        Cow::Borrowed(text) => pattern.replace_all(text, by),
        Cow::Owned(text) => match pattern.replace_all(&text, by) {
            Cow::Owned(new) => Cow::Owned(new),
            Cow::Borrowed(_) => Cow::Owned(text),
        },
    }
}

/// An address as it would be without a session; `cookies`: the portal's `session_cookies`.
pub fn plain_address<'a>(address: &'a str, cookies: &[String]) -> Cow<'a, str> {
    let without = plain_path(address);
    let Some((path, query)) = without.split_once('?') else { return without };
    let is_session = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or(pair);
        let numbered = name.get(..ASP.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(ASP));
        numbered
            || PLAIN.iter().copied().chain(cookies.iter().map(String::as_str)).any(|n| n.eq_ignore_ascii_case(name))
    };
    if !query.split('&').any(|pair| is_session(&pair)) {
        return without;
    }
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_session(pair)).collect();
    Cow::Owned(if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) })
}

/// Likewise by its path alone.
fn plain_path(address: &str) -> Cow<'_, str> {
    let bytes = address.as_bytes();
    let lower = |text: &[u8]| text.to_ascii_lowercase();
    let end_of = |from: usize, stops: &[u8]| {
        bytes[from..].iter().position(|b| stops.contains(b)).map_or(bytes.len(), |n| from + n)
    };
    let mark = b";jsessionid=";
    for (at, _) in address.match_indices(';') {
        if bytes.get(at..at + mark.len()).is_some_and(|m| lower(m) == mark) {
            return Cow::Owned(format!("{}{}", &address[..at], &address[end_of(at, b"/?")..]));
        }
    }
    if let Some(at) = address.find("/(").filter(|at| bytes.get(at + 3) == Some(&b'(')) {
        let end = end_of(at + 1, b"/?");
        if bytes[..end].ends_with(b"))") {
            return Cow::Owned(format!("{}{}", &address[..at], &address[end..]));
        }
    }
    Cow::Borrowed(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_go_out_of_links_and_nothing_else_does() {
        let sessions = Sessions::new(&["MYSID".into(), "a.b".into()]);
        for (text, left) in [
            ("<a href=\"/x;jsessionid=1A2B.node1?y=1\">", "<a href=\"/x?y=1\">"),
            ("/x;JSESSIONID=abc!-123!99#top", "/x#top"),
            ("/x?PHPSESSID=abc", "/x"),
            ("/x?PHPSESSID=abc&a=1", "/x?a=1"),
            ("/x?phpsessid=abc&amp;a=1", "/x?a=1"),
            ("/x?a=1&amp;PHPSESSID=abc&amp;b=2", "/x?a=1&amp;b=2"),
            ("/x?PHPSESSID=1&PHPSESSID=2", "/x"),
            ("\"/x?a=1\\u0026mysid=Zz9\"", "\"/x?a=1\""),
            ("/go?to=%2Fx%3FPHPSESSID%3Dabc%26a%3D1", "/go?to=%2Fx%3Fa%3D1"),
            ("/go?to=%2Fx%3Bjsessionid%3Dabc", "/go?to=%2Fx"),
            ("/app/(S(lit3py55t21z5v55vlm25s55))/page.aspx", "/app/page.aspx"),
            ("/app/(A(abcdefghijklmnopq)S(lit3py55t21z5v55vlm25s55))/p", "/app/p"),
            ("srcset=\"/a;jsessionid=1 1x, /b;jsessionid=2, /c\"", "srcset=\"/a 1x, /b, /c\""),
            ("/x?a.b=1", "/x"),
            ("/x?axb=1", "/x?axb=1"),
            ("var mysid=5;", "var mysid=5;"),
            ("url + '?PHPSESSID=' + id", "url + '?PHPSESSID=' + id"),
            ("/(S(\\d+))/", "/(S(\\d+))/"),
            ("/x?session_id=12", "/x?session_id=12"),
        ] {
            assert_eq!(String::from_utf8_lossy(&sessions.stripped(text.as_bytes())), left, "{text}");
            assert!(!sessions.are_in(left.as_bytes()), "{left}");
            assert_eq!(sessions.are_in(text.as_bytes()), text != left, "{text}");
        }
        assert!(sessions.name("mysid") && sessions.name("phpsessid") && !sessions.name("sid"));
    }

    #[test]
    fn an_address_with_a_session_is_that_without() {
        for (address, plain) in [
            ("/x;jsessionid=1A?b=1", "/x?b=1"),
            ("/x;JSESSIONID=1A/y", "/x/y"),
            ("/a/(S(lit3py55t21z5v55vlm25s55))/p?q", "/a/p?q"),
            ("/x;v=1", "/x;v=1"),
            ("/(a)/x", "/(a)/x"),
            ("/(S(x", "/(S(x"),
            ("/x;jse\u{e9}", "/x;jse\u{e9}"),
            ("/?PHPSESSID=x", "/"),
            ("/?a=1&phpsessid=x&b=2", "/?a=1&b=2"),
            ("/x?ASPSESSIONIDQATS=x&a", "/x?a"),
            ("/x?MySid=1", "/x"),
            ("/x;jsessionid=1A?oscsid=2", "/x"),
            ("/x?a=PHPSESSID=1&sid=2&sessionid", "/x?a=PHPSESSID=1&sid=2&sessionid"),
            ("/x?aspsessioni\u{e9}", "/x?aspsessioni\u{e9}"),
            ("/x?", "/x?"),
        ] {
            assert_eq!(plain_address(address, &["MYSID".into()]), plain, "{address}");
        }
    }
}
