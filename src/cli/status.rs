//! `boma status`
//!
//! Does not know: where the figures come from.

use serde_json::Value;

use super::{Failed, Format, Staff};

#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    staff: Staff,
}

impl Status {
    pub fn run(self) -> Result<(), Failed> {
        let reply = self.staff.ask("GET", "/api/v1/status", &[], String::new())?;
        if self.staff.format == Format::Json {
            println!("{}", reply.body);
        } else {
            print(&serde_json::from_str(&reply.body).unwrap_or_default());
        }
        Ok(())
    }
}

fn print(status: &Value) {
    let list = |key: &str| status[key].as_array().cloned().unwrap_or_default();
    println!("boma {}   rules generation {}", status["version"].as_str().unwrap_or("?"), status["rules_generation"]);
    list("postures").iter().for_each(portal);
    for pin in list("pins") {
        println!("  pinned: {}   by {}   {}", plain(&pin["level"]), plain(&pin["by"]), plain(&pin["reason"]));
    }
    for m in list("measures") {
        let left = std::time::Duration::from_secs(m["left"].as_u64().unwrap_or(0));
        let (name, owner, reason) = (plain(&m["name"]), plain(&m["owner"]), plain(&m["reason"]));
        println!("  measure {name}   ends in {}   owner {owner}   {reason}", crate::units::left(left));
    }
    for i in list("incidents") {
        let late = if i["overdue"] == true { "   UPDATE OVERDUE" } else { "" };
        println!("  incident {}   {}{late}   {}", i["id"], plain(&i["state"]), plain(&i["title"]));
    }
    for p in list("places") {
        println!("  {} by {}, {} days old", plain(&p["kind"]), plain(&p["file"]), p["days"]);
    }
    for b in list("bots") {
        let by = b["domains"].as_array().filter(|d| !d.is_empty());
        let by = by.map(|d| format!(" by names in {}", d.iter().map(plain).collect::<Vec<_>>().join(", ")));
        let file = b["file"]
            .as_str()
            .map(|_| format!(" by {}: {} networks, {} days old", plain(&b["file"]), b["networks"], b["days"]));
        println!("  bot {}{}{}", plain(&b["name"]), by.unwrap_or_default(), file.unwrap_or_default());
    }
    list("waiting").iter().for_each(room);
    if status["bans"].as_u64().is_some_and(|n| n > 0) {
        println!("  bans: {}", status["bans"]);
    }
    println!(
        "  limits: {} buckets of {}   snapshots: {}",
        status["limits"]["keys"],
        status["limits"]["capacity"],
        list("snapshots").len()
    );
    for (source, at) in status["strain"].as_object().into_iter().flatten().filter(|(_, at)| *at != "none") {
        println!("  strained: {source} is {}", plain(at));
    }
    for (key, label) in [("troubles", "TROUBLE"), ("restart_needed", "needs a restart")] {
        for item in list(key) {
            println!("  {label}: {}", plain(&item));
        }
    }
    for file in list("files_not_in_force") {
        println!("  NOT IN FORCE as it stands: {}", plain(&file["file"]));
        for fault in file["faults"].as_array().cloned().unwrap_or_default() {
            println!("    {}:{}  {}", fault["line"], fault["column"], plain(&fault["message"]));
        }
    }
}

fn portal(p: &Value) {
    println!(
        "  portal {}   posture {}   in flight {} of {}",
        plain(&p["portal"]),
        plain(&p["posture"]),
        p["in_flight"],
        p["max_in_flight"]
    );
    if let Some(percent) = p["recovering"].as_u64() {
        println!("    the origins failed: {percent} % of what they did well with is let in");
    }
    for c in p["classes"].as_array().iter().flat_map(|all| all.iter()) {
        if c["waiting"].as_u64().is_some_and(|n| n > 0) {
            println!(
                "    {}: {} in flight of a share of {}, {} waiting",
                plain(&c["class"]),
                c["in_flight"],
                c["limit"],
                c["waiting"]
            );
        }
    }
    if p["climbed"] != "normal" {
        println!("    by itself {}: {}", plain(&p["climbed"]), plain(&p["why"]));
    }
}

pub fn plain(value: &Value) -> String {
    // Nobody's reason may look like a line of boma's own, or move the cursor.
    let one_line = |text: &str| text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    value.as_str().map_or_else(|| value.to_string(), one_line)
}

/// A waiting room in which anybody is.
fn room(r: &Value) {
    let line = if r["still"] == true {
        "stands still".to_owned()
    } else {
        format!("{:.1} called a second", r["rate"].as_f64().unwrap_or(0.0))
    };
    println!(
        "  waiting room {} {}   {} wait   {line}   {} called   {} let in",
        plain(&r["portal"]),
        plain(&r["class"]),
        r["waiting"],
        r["called"],
        r["visiting"]
    );
}
