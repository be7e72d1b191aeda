//! How citizens were served in the last days, for the status page: figures in a table that any reader can read out.
//!
//! Does not know: what is counted.

use minijinja::{Value, context};

use super::news::News;
use super::text::Language;
use crate::bounds;
use crate::uptime::{self, Served};

/// `None`: nobody was counted.
pub fn told(news: &News, language: &Language) -> Option<Value> {
    let days = &news.days[news.days.len().saturating_sub(bounds::UPTIME_SHOWN)..];
    let all = days.iter().fold(Served::default(), |all, day| all.with(&day.served));
    let [_, _, _, refused] = all.shares()?;
    let rows = days.iter().rev().filter_map(|day| {
        let shares = day.served.shares()?.map(uptime::percent);
        Some(context! { date => day.date.as_str(), whole => day.whole, shares => shares.to_vec() })
    });
    let sum = language.get("days_sum").replace("{share}", &uptime::percent(1000 - refused));
    Some(context! { sum, days => rows.collect::<Vec<_>>() })
}
