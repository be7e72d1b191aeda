//! What a style sheet needs besides itself: `url(…)` and `@import` (CSS Syntax, section 4).

use crate::bounds;

/// Addresses in a style sheet, as they are written, in order.
pub fn named(css: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < css.len() && all.len() < bounds::SNAPSHOT_LINKS {
        let rest = &css[at..];
        let begins = |word: &str| rest.get(..word.len()).is_some_and(|r| r.eq_ignore_ascii_case(word.as_bytes()));
        at += match rest[0] {
            b'/' if rest.starts_with(b"/*") => {
                memchr::memmem::find(&rest[2..], b"*/").map_or(rest.len(), |end| end + 4)
            }
            quote @ (b'"' | b'\'') => string(rest, quote).1,
            b'u' | b'U' if begins("url(") => {
                let (address, length) = url(&rest[4..]);
                all.extend(address);
                4 + length
            }
            b'@' if begins("@import") => {
                let space = rest[7..].iter().take_while(|b| b.is_ascii_whitespace()).count();
                match rest.get(7 + space) {
                    Some(quote @ (b'"' | b'\'')) => {
                        let (address, length) = string(&rest[7 + space..], *quote);
                        all.push(address);
                        7 + space + length
                    }
                    _ => 7 + space,
                }
            }
            _ => 1,
        };
    }
    all.retain(|a| !a.is_empty() && !a.starts_with('#') && !a.starts_with("data:"));
    all
}

/// A text in quotes, and how long it is with them.
fn string(css: &[u8], quote: u8) -> (String, usize) {
    let (mut text, mut at) = (Vec::new(), 1);
    while let Some(b) = css.get(at) {
        match b {
            b'\n' => break,
            b'\\' => {
                text.extend(css.get(at + 1).filter(|b| **b != b'\n'));
                at += 1;
            }
            b if *b == quote => {
                at += 1;
                break;
            }
            b => text.push(*b),
        }
        at += 1;
    }
    (String::from_utf8_lossy(&text).into_owned(), at.min(css.len()).max(1))
}

/// What stands behind `url(`, and how much of it is read.
fn url(css: &[u8]) -> (Option<String>, usize) {
    let space = css.iter().take_while(|b| b.is_ascii_whitespace()).count();
    match css.get(space) {
        Some(quote @ (b'"' | b'\'')) => {
            let (address, length) = string(&css[space..], *quote);
            (Some(address), space + length)
        }
        _ => {
            let length = css.iter().position(|b| *b == b')').unwrap_or(css.len());
            let address = String::from_utf8_lossy(css[..length].trim_ascii()).replace('\\', "");
            (Some(address), length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_outside_of_comments_and_strings() {
        for (css, found) in [
            ("@import \"a.css\"; @IMPORT url(b.css) print;", vec!["a.css", "b.css"]),
            ("p{background:URL( 'c d.png' )} q{src:url(e.woff2) format('woff2')}", vec!["c d.png", "e.woff2"]),
            ("/* url(no.png) */ p{content:\"url(no.png)\"}", vec![]),
            ("p{background:url(data:image/png;base64,xx)} q{fill:url(#a)}", vec![]),
            ("url(", vec![]),
            ("@import", vec![]),
            ("@import 'never ends", vec!["never ends"]),
            ("p{content:'\\'url(no)'}url(a\\)b)", vec!["a"]),
            ("/*", vec![]),
        ] {
            assert_eq!(named(css.as_bytes()), found, "{css}");
        }
    }
}
