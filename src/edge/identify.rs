//! Who is asking. The only reader of forwarding fields: they are believed from trusted peers alone, and read from
//! the right, where the nearest hop wrote.
//!
//! Does not know: rules.

use std::net::{IpAddr, SocketAddr};

use crate::client::{Client, canonical};
use crate::force::Town;
use crate::wire::Head;

/// Hops that are read, from the right: longer chains are made up.
const HOPS: usize = 32;

/// How the forwarding field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A list of addresses: `X-Forwarded-For` and its like.
    List,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

pub fn identify(town: &Town, peer: IpAddr, head: &dyn Head) -> Client {
    let policy = &town.settings.client;
    let trusted = town.trusts(peer);
    let mut address = peer;
    if trusted {
        let field = if policy.forwarded_header == "forwarded" { Field::Forwarded } else { Field::List };
        let mut chain = Vec::new();
        head.any(&policy.forwarded_header, &mut |value| {
            if !chain.is_empty() {
                chain.push(b',');
            }
            chain.extend_from_slice(value);
            false
        });
        address = believed(&chain, field, peer, |hop| town.trusts(hop));
    }
    Client::new(peer, address, policy.ipv6_prefix, trusted)
}

/// The client at the end of a chain of trusted hops: the first address from the right that is not itself trusted.
/// What cannot be read ends the chain, and the hop that wrote it is the client.
pub fn believed(chain: &[u8], field: Field, peer: IpAddr, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut client = canonical(peer);
    let text = String::from_utf8_lossy(chain);
    for hop in text.rsplit(',').take(HOPS) {
        let address = match field {
            Field::List => address(hop.trim()),
            Field::Forwarded => forwarded_for(hop).and_then(|v| address(&v)),
        };
        let Some(address) = address else { return client };
        client = canonical(address);
        if !trusts(client) {
            return client;
        }
    }
    client
}

/// An address with or without port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6)
}

/// The `for` parameter of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<String> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(chain: &str, field: Field) -> String {
        let trusted = |a: IpAddr| a.to_string().starts_with("10.") || a.is_loopback();
        believed(chain.as_bytes(), field, "127.0.0.1".parse().unwrap(), trusted).to_string()
    }

    #[test]
    fn the_chain_is_read_from_the_right_through_trusted_hops() {
        for (chain, expected) in [
            ("", "127.0.0.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1, unknown", "127.0.0.1"),
            ("192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
            ("192.0.2.1,", "127.0.0.1"),
        ] {
            assert_eq!(client(chain, Field::List), expected, "{chain}");
        }
    }

    #[test]
    fn forwarded_is_read_by_its_own_grammar() {
        for (chain, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("for=6.6.6.6, For=\"[2001:db8::1]:80\";proto=https;by=10.0.0.1", "2001:db8::1"),
            ("for=192.0.2.1, for=_hidden", "127.0.0.1"),
            ("proto=https", "127.0.0.1"),
        ] {
            assert_eq!(client(chain, Field::Forwarded), expected, "{chain}");
        }
    }
}
