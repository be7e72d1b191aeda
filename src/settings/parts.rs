//! The small forms: addresses, networks, hosts, origins, paths, languages.
//!
//! Does not know: which key they stand under.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::client::canonical;
use crate::fault::{At, Section};
use crate::path;
use crate::portal::{OriginAddress, Scheme};

pub fn socket(s: &Section<'_>, at: &At<String>) -> Option<SocketAddr> {
    let parsed = at.value.parse();
    if parsed.is_err() {
        s.fault(
            at.span.clone(),
            format!("{:?} is no address with a port", at.value),
            "write such as \"127.0.0.1:8080\" or \"[::]:443\"",
        );
    }
    parsed.ok()
}

/// A network, or one address.
pub fn cidr(s: &Section<'_>, at: &At<String>) -> Option<IpNet> {
    let one = |a: IpAddr| IpNet::from(canonical(a));
    let parsed = at.value.parse::<IpNet>().ok().or_else(|| at.value.parse().ok().map(one));
    let Some(net) = parsed else {
        s.fault(
            at.span.clone(),
            format!("{:?} is no network", at.value),
            "write such as \"192.0.2.0/24\" or \"2001:db8::/32\"",
        );
        return None;
    };
    if net.trunc() != net {
        s.fault(
            at.span.clone(),
            format!("{:?} has bits set beyond its prefix", at.value),
            format!("write \"{}\"", net.trunc()),
        );
    }
    Some(net.trunc())
}

/// A host, `*.suffix` or `*`, in lower case.
pub fn host_pattern(s: &Section<'_>, at: &At<String>) -> Option<String> {
    let host = at.value.to_ascii_lowercase();
    let rest = host.strip_prefix("*.").unwrap_or(&host);
    if host == "*" || is_host(rest) {
        return Some(host);
    }
    let help =
        "write a name without scheme or port, such as \"huduma.example\", \"*.huduma.example\", or \"*\" for all";
    s.fault(at.span.clone(), format!("{:?} is no host", at.value), help);
    None
}

pub fn is_host(host: &str) -> bool {
    if let Some(inside) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return inside.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label =
        |l: &str| !l.is_empty() && l.len() <= 63 && l.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    !host.is_empty() && host.len() <= 253 && host.split('.').all(label)
}

/// `scheme://host[:port]`
pub fn origin(s: &Section<'_>, at: &At<String>) -> Option<OriginAddress> {
    let parsed = parse_origin(&at.value);
    if parsed.is_none() {
        let help = "write such as \"http://127.0.0.1:3000\": scheme (http, https, h2, h2c), host and port only";
        s.fault(at.span.clone(), format!("{:?} is no origin address", at.value), help);
    }
    parsed
}

fn parse_origin(text: &str) -> Option<OriginAddress> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "h2" => Scheme::H2,
        "h2c" => Scheme::H2c,
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (inside, after) = v6.split_once(']')?;
            inside.parse::<std::net::Ipv6Addr>().ok()?;
            (inside, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    if !is_host(host) && host.parse::<IpAddr>().is_err() {
        return None;
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|p| *p != 0)?,
        None => scheme.port(),
    };
    Some(OriginAddress { scheme, host: host.to_ascii_lowercase(), port })
}

/// An exact path, or a prefix that ends in `*` where `prefix` allows it; normalised as requests are.
pub fn path_pattern(s: &Section<'_>, at: &At<String>, prefix: bool) -> Option<String> {
    let (bare, star) = match at.value.strip_suffix('*') {
        Some(bare) if prefix => (bare, "*"),
        _ => (at.value.as_str(), ""),
    };
    if at.value == "*" && prefix {
        return Some("*".into());
    }
    match path::normalise(bare) {
        Ok(path) if !bare.contains('*') => Some(format!("{path}{star}")),
        _ => {
            let also = if prefix { " or a prefix such as \"/assets/*\"" } else { ", without *" };
            s.fault(
                at.span.clone(),
                format!("{:?} is no path", at.value),
                format!("write an exact path such as \"/pay\"{also}; it begins with /, and a query is not part of it"),
            );
            None
        }
    }
}

/// The text that a good copy of a page has.
pub fn expected(s: &Section<'_>) -> Option<String> {
    let at = s.string("expect", "Huduma")?;
    if at.value.trim().is_empty() {
        s.fault(at.span, "`expect` is empty", "write words that stand on every good page, such as the portal's name");
        return None;
    }
    Some(at.value)
}
