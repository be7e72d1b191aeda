//! How one limit is divided among the classes: each class that wants in has a share by its weight, which nobody else can
//! take from it, and what a class does not use is lent, to the first class that waits. So a flood of one class costs the
//! others nothing, and no class starves.
//!
//! One limit for all, because what is behind it is one thing: with a limit for each class, by latency, a flood of one
//! slows the origin for all, and the limits of those who did nothing shrink as much as the flood's own.
//!
//! Does not know: permits, who waits, how the limit is found.

use super::inside::CLASSES;

/// What emergency, payment, filing and information weigh.
const WEIGHTS: [u32; CLASSES] = [4, 3, 2, 1];
/// Whose turn it is where there are fewer permits than classes that want one: as often as they weigh, spread out.
const TURNS: [usize; 10] = [0, 1, 2, 0, 3, 1, 0, 2, 1, 0];

/// What each class has and wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    pub inside: [u32; CLASSES],
    pub waiting: [u32; CLASSES],
    /// Rises by one with every permit.
    pub turn: u32,
}

impl Demand {
    fn wants(&self, class: usize) -> bool {
        self.inside[class] > 0 || self.waiting[class] > 0
    }

    /// How many of `limit` permits a class has for itself, among those that want any; at least one, where there are
    /// enough for that.
    pub fn share(&self, class: usize, limit: u32) -> u32 {
        let wanting = (0..CLASSES).filter(|c| *c == class || self.wants(*c));
        let (weights, count) = wanting.fold((0, 0), |(w, n), c| (w + WEIGHTS[c], n + 1));
        let share = (u64::from(limit) * u64::from(WEIGHTS[class]) / u64::from(weights.max(1))) as u32;
        share.max(u32::from(limit >= count))
    }

    /// Whether a free permit may go to this class.
    pub fn may(&self, class: usize, limit: u32) -> bool {
        let others = || (0..CLASSES).filter(|c| *c != class);
        let wanting = 1 + others().filter(|c| self.wants(*c)).count() as u32;
        if limit < wanting {
            let turns = (0..TURNS.len()).map(|n| TURNS[(self.turn as usize + n) % TURNS.len()]);
            return turns.into_iter().find(|c| self.waiting[*c] > 0).is_none_or(|c| c == class);
        }
        if self.inside[class] < self.share(class, limit) {
            return true;
        }
        let all: u32 = self.inside.iter().sum();
        let kept: u32 =
            others().map(|c| self.waiting[c].min(self.share(c, limit).saturating_sub(self.inside[c]))).sum();
        limit.saturating_sub(all) > kept && !(0..class).any(|c| self.waiting[c] > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Permits of ten that each class has in the end, where each that waits goes on waiting.
    fn filled(limit: u32, waiting: [u32; CLASSES], mut inside: [u32; CLASSES], leave: &[usize]) -> [u32; CLASSES] {
        let mut turn = 0;
        let mut fill = |inside: &mut [u32; CLASSES]| {
            while inside.iter().sum::<u32>() < limit {
                let demand = Demand { inside: *inside, waiting, turn };
                let Some(next) = (0..CLASSES).rev().find(|c| waiting[*c] > 0 && demand.may(*c, limit)) else { break };
                inside[next] += 1;
                turn += 1;
            }
        };
        fill(&mut inside);
        for class in leave {
            inside[*class] = inside[*class].saturating_sub(1);
            fill(&mut inside);
        }
        inside
    }

    #[test]
    fn every_class_that_waits_has_its_share_and_the_rest_goes_by_rank() {
        assert_eq!(filled(100, [0, 0, 0, 9], [0; 4], &[]), [0, 0, 0, 100], "alone it has all");
        assert_eq!(filled(100, [0, 0, 9, 9], [0; 4], &[]), [0, 0, 67, 33], "what is left over goes by rank");
        assert_eq!(filled(100, [9, 9, 9, 9], [0; 4], &[]), [40, 30, 20, 10]);
        assert_eq!(filled(10, [0, 0, 9, 9], [0, 0, 0, 10], &[3; 20]), [0, 0, 7, 3], "what was lent comes back");
        assert_eq!(filled(10, [0, 0, 9, 9], [0, 0, 10, 0], &[2; 20]), [0, 0, 7, 3], "to the last class too");
    }

    #[test]
    fn what_a_class_does_not_want_is_lent() {
        // Two of filing wait, seven could come in: five of these stay with information.
        let demand = Demand { inside: [0, 0, 0, 7], waiting: [0, 0, 2, 50], turn: 0 };
        assert!(demand.may(2, 10));
        assert!(!demand.may(3, 10), "it has more than its share, and somebody before it waits");
        let quiet = Demand { inside: [0, 0, 1, 7], waiting: [0, 0, 0, 50], turn: 0 };
        assert!(quiet.may(3, 10));
    }

    #[test]
    fn somebody_may_always_come_in() {
        for limit in 1..12 {
            for waiting in 1..16u32 {
                let waits = std::array::from_fn(|c| waiting >> c & 1);
                for inside in 0..81u32 {
                    let has = [inside % 3, inside / 3 % 3, inside / 9 % 3, inside / 27 % 3];
                    let demand = Demand { inside: has, waiting: waits, turn: inside };
                    let free = has.iter().sum::<u32>() < limit;
                    assert!(!free || (0..4).any(|c| waits[c] > 0 && demand.may(c, limit)), "{limit} {demand:?}");
                }
            }
        }
    }

    #[test]
    fn with_one_permit_all_have_their_turns() {
        let mut had = [0; CLASSES];
        for turn in 0..1000 {
            let demand = Demand { inside: [0; 4], waiting: [1; 4], turn };
            let next: Vec<usize> = (0..4).filter(|c| demand.may(*c, 1)).collect();
            assert_eq!(next.len(), 1);
            had[next[0]] += 1;
        }
        assert_eq!(had, [400, 300, 200, 100]);
    }
}
