//! Good bots: the files of their networks, and the keeper who looks names up.
//!
//! Does not know: what a bot may do.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::change::{Applied, Rejected};
use super::files::{self, LastGood};
use super::start::{Reading, unreadable};
use super::{Desk, Office};
use crate::bot::Bot;
use crate::bots::{self, NoAnswer, Odd, Published, Question, Ranges, Roll};
use crate::bounds;
use crate::clock::SECOND;
use crate::fault::Fault;
use crate::telemetry::metrics::OutcomeLabel;

const HELP: &str =
    "write one network on each line, or the JSON that the bot's operator publishes, readable by boma's user";
const SILENT: &str = "no name server answers: bots that are not known yet are not verified";
/// Where a Linux system says which name servers it asks.
const SYSTEM: &str = "/etc/resolv.conf";

/// What the last good copy of a file is called.
fn copy(path: &Path) -> String {
    format!("bot-{:016x}.txt", files::stamp(path.as_os_str().as_encoded_bytes()))
}

fn published(path: &Path, text: &str, written: u64) -> Result<Published, Fault> {
    let file = path.display().to_string();
    match Ranges::read(text) {
        Ok(ranges) => Ok(Published { ranges, file, written }),
        Err(Odd(line, message)) => Err(Fault { file, line, column: line.min(1), message, help: HELP.into() }),
    }
}

/// The bots of the settings, with their files; and what is wrong with those. `instead` is what stands in for a file that
/// cannot be used.
fn load(all: &[Bot], last_good: &LastGood, instead: impl Fn(&Path) -> Option<Published>) -> (Roll, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut read = Vec::new();
    for path in all.iter().filter_map(|b| b.ranges.as_deref()) {
        let text = files::read_text(path).map_err(|e| unreadable(&path.display().to_string(), &e));
        let written = fs::metadata(path).map_or(0, |m| m.mtime().max(0) as u64);
        match text.and_then(|text| published(path, &text, written).map(|p| (p, text))) {
            Ok((published, text)) => {
                // Where no copy can be kept, that is said of the rules and settings already.
                let _ = last_good.save(&copy(path), text.as_bytes());
                read.push(published);
            }
            Err(fault) => {
                faults.push(fault);
                read.extend(instead(path));
            }
        }
    }
    let of = |bot: &Bot| {
        let file = bot.ranges.as_ref()?.display().to_string();
        read.iter().find(|p| p.file == file).cloned()
    };
    (Roll::new(all, of), faults)
}

impl Reading {
    /// The bots; one whose file cannot be used is verified by its last good copy, or by its domains.
    pub fn bots(&mut self, all: &[Bot]) -> Roll {
        for path in all.iter().filter_map(|b| b.ranges.as_ref()) {
            let stamp = files::read(path).map(|bytes| files::stamp(&bytes));
            self.found.read.extend(stamp.map(|stamp| (path.clone(), stamp)));
        }
        let last_good = &self.last_good;
        let kept = |path: &Path| {
            let text = last_good.load_text(&copy(path)).filter(|_| !self.strict)?;
            published(path, &text, last_good.written(&copy(path))).ok()
        };
        let (roll, faults) = load(all, last_good, kept);
        self.made_do(faults);
        roll
    }
}

impl Office {
    /// Reads the files anew. One that cannot be used leaves what was in use of it; `whole`: then nothing changes.
    pub(super) fn bots(&self, desk: &mut Desk, all: &[Bot], whole: bool) -> Result<Applied, Rejected> {
        let before = self.house.bots.roll();
        let (roll, faults) = load(all, &self.last_good, |path| before.published(&path.display().to_string()));
        if whole && !faults.is_empty() {
            // It is the settings that are not taken.
            return Err(self.refused(desk, &self.config.display().to_string(), faults));
        }
        self.house.bots.publish(roll);
        for path in all.iter().filter_map(|b| b.ranges.as_ref()) {
            let path = path.display().to_string();
            if faults.iter().all(|f| f.file != path) {
                desk.same(&path);
                self.settled(&path);
            }
        }
        if let Some(path) = faults.first().map(|f| f.file.clone()) {
            return Err(self.refused(desk, &path, faults));
        }
        self.reloaded(true);
        Ok(Applied { changed: true, ..self.unchanged() })
    }
}

/// Looks up whoever claims to be a bot, some at once; runs on the keeper's thread for as long as the house stands.
pub async fn verify(office: Arc<Office>) {
    let Some(mut questions) = office.house.bots.questions() else { return };
    let places = Arc::new(Semaphore::new(bounds::BOT_LOOKUPS));
    let mut servers = Servers::default();
    while let Some(question) = questions.recv().await {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (office, servers) = (office.clone(), servers.of(&office));
        tokio::task::spawn_local(async move {
            let found = bots::verify(&servers, question.address, &question.domains).await;
            office.verified(&question, found);
            drop(place);
        });
    }
}

impl Office {
    fn verified(&self, question: &Question, found: Result<bool, NoAnswer>) {
        let house = &self.house;
        house.bots.answer(question, found, house.now().unix());
        let outcome = match found {
            Ok(true) => "verified",
            Ok(false) => "refuted",
            Err(NoAnswer) => "unanswered",
        };
        house.metrics.bot_checks.get_or_create(&OutcomeLabel { outcome }).inc();
        tracing::debug!(bot = &*question.name, address = %question.address, outcome, "a bot was looked up");
        match found {
            // Said once, not for each of a flood.
            Err(NoAnswer) if !house.troubles().iter().any(|t| t == SILENT) => house.trouble(SILENT.into()),
            Err(NoAnswer) => {}
            Ok(_) => house.untrouble(|t| t == SILENT),
        }
    }
}

/// The name servers: the settings', else the system's, which may change while boma runs.
#[derive(Default)]
struct Servers {
    system: Rc<[SocketAddr]>,
    read_at: Option<u64>,
}

impl Servers {
    fn of(&mut self, office: &Office) -> Rc<[SocketAddr]> {
        let named = &office.house.town.load().settings.server.resolvers;
        if !named.is_empty() {
            return named.as_slice().into();
        }
        let now = office.house.now().mono / SECOND;
        let fresh = bounds::DNS_SERVERS_FRESH.as_secs();
        if self.read_at.is_none_or(|at| now.saturating_sub(at) >= fresh) {
            self.read_at = Some(now);
            self.system = servers(&fs::read_to_string(SYSTEM).unwrap_or_default()).into();
        }
        self.system.clone()
    }
}

/// The servers of a resolv.conf; where it names none, the one that runs beside (resolv.conf(5)).
fn servers(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()?.parse::<IpAddr>().ok()).flatten()
    };
    let named: Vec<_> = text.lines().filter_map(address).map(|a| SocketAddr::new(a, 53)).collect();
    if named.is_empty() { vec![(Ipv4Addr::LOCALHOST, 53).into()] } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_name_servers_are_read() {
        let text = "# made by hand\nsearch example\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 x\nnameserver fe80::1%eth0\n";
        let addresses: Vec<SocketAddr> = vec!["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()];
        assert_eq!(servers(text), addresses);
        assert_eq!(servers(""), ["127.0.0.1:53".parse().unwrap()]);
    }
}
