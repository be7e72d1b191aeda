//! Generated days in simulated time: where the ladder stands, minute by minute.

use super::*;

/// A Monday, 00:00 UTC.
const MONDAY: u64 = 1_790_553_600;
const HOUR: u64 = 3600;

/// What happens in one second.
#[derive(Clone, Copy)]
struct World {
    /// Distinct prefixes that ask.
    citizens: f64,
    attackers: f64,
    /// Share of answers that fail, and the latency in milliseconds, of an origin that is left alone.
    errors: f64,
    latency: f64,
    /// Requests a second that the origin can serve.
    capacity: f64,
}

/// Citizens of a day: few at night, most at ten.
fn citizens(now: u64) -> f64 {
    let hour = (now % 86_400) as f64 / 3600.0;
    60.0 + 50.0 * ((hour - 4.0) / 24.0 * std::f64::consts::TAU).sin()
}

fn quiet(now: u64) -> World {
    World { citizens: citizens(now), attackers: 0.0, errors: 0.001, latency: 40.0, capacity: 400.0 }
}

/// What boma lets through to the origin at a level, as its postures have it, and how that one fares.
fn sample(world: &World, level: Level) -> Sample {
    let attackers = match level {
        Level::Normal => world.attackers,
        Level::Guarded => world.attackers * 0.5,
        // One in twenty solves the challenge.
        _ => world.attackers * 0.05,
    };
    let asked = world.citizens + attackers;
    let served = asked.min(world.capacity);
    let lost = (asked - served) / asked.max(1.0);
    let errors = world.errors + lost;
    let latency: f64 = if lost > 0.0 { 3000.0 } else { world.latency };
    let issued = if level >= Level::Attack { world.attackers } else { 0.0 };
    Sample {
        arrived: world.citizens + world.attackers,
        answers: asked as u64,
        errors: (asked * errors) as u64,
        answered: asked,
        failed: asked * errors,
        latency: asked.floor() * (latency * 1e6).log2(),
        timed: asked as u64,
        busy: 0,
        issued,
        solved: issued * 0.05,
    }
}

/// The levels and when each began, in seconds after `from`.
fn run(
    climber: &mut Climber,
    climb: &Climb,
    from: u64,
    seconds: u64,
    world: impl Fn(u64) -> World,
) -> Vec<(u64, Level)> {
    let mut moves = vec![(0, climber.level())];
    for now in from..from + seconds {
        let sample = sample(&world(now), climber.level());
        if let Some(level) = climber.hear(sample, climb, true, now) {
            moves.push((now - from, level));
        }
    }
    // The table of all days: cargo nextest run climb --no-capture
    let told: Vec<String> = moves.iter().map(|(t, level)| format!("{}:{:02} {level}", t / 60, t % 60)).collect();
    println!("{} | {}", std::thread::current().name().unwrap_or_default(), told.join(" → "));
    moves
}

/// After two days of learning, at ten in the morning.
fn learned() -> (Climber, u64) {
    let mut climber = Climber::new(Level::Normal, Baseline::default(), MONDAY);
    let moves = run(&mut climber, &Climb::default(), MONDAY, 58 * HOUR, quiet);
    assert_eq!(moves, [(0, Level::Normal)], "usual days move nothing");
    (climber, MONDAY + 58 * HOUR)
}

fn levels(moves: &[(u64, Level)]) -> Vec<Level> {
    moves.iter().map(|(_, level)| *level).collect()
}

use Level::{Attack, Guarded, Normal};

#[test]
fn a_crowd_with_a_healthy_origin_is_no_attack() {
    let (mut climber, now) = learned();
    let crowd = |t| World { citizens: if t < now + HOUR { 3000.0 } else { citizens(t) }, capacity: 1e6, ..quiet(t) };
    let moves = run(&mut climber, &Climb::default(), now, 2 * HOUR, crowd);
    assert_eq!(levels(&moves), [Normal, Guarded, Normal], "{moves:?}");
    assert!(moves[2].0 >= HOUR + 300, "{moves:?}");
    assert!(climber.why().contains("quiet"), "{}", climber.why());
}

#[test]
fn a_flood_raises_step_by_step_and_its_end_lowers_step_by_step() {
    let (mut climber, now) = learned();
    let flood = |t| World { attackers: if t < now + 20 * 60 { 9000.0 } else { 0.0 }, ..quiet(t) };
    let moves = run(&mut climber, &Climb::default(), now, 2 * HOUR, flood);
    assert_eq!(levels(&moves), [Normal, Guarded, Attack, Guarded, Normal], "{moves:?}");
    assert!(moves[1].0 >= 10 && moves[1].0 <= 30 && moves[2].0 - moves[1].0 >= 10 && moves[2].0 <= 60, "{moves:?}");
    assert!(moves[3].0 >= 20 * 60 + 300 && moves[4].0 - moves[3].0 >= 300, "{moves:?}");
}

#[test]
fn a_flood_in_pulses_does_not_make_it_flap() {
    let (mut climber, now) = learned();
    // Three minutes on, six off, for two hours.
    let pulses =
        |t| World { attackers: if t < now + 2 * HOUR && (t - now) % 540 < 180 { 9000.0 } else { 0.0 }, ..quiet(t) };
    let moves = run(&mut climber, &Climb::default(), now, 5 * HOUR, pulses);
    let during = moves.iter().filter(|(t, _)| *t < 2 * HOUR).count();
    assert!(during <= 6, "it moved {during} times in two hours: {moves:?}");
    assert_eq!(moves.last().unwrap().1, Normal, "and comes down afterwards: {moves:?}");
}

#[test]
fn errors_without_volume_raise_too() {
    let (mut climber, now) = learned();
    let poison = |t| World { errors: ((t - now) as f64 / 1800.0).min(0.4), ..quiet(t) };
    let moves = run(&mut climber, &Climb::default(), now, HOUR, poison);
    assert_eq!(levels(&moves), [Normal, Guarded, Attack], "{moves:?}");
    assert!(climber.why().contains("the origin fails"), "{}", climber.why());
}

#[test]
fn a_slow_origin_raises_when_it_is_slow_for_itself() {
    let (mut climber, now) = learned();
    let slow = |t| World { latency: 900.0, ..quiet(t) };
    assert_eq!(levels(&run(&mut climber, &Climb::default(), now, 300, slow)), [Normal, Guarded, Attack]);
    assert!(climber.why().contains("takes 0.9 s"), "{}", climber.why());
    // One that always took so long is not.
    let mut usual = Climber::new(Normal, Baseline::default(), MONDAY);
    assert_eq!(
        levels(&run(&mut usual, &Climb::default(), MONDAY, 30 * HOUR, |t| World { latency: 900.0, ..quiet(t) })),
        [Normal]
    );
}

#[test]
fn a_start_in_the_middle_of_a_flood_listens_to_the_origin_alone() {
    let mut climber = Climber::new(Normal, Baseline::default(), MONDAY);
    let flood = |t| World { attackers: if t < MONDAY + HOUR { 9000.0 } else { 0.0 }, ..quiet(t) };
    let moves = run(&mut climber, &Climb::default(), MONDAY, 3 * HOUR, flood);
    assert_eq!(levels(&moves), [Normal, Guarded, Attack, Guarded, Normal], "{moves:?}");
    assert!(moves[3].0 > HOUR, "{moves:?}");
    // Where the origin copes, nothing is known that would raise it.
    let mut fine = Climber::new(Normal, Baseline::default(), MONDAY);
    let crowd = |t| World { citizens: 5000.0, capacity: 1e6, ..quiet(t) };
    assert_eq!(levels(&run(&mut fine, &Climb::default(), MONDAY, HOUR, crowd)), [Normal]);
}

#[test]
fn it_goes_no_higher_than_allowed_and_not_at_all_where_it_may_not() {
    let flood = |t| World { attackers: 9000.0, ..quiet(t) };
    let (mut climber, now) = learned();
    let guarded = Climb { max: Guarded, ..Climb::default() };
    assert_eq!(levels(&run(&mut climber, &guarded, now, HOUR, flood)), [Normal, Guarded]);
    let off = Climb { auto: false, ..Climb::default() };
    assert_eq!(levels(&run(&mut climber, &off, now + HOUR, 60, flood)), [Guarded, Normal], "and lets go at once");
    let (mut climber, now) = learned();
    let blip = |t: u64| if t < now + 5 { World { citizens: 3000.0, capacity: 1e6, ..quiet(t) } } else { quiet(t) };
    assert_eq!(levels(&run(&mut climber, &Climb::default(), now, 600, blip)), [Normal], "five seconds are no reason");
}

#[test]
fn one_who_finds_what_fails_is_one_of_many() {
    let (mut climber, now) = learned();
    for t in now..now + 600 {
        // Thirty requests a second of one address, all of them failing, beside a hundred citizens who are served.
        let sample = Sample { answers: 130, errors: 30, answered: 101.0, failed: 1.0, ..sample(&quiet(t), Normal) };
        assert_eq!(climber.hear(sample, &Climb::default(), true, t), None);
    }
}

#[test]
fn what_comes_while_somebody_has_pinned_a_posture_is_not_usual() {
    let mut climber = Climber::new(Normal, Baseline::default(), MONDAY);
    for t in MONDAY..MONDAY + 58 * HOUR {
        let flood = World { attackers: 9000.0, capacity: 1e6, ..quiet(t) };
        climber.hear(sample(&flood, Normal), &Climb::default(), false, t);
    }
    assert_eq!(climber.baseline, Baseline::default());
}

#[test]
fn after_a_hiccup_on_the_first_day_it_comes_down_though_as_many_come_as_before() {
    let mut climber = Climber::new(Normal, Baseline::default(), MONDAY);
    let busy =
        |t| World { citizens: 500.0, capacity: 1e6, errors: if t < MONDAY + 60 { 0.5 } else { 0.0 }, ..quiet(t) };
    let moves = run(&mut climber, &Climb::default(), MONDAY, 4 * HOUR, busy);
    assert_eq!(levels(&moves), [Normal, Guarded, Attack, Guarded, Normal], "{moves:?}");
}
