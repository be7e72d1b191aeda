//! The changes there are, and what becomes of each.
//!
//! Does not know: HTTP, file watching.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::lists::ListFiles;
use super::pem;
use super::start::{POSTURES, RULES, SETTINGS};
use super::{Desk, Differs, Entry, Office, files};
use crate::bounds;
use crate::certificate::Certificates;
use crate::challenge::Challenge;
use crate::fault::Fault;
use crate::force::{Law, Outbound, Town};
use crate::plan::Ladder;
use crate::posture::{self, Pin, Standing};
use crate::rules::{self, RuleSet, Sources};
use crate::settings::{self, Settings};
use crate::store::Table;

/// Who wants a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    File,
    Signal,
    /// By the staff door, with the token's name.
    Staff(String),
    Clock,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::File => f.write_str("file"),
            Who::Signal => f.write_str("signal"),
            Who::Staff(name) => write!(f, "staff {name}"),
            Who::Clock => f.write_str("clock"),
        }
    }
}

/// What can be changed while boma runs. Closed: each change passes the same door.
pub enum Change {
    /// The rules file as it stands now.
    RulesFile(String),
    /// The files of its lists.
    Lists,
    /// New rules from staff, to be written to the file; `generation` is the one that they were made from.
    Rules {
        text: String,
        generation: u64,
    },
    Postures(String),
    Settings(String),
    Certificates,
    Pin(Pin),
    /// Back to `auto`, of one portal or of all.
    Release(Option<String>),
    /// Pins that have ended.
    Expire,
}

impl Change {
    fn what(&self) -> String {
        match self {
            Change::RulesFile(_) | Change::Rules { .. } => "rules".into(),
            Change::Lists => "lists".into(),
            Change::Postures(_) => "postures".into(),
            Change::Settings(_) => "settings".into(),
            Change::Certificates => "certificates".into(),
            Change::Pin(pin) => format!("posture {}{} for: {}", pin.level, of(pin.portal.as_deref()), pin.reason),
            Change::Release(portal) => format!("posture auto{}", of(portal.as_deref())),
            Change::Expire => "posture expiry".into(),
        }
    }
}

fn of(portal: Option<&str>) -> String {
    portal.map_or(String::new(), |p| format!(" of {p}"))
}

/// A change in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub generation: u64,
    /// Whether anything differs from before.
    pub changed: bool,
    pub warnings: Vec<Fault>,
}

/// A change that was not taken; everything is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    Faults(Vec<Fault>),
    /// Made from an older generation than the one in force.
    Stale {
        generation: u64,
    },
    /// The file cannot be written.
    ReadOnly(String),
    /// No such portal.
    Unknown(String),
}

impl Office {
    /// The one door for changes.
    ///
    /// # Errors
    /// [`Rejected`], and everything is as it was.
    pub fn propose(&self, change: Change, who: &Who) -> Result<Applied, Rejected> {
        let mut desk = self.desk();
        let what = change.what();
        let quiet = matches!(change, Change::Expire);
        if !quiet {
            tracing::info!(%who, what, "change proposed");
        }
        let outcome = match change {
            Change::RulesFile(text) => self.rules(&mut desk, &text),
            Change::Lists => {
                let text = self.house.law.load().rules.text().to_owned();
                self.read_rules(&mut desk, &text)
            }
            Change::Rules { text, generation } => self.staff_rules(&mut desk, &text, generation),
            Change::Postures(text) => self.postures(&mut desk, &text),
            Change::Settings(text) => self.settings(&mut desk, &text),
            Change::Certificates => self.certificates(&mut desk),
            Change::Pin(pin) => self.pin(&pin),
            Change::Release(portal) => Ok(self.stand(self.house.standing.load().release(portal.as_deref()))),
            Change::Expire => Ok(self.expire()),
        };
        if !quiet || outcome.as_ref().is_ok_and(|a| a.changed) {
            self.note(&mut desk, who, what, &outcome);
        }
        outcome
    }

    fn note(&self, desk: &mut Desk, who: &Who, what: String, outcome: &Result<Applied, Rejected>) {
        let said = match outcome {
            Ok(applied) if !applied.changed => return,
            Ok(applied) => format!("applied, generation {}", applied.generation),
            Err(Rejected::Faults(faults)) => {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                format!("rejected, {} faults, the first: {first}", faults.len())
            }
            Err(Rejected::Stale { .. }) => "rejected: made from an older generation".into(),
            Err(Rejected::ReadOnly(why)) => format!("rejected: the file cannot be written ({why})"),
            Err(Rejected::Unknown(name)) => format!("rejected: no portal {name}"),
        };
        if outcome.is_ok() {
            tracing::info!(%who, what, outcome = said, "change applied");
        } else {
            tracing::error!(%who, what, outcome = said, "change rejected");
            if let Err(Rejected::Faults(faults)) = outcome {
                faults.iter().take(bounds::HISTORY).for_each(|fault| tracing::error!("{fault}"));
            }
        }
        let entry = Entry { at: self.house.now().unix(), who: who.to_string(), what, outcome: said };
        desk.history.push(entry);
        if desk.history.len() > bounds::HISTORY {
            desk.history.remove(0);
        }
    }

    fn rules(&self, desk: &mut Desk, text: &str) -> Result<Applied, Rejected> {
        let house = &self.house;
        let path = house.town.load().settings.server.rules.display().to_string();
        let law = house.law.load_full();
        if law.rules.text() == text {
            desk.same(&path);
            self.settled(&path);
            return Ok(Applied { generation: law.generation, changed: false, warnings: Vec::new() });
        }
        self.read_rules(desk, text)
    }

    /// Reads rules and their lists anew, though their text may be what is in force.
    fn read_rules(&self, desk: &mut Desk, text: &str) -> Result<Applied, Rejected> {
        let house = &self.house;
        let file = house.town.load().settings.server.rules.clone();
        let path = file.display().to_string();
        let lists = ListFiles::new(&file, None);
        let read = rules::read(&path, text, &Sources { now: house.now().unix(), list: &|p| lists.get(p) });
        if !read.faults.is_empty() {
            house.metrics.rules_rejected.inc();
            return Err(self.refused(desk, &path, read.faults));
        }
        let law = house.law.load_full();
        lists.stamps().iter().for_each(|(list, _)| {
            let list = list.display().to_string();
            desk.same(&list);
            self.settled(&list);
        });
        if let Err(e) = lists.keep(&self.last_good) {
            house.trouble(e);
        }
        if law.rules.text() == text && law.rules.files() == read.value.files() {
            self.taken(desk, &path, RULES, text);
            return Ok(Applied { warnings: read.warnings, ..self.unchanged() });
        }
        let generation = self.publish(Arc::new(read.value), law.ladder.clone());
        self.taken(desk, &path, RULES, text);
        Ok(Applied { generation, changed: true, warnings: read.warnings })
    }

    fn publish(&self, rules: Arc<RuleSet>, ladder: Ladder) -> u64 {
        let generation = self.house.law.load().generation + 1;
        self.house.law.store(Arc::new(Law { generation, rules, ladder }));
        generation
    }

    /// Rules from staff: checked first, then written to the file, then in force; the file stays the truth.
    fn staff_rules(&self, desk: &mut Desk, text: &str, made_from: u64) -> Result<Applied, Rejected> {
        let house = &self.house;
        let generation = house.law.load().generation;
        if made_from != generation {
            return Err(Rejected::Stale { generation });
        }
        let path = house.town.load().settings.server.rules.clone();
        let lists = ListFiles::new(&path, None);
        let sources = Sources { now: house.now().unix(), list: &|p| lists.get(p) };
        let read = rules::read(&path.display().to_string(), text, &sources);
        if !read.faults.is_empty() {
            house.metrics.rules_rejected.inc();
            return Err(Rejected::Faults(read.faults));
        }
        files::write_whole(&path, text.as_bytes(), 0o644).map_err(|e| Rejected::ReadOnly(e.to_string()))?;
        self.rules(desk, text)
    }

    fn postures(&self, desk: &mut Desk, text: &str) -> Result<Applied, Rejected> {
        let settings = self.house.town.load().settings.clone();
        let Some(path) = &settings.server.postures else { return Ok(self.unchanged()) };
        let path = path.display().to_string();
        let read = posture::read_ladder(&path, text);
        if !read.faults.is_empty() {
            return Err(self.refused(desk, &path, read.faults));
        }
        let law = self.house.law.load_full();
        self.taken(desk, &path, POSTURES, text);
        if law.ladder == read.value {
            return Ok(self.unchanged());
        }
        let rules = law.rules.clone();
        let generation = self.publish(rules, read.value);
        Ok(Applied { generation, changed: true, warnings: Vec::new() })
    }

    /// What reloads live is taken over; what needs a restart stays as it is and is named.
    fn settings(&self, desk: &mut Desk, text: &str) -> Result<Applied, Rejected> {
        let house = &self.house;
        let path = self.config.display().to_string();
        let folder = self.config.parent().unwrap_or(Path::new("/"));
        let read = settings::read(&path, text, folder);
        if !read.faults.is_empty() {
            return Err(self.refused(desk, &path, read.faults));
        }
        let old = house.town.load().settings.clone();
        desk.restart_needed = settings::restart_needed(&old, &read.value);
        let new = Settings {
            server: old.server.clone(),
            listen: old.listen.clone(),
            admin: old.admin.clone(),
            log: old.log.clone(),
            client: settings::ClientSettings { memory: old.client.memory, ..read.value.client },
            ..read.value
        };
        if new.certificates != old.certificates {
            self.load_certificates(desk, &new)?;
        }
        let outbound = new.portals.iter().map(pem::outbound_of).collect::<Result<Outbound, _>>();
        let outbound = outbound.map_err(|fault| self.refused(desk, &path, vec![fault]))?;
        self.taken(desk, &path, SETTINGS, text);
        if new == *old {
            return Ok(self.unchanged());
        }
        let edition = house.town.load().edition + 1;
        house.challenge.store(Arc::new(Challenge::new(&house.secret, new.challenge.pass_lifetime)));
        house.town.store(Arc::new(Town::new(edition, Arc::new(new), outbound, &house.counters)));
        self.dress_all();
        Ok(Applied { generation: house.law.load().generation, changed: true, warnings: read.warnings })
    }

    fn certificates(&self, desk: &mut Desk) -> Result<Applied, Rejected> {
        let settings = self.house.town.load().settings.clone();
        self.load_certificates(desk, &settings)?;
        Ok(Applied { changed: true, ..self.unchanged() })
    }

    fn load_certificates(&self, desk: &mut Desk, settings: &Settings) -> Result<(), Rejected> {
        let mut certificates = Certificates::default();
        let mut pems = Vec::new();
        for certificate in &settings.certificates {
            let shown = certificate.chain.display().to_string();
            let pem =
                pem::read_pem(certificate).and_then(|pem| certificates.add(&pem).map(|()| pem).map_err(|f| f.why));
            match pem {
                Ok(pem) => pems.push((shown, pem)),
                Err(why) => {
                    let fault = Fault::whole(
                        &shown,
                        why,
                        "write a PEM chain and its private key; until then the old one stays in use",
                    );
                    return Err(self.refused(desk, &shown, vec![fault]));
                }
            }
        }
        self.keyring.replace(certificates);
        for (i, (shown, pem)) in pems.iter().enumerate() {
            if let Err(e) = pem::keep_pem(&self.last_good, i, pem) {
                self.house.trouble(e);
            }
            desk.same(shown);
            self.settled(shown);
        }
        self.reloaded(true);
        Ok(())
    }

    fn pin(&self, pin: &Pin) -> Result<Applied, Rejected> {
        if let Some(name) = &pin.portal
            && !self.house.town.load().portals.list.iter().any(|p| p.name == *name)
        {
            return Err(Rejected::Unknown(name.clone()));
        }
        Ok(self.stand(self.house.standing.load().pin(pin.clone())))
    }

    fn expire(&self) -> Applied {
        let (standing, expired) = self.house.standing.load().expire(self.house.now().unix());
        if expired.is_empty() {
            return self.unchanged();
        }
        for one in &expired {
            if one.alarm {
                self.house.trouble(one.text.clone());
            } else {
                tracing::warn!("{}", one.text);
            }
        }
        self.stand(standing)
    }

    fn stand(&self, standing: Standing) -> Applied {
        let row = serde_json::to_vec(&standing).unwrap_or_default();
        self.house.store.put(Table::Standing, "now", row);
        self.house.standing.store(Arc::new(standing));
        Applied { changed: true, ..self.unchanged() }
    }

    fn unchanged(&self) -> Applied {
        Applied { generation: self.house.law.load().generation, changed: false, warnings: Vec::new() }
    }

    fn refused(&self, desk: &mut Desk, path: &str, faults: Vec<Fault>) -> Rejected {
        self.reloaded(false);
        desk.same(path);
        desk.differs.push(Differs { file: path.to_owned(), faults: faults.clone() });
        Rejected::Faults(faults)
    }

    fn taken(&self, desk: &mut Desk, path: &str, name: &str, text: &str) {
        desk.same(path);
        self.settled(path);
        self.reloaded(true);
        if let Err(e) = self.last_good.save(name, text.as_bytes()) {
            self.house.trouble(format!("no last good copy of {name} can be kept ({e})"));
        }
    }

    /// A file is in force again: what was said of it at the start is over.
    fn settled(&self, path: &str) {
        self.house.untrouble(|t| t.starts_with(path));
    }

    pub(super) fn reloaded(&self, good: bool) {
        let m = &self.house.metrics;
        m.reload_successful.set(i64::from(good));
        if good {
            m.reload_at.set(self.house.now().unix() as i64);
        }
    }
}

impl Desk {
    /// The file's text is what is in force.
    fn same(&mut self, path: &str) {
        self.differs.retain(|d| d.file != path);
    }
}
