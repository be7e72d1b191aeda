//! Whether a portal's origin fails citizens, as they are told on pages where nobody has written yet: a pure machine, told
//! once a second what was heard. Apart from the ladder's own judgement, which asks whether to hold traffic back: an
//! origin that is dead with three visitors an hour is no reason to, and still to be said.
//!
//! Does not know: words, the ladder.

use std::collections::VecDeque;

use super::signals::Sample;

/// Seconds over which answers count; nights are quiet, and two visitors a minute shall be enough to know it by.
const WINDOW: usize = 60;
/// Failures in the window below which nothing is said: one page has a hiccup, and a reader tries it again. As all that
/// is counted here they are of prefixes, each once a second, so that who knocks at a broken page does not say it for all.
const LEAST: f64 = 2.5;
/// The share of failures from which it is said, and below which it is over.
const FAILS: f64 = 0.2;
const WELL: f64 = 0.05;
/// Seconds in which it must go well before it is said to be over.
const OVER: u64 = 30;

/// How one portal's origin fares.
#[derive(Debug, Default)]
pub struct Plight {
    window: VecDeque<Sample>,
    /// Seconds since the Unix epoch.
    since: Option<u64>,
    well_since: Option<u64>,
}

impl Plight {
    /// Since when its origin fails citizens.
    pub fn since(&self) -> Option<u64> {
        self.since
    }

    pub fn hear(&mut self, sample: Sample, now: u64) {
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(sample);
        let sum = |of: fn(&Sample) -> f64| self.window.iter().map(of).sum::<f64>();
        let (answered, failed) = (sum(|s| s.answered), sum(|s| s.failed));
        if self.since.is_none() {
            if failed >= LEAST && failed >= FAILS * answered {
                let first = self.window.iter().position(|s| s.errors > 0).unwrap_or(0);
                self.since = Some(now.saturating_sub((self.window.len() - 1 - first) as u64));
                self.well_since = None;
            }
            return;
        }
        self.mend(sample, now);
    }

    /// Over only by answers that come: silence says nothing.
    fn mend(&mut self, sample: Sample, now: u64) {
        let bad = sample.failed > WELL * sample.answered;
        if bad {
            self.well_since = None;
        } else if sample.answers > 0 {
            let since = *self.well_since.get_or_insert(now);
            if now.saturating_sub(since) >= OVER {
                *self = Plight::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(answers: u64, errors: u64) -> Sample {
        Sample { answers, errors, answered: answers as f64, failed: errors as f64, ..Sample::default() }
    }

    #[test]
    fn a_dead_origin_is_told_of_by_few_visitors_and_from_its_first_failure() {
        let mut plight = Plight::default();
        for now in 100..200 {
            plight.hear(if now % 15 == 0 { heard(1, 1) } else { heard(0, 0) }, now);
        }
        assert_eq!(plight.since(), Some(105));
    }

    #[test]
    fn a_hiccup_and_one_who_knocks_at_a_broken_page_are_not() {
        let mut plight = Plight::default();
        for now in 0..300 {
            plight.hear(if now % 40 == 0 { heard(1, 1) } else { heard(0, 0) }, now);
        }
        assert_eq!(plight.since(), None);
        for now in 300..600 {
            plight.hear(heard(100, 10), now);
        }
        assert_eq!(plight.since(), None, "a tenth fails");
        for now in 600..900 {
            plight.hear(Sample { answers: 100, errors: 80, answered: 20.0, failed: 1.0, ..Sample::default() }, now);
        }
        assert_eq!(plight.since(), None, "one of twenty who ask knocks on and on");
    }

    #[test]
    fn it_is_over_by_answers_and_not_by_silence() {
        let mut plight = Plight::default();
        (1..10).for_each(|now| plight.hear(heard(10, 10), now));
        (10..1000).for_each(|now| plight.hear(heard(0, 0), now));
        assert_eq!(plight.since(), Some(1), "nobody asks");
        (1000..1030).for_each(|now| plight.hear(heard(20, 0), now));
        assert_eq!(plight.since(), Some(1), "not long enough");
        plight.hear(heard(20, 0), 1030);
        assert_eq!(plight.since(), None);
        plight.hear(heard(10, 10), 1031);
        assert_eq!(plight.since(), Some(1031), "a relapse");
    }
}
