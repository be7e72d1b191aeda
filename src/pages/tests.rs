//! Every page in every language, the banner, and who reads what.

use super::*;
use crate::portal::{OriginAddress, Routes, Service, SnapshotPlan};
use crate::wire::Hole;

fn portal(title: &str, languages: &[&str]) -> Arc<Portal> {
    Arc::new(Portal {
        name: "p".into(),
        hosts: vec!["*".into()],
        host: None,
        canonical_host_header: false,
        title: title.into(),
        timezone: "Africa/Nairobi".into(),
        languages: languages.iter().map(|l| (*l).to_owned()).collect(),
        body_timeout: std::time::Duration::from_secs(60),
        stream_timeout: std::time::Duration::from_secs(60),
        health: None,
        max_connections: 8,
        tls: Default::default(),
        origins: vec![OriginAddress { scheme: crate::portal::Scheme::Http, host: "127.0.0.1".into(), port: 1 }],
        connect_timeout: std::time::Duration::from_secs(1),
        response_timeout: std::time::Duration::from_secs(1),
        max_in_flight: 1,
        pass_domain: None,
        snapshot: SnapshotPlan { start: vec![], every: std::time::Duration::from_secs(1), pages: 1 },
        services: vec![Service {
            name: vec![("en".into(), "Pay".into())],
            paths: vec!["/pay".into()],
            phone: Some("+254 20".into()),
            ..Service::default()
        }],
        session_proof: vec![],
        session_cookies: vec![],
        routes: Routes::new(vec![]),
    })
}

fn text(html: &Html) -> String {
    String::from_utf8(html.body.bytes.to_vec()).unwrap()
}

#[test]
fn every_language_has_every_key() {
    let english: std::collections::BTreeSet<&String> = text::shipped()[0].texts.keys().collect();
    assert!(english.len() > 40);
    for language in text::shipped() {
        assert_eq!(language.texts.keys().collect::<std::collections::BTreeSet<_>>(), english, "{}", language.tag);
        assert!(
            language.texts.values().all(|t| !t.is_empty() && !t.to_lowercase().contains("maintenance")),
            "{}",
            language.tag
        );
    }
}

#[test]
fn every_page_renders_in_every_language_with_its_holes_and_its_policy() {
    let shelf = Shelf::new(&[portal("<b>&\"Huduma", &["en", "sw", "fr", "sq", "ar"])]);
    for language in 0..5 {
        for page in Page::ALL {
            let html = shelf.page(0, language, page);
            let body = text(html);
            assert!(
                body.contains("&lt;b&gt;&amp;&quot;Huduma") && !body.contains("<b>&"),
                "{page:?}: the title is escaped"
            );
            assert!(body.contains("tel:+25420"), "{page:?}: a way out");
            assert_eq!(body.matches("<h1>").count(), 1);
            assert!(!body.contains("{portal}"));
            let challenge = matches!(page, Page::Challenge | Page::ChallengeForm | Page::ChallengeResend);
            let holes = &html.body.holes;
            let width = |hole| holes.iter().find(|(h, _)| *h == hole).map(|(_, r)| r.len());
            assert_eq!(width(Hole::Reference), Some(20), "{page:?}");
            assert_eq!(width(Hole::Seal), challenge.then_some(96), "{page:?}");
            assert_eq!(width(Hole::Form).is_some(), page.carries(), "{page:?}");
            assert!(holes.windows(2).all(|two| two[0].1.end <= two[1].1.start), "{page:?}: in order");
            assert_eq!(html.csp.contains("form-action 'none'"), !page.carries() && page != Page::ChallengeResend);
            assert!(body.len() < 14_000, "{page:?} has {} bytes", body.len());
            for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
                if let Some((_, rest)) = body.split_once(open) {
                    let inside = rest.split_once(close).unwrap().0;
                    assert!(html.csp.contains(&render::hash(inside)), "{page:?}: {open} is admitted");
                }
            }
        }
    }
    assert!(text(shelf.page(0, 4, Page::Statement)).contains("<html lang=\"ar\" dir=\"rtl\">"));
}

#[test]
fn filling_a_page_changes_its_holes_and_nothing_else() {
    let shelf = Shelf::new(&[portal("Huduma", &["en"])]);
    let html = shelf.page(0, 0, Page::Challenge);
    let fill = |hole, out: &mut [u8]| out.fill(if hole == Hole::Seal { b's' } else { b'r' });
    let filled = html.body.fill(b"", fill);
    assert_eq!(filled.len(), html.body.bytes.len());
    let filled = String::from_utf8(filled.to_vec()).unwrap();
    assert!(filled.contains(&"s".repeat(96)) && filled.contains(&"r".repeat(20)) && !filled.contains("HOLE"));
    let html = shelf.page(0, 0, Page::ChallengeForm);
    let filled = String::from_utf8(html.body.fill(b"a-form", fill).to_vec()).unwrap();
    assert!(filled.contains("name=\"boma-form\" value=\"a-form\"") && !filled.contains("HOLE"), "{filled}");
    assert!(filled.contains(&format!("name=\"boma-seal\" value=\"{}\"", "s".repeat(96))));
}

#[test]
fn a_reader_gets_their_language() {
    let shelf = Shelf::new(&[portal("H", &["sw", "en", "fr"])]);
    for (query, accept, expected) in [
        (None, None, 0),
        (None, Some("en-GB,en;q=0.9"), 1),
        (None, Some("de, fr;q=0.5, en;q=0.4"), 2),
        (None, Some("en;q=0, fr;q=0.1"), 2),
        (Some("a=1&lang=fr"), Some("en"), 2),
        (Some("lang=xx"), Some("en"), 1),
        (None, Some(";;q=,,"), 0),
    ] {
        assert_eq!(shelf.language(0, query, accept), expected, "{query:?} {accept:?}");
    }
}

#[test]
fn a_snapshot_is_dated_in_its_own_language_and_its_forms_are_inert() {
    let shelf = Shelf::new(&[portal("H", &["en", "sw"])]);
    let banner = |html: &str| String::from_utf8(shelf.banner(0, html.as_bytes(), 1_790_000_000)).unwrap();
    let page = banner(
        "<!DOCTYPE html><html lang=\"sw\"><!-- <body> --><BODY class=\"a>b\"><form action=/x><p>Karibu</form></BODY></html>",
    );
    assert!(page.contains("<BODY class=\"a>b\"><style>#boma-banner"), "{page}");
    assert!(page.contains("lang=\"sw\" dir=\"ltr\">Hii ni nakala") && page.contains("2026-09-21 17:13 EAT"), "{page}");
    assert!(page.contains("<form inert action=/x>"), "{page}");
    assert!(banner("<html lang=de><body>x").contains("This is a copy"));
    assert!(banner("<!doctype html><p>x").starts_with("<!doctype html><style>"));
    assert!(banner("plain <formula>").ends_with("plain <formula>"));
}

#[test]
fn a_pages_own_policy_admits_the_banner_and_nothing_more() {
    let hash = format!("'{}'", admit_banner("style-src").split('\'').nth(1).unwrap());
    for (before, after) in [
        ("default-src 'self'", format!("default-src 'self'; style-src 'self' {hash}")),
        ("default-src 'none'; style-src 'self'", format!("default-src 'none'; style-src 'self' {hash}")),
        ("style-src 'none'", format!("style-src {hash}")),
        ("style-src 'self'; style-src-elem a.example", format!("style-src 'self'; style-src-elem a.example {hash}")),
        ("style-src 'self' 'unsafe-inline'", "style-src 'self' 'unsafe-inline'".into()),
        ("script-src 'self'", "script-src 'self'".into()),
    ] {
        assert_eq!(admit_banner(before), after);
    }
}
