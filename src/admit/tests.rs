//! A whole gate before a simulated origin: so many processes, each at one request, and a queue before them. No time
//! passes: one event after the other says when it is.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::gradient::{Gradient, Window};
use super::inside::Marks;
use super::{Gate, Heard, Inside};
use crate::bounds;
use crate::clock::{Now, SECOND};
use crate::portal::Class;

const MS: u64 = 1_000_000;
const CLASSES: usize = 4;

/// How long an origin's work on one request takes.
#[derive(Clone, Copy)]
enum Work {
    /// So many milliseconds, a fifth more or less.
    Even(f64),
    /// With as much chance as an exponential distribution has: the worst to learn from.
    Exponential(f64),
    /// A part of the requests is of another kind, that takes so many times as long.
    Mixed(f64, f64),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Beat,
    Arrives(usize),
    Tires(usize),
    Done(usize),
}

#[derive(Clone, Copy)]
struct Request {
    class: usize,
    kind: usize,
    came: u64,
    started: u64,
}

/// What became of the requests of one class.
#[derive(Clone, Default)]
struct Outcome {
    asked: u32,
    served: u32,
    /// Nanoseconds from asking, and from being let in, to the answer.
    took: Vec<u64>,
    origin: Vec<u64>,
}

struct World {
    gate: Gate,
    now: u64,
    processes: usize,
    work: Work,
    busy: usize,
    queue: VecDeque<usize>,
    /// Requests a second of each class.
    rates: [f64; CLASSES],
    lines: [VecDeque<usize>; CLASSES],
    requests: Vec<Request>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    count: u64,
    random: u64,
    outcomes: [Outcome; CLASSES],
    deepest: usize,
    /// The limit at each beat.
    limits: Vec<u32>,
}

impl World {
    fn new(processes: usize, work: Work) -> World {
        let gate = Gate::new(Arc::new(Inside::default()), None);
        let mut world = World {
            gate,
            now: SECOND,
            processes,
            work,
            busy: 0,
            queue: VecDeque::new(),
            rates: [0.0; CLASSES],
            lines: Default::default(),
            requests: Vec::new(),
            events: BinaryHeap::new(),
            count: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            outcomes: Default::default(),
            deepest: 0,
            limits: Vec::new(),
        };
        world.after(0, Event::Beat);
        world
    }

    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }

    fn after(&mut self, nanos: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((self.now + nanos, self.count, event)));
    }

    /// So many requests a second from now on.
    fn ask(&mut self, class: Class, rate: f64) {
        let class = class as usize;
        let was = std::mem::replace(&mut self.rates[class], rate);
        if was == 0.0 {
            self.next_arrival(class);
        }
    }

    fn next_arrival(&mut self, class: usize) {
        if self.rates[class] > 0.0 {
            let wait = -(1.0 - self.chance()).ln() / self.rates[class];
            self.after((wait * SECOND as f64) as u64, Event::Arrives(class));
        }
    }

    /// What becomes of the requests within this time.
    fn run(&mut self, seconds: u64) -> [Outcome; CLASSES] {
        (self.outcomes, self.deepest, self.limits) = (Default::default(), 0, Vec::new());
        let end = self.now + seconds * SECOND;
        while let Some(Reverse((at, _, event))) = self.events.peek().copied().filter(|Reverse((at, ..))| *at < end) {
            self.events.pop();
            self.now = at;
            self.happens(event);
        }
        self.now = end;
        self.outcomes.clone()
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Beat => {
                self.gate.beat(Now { mono: self.now, wall: self.now });
                self.limits.push(self.gate.limit());
                self.after(bounds::SWEEP.as_nanos() as u64, Event::Beat);
                self.let_in();
            }
            Event::Arrives(class) => self.arrives(class),
            Event::Tires(id) => {
                let class = self.requests[id].class;
                if let Some(at) = self.lines[class].iter().position(|w| *w == id) {
                    self.lines[class].remove(at);
                    self.gate.inside.goes(Class::ALL[class], Marks::default());
                }
            }
            Event::Done(id) => self.done(id),
        }
    }

    fn arrives(&mut self, class: usize) {
        self.next_arrival(class);
        let kind = match self.work {
            Work::Mixed(share, _) => usize::from(self.chance() < share),
            _ => 0,
        };
        let id = self.requests.len();
        self.requests.push(Request { class, kind, came: self.now, started: 0 });
        self.outcomes[class].asked += 1;
        let name = Class::ALL[class];
        if self.lines[class].is_empty() && self.gate.take(name) {
            return self.start(id);
        }
        self.gate.inside.joins(name, Marks::default());
        self.lines[class].push_back(id);
        let patience = self.gate.patience(name);
        self.after(patience.as_nanos() as u64, Event::Tires(id));
        while self.gate.load(name).waiting > self.gate.waiting_most(name) && self.lines[class].pop_back().is_some() {
            self.gate.inside.goes(name, Marks::default());
        }
        self.let_in();
    }

    fn let_in(&mut self) {
        while let Some(class) = (0..CLASSES).find(|c| !self.lines[*c].is_empty() && self.gate.take(Class::ALL[*c])) {
            self.gate.inside.goes(Class::ALL[class], Marks::default());
            if let Some(id) = self.lines[class].pop_front() {
                self.start(id);
            }
        }
    }

    fn start(&mut self, id: usize) {
        self.requests[id].started = self.now;
        self.queue.push_back(id);
        self.serve();
    }

    /// Processes that are free take what waits at the origin.
    fn serve(&mut self) {
        while self.busy < self.processes
            && let Some(id) = self.queue.pop_front()
        {
            self.busy += 1;
            let kind = self.requests[id].kind;
            let chance = self.chance();
            let takes = match self.work {
                Work::Even(ms) => ms * (0.8 + 0.4 * chance),
                Work::Exponential(ms) => -(1.0 - chance).ln() * ms,
                Work::Mixed(..) if kind == 0 => 10.0 * (0.8 + 0.4 * chance),
                Work::Mixed(_, times) => 10.0 * times * (0.8 + 0.4 * chance),
            };
            self.after((takes * MS as f64) as u64, Event::Done(id));
        }
        self.deepest = self.deepest.max(self.queue.len());
    }

    fn done(&mut self, id: usize) {
        self.busy -= 1;
        let Request { class, kind, came, started } = self.requests[id];
        let outcome = &mut self.outcomes[class];
        outcome.served += 1;
        outcome.took.push(self.now - came);
        outcome.origin.push(self.now - started);
        self.gate.hear(Heard::Answer { kind, nanos: self.now - started });
        self.gate.inside.give_back(Class::ALL[class]);
        self.serve();
        self.let_in();
    }

    fn mean_limit(&self) -> f64 {
        self.limits.iter().map(|l| f64::from(*l)).sum::<f64>() / self.limits.len() as f64
    }
}

fn p99(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    times[times.len() * 99 / 100] as f64 / MS as f64
}

fn served(outcomes: &[Outcome]) -> f64 {
    outcomes.iter().map(|o| f64::from(o.served)).sum()
}

const FILING: usize = Class::Filing as usize;
const INFORMATION: usize = Class::Information as usize;

/// A flood of information at ten times what the origin can do, and filing at a fifth of that: what comes of it.
fn flood(work: Work, ms: f64, quiet: bool, seed: u64) {
    let capacity = 10.0 * 1000.0 / ms;
    let mut world = World::new(10, work);
    world.random ^= seed << 17;
    world.ask(Class::Filing, capacity * 0.2);
    world.ask(Class::Information, capacity * 0.3);
    let unloaded = if quiet { p99(world.run(60)[FILING].took.clone()) } else { f64::NAN };
    world.ask(Class::Information, capacity * 10.0);
    if !quiet {
        world.run(30);
    }
    let came = world.run(240);
    let filing = f64::from(came[FILING].served) / f64::from(came[FILING].asked);
    let goodput = served(&came) / 240.0 / capacity;
    let tail = |o: &Outcome| (p99(o.took.clone()), p99(o.origin.clone()));
    let (of_filing, of_information) = (tail(&came[FILING]), tail(&came[INFORMATION]));
    assert!(filing >= 0.95, "{filing} of filing was served");
    assert!(goodput >= 0.95, "{goodput} of what the origin can do");
    if quiet {
        assert!(of_filing.0 <= 2.0 * unloaded, "{of_filing:?} of {unloaded}");
        // Those of the flood that come in wait at the gate besides, for as long as an answer takes.
        assert!(of_information.1 <= 2.0 * unloaded, "{of_information:?} of {unloaded}");
        assert!(of_information.0 <= 2.0 * unloaded + 100.0, "{of_information:?} of {unloaded}");
    }
}

#[test]
fn filing_is_served_beside_a_flood_of_information() {
    (1..5).for_each(|seed| flood(Work::Even(50.0), 50.0, true, seed));
}

#[test]
fn also_where_the_origin_is_as_moody_as_can_be() {
    (1..5).for_each(|seed| flood(Work::Exponential(50.0), 50.0, true, seed));
}

#[test]
fn also_where_boma_starts_in_the_middle_of_it() {
    (1..5).for_each(|seed| flood(Work::Even(50.0), 50.0, false, seed));
}

#[test]
fn also_where_it_begins_with_the_answers_that_came_first() {
    // Of a hundred at once those are heard first that were fast, and what is believed of the others is too little.
    for seed in 1..5 {
        let mut world = World::new(100, Work::Exponential(50.0));
        world.random ^= seed << 17;
        world.ask(Class::Information, 20_000.0);
        let came = served(&world.run(30)) / 30.0 / 2000.0;
        assert!(came >= 0.9, "{came} of what the origin can do");
    }
}

#[test]
fn pages_that_take_long_beside_others_are_no_congestion() {
    // One in ten takes thirty times as long: 39 ms on average.
    (1..5).for_each(|seed| flood(Work::Mixed(0.1, 30.0), 39.0, true, seed));
}

#[test]
fn it_finds_the_knee_from_below_and_from_above_and_follows_it() {
    let mut world = World::new(300, Work::Even(50.0));
    world.ask(Class::Information, 20_000.0);
    world.run(30);
    let came = world.run(30);
    assert!(served(&came) >= 0.95 * 30.0 * 6000.0);
    assert!((285.0..=450.0).contains(&world.mean_limit()), "{}", world.mean_limit());
    for (processes, rate) in [(40, 800.0), (160, 3200.0), (10, 200.0)] {
        world.processes = processes;
        world.run(60);
        let came = world.run(60);
        let (limit, knee) = (world.mean_limit(), processes as f64);
        assert!(served(&came) >= 0.95 * 60.0 * rate, "{} of {rate}", served(&came) / 60.0);
        assert!((0.9 * knee..=1.6 * knee + 4.0).contains(&limit), "{limit} at {processes}");
    }
}

#[test]
fn it_does_not_grow_while_nobody_needs_it() {
    let mut world = World::new(1000, Work::Even(50.0));
    world.ask(Class::Information, 300.0);
    world.run(600);
    assert!(world.limits.iter().all(|l| *l == bounds::LIMIT_FIRST), "{:?}", world.limits.last());
}

#[test]
fn an_origin_that_became_slower_for_good_keeps_being_used() {
    let mut world = World::new(20, Work::Even(20.0));
    world.ask(Class::Information, 400.0);
    world.run(120);
    // Each answer takes four times as long, with nobody waiting there.
    world.work = Work::Even(80.0);
    world.ask(Class::Information, 5000.0);
    world.run(120);
    let came = world.run(120);
    assert!(served(&came) >= 0.93 * 120.0 * 250.0, "{}", served(&came) / 120.0);
    assert!(world.mean_limit() <= 40.0, "{}", world.mean_limit());
}

#[test]
fn what_is_first_seen_in_a_crowd_is_not_believed_to_be_uncongested() {
    let mut gradient = Gradient::default();
    let mut hear = |kinds: &[(usize, f64)], peak| {
        let mut window = Window { peak, lasted: SECOND / 5, ..Window::default() };
        for (kind, ms) in kinds {
            window.kinds[*kind] = (20, 20.0 * (ms * MS as f64).log2());
            window.answers += 20;
        }
        gradient.hear(&window);
        gradient.strain()
    };
    let strain = (0..20).map(|_| hear(&[(0, 100.0)], 5)).last().unwrap();
    assert!(strain.abs() < 0.1, "{strain}");
    // Twice as long as uncongested, and pages that nobody has asked for before.
    let strain = (0..20).map(|_| hear(&[(0, 200.0), (1, 400.0), (2, 60.0)], 100)).last().unwrap();
    assert!((0.9..=1.1).contains(&strain), "{strain}");
    let strain = (0..20).map(|_| hear(&[(1, 200.0), (2, 30.0)], 5)).last().unwrap();
    assert!(strain.abs() < 0.1, "{strain}");
}

#[test]
fn what_was_learnt_is_kept_over_a_restart() {
    let mut world = World::new(10, Work::Even(50.0));
    world.ask(Class::Information, 2000.0);
    world.run(60);
    let (before, after) = (super::Counters::default(), super::Counters::default());
    before.of("p").learn(&world.gate.inside.learnt());
    after.of("p");
    after.load(&before.save());
    let gate = Gate::new(after.of("p"), None);
    assert_eq!(gate.limit(), world.gate.limit());
    after.load(b"{\"p\": {\"limit\": 1e300, \"bases\": [[70, 1.0, 3], [1, 1e9, 3]]}}");
    assert_eq!(gate.limit(), bounds::LIMIT_FIRST.max(bounds::LIMIT_MOST));
    after.load(b"odd");
}

#[test]
fn an_origin_that_says_too_much_is_asked_less() {
    let gate = Gate::new(Arc::new(Inside::default()), None);
    let mut now = SECOND;
    for _ in 0..50 {
        (0..20).for_each(|n| gate.hear(if n % 4 == 0 { Heard::Pushed } else { Heard::Answer { kind: 0, nanos: MS } }));
        now += SECOND / 5;
        gate.beat(Now { mono: now, wall: now });
    }
    assert_eq!(gate.limit(), bounds::LIMIT_LEAST);
}

#[test]
fn every_class_comes_in_where_all_of_them_flood() {
    let mut world = World::new(20, Work::Even(50.0));
    Class::ALL.iter().for_each(|class| world.ask(*class, 1000.0));
    world.run(60);
    let came = world.run(60);
    let shares: Vec<f64> = came.iter().map(|o| f64::from(o.served) / served(&came)).collect();
    assert!(shares.windows(2).all(|pair| pair[0] > pair[1]), "{shares:?}");
    assert!(shares[3] > 0.05, "{shares:?}");
}
