//! A head's bytes, and its fields as ranges into them.
//!
//! Does not know: the grammar, what a head is of.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

pub type Span = Range<u32>;

pub fn span(whole: &[u8], part: &[u8]) -> Span {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start as u32..(start + part.len()) as u32
}

/// A head as it came.
pub trait Whole {
    fn bytes(&self) -> &[u8];
    /// A part of it, where that is text.
    fn text(&self, part: Range<usize>) -> Option<&str>;
}

impl Whole for Bytes {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn text(&self, part: Range<usize>) -> Option<&str> {
        std::str::from_utf8(self.get(part)?).ok()
    }
}

/// A head that is asked for its parts again and again: as text where it is that, as nearly all are, so that this is looked at once.
#[derive(Debug)]
pub enum Written {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<BytesMut> for Written {
    fn from(bytes: BytesMut) -> Written {
        String::from_utf8(bytes.into()).map_or_else(|e| Written::Bytes(e.into_bytes()), Written::Text)
    }
}

impl Whole for Written {
    fn bytes(&self) -> &[u8] {
        match self {
            Written::Text(text) => text.as_bytes(),
            Written::Bytes(bytes) => bytes,
        }
    }

    fn text(&self, part: Range<usize>) -> Option<&str> {
        match self {
            Written::Text(text) => text.get(part),
            Written::Bytes(bytes) => std::str::from_utf8(bytes.get(part)?).ok(),
        }
    }
}

/// Fields as ranges into the head's bytes; names in lower case.
#[derive(Debug)]
pub struct Fields<B> {
    pub whole: B,
    // Not beside the rest: a head is handed on a few times, and this is most of it.
    pub spans: Vec<(Span, Span)>,
    /// The lengths of the names, as bits: most names that are asked for are not there, and this tells it at once.
    lengths: u64,
}

impl<B: Whole> Fields<B> {
    pub fn new(whole: B, spans: Vec<(Span, Span)>) -> Fields<B> {
        let lengths = spans.iter().fold(0, |bits, (name, _)| bits | 1 << (name.len() & 63));
        Fields { whole, spans, lengths }
    }

    pub fn at(&self, span: &Span) -> &[u8] {
        &self.whole.bytes()[span.start as usize..span.end as usize]
    }

    /// Where a field of this name can be.
    fn likely(&self, name: &str) -> &[(Span, Span)] {
        if self.lengths >> (name.len() & 63) & 1 == 1 { &self.spans } else { &[] }
    }

    pub fn text(&self, span: &Span) -> &str {
        self.whole.text(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The value of the first field of this name.
    pub fn first(&self, name: &str) -> Option<&Span> {
        self.likely(name).iter().find(|(n, _)| self.at(n) == name.as_bytes()).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.spans.iter().map(|(name, value)| (self.text(name), self.at(value)))
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.likely(name).iter().filter(move |(n, _)| self.at(n) == name.as_bytes()).map(|(_, v)| self.at(v))
    }
}
