//! One connection of the trusted hop to boma: what is sent stands in the caller, what comes back is read to its end
//! and told apart by its fields.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// How long anybody waits for an answer to begin, and for all of it.
pub const PATIENCE: Duration = Duration::from_secs(15);
const WHOLE: Duration = Duration::from_secs(60);
/// 2G: a round trip, and 1,460 bytes each quarter of a second (about 48 kbit/s).
pub const ROUND_TRIP: Duration = Duration::from_millis(600);
const PIECE: usize = 1460;
const PIECE_EVERY: Duration = Duration::from_millis(250);

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The origin's own, below 500.
    Origin,
    /// From boma's cache, or a snapshot.
    Copy,
    /// A challenge, or where one is.
    Challenge,
    /// 429: over a limit.
    Limited,
    /// 429: a challenge stood before it, and it can take none.
    NoPage,
    /// 403 and other refusals of boma's.
    Denied,
    /// No room at the origin.
    Busy,
    /// A place in the waiting room.
    Waits,
    /// The origin's own 5xx, or boma's word that it failed.
    OriginFailed,
    /// The posture's statement.
    Posture,
    /// No answer, or half of one.
    Broken,
}

#[derive(Debug)]
pub struct Answer {
    pub what: What,
    pub status: u16,
    /// Head and body.
    pub bytes: usize,
    /// From the request to the first byte.
    pub waited: Duration,
    pub pass: Option<String>,
    pub session: Option<String>,
    pub place: Option<String>,
    /// Whoever asks for their place is called, or has none any more.
    pub called: bool,
    pub retry_after: u64,
    pub seal: Option<String>,
    /// A form that rides along.
    pub form: Option<String>,
    /// boma's own, and no origin's.
    pub own: bool,
    packed: bool,
    close: bool,
}

impl Answer {
    pub fn broken(bytes: usize) -> Answer {
        Answer {
            what: What::Broken,
            status: 0,
            bytes,
            waited: PATIENCE,
            pass: None,
            session: None,
            place: None,
            called: false,
            retry_after: 0,
            seal: None,
            form: None,
            own: false,
            packed: false,
            close: true,
        }
    }
}

pub struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    slow: bool,
    asked: u32,
    /// Forms are looked for in the pages that come, at the price of unpacking them.
    pub reads_forms: bool,
}

impl Link {
    /// `from` is the hop's own address; `slow`: what the client takes is taken at the speed of 2G.
    pub async fn open(from: Ipv4Addr, port: u16, slow: bool) -> io::Result<Link> {
        let socket = TcpSocket::new_v4()?;
        if slow {
            socket.set_recv_buffer_size(4096)?;
        }
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        stream.set_nodelay(true)?;
        Ok(Link { stream, buffer: Vec::new(), slow, asked: 0, reads_forms: false })
    }

    /// Sends a request and reads its answer. Afterwards the link is good for more where that is said.
    pub async fn ask(&mut self, request: &[u8]) -> (Answer, bool) {
        self.buffer.clear();
        self.asked += 1;
        match timeout(WHOLE, self.exchange(request)).await {
            Ok(Ok(answer)) => {
                let good = !answer.close;
                (answer, good)
            }
            Ok(Err(_)) | Err(_) => (Answer::broken(self.buffer.len()), false),
        }
    }

    /// Nothing came back on a link that had been used before: whoever is at the other end had closed it.
    pub fn was_stale(&self) -> bool {
        self.asked > 1 && self.buffer.is_empty()
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        let start = Instant::now();
        timeout(PATIENCE, self.stream.readable()).await??;
        let waited = start.elapsed();
        let (mut answer, length) = loop {
            self.more().await?;
            if let Some(read) = read_head(&self.buffer)? {
                break read;
            }
        };
        answer.waited = waited;
        let body = answer.bytes;
        while self.buffer.len() < body + length {
            self.more().await?;
        }
        answer.bytes = self.buffer.len();
        answer.look_into(&self.buffer[body..], self.reads_forms);
        Ok(answer)
    }

    async fn more(&mut self) -> io::Result<()> {
        let got = if self.slow {
            sleep(PIECE_EVERY).await;
            let at = self.buffer.len();
            self.buffer.resize(at + PIECE, 0);
            let got = self.stream.read(&mut self.buffer[at..]).await;
            self.buffer.truncate(at + *got.as_ref().unwrap_or(&0));
            got?
        } else {
            self.stream.read_buf(&mut self.buffer).await?
        };
        if got == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// The answer as far as its head tells, `bytes` being where the body begins, and the body's length.
fn read_head(bytes: &[u8]) -> io::Result<Option<(Answer, usize)>> {
    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut room);
    let httparse::Status::Complete(at) = response.parse(bytes).map_err(io::Error::other)? else { return Ok(None) };
    let status = response.code.unwrap_or(0);
    let (mut length, mut proxy, mut cache, mut kept) = (None, "", "", false);
    let mut answer = Answer { what: What::Origin, status, close: false, ..Answer::broken(at) };
    for field in response.headers.iter() {
        let value = std::str::from_utf8(field.value).unwrap_or("");
        let name = field.name;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("proxy-status") {
            proxy = value.strip_prefix("boma; error=").unwrap_or("other");
        } else if name.eq_ignore_ascii_case("cache-status") {
            cache = value;
        } else if name.eq_ignore_ascii_case("content-encoding") {
            answer.packed = value == "gzip";
        } else if name.eq_ignore_ascii_case("x-cache") {
            // What nginx and HAProxy are set up to say.
            kept = matches!(value, "HIT" | "STALE" | "UPDATING");
        } else if name.eq_ignore_ascii_case("retry-after") {
            answer.retry_after = value.parse().unwrap_or(0);
        } else if name.eq_ignore_ascii_case("ratelimit") {
            answer.what = What::Limited;
        } else if name.eq_ignore_ascii_case("connection") {
            answer.close = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("set-cookie") {
            let pair = value.split(';').next().unwrap_or("");
            if pair.starts_with("boma_pass=") {
                answer.pass = Some(pair.to_owned());
            } else if pair.starts_with("boma_place=") {
                answer.place = Some(pair.to_owned());
            } else {
                answer.session = Some(pair.to_owned());
            }
        }
    }
    let length = match (length, status) {
        (_, 204 | 304) => 0,
        (Some(n), _) => n,
        // Neither the origin of the flood nor boma sends any other frame.
        (None, _) => return Err(io::ErrorKind::InvalidData.into()),
    };
    answer.own = !proxy.is_empty();
    answer.what = match (status, proxy) {
        _ if kept || cache.starts_with("boma; hit") => What::Copy,
        (503, _) if answer.place.is_some() => What::Waits,
        (500.., "") => What::OriginFailed,
        // Peers have no other sign of it, and the origin never says so.
        (429, "") => What::Limited,
        (_, "") => What::Origin,
        (429, _) if answer.what == What::Limited => What::Limited,
        (429, _) => What::NoPage,
        (_, "connection_limit_reached") => What::Busy,
        // A challenge, where there is one in the body.
        (503, "http_request_denied") => What::Posture,
        (_, "http_request_denied" | "http_request_error") => What::Denied,
        _ => What::OriginFailed,
    };
    Ok(Some((answer, length)))
}

const SEAL: &[u8] = b"name=\"boma-seal\" value=\"";
const FORM: &[u8] = b"name=\"boma-form\" value=\"";

impl Answer {
    fn look_into(&mut self, body: &[u8], reads_forms: bool) {
        let says = |state: &[u8]| memchr::memmem::find(body, state).is_some();
        if self.status == 200 && body.starts_with(b"{") {
            self.called = says(b"\"state\":\"called\"") || says(b"\"state\":\"none\"");
        }
        if !matches!(self.what, What::Posture | What::Waits) {
            return;
        }
        let unpacked = (self.packed && reads_forms).then(|| unpacked(body)).flatten();
        let body = unpacked.as_deref().unwrap_or(body);
        let value = |mark: &[u8]| {
            let at = memchr::memmem::find(body, mark)? + mark.len();
            let value = body[at..].split(|b| *b == b'"').next()?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        (self.seal, self.form) = (value(SEAL).or_else(|| packed_seal(body)), value(FORM));
        let is_challenge = self.seal.is_some() || memchr::memmem::find(body, b"\"challenge_url\"").is_some();
        if self.what == What::Posture && is_challenge {
            self.what = What::Challenge;
        }
    }
}

/// A seal in a page that came as gzip: it stands there as it is, and nothing else ends with so many dashes.
fn packed_seal(body: &[u8]) -> Option<String> {
    const WIDTH: usize = 96;
    let at = memchr::memmem::find(body, &[b'-'; 32])?;
    let end = at + body[at..].iter().take_while(|b| **b == b'-').count();
    let seal = body.get(end.checked_sub(WIDTH)?..end)?;
    (seal.is_ascii() && seal[2] == b'.' && seal[5] == b'.').then(|| String::from_utf8_lossy(seal).into_owned())
}

/// A page that came as gzip, which boma makes without any of the head's optional parts (RFC 1952 section 2.3).
fn unpacked(body: &[u8]) -> Option<Vec<u8>> {
    const HEAD: usize = 10;
    miniz_oxide::inflate::decompress_to_vec_with_limit(body.get(HEAD..)?, 4 << 20).ok()
}
