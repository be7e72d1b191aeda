//! The staff's tokens: a file like the others, and what it says in force at the door.
//!
//! Does not know: how a token is checked.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::change::{Applied, Rejected};
use super::start::{Reading, TOKENS, unreadable};
use super::{Desk, Office, files};
use crate::staff::{self, Tokens};

impl Reading {
    /// At the start; boma serves citizens without them where they cannot be had.
    pub fn tokens(&mut self, path: Option<&Path>) -> Tokens {
        let Some(path) = path else { return Tokens::default() };
        let before = self.found.faults.len();
        let tokens = self.file(path, TOKENS, staff::read, Some(String::new()));
        if !self.strict {
            for fault in self.found.faults.split_off(before) {
                self.found.troubles.push(format!("{fault}; nobody comes in by a token of this file"));
                self.found.differs.push((fault.file.clone(), vec![fault]));
            }
        }
        tokens.unwrap_or_default()
    }
}

impl Office {
    /// New tokens, whole; a file with faults leaves the old ones in force.
    pub(super) fn tokens(&self, desk: &mut Desk, text: &str) -> Result<Applied, Rejected> {
        let settings = self.house.town.load().settings.clone();
        let Some(path) = &settings.admin.tokens else { return Ok(self.unchanged()) };
        self.take_tokens(desk, path, text)
    }

    fn take_tokens(&self, desk: &mut Desk, path: &Path, text: &str) -> Result<Applied, Rejected> {
        let path = path.display().to_string();
        let read = staff::read(&path, text);
        if !read.faults.is_empty() {
            return Err(self.refused(desk, &path, read.faults));
        }
        self.taken(desk, &path, TOKENS, text);
        let changed = **self.house.tokens.load() != read.value;
        self.house.tokens.store(Arc::new(read.value));
        Ok(Applied { changed, ..self.unchanged() })
    }

    /// Nobody comes in by the old file's, after a restart either.
    fn forget_tokens(&self) {
        self.house.tokens.store(Arc::default());
        if let Err(e) = self.last_good.save(TOKENS, b"") {
            self.house.trouble(format!("the last good copy of the old tokens cannot be emptied ({e})"));
        }
    }

    /// The settings name another file, or none any more. One that cannot be used leaves the old tokens in force, and is
    /// heard when it is mended.
    pub(super) fn other_tokens(&self, desk: &mut Desk, path: Option<&Path>) {
        let Some(path) = path else {
            self.forget_tokens();
            return;
        };
        let shown = path.display().to_string();
        match files::read_text(path) {
            Ok(text) => drop(self.take_tokens(desk, path, &text)),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.forget_tokens();
                self.house.trouble(format!("{shown} is not there: `boma token add` writes it"));
            }
            Err(e) => drop(self.refused(desk, &shown, vec![unreadable(&shown, &e)])),
        }
    }
}
