//! The order in which a full gate lets people of one class in: by standing, and within it by self-clocked fair queueing
//! (Golestani, INFOCOM 1994) with one flow per pass or address. Who sends a hundred requests waits behind ninety-nine of
//! his own, not others behind him.
//!
//! Standing is a weight, not a wall: those who are better known come in many times as often while they want, but who has
//! bought a thousand passes keeps nobody out for good.
//!
//! Does not know: permits, time, classes.

use std::collections::{BTreeMap, HashMap};

use super::Who;
use crate::bounds;

/// How well somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// An origin knows the session.
    Proven,
    /// The pass is used as people read.
    Reader,
    /// Nothing is known of how the pass is used, and it comes for a first page or its parts.
    Newcomer,
    /// It was called from the line.
    Called,
    Pass,
    Unknown,
    /// Something speaks against it.
    Suspect,
}

impl Standing {
    /// Whether it is its turn: it goes ahead, or was called.
    pub fn has_turn(self) -> bool {
        self <= Standing::Called
    }

    /// Whether it goes ahead of those of whom little is known.
    pub fn is_ahead(self) -> bool {
        self <= Standing::Newcomer
    }
}

const STANDINGS: usize = 7;
/// What one turn costs each standing: a reader has 128 turns for a pass's one, of which nothing is known, and eight for a newcomer's,
/// who else would never get to read, and sixteen for one's who was called: of these as many are called as there is room for. Below them it falls off steeply, because robots come there by the thousand; what is theirs all
/// the same is a share of the calls from the waiting room.
const STRIDES: [u64; STANDINGS] = [1, 2, 16, 32, 256, 512, 1024];

/// Where somebody stands; within a standing less is nearer to the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    standing: Standing,
    /// Virtual time: how many requests of a flow that always waits would have been let in by then.
    turn: u64,
    came: u64,
    /// The turn that it would have had if it had had nothing of late.
    due: u64,
}

/// Who waits at one gate, of one class.
#[derive(Debug)]
pub struct Line<T> {
    groups: [Group<T>; STANDINGS],
    /// What the group that came in last had spent.
    spent: u64,
    came: u64,
}

/// Those of one standing.
#[derive(Debug)]
struct Group<T> {
    waiting: BTreeMap<Place, T>,
    /// The turn after the last one that a flow has had or waits for.
    next: HashMap<u128, u64>,
    /// The turn after the furthest one that was let in.
    turn: u64,
    spent: u64,
}

impl<T> Default for Group<T> {
    fn default() -> Group<T> {
        Group { waiting: BTreeMap::new(), next: HashMap::new(), turn: 0, spent: 0 }
    }
}

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        Line { groups: Default::default(), spent: 0, came: 0 }
    }
}

impl<T> Line<T> {
    /// Joins the line. A flow that has waited for nothing lately stands with its first request before all that wait for
    /// a second one; and whoever had more of the origin of late is that much later.
    pub fn join(&mut self, who: Who, waiter: T) -> Place {
        let flow = match (who.standing, who.pass) {
            (Standing::Unknown | Standing::Suspect, _) | (_, None) => who.address,
            (_, Some(pass)) => pass,
        };
        let group = &mut self.groups[who.standing as usize];
        if group.waiting.is_empty() {
            group.spent = group.spent.max(self.spent);
        }
        if group.next.len() >= bounds::PERMIT_FLOWS {
            // What is forgotten is who has had a turn lately, which costs fairness for one round.
            group.next.clear();
        }
        let next = group.next.entry(flow).or_default();
        let due = (*next).max(group.turn);
        *next = due + 1;
        self.came += 1;
        let turn = due + u64::from(who.took);
        let place = Place { standing: who.standing, turn, came: self.came, due };
        group.waiting.insert(place, waiter);
        place
    }

    fn first_group(&self) -> Option<&Group<T>> {
        self.groups.iter().filter(|g| !g.waiting.is_empty()).min_by_key(|g| g.spent)
    }

    /// The first is let in.
    pub fn pass(&mut self, place: Place) -> Option<T> {
        let at = place.standing as usize;
        let group = &mut self.groups[at];
        self.spent = self.spent.max(group.spent);
        group.spent += STRIDES[at];
        group.turn = group.turn.max(place.due + 1);
        group.waiting.remove(&place)
    }

    /// Somebody goes away, whose turn is lost.
    pub fn leave(&mut self, place: Place) -> Option<T> {
        self.groups[place.standing as usize].waiting.remove(&place)
    }

    pub fn first(&self) -> Option<(&Place, &T)> {
        self.first_group()?.waiting.first_key_value()
    }

    /// Sends away the last of those of whom least is known; but not the only one of a standing for others, or its turn would never
    /// come.
    pub fn pop_last(&mut self) -> Option<T> {
        let fewest = |n: usize| move |group: &&mut Group<T>| group.waiting.len() > n;
        let least = if self.groups.iter().any(|group| group.waiting.len() > 1) { 1 } else { 0 };
        let group = self.groups.iter_mut().rev().find(fewest(least))?;
        group.waiting.pop_last().map(|(_, waiter)| waiter)
    }

    /// Whether anybody waits who goes ahead of those of whom little is known.
    pub fn has_ahead(&self) -> bool {
        self.groups[..=Standing::Newcomer as usize].iter().any(|group| !group.waiting.is_empty())
    }

    pub fn len(&self) -> usize {
        self.groups.iter().map(|g| g.waiting.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::Class;

    fn from(address: u128) -> Who {
        Who::stranger(Class::Information, address)
    }

    fn with(pass: u128) -> Who {
        Who { standing: Standing::Pass, pass: Some(pass), ..from(1) }
    }

    /// Lets the first `n` in.
    fn let_in(line: &mut Line<&'static str>, n: usize) -> Vec<&'static str> {
        (0..n)
            .filter_map(|_| {
                let place = *line.first()?.0;
                line.pass(place)
            })
            .collect()
    }

    #[test]
    fn one_who_asks_a_hundred_times_waits_behind_himself() {
        let mut line = Line::default();
        for _ in 0..100 {
            line.join(from(1), "flood");
        }
        line.join(from(2), "citizen");
        assert_eq!(let_in(&mut line, 3), ["flood", "citizen", "flood"]);
        // Also in the middle of it.
        assert_eq!(let_in(&mut line, 50), ["flood"; 50]);
        line.join(from(3), "late");
        assert!(let_in(&mut line, 2).contains(&"late"));
    }

    #[test]
    fn addresses_that_come_once_each_do_not_keep_out_who_comes_twice() {
        let mut line = Line::default();
        line.join(from(1), "page");
        (100..110).for_each(|a| {
            let _ = line.join(from(a), "flood");
        });
        assert_eq!(let_in(&mut line, 1), ["page"]);
        line.join(from(1), "style");
        for address in 1000..2000 {
            line.join(from(address), "flood");
            if let_in(&mut line, 1) == ["style"] {
                assert!(address < 1012, "{address}");
                return;
            }
        }
        panic!("it never came in");
    }

    #[test]
    fn the_better_known_come_first_and_nobody_is_shut_out() {
        let mut line = Line::default();
        for n in 0..100 {
            line.join(Who { standing: Standing::Suspect, ..from(n) }, "suspect");
            line.join(from(n), "unknown");
            line.join(with(n), "pass");
            line.join(Who { standing: Standing::Proven, ..with(n) }, "proven");
        }
        let served = let_in(&mut line, 100);
        let count = |who: &str| served.iter().filter(|w| **w == who).count();
        assert!(count("proven") >= 90 && count("pass") >= 1, "{served:?}");
        assert!(count("unknown") >= 1 && (1..=2).contains(&count("suspect")), "{served:?}");
        // One pass that comes to a line of strangers is next or next but one.
        let mut line = Line::default();
        (0..50).for_each(|n| {
            let _ = line.join(from(n), "unknown");
        });
        let_in(&mut line, 10);
        line.join(with(7), "pass");
        assert!(let_in(&mut line, 2).contains(&"pass"));
    }

    #[test]
    fn readers_come_before_newcomers_and_those_before_whoever_only_has_a_pass() {
        let mut line = Line::default();
        for n in 0..500 {
            line.join(Who { standing: Standing::Reader, ..with(n) }, "reader");
            line.join(Who { standing: Standing::Newcomer, ..with(n) }, "newcomer");
            line.join(with(10_000 + n), "pass");
            line.join(Who { standing: Standing::Suspect, ..from(n) }, "suspect");
        }
        let served = let_in(&mut line, 400);
        let count = |who: &str| served.iter().filter(|w| **w == who).count();
        assert!(count("reader") > 300 && count("newcomer") >= 30, "{served:?}");
        assert!((2..=8).contains(&count("pass")) && (1..=2).contains(&count("suspect")), "{served:?}");
    }

    #[test]
    fn of_those_alike_who_had_least_of_late_comes_first() {
        let mut line = Line::default();
        let took = |pass: u128, took: u8| Who { took, ..with(pass) };
        (0..50).for_each(|pass| {
            let _ = line.join(took(pass, 20), "robot");
        });
        line.join(took(100, 1), "citizen");
        line.join(took(101, 0), "newcomer");
        assert_eq!(let_in(&mut line, 3), ["newcomer", "citizen", "robot"]);
        // It waits for nobody for ever: what it had is what it is behind.
        let mut line = Line::default();
        line.join(took(1, 20), "robot");
        let before = (0..1000).take_while(|n| {
            line.join(took(1000 + n, 0), "newcomer");
            let_in(&mut line, 1) != ["robot"]
        });
        assert!((15..=21).contains(&before.count()));
    }

    #[test]
    fn the_only_one_of_a_standing_is_not_sent_away_for_others() {
        let mut line = Line::default();
        line.join(Who { standing: Standing::Suspect, ..from(1) }, "first");
        (0..20).for_each(|n| {
            let _ = line.join(Who { standing: Standing::Reader, ..with(n) }, "reader");
        });
        line.join(Who { standing: Standing::Suspect, ..from(2) }, "second");
        assert_eq!((line.pop_last(), line.pop_last()), (Some("second"), Some("reader")));
    }

    #[test]
    fn the_last_to_be_let_in_is_the_first_to_be_sent_away() {
        let mut line = Line::default();
        for _ in 0..10 {
            line.join(from(1), "flood");
        }
        let place = line.join(from(2), "citizen");
        (0..9).for_each(|_| assert_eq!(line.pop_last(), Some("flood")));
        assert_eq!(line.leave(place), Some("citizen"));
        assert_eq!(line.len(), 1);
    }

    #[test]
    fn a_line_full_of_passes_still_has_places_for_strangers() {
        let mut line = Line::default();
        (0..1000).for_each(|n| {
            let _ = line.join(with(n), "pass");
        });
        (0..300).for_each(|n| {
            let _ = line.join(from(n), "unknown");
        });
        let gone: Vec<_> = (0..300).filter_map(|_| line.pop_last()).collect();
        let unknown = gone.iter().filter(|w| **w == "unknown").count();
        assert!(unknown < 300, "some stay: {unknown} went");
        (0..2000).for_each(|n| {
            let _ = line.join(with(2000 + n), "pass");
        });
        (0..2000).for_each(|_| {
            let _ = line.pop_last();
        });
        assert!(let_in(&mut line, 40).contains(&"unknown"));
    }

    #[test]
    fn what_is_remembered_of_flows_is_bounded() {
        let mut line = Line::default();
        for address in 0..3 * bounds::PERMIT_FLOWS as u128 {
            let place = line.join(from(address), ());
            line.pass(place);
        }
        assert!(line.groups.iter().all(|g| g.next.len() <= bounds::PERMIT_FLOWS));
    }
}
