//! An operator's file of one language, held against English: every fault at once, with its place.
//!
//! Does not know: the other languages, how pages look.

use std::collections::{BTreeMap, BTreeSet};

use super::{BUILT_IN, Language, TEMPLATE_KEYS};
use crate::bounds;
use crate::fault::{self, At, Read, Section};

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub tag: String,
    name: Option<String>,
    right_to_left: Option<bool>,
    texts: BTreeMap<String, String>,
}

impl Written {
    /// A language of which nothing can be read: all that it would say others say.
    pub fn empty(tag: &str) -> Written {
        Written { tag: tag.to_owned(), ..Written::default() }
    }

    /// The language that it makes, laid over the one that it goes on from.
    pub(super) fn over(&self, base: Option<&Language>) -> Language {
        let mut texts = base.map_or(BTreeMap::new(), |base| base.texts.clone());
        texts.extend(self.texts.clone());
        Language {
            tag: self.tag.clone(),
            name: self.name.clone().unwrap_or_else(|| base.map_or(&self.tag, |base| &base.name).clone()),
            right_to_left: self.right_to_left.unwrap_or(base.is_some_and(|base| base.right_to_left)),
            texts,
        }
    }
}

/// Reads the file of a tag. What it does not say is a fault where no shipped language says it, unless the file calls itself
/// partial.
pub fn read(file: &str, text: &str, tag: &str) -> Read<Written> {
    held(file, text, tag, false)
}

/// Reads a copy of a file that was good once: a newer boma may have more to say than it has.
pub fn read_copy(file: &str, text: &str, tag: &str) -> Read<Written> {
    held(file, text, tag, true)
}

fn held(file: &str, text: &str, tag: &str, is_copy: bool) -> Read<Written> {
    fault::read(file, text, |top| {
        let base = BUILT_IN.find(tag);
        let mut missing = BTreeSet::new();
        let partial = top.boolean("partial").is_some_and(|at| at.value);
        let mut written = Written {
            tag: tag.to_owned(),
            name: name(top),
            right_to_left: top.word("dir", &["ltr", "rtl"]).map(|dir| dir.value == "rtl"),
            texts: BTreeMap::new(),
        };
        for (key, help) in
            [("name", "name = \"Kiswahili\", as its readers call it"), ("dir", "dir = \"ltr\" or \"rtl\"")]
        {
            if base.is_none() && !top.has(key) {
                top.fault(0..0, format!("`{key}` is not here"), format!("write {help}"));
            }
        }
        for (key, english) in &BUILT_IN.english().texts {
            match top.string(key, english) {
                Some(at) => {
                    hold(top, key, english, &at);
                    written.texts.insert(key.clone(), at.value);
                }
                None if !top.has(key) && base.is_none() => drop(missing.insert(key.as_str())),
                None => {}
            }
        }
        match missing.is_empty() {
            true => {}
            false if partial || is_copy => {
                let (some, all) = (missing.len(), BUILT_IN.english().texts.len());
                let message = format!("{some} of {all} sentences are not here: {}", listed(missing));
                top.warn(0..0, message, "readers get these in the portal's first language, or in English");
            }
            false => gaps(top, (file, text), &missing),
        }
        written
    })
}

fn listed<'k>(keys: impl IntoIterator<Item = &'k str>) -> String {
    keys.into_iter().collect::<Vec<_>>().join(", ")
}

/// What is not here is told where it would stand: in the line of the sentence that comes before it in the English file.
fn gaps(top: &Section<'_>, (file, text): (&str, &str), missing: &BTreeSet<&str>) {
    let english = super::SHIPPED[0].1;
    let keys: Vec<&str> = english.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
    let is_missing = |key: &&str| missing.contains(*key);
    let mut line = 1;
    for gap in keys.chunk_by(|a, b| is_missing(a) == is_missing(b)) {
        match gap {
            [.., last] if !is_missing(last) => line = place(text, last).0,
            gap => {
                let help = "write it as config/lang/en.toml has it; or say partial = true at the top, and readers get what is missing in the portal's first language";
                top.fault_in(file, line, format!("here is missing: {}", listed(gap.iter().copied())), help);
            }
        }
    }
}

/// Where a key stands in a text, line and column from 1 on; the beginning where it does not.
pub fn place(text: &str, key: &str) -> (u32, u32) {
    let is = |line: &&str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    let found = text.lines().zip(1..).find(|(line, _)| is(line));
    found.map_or((1, 1), |(line, n)| (n, (line.len() - line.trim_start().len()) as u32 + 1))
}

fn name(top: &Section<'_>) -> Option<String> {
    let at = top.string("name", "Kiswahili")?;
    plain(top, "name", &at);
    length(top, "name", &at, bounds::LANGUAGE_NAME_CHARS);
    Some(at.value)
}

/// Whether a sentence can stand where the English one stands.
fn hold(top: &Section<'_>, key: &str, english: &str, at: &At<String>) {
    plain(top, key, at);
    length(top, key, at, most(key, english));
    let (wanted, mut found) = (holes(english), holes(&at.value));
    for hole in wanted.iter() {
        let before = found.len();
        found.retain(|f| f != hole);
        let (message, help) = match before - found.len() {
            0 => (
                format!("`{key}` is without {hole}"),
                format!("write {hole} where it belongs; in English: {english:?}"),
            ),
            1 => continue,
            n => (format!("`{key}` says {hole} {n} times"), "write it once".to_owned()),
        };
        top.fault(at.span.clone(), message, help);
    }
    for hole in found {
        let help = match wanted.as_slice() {
            [] => "leave it out: nothing is filled in here".to_owned(),
            some => format!("{} is filled in here, and nothing else", some.join(", ")),
        };
        top.fault(at.span.clone(), format!("`{key}` holds {hole}, which nothing fills"), help);
    }
}

/// Characters of a sentence. What incidents are opened with must not be more than an incident may say, in the worst moment.
fn most(key: &str, english: &str) -> usize {
    let most = english.chars().count() * bounds::SENTENCE_TIMES + bounds::SENTENCE_MORE;
    match key.strip_prefix(TEMPLATE_KEYS) {
        Some(rest) if rest.ends_with("_title") => most.min(bounds::INCIDENT_TITLE_CHARS),
        Some(_) => most.min(bounds::INCIDENT_TEXT_CHARS),
        None => most,
    }
}

/// Everything in braces, and braces that stand alone.
fn holes(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{', '}']) {
        let from = &rest[start..];
        let end = match from[1..].find(['{', '}']) {
            Some(end) if from.starts_with('{') && from[1 + end..].starts_with('}') => end + 2,
            _ => 1,
        };
        all.push(&from[..end]);
        rest = &from[end..];
    }
    all
}

fn length(top: &Section<'_>, key: &str, at: &At<String>, most: usize) {
    let length = at.value.chars().count();
    if length > most {
        top.fault(at.span.clone(), format!("`{key}` has {length} characters"), format!("write {most} at most"));
    }
}

/// Pages show these texts as they stand: whatever a browser, or a reader's eye, would take for something else is refused.
fn plain(top: &Section<'_>, key: &str, at: &At<String>) {
    let text = &at.value;
    if text.trim().is_empty() {
        top.fault(at.span.clone(), format!("`{key}` is empty"), "write what it says, or leave the key out");
    }
    if text.contains(['<', '>']) || has_entity(text) {
        let help = "write plain text: what looks like HTML would be shown as it stands";
        top.fault(at.span.clone(), format!("`{key}` holds markup"), help);
    }
    // Marks that turn the direction of what comes after them, beyond the sentence too (UAX 9).
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if let Some(c) = text.chars().find(|c| c.is_control() || turns(*c)) {
        let help = "leave it out: a sentence is one line, and its direction is said by `dir`";
        top.fault(at.span.clone(), format!("`{key}` holds U+{:04X}", u32::from(c)), help);
    }
}

/// Such as `&amp;` and `&#38;`.
fn has_entity(text: &str) -> bool {
    text.match_indices('&').any(|(at, _)| {
        let name = text[at + 1..].split(';').next().unwrap_or_default();
        let ends = text[at + 1..].len() > name.len();
        ends && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
    })
}
