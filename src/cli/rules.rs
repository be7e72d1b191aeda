//! `boma rules`: show the rules in force, or put a file in their place.
//!
//! Does not know: what rules mean.

use std::path::PathBuf;

use serde_json::Value;

use super::{FAILED, Failed, Format, Staff};

#[derive(clap::Subcommand)]
pub enum Rules {
    /// Print the rules in force
    Show {
        #[command(flatten)]
        staff: Staff,
    },
    /// Put a file's rules in force; the running boma writes them to its own rules file
    Apply {
        /// The new rules
        file: PathBuf,
        #[command(flatten)]
        staff: Staff,
    },
}

impl Rules {
    pub fn run(self) -> Result<(), Failed> {
        match self {
            Rules::Show { staff } => {
                let reply = staff.ask("GET", "/api/v1/rules", &[], String::new())?;
                match staff.format {
                    Format::Text => print!("{}", reply.body),
                    Format::Json => println!("{}", serde_json::json!({ "generation": reply.etag, "text": reply.body })),
                }
                Ok(())
            }
            Rules::Apply { file, staff } => {
                let unreadable = |e| Failed(FAILED, format!("{} cannot be read: {e}", file.display()));
                let text = std::fs::read_to_string(&file).map_err(unreadable)?;
                let now = staff.ask("GET", "/api/v1/rules", &[], String::new())?;
                let reply = staff.ask(
                    "PUT",
                    "/api/v1/rules",
                    &[("if-match", &now.etag), ("content-type", "application/toml")],
                    text,
                )?;
                match staff.format {
                    Format::Json => println!("{}", reply.body),
                    Format::Text => {
                        let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
                        println!("in force, generation {}", value["generation"]);
                    }
                }
                Ok(())
            }
        }
    }
}
