//! `boma report`: the first draft of the report after an attack or a failure.
//!
//! Does not know: what a report says.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{FAILED, Failed, Format, Staff, USAGE, escaped};
use crate::journal::sha256;
use crate::report::Tlp;

const SUMS: &str = "SHA256SUMS";

#[derive(clap::Args)]
pub struct Report {
    /// Of this incident, from shortly before the posture rose to when both were over
    #[arg(long, value_name = "N")]
    incident: Option<u64>,
    /// Of a span: from 2h ago, or 2026-12-01T14:00 in the portal's zone
    #[arg(long, value_name = "TIME", required_unless_present = "incident")]
    from: Option<String>,
    /// To when; left out: until now
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// One portal instead of all
    #[arg(long)]
    portal: Option<String>,
    /// How to write it
    #[arg(long, value_parser = ["markdown", "html", "json"], default_value = "markdown")]
    format: String,
    /// Print the indicators instead
    #[arg(long, value_parser = ["csv", "stix"])]
    indicators: Option<String>,
    /// How far it may be passed on (TLP 2.0)
    #[arg(long, value_parser = Tlp::NAMES, default_value = Tlp::Amber.as_str())]
    tlp: String,
    /// Write it in every form, with the indicators, into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The staff door
    #[arg(long = "admin", env = "BOMA_ADMIN", default_value = "http://127.0.0.1:9900")]
    url: String,
    /// A token, as `boma token add` prints it
    #[arg(long, env = "BOMA_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Report {
    pub fn run(self) -> Result<(), Failed> {
        let form = match (&self.out, &self.indicators) {
            (Some(_), _) => "all",
            (None, Some(indicators)) => indicators,
            (None, None) => &self.format,
        };
        let mut path = format!("/api/v1/report?format={form}&tlp={}", escaped(&self.tlp));
        let incident = self.incident.map(|n| n.to_string());
        for (key, value) in [("incident", &incident), ("from", &self.from), ("to", &self.to), ("portal", &self.portal)]
        {
            if let Some(value) = value {
                path.push_str(&format!("&{key}={}", escaped(value)));
            }
        }
        let staff = Staff { url: self.url, token: self.token, format: Format::Text };
        let reply = staff.ask("GET", &path, &[], String::new())?;
        match &self.out {
            None => print!("{}", reply.body),
            Some(folder) => {
                let files: Map<String, Value> = serde_json::from_str(&reply.body).unwrap_or_default();
                write(folder, &files)?;
            }
        }
        Ok(())
    }
}

/// Nothing that is there is written over: people work on in a draft.
fn write(folder: &Path, files: &Map<String, Value>) -> Result<(), Failed> {
    let mut sums = String::new();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<(String, String)> = files.iter().map(|(name, content)| (name.clone(), text(content))).collect();
    all.iter().for_each(|(name, content)| sums.push_str(&format!("{}  {name}\n", sha256(content.as_bytes()))));
    all.push((SUMS.to_owned(), sums));
    let failed = |path: &Path, e: std::io::Error| Failed(FAILED, format!("{} cannot be written: {e}", path.display()));
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    if let Some((name, _)) = all.iter().find(|(name, _)| folder.join(name).exists()) {
        let shown = folder.join(name);
        return Err(Failed(USAGE, format!("{} is there already: name another folder", shown.display())));
    }
    for (name, content) in &all {
        // Only a name, whatever answers.
        let path = folder.join(Path::new(name).file_name().unwrap_or_default());
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => Failed(USAGE, format!("{} is there already", path.display())),
            _ => failed(&path, e),
        })?;
        file.write_all(content.as_bytes()).map_err(|e| failed(&path, e))?;
        println!("{}", path.display());
    }
    Ok(())
}
