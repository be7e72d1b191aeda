//! Whether a page carries what tells its own visitor from others: a session's id in its links, or the value of a cookie
//! that came with it. Such a page is nobody else's, whatever its fields say.

use crate::wire::{Fields, repeats_cookie};
use crate::{bounds, gzip};

/// How servers write sessions into links.
const WRITTEN: [&str; 4] = [";jsessionid=", "phpsessid=", "aspsessionid", "/(s("];
/// Whether `body` tells its visitor; `set` are the cookies that came with it, `names` the portal's session cookies.
/// What cannot be read is believed only where no cookie came with it.
pub fn tells(fields: &Fields, body: &[u8], set: &[Vec<u8>], names: &[String]) -> bool {
    // Scripts speak of such names lawfully; links stand in pages.
    let page = is_page(fields);
    if !page && set.is_empty() {
        return false;
    }
    let names = if page { names } else { &[] };
    let holds = |plain: &[u8]| set.iter().any(|cookie| repeats_cookie(plain, cookie)) || (page && writes(plain, names));
    match fields.first("content-encoding").map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"" | b"identity") => holds(body),
        Some(b"gzip" | b"x-gzip") => match gzip::unpack(body, bounds::CACHE_SCANNED_BYTES) {
            Some(plain) => holds(&plain),
            None => true,
        },
        Some(_) => !set.is_empty(),
    }
}

/// Whether `body` holds any of these texts: what tells one who asks from others. What cannot be read may.
pub fn names(fields: &Fields, body: &[u8], texts: &[Vec<u8>]) -> bool {
    let holds = |plain: &[u8]| texts.iter().any(|text| memchr::memmem::find(plain, text).is_some());
    match fields.first("content-encoding").map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"" | b"identity") => holds(body),
        Some(b"gzip" | b"x-gzip") => gzip::unpack(body, bounds::CACHE_SCANNED_BYTES).is_none_or(|plain| holds(&plain)),
        Some(_) => true,
    }
}

fn is_page(fields: &Fields) -> bool {
    let kind = fields.first("content-type").unwrap_or_default().to_ascii_lowercase();
    kind.starts_with(b"text/html") || kind.starts_with(b"application/xhtml")
}

/// Whether it is a page that cannot be looked into.
pub fn is_sealed(fields: &Fields) -> bool {
    let coding = fields.first("content-encoding").map(|c| c.trim_ascii().to_ascii_lowercase());
    is_page(fields) && !matches!(coding.as_deref(), None | Some(b"" | b"identity" | b"gzip" | b"x-gzip"))
}

fn writes(body: &[u8], names: &[String]) -> bool {
    let lower = body.to_ascii_lowercase();
    let named = names.iter().map(|n| format!("{}=", n.to_ascii_lowercase()));
    let written = WRITTEN.iter().map(|w| (*w).to_owned());
    written.chain(named).any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> Fields {
        let mut fields = Fields::default();
        pairs.iter().for_each(|(n, v)| fields.push(*n, *v));
        fields
    }

    #[test]
    fn a_page_that_tells_its_visitor_is_seen_packed_or_not() {
        let html = fields(&[("content-type", "text/html; charset=utf-8")]);
        let packed = fields(&[("content-type", "text/html"), ("content-encoding", "gzip")]);
        let gzip = |plain: &[u8]| {
            let deflated = miniz_oxide::deflate::compress_to_vec(plain, 6);
            [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &deflated, &[0; 8]].concat()
        };
        let cookie = [b"sid=0123456789abcdef; path=/".to_vec()];
        let names = ["MYSID".to_owned()];
        for page in ["<a href=\"/x;JSESSIONID=1\">", "<a href=/?PHPSESSID=ab>", "0123456789abcdef", "?mysid=3"] {
            assert!(tells(&html, page.as_bytes(), &cookie, &names), "{page}");
            assert!(tells(&packed, &gzip(page.as_bytes()), &cookie, &names), "{page} packed");
        }
        for page in ["<p>Karibu", "lang=sw", "0123456789abcde"] {
            assert!(!tells(&html, page.as_bytes(), &cookie, &names), "{page}");
            assert!(!tells(&packed, &gzip(page.as_bytes()), &cookie, &names), "{page} packed");
        }
        assert!(tells(&packed, b"no gzip", &[], &[]), "what is said to be packed and is not");
        let image = fields(&[("content-type", "image/png")]);
        assert!(!tells(&image, b";jsessionid=", &[], &[]) && tells(&image, b"0123456789abcdef", &cookie, &[]));
    }
}
