//! The one door for changes: checked whole, put in force by one pointer swap, noted; or refused, and everything stays as
//! it was.
//!
//! Does not know: HTTP, file watching.

use std::path::Path;
use std::sync::Arc;

use super::anew::NO_COPIES;
use super::change::{Applied, Change, Force, Rejected, Who};
use super::lists::ListFiles;
use super::start::{POSTURES, RULES};
use super::{Desk, Differs, Office, files};
use crate::fault::Fault;
use crate::force::Law;
use crate::plan::Ladder;
use crate::posture::{self, Pin, Standing};
use crate::rules::{self, Measure, RuleSet, Sources};
use crate::store::Table;
use crate::telemetry::Kind;

/// Rules that were read without a fault.
struct Drawn {
    path: String,
    lists: ListFiles<'static>,
    rules: Arc<RuleSet>,
    warnings: Vec<Fault>,
}

impl Office {
    /// The one door for changes. Staff are answered when it is on disk, or are told that it is not.
    ///
    /// # Errors
    /// [`Rejected`], and everything is as it was.
    pub fn propose(&self, change: Change, who: &Who) -> Result<Applied, Rejected> {
        let mut outcome = self.decide(change, who);
        if matches!(who, Who::Staff(..)) {
            let unkept = self.unkept();
            if let Ok(applied) = &mut outcome {
                applied.warnings.extend(unkept);
            }
        }
        outcome
    }

    fn decide(&self, change: Change, who: &Who) -> Result<Applied, Rejected> {
        let read = self.read_places(&change);
        let mut desk = self.desk();
        if self.has_handed_over() && matches!(who, Who::Staff(..)) {
            return Err(Rejected::Leaving);
        }
        let (kind, what, text, until) = (change.kind(), self.what(&change), change.text(), change.until());
        let quiet = matches!(change, Change::Expire);
        if !quiet {
            tracing::info!(%who, what, "change proposed");
        }
        let outcome = match change {
            Change::RulesFile(text) if self.is_outdated(&text) => Ok(self.unchanged()),
            Change::RulesFile(text) => self.rules(&mut desk, &text, false),
            Change::Lists => {
                let text = self.house.law.load().rules.text().to_owned();
                self.read_rules(&mut desk, &text, false)
            }
            Change::Rules { text, generation, force } => self.staff_rules(&mut desk, &text, generation, &force),
            Change::Places => {
                let settings = self.house.town.load().settings.clone();
                self.places(&mut desk, &settings.client, read)
            }
            Change::Bots => {
                let settings = self.house.town.load().settings.clone();
                self.bots(&mut desk, &settings.bots, false)
            }
            Change::Languages => self.languages(&mut desk, who),
            Change::Postures(text) => self.postures(&mut desk, &text),
            Change::Settings(text) => self.settings(&mut desk, &text, read),
            Change::Certificates => self.certificates(&mut desk),
            Change::Tokens(text) => self.tokens(&mut desk, &text),
            Change::RollBack { version, force } => self.roll_back(&mut desk, version, &force),
            Change::AddMeasure(measure) => self.add_measure(measure, true),
            Change::ExtendMeasure { name, until } => self.extend_measure(&name, until, &who.to_string()),
            Change::RemoveMeasure(name) => {
                let removed = self.remove_measure(&name);
                self.retry_rules(&mut desk);
                removed
            }
            Change::UndoMeasure { name, since, why } => self.undo_measure(&mut desk, &name, since, &why),
            Change::AddBan { ban, force } => self.add_ban(ban, force),
            Change::RemoveBan(net) => self.remove_ban(net),
            Change::Pin(pin) => self.pin(&pin),
            Change::Incident(telling) => self.incident(telling),
            Change::Reword(rewording) => self.reword(&rewording, who),
            Change::Purge { portal, what, gone } => self.purge(portal.as_deref(), &what, &gone),
            Change::Refresh { portal, paths } => self.refresh(portal.as_deref(), &paths),
            // What is given out is the journal's to remember, and nobody else's.
            Change::GiveCodes { portal, .. } => {
                self.knows(portal.as_deref()).map(|()| Applied { changed: true, ..self.unchanged() })
            }
            Change::Release(portal) => self.knows(portal.as_deref()).map(|()| {
                self.house.untrouble(|t| t.contains("has expired; now "));
                self.stand(self.house.standing.load().release(portal.as_deref()))
            }),
            Change::Climb { portal, level, .. } => Ok(self.stand(self.house.standing.load().climb(&portal, level))),
            Change::Expire => {
                self.put_old_laws_away();
                self.warn_of_ends(&mut desk);
                Ok(self.expire(&mut desk))
            }
        };
        self.keep_version(&mut desk, who);
        if !quiet || outcome.as_ref().is_ok_and(|a| a.changed) {
            self.note(&mut desk, who, (kind, what, until), text.as_deref(), &outcome);
        }
        outcome
    }

    /// What rules may refer to, as things stand.
    pub(super) fn sources<'a>(
        &'a self,
        list: &'a dyn Fn(&str) -> Result<String, String>,
        measures: &'a [Measure],
    ) -> Sources<'a> {
        let client = &self.house.town.load().settings.client;
        let (countries, asns) = (client.country_db.is_some(), client.asn_db.is_some());
        let breath = Some(&self.house.breath);
        Sources { now: self.house.now().unix(), list, measures, countries, asns, breath }
    }

    /// The rules file holds something else than when it was read: staff changed it while this waited for its turn.
    fn is_outdated(&self, text: &str) -> bool {
        files::read_text(&self.house.town.load().settings.server.rules).is_ok_and(|now| now != text)
    }

    /// `asked`: staff were told of what harm it does.
    fn rules(&self, desk: &mut Desk, text: &str, asked: bool) -> Result<Applied, Rejected> {
        let house = &self.house;
        let path = house.town.load().settings.server.rules.display().to_string();
        let law = house.law.load_full();
        if law.rules.text() == text {
            desk.same(&path);
            self.settled(&path);
            self.reloaded(true);
            return Ok(self.unchanged());
        }
        self.read_rules(desk, text, asked)
    }

    /// Reads rules and their lists anew, though their text may be what is in force.
    fn read_rules(&self, desk: &mut Desk, text: &str, asked: bool) -> Result<Applied, Rejected> {
        let path = self.house.town.load().settings.server.rules.display().to_string();
        match self.drawn_up(text) {
            Ok(draft) => Ok(self.take_rules(desk, draft, asked)),
            Err(faults) => Err(self.refused(desk, &path, faults)),
        }
    }

    /// Rules as they would be in force.
    fn drawn_up(&self, text: &str) -> Result<Drawn, Vec<Fault>> {
        let file = self.house.town.load().settings.server.rules.clone();
        let path = file.display().to_string();
        let lists = ListFiles::new(&file, None);
        let law = self.house.law.load_full();
        let list = |p: &str| lists.get(p);
        let read = rules::read(&path, text, &self.sources(&list, &law.measures));
        if !read.faults.is_empty() {
            self.house.metrics.rules_rejected.inc();
            return Err(read.faults);
        }
        Ok(Drawn { path, lists, rules: Arc::new(read.value), warnings: read.warnings })
    }

    fn take_rules(&self, desk: &mut Desk, drawn: Drawn, asked: bool) -> Applied {
        let Drawn { path, lists, rules, warnings } = drawn;
        let (house, law) = (&self.house, self.house.law.load_full());
        lists.stamps().iter().for_each(|(list, _)| {
            let list = list.display().to_string();
            desk.same(&list);
            self.settled(&list);
        });
        if let Err(e) = lists.keep(&self.last_good) {
            house.trouble(e);
        }
        self.taken(desk, &path, RULES, rules.text());
        if law.rules.text() == rules.text() && law.rules.files() == rules.files() {
            return Applied { warnings, ..self.unchanged() };
        }
        // What a file says is in force: nobody is there to be asked. It is said all the same.
        let harm = if asked { None } else { (self.judge.rules)(house, rules.clone()).harm };
        let generation = self.publish(rules, law.ladder.clone(), law.measures.clone());
        if let Some(harm) = harm {
            house.trouble(format!("{path} is in force, but {harm}"));
        }
        Applied { generation, changed: true, warnings, ..self.unchanged() }
    }

    pub(super) fn publish(&self, rules: Arc<RuleSet>, ladder: Ladder, measures: Arc<[Measure]>) -> u64 {
        let generation = self.house.law.load().generation + 1;
        let old = self.house.law.swap(Arc::new(Law { generation, rules, measures, ladder }));
        // Or the last request that still goes by it would have to put it away.
        self.old_laws().push(old);
        self.put_old_laws_away();
        self.watch_rules();
        self.keep_generation();
        generation
    }

    /// Puts those away that no request goes by any more.
    pub(super) fn put_old_laws_away(&self) {
        self.old_laws().retain(|law| Arc::strong_count(law) > 1);
    }

    /// Rules from staff: checked first, then written to the file, then in force; the file stays the truth.
    pub(super) fn staff_rules(
        &self,
        desk: &mut Desk,
        text: &str,
        made_from: u64,
        force: &Force,
    ) -> Result<Applied, Rejected> {
        let house = &self.house;
        let generation = house.law.load().generation;
        if made_from != generation {
            return Err(Rejected::Stale { generation });
        }
        let path = house.town.load().settings.server.rules.clone();
        let drawn = self.drawn_up(text).map_err(Rejected::Faults)?;
        if force.is_none()
            && let Some(harm) = (self.judge.rules)(house, drawn.rules.clone()).harm
        {
            return Err(Rejected::Harmful(harm));
        }
        if path.is_symlink() {
            let why = "it is a symbolic link, as a ConfigMap's files are";
            return Err(Rejected::ReadOnly(why.into()));
        }
        if let Ok(there) = files::read(&path)
            && there != house.law.load().rules.text().as_bytes()
        {
            // Somebody's work that was never in force.
            let aside = path.with_extension("toml.replaced");
            files::write_whole(&aside, &there, 0o644).map_err(|e| Rejected::ReadOnly(e.to_string()))?;
        }
        files::write_whole(&path, text.as_bytes(), 0o644).map_err(|e| Rejected::ReadOnly(e.to_string()))?;
        Ok(self.take_rules(desk, drawn, true))
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
        let generation = self.publish(law.rules.clone(), read.value, law.measures.clone());
        Ok(Applied { generation, changed: true, ..self.unchanged() })
    }

    fn pin(&self, pin: &Pin) -> Result<Applied, Rejected> {
        self.knows(pin.portal.as_deref())?;
        Ok(self.stand(self.house.standing.load().pin(pin.clone())))
    }

    fn expire(&self, desk: &mut Desk) -> Applied {
        for ended in self.end_measures() {
            let what = format!("measure {}, laid for: {}", ended.name, ended.reason);
            let applied = Applied { changed: true, ..self.unchanged() };
            self.note(desk, &Who::Clock, (Kind::Measure, format!("end of {what}"), None), None, &Ok(applied));
            self.retry_rules(desk);
        }
        let (standing, expired) = self.house.standing.load().expire(self.house.now().unix());
        if expired.is_empty() {
            return self.unchanged();
        }
        let applied = self.stand(standing);
        for one in expired {
            if one.alarm {
                self.house.trouble(one.text.clone());
            }
            self.note(desk, &Who::Clock, (Kind::Posture, one.text, None), None, &Ok(applied.clone()));
        }
        self.unchanged()
    }

    fn stand(&self, standing: Standing) -> Applied {
        let town = self.house.town.load();
        let standing = standing.noted(town.portals.list.iter().map(|p| p.name.as_str()), self.house.now().unix());
        self.house.standing.store(Arc::new(standing));
        self.put_standing();
        self.watch_minutes(&mut self.counting().watching);
        self.tell();
        Applied { changed: true, ..self.unchanged() }
    }

    pub(super) fn put_standing(&self) {
        let row = serde_json::to_vec(&**self.house.standing.load()).unwrap_or_default();
        self.house.store.put_surely(Table::Standing, "now", row);
    }

    pub(super) fn unchanged(&self) -> Applied {
        let (incident, warnings, about) = (None, Vec::new(), None);
        Applied { generation: self.house.law.load().generation, changed: false, incident, warnings, about }
    }

    pub(super) fn refused(&self, desk: &mut Desk, path: &str, faults: Vec<Fault>) -> Rejected {
        self.reloaded(false);
        desk.same(path);
        desk.differs.push(Differs { file: path.to_owned(), faults: faults.clone() });
        Rejected::Faults(faults)
    }

    /// A file that is watched is gone, or cannot be read any more.
    pub(super) fn cannot_read(&self, path: &Path, error: &std::io::Error) {
        let mut desk = self.desk();
        let shown = path.display().to_string();
        tracing::error!(file = shown, %error, "what was in force stays: the file cannot be read");
        let _ = self.refused(&mut desk, &shown, vec![super::start::unreadable(&shown, error)]);
    }

    /// Tries a rules file again that was not taken, now that what it did not fit may be gone.
    pub(super) fn retry_rules(&self, desk: &mut Desk) {
        let path = self.house.town.load().settings.server.rules.clone();
        if desk.differs.iter().any(|d| path.display().to_string() == d.file)
            && let Ok(text) = files::read_text(&path)
            && self.rules(desk, &text, false).is_ok_and(|a| a.changed)
        {
            tracing::info!("the rules file that was refused is in force now");
        }
    }

    pub(super) fn taken(&self, desk: &mut Desk, path: &str, name: &str, text: &str) {
        desk.same(path);
        self.settled(path);
        self.reloaded(true);
        if let Err(e) = self.last_good.save(name, text.as_bytes()) {
            self.house.trouble(format!("{NO_COPIES}y of {name} can be kept ({e})"));
        }
    }

    /// A file is in force again: what was said of it at the start is over.
    pub(super) fn settled(&self, path: &str) {
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
    pub(super) fn same(&mut self, path: &str) {
        self.differs.retain(|d| d.file != path);
    }
}
