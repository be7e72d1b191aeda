//! Adds the totals of each minute up to days, by each portal's own calendar, and keeps them for ninety. The totals' files are
//! the truth: they are read on from where the last look ended, so that neither a restart nor two processes at once count a
//! line twice or not at all.
//!
//! Does not know: what is counted, what pages look like.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::totals::{DAY, WHOLE, day_of};
use super::{Office, files};
use crate::bounds;
use crate::portal::Portal;
use crate::telemetry::totals::Minute;
use crate::uptime::{Day, Served};

const FILE: &str = "days.json";

/// What is kept: days by portal and date, and how far the totals were read.
#[derive(Default, Serialize, Deserialize)]
struct Book {
    days: BTreeMap<String, BTreeMap<String, Served>>,
    /// The file, by its UTC day, and the bytes of it.
    read: (String, u64),
}

#[derive(Default)]
pub(super) struct Uptime {
    book: Option<Book>,
    /// Whether there is more to read than one look takes.
    behind: bool,
    kept: u64,
    /// What pages tell, and since when.
    told: HashMap<String, Arc<[Day]>>,
    told_at: u64,
}

impl Office {
    /// Called about once a second; `new`: a minute was written.
    pub(super) fn add_up(&self, new: bool) {
        let now = self.house.now().unix();
        let mut uptime = self.uptime();
        let mut book = match uptime.book.take() {
            Some(book) => book,
            None => {
                uptime.behind = true;
                self.kept_days()
            }
        };
        if new || uptime.behind {
            uptime.behind = self.read_on(&mut book, now);
        }
        if uptime.told_at == 0 || now >= uptime.told_at + bounds::UPTIME_TOLD.as_secs() || now < uptime.told_at {
            if !uptime.behind {
                uptime.told_at = now;
            }
            let town = self.house.town.load();
            let days = |p: &Arc<Portal>| (p.name.clone(), days(p, book.days.get(&p.name), now).into());
            uptime.told = town.portals.list.iter().map(days).collect();
        }
        uptime.book = Some(book);
        let due = now >= uptime.kept + bounds::UPTIME_KEPT.as_secs();
        if due && !self.has_handed_over() {
            uptime.kept = now;
            self.write_days(&uptime);
        }
    }

    /// Keeps what was added up, at the end of the process.
    pub(super) fn keep_days(&self) {
        self.write_days(&self.uptime());
    }

    /// The days that pages tell of, the oldest first.
    pub(super) fn told_days(&self, portal: &str) -> Arc<[Day]> {
        self.uptime().told.get(portal).cloned().unwrap_or_default()
    }

    fn kept_days(&self) -> Book {
        let text = files::read_text(&self.totals_folder().join(FILE)).unwrap_or_default();
        // Without it, or where it is damaged, all that is kept is added up anew.
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn write_days(&self, uptime: &Uptime) {
        let Some(book) = &uptime.book else { return };
        let text = serde_json::to_vec(book).unwrap_or_default();
        if let Err(error) = files::write_whole(&self.totals_folder().join(FILE), &text, 0o600) {
            tracing::debug!(%error, "how citizens were served by day is not kept; it is added up anew at the start");
        }
    }

    /// Reads on in the totals; whether there is more.
    fn read_on(&self, book: &mut Book, now: u64) -> bool {
        let town = self.house.town.load();
        let zones: HashMap<&str, TimeZone> = town.portals.list.iter().map(|p| (p.name.as_str(), zone(p))).collect();
        let today = day_of(now);
        let oldest = day_of(now.saturating_sub(bounds::TOTALS_DAYS * DAY));
        if book.read.0 < oldest {
            book.read = (oldest, 0);
        }
        let mut left = bounds::UPTIME_READ;
        loop {
            let path = self.totals_folder().join(format!("{}.{WHOLE}", book.read.0));
            let (text, end) = lines_from(&path, book.read.1, left).unwrap_or((Vec::new(), true));
            book.read.1 += text.len() as u64;
            left = left.saturating_sub(text.len() as u64);
            for line in text.split(|b| *b == b'\n') {
                let Ok(minute) = serde_json::from_slice::<Minute>(line) else { continue };
                let Some(zone) = zones.get(minute.portal.as_str()) else { continue };
                let served = minute.served();
                if served.requests() > 0 {
                    let day = book.days.entry(minute.portal).or_default().entry(date(zone, minute.at)).or_default();
                    *day = day.with(&served);
                }
            }
            if !end {
                return true;
            }
            if book.read.0 >= today {
                break;
            }
            let Some(next) = after(&book.read.0) else { break };
            book.read = (next, 0);
        }
        let known = |name: &String, _: &mut BTreeMap<_, _>| zones.contains_key(name.as_str());
        book.days.retain(known);
        book.days.values_mut().for_each(|days| {
            while days.len() > bounds::UPTIME_DAYS {
                days.pop_first();
            }
        });
        false
    }
}

fn zone(portal: &Portal) -> TimeZone {
    TimeZone::get(&portal.timezone).unwrap_or(TimeZone::UTC)
}

fn date(zone: &TimeZone, unix: u64) -> String {
    let at = i64::try_from(unix).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or_default();
    at.to_zoned(zone.clone()).date().to_string()
}

/// The UTC day after.
fn after(day: &str) -> Option<String> {
    let noon: Timestamp = format!("{day}T12:00:00Z").parse().ok()?;
    u64::try_from((noon + SignedDuration::from_hours(24)).as_second()).ok().map(day_of)
}

fn days(portal: &Portal, days: Option<&BTreeMap<String, Served>>, now: u64) -> Vec<Day> {
    let today = date(&zone(portal), now);
    let day = |(date, served): (&String, &Served)| Day { date: date.clone(), whole: *date < today, served: *served };
    days.into_iter().flatten().map(day).collect()
}

/// Whole lines of a file from there on, at most so many bytes, and whether these are all.
fn lines_from(path: &std::path::Path, from: u64, most: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text)?;
    let full = text.len() as u64 >= most;
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    // No line is as long as a look: what is, is none.
    if whole > 0 || !full {
        text.truncate(whole);
    }
    Ok((text, !full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_on_by_whole_lines() {
        let path = std::env::temp_dir().join(format!("boma-days-{}", std::process::id()));
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        assert_eq!(lines_from(&path, 0, 100).unwrap(), (b"one\ntwo\n".to_vec(), true), "the torn one waits");
        assert_eq!(lines_from(&path, 0, 6).unwrap(), (b"one\n".to_vec(), false));
        assert_eq!(lines_from(&path, 4, 100).unwrap().0, b"two\n");
        assert_eq!(lines_from(&path, 8, 100).unwrap(), (Vec::new(), true));
        assert_eq!(lines_from(&path, 0, 2).unwrap(), (b"on".to_vec(), false), "nobody is stuck at a line without end");
        std::fs::remove_file(&path).unwrap();
        assert!(lines_from(&path, 0, 100).is_err());
    }

    #[test]
    fn days_are_the_portals_own() {
        let nairobi = TimeZone::get("Africa/Nairobi").unwrap();
        assert_eq!(
            (date(&nairobi, 1_790_026_200), date(&TimeZone::UTC, 1_790_026_200)),
            ("2026-09-22".into(), "2026-09-21".into())
        );
        assert_eq!(after("2026-12-31").as_deref(), Some("2027-01-01"));
    }
}
