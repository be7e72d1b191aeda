//! A pattern's text, and what it means: exact, `*` for any run of characters, `re:` for an expression.
//!
//! Does not know: TOML, requests, rules.

use regex::RegexBuilder;

use super::clause::Field;
use crate::{bounds, path};

/// One pattern, in the form in which a column indexes it. Equal texts are equal patterns, so that a thousand rules
/// on one path share one look-up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    Exact(String),
    /// Text that ends in its only `*`.
    Prefix(String),
    /// An expression, in the regex crate's syntax.
    Expression(String),
}

/// What is wrong with a pattern, and what to write instead.
pub type Wrong = (String, String);

impl Pattern {
    /// Whatever value is there.
    pub fn any() -> Pattern {
        Pattern::Prefix(String::new())
    }

    /// Whether it may be looked up rather than searched for, and tells requests apart.
    pub fn selective(&self) -> bool {
        !matches!(self, Pattern::Expression(_)) && *self != Pattern::any()
    }

    /// The meaning of `text` in a field.
    ///
    /// # Errors
    /// What can never match, or is no expression.
    pub fn of(field: &Field, text: &str) -> Result<Pattern, Wrong> {
        if let Some(expression) = text.strip_prefix("re:") {
            return self::expression(field, expression);
        }
        let text = match field {
            Field::Path => self::path(text)?,
            Field::Host => host(text)?,
            Field::UserAgent | Field::Service => text.to_ascii_lowercase(),
            Field::Country => country(text)?,
            Field::Asn => asn(text)?,
            Field::Method => text.to_ascii_uppercase(),
            _ => text.to_owned(),
        };
        Ok(glob(&text))
    }
}

/// Two letters, and in lower case, as values are compared; or that it is not known.
fn country(text: &str) -> Result<String, Wrong> {
    let lower = text.to_ascii_lowercase();
    let code = lower.len() == 2 && lower.bytes().all(|b| b.is_ascii_lowercase());
    if code || lower == "unknown" {
        return Ok(lower);
    }
    Err((
        format!("{text:?} is no country"),
        "write its two letters (ISO 3166-1), such as \"KE\", or \"unknown\"".into(),
    ))
}

/// A number, with or without its AS.
fn asn(text: &str) -> Result<String, Wrong> {
    let digits = text.strip_prefix("AS").or(text.strip_prefix("as")).unwrap_or(text);
    match digits.parse::<u32>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) if text == "unknown" => Ok(text.to_owned()),
        Err(_) => Err((
            format!("{text:?} is no autonomous system"),
            "write its number, such as 36914 or \"AS36914\", or \"unknown\"".into(),
        )),
    }
}

fn expression(field: &Field, source: &str) -> Result<Pattern, Wrong> {
    let built =
        RegexBuilder::new(source).case_insensitive(field.ignores_case()).size_limit(bounds::PATTERN_BYTES).build();
    match built {
        Ok(_) => Ok(Pattern::Expression(source.to_owned())),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err(("the expression is too large".into(), "write smaller counts, or several patterns".into()))
        }
        Err(e) => {
            let said = e.to_string();
            let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err((
                format!("not an expression: {last}"),
                "see https://docs.rs/regex/#syntax; there are no back-references and no look-around".into(),
            ))
        }
    }
}

fn glob(text: &str) -> Pattern {
    let Some((before, after)) = text.split_once('*') else { return Pattern::Exact(text.to_owned()) };
    if after.bytes().all(|b| b == b'*') {
        return Pattern::Prefix(before.to_owned());
    }
    let pieces: Vec<String> =
        text.split('*').enumerate().filter(|(i, p)| *i == 0 || !p.is_empty()).map(|(_, p)| regex::escape(p)).collect();
    // A star at either end is an expression without an anchor there, which is what the search is fastest at.
    let (start, pieces) = if before.is_empty() { ("", &pieces[1..]) } else { (r"\A", &pieces[..]) };
    let end = if text.ends_with('*') { "" } else { r"\z" };
    Pattern::Expression(format!("{start}{}{end}", pieces.join("(?s:.*)")))
}

/// Spelled as [`path::normalise`] spells requests; faults are the patterns that no request can ever match.
fn path(text: &str) -> Result<String, Wrong> {
    let wrong = |message: &str, help: &str| Err((message.to_owned(), help.to_owned()));
    if !text.starts_with(['/', '*']) {
        return wrong("no path begins like this", "begin with `/`, or with `*` for paths that end so: \"/login*\"");
    }
    if text.contains('?') {
        return wrong("a path has no query", "leave out the question mark and match the rest with `query`");
    }
    if text.contains(';') {
        return wrong("`;parameters` are left out before paths are matched", "write the path without them");
    }
    let text = text.replace("%2e", ".").replace("%2E", ".");
    if text.split('/').skip_while(|s| !s.contains('*')).any(|s| s == "." || s == "..") {
        return wrong("no path has a dot segment there once it is normalised", "write the path that they lead to");
    }
    let rooted = if text.starts_with('*') { format!("/{text}") } else { text.clone() };
    match path::normalise(&rooted) {
        Ok(clean) if text.starts_with('*') => Ok(clean[1..].to_owned()),
        Ok(clean) => Ok(clean.into_owned()),
        Err(path::PathFault::Percent) => {
            wrong("a `%` without two hexadecimal digits", "write `%25` for the sign itself")
        }
        Err(_) => wrong(
            "paths with this character are refused before rules are asked",
            "write others than ASCII percent-encoded, such as %C3%A9; leave out controls, blanks, `\\` and `#`",
        ),
    }
}

fn host(text: &str) -> Result<String, Wrong> {
    if text.contains('/') || (text.contains(':') && !text.starts_with('[')) {
        return Err((
            "a host is matched without scheme, port and path".into(),
            "write the name alone, such as \"huduma.example\"".into(),
        ));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(text: &str) -> Result<Pattern, Wrong> {
        Pattern::of(&Field::Path, text)
    }

    #[test]
    fn path_patterns_are_spelled_like_paths() {
        let exact = |t: &str| Ok(Pattern::Exact(t.into()));
        let prefix = |t: &str| Ok(Pattern::Prefix(t.into()));
        assert_eq!(path_of("/%61dmin"), exact("/admin"));
        assert_eq!(path_of("/a/./b/../c"), exact("/a/c"));
        assert_eq!(path_of("/a%2fb*"), prefix("/a%2Fb"));
        assert_eq!(path_of("/search**"), prefix("/search"));
        assert_eq!(path_of("*"), Ok(Pattern::any()));
        assert_eq!(path_of("/.*"), prefix("/."));
        assert_eq!(path_of("*/%61dmin"), Ok(Pattern::Expression(r"/admin\z".into())));
        assert_eq!(path_of("/a*b*c"), Ok(Pattern::Expression(r"\A/a(?s:.*)b(?s:.*)c\z".into())));
        for never in ["login", "/a?b", "/a;b", "/é", "/a b", "/a%", "/a/*/../b", "*/%2e", ""] {
            assert!(path_of(never).is_err(), "{never:?}");
        }
    }

    #[test]
    fn expressions_are_checked_and_capped() {
        assert!(path_of("re:^/a/[0-9]+$").is_ok());
        assert!(path_of("re:(").is_err_and(|w| w.0.contains("unclosed group")));
        assert!(path_of(r"re:(a)\1").is_err_and(|w| w.0.contains("backreferences")));
        assert!(path_of("re:((a{500}){500}){500}").is_err_and(|w| w.0.contains("too large")));
    }
}
