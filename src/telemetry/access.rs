//! The access log: one JSON line with ECS names per request, or Apache's combined format. Workers hand over whole
//! batches; when the writer's queue is full they are dropped and counted, never waited for.
//!
//! Does not know: requests, verdicts; it is handed texts.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use crate::bounds;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    Stdout,
    File(PathBuf),
    Off,
}

/// How much of a query is written; values hold personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    Names,
    Full,
    Off,
}

/// Whatever is known when an answer's head goes out.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Nanoseconds since the Unix epoch at which the request came.
    pub at: u64,
    pub client: IpAddr,
    pub peer: IpAddr,
    pub method: &'a str,
    pub scheme: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub version: &'a str,
    /// Of the client's TLS (JA4).
    pub fingerprint: Option<&'a str>,
    pub user_agent: Option<&'a [u8]>,
    pub referrer: Option<&'a [u8]>,
    /// What kind of thing asked.
    pub kind: &'a str,
    pub id: &'a str,
    pub status: u16,
    pub portal: &'a str,
    pub verdict: &'a str,
    pub reason: &'a str,
    pub rule: Option<&'a str>,
    pub noted: &'a [String],
    pub posture: &'a str,
    pub cache: Option<&'a str>,
    pub pass: Option<u8>,
    /// The bot that it is verified as.
    pub bot: Option<&'a str>,
    pub reference: Option<&'a str>,
}

/// The process's log: the writer's queue and how lines look.
#[derive(Clone)]
pub struct AccessLog {
    queue: Option<SyncSender<Vec<u8>>>,
    combined: bool,
    query: Query,
    dropped: Counter,
    reopen: Arc<AtomicBool>,
}

impl AccessLog {
    /// Starts the writer.
    ///
    /// # Errors
    /// Where the file cannot be opened or no thread can be had.
    pub fn start(sink: Sink, combined: bool, query: Query, dropped: Counter) -> io::Result<AccessLog> {
        let reopen = Arc::new(AtomicBool::new(false));
        let queue = match sink {
            Sink::Off => None,
            sink => {
                let writer = Writer { out: Out::open(&sink)?, sink, reopen: reopen.clone(), dropped: dropped.clone() };
                let (queue, batches) = sync_channel(bounds::LOG_BATCHES);
                thread::Builder::new().name("boma-log".into()).spawn(move || writer.run(&batches))?;
                Some(queue)
            }
        };
        Ok(AccessLog { queue, combined, query, dropped, reopen })
    }

    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Opens the file anew before the next batch (USR1, after a rotation).
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// A worker's end of the log.
    pub fn batch(&self) -> Batch {
        Batch { log: self.clone(), buffer: RefCell::default() }
    }
}

/// Lines of one worker that have not been handed over yet.
pub struct Batch {
    log: AccessLog,
    buffer: RefCell<Vec<u8>>,
}

impl Batch {
    pub fn is_on(&self) -> bool {
        self.log.is_on()
    }

    /// The line as far as it is known; [`Batch::end`] completes it when the answer is over.
    pub fn begin(&self, line: &Line<'_>) -> String {
        if self.log.combined { line.combined() } else { line.json(self.log.query) }
    }

    /// Completes a line with the bytes of the answer's body and the nanoseconds it all took.
    pub fn end(&self, line: &str, bytes: u64, nanos: u64) {
        let mut buffer = self.buffer.borrow_mut();
        if self.log.combined {
            // The size stands before referrer and agent: the line carries a mark at its place.
            let (before, after) = line.split_once('\u{1}').unwrap_or((line, ""));
            let _ = writeln!(buffer, "{before}{bytes}{after}");
        } else {
            let _ = writeln!(buffer, "{line},\"http.response.body.bytes\":{bytes},\"event.duration\":{nanos}}}");
        }
        let full = buffer.len() >= bounds::LOG_BATCH_BYTES;
        drop(buffer);
        if full {
            self.flush();
        }
    }

    /// Hands the lines over, or drops and counts them.
    pub fn flush(&self) {
        let mut buffer = self.buffer.borrow_mut();
        let Some(queue) = &self.log.queue else { return };
        if buffer.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut *buffer);
        if let Err(refused) = queue.try_send(lines) {
            let (std::sync::mpsc::TrySendError::Full(mut lines)
            | std::sync::mpsc::TrySendError::Disconnected(mut lines)) = refused;
            self.log.dropped.inc_by(count(&lines));
            lines.clear();
            *buffer = lines;
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.flush();
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|b| **b == b'\n').count() as u64
}

struct Writer {
    out: Out,
    sink: Sink,
    reopen: Arc<AtomicBool>,
    dropped: Counter,
}

enum Out {
    Stdout(io::Stdout),
    File(File),
}

impl Out {
    fn open(sink: &Sink) -> io::Result<Out> {
        match sink {
            Sink::File(path) => Ok(Out::File(OpenOptions::new().create(true).append(true).open(path)?)),
            Sink::Stdout | Sink::Off => Ok(Out::Stdout(io::stdout())),
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Out::Stdout(out) => out.write_all(lines).and_then(|()| out.flush()),
            Out::File(out) => out.write_all(lines),
        }
    }
}

impl Writer {
    fn run(mut self, batches: &Receiver<Vec<u8>>) {
        loop {
            let batch = match batches.recv_timeout(Duration::from_secs(1)) {
                Ok(batch) => batch,
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.reopen.swap(false, Ordering::Relaxed) {
                match Out::open(&self.sink) {
                    Ok(out) => self.out = out,
                    Err(e) => {
                        tracing::error!(error = %e, "the access log cannot be opened anew; the old file stays in use")
                    }
                }
            }
            if !batch.is_empty() && self.out.write(&batch).is_err() {
                self.dropped.inc_by(count(&batch));
            }
        }
    }
}

impl Line<'_> {
    fn json(&self, query: Query) -> String {
        let mut out = String::with_capacity(768);
        let seconds = (self.at / 1_000_000_000) as i64;
        let time = jiff::Timestamp::new(seconds, (self.at % 1_000_000_000) as i32).unwrap_or_default();
        let _ = write!(
            out,
            "{{\"@timestamp\":\"{time:.3}\",\"ecs.version\":\"8.11.0\",\"event.kind\":\"event\",\"event.category\":[\"web\",\"network\"]"
        );
        let outcome = if matches!(self.verdict, "allowed") { "success" } else { "failure" };
        let _ = write!(
            out,
            ",\"event.action\":\"{}\",\"event.outcome\":\"{outcome}\",\"observer.type\":\"proxy\"",
            self.verdict
        );
        let _ = write!(out, ",\"client.ip\":\"{}\",\"source.ip\":\"{}\"", self.client, self.peer);
        text(&mut out, "http.request.method", self.method.as_bytes());
        text(&mut out, "url.scheme", self.scheme.as_bytes());
        text(&mut out, "url.domain", self.host.as_bytes());
        text(&mut out, "url.path", self.path.as_bytes());
        match (self.query, query) {
            (None, _) | (_, Query::Off) => {}
            (Some(q), Query::Full) => text(&mut out, "url.query", q.as_bytes()),
            (Some(q), Query::Names) => {
                let names: Vec<&str> = q.split('&').map(|p| p.split('=').next().unwrap_or("")).collect();
                text(&mut out, "url.query", names.join("&").as_bytes());
            }
        }
        text(&mut out, "http.version", self.version.as_bytes());
        text(&mut out, "http.request.id", self.id.as_bytes());
        optional(&mut out, "user_agent.original", self.user_agent);
        optional(&mut out, "tls.client.ja4", self.fingerprint.map(str::as_bytes));
        optional(&mut out, "http.request.referrer", self.referrer.map(without_query));
        let _ = write!(out, ",\"http.response.status_code\":{}", self.status);
        text(&mut out, "boma.portal", self.portal.as_bytes());
        text(&mut out, "boma.verdict", self.verdict.as_bytes());
        text(&mut out, "boma.reason", self.reason.as_bytes());
        optional(&mut out, "boma.rule", self.rule.map(str::as_bytes));
        if !self.noted.is_empty() {
            let noted: Vec<String> =
                self.noted.iter().map(|n| serde_json::Value::from(n.as_str()).to_string()).collect();
            let _ = write!(out, ",\"boma.noted\":[{}]", noted.join(","));
        }
        text(&mut out, "boma.kind", self.kind.as_bytes());
        text(&mut out, "boma.posture", self.posture.as_bytes());
        optional(&mut out, "boma.cache", self.cache.map(str::as_bytes));
        match self.pass {
            Some(level) => {
                let _ = write!(out, ",\"boma.pass\":{level}");
            }
            None => out.push_str(",\"boma.pass\":null"),
        }
        optional(&mut out, "boma.bot", self.bot.map(str::as_bytes));
        optional(&mut out, "boma.reference", self.reference.map(str::as_bytes));
        out
    }

    /// Apache's combined format, with the size's place marked.
    fn combined(&self) -> String {
        let seconds = (self.at / 1_000_000_000) as i64;
        let time = jiff::Timestamp::new(seconds, 0).unwrap_or_default().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        let mut out = format!("{} - - [{time}] \"", self.client);
        quoted(&mut out, self.method.as_bytes());
        out.push(' ');
        quoted(&mut out, self.path.as_bytes());
        let _ = write!(out, " HTTP/{}\" {} \u{1} \"", self.version, self.status);
        quoted(&mut out, without_query(self.referrer.unwrap_or(b"-")));
        out.push_str("\" \"");
        quoted(&mut out, self.user_agent.unwrap_or(b"-"));
        out.push('"');
        out
    }
}

fn without_query(referrer: &[u8]) -> &[u8] {
    referrer.split(|b| *b == b'?').next().unwrap_or(referrer)
}

fn optional(out: &mut String, name: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        text(out, name, value);
    }
}

/// `,"name":"value"`, the value escaped; bytes that are no UTF-8 become U+FFFD.
fn text(out: &mut String, name: &str, value: &[u8]) {
    let _ = write!(out, ",\"{name}\":\"");
    for c in String::from_utf8_lossy(value).chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// As Apache escapes: a quote, a backslash and what is not printable ASCII.
fn quoted(out: &mut String, value: &[u8]) {
    for &b in value {
        match b {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(b));
            }
            0x20..=0x7e => out.push(char::from(b)),
            _ => {
                let _ = write!(out, "\\x{b:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line<'static> {
        Line {
            at: 1_700_000_000_123_456_789,
            client: "192.0.2.7".parse().unwrap(),
            peer: "127.0.0.1".parse().unwrap(),
            method: "GET",
            scheme: "http",
            host: "huduma.example",
            path: "/a\"b",
            query: Some("id=12345&name=x"),
            version: "1.1",
            fingerprint: None,
            user_agent: Some(b"curl/8\n\xff"),
            referrer: Some(b"https://x.example/p?secret=1"),
            kind: "navigation",
            id: "r1",
            status: 200,
            portal: "huduma",
            verdict: "allowed",
            reason: "served",
            rule: None,
            noted: &[],
            posture: "normal",
            cache: None,
            pass: None,
            bot: None,
            reference: None,
        }
    }

    fn written(sink: &str, combined: bool, query: Query) -> String {
        let path = std::env::temp_dir().join(format!("boma-access-{}-{sink}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let log = AccessLog::start(Sink::File(path.clone()), combined, query, Counter::default()).unwrap();
        let batch = log.batch();
        let begun = batch.begin(&line());
        batch.end(&begun, 42, 1000);
        batch.flush();
        for _ in 0..600 {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text.ends_with('\n') {
                return text;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("nothing was written");
    }

    #[test]
    fn a_json_line_is_json_and_holds_no_values_of_the_query() {
        let text = written("json", false, Query::Names);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["url.query"], "id&name");
        assert_eq!(value["url.path"], "/a\"b");
        assert_eq!(value["http.request.referrer"], "https://x.example/p");
        assert_eq!(value["http.response.body.bytes"], 42);
        assert_eq!(value["event.duration"], 1000);
        assert_eq!(value["boma.verdict"], "allowed");
        assert_eq!(value["@timestamp"], "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        use crate::telemetry::reading::{self, Format, Holds};
        use crate::wire::Head;
        let json = written("json-back", false, Query::Names);
        let read = reading::line(Format::Json, json.trim_end().as_bytes()).unwrap();
        let fact = read.fact;
        assert_eq!((fact.method(), fact.scheme, &*fact.authority), ("GET", "http", "huduma.example"));
        assert_eq!((fact.path(), fact.query()), ("/a\"b", Some("id&name")));
        assert_eq!(fact.text("user-agent"), Some("curl/8\n\u{fffd}"), "bytes that are no text are lost in JSON");
        assert_eq!(fact.text("referer"), Some("https://x.example/p"));
        assert_eq!((read.at, read.origin, read.took), (1_700_000_000_123_000_000, Some(200), Some(1000)));
        assert_eq!((read.kind.as_str(), fact.pass, fact.address), ("navigation", None, line().client));
        let all = Holds {
            host: true,
            scheme: true,
            query: reading::Query::Names,
            user_agent: true,
            referrer: true,
            kind: true,
            pass: true,
            took: true,
            fingerprint: false,
        };
        assert_eq!(read.holds, all);
        assert!(written("json-full", false, Query::Full).contains("id=12345&name=x"));

        let combined = written("combined-back", true, Query::Names);
        let read = reading::line(Format::Combined, combined.trim_end().as_bytes()).unwrap();
        assert_eq!((read.fact.path(), read.fact.query(), read.origin), ("/a\"b", None, Some(200)));
        assert_eq!(read.fact.field("user-agent"), line().user_agent, "byte for byte");
    }

    #[test]
    fn a_combined_line_is_apaches() {
        assert_eq!(
            written("combined", true, Query::Names),
            "192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET /a\\\"b HTTP/1.1\" 200 42 \"https://x.example/p\" \"curl/8\\x0a\\xff\"\n"
        );
    }

    #[test]
    fn a_sink_that_stands_still_costs_lines_not_time() {
        let (queue, _stuck) = sync_channel(1);
        let dropped = Counter::default();
        let log = AccessLog {
            queue: Some(queue),
            combined: false,
            query: Query::Off,
            dropped: dropped.clone(),
            reopen: Arc::default(),
        };
        let batch = log.batch();
        for _ in 0..3 {
            let begun = batch.begin(&line());
            batch.end(&begun, 0, 0);
            batch.flush();
        }
        assert_eq!(dropped.get(), 2);
    }
}
