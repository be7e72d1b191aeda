//! The waiting room: places in the order of arrival, whoever asks and however; told to people, scripts and programs.

use std::net::SocketAddr;

use boma::challenge::{asked, work};

use crate::forms::boma_pass_id;
use crate::harness::{Answer, Boma, Client, Folder, Mode, Origin, Setup, eventually, get, navigate, request};

const QUEUE: &str = "[[rule]]\nname = \"line\"\nmatch = { path = \"/file*\" }\nthen = \"queue\"\n[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\n";
const HTML: &str = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
const SCRIPT: &str = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin\r\n";

/// A browser, as far as cookies go.
#[derive(Clone, Default)]
struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn ask(&mut self, to: SocketAddr, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let cookie = if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let answer = request(to, method, path, &format!("{fields}{cookie}"), body);
        for (_, value) in answer.fields.iter().filter(|(n, _)| n == "set-cookie") {
            let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(n, _)| n != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        answer
    }

    fn goes(&mut self, boma: &Boma, path: &str) -> Answer {
        self.ask(boma.at(), "GET", path, HTML, "")
    }

    fn polls(&mut self, boma: &Boma, path: &str) -> serde_json::Value {
        let at = path.replace('/', "%2F");
        let answer = self.ask(boma.at(), "GET", &format!("/.well-known/boma/place?at={at}"), SCRIPT, "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Does the work of a page that checks, as its script does.
    fn solves(&mut self, boma: &Boma, page: &Answer) {
        let text = page.text();
        let (_, rest) = text.split_once("name=\"boma-seal\" value=\"").unwrap_or_else(|| panic!("a check: {text}"));
        let seal = rest.split('"').next().unwrap();
        let work = work(seal.as_bytes(), asked(seal.as_bytes()).unwrap());
        let body = format!("seal={seal}&work={work}");
        let answer = self.ask(boma.at(), "POST", "/.well-known/boma/challenge", SCRIPT, &body);
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    fn forget(&mut self, name: &str) {
        self.cookies.retain(|(n, _)| n != name);
    }

    /// Asks as the page's script does until it is called, and goes on.
    fn comes_in(&mut self, boma: &Boma, path: &str) -> Answer {
        eventually("it is called", || {
            let told = self.polls(boma, path);
            (told["state"] == "called").then_some(())
        });
        eventually("the button counts", || {
            let answer = self.goes(boma, path);
            (answer.status == 200).then_some(answer)
        })
    }
}

/// The text of an element by its id.
fn told<'p>(page: &'p str, id: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id} in {page}"));
    rest.split_once('>').unwrap().1.split('<').next().unwrap().trim()
}

fn is_hidden(page: &str, id: &str) -> bool {
    let (_, rest) = page.split_once(&format!("id=\"{id}\"")).unwrap();
    rest.split('>').next().unwrap().contains("hidden")
}

#[test]
fn a_rule_has_people_wait_for_their_turn_and_each_kind_is_told_in_its_own_way() {
    let origin = Origin::start();
    let boma = Setup::new().rules(QUEUE).start(origin.address);
    let mut browser = Browser::default();
    let page = browser.goes(&boma, "/file?step=1");
    let text = page.text();
    assert_eq!(page.status, 503);
    assert!(text.contains("<h1>Please wait for your turn</h1>"), "{text}");
    assert_eq!(told(&text, "place"), "1");
    assert_eq!(told(&text, "wait"), "5", "a press counts after that many seconds");
    assert!(is_hidden(&text, "known") && !is_hidden(&text, "unknown") && is_hidden(&text, "still"), "{text}");
    assert!(!text.contains("http-equiv") && page.field("refresh").is_none(), "WCAG 2.2.1: nothing is timed");
    assert!(text.contains("id=\"check\" href=\"\"") && text.contains("Check my place"));
    assert_eq!(page.field("cache-control"), Some("no-store"));
    assert!(page.field("retry-after").unwrap().parse::<u32>().unwrap() >= 4);
    let names: Vec<&str> = browser.cookies.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["boma_place", "boma_pass"], "a quiet pass, and the place that is bound to it");
    let set: Vec<&str> = page.fields.iter().filter(|(n, _)| n == "set-cookie").map(|(_, v)| v.as_str()).collect();
    assert!(set.iter().all(|c| c.contains("HttpOnly") && c.contains("SameSite=Lax")), "{set:?}");
    assert_eq!(origin.reached_by_citizens().len(), 0);

    // Others are not touched, and whoever is no browser is told in JSON.
    assert_eq!(navigate(boma.at(), "/other").status, 200);
    let program = get(boma.at(), "/file");
    assert_eq!((program.status, program.field("content-type")), (503, Some("application/problem+json")));
    assert_eq!(program.json()["reason"], "waiting.rule");
    assert!(
        program.json()["challenge_url"].as_str().unwrap().ends_with("/challenge")
            && program.field("retry-after").is_some()
    );
    let mut app = Browser { cookies: browser.cookies.clone() };
    let background = app.ask(boma.at(), "GET", "/file/data", SCRIPT, "").json();
    assert!(background["place"].is_number() && background["retry_after"].is_number(), "{background}");
    assert!(background.get("estimate").is_some());

    // Called, it goes on, and what belongs to boma stays with boma.
    let page = browser.comes_in(&boma, "/file?step=1");
    assert!(page.text().contains("Karibu"), "{}", page.text());
    let reached = origin.reached_by_citizens();
    assert_eq!(reached.last().unwrap().target, "/file?step=1");
    assert_eq!(reached.last().unwrap().field("cookie"), None, "{}", reached.last().unwrap().head);
    // A form takes several pages: nobody waits before each.
    assert_eq!(browser.goes(&boma, "/file/next").status, 200);
    assert_eq!(browser.ask(boma.at(), "GET", "/file/data", SCRIPT, "").status, 200);
    let line = eventually("the log has it", || {
        let log = std::fs::read_to_string(boma.setup.file("access.log")).ok()?;
        log.lines().find(|l| l.contains("waiting.rule")).map(str::to_owned)
    });
    assert!(line.contains("\"boma.verdict\":\"queued\"") && line.contains("\"boma.rule\":\"line\""), "{line}");
    assert!(boma.metric("boma_waiting_total{outcome=\"let_in\"}") >= 1.0);
}

#[test]
fn a_pass_has_one_place_with_or_without_its_cookie_and_pressing_early_changes_nothing() {
    let origin = Origin::start();
    let boma = Setup::new().rules(QUEUE).start(origin.address);
    let mut first = Browser::default();
    let page = first.goes(&boma, "/file");
    assert_eq!(page.status, 503);
    let minute = first.cookies.clone();
    first.forget("boma_place");
    let again = first.goes(&boma, "/file");
    assert_eq!(again.status, 503);
    let wait: u32 = told(&again.text(), "wait").parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    assert!(first.cookies.iter().any(|(n, _)| n == "boma_place"), "it is given again");
    let people: f64 = boma.status()["waiting"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["waiting"].as_f64().unwrap() + r["called"].as_f64().unwrap())
        .sum();
    assert_eq!(people, 1.0, "{}", boma.status()["waiting"]);
    // Somebody else's place is nobody's: they get their own.
    let mut thief = Browser::default();
    assert_eq!(thief.goes(&boma, "/file").status, 503);
    thief.forget("boma_place");
    thief.cookies.extend(minute.into_iter().filter(|(n, _)| n == "boma_place"));
    assert_eq!(thief.goes(&boma, "/file").status, 503);
    assert_eq!(first.comes_in(&boma, "/file").status, 200);
}

#[test]
fn where_there_is_a_copy_nobody_stands_in_line_for_the_page_unless_something_is_begun_on_it() {
    let origin = Origin::start();
    let form = "<body><form method=post action=/apply><input name=a></form>";
    for (path, body) in
        [("/news", "<body>Habari"), ("/apply", form), ("/first", "<body>Kwanza"), ("/second", "<body>Pili")]
    {
        origin.page(path, 200, "Content-Type: text/html\r\n", body);
    }
    let portal = "max_in_flight = 2\nsession_cookies = [\"PHPSESSID\"]\nsnapshot = { start = [\"/news\", \"/apply\"], every = \"1h\" }\n";
    let boma = Setup::new().portal(portal).start(origin.address);
    boma.wait_for_snapshots(2);
    let before = origin.reached_by_citizens().len();
    origin.set(Mode::Hangs);
    let mut inside = [Client::connect(boma.at()).unwrap(), Client::connect(boma.at()).unwrap()];
    for client in &mut inside {
        client.send(b"GET /a HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    }
    eventually("both are inside", || (origin.reached_by_citizens().len() == before + 2).then_some(()));
    let mut waits = Browser::default();
    assert_eq!(waits.goes(&boma, "/first").status, 503);
    for browser in [&mut Browser::default(), &mut waits] {
        let page = browser.goes(&boma, "/news");
        assert!(page.status == 200 && page.text().contains("boma-banner"), "{}", page.text());
    }
    // What has no copy has a line, and so have a form and a page that is another's for whoever is signed in.
    assert_eq!(told(&Browser::default().goes(&boma, "/second").text(), "place"), "2");
    assert_eq!(told(&Browser::default().goes(&boma, "/apply").text(), "place"), "3");
    let mut signed_in = Browser { cookies: vec![("PHPSESSID".into(), "1".into())] };
    assert_eq!(told(&signed_in.goes(&boma, "/news").text(), "place"), "4");
    // Whose turn has come gets the page itself.
    origin.set(Mode::Works);
    drop(inside);
    assert_eq!(waits.comes_in(&boma, "/first").status, 200);
    let page = waits.goes(&boma, "/news");
    assert!(page.status == 200 && !page.text().contains("boma-banner"), "{}", page.text());
}

#[test]
fn where_no_session_cookie_is_named_any_but_everybodys_waits_for_their_own_page_while_the_origin_is_up() {
    let origin = Origin::start();
    let session = "Content-Type: text/html\r\nSet-Cookie: PHPSESSID=k3v9q2m7x1c8b5n4; path=/\r\n";
    origin.page("/news", 200, session, "<link rel=stylesheet href=/site.css><body>Habari");
    origin.page("/site.css", 200, "Content-Type: text/css\r\n", "p{}");
    let portal = "max_in_flight = 1\nconnect_timeout = \"500ms\"\nsnapshot = { start = [\"/news\"], every = \"1h\" }\n";
    let boma = Setup::new().portal(portal).start(origin.address);
    boma.wait_for_snapshots(2);
    let with = |names: &[&str]| Browser { cookies: names.iter().map(|n| ((*n).into(), "k3v9q2".into())).collect() };
    origin.set(Mode::Hangs);
    let mut inside = Client::connect(boma.at()).unwrap();
    inside.send(b"GET /a HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("it is inside", || (origin.reached_by_citizens().len() == 1).then_some(()));
    // What statistics leave, and what the origin gives to whoever comes, says nothing.
    for names in [&[][..], &["PHPSESSID"], &["_ga", "_ga_4X2", "_gid", "_pk_id.1.1fff", "PHPSESSID", "CookieConsent"]] {
        assert!(is_copy(&with(names).goes(&boma, "/news")), "{names:?}");
    }
    let mut signed_in = with(&["PHPSESSID", "_ga", "remember_web"]);
    let page = signed_in.goes(&boma, "/news");
    assert_eq!((page.status, told(&page.text(), "place")), (503, "1"), "their page is another");
    let part = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\nSec-Fetch-Site: same-origin\r\n";
    assert_eq!(signed_in.ask(boma.at(), "GET", "/site.css", part, "").status, 200, "its parts are everybody's");
    assert_eq!(origin.reached_by_citizens().len(), 1);
    // Where the origin is gone nobody has a page of their own.
    origin.kill();
    drop(inside);
    eventually("they have the copy", || (signed_in.goes(&boma, "/news").status == 200).then_some(()));
    assert!(is_copy(&signed_in.goes(&boma, "/news")));
}

#[test]
fn a_full_gate_gives_places_and_newcomers_do_not_overtake() {
    let origin = Origin::start();
    let boma = Setup::new().portal("max_in_flight = 1\n").start(origin.address);
    origin.set(Mode::Hangs);
    let mut inside = Client::connect(boma.at()).unwrap();
    inside.send(b"GET /a HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("it is inside", || (origin.reached_by_citizens().len() == 1).then_some(()));
    let mut first = Browser::default();
    let page = first.goes(&boma, "/first");
    assert_eq!(page.status, 503);
    assert!(page.text().contains("<h1>Please wait for your turn</h1>"), "{}", page.text());
    assert_eq!(told(&page.text(), "place"), "1");
    // Who comes now is not let past, and does not wait at the gate for it.
    let mut second = Browser::default();
    let page = second.goes(&boma, "/second");
    assert_eq!((page.status, told(&page.text(), "place")), (503, "2"));
    let room = boma.status()["waiting"][0].clone();
    assert_eq!((room["class"].as_str(), room["portal"].as_str()), (Some("information"), Some("huduma")), "{room}");
    let (code, said) = boma.command(&["status"]);
    assert!(code == 0 && said.contains("waiting room huduma information"), "{said}");
    origin.set(Mode::Works);
    drop(inside);
    assert_eq!(first.comes_in(&boma, "/first").status, 200);
    assert_eq!(second.comes_in(&boma, "/second").status, 200);
}

#[test]
fn in_static_and_closed_places_stand_still_and_whoever_waits_is_told() {
    let origin = Origin::start();
    let boma = Setup::new().portal("max_in_flight = 1\n").rules(QUEUE).start(origin.address);
    let mut browser = Browser::default();
    let first = browser.goes(&boma, "/file");
    assert_eq!(first.status, 503);
    boma.posture("static");
    for level in ["static", "closed"] {
        boma.posture(level);
        // The posture holds at once; the line stands within a second.
        eventually("the line stands still", || (browser.polls(&boma, "/file")["state"] == "still").then_some(()));
        let page = browser.goes(&boma, "/file");
        assert_eq!(page.status, 503);
        assert!(page.text().contains("Your place is kept"), "{}", page.text());
    }
    assert!(
        !navigate(boma.at(), "/file").text().contains("Your place is kept, and"),
        "who has none gets the statement"
    );
    assert_eq!(origin.reached_by_citizens().len(), 0);
    boma.posture("normal");
    assert_eq!(browser.comes_in(&boma, "/file").status, 200);
}

#[test]
fn a_restart_loses_no_place_and_a_used_one_stays_used() {
    let origin = Origin::start();
    let boma = Setup::new().portal("max_in_flight = 1\n").rules(QUEUE).start(origin.address);
    let mut people: Vec<Browser> = (0..6).map(|_| Browser::default()).collect();
    for (n, browser) in people.iter_mut().enumerate() {
        assert_eq!(browser.goes(&boma, "/file").status, 503, "{n}");
    }
    boma.posture("static");
    let before: Vec<serde_json::Value> = people.iter_mut().map(|b| b.polls(&boma, "/file")["place"].clone()).collect();
    eventually("all of them are on disk", || {
        let bytes = std::fs::read(boma.setup.file("state/boma.redb")).ok()?;
        let pass =
            |b: &Browser| b.cookies.iter().find(|(n, _)| n == "boma_pass").map(|(n, v)| format!("{n}={v}")).unwrap();
        let ids = people.iter().map(|b| boma_pass_id(&boma, &pass(b)).to_le_bytes());
        ids.into_iter().all(|id| bytes.windows(16).any(|w| w == id)).then_some(())
    });
    // What is in the file need not be committed yet; whatever is proposed is answered when all before it is.
    assert_eq!(boma.staff("DELETE", "/api/v1/measures/none", "", "").status, 404);
    let boma = Boma::start(boma.kill(), &[]);
    // One of them comes back without the place, one without anything but it: a place is bound to its pass.
    people[1].forget("boma_place");
    let mut nobody = people[2].clone();
    nobody.forget("boma_pass");
    let after: Vec<serde_json::Value> = people.iter_mut().map(|b| b.polls(&boma, "/file")["place"].clone()).collect();
    assert_eq!(before, after);
    assert_eq!(nobody.polls(&boma, "/file")["state"], "none");
    boma.posture("normal");
    assert_eq!(people[0].comes_in(&boma, "/file").status, 200);
    let used = people[0].clone();
    // Whatever is proposed is answered when all before it is on disk.
    assert_eq!(boma.staff("DELETE", "/api/v1/measures/none", "", "").status, 404);
    let boma = Boma::start(boma.kill(), &[]);
    let mut again = used.clone();
    let told = again.polls(&boma, "/file");
    assert_eq!(told["state"], "called", "its visit goes on, and it has no second place: {told}");
    let visiting: u64 =
        boma.status()["waiting"].as_array().unwrap().iter().map(|r| r["visiting"].as_u64().unwrap()).sum();
    assert_eq!(visiting, 1);
}

#[test]
fn who_comes_when_another_boma_has_taken_over_stands_behind_all_who_came_before() {
    let origin = Origin::start();
    let mut first = Setup::new().rules(QUEUE).start(origin.address);
    let mut people: Vec<Browser> = (0..20).map(|_| Browser::default()).collect();
    for (n, browser) in people.iter_mut().enumerate() {
        assert_eq!(browser.goes(&first, "/file").status, 503, "{n}");
    }
    let setup = Setup { folder: Folder(first.setup.folder.0.clone()), ..Setup::new() };
    let second = Boma::start(setup, &["--takeover"]);
    assert!(first.wait().success(), "{}", first.log());
    let page = Browser::default().goes(&second, "/file").text();
    let place: u64 = told(&page, "place").parse().unwrap();
    let last = people[19].polls(&second, "/file");
    assert!(last["place"].as_u64().unwrap() < place, "{place} behind {last}");
}

/// How many wait, were called or are inside, in all rooms.
fn people(boma: &Boma) -> u64 {
    let status = boma.status();
    let rooms = status["waiting"].as_array().unwrap();
    rooms.iter().flat_map(|r| ["waiting", "called", "visiting"].map(|what| r[what].as_u64().unwrap())).sum()
}

#[test]
fn who_is_checked_while_they_wait_or_visit_keeps_their_place_and_their_visit() {
    let origin = Origin::start();
    let boma = Setup::new().rules(QUEUE).start(origin.address);
    let (mut waits, mut visits) = (Browser::default(), Browser::default());
    for browser in [&mut visits, &mut waits] {
        assert_eq!(browser.goes(&boma, "/file").status, 503);
    }
    assert_eq!(visits.comes_in(&boma, "/file").status, 200);
    eventually("it is called", || (waits.polls(&boma, "/file")["state"] == "called").then_some(()));
    // The ladder climbs: both passes of the quiet are worth too little for a page.
    boma.posture("attack");
    let before = waits.clone();
    for browser in [&mut visits, &mut waits] {
        let page = browser.goes(&boma, "/file");
        assert!(page.status == 503 && page.text().contains("boma-seal"), "{}", page.text());
        browser.solves(&boma, &page);
    }
    assert_eq!(visits.goes(&boma, "/file/2").status, 200, "the visit goes on at once");
    assert_eq!(waits.polls(&boma, "/file")["state"], "called", "the turn is theirs still");
    assert_eq!(people(&boma), 2);
    // What the pass of before still carries is no second place, whatever it is used with.
    let mut again = before.clone();
    assert_eq!(again.polls(&boma, "/file")["state"], "none");
    let page = again.goes(&boma, "/file");
    again.cookies = before.cookies.clone();
    again.solves(&boma, &page);
    assert_eq!(again.polls(&boma, "/file")["state"], "none");
    assert_eq!(people(&boma), 2);
    assert_eq!(waits.comes_in(&boma, "/file").status, 200);
}

#[test]
fn a_code_helps_who_waits_already_and_goes_with_them_from_network_to_network() {
    let origin = Origin::start();
    let boma =
        Setup::new().settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n").rules(QUEUE).start(origin.address);
    let at = |browser: &mut Browser, address: &str, path: &str| {
        let fields = if path.starts_with("/.well-known") { SCRIPT } else { HTML };
        browser.ask(boma.at(), "GET", path, &format!("{fields}X-Forwarded-For: {address}\r\n"), "")
    };
    let place = "/.well-known/boma/place?at=%2Ffile";
    let mut first = known(&boma);
    // All to whom it was read out have one pass, and a place each.
    let mut second = first.clone();
    assert_eq!(at(&mut first, "203.0.113.1", "/file").status, 503);
    assert_eq!(at(&mut second, "203.0.113.2", "/file").status, 503);
    assert_eq!(people(&boma), 2);
    // A phone leaves the house, and finds other networks on its way.
    for address in ["198.51.100.7", "2001:db8::7", "203.0.113.2"] {
        let told = at(&mut first, address, place).json();
        assert!(["waiting", "called"].contains(&told["state"].as_str().unwrap()), "{address}: {told}");
    }
    assert_eq!(people(&boma), 2);
    let inside = eventually("it is let in", || {
        let page = at(&mut first, "198.51.100.7", "/file");
        (page.status == 200).then_some(page)
    });
    assert!(inside.text().contains("Karibu"));
    assert_eq!(at(&mut second, "203.0.113.2", place).json()["state"], "called", "it was not the other's turn");
    assert_eq!(at(&mut first, "192.0.2.9", "/file/2").status, 200, "and the visit goes with them too");
    assert_eq!(people(&boma), 2);
}

/// Somebody waits with the pass of their first page, and rings for a code meanwhile.
#[test]
fn who_gets_a_code_while_they_wait_keeps_their_place() {
    let origin = Origin::start();
    let boma = Setup::new().rules(QUEUE).start(origin.address);
    let mut browser = Browser::default();
    assert_eq!(browser.goes(&boma, "/file").status, 503);
    eventually("it is called", || (browser.polls(&boma, "/file")["state"] == "called").then_some(()));
    types_a_code(&boma, &mut browser);
    assert_eq!(browser.polls(&boma, "/file")["state"], "called");
    assert_eq!(people(&boma), 1);
    assert_eq!(browser.comes_in(&boma, "/file").status, 200);
}

#[test]
fn where_boma_fetches_for_itself_a_full_gate_gives_places_too() {
    let origin = Origin::start();
    let boma = Setup::new()
        .portal("max_in_flight = 1\n[[portal.route]]\npath = \"/news*\"\ncache = \"30s\"\n")
        .start(origin.address);
    origin.set(Mode::Hangs);
    let mut inside = Client::connect(boma.at()).unwrap();
    inside.send(b"GET /a HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("it is inside", || (origin.reached_by_citizens().len() == 1).then_some(()));
    let mut browser = Browser::default();
    let page = browser.goes(&boma, "/news");
    assert_eq!(page.status, 503);
    assert!(page.text().contains("<h1>Please wait for your turn</h1>"), "{}", page.text());
    assert_eq!(told(&page.text(), "place"), "1");
    let program = get(boma.at(), "/news");
    assert_eq!((program.status, program.json()["reason"].as_str()), (503, Some("waiting.full")));
    origin.set(Mode::Works);
    drop(inside);
    assert_eq!(browser.comes_in(&boma, "/news").status, 200);
}

/// A browser with a pass by a code of staff's.
fn known(boma: &Boma) -> Browser {
    let mut browser = Browser::default();
    types_a_code(boma, &mut browser);
    browser
}

fn types_a_code(boma: &Boma, browser: &mut Browser) {
    let (code, said) = boma.command(&["pass", "issue", "--for", "1d", "--reason", "a test", "--portal", "huduma"]);
    assert_eq!(code, 0, "{said}");
    let code = said.lines().find(|l| l.len() == 29 && l.contains('-')).unwrap_or_else(|| panic!("a code in {said}"));
    let form = format!("{HTML}Content-Type: application/x-www-form-urlencoded\r\n");
    browser.ask(boma.at(), "POST", "/.well-known/boma/challenge", &form, &format!("code={code}"));
    assert!(browser.cookies.iter().any(|(name, _)| name == "boma_pass"));
}

impl Browser {
    /// A page as people read it, or as robots do: with its parts, or without.
    fn views(&mut self, boma: &Boma, path: &str, parts: &[&str]) -> Answer {
        let page = self.goes(boma, path);
        for part in parts {
            let fields = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\nSec-Fetch-Site: same-origin\r\n";
            assert_eq!(self.ask(boma.at(), "GET", part, fields, "").status, 200, "{part}");
        }
        page
    }
}

/// A house at whose gate others want in, and where citizens have been seen to read.
struct Crowded {
    origin: Origin,
    boma: Boma,
    /// Two readers, who fill the gate.
    inside: [Browser; 2],
}

const PARTS: [&str; 2] = ["/parts/site.css", "/parts/print.css"];
/// A part in the class of the pages that others want.
const WIDE: &str = "/wide.css";

impl Crowded {
    fn new() -> Crowded {
        let origin = Origin::start();
        for (path, body) in [("/news", "<body>Habari"), ("/second", "<body>Pili"), ("/other", "<body>Nyingine")] {
            origin.page(path, 200, "Content-Type: text/html\r\n", body);
        }
        PARTS.iter().chain([&WIDE]).for_each(|path| origin.page(path, 200, "Content-Type: text/css\r\n", "p{}"));
        let portal = "max_in_flight = 2\nsnapshot = { start = [\"/news\"], every = \"1h\" }\n[[portal.route]]\npath = \"/other\"\nclass = \"filing\"\n[[portal.route]]\npath = \"/parts/*\"\nclass = \"filing\"\n";
        let wide = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\n";
        let boma = Setup::new().portal(portal).rules(wide).start(origin.address);
        boma.wait_for_snapshots(1);
        for _ in 0..25 {
            let mut citizen = Browser::default();
            (0..4).for_each(|_| assert_eq!(citizen.views(&boma, "/other", &PARTS).status, 200));
        }
        assert_eq!(Browser::default().views(&boma, "/other", &[WIDE]).status, 200, "it is known of late");
        let inside = [(); 2].map(|()| known(&boma));
        let mut house = Crowded { origin, boma, inside };
        for n in 0..2 {
            let mut reader = house.inside[n].clone();
            (0..2).for_each(|_| assert_eq!(reader.views(&house.boma, "/other", &PARTS).status, 200));
            house.inside[n] = reader;
        }
        house.while_full(|house| {
            for n in 0..80 {
                assert_eq!(Browser::default().goes(&house.boma, &format!("/made-up/{n}")).status, 503);
            }
        });
        house
    }

    /// Does something while both permits are taken.
    fn while_full<R>(&self, work: impl FnOnce(&Crowded) -> R) -> R {
        let before = self.origin.reached_by_citizens().len();
        self.origin.set(Mode::Holds);
        let held: Vec<Client> = self
            .inside
            .iter()
            .map(|browser| {
                let cookies: Vec<String> = browser.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
                let mut client = Client::connect(self.boma.at()).unwrap();
                let head =
                    format!("GET /a HTTP/1.1\r\nHost: huduma.example\r\n{HTML}Cookie: {}\r\n\r\n", cookies.join("; "));
                client.send(head.as_bytes()).unwrap();
                client
            })
            .collect();
        eventually("both are inside", || (self.origin.reached_by_citizens().len() == before + 2).then_some(()));
        let done = work(self);
        self.origin.set(Mode::Works);
        // Who left without an answer would keep their permit for a while.
        held.into_iter().for_each(|mut client| assert_eq!(client.read(false).unwrap().status, 404));
        done
    }

    /// What somebody is given who comes while the gate is full, and waits at it where they may: there is room at once then.
    fn given(&self, browser: &mut Browser, path: &str) -> Answer {
        let (boma, waiting) =
            (&self.boma, || self.boma.metric("boma_admit_waiting{portal=\"huduma\",class=\"information\"}"));
        std::thread::scope(|scope| {
            let asking = self.while_full(|_| {
                let asking = scope.spawn(|| browser.goes(boma, path));
                eventually("it is answered, or waits", || (asking.is_finished() || waiting() > 0.0).then_some(()));
                asking
            });
            asking.join().unwrap()
        })
    }

    fn waits(&self) -> u64 {
        self.boma.status()["waiting"][0]["waiting"].as_u64().unwrap_or(0)
    }
}

fn is_copy(page: &Answer) -> bool {
    assert_eq!(page.status, 200, "{}", page.text());
    page.text().contains("boma-banner")
}

#[test]
fn parts_of_a_page_come_as_their_page_came_where_there_is_no_copy_of_them() {
    let house = Crowded::new();
    let boma = &house.boma;
    let part = |browser: &mut Browser, path: &str| {
        let waiting = || boma.metric("boma_admit_waiting{portal=\"huduma\",class=\"information\"}");
        std::thread::scope(|scope| {
            let asking = house.while_full(|_| {
                let fields = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\nSec-Fetch-Site: same-origin\r\n";
                let asking = scope.spawn(|| browser.ask(boma.at(), "GET", path, fields, "").status);
                eventually("it is answered, or waits", || (asking.is_finished() || waiting() > 0.0).then_some(()));
                asking
            });
            asking.join().unwrap()
        })
    };
    let mut newcomer = known(boma);
    assert_eq!(part(&mut newcomer, WIDE), 503, "a part of no page");
    newcomer.views(boma, "/other", &[]);
    assert_eq!(part(&mut newcomer, "/made-up.css"), 503, "a part that the portal does not have");
    eventually("the part of a page", || (part(&mut newcomer, WIDE) == 200).then_some(()));
}

#[test]
fn where_others_wait_readers_get_the_page_itself_and_robots_do_not_overtake() {
    let house = Crowded::new();
    let boma = &house.boma;
    let [mut reader, mut robot, mut newcomer] = [(); 3].map(|()| known(boma));
    assert!(house.waits() > 60, "{}", boma.status()["waiting"]);
    // Each has had pages, of which nothing is to be said yet; one of them with their parts.
    for (browser, parts) in [(&mut reader, &PARTS[..]), (&mut robot, &[])] {
        for _ in 0..2 {
            eventually("the first pages are everybody's", || (!is_copy(&house.given(browser, "/news"))).then_some(()));
        }
        browser.views(boma, "/news", parts);
    }
    for _ in 0..3 {
        assert!(is_copy(&house.given(&mut robot, "/news")), "who only asks has a copy");
    }
    eventually("a reader has the page", || (!is_copy(&house.given(&mut reader, "/news"))).then_some(()));
    for _ in 0..3 {
        eventually("a newcomer's too", || (!is_copy(&house.given(&mut newcomer, "/news"))).then_some(()));
    }
    assert!(is_copy(&house.given(&mut newcomer, "/news")), "a fourth is not, where no part of any was asked for");
    assert_eq!(house.given(&mut robot, "/second").status, 503, "nobody is overtaken");
    assert_eq!(house.given(&mut reader, "/second").status, 200);
    newcomer.views(boma, "/news", &PARTS);
    eventually("who reads is a reader from then on", || (!is_copy(&house.given(&mut newcomer, "/news"))).then_some(()));
    assert!(house.waits() > 5, "the line stood all the while: {}", boma.status()["waiting"]);
    // What is free is for whoever comes.
    assert!(!is_copy(&robot.goes(boma, "/news")));
}
