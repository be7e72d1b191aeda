//! Conditions by number, and which of them hold for one request.
//!
//! Does not know: what a condition says.

use smallvec::SmallVec;

/// Numbers of conditions, or of what waits for them.
pub type Numbers = SmallVec<[u32; 2]>;

/// The conditions that hold: a bit for each there is, and the list of those that are set.
pub struct Holding {
    bits: SmallVec<[u64; 16]>,
    all: SmallVec<[u32; 32]>,
}

impl Holding {
    /// Of `count` conditions none.
    pub fn new(count: usize) -> Holding {
        Holding { bits: SmallVec::from_elem(0, count.div_ceil(64)), all: SmallVec::new() }
    }

    pub fn add(&mut self, condition: u32) {
        let bit = 1 << (condition % 64);
        let word = &mut self.bits[condition as usize / 64];
        if *word & bit == 0 {
            *word |= bit;
            self.all.push(condition);
        }
    }

    pub fn add_all(&mut self, conditions: &[u32]) {
        conditions.iter().for_each(|c| self.add(*c));
    }

    pub fn has(&self, condition: u32) -> bool {
        self.bits[condition as usize / 64] & 1 << (condition % 64) != 0
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
