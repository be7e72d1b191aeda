//! What the page of the waiting room says besides: the place, how long it takes, and what to press.
//!
//! Does not know: who waits.

use minijinja::{HtmlEscape, Value, context};

use super::super::Page;
use super::super::text::Language;
use super::mark;
use crate::wire::Hole;

/// `None` for other pages.
pub(super) fn said(page: Page, language: &Language) -> Option<Value> {
    let minutes = |id: &str, hole| format!("<b id=\"{id}\">{}</b>", mark(hole));
    let between = HtmlEscape(language.get("waiting_between")).to_string();
    let between = between.replace("{from}", &minutes("from", Hole::From)).replace("{to}", &minutes("to", Hole::To));
    page.waits().then(|| {
        context! {
            place => mark(Hole::Place),
            between => Value::from_safe_string(between),
            known => mark(Hole::Known),
            unknown => mark(Hole::Unknown),
            still => mark(Hole::Still),
            resend => page == Page::WaitingResend,
        }
    })
}
