//! What is usual for a portal: how many ask in each hour of the day, and how long its origin takes.
//!
//! Does not know: what is unusual.

use serde::{Deserialize, Serialize};

use super::signals::Sample;

const DAY: u64 = 86_400;
/// Minutes that a mean remembers: five days' worth of one hour.
const MEMORY: f64 = 300.0;
/// Answers in a minute below which their latency is chance.
const ENOUGH: u64 = 20;
/// Minutes of an hour that must have been learned.
const KNOWN: f64 = 30.0;

/// Learned in quiet only; kept over restarts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// When learning began, in seconds since the Unix epoch; 0: it has not.
    began: u64,
    /// By hour of the day (UTC): the mean of distinct prefixes a second, and the minutes it was taken over.
    hours: [(f64, f64); 24],
    /// The mean of the binary logarithm of the origin's latency, and the minutes it was taken over.
    latency: (f64, f64),
    /// The minute under way.
    #[serde(skip)]
    minute: Minute,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Minute {
    seconds: f64,
    arrived: f64,
    timed: u64,
    latency: f64,
}

fn blend(mean: &mut (f64, f64), value: f64) {
    mean.1 = (mean.1 + 1.0).min(MEMORY);
    mean.0 += (value - mean.0) / mean.1;
}

impl Baseline {
    pub fn learn(&mut self, sample: &Sample, now: u64) {
        if self.began == 0 {
            self.began = now;
        }
        let minute = &mut self.minute;
        minute.seconds += 1.0;
        minute.arrived += sample.arrived;
        minute.timed += sample.timed;
        minute.latency += sample.latency;
        if minute.seconds >= 60.0 {
            let minute = std::mem::take(minute);
            blend(&mut self.hours[hour(now)], minute.arrived / minute.seconds);
            if minute.timed >= ENOUGH {
                blend(&mut self.latency, minute.latency / minute.timed as f64);
            }
        }
    }

    /// Distinct prefixes a second that are usual now; `None` before a whole day has passed, and in hours that were not
    /// learned well enough. The hours beside count too: a morning does not begin at once.
    pub fn arrived(&self, now: u64) -> Option<f64> {
        let h = hour(now);
        let known = self.began > 0 && now >= self.began + DAY && self.hours[h].1 >= KNOWN;
        known.then(|| [(h + 23) % 24, h, (h + 1) % 24].into_iter().map(|h| self.hours[h].0).fold(0.0, f64::max))
    }

    /// The origin's usual latency in nanoseconds, once ten minutes of it are known.
    pub fn latency(&self) -> Option<f64> {
        (self.latency.1 >= 10.0).then(|| self.latency.0.exp2())
    }
}

fn hour(now: u64) -> usize {
    (now % DAY / 3600) as usize
}
