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
use toml::de::DeTable;

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
    /// Keys of the contract that this version holds at their default.
    pub not_built: Vec<String>,
}

/// Parses `text` and hands its top table to `meaning`, gathering every fault of syntax and of meaning.
pub fn read<T>(file: &str, text: &str, meaning: impl FnOnce(&Section<'_>) -> T) -> Read<T> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let ledger = Ledger {
        file,
        text,
        lines: OnceCell::new(),
        faults: RefCell::default(),
        more: Cell::new(0),
        warnings: RefCell::default(),
        not_built: RefCell::default(),
    };
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
    if ledger.more.get() > 0 {
        faults.push(Fault::whole(file, format!("and {} faults more", ledger.more.get()), "mend the ones before first"));
    }
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
    /// Where lines begin; found at the first fault.
    lines: OnceCell<Vec<usize>>,
    faults: RefCell<Vec<Fault>>,
    /// Faults beyond [`bounds::FAULTS`]: nobody reads so many, and a text may have millions.
    more: Cell<u64>,
    warnings: RefCell<Vec<Fault>>,
    not_built: RefCell<BTreeSet<String>>,
}

impl Ledger<'_> {
    fn place(&self, span: Range<usize>, message: &str, help: &str) -> Fault {
        let text = self.text;
        let lines =
            self.lines.get_or_init(|| [0].into_iter().chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect());
        let at = text.floor_char_boundary(span.start);
        let line = lines.partition_point(|begin| *begin <= at);
        let column = text[lines[line - 1]..at].chars().count() as u32 + 1;
        Fault { file: self.file.to_owned(), line: line as u32, column, message: short(message), help: short(help) }
    }

    fn is_full(&self) -> bool {
        self.faults.borrow().len() >= bounds::FAULTS
    }

    fn fault(&self, span: Range<usize>, message: impl AsRef<str>, help: impl AsRef<str>) {
        if self.is_full() {
            return self.more.set(self.more.get() + 1);
        }
        let fault = self.place(span, message.as_ref(), help.as_ref());
        self.faults.borrow_mut().push(fault);
    }
}

/// A text of the operator's may be as long as the file, and stands in what is said of it.
fn short(text: &str) -> String {
    let end = text.floor_char_boundary(bounds::FAULT_BYTES);
    if end == text.len() { text.to_owned() } else { format!("{} …", &text[..end]) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_a_million_faults_the_first_are_told() {
        let text = "a = 1\n".to_owned() + &"[[b]]\nc = 5\n".repeat(100_000);
        let got = read("r.toml", &text, |top| {
            top.string("a", &"x".repeat(10_000));
            top.sections("b").iter().for_each(Section::finish);
        });
        assert_eq!(got.faults.len(), bounds::FAULTS + 1);
        assert_eq!((got.faults[0].line, got.faults[1].line, got.faults[2].line), (1, 3, 5));
        assert!(got.faults[0].help.len() < bounds::FAULT_BYTES + 10);
        assert_eq!(got.faults[bounds::FAULTS].message, format!("and {} faults more", 100_001 - bounds::FAULTS));
    }

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
}
