//! `[[list]]`: named sets of addresses, all in one row of ranges per family, so that one search tells every list that an
//! address is in, however many lists there are. Their addresses stand in the rules, or in files of their own.
//!
//! Does not know: rules, requests.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::Sources;
use super::ranges::Ranges;
use crate::bounds;
use crate::client::canonical;
use crate::fault::Section;

/// First and last address of a network, and the number of its list.
type Span<A> = (A, A, u32);

#[derive(Default)]
pub struct Lists {
    names: HashMap<String, u32>,
    /// Networks as they are read, with their lists' numbers; first and last addresses.
    read: (Vec<Span<u32>>, Vec<Span<u128>>),
    /// Bytes of the files.
    bytes: usize,
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    files: Vec<(String, u64)>,
    staff: Vec<IpNet>,
    written: Vec<Written>,
}

/// A list as the rules write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written {
    pub name: String,
    pub cidrs: Vec<IpNet>,
    pub file: Option<String>,
}

/// The list of staff's own networks.
const STAFF: &str = "staff";

impl Lists {
    pub fn read(top: &Section<'_>, sources: &Sources<'_>) -> Lists {
        let mut lists = Lists::default();
        for table in top.sections("list") {
            lists.one(&table, sources);
            table.finish();
            if let Some(most) = lists.is_full() {
                table.fault(table.span(), format!("the lists have more than {most}"), "join networks into larger ones");
                break;
            }
        }
        let (v4, v6) = std::mem::take(&mut lists.read);
        lists.v4 = Ranges::new(v4);
        sources.pause();
        lists.v6 = Ranges::new(v6);
        lists
    }

    /// What there is more of than there may be.
    fn is_full(&self) -> Option<String> {
        for (number, most, what) in [
            (self.names.len(), bounds::LISTS, "lists"),
            (self.read.0.len() + self.read.1.len(), bounds::NETWORKS, "networks"),
            (self.bytes, bounds::LISTS_BYTES, "bytes of files"),
        ] {
            if number > most {
                return Some(format!("{most} {what}"));
            }
        }
        None
    }

    fn one(&mut self, table: &Section<'_>, sources: &Sources<'_>) {
        let number = self.names.len() as u32;
        let mut written = Written { name: String::new(), cidrs: Vec::new(), file: None };
        match super::file::name(table, "list") {
            Some(name) if self.names.contains_key(&name.value) => {
                let help = "put the addresses into one list, or give this one another name";
                table.fault(name.span, format!("there is another list {:?}", name.value), help);
            }
            Some(name) => {
                written.name.clone_from(&name.value);
                self.names.insert(name.value, number);
            }
            None => {}
        }
        let cidrs = table.strings("cidrs", false, "192.0.2.0/24");
        let file = table.string("file", "lists/offices.txt");
        if !table.has("cidrs") && !table.has("file") {
            let help = "write cidrs = [\"192.0.2.0/24\"], or file = \"lists/offices.txt\" with one on each line";
            table.fault(table.span(), "`list.cidrs` is missing", help);
        }
        for cidr in cidrs.unwrap_or_default() {
            match network(&cidr.value) {
                Some((net, fits)) => {
                    if !fits {
                        let message = format!("{:?} has bits beyond its length: taken as {net}", cidr.value);
                        let help = "write the network's first address, or /32 or /128 for one host";
                        table.warn(cidr.span, message, help);
                    }
                    self.insert(net, number);
                    written.cidrs.push(net);
                }
                None => table.fault(cidr.span, format!("{:?} is no network and no address", cidr.value), NETWORK),
            }
        }
        written.cidrs.sort_unstable();
        written.cidrs.dedup();
        written.file = file.as_ref().map(|f| f.value.clone());
        self.written.push(written);
        if let Some(file) = file {
            match (sources.list)(&file.value) {
                Ok(text) => {
                    self.bytes += text.len();
                    self.file(table, number, (&file.value, &text), sources);
                }
                Err(why) => {
                    let message = format!("the list's file {:?} cannot be read: {why}", file.value);
                    table.fault(file.span, message, "name a file beside rules.toml that boma's user may read");
                }
            }
        }
    }

    fn file(&mut self, table: &Section<'_>, number: u32, (name, text): (&str, &str), sources: &Sources<'_>) {
        let mut wrong = 0;
        for (line, found) in lines(text) {
            if line.is_multiple_of(PIECE) {
                sources.pause();
            }
            match found {
                Ok(net) => self.insert(net, number),
                // Not quoted: who may try out rules need not be who may read every file.
                Err(_) => {
                    wrong += 1;
                    if wrong <= FAULTS {
                        table.fault_in(name, line, "this line is no network and no address", NETWORK);
                    }
                }
            }
        }
        if wrong > FAULTS {
            let message = format!("and {} lines more that are no network and no address", wrong - FAULTS);
            table.fault_in(name, 0, message, "write one network on each line, comments behind # or ;");
        }
        self.files.push((name.to_owned(), stamp(text)));
    }

    pub fn written(&self) -> &[Written] {
        &self.written
    }

    pub fn staff(&self) -> &[IpNet] {
        &self.staff
    }

    /// The files that were read, and stamps of what they held.
    pub fn files(&self) -> &[(String, u64)] {
        &self.files
    }

    fn insert(&mut self, net: IpNet, list: u32) {
        if self.names.get(STAFF) == Some(&list) {
            self.staff.push(net);
        }
        match net {
            IpNet::V4(net) => self.read.0.push((net.network().into(), net.broadcast().into(), list)),
            IpNet::V6(net) => self.read.1.push((net.network().into(), net.broadcast().into(), list)),
        }
    }

    pub fn count(&self) -> usize {
        self.names.len()
    }

    pub fn names(&self) -> Vec<&str> {
        self.names.keys().map(String::as_str).collect()
    }

    pub fn number(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// Calls `hit` with every list that holds the address, with some more than once.
    pub fn visit(&self, address: IpAddr, hit: impl FnMut(u32)) {
        match canonical(address) {
            IpAddr::V4(a) => self.v4.visit(a.into(), hit),
            IpAddr::V6(a) => self.v6.visit(a.into(), hit),
        }
    }
}

const NETWORK: &str = "write a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or one address";
/// Faults of one file that are told one by one.
const FAULTS: usize = 20;
/// Lines that are read before others may have the core.
const PIECE: u32 = 256;

/// What a list's file says on each line that says something: comments begin with `#` or `;`.
pub fn lines(text: &str) -> impl Iterator<Item = (u32, Result<IpNet, &str>)> {
    text.lines().zip(1..).filter_map(|(line, number)| {
        let said = line.split(['#', ';']).next().unwrap_or_default().trim();
        (!said.is_empty()).then(|| (number, network(said).map(|(net, _)| net).ok_or(said)))
    })
}

fn stamp(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A network, or a single address, and whether it was written as its first address. What is written as IPv4 inside
/// IPv6 is IPv4, as clients' addresses are.
fn network(text: &str) -> Option<(IpNet, bool)> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let mapped = match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => v6.addr().to_ipv4_mapped().map(|a| (a, v6.prefix_len() - 96)),
        _ => None,
    };
    let plain = mapped.and_then(|(a, bits)| Ipv4Net::new(a, bits).ok()).map_or(net, IpNet::V4);
    Some((plain.trunc(), net == net.trunc()))
}
