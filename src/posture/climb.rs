//! The ladder climbs by itself: one step at a time, on signals that last, and down again after quiet. A pure machine,
//! told the time: [`Climber::hear`] once a second and portal.
//!
//! What arrives raises at most to `guarded`, for a crowd is no attack; what the origin suffers, to `auto_max`. Down it
//! goes by what arrives, not by what is let through, or each success of the challenge would end it. Whoever comes back
//! soon after it went down (a flood in pulses) makes the next wait for quiet twice as long.
//!
//! Does not know: what a step does, where samples come from.

use std::collections::VecDeque;

use super::baseline::Baseline;
use super::signals::Sample;
use crate::plan::{Climb, Level};

/// Seconds over which shares and means are taken.
const WINDOW: usize = 5;
/// Answers in a window below which shares say nothing.
const ENOUGH: u64 = 10;
/// The share of `min_requests` below which unsolved challenges are crawlers'.
const CROWD_OF_BOTS: f64 = 0.5;
/// How many times longer quiet must last where nothing but the origin tells of it.
const WITHOUT_BASELINE: u64 = 6;
/// Latency below which no origin suffers, whatever it was before: a quarter of a second, in nanoseconds.
const SLOW: f64 = 250e6;
/// What arrives must have fallen to this share of what raises.
const HYSTERESIS: f64 = 0.5;
/// How much longer the wait for quiet may become.
const MOST_PATIENT: u32 = 16;
/// Seconds without a rise after which it is as short as ever.
const FORGIVEN: u64 = 6 * 3600;

/// Where one portal stands on the ladder, and why.
#[derive(Debug)]
pub struct Climber {
    level: Level,
    why: String,
    /// Seconds since the Unix epoch.
    since: u64,
    window: VecDeque<Sample>,
    any_since: Option<u64>,
    strong_since: Option<u64>,
    quiet_since: Option<u64>,
    /// The same by the origin alone, where what is usual is not known.
    calm_since: Option<u64>,
    /// The most that arrived since the ladder last was at its foot.
    peak: f64,
    lowered: u64,
    raised: u64,
    patience: u32,
    pub baseline: Baseline,
}

/// What is heard over the window.
struct Heard {
    arrived: f64,
    /// How much must arrive to raise; nothing while too little is known of what is usual.
    raises: Option<f64>,
    /// What the origin suffers, in words.
    strong: Option<String>,
}

impl Climber {
    /// At `level` already: where it stood before a restart.
    pub fn new(level: Level, baseline: Baseline, now: u64) -> Climber {
        Climber {
            level,
            why: if level == Level::Normal { String::new() } else { "as before the restart".into() },
            since: now,
            window: VecDeque::with_capacity(WINDOW),
            any_since: None,
            strong_since: None,
            quiet_since: None,
            calm_since: None,
            peak: 0.0,
            lowered: 0,
            raised: now,
            patience: 1,
            baseline,
        }
    }

    pub fn level(&self) -> Level {
        self.level
    }

    /// Why it stands where it does.
    pub fn why(&self) -> &str {
        &self.why
    }

    pub fn since(&self) -> u64 {
        self.since
    }

    /// What was heard in the last second; the new level where it moved.
    /// `usual`: nobody has pinned another posture, under which less arrives and the origin fares better.
    pub fn hear(&mut self, sample: Sample, climb: &Climb, usual: bool, now: u64) -> Option<Level> {
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(sample);
        let heard = self.judge(climb, now);
        let many = heard.raises.is_some_and(|least| heard.arrived >= least);
        if self.level == Level::Normal && !many && heard.strong.is_none() {
            if usual {
                self.baseline.learn(&sample, now);
            }
            self.peak = 0.0;
        }
        self.peak = self.peak.max(heard.arrived);
        keep(&mut self.any_since, many || heard.strong.is_some(), now);
        keep(&mut self.strong_since, heard.strong.is_some(), now);
        let quiet = self.is_quiet(&heard, climb);
        keep(&mut self.quiet_since, quiet, now);
        keep(&mut self.calm_since, heard.strong.is_none() && heard.raises.is_none(), now);
        if !climb.auto {
            return self.stand(Level::Normal, "the ladder does not climb by itself (`auto = false`)".into(), now);
        }
        self.raise(&heard, climb, now).or_else(|| self.lower(climb, now))
    }

    fn raise(&mut self, heard: &Heard, climb: &Climb, now: u64) -> Option<Level> {
        let next = above(self.level).filter(|next| *next <= climb.max)?;
        let since = if next <= Level::Guarded { self.any_since } else { self.strong_since }?;
        if now.saturating_sub(since) < climb.hold {
            return None;
        }
        if self.raised.max(self.lowered) + FORGIVEN < now {
            self.patience = 1;
        } else if self.lowered > 0
            && now.saturating_sub(self.lowered) < 2 * climb.lower_after * u64::from(self.patience)
        {
            self.patience = (2 * self.patience).min(MOST_PATIENT);
        }
        let why = heard.strong.clone().unwrap_or_else(|| {
            let usual = self.baseline.arrived(now).unwrap_or_default();
            format!("{:.0} addresses a second ask, {usual:.0} are usual", heard.arrived)
        });
        self.raised = now;
        // The next step waits for its own time.
        (self.any_since, self.strong_since) = (None, None);
        (self.quiet_since, self.calm_since) = (None, None);
        self.stand(next, why, now)
    }

    fn lower(&mut self, climb: &Climb, now: u64) -> Option<Level> {
        let next = below(self.level)?;
        let quiet = climb.lower_after * u64::from(self.patience);
        let lasted = |since: Option<u64>, least: u64| since.is_some_and(|s| now.saturating_sub(s) >= least);
        let quiet_long = lasted(self.quiet_since, quiet) || lasted(self.calm_since, quiet * WITHOUT_BASELINE);
        // What an operator lowered `auto_max` below is left at once.
        if self.level <= climb.max && !quiet_long {
            return None;
        }
        self.lowered = now;
        (self.quiet_since, self.calm_since) = (None, None);
        let long = if quiet >= 120 && quiet.is_multiple_of(60) {
            format!("{} minutes", quiet / 60)
        } else {
            format!("{quiet} s")
        };
        self.stand(next, format!("quiet for {long}"), now)
    }

    fn stand(&mut self, level: Level, why: String, now: u64) -> Option<Level> {
        if level == self.level {
            return None;
        }
        (self.level, self.why, self.since) = (level, why, now);
        Some(level)
    }

    fn is_quiet(&self, heard: &Heard, climb: &Climb) -> bool {
        heard.strong.is_none()
            && match heard.raises {
                Some(least) => heard.arrived < least * HYSTERESIS,
                // What is usual is not known: it has fallen from what it was.
                None => self.peak < climb.min_requests || heard.arrived < self.peak * HYSTERESIS,
            }
    }

    fn judge(&self, climb: &Climb, now: u64) -> Heard {
        let sum = |of: fn(&Sample) -> u64| self.window.iter().map(of).sum::<u64>();
        let seconds = self.window.len().max(1) as f64;
        let arrived = self.window.iter().map(|s| s.arrived).sum::<f64>() / seconds;
        let raises = self.baseline.arrived(now).map(|usual| (usual * climb.requests).max(climb.min_requests));
        let (answers, errors, busy, timed) = (sum(|s| s.answers), sum(|s| s.errors), sum(|s| s.busy), sum(|s| s.timed));
        let total = |of: fn(&Sample) -> f64| self.window.iter().map(of).sum::<f64>();
        let part = |part: f64, all: f64| if all > 0.0 { part / all } else { 0.0 };
        // By prefixes where there are enough of them, so that one who finds a page that fails is one of many.
        let (answered, failed) = (total(|s| s.answered), total(|s| s.failed));
        let failing =
            if answered >= ENOUGH as f64 { part(failed, answered) } else { part(errors as f64, answers as f64) };
        let turned_away = part(busy as f64, (answers + busy) as f64);
        let latency = part(total(|s| s.latency), timed as f64).exp2();
        let (issued, solved) = (total(|s| s.issued) / seconds, total(|s| s.solved) / seconds);
        let strong = if answers >= ENOUGH && failing >= climb.origin_errors {
            Some(format!("the origin fails {:.0} % of requests", failing * 100.0))
        } else if answers + busy >= ENOUGH && turned_away >= climb.origin_errors {
            Some(format!("no room at the origin for {:.0} % of requests", turned_away * 100.0))
        } else if timed >= ENOUGH
            && latency >= SLOW
            && self.baseline.latency().is_some_and(|usual| latency >= usual * climb.origin_latency)
        {
            Some(format!("the origin takes {:.1} s", latency / 1e9))
        } else if self.level > Level::Normal
            && issued >= climb.min_requests * CROWD_OF_BOTS
            && part(solved, issued) <= 1.0 - climb.unsolved
        {
            Some(format!("{:.0} % of challenges stay unsolved", (1.0 - part(solved, issued)) * 100.0))
        } else {
            None
        };
        Heard { arrived, raises, strong }
    }
}

/// Since when something holds without a break.
fn keep(since: &mut Option<u64>, holds: bool, now: u64) {
    if holds {
        since.get_or_insert(now);
    } else {
        *since = None;
    }
}

fn above(level: Level) -> Option<Level> {
    Level::ALL.get(level as usize + 1).copied()
}

fn below(level: Level) -> Option<Level> {
    (level as usize).checked_sub(1).map(|i| Level::ALL[i])
}

#[cfg(test)]
mod tests;
