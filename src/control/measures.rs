//! Measures: laid over the rules file by staff, for a while, and gone by themselves.
//!
//! Does not know: HTTP.

use std::sync::Arc;

use serde_json::json;

use super::change::{Applied, Change, Judged, Rejected, Who};
use super::lists::ListFiles;
use super::{Desk, Office};
use crate::bounds;
use crate::fault::Fault;
use crate::rules::{self, Measure, RuleSet};
use crate::store::Table;

impl Office {
    /// Puts the rules in force with these measures over them, and keeps those; `judged`: unless they harm.
    ///
    /// # Errors
    /// What does not fit, and everything is as it was.
    fn lay(&self, measures: Vec<Measure>, judged: bool) -> Result<Applied, Rejected> {
        let house = &self.house;
        let law = house.law.load_full();
        let file = house.town.load().settings.server.rules.clone();
        let lists = ListFiles::new(&file, Some(&self.last_good));
        let list = |p: &str| lists.get(p);
        let sources = self.sources(&list, &measures);
        let read = rules::read(&file.display().to_string(), law.rules.text(), &sources);
        if !read.faults.is_empty() {
            return Err(Rejected::Faults(read.faults));
        }
        let rules = Arc::new(read.value);
        let Judged { harm, forecast } =
            if judged { (self.judge.rules)(house, rules.clone()) } else { Judged::default() };
        if let Some(harm) = harm {
            return Err(Rejected::Harmful(harm));
        }
        for old in law.measures.iter().filter(|m| !measures.iter().any(|n| n.name == m.name)) {
            house.store.remove_surely(Table::Measures, &old.name);
        }
        for new in measures.iter().filter(|m| !law.measures.contains(m)) {
            self.put_measure(new);
        }
        let generation = self.publish(rules, law.ladder.clone(), measures.into());
        let about = judged.then(|| json!({ "forecast": forecast }));
        Ok(Applied { generation, changed: true, incident: None, warnings: read.warnings, about })
    }

    fn put_measure(&self, measure: &Measure) {
        let row = serde_json::to_vec(measure).unwrap_or_default();
        self.house.store.put_surely(Table::Measures, &measure.name, row);
    }

    pub(super) fn put_measures(&self) {
        self.live_measures().iter().for_each(|measure| self.put_measure(measure));
    }

    /// The rules as they would be with a measure more.
    ///
    /// # Errors
    /// What does not fit.
    pub fn draft_measure(&self, measure: &Measure) -> Result<Arc<RuleSet>, Rejected> {
        let mut measures = self.live_measures();
        measures.push(measure.clone());
        self.draft(self.house.law.load().rules.text(), &measures)
    }

    /// The rules as they would be with another file.
    ///
    /// # Errors
    /// What does not fit.
    pub fn draft_rules(&self, text: &str) -> Result<Arc<RuleSet>, Rejected> {
        self.draft(text, &self.live_measures())
    }

    fn draft(&self, text: &str, measures: &[Measure]) -> Result<Arc<RuleSet>, Rejected> {
        let file = self.house.town.load().settings.server.rules.clone();
        let lists = ListFiles::new(&file, None);
        let list = |p: &str| lists.get(p);
        let read = rules::read(&file.display().to_string(), text, &self.sources(&list, measures));
        if read.faults.is_empty() { Ok(Arc::new(read.value)) } else { Err(Rejected::Faults(read.faults)) }
    }

    pub(super) fn add_measure(&self, measure: Measure, judged: bool) -> Result<Applied, Rejected> {
        let judged = judged && !measure.forced;
        let mut measures = self.live_measures();
        if measures.len() >= bounds::MEASURES {
            let help = "write what is to stay into rules.toml, and remove its measure";
            let message = format!("{} measures are in force already", bounds::MEASURES);
            return Err(Rejected::Faults(vec![Fault::whole(&format!("measure {}", measure.name), message, help)]));
        }
        let (name, owner) = (measure.name.clone(), measure.owner.clone());
        let rule: String = measure.text.chars().take(bounds::JOURNAL_RULE_CHARS).collect();
        measures.push(measure);
        let mut laid = self.lay(measures, judged)?;
        let about = laid.about.get_or_insert_with(|| json!({}));
        (about["rule"], about["owner"]) = (rule.into(), owner.into());
        self.house.untrouble(|t| t.starts_with(&format!("measure {name} was taken back")));
        Ok(laid)
    }

    pub(super) fn extend_measure(&self, name: &str, until: u64, by: &str) -> Result<Applied, Rejected> {
        let mut measures = self.live_measures();
        let Some(measure) = measures.iter_mut().find(|m| m.name == name) else { return Err(unknown(name)) };
        if until < measure.until {
            let message = "it ends later than that already";
            let help = "take it out and add it anew, if it is to end earlier";
            return Err(Rejected::Faults(vec![Fault::whole(&format!("measure {name}"), message, help)]));
        }
        (measure.until, measure.by) = (until, by.to_owned());
        self.lay(measures, false)
    }

    pub(super) fn remove_measure(&self, name: &str) -> Result<Applied, Rejected> {
        let mut measures = self.live_measures();
        let before = measures.len();
        measures.retain(|m| m.name != name);
        if measures.len() == before { Err(unknown(name)) } else { self.lay(measures, false) }
    }

    pub(super) fn live_measures(&self) -> Vec<Measure> {
        let now = self.house.now().unix();
        self.house.law.load().measures.iter().filter(|m| m.until > now).cloned().collect()
    }

    /// Takes out what has ended; what that was.
    pub(super) fn end_measures(&self) -> Vec<Measure> {
        let now = self.house.now().unix();
        let law = self.house.law.load_full();
        let ended: Vec<Measure> = law.measures.iter().filter(|m| m.until <= now).cloned().collect();
        // A file of a list may be broken meanwhile; the rules stand as they are then, and the end holds all the same.
        if !ended.is_empty() && self.lay(self.live_measures(), false).is_err() {
            let live = self.live_measures();
            ended.iter().for_each(|m| self.house.store.remove_surely(Table::Measures, &m.name));
            self.publish(law.rules.clone(), law.ladder.clone(), live.into());
        }
        ended
    }

    /// Looks at what one measure has done, each in its turn, and takes it back where it harms; never a forced one.
    pub(super) fn undo_harm(&self, turn: usize) {
        let now = self.house.now().unix();
        let law = self.house.law.load_full();
        let watched: Vec<&Measure> =
            law.measures.iter().filter(|m| m.until > now && !m.forced && m.since != now).collect();
        let Some(measure) = watched.get(turn % watched.len().max(1)) else { return };
        let (name, since) = (measure.name.clone(), measure.since);
        if self.desk().stuck.contains(&(name.clone(), since)) {
            return;
        }
        if let Some(why) = (self.judge.measure)(&self.house, &name) {
            let _ = self.propose(Change::UndoMeasure { name, since, why }, &Who::Clock);
        }
    }

    pub(super) fn undo_measure(&self, desk: &mut Desk, name: &str, since: u64, why: &str) -> Result<Applied, Rejected> {
        let is_it = |m: &&Measure| m.name == name && m.since == since && !m.forced;
        if self.live_measures().iter().find(is_it).is_none() {
            return Err(unknown(name));
        }
        let undone = self.remove_measure(name);
        match &undone {
            Ok(_) => self.house.trouble(format!("measure {name} was taken back by itself: {why}")),
            Err(_) => {
                // Said once, not with every look.
                desk.stuck.push((name.to_owned(), since));
                self.house.trouble(format!("measure {name} should be taken back, and cannot be: {why}"));
            }
        }
        self.retry_rules(desk);
        undone
    }

    /// Says which measures end soon, once each.
    pub(super) fn warn_of_ends(&self, desk: &mut Desk) {
        let now = self.house.now().unix();
        let soon = bounds::MEASURE_WARNING.as_secs();
        let law = self.house.law.load_full();
        desk.stuck.retain(|(name, since)| law.measures.iter().any(|m| m.name == *name && m.since == *since));
        desk.warned.retain(|(name, until)| law.measures.iter().any(|m| m.name == *name && m.until == *until));
        for measure in
            law.measures.iter().filter(|m| m.until > now && m.until <= now + soon && m.until - m.since > soon)
        {
            let key = (measure.name.clone(), measure.until);
            if !desk.warned.contains(&key) {
                desk.warned.push(key);
                let minutes = (measure.until - now).div_ceil(60);
                let extend = format!("boma measure extend {} --for 2h", measure.name);
                let hits = (self.judge.hits)(&self.house, &measure.name);
                self.house.trouble(format!(
                    "measure {} ends in {minutes} minutes; it matched {hits} requests in the last ten; to keep it: {extend}",
                    measure.name
                ));
            }
        }
        let over = |t: &str| {
            let name = t.strip_prefix("measure ").and_then(|t| t.split_once(" ends in ")).map(|(name, _)| name);
            name.is_some_and(|name| !desk.warned.iter().any(|(warned, _)| warned == name))
        };
        self.house.untrouble(over);
    }

    /// Lays what was kept over the restart; one that does not fit any more is left out, and said.
    pub(super) fn restore_measures(&self, rows: Vec<(String, Vec<u8>)>) {
        let now = self.house.now().unix();
        for (name, row) in rows {
            let Ok(measure) = serde_json::from_slice::<Measure>(&row) else {
                self.house.store.remove_surely(Table::Measures, &name);
                continue;
            };
            if measure.until <= now {
                self.house.store.remove_surely(Table::Measures, &name);
            } else if let Err(Rejected::Faults(faults)) = self.add_measure(measure, false) {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                self.house.store.remove_surely(Table::Measures, &name);
                self.house.trouble(format!("measure {name} of before the restart does not fit and is out: {first}"));
            }
        }
    }
}

fn unknown(name: &str) -> Rejected {
    Rejected::Unknown(format!("there is no measure {name:?}"))
}
