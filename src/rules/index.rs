//! All conditions of a law by what they look at: each field of a request is looked at once, and only where a rule in
//! force asks for it.
//!
//! Does not know: rules, verdicts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::clause::Field;
use super::column::Column;
use super::conditions::{Holding, Numbers};
use super::lists::Lists;
use super::pattern::Pattern;
use super::values;
use crate::bounds;
use crate::facts::Facts;
use crate::path;
use crate::plan::Level;
use crate::wire::Head;

/// Names of fields up to which a head is asked for each.
const FEW: usize = 6;

#[derive(Default)]
pub struct Index {
    plain: Vec<(Level, Field, Column)>,
    headers: Named,
    cookies: Named,
    parameters: Named,
    lists: Lists,
    /// By list: the conditions that name it, and the lowest posture in which any does.
    of_list: Vec<Numbers>,
    lists_from: Option<Level>,
}

/// Columns by a name that requests bring: of a header field, a cookie, a parameter.
#[derive(Default)]
struct Named {
    /// Sorted by name; a name may come twice, with and without regard to case.
    columns: Vec<(String, Level, Column)>,
    from: Option<Level>,
    /// The lengths of the names, as bits: most names that come are told from them by that alone.
    lengths: u64,
}

/// Where a field's values come from.
enum Source {
    Plain,
    Header(String),
    Cookie(String),
    Parameter(String),
}

fn source(field: &Field) -> Source {
    match field {
        Field::UserAgent => Source::Header("user-agent".into()),
        Field::Header(name) => Source::Header(name.clone()),
        Field::Cookie(name) => Source::Cookie(name.clone()),
        Field::Param(name) => Source::Parameter(name.clone()),
        _ => Source::Plain,
    }
}

/// Conditions by number, with the lowest posture in which any rule asks for each.
pub type Asked = BTreeMap<u32, ((Field, Vec<Pattern>), Level)>;

impl Index {
    /// # Errors
    /// What is too large, in words.
    pub fn new(asked: Asked, lists: Lists, pause: &dyn Fn()) -> Result<Index, String> {
        let mut index = Index { of_list: vec![Numbers::new(); lists.count()], lists, ..Index::default() };
        let mut fields: BTreeMap<Field, (Level, BTreeMap<Pattern, Numbers>)> = BTreeMap::new();
        for (number, ((field, patterns), from)) in asked {
            if field == Field::List {
                index.lists_from = Some(index.lists_from.map_or(from, |f| f.min(from)));
            }
            for pattern in patterns {
                match (&field, &pattern) {
                    (Field::List, Pattern::Exact(name)) => {
                        if let Some(list) = index.lists.number(name) {
                            index.of_list[list as usize].push(number);
                        }
                    }
                    _ => {
                        let (lowest, by) = fields.entry(field.clone()).or_insert_with(|| (from, BTreeMap::new()));
                        *lowest = from.min(*lowest);
                        by.entry(pattern).or_default().push(number);
                    }
                }
            }
        }
        let named = fields.keys().filter(|f| !matches!(source(f), Source::Plain)).count();
        if named > bounds::NAMED_FIELDS {
            return Err(format!(
                "more than {} header fields, cookies and parameters are asked for",
                bounds::NAMED_FIELDS
            ));
        }
        for (field, (from, patterns)) in fields {
            pause();
            let column = Column::new(&patterns, field.ignores_case(), pause);
            let column = column.map_err(|e| format!("the patterns of one field are too many together: {e}"))?;
            match source(&field) {
                Source::Plain => index.plain.push((from, field, column)),
                Source::Header(name) => index.headers.add(name, from, column),
                Source::Cookie(name) => index.cookies.add(name, from, column),
                Source::Parameter(name) => index.parameters.add(name, from, column),
            }
        }
        Ok(index)
    }

    /// Adds every condition that holds, of those that a rule asks for in this posture.
    pub fn look(&self, facts: &Facts<'_>, level: Level, holding: &mut Holding) {
        for (from, field, column) in &self.plain {
            if *from <= level {
                values::each(field, facts, &mut |value| column.visit(value, holding));
            }
        }
        self.look_at_fields(facts.head, level, holding);
        if let Some(query) = facts.query
            && self.parameters.is_asked(level)
        {
            values::parameters(query, |name, value| {
                self.parameters.visit(name, level, holding, || path::form_decoded(value));
            });
        }
        if self.lists_from.is_some_and(|from| from <= level) {
            self.lists.visit(facts.client.address, |list| holding.add_all(&self.of_list[list as usize]));
        }
    }
}

impl Index {
    fn look_at_fields(&self, head: &dyn Head, level: Level, holding: &mut Holding) {
        if self.headers.columns.len() <= FEW {
            // To ask for one after the other is the faster way to a few.
            for (name, _, column) in self.headers.columns.iter().filter(|(_, from, _)| *from <= level) {
                head.any(name, &mut |value| {
                    column.visit(&values::text(value), holding);
                    false
                });
            }
        } else if self.headers.is_asked(level) {
            head.each(&mut |name, value| self.headers.visit(name, level, holding, || values::text(value)));
        }
        if self.cookies.is_asked(level) {
            head.any("cookie", &mut |value| {
                values::cookies(&values::text(value), |name, value| {
                    self.cookies.visit(name, level, holding, || value.into());
                });
                false
            });
        }
    }
}

impl Named {
    fn add(&mut self, name: String, from: Level, column: Column) {
        self.from = Some(self.from.map_or(from, |f| f.min(from)));
        self.lengths |= bit(&name);
        let at = self.columns.partition_point(|(n, ..)| *n < name);
        self.columns.insert(at, (name, from, column));
    }

    fn is_asked(&self, level: Level) -> bool {
        self.from.is_some_and(|from| from <= level)
    }

    fn visit<'v>(&self, name: &str, level: Level, holding: &mut Holding, value: impl Fn() -> Cow<'v, str>) {
        if self.lengths & bit(name) == 0 {
            return;
        }
        let at = self.columns.partition_point(|(n, ..)| n.as_str() < name);
        for (_, from, column) in self.columns[at..].iter().take_while(|(n, ..)| n == name) {
            if *from <= level {
                column.visit(&value(), holding);
            }
        }
    }
}

/// Long names share one.
fn bit(name: &str) -> u64 {
    1 << name.len().min(63)
}
