//! Bodies by their framing: by length, in chunks (RFC 9112 section 7.1), to the end of the connection.
//!
//! Does not know: heads, sockets.

use bytes::{Buf, Bytes, BytesMut};

use super::head::{head_end, is_token};
use crate::bounds;
use crate::wire::Fields;

/// How a body's end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    Length(u64),
    Chunked,
    /// Answers only.
    UntilClose,
}

impl Framing {
    /// A length of 0 is no body.
    pub fn length(n: u64) -> Framing {
        if n == 0 { Framing::Empty } else { Framing::Length(n) }
    }
}

/// The framing broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyFault;

/// What a look at the buffer gave.
#[derive(Debug)]
pub enum Step {
    Data(Bytes),
    Trailers(Fields),
    /// The body is whole.
    End,
    /// Nothing yet.
    More,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Length(u64),
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    UntilClose,
    Done,
}

/// Takes a body off a buffer, piece by piece. Chunk extensions mean nothing to anybody and are dropped.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    scanned: usize,
    extensions: usize,
}

impl Decoder {
    pub fn new(framing: Framing) -> Decoder {
        let state = match framing {
            Framing::Empty => State::Done,
            Framing::Length(n) => State::Length(n),
            Framing::Chunked => State::Size,
            Framing::UntilClose => State::UntilClose,
        };
        Decoder { state, scanned: 0, extensions: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes still to come, where the framing says so.
    pub fn exact(&self) -> Option<u64> {
        match self.state {
            State::Length(n) => Some(n),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// The connection has ended; whether the body is whole by that.
    pub fn ends_at_close(&self) -> bool {
        matches!(self.state, State::UntilClose | State::Done)
    }

    /// # Errors
    /// [`BodyFault`]: the body ends here, broken.
    pub fn step(&mut self, buf: &mut BytesMut) -> Result<Step, BodyFault> {
        loop {
            match self.state {
                State::Done => return Ok(Step::End),
                _ if buf.is_empty() => return Ok(Step::More),
                State::UntilClose => return Ok(Step::Data(take(buf, u64::MAX))),
                State::Length(n) => {
                    let data = take(buf, n);
                    let left = n - data.len() as u64;
                    self.state = if left == 0 { State::Done } else { State::Length(left) };
                    return Ok(Step::Data(data));
                }
                State::Data(n) => {
                    let data = take(buf, n);
                    let left = n - data.len() as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Step::Data(data));
                }
                State::DataEnd => {
                    if buf[0] != b'\r' || buf.get(1).is_some_and(|b| *b != b'\n') {
                        return Err(BodyFault);
                    }
                    if buf.len() < 2 {
                        return Ok(Step::More);
                    }
                    buf.advance(2);
                    self.state = State::Size;
                }
                State::Size => {
                    let Some(line) = self.line(buf)? else { return Ok(Step::More) };
                    self.state = match self.chunk_size(&line)? {
                        0 => State::Trailers,
                        n => State::Data(n),
                    };
                }
                State::Trailers => return self.trailers(buf),
            }
        }
    }

    /// A line without its CRLF.
    fn line(&mut self, buf: &mut BytesMut) -> Result<Option<BytesMut>, BodyFault> {
        let Some(at) = memchr::memchr(b'\n', &buf[self.scanned..]).map(|i| i + self.scanned) else {
            self.scanned = buf.len();
            return if buf.len() > bounds::CHUNK_LINE_BYTES { Err(BodyFault) } else { Ok(None) };
        };
        self.scanned = 0;
        if at == 0 || buf[at - 1] != b'\r' || at > bounds::CHUNK_LINE_BYTES {
            return Err(BodyFault);
        }
        let mut line = buf.split_to(at + 1);
        line.truncate(at - 1);
        Ok(Some(line))
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<u64, BodyFault> {
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if !(1..=15).contains(&digits) {
            return Err(BodyFault);
        }
        let size = line[..digits].iter().fold(0, |n, d| n << 4 | u64::from(hex(*d)));
        let extension = &line[digits..];
        let named = extension.trim_ascii_start().first().is_none_or(|b| *b == b';');
        let printable = extension.iter().all(|b| *b == b'\t' || (0x20..0x7f).contains(b) || *b >= 0x80);
        let blank_only = !extension.is_empty() && extension.trim_ascii().is_empty();
        self.extensions += extension.len();
        if !named || !printable || blank_only || self.extensions > bounds::CHUNK_EXTENSION_BYTES {
            return Err(BodyFault);
        }
        Ok(size)
    }

    fn trailers(&mut self, buf: &mut BytesMut) -> Result<Step, BodyFault> {
        let Some(end) = head_end(buf, &mut self.scanned, true).map_err(|_| BodyFault)? else {
            return if buf.len() > bounds::TRAILER_BYTES { Err(BodyFault) } else { Ok(Step::More) };
        };
        self.scanned = 0;
        self.state = State::Done;
        if end == 2 {
            buf.advance(2);
            return Ok(Step::End);
        }
        if end > bounds::TRAILER_BYTES {
            return Err(BodyFault);
        }
        let bytes = buf.split_to(end).freeze();
        let mut room = [httparse::EMPTY_HEADER; bounds::TRAILER_FIELDS];
        let Ok(httparse::Status::Complete((_, parsed))) = httparse::parse_headers(&bytes, &mut room) else {
            return Err(BodyFault);
        };
        let mut fields = Fields::with_capacity(parsed.len());
        for field in parsed {
            if field.name.is_empty() || !field.name.bytes().all(is_token) {
                return Err(BodyFault);
            }
            let name = field.name.to_ascii_lowercase();
            if may_trail(&name) {
                fields.push(name, bytes.slice_ref(field.value));
            }
        }
        Ok(Step::Trailers(fields))
    }
}

/// Fields that say how a message is framed, routed, trusted or kept have no place after it (RFC 9110 section 6.5.1).
pub fn may_trail(name: &str) -> bool {
    const NEVER: [&str; 23] = [
        "transfer-encoding",
        "content-length",
        "content-encoding",
        "content-type",
        "content-range",
        "host",
        "trailer",
        "te",
        "connection",
        "keep-alive",
        "upgrade",
        "proxy-connection",
        "cache-control",
        "expect",
        "max-forwards",
        "pragma",
        "range",
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "forwarded",
        "boma-session",
    ];
    let plain = name.replace('_', "-");
    !NEVER.contains(&plain.as_str()) && !plain.starts_with("x-forwarded-")
}

fn take(buf: &mut BytesMut, most: u64) -> Bytes {
    let n = usize::try_from(most).unwrap_or(usize::MAX).min(buf.len());
    buf.split_to(n).freeze()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// The end of a chunked body, with its trailers.
pub fn last_chunk(trailers: &Fields, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in &trailers.0 {
        super::write_field(out, name.as_bytes(), value);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, the trailers' names, and what is left in the buffer; fed in pieces of `size`.
    fn decode(bytes: &[u8], size: usize) -> Result<(Vec<u8>, Vec<String>, usize), BodyFault> {
        let mut decoder = Decoder::new(Framing::Chunked);
        let (mut buf, mut data, mut trailers) = (BytesMut::new(), Vec::new(), Vec::new());
        let mut pieces = bytes.chunks(size);
        loop {
            match decoder.step(&mut buf)? {
                Step::Data(bytes) => data.extend_from_slice(&bytes),
                Step::Trailers(fields) => trailers = fields.0.into_iter().map(|(n, _)| n.into_owned()).collect(),
                Step::End => return Ok((data, trailers, buf.len() + pieces.map(<[u8]>::len).sum::<usize>())),
                Step::More => match pieces.next() {
                    Some(piece) => buf.extend_from_slice(piece),
                    None => return Err(BodyFault),
                },
            }
        }
    }

    #[test]
    fn chunks_are_read_however_they_are_cut() {
        let bytes = b"3;a=\"b c\"\r\nabc\r\n0005 ;x\r\nde\r\nf\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nBoma-Session: proven\r\n\r\nGET";
        for size in 1..bytes.len() {
            let (data, trailers, left) = decode(bytes, size).unwrap();
            assert_eq!((data.as_slice(), left), (&b"abcde\r\nf0123456789"[..], 3), "{size}");
            assert_eq!(trailers, ["x-sum"]);
        }
    }

    #[test]
    fn odd_chunks_break_the_body() {
        for bytes in [
            &b"0x3\r\nabc\r\n0\r\n\r\n"[..],
            b"+3\r\nabc\r\n0\r\n\r\n",
            b" 3\r\nabc\r\n0\r\n\r\n",
            b"3 \r\nabc\r\n0\r\n\r\n",
            b"\r\nabc\r\n0\r\n\r\n",
            b"3\nabc\r\n0\r\n\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3\r\nabcd\r\n0\r\n\r\n",
            b"3;a\rb\r\nabc\r\n0\r\n\r\n",
            b"3;a\0\r\nabc\r\n0\r\n\r\n",
            b"10000000000000003\r\nabc\r\n0\r\n\r\n",
            b"0\r\nX\r\n\r\n",
            b"0\r\nX: 1\n\r\n",
            b"0\r\nX: 1\r\n folded\r\n\r\n",
            b"0\r\n\n",
        ] {
            assert_eq!(decode(bytes, bytes.len()), Err(BodyFault), "{}", bytes.escape_ascii());
        }
    }
}
