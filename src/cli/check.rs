//! `boma check`: every fault of the settings and of the files that they name, at once.
//!
//! Does not know: what a fault is.

use std::path::PathBuf;

use super::{CONFIGURATION, Failed, Format};
use crate::control;

#[derive(clap::Args)]
pub struct Check {
    /// The settings file
    #[arg(long, default_value = "boma.toml")]
    config: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Check {
    pub fn run(self) -> Result<(), Failed> {
        let checked = control::check(&self.config);
        if self.format == Format::Json {
            println!("{}", serde_json::json!({ "faults": checked.faults, "warnings": checked.warnings }));
        } else {
            for warning in &checked.warnings {
                println!("warning: {warning}");
            }
            for fault in &checked.faults {
                eprintln!("{fault}");
            }
        }
        match checked.faults.len() {
            0 if self.format == Format::Text => {
                println!("{} and the files that it names are good", self.config.display())
            }
            0 => {}
            n => {
                let said = if self.format == Format::Text { format!("{n} faults") } else { String::new() };
                return Err(Failed(CONFIGURATION, said));
            }
        }
        Ok(())
    }
}
