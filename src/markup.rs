//! HTML and XML as a row of pieces, each with its place in the source, so that what is changed is changed in its place and
//! every other byte stays. It reads as browsers do (the tokenisation of the HTML standard, section 13.2.5) where that
//! decides what is a tag: comments, quoted values, scripts and other raw text. It builds no tree.
//!
//! Does not know: what pages mean, addresses.

use std::borrow::Cow;
use std::ops::Range;

/// An attribute: where its name and its value stand, the value without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub name: Range<usize>,
    pub value: Option<Range<usize>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// From `<` to behind `>`.
    pub span: Range<usize>,
    pub name: Range<usize>,
    pub attributes: Vec<Attribute>,
    /// It ends with `/>`, and the solidus is no part of a value.
    pub closes_itself: bool,
}

impl Tag {
    pub fn is(&self, html: &[u8], name: &str) -> bool {
        html[self.name.clone()].eq_ignore_ascii_case(name.as_bytes())
    }

    /// The first attribute of a name counts.
    pub fn find(&self, html: &[u8], name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| html[a.name.clone()].eq_ignore_ascii_case(name.as_bytes()))
    }

    pub fn has(&self, html: &[u8], name: &str) -> bool {
        self.find(html, name).is_some()
    }

    /// A value with its character references undone; `None` where the attribute is missing or has no value.
    pub fn value<'h>(&self, html: &'h [u8], name: &str) -> Option<Cow<'h, [u8]>> {
        let value = self.find(html, name)?.value.clone()?;
        Some(decoded(&html[value]))
    }

    /// The same as lower-case text without white space around it.
    pub fn word(&self, html: &[u8], name: &str) -> Option<String> {
        let value = self.value(html, name)?;
        Some(String::from_utf8_lossy(value.trim_ascii()).to_ascii_lowercase())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(Range<usize>),
    /// What stands in a script, a style sheet or another element whose content is no markup; `of` is where the name of that
    /// element stands.
    Raw {
        of: Range<usize>,
        text: Range<usize>,
    },
    Start(Tag),
    End(Tag),
    /// Comments, doctypes, processing instructions, and a tag that the source breaks off in.
    Other(Range<usize>),
}

/// Elements whose content is no markup, up to their own end tag.
const RAW: [&str; 8] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

pub struct Pieces<'h> {
    html: &'h [u8],
    at: usize,
    /// The element whose raw text comes next.
    raw: Option<Range<usize>>,
    /// How deep in `<svg>` and `<math>`, where scripts and titles are as any element.
    foreign: usize,
    xml: bool,
}

/// The pieces of a page. Together they are every byte of it, but for end tags of no name.
pub fn html(html: &[u8]) -> Pieces<'_> {
    Pieces { html, at: 0, raw: None, foreign: 0, xml: false }
}

/// The same of XML, in which no element's content is raw.
pub fn xml(text: &[u8]) -> Pieces<'_> {
    Pieces { html: text, at: 0, raw: None, foreign: 0, xml: true }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if let Some(of) = self.raw.take() {
            let from = self.at;
            let to = self.end_of_raw(&of);
            if to > from {
                self.at = to;
                return Some(Piece::Raw { of, text: from..to });
            }
        }
        let from = self.at;
        let rest = self.html.get(from..).filter(|r| !r.is_empty())?;
        if rest[0] == b'<'
            && let Some(piece) = self.markup(from)
        {
            return Some(piece);
        }
        // At least the byte at hand, which begins no markup.
        let mut to = from + 1;
        while to < self.html.len() && !(self.html[to] == b'<' && begins(&self.html[to..])) {
            to += memchr::memchr(b'<', &self.html[to + 1..]).map_or(self.html.len() - to, |n| n + 1);
        }
        self.at = to;
        Some(Piece::Text(from..to))
    }
}

/// Whether `<…` is more than a less-than sign.
fn begins(text: &[u8]) -> bool {
    match text {
        [b'<', b'!' | b'?', ..] => true,
        [b'<', b'/', ..] => text.len() > 2,
        [b'<', next, ..] => next.is_ascii_alphabetic(),
        _ => false,
    }
}

impl Pieces<'_> {
    fn markup(&mut self, from: usize) -> Option<Piece> {
        let text = &self.html[from..];
        if !begins(text) {
            return None;
        }
        let piece = match text {
            [b'<', b'!', b'-', b'-', ..] => Piece::Other(from..from + comment(text)),
            [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] if self.xml || self.foreign > 0 => {
                Piece::Other(from..from + until(text, b"]]>"))
            }
            [b'<', b'!' | b'?', ..] => Piece::Other(from..from + until(text, b">")),
            [b'<', b'/', next, ..] if next.is_ascii_alphabetic() => self.tag(from, 2),
            [b'<', b'/', ..] => Piece::Other(from..from + until(text, b">")),
            _ => self.tag(from, 1),
        };
        self.at = match &piece {
            Piece::Start(tag) | Piece::End(tag) => tag.span.end,
            Piece::Text(span) | Piece::Other(span) | Piece::Raw { text: span, .. } => span.end,
        };
        Some(piece)
    }

    /// `opens`: bytes before the name.
    fn tag(&mut self, from: usize, opens: usize) -> Piece {
        let html = self.html;
        let Some(tag) = read_tag(html, from, opens) else { return Piece::Other(from..html.len()) };
        let foreign = tag.is(html, "svg") || tag.is(html, "math");
        if opens == 2 {
            self.foreign -= usize::from(foreign && self.foreign > 0);
            return Piece::End(tag);
        }
        if foreign && !tag.closes_itself {
            self.foreign += 1;
        } else if self.foreign == 0 && !self.xml && RAW.iter().any(|raw| tag.is(html, raw)) {
            self.raw = Some(tag.name.clone());
        } else if self.foreign == 0 && !self.xml && tag.is(html, "plaintext") {
            self.raw = Some(tag.span.end..tag.span.end);
        }
        Piece::Start(tag)
    }

    /// Where the raw text that begins here ends: before its element's end tag, or with the page.
    fn end_of_raw(&self, of: &Range<usize>) -> usize {
        let (html, name) = (self.html, &self.html[of.clone()]);
        if name.is_empty() {
            return html.len();
        }
        let script = name.eq_ignore_ascii_case(b"script");
        let (mut at, mut escaped, mut inner) = (self.at, false, false);
        while let Some(next) = memchr::memchr2(b'<', b'-', &html[at..]).map(|n| at + n) {
            let rest = &html[next..];
            at = next + 1;
            if script && rest.starts_with(b"<!--") && !escaped {
                // Its own two dashes may belong to its end as well.
                (escaped, at) = (true, next + 2);
            } else if rest.starts_with(b"-->") {
                (escaped, inner) = (false, false);
            } else if rest.starts_with(b"</") && named(&rest[2..], name) {
                if !inner {
                    return next;
                }
                inner = false;
            } else if script && escaped && rest[0] == b'<' && named(&rest[1..], b"script") {
                inner = true;
            }
        }
        html.len()
    }
}

/// Whether a tag's name stands here, and ends.
fn named(text: &[u8], name: &[u8]) -> bool {
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'/' | b'>');
    text.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name)) && text.get(name.len()).is_some_and(ends)
}

fn until(text: &[u8], end: &[u8]) -> usize {
    memchr::memmem::find(text, end).map_or(text.len(), |at| at + end.len())
}

fn comment(text: &[u8]) -> usize {
    for short in [&b"<!-->"[..], b"<!--->"] {
        if text.starts_with(short) {
            return short.len();
        }
    }
    let inside = &text[4..];
    let end = |mark: &[u8]| memchr::memmem::find(inside, mark).map(|at| 4 + at + mark.len());
    [end(b"-->"), end(b"--!>")].into_iter().flatten().min().unwrap_or(text.len())
}

fn read_tag(html: &[u8], from: usize, opens: usize) -> Option<Tag> {
    let space = |b: u8| b.is_ascii_whitespace();
    let run = |at: usize, takes: &dyn Fn(u8) -> bool| at + html[at..].iter().take_while(|b| takes(**b)).count();
    let name = from + opens..run(from + opens, &|b| !space(b) && !matches!(b, b'/' | b'>'));
    let (mut at, mut attributes) = (name.end, Vec::new());
    loop {
        let behind = at;
        at = run(at, &|b| space(b) || b == b'/');
        if *html.get(at)? == b'>' {
            let closes_itself = html[behind..at].ends_with(b"/");
            return Some(Tag { span: from..at + 1, name, attributes, closes_itself });
        }
        // A sign of equality at the beginning is a part of the name.
        let ends = run(at + 1, &|b| !space(b) && !matches!(b, b'/' | b'>' | b'='));
        let mut attribute = Attribute { name: at..ends, value: None };
        at = run(ends, &space);
        if html.get(at) == Some(&b'=') {
            at = run(at + 1, &space);
            let value = match *html.get(at)? {
                quote @ (b'"' | b'\'') => {
                    let to = at + 1 + memchr::memchr(quote, &html[at + 1..])?;
                    let value = at + 1..to;
                    at = to + 1;
                    value
                }
                _ => {
                    let to = run(at, &|b| !space(b) && b != b'>');
                    let value = at..to;
                    at = to;
                    value
                }
            };
            attribute.value = Some(value);
        }
        attributes.push(attribute);
    }
}

/// Character references undone, as far as addresses and short texts need it: the five of XML, and numbers.
pub fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'&', text).is_none() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        match reference(rest) {
            Some((c, length)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[length..];
            }
            None => {
                out.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// The character that a reference at the beginning stands for, and its length.
fn reference(text: &[u8]) -> Option<(char, usize)> {
    for (name, c) in [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&apos;", '\'')] {
        if text.starts_with(name.as_bytes()) {
            return Some((c, name.len()));
        }
    }
    let digits = text.strip_prefix(b"&#")?;
    let (digits, radix, before) = match digits {
        [b'x' | b'X', rest @ ..] => (rest, 16, 3),
        rest => (rest, 10, 2),
    };
    let length = digits.iter().take(8).take_while(|b| char::from(**b).is_digit(radix)).count();
    let number = std::str::from_utf8(&digits[..length]).ok().and_then(|d| u32::from_str_radix(d, radix).ok())?;
    let ends = usize::from(digits.get(length) == Some(&b';'));
    Some((char::from_u32(number)?, before + length + ends))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let html = text.as_bytes();
        let at = |r: &Range<usize>| String::from_utf8_lossy(&html[r.clone()]).into_owned();
        let piece = |p: Piece| match p {
            Piece::Text(r) => format!("T[{}]", at(&r)),
            Piece::Raw { of, text } => format!("R{}[{}]", at(&of), at(&text)),
            Piece::End(tag) => format!("E[{}]", at(&tag.name)),
            Piece::Other(r) => format!("O[{}]", at(&r)),
            Piece::Start(tag) => {
                let one = |a: &Attribute| match &a.value {
                    Some(v) => format!(" {}={}", at(&a.name), at(v)),
                    None => format!(" {}", at(&a.name)),
                };
                format!("S[{}{}]", at(&tag.name), tag.attributes.iter().map(one).collect::<String>())
            }
        };
        super::html(html).map(piece).collect()
    }

    #[test]
    fn pages_are_read_as_browsers_read_them() {
        for (page, pieces) in [
            ("a<b>c</b>", "T[a]S[b]T[c]E[b]"),
            ("1 < 2 <3 <", "T[1 < 2 <3 <]"),
            ("<A HREF='x>y' b=c/d e f = \"g\" / h=>", "S[A HREF=x>y b=c/d e f=g h=]"),
            ("<br/><p/ x>", "S[br]S[p x]"),
            ("<a =b c=d>", "S[a =b c=d]"),
            ("<!doctype html><!-- <a> --><p>", "O[<!doctype html>]O[<!-- <a> -->]S[p]"),
            ("<!--><p>--><!---><i><!-- x --!><b>", "O[<!-->]S[p]T[-->]O[<!--->]S[i]O[<!-- x --!>]S[b]"),
            ("<?php x ?></ x></><p>", "O[<?php x ?>]O[</ x>]O[</>]S[p]"),
            ("<script>if (a<b) '</a>'</script x><p>", "S[script]Rscript[if (a<b) '</a>']E[script]S[p]"),
            (
                "<script><!-- <script> </script> --></script>x",
                "S[script]Rscript[<!-- <script> </script> -->]E[script]T[x]",
            ),
            ("<script><!--</script>x", "S[script]Rscript[<!--]E[script]T[x]"),
            ("<STYLE>a>b{}</style>", "S[STYLE]RSTYLE[a>b{}]E[style]"),
            ("<textarea><p></textareas></textarea>", "S[textarea]Rtextarea[<p></textareas>]E[textarea]"),
            ("<title><b></title><svg><title><b>", "S[title]Rtitle[<b>]E[title]S[svg]S[title]S[b]"),
            ("<svg><script href=a/><p></svg><script></script>", "S[svg]S[script href=a/]S[p]E[svg]S[script]E[script]"),
            ("<svg/><title><p></title>", "S[svg]S[title]Rtitle[<p>]E[title]"),
            ("<svg a=b/><title><p></title>", "S[svg a=b/]S[title]S[p]E[title]"),
            ("<plaintext></plaintext><p>", "S[plaintext]R[</plaintext><p>]"),
            ("<script>never ends", "S[script]Rscript[never ends]"),
            ("<p x='never ends>", "O[<p x='never ends>]"),
            ("<p x", "O[<p x]"),
            ("", ""),
        ] {
            assert_eq!(shown(page), pieces, "{page}");
        }
    }

    #[test]
    fn references_are_undone_in_values() {
        for (text, plain) in [
            ("/a?b=1&amp;c=2", "/a?b=1&c=2"),
            ("&#47;x&#x2F;y&#38", "/x/y&"),
            ("&copy=1&", "&copy=1&"),
            ("&#x110000;&#xD800;", "&#x110000;&#xD800;"),
            ("plain", "plain"),
        ] {
            assert_eq!(String::from_utf8_lossy(&decoded(text.as_bytes())), plain, "{text}");
        }
    }
}
