//! An operator's file of a language.
//!
//! Does not know: where files lie.

use std::sync::Arc;

use super::{NOW, portal, within};
use crate::pages::{News, Page, Shelf, heavy};
use crate::portal::Portal;
use crate::words::{self, Words};

/// Any text is read to its end; faults lie within it; sentences that are taken add nothing to a page but text, and whether they are
/// too much for one is the same a second time.
pub fn language_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    within(&text, &words::read("so.toml", &text, "so").faults);
    // Hardly any text says everything.
    let read = || words::read_copy("so.toml", &text, "so");
    let (first, again) = (read(), read());
    within(&text, &first.faults);
    assert_eq!(first.faults, again.faults, "faults differ");
    if !first.faults.is_empty() {
        return;
    }
    assert_eq!(first.value, again.value, "read twice");
    let words = Words::new(vec![first.value]);
    let portal = Portal { languages: vec!["sw".into(), "so".into()], ..Portal::clone(&portal()) };
    assert_eq!(heavy(&words, &portal, "so"), heavy(&words, &portal, "so"), "weighed twice");
    let shelf = Shelf::new(&words, &[Arc::new(portal)], vec![News::default()], NOW);
    // Marks of another language, and of a name that runs against the page, are the only elements that come and go.
    let elements = |language: usize| {
        let page = String::from_utf8_lossy(&shelf.page(0, language, Page::NotFound).body.bytes).into_owned();
        page.matches('<').count() - 2 * (page.matches("<span lang").count() + page.matches("<bdi>").count())
    };
    assert_eq!(elements(0), elements(1), "{text}");
}
