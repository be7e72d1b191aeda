//! Reading an operator's TOML so that every fault is named at once: file, line, column, what is wrong and what to
//! write instead. Both files of the contract, and the posture table, are read through [`Section`].
//!
//! serde's derive was set aside here: it stops at the first fault, and `flatten` and untagged enums lose places.
//!
//! Does not know: what any key means.

mod section;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::Serialize;
use toml::Spanned;
use toml::de::DeTable;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

pub use section::{At, Section};

use crate::bounds;

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
}

/// Parses `text` and hands its top table to `meaning`, gathering every fault of syntax and of meaning, up to
/// [`bounds::FAULTS`].
pub fn read<T>(file: &str, text: &str, meaning: impl FnOnce(&Section<'_>) -> T) -> Read<T> {
    let parsed = Parsed::of(text);
    let ledger = Ledger { file, lines: Lines::of(text), faults: Told::new(), warnings: Told::new() };
    for error in &parsed.errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        ledger.fault(span, format!("not TOML: {message}"), "mend the syntax; see https://toml.io for its forms");
    }
    let syntax = ledger.faults.some.borrow().len();
    let broken: BTreeSet<u32> = ledger.faults.some.borrow().iter().map(|f| f.line).collect();
    let (table, path) = (parsed.table.get_ref(), String::new());
    let top = Section { ledger: &ledger, table, span: 0..0, path, asked: RefCell::default() };
    let value = meaning(&top);
    top.finish();
    let (mut faults, mut more) = ledger.faults.told();
    if syntax > 0 {
        // What the parser guessed to go on must not be blamed on the operator: keep one fault per broken line, and
        // faults of meaning only from whole lines.
        let mut index = 0;
        faults.retain(|f| {
            index += 1;
            index <= syntax || (parsed.whole && !broken.contains(&f.line))
        });
    }
    if let Some(why) = parsed.too_large {
        (faults, more) = (
            vec![Fault::whole(
                file,
                why,
                "put addresses into a file of a [[list]], and several patterns into one rule",
            )],
            0,
        );
    }
    faults.sort_by_key(|f| (f.line, f.column));
    let (mut warnings, more_warnings) = ledger.warnings.told();
    for (all, more) in [(&mut faults, more), (&mut warnings, more_warnings)] {
        if more > 0 {
            all.push(Fault::whole(file, format!("and {more} more of them"), "mend those that are told first"));
        }
    }
    Read { value, faults, warnings }
}

/// A text as TOML.
struct Parsed<'t> {
    table: Spanned<DeTable<'t>>,
    errors: Vec<toml::de::Error>,
    /// Whether the table is all that could be made of the text.
    whole: bool,
    too_large: Option<String>,
}

impl Parsed<'_> {
    fn of(text: &str) -> Parsed<'_> {
        let nothing = || Spanned::new(0..0, DeTable::new());
        let too_large = too_large(text);
        if too_large.is_some() {
            return Parsed { table: nothing(), errors: Vec::new(), whole: false, too_large };
        }
        match DeTable::parse(text) {
            Ok(table) => Parsed { table, errors: Vec::new(), whole: true, too_large },
            // Every byte may be a fault, and the parser keeps them all.
            Err(first) if text.len() > bounds::SYNTAX_BYTES => {
                Parsed { table: nothing(), errors: vec![first], whole: false, too_large }
            }
            Err(_) => {
                let (table, errors) = DeTable::parse_recoverable(text);
                Parsed { table, errors, whole: true, too_large }
            }
        }
    }
}

/// Why a text is not parsed: a few bytes of it may become a kilobyte of tables.
fn too_large(text: &str) -> Option<String> {
    if text.len() > bounds::TOML_BYTES {
        return Some(format!("the text has {} bytes, more than {}", text.len(), bounds::TOML_BYTES));
    }
    if text.len() <= bounds::TOML_UNCOUNTED {
        return None;
    }
    let (mut tables, mut values) = (0, 0);
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::Whitespace | TokenKind::Comment | TokenKind::Newline => {}
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket | TokenKind::Dot | TokenKind::Equals => {
                tables += 1
            }
            _ => values += 1,
        }
    }
    for (number, most, what) in
        [(tables, bounds::TOML_TABLES, "tables and keys"), (values, bounds::TOML_VALUES, "values")]
    {
        if number > most {
            return Some(format!("the text has {number} {what}, more than {most}"));
        }
    }
    None
}

struct Ledger<'a> {
    file: &'a str,
    lines: Lines<'a>,
    faults: Told,
    warnings: Told,
}

/// Faults that are told, up to a bound, and how many more there are.
struct Told {
    some: RefCell<Vec<Fault>>,
    more: Cell<usize>,
}

impl Told {
    fn new() -> Told {
        Told { some: RefCell::default(), more: Cell::new(0) }
    }

    fn is_full(&self) -> bool {
        self.some.borrow().len() >= bounds::FAULTS
    }

    fn add(&self, fault: impl FnOnce() -> Fault) {
        if self.is_full() {
            self.more.set(self.more.get() + 1);
        } else {
            let mut fault = fault();
            cut(&mut fault.message);
            cut(&mut fault.help);
            self.some.borrow_mut().push(fault);
        }
    }

    fn told(&self) -> (Vec<Fault>, usize) {
        (self.some.take(), self.more.get())
    }
}

/// What is quoted in a fault may be as long as the file.
fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(bounds::FAULT_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
}

/// Where the lines of a text begin; looked for when the first fault is placed.
struct Lines<'a> {
    text: &'a str,
    starts: OnceCell<Vec<usize>>,
}

impl Lines<'_> {
    fn of(text: &str) -> Lines<'_> {
        Lines { text, starts: OnceCell::new() }
    }

    /// Line and column, both from 1 on.
    fn place(&self, at: usize) -> (u32, u32) {
        let starts = self.starts.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
            std::iter::once(0).chain(ends.map(|(i, _)| i + 1)).collect()
        });
        let line = starts.partition_point(|s| *s <= at).max(1);
        let before = self.text.get(starts[line - 1]..at.min(self.text.len())).unwrap_or_default();
        (line as u32, before.chars().count() as u32 + 1)
    }
}

impl Ledger<'_> {
    fn place(&self, span: Range<usize>, message: String, help: String) -> Fault {
        let (line, column) = self.lines.place(span.start);
        Fault { file: self.file.to_owned(), line, column, message, help }
    }

    fn fault(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.faults.add(|| self.place(span, message.into(), help.into()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
}
