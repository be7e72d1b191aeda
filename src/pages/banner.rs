//! The banner over a snapshot, the notes before its forms, and what a page's own policy must admit for them.
//!
//! Does not know: where snapshots are kept, where in a page the words go.

use std::fmt::Write as _;
use std::ops::Range;

use minijinja::HtmlEscape;

use super::render::{self, ways};
use super::teller::{Teller, named};
use crate::portal::Service;
use crate::wire::Hole;

/// Light whatever the page is, so that its links are read on its own ground.
const STYLE: &str = "#boma-banner,.boma-note{all:revert;color-scheme:light;box-sizing:border-box;margin:0;padding:.75rem 1rem;background:#fff4ce;color:#14171a;border-bottom:4px solid #8a6100;font:1rem/1.5 system-ui,sans-serif;text-align:start;overflow-wrap:anywhere}\
#boma-banner a,.boma-note a{display:inline-block;color:inherit;text-decoration:underline}#boma-banner a:focus-visible,.boma-note a:focus-visible{outline:3px solid;outline-offset:2px}\
#boma-banner bdi[dir],#boma-banner span[dir],.boma-note span[dir]{display:inline-block;text-decoration:inherit}\
#boma-banner time{white-space:nowrap}";

/// What a banner is about.
#[derive(Clone, Copy, Debug)]
pub struct Copied<'a> {
    /// What the page declares itself to be written in.
    pub language: Option<&'a str>,
    pub path: &'a str,
    /// When it was last as it is shown, seconds since the Unix epoch.
    pub taken: u64,
    /// It has forms, which cannot be sent.
    pub forms: bool,
}

/// As HTML; where in it the reference code goes, which is another one in each answer.
#[derive(Debug)]
pub struct Banner {
    pub html: String,
    pub code: Option<Range<usize>>,
}

/// The banner; `news`: what there is to tell besides, as HTML.
pub fn banner(teller: &Teller<'_>, of: Copied<'_>, news: &str) -> Banner {
    let sentence = teller.sentence("banner", of.taken);
    let ways = if of.forms { reached(teller, of.path) } else { String::new() };
    let (tag, dir) = (&teller.voice.tag, teller.voice.dir());
    let (label, colon, mark) = (teller.label("reference"), teller.voice.get("colon"), render::mark(Hole::Reference));
    let html = plain(&format!(
        "<style>{STYLE}</style><div id=\"boma-banner\" role=\"region\" aria-label=\"boma\" lang=\"{tag}\" dir=\"{dir}\">{sentence}{ways}{news}<br>{label}{colon} <bdi dir=\"ltr\">{mark}</bdi></div>"
    ));
    // The last one: whatever the news say comes before it.
    let code = html.rfind(&mark).map(|at| at..at + mark.len());
    Banner { html, code }
}

/// Why the form that follows cannot be sent.
pub fn note(teller: &Teller<'_>) -> String {
    let (tag, dir, says) = (&teller.voice.tag, teller.voice.dir(), teller.label("form_note"));
    plain(&format!("<p class=\"boma-note\" lang=\"{tag}\" dir=\"{dir}\"><a href=\"#boma-banner\">{says}</a></p>"))
}

/// What people can do instead of sending the page's forms: of the services that the page belongs to, else of the portal.
fn reached(teller: &Teller<'_>, path: &str) -> String {
    let portal = teller.portal;
    let helps = |s: &&Service| s.has_way() || !s.instead.is_empty();
    let mut services: Vec<&Service> = portal.services.iter().filter(|s| s.holds(path)).filter(helps).collect();
    if services.is_empty() {
        services.extend(portal.contact.iter());
    }
    let mut out = String::new();
    for service in services {
        let voice = teller.voice;
        let of_portal = || voice.called(&portal.title);
        let name = named(service, &voice.tag);
        let name = name.map_or_else(of_portal, |(tag, name)| voice.marked(tag, HtmlEscape(name).to_string()));
        let _ = write!(out, "<br><b>{name}</b>");
        if let Some(says) = ways::instead(service, voice) {
            let _ = write!(out, "{} {says}", HtmlEscape(voice.get("colon")));
        }
        for contact in ways::contacts(service, voice) {
            let _ = write!(out, " · {contact}");
        }
    }
    out
}

/// In letters that every page has, whatever it is encoded in.
fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for c in html.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let _ = write!(out, "&#{};", u32::from(c));
        }
    }
    out
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
