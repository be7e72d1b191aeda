//! The banner over a snapshot, and what a page's own policy must admit for it.
//!
//! Does not know: where snapshots are kept.

use minijinja::HtmlEscape;

use super::render;
use super::text::Voice;

/// How much of a page is searched for its language and for `<body`.
const HEAD_BYTES: usize = 256 * 1024;
const STYLE: &str = "#boma-banner{all:revert;box-sizing:border-box;margin:0;padding:.75rem 1rem;background:#fff4ce;color:#14171a;border-bottom:4px solid #8a6100;font:1rem/1.5 system-ui,sans-serif;text-align:start;overflow-wrap:anywhere}";

/// The language that a page declares in `<html lang=…>`.
pub fn declared_language(html: &[u8]) -> Option<String> {
    let html = &html[..html.len().min(HEAD_BYTES)];
    let (start, end) = tag(html, b"html", 0)?;
    let inside = String::from_utf8_lossy(&html[start..end]).to_ascii_lowercase();
    let value = inside.split_ascii_whitespace().find_map(|a| a.strip_prefix("lang="))?;
    let value = value.trim_end_matches(['>', '/']).trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// The page with its banner after `<body …>`, or before everything where there is no body, and its forms inert.
/// `news`: what there is to tell besides, as HTML.
pub fn put(html: &[u8], voice: &Voice, timezone: &str, taken_unix: u64, news: &str) -> Vec<u8> {
    let banner = banner(voice, timezone, taken_unix, news);
    let at = tag(&html[..html.len().min(HEAD_BYTES)], b"body", 0).map_or_else(|| after_doctype(html), |(_, end)| end);
    let mut out = Vec::with_capacity(html.len() + banner.len() + 64);
    inert_forms(&html[..at], &mut out);
    out.extend_from_slice(banner.as_bytes());
    inert_forms(&html[at..], &mut out);
    out
}

fn banner(voice: &Voice, timezone: &str, taken_unix: u64, news: &str) -> String {
    let zone = jiff::tz::TimeZone::get(timezone).unwrap_or(jiff::tz::TimeZone::UTC);
    let time = jiff::Timestamp::from_second(taken_unix as i64).unwrap_or_default().to_zoned(zone);
    let shown = time.strftime("%Y-%m-%d %H:%M %Z").to_string();
    let machine = time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let time = format!("<bdi><time datetime=\"{machine}\">{}</time></bdi>", HtmlEscape(&shown));
    let sentence = voice.html("banner", &[("{time}", &time)]);
    let (tag, dir) = (&voice.tag, voice.dir());
    format!(
        "<style>{STYLE}</style><div id=\"boma-banner\" role=\"region\" aria-label=\"boma\" lang=\"{tag}\" dir=\"{dir}\">{sentence}{news}</div>"
    )
}

/// A form on a copy must not be sent: the origin behind it is not there to take it, or must be spared.
fn inert_forms(html: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    while let Some((start, _)) = tag(html, b"form", from) {
        let after_name = start + b"<form".len();
        out.extend_from_slice(&html[from..after_name]);
        out.extend_from_slice(b" inert");
        from = after_name;
    }
    out.extend_from_slice(&html[from..]);
}

fn after_doctype(html: &[u8]) -> usize {
    let begins = html.get(..9).is_some_and(|d| d.eq_ignore_ascii_case(b"<!doctype"));
    if begins { html.iter().position(|b| *b == b'>').map_or(0, |i| i + 1) } else { 0 }
}

/// The first start tag of a name at or after `from`, outside comments: where it begins and where its `>` ends.
fn tag(html: &[u8], name: &[u8], mut from: usize) -> Option<(usize, usize)> {
    while let Some(at) = html[from..].iter().position(|b| *b == b'<').map(|i| from + i) {
        let rest = &html[at + 1..];
        if rest.starts_with(b"!--") {
            from = find(html, b"-->", at).map_or(html.len(), |e| e + 3);
            continue;
        }
        let named = rest.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
        let ends = rest.get(name.len()).is_some_and(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'));
        if named && ends {
            return Some((at, end_of_tag(html, at)?));
        }
        from = at + 1;
    }
    None
}

/// Past the `>` that ends a tag; one inside a quoted value does not.
fn end_of_tag(html: &[u8], start: usize) -> Option<usize> {
    let mut quote = None;
    for (i, b) in html[start..].iter().enumerate() {
        match (quote, b) {
            (None, b'>') => return Some(start + i + 1),
            (None, b'"' | b'\'') => quote = Some(*b),
            (Some(q), b) if q == *b => quote = None,
            _ => {}
        }
    }
    None
}

fn find(html: &[u8], what: &[u8], from: usize) -> Option<usize> {
    html[from..].windows(what.len()).position(|w| w == what).map(|i| from + i)
}

/// A page's own policy, widened by the banner's style and nothing else.
pub fn admit_banner(csp: &str) -> String {
    let hash = format!("'{}'", render::hash(STYLE));
    csp.split(',').map(|policy| admit(policy, &hash)).collect::<Vec<_>>().join(",")
}

fn admit(policy: &str, hash: &str) -> String {
    let mut directives: Vec<String> =
        policy.split(';').map(|d| d.trim().to_owned()).filter(|d| !d.is_empty()).collect();
    let is = |d: &String, name: &str| d.split_ascii_whitespace().next().is_some_and(|n| n.eq_ignore_ascii_case(name));
    let ruling = ["style-src-elem", "style-src", "default-src"]
        .into_iter()
        .find_map(|n| directives.iter().position(|d| is(d, n)));
    let Some(at) = ruling else { return policy.trim().to_owned() };
    let mut words: Vec<String> = directives[at].split_ascii_whitespace().map(str::to_owned).collect();
    let guarded = |w: &String| w.starts_with("'sha") || w.starts_with("'nonce-") || w == "'strict-dynamic'";
    if words.iter().any(|w| w.eq_ignore_ascii_case("'unsafe-inline'")) && !words.iter().any(guarded) {
        // A hash would switch 'unsafe-inline' off, and with it the page's own styles.
        return policy.trim().to_owned();
    }
    words.retain(|w| !w.eq_ignore_ascii_case("'none'"));
    words.push(hash.to_owned());
    let name = words[0].to_ascii_lowercase();
    if name == "default-src" {
        words[0] = "style-src".into();
        directives.push(words.join(" "));
    } else {
        directives[at] = words.join(" ");
    }
    directives.join("; ")
}
