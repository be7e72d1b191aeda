//! All that matches a request, for people: in force or not, and why not.
//!
//! Does not know: what becomes of the request.

use serde::Serialize;

use super::{RuleSet, Summary};
use crate::facts::Facts;
use crate::plan::Level;

/// A rule or limit whose conditions a request satisfies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Match {
    #[serde(flatten)]
    pub rule: Summary,
    /// Why it does nothing all the same; `None`: it counts.
    pub idle: Option<&'static str>,
}

impl RuleSet {
    /// Every rule and limit that matches, in the order of names.
    pub fn explain(&self, facts: &Facts<'_>, level: Level, now_unix: u64) -> Vec<Match> {
        let mut matched = Vec::new();
        self.compiled.matching(facts, Level::Closed, |number| matched.push(number));
        matched.sort_unstable();
        let told = matched.into_iter().filter_map(|number| {
            let one = &self.compiled.all[number as usize];
            let rule = self.summaries.iter().find(|s| s.name == one.name && !s.expired)?.clone();
            let idle = if self.compiled.acts[number as usize].until <= now_unix {
                Some("its end has come")
            } else if self.compiled.from(number) > level {
                Some("it holds in a higher posture only")
            } else if one.shadow {
                Some("it is in shadow: counted and shown, not enforced")
            } else {
                None
            };
            Some(Match { rule, idle })
        });
        told.collect()
    }
}
