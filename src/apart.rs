//! What all workers write and few read, in a piece of memory for each of some workers. Two cores that write to one line of
//! memory wait for each other, and on the way of every request that costs more than everything that is written there; whoever
//! reads adds the pieces up.
//!
//! Does not know: what is counted.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Beyond so many workers some share a piece, which is right, and slower.
const PIECES: usize = 8;

/// Two lines of memory, because processors fetch them by twos.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Piece<T>(T);

#[derive(Debug, Default)]
pub struct Apart<T>([Piece<T>; PIECES]);

impl<T> Apart<T> {
    /// The calling thread's.
    pub fn mine(&self) -> &T {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PIECES);
        &self.0[MINE.with(|at| *at)].0
    }

    /// All of them, to be added up.
    pub fn each(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|piece| &piece.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn what_many_threads_count_adds_up() {
        let count: Apart<AtomicU64> = Apart::default();
        std::thread::scope(|scope| {
            for _ in 0..3 * PIECES {
                scope.spawn(|| {
                    for _ in 0..100 {
                        count.mine().fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let pieces: Vec<u64> = count.each().map(|n| n.load(Ordering::Relaxed)).collect();
        assert_eq!(pieces.iter().sum::<u64>(), 300 * PIECES as u64);
        assert!(pieces.iter().filter(|n| **n > 0).count() > 1, "{pieces:?}");
    }
}
