//! How hard pressed the machine is, and what boma gives up for it, step by step: keep-alive first, then the work of
//! strangers, then new connections. Pure judgement of what was measured, with a pull to stay where it stands.
//!
//! Does not know: how anything is measured, who acts on it.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use crate::bounds;

/// What is given up, each step with those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strain {
    #[default]
    None,
    /// Connections between requests are kept for a few seconds only, and pages are sent in their small variants.
    Tight,
    /// Whoever shows no pass gets nothing that costs the origin, nor boma more than a page.
    Scarce,
    /// No new connections, but from trusted proxies.
    Spent,
}

impl Strain {
    const ALL: [Strain; 4] = [Strain::None, Strain::Tight, Strain::Scarce, Strain::Spent];

    pub fn as_str(self) -> &'static str {
        match self {
            Strain::None => "none",
            Strain::Tight => "tight",
            Strain::Scarce => "scarce",
            Strain::Spent => "spent",
        }
    }

    fn of(number: u8) -> Strain {
        Strain::ALL[usize::from(number).min(Strain::ALL.len() - 1)]
    }
}

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Resident memory, in thousandths of `[server] memory`.
    Memory,
    /// Connections, in thousandths of what file descriptors and caps allow.
    Connections,
    /// Milliseconds by which a worker's beat came late: what a request waits before anybody looks at it.
    Cpu,
    /// Bytes sent to clients in a second, in thousandths of `[server] egress`.
    Uplink,
}

impl Source {
    pub const ALL: [Source; 4] = [Source::Memory, Source::Connections, Source::Cpu, Source::Uplink];

    pub fn as_str(self) -> &'static str {
        match self {
            Source::Memory => "memory",
            Source::Connections => "connections",
            Source::Cpu => "cpu",
            Source::Uplink => "uplink",
        }
    }

    /// From where on it is tight, scarce and spent. A full house of connections makes room by itself, and a full line
    /// refuses by itself: neither closes the door.
    fn steps(self) -> [u64; 3] {
        match self {
            Source::Memory => [800, 900, 970],
            Source::Connections => [800, 950, u64::MAX],
            Source::Cpu => [100, 400, 1500],
            Source::Uplink => [800, 950, u64::MAX],
        }
    }

    /// Readings in a row that make a step up: memory that is gone is gone, the others come and go.
    fn patience(self) -> u8 {
        if self == Source::Memory { 1 } else { bounds::STRAIN_UP }
    }
}

/// One source's judge.
#[derive(Clone, Copy, Debug, Default)]
struct Needle {
    at: Strain,
    /// Readings in a row above this step, and the least of the steps that they were at.
    above: (u8, Strain),
    below: u8,
}

impl Needle {
    fn hear(&mut self, source: Source, reading: u64) {
        let steps = source.steps();
        let now = Strain::of(steps.iter().filter(|s| reading >= **s).count() as u8);
        if now > self.at {
            let (n, least) = self.above;
            self.above = (n + 1, if n == 0 { now } else { least.min(now) });
            if self.above.0 >= source.patience() {
                self.at = self.above.1;
                self.above.0 = 0;
            }
        } else {
            self.above.0 = 0;
        }
        // A tenth below where it rose, or it would flap.
        let eased = (self.at as usize).checked_sub(1).is_some_and(|i| reading < steps[i] / 10 * 9);
        self.below = if eased { self.below + 1 } else { 0 };
        if self.below >= bounds::STRAIN_DOWN {
            self.at = Strain::of(self.at as u8 - 1);
            self.below = 0;
        }
    }
}

/// Judges all sources, a reading of each a second.
#[derive(Debug, Default)]
pub struct Gauge([Needle; 4]);

impl Gauge {
    /// By [`Source::ALL`]; what has no bound is 0. Where each stands now.
    pub fn hear(&mut self, readings: [u64; 4]) -> [Strain; 4] {
        for (needle, (source, reading)) in self.0.iter_mut().zip(Source::ALL.into_iter().zip(readings)) {
            needle.hear(source, reading);
        }
        self.0.map(|needle| needle.at)
    }
}

/// What workers tell and hear of it.
#[derive(Debug, Default)]
pub struct Pulse {
    at: AtomicU8,
    /// By [`Source::ALL`].
    sources: [AtomicU8; 4],
    /// Milliseconds that the latest beat of any worker came too late, since it was last asked.
    late: AtomicU64,
    /// Bytes sent to clients.
    sent: AtomicU64,
    /// Connections that file descriptors allow.
    pub connections: AtomicUsize,
}

impl Pulse {
    pub fn strain(&self) -> Strain {
        Strain::of(self.at.load(Ordering::Relaxed))
    }

    /// Whether the line is near full: pages are sent small.
    pub fn is_line_full(&self) -> bool {
        self.of(Source::Uplink) > Strain::None
    }

    pub fn of(&self, source: Source) -> Strain {
        Strain::of(self.sources[source as usize].load(Ordering::Relaxed))
    }

    pub fn set(&self, at: [Strain; 4]) {
        self.at.store(at.into_iter().max().unwrap_or_default() as u8, Ordering::Relaxed);
        for (kept, at) in self.sources.iter().zip(at) {
            kept.store(at as u8, Ordering::Relaxed);
        }
    }

    /// A worker's beat: how late it came, and what was sent since the last.
    pub fn beat(&self, late: u64, sent: u64) {
        self.late.fetch_max(late, Ordering::Relaxed);
        self.sent.fetch_add(sent, Ordering::Relaxed);
    }

    /// The latest beat, and the bytes sent, since the last time.
    pub fn take(&self) -> (u64, u64) {
        (self.late.swap(0, Ordering::Relaxed), self.sent.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a source stands after each of the readings.
    fn course(source: Source, readings: &[u64]) -> Vec<Strain> {
        let mut gauge = Gauge::default();
        let mut hear = |reading: &u64| {
            let mut all = [0; 4];
            all[source as usize] = *reading;
            gauge.hear(all)[source as usize]
        };
        readings.iter().map(&mut hear).collect()
    }

    #[test]
    fn memory_is_believed_at_once_and_given_back_slowly() {
        use Strain::{None, Scarce, Spent, Tight};
        assert_eq!(course(Source::Memory, &[799, 800, 905, 980]), [None, Tight, Scarce, Spent]);
        let mut readings = vec![980];
        readings.extend([100; 3 * bounds::STRAIN_DOWN as usize]);
        let down = course(Source::Memory, &readings);
        let at = |n: u8| down[usize::from(n * bounds::STRAIN_DOWN)];
        assert_eq!([at(1), at(2), at(3)], [Scarce, Tight, None], "a step at a time");
        let just_below = course(Source::Memory, &[900, 899, 899, 899, 899, 899, 899, 899, 899, 899, 899]);
        assert_eq!(just_below.last(), Some(&Scarce), "what is just below the step does not end it");
    }

    #[test]
    fn a_busy_second_is_no_strain_and_three_are() {
        use Strain::{None, Tight};
        let busy = [500, 0, 500, 500, 0, 500, 500, 120, 0, 0];
        let course = course(Source::Cpu, &busy);
        assert_eq!(course[..7], [None; 7]);
        assert_eq!(course[7], Tight, "all three were at least that");
    }

    #[test]
    fn the_worst_source_counts_and_the_line_is_told_apart() {
        let pulse = Pulse::default();
        pulse.set([Strain::None, Strain::Scarce, Strain::None, Strain::None]);
        assert_eq!((pulse.strain(), pulse.is_line_full()), (Strain::Scarce, false));
        pulse.set([Strain::None, Strain::None, Strain::None, Strain::Tight]);
        assert_eq!((pulse.strain(), pulse.is_line_full()), (Strain::Tight, true));
        assert_eq!(
            course(Source::Connections, &[1000; 9]).last(),
            Some(&Strain::Scarce),
            "a full house closes no door"
        );
    }
}
