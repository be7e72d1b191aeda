//! `boma ban`: who is sent away before anything is read of them.
//!
//! Does not know: what holds a ban.

use serde_json::{Value, json};

use super::incident::print_warnings;
use super::status::plain;
use super::{Failed, Format, Staff, preview};

const JSON: (&str, &str) = ("content-type", "application/json");

#[derive(clap::Subcommand)]
pub enum Ban {
    /// Send a network away
    Add {
        /// A network or an address, such as 192.0.2.0/24
        net: String,
        /// How long, at most 30d
        #[arg(long = "for")]
        lasts: String,
        /// Why, such as INC-42
        #[arg(long)]
        reason: String,
        /// Only tell whom it would have hit in the last ten minutes
        #[arg(long)]
        preview: bool,
        /// Although staff's own networks, settled citizens or a whole provider are in it
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        staff: Staff,
    },
    /// The bans that hold
    List {
        #[command(flatten)]
        staff: Staff,
    },
    /// Let a network in again
    Remove {
        net: String,
        #[command(flatten)]
        staff: Staff,
    },
}

impl Ban {
    pub fn run(self) -> Result<(), Failed> {
        let (staff, reply) = match self {
            Ban::Add { net, lasts, reason, preview, force, staff } => {
                if preview || staff.format == Format::Text {
                    let asked = json!({ "net": net }).to_string();
                    match (staff.ask("POST", "/api/v1/bans/preview", &[JSON], asked), staff.format) {
                        // Banning fails likewise, or does not need it.
                        (Err(_), _) if !preview => {}
                        (Err(failed), _) => return Err(failed),
                        (Ok(tried), Format::Json) => println!("{}", tried.body),
                        (Ok(tried), Format::Text) => {
                            preview::print(&serde_json::from_str(&tried.body).unwrap_or_default());
                        }
                    }
                    if preview {
                        return Ok(());
                    }
                }
                let body = json!({ "net": net, "for": lasts, "reason": reason, "force": force }).to_string();
                let reply = staff.ask("POST", "/api/v1/bans", &[JSON], body)?;
                (staff, reply)
            }
            Ban::Remove { net, staff } => {
                let reply = staff.ask("DELETE", &format!("/api/v1/bans/{net}"), &[], String::new())?;
                (staff, reply)
            }
            Ban::List { staff } => {
                let reply = staff.ask("GET", "/api/v1/bans", &[], String::new())?;
                if staff.format == Format::Json {
                    println!("{}", reply.body);
                } else {
                    print_all(&serde_json::from_str(&reply.body).unwrap_or_default());
                }
                return Ok(());
            }
        };
        match staff.format {
            Format::Json => println!("{}", reply.body),
            Format::Text => {
                println!("done");
                let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
                print_warnings(&value);
            }
        }
        Ok(())
    }
}

fn print_all(value: &Value) {
    let all = value["bans"].as_array().cloned().unwrap_or_default();
    if all.is_empty() {
        println!("no ban holds");
    }
    for b in all {
        let until = b["until"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok()).unwrap_or_default();
        let by = b["by"].as_str().map_or_else(|| format!("by itself, time {}", b["times"]), str::to_owned);
        println!("{}   until {until}   {by}   {}", plain(&b["net"]), plain(&b["reason"]));
    }
}
