//! Which requests an answer is for (RFC 9111 section 4.1): the fields that `Vary` names, as the request had them that
//! brought it.

use std::hash::{Hash as _, Hasher};

use crate::bounds;
use crate::wire::{Fields, Head};

/// Fields that boma writes anew for each request, so that the origin saw something else than the client sent.
const REWRITTEN: [&str; 9] = [
    "forwarded",
    "x-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "x-request-id",
    "via",
    "connection",
    "te",
];
/// Those of them that are part of the address under which answers are kept.
const IN_THE_ADDRESS: [&str; 3] = ["host", "x-forwarded-host", "x-forwarded-proto"];

/// What `Vary` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Varies {
    /// By these fields, sorted.
    By(Vec<String>),
    /// No two requests can be known to want the same.
    Always,
    /// It is somebody's own.
    ByCookie,
}

impl Varies {
    pub fn of(fields: &Fields) -> Varies {
        let mut names: Vec<String> = Vec::new();
        for token in fields.all("vary").flat_map(|line| line.split(|b| *b == b',')).map(<[u8]>::trim_ascii) {
            let name = String::from_utf8_lossy(token).to_ascii_lowercase();
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
            match name.as_str() {
                "" => {}
                "cookie" | "cookie2" | "authorization" | "boma-pass" => return Varies::ByCookie,
                n if n.contains('*') || !is_name || REWRITTEN.contains(&n) => return Varies::Always,
                n if IN_THE_ADDRESS.contains(&n) => {}
                _ => names.push(name),
            }
        }
        names.sort();
        names.dedup();
        if names.len() > bounds::CACHE_VARY_NAMES { Varies::Always } else { Varies::By(names) }
    }
}

/// The values that select an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected(Vec<(String, Value)>);

/// A field as it came, for a quick look, and in one spelling; `None` where it was absent.
#[derive(Clone, Debug)]
struct Value {
    raw: Option<Vec<u8>>,
    plain: Option<Vec<u8>>,
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.plain == other.plain
    }
}
impl Eq for Value {}

/// A request as far as answers are selected by it.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    pub head: &'a dyn Head,
    /// What the origin is told of encodings, where that stands in for the client's word.
    pub encoding: Option<&'a str>,
}

impl Asking<'_> {
    fn raw(&self, name: &str) -> Option<&[u8]> {
        match self.encoding {
            Some(own) if name == "accept-encoding" => Some(own.as_bytes()),
            _ => self.head.field(name),
        }
    }

    /// Lines together, blanks and what is the same in any case or order in one spelling.
    fn plain(&self, name: &str) -> Option<Vec<u8>> {
        let mut whole: Option<Vec<u8>> = None;
        let mut join = |line: &[u8]| {
            let whole = whole.get_or_insert_default();
            for part in line.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|p| !p.is_empty()) {
                if !whole.is_empty() {
                    whole.push(b',');
                }
                whole.extend_from_slice(part);
            }
        };
        match self.encoding {
            Some(own) if name == "accept-encoding" => join(own.as_bytes()),
            _ => {
                self.head.any(name, &mut |line| {
                    join(line);
                    false
                });
            }
        }
        let mut whole = whole?;
        if matches!(name, "accept-encoding" | "accept-language" | "accept-charset") {
            whole.make_ascii_lowercase();
        }
        // Without weights their order says nothing.
        if name == "accept-encoding" && !whole.contains(&b';') {
            let mut codings: Vec<&[u8]> = whole.split(|b| *b == b',').collect();
            codings.sort_unstable();
            codings.dedup();
            whole = codings.join(&b","[..]);
        }
        Some(whole)
    }
}

impl Selected {
    pub fn by(names: &[String], asking: &Asking<'_>) -> Selected {
        let value = |name: &String| {
            (name.clone(), Value { raw: asking.raw(name).map(<[u8]>::to_vec), plain: asking.plain(name) })
        };
        Selected(names.iter().map(value).collect())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub fn matches(&self, asking: &Asking<'_>) -> bool {
        self.0.iter().all(|(name, kept)| {
            let own = asking.encoding.is_some() && name == "accept-encoding";
            let once = own || asking.head.count(name) <= 1;
            (once && asking.raw(name) == kept.raw.as_deref()) || asking.plain(name) == kept.plain
        })
    }

    /// The fields as the answer's request had them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().filter_map(|(name, value)| Some((name.as_str(), value.raw.as_deref()?)))
    }

    /// Puts what tells it from others into a hash.
    pub fn stamp(&self, hasher: &mut impl Hasher) {
        self.0.iter().for_each(|(name, value)| (name, &value.plain).hash(hasher));
    }

    pub fn weight(&self) -> usize {
        let bytes = |v: &Option<Vec<u8>>| v.as_ref().map_or(0, Vec::len);
        self.0.iter().map(|(name, v)| 64 + name.len() + bytes(&v.raw) + bytes(&v.plain)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FieldsAlone;

    #[test]
    fn who_takes_the_same_by_another_word_is_given_it_and_nobody_by_half_of_a_field() {
        let asks = |lines: &[(&str, &str)]| -> Vec<(String, Vec<u8>)> {
            lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
        };
        let names = ["accept-encoding", "x-region"].map(str::to_owned);
        let first = asks(&[("accept-encoding", "gzip, br"), ("x-region", "coast")]);
        let head = FieldsAlone(&first);
        let packed = Selected::by(&names, &Asking { head: &head, encoding: Some("gzip") });
        let matches = |lines: &[(&str, &str)], encoding| {
            let asks = asks(lines);
            packed.matches(&Asking { head: &FieldsAlone(&asks), encoding })
        };
        let region = ("x-region", "coast");
        assert!(matches(&[("accept-encoding", "zstd, gzip"), region], Some("gzip")));
        assert!(matches(&[("accept-encoding", "gzip"), region], None), "a program that says so itself");
        assert!(!matches(&[("accept-encoding", "gzip, br"), region], None), "what else it takes was not asked for");
        assert!(!matches(&[region, ("x-region", "west")], Some("gzip")), "two lines are not the first of them");
    }
}
