//! Challenges that are given out, and passes that are made, renewed and set: how hard, how many for one prefix, and on
//! which answers.
//!
//! Does not know: how a seal is made, what a pass is asked for.

use crate::challenge::{Ask, Asker, Demand, SEAL_WIDTH, Work};
use crate::facts::{self, Kind, Lane, Pass};
use crate::limit::Key;
use crate::plan::Quota;
use crate::posture::origin_of;
use crate::telemetry::metrics::OutcomeLabel;
use crate::wire::{Fields, Head};
use crate::{bounds, client::Client};

use super::holder;
use super::read::{COOKIE, LANGUAGE_COOKIE, Request};
use super::visit::Visit;

/// Who is asking, as seals and passes are bound to them.
pub fn asker(visit: &Visit<'_>, head: &dyn Head) -> Asker {
    Asker { prefix: visit.client.prefix, browser: facts::browser(head) }
}

/// What a challenge asks of whoever is asking now.
pub fn ask(visit: &Visit<'_>, head: &dyn Head) -> Ask {
    let level = visit.needed.max(1);
    let (posture, pressed) = match visit.portal {
        Some(_) => (visit.effects().work, visit.gate().is_pressed()),
        None => (0, false),
    };
    let quota = &visit.house.minted;
    let used = |key| visit.house.limits.used(quota, key, visit.now.mono);
    // Four times as many for the network in the same time: as full a bucket means as much.
    let minted = used(Key::Prefix(visit.client.prefix.0)).max(used(Key::Network(visit.client.network.0)));
    let step = Demand { level, posture, pressed, minted }.step();
    Ask { level, work: Work::step(step), wait: Work::wait(step), browser: facts::browser(head) }
}

/// A sealed challenge. Nothing is kept of it, but that the place in line of whoever has one is not to lapse meanwhile.
pub fn issue(visit: &mut Visit<'_>, head: &dyn Head, ask: &Ask) -> [u8; SEAL_WIDTH] {
    count(visit, "issued");
    holder::checks(visit, head);
    visit.unheard = is_unheard(visit);
    if visit.unheard {
        count(visit, "bare");
    }
    if visit.portal.is_some() {
        visit.signals().issued(&visit.client);
    }
    let mut seal = [0; SEAL_WIDTH];
    visit.house.challenge.load().issue(ask, visit.now.unix(), &mut seal);
    seal
}

/// Whether the network (/24, /48) was given many challenges of late and answered none: on robots the whole page is wasted. One
/// answer, by script or by button, gets it back for all in the network; who comes with a pass of any kind is no stranger.
fn is_unheard(visit: &Visit<'_>) -> bool {
    let (house, network, now) = (visit.house, Key::Network(visit.client.network.0), visit.now.mono);
    if visit.pass.is_some() || house.limits.used(&house.answered, network, now) > 0 {
        return false;
    }
    house.limits.take(&house.unanswered, network, network, 1000, now).is_err()
}

/// Notes what became of a challenge.
pub fn count(visit: &Visit<'_>, outcome: &'static str) {
    visit.house.metrics.challenge.get_or_create(&OutcomeLabel { outcome }).inc();
}

/// Takes in a pass that was just earned. Of those that are made for one prefix only so many get a budget each; the others
/// share one, so that nobody is turned away and nothing is gained by making more.
pub fn earned(visit: &mut Visit<'_>, mut pass: Pass) -> Pass {
    count(visit, "solved");
    let house = visit.house;
    let network = Key::Network(visit.client.network.0);
    let _ = house.limits.take(&house.answered, network, network, 1000, visit.now.mono);
    house.settled.made(&pass, origin_of(&visit.client), visit.now.unix());
    if visit.portal.is_some() {
        visit.signals().solved(&visit.client);
    }
    if pass.lane == Lane::Script && !has_room(visit, &house.minted) {
        (pass.lane, pass.home) = (Lane::Shared, facts::home(visit.client.network));
    }
    if let Some(before) = visit.pass {
        house.habits.moved(before.id, pass.id, visit.now.unix());
    }
    visit.pass = Some(pass);
    pass
}

/// Whether the prefix, and the network around it, get another of these; it is counted.
pub fn has_room(visit: &Visit<'_>, quota: &Quota) -> bool {
    let Client { prefix, network, .. } = visit.client;
    let take =
        |key, factor| visit.house.limits.take(quota, key, Key::Network(network.0), factor, visit.now.mono).is_ok();
    take(Key::Prefix(prefix.0), 1000) && take(Key::Network(network.0), 1000 * bounds::MINTED_OF_NETWORK)
}

/// Sets what an answer of the origin's should leave with the browser: a quiet pass with the first page while all is quiet, and
/// a pass in use renewed. Only on answers to navigations that no shared cache keeps.
pub fn keep(visit: &Visit<'_>, request: &Request, head: &dyn Head, status: u16, fields: &mut Fields) {
    if visit.kind != Kind::Navigation || head.method() != "GET" || fields.all("cache-control").any(is_shared) {
        return;
    }
    let challenge = visit.house.challenge.load();
    let pass = match &visit.pass {
        Some(pass) => challenge.renew(pass, visit.client.prefix, visit.now.unix()),
        None if visit.bot().is_some() => None,
        None if (200..300).contains(&status) && visit.effects().quiet && has_room(visit, &visit.house.quiet) => {
            challenge.quiet(&asker(visit, head), visit.now.unix())
        }
        None => None,
    };
    if let Some(pass) = pass {
        set(visit, request, &pass, fields);
    }
}

/// A quiet pass for whoever has none and must be known again; `None` where the posture gives out none, or the prefix has had too
/// many of late.
pub fn newcomer(visit: &Visit<'_>, head: &dyn Head) -> Option<Pass> {
    let gives = visit.effects().quiet && has_room(visit, &visit.house.quiet);
    gives.then(|| visit.house.challenge.load().quiet(&asker(visit, head), visit.now.unix())).flatten()
}

/// Sets a pass on an answer, which no shared cache may keep then.
pub fn set(visit: &Visit<'_>, request: &Request, pass: &Pass, fields: &mut Fields) {
    set_by(visit, request.scheme, pass, fields);
}

/// The same, by what the browser speaks.
pub fn set_by(visit: &Visit<'_>, scheme: &str, pass: &Pass, fields: &mut Fields) {
    fields.push("set-cookie", cookie(visit, scheme, pass));
    if fields.first("cache-control").is_none_or(|v| !v.starts_with(b"no-store")) {
        fields.push("cache-control", "private");
    }
}

fn is_shared(cache_control: &[u8]) -> bool {
    let said = String::from_utf8_lossy(cache_control).to_ascii_lowercase();
    said.split(',').any(|d| matches!(d.split('=').next().unwrap_or("").trim(), "public" | "max-age" | "s-maxage"))
}

/// The `boma_pass` cookie. `SameSite=None` on TLS, so that a payment provider's return by POST still carries it.
fn cookie(visit: &Visit<'_>, scheme: &str, pass: &Pass) -> String {
    let challenge = visit.house.challenge.load();
    // What has ended still carries what was opened before, so the browser keeps it that long.
    let age = pass.expires.saturating_sub(visit.now.unix()) + bounds::PASS_GRACE.as_secs();
    own_cookie(visit, scheme, COOKIE, &challenge.seal_pass(pass), age)
}

/// A cookie of boma's own, for as many seconds.
pub fn own_cookie(visit: &Visit<'_>, scheme: &str, name: &str, value: &str, age: u64) -> String {
    let mut cookie = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly");
    if let Some(domain) = visit.portal.and_then(|p| visit.town.portals.list[p].pass_domain.as_deref()) {
        cookie.push_str("; Domain=");
        cookie.push_str(domain);
    }
    cookie.push_str(if scheme == "https" { "; Secure; SameSite=None" } else { "; SameSite=Lax" });
    cookie
}

/// The cookie that keeps a reader's choice of a language for a year. It is no secret, so that it need not be kept to TLS.
pub fn language_cookie(visit: &Visit<'_>) -> String {
    let portal = visit.portal();
    let tag = portal.languages.get(visit.language).map_or("", String::as_str);
    let domain = portal.pass_domain.as_deref().map_or(String::new(), |domain| format!("; Domain={domain}"));
    format!("{LANGUAGE_COOKIE}={tag}; Path=/; Max-Age=31536000; SameSite=Lax{domain}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::house;
    use super::*;
    use crate::force::House;
    use crate::wire::{Arrival, NoHead};

    fn visit<'h>(house: &'h House, from: &str) -> Visit<'h> {
        let client = Client::new(from.parse().unwrap(), from.parse().unwrap(), 64, false);
        Visit::open(house, String::new(), client, Arrival { scheme: "http", redirect_https: false })
    }

    /// Whether whoever comes from there is given the button alone.
    fn is_bare(visit: &mut Visit<'_>) -> bool {
        issue(visit, &NoHead, &Ask { level: 1, work: Work::step(0), wait: 3, browser: 0 });
        visit.unheard
    }

    #[test]
    fn a_network_that_answers_nothing_has_one_whole_page_a_minute_until_it_answers() {
        let house = house("");
        let whole = |most: u32| (0..most).filter(|n| !is_bare(&mut visit(&house, &format!("203.0.113.{n}")))).count();
        assert_eq!(whole(100), bounds::UNANSWERED as usize);
        assert!(!is_bare(&mut visit(&house, "203.0.114.1")), "another network");
        house.clock.advance(Duration::from_secs(60));
        assert_eq!(whole(100), 1);
        let mut known = visit(&house, "203.0.113.1");
        known.pass = Some(Pass::proven(7, 0, 0, u64::MAX));
        assert!(!is_bare(&mut known), "who has a pass of any kind is no stranger");

        earned(&mut visit(&house, "203.0.113.9"), Pass::proven(8, 1, house.now().unix(), u64::MAX));
        assert_eq!(whole(100), 100);
        house.clock.advance(bounds::ANSWERED_FOR / 2);
        earned(&mut visit(&house, "203.0.113.9"), Pass::proven(9, 1, house.now().unix(), u64::MAX));
        house.clock.advance(bounds::ANSWERED_FOR / 2 + Duration::from_secs(5));
        assert_eq!(whole(100), 100, "another answer prolongs it");
        house.clock.advance(bounds::ANSWERED_FOR);
        assert_eq!(whole(100), 20, "twenty minutes in which none was counted");
    }

    #[test]
    fn of_ipv6_the_48_is_one_network() {
        let house = house("");
        let bare = (0..40).filter(|n| is_bare(&mut visit(&house, &format!("2001:db8:1:{n:x}::1")))).count();
        assert_eq!(bare, 40 - bounds::UNANSWERED as usize);
        assert!(!is_bare(&mut visit(&house, "2001:db8:2::1")));
    }
}
