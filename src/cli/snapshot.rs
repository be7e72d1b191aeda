//! `boma snapshot`: copies of pages for bad days.
//!
//! Does not know: how a page is fetched.

use serde_json::{Value, json};

use super::incident::print_warnings;
use super::{Failed, Format, Staff, escaped};

#[derive(clap::Subcommand)]
pub enum Snapshot {
    /// Which copies there are, and how taking them stands
    List {
        /// Of this portal only
        #[arg(long)]
        portal: Option<String>,
        #[command(flatten)]
        staff: Staff,
    },
    /// Take copies anew, soon
    Refresh {
        /// Of these paths; all where none is named
        paths: Vec<String>,
        /// Of this portal only
        #[arg(long)]
        portal: Option<String>,
        #[command(flatten)]
        staff: Staff,
    },
    /// What has changed in a page between two of its versions
    Diff {
        path: String,
        /// The older version: 1 is the newest
        #[arg(long, default_value_t = 2)]
        from: usize,
        /// The newer one
        #[arg(long, default_value_t = 1)]
        to: usize,
        #[arg(long)]
        portal: Option<String>,
        #[command(flatten)]
        staff: Staff,
    },
}

impl Snapshot {
    pub fn run(self) -> Result<(), Failed> {
        match self {
            Snapshot::List { portal, staff } => {
                let query = portal.map_or(String::new(), |p| format!("?portal={}", escaped(&p)));
                let reply = staff.ask("GET", &format!("/api/v1/snapshots{query}"), &[], String::new())?;
                show(&staff, &reply.body, list);
            }
            Snapshot::Refresh { paths, portal, staff } => {
                let body = json!({ "paths": paths, "portal": portal }).to_string();
                let fields = [("content-type", "application/json")];
                let reply = staff.ask("POST", "/api/v1/snapshots/refresh", &fields, body)?;
                show(&staff, &reply.body, |value| {
                    println!("they are taken anew; `boma snapshot list` shows how that goes");
                    print_warnings(value);
                });
            }
            Snapshot::Diff { path, from, to, portal, staff } => {
                let portal = portal.map_or(String::new(), |p| format!("&portal={}", escaped(&p)));
                let query = format!("path={}&from={from}&to={to}{portal}", escaped(&path));
                let reply = staff.ask("GET", &format!("/api/v1/snapshots/diff?{query}"), &[], String::new())?;
                show(&staff, &reply.body, diff);
            }
        }
        Ok(())
    }
}

fn show(staff: &Staff, body: &str, print: impl Fn(&Value)) {
    match staff.format {
        Format::Json => println!("{body}"),
        Format::Text => print(&serde_json::from_str(body).unwrap_or_default()),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn time(value: &Value) -> String {
    let time = value.as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok());
    time.map_or("never".into(), |at| at.to_string())
}

fn list(told: &Value) {
    let all = |of: &Value| of.as_array().cloned().unwrap_or_default();
    for p in all(&told["portals"]) {
        println!(
            "portal {}   {}   last round ended {}   pages {}   parts {}   failed {}",
            text(&p["portal"]),
            text(&p["state"]),
            time(&p["ended"]),
            p["pages"],
            p["parts"],
            p["failed"]
        );
        if let Some(why) = p["broke_off"].as_str() {
            println!("  broke off: {why}");
        }
        for address in all(&p["unexpected"]) {
            println!("  NOT AS EXPECTED: {}", text(&address));
        }
        for refusal in all(&p["refused"]) {
            println!("  not kept: {}   {}", text(&refusal["address"]), text(&refusal["why"]));
        }
    }
    for s in all(&told["snapshots"]) {
        println!(
            "{}   {}   as of {}   {} bytes   {} versions",
            text(&s["portal"]),
            text(&s["path"]),
            time(&s["checked"]),
            s["bytes"],
            all(&s["versions"]).len()
        );
    }
}

fn diff(told: &Value) {
    match text(&told["diff"]) {
        "" => println!("nothing differs"),
        diff => print!("{diff}"),
    }
    if told["cut"] == true {
        println!("… and more");
    }
}
