//! Who is asking: the address that is believed, and the coarser prefixes that limits fall back on.
//!
//! Does not know: header fields, sockets, how an address came to be believed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network address cut to a number of bits, in one 128-bit space: IPv4 lies in `::ffff:0:0/96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix(pub u128);

impl Prefix {
    /// Cuts an address: IPv4 to `v4` bits (at most 32), IPv6 to `v6` bits (at most 128).
    pub fn of(address: IpAddr, v4: u8, v6: u8) -> Prefix {
        match canonical(address) {
            IpAddr::V4(a) => {
                let bits = u32::from(a) & mask32(v4);
                Prefix(u128::from(Ipv4Addr::from(bits).to_ipv6_mapped()))
            }
            IpAddr::V6(a) => Prefix(u128::from(a) & mask128(v6)),
        }
    }

    pub fn address(self) -> IpAddr {
        canonical(IpAddr::V6(Ipv6Addr::from(self.0)))
    }
}

fn mask32(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0)
}

fn mask128(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0)
}

/// IPv4 written as IPv6 is IPv4: or a dual-stack socket would give one client two identities.
pub fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(a) => a.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The fingerprint of a TLS client (JA4): 36 characters of ASCII.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 36]);

impl Fingerprint {
    pub fn of(text: &str) -> Option<Fingerprint> {
        Some(Fingerprint(text.as_bytes().try_into().ok().filter(|_| text.is_ascii())?))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The client of one request.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Who holds the other end of the connection.
    pub peer: IpAddr,
    /// Who is asking: the peer, or whom a trusted peer says it asks for.
    pub address: IpAddr,
    /// The address cut to /32 or to `[client] ipv6_prefix`: the bucket of a client without a pass.
    pub prefix: Prefix,
    /// The /24 or /48 around it.
    pub network: Prefix,
    /// The peer is a trusted proxy: its forwarding fields are kept, and it carries other people's requests.
    pub peer_trusted: bool,
    /// Of the client's own TLS; `None` without TLS, and where a trusted proxy spoke it.
    pub fingerprint: Option<Fingerprint>,
}

impl Client {
    pub fn new(peer: IpAddr, address: IpAddr, ipv6_prefix: u8, peer_trusted: bool) -> Client {
        let (peer, address) = (canonical(peer), canonical(address));
        Client {
            peer,
            address,
            prefix: Prefix::of(address, 32, ipv6_prefix),
            network: Prefix::of(address, 24, ipv6_prefix.min(48)),
            peer_trusted,
            fingerprint: None,
        }
    }

    /// The same client with the fingerprint of the peer's TLS, which is the client's where nobody stands between.
    pub fn with(mut self, fingerprint: Option<Fingerprint>) -> Client {
        self.fingerprint = fingerprint.filter(|_| self.peer == self.address);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_has_one_identity() {
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
        let plain: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(Prefix::of(mapped, 32, 64), Prefix::of(plain, 32, 64));
        assert_eq!(Prefix::of(plain, 24, 48).address().to_string(), "192.0.2.0");
        let v6: IpAddr = "2001:db8:1:2:3::4".parse().unwrap();
        assert_eq!(Prefix::of(v6, 32, 64).address().to_string(), "2001:db8:1:2::");
        assert_eq!(Prefix::of(v6, 32, 0).0, 0);
        assert_eq!(Prefix::of(plain, 0, 0).address().to_string(), "0.0.0.0");
    }
}
