//! The routes of a portal in `boma.toml`.
//!
//! Does not know: the rest of a portal.

use std::time::Duration;

use super::parts;
use crate::fault::Section;
use crate::portal::{Caching, Class, Fallback, Route};
use crate::units;

const DAY: Duration = Duration::from_secs(86_400);

fn caching(t: &Section<'_>) -> Caching {
    let Some(at) = t.string("cache", "30s") else { return Caching::Off };
    match (at.value.as_str(), units::duration(&at.value)) {
        ("off", _) => Caching::Off,
        ("origin", _) => Caching::Origin,
        (_, Some(time)) if (Duration::from_secs(1)..=DAY).contains(&time) => Caching::Fill(time),
        _ => {
            t.fault(
                at.span,
                format!("`portal.route.cache` is {:?}", at.value),
                "write \"off\", \"origin\", or a time from \"1s\" to \"1d\" such as cache = \"30s\"",
            );
            Caching::Off
        }
    }
}

/// `"all"`, or the names of the parameters that count.
fn query(t: &Section<'_>) -> Option<Vec<String>> {
    if t.is_text("query") {
        if let Some(at) = t.string("query", "all").filter(|at| at.value != "all") {
            let help = format!("write query = \"all\", or a list such as query = [{:?}]", at.value);
            t.fault(at.span, format!("`portal.route.query` is {:?}", at.value), help);
        }
        return None;
    }
    let names = t.strings("query", false, "page")?;
    let odd = |name: &str| name.is_empty() || name.contains(['&', '=', '#', '?', ' ']);
    for at in names.iter().filter(|at| odd(&at.value)) {
        t.fault(at.span.clone(), format!("{:?} is no parameter's name", at.value), "write names such as \"page\"");
    }
    Some(names.into_iter().map(|at| at.value).collect())
}

pub fn routes(s: &Section<'_>) -> Vec<Route> {
    let mut all: Vec<Route> = Vec::new();
    for t in s.sections("route") {
        let standard = Route::unnamed();
        let fallback = match t.word("fallback", &["statement", "snapshot", "off"]).map(|w| w.value) {
            Some("snapshot") => Fallback::Snapshot,
            Some("off") => Fallback::Off,
            Some(_) => Fallback::Statement,
            None => standard.fallback,
        };
        let route = Route {
            path: String::new(),
            class: t
                .word("class", &Class::NAMES)
                .and_then(|w| Class::ALL.into_iter().find(|c| c.as_str() == w.value))
                .unwrap_or(standard.class),
            fallback,
            challenge: t.word("challenge", &["auto", "never"]).is_none_or(|w| w.value == "auto"),
            stay_up: t.boolean("stay_up").is_some_and(|b| b.value),
            max_body: t.bytes("max_body", 1, 1 << 50).map_or(standard.max_body, |b| b.value),
            cache: caching(&t),
            query: query(&t),
            expect: parts::expected(&t),
        };
        match t.string("path", "/assets/*") {
            Some(at) => {
                if let Some(path) = parts::path_pattern(&t, &at, true) {
                    if all.iter().any(|r| r.path == path) {
                        t.fault(
                            at.span,
                            format!("two routes have the path {path:?}"),
                            "write each path once in a portal",
                        );
                    } else {
                        all.push(Route { path, ..route });
                    }
                }
            }
            None if !t.has("path") => t.fault(
                t.span(),
                "[[portal.route]] without path",
                "write path = \"/pay\" or a prefix such as \"/assets/*\"",
            ),
            None => {}
        }
        t.finish();
    }
    all
}
