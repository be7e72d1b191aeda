//! `config/postures.toml`: the effects of each step, as readable law.
//!
//! Does not know: which step is in force.

use crate::facts::Kind;
use crate::fault::{self, Read, Section};
use crate::plan::{Effects, Ladder, Level, Per, Quota, Rate, Reach, Then, quota_id};

/// The built-in table.
pub const BUILT_IN: &str = include_str!("../../config/postures.toml");

/// Reads a table of postures. The value counts only where there are no faults.
pub fn read_ladder(file: &str, text: &str) -> Read<Ladder> {
    fault::read(file, text, |top| Ladder { budget: budget(top), levels: Level::ALL.map(|level| effects(top, level)) })
}

fn budget(top: &Section<'_>) -> Quota {
    let mut budget = Quota {
        name: "budget".into(),
        id: quota_id("budget"),
        per: Per::Client,
        interval: 50_000_000,
        burst: 300,
        then: Then::Challenge,
        shadow: false,
        budget: true,
        count: None,
        concurrent: None,
        ban: None,
    };
    let Some(table) = top.section("budget") else {
        if !top.has("budget") {
            top.fault(0..0, "no [budget]", "write [budget] with rate = \"20/s\" and burst = 300");
        }
        return budget;
    };
    for key in ["rate", "burst"] {
        if !table.has(key) {
            table.fault(table.span(), format!("[budget] without {key}"), "write rate = \"20/s\" and burst = 300");
        }
    }
    if let Some(text) = table.string("rate", "20/s") {
        match Rate::parse(&text.value) {
            Some(rate) => budget.interval = rate.interval,
            None => table.fault(
                text.span,
                format!("`budget.rate` is {:?}", text.value),
                "write a number above 0 per s, m or h, such as \"20/s\"",
            ),
        }
    }
    budget.burst = table.integer("burst", 1, 10_000_000).map_or(budget.burst, |b| b.value as u32);
    table.finish();
    budget
}

fn effects(top: &Section<'_>, level: Level) -> Effects {
    let mut effects = Effects {
        with_pass: 1000,
        without_pass: 1000,
        programs: 1000,
        needs: [0; 4],
        unsafe_needs: 0,
        work: 0,
        crowd: 0,
        quiet: false,
        reach: Reach::All,
        spare_origin: false,
        pause_snapshots: false,
        sample_refused: false,
    };
    let Some(table) = top.section(level.as_str()) else {
        if !top.has(level.as_str()) {
            top.fault(
                0..0,
                format!("no [{level}]"),
                "write a table for each of normal, guarded, attack, static and closed",
            );
        }
        return effects;
    };
    let factor = |key: &str| table.number(key, 0.001, 10.0).map_or(1000, |n| (n.value * 1000.0).round() as u32);
    effects.with_pass = factor("with_pass");
    effects.without_pass = factor("without_pass");
    effects.programs = factor("programs");
    let pass_level = |table: &Section<'_>, key: &str| table.integer(key, 0, 9).map_or(0, |n| n.value as u8);
    if let Some(needs) = table.section("needs") {
        effects.needs = Kind::ALL.map(|kind| pass_level(&needs, kind.as_str()));
        needs.finish();
    }
    effects.unsafe_needs = pass_level(&table, "unsafe_needs");
    effects.work = table.integer("work", 0, 3).map_or(0, |n| n.value as u8);
    effects.crowd = table.number("crowd", 0.0, 100_000.0).map_or(0, |n| (n.value * 1000.0).round() as u32);
    effects.quiet = table.boolean("quiet").is_some_and(|b| b.value);
    effects.reach = match table.word("reach", &["all", "stay_up", "none"]).map(|w| w.value) {
        Some("stay_up") => Reach::StayUp,
        Some("none") => Reach::None,
        _ => Reach::All,
    };
    effects.spare_origin = table.boolean("spare_origin").is_some_and(|b| b.value);
    effects.pause_snapshots = table.boolean("pause_snapshots").is_some_and(|b| b.value);
    effects.sample_refused = table.boolean("sample_refused").is_some_and(|b| b.value);
    table.finish();
    effects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_the_designs() {
        let read = read_ladder("config/postures.toml", BUILT_IN);
        assert_eq!(read.faults, []);
        let at = |level: Level| &read.value.levels[level as usize];
        assert_eq!((read.value.budget.interval, read.value.budget.burst), (50_000_000, 300));
        assert_eq!(at(Level::Normal).needs, [0; 4]);
        assert_eq!((at(Level::Guarded).without_pass, at(Level::Guarded).with_pass), (500, 1000));
        assert_eq!(at(Level::Guarded).needed(Kind::Navigation, false), 1);
        assert_eq!(at(Level::Guarded).needed(Kind::Navigation, true), 0);
        assert_eq!(at(Level::Attack).needs, [1, 1, 1, 0]);
        let paused = Level::ALL.map(|level| at(level).pause_snapshots);
        assert_eq!(paused, [false, false, true, true, true]);
        assert!(at(Level::Attack).factor(false, Kind::Program) <= 200);
        assert_eq!((at(Level::Static).reach, at(Level::Closed).reach), (Reach::StayUp, Reach::None));
    }

    #[test]
    fn a_table_that_is_not_whole_is_refused() {
        let without = BUILT_IN.replace("[attack]", "[atack]");
        let said: Vec<String> = read_ladder("p.toml", &without).faults.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|f| f.contains("no [attack]")), "{said:?}");
        assert!(
            said.iter().any(|f| f.contains("unknown key `atack`") && f.contains("did you mean `attack`")),
            "{said:?}"
        );
        let wrong = BUILT_IN.replace("= \"none\"", "= \"nowhere\"");
        assert!(read_ladder("p.toml", &wrong).faults[0].help.contains("\"stay_up\""));
    }
}
