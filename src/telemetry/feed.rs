//! The feed: what changes, in order, for whoever listens. A ring of the newest [`bounds::EVENTS`]; each listener has its
//! own place in it and no queue, so that a slow one costs nothing: where the ring has gone on without it, it is told how
//! much it missed.
//!
//! Does not know: who listens, what a change means.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use crate::bounds;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pins, releases, the ladder's steps.
    Posture,
    Rules,
    Measure,
    Ban,
    /// Access codes for citizens.
    Pass,
    /// `boma.toml` and the files that it names.
    Settings,
    /// What citizens are told.
    Incident,
    /// What was kept and is not any more.
    Cache,
    /// What `status` calls a trouble, with its begin and its end.
    Trouble,
}

impl Kind {
    pub const NAMES: [&str; 9] =
        ["posture", "rules", "measure", "ban", "pass", "settings", "incident", "cache", "trouble"];

    pub fn as_str(self) -> &'static str {
        Kind::NAMES[self as usize]
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Unlike any other event's, of earlier runs too.
    pub id: String,
    /// Seconds since the Unix epoch.
    pub at: u64,
    pub kind: Kind,
    pub who: String,
    pub what: String,
    pub outcome: String,
    #[serde(skip)]
    n: u64,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Event(Arc<Event>),
    /// So many are gone; `None`: of an earlier run, nobody knows how many.
    Gap(Option<u64>),
}

/// Bans that rules and limits lay, gathered for one event: an attack may lay thousands, and they must not push out of the
/// ring what people did.
#[derive(Default)]
struct Bans {
    count: usize,
    first: Vec<String>,
}

pub struct Feed {
    /// What tells this run from others.
    run: String,
    ring: Mutex<VecDeque<Arc<Event>>>,
    bans: Mutex<Bans>,
    /// The number of the next event, from 1 on; `None` when nothing more will come.
    next: watch::Sender<Option<u64>>,
}

/// A listener's place.
pub struct Listener {
    next: u64,
    gap: Option<Told>,
    rings: watch::Receiver<Option<u64>>,
}

impl Feed {
    pub fn new(run: String) -> Feed {
        Feed { run, ring: Mutex::default(), bans: Mutex::default(), next: watch::Sender::new(Some(1)) }
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<Arc<Event>>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bans(&self) -> MutexGuard<'_, Bans> {
        self.bans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell(&self, at: u64, kind: Kind, who: &str, what: &str, outcome: &str) {
        let mut ring = self.ring();
        let Some(n) = *self.next.borrow() else { return };
        let id = format!("{}-{n}", self.run);
        ring.push_back(Arc::new(Event { id, at, kind, who: who.into(), what: cut(what), outcome: cut(outcome), n }));
        if ring.len() > bounds::EVENTS {
            ring.pop_front();
        }
        self.next.send_replace(Some(n + 1));
    }

    /// Notes a ban that a rule or limit laid; [`Feed::tell_bans`] tells it.
    pub fn banned(&self, what: impl FnOnce() -> String) {
        let mut bans = self.bans();
        bans.count += 1;
        if bans.first.len() < bounds::EVENT_BANS {
            bans.first.push(what());
        }
    }

    /// Tells of the bans that rules and limits have laid since it was called last.
    pub fn tell_bans(&self, at: u64) {
        let Bans { count, first } = std::mem::take(&mut *self.bans());
        if count > 0 {
            let more = count - first.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.tell(at, Kind::Ban, "rules", &format!("ban of {}{more}", first.join(", ")), "applied");
        }
    }

    /// Nothing more will come.
    pub fn close(&self) {
        let _ring = self.ring();
        self.next.send_replace(None);
    }

    /// A place behind the event `last`, as its id was; without one, at the end.
    pub fn listen(&self, last: Option<&str>) -> Listener {
        let ring = self.ring();
        let rings = self.next.subscribe();
        let end = ring.back().map_or(1, |e| e.n + 1);
        let first = ring.front().map_or(1, |e| e.n);
        let of_this_run = last.and_then(|id| id.strip_prefix(&self.run)?.strip_prefix('-')?.parse::<u64>().ok());
        let (next, gap) = match (last, of_this_run) {
            (None, _) => (end, None),
            (Some(_), Some(n)) if n < end => (n + 1, None),
            (Some(_), _) => (first, Some(Told::Gap(None))),
        };
        Listener { next, gap, rings }
    }

    /// What the listener has not been told yet, at most [`bounds::EVENT_BATCH`]; `None` when it has all and nothing more
    /// will come.
    pub fn take(&self, listener: &mut Listener) -> Option<Vec<Told>> {
        let ring = self.ring();
        let closed = listener.rings.borrow_and_update().is_none();
        let mut told: Vec<Told> = listener.gap.take().into_iter().collect();
        let first = ring.front().map_or(listener.next, |e| e.n);
        if listener.next < first {
            told.push(Told::Gap(Some(first - listener.next)));
            listener.next = first;
        }
        let from = (listener.next - first) as usize;
        told.extend(ring.iter().skip(from).take(bounds::EVENT_BATCH).map(|e| Told::Event(e.clone())));
        if let Some(Told::Event(last)) = told.last() {
            listener.next = last.n + 1;
        }
        (!closed || !told.is_empty()).then_some(told)
    }
}

impl Listener {
    /// Returns when there may be more to take.
    pub async fn rung(&mut self) {
        let _ = self.rings.changed().await;
    }
}

/// What is told fits a line; the journal has all of it.
fn cut(text: &str) -> String {
    text.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(feed: &Feed, listener: &mut Listener) -> Vec<String> {
        let taken = feed.take(listener).unwrap_or_default();
        taken
            .iter()
            .map(|t| match t {
                Told::Event(e) => e.what.clone(),
                Told::Gap(n) => format!("{n:?} gone"),
            })
            .collect()
    }

    fn tell(feed: &Feed, what: impl ToString) {
        feed.tell(7, Kind::Rules, "file", &what.to_string(), "applied");
    }

    #[test]
    fn a_listener_hears_what_comes_and_goes_on_where_it_was() {
        let feed = Feed::new("a".into());
        tell(&feed, "before");
        let mut listener = feed.listen(None);
        assert_eq!(feed.take(&mut listener), Some(vec![]));
        (1..=3).for_each(|i| tell(&feed, i));
        let Some(Told::Event(first)) = feed.take(&mut listener).map(|t| t[0].clone()) else { panic!() };
        assert_eq!((first.what.as_str(), first.id.as_str()), ("1", "a-2"));
        assert_eq!(told(&feed, &mut feed.listen(Some("a-2"))), ["2", "3"]);
        assert_eq!(told(&feed, &mut feed.listen(Some("a-4"))), Vec::<String>::new());
        for unknown in ["b-2", "a-5", "a-", "2", ""] {
            assert_eq!(
                told(&feed, &mut feed.listen(Some(unknown))),
                ["None gone", "before", "1", "2", "3"],
                "{unknown}"
            );
        }
        feed.close();
        tell(&feed, "after the end");
        assert_eq!(feed.take(&mut listener), None);
        assert_eq!(told(&feed, &mut feed.listen(Some("a-3"))), ["3"], "what was told before the end is heard");
    }

    #[test]
    fn a_slow_listener_is_told_what_it_missed_and_the_ring_stays_small() {
        let feed = Feed::new("a".into());
        let mut listener = feed.listen(None);
        let many = bounds::EVENTS + 10;
        (0..many).for_each(|i| tell(&feed, i));
        assert_eq!(feed.ring().len(), bounds::EVENTS);
        let first = told(&feed, &mut listener);
        assert_eq!(
            (first[0].as_str(), first[1].as_str(), first.len()),
            ("Some(10) gone", "10", bounds::EVENT_BATCH + 1)
        );
        let mut rest = 0;
        while let more = told(&feed, &mut listener).len()
            && more > 0
        {
            rest += more;
        }
        assert_eq!(first.len() - 1 + rest, bounds::EVENTS);
    }

    #[test]
    fn thousands_of_bans_are_one_event() {
        let feed = Feed::new("a".into());
        let mut listener = feed.listen(None);
        feed.tell_bans(7);
        (0..5000).for_each(|i| feed.banned(|| format!("net {i}")));
        feed.tell_bans(7);
        feed.tell_bans(8);
        assert_eq!(told(&feed, &mut listener), ["ban of net 0, net 1, net 2 and 4997 more"]);
    }
}
