//! Who is a good bot: a search engine that calls itself one ([`Bots::claim`]) and whose address shows that it is, by the
//! networks that its operator publishes or by a name in its operator's domain that leads back to the address.
//!
//! A request asks tables and nobody else. What they do not know becomes a question in a bounded queue ([`Bots::ask`]),
//! whoever keeps the house looks it up and tells ([`Bots::answer`]); until then it is a claim like any other.
//!
//! Does not know: the settings' file, what a bot may do, who looks names up when.

mod dns;
mod ranges;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use regex::bytes::RegexSet;
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

pub use dns::{NoAnswer, verify};
pub use ranges::{Odd, Ranges};

use crate::bot::{self, Bot};
use crate::bounds;
use crate::known::Known;
use crate::seal::Secret;

/// One bot, ready to be asked about.
struct Entry {
    name: Arc<str>,
    domains: Arc<[String]>,
    ranges: Option<Published>,
    /// What tells its answers from those of another bot, or of this one with other domains.
    stamp: u64,
}

/// Networks that a bot's operator publishes.
#[derive(Clone)]
pub struct Published {
    pub ranges: Ranges,
    pub file: String,
    /// When the file was written, in seconds since the Unix epoch.
    pub written: u64,
}

/// All bots of the settings.
#[derive(Default)]
pub struct Roll {
    bots: Vec<Entry>,
    /// Patterns of all, and whose each is.
    agents: RegexSet,
    of: Vec<usize>,
}

impl Roll {
    /// `published` says which networks a bot's operator publishes, where that is known.
    pub fn new(bots: &[Bot], published: impl Fn(&Bot) -> Option<Published>) -> Roll {
        let (mut expressions, mut of) = (Vec::new(), Vec::new());
        for (at, bot) in bots.iter().enumerate() {
            expressions.extend(bot.agents.iter().map(|a| bot::expression(a)));
            of.resize(expressions.len(), at);
        }
        // The settings were refused where this fails.
        let agents = bot::search(&expressions).unwrap_or_default();
        let one = |bot: &Bot| {
            let mut hasher = DefaultHasher::new();
            (&bot.name, &bot.domains).hash(&mut hasher);
            let (name, domains) = (bot.name.as_str().into(), bot.domains.clone().into());
            Entry { name, domains, ranges: published(bot), stamp: hasher.finish() }
        };
        Roll { bots: bots.iter().map(one).collect(), agents, of }
    }

    /// What is in use of a file.
    pub fn published(&self, file: &str) -> Option<Published> {
        self.bots.iter().filter_map(|b| b.ranges.as_ref()).find(|p| p.file == file).cloned()
    }
}

/// What is known of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Verified,
    /// It is somebody else.
    Refuted,
    /// Nobody has said yet.
    Unknown,
}

/// A request calls itself a bot.
#[derive(Clone, Debug)]
pub struct Claim {
    pub name: Arc<str>,
    pub standing: Standing,
    /// To be looked up: unknown, or not asked for long.
    question: Option<Question>,
}

impl Claim {
    /// For people.
    pub fn said(&self) -> String {
        match self.standing {
            Standing::Verified => format!("verified as {}", self.name),
            Standing::Refuted => format!("calls itself {} and is not", self.name),
            Standing::Unknown => format!("calls itself {}, which nobody has confirmed yet", self.name),
        }
    }
}

/// Whether this address is this bot's.
#[derive(Clone, Debug)]
pub struct Question {
    pub address: IpAddr,
    pub name: Arc<str>,
    pub domains: Arc<[String]>,
    stamp: u64,
}

/// What was answered, by address and bot.
struct Answers {
    yes: Known,
    no: Known,
    /// Asked of late, whatever came of it.
    asked: Known,
}

/// The bots of the house.
pub struct Bots {
    roll: ArcSwap<Roll>,
    /// Whether there ever was one: most houses have none, and each request asks.
    ever: AtomicBool,
    key: [u8; 16],
    /// Made for the first bot: most houses have none.
    answers: OnceLock<Answers>,
    queue: Sender<Question>,
    waiting: Mutex<Option<Receiver<Question>>>,
}

impl Bots {
    pub fn new(secret: &Secret) -> Bots {
        let (queue, waiting) = channel(bounds::BOT_QUEUE);
        let key = secret.key("boma bots v1").mac(&[]);
        Bots {
            roll: ArcSwap::default(),
            ever: AtomicBool::new(false),
            key,
            answers: OnceLock::new(),
            queue,
            waiting: Mutex::new(Some(waiting)),
        }
    }

    pub fn publish(&self, roll: Roll) {
        let any = !roll.bots.is_empty();
        self.roll.store(Arc::new(roll));
        self.ever.fetch_or(any, Ordering::Release);
    }

    pub fn roll(&self) -> Arc<Roll> {
        self.roll.load_full()
    }

    fn answers(&self) -> &Answers {
        self.answers.get_or_init(|| {
            let to_minutes = |lasts| Known::to_the(bounds::BOT_SPAN, self.key, bounds::BOTS_REFUTED, lasts);
            Answers {
                yes: Known::to_the(bounds::BOT_SPAN, self.key, bounds::BOTS_VERIFIED, bounds::BOT_LAST_GOOD),
                no: to_minutes(bounds::BOT_REFUTED),
                asked: to_minutes(bounds::BOT_AGAIN),
            }
        })
    }

    /// Whether a User-Agent is a bot's, and what is known of whoever sends it. Of several the one that it is.
    pub fn claim(&self, agent: Option<&[u8]>, address: IpAddr, now: u64) -> Option<Claim> {
        if !self.ever.load(Ordering::Acquire) {
            return None;
        }
        let roll = self.roll.load();
        let agent = agent.filter(|agent| roll.agents.is_match(agent))?;
        let mut claim = None;
        for at in roll.agents.matches(agent) {
            let one = self.look(&roll.bots[roll.of[at]], address, now);
            if one.standing == Standing::Verified {
                return Some(one);
            }
            claim = claim.or(Some(one));
        }
        claim
    }

    fn look(&self, bot: &Entry, address: IpAddr, now: u64) -> Claim {
        let (name, key) = (bot.name.clone(), (bot.stamp, address));
        if bot.ranges.as_ref().is_some_and(|p| p.ranges.hold(address)) {
            return Claim { name, standing: Standing::Verified, question: None };
        }
        if bot.domains.is_empty() {
            return Claim { name, standing: Standing::Refuted, question: None };
        }
        let answers = self.answers();
        let question =
            || Some(Question { address, name: name.clone(), domains: bot.domains.clone(), stamp: bot.stamp });
        let (standing, question) = match answers.yes.since(key, now) {
            Some(ago) if ago < bounds::BOT_FRESH.as_secs() => (Standing::Verified, None),
            Some(_) => (Standing::Verified, question()),
            None if answers.no.is_known(key, now) => (Standing::Refuted, None),
            None => (Standing::Unknown, question()),
        };
        Claim { name, standing, question }
    }

    /// Has a claim looked up where that is due. Where the queue is full nothing happens, and the next request asks again.
    pub fn ask(&self, claim: &Claim, now: u64) {
        let Some(question) = &claim.question else { return };
        let key = (question.stamp, question.address);
        let asked = &self.answers().asked;
        if asked.note(key, now) && self.queue.try_send(question.clone()).is_err() {
            asked.forget(key);
        }
    }

    /// The questions, for the one who keeps the house.
    pub fn questions(&self) -> Option<Receiver<Question>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What was found out. Where nobody could say, what was known stays.
    pub fn answer(&self, question: &Question, found: Result<bool, NoAnswer>, now: u64) {
        let (key, answers) = ((question.stamp, question.address), self.answers());
        match found {
            Ok(true) => {
                answers.yes.note(key, now);
                answers.no.forget(key);
            }
            Ok(false) => {
                answers.yes.forget(key);
                answers.no.note(key, now);
            }
            Err(NoAnswer) => {}
        }
    }

    /// For people.
    pub fn lines(&self, now: u64) -> Vec<Line> {
        let line = |bot: &Entry| {
            let published = bot.ranges.as_ref();
            Line {
                name: bot.name.to_string(),
                domains: bot.domains.to_vec(),
                file: published.map(|p| p.file.clone()),
                networks: published.map(|p| p.ranges.len()),
                written: published.map(|p| p.written),
                days: published.map(|p| now.saturating_sub(p.written) / 86_400),
            }
        };
        self.roll.load().bots.iter().map(line).collect()
    }
}

/// A bot, as `status` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub name: String,
    pub domains: Vec<String>,
    pub file: Option<String>,
    pub networks: Option<usize>,
    pub written: Option<u64>,
    pub days: Option<u64>,
}

#[cfg(test)]
mod tests;
