//! A table being read: every question notes what is wrong with its answer.
//!
//! Does not know: what any key means.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Fault, Ledger};
use crate::units::{bytes, duration, human, nearest};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<T> At<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> At<U> {
        At { value: f(self.value), span: self.span }
    }
}

/// A table being read. Keys that nobody asked for are faults when [`Section::finish`] is called.
pub struct Section<'a> {
    pub(super) ledger: &'a Ledger<'a>,
    pub(super) table: &'a DeTable<'a>,
    pub(super) span: Range<usize>,
    pub(super) path: String,
    /// Names of keys, each with a NUL behind it: a list of texts of their own made large files slow to read.
    pub(super) asked: RefCell<String>,
}

impl<'a> Section<'a> {
    /// Where the table begins.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub fn fault(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.ledger.fault(span, message, help);
    }

    /// Whether no fault more will be told: what would help with one need not be looked for.
    pub fn is_full(&self) -> bool {
        self.ledger.faults.is_full()
    }

    /// A fault of another file that this one names.
    pub fn fault_in(&self, file: &str, line: u32, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (message.into(), help.into());
        self.ledger.faults.add(|| Fault { file: file.to_owned(), line, column: 1, message, help });
    }

    pub fn warn(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.ledger.warnings.add(|| self.ledger.place(span, message.into(), help.into()));
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn ask(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        asked.push_str(key);
        asked.push('\0');
        self.table.get(key)
    }

    /// Whether the key stands there; it still has to be asked for.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The same, and asks for it: where most keys are not there, nothing is got ready for them.
    pub fn asks(&self, key: &str) -> bool {
        self.ask(key).is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Every key that stands here, for tables whose keys the operator makes up (`header.NAME`, `name.en`).
    pub fn keys(&self) -> Vec<At<String>> {
        self.table.keys().map(|k| At { value: k.get_ref().to_string(), span: k.span() }).collect()
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, want: &str) {
        let got = kind(value.get_ref());
        self.fault(value.span(), format!("`{}` is {got}", self.name(key)), format!("write {want}"));
    }

    pub fn string(&self, key: &str, example: &str) -> Option<At<String>> {
        let value = self.ask(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(At { value: text.to_owned(), span: value.span() }),
            None => {
                self.wrong(key, value, &format!("a text, such as {key} = \"{example}\""));
                None
            }
        }
    }

    pub fn boolean(&self, key: &str) -> Option<At<bool>> {
        let value = self.ask(key)?;
        match value.get_ref().as_bool() {
            Some(b) => Some(At { value: b, span: value.span() }),
            None => {
                self.wrong(key, value, "true or false, without quotes");
                None
            }
        }
    }

    /// A whole number between `least` and `most`, both included.
    pub fn integer(&self, key: &str, least: u64, most: u64) -> Option<At<u64>> {
        let value = self.ask(key)?;
        match whole(value.get_ref()) {
            Some(n) if (least..=most).contains(&n) => Some(At { value: n, span: value.span() }),
            _ => {
                self.wrong(key, value, &format!("a whole number from {least} to {most}"));
                None
            }
        }
    }

    /// A decimal or whole number between `least` and `most`.
    pub fn number(&self, key: &str, least: f64, most: f64) -> Option<At<f64>> {
        let value = self.ask(key)?;
        let text = match value.get_ref() {
            DeValue::Float(f) => f.as_str().to_owned(),
            DeValue::Integer(i) => i.as_str().to_owned(),
            _ => String::new(),
        };
        match text.replace('_', "").parse::<f64>() {
            Ok(n) if (least..=most).contains(&n) => Some(At { value: n, span: value.span() }),
            _ => {
                self.wrong(key, value, &format!("a number from {least} to {most}"));
                None
            }
        }
    }

    /// One of a few words.
    pub fn word(&self, key: &str, words: &[&'static str]) -> Option<At<&'static str>> {
        let value = self.ask(key)?;
        let found = value.get_ref().as_str().and_then(|t| words.iter().find(|w| **w == t));
        if found.is_none() {
            let list = words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ");
            self.wrong(key, value, &format!("one of {list}"));
        }
        found.map(|w| At { value: *w, span: value.span() })
    }

    /// A time such as "10m".
    pub fn duration(&self, key: &str, least: Duration, most: Duration) -> Option<At<Duration>> {
        let value = self.ask(key)?;
        match value.get_ref().as_str().and_then(duration) {
            Some(d) if d >= least && d <= most => Some(At { value: d, span: value.span() }),
            _ => {
                let (least, most) = (human(least), human(most));
                self.wrong(
                    key,
                    value,
                    &format!("a time from \"{least}\" to \"{most}\": digits and one of ms, s, m, h, d"),
                );
                None
            }
        }
    }

    /// A size such as "64MiB", in bytes.
    pub fn bytes(&self, key: &str, least: u64, most: u64) -> Option<At<u64>> {
        let value = self.ask(key)?;
        match value.get_ref().as_str().and_then(bytes) {
            Some(n) if (least..=most).contains(&n) => Some(At { value: n, span: value.span() }),
            _ => {
                let want = format!(
                    "a size from {least} to {most} bytes: digits and one of B, KiB, MiB, GiB, such as \"64MiB\""
                );
                self.wrong(key, value, &want);
                None
            }
        }
    }

    /// A list of texts; a single text counts as a list of one where `single` is true.
    pub fn strings(&self, key: &str, single: bool, example: &str) -> Option<Vec<At<String>>> {
        let value = self.ask(key)?;
        self.texts(key, value, single, example)
    }

    fn texts(&self, key: &str, value: &Spanned<DeValue<'_>>, single: bool, example: &str) -> Option<Vec<At<String>>> {
        let want = format!("a list of texts, such as {key} = [\"{example}\"]");
        match value.get_ref() {
            DeValue::String(text) if single => Some(vec![At { value: text.to_string(), span: value.span() }]),
            DeValue::Array(items) => {
                let mut all = Vec::new();
                for item in items.iter() {
                    match item.get_ref().as_str() {
                        Some(text) => all.push(At { value: text.to_owned(), span: item.span() }),
                        None => self.wrong(key, item, &want),
                    }
                }
                Some(all)
            }
            _ => {
                self.wrong(key, value, &want);
                None
            }
        }
    }

    /// A list of texts or whole numbers, or one alone, as texts.
    pub fn numbers_or_texts(&self, key: &str, example: &str) -> Option<Vec<At<String>>> {
        let value = self.ask(key)?;
        let one = |item: &Spanned<DeValue<'_>>| {
            let text = item.get_ref().as_str().map(str::to_owned).or_else(|| Some(whole(item.get_ref())?.to_string()));
            if text.is_none() {
                self.wrong(key, item, &format!("a number, such as {key} = [{example}]"));
            }
            text.map(|value| At { value, span: item.span() })
        };
        match value.get_ref() {
            DeValue::Array(items) => Some(items.iter().filter_map(one).collect()),
            _ => Some(vec![one(value)?]),
        }
    }

    /// A list of whole numbers; a single one counts as a list of one.
    pub fn integers(&self, key: &str, least: u64, most: u64, example: u64) -> Option<Vec<At<u64>>> {
        let value = self.ask(key)?;
        let want = format!("whole numbers from {least} to {most}, such as {key} = [{example}]");
        let one = |item: &Spanned<DeValue<'_>>| {
            let fit = whole(item.get_ref()).filter(|n| (least..=most).contains(n));
            if fit.is_none() {
                self.wrong(key, item, &want);
            }
            fit.map(|value| At { value, span: item.span() })
        };
        match value.get_ref() {
            DeValue::Array(items) => Some(items.iter().filter_map(one).collect()),
            _ => Some(vec![one(value)?]),
        }
    }

    /// A time with an offset (RFC 3339), in seconds since the Unix epoch.
    pub fn instant(&self, key: &str) -> Option<At<u64>> {
        let value = self.ask(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(d) => Some(d.to_string()),
            DeValue::String(s) => Some(s.to_string()),
            _ => None,
        };
        match text.and_then(|t| t.parse::<jiff::Timestamp>().ok()) {
            Some(t) if t.as_second() >= 0 => Some(At { value: t.as_second() as u64, span: value.span() }),
            _ => {
                self.wrong(
                    key,
                    value,
                    "a date and time with its offset, such as 2026-12-01T18:00:00Z or 2026-12-01T21:00:00+03:00",
                );
                None
            }
        }
    }

    pub fn section(&self, key: &str) -> Option<Section<'a>> {
        let value = self.ask(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, value, &format!("a table, [{}]", self.name(key)));
            return None;
        };
        Some(self.child(key, table, value.span()))
    }

    /// An array of tables, `[[key]]`.
    pub fn sections(&self, key: &str) -> Vec<Section<'a>> {
        let Some(value) = self.ask(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong(key, value, &format!("an array of tables: begin each with [[{}]]", self.name(key)));
            return Vec::new();
        };
        let mut all = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_table() {
                Some(table) => all.push(self.child(key, table, item.span())),
                None => self.wrong(key, item, &format!("a table: begin each with [[{}]]", self.name(key))),
            }
        }
        all
    }

    fn child(&self, key: &str, table: &'a DeTable<'a>, span: Range<usize>) -> Section<'a> {
        Section { ledger: self.ledger, table, span, path: self.name(key), asked: RefCell::default() }
    }

    /// Whether the value of `key` is a table; for keys that take a value, a list or `{ not = … }`.
    pub fn is_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|v| v.get_ref().is_table())
    }

    pub fn is_boolean(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|v| v.get_ref().is_bool())
    }

    pub fn is_integer(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|v| v.get_ref().is_integer())
    }

    pub fn is_text(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|v| v.get_ref().is_str())
    }

    /// Says of every key that nobody asked for that it is unknown, and which one may have been meant.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        let known = || asked.split_terminator('\0');
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if known().any(|one| one == name) {
                continue;
            }
            if self.is_full() {
                self.fault(key.span(), "", "");
                continue;
            }
            let known: Vec<&str> = known().collect::<BTreeSet<_>>().into_iter().collect();
            let help = match nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "leave it out".to_owned(),
                None => format!("known keys here: {}", known.join(", ")),
            };
            self.fault(key.span(), format!("unknown key `{}`", self.name(name)), help);
        }
    }
}

fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(s) if s.chars().count() <= 60 => format!("{s:?}"),
        DeValue::String(_) => "a long text".into(),
        DeValue::Integer(i) => i.as_str().to_owned(),
        DeValue::Float(f) => f.as_str().to_owned(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(d) => d.to_string(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}
