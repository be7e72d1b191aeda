//! A place whose holder is checked, and goes with them from one pass to the next; and of whom there are how many.
//!
//! Does not know: why a pass becomes another one.

use super::asked::Holder;
use super::line::{Check, Held, Line, State};
use crate::bounds;

impl Line {
    /// As [`super::Room::moves`].
    pub fn moves(&mut self, from: u128, to: &Holder, now: u64) -> Option<u64> {
        self.leave_if_over(from, now);
        self.leave_if_over(to.id, now);
        let held = self.held.get(&from).copied().filter(|held| held.state != State::Moved)?;
        // Who has one already gets no second one, and who could not keep in mind that the first is gone gives it to nobody.
        if self.held.contains_key(&to.id) || self.held.len() >= bounds::PLACES + bounds::PLACES_MOVED {
            return None;
        }
        self.leave_crowd(held.crowd);
        if self.is_full_for(to.crowd) {
            self.join_crowd(held.crowd);
            return None;
        }
        self.join_crowd(to.crowd);
        self.take_out(from, &held);
        // Whoever has done a check may be asked for another one.
        let held = Held { seen: now, check: Check::Never, ..held };
        self.held.insert(from, Held { state: State::Moved, crowd: None, ..held });
        self.put(to.id, Held { crowd: to.crowd, ..held });
        match held.state {
            State::Called(at) => {
                let first = self.recent.partition_point(|(called, _)| *called < at);
                let called = self.recent.range_mut(first..).take_while(|(called, _)| *called == at);
                called.filter(|(_, id)| *id == from).for_each(|(_, id)| *id = to.id);
                None
            }
            State::In(since, _) => {
                self.note_used(to.id, since);
                Some(since)
            }
            State::Waiting | State::Moved => None,
        }
    }

    /// As [`super::Room::checks`].
    pub fn checks(&mut self, id: u128, now: u64) {
        self.leave_if_over(id, now);
        let waits = |held: &&mut Held| matches!(held.state, State::Waiting | State::Called(_));
        if let Some(held) = self.held.get_mut(&id).filter(waits)
            && held.check == Check::Never
        {
            (held.check, held.seen) = (Check::Now, now);
        }
    }

    /// Whether no other pass of its kind gets a place.
    pub(super) fn is_full_for(&self, crowd: Option<u64>) -> bool {
        crowd.and_then(|crowd| self.crowds.get(&crowd)).is_some_and(|count| *count >= bounds::PLACES_SHARED)
    }

    pub(super) fn join_crowd(&mut self, crowd: Option<u64>) {
        if let Some(crowd) = crowd {
            *self.crowds.entry(crowd).or_default() += 1;
        }
    }

    pub(super) fn leave_crowd(&mut self, crowd: Option<u64>) {
        let Some(crowd) = crowd else { return };
        let Some(count) = self.crowds.get_mut(&crowd) else { return };
        *count -= 1;
        if *count == 0 {
            self.crowds.remove(&crowd);
        }
    }
}
