//! Keeps the totals of each minute, a file for each day: thirty days whole, and the hours around changes of posture for
//! longer.
//!
//! Does not know: what is counted.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::seen::{SEEN, Watching};
use super::{Office, files};
use crate::bounds;
use crate::plan::Level;
use crate::telemetry::metrics::FareLabels;
use crate::telemetry::totals::{self, Minute};
use crate::uptime::Fare;

pub(super) const DAY: u64 = 86_400;
/// What is left of a day after thirty.
const KEPT: &str = "kept.jsonl";
pub(super) const WHOLE: &str = "jsonl";

/// The minute that is being counted.
#[derive(Default)]
pub(super) struct Counting {
    at: u64,
    highest: HashMap<String, Level>,
    pub watching: Watching,
    /// Lines for which there was no room, with their file's name: at most [`bounds::TOTALS_UNWRITTEN`], the oldest go.
    unwritten: VecDeque<(String, String)>,
}

impl Counting {
    pub(super) fn is_behind(&self) -> bool {
        !self.unwritten.is_empty()
    }

    fn wait_for_room(&mut self, name: String, lines: String) {
        if self.unwritten.len() >= bounds::TOTALS_UNWRITTEN {
            self.unwritten.pop_front();
        }
        self.unwritten.push_back((name, lines));
    }

    /// Writes the lines that wait, the oldest first.
    fn catch_up(&mut self, folder: &Path) -> io::Result<()> {
        while let Some((name, lines)) = self.unwritten.front() {
            fs::create_dir_all(folder)?;
            files::append_whole(&folder.join(name), lines.as_bytes(), 0o600)?;
            self.unwritten.pop_front();
        }
        Ok(())
    }
}

impl Office {
    /// Called about once a second.
    pub(super) fn count(&self, counting: &mut Counting) {
        let now = self.house.now().unix();
        let minute = now - now % 60;
        let new = counting.at != minute;
        if new {
            if counting.at != 0 {
                self.keep_minute(counting);
            }
            if counting.at / DAY != minute / DAY && !self.has_handed_over() {
                self.thin(now);
            }
            (counting.at, counting.highest) = (minute, HashMap::new());
        }
        let standing = self.house.standing.load();
        for portal in &self.house.town.load().portals.list {
            let level = standing.level(&portal.name, now);
            let highest = counting.highest.entry(portal.name.clone()).or_insert(level);
            *highest = level.max(*highest);
        }
        self.watch_rules();
        self.watch_minutes(&mut counting.watching);
        self.keep_seen_minutes(counting);
        self.add_up(new);
    }

    /// Whose decisions are counted by name: rules, limits and measures in force.
    pub(super) fn watch_rules(&self) {
        let (law, town) = (self.house.law.load(), self.house.town.load());
        let is_measure = |name: &str| law.measures.iter().any(|m| m.name == name);
        for totals in &town.totals {
            let names = law.rules.rules().map(|r| r.name.as_str()).chain([law.ladder.budget.name.as_str()]);
            totals.watch(law.generation, names.map(|name| (name, is_measure(name))));
        }
    }

    /// Writes the minute, finished or not. A process that another one has taken over from goes on with it to the end of its
    /// drain: lines are only ever appended, and a minute may have several.
    pub(super) fn keep_minute(&self, counting: &mut Counting) {
        let now = self.house.now().unix();
        // It may end before anybody has looked which minute it is.
        let at = if counting.at == 0 { now - now % 60 } else { counting.at };
        let town = self.house.town.load();
        let mut lines = String::new();
        for (portal, totals) in town.portals.list.iter().zip(&town.totals) {
            let posture = counting.highest.get(&portal.name).copied().unwrap_or(Level::Normal);
            let (counts, deeds) = (totals.take(), totals.take_deeds());
            let minute = Minute { at, portal: portal.name.clone(), posture, counts, deeds };
            let labels = |fare: Fare| FareLabels { portal: portal.name.clone(), outcome: fare.as_str() };
            for (fare, n) in Fare::ALL.into_iter().zip(minute.served().all()).filter(|(_, n)| *n > 0) {
                self.house.metrics.citizens.get_or_create(&labels(fare)).inc_by(n);
            }
            if !minute.counts.is_empty() || posture > Level::Normal {
                lines.push_str(&serde_json::to_string(&minute).unwrap_or_default());
                lines.push('\n');
            }
        }
        self.append_lines(counting, format!("{}.{WHOLE}", day_of(at)), lines);
    }

    /// Appends lines to a file of a day, behind those that wait for room.
    pub(super) fn append_lines(&self, counting: &mut Counting, name: String, lines: String) {
        if !lines.is_empty() {
            counting.wait_for_room(name, lines);
        }
        self.catch_up_lines(counting);
    }

    /// Writes the lines that wait.
    pub(super) fn catch_up_lines(&self, counting: &mut Counting) {
        const TROUBLE: &str = "the totals of each minute cannot be written";
        match counting.catch_up(&self.totals_folder()) {
            Ok(()) => self.house.untrouble(|t| t.starts_with(TROUBLE)),
            Err(e) if !self.house.troubles().iter().any(|t| t.starts_with(TROUBLE)) => {
                self.house.trouble(format!("{TROUBLE} ({e}): they wait in memory"));
            }
            Err(_) => {}
        }
    }

    pub(super) fn totals_folder(&self) -> PathBuf {
        self.state_dir.join("totals")
    }

    /// The minutes that are kept from then to then, at most [`bounds::TOTALS_AT_ONCE`] of them, the oldest first.
    pub fn totals(&self, from: u64, to: u64) -> Vec<Minute> {
        let mut found = Vec::new();
        for day in days_between(from, to) {
            for kind in [KEPT, WHOLE] {
                let path = self.totals_folder().join(format!("{day}.{kind}"));
                found.extend(read(&path, |m: &Minute| (from..=to).contains(&m.at)).take(bounds::TOTALS_AT_ONCE));
            }
            if found.len() >= bounds::TOTALS_AT_ONCE {
                break;
            }
        }
        found.sort_by_key(|m| m.at);
        found.truncate(bounds::TOTALS_AT_ONCE);
        found
    }

    /// Every line of these minutes, of one portal or of all; not in order.
    pub(super) fn each_minute(&self, (from, to): (u64, u64), portal: Option<&str>, mut see: impl FnMut(Minute)) {
        for day in days_between(from, to) {
            for kind in [KEPT, WHOLE] {
                let path = self.totals_folder().join(format!("{day}.{kind}"));
                let wanted = move |m: &Minute| (from..=to).contains(&m.at);
                read(&path, wanted).filter(|m| portal.is_none_or(|name| name == m.portal)).for_each(&mut see);
            }
        }
    }

    /// Of days that are over thirty days old only what lies near changes of posture stays, for a year.
    fn thin(&self, now: u64) {
        let folder = self.totals_folder();
        let Ok(entries) = fs::read_dir(&folder) else { return };
        let oldest = |days: u64| day_of(now.saturating_sub(days * DAY));
        let (whole, kept) = (oldest(bounds::TOTALS_DAYS), oldest(bounds::TOTALS_KEPT_DAYS));
        // The oldest first: what is near a change may lie in the day after, which is whole then.
        let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let Some((day, kind)) = name.split_once('.') else { continue };
            let outcome = match kind {
                KEPT if *day < *kept => fs::remove_file(&path),
                WHOLE if *day < *whole => thin_day(&folder, day),
                SEEN if *day < *oldest(bounds::SEEN_DAYS) => fs::remove_file(&path),
                _ => Ok(()),
            };
            if let Err(error) = outcome {
                tracing::warn!(file = name, %error, "old totals cannot be thinned out");
            }
        }
    }
}

fn thin_day(folder: &Path, day: &str) -> io::Result<()> {
    let path = |day: &str, kind: &str| folder.join(format!("{day}.{kind}"));
    let noon = format!("{day}T12:00:00Z").parse::<jiff::Timestamp>();
    let noon = u64::try_from(noon.map_err(io::Error::other)?.as_second()).unwrap_or(0);
    let days = [noon.saturating_sub(DAY), noon, noon + DAY].map(day_of);
    let minutes: Vec<Minute> = days
        .iter()
        .flat_map(|day| [KEPT, WHOLE].map(|kind| read(&path(day, kind), |_: &Minute| true)))
        .flatten()
        .collect();
    let of_day = |m: &Minute| day_of(m.at) == day;
    let near = totals::near_changes(&minutes, bounds::TOTALS_NEAR.as_secs()).into_iter().filter(of_day);
    let lines: Vec<String> = near.filter_map(|m| serde_json::to_string(&m).ok()).collect();
    if !lines.is_empty() {
        files::write_whole(&path(day, KEPT), (lines.join("\n") + "\n").as_bytes(), 0o600)?;
    }
    fs::remove_file(path(day, WHOLE))
}

/// What can be read of a day and is wanted; a line that was torn by a power cut is left out.
pub(super) fn read<T, F>(path: &Path, wanted: F) -> impl Iterator<Item = T> + use<T, F>
where
    T: DeserializeOwned,
    F: Fn(&T) -> bool,
{
    let lines = fs::File::open(path).map(|file| BufReader::new(file.take(bounds::TOTALS_BYTES)).lines());
    let lines = lines.into_iter().flatten().map_while(io::Result::ok);
    lines.filter_map(move |line| serde_json::from_str(&line).ok().filter(|m| wanted(m)))
}

/// The UTC days of a span, at most [`bounds::TOTALS_DAYS`] and one.
pub(super) fn days_between(from: u64, to: u64) -> impl Iterator<Item = String> {
    let first = from / DAY;
    (first..=(to / DAY).min(first + bounds::TOTALS_DAYS)).map(|day| day_of(day * DAY))
}

/// Days are UTC's, so that none has twenty-five hours.
pub(super) fn day_of(unix: u64) -> String {
    let at = i64::try_from(unix).ok().and_then(|s| jiff::Timestamp::from_second(s).ok()).unwrap_or_default();
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_find_no_room_wait_for_it_in_their_order() {
        let folder = std::env::temp_dir().join(format!("boma-totals-full-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::write(&folder, "in the way").unwrap();
        let mut counting = Counting::default();
        for n in 0..bounds::TOTALS_UNWRITTEN + 2 {
            counting.wait_for_room("day.jsonl".into(), format!("{n}\n"));
            assert!(counting.catch_up(&folder).is_err() && counting.is_behind());
        }
        fs::remove_file(&folder).unwrap();
        assert!(counting.catch_up(&folder).is_ok() && !counting.is_behind());
        let written = fs::read_to_string(folder.join("day.jsonl")).unwrap();
        let numbers: Vec<usize> = written.lines().map(|n| n.parse().unwrap()).collect();
        assert!(numbers.iter().copied().eq(2..bounds::TOTALS_UNWRITTEN + 2), "the oldest go where too many wait");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn of_an_old_day_what_lies_near_a_change_stays_over_midnight_too() {
        let folder = std::env::temp_dir().join(format!("boma-totals-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let start = 1_767_225_600; // 2026-01-01
        let line = |n: u64, posture: &str| {
            format!("{{\"at\":{},\"portal\":\"p\",\"posture\":\"{posture}\",\"counts\":{{}}}}\n", start + n * 60)
        };
        let day = |n: u64, change: Option<u64>| -> String {
            let posture = |m| if change.is_some_and(|at| m >= at) { "attack" } else { "normal" };
            (n * 1440..(n + 1) * 1440).map(|m| line(m, posture(m))).collect()
        };
        let kept = |name: &str| read(&folder.join(name), |_: &Minute| true).count();
        fs::write(folder.join("2026-01-01.jsonl"), day(0, None)).unwrap();
        fs::write(folder.join("2026-01-02.jsonl"), day(1, Some(1450)) + "{\"at\":torn").unwrap();
        thin_day(&folder, "2026-01-01").unwrap();
        thin_day(&folder, "2026-01-02").unwrap();
        assert!(!folder.join("2026-01-01.jsonl").exists() && !folder.join("2026-01-02.jsonl").exists());
        assert_eq!((kept("2026-01-01.kept.jsonl"), kept("2026-01-02.kept.jsonl")), (50, 71));
        fs::write(folder.join("2026-02-01.jsonl"), day(31, None)).unwrap();
        thin_day(&folder, "2026-02-01").unwrap();
        assert!(!folder.join("2026-02-01.kept.jsonl").exists(), "nothing happened that day");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(day_of(1_790_000_000), "2026-09-21");
    }
}
