//! How much work a challenge asks for: aimed at a waiting time, not at a constant.
//!
//! Does not know: who asks, what a limit is.

/// How much there is to do: `count` searches, each 2^`bits` tries on average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub bits: u8,
    pub count: u8,
}

impl Work {
    /// From some 16,000 tries to twice as many with each step. The waits of the first four, which are all that posture and
    /// load ask for, are in the README; the last two are for prefixes that passes are made for in masses.
    pub const STEPS: [Work; 6] = [
        Work { bits: 10, count: 16 },
        Work { bits: 10, count: 32 },
        Work { bits: 11, count: 32 },
        Work { bits: 12, count: 32 },
        Work { bits: 13, count: 32 },
        Work { bits: 14, count: 32 },
    ];
    /// The hardest step for ordinary citizens.
    pub const ORDINARY: usize = 3;
    /// Seconds that the lane without scripts waits, by step.
    const WAITS: [u8; 6] = [3, 5, 8, 12, 20, 30];

    /// The work of a step; beyond the last it grows no more.
    pub fn step(step: usize) -> Work {
        Work::STEPS[step.min(Work::STEPS.len() - 1)]
    }

    /// How long who cannot work waits instead, in seconds.
    pub fn wait(step: usize) -> u8 {
        Work::WAITS[step.min(Work::WAITS.len() - 1)]
    }
}

/// What a challenge is made hard by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// The level of pass asked for.
    pub level: u8,
    /// The posture's own step.
    pub posture: u8,
    /// Whether the portal has hardly a permit left.
    pub pressed: bool,
    /// How far the prefix has used up what passes it gets, in thousandths.
    pub minted: u32,
}

impl Demand {
    /// What posture, level and load ask for stays ordinary; a prefix that passes are made for in masses pays beyond.
    pub fn step(&self) -> usize {
        let level = usize::from(self.level.saturating_sub(1));
        let ordinary = (usize::from(self.posture) + level + usize::from(self.pressed)).min(Work::ORDINARY);
        let record = [500, 750, 950].iter().filter(|most| self.minted >= **most).count();
        ordinary + record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citizens_pay_little_and_masses_more() {
        let step = |posture, pressed, minted| Demand { level: 1, posture, pressed, minted }.step();
        assert_eq!(step(0, false, 0), 0);
        assert_eq!((step(1, false, 0), step(1, true, 0), step(9, true, 0)), (1, 2, Work::ORDINARY));
        assert_eq!((step(1, false, 499), step(1, false, 500), step(1, false, 1000)), (1, 2, 4));
        assert_eq!(Work::step(99), Work::STEPS[5]);
        assert!(Work::wait(0) >= 3 && Work::wait(99) == 30);
    }
}
