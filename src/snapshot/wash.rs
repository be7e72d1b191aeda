//! A page made fit for everybody: sessions out of its links, hidden tokens blanked, its forms disabled; where its banner and
//! the notes before its forms go; and what it needs and leads to.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::Hole;
use super::session::Sessions;
use super::style;
use crate::bounds;
use crate::markup::{self, Piece, Tag};

/// What a page names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As it is written.
    pub reference: String,
    pub part: bool,
}

/// A page, washed.
#[derive(Debug, Default)]
pub struct Washed {
    pub body: Vec<u8>,
    /// Where what goes, in order; the banner is always among them.
    pub holes: Vec<(Hole, usize)>,
    /// Of `<html lang>`.
    pub language: Option<String>,
    /// By which addresses on it begin (`<base href>`).
    pub base: Option<String>,
    pub named: Vec<Named>,
    pub forms: usize,
    /// Its own policies, whose places are holes.
    pub policies: Vec<String>,
    /// The page asks robots not to keep it, or not to follow its links (`<meta name="robots">`).
    pub unkept: bool,
    pub unfollowed: bool,
}

/// Words in the names of hidden fields and of `<meta>` that hold a token for its visitor alone.
const TOKENS: [&str; 13] = [
    "csrf",
    "xsrf",
    "token",
    "nonce",
    "authenticity",
    "viewstate",
    "eventvalidation",
    "requestdigest",
    "session",
    "sessid",
    "captcha",
    "form_build_id",
    "form-build-id",
];
/// A hidden value as long as this, of letters and digits mixed, is no word.
const RANDOM: usize = 16;
/// `csrfToken = "…"` in a script.
static SCRIPTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new("(?i-u)[\\w-]*(?:csrf|xsrf)[\\w-]*[\"']?\\s*[:=]\\s*[\"']([A-Za-z0-9+/=_.:-]{16,})[\"']").ok()
});

/// Washes a page.
pub fn page(html: &[u8], sessions: &Sessions) -> Washed {
    let html = &*sessions.stripped(html);
    let mut washing = Washing::new(html, sessions);
    for piece in markup::html(html) {
        match piece {
            Piece::Start(tag) => washing.start(&tag),
            Piece::End(tag) => washing.end(&tag),
            Piece::Raw { of, text } => washing.raw(&html[of], text),
            Piece::Other(span) => washing.other(&span),
            Piece::Text(_) => {}
        }
    }
    washing.done()
}

struct Washing<'h> {
    html: &'h [u8],
    sessions: &'h Sessions,
    out: Washed,
    /// What is written in the place of what, in order.
    edits: Vec<(Range<usize>, &'static [u8])>,
    /// Holes by their places in the source.
    holes: Vec<(Hole, usize)>,
    in_form: bool,
    body: Option<usize>,
    head: Option<usize>,
    doctype: usize,
}

impl<'h> Washing<'h> {
    fn new(html: &'h [u8], sessions: &'h Sessions) -> Washing<'h> {
        Washing {
            html,
            sessions,
            out: Washed::default(),
            edits: Vec::new(),
            holes: Vec::new(),
            in_form: false,
            body: None,
            head: None,
            doctype: 0,
        }
    }

    fn start(&mut self, tag: &Tag) {
        let html = self.html;
        let name = html[tag.name.clone()].to_ascii_lowercase();
        match name.as_slice() {
            b"html" => {
                self.out.language = self.out.language.take().or(tag.word(html, "lang")).filter(|l| !l.is_empty())
            }
            b"body" => self.body = self.body.or(Some(tag.span.end)),
            b"base" => self.out.base = self.out.base.take().or(text_of(tag, html, "href")),
            b"meta" => self.meta(tag),
            b"form" => self.form(tag),
            b"input" | b"button" | b"select" | b"textarea" => self.control(tag, &name),
            _ => {}
        }
        for attribute in &tag.attributes {
            let named = html[attribute.name.clone()].to_ascii_lowercase();
            if named.starts_with(b"data-") && tells(&String::from_utf8_lossy(&named)) {
                self.blank(attribute.value.clone());
            }
        }
        self.links(tag, &name);
    }

    fn end(&mut self, tag: &Tag) {
        if tag.is(self.html, "form") {
            self.in_form = false;
        } else if tag.is(self.html, "head") {
            self.head = self.head.or(Some(tag.span.end));
        }
    }

    fn other(&mut self, span: &Range<usize>) {
        let doctype = self.html[span.clone()].get(..9).is_some_and(|d| d.eq_ignore_ascii_case(b"<!doctype"));
        if doctype && self.doctype == 0 {
            self.doctype = span.end;
        }
    }

    fn raw(&mut self, of: &[u8], text: Range<usize>) {
        if of.eq_ignore_ascii_case(b"style") {
            for reference in style::named(&self.html[text]) {
                self.name(reference, true);
            }
        } else if of.eq_ignore_ascii_case(b"script")
            && let Some(scripted) = &*SCRIPTED
        {
            for found in scripted.captures_iter(&self.html[text.clone()]) {
                if let Some(value) = found.get(1) {
                    self.edits.push((text.start + value.start()..text.start + value.end(), b""));
                }
            }
        }
    }

    fn blank(&mut self, value: Option<Range<usize>>) {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            // What stands without quotes must still stand for an empty value.
            let quoted = value.start > 0 && matches!(self.html[value.start - 1], b'"' | b'\'');
            self.edits.push((value, if quoted { b"" } else { b"\"\"" }));
        }
    }

    fn meta(&mut self, tag: &Tag) {
        let html = self.html;
        let name = tag.word(html, "name").unwrap_or_default();
        if name == "robots" || name == "boma" {
            let content = tag.word(html, "content").unwrap_or_default();
            let says = |word: &str| content.split(',').any(|w| matches!(w.trim(), w if w == word || w == "none"));
            self.out.unkept |= says("noarchive");
            self.out.unfollowed |= says("nofollow");
        } else if tells(&name) {
            self.blank(tag.find(html, "content").and_then(|a| a.value.clone()));
        } else if tag.word(html, "http-equiv").as_deref() == Some("content-security-policy") {
            let value = tag.find(html, "content").and_then(|a| a.value.clone());
            let quoted = |v: &Range<usize>| matches!(html[v.start - 1], b'"' | b'\'');
            if let Some(value) = value.filter(|v| !v.is_empty() && quoted(v)) {
                self.out.policies.push(String::from_utf8_lossy(&markup::decoded(&html[value.clone()])).into_owned());
                self.holes.push((Hole::Policy, value.start));
                self.edits.push((value, b""));
            }
        } else if tag.word(html, "http-equiv").as_deref() == Some("refresh") {
            let content = text_of(tag, html, "content").unwrap_or_default();
            let lower = content.to_ascii_lowercase();
            if let Some(at) = lower.find("url=") {
                self.name(content[at + 4..].trim_matches(['"', '\'', ' ']).to_owned(), false);
            }
        }
    }

    fn form(&mut self, tag: &Tag) {
        // A form within a form is none to browsers.
        self.in_form = true;
        self.out.forms += 1;
        self.edits.push((tag.name.end..tag.name.end, b" inert"));
        let posts = tag.word(self.html, "method").as_deref() == Some("post");
        let notes = self.holes.iter().filter(|(hole, _)| *hole == Hole::Note).count();
        if posts && notes < bounds::SNAPSHOT_NOTES {
            self.holes.push((Hole::Note, tag.span.start));
        }
    }

    /// Old browsers know no `inert`, and send a form by the key for a new line.
    fn control(&mut self, tag: &Tag, name: &[u8]) {
        let html = self.html;
        let hidden = name == b"input" && tag.word(html, "type").as_deref() == Some("hidden");
        if hidden {
            let field = tag.word(html, "name").or(tag.word(html, "id")).unwrap_or_default();
            let value = tag.find(html, "value").and_then(|a| a.value.clone());
            let random = value.as_ref().is_some_and(|v| looks_random(&html[v.clone()]));
            if tells(&field) || self.sessions.name(&field) || field == "sid" || random {
                self.blank(value);
            }
        } else if (self.in_form || tag.has(html, "form")) && !tag.has(html, "disabled") {
            self.edits.push((tag.name.end..tag.name.end, b" disabled"));
        }
    }

    fn name(&mut self, reference: String, part: bool) {
        if self.out.named.len() < bounds::SNAPSHOT_LINKS && !reference.is_empty() {
            self.out.named.push(Named { reference, part });
        }
    }

    fn links(&mut self, tag: &Tag, name: &[u8]) {
        let html = self.html;
        let of = |attribute: &str| text_of(tag, html, attribute);
        let rel = || tag.word(html, "rel").unwrap_or_default();
        match name {
            b"a" | b"area" if !rel().split_ascii_whitespace().any(|r| r == "nofollow") => {
                if let Some(reference) = of("href") {
                    self.name(reference, false);
                }
            }
            b"link" => {
                let part = |r: &str| {
                    matches!(r, "stylesheet" | "icon" | "apple-touch-icon" | "preload" | "modulepreload" | "mask-icon")
                };
                if let Some(reference) = of("href").filter(|_| rel().split_ascii_whitespace().any(part)) {
                    self.name(reference, true);
                }
            }
            b"iframe" | b"frame" => of("src").into_iter().for_each(|r| self.name(r, false)),
            b"img" | b"script" | b"input" | b"embed" => of("src").into_iter().for_each(|r| self.name(r, true)),
            b"object" => of("data").into_iter().for_each(|r| self.name(r, true)),
            b"video" => of("poster").into_iter().for_each(|r| self.name(r, true)),
            b"image" | b"use" | b"feimage" => {
                of("href").or(of("xlink:href")).into_iter().for_each(|r| self.name(r, true));
            }
            b"body" | b"table" | b"td" | b"th" => of("background").into_iter().for_each(|r| self.name(r, true)),
            _ => {}
        }
        if matches!(name, b"img" | b"source" | b"link") {
            for set in [of("srcset"), of("imagesrcset")].into_iter().flatten() {
                candidates(&set).into_iter().for_each(|r| self.name(r, true));
            }
        }
        if let Some(css) = of("style") {
            style::named(css.as_bytes()).into_iter().for_each(|r| self.name(r, true));
        }
    }

    fn done(mut self) -> Washed {
        let banner = self.body.or(self.head).unwrap_or(self.doctype);
        self.holes.push((Hole::Banner, banner));
        self.holes.sort_by_key(|(hole, at)| (*at, *hole));
        self.edits.sort_by_key(|(span, _)| (span.start, span.end));
        let (mut out, mut from) = (Vec::with_capacity(self.html.len() + 256), 0);
        let mut holes = self.holes.into_iter().peekable();
        let mut placed = Vec::new();
        let mut upto = |to: usize, out: &mut Vec<u8>, from: &mut usize| {
            while let Some((hole, at)) = holes.next_if(|(_, at)| *at <= to) {
                out.extend_from_slice(&self.html[*from..at.max(*from)]);
                *from = at.max(*from);
                placed.push((hole, out.len()));
            }
            out.extend_from_slice(&self.html[*from..to.max(*from)]);
            *from = to.max(*from);
        };
        for (span, text) in self.edits {
            if span.start < from {
                continue;
            }
            upto(span.start, &mut out, &mut from);
            out.extend_from_slice(text);
            from = span.end;
        }
        upto(self.html.len(), &mut out, &mut from);
        Washed { body: out, holes: placed, ..self.out }
    }
}

fn text_of(tag: &Tag, html: &[u8], attribute: &str) -> Option<String> {
    tag.value(html, attribute).map(|v| String::from_utf8_lossy(&v).trim().to_owned())
}

fn tells(name: &str) -> bool {
    TOKENS.iter().any(|t| name.contains(t))
}

fn looks_random(value: &[u8]) -> bool {
    let made_of = |b: &u8| b.is_ascii_alphanumeric() || b"+/=_.:|-%".contains(b);
    let has = |test: fn(&u8) -> bool| value.iter().any(test);
    value.len() >= RANDOM && value.iter().all(made_of) && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// The addresses of `srcset`: of each candidate what stands before the first white space.
fn candidates(set: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = set.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
    while !rest.is_empty() {
        let ends = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let address = &rest[..ends];
        rest = &rest[ends..];
        // A comma may belong to an address, but not at its end.
        if let Some(alone) = address.strip_suffix(',') {
            all.push(alone.trim_end_matches(',').to_owned());
        } else {
            all.push(address.to_owned());
            rest = rest.find(',').map_or("", |at| &rest[at + 1..]);
        }
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn washed(html: &str) -> Washed {
        page(html.as_bytes(), &Sessions::new(&["MYSID".into()]))
    }

    fn text(html: &str) -> String {
        let mut washed = washed(html);
        for (hole, at) in washed.holes.iter().rev() {
            let mark = match hole {
                Hole::Banner => &b"{BANNER}"[..],
                Hole::Note => b"{NOTE}",
                Hole::Policy => b"{POLICY}",
            };
            washed.body.splice(at..at, mark.iter().copied());
        }
        String::from_utf8(washed.body).unwrap()
    }

    #[test]
    fn the_banner_stands_where_a_browser_shows_it() {
        for (page, with) in [
            (
                "<!DOCTYPE html><html><!-- <body> --><BODY class=\"a>b\"><p>x",
                "<!DOCTYPE html><html><!-- <body> --><BODY class=\"a>b\">{BANNER}<p>x",
            ),
            ("<!doctype html><p>x", "<!doctype html>{BANNER}<p>x"),
            ("<head><title><body></title></head><p>x", "<head><title><body></title></head>{BANNER}<p>x"),
            ("plain", "{BANNER}plain"),
            ("", "{BANNER}"),
        ] {
            assert_eq!(text(page), with);
        }
    }

    #[test]
    fn forms_are_disabled_and_tokens_blanked() {
        for (page, with) in [
            (
                "<body><form action=/x method=POST><input name=a><button>x</button></form><button>menu</button>",
                "<body>{BANNER}{NOTE}<form inert action=/x method=POST><input disabled name=a><button disabled>x</button></form><button>menu</button>",
            ),
            (
                "<body><form><select disabled><textarea>",
                "<body>{BANNER}<form inert><select disabled><textarea disabled>",
            ),
            (
                "<body><input form=f><input type=HIDDEN name=csrf value=abc>",
                "<body>{BANNER}<input disabled form=f><input type=HIDDEN name=csrf value=\"\">",
            ),
            (
                "<body><input type=hidden name=\"MySid\" value=\"1\"><input type=hidden name=lang value=sw>",
                "<body>{BANNER}<input type=hidden name=\"MySid\" value=\"\"><input type=hidden name=lang value=sw>",
            ),
            (
                "<body><input type=hidden name=x value=\"a1b2c3d4e5f6a7b8\">",
                "<body>{BANNER}<input type=hidden name=x value=\"\">",
            ),
            (
                "<meta name=csrf-token content='abc'><body data-xsrf=q data-x=1>",
                "<meta name=csrf-token content=''><body data-xsrf=\"\" data-x=1>{BANNER}",
            ),
            ("<script>var csrfToken = 'a1b2c3d4e5f6a7b8';</script>", "{BANNER}<script>var csrfToken = '';</script>"),
            ("<body><a href='/x;jsessionid=AB1?y'>", "<body>{BANNER}<a href='/x?y'>"),
            (
                "<meta http-equiv=Content-Security-Policy content=\"default-src 'self'\"><body>",
                "<meta http-equiv=Content-Security-Policy content=\"{POLICY}\"><body>{BANNER}",
            ),
            ("<!-- <form> --><p>form", "{BANNER}<!-- <form> --><p>form"),
        ] {
            assert_eq!(text(page), with);
        }
        let many = washed(&"<form method=post></form>".repeat(50));
        assert_eq!((many.forms, many.holes.len()), (50, 1 + bounds::SNAPSHOT_NOTES));
    }

    #[test]
    fn what_a_page_names_is_found() {
        let page = washed(
            "<html lang=SW><base href=/b/><meta http-equiv=refresh content='0; URL=/moved'><meta name=robots content='noarchive, nofollow'>\
<link rel='icon stylesheet' href=s.css><link rel=canonical href=/c><a href='n?a=1&amp;b=2'>x</a><a rel=nofollow href=/no><img src=i.png srcset='a.png 1x, b.png,c.png 2x'>\
<script src=j.js></script><style>@import 'm.css'; p { background: url(\"p.png\") }</style><div style='background:url(d.png)'>\
<!-- <img src=no.png> --><svg><use xlink:href='u.svg#a'/></svg><video poster=v.png src=v.mp4></video><iframe src=/frame></iframe>",
        );
        let of =
            |part: bool| page.named.iter().filter(|n| n.part == part).map(|n| n.reference.as_str()).collect::<Vec<_>>();
        assert_eq!(of(false), ["/moved", "n?a=1&b=2", "/frame"]);
        assert_eq!(
            of(true),
            ["s.css", "i.png", "a.png", "b.png,c.png", "j.js", "m.css", "p.png", "d.png", "u.svg#a", "v.png"]
        );
        assert_eq!((page.language.as_deref(), page.base.as_deref()), (Some("sw"), Some("/b/")));
        assert!(page.unkept && page.unfollowed);
    }
}
