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
