//! By what a pass is known in a line, the place that its browser brings along, and what goes with a pass that becomes another one.
//!
//! Does not know: the order of the line, what who waits is told.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::read::{self, PLACE_COOKIE};
use super::visit::Visit;
use super::vouch;
use crate::facts::{Lane, Pass};
use crate::portal::Class;
use crate::store::Table;
use crate::waiting::{Came, Holder, Place, used_key};
use crate::wire::Head;

/// By which a pass holds its place.
pub fn of(visit: &Visit<'_>, head: &dyn Head, pass: &Pass) -> Holder {
    let shared = matches!(pass.lane, Lane::Quiet | Lane::Button | Lane::Shared);
    let crowd = shared.then(|| hash((pass.lane, pass.home)));
    let free = pass.lane == Lane::Quiet && !visit.is_settled();
    Holder { id: id(visit, head, pass), crowd, free, reads: vouch::reads(visit) }
}

/// A code is one pass for all who were given it. They are told apart by where they are when they first ask, and from then on by the
/// place that their browser shows, wherever they go; a browser that shows none has one place in one network.
fn id(visit: &Visit<'_>, head: &dyn Head, pass: &Pass) -> u128 {
    if pass.lane != Lane::Code {
        return pass.id;
    }
    let place = carried(visit, head, |place| place.holder >> 64 == pass.id >> 64);
    place.map_or_else(|| pass.id ^ u128::from(hash((visit.client.prefix.0, pass.browser))), |place| place.holder)
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The place that a request brings along, where it is this holder's in this room.
pub fn came(visit: &Visit<'_>, head: &dyn Head, holder: u128) -> Option<Came> {
    let class = visit.route().class;
    let found = carried(visit, head, |place| place.holder == holder && place.class == class);
    found.map(|place| Came { minute: place.minute, nth: place.nth, renewed: place.renewed })
}

/// The first place among a request's cookies that fits.
fn carried(visit: &Visit<'_>, head: &dyn Head, fits: impl Fn(&Place) -> bool) -> Option<Place> {
    let portal = visit.portal();
    let mut found = None;
    head.any("cookie", &mut |value| {
        let places = value.split(|b| *b == b';').filter_map(|pair| read::cookie(pair, PLACE_COOKIE)).take(4);
        found = places.filter_map(|text| visit.house.seats.open(&portal.name, text)).find(|place| fits(place));
        found.is_some()
    });
    found
}

/// A check stands before whoever asks: the place that they show, if it is theirs, is kept for as long as that takes.
pub fn checks(visit: &Visit<'_>, head: &dyn Head) {
    let (Some(pass), Some(portal)) = (visit.pass, visit.portal) else { return };
    // Where nobody shows a place no room is looked into: checks are given out by the thousand.
    if let Some(place) = carried(visit, head, |_| true) {
        let room = &visit.town.rooms[portal][place.class as usize];
        room.checks(id(visit, head, &pass), visit.now.unix());
    }
}

/// Whoever came with one pass goes with another: their places and visits go with them, in all rooms, for portals of one domain share
/// passes. A code's stay, for they may be somebody else's too.
pub fn moves(visit: &Visit<'_>, head: &dyn Head, before: Option<Pass>, pass: &Pass) {
    let Some(before) = before.filter(|before| before.lane != Lane::Code && visit.portal.is_some()) else { return };
    let (to, now, store) = (of(visit, head, pass), visit.house.now().unix(), &visit.house.store);
    for (portal, suite) in visit.town.portals.list.iter().zip(&visit.town.rooms) {
        for class in Class::ALL {
            if let Some(since) = suite[class as usize].moves(before.id, &to, now) {
                store.remove(Table::Waiting, &used_key(&portal.name, class, before.id));
                store.put(Table::Waiting, &used_key(&portal.name, class, to.id), since.to_le_bytes().to_vec());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::mint;
    use super::super::tests::house;
    use super::*;
    use crate::bounds;
    use crate::client::Client;
    use crate::force::House;
    use crate::waiting::{Asked, Space, Turn};
    use crate::wire::{Arrival, FieldsAlone};

    fn visit(house: &House, pass: u128) -> Visit<'_> {
        let from = "203.0.113.7".parse().unwrap();
        let client = Client::new(from, from, 64, false);
        let mut visit = Visit::open(house, String::new(), client, Arrival { scheme: "http", redirect_https: false });
        (visit.portal, visit.pass) = (Some(0), Some(Pass::proven(pass, 1, 0, u64::MAX)));
        visit
    }

    /// Somebody gets a place, and the cookie that their browser shows from then on.
    fn place(house: &House, pass: u128) -> (u32, FieldsAlone<'static>) {
        let visit = visit(house, pass);
        let holder = Holder { id: pass, crowd: None, free: false, reads: false };
        let asked = Asked { holder, with: None, enters: true, stays: true, by_rule: false };
        let Turn::Waits(waits) = visit.room().ask(&asked, visit.now.unix()) else { panic!("a place") };
        let (class, renewed) = (visit.route().class, visit.now.unix());
        let place = Place { class, holder: pass, minute: waits.minute, nth: waits.nth, renewed };
        let sealed = house.seats.seal(&visit.portal().name, &place);
        let cookie = vec![("cookie".to_owned(), format!("{PLACE_COOKIE}={sealed}").into_bytes())];
        (waits.minute, FieldsAlone(cookie.leak()))
    }

    /// The minute in which the holder of a pass arrived, where they have a place.
    fn arrived(house: &House, pass: u128) -> Option<u32> {
        let visit = visit(house, pass);
        visit.room().look(pass, visit.now.unix()).map(|waits| waits.minute)
    }

    /// Time goes on, and the room's beats with it.
    fn after(house: &House, seconds: u64) {
        let space = Space { free: 0, queued: 0, queued_most: 8, per_second: 1.0, sustained: 0.0 };
        for _ in 0..seconds / 5 {
            house.clock.advance(Duration::from_secs(5));
            visit(house, 0).room().beat(&space, false, house.now().unix());
        }
    }

    #[test]
    fn who_takes_minutes_for_a_check_keeps_their_place_and_who_asks_for_checks_only_does_not() {
        let house = house("");
        let (minute, cookie) = place(&house, 1);
        let (_, hoards) = place(&house, 2);
        place(&house, 3);
        for (pass, cookie) in [(1, &cookie), (2, &hoards)] {
            let mut visit = visit(&house, pass);
            let ask = mint::ask(&visit, cookie);
            mint::issue(&mut visit, cookie, &ask);
        }
        after(&house, bounds::PLACE_CHECKED.as_secs() - 10);
        assert_eq!(
            (arrived(&house, 1), arrived(&house, 3)),
            (Some(minute), None),
            "who is not checked has to renew it"
        );
        // Another check before the first is done adds nothing.
        let mut again = visit(&house, 2);
        let ask = mint::ask(&again, &hoards);
        mint::issue(&mut again, &hoards, &ask);
        let before = visit(&house, 1);
        moves(&before, &cookie, before.pass, &Pass::proven(4, 1, 0, u64::MAX));
        assert_eq!(arrived(&house, 4), Some(minute), "the check is done, and the place is the new pass's");
        after(&house, 20);
        assert_eq!((arrived(&house, 2), arrived(&house, 4)), (None, Some(minute)));
    }
}
