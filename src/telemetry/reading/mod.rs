//! Access logs, read back: boma's own JSON, and the formats of Apache and nginx (combined, common, vhost_combined).
//! A line is a pure question: [`line`] says what request it tells of, or why none.
//!
//! Does not know: files, rules, what becomes of a request.

mod combined;
mod json;

use std::io::{self, BufRead};

use memchr::{memchr, memmem};

use super::recent::Fact;
use crate::bounds;
use crate::facts::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// boma's own.
    Json,
    /// Apache's and nginx's combined, common and vhost_combined.
    Combined,
}

impl Format {
    pub const ALL: [Format; 2] = [Format::Json, Format::Combined];

    pub fn as_str(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Combined => "combined",
        }
    }
}

/// A request, as an access log tells of it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Nanoseconds since the Unix epoch.
    pub at: u64,
    /// Its authority is empty where the line has no host.
    pub fact: Fact,
    /// A guess, where the line does not say it.
    pub kind: Kind,
    /// The origin's own status, where it was asked.
    pub origin: Option<u16>,
    /// Nanoseconds that the answer took.
    pub took: Option<u64>,
    pub holds: Holds,
}

/// What is known of requests beside time, client, method and path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    pub host: bool,
    pub scheme: bool,
    pub query: Query,
    pub user_agent: bool,
    pub referrer: bool,
    pub kind: bool,
    /// Whether there was a pass; never whose.
    pub pass: bool,
    pub took: bool,
    pub fingerprint: bool,
}

/// How much of queries is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    #[default]
    Nothing,
    Names,
    Whole,
}

impl Holds {
    /// What either holds.
    pub fn or(self, other: Holds) -> Holds {
        Holds {
            host: self.host || other.host,
            scheme: self.scheme || other.scheme,
            query: self.query.max(other.query),
            user_agent: self.user_agent || other.user_agent,
            referrer: self.referrer || other.referrer,
            kind: self.kind || other.kind,
            pass: self.pass || other.pass,
            took: self.took || other.took,
            fingerprint: self.fingerprint || other.fingerprint,
        }
    }
}

/// Why a line tells of no request that rules could be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is no line of this format; what was missed.
    Wrong(&'static str),
    /// What came was no request: TLS on a plain port, a connection that ended early.
    NoRequest,
    /// It was for boma's own paths.
    Own,
    /// It was for no portal: another host, a banned client, a head that could not be read.
    NoPortal,
}

/// The request that a line tells of. The line comes without its end.
///
/// # Errors
/// Why there is none.
pub fn line(format: Format, bytes: &[u8]) -> Result<Logged, Unread> {
    match format {
        Format::Json => json::read(bytes),
        Format::Combined => combined::read(bytes),
    }
}

/// Which format most lines of a sample have, `None` where nothing of it can be read (as `wanted`, where somebody says); and
/// what the lines hold.
pub fn detect(wanted: Option<Format>, sample: &[u8]) -> Option<(Format, Holds)> {
    let seen = Format::ALL.into_iter().filter(|f| wanted.is_none_or(|w| w == *f)).map(|format| {
        let lines = sample.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
        let read = lines.filter_map(|bytes| match line(format, bytes) {
            Ok(logged) => Some(logged.holds),
            Err(Unread::Wrong(_)) => None,
            Err(_) => Some(Holds::default()),
        });
        let (count, holds) = read.fold((0, Holds::default()), |(n, all), holds| (n + 1, all.or(holds)));
        (count, format, holds)
    });
    let (count, format, holds) = seen.max_by_key(|(count, ..)| *count)?;
    (count > 0).then_some((format, holds))
}

/// Lines of a file, each of at most [`bounds::REPLAY_LINE_BYTES`].
pub struct Lines<R> {
    from: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub fn new(from: R) -> Lines<R> {
        Lines { from, line: Vec::new() }
    }

    /// The next line without its end, and its bytes with it; `None` at the end of the file. A line that is too long is empty.
    ///
    /// # Errors
    /// The system's.
    pub fn next_line(&mut self) -> io::Result<Option<(&[u8], usize)>> {
        self.line.clear();
        let (mut bytes, mut fits) = (0, true);
        loop {
            let there = match self.from.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                there => there?,
            };
            let end = memchr(b'\n', there);
            let piece = &there[..end.unwrap_or(there.len())];
            fits &= self.line.len() + piece.len() <= bounds::REPLAY_LINE_BYTES;
            if fits {
                self.line.extend_from_slice(piece);
            }
            let (used, last) = (piece.len() + usize::from(end.is_some()), there.is_empty());
            self.from.consume(used);
            bytes += used;
            if end.is_some() || last {
                break;
            }
        }
        if !fits {
            self.line.clear();
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        Ok((bytes > 0).then_some((line, bytes)))
    }
}

/// What kind of thing asked, from what every log holds.
fn guess(method: &str, path: &str, agent: &[u8]) -> Kind {
    const ASSETS: [&str; 17] = [
        "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "avif", "woff", "woff2", "ttf",
        "mp4", "wasm",
    ];
    if memmem::find(agent, b"Mozilla/").is_none() {
        return Kind::Program;
    }
    let end = path.rsplit('/').next().and_then(|last| last.rsplit_once('.')).map_or("", |(_, end)| end);
    let asset = method == "GET" && ASSETS.iter().any(|a| a.eq_ignore_ascii_case(end));
    if asset { Kind::Subresource } else { Kind::Navigation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_by_itself_what_it_is_and_what_it_holds() {
        let found = |lines: &[&str]| detect(None, lines.join("\n").as_bytes());
        assert_eq!(found(&["a", "{}", ""]), None);
        let plain = r#"192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET /a HTTP/1.1" 200 42 "-" "curl/8""#;
        let (format, holds) = found(&["rotated", plain, &plain.replace("/a", "/a?b=1")]).unwrap();
        assert_eq!(format, Format::Combined);
        assert_eq!(holds, Holds { query: Query::Whole, user_agent: true, referrer: true, ..Holds::default() });
    }

    #[test]
    fn lines_end_where_they_end_and_none_is_too_long() {
        let long = "x".repeat(bounds::REPLAY_LINE_BYTES + 1);
        let text = format!("one\r\n\n{long}\ntwo\n{}\nlast", &long[1..]);
        for room in [1, 7, 1 << 20] {
            let mut lines = Lines::new(io::BufReader::with_capacity(room, text.as_bytes()));
            let mut all = Vec::new();
            while let Some((line, bytes)) = lines.next_line().unwrap() {
                all.push((line.len(), bytes));
            }
            let most = bounds::REPLAY_LINE_BYTES;
            assert_eq!(all, [(3, 5), (0, 1), (0, most + 2), (3, 4), (most, most + 1), (4, 4)], "{room}");
        }
    }
}
