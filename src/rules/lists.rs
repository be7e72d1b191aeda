//! `[[list]]`: named sets of addresses, all in one trie per family, so that one walk tells every list that an
//! address is in, however many lists there are.
//!
//! Does not know: rules, requests.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use smallvec::SmallVec;

use crate::client::canonical;
use crate::fault::{At, Section};

/// Numbers of lists.
type Within = SmallVec<[u32; 2]>;

#[derive(Default)]
pub struct Lists {
    names: HashMap<String, u32>,
    v4: PrefixMap<Ipv4Net, Within>,
    v6: PrefixMap<Ipv6Net, Within>,
}

impl Lists {
    pub fn read(top: &Section<'_>) -> Lists {
        let mut lists = Lists::default();
        for table in top.sections("list") {
            lists.one(&table);
            table.not_built("file", "");
            table.finish();
        }
        lists
    }

    fn one(&mut self, table: &Section<'_>) {
        let number = self.names.len() as u32;
        match super::file::name(table, "list") {
            Some(name) if self.names.contains_key(&name.value) => {
                let help = "put the addresses into one list, or give this one another name";
                table.fault(name.span, format!("there is another list {:?}", name.value), help);
            }
            Some(name) => {
                self.names.insert(name.value, number);
            }
            None => {}
        }
        let cidrs = table.strings("cidrs", false, "192.0.2.0/24");
        if !table.has("cidrs") && !table.has("file") {
            table.fault(table.span(), "`list.cidrs` is missing", "write cidrs = [\"192.0.2.0/24\"]");
        }
        for cidr in cidrs.unwrap_or_default() {
            if let Some(net) = network(table, &cidr) {
                self.insert(net, number);
            }
        }
    }

    fn insert(&mut self, net: IpNet, list: u32) {
        let within = match net {
            IpNet::V4(net) => self.v4.entry(net).or_default(),
            IpNet::V6(net) => self.v6.entry(net).or_default(),
        };
        // Lists are read one after the other, so a repeated network repeats the last number.
        if within.last() != Some(&list) {
            within.push(list);
        }
    }

    pub fn names(&self) -> Vec<&str> {
        self.names.keys().map(String::as_str).collect()
    }

    pub fn number(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// Calls `hit` with every list that holds the address, with some more than once.
    pub fn visit(&self, address: IpAddr, mut hit: impl FnMut(u32)) {
        match canonical(address) {
            IpAddr::V4(a) if !self.v4.is_empty() => {
                self.v4.cover_values(&Ipv4Net::from(a)).flatten().for_each(|l| hit(*l));
            }
            IpAddr::V6(a) if !self.v6.is_empty() => {
                self.v6.cover_values(&Ipv6Net::from(a)).flatten().for_each(|l| hit(*l));
            }
            _ => {}
        }
    }
}

/// A network, or a single address. What is written as IPv4 inside IPv6 is IPv4, as clients' addresses are.
fn network(table: &Section<'_>, text: &At<String>) -> Option<IpNet> {
    let parsed = text.value.parse::<IpNet>().ok().or_else(|| text.value.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(net) = parsed else {
        let help = "write a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or one address";
        table.fault(text.span.clone(), format!("{:?} is no network and no address", text.value), help);
        return None;
    };
    if net != net.trunc() {
        let message = format!("{net} has bits beyond its length: taken as {}", net.trunc());
        table.warn(text.span.clone(), message, "write the network's first address, or /32 or /128 for one host");
    }
    let mapped = match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => v6.addr().to_ipv4_mapped().map(|a| (a, v6.prefix_len() - 96)),
        _ => None,
    };
    let net = mapped.and_then(|(a, bits)| Ipv4Net::new(a, bits).ok()).map_or(net, IpNet::V4);
    Some(net.trunc())
}
