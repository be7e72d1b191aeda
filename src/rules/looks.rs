//! What each rule and limit looks at. Where requests come out of a log, which holds little of them, those that look at more
//! are laid aside rather than judged on what is not there.
//!
//! Does not know: logs, requests.

use std::collections::HashSet;

use super::clause::{Clause, Field};
use super::pattern::Pattern;
use super::{Draft, Meaning, RuleSet};
use crate::plan::Per;

/// A rule or limit, and what it looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    pub name: String,
    pub at: Vec<Look>,
    /// It counts requests under way.
    pub concurrent: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub field: Field,
    /// Only at whether there is anything.
    pub presence: bool,
}

impl Looks {
    pub(super) fn of(draft: &Draft) -> Looks {
        let look = |c: &Clause| Look { field: c.field.clone(), presence: c.patterns == [Pattern::any()] };
        let mut at: Vec<Look> = draft.clauses.iter().map(look).collect();
        let mut concurrent = false;
        if let Meaning::Limit(quota) = &draft.meaning {
            concurrent = quota.concurrent.is_some();
            if let Per::Header(name) = &quota.per {
                at.push(Look { field: Field::Header(name.clone()), presence: false });
            }
        }
        Looks { name: draft.name.clone(), at, concurrent }
    }
}

impl RuleSet {
    /// Of every rule and limit that has not expired.
    pub fn looks(&self) -> &[Looks] {
        &self.looks
    }

    /// Takes rules and limits out, as if their end had come long ago.
    pub fn lay_aside(&mut self, names: &HashSet<&str>) {
        for (one, act) in self.compiled.all.iter().zip(&mut self.compiled.acts) {
            if names.contains(one.name.as_str()) {
                act.until = 0;
            }
        }
    }
}
