//! The start, availability first: whatever is broken is replaced by its last good copy, and said.
//!
//! Does not know: sockets, threads.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::anew::{NO_COPIES, NO_SECRET};
use super::files::{self, LastGood};
use super::lists::ListFiles;
use super::words::settings_with;
use super::{pem, places};
use crate::bots::Roll;
use crate::certificate::Certificates;
use crate::fault::{Fault, Read};
use crate::force::Outbound;
use crate::places::Places;
use crate::plan::Ladder;
use crate::portal::Portal;
use crate::rules::{RuleSet, Sources};
use crate::seal::Secret;
use crate::settings::{AccessSink, Certificate, ClientSettings, Settings};
use crate::staff::Tokens;
use crate::words::Words;
use crate::{posture, rules};

/// Names of last good copies.
pub const SETTINGS: &str = "boma.toml";
pub const RULES: &str = "rules.toml";
pub const POSTURES: &str = "postures.toml";
pub const TOKENS: &str = "admin-tokens.toml";

/// What the command line and the environment say.
pub struct Given {
    pub config: PathBuf,
    /// Refuse rather than fall back on last good copies.
    pub strict: bool,
    pub state_dir: Option<PathBuf>,
    /// `$STATE_DIRECTORY`, as systemd sets it.
    pub state_environment: Option<PathBuf>,
}

/// Everything that was read, whole and good.
pub struct Started {
    /// Absolute path of the settings file.
    pub config: PathBuf,
    pub settings: Arc<Settings>,
    pub rules: RuleSet,
    pub ladder: Ladder,
    pub certificates: Certificates,
    pub secret: Secret,
    pub outbound: Outbound,
    pub places: Places,
    pub bots: Roll,
    pub tokens: Tokens,
    pub words: Words,
    pub state_dir: PathBuf,
    pub last_good: LastGood,
    pub troubles: Vec<String>,
    pub warnings: Vec<Fault>,
    /// Files that are not in force as they stand, with their faults.
    pub differs: Vec<(String, Vec<Fault>)>,
    pub read: Stamps,
}

/// Of each file that was read, in force or not, what it held: whatever holds something else later is a change, however
/// soon it came.
pub type Stamps = Vec<(PathBuf, u64)>;

/// Reads all files.
///
/// # Errors
/// Every fault of every file that has no last good copy; with `strict`, of every file.
pub fn start(given: &Given, now_unix: u64) -> Result<Started, Vec<Fault>> {
    let config = std::path::absolute(&given.config).unwrap_or_else(|_| given.config.clone());
    let folder = config.parent().unwrap_or(Path::new("/")).to_owned();
    let lookup =
        given.state_dir.clone().or_else(|| given.state_environment.clone()).unwrap_or_else(|| folder.join("state"));
    let last_good = LastGood::new(&lookup);
    let mut reading = Reading { strict: given.strict, last_good, found: Found::default() };

    let (strict, copies, heard) = (given.strict, reading.last_good.clone(), RefCell::default());
    let read = |file: &str, text: &str| {
        let (read, all) = settings_with((file, text, &folder), true, |from| Reading::hear(strict, &copies, from));
        heard.replace(all);
        read
    };
    let settings = reading.file(&config, SETTINGS, read, None);
    let Some(settings) = settings else { return Err(reading.found.faults) };
    let places = reading.places(&settings.client);
    let bots = reading.bots(&settings.bots);
    let tokens = reading.tokens(settings.admin.tokens.as_deref());
    let words = reading.words(heard.into_inner(), &settings.portals);
    let rules = reading.rules(&settings.server.rules, &settings.client, now_unix);
    let ladder = match &settings.server.postures {
        Some(path) => reading.file(path, POSTURES, posture::read_ladder, None),
        None => Some(posture::read_ladder("config/postures.toml", posture::BUILT_IN).value),
    };
    let certificates = reading.certificates(&settings.certificates);
    let state_dir = match &given.state_dir {
        Some(state) => state.clone(),
        None if settings.server.state_dir_given => settings.server.state_dir.clone(),
        None => lookup,
    };
    let secret = reading.secret(settings.server.secret.as_deref(), &state_dir);
    let outbound = reading.outbound(&settings.portals);
    let Reading { found, last_good, .. } = reading;
    match (rules, ladder, certificates, secret) {
        (Some(rules), Some(ladder), Some(certificates), Some(secret)) if found.faults.is_empty() => Ok(Started {
            config,
            settings: Arc::new(settings),
            rules,
            ladder,
            certificates,
            secret,
            outbound,
            places,
            bots,
            tokens,
            words,
            state_dir,
            last_good,
            troubles: found.troubles,
            warnings: found.warnings,
            differs: found.differs,
            read: found.read,
        }),
        _ => Err(found.faults),
    }
}

#[derive(Default)]
pub(super) struct Found {
    pub faults: Vec<Fault>,
    pub troubles: Vec<String>,
    pub warnings: Vec<Fault>,
    pub differs: Vec<(String, Vec<Fault>)>,
    pub read: Stamps,
}

pub(super) struct Reading {
    pub strict: bool,
    pub last_good: LastGood,
    pub found: Found,
}

impl Reading {
    /// Of the files as they stand: no last good copy counts, and nothing is written.
    pub fn as_written() -> Reading {
        Reading { strict: true, last_good: LastGood::none(), found: Found::default() }
    }

    /// Reads one file, or its last good copy; `missing` is what a file that is not there stands for.
    pub fn file<T>(
        &mut self,
        path: &Path,
        name: &str,
        read: impl Fn(&str, &str) -> Read<T>,
        missing: Option<String>,
    ) -> Option<T> {
        let shown = path.display().to_string();
        let faults = match files::read_text(path) {
            Ok(text) => {
                self.found.read.push((path.to_owned(), files::stamp(text.as_bytes())));
                let got = read(&shown, &text);
                if got.faults.is_empty() {
                    self.keep(name, text.as_bytes());
                    return Some(self.take(got));
                }
                got.faults
            }
            Err(e) => vec![unreadable(&shown, &e)],
        };
        let kept = self.last_good.load_text(name);
        if let (false, Some(text)) = (path.exists() || kept.is_some(), missing) {
            self.found.troubles.push(format!("{shown} is not there: boma serves without it"));
            return Some(self.take(read(&shown, &text)));
        }
        if let (false, Some(text)) = (self.strict, kept) {
            let got = read(&format!("last good {name}"), &text);
            if got.faults.is_empty() {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                self.found
                    .troubles
                    .push(format!("{shown} cannot be used; its last good copy is in force. First fault: {first}"));
                self.found.differs.push((shown, faults));
                return Some(self.take(got));
            }
        }
        self.found.faults.extend(faults);
        None
    }

    /// The MMDB files; boma serves without them where they cannot be had.
    pub fn places(&mut self, client: &ClientSettings) -> Places {
        let stamps = places::named(client).filter_map(|(_, path)| Some((path.clone(), places::stamp(path).ok()?)));
        self.found.read.extend(stamps);
        let (places, faults) = places::load(client, &self.last_good, !self.strict);
        self.made_do(faults);
        places
    }

    /// Files in whose place the last good copies are in use: said, or with `--strict` a reason not to start.
    pub(super) fn made_do(&mut self, faults: Vec<Fault>) {
        for fault in faults {
            if self.strict {
                self.found.faults.push(fault);
                continue;
            }
            self.found.troubles.push(format!("{fault}; its last good copy is in use, where there is one"));
            self.found.differs.push((fault.file.clone(), vec![fault]));
        }
    }

    /// The rules, with the files that they name.
    pub fn rules(&mut self, path: &Path, client: &ClientSettings, now: u64) -> Option<RuleSet> {
        let last_good = self.last_good.clone();
        let lists = ListFiles::new(path, (!self.strict).then_some(&last_good));
        let list = |written: &str| lists.get(written);
        let sources = Sources {
            now,
            list: &list,
            measures: &[],
            // A file that is named but broken is said elsewhere; the rules hold, and nobody is known.
            countries: client.country_db.is_some(),
            asns: client.asn_db.is_some(),
            breath: None,
        };
        let rules = self.file(path, RULES, |file, text| rules::read(file, text, &sources), Some(String::new()));
        self.found.read.extend(lists.stamps());
        for (file, why) in lists.troubles() {
            let trouble = format!("{file} cannot be used ({why}); its last good copy is in force");
            self.found.differs.push((file.clone(), vec![Fault::whole(&file, why, "mend the list")]));
            self.found.troubles.push(trouble);
        }
        if rules.is_some()
            && let Err(e) = lists.keep(&self.last_good)
        {
            self.found.troubles.push(e);
        }
        rules
    }

    pub fn take<T>(&mut self, got: Read<T>) -> T {
        self.found.warnings.extend(got.warnings);
        got.value
    }

    fn keep(&mut self, name: &str, bytes: &[u8]) {
        if let Err(e) = self.last_good.save(name, bytes) {
            let trouble = format!(
                "{NO_COPIES}ies can be kept ({e}): a broken file at the next start would have nothing to fall back on"
            );
            if !self.found.troubles.contains(&trouble) {
                self.found.troubles.push(trouble);
            }
        }
    }

    pub fn certificates(&mut self, wanted: &[Certificate]) -> Option<Certificates> {
        let mut certificates = Certificates::default();
        let mut whole = true;
        for (i, certificate) in wanted.iter().enumerate() {
            let good = self.certificate(&mut certificates, certificate, i);
            whole &= good;
        }
        whole.then_some(certificates)
    }

    fn certificate(&mut self, all: &mut Certificates, certificate: &Certificate, i: usize) -> bool {
        let shown = certificate.chain.display().to_string();
        let pem = pem::read_pem(certificate);
        if let Ok(pem) = &pem {
            self.found.read.push((certificate.chain.clone(), files::stamp(&pem.chain)));
            self.found.read.push((certificate.key.clone(), files::stamp(&pem.key)));
        }
        let why = match pem.and_then(|pem| all.add(&pem).map(|()| pem).map_err(|f| f.why)) {
            Ok(pem) => {
                pem::keep_pem(&self.last_good, i, &pem).err().into_iter().for_each(|e| self.found.troubles.push(e));
                return true;
            }
            Err(why) => why,
        };
        let fault = Fault::whole(
            &shown,
            why.clone(),
            "write a PEM chain and its private key in [[certificate]], readable by boma's user",
        );
        let kept = (!self.strict).then(|| pem::kept_pem(&self.last_good, i, &shown)).flatten();
        if let Some(pem) = kept
            && all.add(&pem).is_ok()
        {
            self.found
                .troubles
                .push(format!("certificate {shown} cannot be used ({why}); its last good copy is in force"));
            self.found.differs.push((shown, vec![fault]));
            return true;
        }
        self.found.faults.push(fault);
        false
    }

    /// TLS towards origins. What cannot be used keeps its portal's origins from being reached, and nothing else.
    pub fn outbound(&mut self, portals: &[Portal]) -> Outbound {
        let mut all = Outbound::new();
        for portal in portals {
            match pem::outbound_of(portal) {
                Ok(config) => all.push(config),
                Err(fault) => {
                    if self.strict {
                        self.found.faults.push(fault);
                    } else {
                        self.found
                            .troubles
                            .push(format!("origins of portal {} cannot be reached: {fault}", portal.name));
                    }
                    all.push(None);
                }
            }
        }
        all
    }

    /// The secret: named by the settings, else kept in the state directory, made where there is none.
    pub fn secret(&mut self, named: Option<&Path>, state_dir: &Path) -> Option<Secret> {
        if let Some(path) = named {
            let shown = path.display().to_string();
            let secret = files::read_text(path).map_err(|e| e.to_string());
            let secret = secret.and_then(|t| Secret::parse(&t).ok_or_else(|| "not 64 hexadecimal digits".to_owned()));
            // Never replaced by a random one: nodes that should share it would turn each other's citizens away.
            return secret
                .map_err(|why| {
                    let help =
                        "write 64 hexadecimal digits, such as `openssl rand -hex 32` prints, readable by boma's user";
                    self.found.faults.push(Fault::whole(&shown, format!("the secret cannot be used: {why}"), help));
                })
                .ok();
        }
        let path = secret_in(state_dir);
        if let Some(secret) = files::read_text(&path).ok().and_then(|t| Secret::parse(&t)) {
            return Some(secret);
        }
        let Some(secret) = Secret::random() else {
            self.found.faults.push(Fault::whole("system", "the system gives no random bytes", "check /dev/urandom"));
            return None;
        };
        let kept = std::fs::create_dir_all(state_dir)
            .and_then(|()| files::write_whole(&path, secret.to_text().as_bytes(), 0o600));
        if let Err(e) = kept {
            let what = format!("{NO_SECRET} in {} ({e})", path.display());
            self.found.troubles.push(format!("{what}: passes and copies of pages end with this process"));
        }
        Some(secret)
    }
}

/// Where the secret is kept that no settings name.
pub(super) fn secret_in(state_dir: &Path) -> PathBuf {
    state_dir.join("secret.key")
}

pub fn unreadable(shown: &str, error: &io::Error) -> Fault {
    let help = match error.kind() {
        io::ErrorKind::NotFound => "name a file that is there, or make it",
        io::ErrorKind::PermissionDenied => "let boma's user read it",
        _ => "make it a readable text file",
    };
    Fault::whole(shown, format!("cannot be read: {error}"), help)
}

/// The sink of the access log, in telemetry's terms.
pub fn sink(settings: &Settings) -> crate::telemetry::access::Sink {
    use crate::telemetry::access::Sink;
    match &settings.log.access {
        AccessSink::Stdout => Sink::Stdout,
        AccessSink::File(path) => Sink::File(path.clone()),
        AccessSink::Off => Sink::Off,
    }
}
