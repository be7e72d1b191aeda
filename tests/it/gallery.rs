//! Every page that boma has, in every language, hung up for a real Chromium to look at: whole and at ease at 320 px, in light
//! and dark, by keyboard, right to left, with axe finding nothing. The pages are those that are served, with their
//! policies; what each is shown for is others' to test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use boma::gzip;
use boma::incident::{Author, Draft, Incident, Spoken};
use boma::pages::{Copied, HIDDEN, Html, Mood, News, Page, Restraint, Sheet, Shelf, Shown, admit_banner};
use boma::settings;
use boma::uptime::{Day, Served};
use boma::wire::{Hole, Prepared};
use boma::words::{self, Words};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::harness::Folder;

const NOW: u64 = 1_796_148_000;
const LANGUAGES: [&str; 5] = ["en", "sw", "fr", "sq", "ar"];
const SETTINGS: &str = r#"
[[listen]]
address = "127.0.0.1:8080"
[[portal]]
name = "huduma"
hosts = ["huduma.example"]
host = "huduma.example"
title = "Huduma"
timezone = "Africa/Nairobi"
languages = ["en", "sw", "fr", "sq", "ar"]
origins = ["http://127.0.0.1:3000"]
[[portal.service]]
name = { en = "Business licences", sw = "Leseni za biashara" }
paths = ["/forms/*"]
phone = "+254 20 000 0000"
office = "Huduma Centre"
ussd = "*000#"
"#;

/// What a portal of its own looks writes besides.
const LOOKS: &str = r##"
colours = { accent = "#a0183c", ground = "#fdf6e9", ink = "#2b1d12", accent_dark = "#ffb3c6", ground_dark = "#201016" }
logo = """
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="40" height="40" fill="#a0183c"/>
<path d="M8 32 20 8 32 32z" fill="#fff"/><circle cx="80" cy="20" r="18" fill="none" stroke="#2b1d12" stroke-width="4"/></svg>
"""
[[portal.service]]"##;

/// An incident with an update and a correction, and one that was withdrawn.
fn told() -> News {
    let author = || Author { by: "press".into(), office: Some("Press office".into()) };
    let (words, tags) = (Words::shipped(), LANGUAGES.map(str::to_owned));
    let spoken = Spoken { words: &words, tags: &tags };
    let said = |text: Value| serde_json::from_value::<Draft>(text).unwrap().said(NOW, &TimeZone::UTC, spoken).unwrap();
    let first = said(json!({
        "template": "origin-failure", "next": "30m", "works": { "en": "Reading", "sw": "Kusoma" },
        "instead": { "Business licences": { "en": "Go to the office" } }
    }));
    let incident = Incident::open(1, None, first.clone(), author(), NOW - 3600).unwrap();
    let next = said(json!({ "text": { "en": "The cause is known.", "sw": "Sababu inajulikana." }, "next": "1h" }));
    let incident = incident.update(next, author(), NOW - 1800).unwrap();
    let right = said(json!({ "text": { "en": "The cause is nearly known.", "sw": "Sababu inakaribia kujulikana." } }));
    let incident = incident.correct(2, right, "press".into(), NOW - 600).unwrap();
    let withdrawn = Incident::open(2, None, first, author(), NOW - 7200).unwrap();
    let reason = [("en".to_owned(), "It was another portal.".to_owned())].into();
    let withdrawn = withdrawn.withdraw(reason, "press".into(), NOW - 7000).unwrap();
    let shown = |incident: Incident, current| Shown { incident: Arc::new(incident), current, late: current };
    News { incidents: vec![shown(incident, true), shown(withdrawn, false)], mood: None, days: week() }
}

fn week() -> Arc<[Day]> {
    let served = Served { full: 1_000_000, copies: 30_000, delayed: 20_000, refused: 100 };
    (20..28).map(|n| Day { date: format!("2026-11-{n}"), whole: n < 27, served }).collect()
}

fn moody(what: Restraint) -> News {
    News { incidents: Vec::new(), mood: Some(Mood { what, since: NOW - 900 }), days: week() }
}

fn body(html: &Html) -> String {
    filled(&html.body)
}

/// The twelfth in the line, who waits four to nine minutes more.
fn fill(hole: Hole, out: &mut [u8]) {
    match hole {
        Hole::Reference => out.copy_from_slice(b"7KQ2M-XA3PL-C4VD5-QH2RT"),
        Hole::Wait => out.copy_from_slice(b"  5"),
        Hole::Place => out.copy_from_slice(b"12     "),
        Hole::From => out.copy_from_slice(b"4  "),
        Hole::To => out.copy_from_slice(b"9  "),
        Hole::Unknown | Hole::Still => out.copy_from_slice(HIDDEN),
        Hole::Code | Hole::Known => out.fill(b' '),
        _ => out.fill(b'A'),
    }
}

fn filled(page: &Prepared) -> String {
    String::from_utf8(page.fill(b"AAAA", fill).to_vec()).unwrap()
}

/// As a browser has it that takes gzip.
fn unpacked(html: &Html) -> String {
    let packed = html.packed.as_ref().unwrap().fill(b"AAAA", fill);
    String::from_utf8(gzip::unpack(&packed, 1 << 20).unwrap()).unwrap()
}

const BARE: [Page; 3] = [Page::Bare, Page::BareForm, Page::BareResend];

/// What a page is to be held against, by its language.
fn held(words: &Words, language: &str, first: &str, told: bool) -> Value {
    let says = |key: &str| {
        let own = words.find(language).and_then(|l| l.get(key)).or_else(|| words.find(first)?.get(key));
        own.unwrap().replace("{portal}", "Huduma")
    };
    let asks = [
        "challenge_by_hand",
        "challenge_bare",
        "carried_bare",
        "resend_by_hand",
        "resend_bare",
        "ask_lead",
        "waiting_press",
    ];
    let title = says("template_origin_failure_title");
    json!({
        "language": language, "presses": asks.map(says),
        "told": if told { json!({ "title": title, "next": "2026-12-01 22:00 EAT" }) } else { Value::Null },
    })
}

/// With more said of it.
fn with(mut page: Value, more: Value) -> Value {
    page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    page
}

/// A dark page of the portal's own, as a copy of it is shown: with the banner, and the note before its form.
fn copy(shelf: &Shelf, language: &str) -> String {
    let banner = shelf.banner(0, Copied { language: Some(language), path: "/forms/a", taken: NOW - 7200, forms: true });
    let code = banner.code.unwrap();
    let html = format!("{}7KQ2M-XA3PL-C4VD5-QH2RT{}", &banner.html[..code.start], &banner.html[code.end..]);
    let dir = if matches!(language, "ar" | "ur") { "rtl" } else { "ltr" };
    let note = shelf.form_note(0, Some(language));
    format!(
        "<!doctype html><html lang=\"{language}\" dir=\"{dir}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"data:,\"><title>Huduma</title></head><body bgcolor=\"#222222\" text=\"#eeeeee\">{html}<main><h1>Huduma</h1>{note}<form inert><p>Huduma</p></form></main></body></html>"
    )
}

/// Name, language, page and policy of each.
fn hung() -> Vec<Value> {
    let read = |text: &str| {
        let read = settings::read("boma.toml", text, &PathBuf::from("."));
        assert!(read.faults.is_empty(), "{:?}", read.faults);
        read.value.portals.into_iter().map(Arc::new).collect::<Vec<_>>()
    };
    let portals = read(SETTINGS);
    let (mut all, words) = (Vec::new(), Words::shipped());
    let moods = [Restraint::Slow, Restraint::Failing, Restraint::Returning, Restraint::Copies, Restraint::Closed];
    let quiet = ("".to_owned(), News::default(), true);
    let told_of = ("told-".to_owned(), told(), true);
    let moods = moods.into_iter().map(|m| (format!("{m:?}-").to_lowercase(), moody(m), false));
    for (prefix, news, every) in [quiet, told_of].into_iter().chain(moods) {
        let shelf = Shelf::new(&Words::shipped(), &portals, vec![news], NOW);
        for (at, language) in LANGUAGES.iter().enumerate() {
            let held = held(&words, language, "en", prefix == "told-");
            let mut hang = |name: &str, body: String, csp: &str| {
                let page = json!({ "name": format!("{prefix}{name}"), "body": body, "csp": csp });
                let more = json!({ "copy": name == "copy", "short": name.ends_with("-plain") });
                all.push(with(with(held.clone(), page), more));
            };
            for page in Page::ALL.into_iter().filter(|p| every || *p == Page::Statement) {
                let (html, name) = (shelf.page(0, at, page), format!("{page:?}").to_lowercase());
                hang(&name, unpacked(html), &html.csp);
                if BARE.contains(&page) {
                    hang(&format!("{name}-plain"), body(html), &html.csp);
                } else if prefix == "told-" && matches!(*language, "en" | "ar") {
                    let html = shelf.small(0, at, page);
                    hang(&format!("small-{name}"), unpacked(html), &html.csp);
                }
            }
            for wrong in [false, true].into_iter().filter(|_| every) {
                let html = shelf.code(Some(0), at, wrong);
                hang(if wrong { "code-wrong" } else { "code" }, body(html), &html.csp);
            }
            let status = shelf.sheet(0, at, Sheet::Page);
            hang("status", filled(&status.body), status.csp.as_deref().unwrap());
            hang("copy", copy(&shelf, language), &admit_banner("default-src 'none'; img-src data:"));
        }
    }
    let own = read(&SETTINGS.replacen("[[portal.service]]", LOOKS, 1));
    let shelf = Shelf::new(&Words::shipped(), &own, vec![told()], NOW);
    for (at, language) in LANGUAGES.iter().enumerate() {
        let html = |page| shelf.page(0, at, page);
        let (challenge, statement) = (html(Page::Challenge), html(Page::Statement));
        let status = shelf.sheet(0, at, Sheet::Page);
        let status_body = filled(&status.body);
        for (name, body, csp) in [
            ("own-challenge", body(challenge), &challenge.csp),
            ("own-statement", body(statement), &statement.csp),
            ("own-status", status_body, status.csp.as_ref().unwrap()),
        ] {
            assert!(body.contains("<svg aria-hidden=\"true\"") && body.contains("--act:#a0183c"), "{name}");
            let page = json!({ "name": name, "body": body, "csp": csp });
            all.push(with(held(&words, language, "en", true), page));
        }
    }
    all
}

#[test]
fn every_page_in_every_language_is_whole_on_a_phone_by_keyboard_light_and_dark() {
    let pages = hung();
    let small = 2 * (Page::ALL.len() - BARE.len());
    assert_eq!(pages.len(), 5 * (2 * (Page::ALL.len() + BARE.len() + 4) + 5 * 3 + 3) + small);
    look(&pages);
}

/// A part of a language that is written from right to left; the rest is said by the portal's first.
const URDU: &str = r#"
name = "اردو"
dir = "rtl"
partial = true
statement_title = "معذرت، سروس دستیاب نہیں"
statement_lead = "{portal} ابھی جواب نہیں دے سکتی۔"
statement_retry = "چند منٹ بعد دوبارہ کوشش کریں۔"
challenge_title = "ایک لمحہ"
go_on = "جاری رکھیں"
try_again = "دوبارہ کوشش کریں"
other_ways = "دوسرے طریقے"
phone = "فون"
status_title = "{portal} کی حالت"
all_well = "سب کچھ کام کر رہا ہے۔"
since = "{time} سے"
"#;

#[test]
fn every_page_in_an_operators_language_is_whole_from_right_to_left_and_shows_the_switch() {
    let read = words::read("ur.toml", URDU, "ur");
    assert!(read.faults.is_empty(), "{:?}", read.faults);
    let languages = "languages = [\"en\", \"ur\"]";
    let settings = SETTINGS.replace("languages = [\"en\", \"sw\", \"fr\", \"sq\", \"ar\"]", languages);
    let settings = settings::read("boma.toml", &settings, &PathBuf::from(".")).value;
    let portals: Vec<_> = settings.portals.into_iter().map(Arc::new).collect();
    let words = Words::new(vec![read.value]);
    let shelf = Shelf::new(&words, &portals, vec![told()], NOW);
    let names = json!({ "en": "English", "ur": "اردو" });
    let mut pages = Vec::new();
    let mut hang = |name: &str, body: String, csp: &str| {
        assert!(body.contains("lang=\"ur\"") && body.contains("lang=\"en\" dir=\"ltr\""), "{name}: {body}");
        let page =
            json!({ "name": format!("operators-{name}"), "rtl": true, "names": names, "body": body, "csp": csp });
        let more = json!({ "copy": name == "copy", "short": name.ends_with("-plain") });
        pages.push(with(with(held(&words, "ur", "en", true), page), more));
    };
    for page in Page::ALL {
        let (html, name) = (shelf.page(0, 1, page), format!("{page:?}").to_lowercase());
        hang(&name, unpacked(html), &html.csp);
        if BARE.contains(&page) {
            hang(&format!("{name}-plain"), body(html), &html.csp);
        }
    }
    hang("copy", copy(&shelf, "ur"), &admit_banner("default-src 'none'; img-src data:"));
    let code = shelf.code(Some(0), 1, true);
    hang("code-wrong", body(code), &code.csp);
    let status = shelf.sheet(0, 1, Sheet::Page);
    hang("status", filled(&status.body), status.csp.as_deref().unwrap());
    look(&pages);
}

/// Hangs them up for Chromium, and fails with all that it finds.
fn look(pages: &[Value]) {
    let folder = Folder::new();
    let shots = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser/shots/gallery");
    std::fs::create_dir_all(&shots).unwrap();
    folder.write("pages.json", &serde_json::to_string(pages).unwrap());
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser/gallery.mjs");
    let done = Command::new("node").arg(script).arg(folder.0.join("pages.json")).arg(&shots).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let seen: Value = serde_json::from_slice(&done.stdout).unwrap();
    println!("{seen}");
    assert_eq!(seen["looked"], pages.len());
}
