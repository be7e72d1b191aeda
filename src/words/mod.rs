//! What boma says to citizens: a file of sentences for each language, those that are shipped and those of operators, which are
//! held against English. [`Words`] has them all.
//!
//! Does not know: pages, where files lie, who reads what.

mod read;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

pub use read::{Written, place, read, read_copy};

/// The files in `config/lang`, shipped inside the binary. English comes first: it says everything.
const SHIPPED: [(&str, &str); 5] = [
    ("en", include_str!("../../config/lang/en.toml")),
    ("sw", include_str!("../../config/lang/sw.toml")),
    ("fr", include_str!("../../config/lang/fr.toml")),
    ("sq", include_str!("../../config/lang/sq.toml")),
    ("ar", include_str!("../../config/lang/ar.toml")),
];

/// How the keys of prepared statements begin, which incidents are opened with.
pub const TEMPLATE_KEYS: &str = "template_";

/// A language as it is spoken here.
#[derive(Debug, PartialEq, Eq)]
pub struct Language {
    pub tag: String,
    /// As its readers call it.
    pub name: String,
    pub right_to_left: bool,
    texts: BTreeMap<String, String>,
}

impl Language {
    /// A sentence by its key; `None`: this language does not say it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    /// Of all that it says.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }

    /// How HTML says it.
    pub fn dir(&self) -> &'static str {
        if self.right_to_left { "rtl" } else { "ltr" }
    }

    fn shipped(tag: &str, text: &str) -> Language {
        // The files are part of the build and a test reads them all: one that cannot be read says nothing.
        let mut texts: BTreeMap<String, String> = toml::from_str(text).unwrap_or_default();
        let name = texts.remove("name").unwrap_or_default();
        let right_to_left = texts.remove("dir").is_some_and(|dir| dir == "rtl");
        Language { tag: tag.to_owned(), name, right_to_left, texts }
    }
}

static BUILT_IN: LazyLock<Words> = LazyLock::new(|| {
    let one = |(tag, text): (&str, &str)| Arc::new(Language::shipped(tag, text));
    Words { languages: SHIPPED.into_iter().map(one).collect(), written: Vec::new() }
});

/// All languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    languages: Vec<Arc<Language>>,
    written: Vec<Written>,
}

impl Words {
    /// Those that are shipped.
    pub fn shipped() -> Words {
        BUILT_IN.clone()
    }

    /// Operators' files laid over those: a file replaces what it says of a shipped language, and what it does not say a shorter tag's
    /// language says (`en` for `en-GB`), where there is one.
    pub fn new(mut written: Vec<Written>) -> Words {
        written.sort_by_key(|w| (w.tag.len(), w.tag.clone()));
        let mut words = Words::shipped();
        for file in &written {
            let base = words.find(&file.tag).cloned();
            let language = Arc::new(file.over(base.as_deref()));
            match words.languages.iter_mut().find(|l| l.tag.eq_ignore_ascii_case(&file.tag)) {
                Some(old) => *old = language,
                None => words.languages.push(language),
            }
        }
        Words { written, ..words }
    }

    /// What operators' files say, by which these were made.
    pub fn written(&self) -> &[Written] {
        &self.written
    }

    /// The language of a tag, else of the shorter tag that it begins with (RFC 4647 section 3.4).
    pub fn find(&self, tag: &str) -> Option<&Arc<Language>> {
        let of = |tag: &str| self.languages.iter().find(|l| l.tag.eq_ignore_ascii_case(tag));
        of(tag).or_else(|| of(primary(tag)))
    }

    /// It says everything.
    pub fn english(&self) -> &Arc<Language> {
        &self.languages[0]
    }

    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.languages.iter().map(|l| l.tag.as_str())
    }
}

/// A language tag of one or two parts (BCP 47): `en`, `pt-BR`.
pub fn is_tag(tag: &str) -> bool {
    let (language, region) = tag.split_once('-').map_or((tag, None), |(l, r)| (l, Some(r)));
    let alpha = |t: &str, least: usize, most: usize| {
        (least..=most).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphabetic())
    };
    alpha(language, 2, 3)
        && region.is_none_or(|r| alpha(r, 2, 4) || (r.len() == 3 && r.bytes().all(|b| b.is_ascii_digit())))
}

/// Whether one of these languages is that of a tag, or of the shorter tag that it begins with.
pub fn speak(all: &[String], tag: &str) -> bool {
    all.iter().any(|own| own.eq_ignore_ascii_case(tag) || own.eq_ignore_ascii_case(primary(tag)))
}

/// Whether two tags are of one language, whatever their regions.
pub fn same_language(a: &str, b: &str) -> bool {
    primary(a).eq_ignore_ascii_case(primary(b))
}

/// Whether a language is written from right to left, as far as its tag tells: of languages that nobody has here.
pub fn runs_left(tag: &str) -> bool {
    const LEFT: [&str; 20] = [
        "ar", "arc", "bal", "bqi", "ckb", "dv", "fa", "glk", "he", "khw", "ks", "lrc", "mzn", "nqo", "ps", "sd", "skr",
        "ug", "ur", "yi",
    ];
    LEFT.iter().any(|left| primary(tag).eq_ignore_ascii_case(left))
}

fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

#[cfg(test)]
mod tests;
