//! The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt), where a listener demands it. Never guessed:
//! on such a listener a connection without a header is closed, on any other one a header is no HTTP.
//!
//! Does not know: who may write one; whoever reaches the listener may.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::ready;

use bytes::{Buf, BytesMut};
use ppp::{v1, v2};
use tokio::io::{AsyncRead, ReadBuf};

use super::tcp::Tcp;
use crate::bounds;

/// Whom a header speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Address(IpAddr),
    /// The balancer itself (a health check), or a family that is no internet address.
    Local,
}

/// What the bytes so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A header of this many bytes.
    Header(usize, Source),
    More,
    /// No header, or a broken one.
    Not,
}

pub fn parse(bytes: &[u8]) -> Parsed {
    let starts = |magic: &[u8]| bytes.iter().zip(magic).all(|(a, b)| a == b);
    if starts(v2::PROTOCOL_PREFIX) {
        if bytes.len() < 16 {
            return Parsed::More;
        }
        let length = 16 + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
        if length > bounds::PROXY_HEADER_BYTES {
            return Parsed::Not;
        }
        if bytes.len() < length {
            return Parsed::More;
        }
        let Ok(header) = v2::Header::try_from(&bytes[..length]) else { return Parsed::Not };
        let source = match (header.command, header.addresses) {
            (v2::Command::Proxy, v2::Addresses::IPv4(a)) => Source::Address(a.source_address.into()),
            (v2::Command::Proxy, v2::Addresses::IPv6(a)) => Source::Address(a.source_address.into()),
            _ => Source::Local,
        };
        return Parsed::Header(length, source);
    }
    if !starts(b"PROXY ") {
        return Parsed::Not;
    }
    const LONGEST: usize = 107;
    let Some(end) = bytes.iter().take(LONGEST).position(|b| *b == b'\n') else {
        return if bytes.len() < LONGEST { Parsed::More } else { Parsed::Not };
    };
    match v1::Header::try_from(&bytes[..=end]) {
        Ok(header) => {
            let source = match header.addresses {
                v1::Addresses::Tcp4(a) => Source::Address(a.source_address.into()),
                v1::Addresses::Tcp6(a) => Source::Address(a.source_address.into()),
                v1::Addresses::Unknown => Source::Local,
            };
            Parsed::Header(end + 1, source)
        }
        Err(_) => Parsed::Not,
    }
}

/// Reads the header off a connection; what came after it is read again.
pub async fn read(tcp: &mut Tcp) -> Option<Source> {
    let mut came = BytesMut::new();
    loop {
        match parse(&came) {
            Parsed::Header(length, source) if !came.is_empty() => {
                came.advance(length);
                tcp.put_back(came);
                return Some(source);
            }
            Parsed::Not => return None,
            _ => {}
        }
        let n = poll_fn(|cx| {
            let mut room = [0; 536];
            let mut read = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut *tcp).poll_read(cx, &mut read))?;
            came.extend_from_slice(read.filled());
            std::task::Poll::Ready(std::io::Result::Ok(read.filled().len()))
        });
        if !matches!(n.await, Ok(1..)) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read_however_they_are_cut() {
        let v2 = [v2::PROTOCOL_PREFIX, b"\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x34\x00\x50"].concat();
        let local = [v2::PROTOCOL_PREFIX, b"\x20\x00\x00\x00"].concat();
        let seven = Source::Address("192.0.2.7".parse().unwrap());
        let six = Source::Address("2001:db8::7".parse().unwrap());
        for (bytes, source) in [
            (&b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n"[..], seven),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 4660 80\r\n", six),
            (b"PROXY UNKNOWN\r\n", Source::Local),
            (&v2, seven),
            (&local, Source::Local),
        ] {
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes[..cut]), Parsed::More, "{cut} of {}", bytes.escape_ascii());
            }
            let more = [bytes, b"GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(parse(&more), Parsed::Header(bytes.len(), source), "{}", bytes.escape_ascii());
        }
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 192.0.2.7\r\n",
            b"PROXY TCP4 1.2.3 10.0.0.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 99999 80\r\n",
            b"proxy UNKNOWN\r\n",
            b"PROXY UNKNOWN\n",
            b"\x16\x03\x01",
        ] {
            assert_eq!(parse(bytes), Parsed::Not, "{}", bytes.escape_ascii());
        }
    }
}
