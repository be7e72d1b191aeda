//! One run: an origin, a boma before it, citizens alone for a while, then the flood.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

use crate::attacker::{self, Attack, SOLVING_BOTS, Variant};
use crate::checks;
use crate::common::cpu;
use crate::control::{Control, Level, Phase};
use crate::house::{House, Shield};
use crate::origin::{Counts, KINDS, Origin};
use crate::people::{BOT_AGENT, BOTS, BROWSERS, SOLVER};
use crate::probe::{self, Can};
use crate::solver::Solver;
use crate::tally::Tally;
use crate::{Options, citizen};

/// The last part of the time before the flood, over which boma's work for citizens alone is taken.
const BEFORE: Duration = Duration::from_secs(10);
/// The part of what it served before that is full service again.
const AGAIN: f64 = 0.95;
const LOOK: Duration = Duration::from_millis(250);
/// After the flood's end, until the memory that is left is looked at.
const AFTER: Duration = Duration::from_secs(10);
/// Solutions that are worked out beforehand at most for those who are no bots of the variant `bots`.
const READY: u32 = 8_000;
const THREADS: [&str; 4] = ["flood-attack", "flood-citizens", "flood-origin", "flood-solver"];

#[derive(Clone)]
pub struct Plan {
    pub name: String,
    /// `None`: the ladder climbs by itself.
    pub posture: Option<Level>,
    pub rate: f64,
    pub shield: Shield,
}

#[derive(Default)]
pub struct Outcome {
    pub name: String,
    pub seconds: f64,
    pub asked: f64,
    pub tally: Tally,
    pub attack: Attack,
    /// Forms by their numbers, and how often the origin got each.
    pub received: std::collections::HashMap<u64, u32>,
    /// Asked, served and refused at the origin in the flood, by [`crate::origin::SENDERS`].
    pub origin: [[u64; 3]; KINDS],
    /// Of these what was of the class `filing`.
    pub filing: [[u64; 3]; KINDS],
    /// What the origin can do by itself, and how long a page takes by way of boma where nobody else comes: median and 99 %.
    pub can: Can,
    pub alone: [Option<u32>; 2],
    /// How many waited at the origin, as it was looked at, and at the most.
    pub waited: Vec<(f64, u64)>,
    pub deepest: u64,
    /// Seconds of the flood in which the origin was dead, and for each time how many until it was in full service again.
    pub dead: f64,
    pub back: Vec<Option<f64>>,
    /// Microseconds of boma in the flood, and for citizens alone in a second before.
    pub boma_cpu: u64,
    pub boma_before: f64,
    /// KiB: before the flood, the most in it, and ten seconds after.
    pub rss: [u64; 3],
    /// Of the generator's threads, the part of a core that each used in the flood.
    pub threads: BTreeMap<String, f64>,
    /// Of all cores: busy, and taken away by the machine's host.
    pub busy: f64,
    pub stolen: f64,
    /// Cores that neither boma nor this bench used.
    pub others: f64,
    /// Seconds into the flood, and where the posture moved.
    pub moves: Vec<(f64, Level, String)>,
    /// The second of the run in which the flood began, and from then on how much the origin had served.
    pub began: usize,
    pub served: Vec<(f64, u64)>,
    pub prepared: (u32, f64),
    pub solved_live: u64,
    pub checks: Vec<(String, serde_json::Value)>,
}

/// The house and the generator's threads' clocks at one moment.
struct Mark {
    at: Instant,
    boma: u64,
    own: u64,
    threads: BTreeMap<String, u64>,
    machine: [u64; 3],
    origin: [[u64; 3]; KINDS],
    filing: [[u64; 3]; KINDS],
}

impl Mark {
    fn take(house: &House, origin: &Origin) -> Mark {
        Mark {
            at: Instant::now(),
            boma: house.running.cpu(),
            own: cpu("/proc/self/stat"),
            threads: threads(),
            machine: machine(),
            origin: origin.ledger.senders.each_ref().map(Counts::now),
            filing: origin.ledger.filing.each_ref().map(Counts::now),
        }
    }
}

/// CPU time of this process's threads by name, in microseconds.
fn threads() -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let used = cpu(&task.path().join("stat").to_string_lossy());
        *all.entry(name.trim().to_owned()).or_default() += used;
    }
    all
}

/// Of the machine's time since it started, in ticks: all, idle, stolen.
fn machine() -> [u64; 3] {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or("");
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    let at = |i: usize| ticks.get(i).copied().unwrap_or(0);
    [ticks.iter().sum(), at(3) + at(4), at(7)]
}

pub fn run(plan: &Plan, options: &Options) -> Outcome {
    let folder = Folder::new();
    let origin = Origin::start(options.capacity, options.queue);
    let can = probe::can(origin.port);
    let log = options.log.as_ref().map_or("stdout".into(), |path| path.to_string_lossy());
    let house = match plan.shield {
        Shield::Nginx | Shield::Haproxy => House::peer(plan.shield, &folder.0, origin.port),
        Shield::Boma if options.demo => House::demo(origin.port),
        Shield::Boma => House::start(&folder.0, origin.port, &options.rules_text(), (&options.portal_text(), &log)),
    };
    let solver = Arc::new(Solver::start());
    let seconds = options.seconds();
    let longest = Duration::from_secs(seconds + options.warm + options.age * 60 + 600);
    let control = Arc::new(Control::new(longest));
    let alone = probe::alone(house.port);
    let mut outcome = Outcome { name: plan.name.clone(), asked: plan.rate, can, alone, ..Outcome::default() };
    let start = Instant::now();
    let wanted = wanted(plan, options);
    let agents: &[&str] = match options.variant {
        Variant::Bots => &[BOT_AGENT],
        _ => &BROWSERS,
    };
    solver.prepare(house.port, wanted, agents, &control);
    outcome.prepared = (wanted, start.elapsed().as_secs_f64());

    let minted = Arc::new(AtomicU32::new(0));
    let attack = (plan.rate > 0.0).then(|| {
        let (control, solver, minted) = (control.clone(), solver.clone(), minted.clone());
        let setup = attacker::Setup { control, solver, port: house.port, rate: plan.rate, variant: options.variant };
        Builder::new().name("flood-attack".into()).spawn(move || attacker::attack(setup, &minted)).unwrap()
    });
    while options.variant == Variant::Bots && minted.load(Ordering::Relaxed) < SOLVING_BOTS {
        sleep(LOOK);
    }
    let setup =
        citizen::Setup { control: control.clone(), solver: solver.clone(), port: house.port, rate: options.citizens };
    let citizens = Builder::new().name("flood-citizens".into()).spawn(move || citizen::live(setup)).unwrap();
    sleep(Duration::from_secs(options.warm + options.age * 60).saturating_sub(BEFORE));
    let alone = Mark::take(&house, &origin);
    sleep(BEFORE.min(Duration::from_secs(options.warm)));

    flood(plan, options, (&house, &origin, &control), &alone, &mut outcome);

    while !citizens.is_finished() {
        outcome.rss[1] = outcome.rss[1].max(house.running.rss());
        sleep(LOOK);
    }
    outcome.tally = citizens.join().unwrap();
    control.enter(Phase::Over);
    outcome.attack = attack.map(|a| a.join().unwrap()).unwrap_or_default();
    sleep(AFTER);
    outcome.rss[2] = house.running.rss();
    outcome.received = origin.ledger.forms.lock().unwrap().clone();
    outcome.solved_live = solver.live.load(Ordering::Relaxed);
    outcome
}

/// From the first attacking request to the last that counts.
fn flood(
    plan: &Plan,
    options: &Options,
    (house, origin, control): (&House, &Origin, &Control),
    alone: &Mark,
    outcome: &mut Outcome,
) {
    outcome.rss = [house.running.rss(); 3];
    if let Some(level) = plan.posture.filter(|_| plan.shield == Shield::Boma) {
        house.pin(level);
        // Twice: no request of now was judged at another.
        control.stands(level);
        control.stands(level);
    }
    let began = Mark::take(house, origin);
    outcome.boma_before = (began.boma - alone.boma) as f64 / (began.at - alone.at).as_secs_f64();
    origin.ledger.deepest.store(0, Ordering::Relaxed);
    control.enter(Phase::Flood);
    outcome.began = control.second();
    let long = Duration::from_secs(options.seconds());
    let mut stood = None;
    let mut bots = (options.variant == Variant::Bots).then_some(long / 2);
    while began.at.elapsed() < long {
        sleep(LOOK.min(long.saturating_sub(began.at.elapsed())));
        outcome.rss[1] = outcome.rss[1].max(house.running.rss());
        let at = began.at.elapsed().as_secs();
        origin.down.store(options.dies.iter().any(|dead| dead.contains(&at)), Ordering::Relaxed);
        let served = origin.ledger.senders.iter().map(|s| s.now()[1]).sum();
        let now = began.at.elapsed().as_secs_f64();
        outcome.served.push((now, served));
        outcome.waited.push((now, origin.ledger.waiting.load(Ordering::Relaxed)));
        if let Some((level, why)) = house.stands() {
            control.stands(level);
            if stood != Some(level) {
                outcome.moves.push((began.at.elapsed().as_secs_f64(), level, why));
                stood = Some(level);
            }
        }
        if bots.is_some_and(|at| began.at.elapsed() >= at) {
            bots = None;
            outcome.checks.extend(checks::lay_measure(house));
        }
    }
    origin.down.store(false, Ordering::Relaxed);
    let ended = Mark::take(house, origin);
    control.enter(Phase::Ending);
    if options.variant == Variant::Bots {
        outcome.checks.extend(checks::stays(house));
    }
    if options.preview_after.is_some() {
        outcome.checks.extend(checks::look_back(house, control));
    }
    outcome.seconds = (ended.at - began.at).as_secs_f64();
    outcome.boma_cpu = ended.boma - began.boma;
    let micros = outcome.seconds * 1e6;
    let used = |(name, used): (&String, &u64)| {
        let before = began.threads.get(name).copied().unwrap_or(0);
        (name.clone(), used.saturating_sub(before) as f64 / micros)
    };
    outcome.threads = ended.threads.iter().map(used).filter(|(name, _)| THREADS.contains(&name.as_str())).collect();
    let [all, idle, stolen] = std::array::from_fn(|i| (ended.machine[i] - began.machine[i]) as f64);
    (outcome.busy, outcome.stolen) = (1.0 - idle / all, stolen / all);
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let ours = (outcome.boma_cpu + ended.own - began.own) as f64 / micros;
    outcome.others = ((outcome.busy - outcome.stolen) * cores - ours).max(0.0);
    let between = |now: [[u64; 3]; KINDS], then: [[u64; 3]; KINDS]| {
        std::array::from_fn(|k| std::array::from_fn(|i| now[k][i] - then[k][i]))
    };
    outcome.origin = between(ended.origin, began.origin);
    outcome.filing = between(ended.filing, began.filing);
    outcome.deepest = origin.ledger.deepest.load(Ordering::Relaxed);
    let dead = options.dies.iter().map(|dead| (dead.end as f64).min(outcome.seconds) - dead.start as f64);
    outcome.dead = dead.map(|seconds| seconds.max(0.0)).sum();
    outcome.back = options.dies.iter().map(|dead| back(&outcome.served, dead)).collect();
}

/// Seconds from the end of a time in which the origin was dead until it served as much again, in two seconds, as in the ten before;
/// `None` where it did not within the flood.
fn back(served: &[(f64, u64)], dead: &Range<u64>) -> Option<f64> {
    const WINDOW: f64 = 2.0;
    const BEFORE: f64 = 10.0;
    let (from, to) = (dead.start as f64, dead.end as f64);
    let by = |at: f64| served.iter().take_while(|(now, _)| *now <= at).last().copied().unwrap_or((0.0, 0));
    let rate = |from: f64, to: f64| {
        let ((from, first), (to, last)) = (by(from), by(to));
        (last - first.min(last)) as f64 / (to - from).max(0.001)
    };
    let before = rate((from - BEFORE).max(0.0), from);
    let whole = |at: &f64| rate(at - WINDOW, *at) >= AGAIN * before;
    served.iter().map(|(at, _)| *at).filter(|at| *at >= to + WINDOW).find(whole).map(|at| at - to)
}

/// How many solutions will be asked for.
fn wanted(plan: &Plan, options: &Options) -> u32 {
    if options.variant == Variant::Bots {
        return SOLVING_BOTS;
    }
    let visits = (options.citizens / citizen::REQUESTS_PER_VISIT * (options.seconds() + options.warm) as f64) as u32;
    let bots = if plan.rate > 0.0 { BOTS / SOLVER } else { 0 };
    match plan.posture {
        Some(Level::Attack) | None => (visits + bots).min(READY),
        Some(Level::Guarded) => (visits / 2 + bots / 4).min(READY),
        _ => 0,
    }
}

/// Gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("boma-flood-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the bench");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
