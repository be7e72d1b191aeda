//! `boma posture`: show it, pin it with reason and end, or give it back.
//!
//! Does not know: what a posture does.

use serde_json::{Value, json};

use super::incident::print_warnings;
use super::status::plain;
use super::{Failed, Format, Staff, USAGE};
use crate::plan::Level;

#[derive(clap::Args)]
pub struct Posture {
    /// normal, guarded, attack, static, closed, or auto; left out: show
    level: Option<String>,
    /// How long, such as 30m
    #[arg(long = "for")]
    lasts: Option<String>,
    /// Why, such as INC-42
    #[arg(long)]
    reason: Option<String>,
    /// What follows at the end, until somebody changes it; without it auto, and after closed static
    #[arg(long)]
    then: Option<String>,
    /// One portal instead of all
    #[arg(long)]
    portal: Option<String>,
    #[command(flatten)]
    staff: Staff,
}

impl Posture {
    pub fn run(self) -> Result<(), Failed> {
        let mut losses = None;
        let reply = match &self.level {
            None => self.staff.ask("GET", "/api/v1/posture", &[], String::new())?,
            Some(level) => {
                self.complete(level)?;
                losses = Level::named(level).map(|level| (level, self.losses(level)));
                if let (Some((level, lost)), Format::Text) = (&losses, self.staff.format) {
                    tell_losses(*level, lost.as_ref());
                }
                let wish = json!({ "level": level, "for": self.lasts, "reason": self.reason, "then": self.then, "portal": self.portal });
                self.staff.ask("PUT", "/api/v1/posture", &[("content-type", "application/json")], wish.to_string())?
            }
        };
        let mut value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        if self.staff.format == Format::Json {
            if let Some((_, lost)) = losses {
                value["losses"] = lost.unwrap_or_default();
            }
            println!("{value}");
            return Ok(());
        }
        let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
        for portal in list("portals") {
            println!("{}: {}", plain(&portal["portal"]), plain(&portal["posture"]));
            print_cause(&portal, &list("pins"));
        }
        print_warnings(&value);
        Ok(())
    }

    /// What the last ten minutes would have lost; `None`: it cannot be told.
    fn losses(&self, level: Level) -> Option<Value> {
        let step = json!({ "level": level, "portal": self.portal }).to_string();
        let asked = self.staff.ask("POST", "/api/v1/posture/preview", &[("content-type", "application/json")], step);
        serde_json::from_str(&asked.ok()?.body).ok()
    }

    /// Usage faults are told here, before anybody is asked.
    fn complete(&self, level: &str) -> Result<(), Failed> {
        let names = Level::NAMES.join(", ");
        let known = |name: &str| name == "auto" || Level::named(name).is_some();
        if let Some(bad) = [Some(level), self.then.as_deref()].into_iter().flatten().find(|n| !known(n)) {
            return Err(Failed(USAGE, format!("{bad:?} is no posture: write one of {names}, or auto")));
        }
        if level != "auto" && (self.lasts.is_none() || self.reason.as_deref().is_none_or(|r| r.trim().is_empty())) {
            return Err(Failed(
                USAGE,
                "a posture is pinned with an end and a reason: --for 30m --reason INC-42".into(),
            ));
        }
        Ok(())
    }
}

/// What citizens lose is said before it is pinned.
fn tell_losses(level: Level, losses: Option<&Value>) {
    println!("{}", loses(level));
    let Some(losses) = losses else {
        println!("What the last ten minutes would have lost cannot be told.");
        return;
    };
    let number = |v: &Value| v.as_u64().unwrap_or(0);
    println!("Of {} requests that were served in the last ten minutes", number(&losses["served"]));
    for (key, what) in [("copies", "would be answered by a copy"), ("challenged", "would be checked first")] {
        if number(&losses[key]) > 0 {
            println!("  {} {what}", number(&losses[key]));
        }
    }
    let lost = losses["lost"].as_array().cloned().unwrap_or_default();
    for l in &lost {
        println!("  lost: {} {}, of {} clients or more", number(&l["requests"]), named_loss(l), number(&l["clients"]));
    }
    for service in losses["services"].as_array().into_iter().flatten() {
        println!("    {} for {}", number(&service[1]), plain(&service[0]));
    }
    if lost.is_empty() {
        println!("  none would be lost");
    }
}

/// What was sent or asked for, in people's words.
fn named_loss(lost: &Value) -> String {
    let what = match (lost["kind"].as_str().unwrap_or_default(), lost["sends"] == true) {
        ("program", true) => "call-backs and programs' messages",
        ("program", false) => "programs' questions",
        ("navigation", true) => "forms sent",
        ("navigation", false) => "pages",
        ("background", true) => "messages of pages' scripts",
        ("background", false) => "questions of pages' scripts",
        _ => "parts of pages",
    };
    format!("{} {what}", plain(&lost["class"]))
}

/// Why a portal stands where it does: its own pin before the one for all, before the ladder.
fn print_cause(portal: &Value, pins: &[Value]) {
    let own = pins.iter().find(|p| p["portal"] == portal["portal"]);
    let pin = own.or_else(|| pins.iter().find(|p| p["portal"].is_null()));
    if let Some(pin) = pin {
        let all = if pin["portal"].is_null() { "all portals pinned" } else { "pinned" };
        let then = pin["then"].as_str().map_or(String::new(), |then| format!(", then {then}"));
        println!(
            "  {all} to {} by {} {}{then}: {}",
            plain(&pin["level"]),
            plain(&pin["by"]),
            until(pin),
            plain(&pin["reason"])
        );
    }
    let why = portal["why"].as_str().unwrap_or_default();
    let why = if why.is_empty() { String::new() } else { format!(": {}", plain(&portal["why"])) };
    let would = if pin.is_some() { "by itself it would be" } else { "by itself" };
    println!("  {would} {}{why}", plain(&portal["climbed"]));
}

fn until(pin: &Value) -> String {
    // No time that a calendar has: until somebody changes it.
    let Some(at) = pin["until"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok()) else {
        return "until somebody changes it".into();
    };
    format!("until {at}")
}

/// What citizens lose; said to whoever pins it.
fn loses(level: Level) -> &'static str {
    match level {
        Level::Normal => "Citizens lose nothing; limits hold.",
        Level::Guarded => {
            "Without a pass citizens have half their budget, and are checked once before they send a form."
        }
        Level::Attack => {
            "Without a pass every page is checked once by a few seconds' calculation; programs have a small budget; pass-holders half of theirs."
        }
        Level::Static => "Citizens read copies and statements; nothing can be sent, except on routes with stay_up.",
        Level::Closed => "Citizens read statements only; nothing reaches the origin.",
    }
}
