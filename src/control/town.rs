//! Changes of the settings and of certificates.
//!
//! Does not know: who proposes them.

use std::path::Path;
use std::sync::Arc;

use super::change::{Applied, Rejected};
use super::places::Loaded;
use super::start::SETTINGS;
use super::words::settings_with;
use super::{Desk, Office, pem};
use crate::certificate::Certificates;
use crate::challenge::Challenge;
use crate::fault::Fault;
use crate::force::{Outbound, Town};
use crate::portal::Portal;
use crate::settings::{self, Settings};

impl Office {
    /// Whether there is a portal of this name, where one is named.
    pub(super) fn knows(&self, portal: Option<&str>) -> Result<(), Rejected> {
        portal.map_or(Ok(()), |name| self.portal_of(name).map(drop))
    }

    pub(super) fn portal_of(&self, name: &str) -> Result<Arc<Portal>, Rejected> {
        let found = self.house.town.load().portals.list.iter().find(|p| p.name == name).cloned();
        found.ok_or_else(|| Rejected::Unknown(format!("there is no portal {name:?}")))
    }

    /// What reloads live is taken over; what needs a restart stays as it is and is named.
    pub(super) fn settings(&self, desk: &mut Desk, text: &str, places: Option<Loaded>) -> Result<Applied, Rejected> {
        let house = &self.house;
        let path = self.config.display().to_string();
        let folder = self.config.parent().unwrap_or(Path::new("/"));
        let (read, heard) = settings_with((&path, text, folder), false, |languages| self.hear_languages(languages));
        if !read.faults.is_empty() {
            return Err(self.refused(desk, &path, read.faults));
        }
        let old = house.town.load().settings.clone();
        desk.restart_needed = settings::restart_needed(&old, &read.value);
        let new = Settings {
            server: settings::Server { languages: read.value.server.languages, ..old.server.clone() },
            listen: old.listen.clone(),
            admin: settings::Admin { address: old.admin.address, ..read.value.admin },
            log: old.log.clone(),
            cache: old.cache.clone(),
            client: settings::ClientSettings { memory: old.client.memory, ..read.value.client },
            ..read.value
        };
        if new.certificates != old.certificates {
            self.load_certificates(desk, &new)?;
        }
        if (&new.client.country_db, &new.client.asn_db) != (&old.client.country_db, &old.client.asn_db) {
            self.places(desk, &new.client, places)?;
        }
        let outbound = new.portals.iter().map(pem::outbound_of).collect::<Result<Outbound, _>>();
        let outbound = outbound.map_err(|fault| self.refused(desk, &path, vec![fault]))?;
        if new.bots != old.bots {
            self.bots(desk, &new.bots, true)?;
        }
        self.taken(desk, &path, SETTINGS, text);
        if new.admin.tokens != old.admin.tokens {
            self.other_tokens(desk, new.admin.tokens.as_deref());
        }
        let (other_words, ..) = self.take_words(desk, heard, &new.portals);
        if new == *old && !other_words {
            return Ok(self.unchanged());
        }
        let edition = house.town.load().edition + 1;
        house.challenge.store(Arc::new(Challenge::new(&house.secret, new.challenge.pass_lifetime)));
        let now = house.now().unix();
        let told = |portal: &Arc<Portal>| (self.told_of(portal), self.news(portal, now));
        let town = Town::new(
            edition,
            Arc::new(new),
            outbound,
            (&house.counters, &house.books),
            &house.words.load(),
            (told, now),
        );
        house.town.store(Arc::new(town));
        Ok(Applied { changed: true, warnings: read.warnings, ..self.unchanged() })
    }

    pub(super) fn certificates(&self, desk: &mut Desk) -> Result<Applied, Rejected> {
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
}
