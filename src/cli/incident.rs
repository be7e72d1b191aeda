//! `boma incident`: what citizens are told of what goes wrong or is planned.
//!
//! Does not know: who keeps it, what pages look like.

use serde_json::{Map, Value, json};

use super::status::plain;
use super::{Failed, Format, Staff, USAGE};
use crate::incident::{Impact, State, TEMPLATES};

const JSON: (&str, &str) = ("content-type", "application/json");
/// Columns of a phone that is held upright.
const PHONE: usize = 40;

#[derive(clap::Subcommand)]
pub enum Incident {
    /// Publish a new one: --template flood --next 30m does
    Open(Box<Words>),
    /// Publish an update of one, or put an earlier one right
    Update {
        /// Its number; left out where only one is open
        id: Option<u64>,
        /// The number of the update that this puts right; what it said stays beside it
        #[arg(long, value_name = "N")]
        correct: Option<u32>,
        #[command(flatten)]
        words: Box<Words>,
    },
    /// Say that it works again
    Resolve {
        /// Its number; left out where only one is open
        id: Option<u64>,
        #[command(flatten)]
        words: Box<Words>,
    },
    /// Tell what was learned from one that is resolved
    Postmortem {
        id: u64,
        #[command(flatten)]
        words: Box<Words>,
    },
    /// Take one back; a note with the reason stays to be read
    Withdraw {
        id: u64,
        /// Why, per language: en="This was not so."
        #[arg(long, value_name = "LANG=TEXT", required = true)]
        text: Vec<String>,
        #[command(flatten)]
        staff: Staff,
    },
    /// Show how it would read in every language, and as a short message; nothing is published
    Preview {
        /// Of an update of this one
        #[arg(long, value_name = "ID")]
        of: Option<u64>,
        #[command(flatten)]
        words: Box<Words>,
    },
    /// Those that are kept, the newest first
    List {
        #[command(flatten)]
        staff: Staff,
    },
}

#[derive(clap::Args)]
pub struct Words {
    /// Prepared texts for the first minutes
    #[arg(long, value_parser = TEMPLATES)]
    template: Option<String>,
    #[arg(long, value_name = "LANG=TEXT")]
    title: Vec<String>,
    /// What is known: en="We are looking into it."; once for each language
    #[arg(long, value_name = "LANG=TEXT")]
    text: Vec<String>,
    /// How far it has come
    #[arg(long, value_parser = State::NAMES)]
    state: Option<String>,
    /// How much it takes away
    #[arg(long, value_parser = Impact::NAMES)]
    impact: Option<String>,
    /// By when people hear more, such as 30m
    #[arg(long)]
    next: Option<String>,
    /// When planned work begins, such as 2026-12-01T22:00
    #[arg(long)]
    starts: Option<String>,
    /// When it is expected to be over
    #[arg(long)]
    ends: Option<String>,
    /// A service by its name, or a path; left out: all
    #[arg(long, value_name = "SERVICE")]
    affects: Vec<String>,
    /// What still works
    #[arg(long, value_name = "LANG=TEXT")]
    works: Vec<String>,
    /// What to do in place of a service: "Pay a licence:en=Go to the office"
    #[arg(long, value_name = "SERVICE:LANG=TEXT")]
    instead: Vec<String>,
    /// Deadlines that are extended
    #[arg(long, value_name = "LANG=TEXT")]
    deadlines: Vec<String>,
    /// "Is my data safe?"; left out: we do not know yet
    #[arg(long, value_name = "LANG=TEXT")]
    data: Vec<String>,
    /// "What about my payment?"
    #[arg(long, value_name = "LANG=TEXT")]
    payments: Vec<String>,
    /// "What about the form I was filling in?"
    #[arg(long, value_name = "LANG=TEXT")]
    form: Vec<String>,
    /// In whose name it is said; left out: the portal's
    #[arg(long)]
    office: Option<String>,
    /// One portal instead of all
    #[arg(long)]
    portal: Option<String>,
    #[command(flatten)]
    staff: Staff,
}

impl Incident {
    pub fn run(self) -> Result<(), Failed> {
        match self {
            Incident::Open(words) => {
                let body = words.body()?;
                published(&words.staff, "/api/v1/incidents", &body.into())
            }
            Incident::Update { id, correct, words } => {
                let mut body = words.body()?;
                if let Some(n) = correct {
                    body.insert("correct".into(), json!(n));
                }
                let id = which(id, &words.staff)?;
                published(&words.staff, &format!("/api/v1/incidents/{id}/updates"), &body.into())
            }
            Incident::Resolve { id, words } => {
                let body = words.body()?;
                let id = which(id, &words.staff)?;
                published(&words.staff, &format!("/api/v1/incidents/{id}/resolve"), &body.into())
            }
            Incident::Postmortem { id, words } => {
                let mut body = words.body()?;
                body.insert("state".into(), json!(State::Postmortem.as_str()));
                published(&words.staff, &format!("/api/v1/incidents/{id}/updates"), &body.into())
            }
            Incident::Withdraw { id, text, staff } => {
                let body = json!({ "text": texts("text", &text)? });
                published(&staff, &format!("/api/v1/incidents/{id}/withdraw"), &body)
            }
            Incident::Preview { of, words } => words.preview(of),
            Incident::List { staff } => {
                let reply = staff.ask("GET", "/api/v1/incidents", &[], String::new())?;
                if staff.format == Format::Json {
                    println!("{}", reply.body);
                } else {
                    print_all(&serde_json::from_str(&reply.body).unwrap_or_default());
                }
                Ok(())
            }
        }
    }
}

/// The one that is meant: the one that is open, where none is named.
fn which(id: Option<u64>, staff: &Staff) -> Result<u64, Failed> {
    if let Some(id) = id {
        return Ok(id);
    }
    let reply = staff.ask("GET", "/api/v1/status", &[], String::new())?;
    let status: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    match status["incidents"].as_array().map(Vec::as_slice) {
        Some([one]) => Ok(one["id"].as_u64().unwrap_or(0)),
        all => {
            let open = all.map_or(0, <[Value]>::len);
            Err(Failed(
                USAGE,
                format!("{open} incidents are open: write the number of one; `boma incident list` shows them"),
            ))
        }
    }
}

impl Words {
    fn body(&self) -> Result<Map<String, Value>, Failed> {
        let mut body = Map::new();
        let plain = [
            ("template", &self.template),
            ("state", &self.state),
            ("impact", &self.impact),
            ("next", &self.next),
            ("starts", &self.starts),
            ("ends", &self.ends),
            ("office", &self.office),
            ("portal", &self.portal),
        ];
        body.extend(plain.into_iter().filter_map(|(key, v)| Some((key.to_owned(), json!(v.as_ref()?)))));
        let said = [
            ("title", &self.title),
            ("text", &self.text),
            ("works", &self.works),
            ("deadlines", &self.deadlines),
            ("data", &self.data),
            ("payments", &self.payments),
            ("form", &self.form),
        ];
        for (key, all) in said {
            if !all.is_empty() {
                body.insert(key.into(), texts(key, all)?.into());
            }
        }
        if !self.affects.is_empty() {
            body.insert("affects".into(), json!(self.affects));
        }
        let mut instead: Map<String, Value> = Map::new();
        for given in &self.instead {
            let help = || {
                Failed(
                    USAGE,
                    format!("--instead {given:?}: write such as --instead \"Pay a licence:en=Go to the office\""),
                )
            };
            let (service, text) = given.split_once(':').ok_or_else(help)?;
            let (tag, text) = text.split_once('=').ok_or_else(help)?;
            instead.entry(service.trim()).or_insert_with(|| json!({}))[tag.trim()] = json!(text);
        }
        if !instead.is_empty() {
            body.insert("instead".into(), instead.into());
        }
        Ok(body)
    }

    fn preview(&self, of: Option<u64>) -> Result<(), Failed> {
        let mut body = self.body()?;
        if let Some(id) = of {
            body.insert("id".into(), json!(id));
        }
        let reply = self.staff.ask("POST", "/api/v1/incidents/preview", &[JSON], Value::from(body).to_string())?;
        if self.staff.format == Format::Json {
            println!("{}", reply.body);
            return Ok(());
        }
        let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        for portal in value["portals"].as_array().into_iter().flatten() {
            for read in portal["languages"].as_array().into_iter().flatten() {
                println!("== {} · {} ({})", plain(&portal["portal"]), plain(&read["name"]), plain(&read["language"]));
                for line in read["lines"].as_array().into_iter().flatten() {
                    wrapped(line.as_str().unwrap_or_default()).iter().for_each(|l| println!("  {l}"));
                }
                print_sms(&read["sms"]);
                println!();
            }
        }
        print_warnings(&value);
        Ok(())
    }
}

/// `en=…` and its like.
pub(super) fn texts(key: &str, all: &[String]) -> Result<Map<String, Value>, Failed> {
    let one = |given: &String| {
        let (tag, text) =
            given.split_once('=').filter(|(tag, _)| !tag.is_empty() && tag.len() <= 12 && !tag.contains(' '))?;
        Some((tag.to_owned(), Value::from(text)))
    };
    let help = |given: &String| Failed(USAGE, format!("--{key} {given:?} names no language: write --{key} en=\"…\""));
    all.iter().map(|given| one(given).ok_or_else(|| help(given))).collect()
}

fn published(staff: &Staff, path: &str, body: &Value) -> Result<(), Failed> {
    let reply = staff.ask("POST", path, &[JSON], body.to_string())?;
    if staff.format == Format::Json {
        println!("{}", reply.body);
        return Ok(());
    }
    let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    println!("published");
    print_one(&value);
    print_warnings(&value);
    Ok(())
}

/// What an answer warns of, a line each.
pub(super) fn warnings(value: &Value) -> impl Iterator<Item = String> + use<'_> {
    let line = |w: &Value| format!("{}: {}: {}", plain(&w["file"]), plain(&w["message"]), plain(&w["help"]));
    value["warnings"].as_array().into_iter().flatten().map(line)
}

pub(super) fn print_warnings(value: &Value) {
    warnings(value).for_each(|warning| println!("{warning}"));
}

fn print_all(value: &Value) {
    let all = value["incidents"].as_array().cloned().unwrap_or_default();
    if all.is_empty() {
        println!("no incident is kept");
    }
    all.iter().for_each(print_one);
}

fn print_one(i: &Value) {
    let at = |v: &Value| {
        v.as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok()).map_or(String::new(), |t| t.to_string())
    };
    let state = if i["withdrawn"].is_object() { "withdrawn".into() } else { plain(&i["state"]) };
    let portal = i["portal"].as_str().map_or(String::new(), |p| format!("   portal {p}"));
    let title = plain(&i["title"]);
    let updates = i["updates"].as_array().map_or(0, Vec::len);
    println!("incident {}   {state}   {updates} updates{portal}   {title}", i["id"]);
    if i["present"]["next"].is_u64() && i["withdrawn"].is_null() && !matches!(state.as_str(), "resolved" | "postmortem")
    {
        let late = if i["overdue"] == true { "OVERDUE since" } else { "next update by" };
        println!("    {late} {}", at(&i["present"]["next"]));
    }
}

fn print_sms(sms: &Value) {
    println!("  SMS, {} characters, {}: {}", sms["characters"], plain(&sms["encoding"]), plain(&sms["text"]));
    if sms["parts"].as_u64().is_some_and(|n| n > 1) {
        let because = match sms["because"].as_str() {
            Some(because) => format!(" because of {because}"),
            None => String::new(),
        };
        println!("    goes out, and is paid for, as {} messages{because}", sms["parts"]);
    }
}

/// Lines as a phone would break them.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > PHONE {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}
