//! `boma service`: what citizens are told of services and of whom to ask, in the place of what boma.toml says.
//!
//! Does not know: who keeps it, what pages look like.

use serde_json::{Map, Value, json};

use super::incident::{print_warnings, texts};
use super::status::plain;
use super::{Failed, Format, Staff, USAGE};

const JSON: (&str, &str) = ("content-type", "application/json");

#[derive(clap::Subcommand)]
pub enum Service {
    /// Say something otherwise than boma.toml does; what is left out stays as it was
    Set(Box<Said>),
    /// Back to what boma.toml says
    Reset {
        /// One by any of its names
        #[arg(required_unless_present_any = ["contact", "all"], conflicts_with_all = ["contact", "all"])]
        service: Option<String>,
        /// Whom to ask
        #[arg(long, conflicts_with = "all")]
        contact: bool,
        /// Everything of the portal
        #[arg(long)]
        all: bool,
        /// Where there are several
        #[arg(long)]
        portal: Option<String>,
        #[command(flatten)]
        staff: Staff,
    },
    /// As citizens are told of them now, and who said what
    List {
        #[command(flatten)]
        staff: Staff,
    },
}

#[derive(clap::Args)]
pub struct Said {
    /// One by any of its names
    #[arg(required_unless_present = "contact", conflicts_with = "contact")]
    service: Option<String>,
    /// Whom to ask where no service is meant
    #[arg(long)]
    contact: bool,
    /// What people call it
    #[arg(long, value_name = "LANG=TEXT")]
    name: Vec<String>,
    /// What they can do instead, in all languages at once: en="Go to the office"; "" says nothing any more
    #[arg(long, value_name = "LANG=TEXT")]
    instead: Vec<String>,
    /// A number; "" for none
    #[arg(long)]
    phone: Option<String>,
    /// Where to go; "" for nowhere
    #[arg(long)]
    office: Option<String>,
    /// A code to dial; "" for none
    #[arg(long)]
    ussd: Option<String>,
    /// Where there are several
    #[arg(long)]
    portal: Option<String>,
    #[command(flatten)]
    staff: Staff,
}

impl Service {
    pub fn run(self) -> Result<(), Failed> {
        let (staff, reply) = match self {
            Service::Set(said) => {
                let reply = said.staff.ask("PATCH", "/api/v1/services", &[JSON], said.body()?.to_string())?;
                (said.staff, reply)
            }
            Service::Reset { service, contact, all, portal, staff } => {
                let body = json!({ "service": service, "contact": contact, "all": all, "portal": portal });
                let reply = staff.ask("POST", "/api/v1/services/reset", &[JSON], body.to_string())?;
                (staff, reply)
            }
            Service::List { staff } => {
                let reply = staff.ask("GET", "/api/v1/services", &[], String::new())?;
                (staff, reply)
            }
        };
        if staff.format == Format::Json {
            println!("{}", reply.body);
            return Ok(());
        }
        let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        match value["changed"].as_bool() {
            Some(true) => println!("told"),
            Some(false) => println!("that is what was told already"),
            None => {}
        }
        value["portals"].as_array().into_iter().flatten().for_each(print_portal);
        print_warnings(&value);
        Ok(())
    }
}

impl Said {
    fn body(&self) -> Result<Value, Failed> {
        let mut body = Map::new();
        let lines = [
            ("portal", &self.portal),
            ("service", &self.service),
            ("phone", &self.phone),
            ("office", &self.office),
            ("ussd", &self.ussd),
        ];
        body.extend(lines.into_iter().filter_map(|(key, v)| Some((key.to_owned(), json!(v.as_ref()?)))));
        if self.contact {
            body.insert("contact".into(), json!(true));
        }
        if !self.name.is_empty() {
            body.insert("name".into(), texts("name", &self.name)?.into());
        }
        if self.instead.iter().any(|text| text.is_empty()) {
            if self.instead.len() > 1 {
                return Err(Failed(USAGE, "--instead \"\" says nothing any more: write no other beside it".into()));
            }
            body.insert("instead".into(), json!({}));
        } else if !self.instead.is_empty() {
            body.insert("instead".into(), texts("instead", &self.instead)?.into());
        }
        Ok(body.into())
    }
}

fn print_portal(portal: &Value) {
    println!("portal {}", plain(&portal["portal"]));
    let all = portal["services"].as_array().cloned().unwrap_or_default();
    if all.is_empty() {
        println!("  no services: write [[portal.service]] into boma.toml");
    }
    for s in all {
        let gone = if s["gone"] == true { "   not in boma.toml any more: nobody is told" } else { "" };
        println!("  {}{gone}", s["service"].as_str().unwrap_or("whom to ask"));
        for (key, what) in [("name", "called"), ("instead", "instead")] {
            for (tag, text) in s[key].as_object().into_iter().flatten() {
                println!("    {what} ({tag}): {}", plain(text));
            }
        }
        for key in ["phone", "office", "ussd"] {
            if s[key].is_string() {
                println!("    {key}: {}", plain(&s[key]));
            }
        }
        if let Some(at) = s["said"]["at"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok()) {
            println!("    as {} said at {at}; `boma service reset` takes it back", plain(&s["said"]["by"]));
        }
    }
}
