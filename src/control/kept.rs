//! What workers keep by the million is kept in files of its own, not in the store: limits' buckets, known paths, and when
//! passes were made. So is what was learnt of how much origins bear, and of whether citizens load parts of pages.
//!
//! Does not know: what they are for.

use std::io;
use std::path::Path;

use super::{Office, files};
use crate::bounds;
use crate::clock::SECOND;

const LIMITS: &str = "limits.bin";
const KNOWN: &str = "known-paths.bin";
const MADE: &str = "passes-made.bin";
const VOUCHED: &str = "passes-vouched.bin";
const LEARNT: &str = "limits-learnt.json";
const USUAL: &str = "readers-usual.json";

impl Office {
    /// Writes them. A file that cannot be written is no reason to stop, and is said. Where another process has taken over
    /// these are its own by now, but for what was counted here meanwhile.
    pub fn keep(&self) {
        self.keep_minute(&mut self.counting());
        let now = self.house.now().unix();
        self.keep_seen(&mut self.counting(), now);
        if !self.has_handed_over() {
            self.keep_days();
            self.keep_tables(true);
        }
    }

    fn keep_tables(&self, with_limits: bool) {
        let house = &self.house;
        let limits = || {
            let now = house.now();
            let mut limits = now.wall.to_le_bytes().to_vec();
            limits.extend(house.limits.save(now.mono));
            limits
        };
        let write = |name: &str, bytes: &[u8]| files::write_whole(&self.state_dir.join(name), bytes, 0o600);
        let written = write(KNOWN, &house.known.save())
            .and_then(|()| write(MADE, &house.settled.save()))
            .and_then(|()| write(VOUCHED, &house.settled.save_vouched()))
            .and_then(|()| write(LEARNT, &house.counters.save()))
            .and_then(|()| write(USUAL, &house.books.usuals.save()))
            .and_then(|()| if with_limits { write(LIMITS, &limits()) } else { Ok(()) });
        if let Err(e) = written {
            tracing::warn!(error = %e, "limits and known paths cannot be kept over a restart");
        }
    }

    /// The same in between; limits only where that takes no time that anybody would notice.
    pub(super) fn keep_some(&self) {
        self.keep_tables(self.house.limits.keys() <= bounds::KEEP_BUCKETS);
    }

    /// Takes up what was kept.
    pub(super) fn restore_kept(&self) {
        let house = &self.house;
        let read = |name: &str| -> io::Result<Vec<u8>> { read(&self.state_dir.join(name)) };
        if let Ok(bytes) = read(LIMITS)
            && let Some((at, buckets)) = bytes.split_first_chunk::<8>()
        {
            let now = house.now();
            // A clock that was set back makes it longer ago than it was, and buckets fuller: never stricter.
            let ago = now.wall.checked_sub(u64::from_le_bytes(*at)).unwrap_or(3600 * SECOND);
            house.limits.load(buckets, ago, now.mono);
        }
        if let Ok(bytes) = read(KNOWN) {
            house.known.load(&bytes);
        }
        if let Ok(bytes) = read(MADE) {
            house.settled.load(&bytes);
        }
        if let Ok(bytes) = read(VOUCHED) {
            house.settled.load_vouched(&bytes);
        }
        if let Ok(bytes) = read(LEARNT) {
            house.counters.load(&bytes);
        }
        if let Ok(bytes) = read(USUAL) {
            house.books.usuals.load(&bytes);
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    files::read_up_to(path, bounds::KEPT_BYTES)
}
