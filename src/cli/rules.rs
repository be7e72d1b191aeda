//! `boma rules`: show the rules in force, or put a file in their place.
//!
//! Does not know: what rules mean.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::incident::print_warnings;
use super::status::plain;
use super::{FAILED, Failed, Format, Staff, escaped, preview};
use crate::rules::{self, Sources};

#[derive(clap::Subcommand)]
pub enum Rules {
    /// Print the rules in force
    Show {
        /// In one spelling: sorted by name, defaults left out, every pattern as it is matched
        #[arg(long)]
        normal: bool,
        #[command(flatten)]
        staff: Staff,
    },
    /// Put a file's rules in force; the running boma writes them to its own rules file
    Apply {
        /// The new rules
        file: PathBuf,
        #[command(flatten)]
        force: Force,
        #[command(flatten)]
        staff: Staff,
    },
    /// Try a file's rules on the last ten minutes, without putting them in force
    Preview {
        /// The draft
        file: PathBuf,
        #[command(flatten)]
        staff: Staff,
    },
    /// List earlier versions of the rules
    History {
        #[command(flatten)]
        staff: Staff,
    },
    /// Show what changed between two versions; left out: the one before, and the rules in force
    Diff {
        /// The older version
        old: Option<u64>,
        /// The newer one
        new: Option<u64>,
        #[command(flatten)]
        staff: Staff,
    },
    /// Go back to an earlier version; left out: the one before
    Rollback {
        /// The version to go back to
        #[arg(value_name = "VERSION")]
        number: Option<u64>,
        #[command(flatten)]
        force: Force,
        #[command(flatten)]
        staff: Staff,
    },
}

/// Although staff's own networks or many settled citizens would be hit.
#[derive(clap::Args)]
pub struct Force {
    /// Although it would hit staff or many settled citizens; with a reason
    #[arg(long, requires = "reason")]
    force: bool,
    /// Why it is forced, such as INC-42
    #[arg(long)]
    reason: Option<String>,
}

impl Force {
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref().filter(|_| self.force)
    }
}

impl Rules {
    pub fn run(self) -> Result<(), Failed> {
        match self {
            Rules::Show { normal, staff } => {
                let mut reply = staff.ask("GET", "/api/v1/rules", &[], String::new())?;
                if normal {
                    reply.body = spelled(&reply.body)?;
                }
                match staff.format {
                    Format::Text => print!("{}", reply.body),
                    Format::Json => println!("{}", serde_json::json!({ "generation": reply.etag, "text": reply.body })),
                }
                Ok(())
            }
            Rules::Preview { file, staff } => {
                let toml = ("content-type", "application/toml");
                let reply = staff.ask("POST", "/api/v1/rules/preview", &[toml], read(&file)?)?;
                match staff.format {
                    Format::Json => println!("{}", reply.body),
                    Format::Text => preview::print(&serde_json::from_str(&reply.body).unwrap_or_default()),
                }
                Ok(())
            }
            Rules::Apply { file, force, staff } => {
                let text = read(&file)?;
                let now = staff.ask("GET", "/api/v1/rules", &[], String::new())?;
                let query = force.reason().map_or(String::new(), |reason| format!("?force={}", escaped(reason)));
                let reply = staff.ask(
                    "PUT",
                    &format!("/api/v1/rules{query}"),
                    &[("if-match", &now.etag), ("content-type", "application/toml")],
                    text,
                )?;
                in_force(&staff, &reply.body);
                Ok(())
            }
            Rules::History { staff } => history(&staff),
            Rules::Diff { old, new, staff } => diff(&staff, old, new),
            Rules::Rollback { number, force, staff } => {
                let body = json!({ "version": number, "force": force.reason() }).to_string();
                let reply =
                    staff.ask("POST", "/api/v1/rules/rollback", &[("content-type", "application/json")], body)?;
                in_force(&staff, &reply.body);
                Ok(())
            }
        }
    }
}

fn read(file: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(file).map_err(|e| Failed(FAILED, format!("{} cannot be read: {e}", file.display())))
}

/// The same rules in one spelling. What they refer to is the running boma's, and there.
fn spelled(text: &str) -> Result<String, Failed> {
    let now = crate::clock::Clock::system().now().unix();
    let sources = Sources { list: &|_| Ok(String::new()), countries: true, asns: true, ..Sources::at(now) };
    let read = rules::normal("rules", text, &sources);
    match read.faults.first() {
        Some(fault) => Err(Failed(FAILED, format!("this version of boma does not read them: {fault}"))),
        None => Ok(read.value),
    }
}

fn in_force(staff: &Staff, body: &str) {
    match staff.format {
        Format::Json => println!("{body}"),
        Format::Text => {
            let value: Value = serde_json::from_str(body).unwrap_or_default();
            println!("in force, generation {}", value["generation"]);
            print_warnings(&value);
        }
    }
}

fn versions(staff: &Staff) -> Result<(String, Vec<Value>), Failed> {
    let reply = staff.ask("GET", "/api/v1/rules/history", &[], String::new())?;
    let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let all = value["versions"].as_array().cloned().unwrap_or_default();
    Ok((reply.body, all))
}

fn history(staff: &Staff) -> Result<(), Failed> {
    let (body, all) = versions(staff)?;
    if staff.format == Format::Json {
        println!("{body}");
        return Ok(());
    }
    for v in all.iter().rev() {
        let at = v["at"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok()).unwrap_or_default();
        let mark = if v["in_force"] == true { "   in force" } else { "" };
        println!("{:>4}   {at}   {:>7} bytes   {}{mark}", v["version"], v["bytes"], plain(&v["who"]));
    }
    Ok(())
}

fn diff(staff: &Staff, old: Option<u64>, new: Option<u64>) -> Result<(), Failed> {
    let numbers: Vec<u64> = versions(staff)?.1.iter().filter_map(|v| v["version"].as_u64()).collect();
    let new = new.or(numbers.last().copied()).unwrap_or(1);
    let before = numbers.iter().rev().find(|n| **n < new).copied();
    let Some(old) = old.or(before) else {
        return Err(Failed(FAILED, "there is no version of the rules before this one".into()));
    };
    let text = |n: u64| staff.ask("GET", &format!("/api/v1/rules/history/{n}"), &[], String::new()).map(|r| r.body);
    let (old_text, new_text) = (text(old)?, text(new)?);
    if staff.format == Format::Json {
        println!(
            "{}",
            json!({ "old": { "version": old, "text": old_text }, "new": { "version": new, "text": new_text } })
        );
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(&old_text, &new_text);
    print!("{}", diff.unified_diff().header(&format!("version {old}"), &format!("version {new}")));
    Ok(())
}
