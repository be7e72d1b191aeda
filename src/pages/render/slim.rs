//! Texts of templates and scripts without what only their writers need.
//!
//! Does not know: what they say.

/// Without indentation, empty lines and lines that are only a comment.
pub(super) fn lines(text: &str) -> String {
    let kept = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//"));
    kept.collect::<Vec<_>>().join("\n")
}

/// A script, besides without spaces beside what divides words anyway. What is quoted stays as it is; two signs of which spaces
/// would make another one stay apart. It may hold no other quotes than `'` and no regular expression with a space.
pub(super) fn script(text: &str) -> String {
    let text = lines(text);
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut before) = (false, '\n');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let after = letters.peek().copied().unwrap_or('\n');
        quoted ^= letter == '\'';
        let divides = |c: char| "=*<>&|?:,;{}()[]!%^+-/".contains(c);
        let needed = (before == after && "+-".contains(after)) || !(divides(before) || divides(after));
        if quoted || letter != ' ' || needed {
            out.push(letter);
            before = letter;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_the_same_with_less() {
        for (text, slim) in [
            ("  // why\n  var a = b + +c - -d;\n\n", "var a=b+ +c- -d;"),
            ("if (x) { say('a = b', n); } else { return -1; }", "if(x){say('a = b',n);}else{return-1;}"),
            ("typeof e === 'it is' ? a / b : c in d", "typeof e==='it is'?a/b:c in d"),
            ("x = 'a' + ' b ' + y;\nz", "x='a'+' b '+y;\nz"),
        ] {
            assert_eq!(script(text), slim, "{text}");
        }
    }
}
