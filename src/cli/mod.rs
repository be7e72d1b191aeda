//! Arguments and exit codes; one file per command. 0 ok, 1 runtime failure, 2 usage, 78 bad configuration. With
//! `--format json` a failure is told as `{"error": …}` on standard error.
//!
//! Does not know: how anything is done.

#[macro_use]
mod out;

mod ask;
mod ban;
mod cache;
mod check;
mod demo;
mod events;
mod explain;
mod incident;
mod journal;
mod measure;
mod pass;
mod posture;
mod preview;
mod replay;
mod report;
mod rules;
mod run;
pub mod sample;
mod service;
mod snapshot;
mod status;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use serde_json::json;

/// The command failed while it ran.
const FAILED: u8 = 1;
/// It was called wrongly.
const USAGE: u8 = 2;
/// The configuration is at fault (sysexits' EX_CONFIG).
const CONFIGURATION: u8 = 78;

/// A layer-7 protective reverse proxy for government portals.
#[derive(Parser)]
#[command(name = "boma", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run boma before a portal
    Run(run::Run),
    /// Try boma: a sample portal, boma before it, nothing to set up
    Demo(demo::Demo),
    /// Check boma.toml and the files that it names
    Check(check::Check),
    /// Show what a running boma does
    Status(status::Status),
    /// Show or pin the posture
    Posture(posture::Posture),
    /// Show or change the rules in force
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Rules and limits laid over the file for a while
    #[command(subcommand)]
    Measure(measure::Measure),
    /// Who is sent away before anything is read of them
    #[command(subcommand)]
    Ban(ban::Ban),
    /// Answers that are kept for others
    #[command(subcommand)]
    Cache(cache::Cache),
    /// Copies of pages for bad days
    #[command(subcommand)]
    Snapshot(snapshot::Snapshot),
    /// Access codes for people who cannot pass otherwise
    #[command(subcommand)]
    Pass(pass::Pass),
    /// What citizens are told of what goes wrong or is planned
    #[command(subcommand)]
    Incident(incident::Incident),
    /// What citizens are told of services and of whom to ask
    #[command(subcommand)]
    Service(service::Service),
    /// A first draft of the report after an attack or a failure
    Report(report::Report),
    /// Why a request gets what it gets, or what a citizen's reference code says
    Explain(explain::Explain),
    /// What rules would have done to the requests of an access log
    Replay(replay::Replayed),
    /// What changes in a running boma, as it happens
    Events(events::Events),
    /// Who of the staff may come in, and as what
    #[command(subcommand)]
    Token(token::Token),
    /// The record of all changes
    #[command(subcommand)]
    Journal(journal::Journal),
}

/// Where a running boma is, for commands that act on it.
#[derive(clap::Args)]
struct Staff {
    /// The staff door
    #[arg(long = "admin", env = "BOMA_ADMIN", default_value = "http://127.0.0.1:9900")]
    url: String,
    /// A token, as `boma token add` prints it
    #[arg(long, env = "BOMA_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// Why a command failed: its exit code and what to say.
struct Failed(u8, String);

pub fn main() -> ExitCode {
    let parsed = Arguments::command().try_get_matches();
    let parsed = parsed.and_then(|m| Arguments::from_arg_matches(&m).map(|a| (a.command, wants_json(&m))));
    let (command, json) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => return misused(&e),
    };
    let outcome = match command {
        Command::Run(run) => run.run(),
        Command::Demo(demo) => demo.run(),
        Command::Check(check) => check.run(),
        Command::Status(status) => status.run(),
        Command::Posture(posture) => posture.run(),
        Command::Rules(rules) => rules.run(),
        Command::Measure(measure) => measure.run(),
        Command::Ban(ban) => ban.run(),
        Command::Cache(cache) => cache.run(),
        Command::Snapshot(snapshot) => snapshot.run(),
        Command::Pass(pass) => pass.run(),
        Command::Incident(incident) => incident.run(),
        Command::Service(service) => service.run(),
        Command::Report(report) => report.run(),
        Command::Explain(explain) => explain.run(),
        Command::Replay(replay) => replay.run(),
        Command::Events(events) => events.run(),
        Command::Token(token) => token.run(),
        Command::Journal(journal) => journal.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(code, said)) => {
            match json {
                _ if said.is_empty() => {}
                true => eprintln!("{}", json!({ "error": said })),
                false => eprintln!("boma: {said}"),
            }
            ExitCode::from(code)
        }
    }
}

/// Whether the command that was called has `--format json`.
fn wants_json(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, inner)) => wants_json(inner),
        None => matches!(matches.try_get_one::<Format>("format"), Ok(Some(Format::Json))),
    }
}

/// What cannot be parsed: help and versions are no failures.
fn misused(error: &clap::Error) -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let json = arguments.iter().any(|a| a == "--format=json")
        || arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    if json && error.use_stderr() {
        eprintln!("{}", json!({ "error": error.render().to_string().trim() }));
    } else {
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { USAGE } else { 0 })
}

/// boma's own log goes to standard error, so that the access log may have standard output. `BOMA_LOG` sets the level.
fn log_to_stderr(standard: &str) {
    let filter = std::env::var("BOMA_LOG").unwrap_or_else(|_| standard.to_owned());
    let filter =
        tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(standard));
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(std::io::stderr).try_init();
}

/// A text as a part of an address.
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A folder named in the environment.
fn folder(name: &str) -> Option<PathBuf> {
    // systemd may name several, separated by colons; the first is boma's.
    let value = std::env::var(name).ok()?;
    value.split(':').next().filter(|p| !p.is_empty()).map(PathBuf::from)
}
