//! How much of a budget a request has to spend from: by the posture, and where it shows a pass by how old that is, how it
//! was come by and where it is used (DESIGN 1.2).
//!
//! Does not know: rules, what a refusal leads to.

use crate::facts::{Kind, Lane, Pass};
use crate::limit::{Key, Limited};
use crate::plan::{Per, Quota};
use crate::{bounds, client::Client};

use super::visit::Visit;

/// In thousandths, like all factors.
const WHOLE: u32 = 1000;
/// What a new pass has, and how many requests at once that is at least, where the whole is as many: one page.
const NEW: u32 = 100;
const PAGE: u32 = 30;
/// What is left of a budget off the prefix that the pass was made for.
const ABROAD: u32 = 4;
/// What those have together who share a budget because they did not work, or were too many.
const SHARED: u32 = 500;

/// The factor on the budget of whoever asks.
pub fn factor(visit: &Visit<'_>, budget: &Quota) -> u32 {
    let Some(pass) = &visit.pass else { return without_pass(visit) };
    let whole = visit.effects().factor(true, visit.kind);
    let new = new(budget);
    let of_whole = whole * earned(visit, pass, new) / WHOLE;
    // A posture that halves budgets leaves a beginner what beginners have: less would not carry one page.
    let share = of_whole.max(whole.min(new));
    // A beginner has less than that anyway: who has just solved a challenge and changes networks still gets their page.
    if pass.is_at_home(&visit.client) { share } else { share.min((whole / ABROAD).max(1)) }
}

fn without_pass(visit: &Visit<'_>) -> u32 {
    // A call-back's budget does not depend on how it dresses, nor a good bot's. Each of a bot's addresses has its prefix's
    // bucket, as if it were none: a second one beside it would double what it may, and nobody else is there.
    let kind = if visit.may_be_challenged() { visit.kind } else { Kind::Program };
    visit.effects().factor(false, kind)
}

fn new(budget: &Quota) -> u32 {
    (PAGE * WHOLE / budget.burst.max(1)).clamp(NEW, WHOLE)
}

fn earned(visit: &Visit<'_>, pass: &Pass, new: u32) -> u32 {
    match pass.lane {
        Lane::Code => WHOLE,
        Lane::Button | Lane::Shared => SHARED,
        Lane::Script | Lane::Quiet => {
            let (age, whole) = (visit.now.unix().saturating_sub(pass.born), bounds::PASS_EARNS.as_secs());
            if age >= whole || visit.house.settled.is_vouched(pass.id, visit.now.unix()) {
                return WHOLE;
            }
            new + (u64::from(WHOLE - new) * age / whole) as u32
        }
    }
}

/// Whether a request spends from its prefix's bucket, before its pass's own or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leans {
    No,
    /// The parts of a newcomer's first page are more than a beginner's budget, which is kept for pages.
    First,
    /// With a quiet pass nobody is worse off than without one.
    Last,
}

pub fn leans(visit: &Visit<'_>, quota: &Quota) -> Leans {
    let Some(pass) = visit.pass.filter(|_| quota.budget && quota.per == Per::Client) else { return Leans::No };
    match pass.lane {
        Lane::Quiet => Leans::Last,
        _ if visit.kind == Kind::Subresource && earned(visit, &pass, new(quota)) < WHOLE => Leans::First,
        _ => Leans::No,
    }
}

/// Takes from what all passes of the network that are nobody's of long standing have together, where the posture bounds
/// that: passes that are farmed are worth no more than a crowd of people's.
///
/// # Errors
/// [`Limited`]; the pass's own token is spent.
pub fn take_of_crowd(visit: &Visit<'_>, quota: &Quota) -> Result<(), Limited> {
    let crowd = visit.effects().crowd;
    let counts = crowd > 0 && quota.budget && quota.per == Per::Client && visit.pass.is_some();
    if !counts || visit.is_settled() {
        return Ok(());
    }
    let key = Key::Crowd(visit.client.network.0);
    visit.house.limits.take(quota, key, key, crowd, visit.now.mono)
}

/// Takes from the prefix's bucket.
///
/// # Errors
/// [`Limited`], with nothing spent.
pub fn take_of_prefix(visit: &Visit<'_>, quota: &Quota) -> Result<(), Limited> {
    let Client { prefix, network, .. } = visit.client;
    let (key, coarse) = (Key::Prefix(prefix.0), Key::Network(network.0));
    visit.house.limits.take(quota, key, coarse, without_pass(visit), visit.now.mono)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::decide::{self, Decision};
    use super::super::explain::Asked;
    use super::super::read;
    use super::super::tests::house;
    use super::*;
    use crate::challenge::Asker;
    use crate::force::House;
    use crate::plan::Level;
    use crate::posture::Pin;
    use crate::wire::Arrival;

    const HOUR: Duration = Duration::from_secs(3600);

    fn pin(house: &House, level: Level) {
        let (reason, by) = ("a test".to_owned(), "test".to_owned());
        let now = house.now().unix();
        let pin = Pin { level, until: u64::MAX, reason, by, since: now, then: None, portal: None };
        let standing = house.standing.load().pin(pin).noted(["huduma"].into_iter(), now);
        house.standing.store(standing.into());
    }

    fn asked(method: &str, from: &str, fields: &[(&str, &str)]) -> Asked {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Asked {
            method: method.into(),
            scheme: "http",
            authority: "huduma.example".into(),
            path: "/form".into(),
            query: None,
            fields,
            from: from.parse().unwrap(),
            posture: None,
            pass: None,
            settled: false,
        }
    }

    const PAGE: (&str, &str) = ("sec-fetch-mode", "navigate");
    const SCRIPT: (&str, &str) = ("sec-fetch-mode", "cors");

    fn decides(house: &House, asked: &Asked) -> Decision {
        let client = Client::new(asked.from, asked.from, 64, false);
        let arrival = Arrival { scheme: asked.scheme, redirect_https: false };
        let mut visit = Visit::open(house, String::new(), client, arrival);
        let request = read::read(&mut visit, asked).unwrap();
        let law = visit.law.clone();
        let plan = law.rules.plan(&request.facts(&visit, asked), visit.level, visit.now.unix());
        decide::decide(&mut visit, &request, &plan, asked)
    }

    fn goes(house: &House, asked: &Asked) -> bool {
        matches!(decides(house, asked), Decision::Go(_))
    }

    /// A pass, as the value of a Cookie field.
    fn pass(house: &House, lane: Lane, from: &str) -> String {
        let challenge = house.challenge.load();
        let prefix = Client::new(from.parse().unwrap(), from.parse().unwrap(), 64, false).prefix;
        let browser = crate::facts::browser(&asked("GET", from, &[]));
        let quiet = challenge.quiet(&Asker { prefix, browser }, house.now().unix()).unwrap();
        let level = u8::from(lane != Lane::Quiet);
        format!("boma_pass={}", challenge.seal_pass(&Pass { lane, level, ..quiet }))
    }

    const HOME: &str = "203.0.113.7";

    #[test]
    fn grace_is_for_an_hour_and_for_what_was_begun() {
        let house = house("");
        let cookie = pass(&house, Lane::Quiet, HOME);
        house.clock.advance(HOUR / 2);
        pin(&house, Level::Attack);
        let with = |method, kind| asked(method, HOME, &[kind, ("cookie", cookie.as_str())]);
        let late = pass(&house, Lane::Quiet, HOME);
        house.clock.advance(HOUR / 2);
        assert!(goes(&house, &with("POST", PAGE)) && goes(&house, &with("GET", SCRIPT)));
        assert!(!goes(&house, &with("GET", PAGE)), "another page is none of what was begun");
        let made_since = pass(&house, Lane::Quiet, HOME);
        assert!(!goes(&house, &asked("POST", HOME, &[PAGE, ("cookie", &made_since)])), "who came since has none");
        assert!(goes(&house, &asked("POST", HOME, &[PAGE, ("cookie", &late)])), "who came in its first second has");
        house.clock.advance(HOUR / 2);
        assert!(!goes(&house, &with("POST", PAGE)) && !goes(&house, &with("GET", SCRIPT)));
    }

    #[test]
    fn what_was_opened_with_a_pass_may_be_finished_after_its_end() {
        let house = house("");
        pin(&house, Level::Attack);
        let cookie = pass(&house, Lane::Script, HOME);
        let with = |method, kind| asked(method, HOME, &[kind, ("cookie", cookie.as_str())]);
        assert!(goes(&house, &with("GET", PAGE)));
        house.clock.advance(12 * HOUR + HOUR / 2);
        assert!(!goes(&house, &with("GET", PAGE)));
        assert!(goes(&house, &with("POST", PAGE)) && goes(&house, &with("GET", SCRIPT)));
        house.clock.advance(HOUR);
        assert!(!goes(&house, &with("POST", PAGE)) && !goes(&house, &with("GET", SCRIPT)));
    }

    /// How many requests at once a pass carries.
    fn carries(house: &House, cookie: &str, from: &str, kind: (&str, &str)) -> usize {
        let asked = asked("GET", from, &[kind, ("cookie", cookie), ("sec-fetch-dest", "empty")]);
        (0..1000).take_while(|_| goes(house, &asked)).count()
    }

    #[test]
    fn a_pass_begins_with_a_tenth_and_earns_the_rest() {
        for (level, new, old) in [(Level::Normal, 30, 300), (Level::Guarded, 30, 300), (Level::Attack, 30, 150)] {
            let house = house("");
            pin(&house, level);
            let [first, second, third] = [(); 3].map(|()| pass(&house, Lane::Script, HOME));
            assert_eq!(carries(&house, &first, HOME, PAGE), new, "{level}");
            assert_eq!(carries(&house, &second, "198.51.100.9", PAGE), new, "abroad, {level}");
            house.clock.advance(bounds::PASS_EARNS);
            assert_eq!(carries(&house, &first, HOME, PAGE), old, "{level}");
            assert_eq!(carries(&house, &second, "198.51.100.9", PAGE), old / 4, "abroad, {level}");
            assert_eq!(carries(&house, &third, HOME, PAGE), old, "{level}");
        }
    }

    #[test]
    fn a_quiet_pass_leaves_nobody_worse_off_and_a_first_page_comes_whole() {
        let house = house("");
        let quiet = pass(&house, Lane::Quiet, HOME);
        assert_eq!(carries(&house, &quiet, HOME, PAGE), 330, "a tenth, and the prefix's");
        pin(&house, Level::Attack);
        let new = pass(&house, Lane::Script, "203.0.113.8");
        let image = ("sec-fetch-dest", "image");
        let part = asked("GET", "203.0.113.8", &[("cookie", new.as_str()), image]);
        assert_eq!((0..1000).take_while(|_| goes(&house, &part)).count(), 180, "its tenth, and half of the prefix's");
    }

    #[test]
    fn a_farm_of_passes_has_what_a_crowd_has_and_citizens_of_long_standing_are_not_of_it() {
        let house = house("");
        let citizen = pass(&house, Lane::Script, "203.0.113.1");
        house.clock.advance(bounds::SETTLED);
        pin(&house, Level::Attack);
        let carried = |n: u8| {
            let from = format!("203.0.113.{n}");
            carries(&house, &pass(&house, Lane::Script, &from), &from, PAGE)
        };
        assert_eq!((2..252).map(carried).sum::<usize>(), 3000, "ten budgets, not thirty requests of each");
        assert_eq!(carries(&house, &citizen, "203.0.113.1", PAGE), 150);
        assert_eq!(carries(&house, &pass(&house, Lane::Script, "203.0.114.1"), "203.0.114.1", PAGE), 30, "elsewhere");
    }

    #[test]
    fn who_could_not_work_shares_and_whose_code_it_is_does_not() {
        let house = house("");
        pin(&house, Level::Attack);
        let [one, other] = [(); 2].map(|()| pass(&house, Lane::Button, HOME));
        assert_eq!(carries(&house, &one, HOME, PAGE) + carries(&house, &other, HOME, PAGE), 75);
        let elsewhere = pass(&house, Lane::Button, "203.0.113.8");
        assert_eq!(carries(&house, &elsewhere, "203.0.113.8", PAGE), 75);
        assert_eq!(carries(&house, &pass(&house, Lane::Code, HOME), HOME, PAGE), 150);
    }
}
