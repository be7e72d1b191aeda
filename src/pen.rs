//! Numbers, addresses and short values written as they go out, without the formatter: on the way of every request it costs
//! more than what it writes.
//!
//! Does not know: what is written.

use std::io::Write as _;
use std::net::IpAddr;

use bytes::Bytes;

/// A number's decimal digits, written into `room`.
fn digits(mut n: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut at = room.len();
    loop {
        at -= 1;
        room[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return &room[at..];
        }
    }
}

/// Writes a number in decimal digits.
pub fn decimal(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(digits(n, &mut [0; 20]));
}

/// A number as a value by itself.
pub fn number(n: u64) -> Bytes {
    Bytes::copy_from_slice(digits(n, &mut [0; 20]))
}

/// Writes a number in at least `width` hexadecimal digits, of which 16 are all there are.
pub fn hex(out: &mut String, n: u64, width: u32) {
    let (mut room, mut left) = ([b'0'; 16], n);
    let digits = (64 - n.leading_zeros()).div_ceil(4).max(width).clamp(1, 16) as usize;
    let room = &mut room[..digits];
    for place in room.iter_mut().rev() {
        *place = b"0123456789abcdef"[(left & 15) as usize];
        left >>= 4;
    }
    out.push_str(std::str::from_utf8(room).unwrap_or_default());
}

/// Writes an address as [`IpAddr`] shows itself.
pub fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (at, octet) in v4.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                decimal(out, u64::from(octet));
            }
        }
        // Writing into a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// Values of an answer's fields, written in one place and taken as they are ready.
pub struct Values(Vec<u8>);

impl Default for Values {
    fn default() -> Values {
        Values(Vec::with_capacity(256))
    }
}

impl Values {
    pub fn text(&mut self, text: &str) -> &mut Values {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub fn number(&mut self, n: u64) -> &mut Values {
        self.0.extend_from_slice(digits(n, &mut [0; 20]));
        self
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> Bytes {
        let value = Bytes::copy_from_slice(&self.0);
        self.0.clear();
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_the_formatter_writes() {
        for n in [0, 7, 10, 255, 1000, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, n);
            assert_eq!(out, n.to_string().as_bytes());
            for width in [0, 8, 16] {
                let mut out = String::new();
                hex(&mut out, n, width);
                assert_eq!(out, format!("{n:0width$x}", width = width.max(1) as usize).as_str(), "{n} {width}");
            }
        }
        for text in ["192.0.2.255", "0.0.0.0", "2001:db8::1", "::ffff:10.0.0.1"] {
            let mut out = Vec::new();
            address(&mut out, text.parse().unwrap());
            assert_eq!(out, text.as_bytes());
        }
        let mut values = Values::default();
        let first = values.text("a=").number(12).take();
        let second = values.number(3).text(";b").take();
        assert_eq!((&*first, &*second, values.take().len()), (&b"a=12"[..], &b"3;b"[..], 0));
    }
}
