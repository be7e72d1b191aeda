//! What becomes of claims, with the time handed in.

use super::*;

const NOW: u64 = 1_790_000_100;
const GOOGLE: &[u8] = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

fn bot(name: &str, domains: &[&str]) -> Bot {
    let domains = domains.iter().map(|d| (*d).to_owned()).collect();
    Bot { name: name.into(), agents: vec![format!("*{name}*")], domains, ranges: None }
}

fn bots(all: &[Bot]) -> Bots {
    let bots = Bots::new(&Secret::parse(&"11".repeat(32)).unwrap());
    bots.publish(Roll::new(all, |_| None));
    bots
}

fn address() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn standing(bots: &Bots, now: u64) -> Standing {
    bots.claim(Some(GOOGLE), address(), now).unwrap().standing
}

/// What is asked when it claims to be one, if anything.
fn asked(bots: &Bots, waiting: &mut Receiver<Question>, now: u64) -> Option<Question> {
    bots.ask(&bots.claim(Some(GOOGLE), address(), now).unwrap(), now);
    waiting.try_recv().ok()
}

#[test]
fn a_claim_is_nothing_until_it_is_confirmed_and_good_answers_outlast_name_servers() {
    let bots = bots(&[bot("googlebot", &["googlebot.com"])]);
    assert!(
        bots.claim(Some(b"Mozilla/5.0 Firefox"), address(), NOW).is_none()
            && bots.claim(None, address(), NOW).is_none()
    );
    let mut waiting = bots.questions().unwrap();
    assert_eq!(standing(&bots, NOW), Standing::Unknown);
    let question = asked(&bots, &mut waiting, NOW).unwrap();
    assert!(asked(&bots, &mut waiting, NOW + 60).is_none(), "once");
    bots.answer(&question, Err(NoAnswer), NOW);
    assert!(asked(&bots, &mut waiting, NOW + 1200).is_some(), "and again after a while");
    bots.answer(&question, Ok(true), NOW);
    assert_eq!(standing(&bots, NOW), Standing::Verified);
    assert!(asked(&bots, &mut waiting, NOW + 3600).is_none(), "known for hours");
    let day = NOW + 24 * 3600;
    let again = asked(&bots, &mut waiting, day).unwrap();
    assert_eq!(standing(&bots, day), Standing::Verified, "meanwhile it stays");
    bots.answer(&again, Err(NoAnswer), day);
    assert_eq!(standing(&bots, day + 3600), Standing::Verified, "nobody could say: the last good answer stays");
    assert_eq!(standing(&bots, NOW + 50 * 3600), Standing::Unknown, "not for ever");
    bots.answer(&again, Ok(false), day);
    assert_eq!(standing(&bots, day), Standing::Refuted, "an answer is an answer");
    assert!(asked(&bots, &mut waiting, day + 1800).is_none());
    assert!(asked(&bots, &mut waiting, day + 2 * 3600).is_some(), "bad ones hold for an hour");
}

#[test]
fn another_bot_and_other_domains_are_asked_about_anew() {
    let one = bots(&[bot("googlebot", &["googlebot.com"]), bot("bot/2.1", &["other.example"])]);
    let mut waiting = one.questions().unwrap();
    let question = asked(&one, &mut waiting, NOW).unwrap();
    one.answer(&question, Ok(true), NOW);
    let claim = one.claim(Some(GOOGLE), address(), NOW).unwrap();
    assert_eq!((&*claim.name, claim.standing), ("googlebot", Standing::Verified), "of two the one that it is");
    one.publish(Roll::new(&[bot("googlebot", &["google.com"])], |_| None));
    assert_eq!(standing(&one, NOW), Standing::Unknown);
    one.publish(Roll::default());
    assert!(one.claim(Some(GOOGLE), address(), NOW).is_none());
}

#[test]
fn published_networks_need_no_question() {
    let published = |_: &Bot| {
        let ranges = Ranges::read("192.0.2.0/24").unwrap();
        Some(Published { ranges, file: "g.json".into(), written: NOW - 3 * 86_400 })
    };
    let bots = bots(&[]);
    bots.publish(Roll::new(&[bot("googlebot", &[])], published));
    assert_eq!(standing(&bots, NOW), Standing::Verified);
    let other = bots.claim(Some(GOOGLE), "198.51.100.1".parse().unwrap(), NOW).unwrap();
    assert_eq!((other.standing, other.question.is_none()), (Standing::Refuted, true));
    let line = &bots.lines(NOW)[0];
    assert_eq!((line.networks, line.days), (Some(1), Some(3)));
}

#[test]
fn a_flood_of_claims_fills_the_queue_and_nothing_else() {
    let bots = bots(&[bot("googlebot", &["googlebot.com"])]);
    let mut waiting = bots.questions().unwrap();
    for n in 0..30_000u32 {
        let address = IpAddr::from((0xc633_0000 + n).to_be_bytes());
        bots.ask(&bots.claim(Some(GOOGLE), address, NOW).unwrap(), NOW);
    }
    let mut all = 0;
    while waiting.try_recv().is_ok() {
        all += 1;
    }
    assert_eq!(all, bounds::BOT_QUEUE);
    assert!(asked(&bots, &mut waiting, NOW).is_some(), "who found it full is asked about later");
}
