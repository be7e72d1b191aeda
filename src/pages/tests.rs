//! Every page in every language, the banner, and who reads what.

use super::*;
use crate::portal::{Colour, Looks, OriginAddress, Routes, Service, SnapshotPlan};
use crate::uptime::{Day, Served};
use crate::wire::Hole;

fn portal(title: &str, languages: &[&str]) -> Arc<Portal> {
    Arc::new(Portal {
        name: "p".into(),
        hosts: vec!["*".into()],
        host: None,
        canonical_host_header: false,
        scheme: "http",
        title: title.into(),
        looks: Looks::default(),
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
        max_in_flight: Some(1),
        pass_domain: None,
        snapshot: SnapshotPlan::default(),
        services: vec![Service {
            name: vec![("en".into(), "Pay".into())],
            paths: vec!["/pay".into()],
            phone: Some("+254 20".into()),
            ..Service::default()
        }],
        contact: Some(Service { phone: Some("+254 700".into()), ..Service::default() }),
        security: None,
        session_proof: vec![],
        session_cookies: vec![],
        routes: Routes::new(vec![]),
    })
}

fn shelf(portals: &[Arc<Portal>]) -> Shelf {
    Shelf::new(&Words::shipped(), portals, vec![News::default(); portals.len()], 1_790_000_000)
}

fn text(html: &Html) -> String {
    String::from_utf8(html.body.bytes.to_vec()).unwrap()
}

#[test]
fn every_page_renders_in_every_language_with_its_holes_and_its_policy() {
    let shelf = shelf(&[portal("<b>&\"Huduma", &["en", "sw", "fr", "sq", "ar"])]);
    for language in 0..5 {
        for page in Page::ALL {
            let html = shelf.page(0, language, page);
            let body = text(html);
            assert!(
                body.contains("&lt;b&gt;&amp;&quot;Huduma") && !body.contains("<b>&\""),
                "{page:?}: the title is escaped"
            );
            let ways = body.contains("tel:+25420") && body.contains("tel:+254700");
            assert!(ways || page.is_bare() && body.contains("tel:+254700"), "{page:?}: a way out");
            assert!(body.contains("\"/.well-known/boma/status\""), "{page:?}: where the rest is told");
            assert_eq!(body.matches("<h1>").count(), 1);
            assert!(!body.contains("{portal}"));
            let holes: Vec<_> = html.body.holes.iter().map(|(h, r)| (*h, r.len())).collect();
            let (seal, wait, reference) = ((Hole::Seal, 96), (Hole::Wait, 3), (Hole::Reference, 23));
            match page {
                Page::Challenge | Page::ChallengeResend => assert_eq!(holes, [seal, wait, reference], "{page:?}"),
                Page::Bare | Page::BareResend => assert_eq!(holes, [wait, seal, reference], "{page:?}"),
                Page::BareForm => assert_eq!([holes[0], holes[1], holes[3]], [wait, seal, reference]),
                Page::ChallengeForm => assert_eq!([holes[0], holes[2], holes[3]], [seal, wait, reference]),
                _ if page.waits() => {
                    let says = [(Hole::Place, 7), (Hole::Known, 7), (Hole::From, 3), (Hole::To, 3), (Hole::Unknown, 7)];
                    assert_eq!((&holes[..5], holes[5]), (&says[..], (Hole::Still, 7)), "{page:?}");
                    assert_eq!(holes[6..].iter().any(|(h, _)| *h == Hole::Form), page.carries(), "{page:?}");
                    assert_eq!(holes[holes.len() - 2..], [wait, reference], "{page:?}");
                }
                _ if page.carries() => assert_eq!((holes[0].0, holes[1]), (Hole::Form, reference), "{page:?}"),
                _ => assert_eq!(holes, [reference], "{page:?}"),
            }
            let sends = page.carries() || page.is_challenge() || page.is_bare() || page.waits();
            assert_eq!(html.csp.contains("form-action 'none'"), !sends, "{page:?}");
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

/// A link that takes the page's place takes the form along, which lies in the page or in the browser behind it.
#[test]
fn no_link_leaves_a_page_that_a_form_depends_on() {
    let shelf = shelf(&[portal("Huduma", &["en", "sw", "fr", "sq", "ar"])]);
    let behind = [
        Page::ChallengeResend,
        Page::BareResend,
        Page::WaitingResend,
        Page::Left,
        Page::StatementUnsure,
        Page::SentForm,
    ];
    let on_it = |page: &Page| page.carries() || behind.contains(page);
    for page in Page::ALL {
        let body = text(shelf.page(0, 0, page));
        let leaves = |link: &&str| !link.contains("target=\"_blank\"") && !link.contains("href=\"tel:");
        let links: Vec<&str> = body.split("<a ").skip(1).map(|a| a.split('>').next().unwrap()).collect();
        let leaving: Vec<&str> = links.iter().copied().filter(leaves).collect();
        assert_eq!(leaving.is_empty(), on_it(&page), "{page:?}: {leaving:?}");
        assert!(links.iter().any(|l| l.contains("/.well-known/boma/status")), "{page:?}: where to look meanwhile");
    }
}

#[test]
fn who_is_to_check_is_told_where() {
    let mut asked = Portal::clone(&portal("Huduma", &["en", "sw", "fr", "sq", "ar"]));
    asked.services[0].instead = vec![("en".into(), "Dial *247# for receipts".into())];
    let shelf = self::shelf(&[Arc::new(asked)]);
    for language in 0..5 {
        for page in [Page::StatementUnsure, Page::SentForm] {
            let body = text(shelf.page(0, language, page));
            let (_, list) = body.split_once("<h2>").unwrap();
            let list = list.split("</ul>").next().unwrap();
            for part in ["tel:+254700", "tel:+25420", "Dial *247#", "\"/.well-known/boma/status\" target=\"_blank\""] {
                assert!(list.contains(part), "{page:?} in {language} has no {part}: {list}");
            }
            assert_eq!(body.matches("/boma/status").count(), 1);
        }
    }
    let unsure = text(shelf.page(0, 0, Page::StatementUnsure));
    assert!(unsure.contains("<h2>Where to check</h2>"), "{unsure}");
}

#[test]
fn filling_a_page_changes_its_holes_and_nothing_else() {
    let shelf = shelf(&[portal("Huduma", &["en"])]);
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
fn a_challenge_is_small_as_it_is_sent_and_unpacks_to_the_page() {
    let shelf = shelf(&[portal("Huduma", &["en", "sw", "fr", "sq", "ar"])]);
    for language in 0..5 {
        for page in [Page::Challenge, Page::ChallengeResend, Page::ChallengeForm] {
            let html = shelf.page(0, language, page);
            for mark in [b'a', b'~', 0, 255] {
                let filling = |hole: Hole, out: &mut [u8]| out.fill(mark ^ hole as u8);
                let packed = html.packed.as_ref().unwrap().fill(b"", filling);
                assert!(packed.len() <= 6000, "{page:?} in {} is sent as {} bytes", html.language, packed.len());
                assert_eq!(unpacked(&packed), html.body.fill(b"", filling), "{page:?}");
            }
        }
    }
}

/// A form of any length goes along as it is, wherever on its page: what is not the form stays as small as without.
#[test]
fn a_form_goes_out_packed_with_its_page_byte_for_byte() {
    let shelf = shelf(&[portal("Huduma", &["en", "ar"])]);
    let noise: Vec<u8> = (0..400_000u32).map(|i| b'A' + (i.wrapping_mul(2_654_435_761) >> 27) as u8 % 26).collect();
    for page in Page::ALL.into_iter().filter(|page| page.carries()) {
        let html = shelf.page(0, 1, page);
        let packed = html.packed.as_ref().unwrap();
        for length in [0, 1, 65_535, 65_536, 131_070, 400_000] {
            let form = &noise[..length];
            let filling = |hole: Hole, out: &mut [u8]| out.fill(b'a' ^ hole as u8);
            let sent = packed.fill(form, filling);
            assert!(sent.len() <= packed.sent() + length + 5 * length.div_ceil(65_535), "{page:?} {length}");
            let (got, empty) = (unpacked(&sent), unpacked(&packed.fill(b"", filling)));
            let text = String::from_utf8(empty).unwrap();
            let (before, after) = text.split_once("name=\"boma-form\" value=\"").unwrap();
            let wanted = [before.as_bytes(), b"name=\"boma-form\" value=\"", form, after.as_bytes()].concat();
            assert!(got == wanted, "{page:?} with a form of {length}");
            assert!(page.is_bare() || got == html.body.fill(form, filling), "{page:?}: packed or not it is the same");
        }
    }
}

/// A sentence of a language that is shipped.
fn said(tag: &str, key: &str) -> String {
    Words::shipped().find(tag).unwrap().get(key).unwrap().to_owned()
}

/// What there is news of, as a small page says it: the title, or that there is a notice.
fn headline(body: &str) -> Option<&str> {
    body.split("<b>").find_map(|rest| rest.split_once("</b><br>")).map(|(title, _)| title)
}

/// Without a script, and small to whoever does not unpack it too.
#[test]
fn a_button_alone_is_small_packed_or_not_and_says_what_it_must() {
    let languages = ["en", "sw", "fr", "sq", "ar"];
    let longest_title = "خدمة ".repeat(crate::bounds::TITLE_CHARS / 5);
    let cases = [("Huduma", News::default()), ("Huduma", longest()), (longest_title.as_str(), longest())];
    let mut notices = [0, 0];
    for (at, (title, news)) in cases.into_iter().enumerate() {
        let shelf = Shelf::new(&Words::shipped(), &[portal(title, &languages)], vec![news], 1_790_000_000);
        for language in 0..5 {
            for page in [Page::Bare, Page::BareForm, Page::BareResend] {
                let html = shelf.page(0, language, page);
                let sent = html.packed.as_ref().unwrap().fill(b"", |_, _| {});
                let packed = String::from_utf8(unpacked(&sent)).unwrap();
                let plain = String::from_utf8(html.body.fill(b"", |_, _| {}).to_vec()).unwrap();
                println!("{page:?} {} with news {at}: {} bytes, packed {}", html.language, plain.len(), sent.len());
                assert!(plain.len() <= 1500 && sent.len() <= 1500, "{page:?} in {}", html.language);
                assert!(!html.csp.contains("script-src"));
                for (which, body) in [&plain, &packed].into_iter().enumerate() {
                    let says = format!("{page:?} in {}, {which}: {body}", html.language);
                    for part in [
                        "name=\"boma-seal\"",
                        "name=\"boma-work\"",
                        "<button>",
                        "\"/.well-known/boma/status\"",
                        "href=\"tel:",
                    ] {
                        assert!(body.contains(part), "no {part} on {says}");
                    }
                    assert!(!body.contains("<script") && !body.contains('…'), "{says}");
                    let order: Vec<_> =
                        ["boma-seal", "boma-work", "boma-form"].iter().filter_map(|f| body.find(f)).collect();
                    assert!(order.is_sorted() && order.len() == if page == Page::BareForm { 3 } else { 2 });
                    let told = (body.contains("<aside"), body.contains("2026-09-21 18:13"));
                    assert_eq!(told, (at > 0, at > 0), "by when there is news: {says}");
                    let notice = said(&html.language, "news_brief");
                    let title = headline(body);
                    let whole = title.is_some_and(|t| t.chars().count() >= crate::bounds::INCIDENT_TITLE_CHARS);
                    assert_eq!(whole || title == Some(&notice), at > 0, "what there is news of: {says}");
                    notices[which] += usize::from(title == Some(&notice));
                    // The other languages are the first to give way.
                    let all = languages.iter().all(|l| body.contains(&format!("/boma/lang?lang={l}")));
                    assert!(all || which == 0 || at == 2, "the switch: {says}");
                }
            }
        }
    }
    assert!(notices[0] > 0 && notices[0] < 30 && notices[1] < notices[0], "some have no room for a title: {notices:?}");
}

/// An ordinary incident, of an ordinary portal with a service: nothing is left out of what a browser gets.
#[test]
fn a_small_page_tells_the_incident_whom_to_ask_and_the_languages() {
    let languages = ["en", "sw", "fr", "sq", "ar"];
    let portals = [portal("Huduma", &languages)];
    let shelf = Shelf::new(&Words::shipped(), &portals, vec![ordinary()], 1_790_000_000);
    for (language, page) in (0..5).flat_map(|l| Page::ALL.map(|page| (l, page))) {
        for html in [shelf.page(0, language, page), shelf.small(0, language, page)] {
            let body = unpacked(&html.packed.as_ref().unwrap().fill(b"", |_, _| {}));
            let body = String::from_utf8(body).unwrap();
            let called = if html.language == "ar" { "<bdi>Huduma</bdi>" } else { "Huduma" };
            let title = said(&html.language, "template_origin_failure_title").replace("{portal}", called);
            for part in [title.as_str(), "2026-09-21 18:13 EAT", "tel:+254700", "/boma/lang?lang=sw"] {
                assert!(body.contains(part), "{page:?} in {} has no {part}: {body}", html.language);
            }
            // A switch that would leave a form alone opens beside it, and asks for no address of a form.
            let stays = "&amp;status\" lang=\"sw\" hreflang=\"sw\" target=\"_blank\"";
            assert_eq!(body.contains(stays), !page.may_be_left(), "{page:?}: {body}");
        }
        // Whoever takes no gzip has the title whole and somebody to call too.
        let plain = text(shelf.page(0, language, page));
        assert!(plain.contains("Huduma") && plain.contains("tel:+254700") && plain.contains("18:13 EAT"), "{page:?}");
        let notice = said(languages[language], "news_brief");
        assert!(!plain.contains(&notice), "{page:?} in {language}: {plain}");
    }
}

/// Whoever waits in vain is told so, and nobody is sent to a button that is not there.
#[test]
fn a_page_of_what_is_closed_does_not_say_try_again_in_a_moment() {
    let portals = [portal("Huduma", &["en", "sw", "fr", "sq", "ar"])];
    let of = |what, incidents: Vec<Shown>| {
        let news = News { incidents, mood: Some(Mood { what, since: 1_790_000_000 }), ..News::default() };
        Shelf::new(&Words::shipped(), &portals, vec![news], 1_790_000_000)
    };
    let closed = of(Restraint::Closed, Vec::new());
    let told = of(Restraint::Closed, ordinary().incidents);
    let failing = of(Restraint::Failing, Vec::new());
    for language in 0..5 {
        let says = |key: &str| said(&portals[0].languages[language], key).split('{').next().unwrap().to_owned();
        let soon = says("statement_retry");
        for page in [Page::Statement, Page::StatementForm] {
            let body = text(closed.page(0, language, page));
            assert!(!body.contains(&soon) && !body.contains("class=\"act\""), "{page:?} in {language}: {body}");
            assert_eq!(body.matches("2026-09-21 17:13 EAT").count(), 1, "since when, once: {body}");
            assert!(!text(told.page(0, language, page)).contains(&soon), "{page:?} in {language}");
            assert!(text(failing.page(0, language, page)).contains(&soon), "{page:?} in {language}");
            assert!(!text(closed.small(0, language, page)).contains(&soon));
        }
        let waiting = text(failing.page(0, language, Page::WaitingResend));
        let press = says("waiting_press");
        assert!(!waiting.contains(&press) && waiting.contains(&says("waiting_reload")), "{waiting}");
        assert!(text(failing.page(0, language, Page::Waiting)).contains(&press));
        for page in [Page::Waiting, Page::WaitingForm, Page::WaitingResend] {
            let small = text(failing.small(0, language, page));
            assert!(!small.contains(&says("waiting_alone")), "without a script nothing goes on by itself: {small}");
        }
    }
}

#[test]
fn a_title_that_no_short_message_holds_is_not_cut() {
    let mut named = Portal::clone(&portal("Huduma", &["en"]));
    named.title = "Huduma ".repeat(11);
    let news = longest();
    let all = preview(&Words::shipped(), &named, &news.incidents[0]);
    let text = &all[0].sms.text;
    assert!(text.starts_with("Word <and> ") && text.ends_with("Word <and."), "the title alone, and all of it: {text}");
    let title = |title: String| {
        let said = crate::incident::Said {
            title: [("en".to_owned(), title.clone())].into(),
            text: [("en".to_owned(), title)].into(),
            ..Default::default()
        };
        let author = crate::incident::Author { by: "press".into(), office: None };
        Shown {
            incident: Arc::new(crate::incident::Incident::open(1, None, said, author, 0).unwrap()),
            current: true,
            late: false,
        }
    };
    let all = preview(&Words::shipped(), &named, &title(format!("{{portal}} does {}not answer", "really ".repeat(13))));
    assert!(all[0].sms.text.ends_with("There is a notice about this service."), "{}", all[0].sms.text);
}

/// What is read from the left stays so on a page that is read from the right.
#[test]
fn what_others_wrote_is_kept_apart_on_a_page_of_the_other_direction() {
    let mut other = Portal::clone(&portal("Huduma (Kenya)", &["ar", "en"]));
    other.services[0].office = Some("House 3 (left)".into());
    other.services[0].ussd = Some("*247#".into());
    other.services[0].instead = vec![("en".into(), "Go to a bank.".into())];
    let portals = [Arc::new(other)];
    let shelf = Shelf::new(&Words::shipped(), &portals, vec![ordinary()], 1_790_000_000);
    let arabic = text(shelf.page(0, 0, Page::Busy));
    for part in [
        "<bdi>Huduma (Kenya)</bdi>",
        "<b lang=\"en\" dir=\"ltr\">Pay</b>",
        "<bdi dir=\"ltr\"><a href=\"tel:+25420\">+254 20</a></bdi>",
        "<bdi dir=\"ltr\">*247#</bdi>",
        "<bdi>House 3 (left)</bdi>",
        "<span lang=\"en\" dir=\"ltr\">Go to a bank.</span>",
        "\" dir=\"ltr\">2026-09-21",
    ] {
        assert!(arabic.contains(part), "{part} in {arabic}");
    }
    let banner = shelf.banner(0, Copied { language: Some("ar"), path: "/pay", taken: 1_790_000_000, forms: true }).html;
    for part in ["<bdi dir=\"ltr\">*247#</bdi>", "\" dir=\"ltr\">2026-09-21", "bdi[dir]"] {
        assert!(banner.contains(part), "{part} in {banner}");
    }
    let english = text(shelf.page(0, 1, Page::Busy));
    assert!(!english.contains("<bdi>Huduma (Kenya)</bdi> is") && english.contains("<b>Pay</b>"), "{english}");
}

/// By a reader of gzip that checks lengths and checksums.
fn unpacked(packed: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut gzip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, packed) = (gzip.stdin.take().unwrap(), packed.to_vec());
    // What comes out is read meanwhile: both pipes are narrow.
    let writer = std::thread::spawn(move || input.write_all(&packed));
    let done = gzip.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(done.status.success());
    done.stdout
}

#[test]
fn gzip_goes_to_those_who_take_it() {
    for (accept, takes) in [
        ("gzip, deflate, br", true),
        ("br;q=1.0, GZIP;q=0.8", true),
        ("deflate,gzip", true),
        ("gzip;q=0", false),
        ("gzip; q=0.000", false),
        ("gzip;q=0.001", true),
        ("identity", false),
        ("*", false),
        ("", false),
        ("xgzip", false),
    ] {
        assert_eq!(takes_gzip(accept.as_bytes()), takes, "{accept}");
    }
}

#[test]
fn a_reader_gets_their_language() {
    let tags = ["sw", "en", "fr"].map(str::to_owned);
    for (query, cookie, accept, expected) in [
        (None, None, None, (0, Choice::Browser)),
        (None, None, Some("en-GB,en;q=0.9"), (1, Choice::Browser)),
        (None, None, Some("de, fr;q=0.5, en;q=0.4"), (2, Choice::Browser)),
        (None, None, Some("en;q=0, fr;q=0.1"), (2, Choice::Browser)),
        (Some("a=1&lang=fr"), Some("sw"), Some("en"), (2, Choice::Query)),
        (Some("lang=xx"), None, Some("en"), (1, Choice::Browser)),
        (None, Some("fr"), Some("en"), (2, Choice::Cookie)),
        (None, Some("xx"), Some("en"), (1, Choice::Browser)),
        (None, None, Some(";;q=,,"), (0, Choice::Browser)),
    ] {
        assert_eq!(choose(&tags, query, cookie, accept), expected, "{query:?} {cookie:?} {accept:?}");
    }
}

#[test]
fn a_copy_is_dated_in_its_own_language_and_says_what_to_do_instead_of_its_forms() {
    let shelf = shelf(&[portal("H", &["en", "sw", "ar"])]);
    let of =
        |language: &'static str, forms| Copied { language: Some(language), path: "/pay", taken: 1_790_000_000, forms };
    let swahili = shelf.banner(0, of("sw-KE", false)).html;
    assert!(
        swahili.contains("lang=\"sw\" dir=\"ltr\">Hii ni nakala") && swahili.contains("2026-09-21 17:13 EAT"),
        "{swahili}"
    );
    assert!(!swahili.contains("tel:"), "{swahili}");
    assert!(shelf.banner(0, of("de", false)).html.contains("This is a copy"), "not one of the portal's");
    let forms = shelf.banner(0, of("en", true)).html;
    assert!(forms.contains("tel:+25420"), "{forms}");
    for (language, dir) in [("en", "ltr"), ("ar", "rtl")] {
        let note = shelf.form_note(0, Some(language));
        assert!(
            note.contains(&format!("lang=\"{language}\" dir=\"{dir}\">")) && note.contains("href=\"#boma-banner\""),
            "{note}"
        );
    }
    assert!(shelf.banner(0, of("ar", true)).html.is_ascii(), "a page may be in any encoding");
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

fn week() -> Arc<[Day]> {
    let served = Served { full: 1_000_000, copies: 30_000, delayed: 20_000, refused: 100 };
    let day = |n: usize| Day { date: format!("2026-11-{:02}", n + 1), whole: n < 89, served };
    (0..crate::bounds::UPTIME_DAYS).map(day).collect()
}

/// An incident as it is opened by one command, with an update promised.
fn ordinary() -> News {
    use crate::incident::{Author, Incident, Said};
    let says =
        |key: &str| -> Texts { ["en", "sw", "fr", "sq", "ar"].map(|tag| (tag.to_owned(), said(tag, key))).into() };
    let (title, text) = (says("template_origin_failure_title"), says("template_origin_failure_text"));
    let said = Said { title, text, next: Some(1_790_003_600), ..Said::default() };
    let author = Author { by: "press".into(), office: None };
    let incident = Arc::new(Incident::open(1, None, said, author, 1_790_000_000).unwrap());
    News { incidents: vec![Shown { incident, current: true, late: false }], mood: None, days: week() }
}

/// An incident that says as much as it may, in all languages.
fn longest() -> News {
    use crate::bounds::*;
    use crate::incident::{Author, Impact, Incident, Said};
    let words = |most: usize| -> Texts {
        let text = |of: &str| of.chars().cycle().take(most - 1).collect::<String>() + ".";
        [("en", "Word <and> "), ("sw", "Neno na "), ("fr", "Le mot été "), ("sq", "Fjalë çdo "), ("ar", "كلمة أخرى ")]
            .map(|(tag, of)| (tag.to_owned(), text(of)))
            .into()
    };
    let answer = || words(INCIDENT_ANSWER_CHARS);
    let first = Said {
        impact: Some(Impact::Critical),
        title: words(INCIDENT_TITLE_CHARS),
        text: words(INCIDENT_TEXT_CHARS),
        works: answer(),
        deadlines: answer(),
        data: answer(),
        payments: answer(),
        form: answer(),
        instead: (0..INCIDENT_INSTEAD).map(|n| (format!("Service {n}"), words(INCIDENT_INSTEAD_CHARS))).collect(),
        next: Some(1_790_003_600),
        ends: Some(1_790_007_200),
        ..Said::default()
    };
    let author = || Author { by: "press".into(), office: Some("o".repeat(INCIDENT_OFFICE_CHARS)) };
    let mut incident = Incident::open(1, None, first.clone(), author(), 1_790_000_000).unwrap();
    for n in 1..30 {
        incident = incident.update(first.clone(), author(), 1_790_000_000 + 60 * n).unwrap();
    }
    let ended = incident.withdraw(words(INCIDENT_TEXT_CHARS), "press".into(), 1_790_002_000).unwrap();
    let shown = |incident: &Incident, current| Shown { incident: Arc::new(incident.clone()), current, late: current };
    News {
        incidents: vec![shown(&incident, true), shown(&ended, false), shown(&ended, false)],
        mood: None,
        days: week(),
    }
}

#[test]
fn every_page_names_the_incident_and_keeps_its_weight() {
    let portals = [portal("Huduma", &["en", "sw", "fr", "sq", "ar"])];
    let shelf = Shelf::new(&Words::shipped(), &portals, vec![longest()], 1_790_000_000);
    for language in 0..5 {
        for page in Page::ALL {
            let html = shelf.page(0, language, page);
            let body = text(html);
            let told = [
                matches!(page, Page::Statement | Page::StatementUnsure),
                body.contains("<aside"),
                body.contains("<section"),
            ];
            assert_eq!(told[1..], [!told[0], told[0]], "{page:?} in {}: in a line, or whole", html.language);
            assert!(body.contains("2026-09-21 18:13 EAT"), "{page:?}: the next update");
            let sent = html.packed.as_ref().map_or(body.len(), |p| p.fill(b"", |_, _| {}).len());
            let most = if page.is_challenge() { 6000 } else { 14_000 };
            assert!(body.len() <= 14_000, "{page:?} has {} bytes", body.len());
            assert!(sent <= most, "{page:?} in {} is sent as {sent} bytes", html.language);
        }
        let status = shelf.sheet(0, language, Sheet::Page);
        assert!(status.body.bytes.len() <= 14_000, "the status page has {} bytes", status.body.bytes.len());
    }
}

#[test]
fn near_a_full_line_every_page_is_small_and_still_helps() {
    let portals = [portal("Huduma", &["en", "sw", "fr", "sq", "ar"])];
    for news in [News::default(), longest()] {
        let shelf = Shelf::new(&Words::shipped(), &portals, vec![news], 1_790_000_000);
        for (language, page) in (0..5).flat_map(|l| Page::ALL.map(|page| (l, page))) {
            let html = shelf.small(0, language, page);
            let (body, sent) =
                (text(html), html.packed.as_ref().map_or(html.body.bytes.len(), |p| p.fill(b"", |_, _| {}).len()));
            println!("{page:?} {}: {} bytes, packed {sent}", html.language, body.len());
            // A place in line is told in more words.
            let most = if page.waits() { 2000 } else { 1500 };
            assert!(sent <= most && body.len() <= 4500, "{page:?} in {}: {} and {sent}", html.language, body.len());
            assert!(!body.contains("<script") && body.contains("<h1>"), "{page:?}");
            assert!(body.contains("/.well-known/boma/status"), "{page:?} leads on");
            assert_eq!(body.contains("boma-form"), page.carries(), "{page:?}");
            let title = headline(&body);
            assert_eq!(title.is_some(), body.contains("<aside"), "{page:?} in {}: the incident's title", html.language);
            assert!(title.is_none_or(|t| !t.contains('…')) && body.contains("tel:"), "{page:?} in {}", html.language);
            let style = body.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
            assert!(html.csp.contains(&render::hash(style)), "{page:?}");
        }
    }
}

#[test]
fn however_many_incidents_there_are_the_status_page_names_each_and_keeps_its_weight() {
    let mut news = longest();
    let one = news.incidents[0].clone();
    news.incidents = vec![one; crate::bounds::INCIDENTS_OPEN];
    let portals = [portal("Huduma", &["en", "sw", "fr", "sq", "ar"])];
    let shelf = Shelf::new(&Words::shipped(), &portals, vec![news], 1_790_000_000);
    for language in 0..5 {
        let status = shelf.sheet(0, language, Sheet::Page);
        let body = String::from_utf8(status.body.bytes.to_vec()).unwrap();
        println!("{language}: {} bytes, {} told whole", body.len(), body.matches("<ol reversed").count());
        assert!(body.len() <= 14_000, "the status page has {} bytes", body.len());
        assert_eq!(body.matches("<section").count(), crate::bounds::INCIDENTS_OPEN);
    }
}

/// A logo as large as may be, of points that hardly pack.
fn largest() -> String {
    let mut n: u64 = 7;
    let mut digits = String::new();
    while digits.len() + 60 < crate::bounds::LOGO_BYTES {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        digits.push_str(&format!("L{}.{}", n >> 57, n >> 50 & 63));
    }
    format!("<svg aria-hidden=\"true\" viewBox=\"0 0 9 9\"><path d=\"{digits}\"/></svg>")
}

#[test]
fn a_portals_looks_are_on_its_pages_under_their_policy_and_within_their_weight() {
    let mut portal = Portal::clone(&portal("Huduma", &["en", "sw", "fr", "sq", "ar"]));
    portal.looks.light.accent = Colour::read("#a0183c").unwrap();
    portal.looks.logo = largest();
    let portals = [Arc::new(portal)];
    let quiet = self::shelf(&portals);
    let shelf = Shelf::new(&Words::shipped(), &portals, vec![longest()], 1_790_000_000);
    for language in 0..5 {
        for page in Page::ALL.iter().filter(|p| p.is_challenge()) {
            let html = quiet.page(0, language, *page);
            println!("{page:?} {} with nothing told: packed {}", html.language, html.packed.as_ref().unwrap().sent());
            assert!(text(html).contains("<header><svg aria-hidden"), "{page:?} in {}", html.language);
        }
        let code = shelf.code(Some(0), language, false);
        let pages = Page::ALL.iter().filter(|p| !p.is_bare()).map(|p| (Some(*p), shelf.page(0, language, *p)));
        for (page, html) in pages.chain([(None, code)]) {
            let body = text(html);
            let logo = body.contains("<header><svg aria-hidden");
            assert!(body.contains("--act:#a0183c") && (logo || page.is_some_and(Page::is_challenge)), "{page:?}");
            let style = body.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
            assert!(html.csp.contains(&render::hash(style)), "{page:?}");
            let sent = html.packed.as_ref().map_or(body.len(), |p| p.fill(b"", |_, _| {}).len());
            println!("{page:?} {}: {} bytes, packed {sent}", html.language, body.len());
            let most = if page.is_some_and(Page::is_challenge) { 6000 } else { 14_000 };
            assert!(body.len() <= 14_000 && sent <= most, "{page:?} in {}: {} and {sent}", html.language, body.len());
        }
        let status = shelf.sheet(0, language, Sheet::Page);
        assert!(status.body.bytes.len() <= 14_000, "the status page has {} bytes", status.body.bytes.len());
    }
}

#[test]
fn the_houses_colours_are_those_of_its_style() {
    let style = include_str!("assets/boma.css");
    let (light, dark) = style.split_once("@media(prefers-color-scheme:dark)").unwrap();
    let set = |part: &str, name: &str| {
        let value = part.split(&format!("--{name}:")).nth(1).unwrap();
        let value: String = value.chars().take_while(|c| *c == '#' || c.is_ascii_hexdigit()).collect();
        Colour::read(&value).unwrap_or_else(|| panic!("{name}: {value}"))
    };
    let house = Looks::default();
    for (part, palette) in [(light, house.light), (dark, house.dark)] {
        assert_eq!(
            [set(part, "ground"), set(part, "ink"), set(part, "soft"), set(part, "act")],
            [palette.ground, palette.ink, palette.soft, palette.accent]
        );
        assert!(palette.soft.contrast(palette.ground) >= 450);
    }
}

#[test]
fn only_pages_of_portals_with_news_are_made_anew() {
    let portals = [portal("One", &["en"]), portal("Two", &["en", "sw"])];
    let before = shelf(&portals);
    let none = || News::default();
    assert!(before.with(portals.to_vec(), vec![none(), none()], 1).is_none());
    let after = before.with(portals.to_vec(), vec![none(), longest()], 1).unwrap();
    assert_eq!([before.stamp(0) == after.stamp(0), before.stamp(1) == after.stamp(1)], [true, false]);
    assert!(Arc::ptr_eq(&before.portals[0], &after.portals[0]));
    assert!(
        text(after.page(1, 1, Page::Busy)).contains("Neno na") && !text(before.page(1, 1, Page::Busy)).contains("Neno")
    );
    assert!(after.with(portals.to_vec(), vec![none(), longest()], 2).is_none());
    // A day that goes on is told by the sheets alone.
    let later = after.with(portals.to_vec(), vec![News { days: week(), ..none() }, longest()], 2).unwrap();
    assert!(after.stamp(0) == later.stamp(0) && Arc::ptr_eq(&after.portals[0].pages, &later.portals[0].pages));
    assert!(Arc::ptr_eq(&after.portals[1], &later.portals[1]));
    let status = |shelf: &Shelf| String::from_utf8(shelf.sheet(0, 0, Sheet::Page).body.bytes.to_vec()).unwrap();
    let day = "<li><b><bdi dir=\"ltr\">2026-11-90</bdi></b> (so far)<br>In full\u{a0}95.1\u{a0}% · From a copy\u{a0}2.9\u{a0}% · Made to wait\u{a0}1.9\u{a0}% · Not answered\u{a0}0.1\u{a0}%";
    assert!(!status(&after).contains("Not answered") && status(&later).contains(day), "{}", status(&later));
    assert!(status(&later).contains("98.0\u{a0}% of people"), "who was made to wait was not answered at once");
    assert_eq!(status(&later).matches("Made to wait").count(), crate::bounds::UPTIME_SHOWN);
    let in_french = [portal("Un", &["fr"])];
    let french = shelf(&in_french).with(in_french.to_vec(), vec![News { days: week(), ..none() }], 1).unwrap();
    assert!(status(&french).contains("95,1\u{a0}%") && !status(&french).contains("95.1"), "{}", status(&french));
    // What staff say of a service is told by all that is made of it.
    let mut told = portals.to_vec();
    let mut other = Portal::clone(&told[0]);
    other.services[0].phone = Some("+254 999".into());
    other.services[0].instead = vec![("sw".into(), "Lipa <benki>".into())];
    told[0] = Arc::new(other);
    let reworded = after.with(told, vec![none(), longest()], 3).unwrap();
    assert_ne!(reworded.stamp(0), after.stamp(0));
    let page = text(reworded.page(0, 0, Page::Busy));
    assert!(page.contains("tel:+254999") && page.contains("<span lang=\"sw\">Lipa &lt;benki&gt;</span>"), "{page}");
}

/// As many services as pages list, each with as much to say as it may.
#[test]
fn many_services_with_much_to_say_keep_pages_light_and_the_first_are_on_them() {
    let mut portal = Portal::clone(&portal("Huduma", &["en", "sw", "fr", "sq", "ar"]));
    let words = |of: &str, most: usize, n: usize| -> String {
        (n..).map(|i| format!("{of}{i} ")).flat_map(|w| w.chars().collect::<Vec<_>>()).take(most).collect()
    };
    let (name, line, says) =
        (crate::bounds::SERVICE_NAME_CHARS, crate::bounds::SERVICE_LINE_CHARS, crate::bounds::INCIDENT_INSTEAD_CHARS);
    let service = |n: usize| Service {
        name: vec![("ar".into(), words("خدمة", name, 17 * n))],
        paths: vec!["/pay".into()],
        phone: Some(words("+254 20 ", line, 31 * n)),
        office: Some(words("مكتب", line, 41 * n)),
        ussd: Some(words("*1#", line, 43 * n)),
        instead: vec![("ar".into(), words("بنك", says, 47 * n))],
        ..Service::default()
    };
    portal.services = (1..40).map(service).collect();
    portal.looks.logo = largest();
    let shelf = Shelf::new(&Words::shipped(), &[Arc::new(portal)], vec![longest()], 1_790_000_000);
    for language in 0..5 {
        for page in Page::ALL {
            let html = shelf.page(0, language, page);
            let sent = html.packed.as_ref().filter(|_| page.is_challenge()).map_or(0, |p| p.fill(b"", |_, _| {}).len());
            let (body, ways) = (text(html), text(html).matches("<li><b").count());
            println!("{page:?} {}: {} bytes, packed {sent}, {ways} ways", html.language, body.len());
            assert!(body.len() <= 14_000 && sent <= 6000, "{page:?} in {}: {}, {sent}", html.language, body.len());
            assert!(page.is_bare() || ways >= 1, "{page:?} in {}: {ways} ways out", html.language);
        }
        let code = shelf.code(Some(0), language, true).body.bytes.len();
        let status = shelf.sheet(0, language, Sheet::Page).body.bytes.len();
        assert!(code <= 14_000 && status <= 14_000, "{code}, {status}");
    }
}

/// Persian, of which there is a part; the rest the portal's first language says.
fn persian() -> Words {
    let read = crate::words::read(
        "fa.toml",
        "name = \"فارسی\"\ndir = \"rtl\"\npartial = true\nstatement_title = \"متأسفیم\"\nchallenge_left = \"{n}\"\nstatus_title = \"{portal}\"\n",
        "fa",
    );
    assert!(read.faults.is_empty(), "{:?}", read.faults);
    Words::new(vec![read.value])
}

#[test]
fn what_a_language_does_not_say_is_marked_wherever_it_stands() {
    let portals = [portal("Huduma", &["sw", "fa", "fa-IR", "ar", "xx"])];
    let shelf = Shelf::new(&persian(), &portals, vec![longest()], 1_790_000_000);
    let statement = text(shelf.page(0, 1, Page::Statement));
    for part in [
        "<html lang=\"fa\" dir=\"rtl\">",
        "<title>متأسفیم · Huduma</title>",
        "<h1>متأسفیم</h1>",
        "<dt><span lang=\"sw\" dir=\"ltr\">",
        "<b><span lang=\"sw\" dir=\"ltr\">Tunalichunguza",
        "<span lang=\"sw\" dir=\"ltr\">Jaribu tena</span></a>",
        "lang=\"fa\" hreflang=\"fa\">فارسی</a>",
        "lang=\"ar\" hreflang=\"ar\">العربية</a>",
    ] {
        assert!(statement.contains(part), "{part} in {statement}");
    }
    assert!(text(shelf.page(0, 1, Page::Busy)).contains("<title lang=\"sw\" dir=\"ltr\">Samahani"));
    // The script speaks one language, though this one has a sentence of it.
    let challenge = text(shelf.page(0, 1, Page::Challenge));
    let said = "<p role=\"status\" id=\"said\" lang=\"sw\" dir=\"ltr\">Kivinjari chako";
    assert!(challenge.contains(said) && !challenge.contains("data-left=\"{n}\""), "{challenge}");
    assert_eq!(challenge.matches("aria-label=\"<").count() + challenge.matches("=\"&lt;span").count(), 0);
    let status = String::from_utf8(shelf.sheet(0, 2, Sheet::Page).body.bytes.to_vec()).unwrap();
    assert!(
        status.contains("<html lang=\"fa-IR\" dir=\"rtl\">") && status.contains("<h1><bdi>Huduma</bdi></h1>"),
        "{status}"
    );
    // A language of its own is marked nowhere, and one that nobody has is the portal's first.
    for (at, html) in [(0, "<html lang=\"sw\">"), (3, "<html lang=\"ar\" dir=\"rtl\">"), (4, "<html lang=\"sw\">")] {
        let page = text(shelf.page(0, at, Page::Busy));
        assert!(page.contains(html) && !page.contains("<span lang"), "{page}");
    }
    let banner = shelf.banner(0, Copied { language: Some("fa"), path: "/", taken: 1_790_000_000, forms: false }).html;
    assert!(banner.contains("lang=\"fa\" dir=\"rtl\"><span lang=\"sw\" dir=\"ltr\">Hii ni nakala"), "{banner}");
}

#[test]
fn sentences_that_fit_together_are_told_from_those_that_do_not() {
    let portal = portal("Huduma", &["en"]);
    for tag in ["en", "sw", "fr", "sq", "ar"] {
        assert_eq!(heavy(&Words::shipped(), &portal, tag), [], "{tag}");
    }
    assert_eq!(heavy(&persian(), &portal, "fa"), []);
    // Each as long as it may be, and of letters that pack badly.
    let mut n = 1_u64;
    let mut letters = |most: usize| -> String {
        let mut next = || {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from_u32(0x1200 + (n >> 33) as u32 % 300).unwrap_or('ሀ')
        };
        (0..most).map(|_| next()).collect()
    };
    let english = Words::shipped().english().clone();
    let mut found_at = |tenths: usize| {
        let mut line = |key: &str| {
            let text = english.get(key).unwrap();
            let holes: String = ["{portal}", "{time}", "{n}", "{share}", "{from}", "{to}"]
                .into_iter()
                .filter(|h| text.contains(h))
                .collect();
            // Statements are no part of what is weighed, and may not be longer than an incident's.
            let most =
                if key.starts_with(crate::words::TEMPLATE_KEYS) { 60 } else { text.chars().count() * tenths / 10 };
            format!("{key} = \"{holes}{}\"\n", letters(most))
        };
        let long: String = english.keys().map(&mut line).collect();
        let read = crate::words::read("am.toml", &format!("name = \"አማርኛ\"\ndir = \"ltr\"\n{long}"), "am");
        assert!(read.faults.is_empty(), "{:?}", read.faults);
        heavy(&Words::new(vec![read.value]), &portal, "am")
    };
    let found = found_at(30);
    for (key, most) in [("challenge_lead", 14_000), ("challenge_bare", 1500), ("resend_bare", 1500)] {
        assert!(found.iter().any(|h| (h.key.as_str(), h.most) == (key, most)), "{key} in {found:?}");
    }
    let packed = |tenths: usize| found_at(tenths).iter().any(|h| h.most == 6000 && h.bytes > 6000);
    assert!((10..30).step_by(2).any(packed), "a challenge that is small enough until it is packed");
    assert!(found.iter().all(|h| h.bytes > h.most), "{found:?}");
}

/// A text without what stands between two marks.
fn without(text: &str, (open, close): (&str, &str)) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(open) {
        out.push_str(before);
        rest = inside.split_once(close).map_or("", |(_, after)| after);
    }
    out + rest
}

/// Whatever a reader sees or hears is said by a file of a language: no template and no script says anything by itself.
#[test]
fn every_word_of_every_template_and_script_is_in_the_files_of_languages() {
    let is_word = |text: &str| text.split(|c: char| !c.is_alphabetic()).any(|w| w.chars().count() > 1);
    for (name, template) in render::TEMPLATES {
        let plain = [("{{", "}}"), ("{%", "%}")].into_iter().fold(template.to_owned(), |t, marks| without(&t, marks));
        // The names of two formats are the same in all languages.
        let said = without(&plain, ("<", ">")).replace("Atom", "").replace("JSON", "");
        assert!(!is_word(&said.replace("&amp;", "")), "{name} says {said:?}");
        for attribute in ["aria-label=\"", "title=\"", "alt=\"", "placeholder=\"", "data-left=\"", "data-done=\""] {
            for value in plain.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(matches!(value, "" | "Atom, JSON"), "{name}: {attribute}{value}");
            }
        }
    }
    for script in [render::SCRIPT, render::WAITING_SCRIPT] {
        let comments = script.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for quoted in comments.split('\'').skip(1).step_by(2).filter(|q| *q != "use strict") {
            let words = quoted.split_whitespace().filter(|w| w.chars().all(char::is_alphabetic) && w.len() > 1).count();
            assert!(words < 2, "a script says {quoted:?}");
        }
    }
}

#[test]
fn a_page_that_names_the_front_page_leads_there_and_no_other_does() {
    let portals = [portal("Huduma", &["en", "sw", "fr", "sq", "ar"])];
    let shelf = Shelf::new(&Words::shipped(), &portals, vec![News::default()], 1_790_000_000);
    let leads = |html: &Html| text(html).contains("<a href=\"/\"><bdi>Huduma</bdi></a>");
    for language in 0..5 {
        assert!(leads(shelf.page(0, language, Page::NotFound)) && leads(shelf.small(0, language, Page::NotFound)));
        assert!(!leads(shelf.page(0, language, Page::BusyForm)), "who has a form does not leave it by mistake");
    }
}
