//! What a draft would have done, in words.
//!
//! Does not know: how that is found.

use serde_json::Value;

use super::status::plain;

pub fn print(value: &Value) {
    println!(
        "of {} requests in the last ten minutes ({} with a pass) it would have",
        number(&value["requests"]),
        number(&value["with_pass"])
    );
    changes(&value["changed"]);
    hidden(value);
    for limit in value["limits"].as_array().into_iter().flatten() {
        println!(
            "  limit {}: {} requests count, {} or more over it, of {} clients",
            plain(&limit["name"]),
            number(&limit["matched"]),
            number(&limit["over"]),
            number(&limit["keys"])
        );
        if let Some(unknown) = limit["unknown"].as_str() {
            println!("    {unknown}");
        }
    }
    top(&value["changed"]);
    for name in value["idle"].as_array().into_iter().flatten() {
        println!("  {} matched nothing", plain(name));
    }
    if let Some(harm) = value["harm"].as_str() {
        println!("REFUSED unless forced: {harm}");
    }
}

/// What measures in force hide of it.
fn hidden(value: &Value) {
    let (alone, whole) = (&value["alone"], &value["changed"]);
    if number(&alone["stricter"]) > number(&whole["stricter"]) {
        println!(
            "  and if the measures were not there that are in force: {} sent away or challenged, {} settled citizens hit",
            number(&alone["stricter"]),
            number(&alone["settled_passes"])
        );
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// What would be otherwise than it is.
pub fn changes(changed: &Value) {
    println!(
        "  sent away or challenged {} that were not, of {} clients or more, {} with a pass",
        number(&changed["stricter"]),
        number(&changed["clients"]),
        number(&changed["with_pass"])
    );
    if number(&changed["milder"]) > 0 {
        println!("  let through {} that were not", number(&changed["milder"]));
    }
    if number(&changed["settled_passes"]) > 0 {
        println!(
            "  hit {} settled citizens, {} % of those who came",
            number(&changed["settled_passes"]),
            changed["settled_share"]
        );
    }
}

/// The most frequent paths and networks.
pub fn top(of: &Value) {
    for (key, what) in [("paths", "path"), ("networks", "network")] {
        for entry in of[key].as_array().into_iter().flatten() {
            println!("    {what} {}: {}", plain(&entry[0]), number(&entry[1]));
        }
    }
}
