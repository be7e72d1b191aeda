//! Adds up what the totals of a span hold.
//!
//! Does not know: the journal, how a report is written.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::super::Office;
use crate::bounds;
use crate::plan::Level;
use crate::report::{
    At, Became, Citizens, Decided, Did, Fared, HURT, Hard, Measure, Peak, Rush, Statement, Step, Traffic, Worst,
};
use crate::telemetry::Outcome;
use crate::telemetry::totals::Minute;
use crate::uptime::DEFINITION;

/// Rows of a list in a report.
const ROWS: usize = 50;
/// A minute has so many times as many requests as is usual where it is told as of a rush.
const TIMES: u64 = 3;

#[derive(Default)]
struct Sum {
    /// To the portal, and to boma's own pages.
    requests: u64,
    own: u64,
    sent_away: u64,
    /// Answered by the origin or the cache.
    full: u64,
    citizens: Fared,
    /// Of whoever had a pass, robots too.
    passes: Fared,
}

impl Sum {
    /// How citizens fared; where none could be told from robots, who had a pass stands for them.
    fn people(&self) -> &Fared {
        if self.citizens.served.requests() > 0 { &self.citizens } else { &self.passes }
    }
}

#[derive(Default)]
pub(super) struct Sums {
    minutes: BTreeMap<u64, Sum>,
    risen: BTreeMap<(String, u64), Level>,
    /// By outcome: requests, and of them with a pass.
    outcomes: BTreeMap<usize, (Outcome, [u64; 2])>,
    classes: BTreeMap<String, Fared>,
    /// What rules, limits and measures decided, by name and minute.
    deeds: BTreeMap<String, BTreeMap<u64, [u64; 4]>>,
}

impl Sums {
    pub fn of(office: &Office, span: (u64, u64), portal: Option<&str>) -> Sums {
        let mut sums = Sums::default();
        office.each_minute(span, portal, |minute| {
            office.house.breath.take();
            sums.add(&minute);
        });
        sums
    }

    pub fn add(&mut self, minute: &Minute) {
        if minute.posture > Level::Normal {
            let level = self.risen.entry((minute.portal.clone(), minute.at)).or_insert(minute.posture);
            *level = minute.posture.max(*level);
        }
        for name in minute.deeds.keys() {
            let Some(deed) = minute.deed(name) else { continue };
            let all = self.deeds.entry(name.clone()).or_default().entry(minute.at).or_default();
            all.iter_mut().zip(deed).for_each(|(all, n)| *all += n);
        }
        let sum = self.minutes.entry(minute.at).or_default();
        minute.each(|class, outcome, [all, with_pass, citizens]| {
            *(if is_own(outcome) { &mut sum.own } else { &mut sum.requests }) += all;
            if outcome.is_sent_away() {
                sum.sent_away += all;
            }
            if matches!(outcome, Outcome::Full | Outcome::Cache) {
                sum.full += all;
            }
            if let Some(fared) = fared(outcome, with_pass) {
                sum.passes = sum.passes.with(&fared);
            }
            let (_, counts) = self.outcomes.entry(outcome as usize).or_insert((outcome, [0; 2]));
            *counts = [counts[0] + all, counts[1] + with_pass];
            if let Some(fared) = fared(outcome, citizens) {
                sum.citizens = sum.citizens.with(&fared);
                let of = self.classes.entry(class.to_owned()).or_default();
                *of = of.with(&fared);
            }
        });
    }

    pub fn traffic(&self, rush: Option<Rush>) -> Traffic {
        let sum = |of: fn(&Sum) -> u64| self.minutes.values().map(of).sum();
        let ends = self.minutes.keys().next().zip(self.minutes.keys().next_back());
        Traffic {
            minutes: self.minutes.values().filter(|s| s.requests + s.own > 0).count() as u64,
            began: ends.map(|(first, _)| At(*first)),
            ended: ends.map(|(_, last)| At(last + 60)),
            requests: sum(|s| s.requests),
            own: sum(|s| s.own),
            outcomes: self.outcomes.values().map(became).collect(),
            sent_away: sum(|s| s.sent_away),
            peak: self.peak().map(|(at, sum)| Peak { at: At(at), requests: sum.requests, sent_away: sum.sent_away }),
            rush,
        }
    }

    fn peak(&self) -> Option<(u64, &Sum)> {
        let peak = self.minutes.iter().rev().max_by_key(|(_, sum)| sum.requests);
        peak.filter(|(_, sum)| sum.requests > 0).map(|(at, sum)| (*at, sum))
    }

    /// The minutes in which far more came than is usual, or a good part of the most where that is not known; from ten minutes before
    /// detection on. Their end is one where some calm followed until `to`.
    pub fn rush(&self, detected: Option<u64>, before: &Before, to: u64) -> Option<Rush> {
        let edge = detected?.saturating_sub(BEFORE);
        let above = match before.usual {
            Some(usual) => TIMES * usual,
            None => self.minutes.range(edge..).map(|(_, sum)| sum.requests).max()? / bounds::REPORT_RUSH,
        };
        let all = || self.minutes.range(edge..).filter(|(_, sum)| sum.requests > above);
        let high = || all().map(|(at, _)| *at);
        let (first, last) = (high().next()?, high().next_back()? + 60);
        Some(Rush {
            from: At(first),
            to: At(last),
            minutes: high().count() as u64,
            requests: all().map(|(_, sum)| sum.requests).sum(),
            full: all().map(|(_, sum)| sum.full).sum(),
            above,
            usual: before.usual,
            usual_of: before.minutes,
            over: last + bounds::REPORT_CALM.as_secs() <= to,
        })
    }

    pub fn citizens(&self, rush: Option<Rush>) -> Citizens {
        let risen: BTreeSet<u64> = self.risen.keys().map(|(_, at)| *at).collect();
        let in_rush = |at: u64| rush.is_some_and(|rush| (rush.from.0..rush.to.0).contains(&at));
        let mut hard = Hard::default();
        let is_hard = |at: u64| if rush.is_some() { in_rush(at) } else { risen.contains(&at) };
        for (_, sum) in self.minutes.iter().filter(|(at, _)| is_hard(**at)) {
            hard.minutes += 1;
            hard.blind += u64::from(sum.citizens.served.requests() == 0);
            hard.fared = hard.fared.with(&sum.citizens);
            hard.passes = hard.passes.with(&sum.passes);
        }
        Citizens {
            definition: DEFINITION,
            fared: self.classes.values().fold(Fared::default(), |all, f| all.with(f)),
            classes: self.classes.iter().map(|(class, fared)| (class.clone(), *fared)).collect(),
            hard,
            minutes_risen: risen.len() as u64,
            minutes_hurt: self.minutes.values().filter(|s| hurts(s.people())).count() as u64,
            worst: self.worst(),
        }
    }

    /// The minute with the least share of citizens' requests served in full at once; of equals the one with most others, then the
    /// first. Minutes in which hardly any came are left aside, unless there are no others.
    fn worst(&self) -> Option<Worst> {
        let hurt = |least: u64| {
            let hurt = self.minutes.iter().filter(move |(_, sum)| {
                let requests = sum.citizens.served.requests();
                requests >= least && sum.citizens.at_once() < requests
            });
            hurt.min_by(|(_, a), (_, b)| by_share_at_once(&a.citizens, &b.citizens))
        };
        let many = self.minutes.values().any(|s| s.citizens.served.requests() >= bounds::REPORT_WORST);
        let worst = hurt(if many { bounds::REPORT_WORST } else { 1 });
        worst.map(|(at, sum)| Worst { at: At(*at), fared: sum.citizens })
    }

    /// What each measure did: a minute belongs to the measure of its name that was laid last before its end and was not taken out
    /// before it. What is nobody's of these was decided by rules and limits, which are told with it.
    pub fn tell(&self, measures: &mut [Measure]) -> Vec<Decided> {
        let mut rules: Vec<Decided> = Vec::new();
        for (name, minutes) in &self.deeds {
            let mut rest = Did::default();
            for (at, deed) in minutes {
                let is_its = |m: &&mut Measure| {
                    let holds = m.laid.0 < at + 60 && m.ended.is_none_or(|ended| *at <= ended.0 + 60);
                    holds && m.name.strip_prefix("measure ") == Some(name.as_str())
                };
                let did = match measures.iter_mut().rev().find(is_its) {
                    Some(measure) => measure.did.get_or_insert_default(),
                    None => &mut rest,
                };
                did.add(*deed);
            }
            if rest.decided > 0 {
                rules.push(Decided { name: name.clone(), did: rest });
            }
        }
        rules.sort_by(|a, b| b.did.decided.cmp(&a.did.decided).then_with(|| a.name.cmp(&b.name)));
        rules.truncate(ROWS);
        rules
    }

    /// How citizens fared in the first whole minute after each statement.
    pub fn met(&self, statements: &mut [Statement]) {
        for statement in statements {
            let after = statement.at.0.next_multiple_of(60);
            statement.met = self.minutes.get(&after).map(|sum| sum.citizens);
        }
    }

    /// Runs of minutes with one posture.
    pub fn postures(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for ((portal, at), level) in &self.risen {
            match steps.last_mut() {
                Some(last) if last.portal == *portal && last.level == level.as_str() && last.to.0 == *at => {
                    last.to = At(at + 60);
                }
                _ => {
                    let (portal, level) = (portal.clone(), level.as_str().to_owned());
                    steps.push(Step { portal, level, from: At(*at), to: At(at + 60) });
                }
            }
        }
        steps.truncate(ROWS);
        steps
    }

    /// The first and the last minute above the foot.
    pub fn risen(&self) -> Option<(u64, u64)> {
        let all = || self.risen.keys().map(|(_, at)| *at);
        all().min().zip(all().max())
    }

    /// When the last minute ended in which citizens were hurt, first where some calm followed, and then in any case.
    pub fn hurt_until(&self, detected: Option<u64>, to: u64) -> (Option<u64>, Option<u64>) {
        let hurt = self.minutes.iter().rev().find(|(_, sum)| hurts(sum.people())).map(|(at, _)| at + 60);
        let calm = |end: &u64| end + bounds::REPORT_CALM.as_secs() <= to && detected.is_none_or(|d| *end >= d);
        (hurt.filter(calm), hurt)
    }
}

/// Whether it came to boma's own pages.
fn is_own(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Own | Outcome::Solved)
}

/// Citizens' requests by how they fared; `None`: there are none, or it says nothing of that.
fn fared(outcome: Outcome, citizens: u64) -> Option<Fared> {
    let mut fared = Fared::default();
    fared.served.add(outcome.fare().filter(|_| citizens > 0)?, citizens);
    match outcome {
        Outcome::Cache => fared.cached = citizens,
        Outcome::Solved => fared.passed_check = citizens,
        Outcome::Waiting => fared.come_again = citizens,
        _ => {}
    }
    Some(fared)
}

/// The least share first; of equals the one with most others.
fn by_share_at_once(a: &Fared, b: &Fared) -> Ordering {
    let of = |x: &Fared, y: &Fared| u128::from(x.at_once()) * u128::from(y.served.requests());
    let others = |f: &Fared| f.served.requests() - f.at_once();
    of(a, b).cmp(&of(b, a)).then_with(|| others(b).cmp(&others(a)))
}

fn became((outcome, [requests, with_pass]): &(Outcome, [u64; 2])) -> Became {
    let name = Outcome::ALL[*outcome as usize].1;
    Became { outcome: name, means: outcome.says(), requests: *requests, with_pass: *with_pass }
}

fn hurts(fared: &Fared) -> bool {
    let away = fared.turned_away();
    away > 0 && away * 100 >= HURT * fared.served.requests()
}

/// What the hour before detection says: how many requests a minute are usual, and an estimate of when it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    pub usual: Option<u64>,
    pub onset: Option<u64>,
    /// Minutes that usual is the median of.
    pub minutes: u64,
}

/// Fewer minutes say nothing of what is usual.
const LEAST: usize = 4;
/// The ten minutes before detection may be of the attack.
const BEFORE: u64 = 600;

impl Before {
    pub fn of(office: &Office, detected: u64, portal: Option<&str>) -> Before {
        let mut minutes: BTreeMap<u64, u64> = BTreeMap::new();
        office.each_minute((detected.saturating_sub(3600), detected), portal, |minute| {
            let all = minutes.entry(minute.at).or_default();
            minute.each(|_, outcome, [n, ..]| *all += if is_own(outcome) { 0 } else { n });
        });
        Before::reckoned(&minutes, detected)
    }

    /// Usual is the median of a minute; it began with the first of the last ten that had more than three times as many.
    fn reckoned(minutes: &BTreeMap<u64, u64>, detected: u64) -> Before {
        let edge = detected.saturating_sub(BEFORE);
        let mut before: Vec<u64> = minutes.range(..edge).map(|(_, n)| *n).collect();
        // Where boma has not run for long, all that there is before the minute of detection: an attack's own are few of them.
        if before.len() < 10 {
            before = minutes.range(..detected / 60 * 60).map(|(_, n)| *n).collect();
        }
        if before.len() < LEAST {
            return Before::default();
        }
        let middle = before.len() / 2;
        let usual = *before.select_nth_unstable(middle).1;
        let onset = minutes.range(edge..=detected).find(|(_, n)| **n > TIMES * usual).map(|(at, _)| *at);
        Before { usual: Some(usual), onset, minutes: before.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::uptime::Served;

    fn minute(n: u64, posture: Level, counts: serde_json::Value) -> Minute {
        let counts = counts.as_object().unwrap().clone();
        Minute { at: n * 60, portal: "huduma".into(), posture, counts, deeds: serde_json::Map::new() }
    }

    /// A day of which everything is known.
    #[test]
    fn each_figure_is_the_sum_of_its_minutes() {
        let mut sums = Sums::default();
        let quiet = json!({ "information": { "full": [100, 40, 90] } });
        (0..60).for_each(|n| sums.add(&minute(n, Level::Normal, quiet.clone())));
        let flood = json!({
            "information": { "full": [50, 50, 50], "challenged": [5000, 10, 10], "limited": [1000, 0, 0], "gone": [7, 0, 0], "own": [9, 0, 0], "solved": [3, 3, 3], "waiting": [50, 9, 4] },
            "payment": { "statement": [20, 5, 5], "full": [30, 30, 30] },
        });
        (60..63).for_each(|n| sums.add(&minute(n, Level::Attack, flood.clone())));
        // Two processes, one minute.
        sums.add(&minute(62, Level::Guarded, json!({ "payment": { "denied": [400, 0, 0] } })));
        (63..70).for_each(|n| sums.add(&minute(n, Level::Guarded, json!({ "payment": { "full": [10, 10, 10] } }))));
        let before = |usual| Before { usual, onset: None, minutes: 50 };
        let traffic = sums.traffic(sums.rush(Some(60 * 60), &before(Some(100)), 70 * 60));
        assert_eq!((traffic.minutes, traffic.requests, traffic.own), (70, 60 * 100 + 3 * 6157 + 400 + 70, 3 * 12));
        assert_eq!((traffic.began, traffic.ended), (Some(At(0)), Some(At(70 * 60))));
        assert_eq!(traffic.sent_away, 3 * 6000 + 400);
        let peak = traffic.peak.unwrap();
        assert_eq!((peak.at, peak.requests, peak.sent_away), (At(62 * 60), 6557, 6400));
        let outcome =
            |name: &str| traffic.outcomes.iter().find(|o| o.outcome == name).map(|o| (o.requests, o.with_pass));
        assert_eq!(
            (outcome("full"), outcome("challenged"), outcome("own")),
            (Some((6310, 2710)), Some((15_000, 30)), Some((27, 0)))
        );
        let rush = Rush {
            from: At(60 * 60),
            to: At(63 * 60),
            minutes: 3,
            requests: 3 * 6157 + 400,
            full: 3 * 80,
            above: 300,
            usual: Some(100),
            usual_of: 50,
            over: true,
        };
        assert_eq!(traffic.rush, Some(rush));
        assert_eq!(
            sums.rush(Some(60 * 60), &before(None), 67 * 60),
            Some(Rush { above: 6557 / 4, usual: None, over: false, ..rush }),
            "where no hour before is known"
        );
        let none = [sums.rush(None, &before(Some(100)), 70 * 60), sums.rush(Some(3600), &before(Some(9999)), 70 * 60)];
        assert_eq!(none, [None, None]);
        let citizens = sums.citizens(Some(rush));
        let Hard { minutes, blind, fared, passes } = citizens.hard;
        assert_eq!((minutes, blind, fared.served.full, fared.come_again), (3, 0, 3 * 80, 12));
        assert_eq!((passes.served.full, passes.come_again), (3 * 80, 27));
        let fared = |full, delayed, refused, passed_check, come_again| Fared {
            served: Served { full, delayed, refused, copies: 0 },
            cached: 0,
            passed_check,
            come_again,
        };
        assert_eq!(citizens.fared, fared(5400 + 150 + 90 + 70, 3 * 17, 15, 9, 12));
        assert_eq!(citizens.classes[1], ("payment".into(), fared(160, 0, 15, 0, 0)));
        assert_eq!((citizens.minutes_risen, citizens.minutes_hurt), (10, 3));
        assert_eq!(
            citizens.worst,
            Some(Worst { at: At(60 * 60), fared: fared(80, 17, 5, 3, 4) }),
            "of equals the first"
        );
        let steps: Vec<_> = sums.postures().iter().map(|s| (s.level.clone(), s.from.0 / 60, s.to.0 / 60)).collect();
        assert_eq!(steps, [("attack".into(), 60, 63), ("guarded".into(), 63, 70)]);
        assert_eq!(sums.risen(), Some((60 * 60, 69 * 60)));
        let end = 63 * 60;
        assert_eq!(sums.hurt_until(Some(60 * 60), 70 * 60), (Some(end), Some(end)));
        assert_eq!(sums.hurt_until(Some(60 * 60), 64 * 60), (None, Some(end)), "a minute of calm is none");
    }

    /// The minute is named in which the least were served in full at once, whether anybody was refused or not.
    #[test]
    fn the_worst_minute_is_that_with_the_least_share_served_in_full_at_once() {
        let worst = |minutes: &[(u64, serde_json::Value)]| {
            let mut sums = Sums::default();
            minutes.iter().for_each(|(n, of)| sums.add(&minute(*n, Level::Attack, json!({ "information": of }))));
            sums.worst().map(|w| (w.at.0 / 60, w.fared.at_once(), w.fared.served.requests()))
        };
        let first = json!({ "copy": [0, 0, 109], "full": [0, 0, 1387], "solved": [0, 0, 655], "waiting": [0, 0, 731] });
        let second = json!({ "copy": [0, 0, 128], "full": [0, 0, 436], "solved": [0, 0, 651], "waiting": [0, 0, 510] });
        assert_eq!(worst(&[(1, first.clone()), (2, second)]), Some((2, 436, 1725)), "nobody was refused");
        let fresh = json!({ "cache": [0, 0, 900], "full": [0, 0, 100] });
        assert_eq!(worst(&[(1, first.clone()), (2, fresh.clone())]), Some((1, 1387, 2882)), "what is fresh is in full");
        assert_eq!(worst(&[(2, fresh)]), None, "all were served in full at once");
        let one = json!({ "statement": [0, 0, 1] });
        assert_eq!(worst(&[(1, first), (2, one.clone())]), Some((1, 1387, 2882)), "of one request nothing follows");
        assert_eq!(worst(&[(2, one)]), Some((2, 0, 1)), "where there are no others it does");
    }

    #[test]
    fn what_a_measure_did_is_its_own_minutes_and_the_others_are_rules() {
        let mut sums = Sums::default();
        for (n, deeds) in [
            (1, json!({ "m": [10, 8, 2, 1], "n": [0, 0, 0, 0], "budget": [5, 5, 0, 0] })),
            (2, json!({ "m": [5, 5, 0, 0], "budget": [90, 60, 3, 1] })),
            (2, json!({ "m": [1, 0, 0, 0] })),
            (3, json!({ "m": [7, 7, 7, 7], "gone": [9, 9, 9, 9] })),
            (9, json!({ "m": [2, 2, 0, 0] })),
        ] {
            let deeds = deeds.as_object().unwrap().clone();
            sums.add(&Minute { deeds, ..minute(n, Level::Normal, json!({})) });
        }
        let measure = |name: &str, laid| Measure { name: name.into(), laid: At(laid), ..Measure::default() };
        let mut measures = vec![
            measure("measure m", 70),
            measure("measure n", 70),
            Measure { ended: Some(At(200)), ..measure("measure m", 185) },
            measure("ban of gone", 0),
            measure("measure late", 70),
        ];
        measures[0].ended = Some(At(184));
        let rules = sums.tell(&mut measures);
        let numbers = |d: &Did| [d.decided, d.sent_away, d.with_pass, d.citizens];
        let did: Vec<_> = measures.iter().map(|m| m.did.as_ref().map(numbers)).collect();
        assert_eq!(did, [Some([16, 13, 2, 1]), Some([0; 4]), Some([7; 4]), None, None]);
        let rules: Vec<_> = rules.iter().map(|r| (r.name.as_str(), numbers(&r.did))).collect();
        assert_eq!(
            rules,
            [("budget", [95, 65, 3, 1]), ("gone", [9; 4]), ("m", [2, 2, 0, 0])],
            "a rule that bears a measure's name later is none"
        );
    }

    #[test]
    fn where_no_citizen_can_be_told_from_robots_who_had_a_pass_stands_for_them() {
        let mut sums = Sums::default();
        sums.add(&minute(1, Level::Normal, json!({ "information": { "full": [100, 0, 100] } })));
        let blind = json!({ "information": { "full": [60, 60, 0], "denied": [900, 40, 0], "waiting": [90, 20, 0] } });
        (2..5).for_each(|n| sums.add(&minute(n, Level::Attack, blind.clone())));
        (5..12).for_each(|n| sums.add(&minute(n, Level::Guarded, json!({ "information": { "full": [9, 9, 9] } }))));
        let citizens = sums.citizens(None);
        let Hard { minutes, blind, fared, passes } = citizens.hard;
        assert_eq!((minutes, blind, fared.served.requests(), passes.served.requests()), (10, 3, 63, 3 * 120 + 63));
        assert_eq!((passes.served.refused, passes.come_again), (120, 60));
        assert_eq!((citizens.minutes_hurt, sums.hurt_until(Some(120), 12 * 60)), (3, (Some(300), Some(300))));
    }

    #[test]
    fn the_beginning_is_reckoned_from_the_hour_before_or_not_known() {
        let quiet: BTreeMap<u64, u64> = (0..60).map(|n| (n * 60, 100)).collect();
        let reckoned = |minutes: &BTreeMap<u64, u64>| Before::reckoned(minutes, 3600);
        assert_eq!(reckoned(&quiet), Before { usual: Some(100), onset: None, minutes: 50 });
        let mut flood = quiet.clone();
        flood.extend([(57 * 60, 301), (58 * 60, 5000), (59 * 60, 9000)]);
        assert_eq!(reckoned(&flood), Before { usual: Some(100), onset: Some(57 * 60), minutes: 50 });
        flood.retain(|at, _| *at >= 51 * 60);
        assert_eq!(reckoned(&flood), Before { usual: Some(100), onset: Some(57 * 60), minutes: 9 });
        flood.retain(|at, _| *at >= 57 * 60);
        assert_eq!(reckoned(&flood), Before::default(), "three minutes are no measure");
    }
}
