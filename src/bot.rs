//! A good bot as the settings describe it: what it calls itself, and by what it shows that it is who it says.
//!
//! Does not know: how that is looked up, who reads the settings.

use std::path::PathBuf;

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::bounds;

/// `[[bot]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bot {
    pub name: String,
    /// Patterns of its User-Agent, as rules write them.
    pub agents: Vec<String>,
    /// Domains that the names of its addresses lie in, lower case.
    pub domains: Vec<String>,
    /// The file of networks that its operator publishes.
    pub ranges: Option<PathBuf>,
}

/// An expression of the regex crate for a pattern: exact, `*` for any run of characters, `re:`. A star at an end needs no
/// anchor and no search there, so that most are a plain search for a word.
pub fn expression(pattern: &str) -> String {
    if let Some(source) = pattern.strip_prefix("re:") {
        return source.to_owned();
    }
    let words: Vec<String> = pattern.split('*').map(regex::escape).collect();
    let whole = words.join("(?s-u:.*)");
    let whole = whole.strip_prefix("(?s-u:.*)").map_or_else(|| format!("^(?:{whole}"), |rest| format!("(?:{rest}"));
    whole.strip_suffix("(?s-u:.*)").map_or_else(|| format!("{whole})$"), |rest| format!("{rest})"))
}

/// All expressions as one search, which ignores case.
///
/// # Errors
/// What is wrong with one, in the regex crate's words.
pub fn search(expressions: &[String]) -> Result<RegexSet, String> {
    let mut builder = RegexSetBuilder::new(expressions);
    builder.case_insensitive(true).size_limit(bounds::BOT_PATTERNS_BYTES).dfa_size_limit(bounds::BOT_PATTERNS_BYTES);
    // The last line says it; those before point at the place.
    builder.build().map_err(|e| {
        let said = e.to_string();
        let last = said.lines().last().unwrap_or_default().trim();
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_rules() {
        for (pattern, agent, holds) in [
            ("*googlebot*", "Mozilla/5.0 (compatible; Googlebot/2.1)", true),
            ("googlebot*", "Googlebot/2.1", true),
            ("googlebot*", "not Googlebot", false),
            ("*bot", "a Bot", true),
            ("*bot", "a bot/1", false),
            ("bot", "BOT", true),
            ("bot", "bots", false),
            ("a*c", "a\nb\u{fc}c", true),
            ("a.c", "abc", false),
            ("re:^a.c$", "abc", true),
        ] {
            let set = search(&[expression(pattern)]).unwrap();
            assert_eq!(set.is_match(agent.as_bytes()), holds, "{pattern} {agent}");
        }
        assert!(search(&[expression("*x*")]).unwrap().is_match(b"\xff x \xfe"), "whatever bytes it is");
        assert!(search(&["(".into()]).is_err_and(|e| e.contains("unclosed")));
        assert!(search(&["((a{500}){500}){500}".into()]).is_err());
    }
}
