//! The files of lists beside the rules: read for the law, stamped for the watcher, kept for the next start.
//!
//! Does not know: what a list is for.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::files::{self, LastGood};
use super::start::Stamps;
use crate::rules;

/// One reading of all files that a law names.
pub struct ListFiles<'a> {
    folder: PathBuf,
    /// Where what cannot be used is looked for instead: at the start only.
    instead: Option<&'a LastGood>,
    /// Paths, texts, and whether they can be used as they stand.
    read: RefCell<Vec<(PathBuf, String, bool)>>,
    troubles: RefCell<Vec<(String, String)>>,
}

impl<'a> ListFiles<'a> {
    /// Of the rules file at `rules`, in whose folder relative paths start.
    pub fn new(rules: &Path, instead: Option<&'a LastGood>) -> ListFiles<'a> {
        let folder = rules.parent().unwrap_or(Path::new("/")).to_owned();
        ListFiles { folder, instead, read: RefCell::default(), troubles: RefCell::default() }
    }

    /// A file's text.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn get(&self, written: &str) -> Result<String, String> {
        let path = self.folder.join(written);
        let text = files::read_text(&path).map_err(|e| e.to_string());
        // Where nothing would stand in for it, what is wrong with it is a fault of the rules.
        let fit = text.as_ref().is_ok_and(|t| self.instead.is_none() || rules::is_list(t));
        if let Ok(text) = &text {
            self.read.borrow_mut().push((path.clone(), text.clone(), fit));
        }
        if !fit && let Some(kept) = self.instead.and_then(|l| l.load_text(&name(&path))) {
            let why = text.err().unwrap_or_else(|| "lines that are no networks".into());
            self.troubles.borrow_mut().push((path.display().to_string(), why));
            return Ok(kept);
        }
        text
    }

    pub fn stamps(&self) -> Stamps {
        self.read.borrow().iter().map(|(path, text, _)| (path.clone(), files::stamp(text.as_bytes()))).collect()
    }

    /// Files whose last good copy is in force, and why.
    pub fn troubles(&self) -> Vec<(String, String)> {
        self.troubles.borrow().clone()
    }

    /// Keeps copies of those that can be used. Only for rules without a fault.
    ///
    /// # Errors
    /// The system's, in words.
    pub fn keep(&self, last_good: &LastGood) -> Result<(), String> {
        for (path, text, _) in self.read.borrow().iter().filter(|(.., fit)| *fit) {
            let saved = last_good.save(&name(path), text.as_bytes());
            saved.map_err(|e| format!("no last good copy of {} can be kept ({e})", path.display()))?;
        }
        Ok(())
    }
}

/// What the last good copy is called.
fn name(path: &Path) -> String {
    format!("list-{:016x}.txt", files::stamp(path.as_os_str().as_encoded_bytes()))
}
