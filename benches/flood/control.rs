//! What the threads of a run share: the phase it is in, where the posture stands, and how much was sent in each second.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Citizens alone; the flood, which is what counts; the flood still on while citizens end what they began; the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Warm,
    Flood,
    Ending,
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    Normal,
    Guarded,
    Attack,
    Static,
    Closed,
}

impl Level {
    pub const ALL: [Level; 5] = [Level::Normal, Level::Guarded, Level::Attack, Level::Static, Level::Closed];

    pub fn named(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|l| l.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Level::Normal => "normal",
            Level::Guarded => "guarded",
            Level::Attack => "attack",
            Level::Static => "static",
            Level::Closed => "closed",
        }
    }
}

pub struct Control {
    start: Instant,
    phase: AtomicU8,
    /// Where the posture stands, and stood one look before.
    levels: [AtomicU8; 2],
    /// Requests sent to boma, its own paths left out, by second.
    sent: Vec<AtomicU32>,
}

impl Control {
    pub fn new(longest: Duration) -> Control {
        let seconds = longest.as_secs() as usize;
        Control {
            start: Instant::now(),
            phase: AtomicU8::new(Phase::Warm as u8),
            levels: [AtomicU8::new(0), AtomicU8::new(0)],
            sent: (0..seconds).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    pub fn phase(&self) -> Phase {
        [Phase::Warm, Phase::Flood, Phase::Ending, Phase::Over][usize::from(self.phase.load(Ordering::Relaxed))]
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub fn stands(&self, level: Level) {
        let old = self.levels[0].swap(level as u8, Ordering::Relaxed);
        self.levels[1].store(old, Ordering::Relaxed);
    }

    /// The levels at which a request of now may have been judged.
    pub fn levels(&self) -> [Level; 2] {
        [&self.levels[0], &self.levels[1]].map(|l| Level::ALL[usize::from(l.load(Ordering::Relaxed))])
    }

    /// Of the run.
    pub fn second(&self) -> usize {
        self.start.elapsed().as_secs() as usize
    }

    pub fn sent(&self) {
        if let Some(n) = self.sent.get(self.second()) {
            n.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// In how many of the last seconds `n` requests were sent.
    pub fn seconds_of(&self, n: u64) -> u64 {
        let mut left = n;
        let now = self.second().min(self.sent.len());
        let took = self.sent[..now].iter().rev().take_while(|s| {
            let had = left > 0;
            left = left.saturating_sub(u64::from(s.load(Ordering::Relaxed)));
            had
        });
        took.count() as u64
    }
}
