//! Sitemaps (sitemaps.org): addresses of pages, or of further sitemaps, as XML or a line each, packed or not.

use std::borrow::Cow;

use crate::markup::{self, Piece};
use crate::{bounds, gzip};

/// What one sitemap names, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sitemap {
    pub pages: Vec<String>,
    pub further: Vec<String>,
}

/// `None` where it is none, or larger than its bound.
pub fn read(body: &[u8]) -> Option<Sitemap> {
    let text = match body {
        [0x1f, 0x8b, ..] => Cow::Owned(gzip::unpack(body, bounds::SITEMAP_BYTES)?),
        body => Cow::Borrowed(body),
    };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text).trim_ascii_start();
    if text.len() > bounds::SITEMAP_BYTES {
        return None;
    }
    match text.first()? {
        b'<' => xml(text),
        _ => lines(text),
    }
}

fn xml(text: &[u8]) -> Option<Sitemap> {
    let mut map = Sitemap::default();
    // Names may stand in a namespace: `image:loc` is no page, `sm:loc` in an index with that prefix is.
    let (mut root, mut of, mut loc, mut said) = (None::<String>, None::<bool>, false, String::new());
    for piece in markup::xml(text) {
        match piece {
            Piece::Start(tag) => {
                let name = String::from_utf8_lossy(&text[tag.name.clone()]).to_ascii_lowercase();
                let (prefix, local) = name.rsplit_once(':').unwrap_or(("", &name));
                match local {
                    "urlset" | "sitemapindex" if root.is_none() => root = Some(prefix.to_owned()),
                    "url" => of = Some(false),
                    "sitemap" => of = Some(true),
                    "loc" => loc = root.as_deref() == Some(prefix),
                    _ => {}
                }
                said.clear();
            }
            Piece::Text(span) if loc => said.push_str(&String::from_utf8_lossy(&markup::decoded(&text[span]))),
            Piece::Other(span) if loc => {
                let cdata = text[span].strip_prefix(b"<![CDATA[").and_then(|t| t.strip_suffix(b"]]>"));
                said.push_str(&String::from_utf8_lossy(cdata.unwrap_or_default()));
            }
            Piece::End(_) => {
                let address = said.trim();
                if let (true, Some(further), false) = (loc, of, address.is_empty()) {
                    let list = if further { &mut map.further } else { &mut map.pages };
                    if list.len() < bounds::SNAPSHOT_KNOWN {
                        list.push(address.to_owned());
                    }
                }
                loc = false;
            }
            _ => {}
        }
    }
    root.map(|_| map)
}

fn lines(text: &[u8]) -> Option<Sitemap> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let pages: Vec<String> = lines.take(bounds::SNAPSHOT_KNOWN).map(str::to_owned).collect();
    pages.iter().all(|p| p.starts_with("http")).then_some(Sitemap { pages, further: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_indexes_are_read_packed_or_not() {
        let map = "\u{feff}<?xml version=\"1.0\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\
<url><loc> https://huduma.example/a?b=1&amp;c </loc><lastmod>2026-01-01</lastmod><image:image><image:loc>https://huduma.example/i.png</image:loc></image:image></url>\
<!-- <loc>no</loc> --><url><loc><![CDATA[/b]]></loc></url><url><loc></loc></url></urlset>";
        let expected = Sitemap { pages: vec!["https://huduma.example/a?b=1&c".into(), "/b".into()], further: vec![] };
        assert_eq!(read(map.as_bytes()), Some(expected.clone()));
        let mut packed = gzip::HEAD.to_vec();
        gzip::pack(map.as_bytes(), gzip::After::End, &mut packed).unwrap();
        assert_eq!(read(&packed), Some(expected), "its tail may be missing");
        let index = "<s:sitemapindex><s:sitemap><s:loc>/one.xml.gz</s:loc></s:sitemap></s:sitemapindex>";
        assert_eq!(read(index.as_bytes()).unwrap().further, ["/one.xml.gz"]);
        assert_eq!(read(b"https://huduma.example/a\n\n https://huduma.example/b\n").unwrap().pages.len(), 2);
        for none in ["", "<html><body>404", "not found", "\u{1f}\u{8b}"] {
            assert_eq!(read(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn a_map_that_swells_is_none() {
        let mut bomb = gzip::HEAD.to_vec();
        gzip::pack(&vec![b' '; bounds::SITEMAP_BYTES + 1], gzip::After::End, &mut bomb).unwrap();
        assert!(bomb.len() < 100_000 && read(&bomb).is_none());
    }
}
