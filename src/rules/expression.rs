//! Expressions (`re:`): whether one can be had and how heavy it is, told from its text before anything is built of it;
//! and words of which any value that it matches has one.
//!
//! Does not know: TOML, how expressions are searched for.

use std::collections::HashMap;

use regex_syntax::ast::{self, Ast, ClassSet, ClassSetItem};
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::pattern::Wrong;
use crate::bounds;

/// Words that an expression may have in the place of one another, and bytes that each has at least: a shorter one is in
/// every value.
const WORDS: usize = 16;
const WORD_BYTES: usize = 3;

/// The expressions of one file, each counted once.
#[derive(Default)]
pub struct Expressions {
    seen: HashMap<String, Result<(), Wrong>>,
    weight: u64,
}

impl Expressions {
    /// Checks an expression.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn check(&mut self, source: &str) -> Result<(), Wrong> {
        if let Some(said) = self.seen.get(source) {
            return said.clone();
        }
        if self.weight > bounds::EXPRESSIONS_WEIGHT {
            return Err(wrong("the expressions of this file are too large together", "write fewer or simpler ones"));
        }
        let said = self.read(source);
        self.seen.insert(source.to_owned(), said.clone());
        said
    }

    fn read(&mut self, source: &str) -> Result<(), Wrong> {
        let not = |said: String| {
            let help = "see https://docs.rs/regex/#syntax; there are no back-references and no look-around";
            (format!("not an expression: {said}"), help.to_owned())
        };
        let ast = ast::parse::Parser::new().parse(source).map_err(|e| not(e.kind().to_string()))?;
        let weight = weigh(&ast);
        // Counted before anything is made of it, and also where it is no good.
        self.weight = self.weight.saturating_add(weight);
        if weight > bounds::EXPRESSION_WEIGHT {
            return Err(wrong("the expression is too large", "write smaller counts, or several patterns"));
        }
        Translator::new().translate(source, &ast).map_err(|e| not(e.kind().to_string()))?;
        Ok(())
    }
}

fn wrong(message: &str, help: &str) -> Wrong {
    (message.to_owned(), help.to_owned())
}

/// What an expression costs to build, in parts of some 64 bytes and half a microsecond: measured, and rounded up.
fn weigh(ast: &Ast) -> u64 {
    let sum = |all: &[Ast]| all.iter().map(weigh).fold(1, u64::saturating_add);
    match ast {
        Ast::Empty(_) | Ast::Flags(_) | Ast::Literal(_) | Ast::Assertion(_) => 1,
        Ast::Dot(_) => 8,
        Ast::ClassPerl(class) => perl(class),
        Ast::ClassUnicode(_) => UNICODE,
        Ast::ClassBracketed(class) => set(&class.kind, class.negated),
        Ast::Repetition(r) => {
            let times = match &r.op.kind {
                ast::RepetitionKind::Range(ast::RepetitionRange::Exactly(n) | ast::RepetitionRange::AtLeast(n)) => *n,
                ast::RepetitionKind::Range(ast::RepetitionRange::Bounded(_, n)) => *n,
                _ => 1,
            };
            weigh(&r.ast).saturating_add(1).saturating_mul(u64::from(times.max(1)))
        }
        Ast::Group(group) => weigh(&group.ast).saturating_add(2),
        Ast::Alternation(all) => sum(&all.asts),
        Ast::Concat(all) => sum(&all.asts),
    }
}

/// A class of letters in all scripts.
const UNICODE: u64 = 300;
/// A class that is almost everything: cases of each of its characters are looked up where case is ignored.
const ALMOST_ALL: u64 = 12_000;

fn perl(class: &ast::ClassPerl) -> u64 {
    match class.kind {
        ast::ClassPerlKind::Digit => 32,
        ast::ClassPerlKind::Space => 16,
        ast::ClassPerlKind::Word => UNICODE,
    }
}

fn set(class: &ClassSet, negated: bool) -> u64 {
    let inside = match class {
        ClassSet::Item(one) => item(one),
        ClassSet::BinaryOp(op) => ALMOST_ALL.saturating_add(set(&op.lhs, false)).saturating_add(set(&op.rhs, false)),
    };
    inside.saturating_add(if negated { 16 } else { 2 })
}

fn item(item: &ClassSetItem) -> u64 {
    match item {
        ClassSetItem::Empty(_) => 0,
        ClassSetItem::Literal(_) | ClassSetItem::Ascii(_) => 4,
        // As many as its characters, which may all have to be looked up.
        ClassSetItem::Range(range) => {
            4 + u64::from(u32::from(range.end.c).saturating_sub(u32::from(range.start.c))) / 80
        }
        ClassSetItem::Unicode(class) if class.negated => ALMOST_ALL,
        ClassSetItem::Unicode(_) => UNICODE,
        ClassSetItem::Perl(class) if class.negated => ALMOST_ALL,
        ClassSetItem::Perl(class) => perl(class),
        ClassSetItem::Bracketed(inner) => set(&inner.kind, inner.negated) + if inner.negated { ALMOST_ALL } else { 0 },
        ClassSetItem::Union(all) => all.items.iter().map(self::item).fold(0, u64::saturating_add),
    }
}

/// Words one of which is in every value of ASCII alone that the expression matches; none where no such words are known.
/// Where case is ignored the words are in lower case, and are in what is left of the value in lower case.
pub fn words(source: &str, ignores_case: bool) -> Vec<Vec<u8>> {
    let parsed = regex_syntax::ParserBuilder::new().case_insensitive(ignores_case).build().parse(source);
    parsed.ok().and_then(|hir| Seeker { folds: ignores_case }.required(&hir)).unwrap_or_default()
}

struct Seeker {
    folds: bool,
}

impl Seeker {
    fn required(&self, hir: &Hir) -> Option<Vec<Vec<u8>>> {
        let words = match hir.kind() {
            HirKind::Literal(_) | HirKind::Class(_) => vec![self.text(hir)?],
            HirKind::Capture(capture) => return self.required(&capture.sub),
            HirKind::Repetition(r) if r.min > 0 => return self.required(&r.sub),
            HirKind::Alternation(all) => {
                let each = all.iter().map(|one| self.required(one)).collect::<Option<Vec<_>>>()?;
                each.into_iter().flatten().collect()
            }
            HirKind::Concat(all) => return self.best(all),
            _ => return None,
        };
        (words.len() <= WORDS && words.iter().all(|w| w.len() >= WORD_BYTES)).then_some(words)
    }

    /// Of the parts of a sequence, and of the texts that its parts make together, the one whose shortest word is longest.
    fn best(&self, parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
        let mut found: Vec<Vec<Vec<u8>>> = Vec::new();
        let mut run: Vec<u8> = Vec::new();
        for part in parts {
            if let Some(text) = self.text(part) {
                run.extend(text);
                continue;
            }
            found.push(vec![std::mem::take(&mut run)]);
            found.extend(self.required(part));
        }
        found.push(vec![run]);
        let shortest = |words: &[Vec<u8>]| words.iter().map(Vec::len).min().unwrap_or(0);
        found.into_iter().filter(|w| shortest(w) >= WORD_BYTES).max_by_key(|w| shortest(w))
    }

    /// The one text that a part can be in a value of ASCII alone.
    fn text(&self, part: &Hir) -> Option<Vec<u8>> {
        let spelled = |c: char| if self.folds { c.to_ascii_lowercase() } else { c };
        match part.kind() {
            HirKind::Literal(literal) if self.folds => Some(literal.0.to_ascii_lowercase()),
            HirKind::Literal(literal) => Some(literal.0.to_vec()),
            HirKind::Class(Class::Unicode(class)) => {
                let mut only = None;
                for range in class.ranges().iter().filter(|r| r.start().is_ascii()) {
                    let letter = spelled(range.start());
                    if range.start() != range.end() || only.is_some_and(|o| o != letter) {
                        return None;
                    }
                    only = Some(letter);
                }
                only.map(|letter| vec![letter as u8])
            }
            _ => None,
        }
    }
}
