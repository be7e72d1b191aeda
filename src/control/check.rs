//! The files as they stand, for commands that need no running boma: no last good copy counts, and nothing is written.
//!
//! Does not know: what the files are for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files;
use super::start::{Found, POSTURES, Reading, unreadable};
use super::words::{Heard, settings_with};
use crate::fault::Fault;
use crate::places::Places;
use crate::plan::Ladder;
use crate::posture;
use crate::rules::RuleSet;
use crate::settings::Settings;

/// What `boma check` found.
pub struct Checked {
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
}

/// Reads the settings and all files that they name.
pub fn check(config: &Path) -> Checked {
    let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let folder = config.parent().unwrap_or(Path::new("/")).to_owned();
    let mut reading = Reading::as_written();
    if let Some((settings, heard)) = settings(&mut reading, &config) {
        let now = crate::clock::Clock::system().now().unix();
        reading.places(&settings.client);
        reading.bots(&settings.bots);
        reading.tokens(settings.admin.tokens.as_deref());
        reading.words(heard, &settings.portals);
        reading.rules(&settings.server.rules, &settings.client, now);
        ladder(&mut reading, &settings);
        reading.certificates(&settings.certificates);
        reading.outbound(&settings.portals);
        if let Some(secret) = &settings.server.secret {
            reading.secret(Some(secret), &folder);
        }
    }
    let Found { faults, mut warnings, troubles, .. } = reading.found;
    warnings.extend(troubles.iter().map(|t| Fault::whole(&config.display().to_string(), t.as_str(), "")));
    Checked { faults, warnings }
}

/// Everything that verdicts come from.
pub struct Book {
    pub settings: Arc<Settings>,
    pub ladder: Ladder,
    pub places: Arc<Places>,
    /// Of each rules file that was asked for, in their order.
    pub rules: Vec<RuleSet>,
    pub warnings: Vec<Fault>,
}

/// Reads the settings, the posture table, the MMDB files, and rules files: those that are named, after the settings' own.
///
/// # Errors
/// Every fault of every file.
pub fn book(config: &Path, more_rules: Option<&Path>) -> Result<Book, Vec<Fault>> {
    let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let mut reading = Reading::as_written();
    let Some((settings, _)) = settings(&mut reading, &config) else { return Err(reading.found.faults) };
    let now = crate::clock::Clock::system().now().unix();
    let places = reading.places(&settings.client);
    let named = more_rules.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    // The settings' own may be left out; what somebody names must be there.
    if let Some(Err(e)) = named.as_deref().map(files::read_text) {
        return Err(vec![unreadable(&named.unwrap_or_default().display().to_string(), &e)]);
    }
    let files: Vec<PathBuf> = [settings.server.rules.clone()].into_iter().chain(named).collect();
    let rules: Vec<_> = files.iter().filter_map(|path| reading.rules(path, &settings.client, now)).collect();
    let ladder = ladder(&mut reading, &settings);
    let Found { faults, warnings, .. } = reading.found;
    match ladder {
        Some(ladder) if faults.is_empty() => {
            Ok(Book { settings: Arc::new(settings), ladder, places: Arc::new(places), rules, warnings })
        }
        _ => Err(faults),
    }
}

/// Even settings with faults say well enough where the other files are.
fn settings(reading: &mut Reading, config: &Path) -> Option<(Settings, Heard)> {
    let shown = config.display().to_string();
    let folder = config.parent().unwrap_or(Path::new("/"));
    match files::read_text(config) {
        Ok(text) => {
            let hear = |languages: Option<&Path>| Reading::hear(true, &reading.last_good, languages);
            let (got, heard) = settings_with((&shown, &text, folder), true, hear);
            reading.found.faults.extend(got.faults.iter().cloned());
            Some((reading.take(got), heard))
        }
        Err(e) => {
            reading.found.faults.push(unreadable(&shown, &e));
            None
        }
    }
}

fn ladder(reading: &mut Reading, settings: &Settings) -> Option<Ladder> {
    match &settings.server.postures {
        Some(path) => reading.file(path, POSTURES, posture::read_ladder, None),
        None => Some(posture::read_ladder("config/postures.toml", posture::BUILT_IN).value),
    }
}
