//! `boma pass`: access codes to read out to people who cannot pass otherwise.
//!
//! Does not know: what a code holds.

use serde_json::{Value, json};

use super::incident::warnings;
use super::status::plain;
use super::{Failed, Format, Staff};

#[derive(clap::Subcommand)]
pub enum Pass {
    /// Give out access codes; each is printed once and kept nowhere, and none can be taken back before its end
    Issue {
        /// How many, at most 100
        #[arg(long, default_value_t = 1)]
        count: usize,
        /// How long they hold, from 15m to 365d
        #[arg(long = "for")]
        lasts: String,
        /// Why, such as INC-42
        #[arg(long)]
        reason: String,
        /// The portal that they are for; without it, all
        #[arg(long)]
        portal: Option<String>,
        #[command(flatten)]
        staff: Staff,
    },
}

impl Pass {
    pub fn run(self) -> Result<(), Failed> {
        let Pass::Issue { count, lasts, reason, portal, staff } = self;
        let mut body = json!({ "count": count, "for": lasts, "reason": reason });
        if let Some(portal) = portal {
            body["portal"] = json!(portal);
        }
        let fields = [("content-type", "application/json")];
        let reply = staff.ask("POST", "/api/v1/passes", &fields, body.to_string())?;
        if staff.format == Format::Json {
            println!("{}", reply.body);
            return Ok(());
        }
        let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        // The codes alone go to standard output, so that a script can take them.
        for code in value["codes"].as_array().into_iter().flatten() {
            println!("{}", plain(code));
        }
        warnings(&value).for_each(|warning| eprintln!("{warning}"));
        let ends = value["ends"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok()).unwrap_or_default();
        eprintln!("They hold until {ends} and are shown once. Citizens write one at /.well-known/boma/challenge?code");
        Ok(())
    }
}
