//! What an answer says of its keeping: `Cache-Control` (RFC 9111 section 5.2.2), and `CDN-Cache-Control` before it
//! (RFC 9213). What forbids is read in any spelling, what allows only where it is written cleanly.
//!
//! Does not know: what is kept, and for how long.

use std::convert::Infallible;

use sfv::visitor::{DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor};
use sfv::{BareItemFromInput, KeyRef, Parser};

use crate::bounds;
use crate::wire::Fields;

/// An answer's directives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub no_store: bool,
    pub private: bool,
    pub public: bool,
    pub no_cache: bool,
    pub must_revalidate: bool,
    pub proxy_revalidate: bool,
    pub must_understand: bool,
    pub max_age: Option<u64>,
    pub s_maxage: Option<u64>,
    pub while_revalidate: Option<u64>,
    pub if_error: Option<u64>,
    /// Fields that `no-cache="…"` names: they are not given out of a cache.
    pub hidden: Vec<String>,
    /// It is said by a targeted field; `Cache-Control` and `Expires` then count for nothing.
    pub targeted: bool,
    /// There is a `Cache-Control` at all.
    pub anything: bool,
}

impl Said {
    pub fn of(fields: &Fields) -> Said {
        let targeted = joined(fields.all("cdn-cache-control"));
        if let Some(said) = dictionary(&targeted) {
            return said;
        }
        let mut said = Said::default();
        for line in fields.all("cache-control") {
            said.anything |= !line.trim_ascii().is_empty();
            let sane = each(line, &mut |directive| said.take(&directive));
            if !sane {
                said.forbid(line);
            }
        }
        // What cannot be read as a dictionary allows nothing, but what it forbids was meant for boma.
        said.forbid(&targeted);
        said
    }

    fn take(&mut self, directive: &Directive<'_>) {
        let Directive { name, argument, whole } = directive;
        let quoted = matches!(argument, Some(Argument::Quoted(_)));
        match name.to_ascii_lowercase().as_slice() {
            b"no-cache" if quoted => {
                let Some(Argument::Quoted(names)) = argument else { return };
                let names = String::from_utf8_lossy(names).to_ascii_lowercase();
                self.hidden.extend(names.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()));
                return;
            }
            b"public" => self.public |= argument.is_none(),
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"max-age" => once(&mut self.max_age, seconds(argument.as_ref()).unwrap_or(0)),
            b"s-maxage" => once(&mut self.s_maxage, seconds(argument.as_ref()).unwrap_or(0)),
            b"stale-while-revalidate" => once(&mut self.while_revalidate, seconds(argument.as_ref()).unwrap_or(0)),
            b"stale-if-error" => once(&mut self.if_error, seconds(argument.as_ref()).unwrap_or(0)),
            // An age with blanks around it says that there was to be an end, and not when.
            spaced if matches!(spaced.trim_ascii(), b"max-age") => once(&mut self.max_age, 0),
            spaced if matches!(spaced.trim_ascii(), b"s-maxage") => once(&mut self.s_maxage, 0),
            _ => {}
        }
        let plain = whole.split(|b| *b == b'"').next().unwrap_or(whole);
        self.forbid(plain);
    }

    /// Looks for what forbids, whatever stands around it.
    fn forbid(&mut self, text: &[u8]) {
        let words = text.split(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'_'));
        for word in words.filter(|w| (7..=16).contains(&w.len())) {
            let plain = word.iter().filter(|b| !matches!(b, b'-' | b'_')).map(u8::to_ascii_lowercase);
            match plain.collect::<Vec<u8>>().as_slice() {
                b"nostore" => self.no_store = true,
                b"private" => self.private = true,
                b"nocache" => self.no_cache = true,
                _ => {}
            }
        }
    }

    /// Whether a copy past its time must never be given without asking. `s-maxage` asks for that too (RFC 9111 section
    /// 5.2.2.10), but where the same answer allows stale copies for so long, it means those.
    pub fn forbids_stale(&self) -> bool {
        let by_s_maxage = self.s_maxage.is_some() && self.while_revalidate.is_none() && self.if_error.is_none();
        self.no_cache || self.must_revalidate || self.proxy_revalidate || by_s_maxage
    }
}

/// Two that differ say nothing that could be relied upon: the copy counts as stale (RFC 9111 section 4.2.1).
fn once(slot: &mut Option<u64>, value: u64) {
    *slot = Some(if slot.is_some_and(|other| other != value) { 0 } else { value });
}

/// One directive of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Directive<'a> {
    pub name: &'a [u8],
    pub argument: Option<Argument>,
    whole: &'a [u8],
}

#[derive(Debug, PartialEq, Eq)]
pub enum Argument {
    Token(Vec<u8>),
    /// Without its quotes.
    Quoted(Vec<u8>),
}

/// Takes a list apart at the commas outside of quotes; whether all its quotes were closed.
pub fn each(line: &[u8], take: &mut dyn FnMut(Directive<'_>)) -> bool {
    let (mut from, mut quoted, mut escaped) = (0, false, false);
    let mut parts: Vec<&[u8]> = Vec::new();
    for (at, b) in line.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.push(&line[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !quoted {
        parts.push(&line[from..]);
    }
    for whole in parts.into_iter().map(<[u8]>::trim_ascii).filter(|p| !p.is_empty()) {
        let at = whole.iter().position(|b| *b == b'=');
        let (name, argument) = match at {
            Some(at) => (&whole[..at], Some(unquoted(&whole[at + 1..]))),
            None => (whole, None),
        };
        take(Directive { name, argument, whole });
    }
    !quoted
}

fn unquoted(argument: &[u8]) -> Argument {
    let inside = argument.strip_prefix(b"\"").and_then(|a| a.strip_suffix(b"\""));
    let Some(inside) = inside.filter(|_| argument.len() >= 2) else { return Argument::Token(argument.to_vec()) };
    let mut plain = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(b) = bytes.next() {
        plain.extend(if *b == b'\\' { bytes.next() } else { Some(b) });
    }
    Argument::Quoted(plain)
}

/// Delta-seconds (RFC 9111 section 1.2.2); what is beyond the bound is the bound.
pub fn seconds(argument: Option<&Argument>) -> Option<u64> {
    let (Argument::Token(text) | Argument::Quoted(text)) = argument?;
    digits(text)
}

/// A number without a sign, blanks or anything else.
pub fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |n: u64, b: &u8| n.saturating_mul(10).saturating_add(u64::from(b - b'0'));
    Some(text.iter().fold(0, number).min(bounds::CACHE_SECONDS))
}

/// All values of a field as one list.
fn joined<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let values: Vec<&[u8]> = values.collect();
    values.join(&b", "[..])
}

/// A targeted field's directives, where it is a dictionary (RFC 9651) that says anything, and of the right types.
fn dictionary(text: &[u8]) -> Option<Said> {
    if text.trim_ascii().is_empty() {
        return None;
    }
    let reader = Reader { said: Said { targeted: true, anything: true, ..Said::default() }, wrong: false };
    Parser::new(text).parse_dictionary_with_visitor(reader).ok()?
}

/// Directives that are no lists.
const KNOWN: [&str; 11] = [
    "max-age",
    "s-maxage",
    "stale-while-revalidate",
    "stale-if-error",
    "no-store",
    "private",
    "no-cache",
    "must-revalidate",
    "proxy-revalidate",
    "must-understand",
    "public",
];

/// Reads a dictionary.
struct Reader {
    said: Said,
    wrong: bool,
}

/// One member of it.
struct Member<'r, 'de> {
    reader: &'r mut Reader,
    name: &'de str,
}

impl<'de> DictionaryVisitor<'de> for Reader {
    type Out = Option<Said>;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        Ok(Member { reader: self, name: key.as_str() })
    }

    fn finish(self) -> Result<Option<Said>, Infallible> {
        Ok((!self.wrong).then_some(self.said))
    }
}

impl<'de> EntryVisitor<'de> for Member<'_, 'de> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        self.reader.wrong |= KNOWN.contains(&self.name);
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Member<'_, 'de> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(self, value: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        let Reader { said, wrong } = self.reader;
        // Whatever else it is, it is not false.
        let holds = !matches!(value, BareItemFromInput::Boolean(false));
        let plainly = matches!(value, BareItemFromInput::Boolean(true));
        let seconds = match value {
            BareItemFromInput::Integer(n) => Some(u64::try_from(i64::from(n)).unwrap_or(0).min(bounds::CACHE_SECONDS)),
            _ => None,
        };
        let mut age = |slot: &mut Option<u64>| {
            *wrong |= seconds.is_none();
            *slot = seconds;
        };
        match self.name {
            "max-age" => age(&mut said.max_age),
            "s-maxage" => age(&mut said.s_maxage),
            "stale-while-revalidate" => age(&mut said.while_revalidate),
            "stale-if-error" => age(&mut said.if_error),
            "no-store" => said.no_store |= holds,
            "private" => said.private |= holds,
            "no-cache" => said.no_cache |= holds,
            "must-revalidate" => said.must_revalidate |= holds,
            "proxy-revalidate" => said.proxy_revalidate |= holds,
            "must-understand" => said.must_understand |= holds,
            "public" => said.public |= plainly,
            _ => {}
        }
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[(&'static str, &'static str)]) -> Said {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(*name, *value));
        Said::of(&fields)
    }

    fn control(value: &'static str) -> Said {
        said(&[("cache-control", value)])
    }

    #[test]
    fn what_forbids_is_read_in_any_spelling() {
        for text in [
            "no-store",
            "No-Store",
            "NO-STORE=1",
            "max-age=60;no-store",
            "max-age=60 no-store",
            "no_store",
            "\"no-store",
        ] {
            assert!(control(text).no_store, "{text}");
        }
        for text in ["private", "Private, max-age=60", "private=\"x\"", "max-age=60; private", "private max-age=9"] {
            assert!(control(text).private, "{text}");
        }
        for text in ["max-age=60, foo=\"no-store, private\"", "public", "x-private-x=1", "max-age=60"] {
            let said = control(text);
            assert!(!said.no_store && !said.private && !said.no_cache, "{text}");
        }
    }

    #[test]
    fn ages_that_cannot_be_read_are_over() {
        let age = |text| control(text).max_age;
        assert_eq!(age("max-age=60"), Some(60));
        assert_eq!(age("max-age=\"60\""), Some(60));
        assert_eq!(age("MAX-AGE=60"), Some(60));
        assert_eq!(age("max-age=99999999999999999999999"), Some(bounds::CACHE_SECONDS));
        for odd in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age=6a",
            "max-age =60",
            "max-age= 60",
            "max-age=1, max-age=60",
        ] {
            assert_eq!(age(odd), Some(0), "{odd}");
        }
        assert_eq!(age("max-age=60, max-age=60"), Some(60));
        assert_eq!(age("x-max-age=60, \"max-age=60\""), None);
    }

    #[test]
    fn a_targeted_field_stands_for_all_where_it_can_be_read() {
        let both = |targeted| said(&[("cache-control", "max-age=1, private"), ("cdn-cache-control", targeted)]);
        let good = both("max-age=600, public");
        assert!(good.targeted && good.public && !good.private && good.max_age == Some(600));
        for odd in ["", "max-age=600, &&", "max-age=\"600\"", "MAX-AGE=600", "max-age=(600)", "max-age=6.5"] {
            let said = both(odd);
            assert!(!said.targeted && said.private && said.max_age == Some(1), "{odd}");
        }
        let forbids = said(&[("cache-control", "max-age=60"), ("cdn-cache-control", "No-Store, &")]);
        assert!(forbids.no_store && !forbids.targeted);
    }
}
