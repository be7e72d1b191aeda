//! `boma explain`: why a request gets what it gets.
//!
//! Does not know: how a verdict is found.

use serde_json::{Map, Value, json};

use super::status::plain;
use super::{Failed, Format, Staff, USAGE};

#[derive(clap::Args)]
pub struct Explain {
    /// GET, POST, …
    #[arg(required_unless_present = "code")]
    method: Option<String>,
    /// A whole address, or a path of the first portal's
    #[arg(required_unless_present = "code", value_name = "URL")]
    address: Option<String>,
    /// A field of the request, such as 'User-Agent: curl/8'; may be repeated
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    fields: Vec<String>,
    /// The client's address
    #[arg(long)]
    from: Option<String>,
    /// As if this posture were in force
    #[arg(long)]
    posture: Option<String>,
    /// As if it came with a pass
    #[arg(long)]
    pass: bool,
    /// As if it came with a settled citizen's pass
    #[arg(long)]
    settled: bool,
    /// A reference code that a citizen reads out, in the place of a request
    #[arg(long = "ref", value_name = "CODE", conflicts_with_all = ["method", "address"])]
    code: Option<String>,
    #[command(flatten)]
    staff: Staff,
}

impl Explain {
    pub fn run(self) -> Result<(), Failed> {
        let reply = match &self.code {
            Some(code) => {
                let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
                self.staff.ask("GET", &format!("/api/v1/explain?ref={code}"), &[], String::new())?
            }
            None => {
                let body = self.body()?.to_string();
                self.staff.ask("POST", "/api/v1/explain", &[("content-type", "application/json")], body)?
            }
        };
        if self.staff.format == Format::Json {
            println!("{}", reply.body);
            return Ok(());
        }
        let value: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        if self.code.is_some() {
            let at = value["at"].as_i64().and_then(|at| jiff::Timestamp::from_second(at).ok()).unwrap_or_default();
            println!("{at}   {} ({})", plain(&value["verdict"]), plain(&value["reason"]));
            println!("{}", shown(&value));
            println!("its line in the access log has \"boma.reference\":\"{}\"", plain(&value["reference"]));
        } else {
            print(&value);
        }
        Ok(())
    }

    fn body(&self) -> Result<Value, Failed> {
        let mut fields = Map::new();
        for field in &self.fields {
            let Some((name, value)) = field.split_once(':') else {
                return Err(Failed(USAGE, format!("-H {field:?} is no field: write 'User-Agent: curl/8'")));
            };
            fields.insert(name.trim().into(), json!(value.trim()));
        }
        let mut body = json!({ "method": self.method, "url": self.address, "fields": fields, "pass": self.pass, "settled": self.settled });
        for (key, value) in [("from", &self.from), ("posture", &self.posture)] {
            if let Some(value) = value {
                body[key] = json!(value);
            }
        }
        Ok(body)
    }
}

/// What the citizen reads the code from.
fn shown(value: &Value) -> String {
    let told = plain(&value["told"]);
    match value["shown"].as_str() {
        Some("copy") => format!("the citizen was shown a copy of the page, with its date: {told}"),
        Some("status") => "the citizen was shown the status page".into(),
        // Boma's own pages beside the way, such as that of access codes.
        _ if told.is_empty() => "the citizen was shown a page of boma's that turns nobody away".into(),
        _ => format!("the citizen was told: {told}"),
    }
}

fn print(value: &Value) {
    let status = match value["status"].as_u64() {
        Some(0) | None => "the origin's own status".to_owned(),
        Some(status) => status.to_string(),
    };
    let by = value["rule"].as_str().map_or(String::new(), |rule| format!(", by {rule}"));
    println!("{}: {status}   ({}{by})", plain(&value["verdict"]), plain(&value["reason"]));
    println!(
        "  portal {}   route {}   class {}   kind {}   posture {}   path {}",
        plain(&value["portal"]),
        plain(&value["route"]),
        plain(&value["class"]),
        plain(&value["kind"]),
        plain(&value["posture"]),
        plain(&value["path"])
    );
    if let Some(bot) = value["bot"].as_str() {
        println!("  {}", plain(&bot.into()));
    }
    match value["cache"].as_str() {
        Some("miss") => println!("  nothing of it is in the cache; the origin's answer may be kept"),
        Some("snapshot") => println!("  answered by a snapshot"),
        Some(how) => println!("  answered out of the cache: {how}"),
        None => {}
    }
    for m in value["matched"].as_array().cloned().unwrap_or_default() {
        let more = [("reason", &m["reason"]), ("owner", &m["owner"])];
        let more: String = more.iter().filter_map(|(k, v)| v.as_str().map(|v| format!("   {k} {v}"))).collect();
        let measure = if m["measure"] == true { " (measure)" } else { "" };
        let idle = m["idle"].as_str().map_or(String::new(), |why| format!("   but {why}"));
        println!("  matches {}{measure}: {}{more}{idle}", plain(&m["name"]), plain(&m["then"]));
    }
    let limits: Vec<String> = value["limits"].as_array().into_iter().flatten().map(plain).collect();
    if !limits.is_empty() {
        println!("  counts on: {}   (whether they are used up is not looked at)", limits.join(", "));
    }
}
