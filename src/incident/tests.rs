//! What incidents keep and refuse, and what their templates say.

use jiff::tz::TimeZone;

use super::*;
use crate::words::Words;

fn texts(all: &[(&str, &str)]) -> Texts {
    all.iter().map(|(tag, text)| ((*tag).to_owned(), (*text).to_owned())).collect()
}

fn said(text: &str) -> Said {
    Said { text: texts(&[("en", text)]), ..Said::default() }
}

fn press() -> Author {
    Author { by: "staff press (communicator)".into(), office: None }
}

fn opened() -> Incident {
    let first =
        Said { title: texts(&[("en", "Slow")]), works: texts(&[("en", "Reading")]), next: Some(200), ..said("One") };
    Incident::open(7, None, first, press(), 100).unwrap()
}

#[test]
fn what_holds_is_what_was_said_last_and_what_was_said_before_stays() {
    let second = Said { state: Some(State::Identified), works: texts(&[("en", "Paying")]), ..said("Two") };
    let incident = opened().update(second, press(), 150).unwrap();
    let present = incident.present();
    assert_eq!((present.state, &present.works), (Some(State::Identified), &texts(&[("en", "Paying")])));
    assert_eq!((present.title, present.next), (texts(&[("en", "Slow")]), None), "a promise is kept by the next update");
    assert_eq!(incident.updates[0].said, opened().updates[0].said);
    assert!(!incident.is_late(1000) && opened().is_late(201) && !opened().is_late(200));
}

#[test]
fn a_text_that_is_said_anew_takes_its_old_translations_with_it() {
    let both = Said { works: texts(&[("en", "All"), ("sw", "Yote")]), ..said("x") };
    let later = Said { works: texts(&[("en", "Nothing")]), ..Said::default() };
    assert_eq!(both.with(&later).works, texts(&[("en", "Nothing")]));
}

#[test]
fn a_correction_keeps_what_it_replaces() {
    let incident = opened().correct(1, said("1"), "press".into(), 160).unwrap();
    let update = &incident.updates[0];
    assert_eq!((&update.said.text, update.corrections[0].at), (&texts(&[("en", "1")]), 160));
    assert_eq!(update.corrections[0].before, opened().updates[0].said);
    assert_eq!((update.said.works.clone(), incident.changed()), (texts(&[("en", "Reading")]), 160));
    for (n, said, hint) in [
        (1, said("1"), "says that already"),
        (2, said("x"), "there is no update 2"),
        (1, Said { state: Some(State::Resolved), ..Said::default() }, "an update of their own"),
    ] {
        assert!(incident.correct(n, said, "press".into(), 170).unwrap_err().contains(hint), "{hint}");
    }
}

#[test]
fn what_is_withdrawn_or_resolved_stays_so() {
    let withdrawn = opened().withdraw(texts(&[("en", "Not so")]), "press".into(), 300).unwrap();
    assert_eq!((withdrawn.ended(), withdrawn.is_late(400), withdrawn.is_current(400)), (Some(300), false, false));
    assert!(withdrawn.update(said("x"), press(), 301).unwrap_err().contains("was withdrawn"));
    let resolved = opened().update(Said { state: Some(State::Resolved), ..said("Done") }, press(), 300).unwrap();
    assert_eq!((resolved.ended(), resolved.next()), (Some(300), None));
    assert!(resolved.update(said("x"), press(), 301).unwrap_err().contains("open it again"));
    let again = resolved.update(Said { state: Some(State::Monitoring), ..said("Again") }, press(), 301).unwrap();
    assert!(again.is_current(302) && again.ended().is_none());
}

#[test]
fn what_is_planned_is_under_way_when_it_begins() {
    let first = || Said { title: texts(&[("en", "Work")]), state: Some(State::Scheduled), ..said("x") };
    assert!(Incident::open(1, None, first(), press(), 1).unwrap_err().contains("--starts"));
    let planned = Said { starts: Some(50), ends: Some(60), ..first() };
    let incident = Incident::open(1, None, planned, press(), 1).unwrap();
    assert!(!incident.is_current(49) && incident.is_current(50));
    let wrong = Said { starts: Some(50), ends: Some(50), ..first() };
    assert!(Incident::open(1, None, wrong, press(), 1).unwrap_err().contains("ends before it begins"));
}

#[test]
fn what_cannot_be_shown_or_is_too_long_is_refused_with_a_hint() {
    let title = |text: &str| Said { title: texts(&[("en", text)]), ..said("x") };
    for (wrong, hint) in [
        (Said { title: Texts::new(), ..said("x") }, "there is no title"),
        (Said { text: Texts::new(), ..title("x") }, "there is no text"),
        (title(&"x".repeat(121)), "write 1 to 120"),
        (title("a\u{202e}b"), "U+202E"),
        (title("a\u{0}b"), "U+0000"),
        (Said { title: texts(&[("e n", "x")]), ..said("x") }, "no language tag"),
        (Said { affects: Some(vec!["x".into(); 21]), ..title("x") }, "name 20 at most"),
        (Said { state: Some(State::Resolved), ..title("x") }, "not resolved yet"),
    ] {
        let why = Incident::open(1, None, wrong, press(), 1).unwrap_err();
        assert!(why.contains(hint), "{why}");
    }
    let mut incident = opened();
    for n in 1..bounds::INCIDENT_UPDATES {
        incident = incident.update(said(&n.to_string()), press(), 100).unwrap();
    }
    assert!(incident.update(said("x"), press(), 100).unwrap_err().contains("150 updates"));
}

#[test]
fn every_template_is_whole_in_every_shipped_language_and_says_what_it_may() {
    let (words, languages) = (Words::shipped(), ["ar", "en", "fr", "sq", "sw"]);
    let tags = languages.map(str::to_owned);
    let spoken = Spoken { words: &words, tags: &tags };
    for name in TEMPLATES.into_iter().chain([RESOLVED]) {
        let draft = template(name, spoken).unwrap();
        assert_eq!(draft.text.keys().collect::<Vec<_>>(), languages, "{name}");
        if name != RESOLVED {
            assert_eq!(draft.title.keys().collect::<Vec<_>>(), languages, "{name}");
        }
        for text in draft.text.values().chain(draft.title.values()) {
            let lower = text.to_lowercase();
            for word in ["attack", "attaque", "sulm", "shambulio", "هجوم", "maintenance", "technical"] {
                assert!(!lower.contains(word), "{name}: {word} in {text}");
            }
        }
        let mut said = draft.said(1000, &TimeZone::UTC, spoken).unwrap();
        if name != RESOLVED {
            said.starts = (said.state == Some(State::Scheduled)).then_some(2000);
            let incident = Incident::open(1, None, said, press(), 1000).unwrap();
            assert_eq!(incident.next().is_some(), name != "planned-work", "{name}");
        }
    }
}

#[test]
fn a_template_speaks_the_languages_that_are_asked_for_and_english_where_none_says_it() {
    let file =
        "name = \"Soomaali\"\ndir = \"ltr\"\npartial = true\ntemplate_flood_title = \"{portal} wuu gaabis yahay\"\n";
    let words = Words::new(vec![crate::words::read("so.toml", file, "so").value]);
    let said = |tags: &[&str]| {
        let tags: Vec<String> = tags.iter().map(|t| (*t).to_owned()).collect();
        let draft = template("flood", Spoken { words: &words, tags: &tags }).unwrap();
        (draft.title, draft.text.into_keys().collect::<Vec<_>>())
    };
    let (title, text) = said(&["sw", "so"]);
    assert_eq!(title["so"], "{portal} wuu gaabis yahay");
    assert_eq!(
        (title.into_keys().collect::<Vec<_>>(), text),
        (vec!["so".to_owned(), "sw".into()], vec!["sw".to_owned()])
    );
    assert_eq!(said(&["so"]).1, ["en"], "nobody says the text");
    assert_eq!(said(&["sw-KE", "xx"]).1, ["sw"]);
}

#[test]
fn times_are_written_from_now_or_by_the_portals_calendar() {
    let zone = TimeZone::get("Africa/Nairobi").unwrap();
    let words = Words::shipped();
    let spoken = Spoken { words: &words, tags: &[] };
    for (text, unix) in [
        ("30m", 1000 + 1800),
        ("2026-12-01T22:00", 1_796_151_600),
        ("2026-12-01 22:00", 1_796_151_600),
        ("2026-12-01T22:00+02:00", 1_796_155_200),
    ] {
        let draft = Draft { ends: Some(text.into()), ..Draft::default() };
        assert_eq!(draft.said(1000, &zone, spoken).unwrap().ends, Some(unix), "{text}");
    }
    let wrong = |draft: Draft| draft.said(1000, &zone, spoken).unwrap_err();
    assert!(wrong(Draft { ends: Some("soon".into()), ..Draft::default() }).contains("no time"));
    assert!(wrong(Draft { next: Some("1970-01-01T00:00Z".into()), ..Draft::default() }).contains("due already"));
    assert!(wrong(Draft { template: Some("flod".into()), ..Draft::default() }).contains("precautionary-shutdown"));
    assert!(wrong(Draft { template: Some(RESOLVED.into()), ..Draft::default() }).contains("there is no template"));
}

#[test]
fn short_messages_say_what_sending_them_takes() {
    for (text, encoding, parts, because) in [
        ("a".repeat(160), "GSM-7", 1, ""),
        ("a".repeat(159) + "€", "GSM-7", 2, ""),
        ("ë".repeat(70), "UCS-2", 1, "ë"),
        ("ë".repeat(71), "UCS-2", 2, "ë"),
        ("ش".repeat(160), "UCS-2", 3, "ش"),
        ("Ça été réparé à Málaga".to_owned(), "UCS-2", 1, "á"),
    ] {
        let sms = sms::fit(&[&text]);
        assert_eq!((sms.encoding, sms.parts, sms.because.as_str()), (encoding, parts, because), "{text}");
    }
    let sms = sms::fit(&[&"word ".repeat(40), "more"]);
    assert!(sms.characters <= 160 && sms.text.ends_with("word..."), "{sms:?}");
    assert_eq!(sms::fit(&["Slow.", &"x".repeat(160), "", "https://h.example"]).text, "Slow. https://h.example");
}
