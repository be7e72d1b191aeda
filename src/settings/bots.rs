//! `[[bot]]`: search engines that are known by their addresses.
//!
//! Does not know: who answers whether an address is theirs.

use std::path::Path;

use super::{parts, server};
use crate::bot::{self, Bot};
use crate::bounds;
use crate::fault::Section;

pub fn bots(top: &Section<'_>, folder: &Path) -> Vec<Bot> {
    let mut all: Vec<Bot> = Vec::new();
    let sections = top.sections("bot");
    if let Some(s) = sections.get(bounds::BOTS) {
        s.fault(s.span(), format!("more than {} bots", bounds::BOTS), "name those that the portal lives by");
    }
    for s in sections.iter().take(bounds::BOTS) {
        let bot = Bot {
            name: name(s, &all),
            agents: agents(s),
            domains: domains(s),
            ranges: s.string("ranges", "lists/googlebot.json").map(|at| server::path(folder, &at.value)),
        };
        if !s.has("domains") && !s.has("ranges") {
            let help = "write domains = [\"googlebot.com\"], in which the names of its addresses lie, or ranges = \
                        \"lists/googlebot.json\", the networks that it publishes";
            s.fault(s.span(), "[[bot]] that nothing verifies", help);
        }
        s.finish();
        all.push(bot);
    }
    let expressions: Vec<String> = all.iter().flat_map(|b| &b.agents).map(|a| bot::expression(a)).collect();
    if let Err(why) = bot::search(&expressions) {
        let single = |e: &String| bot::search(std::slice::from_ref(e)).is_ok();
        // What is wrong with one alone has been said.
        if expressions.iter().all(single) {
            top.fault(
                0..0,
                format!("the patterns of all bots cannot be used together: {why}"),
                "write fewer or shorter",
            );
        }
    }
    all
}

fn name(s: &Section<'_>, others: &[Bot]) -> String {
    let Some(at) = s.string("name", "googlebot") else {
        if !s.has("name") {
            s.fault(s.span(), "[[bot]] without name", "write name = \"googlebot\"");
        }
        return String::new();
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if at.value.is_empty() || at.value.len() > 64 || !at.value.bytes().all(plain) {
        let help = "write letters, digits, -, _ or ., at most 64";
        s.fault(at.span.clone(), format!("{:?} is no name for a bot", at.value), help);
    }
    if others.iter().any(|b| b.name == at.value) {
        s.fault(at.span, format!("two bots are named {:?}", at.value), "give each its own name");
    }
    at.value
}

fn agents(s: &Section<'_>) -> Vec<String> {
    let given = s.strings("user_agent", true, "*googlebot*").unwrap_or_default();
    if given.is_empty() && (!s.has("user_agent") || s.is_text("user_agent")) {
        s.fault(s.span(), "[[bot]] without user_agent", "write user_agent = \"*googlebot*\": how it calls itself");
    }
    if given.len() > bounds::BOT_PATTERNS {
        s.fault(s.span(), format!("more than {} patterns of one bot", bounds::BOT_PATTERNS), "write fewer");
    }
    for at in &given {
        let part = "write a part of its name between stars, such as \"*googlebot*\"";
        if at.value.len() > bounds::PATTERN_BYTES {
            s.fault(at.span.clone(), "a pattern that is too long", part);
            continue;
        }
        match bot::search(&[bot::expression(&at.value)]) {
            Ok(search) if search.is_match(b"") => s.fault(at.span.clone(), "a pattern that fits everybody", part),
            Ok(_) => {}
            Err(why) => {
                let help = "mend the expression behind re:, or write a pattern with stars";
                s.fault(at.span.clone(), format!("{:?} is no expression: {why}", at.value), help);
            }
        }
    }
    given.into_iter().map(|at| at.value).collect()
}

fn domains(s: &Section<'_>) -> Vec<String> {
    let mut all = Vec::new();
    for at in s.strings("domains", true, "googlebot.com").unwrap_or_default() {
        let domain = at.value.trim_matches('.').to_ascii_lowercase();
        if parts::is_host(&domain) && domain.contains('.') && !domain.starts_with('[') {
            all.push(domain);
        } else {
            let help = "write one that belongs to the bot's operator, such as \"googlebot.com\"";
            s.fault(at.span, format!("{:?} is no domain", at.value), help);
        }
    }
    all
}
