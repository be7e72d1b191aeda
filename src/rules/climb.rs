//! `[posture]` of the rules: how the ladder climbs by itself.
//!
//! Does not know: the ladder.

use std::time::Duration;

use crate::fault::Section;
use crate::plan::{Climb, Level, Rate};

pub fn read(top: &Section<'_>) -> Climb {
    let mut climb = Climb::default();
    let Some(table) = top.section("posture") else { return climb };
    climb.auto = table.boolean("auto").is_none_or(|b| b.value);
    let steps = &Level::NAMES[..=Level::Attack as usize];
    if let Some(word) = table.word("auto_max", steps)
        && let Some(level) = Level::named(word.value)
    {
        climb.max = level;
    }
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(86_400));
    climb.lower_after = table.duration("lower_after", least, most).map_or(climb.lower_after, |d| d.value.as_secs());
    if let Some(raise) = table.section("raise") {
        let times = |key: &str, standard: f64| number(&raise, key, "4x", 'x', 1.1, 1000.0).unwrap_or(standard);
        let share =
            |key: &str, standard: f64| number(&raise, key, "20%", '%', 1.0, 100.0).map_or(standard, |n| n / 100.0);
        climb.requests = times("requests", climb.requests);
        climb.origin_latency = times("origin_latency", climb.origin_latency);
        climb.origin_errors = share("origin_errors", climb.origin_errors);
        climb.unsolved = share("unsolved", climb.unsolved);
        if let Some(text) = raise.string("min_requests", "200/s") {
            match Rate::parse(&text.value) {
                Some(rate) => climb.min_requests = 1e9 / rate.interval as f64,
                None => {
                    let help = "write distinct addresses per s, m or h, such as \"200/s\"";
                    raise.fault(text.span, format!("`posture.raise.min_requests` is {:?}", text.value), help);
                }
            }
        }
        climb.hold = raise.duration("hold", least, most).map_or(climb.hold, |d| d.value.as_secs());
        raise.finish();
    }
    table.finish();
    climb
}

/// A number with its sign: "4x", "20%".
fn number(table: &Section<'_>, key: &str, example: &str, sign: char, least: f64, most: f64) -> Option<f64> {
    let text = table.string(key, example)?;
    let number = text.value.strip_suffix(sign).and_then(|n| n.trim().parse::<f64>().ok());
    let fit = number.filter(|n| (least..=most).contains(n));
    if fit.is_none() {
        let help = format!("write a number from {least} to {most} and the sign, such as \"{example}\"");
        table.fault(text.span, format!("`posture.raise.{key}` is {:?}", text.value), help);
    }
    fit
}
