//! What citizens are told: incidents by staff, and boma's own line by posture until somebody has written. Here all of it is
//! kept, and the pages that tell it are made anew.
//!
//! Does not know: HTTP, what pages look like.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::change::{Applied, Rejected, Telling, Who};
use super::{Desk, Office};
use crate::bounds;
use crate::fault::Fault;
use crate::incident::{Incident, Said, State, Texts};
use crate::pages::{self, Mood, News, Restraint, Shown};
use crate::plan::Reach;
use crate::portal::Portal;
use crate::store::Table;
use crate::telemetry::Kind;

/// An open incident, for people.
#[derive(Clone, Debug, Serialize)]
pub struct IncidentLine {
    pub id: u64,
    pub portal: Option<String>,
    pub title: String,
    pub state: State,
    pub next: Option<u64>,
    pub overdue: bool,
}

impl Office {
    pub(super) fn incident(&self, telling: Telling) -> Result<Applied, Rejected> {
        let incident = self.told(telling)?;
        let id = incident.id;
        let mut all: Vec<Arc<Incident>> = self.house.incidents.load().iter().filter(|i| i.id != id).cloned().collect();
        self.put_incident(&incident);
        let warnings = self.warnings(&incident);
        all.push(Arc::new(incident));
        all.sort_by_key(|i| i.id);
        while all.len() > bounds::INCIDENTS
            && let Some(at) = all.iter().position(|i| i.ended().is_some())
        {
            self.house.store.remove_surely(Table::Incidents, &key(all.remove(at).id));
        }
        self.house.incidents.store(Arc::new(all));
        self.tell();
        Ok(Applied { changed: true, incident: Some(id), warnings, ..self.unchanged() })
    }

    fn put_incident(&self, incident: &Incident) {
        let row = serde_json::to_vec(incident).unwrap_or_default();
        self.house.store.put_surely(Table::Incidents, &key(incident.id), row);
    }

    pub(super) fn put_incidents(&self) {
        self.house.incidents.load().iter().for_each(|incident| self.put_incident(incident));
    }

    pub(super) fn incident_of(&self, id: u64) -> Result<Arc<Incident>, Rejected> {
        let found = self.house.incidents.load().iter().find(|i| i.id == id).cloned();
        found.ok_or_else(|| Rejected::Unknown(format!("there is no incident {id}: `boma incident list` shows them")))
    }

    /// The incident as it would be.
    ///
    /// # Errors
    /// What does not fit; nothing has changed in any case.
    pub fn told(&self, telling: Telling) -> Result<Incident, Rejected> {
        let now = self.house.now().unix();
        let all = self.house.incidents.load();
        let named = telling.said().cloned().unwrap_or_default();
        let incident = match telling {
            Telling::Open { portal, said, author } => {
                self.knows(portal.as_deref())?;
                let open = all.iter().filter(|i| i.ended().is_none()).count();
                if open >= bounds::INCIDENTS_OPEN {
                    let help = "resolve or withdraw one, or write an update of it";
                    return Err(wrong(&format!("{open} incidents are open already"), help));
                }
                let id = all.last().map_or(1, |i| i.id + 1);
                Incident::open(id, portal, said, author, now)
            }
            Telling::Update { id, said, author } => self.incident_of(id)?.update(said, author, now),
            Telling::Correct { id, n, said, by } => self.incident_of(id)?.correct(n, said, by, now),
            Telling::Withdraw { id, reason, by } => self.incident_of(id)?.withdraw(reason, by, now),
        };
        let incident = incident.map_err(|why| {
            let (what, help) = why.split_once(": ").unwrap_or((&why, ""));
            wrong(what, help)
        })?;
        self.names_services(&incident, &named)?;
        Ok(incident)
    }

    /// Whether every service that is named is one.
    fn names_services(&self, incident: &Incident, said: &Said) -> Result<(), Rejected> {
        let told = self.told_portals();
        let portals: Vec<_> = told.iter().filter(|p| incident.concerns(&p.name)).collect();
        let services = || portals.iter().flat_map(|p| &p.services);
        let affects = said.affects.iter().flatten().filter(|a| !a.starts_with('/'));
        for named in affects.chain(said.instead.keys()) {
            if !services().any(|s| pages::news::is(s, named)) {
                let names: Vec<&str> = services().filter_map(|s| s.name.first()).map(|(_, n)| n.as_str()).collect();
                let help = if names.is_empty() {
                    "write [[portal.service]] into boma.toml, or a path such as /pay/*".to_owned()
                } else {
                    format!("write one of {}", names.join(", "))
                };
                return Err(wrong(&format!("there is no service {named:?}"), &help));
            }
        }
        Ok(())
    }

    /// What is true but not yet as it should be: texts that some readers get in another language, and no promise.
    pub fn warnings(&self, incident: &Incident) -> Vec<Fault> {
        let what = format!("incident {}", incident.id);
        let mut warnings = Vec::new();
        let Some(update) = incident.updates.last().filter(|_| incident.withdrawn.is_none()) else { return warnings };
        let town = self.house.town.load();
        let mut missing: Vec<&str> = Vec::new();
        for portal in town.portals.list.iter().filter(|p| incident.concerns(&p.name)) {
            let parts = texts_of(&update.said).into_iter().filter(|t| !t.is_empty());
            missing.extend(parts.flat_map(|texts| pages::missing(portal, texts)));
        }
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            let message = format!("not in {}: readers of these get another language", missing.join(", "));
            let help = format!("write it in these too: boma incident update {} --correct {} …", incident.id, update.n);
            warnings.push(Fault::whole(&what, message, help));
        }
        if incident.ended().is_none() && incident.next().is_none() && incident.state() != State::Scheduled {
            let help = "people ask when they will hear more: add --next 30m to an update";
            warnings.push(Fault::whole(&what, "no next update is promised", help));
        }
        warnings
    }

    pub(super) fn open_incidents(&self) -> Vec<IncidentLine> {
        let now = self.house.now().unix();
        let all = self.house.incidents.load();
        let line = |i: &Arc<Incident>| IncidentLine {
            id: i.id,
            portal: i.portal.clone(),
            title: self.first_title(i),
            state: i.state(),
            next: i.next(),
            overdue: i.is_late(now),
        };
        all.iter().filter(|i| i.ended().is_none()).map(line).collect()
    }

    /// As staff read it: in a portal's first language.
    pub fn first_title(&self, incident: &Incident) -> String {
        let town = self.house.town.load();
        let Some(portal) = town.portals.list.iter().find(|p| incident.concerns(&p.name)) else { return String::new() };
        pages::title(portal, &incident.present().title)
    }

    /// The time zone by which staff write times of this portal, or of all.
    pub fn zone(&self, portal: Option<&str>) -> TimeZone {
        let town = self.house.town.load();
        let found = town.portals.list.iter().find(|p| portal.is_none_or(|name| p.name == name));
        found.and_then(|p| TimeZone::get(&p.timezone).ok()).unwrap_or(TimeZone::UTC)
    }

    /// The languages in which it is told: those of the portal, or of all.
    pub fn languages_of(&self, portal: Option<&str>) -> Vec<String> {
        let town = self.house.town.load();
        let concerned = town.portals.list.iter().filter(|p| portal.is_none_or(|name| p.name == name));
        let mut tags: Vec<String> = Vec::new();
        for tag in concerned.flat_map(|p| &p.languages) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        tags
    }

    /// What there is to tell of a portal.
    pub(super) fn news(&self, portal: &Portal, now: u64) -> News {
        let all = self.house.incidents.load();
        let over = |i: &Incident| Some(i.ended()?.max(i.postmortem().map_or(0, |u| u.at)));
        let of_late = |i: &Incident| over(i).is_none_or(|at| at + bounds::INCIDENT_SHOWN.as_secs() > now);
        let shown = |i: &Arc<Incident>| Shown { incident: i.clone(), current: i.is_current(now), late: i.is_late(now) };
        let here = all.iter().rev().filter(|i| i.concerns(&portal.name) && of_late(i));
        News { incidents: here.map(shown).collect(), mood: self.mood(portal, now), days: self.told_days(&portal.name) }
    }

    /// What boma itself can say truthfully: what the posture takes away, or that the origin fails, and since when. It
    /// never says why.
    fn mood(&self, portal: &Portal, now: u64) -> Option<Mood> {
        let standing = self.house.standing.load();
        let reach = self.house.law.load().ladder.levels[standing.level(&portal.name, now) as usize].reach;
        let town = self.house.town.load();
        let gate = town.portals.list.iter().position(|p| p.name == portal.name).and_then(|at| town.gates.get(at));
        let back = gate.and_then(|gate| gate.returning()?.1);
        let failing = match (back, self.failing(&portal.name)) {
            (Some(since), _) => Some(Mood { what: Restraint::Returning, since }),
            (None, failing) => failing.map(|since| Mood { what: Restraint::Failing, since }),
        };
        let Some(risen) = standing.risen(&portal.name) else { return failing };
        let own = standing.pins().find(|p| p.portal.as_deref() == Some(&portal.name));
        let pin = own.or_else(|| standing.pins().find(|p| p.portal.is_none()));
        let pinned = pin.map_or(risen, |p| p.since);
        match reach {
            Reach::All => failing.or(Some(Mood { what: Restraint::Slow, since: risen })),
            Reach::StayUp => Some(Mood { what: Restraint::Copies, since: pinned }),
            Reach::None => Some(Mood { what: Restraint::Closed, since: pinned }),
        }
    }

    /// Makes the pages anew where what there is to tell has changed.
    pub(super) fn tell(&self) {
        let (town, now) = (self.house.town.load_full(), self.house.now().unix());
        let news = town.portals.list.iter().map(|p| self.news(p, now)).collect();
        let told = town.portals.list.iter().map(|p| self.told_of(p)).collect();
        if let Some(shelf) = town.shelf.load().with(told, news, now) {
            town.shelf.store(Arc::new(shelf));
        }
    }

    /// Says which promised updates have not come, once each; and tells what time alone has changed.
    pub(super) fn look_at_incidents(&self) {
        let mut desk = self.desk();
        if self.has_handed_over() {
            return;
        }
        let now = self.house.now().unix();
        let all = self.house.incidents.load_full();
        let late: Vec<(u64, u64)> =
            all.iter().filter(|i| i.is_late(now)).filter_map(|i| Some((i.id, i.next()?))).collect();
        for (id, next) in late.iter().filter(|one| !desk.overdue.contains(one)).copied().collect::<Vec<_>>() {
            let due = jiff::Timestamp::from_second(i64::try_from(next).unwrap_or(i64::MAX)).unwrap_or_default();
            let said = format!("incident {id}: the update that was promised by {due} is overdue");
            self.house.trouble(format!("{said}: boma incident update {id} --next 30m --text …"));
            self.overdue(&mut desk, said);
        }
        self.house.untrouble(|t| {
            let id = t.strip_prefix("incident ").and_then(|t| t.split_once(": the update that was promised"));
            id.is_some_and(|(id, _)| !late.iter().any(|(late, _)| late.to_string() == id))
        });
        desk.overdue = late;
        self.tell();
    }

    fn overdue(&self, desk: &mut Desk, said: String) {
        let applied = Applied { changed: true, ..self.unchanged() };
        self.note(desk, &Who::Clock, (Kind::Incident, said, None), None, &Ok(applied));
    }

    pub(super) fn restore_incidents(&self, rows: Vec<(String, Vec<u8>)>) {
        let mut all = Vec::new();
        for (key, row) in rows {
            match serde_json::from_slice::<Incident>(&row) {
                Ok(incident) if !incident.updates.is_empty() => all.push(Arc::new(incident)),
                // Not removed: a later version may have written it.
                _ => {
                    self.house.trouble(format!("incident {key} of before the restart cannot be read, and is not shown"))
                }
            }
        }
        all.sort_by_key(|i| i.id);
        self.house.incidents.store(Arc::new(all));
        self.tell();
    }
}

/// In the order of their numbers.
fn key(id: u64) -> String {
    format!("{id:010}")
}

fn wrong(message: &str, help: &str) -> Rejected {
    Rejected::Faults(vec![Fault::whole("incident", message, help)])
}

fn texts_of(said: &Said) -> Vec<&Texts> {
    let own = [&said.title, &said.text, &said.works, &said.deadlines, &said.data, &said.payments, &said.form];
    own.into_iter().chain(said.instead.values()).collect()
}
