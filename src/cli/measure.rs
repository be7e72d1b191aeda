//! `boma measure`: rules and limits laid over the file for a while.
//!
//! Does not know: what they mean.

use serde_json::{Map, Value, json};

use super::incident::print_warnings;
use super::status::plain;
use super::{Failed, Format, Staff, USAGE, escaped, preview};

#[derive(clap::Subcommand)]
pub enum Measure {
    /// Lay a rule or limit over the rules file
    Add(Box<Add>),
    /// Give a measure a later end, counted from now
    Extend {
        name: String,
        /// How long from now, at most 7d
        #[arg(long = "for", default_value = "4h")]
        lasts: String,
        #[command(flatten)]
        staff: Staff,
    },
    /// The measures in force
    List {
        #[command(flatten)]
        staff: Staff,
    },
    /// Take a measure out
    Remove {
        name: String,
        #[command(flatten)]
        staff: Staff,
    },
}

#[derive(clap::Args)]
pub struct Add {
    /// Its name, as logs and counters show it
    name: String,
    /// What it is for, as in rules.toml: 'path = "/search*", method = "POST"'; a limit may go without
    #[arg(long = "match", value_name = "FIELDS")]
    matches: Option<String>,
    /// log, challenge, queue, static, deny, drop or allow; of a limit challenge or deny
    #[arg(long)]
    then: String,
    /// Makes it a limit: client, address, network, portal or header:NAME
    #[arg(long)]
    per: Option<String>,
    /// Of a limit, such as 5/s
    #[arg(long)]
    rate: Option<String>,
    /// Of a limit with a rate
    #[arg(long)]
    burst: Option<u32>,
    /// Of a limit: requests at once, in the place of a rate
    #[arg(long)]
    concurrent: Option<u32>,
    /// The posture from which on it holds
    #[arg(long)]
    from: Option<String>,
    /// Count and show, but do not enforce
    #[arg(long)]
    shadow: bool,
    /// How long, at most 7d
    #[arg(long = "for", default_value = "4h")]
    lasts: String,
    /// Why, such as INC-42
    #[arg(long)]
    reason: String,
    /// Whose it is: who is asked about it; left out: the token's name
    #[arg(long)]
    owner: Option<String>,
    /// Only tell what it would have done to the last ten minutes
    #[arg(long)]
    preview: bool,
    /// Although it would hit staff or many citizens
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    staff: Staff,
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl Measure {
    pub fn run(self) -> Result<(), Failed> {
        let (staff, reply) = match self {
            Measure::Add(add) => {
                let body = add.body()?;
                if add.preview || add.staff.format == Format::Text {
                    let tried = add.staff.ask("POST", "/api/v1/measures/preview", &[JSON], body.to_string());
                    match (tried, add.staff.format) {
                        // Adding it fails likewise, and is noted.
                        (Err(_), _) if !add.preview => {}
                        (Err(failed), _) => return Err(failed),
                        (Ok(tried), Format::Json) => println!("{}", tried.body),
                        (Ok(tried), Format::Text) => {
                            preview::print(&serde_json::from_str(&tried.body).unwrap_or_default());
                        }
                    }
                }
                if add.preview {
                    return Ok(());
                }
                let reply = add.staff.ask("POST", "/api/v1/measures", &[JSON], body.to_string())?;
                (add.staff, reply)
            }
            Measure::Extend { name, lasts, staff } => {
                let body = json!({ "for": lasts }).to_string();
                let reply = staff.ask("PATCH", &path(&name), &[JSON], body)?;
                (staff, reply)
            }
            Measure::Remove { name, staff } => {
                let reply = staff.ask("DELETE", &path(&name), &[], String::new())?;
                (staff, reply)
            }
            Measure::List { staff } => {
                let reply = staff.ask("GET", "/api/v1/measures", &[], String::new())?;
                if staff.format == Format::Json {
                    println!("{}", reply.body);
                } else {
                    print_all(&serde_json::from_str(&reply.body).unwrap_or_default());
                }
                return Ok(());
            }
        };
        if staff.format == Format::Json {
            println!("{}", reply.body);
            return Ok(());
        }
        let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        println!("in force, generation {}", value["generation"]);
        print_warnings(&value);
        let all = staff.ask("GET", "/api/v1/measures", &[], String::new())?;
        print_all(&serde_json::from_str(&all.body).unwrap_or_default());
        Ok(())
    }
}

fn path(name: &str) -> String {
    format!("/api/v1/measures/{}", escaped(name))
}

impl Add {
    fn body(&self) -> Result<Value, Failed> {
        let mut body = Map::new();
        if let Some(fields) = &self.matches {
            body.insert("match".into(), fields_of(fields)?);
        }
        let texts = [
            ("name", Some(&self.name)),
            ("then", Some(&self.then)),
            ("per", self.per.as_ref()),
            ("rate", self.rate.as_ref()),
            ("from", self.from.as_ref()),
            ("for", Some(&self.lasts)),
            ("reason", Some(&self.reason)),
            ("owner", self.owner.as_ref()),
        ];
        texts.into_iter().filter_map(|(k, v)| Some((k, v?))).for_each(|(k, v)| drop(body.insert(k.into(), json!(v))));
        for (key, number) in [("burst", self.burst), ("concurrent", self.concurrent)] {
            number.into_iter().for_each(|n| drop(body.insert(key.into(), json!(n))));
        }
        for (key, on) in [("shadow", self.shadow), ("force", self.force)] {
            if on {
                body.insert(key.into(), json!(true));
            }
        }
        Ok(body.into())
    }
}

/// What stands between the braces of a `match` in rules.toml.
fn fields_of(text: &str) -> Result<Value, Failed> {
    let inner = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    let table = toml::from_str::<toml::Table>(&format!("match = {{ {inner} }}"));
    let value = table.ok().and_then(|t| serde_json::to_value(t.get("match")).ok());
    value.ok_or_else(|| {
        let help = "write it as in rules.toml, in single quotes for the shell: --match 'path = \"/search*\", method = \"POST\"'";
        Failed(USAGE, format!("--match {text} cannot be read: {help}"))
    })
}

fn print_all(value: &Value) {
    let all = value["measures"].as_array().cloned().unwrap_or_default();
    if all.is_empty() {
        println!("no measure is in force");
    }
    for m in all {
        let left = std::time::Duration::from_secs(m["left"].as_u64().unwrap_or(0));
        let (name, owner, reason) = (plain(&m["name"]), plain(&m["owner"]), plain(&m["reason"]));
        println!("{name}   ends in {}   owner {owner}   {reason}", crate::units::left(left));
        m["text"]
            .as_str()
            .unwrap_or_default()
            .lines()
            .filter(|l| !l.is_empty())
            .for_each(|line| println!("    {line}"));
    }
}
