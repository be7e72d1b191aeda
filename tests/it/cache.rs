//! The cache between real clients and a real origin.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};

use crate::harness::{Answer, Boma, CEILING, Client, Mode, Origin, Setup, eventually, get, navigate, request};
use crate::wire::scripted;

/// One client asks for everything at once.
const WIDE: &str = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000000/s\"\n";
const BY_ORIGIN: &str = "response_timeout = \"500ms\"\nconnect_timeout = \"500ms\"\nsession_cookies = [\"PHPSESSID\"]\n[[portal.route]]\npath = \"/*\"\ncache = \"origin\"\n[[portal.route]]\npath = \"/up\"\nstay_up = true\n";
const FILLED: &str =
    "session_cookies = [\"PHPSESSID\"]\n[[portal.route]]\npath = \"/*\"\ncache = \"30s\"\nquery = [\"page\"]\n";

fn house(portal: &str, extra: &str) -> (Origin, Boma) {
    let origin = Origin::start();
    origin.extra(extra);
    let boma = Setup::new().portal(portal).rules(WIDE).start(origin.address);
    (origin, boma)
}

fn status_of(answer: &Answer) -> &str {
    answer.field("cache-status").unwrap_or("none")
}

/// So many clients at the same moment.
fn crowd(boma: &Boma, clients: usize, path: &'static str, fields: &'static str) -> Vec<Answer> {
    let gate = Arc::new(Barrier::new(clients));
    let at = boma.at();
    let one = |_| {
        let gate = gate.clone();
        std::thread::spawn(move || {
            let mut client = Client::connect(at).unwrap();
            gate.wait();
            client.ask("GET", path, fields, "").unwrap()
        })
    };
    let all: Vec<_> = (0..clients).map(one).collect();
    all.into_iter().map(|t| t.join().unwrap()).collect()
}

#[test]
fn many_who_ask_for_one_page_are_one_request_to_the_origin() {
    for (portal, extra) in [(BY_ORIGIN, "Cache-Control: max-age=60\r\n"), (FILLED, "")] {
        let (origin, boma) = house(portal, extra);
        let answers = crowd(&boma, 200, "/slow/news", "");
        for answer in &answers {
            assert_eq!((answer.status, answer.body == answers[0].body), (200, true), "{}", answer.text());
        }
        assert_eq!(origin.reached().len(), 1, "{portal}");
        let again = get(boma.at(), "/slow/news");
        assert!(status_of(&again).starts_with("boma; hit; ttl="), "{}", status_of(&again));
        assert!(again.field("age").is_some() && again.field("date").is_some() && again.body == answers[0].body);
        assert_eq!(origin.reached().len(), 1);
        assert!(boma.metric("boma_cache_total{outcome=\"hit\"}") >= 1.0);
    }
}

const NAVIGATES: &str = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n";
/// How browsers and programs say what they take; the last takes nothing packed.
const TAKES: [&str; 5] = ["gzip, deflate, br, zstd", "gzip, deflate, br", "gzip", "br;q=1.0, gzip;q=0.8", ""];

/// Ten thousand who want a page at once, while the origin has not answered yet: how often it was asked for that.
fn ten_thousand(origin: &Origin, boma: &Boma, takes: &[&str], more: &str) -> usize {
    let before = origin.reached().len();
    origin.set(Mode::Holds);
    let mut crowd: Vec<TcpStream> = (0..10_000).map(|_| TcpStream::connect(boma.at()).unwrap()).collect();
    for (n, client) in crowd.iter_mut().enumerate() {
        client.set_read_timeout(Some(CEILING)).unwrap();
        let page = format!("GET /results HTTP/1.1\r\nHost: huduma.example\r\nConnection: close\r\n{NAVIGATES}{more}");
        let takes = match takes[n % takes.len()] {
            "" => String::new(),
            takes => format!("Accept-Encoding: {takes}\r\n"),
        };
        client.write_all(format!("{page}{takes}\r\n").as_bytes()).unwrap();
    }
    eventually("all of them wait", || (boma.metric("boma_http_in_flight") == 10_000.0).then_some(()));
    origin.set(Mode::Works);
    for client in &mut crowd {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("</html>"), "{answer}");
    }
    origin.reached().len() - before
}

/// The first of them all has to wait for the origin; nobody else is anything to it.
#[test]
fn ten_thousand_who_ask_for_one_page_are_one_request_to_the_origin() {
    let by_origin = "[[portal.route]]\npath = \"/*\"\ncache = \"origin\"\n";
    let (plain, varies) = ("Cache-Control: max-age=60\r\n", "Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\n");
    // What differs by encoding is a page for those who take it packed, and one for the others.
    for (portal, extra, takes, most) in [
        (FILLED, "", &TAKES[4..], 1),
        (by_origin, plain, &TAKES[..], 1),
        (by_origin, varies, &TAKES[..4], 1),
        (by_origin, varies, &TAKES[..], 2),
    ] {
        let origin = Origin::start();
        origin.extra(extra);
        let boma =
            Setup::new().settings("[caps]\nper_address = 20000\n").portal(portal).rules(WIDE).start(origin.address);
        assert_eq!(ten_thousand(&origin, &boma, takes, ""), most, "{portal} {extra} {takes:?}");
        assert!(boma.metric("boma_cache_total{outcome=\"collapsed\"}") >= 1.0, "some have waited for another's");
        if portal == by_origin && most == 1 {
            let again = ten_thousand(&origin, &boma, takes, "Cache-Control: max-age=0\r\n");
            assert_eq!(again, 1, "they load it anew: {extra} {takes:?}");
        }
    }
}

#[test]
fn who_waits_survives_a_leader_that_leaves() {
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\n");
    let mut leader = Client::connect(boma.at()).unwrap();
    leader.send(b"GET /slow/news HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("the leader's request is with the origin", || (origin.reached().len() == 1).then_some(()));
    let at = boma.at();
    let waits: Vec<_> = (0..20).map(|_| std::thread::spawn(move || get(at, "/slow/news").status)).collect();
    drop(leader);
    for waiter in waits {
        assert_eq!(waiter.join().unwrap(), 200);
    }
    assert!(origin.reached().len() <= 2, "{}", origin.reached().len());
}

#[test]
fn what_is_one_citizens_own_is_nobody_elses() {
    for extra in ["Cache-Control: private, max-age=60\r\n", "Cache-Control: max-age=60\r\nSet-Cookie: PHPSESSID=1\r\n"]
    {
        let (origin, boma) = house(BY_ORIGIN, extra);
        let answers = crowd(&boma, 20, "/slow/account", "");
        assert!(answers.iter().all(|a| a.status == 200 && !status_of(a).contains("hit")), "{extra}");
        assert_eq!(origin.reached().len(), 20, "{extra}: each its own");
        assert_eq!(get(boma.at(), "/slow/account").status, 200);
        assert_eq!(origin.reached().len(), 21);
    }
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\n");
    for who in ["Cookie: PHPSESSID=1\r\n", "Authorization: Basic eA==\r\n"] {
        let asked = origin.reached().len();
        request(boma.at(), "GET", "/account", who, "");
        request(boma.at(), "GET", "/account", who, "");
        assert_eq!(origin.reached().len(), asked + 2, "{who}");
    }
}

#[test]
fn an_origin_that_sets_a_cookie_on_every_page_is_asked_by_nobody() {
    let (origin, boma) = house(FILLED, "Set-Cookie: PHPSESSID=0123456789abcdef; path=/\r\n");
    for n in 0..50 {
        let answer = request(boma.at(), "GET", &format!("/news?utm={n}"), &format!("Cookie: _ga={n}\r\n"), "");
        assert_eq!(answer.status, 200);
        assert!(!answer.fields.iter().any(|(n, v)| n == "set-cookie" && v.contains("PHPSESSID")));
    }
    let reached = origin.reached();
    assert_eq!(reached.len(), 1);
    let own = &reached[0];
    assert_eq!((own.target.as_str(), own.field("cookie")), ("/news", None));
    assert_eq!(own.field("host").as_deref(), Some("huduma.example"));
    assert_eq!(own.field("accept-encoding").as_deref(), Some("identity"));
    // Who is known goes by, with the parameters that count.
    let known = request(boma.at(), "GET", "/news?page=2&x=1", "Cookie: PHPSESSID=7\r\n", "");
    assert!(known.field("set-cookie").is_some_and(|c| c.contains("PHPSESSID")));
    let last = origin.reached().pop().unwrap();
    assert_eq!((last.target.as_str(), last.field("cookie").as_deref()), ("/news?page=2", Some("PHPSESSID=7")));
}

/// A browser: it keeps the cookies that it is given, over a few connections.
struct Browser {
    cookies: Vec<String>,
    client: Client,
    gzip: bool,
}

impl Browser {
    fn goes(&mut self, path: &str) -> Answer {
        let gzip = if self.gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let cookies = self.cookies.join("; ");
        let fields = format!("Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n{gzip}Cookie: {cookies}\r\n");
        let answer = self.client.ask("GET", path, &fields, "").unwrap();
        let set = answer.fields.iter().filter(|(name, _)| name == "set-cookie");
        self.cookies.extend(set.map(|(_, value)| value.split(';').next().unwrap().to_owned()));
        answer
    }
}

/// A portal as most are: its origin begins a session on every page, and says nothing of freshness; whoever comes brings the cookies
/// of statistics, and parameters of whoever sent them.
#[test]
fn nine_in_ten_public_pages_come_out_of_the_cache_though_the_origin_sets_a_cookie_on_each() {
    const PATHS: usize = 24;
    const CITIZENS: usize = 64;
    let portal =
        "session_cookies = [\"PHPSESSID\"]\n[[portal.route]]\npath = \"/*\"\ncache = \"10m\"\nquery = [\"page\"]\n";
    let (origin, boma) = house(portal, "Set-Cookie: PHPSESSID=0123456789abcdef; path=/\r\nX-Powered-By: PHP/8.3\r\n");
    let at = boma.at();
    let one = |citizen: usize| {
        std::thread::spawn(move || {
            let cookies = vec![format!("_ga=GA1.1.{citizen}.1790000000"), format!("_gid=GA1.1.{citizen}")];
            let mut browser =
                Browser { cookies, client: Client::connect(at).unwrap(), gzip: !citizen.is_multiple_of(3) };
            // Each begins somewhere else, so that many pages are asked for first at the same time.
            let mut said = Vec::new();
            for page in (0..PATHS).map(|n| (n + citizen) % PATHS) {
                let from = if citizen.is_multiple_of(2) {
                    format!("?utm_source=radio&fbclid={citizen}")
                } else {
                    String::new()
                };
                let answer = browser.goes(&format!("/services/{page}{from}"));
                assert_eq!(answer.status, 200);
                let text = answer.clone().unpacked().text();
                assert!(text.contains(&format!("GET /services/{page}<")), "the page that was asked for: {text}");
                said.push(status_of(&answer).to_owned());
            }
            assert!(
                browser.cookies.iter().all(|c| !c.starts_with("PHPSESSID")),
                "nobody's session: {:?}",
                browser.cookies
            );
            said
        })
    };
    let all: Vec<_> = (0..CITIZENS).map(one).collect();
    let said: Vec<String> = all.into_iter().flat_map(|citizen| citizen.join().unwrap()).collect();
    let is_hit = |s: &&String| s.starts_with("boma; hit; ttl=");
    let hits = said.iter().filter(is_hit).count();
    // Who came while another's fetch was under way was given what that brought.
    let kept = said.iter().filter(|s| is_hit(s) || s.ends_with("; collapsed")).count();
    assert_eq!(said.len(), PATHS * CITIZENS);
    assert!(10 * kept >= 9 * said.len(), "{kept} of {} came out of the cache", said.len());
    // Once packed and once not, each; and nothing of anybody's went along.
    let reached = origin.reached();
    assert!((PATHS..=2 * PATHS).contains(&reached.len()), "{} of {} reached the origin", reached.len(), said.len());
    assert!(reached.iter().all(|r| r.field("cookie").is_none() && !r.target.contains('?')));
    assert!(boma.metric("boma_cache_total{outcome=\"hit\"}") as usize >= hits);
    // Who is signed in is given their own, every time.
    let mut known = Browser { cookies: vec!["PHPSESSID=7".into()], client: Client::connect(at).unwrap(), gzip: true };
    (0..3).for_each(|page| assert_eq!(known.goes(&format!("/services/{page}")).status, 200));
    let own = origin.reached().split_off(reached.len());
    assert_eq!(own.len(), 3);
    assert!(own.iter().all(|r| r.field("cookie").as_deref().is_some_and(|c| c.contains("PHPSESSID="))));
}

/// Those who wait for one fetch are not all alike at the gate: whom an origin knows is not sent away with a stranger who came
/// first, and the origin is asked once all the same.
#[test]
fn who_would_stand_first_at_the_gate_is_not_turned_away_with_whom_they_waited_for() {
    for cache in ["origin", "30s"] {
        let origin = Origin::start();
        let portal = format!("max_in_flight = 1\n[[portal.route]]\npath = \"/news/*\"\ncache = \"{cache}\"\n");
        let boma = Setup::new().portal(&portal).rules(WIDE).start(origin.address);
        let known: Vec<String> = (0..3).map(|_| navigate(boma.at(), "/").pass().unwrap()).collect();
        origin.extra("Boma-Session: proven\r\n");
        let own = |pass: &String| format!("Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nCookie: {pass}\r\n");
        for pass in &known {
            assert_eq!(request(boma.at(), "GET", "/login", &own(pass), "").status, 200);
        }
        origin.extra("Cache-Control: max-age=60\r\n");
        boma.posture("guarded");
        let mut rounds = 0..;
        // On a slow machine the first of them may have been sent away before all are there: that says nothing.
        let (path, [leader, stranger], known) = eventually("all wait for one fetch", || {
            let path = format!("/news/{}", rounds.next()?);
            origin.set(Mode::Holds);
            let before = origin.reached().len();
            let mut inside = Client::connect(boma.at()).unwrap();
            inside.send(b"GET /a HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
            eventually("it is inside", || (origin.reached().len() == before + 1).then_some(()));
            let at = boma.at();
            let asks = |fields: String| {
                let path = path.clone();
                std::thread::spawn(move || request(at, "GET", &path, &fields, ""))
            };
            let leader = asks(String::new());
            let waiting = || boma.metric("boma_admit_waiting{portal=\"huduma\",class=\"information\"}");
            eventually("it is at the gate", || (waiting() == 1.0 || leader.is_finished()).then_some(()));
            let stranger = asks(String::new());
            let known: Vec<_> = known.iter().map(|pass| asks(own(pass))).collect();
            let there = || boma.metric("boma_http_in_flight") == 3.0 + known.len() as f64;
            let all = eventually("they are there", || (there() || leader.is_finished()).then(there));
            if all {
                eventually("it is sent away", || leader.is_finished().then_some(()));
            }
            origin.set(Mode::Works);
            let [leader, stranger] = [leader, stranger].map(|asking| asking.join().unwrap().status);
            let known: Vec<Answer> = known.into_iter().map(|asking| asking.join().unwrap()).collect();
            all.then_some((path, [leader, stranger], known))
        });
        assert_eq!((leader, stranger), (503, 503), "{cache}: as little is known of both");
        for page in known {
            assert_eq!(page.status, 200, "{cache}: {}", page.text());
        }
        let asked = origin.reached().iter().filter(|r| r.target == path).count();
        assert_eq!(asked, 1, "{cache}: one of them asked for all");
    }
}

#[test]
fn a_page_that_tells_its_visitor_is_not_kept() {
    let (origin, boma) = house(FILLED, "Set-Cookie: JSESSIONID=0123456789abcdef\r\n");
    origin.title("<a href=\"/x;jsessionid=0123456789abcdef\">");
    for _ in 0..3 {
        assert!(!status_of(&get(boma.at(), "/page")).contains("hit"));
    }
    let (by_boma, all) = (origin.reached().len() - origin.reached_by_citizens().len(), origin.reached().len());
    assert_eq!((by_boma, all), (1, 4), "once by boma, and each for itself");
}

#[test]
fn what_is_kept_helps_where_the_origin_fails() {
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\nAge: 100\r\n");
    let fresh = get(boma.at(), "/news");
    assert_eq!(fresh.status, 200);
    let helps = |what: &str| {
        let answer = get(boma.at(), "/news");
        assert_eq!((answer.status, answer.body == fresh.body), (200, true), "{what}: {}", answer.text());
        // From some failures on nobody asks the origin for what is kept.
        let how = status_of(&answer);
        assert!(how.contains("fwd=stale") || how.contains("detail=spared"), "{what}: {how}");
        assert_eq!(navigate(boma.at(), "/news").body, fresh.body, "{what}");
        assert!(get(boma.at(), "/never-seen").status >= 500, "{what}");
    };
    for mode in [Mode::Fails, Mode::BreaksOff, Mode::Nonsense, Mode::Hangs] {
        origin.set(mode);
        helps(&format!("{mode:?}"));
    }
    origin.set(Mode::Works);
    origin.kill();
    helps("dead");
}

#[test]
fn an_origins_own_error_is_passed_to_programs_and_replaced_for_people() {
    for portal in [BY_ORIGIN, FILLED] {
        let (origin, boma) = house(portal, "");
        origin.set(Mode::Fails);
        let program = get(boma.at(), "/news");
        assert!(program.status == 500 && program.text().contains("Karibu"), "{portal}: {}", program.text());
        assert_eq!(navigate(boma.at(), "/news").status, 503, "{portal}");
    }
}

#[test]
fn in_posture_static_what_is_kept_goes_out_and_the_origin_is_left_alone() {
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\n");
    let page = get(boma.at(), "/news");
    origin.extra("Cache-Control: max-age=60\r\nAge: 100\r\n");
    let old = get(boma.at(), "/old");
    let asked = origin.reached().len();
    boma.posture("static");
    assert_eq!(get(boma.at(), "/news").body, page.body);
    let stale = get(boma.at(), "/old");
    assert_eq!((stale.status, stale.body == old.body), (200, true), "{}", status_of(&stale));
    assert_eq!(get(boma.at(), "/other").status, 503);
    assert_eq!(request(boma.at(), "GET", "/news", "Cache-Control: no-cache\r\n", "").body, page.body);
    assert_eq!(origin.reached().len(), asked);
    assert_eq!(get(boma.at(), "/up").status, 200, "stay_up");
    boma.posture("closed");
    assert_eq!(get(boma.at(), "/news").status, 503, "closed serves statements only");
}

#[test]
fn what_is_renewed_behind_is_not_renewed_while_the_origin_is_to_be_spared() {
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=1, stale-while-revalidate=600\r\nAge: 10\r\n");
    let page = get(boma.at(), "/news");
    let behind = get(boma.at(), "/news");
    assert_eq!((behind.status, &behind.body), (200, &page.body));
    eventually("it is fetched anew behind", || (origin.reached().len() == 2).then_some(()));
    boma.posture("static");
    let asked = origin.reached().len();
    for _ in 0..20 {
        assert_eq!(get(boma.at(), "/news").status, 200);
    }
    // What would come behind them had the time of a request that really goes.
    assert_eq!(get(boma.at(), "/up").status, 200);
    let paths: Vec<String> = origin.reached()[asked..].iter().map(|r| r.target.clone()).collect();
    assert_eq!(paths, ["/up"]);
}

#[test]
fn explain_names_the_cache() {
    let (_origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\n");
    let says = |path: &str, posture: &str| {
        let url = format!("http://huduma.example{path}");
        let (code, said) = boma.command(&["explain", "GET", &url, "--posture", posture, "--format", "json"]);
        assert_eq!(code, 0, "{said}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        (said["reason"].as_str().unwrap().to_owned(), said["cache"].as_str().map(str::to_owned))
    };
    assert_eq!(says("/news", "normal"), ("served".into(), Some("miss".into())));
    get(boma.at(), "/news");
    for posture in ["normal", "attack", "static"] {
        assert_eq!(says("/news", posture), ("served".into(), Some("hit".into())), "{posture}");
    }
    assert_eq!(says("/other", "attack"), ("challenge.posture".into(), None));
    assert_eq!(says("/news", "closed").1, None);
    let (_, said) = boma.command(&["explain", "GET", "http://huduma.example/news"]);
    assert!(said.contains("answered out of the cache: hit"), "{said}");
}

#[test]
fn one_citizens_word_takes_nothing_from_the_others() {
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\nAge: 100\r\nETag: \"a\"\r\n");
    let page = get(boma.at(), "/news");
    // The stale copy is asked about for somebody who is signed in, whose answer renews a session.
    origin.extra("Cache-Control: max-age=60\r\nETag: \"a\"\r\nSet-Cookie: PHPSESSID=2\r\n");
    origin.set(Mode::Unchanged);
    let own = request(boma.at(), "GET", "/news", "Cookie: PHPSESSID=1\r\n", "");
    assert_eq!((own.status, &own.body), (200, &page.body));
    assert!(own.fields.iter().any(|(n, v)| n == "set-cookie" && v.contains("PHPSESSID=2")));
    origin.kill();
    let others = get(boma.at(), "/news");
    assert_eq!((others.status, &others.body), (200, &page.body), "{}", others.text());
    assert!(!others.fields.iter().any(|(n, v)| n == "set-cookie" && v.contains("PHPSESSID")));
}

#[test]
fn in_posture_attack_only_what_is_fresh_in_the_cache_is_not_challenged() {
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\n");
    let page = get(boma.at(), "/news");
    boma.posture("attack");
    let asked = origin.reached().len();
    let seen = navigate(boma.at(), "/news");
    assert_eq!((seen.status, &seen.body), (200, &page.body));
    assert_eq!(navigate(boma.at(), "/other").status, 503, "challenged");
    assert_eq!(origin.reached().len(), asked);
}

#[test]
fn parts_conditions_and_heads_are_answered_from_what_is_kept() {
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\nETag: \"a\"\r\n");
    let whole = get(boma.at(), "/page");
    let asks = |method: &str, fields: &str| request(boma.at(), method, "/page", fields, "");
    let part = asks("GET", "Range: bytes=0-4\r\n");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[..5]));
    assert_eq!(part.field("content-range").unwrap(), format!("bytes 0-4/{}", whole.body.len()));
    assert_eq!(asks("GET", "Range: bytes=99999-\r\n").status, 416);
    let known = asks("GET", "If-None-Match: W/\"a\"\r\n");
    assert_eq!((known.status, known.body.len(), known.field("etag")), (304, 0, Some("\"a\"")));
    assert_eq!(known.field("content-length"), None);
    let head = asks("HEAD", "");
    assert_eq!((head.status, head.field("content-length")), (200, whole.field("content-length")));
    assert_eq!(origin.reached().len(), 1);
    assert_eq!(request(boma.at(), "GET", "/nothing", "Cache-Control: only-if-cached\r\n", "").status, 504);
    // Somebody who changes something makes it void.
    assert_eq!(request(boma.at(), "POST", "/page", "", "x=1").status, 200);
    get(boma.at(), "/page");
    assert_eq!(origin.reached().len(), 3);
}

#[test]
fn purged_by_path_prefix_and_tag() {
    let (origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\nCache-Tag: news, all\r\n");
    let paths = ["/news/a", "/news/a?x=1", "/news/b", "/other"];
    let kept = || {
        let asked = origin.reached().len();
        paths.iter().for_each(|p| assert_eq!(get(boma.at(), p).field("cache-tag"), None));
        origin.reached().len() - asked
    };
    assert_eq!((kept(), kept()), (4, 0));
    let purge = |arguments: &[&str]| boma.command(&[&["cache", "purge"], arguments].concat());
    assert_eq!(purge(&["/news/a"]), (0, "2 kept answers forgotten\n".into()));
    assert_eq!(kept(), 2);
    assert_eq!(purge(&["--prefix", "/news/"]), (0, "3 kept answers forgotten\n".into()));
    assert_eq!(kept(), 3);
    assert_eq!(purge(&["--tag", "news"]), (0, "4 kept answers forgotten\n".into()));
    assert_eq!(kept(), 4);
    assert_eq!(purge(&["--tag", "nothing"]), (0, "0 kept answers forgotten\n".into()));
    assert_eq!((purge(&[]).0, purge(&["--portal", "none", "--all"]).0), (2, 1));
    let wish = boma.staff("POST", "/api/v1/cache/purge", "", "{\"portal\":\"huduma\",\"all\":true}");
    assert_eq!((wish.status, wish.json()["purged"].as_u64()), (200, Some(4)));
    assert_eq!(boma.staff("POST", "/api/v1/cache/purge", "", "{\"path\":\"/a\",\"tag\":\"b\"}").status, 422);
    kept();
    let shown = boma.staff("GET", "/api/v1/cache", "", "").json();
    assert_eq!((shown["addresses"].as_u64(), shown["memory"].as_u64()), (Some(4), Some(256 << 20)));
}

#[test]
fn nobody_puts_a_host_of_their_own_into_what_others_get() {
    let origin = Origin::start();
    origin.extra("Cache-Control: max-age=60\r\n");
    let trusts = "[client]\ntrusted_proxies = [\"127.0.0.1/32\"]\n";
    let boma = Setup::new().settings(trusts).portal(BY_ORIGIN).rules(WIDE).start(origin.address);
    let fields = "Host: huduma.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Port: 666\r\nX-Original-URL: /evil\r\nForwarded: host=evil.example\r\nX-Forwarded-Prefix: /evil\r\nX_Host: evil.example\r\nX-Forwarded-Base: /evil\r\nX-HTTP-Method-Override: DELETE\r\nX-Scheme: evil\r\nX-Original-Scheme: evil\r\nFront-End-Https: evil\r\nX-Forwarded-Protocol: evil\r\nX-Original-URI: /evil\r\nX-Original_Uri: /evil\r\nX-Forwarded-For: 192.0.2.1\r\n";
    let page = request(boma.at(), "GET", "/page", fields, "");
    assert_eq!(page.status, 200, "{}", page.text());
    let reached = origin.reached().pop().unwrap();
    assert!(!reached.head.contains("evil") && !reached.head.contains("666") && !reached.head.contains("DELETE"));
    assert_eq!(reached.field("x-forwarded-host").as_deref(), Some("huduma.example"));
    assert!(reached.field("x-forwarded-for").unwrap().contains("192.0.2.1"), "who asks is still told");
    // A page is asked for in a packing that can be looked into.
    let browser = "Host: huduma.example\r\nAccept: text/html\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n";
    assert_eq!(request(boma.at(), "GET", "/packed", browser, "").status, 200);
    assert_eq!(origin.reached().pop().unwrap().field("accept-encoding").as_deref(), Some("gzip"));
    // Another spelling of the host is the same address, another port another one.
    request(boma.at(), "GET", "/page", "Host: HUDUMA.example\r\n", "");
    assert_eq!(origin.reached().len(), 2);
    request(boma.at(), "GET", "/page", "Host: huduma.example:666\r\n", "");
    assert_eq!(origin.reached().len(), 3);
}

#[test]
fn who_is_signed_in_gets_what_is_kept_for_everybody_where_the_origin_may_not_or_cannot_be_asked() {
    let (origin, boma) =
        house(&format!("connect_timeout = \"500ms\"\n{FILLED}"), "Set-Cookie: PHPSESSID=0123456789abcdef; path=/\r\n");
    let page = get(boma.at(), "/news");
    assert_eq!((page.status, origin.reached().len()), (200, 1));
    let known = |path: &str| request(boma.at(), "GET", path, "Accept: text/html\r\nCookie: PHPSESSID=7\r\n", "");
    // While the origin lives, it alone answers them.
    origin.title("Habari Amina");
    for asked in 2..5 {
        let own = known("/news");
        assert!(own.text().contains("Habari Amina") && own.body != page.body, "{}", own.text());
        assert!(!status_of(&own).contains("hit"), "{}", status_of(&own));
        assert_eq!(origin.reached().len(), asked);
    }
    assert_eq!(get(boma.at(), "/news").body, page.body, "and nobody gets what was theirs");
    let asked = origin.reached().len();
    boma.posture("static");
    let copy = known("/news");
    assert_eq!((copy.status, copy.body == page.body), (200, true), "{}", copy.text());
    assert!(copy.field("set-cookie").is_none_or(|c| !c.contains("PHPSESSID")));
    assert_eq!(known("/other").status, 503, "of which there is no copy");
    assert_eq!(origin.reached().len(), asked);
    boma.posture("normal");
    assert!(known("/news").text().contains("Habari Amina"));
    origin.kill();
    eventually("the copy stands in", || (known("/news").body == page.body).then_some(()));
    assert_eq!(known("/other").status, 503);
    let bearer = request(boma.at(), "GET", "/news", "Authorization: Bearer x\r\n", "");
    assert_eq!(bearer.status, 502, "a program that signs in wants its own");
}

#[test]
fn one_fetch_that_failed_is_the_answer_of_all_who_waited_for_it() {
    let session = "Set-Cookie: PHPSESSID=0123456789abcdef\r\n";
    for (portal, extra, whose) in [(BY_ORIGIN, session, false), (FILLED, session, true), (BY_ORIGIN, "", true)] {
        let (origin, boma) = house(portal, extra);
        origin.set(Mode::Fails);
        let answers = crowd(&boma, 200, "/slow/news", "");
        for answer in &answers {
            assert_eq!(answer.status, 500, "the origin's own status: {}", answer.text());
            let led = answer.field("set-cookie").is_some();
            assert!(portal == BY_ORIGIN || !led, "a session is nobody else's");
            assert!(!whose || answer.text().contains("Karibu"), "the origin's own page: {}", answer.text());
        }
        let led = answers.iter().filter(|a| a.field("set-cookie").is_some()).count();
        // One who came when it had failed already may have asked again.
        assert!(led <= origin.reached().len(), "{led} were given {} sessions", origin.reached().len());
        assert!(origin.reached().len() <= 3, "{}: {portal}", origin.reached().len());
        // It is an answer for those who waited, and kept for nobody.
        origin.set(Mode::Works);
        eventually("the origin is asked again", || (get(boma.at(), "/slow/news").status == 200).then_some(()));
    }
}

#[test]
fn a_prefix_is_of_whole_names() {
    let (_origin, boma) = house(BY_ORIGIN, "Cache-Control: max-age=60\r\n");
    let fill = || ["/news", "/news/a", "/newsletter", "/other"].iter().for_each(|p| drop(get(boma.at(), p)));
    let purge = |prefix: &str| boma.command(&["cache", "purge", "--prefix", prefix]);
    fill();
    assert_eq!(purge("/news"), (0, "2 kept answers forgotten\n".into()));
    fill();
    assert_eq!(purge("/news/"), (0, "1 kept answers forgotten\n".into()));
    fill();
    assert_eq!(purge("/news*"), (0, "3 kept answers forgotten\n".into()), "as paths of rules and routes");
    fill();
    assert_eq!(purge("/"), (0, "4 kept answers forgotten\n".into()));
}

#[test]
fn hosts_of_one_portal_share_what_boma_fetches_for_itself() {
    let origin = Origin::start();
    let setup = Setup::new().portal(FILLED).rules(WIDE);
    setup.write(&origin.address.to_string());
    let file = std::fs::read_to_string(setup.file("boma.toml")).unwrap();
    let hosts = "hosts = [\"huduma.example\", \"www.huduma.example\", \"*.kata.example\"]\nhost = \"huduma.example\"\nhost_header = \"canonical\"";
    setup.folder.write("boma.toml", &file.replace("hosts = [\"huduma.example\"]", hosts));
    let boma = Boma::start(setup, &[]);
    let at = |host: &str| request(boma.at(), "GET", "/news", &format!("Host: {host}\r\n"), "");
    let first = at("www.huduma.example");
    assert_eq!(first.status, 200);
    assert_eq!(origin.reached()[0].field("host").as_deref(), Some("huduma.example"), "the canonical one is asked for");
    assert_eq!((at("huduma.example").body, origin.reached().len()), (first.body, 1));
    // What a wildcard holds is kept by each name.
    for host in ["a.kata.example", "b.kata.example"] {
        assert_eq!(at(host).status, 200);
    }
    assert_eq!(origin.reached().len(), 3);
    // An origin that hears each name may have a site at each.
    let apart = file.replace("hosts = [\"huduma.example\"]", "hosts = [\"huduma.example\", \"www.huduma.example\"]");
    boma.setup.folder.write("boma.toml", &apart);
    eventually("it is asked by its own name", || {
        (at("www.huduma.example").status == 200
            && origin.reached().pop().unwrap().field("host").as_deref() == Some("www.huduma.example"))
        .then_some(())
    });
}

/// An origin's page of its failure says who it failed; those who waited for the same must not read that of others.
#[test]
fn an_error_page_that_names_its_asker_is_nobody_elses() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = asked.clone();
    let origin = scripted(move |mut stream, head| {
        let field = |name: &str| {
            let line = head.lines().find(|l| l.to_ascii_lowercase().starts_with(name)).unwrap_or_default();
            line.split_once(": ").map_or(String::new(), |(_, value)| value.to_owned())
        };
        let (from, id, agent) = (field("x-forwarded-for"), field("x-request-id"), field("user-agent"));
        let said = match head.split(' ').nth(1).unwrap_or_default() {
            "/address" => format!("Sorry, {from}"),
            "/id" => format!("Sorry, quote {id}"),
            "/agent" => format!("Sorry, {agent}"),
            _ => "Sorry".to_owned(),
        };
        if head.starts_with("GET /") && !head.contains("/robots.txt") {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        // As long as it takes for all of the crowd to come.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let _ = write!(
            stream,
            "HTTP/1.1 500 Internal Server Error\r\nX-Asked-By: {id}\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
            said.len()
        );
    });
    let boma = Setup::new()
        .settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n")
        .portal("session_cookies = [\"PHPSESSID\"]\n[[portal.route]]\npath = \"/*\"\ncache = \"origin\"\n")
        .rules(WIDE)
        .start(origin);
    for path in ["/address", "/id", "/agent", "/plain"] {
        let before = asked.load(std::sync::atomic::Ordering::Relaxed);
        let gate = Arc::new(Barrier::new(12));
        let at = boma.at();
        let one = |n: usize| {
            let gate = gate.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(at).unwrap();
                gate.wait();
                let who = [format!("203.0.113.{n}"), format!("request-{n:04}"), format!("Browser of {n:04}")];
                let fields =
                    format!("X-Forwarded-For: {}\r\nX-Request-Id: {}\r\nUser-Agent: {}\r\n", who[0], who[1], who[2]);
                (n, client.ask("GET", path, &fields, "").unwrap())
            })
        };
        let all: Vec<_> = (10..22).map(one).collect();
        for (n, answer) in all.into_iter().map(|t| t.join().unwrap()) {
            let text = format!("{} {}", answer.text(), answer.field("x-asked-by").unwrap_or_default());
            assert_eq!(answer.status, 500, "{text}");
            for other in (10..22).filter(|other| *other != n) {
                let names =
                    [format!("203.0.113.{other}"), format!("request-{other:04}"), format!("Browser of {other:04}")];
                assert!(names.iter().all(|name| !text.contains(name)), "{path}: {n} reads of {other}: {text}");
            }
            assert!(path != "/plain" || text.contains("Sorry"), "{text}");
        }
        assert!(asked.load(std::sync::atomic::Ordering::Relaxed) - before < 12, "{path}: one answered for many");
    }
}

/// What breaks off in the middle ends as what it is: for its reader, for the cache, and in what is counted.
#[test]
fn an_answer_that_fails_in_pieces_is_no_whole_one_for_anybody() {
    let whole = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let works = whole.clone();
    let origin = scripted(move |mut stream, _| {
        let piece = "<html><body><h1>Karibu</h1><p>Half of it, or all of it.</p>";
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = write!(stream, "{head}{:x}\r\n{piece}\r\n", piece.len());
        let _ = stream.flush();
        std::thread::sleep(std::time::Duration::from_millis(50));
        if works.load(std::sync::atomic::Ordering::Relaxed) {
            let end = "</body></html>";
            let _ = write!(stream, "{:x}\r\n{end}\r\n0\r\n\r\n", end.len());
        }
    });
    let portal = "snapshot = { start = [\"/kept\"], every = \"1s\", depth = 0 }\n[[portal.route]]\npath = \"/*\"\ncache = \"origin\"\n[[portal.route]]\npath = \"/kept\"\nfallback = \"snapshot\"\n";
    let boma = Setup::new().portal(portal).rules(WIDE).start(origin);
    boma.wait_for_snapshots(1);
    whole.store(false, std::sync::atomic::Ordering::Relaxed);
    let counted = || {
        let all = boma.staff("GET", "/metrics", "", "").text();
        let lines = all.lines().filter(|l| l.starts_with("boma_origin_failures_total{") && l.contains("origin.broke"));
        lines.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    let before = counted();
    for path in ["/news", "/news", "/kept"] {
        let mut stream = TcpStream::connect(boma.at()).unwrap();
        stream.set_read_timeout(Some(CEILING)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
        let mut all = String::new();
        let _ = stream.read_to_string(&mut all);
        let passed = all.starts_with("HTTP/1.1 200 ") && all.contains("Half of it");
        assert!(passed && !all.contains("cache-status: boma; hit"), "{path} is no hit: {all}");
        assert!(!all.ends_with("0\r\n\r\n") && !all.to_ascii_lowercase().contains("content-length"), "{path}: {all}");
    }
    eventually("it is counted", || (counted() >= before + 3.0).then_some(()));
    // Rounds for copies go on meanwhile, and half of a page takes no good one's place.
    std::thread::sleep(std::time::Duration::from_secs(2));
    boma.posture("static");
    let copy = navigate(boma.at(), "/kept");
    assert!(copy.status == 200 && copy.text().contains("</html>"), "{}", copy.text());
    boma.posture("normal");
    whole.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(get(boma.at(), "/news").status, 200);
    let hit = get(boma.at(), "/news");
    assert!(status_of(&hit).starts_with("boma; hit") && hit.text().ends_with("</html>"), "{}", status_of(&hit));
}

#[test]
fn a_page_that_differs_by_encoding_is_kept_for_who_brings_cookies_of_statistics_too() {
    let by_origin = "[[portal.route]]\npath = \"/*\"\ncache = \"origin\"\n";
    let (origin, boma) = house(by_origin, "Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\n");
    let ask = |more: &str| {
        let fields = format!("{NAVIGATES}Accept-Encoding: gzip, deflate, br, zstd\r\n{more}");
        request(boma.at(), "GET", "/news", &fields, "")
    };
    assert_eq!(ask("").status, 200);
    let hit = ask("Cookie: _ga=GA1.1.2\r\n");
    assert!(status_of(&hit).starts_with("boma; hit"), "{}", status_of(&hit));
    assert_eq!(origin.reached().len(), 1);
}

/// What is kept is answered on the spot, as far as the system takes it.
#[test]
fn who_asks_for_much_and_reads_late_gets_all_of_it_in_order() {
    const MANY: usize = 400;
    let origin = scripted(move |mut stream, head| {
        let name = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = name.repeat(60_000 / name.len());
        let length = body.len();
        let _ =
            write!(stream, "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: {length}\r\n\r\n{body}");
    });
    let portal = "[[portal.route]]\npath = \"/*\"\ncache = \"origin\"\n";
    let boma = Setup::new().portal(portal).rules(WIDE).start(origin);
    let names = ["/one", "/two"];
    for name in names {
        assert_eq!(get(boma.at(), name).status, 200);
    }
    let mut stream = TcpStream::connect(boma.at()).unwrap();
    stream.set_read_timeout(Some(CEILING)).unwrap();
    let asked: String =
        (0..MANY).map(|n| format!("GET {} HTTP/1.1\r\nHost: huduma.example\r\n\r\n", names[n % 2])).collect();
    stream.write_all(asked.as_bytes()).unwrap();
    // All that fits between the two is on its way before anything is read.
    eventually("answers", || (boma.metric("boma_cache_total{outcome=\"hit\"}") >= 20.0).then_some(()));
    let mut reader = std::io::BufReader::new(stream);
    for n in 0..MANY {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let name = names[n % 2];
        assert!(body == name.repeat(60_000 / name.len()).as_bytes(), "answer {n}");
    }
}
