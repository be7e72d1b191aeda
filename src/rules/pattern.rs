//! A pattern's text, and what it means: exact, `*` for any run of characters, `re:` for an expression.
//!
//! Does not know: TOML, requests, rules.

use super::clause::Field;
use super::expression::Expressions;
use crate::{bounds, path};

/// One pattern, in the form in which a column indexes it. Equal texts are equal patterns, so that a thousand rules
/// on one path share one look-up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    Exact(String),
    /// Text that ends in its only `*`, without it.
    Prefix(String),
    /// Text that begins with its only `*`, without it.
    Suffix(String),
    /// Text with other stars, no two of them side by side.
    Glob(String),
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

    /// Whether it is sure to tell requests apart; an expression may be anything.
    pub fn selective(&self) -> bool {
        !matches!(self, Pattern::Expression(_)) && *self != Pattern::any()
    }

    /// The meaning of `text` in a field.
    ///
    /// # Errors
    /// What can never match, is no expression, or is too large.
    pub fn of(field: &Field, text: &str, expressions: &mut Expressions) -> Result<Pattern, Wrong> {
        if text.len() > bounds::PATTERN_BYTES {
            let message = format!("a pattern of {} bytes", text.len());
            return Err((message, format!("write at most {}, or several patterns", bounds::PATTERN_BYTES)));
        }
        if let Some(source) = text.strip_prefix("re:") {
            return expressions.check(source).map(|()| Pattern::Expression(source.to_owned()));
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

fn glob(text: &str) -> Pattern {
    let mut pieces: Vec<&str> =
        text.split('*').enumerate().filter(|(i, p)| *i == 0 || !p.is_empty()).map(|(_, p)| p).collect();
    if text.ends_with('*') {
        pieces.push("");
    }
    match pieces[..] {
        [exact] => Pattern::Exact(exact.to_owned()),
        [prefix, ""] => Pattern::Prefix(prefix.to_owned()),
        ["", suffix] => Pattern::Suffix(suffix.to_owned()),
        _ => Pattern::Glob(pieces.join("*")),
    }
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
        Pattern::of(&Field::Path, text, &mut Expressions::default())
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
        assert_eq!(path_of("*/%61dmin"), Ok(Pattern::Suffix("/admin".into())));
        assert_eq!(path_of("/a***b*c"), Ok(Pattern::Glob("/a*b*c".into())));
        assert_eq!(path_of("**b*"), Ok(Pattern::Glob("*b*".into())));
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
        assert!(path_of(&format!("/{}", "a".repeat(bounds::PATTERN_BYTES))).is_err_and(|w| w.0.contains("bytes")));
    }
}
