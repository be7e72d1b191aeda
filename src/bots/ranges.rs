//! The networks that a bot's operator publishes: one on each line, or the JSON that the large search engines publish,
//! `{"prefixes": [{"ipv4Prefix": "…"}, {"ipv6Prefix": "…"}]}`.
//!
//! Does not know: where the text comes from.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use crate::bounds;
use crate::client::Prefix;

/// Networks, in one space of 128 bits as clients' prefixes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// First and last addresses, sorted; none touches another.
    spans: Vec<(u128, u128)>,
    networks: usize,
}

/// What is wrong with a text, and on which line (0: as a whole).
#[derive(Debug, PartialEq, Eq)]
pub struct Odd(pub u32, pub String);

#[derive(Deserialize)]
struct File {
    prefixes: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    ipv4_prefix: Option<String>,
    ipv6_prefix: Option<String>,
}

impl Ranges {
    /// # Errors
    /// The first thing that is no network; and a text that names none, for it would take everybody's word back.
    pub fn read(text: &str) -> Result<Ranges, Odd> {
        let nets = if text.trim_start().starts_with('{') { json(text)? } else { lines(text)? };
        if nets.is_empty() {
            return Err(Odd(0, "no network in it".into()));
        }
        if nets.len() > bounds::BOT_RANGES {
            return Err(Odd(0, format!("more than {} networks", bounds::BOT_RANGES)));
        }
        let networks = nets.len();
        let at = |address| Prefix::of(address, 32, 128).0;
        let mut all: Vec<_> = nets.iter().map(|n| (at(n.network()), at(n.broadcast()))).collect();
        all.sort_unstable();
        let mut spans: Vec<(u128, u128)> = Vec::new();
        for (first, last) in all {
            match spans.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => spans.push((first, last)),
            }
        }
        Ok(Ranges { spans, networks })
    }

    pub fn hold(&self, address: IpAddr) -> bool {
        let at = Prefix::of(address, 32, 128).0;
        let after = self.spans.partition_point(|(first, _)| *first <= at);
        after > 0 && at <= self.spans[after - 1].1
    }

    /// Networks, as they were written.
    pub fn len(&self) -> usize {
        self.networks
    }

    pub fn is_empty(&self) -> bool {
        self.networks == 0
    }
}

fn json(text: &str) -> Result<Vec<IpNet>, Odd> {
    let file: File = serde_json::from_str(text).map_err(|e| {
        let why = e.to_string();
        Odd(e.line() as u32, why.split(" at line ").next().unwrap_or_default().to_owned())
    })?;
    let mut nets = Vec::new();
    for (entry, n) in file.prefixes.into_iter().zip(1..) {
        let (v4, v6) = (entry.ipv4_prefix, entry.ipv6_prefix);
        if v4.is_none() && v6.is_none() {
            return Err(Odd(0, format!("entry {n} of `prefixes` has neither ipv4Prefix nor ipv6Prefix")));
        }
        for written in v4.into_iter().chain(v6) {
            nets.push(net(&written).ok_or_else(|| Odd(0, format!("entry {n} of `prefixes` is no network")))?);
        }
    }
    Ok(nets)
}

fn lines(text: &str) -> Result<Vec<IpNet>, Odd> {
    let mut nets = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let said = line.split(['#', ';']).next().unwrap_or_default().trim();
        if !said.is_empty() {
            nets.push(net(said).ok_or_else(|| Odd(number, "this line is no network and no address".into()))?);
        }
    }
    Ok(nets)
}

fn net(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    // A slip of the finger must not vouch for half of the internet.
    let wide = if net.addr().is_ipv4() { net.prefix_len() < 8 } else { net.prefix_len() < 16 };
    (!wide).then_some(net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_hold_their_addresses() {
        let published = r#"{"creationTime": "2026-01-02T03:04:05.000000", "prefixes": [
            {"ipv4Prefix": "192.0.2.0/27"}, {"ipv4Prefix": "192.0.2.32/27", "service": "x"}, {"ipv6Prefix": "2001:db8:1::/64"}]}"#;
        let plain = "# a list\n192.0.2.0/26 ; all\n\n2001:db8:1::/64\n192.0.2.9\n";
        for (text, networks) in [(published, 3), (plain, 3)] {
            let ranges = Ranges::read(text).unwrap();
            assert_eq!(ranges.len(), networks);
            for (address, holds) in [
                ("192.0.2.0", true),
                ("192.0.2.63", true),
                ("192.0.2.64", false),
                ("192.0.1.255", false),
                ("::ffff:192.0.2.7", true),
                ("2001:db8:1::9", true),
                ("2001:db8:2::", false),
                ("::", false),
            ] {
                assert_eq!(ranges.hold(address.parse().unwrap()), holds, "{address}");
            }
        }
    }

    #[test]
    fn what_is_no_list_of_networks_is_refused() {
        for (text, line) in [
            ("", 0),
            ("# nothing\n", 0),
            ("192.0.2.0/24\nnonsense\n", 2),
            ("0.0.0.0/0\n", 1),
            ("{}", 1),
            ("{\"prefixes\": []}", 0),
            ("{\"prefixes\": [{\"ipv4\": \"192.0.2.0/24\"}]}", 0),
            ("{\"prefixes\":\n[{\"ipv4Prefix\": 5}]}", 2),
            ("{\"prefixes\": [{\"ipv4Prefix\": \"x\"}]}", 0),
            ("<html>Not found</html>", 1),
        ] {
            assert_eq!(Ranges::read(text).map_err(|odd| odd.0), Err(line), "{text}");
        }
    }
}
