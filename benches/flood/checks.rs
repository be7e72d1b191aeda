//! What staff do in the middle of it: look back, and lay a measure. By the staff door's JSON alone.

use serde_json::{Value, json};

use crate::control::Control;
use crate::house::House;
use crate::people::BOT_AGENT;

type Told = Vec<(String, Value)>;

/// How much of what came a preview still sees.
pub fn look_back(house: &House, control: &Control) -> Told {
    let (status, seen) = house.ask("POST", "/api/v1/rules/preview", &house.rules);
    let requests = seen["requests"].as_u64().unwrap_or(0);
    vec![
        ("preview: status".into(), json!(status)),
        ("preview: requests that it sees".into(), json!(requests)),
        ("preview: of those with a pass".into(), seen["with_pass"].clone()),
        ("preview: as many were sent in the last seconds".into(), json!(control.seconds_of(requests))),
    ]
}

fn measure() -> String {
    json!({
        "name": "flood-bots",
        "match": { "user_agent": format!("*{}*", &BOT_AGENT[BOT_AGENT.find("Headless").unwrap_or(0)..]) },
        "then": "deny", "for": "1h", "reason": "INC-42", "owner": "soc",
    })
    .to_string()
}

/// Tries a measure against the bots, and lays it, without force.
pub fn lay_measure(house: &House) -> Told {
    let (_, seen) = house.ask("POST", "/api/v1/measures/preview", &measure());
    let (status, said) = house.ask("POST", "/api/v1/measures", &measure());
    let changed = &seen["changed"];
    let mut told = vec![("measure: preview, requests that it sees".to_owned(), seen["requests"].clone())];
    for key in ["stricter", "clients", "with_pass", "settled_passes", "settled_share"] {
        told.push((format!("measure: preview, changed.{key}"), changed[key].clone()));
    }
    told.push(("measure: preview, harm".into(), seen["harm"].clone()));
    told.push(("measure: laid (201), or why not".into(), if status == 201 { json!(201) } else { said }));
    told
}

/// Whether it is still in force at the end.
pub fn stays(house: &House) -> Told {
    let (_, said) = house.ask("GET", "/api/v1/measures", "");
    let names: Vec<&str> =
        said["measures"].as_array().into_iter().flatten().filter_map(|m| m["name"].as_str()).collect();
    vec![("measure: in force at the end".into(), json!(names))]
}
