//! What it costs a request to be asked whether it is a good bot's.

use std::hint::black_box;
use std::net::IpAddr;

use boma::bot::Bot;
use boma::bots::{Bots, Published, Ranges, Roll, Standing};
use boma::challenge::Codes;
use boma::seal::Secret;

use super::row;

const NOW: u64 = 1_790_000_000;
const BROWSER: &[u8] =
    b"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36";
const GOOGLE: &[u8] = b"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/131.0.0.0 Safari/537.36";

fn bot(name: &str, domain: &str) -> Bot {
    Bot { name: name.into(), agents: vec![format!("*{name}*")], domains: vec![domain.into()], ranges: None }
}

pub fn bots() {
    let Some(secret) = Secret::random() else { return };
    let address: IpAddr = [192, 0, 2, 7].into();
    let bots = Bots::new(&secret);
    row("bots: claim, none in the settings", 1_000_000, |_| {
        black_box(bots.claim(black_box(Some(BROWSER)), address, NOW));
    });
    let names = [
        "googlebot",
        "bingbot",
        "yandex",
        "baiduspider",
        "duckduckbot",
        "applebot",
        "petalbot",
        "seznambot",
        "qwantbot",
        "mojeek",
    ];
    let all: Vec<Bot> = names.iter().map(|name| bot(name, "crawl.example")).collect();
    bots.publish(Roll::new(&all, |_| None));
    row("bots: claim, a browser, ten bots", 1_000_000, |_| {
        black_box(bots.claim(black_box(Some(BROWSER)), address, NOW));
    });
    row("bots: claim, unknown", 1_000_000, |_| {
        black_box(bots.claim(black_box(Some(GOOGLE)), address, NOW));
    });
    let Some(mut questions) = bots.questions() else { return };
    if let Some(claim) = bots.claim(Some(GOOGLE), address, NOW) {
        bots.ask(&claim, NOW);
        if let Ok(question) = questions.try_recv() {
            bots.answer(&question, Ok(true), NOW);
        }
    }
    row("bots: claim, verified by name", 1_000_000, |_| {
        let claim = bots.claim(black_box(Some(GOOGLE)), address, NOW);
        assert!(claim.is_some_and(|c| c.standing == Standing::Verified));
    });
    let nets: String =
        (0..4000u32).map(|n| format!("{}/27\n", std::net::Ipv4Addr::from(0x4200_0000 + n * 64))).collect();
    let Ok(ranges) = Ranges::read(&nets) else { return };
    let published = Published { ranges, file: "x".into(), written: 0 };
    bots.publish(Roll::new(&all, |_| Some(published.clone())));
    row("bots: claim, one of 4,000 networks", 1_000_000, |i| {
        let address = IpAddr::from((0x4200_0000 + (i as u32 % 4000) * 64).to_be_bytes());
        let claim = bots.claim(black_box(Some(GOOGLE)), address, NOW);
        assert!(claim.is_some_and(|c| c.standing == Standing::Verified));
    });
    let codes = Codes::new(&secret);
    let Some(code) = codes.issue(Some("huduma"), NOW + 86_400) else { return };
    row("codes: open", 100_000, |_| {
        assert!(codes.open(black_box(code.as_bytes()), "huduma", NOW).is_some());
    });
    row("codes: a wrong one", 100_000, |_| {
        assert!(codes.open(black_box(b"00000-00000-00000-00000-00000"), "huduma", NOW).is_none());
    });
}
