//! How an origin that failed is let back in: in steps, each a share of the last limit that was good. The step up comes when
//! answers have come for a while and not too late, the step back at once. It is the same whether the origin was dead, sick
//! or drowned: what waits for it would drown it again.
//!
//! Does not know: clocks, classes, what is shown meanwhile.

use super::gradient::Window;

/// Hundredths of the last good limit; the last is all.
const STEPS: [u32; 5] = [5, 10, 25, 50, 100];
/// Permits of the first step at least: one request that hangs is no trial.
const TRIALS: u32 = 2;
/// Answers that are judged together, and how long they are waited for.
const ENOUGH: u32 = 10;
const LONGEST: u64 = 1_000_000_000;
/// Failures, and their share, from which an origin has failed; and the shares from which a step was too much, and below
/// which it may be followed by the next.
const FAILURES: u32 = 5;
const FAILS: f64 = 0.5;
const TOO_MUCH: f64 = 0.2;
const WELL: f64 = 0.05;
/// How long a step must go well, in nanoseconds and answers.
const HOLDS: u64 = 3_000_000_000;
const HOLDS_ANSWERS: u32 = 5;
/// Octaves above what is uncongested from which there is no step up, and from which there is one back.
const SLOW: f64 = 1.0;
const DROWNS: f64 = 2.5;

/// How one portal's origins come back.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// `None`: all is well.
    step: Option<usize>,
    /// The last limit while all was well.
    good: u32,
    window: Window,
    /// How long this step has gone well, and with how many answers.
    held: (u64, u32),
}

impl Recovery {
    /// Takes in what was heard; `limit` is what would hold if all were well, `strain` how many octaves answers take longer.
    pub fn hear(&mut self, heard: &Window, limit: u32, strain: f64) {
        self.window.add(heard);
        let answers = self.window.answers;
        if answers == 0 {
            self.window.lasted = 0;
            return;
        }
        if answers < ENOUGH && self.window.lasted < LONGEST {
            return;
        }
        let window = std::mem::take(&mut self.window);
        let failed = window.failed + window.pushed;
        let share = f64::from(failed) / f64::from(answers);
        match self.step {
            None if failed >= FAILURES && share >= FAILS => self.go_to(Some(0)),
            None if share < WELL => self.good = limit,
            None => {}
            Some(step) => {
                if share >= TOO_MUCH || strain >= DROWNS {
                    self.go_to(Some(step.saturating_sub(1)));
                } else if share < WELL && strain < SLOW {
                    self.held = (self.held.0 + window.lasted, self.held.1 + answers);
                    if self.held.0 >= HOLDS && self.held.1 >= HOLDS_ANSWERS {
                        self.go_to(if step + 1 < STEPS.len() { Some(step + 1) } else { None });
                    }
                }
            }
        }
    }

    fn go_to(&mut self, step: Option<usize>) {
        (self.step, self.held) = (step, (0, 0));
    }

    /// Hundredths of the last good limit that are let in; `None` where all is well.
    pub fn percent(&self) -> Option<u32> {
        Some(STEPS[self.step?])
    }

    /// Whether answers come again, though not all are let in yet.
    pub fn is_back(&self) -> bool {
        self.step.is_some_and(|step| step > 0)
    }

    /// How many may be inside at most.
    pub fn cap(&self) -> Option<u32> {
        Some((u64::from(self.good) * u64::from(self.percent()?) / 100).max(u64::from(TRIALS)) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: u64 = 200_000_000;

    /// So many beats of ten answers, of which so many failed.
    fn beats(recovery: &mut Recovery, count: u32, failed: u32, strain: f64) -> Vec<Option<u32>> {
        let window = Window { answers: 10, failed, lasted: BEAT, ..Window::default() };
        let hear = |_| {
            recovery.hear(&window, 200, strain);
            recovery.percent()
        };
        let mut steps: Vec<_> = (0..count).map(hear).collect();
        steps.dedup();
        steps
    }

    #[test]
    fn an_origin_comes_back_in_steps() {
        let mut recovery = Recovery::default();
        assert_eq!(beats(&mut recovery, 10, 1, 0.0), [None], "one in ten is no failure of the origin");
        beats(&mut recovery, 10, 0, 0.0);
        assert_eq!(beats(&mut recovery, 100, 10, 0.0), [Some(5)]);
        assert_eq!(recovery.cap(), Some(10));
        assert_eq!(beats(&mut recovery, 73, 0, 0.0), [Some(5), Some(10), Some(25), Some(50), Some(100)]);
        assert_eq!(recovery.cap(), Some(200));
        assert_eq!(beats(&mut recovery, 10, 0, 0.0), [Some(100), None]);
        assert_eq!(recovery.cap(), None);
    }

    #[test]
    fn a_relapse_steps_back_at_once_and_what_is_slow_waits() {
        let mut recovery = Recovery::default();
        beats(&mut recovery, 1, 0, 0.0);
        beats(&mut recovery, 1, 10, 0.0);
        assert_eq!(beats(&mut recovery, 35, 0, 0.0), [Some(5), Some(10), Some(25)]);
        assert_eq!(beats(&mut recovery, 1, 3, 0.0), [Some(10)]);
        assert_eq!(beats(&mut recovery, 100, 0, 1.5), [Some(10)], "it answers late");
        assert_eq!(beats(&mut recovery, 1, 0, 3.0), [Some(5)], "it drowns");
        assert_eq!(beats(&mut recovery, 100, 10, 0.0), [Some(5)]);
        assert_eq!(beats(&mut recovery, 76, 0, 0.0).last(), Some(&None));
    }

    #[test]
    fn silence_tells_nothing() {
        let mut recovery = Recovery::default();
        beats(&mut recovery, 1, 0, 0.0);
        beats(&mut recovery, 1, 10, 0.0);
        let nothing = Window { lasted: BEAT, ..Window::default() };
        (0..1000).for_each(|_| recovery.hear(&nothing, 200, 0.0));
        assert_eq!(recovery.percent(), Some(5));
    }
}
