//! One copy of a page, packed as it lies on the disk, and how it is dressed to be served: what was washed stays in pieces,
//! and banner and notes go between them.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::gzip::{self, After, Piece, Sum};

/// What goes into a page when it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hole {
    Banner,
    /// Before a form: why it cannot be sent.
    Note,
    /// In the place of a policy that the page itself sets (`<meta http-equiv>`), widened by the banner's style.
    Policy,
}

/// All that is kept of an answer's head, and how its body is packed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// When it came first, seconds since the Unix epoch.
    pub taken: u64,
    pub content_type: String,
    /// Language, policy and disposition fields, as they came.
    pub fields: Vec<(String, String)>,
    /// What a page declares itself to be written in.
    pub language: Option<String>,
    pub forms: usize,
    /// What the page's own `<meta http-equiv="Content-Security-Policy">` say, in order.
    pub policies: Vec<String>,
    /// Bytes unpacked.
    pub plain: usize,
    /// How its body is packed; empty where it is not.
    pieces: Vec<Piece>,
    /// Between the pieces.
    holes: Vec<Hole>,
}

/// A page as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    pub about: About,
    body: Bytes,
}

/// A page as it is served.
#[derive(Clone, Debug)]
pub struct Dressed {
    /// gzip where `packed`.
    pub body: Bytes,
    pub packed: bool,
    /// Tells this from every other dressing of this page.
    pub mark: u32,
    pub plain: usize,
}

/// What a copy is made of.
pub struct Made<'a> {
    pub taken: u64,
    pub content_type: String,
    pub fields: Vec<(String, String)>,
    pub language: Option<String>,
    pub forms: usize,
    pub policies: Vec<String>,
    pub body: &'a [u8],
    pub holes: &'a [(Hole, usize)],
}

/// Where a page leads that is none itself.
pub(super) const LOCATION: &str = "location";

impl About {
    /// Whether it has forms that change something, which nobody can send from a copy.
    pub fn has_something_to_send(&self) -> bool {
        self.holes.contains(&Hole::Note)
    }

    /// Where it leads within the portal, where it is a redirect and no page.
    pub fn location(&self) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == LOCATION).map(|(_, to)| to.as_str())
    }

    pub fn is_html(&self) -> bool {
        is_html(&self.content_type)
    }
}

/// The media type without its parameters, in lower case.
pub fn media(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

pub fn is_html(content_type: &str) -> bool {
    matches!(media(content_type).as_str(), "text/html" | "application/xhtml+xml")
}

/// Whether bytes of a type get fewer by packing.
fn packs(content_type: &str) -> bool {
    let media = media(content_type);
    let text = ["javascript", "json", "xml", "svg", "font/ttf", "font/otf", "x-icon", "vnd.microsoft.icon"];
    media.starts_with("text/") || text.iter().any(|t| media.contains(t))
}

impl Copy {
    /// Packs it; `None` where that cannot be done.
    pub fn new(made: Made<'_>) -> Option<Copy> {
        let Made { taken, content_type, fields, language, forms, policies, body, holes } = made;
        let (mut out, mut pieces) = (Vec::new(), Vec::new());
        if packs(&content_type) {
            let mut from = 0;
            for (_, at) in holes {
                pieces.push(gzip::pack(&body[from..*at], After::More, &mut out)?);
                from = *at;
            }
            pieces.push(gzip::pack(&body[from..], After::End, &mut out)?);
        } else {
            out.extend_from_slice(body);
        }
        let holes = if pieces.is_empty() { Vec::new() } else { holes.iter().map(|(hole, _)| *hole).collect() };
        let plain = body.len();
        let about = About { taken, content_type, fields, language, forms, policies, plain, pieces, holes };
        Some(Copy { about, body: out.into() })
    }

    /// A redirect to another address of the portal's.
    pub fn redirect(to: &str, taken: u64) -> Option<Copy> {
        let fields = vec![(LOCATION.to_owned(), to.to_owned())];
        let (content_type, policies) = (String::new(), Vec::new());
        Copy::new(Made { taken, content_type, fields, language: None, forms: 0, policies, body: &[], holes: &[] })
    }

    /// Whether it says the same as another, whenever that was taken.
    pub fn same(&self, other: &Copy) -> bool {
        let about = About { taken: other.about.taken, ..self.about.clone() };
        about == other.about && self.body == other.body
    }

    /// Bytes as it is held.
    pub fn weight(&self) -> usize {
        self.body.len()
    }

    /// The page as it was kept; `None` where it does not unpack.
    pub fn plain(&self) -> Option<Bytes> {
        match self.about.pieces.is_empty() {
            true => Some(self.body.clone()),
            false => gzip::inflate(&self.body, bounds::SNAPSHOT_BYTES * 2).map(Bytes::from),
        }
    }

    /// With what `fill` gives for each hole.
    pub fn dress(&self, mut fill: impl FnMut(Hole) -> String) -> Dressed {
        let About { pieces, holes, plain, .. } = &self.about;
        if pieces.is_empty() {
            let mark = gzip::advance(!0, &self.body);
            return Dressed { body: self.body.clone(), packed: false, mark, plain: *plain };
        }
        let (mut out, mut sum) = (gzip::HEAD.to_vec(), Sum::default());
        out.reserve(self.body.len() + 1024);
        let (mut at, mut total) = (0, *plain);
        for (i, piece) in pieces.iter().enumerate() {
            out.extend_from_slice(self.slice(at..at + piece.packed));
            at += piece.packed;
            sum.add(piece);
            if let Some(hole) = holes.get(i)
                && let Some(words) = gzip::pack(fill(*hole).as_bytes(), After::More, &mut out)
            {
                sum.add(&words);
                total += words.plain;
            }
        }
        let tail = sum.tail();
        out.extend(tail);
        let mark = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
        Dressed { body: out.into(), packed: true, mark, plain: total }
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.body.get(range).unwrap_or_default()
    }

    /// A line of JSON, then the body.
    pub fn encode(&self) -> Vec<u8> {
        let mut row = serde_json::to_vec(&self.about).unwrap_or_default();
        row.push(b'\n');
        row.extend_from_slice(&self.body);
        row
    }

    /// Reads what [`Copy::encode`] wrote; `None` where it is anything else.
    pub fn decode(row: Vec<u8>) -> Option<Copy> {
        let line = row.iter().position(|b| *b == b'\n')?;
        let about: About = serde_json::from_slice(&row[..line]).ok()?;
        let body = Bytes::from(row).slice(line + 1..);
        let packed = about.pieces.iter().try_fold(0usize, |sum, p| sum.checked_add(p.packed))?;
        let whole = about.pieces.is_empty() || (packed == body.len() && about.holes.len() + 1 == about.pieces.len());
        whole.then_some(Copy { about, body })
    }
}

impl Dressed {
    /// The page for who takes no gzip.
    pub fn unpacked(&self) -> Option<Bytes> {
        if !self.packed {
            return Some(self.body.clone());
        }
        let ends = self.body.len().checked_sub(gzip::TAIL)?;
        gzip::inflate(self.body.get(gzip::HEAD.len()..ends)?, self.plain).map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(body: &str, content_type: &str, holes: &[(Hole, usize)]) -> Copy {
        let made = Made {
            taken: 99,
            content_type: content_type.into(),
            fields: vec![("content-language".into(), "sw".into())],
            language: Some("sw".into()),
            forms: 0,
            policies: Vec::new(),
            body: body.as_bytes(),
            holes,
        };
        Copy::new(made).unwrap()
    }

    #[test]
    fn a_dressed_page_is_the_page_with_words_in_its_holes_packed_and_plain() {
        let page = copy("beginning, middle and end", "text/html", &[(Hole::Banner, 10), (Hole::Note, 17)]);
        let dressed = page.dress(|hole| if hole == Hole::Banner { "<BANNER>".into() } else { String::new() });
        let expected = "beginning,<BANNER> middle and end";
        assert_eq!(dressed.unpacked().unwrap(), expected);
        assert_eq!(gzip::unpack(&dressed.body, 100).unwrap(), expected.as_bytes());
        let crc = !gzip::advance(!0, expected.as_bytes());
        assert_eq!(dressed.body[dressed.body.len() - 8..], [crc.to_le_bytes(), 33u32.to_le_bytes()].concat());
        assert_eq!(page.plain().unwrap(), "beginning, middle and end");
        assert_ne!(dressed.mark, page.dress(|_| "other".into()).mark);
        let image = copy("\u{1}PNG", "image/png", &[]);
        assert_eq!(image.dress(|_| "no".into()).unpacked().unwrap(), "\u{1}PNG");
    }

    #[test]
    fn a_row_reads_back_and_anything_else_does_not() {
        for page in
            [copy("page\nmore", "text/html; charset=utf-8", &[(Hole::Banner, 3)]), copy("x\ny", "image/png", &[])]
        {
            assert_eq!(Copy::decode(page.encode()), Some(page.clone()));
            let row = page.encode();
            assert!(Copy::decode(row[..row.len() - 1].to_vec()).is_none_or(|torn| !torn.same(&page)));
        }
        assert_eq!(Copy::decode(b"no row".to_vec()), None);
        assert_eq!(Copy::decode(b"{}\nx".to_vec()), None);
    }
}
