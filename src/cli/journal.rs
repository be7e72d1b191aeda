//! `boma journal`: whether what was done has been left as it was written.
//!
//! Does not know: what a change means.

use std::path::PathBuf;

use super::{FAILED, Failed};
use crate::journal;

#[derive(clap::Subcommand)]
pub enum Journal {
    /// Check that no line was changed, taken out or put in
    Verify {
        /// The journal's file, or the state directory
        #[arg(default_value = "state")]
        path: PathBuf,
    },
}

impl Journal {
    pub fn run(self) -> Result<(), Failed> {
        let Journal::Verify { path } = self;
        let file = if path.is_dir() { journal::file_in(&path) } else { path };
        let lines = journal::verify(&file).map_err(|why| Failed(FAILED, why))?;
        println!("{}: {lines} lines, all as they were written", file.display());
        Ok(())
    }
}
