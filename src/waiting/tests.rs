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
