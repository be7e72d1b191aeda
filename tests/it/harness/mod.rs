//! The house under test, its origin and its clients. Everything on port 0, everything ended by its own handle.

mod boma;
mod disk;
mod http;
pub mod mmdb;
mod nginx;
mod origin;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use boma::{Boma, Setup, TOKEN, command};
pub use disk::Disk;
pub use http::{Answer, Client, get, load, navigate, request};
pub use nginx::{Nginx, SITE};
pub use origin::{Mode, Origin, Reached};

/// The ceiling under which whatever is waited for must happen; how fast it does is a bench's to say.
pub const CEILING: Duration = Duration::from_secs(60);

/// Waits until `done` gives something; fails with `what` at the ceiling.
pub fn eventually<T>(what: &str, done: impl FnMut() -> Option<T>) -> T {
    within_ceiling(done).unwrap_or_else(|| panic!("within {CEILING:?}: {what}"))
}

/// Waits until `done` gives something, or the ceiling is reached: for a test that has more to say of why it was not.
pub fn within_ceiling<T>(mut done: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = done() {
            return Some(value);
        }
        if start.elapsed() >= CEILING {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A folder of one test's own, gone when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("boma-it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
