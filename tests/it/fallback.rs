//! The origin dead, hanging, failing, talking nonsense; and snapshots, over a restart too.

use crate::harness::{Boma, Mode, Origin, Setup, eventually, get, load, navigate, request};

const ROUTES: &str = "connect_timeout = \"500ms\"\nresponse_timeout = \"500ms\"\nsnapshot = { start = [\"/\"], every = \"1s\" }\n\
[[portal.service]]\nname = { en = \"Pay\" }\npaths = [\"/pay\"]\nphone = \"+254 20 000 0000\"\n\
[[portal.route]]\npath = \"/news\"\nfallback = \"snapshot\"\n[[portal.route]]\npath = \"/style.css\"\nfallback = \"snapshot\"\n[[portal.route]]\npath = \"/off\"\nfallback = \"off\"\n";
/// One client asks for everything at once.
const WIDE: &str = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000000/s\"\n";

fn house() -> (Origin, Boma) {
    let origin = Origin::start();
    origin.extra("Content-Security-Policy: default-src 'self'\r\nSet-Cookie: sid=0123456789abcdef\r\n");
    let boma = Setup::new().portal(ROUTES).rules(WIDE).start(origin.address);
    boma.wait_for_snapshots(3);
    (origin, boma)
}

fn is_snapshot(boma: &Boma, path: &str) {
    let page = navigate(boma.at(), path);
    assert_eq!(page.status, 200, "{path}: {}", page.text());
    assert!(page.text().contains("id=\"boma-banner\"") && page.text().contains("Karibu"), "{path}");
    assert_eq!(page.field("cache-status"), Some("boma; hit; detail=snapshot"));
    assert!(page.field("age").is_some() && page.field("set-cookie").is_none());
    assert!(page.field("content-security-policy").unwrap().contains("style-src 'self' 'sha256-"));
}

/// What everybody gets while the origin does not help; `program` is the status for programs.
fn everybody_is_helped(boma: &Boma, program: u16) {
    is_snapshot(boma, "/");
    is_snapshot(boma, "/news");
    let statement = navigate(boma.at(), "/other");
    assert_eq!(statement.status, 503);
    assert!(
        statement.text().contains("<h1>Sorry, the service is unavailable</h1>")
            && statement.text().contains("tel:+254200000000")
    );
    assert!(statement.field("retry-after").is_some() && statement.field("proxy-status").is_some());
    assert_eq!(navigate(boma.at(), "/news?page=2").status, 503, "another page than the snapshot's");
    let told = get(boma.at(), "/news");
    assert_eq!((told.status, told.field("content-type")), (program, Some("application/problem+json")));
    assert_eq!(get(boma.at(), "/other").status, program);
    assert_eq!(navigate(boma.at(), "/off").status, program, "fallback off");
    let style = request(boma.at(), "GET", "/style.css", "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\n", "");
    assert_eq!(style.status, 200, "a snapshot's style sheet comes with it");
    let plain = request(boma.at(), "GET", "/style.css", "Accept: text/css,*/*;q=0.1\r\n", "");
    assert_eq!(plain.status, 200, "over plain HTTP too, where browsers send no Sec-Fetch");
    assert_eq!(request(boma.at(), "HEAD", "/", "Accept: text/html\r\n", "").status, 200);
}

#[test]
fn an_origin_that_breaks_off_or_talks_nonsense_is_replaced() {
    let (origin, boma) = house();
    for mode in [Mode::BreaksOff, Mode::Nonsense] {
        origin.set(mode);
        everybody_is_helped(&boma, 502);
    }
    origin.set(Mode::Works);
    assert_eq!(navigate(boma.at(), "/other").status, 200, "back at once");
}

#[test]
fn an_origin_that_hangs_is_replaced() {
    let (origin, boma) = house();
    origin.set(Mode::Hangs);
    everybody_is_helped(&boma, 504);
}

#[test]
fn an_origins_own_error_is_replaced_for_people_and_passed_to_programs() {
    let (origin, boma) = house();
    origin.set(Mode::Fails);
    is_snapshot(&boma, "/");
    assert_eq!(navigate(boma.at(), "/other").status, 503);
    let program = get(boma.at(), "/other");
    assert!(program.status == 500 && program.text().contains("Karibu"), "untouched");
    assert_eq!(navigate(boma.at(), "/off").status, 500);
    // A 5xx never takes a good copy's place, however often boma asks.
    let asked = origin.reached().len();
    eventually("boma asks again for its snapshots", || (origin.reached().len() > asked + 6).then_some(()));
    is_snapshot(&boma, "/");
}

#[test]
fn after_a_form_whose_fate_is_unknown_the_page_says_so() {
    let (origin, boma) = house();
    origin.set(Mode::BreaksOff);
    let post = |fields: &str| request(boma.at(), "POST", "/pay", fields, "amount=100");
    let page = post("Accept: text/html\r\n");
    assert_eq!(page.status, 503);
    assert!(page.text().contains("Do not pay or send it a second time"), "{}", page.text());
    for where_to_check in
        ["<h2>Where to check</h2>", "tel:+254200000000", "/.well-known/boma/status\" target=\"_blank\""]
    {
        assert!(page.text().contains(where_to_check), "{where_to_check}: {}", page.text());
    }
    assert!(!page.text().contains("href=\"\""), "nothing that asks for the page again: {}", page.text());
    assert!(post("").json()["detail"].as_str().unwrap().contains("not known whether"));
    assert_eq!(
        origin.reached_by_citizens().iter().filter(|r| r.method == "POST").count(),
        2,
        "never sent twice by boma"
    );
    origin.kill();
    assert!(!post("Accept: text/html\r\n").text().contains("second time"), "nothing was sent: nothing to fear");
}

#[test]
fn an_origin_killed_under_load_costs_no_connection_and_comes_back_by_itself() {
    let (origin, boma) = house();
    let people = load(boma.at(), 3, &["/", "/news", "/other"], "Accept: text/html\r\n");
    let programs = load(boma.at(), 1, &["/other"], "");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let address = origin.kill();
    eventually("the statement stands", || (navigate(boma.at(), "/other").status == 503).then_some(()));
    everybody_is_helped(&boma, 502);
    let origin = Origin::start_at(address);
    eventually("service is back", || (navigate(boma.at(), "/other").status == 200).then_some(()));
    let (people, programs) = (people.stop(), programs.stop());
    for answer in people.iter().chain(&programs) {
        let answer = answer.as_ref().expect("no connection error reaches a client");
        assert!(matches!(answer.status, 200 | 502 | 503), "{}", answer.status);
    }
    assert!(
        people.iter().any(|a| a.as_ref().unwrap().status == 503)
            && programs.iter().any(|a| a.as_ref().unwrap().status == 502)
    );
    assert!(boma.metric("boma_origin_failures_total") > 0.0);
    drop(origin);
}

#[test]
fn snapshots_outlive_a_kill_with_the_origin_dead() {
    let (origin, boma) = house();
    // What is on the board is on its way to the disk; wait until the writer has it.
    eventually("the snapshots are on disk", || {
        let bytes = std::fs::read(boma.setup.file("state/boma.redb")).ok()?;
        let holds = |what: &[u8]| bytes.windows(what.len()).any(|w| w == what);
        (holds(b"huduma\n/news") && holds(b"huduma\n/style.css")).then_some(())
    });
    origin.kill();
    let boma = Boma::start(boma.kill(), &[]);
    everybody_is_helped(&boma, 502);
    assert_eq!(boma.metric("boma_snapshots"), 3.0);
}

#[test]
fn a_page_that_repeats_its_own_cookie_is_not_kept() {
    let origin = Origin::start();
    origin.extra("Set-Cookie: sid=0123456789abcdef\r\n");
    origin.title("your session 0123456789abcdef");
    let boma = Setup::new().portal(ROUTES).start(origin.address);
    eventually("boma says why", || boma.log().contains("repeats the value of its own cookie").then_some(()));
    origin.kill();
    assert_eq!(navigate(boma.at(), "/").status, 503);
}

#[test]
fn boma_fetches_without_anything_of_anybodys() {
    let (origin, boma) = house();
    request(boma.at(), "GET", "/", "Cookie: sid=citizen\r\nAccept-Language: sw\r\n", "");
    let own: Vec<_> = origin
        .reached()
        .into_iter()
        .filter(|r| r.field("user-agent").is_some_and(|a| a.starts_with("boma/")))
        .collect();
    assert!(own.len() >= 3);
    for fetch in own {
        assert_eq!(
            (fetch.field("cookie"), fetch.field("accept-language"), fetch.field("x-forwarded-for")),
            (None, None, None)
        );
        assert_eq!(fetch.field("accept-encoding").as_deref(), Some("identity"));
        assert_eq!(fetch.field("host").as_deref(), Some("huduma.example"));
    }
}
