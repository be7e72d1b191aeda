//! Conditions by number, and which of them hold for one request.
//!
//! Does not know: what a condition says.

use smallvec::SmallVec;

/// Numbers of conditions, or of what waits for them.
pub type Numbers = SmallVec<[u32; 2]>;

/// Words of 64 bits that lie in the struct itself: as many conditions as most laws have.
const NEAR: usize = 16;

/// The conditions that hold: a bit for each there is, and the list of those that are set.
pub struct Holding {
    // Not one SmallVec: it is filled before it is put here, and to move what was just written stalls.
    near: [u64; NEAR],
    far: Vec<u64>,
    all: SmallVec<[u32; 32]>,
}

impl Holding {
    /// Of `count` conditions none.
    pub fn new(count: usize) -> Holding {
        Holding { near: [0; NEAR], far: vec![0; count.div_ceil(64).saturating_sub(NEAR)], all: SmallVec::new() }
    }

    #[inline]
    pub fn add(&mut self, condition: u32) {
        let bit = 1 << (condition % 64);
        let at = condition as usize / 64;
        let word = if at < NEAR { &mut self.near[at] } else { &mut self.far[at - NEAR] };
        if *word & bit == 0 {
            *word |= bit;
            self.all.push(condition);
        }
    }

    #[inline]
    pub fn add_all(&mut self, conditions: &[u32]) {
        conditions.iter().for_each(|c| self.add(*c));
    }

    pub fn has(&self, condition: u32) -> bool {
        let at = condition as usize / 64;
        let word = if at < NEAR { self.near[at] } else { self.far[at - NEAR] };
        word & 1 << (condition % 64) != 0
    }

    /// Each once, in no order.
    pub fn all(&self) -> &[u32] {
        &self.all
    }
}

/// Rows of numbers, one behind the other: few allocations, whose giving back takes no time.
#[derive(Debug, Default)]
pub struct Rows {
    ends: Vec<u32>,
    numbers: Vec<u32>,
}

impl Rows {
    pub fn push(&mut self, row: &[u32]) -> u32 {
        self.numbers.extend_from_slice(row);
        self.ends.push(self.numbers.len() as u32);
        self.ends.len() as u32 - 1
    }

    /// The row that was pushed as the `at`-th.
    pub fn row(&self, at: u32) -> &[u32] {
        let at = at as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.numbers[start..self.ends[at] as usize]
    }
}
