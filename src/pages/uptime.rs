//! How citizens were served in the last days, for the status page: a line a day. A table of five columns is wider than a phone.
//!
//! Does not know: what is counted.

use minijinja::{HtmlEscape, Value, context};

use super::news::News;
use super::text::Voice;
use crate::bounds;
use crate::uptime::{self, Fare, Served};

/// `None`: nobody was counted.
pub fn told(news: &News, voice: &Voice) -> Option<Value> {
    let days = &news.days[news.days.len().saturating_sub(bounds::UPTIME_SHOWN)..];
    let all = days.iter().fold(Served::default(), |all, day| all.with(&day.served));
    let [full, copies, ..] = all.shares()?;
    let decimal = HtmlEscape(voice.get("decimal")).to_string();
    let percent = |share: u32| uptime::percent(share).replace('.', &decimal);
    let rows = days.iter().rev().filter_map(|day| {
        // What nobody met is not named.
        let shares = Fare::ALL.into_iter().zip(day.served.shares()?).filter(|(_, share)| *share > 0);
        // One piece, in the direction of its words.
        let share = |(fare, share): (Fare, u32)| {
            let key = format!("days_{}", fare.as_str());
            let (says, marks) = (voice.inside(&key, &[]), voice.marks(&key));
            let text = format!("{says}\u{a0}{}", percent(share));
            if marks.is_empty() { text } else { format!("<span{marks}>{text}</span>") }
        };
        let says = Value::from_safe_string(shares.map(share).collect::<Vec<_>>().join(" · "));
        Some(context! { date => day.date.as_str(), whole => day.whole, says })
    });
    // Whom a check or a full house made wait was not answered yet; what came of it counts by itself.
    let sum = Value::from_safe_string(voice.html("days_sum", &[("{share}", &percent(full + copies))]));
    Some(context! { sum, days => rows.collect::<Vec<_>>() })
}
