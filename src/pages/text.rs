//! The sentences, one file per language, and which language a reader gets.
//!
//! Does not know: layout.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The files in `config/lang`, shipped inside the binary.
const SHIPPED: [(&str, &str); 5] = [
    ("en", include_str!("../../config/lang/en.toml")),
    ("sw", include_str!("../../config/lang/sw.toml")),
    ("fr", include_str!("../../config/lang/fr.toml")),
    ("sq", include_str!("../../config/lang/sq.toml")),
    ("ar", include_str!("../../config/lang/ar.toml")),
];

/// Languages read or chosen from at most this many entries of `Accept-Language`.
const ACCEPTED: usize = 16;

pub struct Language {
    pub tag: &'static str,
    pub texts: HashMap<String, String>,
}

impl Language {
    pub fn get(&self, key: &str) -> &str {
        self.texts.get(key).map_or("", String::as_str)
    }
}

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    // The files are part of the build and a test reads them all: one that cannot be read has no texts.
    let one = |(tag, text): (&'static str, &str)| Language { tag, texts: toml::from_str(text).unwrap_or_default() };
    SHIPPED.into_iter().map(one).collect()
});

/// The shipped language of a tag, by its first part; English where there is none.
pub fn language(tag: &str) -> &'static Language {
    LANGUAGES.iter().find(|l| same_language(l.tag, tag)).unwrap_or(&LANGUAGES[0])
}

#[cfg(test)]
pub fn shipped() -> &'static [Language] {
    &LANGUAGES
}

pub fn same_language(a: &str, b: &str) -> bool {
    primary(a).eq_ignore_ascii_case(primary(b))
}

fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

/// Index into `tags` of the language for a reader: `?lang=`, else by `Accept-Language` (RFC 9110 section 12.5.4, with the
/// look-up of RFC 4647 section 3.4), else the first.
pub fn choose(tags: &[String], query: Option<&str>, accept: Option<&str>) -> usize {
    let asked = query.and_then(|q| q.split('&').find_map(|p| p.strip_prefix("lang=")));
    if let Some(at) = asked.and_then(|tag| tags.iter().position(|t| t.eq_ignore_ascii_case(tag))) {
        return at;
    }
    let mut best: Option<(u32, usize)> = None;
    for entry in accept.unwrap_or("").split(',').take(ACCEPTED) {
        let mut parts = entry.split(';');
        let tag = parts.next().unwrap_or("").trim();
        let quality = parts.find_map(|p| p.trim().strip_prefix("q=")).map_or(1000, thousandths);
        let found = tags
            .iter()
            .position(|t| t.eq_ignore_ascii_case(tag))
            .or_else(|| tags.iter().position(|t| same_language(t, tag)));
        if let Some(at) = found.filter(|_| quality > 0)
            && best.is_none_or(|(q, _)| quality > q)
        {
            best = Some((quality, at));
        }
    }
    best.map_or(0, |(_, at)| at)
}

fn thousandths(q: &str) -> u32 {
    q.trim().parse::<f32>().map_or(0, |q| (q.clamp(0.0, 1.0) * 1000.0) as u32)
}
