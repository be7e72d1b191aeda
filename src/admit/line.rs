//! The order in which a full gate lets people in: start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996) with one
//! flow per pass or address. Who sends a hundred requests waits behind ninety-nine of his own, not others behind him.
//!
//! Does not know: permits, time.

use std::collections::{BTreeMap, HashMap};

use super::Who;
use crate::bounds;

/// Where somebody stands; less is nearer to the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Virtual time: how many requests of a flow that always waits would have been let in by then.
    turn: u64,
    came: u64,
}

/// Who waits at one gate.
#[derive(Debug)]
pub struct Line<T> {
    waiting: BTreeMap<Place, T>,
    /// The turn after the last one that a flow has had or waits for.
    next: HashMap<(bool, u128), u64>,
    /// The furthest turn that was let in.
    turn: u64,
    came: u64,
}

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        // Turns begin where a pass's lead cannot fall below zero.
        Line { waiting: BTreeMap::new(), next: HashMap::new(), turn: bounds::PASS_LEAD, came: 0 }
    }
}

impl<T> Line<T> {
    /// Joins the line. A flow that has waited for nothing lately stands with its first request before all that wait
    /// for a second one; a pass stands [`bounds::PASS_LEAD`] turns further ahead, and has used that up after as many
    /// requests, so that one bought pass cannot keep the door to itself.
    pub fn join(&mut self, who: Who, waiter: T) -> Place {
        let (flow, lead) = match who.pass {
            Some(pass) => ((true, pass), bounds::PASS_LEAD),
            None => ((false, who.address), 0),
        };
        if self.next.len() >= bounds::PERMIT_FLOWS {
            // What is forgotten is who has had a turn lately, which costs fairness for one round.
            self.next.clear();
        }
        let next = self.next.entry(flow).or_default();
        let turn = (*next).max(self.turn - lead);
        *next = turn + 1;
        self.came += 1;
        let place = Place { turn, came: self.came };
        self.waiting.insert(place, waiter);
        place
    }

    /// The first is let in.
    pub fn pass(&mut self, place: Place) -> Option<T> {
        self.turn = self.turn.max(place.turn);
        self.waiting.remove(&place)
    }

    /// Somebody goes away, whose turn is lost.
    pub fn leave(&mut self, place: Place) -> Option<T> {
        self.waiting.remove(&place)
    }

    pub fn first(&self) -> Option<(&Place, &T)> {
        self.waiting.first_key_value()
    }

    pub fn pop_last(&mut self) -> Option<T> {
        self.waiting.pop_last().map(|(_, waiter)| waiter)
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: u128) -> Who {
        Who { address, pass: None }
    }

    fn with(pass: u128) -> Who {
        Who { address: 1, pass: Some(pass) }
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
    fn a_pass_stands_before_new_addresses_until_its_lead_is_used_up() {
        let mut line = Line::default();
        for address in 0..20 {
            line.join(from(address), "new");
        }
        line.join(with(7), "pass");
        assert_eq!(let_in(&mut line, 2), ["pass", "new"]);
        // Always one waiting: it gets its lead, then the others get theirs.
        let mut served = Vec::new();
        for _ in 0..20 {
            line.join(with(7), "pass");
            served.extend(let_in(&mut line, 1));
        }
        let passes = served.iter().filter(|w| **w == "pass").count() as u64;
        assert_eq!(passes, bounds::PASS_LEAD - 1, "{served:?}");
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
    fn what_is_remembered_of_flows_is_bounded() {
        let mut line = Line::default();
        for address in 0..3 * bounds::PERMIT_FLOWS as u128 {
            let place = line.join(from(address), ());
            line.pass(place);
        }
        assert!(line.next.len() <= bounds::PERMIT_FLOWS);
    }
}
