//! What the page of the waiting room says besides: the place, how long it takes, and what to press.
//!
//! Does not know: who waits.

use minijinja::{Value, context};

use super::super::Page;
use super::super::text::Voice;
use super::mark;
use crate::wire::Hole;

/// `None` for other pages.
pub(super) fn said(page: Page, voice: &Voice) -> Option<Value> {
    let minutes = |id: &str, hole| format!("<b id=\"{id}\">{}</b>", mark(hole));
    let holes = [("{from}", minutes("from", Hole::From)), ("{to}", minutes("to", Hole::To))];
    let between = voice.html("waiting_between", &holes.each_ref().map(|(hole, filling)| (*hole, filling.as_str())));
    let marks = |key| Value::from_safe_string(voice.marks(key));
    page.waits().then(|| {
        context! {
            place => mark(Hole::Place),
            between => Value::from_safe_string(between),
            known => mark(Hole::Known),
            unknown => mark(Hole::Unknown),
            still => mark(Hole::Still),
            said_marks => marks("waiting_called"),
            how_marks => marks("waiting_by_hand"),
            resend => page == Page::WaitingResend,
        }
    })
}
