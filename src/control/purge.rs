//! Kept answers that staff want forgotten.
//!
//! Does not know: HTTP, how answers are kept.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Office;
use super::change::{Applied, Rejected};
use crate::cache::What;

impl Office {
    pub(super) fn purge(&self, portal: Option<&str>, what: &What, gone: &AtomicUsize) -> Result<Applied, Rejected> {
        self.knows(portal)?;
        gone.store(self.house.cache.purge(portal, what), Ordering::Relaxed);
        Ok(Applied { changed: true, ..self.unchanged() })
    }
}
