//! The bounds of the waiting room.

use std::time::Duration;

use super::FORM_LIFE;

/// How long a place holds without being renewed. Whoever waits asks several times within it, and a phone may sleep for a while.
pub const PLACE_LAPSES: Duration = Duration::from_secs(120);
/// How long it holds while a check stands before its holder, who cannot renew it: as long as a form rides along with one, and enough
/// for the oldest phone and for whoever reads the page with a finger on the line.
pub const PLACE_CHECKED: Duration = FORM_LIFE;
/// How long who was let in goes in and out: each request prolongs it by the first, to the second at most. A form takes several
/// pages, and nobody should wait before each.
pub const PLACE_VISIT: Duration = Duration::from_secs(10 * 60);
pub const PLACE_VISIT_MOST: Duration = Duration::from_secs(3600);
/// Between two presses of the button that count: a place needs renewing twenty times as seldom.
pub const PLACE_PRESS: Duration = Duration::from_secs(5);
/// How soon and how late the page asks again by itself, by how long it still takes.
pub const PLACE_POLL: (u64, u64) = (4, 30);
/// Places in one room, some 130 bytes each: twice as many as one node's origin serves in an hour at 20 requests a second.
pub const PLACES: usize = 131_072;
/// Places whose passes share a budget, of one prefix: anybody behind it may get any number of such passes by pressing buttons.
pub const PLACES_SHARED: u32 = 1000;
/// Passes of before beside all places, whose place goes on with another pass: each is kept in mind for as long as a place holds.
pub const PLACES_MOVED: usize = 16_384;
/// Who waits, beyond whom a new place takes a pass that has cost something. Passes without a check are made at each first page, so
/// that any flood would fill the line with places of nobody; so many are called within seconds.
pub const PLACES_FREE: u32 = 300;
/// Of what a gate lets in one in so many is called from the line, however many come meanwhile who need not wait.
pub const PLACE_SHARE: u32 = 25;
/// Where readers wait and others, one call in so many is one of the others'.
pub const PLACE_OTHERS: u32 = 16;
/// Minutes of arrivals that are counted, besides those in which somebody still waits.
pub const PLACE_MINUTES: usize = 180;
/// Those called who have not come within this are not waited for: it is twice as long as a page takes to hear of it.
pub const PLACE_DUE: Duration = Duration::from_secs(60);
/// How many may be called and not have come, however slowly the line moves.
pub const PLACE_DUE_LEAST: u32 = 4;
/// An estimate looks back so far, in slots of so long, and is none before so many were called in so long.
pub const PLACE_SLOT: u64 = 10;
pub const PLACE_SLOTS: usize = 30;
pub const PLACE_TOLD_AFTER: (u32, u64) = (5, 20);
/// Minutes beyond which an estimate is none that helps.
pub const PLACE_MINUTES_TOLD: u32 = 600;
/// Rows of visits that are taken from the disk in one second, for each room.
pub const PLACES_FORGOTTEN: usize = 256;
/// Places that are written to disk in one second: with more of them it is done so much more seldom.
pub const PLACES_KEPT_EVERY: usize = 4096;
