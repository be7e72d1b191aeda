//! Reading an operator's TOML so that every fault is named at once: file, line, column, what is wrong and what to
//! write instead. Both files of the contract, and the posture table, are read through [`Section`].
//!
//! serde's derive was set aside here: it stops at the first fault, and `flatten` and untagged enums lose places.
//!
//! Does not know: what any key means.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub file: String,
    /// 1-based; 0 where the file as a whole is meant.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Fault {
    /// A fault of a file as a whole: unreadable, too large.
    pub fn whole(file: &str, message: impl Into<String>, help: impl Into<String>) -> Fault {
        Fault { file: file.into(), line: 0, column: 0, message: message.into(), help: help.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file, self.message)?;
        } else {
            write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        }
        if !self.help.is_empty() {
            write!(f, "\n    {}", self.help)?;
        }
        Ok(())
    }
}

/// What reading a file gave. The value counts only where there are no faults.
pub struct Read<T> {
    pub value: T,
    pub faults: Vec<Fault>,
    /// True, but worth saying: a rule that has expired.
    pub warnings: Vec<Fault>,
    /// Keys of the contract that this version holds at their default.
    pub not_built: Vec<String>,
}

/// Parses `text` and hands its top table to `meaning`, gathering every fault of syntax and of meaning.
pub fn read<T>(file: &str, text: &str, meaning: impl FnOnce(&Section<'_>) -> T) -> Read<T> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let ledger =
        Ledger { file, text, faults: RefCell::default(), warnings: RefCell::default(), not_built: RefCell::default() };
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        ledger.fault(span, format!("not TOML: {message}"), "mend the syntax; see https://toml.io for its forms");
    }
    let broken: BTreeSet<u32> = ledger.faults.borrow().iter().map(|f| f.line).collect();
    let top =
        Section { ledger: &ledger, table: table.get_ref(), span: 0..0, path: String::new(), asked: RefCell::default() };
    let value = meaning(&top);
    top.finish();
    let mut faults = ledger.faults.into_inner();
    if !errors.is_empty() {
        // What the parser guessed to go on must not be blamed on the operator: keep one fault per broken line, and
        // faults of meaning only from whole lines.
        let syntax = errors.len();
        let mut index = 0;
        faults.retain(|f| {
            index += 1;
            index <= syntax || !broken.contains(&f.line)
        });
    }
    faults.sort_by_key(|f| (f.line, f.column));
    Read {
        value,
        faults,
        warnings: ledger.warnings.into_inner(),
        not_built: ledger.not_built.into_inner().into_iter().collect(),
    }
}

struct Ledger<'a> {
    file: &'a str,
    text: &'a str,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
    not_built: RefCell<BTreeSet<String>>,
}

impl Ledger<'_> {
    fn place(&self, span: Range<usize>, message: String, help: String) -> Fault {
        let before = self.text.get(..span.start.min(self.text.len())).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Fault {
            file: self.file.to_owned(),
            line: before.matches('\n').count() as u32 + 1,
            column: before[line_start..].chars().count() as u32 + 1,
            message,
            help,
        }
    }

    fn fault(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let fault = self.place(span, message.into(), help.into());
        self.faults.borrow_mut().push(fault);
    }
}

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
    ledger: &'a Ledger<'a>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    path: String,
    asked: RefCell<Vec<String>>,
}

impl<'a> Section<'a> {
    /// Where the table begins.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub fn fault(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.ledger.fault(span, message, help);
    }

    pub fn warn(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let fault = self.ledger.place(span, message.into(), help.into());
        self.ledger.warnings.borrow_mut().push(fault);
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn ask(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key.to_owned());
        self.table.get(key)
    }

    /// Whether the key stands there; it still has to be asked for.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
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
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|i| u64::from_str_radix(&i.as_str().replace('_', ""), i.radix()).ok());
        match number {
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

    /// A key of the contract that this version cannot do yet: it may be left out or stand at its default
    /// (`default`, a TOML value; empty: the key has none), and is refused by name at any other value.
    pub fn not_built(&self, key: &str, default: &str) {
        self.ledger.not_built.borrow_mut().insert(self.name(key));
        let Some(value) = self.ask(key) else { return };
        let wanted = DeValue::parse(default).ok();
        if wanted.is_some_and(|w| same(w.get_ref(), value.get_ref())) {
            return;
        }
        let help = if default.is_empty() {
            "leave it out".to_owned()
        } else {
            format!("leave it out, or write its default: {key} = {default}")
        };
        self.fault(value.span(), format!("`{}` is not built yet in this version of boma", self.name(key)), help);
    }

    /// Says of every key that nobody asked for that it is unknown, and which one may have been meant.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if asked.iter().any(|a| a == name) {
                continue;
            }
            let mut known: Vec<&str> = asked.iter().map(String::as_str).collect();
            known.sort_unstable();
            known.dedup();
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

fn same(a: &DeValue<'_>, b: &DeValue<'_>) -> bool {
    match (a, b) {
        (DeValue::Array(a), DeValue::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a.get_ref(), b.get_ref()))
        }
        (DeValue::Table(a), DeValue::Table(b)) => {
            a.len() == b.len()
                && a.iter().all(|(k, v)| b.get(k.get_ref().as_ref()).is_some_and(|w| same(v.get_ref(), w.get_ref())))
        }
        (a, b) => a.same_type(b) && kind(a) == kind(b),
    }
}

/// "10m" and its like: digits and one of ms, s, m, h, d.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let n: u64 = text.get(..digits)?.parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => return Some(Duration::from_millis(n)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    n.checked_mul(unit).map(Duration::from_secs)
}

/// A duration as the files write it.
pub fn human(d: Duration) -> String {
    let ms = d.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") }
}

/// "64MiB" and its like, in bytes.
pub fn bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let n: u64 = text.get(..digits)?.parse().ok()?;
    let unit = match text[digits..].trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    n.checked_mul(unit)
}

/// The known name nearest to a mistyped one, if any is near.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let best = known.iter().map(|k| (distance(name, k), *k)).min()?;
    let length = name.chars().count();
    (best.0 <= 2.max(length / 3) && best.0 < length).then_some(best.1)
}

/// Levenshtein's edit distance, bounded by the length of what operators type.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (row[j + 1] + 1).min(row[j] + 1).min(diagonal + usize::from(x != *y));
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_come_at_once_with_their_places() {
        let text = "rate = 5\nbust = 300\n[inner]\nlong = \"9x\"\n";
        let got = read("r.toml", text, |top| {
            top.string("rate", "20/s");
            top.integer("burst", 1, 10);
            let inner = top.section("inner").unwrap();
            inner.duration("long", Duration::ZERO, Duration::from_secs(60));
            inner.finish();
        });
        let said: Vec<String> = got.faults.iter().map(|f| format!("{}:{} {}", f.line, f.column, f.message)).collect();
        assert_eq!(said, ["1:8 `rate` is 5", "2:1 unknown key `bust`", "4:8 `inner.long` is \"9x\""]);
        assert_eq!(got.faults[1].help, "did you mean `burst`?");
    }

    #[test]
    fn syntax_faults_have_places_too() {
        let got = read("r.toml", "a = 1\nb = = 2\n", |top| {
            top.integer("a", 0, 5);
            top.integer("b", 0, 5);
        });
        assert_eq!(got.faults.first().map(|f| f.line), Some(2));
        assert!(got.faults.iter().all(|f| f.line == 2), "{:?}", got.faults);
    }

    #[test]
    fn keys_not_built_are_refused_by_name_but_load_at_their_default() {
        let check = |text: &str| read("b.toml", text, |top| top.not_built("auto_max", "\"attack\""));
        assert!(check("").faults.is_empty());
        assert!(check("auto_max = \"attack\"").faults.is_empty());
        assert_eq!(check("").not_built, ["auto_max"]);
        assert!(check("auto_max = \"guarded\"").faults[0].message.contains("`auto_max` is not built"));
    }

    #[test]
    fn times_and_sizes() {
        assert_eq!(duration("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2h"), Some(Duration::from_secs(7200)));
        for bad in ["", "5", "m", "-5s", "5 s", "99999999999999999999s", "5é"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        assert_eq!(human(Duration::from_secs(5400)), "90m");
        assert_eq!(bytes("8MiB"), Some(8 << 20));
        assert_eq!(bytes("8MB"), None);
    }
}
