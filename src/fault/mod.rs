//! Reading an operator's TOML so that every fault is named at once: file, line, column, what is wrong and what to
//! write instead. Both files of the contract, and the posture table, are read through [`Section`].
//!
//! serde's derive was set aside here: it stops at the first fault, and `flatten` and untagged enums lose places.
//!
//! Does not know: what any key means.

mod section;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::Serialize;
use toml::de::DeTable;

pub use section::{At, Section};

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

    #[test]
    fn keys_not_built_are_refused_by_name_but_load_at_their_default() {
        let check = |text: &str| read("b.toml", text, |top| top.not_built("auto_max", "\"attack\""));
        assert!(check("").faults.is_empty());
        assert!(check("auto_max = \"attack\"").faults.is_empty());
        assert_eq!(check("").not_built, ["auto_max"]);
        assert!(check("auto_max = \"guarded\"").faults[0].message.contains("`auto_max` is not built"));
    }
}
