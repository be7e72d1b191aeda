//! `boma replay`: what rules would have done to the requests of an access log.
//!
//! Does not know: how lines are read, how verdicts are found.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::status::plain;
use super::{CONFIGURATION, FAILED, Failed, Format, USAGE, preview};
use crate::plan::Level;
use crate::serve::replay::{Ground, Replay};
use crate::telemetry::reading::{self, Lines, Unread};
use crate::{bounds, control, units};

#[derive(clap::Args)]
pub struct Replayed {
    /// boma's own JSON log, or Apache's and nginx's combined format; - is standard input
    #[arg(value_name = "ACCESS_LOG")]
    log: PathBuf,
    /// The settings file: portals, routes, databases
    #[arg(long, default_value = "boma.toml")]
    config: PathBuf,
    /// A draft, which is compared with the settings' own rules; left out: those alone
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// As if this posture were in force
    #[arg(long, value_name = "LEVEL", default_value = "normal", value_parser = Level::NAMES)]
    posture: String,
    /// The host of the requests, where the log holds none; left out: the first portal's
    #[arg(long)]
    host: Option<String>,
    /// The log's format; left out: what most of its first lines are
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// boma's own
    Json,
    /// Apache's and nginx's combined, common and vhost_combined
    Combined,
}

/// Lines that cannot be read and are shown.
const SHOWN: usize = 3;
/// Lines between two looks at how far it has come.
const STRIDE: u64 = 10_000;

/// A log that has been opened.
struct Log {
    from: Box<dyn BufRead>,
    format: reading::Format,
    holds: reading::Holds,
    /// Bytes, where that is known.
    size: Option<u64>,
}

/// What the lines themselves came to.
#[derive(Default)]
struct Count {
    lines: u64,
    unreadable: u64,
    first: Vec<String>,
}

impl Replayed {
    pub fn run(self) -> Result<(), Failed> {
        let shown = self.log.display().to_string();
        let log = self.open(&shown)?;
        let mut book = control::book(&self.config, self.rules.as_deref()).map_err(|faults| {
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Failed(CONFIGURATION, all.join("\n"))
        })?;
        for warning in &book.warnings {
            eprintln!("warning: {warning}");
        }
        let new = book.rules.pop().ok_or_else(|| Failed(CONFIGURATION, "there are no rules".into()))?;
        let posture = Level::named(&self.posture).unwrap_or(Level::Normal);
        let ground = Ground { settings: book.settings, ladder: book.ladder, places: book.places, posture };
        let replay = Replay::new(&ground, (book.rules.pop(), new), log.holds, self.host.as_deref());
        let mut replay = replay.map_err(|why| Failed(USAGE, why))?;
        let format = log.format;
        let count = play(log, &mut replay).map_err(|e| Failed(FAILED, format!("{shown} cannot be read: {e}")))?;
        let mut value = serde_json::to_value(replay.told()).unwrap_or_default();
        value["log"] = json!({
            "file": shown, "format": format.as_str(), "lines": count.lines, "unreadable": count.unreadable, "first_unreadable": count.first,
        });
        match self.format {
            Format::Json => println!("{value}"),
            Format::Text => print(&value, self.rules.as_deref()),
        }
        Ok(())
    }

    fn open(&self, shown: &str) -> Result<Log, Failed> {
        let unreadable = |e: io::Error| Failed(FAILED, format!("{shown} cannot be read: {e}"));
        let (mut from, size): (Box<dyn Read>, _) = if self.log == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(&self.log).map_err(unreadable)?;
            let about = file.metadata().map_err(unreadable)?;
            (Box::new(file), about.is_file().then_some(about.len()))
        };
        let mut sample = Vec::new();
        from.by_ref().take(bounds::REPLAY_SAMPLE_BYTES).read_to_end(&mut sample).map_err(unreadable)?;
        if sample.starts_with(b"\x1f\x8b") {
            return Err(Failed(FAILED, format!("{shown} is compressed: write `zcat {shown} | boma replay -`")));
        }
        let wanted = self.log_format.map(|f| match f {
            LogFormat::Json => reading::Format::Json,
            LogFormat::Combined => reading::Format::Combined,
        });
        let Some((format, holds)) = reading::detect(wanted, &sample) else {
            return Err(nothing(shown, wanted, &sample));
        };
        let from = Box::new(Cursor::new(sample).chain(BufReader::with_capacity(1 << 20, from)));
        Ok(Log { from, format, holds, size })
    }
}

/// Nothing of a sample could be read.
fn nothing(shown: &str, wanted: Option<reading::Format>, sample: &[u8]) -> Failed {
    let lines = sample.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    let Some(first) = lines.clone().next() else { return Failed(FAILED, format!("{shown} is empty")) };
    let why = reading::Format::ALL.into_iter().filter(|f| wanted.is_none_or(|w| w == *f)).map(|format| {
        let why = match reading::line(format, first) {
            Err(Unread::Wrong(why)) => why,
            _ => "it can be read",
        };
        format!("\n    as {}: {why}", format.as_str())
    });
    let why: String = why.collect();
    let help = "write a log of boma's own with [log] format = \"json\", or Apache's and nginx's format \"combined\"";
    Failed(
        FAILED,
        format!(
            "nothing in the first {} lines of {shown} can be read as an access log: {help}\n  line 1: {}{why}",
            lines.count(),
            excerpt(first)
        ),
    )
}

/// So much of a line as a person looks at.
fn excerpt(line: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(line).chars().take(120).collect();
    plain(&text.into())
}

fn play(log: Log, replay: &mut Replay) -> io::Result<Count> {
    let (mut count, mut read) = (Count::default(), 0);
    let mut bar = Bar::new(log.size);
    let mut lines = Lines::new(log.from);
    while let Some((line, bytes)) = lines.next_line()? {
        count.lines += 1;
        read += bytes as u64;
        match reading::line(log.format, line) {
            Ok(logged) => replay.see(logged),
            Err(Unread::Wrong(why)) if bytes > 2 => {
                count.unreadable += 1;
                if count.first.len() < SHOWN {
                    count.first.push(format!("line {}: {why}: {}", count.lines, excerpt(line)));
                }
            }
            Err(why) => replay.left_out(why),
        }
        if count.lines.is_multiple_of(STRIDE) {
            bar.at(read, count.lines);
        }
    }
    bar.end();
    Ok(count)
}

/// How far it has come, on a terminal.
struct Bar {
    size: Option<u64>,
    shows: bool,
    last: String,
}

impl Bar {
    fn new(size: Option<u64>) -> Bar {
        Bar { size, shows: io::stderr().is_terminal(), last: String::new() }
    }

    fn at(&mut self, bytes: u64, lines: u64) {
        if !self.shows {
            return;
        }
        let done = self.size.map(|size| (bytes * 100 / size.max(1)).min(100));
        let text = match done {
            Some(percent) => {
                let full = "#".repeat(percent as usize / 4);
                format!("\r[{full:<25}] {percent:>3} %")
            }
            None => format!("\r{} lines", lines / 1_000_000 * 1_000_000 + lines % 1_000_000 / 100_000 * 100_000),
        };
        if text != self.last {
            let _ = write!(io::stderr(), "{text}");
            self.last = text;
        }
    }

    fn end(&self) {
        if !self.last.is_empty() {
            let _ = write!(io::stderr(), "\r{:40}\r", "");
        }
    }
}

fn print(value: &Value, draft: Option<&Path>) {
    lines(value);
    let about = if value["clients_error"] == 0.0 { "" } else { "some " };
    let within = if about.is_empty() { String::new() } else { format!(" (± {} %)", value["clients_error"]) };
    println!(
        "{} requests of {about}{} clients{within}, {} with a pass",
        number(&value["requests"]),
        number(&value["clients"]),
        number(&value["with_pass"])
    );
    preview::top(value);
    if number(&value["missed"]) > 0 {
        println!("    (each of these may be {} too low)", number(&value["missed"]));
    }
    let by = draft.map_or_else(|| "the rules".into(), |d| d.display().to_string());
    let mut verdicts: Vec<(String, u64)> =
        value["verdicts"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), number(v))).collect();
    verdicts.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), name.clone()));
    let verdicts: Vec<String> = verdicts.iter().map(|(name, n)| format!("{name} {n}")).collect();
    println!("with {by} in posture {}: {}", plain(&value["posture"]), verdicts.join(", "));
    limits(value);
    if value["compared"] == true {
        println!("beside the settings' own rules it would have");
        preview::changes(&value["changed"]);
        preview::top(&value["changed"]);
    }
    words(&value["idle"]).iter().for_each(|name| println!("  {name} matched nothing"));
    println!("fields the log does not hold: {}", words(&value["not_held"]).join(", "));
    let not_judged = list(&value["not_judged"]).iter();
    let not_judged: Vec<String> =
        not_judged.map(|n| format!("{} ({})", plain(&n["name"]), words(&n["fields"]).join(", "))).collect();
    if !not_judged.is_empty() {
        println!("rules that look at them cannot be judged, and took no part: {}", not_judged.join(", "));
    }
    words(&value["assumed"]).iter().for_each(|text| println!("assumed: {text}"));
}

/// What became of the lines.
fn lines(value: &Value) {
    let log = &value["log"];
    let date = |v: &Value| jiff::Timestamp::from_second(number(v) as i64).unwrap_or_default();
    let span = std::time::Duration::from_secs(number(&value["to"]).saturating_sub(number(&value["from"])));
    println!(
        "{}: {} lines ({}), {} to {} ({})",
        plain(&log["file"]),
        number(&log["lines"]),
        plain(&log["format"]),
        date(&value["from"]),
        date(&value["to"]),
        units::left(span)
    );
    if number(&log["unreadable"]) > 0 {
        println!("  {} lines cannot be read:", number(&log["unreadable"]));
        words(&log["first_unreadable"]).iter().for_each(|line| println!("    {line}"));
    }
    for (key, what) in [
        ("no_request", "no requests"),
        ("own_paths", "for boma's own paths"),
        ("no_portal", "for no portal, or refused before rules are asked"),
    ] {
        let count = number(&value["left_out"][key]);
        if count > 0 {
            println!("  {count} lines left out: {what}");
        }
    }
    let late = number(&value["late"]);
    if late > 0 {
        println!("  {late} lines out of order, by {} s at most: judged at the newest time", value["latest"]);
    }
}

fn limits(value: &Value) {
    for limit in list(&value["limits"]) {
        let clients = list(&limit["clients"]).iter().map(|c| format!("{} {}", plain(&c[0]), number(&c[1])));
        let clients = clients.collect::<Vec<_>>().join(", ");
        println!(
            "  limit {}: {} requests count, {} over it, of {} clients{}{clients}",
            plain(&limit["name"]),
            number(&limit["matched"]),
            number(&limit["over"]),
            number(&limit["keys"]),
            if clients.is_empty() { "" } else { ": " }
        );
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn words(value: &Value) -> Vec<String> {
    list(value).iter().map(plain).collect()
}
