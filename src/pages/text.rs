//! How a portal speaks one of its languages, and which of them a reader gets.
//!
//! Does not know: layout.

use std::borrow::Cow;
use std::sync::Arc;

use minijinja::{HtmlEscape, Value};

use crate::words::{Language, Words, same_language};

/// Languages read or chosen from at most this many entries of `Accept-Language`.
const ACCEPTED: usize = 16;
/// What the challenge's script says: without marks, so that all of it is in one language.
const ALOUD: [&str; 11] = [
    "challenge_working",
    "challenge_left",
    "challenge_progress",
    "challenge_done",
    "challenge_failed",
    "challenge_retry",
    "challenge_cookies",
    "challenge_slow",
    "challenge_by_hand",
    "resend_done",
    "resend_by_hand",
];

/// A language of a portal's. What it does not say the portal's first language says, or English; that is marked on pages.
pub struct Voice {
    /// As the portal writes it, and as pages say it.
    pub tag: String,
    language: Arc<Language>,
    instead: [Arc<Language>; 2],
    /// Whose the script's texts are.
    aloud: Arc<Language>,
    /// All sentences as HTML with their marks, and as plain text for attributes, which cannot be marked; by key.
    pub html: Value,
    pub plain: Value,
}

impl Voice {
    /// Of the language at `at`; of a language that nobody has the portal's first one, or English, whose tag is said then.
    pub fn new(words: &Words, tags: &[String], at: usize) -> Voice {
        let english = words.english();
        let first = tags.first().and_then(|tag| words.find(tag)).unwrap_or(english);
        let own = tags.get(at).and_then(|tag| Some((tag.clone(), words.find(tag)?)));
        let (tag, language) = own.unwrap_or_else(|| (first.tag.clone(), first));
        let says_all = |l: &&Arc<Language>| ALOUD.iter().all(|key| l.get(key).is_some());
        let aloud = [language, first].into_iter().find(says_all).unwrap_or(english).clone();
        let instead = [first.clone(), english.clone()];
        let none = || Value::from(());
        let mut voice = Voice { tag, language: language.clone(), instead, aloud, html: none(), plain: none() };
        let keys = || english.keys().chain(["dir"]);
        let html = Value::from_pairs(keys().map(|k| (k, Value::from_safe_string(voice.html(k, &[])))));
        let plain = Value::from_pairs(keys().map(|k| (k, voice.get(k))));
        (voice.html, voice.plain) = (html, plain);
        voice
    }

    /// English, where no portal is meant.
    pub fn english(words: &Words) -> Voice {
        Voice::new(words, &[], 0)
    }

    /// As its readers call the language.
    pub fn name(&self) -> &str {
        &self.language.name
    }

    pub fn dir(&self) -> &'static str {
        self.language.dir()
    }

    fn says(&self, key: &str) -> (&str, &Arc<Language>) {
        let all = || [&self.language].into_iter().chain(&self.instead);
        let all = all().filter(|l| !ALOUD.contains(&key) || Arc::ptr_eq(l, &self.aloud));
        all.filter_map(|l| Some((l.get(key)?, l))).next().unwrap_or(("", &self.language))
    }

    /// A sentence, whosever it is.
    pub fn get(&self, key: &str) -> &str {
        if key == "dir" { self.dir() } else { self.says(key).0 }
    }

    /// A sentence as HTML, with HTML in its holes, marked where it is in another language.
    pub fn html(&self, key: &str, holes: &[(&str, &str)]) -> String {
        let mut text = HtmlEscape(self.get(key)).to_string();
        for (hole, filling) in holes {
            text = text.replace(hole, filling);
        }
        let marks = self.marks(key);
        if marks.is_empty() { text } else { format!("<span{marks}>{text}</span>") }
    }

    /// The attributes of an element that holds a sentence and nothing else; empty where it is in the page's language.
    pub fn marks(&self, key: &str) -> String {
        self.of(self.says(key).1)
    }

    /// The same of one that holds what the script says.
    pub fn aloud(&self) -> String {
        self.of(&self.aloud)
    }

    fn of(&self, language: &Arc<Language>) -> String {
        if Arc::ptr_eq(language, &self.language) {
            return String::new();
        }
        let dir = if language.right_to_left == self.language.right_to_left {
            String::new()
        } else {
            format!(" dir=\"{}\"", language.dir())
        };
        format!(" lang=\"{}\"{dir}", language.tag)
    }
}

/// Characters that a title keeps at least where it is cut: fewer tell nobody what it is about.
pub const LEAST: usize = 12;

/// A text of so many characters at most, with "…" in the place of the rest; between words, where that leaves most of it.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().count() <= most {
        return Cow::Borrowed(text);
    }
    let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
    let (mut head, rest) = text.split_at(end);
    let within = !rest.starts_with(char::is_whitespace);
    if let Some(words) = head.rfind(char::is_whitespace).filter(|at| within && at * 2 > head.len()) {
        head = &head[..words];
    } else if rest.starts_with(clings) {
        // What a mark belongs to does not stand without it.
        head = head.trim_end_matches(clings);
        head = &head[..head.char_indices().next_back().map_or(0, |(at, _)| at)];
    }
    let head = head.trim_end_matches(|c: char| c.is_whitespace() || ",;:.-–—،؛".contains(c));
    Cow::Owned(format!("{head}…"))
}

/// Whether a character is a mark on the one before it, or ties two together.
fn clings(c: char) -> bool {
    let marks = matches!(c, '\u{300}'..='\u{36f}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}');
    marks || matches!(c, '\u{200d}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}')
}

/// A page with the longest cut of a title of so many characters with which it fits; `None` where none does.
pub fn with_longest<P>(title: usize, made: impl Fn(usize) -> P, fits: impl Fn(&P) -> bool) -> Option<P> {
    let (mut found, mut low, mut high) = (None, LEAST, title.saturating_sub(1));
    while low <= high {
        let middle = usize::midpoint(low, high);
        let page = made(middle);
        if fits(&page) {
            (found, low) = (Some(page), middle + 1);
        } else {
            high = middle - 1;
        }
    }
    found
}

/// The text of a language: of the tag itself, else of the same language elsewhere.
pub fn find<'t, T>(all: impl Iterator<Item = (&'t String, T)> + Clone, tag: &str) -> Option<(&'t str, T)> {
    let mut same = all.clone().filter(|(t, _)| same_language(t, tag));
    let exact = all.clone().find(|(t, _)| t.eq_ignore_ascii_case(tag));
    exact.or_else(|| same.next()).map(|(tag, text)| (tag.as_str(), text))
}

/// By what a reader's language was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// `?lang=`, as the switch on every page writes it.
    Query,
    /// What they chose before.
    Cookie,
    Browser,
}

/// Index into `tags` of the language for a reader: `?lang=`, else the cookie that keeps what was chosen so, else by
/// `Accept-Language` (RFC 9110 section 12.5.4, with the look-up of RFC 4647 section 3.4), else the first.
pub fn choose(tags: &[String], query: Option<&str>, cookie: Option<&str>, accept: Option<&str>) -> (usize, Choice) {
    let named = |tag: &str| tags.iter().position(|t| t.eq_ignore_ascii_case(tag));
    let asked = query.and_then(|q| q.split('&').find_map(|p| p.strip_prefix("lang=")));
    if let Some(at) = asked.and_then(named) {
        return (at, Choice::Query);
    }
    if let Some(at) = cookie.and_then(named) {
        return (at, Choice::Cookie);
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
    (best.map_or(0, |(_, at)| at), Choice::Browser)
}

fn thousandths(q: &str) -> u32 {
    q.trim().parse::<f32>().map_or(0, |q| (q.clamp(0.0, 1.0) * 1000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_is_whole_in_its_words_or_at_least_in_its_letters() {
        for (text, most, is) in [
            ("Payments are slow", 17, "Payments are slow"),
            ("Payments are slow", 16, "Payments are…"),
            ("Payments are slow", 13, "Payments are…"),
            ("Payments, fines and licences", 10, "Payments…"),
            ("Unterbrechungsfreiheit", 9, "Unterbre…"),
            ("a Unterbrechungsfreiheit", 9, "a Unterb…"),
            ("الدفع بطيء اليوم", 12, "الدفع بطيء…"),
            ("cafe\u{301}teria", 5, "caf…"),
            ("e\u{301}e\u{301}", 2, "…"),
            ("支付服务缓慢", 4, "支付服…"),
            ("ab", 0, "…"),
            ("", 0, ""),
        ] {
            assert_eq!(cut(text, most), is, "{text} {most}");
            assert!(cut(text, most).chars().count() <= most.max(1), "{text} {most}");
        }
    }

    #[test]
    fn the_longest_cut_that_fits_is_found() {
        for (title, room) in [(100, 50), (100, 12), (100, 98), (17, 16)] {
            assert_eq!(with_longest(title, |n| n, |n| *n <= room), Some(room.min(title - 1)), "{title} {room}");
        }
        for (title, room) in [(100, 11), (0, 50), (12, 50)] {
            assert_eq!(with_longest(title, |n| n, |n| *n <= room), None, "{title} {room}");
        }
    }
}
