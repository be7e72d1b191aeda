//! Entity tags, and who has a body already. What is the same for everybody but for a reference code has that in its tag: so who
//! is not sent it again keeps a code by which staff find this answer too.
//!
//! Does not know: what is in a body.

use super::reference::{self, Reference, Shown};
use super::respond;
use super::visit::Visit;
use crate::bounds;
use crate::reason::Reason;
use crate::wire::Head;

/// How an answer's body is named.
pub struct Tagged {
    /// `ETag`.
    pub tag: String,
    /// The client has it.
    pub known: bool,
    /// What goes into the body, where it has a place for it.
    pub code: Option<String>,
}

/// Of a body that is one and the same. `weak`: but for its coding.
pub fn plain(head: &dyn Head, mark: &str, weak: bool) -> Tagged {
    let known = head.any("if-none-match", &mut |v| tags(v).any(|tag| tag == "*" || tag == mark));
    Tagged { tag: format!("{}\"{mark}\"", if weak { "W/" } else { "" }), known, code: None }
}

/// Of a body with a code. What the client has counts as the same as long as its code leads staff to what is so now.
pub fn coded(visit: &mut Visit<'_>, head: &dyn Head, mark: &str, (reason, shown): (Reason, Shown)) -> Tagged {
    let (mut held, mut any) = (None, false);
    head.any("if-none-match", &mut |v| {
        any |= tags(v).any(|tag| tag == "*");
        held = tags(v).find_map(|tag| still_leads(visit, tag.strip_prefix(mark)?.strip_prefix('-')?, (reason, shown)));
        held.is_some()
    });
    let known = any || held.is_some();
    let code = held.unwrap_or_else(|| respond::reference_of(visit, reason, shown));
    visit.reference = Some(code.clone());
    // Weak: what differs is the code alone.
    Tagged { tag: format!("W/\"{mark}-{code}\""), known, code: Some(code) }
}

/// The code, where it says the same as one of now would.
fn still_leads(visit: &Visit<'_>, code: &str, (reason, shown): (Reason, Shown)) -> Option<String> {
    let Reference { unix, reason: why, shown: what, .. } = reference::open(&visit.house.references, code)?;
    let age = visit.now.unix().checked_sub(u64::from(unix))?;
    let same = why == reason as u8 && what == shown && age <= bounds::REFERENCE_HELD.as_secs();
    same.then(|| code.to_owned())
}

/// What stands within the quotes of an `If-None-Match` field's tags, compared as RFC 9110 section 13.1.2 has it: weakly.
fn tags(value: &[u8]) -> impl Iterator<Item = &str> {
    value.split(|b| *b == b',').filter_map(|tag| {
        let tag = std::str::from_utf8(tag).ok()?.trim_ascii();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        if tag == "*" { Some(tag) } else { tag.strip_prefix('"')?.strip_suffix('"') }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FieldsAlone;

    #[test]
    fn tags_are_compared_without_their_strength() {
        for (sent, known) in [
            ("\"a-1\"", true),
            ("W/\"a-1\"", true),
            ("\"b\", W/\"a-1\" ,\"c\"", true),
            ("*", true),
            ("a-1", false),
            ("\"a-1", false),
            ("\"a-12\"", false),
            ("", false),
        ] {
            let fields = [("if-none-match".to_owned(), sent.as_bytes().to_vec())];
            let tagged = plain(&FieldsAlone(&fields), "a-1", true);
            assert_eq!((tagged.known, &*tagged.tag), (known, "W/\"a-1\""), "{sent}");
        }
        assert_eq!(plain(&FieldsAlone(&[]), "a", false).tag, "\"a\"");
    }
}
