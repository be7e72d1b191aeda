//! `boma run`
//!
//! Does not know: how the house is built.

use std::net::TcpListener;
use std::path::PathBuf;

use super::{CONFIGURATION, FAILED, Failed};
use crate::admin::Token;
use crate::app::{App, Failure, Options, Signals};
use crate::control::Given;

#[derive(clap::Args)]
pub struct Run {
    /// The settings file
    #[arg(long, default_value = "boma.toml")]
    config: PathBuf,
    /// Refuse to start rather than fall back on last good copies
    #[arg(long)]
    strict: bool,
    /// Where snapshots, keys and last good files are kept; beats the settings and $STATE_DIRECTORY
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// Take over from the boma that runs on the same state directory: it hands its sockets on and drains
    #[arg(long)]
    takeover: bool,
}

impl Run {
    pub fn run(self) -> Result<(), Failed> {
        super::log_to_stderr("info");
        let given = Given {
            config: self.config,
            strict: self.strict,
            state_dir: self.state_dir,
            state_environment: super::folder("STATE_DIRECTORY"),
        };
        let token = token()?.map(|(_, token)| token);
        serve(Options { given, token, sockets: inherited(), takeover: self.takeover }, |_| {})
    }
}

/// The administrator's token, where the environment holds one, and its text.
pub fn token() -> Result<Option<(String, Token)>, Failed> {
    let Ok(text) = std::env::var("BOMA_ADMIN_TOKEN") else { return Ok(None) };
    let help = format!(
        "BOMA_ADMIN_TOKEN has fewer than {} characters: write a longer one, such as `openssl rand -hex 16` prints",
        Token::LEAST
    );
    let token = Token::new(&text).ok_or(Failed(CONFIGURATION, help))?;
    Ok(Some((text, token)))
}

/// Sockets that systemd holds for the service (`LISTEN_FDS`); those that no [[listen]] names are left alone.
fn inherited() -> Vec<TcpListener> {
    let mut given = listenfd::ListenFd::from_env();
    (0..given.len()).filter_map(|i| given.take_tcp_listener(i).ok().flatten()).collect()
}

/// Runs until a signal ends it; `started` is called when citizens can come.
pub fn serve(options: Options, started: impl FnOnce(&App)) -> Result<(), Failed> {
    let broken = |e: std::io::Error| Failed(FAILED, format!("no runtime could be started: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    runtime.block_on(async {
        let mut signals = Signals::new().map_err(broken)?;
        let app = App::start(options).map_err(|failure| {
            let code = if matches!(failure, Failure::Configuration(_)) { CONFIGURATION } else { FAILED };
            Failed(code, failure.to_string())
        })?;
        started(&app);
        signals.until_end(&app).await;
        let draining = tokio::task::spawn_blocking(move || app.drain());
        tokio::select! {
            _ = draining => Ok(()),
            () = signals.second() => {
                tracing::warn!("ended at once by a second signal");
                std::process::exit(0);
            }
        }
    })
}
