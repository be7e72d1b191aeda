//! `boma events`: what changes, a line for each, for as long as somebody listens.
//!
//! Does not know: what changes.

use std::time::Duration;

use serde_json::{Value, json};

use super::status::plain;
use super::{FAILED, Failed, Format, Staff};
use crate::admin::client::{self, Heard};

/// How often, and for how many times in a row, a boma is asked again that has ended the stream: as long as a restart takes.
const AGAIN: Duration = Duration::from_secs(2);
const TIMES: u32 = 30;
/// The longest line of the stream: an event is a few KiB.
const LINE_BYTES: usize = 64 * 1024;

#[derive(clap::Args)]
pub struct Events {
    /// Go on behind this event, by its id (--format json shows it)
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    staff: Staff,
}

impl Events {
    pub fn run(self) -> Result<(), Failed> {
        let Events { after, staff } = self;
        let bearer = format!("Bearer {}", staff.token()?);
        let mut stream = Stream { last: after, format: staff.format, ..Stream::default() };
        let (mut tries, mut ever) = (0, false);
        loop {
            let last = stream.last.clone();
            let mut fields = vec![("authorization", bearer.as_str()), ("accept", "text/event-stream")];
            fields.extend(last.as_deref().map(|last| ("last-event-id", last)));
            stream.begin();
            let mut heard = false;
            let outcome = client::listen(&staff.url, "/api/v1/events", &fields, |bytes| {
                if !ever && staff.format == Format::Text {
                    eprintln!("listening to {}; Ctrl-C ends", staff.url);
                }
                (heard, ever) = (true, true);
                stream.hear(bytes)
            });
            let why = match outcome {
                Ok(Heard::Ended) => "the stream has ended".to_owned(),
                Ok(Heard::Refused(reply)) => return Err(staff.refused(&reply)),
                Err(why) if !ever => return Err(Failed(FAILED, format!("{} cannot be asked: {why}", staff.url))),
                Err(why) => why,
            };
            tries = if heard { 1 } else { tries + 1 };
            if tries > TIMES {
                return Err(Failed(FAILED, format!("{} does not come back: {why}", staff.url)));
            }
            if heard && staff.format == Format::Text {
                eprintln!("{why}; asking again");
            }
            std::thread::sleep(AGAIN);
        }
    }
}

/// Server-sent events as they are read.
#[derive(Default)]
struct Stream {
    rest: Vec<u8>,
    event: String,
    data: String,
    id: Option<String>,
    /// The id of the last whole event.
    last: Option<String>,
    format: Format,
}

impl Stream {
    /// A new connection: what was cut is gone.
    fn begin(&mut self) {
        self.rest.clear();
        self.data.clear();
        self.id = None;
    }

    /// # Errors
    /// In words, where this is no stream of events.
    fn hear(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if let Some(whole) = self.line(String::from_utf8_lossy(&line).trim_end()) {
                println!("{whole}");
            }
        }
        if self.rest.len() > LINE_BYTES { Err("it sends no events".into()) } else { Ok(()) }
    }

    /// A line of the stream; a line for whoever listens where an event is whole.
    fn line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
            self.last = self.id.take().or(self.last.take());
            return if data.is_empty() { None } else { said(&event, &data, self.format) };
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event = value.into(),
            "data" => self.data.push_str(value),
            "id" => self.id = Some(value.into()),
            // A comment, or what this version does not know.
            _ => {}
        }
        None
    }
}

fn said(event: &str, data: &str, format: Format) -> Option<String> {
    let mut value: Value = serde_json::from_str(data).unwrap_or_default();
    if event == "end" {
        return None;
    }
    if format == Format::Json {
        if value["kind"].is_null() {
            value["kind"] = json!(event);
        }
        return Some(value.to_string());
    }
    if event == "gap" {
        let missed = value["missed"].as_u64().map_or("some".to_owned(), |n| n.to_string());
        return Some(format!("…   {missed} {}", plain(&value["what"])));
    }
    let at = value["at"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok()).unwrap_or_default();
    let (who, what, outcome) = (plain(&value["who"]), plain(&value["what"]), plain(&value["outcome"]));
    Some(format!("{at}   {event:<8}   {who}   {what}   {outcome}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = ": boma\nretry: 2000\n\nid: a-1\nevent: rules\ndata: {\"at\":0,\"kind\":\"rules\",\"who\":\"file\",\"what\":\"rules\",\"outcome\":\"applied\"}\n\nevent: gap\ndata: {\"missed\":3,\"what\":\"events\"}\n\nevent: end\ndata: {}\n\n";
        let mut stream = Stream::default();
        let lines: Vec<String> = text.split('\n').filter_map(|line| stream.line(line)).collect();
        assert_eq!(lines, ["1970-01-01T00:00:00Z   rules      file   rules   applied", "…   3 events"]);
        assert_eq!(stream.last.as_deref(), Some("a-1"));
        let mut slow = Stream::default();
        assert!(text.bytes().all(|b| slow.hear(&[b]).is_ok()));
        assert_eq!(slow.last, stream.last);
        assert!(slow.hear(&vec![b'x'; LINE_BYTES + 1]).is_err());
    }
}
