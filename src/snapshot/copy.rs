//! One copy of a page, packed as it lies on the disk, and how it is dressed to be served: what was washed stays in pieces,
//! and banner and notes go between them.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::gzip::{self, After, Piece, Slot, Sum};

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

/// What goes into a hole; where in it a code stands that is another one in each answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    pub html: String,
    pub code: Option<Range<usize>>,
}

impl From<String> for Words {
    fn from(html: String) -> Words {
        Words { html, code: None }
    }
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
    /// Names of the cookies that the origin gave along with it to nobody: whoever comes is given them, so they say nothing of who is
    /// signed in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
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
    /// Where the code goes; zeros until then.
    pub code: Option<Place>,
}

/// A place in a dressed page, packed and plain.
#[derive(Clone, Debug)]
pub struct Place {
    packed: Slot,
    plain: Range<usize>,
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
        let given = Vec::new();
        let about = About { taken, content_type, fields, language, forms, policies, given, plain, pieces, holes };
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
    pub fn dress<W: Into<Words>>(&self, mut fill: impl FnMut(Hole) -> W) -> Dressed {
        let About { pieces, holes, plain, .. } = &self.about;
        if pieces.is_empty() {
            let mark = gzip::advance(!0, &self.body);
            return Dressed { body: self.body.clone(), packed: false, mark, plain: *plain, code: None };
        }
        let mut out = Outfit { out: gzip::HEAD.to_vec(), sum: Sum::default(), code: None };
        out.out.reserve(self.body.len() + 1024);
        let mut at = 0;
        for (i, piece) in pieces.iter().enumerate() {
            out.out.extend_from_slice(self.slice(at..at + piece.packed));
            at += piece.packed;
            out.sum.add(piece);
            if let Some(hole) = holes.get(i) {
                out.put(&fill(*hole).into());
            }
        }
        let Outfit { mut out, sum, code } = out;
        let tail = sum.tail();
        out.extend(tail);
        let mark = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
        let code = code.map(|(packed, plain)| Place { packed: Slot::new(packed, sum.plain() - plain.end), plain });
        Dressed { body: out.into(), packed: true, mark, plain: sum.plain(), code }
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

/// A page that is being dressed.
struct Outfit {
    out: Vec<u8>,
    sum: Sum,
    /// Where the code stands, packed and plain; of several the first.
    code: Option<(Range<usize>, Range<usize>)>,
}

impl Outfit {
    fn put(&mut self, words: &Words) {
        let code = words.code.clone().filter(|code| self.code.is_none() && words.html.get(code.clone()).is_some());
        let Some((code, width)) = code.and_then(|code| Some((code.clone(), u16::try_from(code.len()).ok()?))) else {
            return self.text(&words.html);
        };
        self.text(&words.html[..code.start]);
        let (from, packed) = (self.sum.plain(), Slot::open(width, &mut self.out));
        self.sum.add(&Piece { packed: packed.len(), plain: code.len(), crc: 0 });
        self.code = Some((packed, from..from + code.len()));
        self.text(&words.html[code.end..]);
    }

    fn text(&mut self, text: &str) {
        if let Some(piece) = gzip::pack(text.as_bytes(), After::More, &mut self.out) {
            self.sum.add(&piece);
        }
    }
}

impl Place {
    /// A dressed page's body with a code in its place, in pieces that are the body's own but for what the code changes.
    pub(super) fn with(&self, body: &Bytes, packed: bool, code: &[u8]) -> [Bytes; 4] {
        let (at, end) = match packed {
            true => (&self.packed.at, body.len() - gzip::TAIL),
            false => (&self.plain, body.len()),
        };
        let mut tail = body[end..].to_vec();
        let adds = self.packed.adds(code).to_le_bytes();
        tail.iter_mut().zip(adds).for_each(|(t, a)| *t ^= a);
        [body.slice(..at.start), Bytes::copy_from_slice(code), body.slice(at.end..end), tail.into()]
    }

    pub(super) fn width(&self) -> usize {
        self.plain.len()
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

    /// The name of a row is made of what is in it: written otherwise it would be another, and the old one nobody's.
    #[test]
    fn a_copy_from_before_its_page_s_cookies_were_noted_is_written_as_it_was() {
        let row = copy("page", "text/html", &[]).encode();
        assert!(!String::from_utf8_lossy(&row).contains("given"));
        assert_eq!(Copy::decode(row.clone()).unwrap().encode(), row);
    }

    #[test]
    fn a_dressed_page_is_the_page_with_words_in_its_holes_packed_and_plain() {
        let page = copy("beginning, middle and end", "text/html", &[(Hole::Banner, 10), (Hole::Note, 17)]);
        let dressed = page.dress(|hole| if hole == Hole::Banner { "<BANNER>".to_owned() } else { String::new() });
        let expected = "beginning,<BANNER> middle and end";
        assert_eq!(dressed.unpacked().unwrap(), expected);
        assert_eq!(gzip::unpack(&dressed.body, 100).unwrap(), expected.as_bytes());
        let crc = !gzip::advance(!0, expected.as_bytes());
        assert_eq!(dressed.body[dressed.body.len() - 8..], [crc.to_le_bytes(), 33u32.to_le_bytes()].concat());
        assert_eq!(page.plain().unwrap(), "beginning, middle and end");
        assert_ne!(dressed.mark, page.dress(|_| "other".to_owned()).mark);
        let image = copy("\u{1}PNG", "image/png", &[]);
        assert_eq!(image.dress(|_| "no".to_owned()).unpacked().unwrap(), "\u{1}PNG");
    }

    #[test]
    fn a_code_goes_into_a_dressed_page_packed_and_plain_and_what_is_held_stays() {
        let page = copy("beginning, middle and end", "text/html", &[(Hole::Banner, 10), (Hole::Note, 17)]);
        let words = |hole| match hole {
            Hole::Banner => Words { html: "<b>code: ????.</b>".into(), code: Some(9..13) },
            _ => Words::from("<note>".to_owned()),
        };
        let dressed = page.dress(words);
        let (place, plain) = (dressed.code.as_ref().unwrap(), dressed.unpacked().unwrap());
        for code in ["ABCD", "2345"] {
            let expected = format!("beginning,<b>code: {code}.</b> middle<note> and end");
            assert_eq!(place.with(&plain, false, code.as_bytes()).concat(), expected.as_bytes());
            let packed = place.with(&dressed.body, true, code.as_bytes()).concat();
            assert_eq!(packed.len(), dressed.body.len());
            assert_eq!(gzip::unpack(&packed, 100).unwrap(), expected.as_bytes());
            let crc = !gzip::advance(!0, expected.as_bytes());
            assert_eq!(packed[packed.len() - 8..], [crc.to_le_bytes(), (expected.len() as u32).to_le_bytes()].concat());
        }
        assert_eq!(page.dress(words).mark, dressed.mark, "the code is no part of what tells pages apart");
        assert_ne!(page.dress(|_| "other".to_owned()).mark, dressed.mark);
        for wrong in [3..99, 1..70_000] {
            let astray = page.dress(|_| Words { html: "x".into(), code: Some(wrong.clone()) });
            assert!(astray.code.is_none() && astray.unpacked().unwrap() == "beginning,x middlex and end");
        }
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
