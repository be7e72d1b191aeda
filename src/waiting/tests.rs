use super::*;
use crate::bounds;

/// The beginning of a minute.
const START: u64 = 1_790_000_040 / 60 * 60;

fn holder(id: u128) -> Holder {
    Holder { id, crowd: None, free: false, reads: false }
}

fn asks(id: u128) -> Asked {
    Asked { holder: holder(id), with: None, enters: true, stays: true, by_rule: false }
}

fn looks(id: u128) -> Asked {
    Asked { enters: false, ..asks(id) }
}

fn space(per_second: f32) -> Space {
    Space { free: 0, queued: 0, queued_most: 100, per_second, sustained: 0.0 }
}

/// There is no room behind the gate, and none before it.
fn shut() -> Space {
    Space { queued: 100, ..space(1.0) }
}

fn all(ids: std::ops::RangeInclusive<u128>, mut ask: impl FnMut(u128) -> Turn) {
    ids.for_each(|id| assert_ne!(ask(id), Turn::Full, "{id}"));
}

fn waits(turn: Turn) -> Waits {
    match turn {
        Turn::Waits(waits) => waits,
        other => panic!("{other:?} in the place of a place"),
    }
}

/// A citizen of the simulation, with what their browser holds.
#[derive(Clone, Copy)]
struct Citizen {
    id: u128,
    arrives: u64,
    polls: u64,
    cookie: Option<Came>,
    let_in: Option<u64>,
}

impl Citizen {
    fn asked(&self, enters: bool) -> Asked {
        Asked { holder: holder(self.id), with: self.cookie, enters, stays: true, by_rule: false }
    }

    /// Comes, or asks in the background and goes on when called, as the page's script does.
    fn lives(&mut self, room: &Room, now: u64) {
        let due = now >= self.arrives && (now - self.arrives).is_multiple_of(self.polls);
        if self.let_in.is_some() || !due {
            return;
        }
        let enters = now == self.arrives || room.look(self.id, now).is_some_and(|w| w.place == 0);
        match room.ask(&self.asked(enters), now) {
            Turn::In { used } => {
                assert!(used, "a visit begins with a place");
                self.let_in = Some(now);
            }
            Turn::Waits(w) => self.cookie = Some(Came { minute: w.minute, nth: w.nth, renewed: now }),
            Turn::Full | Turn::Out => panic!("no room for {}", self.id),
        }
    }
}

/// What is on disk.
#[derive(Default)]
struct Disk {
    counts: Counts,
    places: Vec<u8>,
    used: Vec<(u128, u64)>,
    at: u64,
}

/// Ten thousand come within ten minutes, each asking in their own rhythm, some of them going away; the process is killed in the
/// middle and comes back half a minute later, with a disk that is two seconds old.
#[test]
fn ten_thousand_are_let_in_minute_by_minute_across_a_restart() {
    let mut citizens: Vec<Citizen> = (0..10_000_u64)
        .map(|n| {
            let shuffled = n * 7919 % 10_000;
            let polls = 10 + n % 17;
            Citizen {
                id: u128::from(n) + 1,
                arrives: START + shuffled * 600 / 10_000,
                polls,
                cookie: None,
                let_in: None,
            }
        })
        .collect();
    // One in ten closes the page after some minutes.
    let gone = |c: &Citizen, now: u64| c.id % 10 == 3 && now > c.arrives + 200;
    let (mut room, mut disk) = (Room::default(), Disk::default());
    let (down, up) = (START + 300, START + 330);
    let mut now = START;
    while citizens.iter().any(|c| c.let_in.is_none() && !gone(c, now)) {
        assert!(now < START + 3600, "{} are still waiting", citizens.iter().filter(|c| c.let_in.is_none()).count());
        if now == down {
            room = Room::default();
            now = up;
            let Disk { counts, places, used, at } = std::mem::take(&mut disk);
            room.restore(counts, &places, &used, at, now);
        }
        for citizen in citizens.iter_mut().filter(|c| !gone(c, now)) {
            // Nobody arrives while it is down: they get no answer and come again.
            if (down..up).contains(&citizen.arrives) {
                citizen.arrives = up;
            }
            let before = citizen.let_in;
            citizen.lives(&room, now);
            if before.is_none() && citizen.let_in.is_some() {
                disk.used.push((citizen.id, now));
            }
        }
        // Half as fast as they come.
        room.beat(&space(6.0), false, now);
        if now.is_multiple_of(2) {
            (disk.counts, disk.places, disk.at) = (room.counts(), room.save(), now);
        }
        now += 1;
    }
    // Called in order; how soon each one comes then is up to their page, so that it is the calls of a minute that are compared.
    let mut let_in: Vec<&Citizen> = citizens.iter().filter(|c| c.let_in.is_some()).collect();
    assert!(let_in.len() > 9_000, "{} were let in", let_in.len());
    let_in.sort_by_key(|c| c.cookie.map(|k| (k.minute, k.nth)));
    let mut latest = 0;
    for pair in let_in.chunk_by(|a, b| a.cookie.map(|k| k.minute) == b.cookie.map(|k| k.minute)) {
        let first = pair.iter().filter_map(|c| c.let_in).min().unwrap();
        let last = pair.iter().filter_map(|c| c.let_in).max().unwrap();
        assert!(first + 27 >= latest, "a whole minute's people overtook the one before: {first} and {latest}");
        latest = last;
    }
    let took = latest - START;
    assert!((9_000 / 10..9_000 / 6 + 240).contains(&took), "as fast as the origin takes them in: {took} s");
}

/// The order itself, by whoever is called.
#[test]
fn the_order_of_calls_is_the_order_of_arrival() {
    let room = Room::default();
    for n in 0..10_000_u64 {
        // A hundred and more in a second, for a minute and a half.
        assert_eq!(waits(room.ask(&asks(u128::from(n) + 1), START + n / 111)).place as u64, n + 1);
    }
    let (mut now, mut next) = (START + 91, 1);
    while next <= 10_000 {
        room.beat(&space(50.0), false, now);
        let mut called = Vec::new();
        for id in next..=10_000 {
            let waits = room.look(id, now).unwrap();
            if waits.place > 0 {
                break;
            }
            called.push(id);
        }
        for id in &called {
            assert_eq!(room.ask(&asks(*id), now), Turn::In { used: true });
        }
        next += called.len() as u128;
        // All others ask again within their two minutes.
        if now.is_multiple_of(60) {
            all(next..=10_000, |id| room.ask(&looks(id), now));
        }
        now += 1;
        assert!(now < START + 1000);
    }
    assert_eq!((room.counts().waiting, room.counts().visiting > 0), (0, true));
}

#[test]
fn a_pass_has_one_place_and_uses_it_once() {
    let room = Room::default();
    let first = waits(room.ask(&asks(1), START));
    assert_eq!((first.place, first.press_in), (1, 5));
    assert_eq!(waits(room.ask(&asks(2), START)).place, 2);
    // Without the cookie it is the same one.
    assert_eq!(waits(room.ask(&asks(1), START + 70)).place, 1);
    assert_eq!(room.counts().waiting, 2);
    room.beat(&space(1.0), false, START + 71);
    assert_eq!(room.look(1, START + 72).map(|w| w.place), Some(0));
    // To look uses nothing.
    assert_eq!(waits(room.ask(&looks(1), START + 72)).place, 0);
    assert_eq!(room.ask(&asks(1), START + 75), Turn::In { used: true });
    // It is one visit, however often the place is shown again.
    let with = Some(Came { minute: first.minute, nth: first.nth, renewed: START + 72 });
    let again = Asked { with, ..asks(1) };
    assert_eq!(room.ask(&again, START + 80), Turn::In { used: false });
    let visit = bounds::PLACE_VISIT.as_secs();
    assert_eq!(room.ask(&again, START + 80 + visit), Turn::In { used: false }, "who goes on stays");
    let end = START + 81 + 2 * visit;
    assert_eq!(waits(room.ask(&again, end)).minute, (end / 60) as u32, "a used place is gone: this is another");
    let mut now = START + 75;
    let most = now + bounds::PLACE_VISIT_MOST.as_secs();
    let other = Room::default();
    other.ask(&asks(1), START);
    other.beat(&space(1.0), false, START + 1);
    assert_eq!(other.ask(&asks(1), now), Turn::In { used: true });
    while other.ask(&asks(1), now) == (Turn::In { used: false }) {
        now += 300;
    }
    assert!((most..=most + 300).contains(&now), "no visit lasts for ever");
}

#[test]
fn a_place_lapses_after_two_minutes_and_no_earlier() {
    let room = Room::default();
    waits(room.ask(&asks(1), START));
    waits(room.ask(&asks(2), START));
    waits(room.ask(&looks(2), START + 100));
    let late = START + bounds::PLACE_LAPSES.as_secs() + 1;
    assert_eq!(room.beat(&shut(), true, late - 1).lapsed, 0);
    room.beat(&shut(), false, late - 1);
    // Time stood still until then, so it is counted from there.
    let late = late - 1 + bounds::PLACE_LAPSES.as_secs();
    waits(room.ask(&looks(2), late));
    assert_eq!(room.beat(&space(1.0), false, late + 1), Beat { called: 1, lapsed: 1 });
    assert_eq!(room.look(2, late + 1).map(|w| w.place), Some(0), "who has gone away makes no gap");
    assert_eq!(waits(room.ask(&asks(1), late + 2)).minute, ((late + 2) / 60) as u32, "and stands at the end");
}

#[test]
fn a_check_holds_a_place_once_until_it_is_done_and_over_a_restart() {
    let (lapses, checked) = (bounds::PLACE_LAPSES.as_secs(), bounds::PLACE_CHECKED.as_secs());
    let room = Room::default();
    all(1..=3, |id| room.ask(&asks(id), START));
    (1..=2).for_each(|id| room.checks(id, START + 10));
    let room = restarted(&room, &[], START + 20);
    // Time stood still until then.
    let late = START + 21 + checked;
    room.checks(1, late - 5);
    room.beat(&shut(), false, late - 1);
    assert_eq!([1, 2, 3].map(|id| room.look(id, late).is_some()), [true, true, false]);
    assert!(room.look(1, late + 1).is_none(), "another check adds nothing");
    // Who did it has a place as all have, and may be checked again.
    room.moves(2, &holder(4), late);
    assert!(room.look(4, late + lapses).is_some() && room.look(4, late + lapses + 1).is_none());
    room.checks(4, late + lapses);
    assert!(room.look(4, late + lapses + checked).is_some());
    // Who goes on waiting as they are has left it.
    waits(room.ask(&looks(4), late + lapses + 60));
    room.checks(4, late + lapses + 70);
    assert!(room.look(4, late + lapses + 61 + lapses).is_none());
    room.checks(9, late);
    assert!(room.look(9, late).is_none(), "and nobody gets a place by a check");
}

#[test]
fn those_who_are_called_and_do_not_come_stop_nobody() {
    let room = Room::default();
    all(1..=1000, |id| room.ask(&asks(id), START));
    let mut called = 0;
    for s in 1..=100 {
        all(500..=1000, |id| room.ask(&looks(id), START + s));
        called += room.beat(&space(10.0), false, START + s).called;
    }
    assert!((600..=1500).contains(&called), "{called}: ten a second, although nobody has come");
}

#[test]
fn in_static_places_stand_still_and_are_not_lost() {
    let room = Room::default();
    let first = waits(room.ask(&asks(1), START));
    waits(room.ask(&asks(2), START + 1));
    for s in 2..3600 {
        assert_eq!(room.beat(&space(10.0), true, START + s), Beat::default());
    }
    let told = waits(room.ask(&asks(2), START + 3600));
    assert!(told.still && told.place == 2 && told.estimate.is_none());
    // Nobody who waits need be awake meanwhile; and the cookie holds too, where all else was lost.
    let back = START + 3700;
    assert_eq!(room.beat(&space(1.0), false, back).called, 1);
    assert_eq!(room.ask(&asks(1), back + 119), Turn::In { used: true });
    let other = Room::default();
    other.restore(Counts::default(), &[], &[], START + 5, back);
    let with = Some(Came { minute: first.minute, nth: first.nth, renewed: START });
    assert_eq!(waits(other.ask(&Asked { with, ..asks(1) }, back + 10)).minute, first.minute);
    let with = Some(Came { minute: first.minute, nth: first.nth, renewed: START });
    let late = waits(other.ask(&Asked { with, ..asks(9) }, back + 121));
    assert!(late.minute > first.minute, "but not for ever");
}

#[test]
fn a_used_place_stays_used_over_a_restart() {
    let room = Room::default();
    let place = waits(room.ask(&asks(1), START));
    room.beat(&space(1.0), false, START + 1);
    assert_eq!(room.ask(&asks(1), START + 6), Turn::In { used: true });
    let with = Some(Came { minute: place.minute, nth: place.nth, renewed: START });
    // What was saved is from before; that it was used is noted at once.
    let again = Room::default();
    again.restore(Counts::default(), &[], &[(1, START + 6)], START + 6, START + 9);
    assert_eq!(again.ask(&Asked { with, ..asks(1) }, START + 10), Turn::In { used: false });
    assert_eq!(again.counts().waiting, 0);
}

/// A room in which somebody was let in at `START + 6`.
fn with_a_visit() -> Room {
    let room = Room::default();
    room.ask(&asks(1), START);
    room.beat(&space(1.0), false, START + 1);
    assert_eq!(room.ask(&asks(1), START + 6), Turn::In { used: true });
    room
}

/// The room that a process finds who starts a second after the one before ended.
fn restarted(room: &Room, used: &[(u128, u64)], until: u64) -> Room {
    let again = Room::default();
    again.restore(room.counts(), &room.save(), used, until, until + 1);
    again
}

#[test]
fn who_comes_after_a_crash_stands_behind_those_whom_it_made_forget() {
    let room = Room::default();
    all(1..=2, |id| room.ask(&asks(id), START));
    let again = restarted(&room, &[], START);
    let forgotten = [3, 4].map(|id| (id, waits(room.ask(&asks(id), START + 1))));
    for (id, told) in forgotten {
        let with = Some(Came { minute: told.minute, nth: told.nth, renewed: START + 1 });
        assert_eq!(waits(again.ask(&Asked { with, ..looks(id) }, START + 2)).place, id as u32);
    }
    let newcomer = waits(again.ask(&asks(5), START + 3));
    assert_eq!((newcomer.place, newcomer.minute), (5, forgotten[1].1.minute));
    assert!(newcomer.nth > forgotten[1].1.nth, "a number of their own");
}

#[test]
fn a_visit_of_before_lets_nobody_in_past_the_others_after_a_restart() {
    let minutes = |n: u64| START + 60 * n;
    let room = with_a_visit();
    // They left, their visit is over, and they wait anew behind somebody.
    waits(room.ask(&asks(2), minutes(20)));
    assert_eq!(waits(room.ask(&asks(1), minutes(20) + 1)).place, 2);
    all(1..=2, |id| room.ask(&looks(id), minutes(21)));
    let again = restarted(&room, &[(1, START + 6)], minutes(21));
    assert_eq!(waits(again.ask(&asks(1), minutes(21) + 2)).place, 2);
    // The same for who went away altogether and comes again after it.
    let room = with_a_visit();
    room.beat(&space(1.0), false, minutes(20));
    let again = restarted(&room, &[(1, START + 6)], minutes(30));
    waits(again.ask(&asks(1), minutes(30) + 2));
    assert_eq!(again.counts().waiting, 1);
}

#[test]
fn a_visit_that_went_on_goes_on_after_a_restart() {
    let minutes = |n: u64| START + 60 * n;
    let room = with_a_visit();
    for minute in [9, 18, 25] {
        assert_eq!(room.ask(&asks(1), minutes(minute)), Turn::In { used: false });
    }
    let again = restarted(&room, &[(1, START + 6)], minutes(30));
    again.beat(&space(1.0), false, minutes(33));
    assert_eq!(again.ask(&asks(1), minutes(33)), Turn::In { used: false }, "it was to go on until 35");
    // No longer than without the restart.
    assert_eq!(again.ask(&asks(1), minutes(42)), Turn::In { used: false });
    let end = START + 6 + bounds::PLACE_VISIT_MOST.as_secs();
    for now in [minutes(51), minutes(59), end + 1] {
        let turn = again.ask(&asks(1), now);
        assert_eq!(matches!(turn, Turn::In { .. }), now < end, "{now}");
    }
}

#[test]
fn a_place_that_was_used_after_it_was_saved_is_used() {
    let room = Room::default();
    all(1..=2, |id| room.ask(&asks(id), START));
    room.beat(&space(1.0), false, START + 1);
    let called = room.look(1, START + 2).unwrap();
    assert_eq!(called.place, 0);
    // The disk has it as called, and then that it was used.
    let again = restarted(&room, &[(1, START + 6)], START + 7);
    assert_eq!(again.ask(&asks(1), START + 9), Turn::In { used: false });
    assert_eq!((again.counts().waiting, again.counts().visiting), (1, 1));
}

#[test]
fn passes_that_cost_nothing_stand_in_a_short_line_only() {
    let room = Room::default();
    let free = |id, with| Asked {
        holder: Holder { id, crowd: Some(id as u64), free: true, reads: false },
        with,
        enters: true,
        stays: true,
        by_rule: false,
    };
    let most = u128::from(bounds::PLACES_FREE);
    all(1..=most, |id| room.ask(&free(id, None), START));
    assert_eq!(room.ask(&free(most + 1, None), START), Turn::Full);
    assert_eq!(
        waits(room.ask(&asks(most + 2), START)).place,
        bounds::PLACES_FREE + 1,
        "who has worked for it has a place"
    );
    // Who stands already stays, with what they have and with what they brought along over a restart.
    assert_eq!(waits(room.ask(&free(1, None), START + 6)).place, 1);
    let with = Some(Came { minute: (START / 60) as u32, nth: 5000, renewed: START });
    waits(room.ask(&free(most + 3, with), START + 6));
}

#[test]
fn nobody_hoards_places() {
    let room = Room::default();
    let of_crowd = |id| Asked {
        holder: Holder { id, crowd: Some(7), free: false, reads: false },
        with: None,
        enters: true,
        stays: true,
        by_rule: false,
    };
    let most = u128::from(bounds::PLACES_SHARED);
    all(1..=most, |id| room.ask(&of_crowd(id), START));
    assert_eq!(room.ask(&of_crowd(most + 1), START), Turn::Full);
    assert_eq!(waits(room.ask(&asks(most + 2), START)).place, bounds::PLACES_SHARED + 1, "others are not hit by it");
    // Whoever goes away makes room.
    let later = START + bounds::PLACE_LAPSES.as_secs() + 1;
    room.beat(&shut(), false, later);
    waits(room.ask(&of_crowd(most + 1), later));
    // And all together are bounded.
    let room = Room::default();
    all(1..=bounds::PLACES as u128, |id| room.ask(&asks(id), START));
    assert_eq!(room.ask(&asks(u128::MAX), START), Turn::Full);
}

#[test]
fn a_sealed_place_from_nowhere_is_judged_by_its_time_alone() {
    let room = Room::default();
    waits(room.ask(&asks(1), START + 30));
    let came = |minute: u64, renewed| Some(Came { minute: (minute / 60) as u32, nth: 3, renewed });
    // Of a process that was lost: it stands where it stood.
    let earlier = waits(room.ask(&Asked { with: came(START - 240, START + 10), ..asks(2) }, START + 60));
    assert_eq!((earlier.place, earlier.minute), (1, ((START - 240) / 60) as u32));
    // Lapsed, and from the future.
    for with in [came(START - 240, START - 70), came(START - 240, START + 600), came(START + 600, START + 60)] {
        let id = 3 + u128::from(with.unwrap().renewed);
        assert_eq!(waits(room.ask(&Asked { with, ..asks(id) }, START + 60)).minute, (START / 60) as u32 + 1);
    }
    // One who got a later place meanwhile has one only: the earlier.
    let with = came(START - 240, START + 60);
    assert_eq!(waits(room.ask(&Asked { with, ..asks(1) }, START + 61)).minute, ((START - 240) / 60) as u32);
    assert_eq!(room.counts().waiting, 5);
}

#[test]
fn what_is_kept_is_read_again_and_broken_ends_are_left_out() {
    let room = Room::default();
    all(1..=100, |id| room.ask(&asks(id), START));
    room.beat(&space(30.0), false, START + 1);
    let (counts, bytes) = (room.counts(), room.save());
    let text = serde_json::to_string(&counts).unwrap();
    for cut in [0, 1, 7] {
        let again = Room::default();
        let counts: Counts = serde_json::from_str(&text).unwrap();
        again.restore(counts, &bytes[..bytes.len() - cut], &[], START + 1, START + 2);
        let told = again.counts();
        assert_eq!(told.minutes, room.counts().minutes);
        assert!(told.waiting + 1 >= room.counts().waiting && told.waiting > 60, "{cut}");
    }
}

#[test]
fn readers_are_called_before_others_who_are_not_forgotten() {
    let room = Room::default();
    let reads = |id| Asked { holder: Holder { reads: true, ..holder(id) }, ..asks(id) };
    all(1..=200, |id| room.ask(&asks(id), START));
    assert!(room.is_busy() && !room.is_busy_for_readers());
    for id in 1001..=1100_u128 {
        assert_eq!(waits(room.ask(&reads(id), START)).place as u128, id - 1000, "in their own order");
    }
    assert!(room.is_busy_for_readers());
    // Somebody who waits is seen to read: with the minute and number that they have.
    assert_eq!(waits(room.ask(&reads(7), START)).place, 1);
    let called = |ids: std::ops::RangeInclusive<u128>| {
        ids.filter(|id| room.look(*id, START + 9).is_some_and(|w| w.place == 0)).count()
    };
    for second in 1..=8 {
        room.beat(&Space { free: 40, ..space(20.0) }, false, START + second);
    }
    let (readers, others) = (called(1001..=1100), called(1..=200));
    assert!(readers >= 50 && (2..=1 + readers / 10).contains(&others), "{readers} and {others}");
    assert_eq!(room.look(7, START + 9).unwrap().place, 0);
    assert_eq!(room.look(8, START + 9).map(|w| w.place), Some(8 - others as u32 + 1 - 1), "the others go by arrival");
}

#[test]
fn who_has_something_else_takes_no_place_and_goes_in_when_called() {
    let room = Room::default();
    let spared = |id| Asked { stays: false, ..asks(id) };
    assert_eq!(room.ask(&spared(1), START), Turn::Out);
    assert!(!room.is_busy());
    assert!(waits(room.ask(&asks(1), START)).new && !waits(room.ask(&asks(1), START)).new);
    assert_eq!(room.ask(&spared(1), START + 6), Turn::Out, "it stands and is not called");
    assert_eq!(room.beat(&Space { free: 5, ..space(5.0) }, false, START + 7).called, 1);
    assert_eq!(room.ask(&spared(1), START + 8), Turn::In { used: true });
    assert_eq!(room.ask(&spared(1), START + 9), Turn::In { used: false }, "as long as the visit lasts");
}

#[test]
fn a_place_goes_with_its_holder_to_another_pass_and_there_is_one_still() {
    let room = Room::default();
    let places: Vec<Waits> = (1..=3).map(|id| waits(room.ask(&asks(id), START))).collect();
    assert_eq!(room.moves(2, &holder(20), START + 60), None);
    let moved = waits(room.ask(&looks(20), START + 61));
    assert_eq!((moved.place, moved.minute, moved.nth), (2, places[1].minute, places[1].nth));
    assert_eq!(waits(room.ask(&looks(3), START + 61)).place, 3);
    assert!(!moved.new && room.counts().waiting == 3);
    // The pass of before has nothing, with what was sealed for it and without, and gives nothing a second time.
    let with = Some(Came { minute: places[1].minute, nth: places[1].nth, renewed: START + 59 });
    let before = Asked { with, ..asks(2) };
    assert_eq!((room.ask(&before, START + 62), room.ask(&asks(2), START + 62)), (Turn::Full, Turn::Full));
    assert_eq!(room.ask(&Asked { stays: false, ..before }, START + 62), Turn::Out);
    assert_eq!((room.look(2, START + 62), room.moves(2, &holder(21), START + 62)), (None, None));
    assert_eq!(room.look(21, START + 62), None);
    // To solve for somebody who has a place already is no second one for them.
    assert_eq!(room.moves(3, &holder(20), START + 63), None);
    assert_eq!(waits(room.ask(&looks(3), START + 64)).place, 3);
    assert_eq!(room.counts().waiting, 3);
    // A restart changes nothing of it; nor does a line that stands still.
    let room = restarted(&room, &[], START + 65);
    assert_eq!((room.ask(&before, START + 67), waits(room.ask(&looks(20), START + 67)).place), (Turn::Full, 2));
    room.beat(&shut(), true, START + 70);
    room.beat(&shut(), true, START + 3600);
    let back = START + 3610;
    room.beat(&shut(), false, back);
    assert_eq!(room.ask(&before, back + bounds::PLACE_LAPSES.as_secs()), Turn::Full);
    // When what was sealed has lapsed it is a pass like others, at the end of the line.
    all(1..=1, |_| room.ask(&looks(20), back + 119));
    let late = back + bounds::PLACE_LAPSES.as_secs() + 1;
    let anew = waits(room.ask(&before, late));
    assert!(anew.new && anew.minute == (late / 60) as u32, "{anew:?}");
}

#[test]
fn a_turn_and_a_visit_go_with_their_holder_to_another_pass() {
    let room = Room::default();
    all(1..=2, |id| room.ask(&asks(id), START));
    assert_eq!(room.beat(&space(1.0), false, START + 1).called, 1);
    assert_eq!((room.moves(1, &holder(10), START + 6), room.counts().due), (None, 1));
    assert_eq!(room.ask(&asks(10), START + 7), Turn::In { used: true });
    assert_eq!((room.counts().due, room.counts().visiting), (0, 1));
    assert_eq!(room.moves(10, &holder(100), START + 30), Some(START + 7), "since when it goes on");
    assert_eq!(room.ask(&asks(100), START + 31), Turn::In { used: false });
    assert_eq!((room.ask(&asks(10), START + 31), room.ask(&asks(1), START + 31)), (Turn::Full, Turn::Full));
    assert_eq!((room.counts().waiting, room.counts().visiting), (1, 1));
    // It ends when it would have ended.
    let mut now = START + 31;
    while room.ask(&asks(100), now) == (Turn::In { used: false }) {
        now += 300;
    }
    let most = START + 7 + bounds::PLACE_VISIT_MOST.as_secs();
    assert!((most..=most + 300).contains(&now), "{now}");
    // Called and moved they are waited for as long as others, and no longer.
    let room = Room::default();
    room.ask(&asks(1), START);
    room.beat(&space(1.0), false, START + 1);
    room.moves(1, &holder(10), START + 2);
    room.beat(&space(1.0), false, START + 2 + bounds::PLACE_DUE.as_secs());
    assert_eq!(room.counts().due, 0);
}

#[test]
fn passes_that_become_others_are_no_way_to_more_places_than_their_kind_may_have() {
    let room = Room::default();
    let of = |id, crowd| Holder { id, crowd, free: false, reads: false };
    let ask = |id, crowd| Asked { holder: of(id, crowd), ..asks(id) };
    let most = u128::from(bounds::PLACES_SHARED);
    all(1..=most, |id| room.ask(&ask(id, Some(7)), START));
    // Others of the prefix press a button, with which they could do so for ever.
    all(5001..=5001, |id| room.ask(&ask(id, Some(8)), START));
    room.moves(5001, &of(6001, Some(7)), START + 1);
    assert_eq!(room.look(6001, START + 1), None);
    assert!(room.look(5001, START + 1).is_some(), "who cannot go there has what they had");
    // Who leaves a crowd makes room in it; within one nothing changes.
    room.moves(1, &of(6002, Some(7)), START + 1);
    assert_eq!(room.ask(&ask(6003, Some(7)), START + 1), Turn::Full);
    room.moves(2, &of(6004, None), START + 1);
    waits(room.ask(&ask(6003, Some(7)), START + 1));
    assert_eq!(room.ask(&ask(6005, Some(7)), START + 1), Turn::Full);
    assert_eq!(room.counts().waiting, bounds::PLACES_SHARED + 2);
    // And what is kept in mind of passes of before is bounded: then places stay where they are.
    let room = Room::default();
    all(1..=bounds::PLACES as u128, |id| room.ask(&asks(id), START));
    let moved = (1..=bounds::PLACES_MOVED as u128 + 9).filter(|id| {
        room.moves(*id, &holder(u128::MAX - id), START + 1);
        room.look(u128::MAX - id, START + 1).is_some()
    });
    assert_eq!(moved.count(), bounds::PLACES_MOVED);
    assert_eq!(room.counts().waiting as usize, bounds::PLACES);
}
