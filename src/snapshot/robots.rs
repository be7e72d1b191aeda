//! What a portal's `robots.txt` asks of whoever follows links (RFC 9309). What the operator declares is not a robot's to find,
//! and is taken anyhow.

use std::time::Duration;

use crate::bounds;

/// The rules for boma.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Robots {
    /// Pattern, and whether it allows.
    rules: Vec<(String, bool)>,
    /// The pause that it asks for between two fetches.
    pub delay: Option<Duration>,
}

impl Robots {
    pub fn read(text: &[u8]) -> Robots {
        let text = String::from_utf8_lossy(&text[..text.len().min(bounds::ROBOTS_BYTES)]);
        let (mut own, mut all) = (None::<Robots>, None::<Robots>);
        // Groups for one name are one group, wherever they stand; agents in a row share what follows.
        let (mut agents, mut in_rules): (Vec<String>, bool) = (Vec::new(), false);
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or("");
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if key == "user-agent" {
                if in_rules {
                    agents.clear();
                    in_rules = false;
                }
                agents.push(value.to_ascii_lowercase());
                continue;
            }
            in_rules |= matches!(key.as_str(), "allow" | "disallow" | "crawl-delay");
            let groups = [(&mut own, "boma"), (&mut all, "*")];
            for (group, _) in groups.into_iter().filter(|(_, name)| agents.iter().any(|a| a == name)) {
                let group = group.get_or_insert_with(Robots::default);
                match key.as_str() {
                    "allow" | "disallow" if !value.is_empty() => group.rules.push((value.to_owned(), key == "allow")),
                    "crawl-delay" => {
                        let seconds = value.parse::<f64>().ok().filter(|s| *s >= 0.0 && s.is_finite());
                        let most = bounds::ROBOTS_DELAY.as_secs_f64();
                        group.delay = seconds.map(|s| Duration::from_secs_f64(s.min(most)));
                    }
                    _ => {}
                }
            }
        }
        own.or(all).unwrap_or_default()
    }

    /// Whether links to an address may be followed: the longest rule that fits it says so, of two as long the one that allows.
    pub fn allow(&self, address: &str) -> bool {
        let fitting = self.rules.iter().filter(|(pattern, _)| fits(pattern, address));
        fitting.max_by_key(|(pattern, allows)| (pattern.len(), *allows)).is_none_or(|(_, allows)| *allows)
    }
}

/// `*` is any run of characters, `$` at the end is the address's end.
fn fits(pattern: &str, address: &str) -> bool {
    let (pattern, whole) = pattern.strip_suffix('$').map_or((pattern, false), |p| (p, true));
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = address.strip_prefix(first) else { return false };
    let mut last = first;
    for part in parts {
        last = part;
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    !whole || rest.is_empty() || (pattern.contains('*') && address.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_for_boma_or_for_all_says() {
        let text = "User-agent: other\nDisallow: /\n\nUser-agent: x\nUser-Agent: *\nDisallow: /private # not for robots\nAllow: /private/open\nDisallow: /*.pdf$\nDisallow:\nCrawl-delay: 2\nSitemap: /s.xml\n";
        let robots = Robots::read(text.as_bytes());
        for (address, allowed) in [
            ("/", true),
            ("/private", false),
            ("/private/x", false),
            ("/private/open/x", true),
            ("/a/b.pdf", false),
            ("/a/b.pdf?x", true),
            ("/a.pdf.pdf", false),
        ] {
            assert_eq!(robots.allow(address), allowed, "{address}");
        }
        assert_eq!(robots.delay, Some(Duration::from_secs(2)));
        let own = Robots::read(format!("{text}User-agent: boma\nDisallow: /only\nCrawl-delay: 1e9").as_bytes());
        assert!(own.allow("/private") && !own.allow("/only/x"));
        assert_eq!(own.delay, Some(bounds::ROBOTS_DELAY));
        for odd in [&b""[..], b"<html>", b"\xff\xfe", b"Disallow: /", b"user-agent:*\ndisallow:\n"] {
            assert!(Robots::read(odd).allow("/x"), "{odd:?}");
        }
    }
}
