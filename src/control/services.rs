//! What staff say of services and of whom to ask, laid over the settings' words: kept, told on the pages, and taken back.
//! Rules know services by the settings' names alone: what a communicator writes changes nothing of what is done to traffic.
//!
//! Does not know: HTTP, what pages look like.

use std::sync::Arc;

use serde::Serialize;

use super::Office;
use super::change::{Applied, Change, Rejected, Who};
use crate::bounds;
use crate::fault::Fault;
use crate::incident::{Kept, Texts, Wording, Wordings, differences};
use crate::pages;
use crate::portal::{Portal, Service};
use crate::store::Table;

/// What is meant of a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// By any name that it has.
    Service(String),
    /// Whom to ask where no service is meant.
    Contact,
    /// All of it.
    All,
}

/// What staff say otherwise, or `None`: the settings' words again.
pub struct Rewording {
    /// May be left out where there is one.
    pub portal: Option<String>,
    pub of: Meant,
    pub wording: Option<Wording>,
}

/// A service as citizens are told of it, for people.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceLine {
    /// By which it is kept; `None`: whom to ask.
    pub service: Option<String>,
    pub name: Texts,
    pub instead: Texts,
    pub phone: Option<String>,
    pub office: Option<String>,
    pub ussd: Option<String>,
    /// What staff said, where they did.
    pub said: Option<Kept>,
    /// It is not in the settings any more, so nobody is told of it.
    pub gone: bool,
}

/// Services and contacts of one portal.
#[derive(Clone, Debug, Serialize)]
pub struct PortalServices {
    pub portal: String,
    pub services: Vec<ServiceLine>,
}

impl Office {
    /// The portal as citizens are told of it.
    pub fn told_of(&self, portal: &Arc<Portal>) -> Arc<Portal> {
        match self.house.wordings.load().get(&portal.name) {
            Some(wordings) => Arc::new(reworded(portal, wordings)),
            None => portal.clone(),
        }
    }

    pub(super) fn told_portals(&self) -> Vec<Arc<Portal>> {
        self.house.town.load().portals.list.iter().map(|p| self.told_of(p)).collect()
    }

    /// What a change is, in words.
    pub(super) fn what(&self, change: &Change) -> String {
        self.rewording(change).unwrap_or_else(|| change.what())
    }

    /// What a rewording would change, before and after.
    fn rewording(&self, change: &Change) -> Option<String> {
        let Change::Reword(rewording) = change else { return None };
        let (portal, before, after) = self.weighed(rewording, &Who::Clock).ok()?;
        let (before, after) = (reworded(&portal, &before), reworded(&portal, &after));
        let none = Service::default();
        let contact = (before.contact.as_ref().unwrap_or(&none), after.contact.as_ref().unwrap_or(&none));
        let mut all: Vec<String> = Vec::new();
        for (what, (old, new)) in before.services.iter().zip(&after.services).map(|pair| (pair.0.name.first(), pair)) {
            let said = differences(old, new);
            if !said.is_empty() {
                all.push(format!("service {:?}: {said}", what.map_or("", |(_, name)| name)));
            }
        }
        let said = differences(contact.0, contact.1);
        if !said.is_empty() {
            all.push(format!("whom to ask: {said}"));
        }
        let back = if rewording.wording.is_none() { ", as the settings have it" } else { "" };
        Some(format!("words of {}{back}: {}", portal.name, all.join("; ")))
    }

    pub(super) fn reword(&self, rewording: &Rewording, who: &Who) -> Result<Applied, Rejected> {
        let (portal, before, after) = self.weighed(rewording, who)?;
        if before.says(&after) {
            return Ok(self.unchanged());
        }
        let mut all = self.house.wordings.load().as_ref().clone();
        if after == Wordings::default() {
            self.house.store.remove_surely(Table::Wordings, &portal.name);
            all.remove(&portal.name);
        } else {
            self.put_wording(&portal.name, &after);
            all.insert(portal.name.clone(), after);
        }
        self.house.wordings.store(Arc::new(all));
        self.tell();
        let warnings = rewording.wording.as_ref().map_or(Vec::new(), |wording| missing(&portal, wording));
        Ok(Applied { changed: true, warnings, ..self.unchanged() })
    }

    fn put_wording(&self, portal: &str, wordings: &Wordings) {
        let row = serde_json::to_vec(wordings).unwrap_or_default();
        self.house.store.put_surely(Table::Wordings, portal, row);
    }

    pub(super) fn put_wordings(&self) {
        self.house.wordings.load().iter().for_each(|(portal, wordings)| self.put_wording(portal, wordings));
    }

    /// The portal as the settings have it, what staff say of it, and what they would.
    fn weighed(&self, rewording: &Rewording, who: &Who) -> Result<(Arc<Portal>, Wordings, Wordings), Rejected> {
        let portal = self.meant(rewording.portal.as_deref())?;
        let before = self.house.wordings.load().get(&portal.name).cloned().unwrap_or_default();
        let mut after = before.clone();
        match (&rewording.of, &rewording.wording) {
            (Meant::All, None) => after = Wordings::default(),
            (Meant::Contact, None) => after.contact = None,
            (Meant::Service(named), None) => {
                let key = key(&portal, &before, named)?;
                after.services.remove(&key);
            }
            (of, Some(wording)) => {
                let wording = wording.clone().checked().map_err(|why| {
                    let (what, help) = why.split_once(": ").unwrap_or((&why, ""));
                    wrong(what, help)
                })?;
                if wording == Wording::default() {
                    return Err(wrong("nothing is said", "write name, instead, phone, office or ussd"));
                }
                let kept = |old: Option<&Kept>| Kept {
                    wording: old.map_or(Wording::default(), |k| k.wording.clone()).with(&wording),
                    at: self.house.now().unix(),
                    by: who.to_string(),
                };
                match of {
                    Meant::Service(named) => {
                        let key = key(&portal, &before, named)?;
                        is_free(&reworded(&portal, &before), &key, &wording, &portal)?;
                        let kept = kept(before.services.get(&key));
                        after.services.insert(key, kept);
                    }
                    _ if !wording.name.is_empty() || wording.instead.is_some() => {
                        return Err(wrong("whom to ask has no name of its own", "write phone, office or ussd"));
                    }
                    _ => after.contact = Some(kept(before.contact.as_ref())),
                }
            }
        }
        if after.services.len() > bounds::WORDINGS {
            return Err(wrong(
                "too many services are said otherwise",
                "write them into boma.toml, then reset them here",
            ));
        }
        Ok((portal, before, after))
    }

    /// The portal that is named, or the one that there is.
    fn meant(&self, named: Option<&str>) -> Result<Arc<Portal>, Rejected> {
        let town = self.house.town.load();
        let all = &town.portals.list;
        match named {
            Some(name) => self.portal_of(name),
            None if all.len() == 1 => Ok(all[0].clone()),
            None => {
                let names: Vec<&str> = all.iter().map(|p| p.name.as_str()).collect();
                Err(wrong("no portal is named", &format!("write one of {}", names.join(", "))))
            }
        }
    }

    /// All services and contacts as citizens are told of them.
    pub fn services(&self) -> Vec<PortalServices> {
        let (town, wordings) = (self.house.town.load(), self.house.wordings.load());
        let of = |portal: &Arc<Portal>| {
            let said = wordings.get(&portal.name).cloned().unwrap_or_default();
            let told = reworded(portal, &said);
            let contact = told.contact.iter().map(|c| line(None, c, said.contact.as_ref()));
            let keys = portal.services.iter().map(written);
            let services = keys.zip(&told.services).map(|(key, s)| line(Some(key), s, said.services.get(key)));
            let gone = said.services.iter().filter(|(key, _)| !portal.services.iter().any(|s| written(s) == *key));
            let gone = gone.map(|(key, kept)| ServiceLine {
                gone: true,
                ..line(Some(key), &kept.wording.over(&Service::default()), Some(kept))
            });
            PortalServices { portal: portal.name.clone(), services: contact.chain(services).chain(gone).collect() }
        };
        town.portals.list.iter().map(of).collect()
    }

    pub(super) fn restore_wordings(&self, rows: Vec<(String, Vec<u8>)>) {
        let mut all = std::collections::BTreeMap::new();
        for (portal, row) in rows {
            match serde_json::from_slice::<Wordings>(&row) {
                Ok(wordings) => drop(all.insert(portal, wordings)),
                // Not removed: a later version may have written it.
                Err(_) => {
                    let what = format!("what staff said of the services of {portal} cannot be read");
                    self.house.trouble(format!("{what}: pages say what boma.toml says"));
                }
            }
        }
        self.house.wordings.store(Arc::new(all));
        self.tell();
    }
}

/// The name by which a service is kept.
fn written(service: &Service) -> &str {
    service.name.first().map_or("", |(_, name)| name)
}

fn line(key: Option<&str>, service: &Service, said: Option<&Kept>) -> ServiceLine {
    let texts = |all: &[(String, String)]| all.iter().cloned().collect();
    ServiceLine {
        service: key.map(str::to_owned),
        name: texts(&service.name),
        instead: texts(&service.instead),
        phone: service.phone.clone(),
        office: service.office.clone(),
        ussd: service.ussd.clone(),
        said: said.cloned(),
        gone: false,
    }
}

/// A portal with what staff say laid over it.
fn reworded(portal: &Portal, wordings: &Wordings) -> Portal {
    let mut told = portal.clone();
    for service in &mut told.services {
        if let Some(kept) = wordings.services.get(written(service)) {
            *service = kept.wording.over(service);
        }
    }
    if let Some(kept) = &wordings.contact {
        let contact = kept.wording.over(told.contact.as_ref().unwrap_or(&Service::default()));
        told.contact = Some(contact).filter(Service::has_way);
    }
    told
}

/// By any name of a service that is or was told.
fn key(portal: &Portal, wordings: &Wordings, named: &str) -> Result<String, Rejected> {
    let told = reworded(portal, wordings);
    let pairs = || portal.services.iter().zip(&told.services);
    let found = pairs().find(|(_, s)| pages::news::is(s, named)).map(|(file, _)| written(file).to_owned());
    let gone = || wordings.services.keys().find(|key| key.as_str() == named).cloned();
    found.or_else(gone).ok_or_else(|| {
        let names: Vec<&str> = told.services.iter().map(written).collect();
        let help = match names.is_empty() {
            true => "write [[portal.service]] into boma.toml".to_owned(),
            false => format!("write one of {}", names.join(", ")),
        };
        wrong(&format!("there is no service {named:?}"), &help)
    })
}

/// Incidents and staff mean a service by its name, so that no two may have one.
fn is_free(told: &Portal, key: &str, wording: &Wording, portal: &Portal) -> Result<(), Rejected> {
    let others = || portal.services.iter().zip(&told.services).filter(|(file, _)| written(file) != key);
    match wording.name.values().find(|name| others().any(|(_, other)| pages::news::is(other, name))) {
        Some(name) => Err(wrong(&format!("another service is called {name:?}"), "write a name of its own")),
        None => Ok(()),
    }
}

/// Texts that some readers get in another language.
fn missing(portal: &Portal, wording: &Wording) -> Vec<Fault> {
    let instead = wording.instead.as_ref().filter(|t| !t.is_empty());
    let missing = instead.map_or(Vec::new(), |texts| pages::missing(portal, texts));
    if missing.is_empty() {
        return Vec::new();
    }
    let message = format!("what to do instead is not in {}: readers of these get another language", missing.join(", "));
    vec![Fault::whole("service", message, "say it in these too, all languages at once")]
}

fn wrong(message: &str, help: &str) -> Rejected {
    Rejected::Faults(vec![Fault::whole("service", message, help)])
}
