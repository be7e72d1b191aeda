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
/// Challenges in a window below which unsolved ones say nothing.
const ENOUGH_ISSUED: u64 = 50;
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
    pub fn hear(&mut self, sample: Sample, climb: &Climb, now: u64) -> Option<Level> {
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(sample);
        let heard = self.judge(climb, now);
        let many = heard.raises.is_some_and(|least| heard.arrived >= least);
        if self.level == Level::Normal && !many && heard.strong.is_none() {
            self.baseline.learn(&sample, now);
            self.peak = 0.0;
        }
        self.peak = self.peak.max(heard.arrived);
        keep(&mut self.any_since, many || heard.strong.is_some(), now);
        keep(&mut self.strong_since, heard.strong.is_some(), now);
        let quiet = self.is_quiet(&heard, climb);
        keep(&mut self.quiet_since, quiet, now);
        if !climb.auto {
            return self.stand(Level::Normal, "the ladder does not climb by itself (`auto = false`)".into(), now);
        }
        self.raise(&heard, climb, now).or_else(|| self.lower(climb, now))
    }

    fn raise(&mut self, heard: &Heard, climb: &Climb, now: u64) -> Option<Level> {
        let next = above(self.level).filter(|next| *next <= climb.max)?;
        let since = if next <= Level::Guarded { self.any_since } else { self.strong_since }?;
        if now - since < climb.hold {
            return None;
        }
        if self.raised.max(self.lowered) + FORGIVEN < now {
            self.patience = 1;
        } else if self.lowered > 0 && now - self.lowered < 2 * climb.lower_after * u64::from(self.patience) {
            self.patience = (2 * self.patience).min(MOST_PATIENT);
        }
        let why = heard.strong.clone().unwrap_or_else(|| {
            format!("{:.0} addresses a second ask, {:.0} are usual", heard.arrived, self.baseline.arrived(now))
        });
        self.raised = now;
        // The next step waits for its own time.
        (self.any_since, self.strong_since, self.quiet_since) = (None, None, None);
        self.stand(next, why, now)
    }

    fn lower(&mut self, climb: &Climb, now: u64) -> Option<Level> {
        let next = below(self.level)?;
        let quiet = climb.lower_after * u64::from(self.patience);
        // What an operator lowered `auto_max` below is left at once.
        if self.level <= climb.max && now - self.quiet_since? < quiet {
            return None;
        }
        self.lowered = now;
        self.quiet_since = None;
        self.stand(next, format!("quiet for {} minutes", quiet.div_ceil(60)), now)
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
        let raises =
            self.baseline.is_ready(now).then(|| (self.baseline.arrived(now) * climb.requests).max(climb.min_requests));
        let (answers, errors, busy) = (sum(|s| s.answers), sum(|s| s.errors), sum(|s| s.busy));
        let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
        let latency = (self.window.iter().map(|s| s.latency).sum::<f64>() / answers.max(1) as f64).exp2();
        let (issued, solved) = (sum(|s| s.issued), sum(|s| s.solved));
        let strong = if answers >= ENOUGH && share(errors, answers) >= climb.origin_errors {
            Some(format!("the origin fails {:.0} % of requests", share(errors, answers) * 100.0))
        } else if answers + busy >= ENOUGH && share(busy, answers + busy) >= climb.origin_errors {
            Some(format!("no room at the origin for {:.0} % of requests", share(busy, answers + busy) * 100.0))
        } else if answers >= ENOUGH
            && latency >= SLOW
            && self.baseline.latency().is_some_and(|usual| latency >= usual * climb.origin_latency)
        {
            Some(format!("the origin takes {:.1} s", latency / 1e9))
        } else if self.level > Level::Normal && issued >= ENOUGH_ISSUED && share(solved, issued) <= 1.0 - climb.unsolved
        {
            Some(format!("{:.0} % of challenges stay unsolved", (1.0 - share(solved, issued)) * 100.0))
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
