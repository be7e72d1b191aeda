//! How many requests an origin does well with at once, found by how long its answers take. Within what it can do more at
//! once makes nothing slower; beyond, they only wait at the origin. So the limit follows the ratio of an uncongested
//! latency to the present one, as Netflix's Gradient2 and Envoy's gradient controller do it, and grows by a root only
//! while it is really used.
//!
//! What is uncongested is the poison of such limits: measured while an origin is sick it teaches nothing, and measured by
//! stopping traffic it is an outage of its own. Here it is learnt of quiet times; and where there are none, the limit goes
//! down by a quarter for a moment, and by another while that makes answers faster. Where it does not, nobody was waiting
//! at the origin: what is seen then is uncongested, better or worse than what was believed.
//!
//! Latencies are compared within their kind (a route and what became of the request), as logarithms: pages that take a
//! second beside pictures that take a millisecond are no congestion.
//!
//! Does not know: clocks, who is inside, classes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::gate::Heard;
use crate::apart::Apart;
use crate::bounds;

/// Kinds that are told apart; more share.
pub const KINDS: usize = 64;
/// Logarithms are added up in this many parts of an octave.
const PARTS: f64 = 256.0;
/// Answers that a window needs for its full weight, a step down for its judgement; and how long one waits for them.
const ENOUGH: u32 = 20;
const ENOUGH_TO_JUDGE: u32 = 60;
const WINDOW_LONGEST: u64 = 1_000_000_000;
const STEP_LONGEST: u64 = 3_000_000_000;
/// Octaves that latency may lie above the uncongested one (a tenth more) besides what chance explains, in all (a third more), and
/// below which the limit grows fast. Of an origin whose answers take as long as each other a little more says much; of a moody one
/// nothing, and a limit that follows it would waste what it can do.
const TOLERATED: f64 = 0.15;
const TOLERATED_MOST: f64 = 0.46;
const WELL: f64 = 0.15;
/// How far a window moves the limit, and what it shows of the strain.
const MOVES: f64 = 0.4;
const SMOOTHS: f64 = 0.5;
/// How far a window moves what is known of chance; and from how many times that on it is not chance but something that happened.
const CHANCE: f64 = 0.05;
const CHANCE_MOST: f64 = 3.0;
const CHANCE_FIRST: f64 = 0.1;
/// How far a kind's uncongested latency follows what is faster, and what is slower in quiet times.
const FASTER: f64 = 0.05;
const SLOWER: f64 = 0.02;
/// Answers of a kind whose mean is taken as it is; of a window no more than [`ENOUGH`] count, for of the first one only those are
/// heard that were fast.
const LEARNT: u32 = 200;
/// A share of answers that say "too much" from which the limit goes down by so much, whatever the latency.
const PUSHED: f64 = 0.05;
const PUSHED_DOWN: f64 = 0.85;
/// Where an origin is slow while fewer are inside than this, that is not their number's doing.
const UNUSED_LEAST: f64 = 16.0;
/// Nanoseconds of full use after which a look is due, the step down, and the share of what a step could gain from which
/// it has helped.
const LOOK_EVERY: u64 = 15_000_000_000;
/// The same where the last look found what was believed, about the same limit: a look makes people wait.
const LOOK_CALM: u64 = 60_000_000_000;
const FOUND: f64 = 0.1;
const ABOUT: f64 = 1.5;
const STEP: f64 = 0.75;
const HELPED: f64 = 0.6;
const STEPS_MOST: u32 = 16;
/// Octaves below what was believed to be uncongested that no chance of so few answers explains.
const BELIEVED: f64 = -0.25;

/// What workers hear, added up without a lock.
#[derive(Debug, Default)]
pub struct Ear(Apart<Counts>);

#[derive(Debug)]
struct Counts {
    counts: [AtomicU32; KINDS],
    sums: [AtomicU64; KINDS],
    answers: AtomicU32,
    pushed: AtomicU32,
    failed: AtomicU32,
}

/// What was heard in a while.
#[derive(Clone, Debug)]
pub struct Window {
    /// By kind: answers, and the sum of the binary logarithms of their nanoseconds.
    pub kinds: [(u32, f64); KINDS],
    pub answers: u32,
    pub pushed: u32,
    pub failed: u32,
    /// The most that were inside at once.
    pub peak: u32,
    /// Nanoseconds.
    pub lasted: u64,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts {
            counts: std::array::from_fn(|_| AtomicU32::new(0)),
            sums: std::array::from_fn(|_| AtomicU64::new(0)),
            answers: AtomicU32::new(0),
            pushed: AtomicU32::new(0),
            failed: AtomicU32::new(0),
        }
    }
}

impl Ear {
    pub fn hear(&self, heard: Heard) {
        let mine = self.0.mine();
        mine.answers.fetch_add(1, Ordering::Relaxed);
        match heard {
            Heard::Answer { nanos: 0, .. } => {}
            Heard::Answer { kind, nanos } => {
                let kind = kind % KINDS;
                mine.sums[kind].fetch_add(((nanos as f64).log2() * PARTS) as u64, Ordering::Relaxed);
                mine.counts[kind].fetch_add(1, Ordering::Relaxed);
            }
            Heard::Pushed => drop(mine.pushed.fetch_add(1, Ordering::Relaxed)),
            Heard::Failed => drop(mine.failed.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub fn take(&self, peak: u32, lasted: u64) -> Window {
        let mut window = Window { peak, lasted, ..Window::default() };
        self.0.each().for_each(|counts| counts.pour(&mut window));
        window
    }
}

impl Counts {
    fn pour(&self, window: &mut Window) {
        let take = |n: &AtomicU32| n.swap(0, Ordering::Relaxed);
        for (i, (answers, sum)) in window.kinds.iter_mut().enumerate() {
            if self.counts[i].load(Ordering::Relaxed) > 0 {
                *answers += take(&self.counts[i]);
                *sum += self.sums[i].swap(0, Ordering::Relaxed) as f64 / PARTS;
            }
        }
        window.answers += take(&self.answers);
        window.pushed += take(&self.pushed);
        window.failed += take(&self.failed);
    }
}

impl Default for Window {
    fn default() -> Window {
        Window { kinds: [(0, 0.0); KINDS], answers: 0, pushed: 0, failed: 0, peak: 0, lasted: 0 }
    }
}

impl Window {
    pub fn timed(&self) -> u32 {
        self.kinds.iter().map(|(n, _)| n).sum()
    }

    pub fn add(&mut self, other: &Window) {
        for (sum, new) in self.kinds.iter_mut().zip(&other.kinds) {
            *sum = (sum.0 + new.0, sum.1 + new.1);
        }
        self.answers += other.answers;
        self.pushed += other.pushed;
        self.failed += other.failed;
        self.peak = self.peak.max(other.peak);
        self.lasted += other.lasted;
    }

    /// The mean latency, in nanoseconds.
    fn nanos(&self) -> f64 {
        let sum: f64 = self.kinds.iter().map(|(_, sum)| sum).sum();
        (sum / f64::from(self.timed().max(1))).exp2()
    }
}

/// What is kept of it over a restart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Learnt {
    limit: f64,
    /// Kind, logarithm, and answers that it was learnt from.
    bases: Vec<(usize, f64, u32)>,
}

/// The limit of one portal.
#[derive(Clone, Debug)]
pub struct Gradient {
    limit: f64,
    /// The binary logarithm of what each kind takes uncongested, and how many answers that was learnt from, up to
    /// [`LEARNT`].
    bases: [Option<(f64, u32)>; KINDS],
    window: Window,
    /// Octaves that answers take longer than uncongested, of late.
    strain: f64,
    /// Octaves by which a window differs from those of late, as a rule.
    chance: f64,
    /// Nanoseconds of full use since it was last known what is uncongested.
    full: u64,
    look: Option<Look>,
    /// The limit at which the last look found what was believed.
    sure: Option<f64>,
}

/// A look at what is uncongested, in steps down.
#[derive(Clone, Debug)]
struct Look {
    /// The limit in this step, and the one before it with its strain.
    limit: f64,
    before: (f64, f64),
    steps: u32,
    /// What the step before still brings is not judged.
    settles: u64,
}

impl Default for Gradient {
    fn default() -> Gradient {
        Gradient {
            limit: f64::from(bounds::LIMIT_FIRST),
            bases: [None; KINDS],
            window: Window::default(),
            strain: 0.0,
            chance: CHANCE_FIRST,
            full: 0,
            look: None,
            sure: None,
        }
    }
}

impl Gradient {
    /// The limit, after what was heard.
    pub fn hear(&mut self, heard: &Window) -> u32 {
        if let Some(look) = &mut self.look
            && look.settles > 0
        {
            look.settles = look.settles.saturating_sub(heard.lasted);
            return self.now();
        }
        self.window.add(heard);
        let (timed, lasted) = (self.window.timed(), self.window.lasted);
        let (enough, longest) = match self.look {
            Some(_) => (ENOUGH_TO_JUDGE, STEP_LONGEST),
            None => (ENOUGH, WINDOW_LONGEST),
        };
        if timed >= enough || lasted >= longest {
            let window = std::mem::take(&mut self.window);
            match self.look.take() {
                Some(look) => self.step(look, &window),
                None => self.fold(&window),
            }
        }
        self.now()
    }

    /// Octaves that answers take longer than uncongested, of late.
    pub fn strain(&self) -> f64 {
        self.strain
    }

    /// What is worth to be kept.
    pub fn save(&self) -> Learnt {
        let base = |(kind, base): (usize, &Option<(f64, u32)>)| base.map(|(log, seen)| (kind, log, seen));
        Learnt { limit: self.limit, bases: self.bases.iter().enumerate().filter_map(base).collect() }
    }

    pub fn load(&mut self, learnt: &Learnt) {
        let (least, most) = (f64::from(bounds::LIMIT_LEAST), f64::from(bounds::LIMIT_MOST));
        if learnt.limit.is_finite() {
            self.limit = learnt.limit.clamp(least, most);
        }
        // Two to the sixtieth nanoseconds are decades.
        for (kind, log, seen) in learnt.bases.iter().filter(|(_, log, _)| (0.0..60.0).contains(log)) {
            if let Some(base) = self.bases.get_mut(*kind) {
                *base = Some((*log, (*seen).min(LEARNT)));
            }
        }
    }

    pub fn now(&self) -> u32 {
        let limit = self.look.as_ref().map_or(self.limit, |look| look.limit);
        (limit.round() as u32).clamp(bounds::LIMIT_LEAST, bounds::LIMIT_MOST)
    }

    /// Octaves above what is uncongested; `None` where nothing is known to compare with.
    fn strain_of(&self, window: &Window) -> Option<f64> {
        let known = window.kinds.iter().zip(&self.bases).filter_map(|((n, sum), base)| Some((*n, sum, (*base)?.0)));
        let (count, over) =
            known.fold((0, 0.0), |(count, over), (n, sum, base)| (count + n, over + sum - base * f64::from(n)));
        (count > 0).then(|| over / f64::from(count))
    }

    fn fold(&mut self, window: &Window) {
        let timed = window.timed();
        let weight = (f64::from(timed) / f64::from(ENOUGH)).min(1.0);
        if let Some(strain) = self.strain_of(window) {
            let off = (strain - self.strain).abs().min(self.chance * CHANCE_MOST);
            self.chance += (off - self.chance) * CHANCE * weight;
            self.strain += (strain - self.strain) * SMOOTHS * weight;
        }
        let tolerated = (TOLERATED + self.chance).min(TOLERATED_MOST);
        let limit = f64::from(self.now());
        let quiet = f64::from(window.peak) < limit / 2.0;
        self.learn(window, quiet);
        if window.answers >= 10 && f64::from(window.pushed) > PUSHED * f64::from(window.answers) {
            self.limit = (self.limit * PUSHED_DOWN).max(f64::from(bounds::LIMIT_LEAST));
            return;
        }
        if f64::from(window.peak) < limit * 0.9 {
            // It is not the limit that holds them back; but where fewer are too many already, it comes down to these.
            if self.strain > tolerated && timed > 0 {
                let few = f64::from(window.peak).max(UNUSED_LEAST);
                self.limit = self.limit.min(few);
            } else if quiet && timed > 0 {
                self.full = 0;
            }
            return;
        }
        let root = self.limit.sqrt();
        let head = if self.strain < WELL { root } else { (root / 4.0).max(0.5) };
        let wanted = self.limit * (tolerated - self.strain).exp2().clamp(0.5, 1.0) + head;
        self.limit += (wanted - self.limit) * MOVES * weight;
        self.limit = self.limit.clamp(f64::from(bounds::LIMIT_LEAST), f64::from(bounds::LIMIT_MOST));
        self.full += window.lasted;
        let every = if self.is_sure() { LOOK_CALM } else { LOOK_EVERY };
        if self.full >= every && timed > 0 {
            self.full = 0;
            self.look = self.next_step(f64::from(self.now()), self.strain, 0, window);
        }
    }

    /// Whether the last look found what was believed, and the limit is about what it was.
    fn is_sure(&self) -> bool {
        self.sure.is_some_and(|at| (at / ABOUT..=at * ABOUT).contains(&self.limit))
    }

    fn learn(&mut self, window: &Window, quiet: bool) {
        // What a kind takes that is seen for the first time in a crowd is the crowd's doing as far as it is that of others.
        let known: u32 = self.bases.iter().flatten().map(|(_, seen)| seen).sum();
        let crowd = if known < LEARNT { 0.0 } else { self.strain_of(window).unwrap_or(0.0).max(0.0) };
        for ((n, sum), base) in window.kinds.iter().zip(&mut self.bases).filter(|((n, _), _)| *n > 0) {
            let mean = sum / f64::from(*n);
            let (old, seen) = base.unwrap_or((mean - crowd, 0));
            let counts = (*n).min(ENOUGH);
            let share = f64::from(counts) / f64::from(ENOUGH);
            let (mean, weight) = match seen {
                LEARNT.. if mean < old => (mean, FASTER * share),
                LEARNT.. if quiet => (mean, SLOWER * share),
                LEARNT.. => (mean, 0.0),
                _ => (mean - crowd, f64::from(counts) / f64::from(seen + counts)),
            };
            *base = Some((old + (mean - old) * weight, (seen + counts).min(LEARNT)));
        }
    }

    /// A quarter down, where there is anything to go down to.
    fn next_step(&self, from: f64, strain: f64, steps: u32, window: &Window) -> Option<Look> {
        let limit = (from * STEP).floor();
        (limit >= 2.0 && steps < STEPS_MOST).then(|| Look {
            limit,
            before: (from, strain),
            steps: steps + 1,
            settles: ((window.nanos() * 1.5) as u64).min(STEP_LONGEST),
        })
    }

    /// Judges a step down.
    fn step(&mut self, look: Look, window: &Window) {
        let Some(strain) = self.strain_of(window).filter(|_| window.timed() >= ENOUGH / 2) else { return };
        let (from, before) = look.before;
        let could = (from / look.limit).log2();
        // What the last look found, and this one too: who goes further down only makes people wait.
        let known = self.is_sure() && strain.abs() < FOUND;
        if !known
            && before - strain >= HELPED * could
            && let Some(next) = self.next_step(look.limit, strain, look.steps, window)
        {
            self.look = Some(next);
            return;
        }
        // Nobody waited at the origin in this step, so this is uncongested; believed at once where it is better.
        let shift = if strain < BELIEVED { strain } else { strain / 2.0 };
        self.bases.iter_mut().flatten().for_each(|(base, _)| *base += shift);
        self.sure = (shift.abs() < FOUND).then_some(self.limit);
        self.limit = self.limit.min(look.limit / STEP.powf(1.5));
        self.strain = strain - shift;
    }
}
