//! How far a limit is exceeded by one of its keys, told from a sample of requests: by how many there were, by what the origin
//! answered, or by how many were under way at once. At least so far: what the sample does not show is not made up.
//!
//! Does not know: whose requests they are, what comes of it.

use std::collections::{BTreeMap, HashMap};

use crate::plan::Quota;
use crate::telemetry::Fate;

/// Requests of a key below which an estimate may be one that came in a second full of others.
const SEVERAL: u32 = 3;
/// Milliseconds over which requests under way are averaged.
const SPAN: u64 = 1000;

/// What counted on one key of a limit.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub requests: f64,
    kept: u32,
    /// Those that an origin answered.
    pub answered: f64,
    /// By status, of limits on those.
    answers: HashMap<u16, f64>,
    /// Of limits on requests at once: when each came and when its answer began, and how many it stands for.
    under_way: Vec<(u64, u64, f64)>,
    /// Those that the limit itself refused when they came.
    pub refused: f64,
}

impl Counted {
    pub fn add(&mut self, quota: &Quota, fate: &Fate, weight: f64) {
        self.requests += weight;
        self.kept += 1;
        if fate.limit == Some(quota.id) {
            self.refused += weight;
        }
        let Some(status) = fate.origin else { return };
        self.answered += weight;
        if quota.count.is_some() {
            *self.answers.entry(status).or_default() += weight;
        }
        if quota.concurrent.is_some() {
            self.under_way.push((fate.came, fate.answered.max(fate.came + 1), weight));
        }
    }

    /// Requests of so many seconds that the limit would have refused.
    pub fn over(&self, quota: &Quota, seconds: u64) -> f64 {
        // A single one that stands for many may have come in a second full of others.
        if self.kept < SEVERAL && self.requests > f64::from(self.kept) {
            return 0.0;
        }
        if let Some(most) = quota.concurrent {
            return self.alone_too_many(most).max(self.on_average_too_many(most));
        }
        let room = f64::from(quota.burst) + seconds as f64 * 1e9 / quota.interval.max(1) as f64;
        let Some(statuses) = &quota.count else { return (self.requests - room).max(0.0) };
        let spent: f64 = statuses.iter().filter_map(|s| self.answers.get(s)).sum();
        // Whoever has spent all waits until a token is back, with everything else that they ask for.
        if spent > room { self.answered * (1.0 - room / spent) } else { 0.0 }
    }

    /// By those that are in the sample alone: they were under way at once for certain.
    fn alone_too_many(&self, most: u32) -> f64 {
        let mut all = self.under_way.clone();
        all.sort_unstable_by_key(|(came, ..)| *came);
        let mut ends: BTreeMap<u64, u32> = BTreeMap::new();
        let (mut inside, mut refused) = (0, 0.0);
        for (came, end, weight) in all {
            while let Some(entry) = ends.first_entry().filter(|e| *e.key() <= came) {
                inside -= entry.remove();
            }
            if inside >= most {
                refused += weight;
                continue;
            }
            inside += 1;
            *ends.entry(end).or_default() += 1;
        }
        refused
    }

    /// By all that they stand for, spread over each second.
    fn on_average_too_many(&self, most: u32) -> f64 {
        // Of each second: how much time requests took of it, and how many came in it.
        let mut seconds: HashMap<u64, (f64, f64)> = HashMap::new();
        for (came, end, weight) in &self.under_way {
            seconds.entry(came / SPAN).or_default().1 += weight;
            for second in came / SPAN..=(end - 1) / SPAN {
                let part = (*end).min((second + 1) * SPAN) - (*came).max(second * SPAN);
                seconds.entry(second).or_default().0 += weight * part as f64 / SPAN as f64;
            }
        }
        let too_many = |(inside, came): &(f64, f64)| came * (1.0 - f64::from(most) / inside).max(0.0);
        seconds.values().filter(|(inside, _)| *inside > 0.0).map(too_many).sum()
    }
}

/// What nobody knows of a limit that so many requests count on, of which an origin answered so many; in words.
pub(super) fn unknown(quota: &Quota, matched: f64, answered: f64) -> Option<String> {
    let (what, besides) = match (quota.concurrent, &quota.count) {
        (Some(_), _) => ("how long the others take", "; how long bodies of answers take is not known"),
        (None, Some(_)) => ("what the others are answered", ""),
        (None, None) => return None,
    };
    match (matched as u64, answered as u64) {
        (0, _) => None,
        (_, 0) => Some("not judged: none of these requests reached an origin".into()),
        (all, some) if some < all => {
            Some(format!("judged by the {some} that reached an origin; nobody knows {what}{besides}"))
        }
        _ => besides.strip_prefix("; ").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Per, Then};

    fn quota(burst: u32, concurrent: Option<u32>, count: Option<&[u16]>) -> Quota {
        Quota {
            name: "l".into(),
            id: 7,
            per: Per::Client,
            interval: 60_000_000_000,
            burst,
            then: Then::Deny,
            shadow: false,
            budget: false,
            count: count.map(Into::into),
            concurrent,
            ban: None,
        }
    }

    fn counted(quota: &Quota, fates: impl IntoIterator<Item = Fate>, weight: f64) -> Counted {
        let mut counted = Counted::default();
        fates.into_iter().for_each(|fate| counted.add(quota, &fate, weight));
        counted
    }

    fn answered(came: u64, took: u64, status: u16) -> Fate {
        Fate { came, answered: came + took, origin: Some(status), ..Fate::default() }
    }

    #[test]
    fn answers_of_some_statuses_are_what_is_counted() {
        let failed = quota(10, None, Some(&[401, 403]));
        // Ten minutes give back ten tokens: twenty in all.
        let over = |wrong: u64, right: u64| {
            let wrong = (0..wrong).map(|i| answered(i * 1000, 10, 401));
            let all = wrong.chain((0..right).map(|i| answered(i * 1000, 10, 200)));
            counted(&failed, all, 1.0).over(&failed, 600)
        };
        assert_eq!((over(0, 1000), over(20, 1000)), (0.0, 0.0));
        assert_eq!(over(40, 40), 40.0, "half of the time nothing is left");
        let nobody_asked = counted(&failed, (0..100).map(|_| Fate::default()), 1.0);
        assert_eq!(nobody_asked.over(&failed, 600), 0.0);
        let said = unknown(&failed, nobody_asked.requests, nobody_asked.answered).unwrap();
        assert!(said.starts_with("not judged"), "{said}");
        assert_eq!(unknown(&failed, 5.0, 5.0), None);
    }

    #[test]
    fn requests_at_once_are_told_by_how_long_each_took() {
        let few = quota(1, Some(4), None);
        let over = |fates: Vec<Fate>, weight| counted(&few, fates, weight).over(&few, 600);
        let page = |parts: u64, took: u64| (0..parts).map(|i| answered(i, took, 200)).collect::<Vec<_>>();
        assert_eq!((over(page(4, 200), 1.0), over(page(10, 200), 1.0)), (0.0, 6.0), "a page's parts, all kept");
        let by_turns: Vec<Fate> = (0..100).map(|i| answered(i * 100, 100, 200)).collect();
        assert_eq!(over(by_turns.clone(), 1.0), 0.0, "one after the other");
        // Each stands for eight: eight are under way at any time, where four may be.
        assert!((over(by_turns, 8.0) - 400.0).abs() < 1.0);
        let long = vec![answered(500, 20_000, 200); 5];
        assert_eq!(over(long, 1.0), 1.0);
        assert_eq!(over(page(1, 60_000), 1000.0), 0.0, "a single one that stands for many proves nothing");
        assert!(unknown(&few, 5.0, 5.0).unwrap().contains("bodies"));
    }
}
