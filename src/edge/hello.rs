//! The fingerprint of a TLS client, from the first message that it sends (RFC 8446 section 4.1.2): JA4 as FoxIO describes
//! it, so that what staff write in rules is what their other tools call it; but what a client says only when it comes again
//! (a session to resume, early data) is left out, so that it stays the same client. The message is read and put back;
//! rustls reads it again and is the one that judges it.
//!
//! Does not know: rules, keys, what becomes of the connection.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::BytesMut;
use tokio::io::AsyncReadExt;

use super::tcp::Tcp;
use crate::bounds;
use crate::client::Fingerprint;
use crate::pen;

/// Content type of a record, and type of a message.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub enum Hello {
    Whole(Fingerprint),
    More,
    /// No TLS, or nothing that can be read as a first message.
    Not,
}

/// Reads as much as the first message has; what came is read again.
pub async fn fingerprint(tcp: &mut Tcp) -> Option<Fingerprint> {
    let mut came = BytesMut::new();
    let mut reads = 0;
    let found = loop {
        match parse(&came) {
            Hello::Whole(fingerprint) => break Some(fingerprint),
            Hello::Not => break None,
            Hello::More if came.len() >= bounds::HELLO_BYTES || reads >= bounds::HELLO_READS => break None,
            Hello::More => reads += 1,
        }
        came.reserve(2048);
        match tcp.read_buf(&mut came).await {
            Ok(1..) => {}
            _ => break None,
        }
    };
    tcp.put_back(came);
    found
}

/// Reads records until they hold the whole message.
pub fn parse(bytes: &[u8]) -> Hello {
    let mut message = Vec::new();
    let mut records = Reader(bytes);
    loop {
        if let [CLIENT_HELLO, rest @ ..] = &message[..]
            && let Some(body) = Reader(rest).vector(3)
        {
            return read(body).map_or(Hello::Not, Hello::Whole);
        }
        if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) || message.len() > bounds::HELLO_BYTES {
            return Hello::Not;
        }
        match records.0 {
            [] => return Hello::More,
            [kind, ..] if *kind != HANDSHAKE => return Hello::Not,
            _ => {}
        }
        let Some(record) = records.take(3).and_then(|_| records.vector(2)) else { return Hello::More };
        if record.is_empty() {
            return Hello::Not;
        }
        message.extend_from_slice(record);
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    /// Bytes behind a length of so many bytes.
    fn vector(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let n = self.number(bytes)?;
        self.take(n)
    }

    fn short(&mut self) -> Option<u16> {
        u16::try_from(self.number(2)?).ok()
    }
}

/// Numbers of two bytes, without those that mean nothing (GREASE, RFC 8701).
fn shorts(bytes: &[u8]) -> Vec<u16> {
    let all = bytes.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    all.filter(|n| !(n & 0x0f0f == 0x0a0a && n >> 8 == n & 0xff)).collect()
}

fn read(body: &[u8]) -> Option<Fingerprint> {
    let mut body = Reader(body);
    let mut version = body.short()?;
    body.take(32)?;
    body.vector(1)?;
    let mut ciphers = shorts(body.vector(2)?);
    body.vector(1)?;
    let mut all = Reader(if body.0.is_empty() { &[] } else { body.vector(2)? });
    let (mut extensions, mut algorithms, mut alpn, mut named) = (Vec::new(), Vec::new(), None, false);
    while !all.0.is_empty() {
        let (kind, data) = (all.short()?, all.vector(2)?);
        match kind {
            SERVER_NAME => named = true,
            SIGNATURE_ALGORITHMS => algorithms = shorts(Reader(data).vector(2)?),
            ALPN => alpn = Reader(Reader(data).vector(2)?).vector(1),
            SUPPORTED_VERSIONS => version = shorts(Reader(data).vector(1)?).into_iter().max().unwrap_or(version),
            _ => {}
        }
        if !matches!(kind, PRE_SHARED_KEY | EARLY_DATA) {
            extensions.extend(shorts(&kind.to_be_bytes()));
        }
    }
    let version = match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        _ => "00",
    };
    let (ciphers_n, extensions_n) = (ciphers.len().min(99), extensions.len().min(99));
    let named = if named { 'd' } else { 'i' };
    let mut whole = format!("t{version}{named}{ciphers_n:02}{extensions_n:02}{}_", ends(alpn));
    let mut text = String::with_capacity(512);
    ciphers.sort_unstable();
    write_all(&mut text, &ciphers);
    write_hash(&mut whole, &text);
    whole.push('_');
    text.clear();
    extensions.retain(|e| !matches!(*e, SERVER_NAME | ALPN));
    extensions.sort_unstable();
    if !extensions.is_empty() {
        write_all(&mut text, &extensions);
        if !algorithms.is_empty() {
            text.push('_');
            write_all(&mut text, &algorithms);
        }
    }
    write_hash(&mut whole, &text);
    Fingerprint::of(&whole)
}

/// The first and last character of the first protocol that is offered.
fn ends(alpn: Option<&[u8]>) -> String {
    let Some([first, .., last] | [first @ last]) = alpn else { return "00".into() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [*first, *last].map(char::from).iter().collect();
    }
    let (first, last) = (format!("{first:02x}"), format!("{last:02x}"));
    first[..1].to_owned() + &last[1..]
}

/// Numbers with commas between them.
fn write_all(out: &mut String, numbers: &[u16]) {
    for (at, number) in numbers.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        pen::hex(out, u64::from(*number), 4);
    }
}

/// The first twelve digits of SHA-256; of nothing, zeros.
fn write_hash(out: &mut String, text: &str) {
    if text.is_empty() {
        return out.push_str("000000000000");
    }
    digest(&SHA256, text.as_bytes()).as_ref().iter().take(6).for_each(|b| pen::hex(out, u64::from(*b), 2));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(width: usize, bytes: &[u8]) -> Vec<u8> {
        [&bytes.len().to_be_bytes()[8 - width..], bytes].concat()
    }

    fn numbers(all: &[u16]) -> Vec<u8> {
        all.iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    /// The message of the example that JA4's description works through: a Chrome of 2023.
    fn chrome(more: &[u16]) -> Vec<u8> {
        let ciphers = [
            0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
            0x009d, 0x002f, 0x0035,
        ];
        let algorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
        let kinds: [u16; 17] = [
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
            0xff01, 0x000b, 0x000a, 0x0015,
        ];
        let kinds = kinds.iter().chain(more);
        let data = |kind: u16| match kind {
            ALPN => vector(2, &[vector(1, b"h2"), vector(1, b"http/1.1")].concat()),
            SIGNATURE_ALGORITHMS => vector(2, &numbers(&algorithms)),
            SUPPORTED_VERSIONS => vector(1, &numbers(&[0x2a2a, 0x0304, 0x0303])),
            _ => vec![0; 3],
        };
        let extensions: Vec<u8> =
            kinds.flat_map(|kind| [kind.to_be_bytes().to_vec(), vector(2, &data(*kind))].concat()).collect();
        let body = [
            vec![3, 3],
            vec![7; 32],
            vector(1, &[]),
            vector(2, &numbers(&ciphers)),
            vector(1, &[0]),
            vector(2, &extensions),
        ];
        [vec![CLIENT_HELLO], vector(3, &body.concat())].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        message.chunks(size).flat_map(|piece| [vec![HANDSHAKE, 3, 1], vector(2, piece)].concat()).collect()
    }

    #[test]
    fn the_example_of_the_description_has_its_fingerprint() {
        let expected = Fingerprint::of("t13d1516h2_8daaf6152771_e5627efa2ab1").unwrap();
        for size in [1, 50, 16_384] {
            let bytes = records(&chrome(&[]), size);
            assert_eq!(parse(&bytes), Hello::Whole(expected), "in records of {size}");
            for short in [0, 1, 4, 5, 6, bytes.len() - 1] {
                assert_eq!(parse(&bytes[..short]), Hello::More, "{short} bytes");
            }
        }
        let again = records(&chrome(&[EARLY_DATA, PRE_SHARED_KEY]), 16_384);
        assert_eq!(parse(&again), Hello::Whole(expected), "when it comes again");
    }

    #[test]
    fn what_is_no_first_message_has_none() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Hello::Not);
        assert_eq!(parse(&records(&[2, 0, 0, 0], 100)), Hello::Not);
        assert_eq!(parse(&records(&[CLIENT_HELLO, 0, 0, 2, 3, 3], 100)), Hello::Not, "too short to be one");
        assert_eq!(parse(&[HANDSHAKE, 3, 1, 0, 0]), Hello::Not, "an empty record");
        assert_eq!(ends(None), "00");
        assert_eq!(ends(Some(b"h")), "hh");
        assert_eq!(ends(Some(&[0xab, 0xcd])), "ad");
    }
}
