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
    // What lies in the browser alone goes on by loading the page again, and by nothing that could be pressed before its turn.
    let resend = page == Page::WaitingResend;
    let (how, called) = if resend { ("waiting_reload", "resend_done") } else { ("waiting_press", "waiting_called") };
    page.waits().then(|| {
        context! {
            place => mark(Hole::Place),
            place_marks => marks("waiting_place"),
            between => Value::from_safe_string(between),
            known => mark(Hole::Known),
            unknown => mark(Hole::Unknown),
            still => mark(Hole::Still),
            called => voice.get(called),
            said_marks => marks(called),
            how => voice.get(how),
            how_marks => marks(how),
            resend => resend,
        }
    })
}
