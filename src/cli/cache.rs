//! `boma cache`: kept answers that are to be forgotten.
//!
//! Does not know: how answers are kept.

use serde_json::{Value, json};

use super::incident::print_warnings;
use super::{Failed, Format, Staff};

#[derive(clap::Subcommand)]
pub enum Cache {
    /// Forget kept answers
    #[command(group = clap::ArgGroup::new("what").required(true))]
    Purge {
        /// One path, with every query: /news
        #[arg(group = "what")]
        path: Option<String>,
        /// A path and all below it: /news; all that begin so: "/news*"
        #[arg(long, group = "what")]
        prefix: Option<String>,
        /// What its origin gave this tag (Cache-Tag, Surrogate-Key)
        #[arg(long, group = "what")]
        tag: Option<String>,
        /// Everything
        #[arg(long, group = "what")]
        all: bool,
        /// Of this portal only
        #[arg(long)]
        portal: Option<String>,
        #[command(flatten)]
        staff: Staff,
    },
}

impl Cache {
    pub fn run(self) -> Result<(), Failed> {
        let Cache::Purge { path, prefix, tag, all, portal, staff } = self;
        let mut body = json!({});
        for (name, value) in [("path", path), ("prefix", prefix), ("tag", tag), ("portal", portal)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        if all {
            body["all"] = json!(true);
        }
        let fields = [("content-type", "application/json")];
        let reply = staff.ask("POST", "/api/v1/cache/purge", &fields, body.to_string())?;
        match staff.format {
            Format::Json => println!("{}", reply.body),
            Format::Text => {
                let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
                println!("{} kept answers forgotten", value["purged"].as_u64().unwrap_or(0));
                print_warnings(&value);
            }
        }
        Ok(())
    }
}
