//! How a portal speaks one of its languages, and which of them a reader gets.
//!
//! Does not know: layout.

use std::sync::Arc;

use minijinja::{HtmlEscape, Value};

use crate::words::{Language, Words, runs_left, same_language};

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

    /// A sentence as HTML, with HTML in its holes, for an element that bears its [`Voice::marks`].
    pub fn inside(&self, key: &str, holes: &[(&str, &str)]) -> String {
        let text = HtmlEscape(self.get(key)).to_string();
        holes.iter().fold(text, |text, (hole, filling)| text.replace(hole, filling))
    }

    /// The same for any place: marked where it is in another language.
    pub fn html(&self, key: &str, holes: &[(&str, &str)]) -> String {
        let (text, marks) = (self.inside(key, holes), self.marks(key));
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
        if Arc::ptr_eq(language, &self.language) { String::new() } else { self.foreign(&language.tag, language.dir()) }
    }

    /// The attributes of an element whose text somebody else wrote, in a language of this tag; empty where it is the page's own.
    pub fn marks_of(&self, tag: &str) -> String {
        if same_language(tag, &self.tag) { String::new() } else { self.foreign(tag, self.dir_of(tag)) }
    }

    /// HTML in a language of this tag, marked where that is another one.
    pub fn marked(&self, tag: &str, html: String) -> String {
        let marks = self.marks_of(tag);
        if marks.is_empty() { html } else { format!("<span{marks}>{html}</span>") }
    }

    /// A direction of its own also keeps a text apart from what stands around it.
    fn foreign(&self, tag: &str, dir: &str) -> String {
        let dir = if dir == self.dir() { String::new() } else { format!(" dir=\"{dir}\"") };
        format!(" lang=\"{}\"{dir}", HtmlEscape(tag))
    }

    fn dir_of(&self, tag: &str) -> &'static str {
        let known = [&self.language].into_iter().chain(&self.instead).find(|l| same_language(&l.tag, tag));
        known.map_or_else(|| if runs_left(tag) { "rtl" } else { "ltr" }, |language| language.dir())
    }

    /// What somebody is called, as HTML: kept apart where it is written the other way than what stands around it.
    pub fn called(&self, name: &str) -> String {
        called(name, self.language.right_to_left)
    }

    /// The same within a text in a language of this tag.
    pub fn called_in(&self, tag: &str, name: &str) -> String {
        called(name, self.dir_of(tag) == "rtl")
    }
}

fn called(name: &str, right_to_left: bool) -> String {
    let is_left = |c: char| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}');
    let html = HtmlEscape(name).to_string();
    let turns = name.chars().any(|c| c.is_alphabetic() && is_left(c) != right_to_left);
    if turns { format!("<bdi>{html}</bdi>") } else { html }
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
    fn a_name_is_kept_apart_where_it_runs_against_its_page() {
        for (name, right_to_left, apart) in [
            ("Huduma", false, false),
            ("Huduma", true, true),
            ("خدمة", true, false),
            ("خدمة", false, true),
            ("خدمة Huduma", true, true),
            ("112", true, false),
        ] {
            assert_eq!(called(name, right_to_left).starts_with("<bdi>"), apart, "{name} {right_to_left}");
        }
        let voice = |tag: &str| Voice::new(&Words::shipped(), &[tag.to_owned()], 0);
        for (page, tag, marks) in [
            ("en", "en-GB", ""),
            ("en", "sw", " lang=\"sw\""),
            ("en", "ar", " lang=\"ar\" dir=\"rtl\""),
            ("en", "ur-PK", " lang=\"ur-PK\" dir=\"rtl\""),
            ("ar", "fa", " lang=\"fa\""),
            ("ar", "so", " lang=\"so\" dir=\"ltr\""),
        ] {
            assert_eq!(voice(page).marks_of(tag), marks, "{tag} on a page in {page}");
        }
    }
}
