//! Pages and passes, and who gets what instead.

use std::net::SocketAddr;

use boma::challenge::{asked, work};

use crate::harness::{Answer, Origin, Setup, eventually, get, navigate, request};

const ATTRIBUTE: &str = "name=\"boma-seal\" value=\"";

fn seal(page: &Answer) -> String {
    let text = page.text();
    let at = text.find(ATTRIBUTE).unwrap_or_else(|| panic!("a challenge: {text}")) + ATTRIBUTE.len();
    text[at..at + 96].to_owned()
}

/// Solves a page as the browser's script would; the pass as a Cookie field.
pub fn solve(to: SocketAddr, page: &Answer) -> String {
    let seal = seal(page);
    let body = format!("seal={seal}&work={}", work(seal.as_bytes(), asked(seal.as_bytes()).unwrap()));
    let answer =
        request(to, "POST", "/.well-known/boma/challenge", "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n", &body);
    assert_eq!(answer.status, 204, "{}", answer.text());
    let cookie = answer.field("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    answer.pass().unwrap()
}

fn with(to: SocketAddr, path: &str, pass: &str) -> Answer {
    request(to, "GET", path, &format!("Accept: text/html\r\nCookie: {pass}\r\n"), "")
}

#[test]
fn in_attack_a_page_is_challenged_once_and_the_pass_opens_it() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    assert_eq!(navigate(boma.at(), "/a").status, 200);
    boma.posture("attack");
    let page = request(boma.at(), "GET", "/a", "Accept: text/html\r\nAccept-Encoding: gzip\r\n", "").unpacked();
    assert_eq!(page.status, 503);
    assert_eq!(page.field("cache-control"), Some("no-store"));
    assert!(
        page.field("retry-after").is_some()
            && page.field("content-security-policy").unwrap().contains("script-src 'sha256-")
    );
    let text = page.text();
    assert!(
        !text.contains(" src=") && !text.contains("http://") && !text.contains("https://"),
        "nothing else is loaded"
    );
    assert_eq!(origin.reached_by_citizens().len(), 1, "a challenged request does not reach the origin");
    let pass = solve(boma.at(), &page);
    let opened = with(boma.at(), "/a", &format!("x=1; {pass}"));
    assert_eq!(opened.status, 200);
    assert_eq!(
        origin.reached_by_citizens().last().unwrap().field("cookie").as_deref(),
        Some("x=1"),
        "the pass stays with boma"
    );
    assert_eq!(with(boma.at(), "/a", &pass.replace("boma_pass=A", "boma_pass=B")).status, 503);
    let several = format!("boma_pass=junk; {pass}; boma_pass=");
    assert_eq!(with(boma.at(), "/a", &several).status, 200, "several cookies of the name: the good one counts");
    let program = pass.replace("boma_pass=", "Boma-Pass: ");
    assert_eq!(request(boma.at(), "GET", "/a", &format!("{program}\r\nAccept: text/html\r\n"), "").status, 200);
    assert!(boma.metric("boma_challenge_total{outcome=\"solved\"}") >= 1.0);
}

#[test]
fn each_kind_of_request_gets_what_it_can_take() {
    let origin = Origin::start();
    let rules = "[[rule]]\nname = \"r\"\nmatch = { path = \"/ruled*\" }\nthen = \"challenge\"\n";
    let boma = Setup::new()
        .portal("[[portal.route]]\npath = \"/ruled/callback\"\nchallenge = \"never\"\n")
        .rules(rules)
        .start(origin.address);
    let program = get(boma.at(), "/ruled");
    assert_eq!((program.status, program.field("content-type")), (503, Some("application/problem+json")));
    assert_eq!(program.json()["challenge_url"], "http://huduma.example/.well-known/boma/challenge");
    assert_eq!(get(boma.at(), "/ruled/callback").status, 429, "a call-back is told to wait");
    let image = request(boma.at(), "GET", "/ruled/x.png", "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n", "");
    assert_eq!(
        (image.status, image.field("content-type")),
        (429, Some("application/problem+json")),
        "never a page for a part of one"
    );
    assert!(image.field("retry-after").is_some() && image.body.len() < 400);
    let script = request(
        boma.at(),
        "GET",
        "/ruled/api",
        "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nAccept: text/html\r\n",
        "",
    );
    assert_eq!(script.status, 429);
    let grpc = request(boma.at(), "POST", "/ruled/rpc", "Content-Type: application/grpc\r\n", "x");
    assert_eq!((grpc.status, grpc.field("grpc-status")), (200, Some("14")));
    boma.posture("attack");
    assert_eq!(get(boma.at(), "/api").status, 200, "programs have a small budget, and no page");
    for spared in ["/robots.txt", "/.well-known/security.txt", "/.well-known/acme-challenge/x"] {
        assert_eq!(navigate(boma.at(), spared).status, 200, "{spared}");
    }
    let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";
    assert_eq!(request(boma.at(), "OPTIONS", "/api", preflight, "").status, 200);
    assert_eq!(
        request(
            boma.at(),
            "OPTIONS",
            "/api",
            "Origin: https://a.example\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n",
            ""
        )
        .status,
        429
    );
}

#[test]
fn a_challenged_form_that_cannot_ride_is_asked_for_again_and_never_becomes_a_get() {
    let origin = Origin::start();
    let boma = Setup::new().settings("[challenge]\nseal_max = \"0B\"\n").start(origin.address);
    boma.posture("guarded");
    assert_eq!(navigate(boma.at(), "/form").status, 200);
    let fields = "Accept: text/html\r\nAccept-Encoding: gzip\r\nSec-Fetch-Mode: navigate\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let page = request(boma.at(), "POST", "/form", fields, "name=Mama").unpacked();
    assert_eq!(page.status, 503);
    assert!(page.text().contains("id=\"again\"") && page.text().contains("<h1>Please send your form again</h1>"));
    let pass = solve(boma.at(), &page);
    assert_eq!(request(boma.at(), "POST", "/form", &format!("{fields}Cookie: {pass}\r\n"), "name=Mama").status, 200);
    let reached = origin.reached_by_citizens();
    assert_eq!(reached.iter().map(|r| r.method.as_str()).collect::<Vec<_>>(), ["GET", "POST"]);
    assert_eq!(reached[1].body, b"name=Mama");
}

#[test]
fn a_pass_has_a_bucket_of_its_own_and_a_solution_sent_twice_gives_one() {
    let rules = "[[limit]]\nname = \"own\"\nper = \"client\"\nrate = \"1/h\"\nburst = 2\n";
    let origin = Origin::start();
    let boma = Setup::new().rules(rules).start(origin.address);
    assert_eq!([(); 2].map(|()| navigate(boma.at(), "/").status), [200, 200]);
    let page = navigate(boma.at(), "/");
    assert_eq!(page.status, 503, "over budget without a pass: challenged");
    assert_eq!(get(boma.at(), "/").status, 429, "a program: told to wait");
    let (one, same) = (solve(boma.at(), &page), solve(boma.at(), &page));
    assert_eq!(
        [&one, &same, &one].map(|p| with(boma.at(), "/", p).status),
        [200, 200, 429],
        "one solution, one bucket"
    );
    let other = solve(boma.at(), &navigate(boma.at(), "/"));
    assert_eq!(with(boma.at(), "/", &other).status, 200, "another neighbour behind the same address");
}

#[test]
fn own_paths_are_bomas_alone() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    let live = request(boma.at(), "GET", "/.well-known/boma/live", "Host: any.example\r\n", "");
    assert_eq!(live.status, 204, "on any host");
    assert_eq!(get(boma.at(), "/.well-known/boma/else").status, 404);
    assert_eq!(get(boma.at(), "/.well-known/./boma/%65lse").status, 404);
    let bad = request(boma.at(), "POST", "/.well-known/boma/challenge", "", "seal=x&work=1");
    assert_eq!(bad.status, 403);
    assert_eq!(bad.pass(), None);
    assert_eq!(request(boma.at(), "POST", "/.well-known/boma/challenge", "", &"x".repeat(20_000)).status, 413);
    let page = navigate(boma.at(), "/.well-known/boma/challenge");
    assert_eq!(page.status, 503);
    let pass = solve(boma.at(), &page);
    assert_eq!(with(boma.at(), "/.well-known/boma/challenge", &pass).status, 303);
    assert_eq!(origin.reached_by_citizens().len(), 0);
}

#[test]
fn passes_outlive_a_restart() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    boma.posture("attack");
    let pass = solve(boma.at(), &navigate(boma.at(), "/"));
    let boma = crate::harness::Boma::start(boma.kill(), &[]);
    assert_eq!(navigate(boma.at(), "/").status, 503, "the pinned posture outlives it too");
    assert_eq!(with(boma.at(), "/", &pass).status, 200);
}

#[test]
fn a_network_that_answers_nothing_gets_a_button_alone_until_somebody_answers() {
    let origin = Origin::start();
    let boma = Setup::new().settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n").start(origin.address);
    boma.posture("attack");
    let page = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nCookie: session=1\r\n";
    let plain = |address: &str, more: &str| {
        request(boma.at(), "GET", "/a", &format!("{page}{more}X-Forwarded-For: {address}\r\n"), "")
    };
    let packs = "Accept-Encoding: gzip\r\n";
    let from = |address: &str, more: &str| plain(address, &format!("{packs}{more}")).unpacked();
    let is_whole = |page: &Answer| page.text().contains("<script>");
    for n in 0..30 {
        let first = from(&format!("203.0.113.{n}"), "");
        assert!(first.status == 503 && is_whole(&first), "{n}: {}", first.text());
    }
    let bare = plain("203.0.113.200", "");
    let policy = bare.field("content-security-policy").unwrap();
    assert!(bare.status == 503 && !is_whole(&bare) && !policy.contains("script-src"), "{}", bare.text());
    assert_eq!(bare.field("cache-control"), Some("no-store"));
    assert!(bare.body.len() <= 1500, "{} bytes", bare.body.len());
    let packed = plain("203.0.113.201", packs);
    assert!(packed.field("content-encoding") == Some("gzip") && packed.body.len() <= 1500);
    println!("sent: {} bytes, packed {}", bare.body.len(), packed.body.len());
    assert!(is_whole(&from("198.51.100.1", "")), "another network");
    assert!(boma.metric("boma_challenge_total{outcome=\"bare\"}") >= 2.0);

    // A citizen behind it who presses the button, first too early.
    let press = || {
        let body = format!("boma-seal={}&boma-work=", seal(&bare));
        let own = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        request(boma.at(), "POST", "/a", &format!("{page}{own}X-Forwarded-For: 203.0.113.200\r\n"), &body)
    };
    let early = press();
    assert!(early.status == 503 && early.text().contains(&seal(&bare)), "the same, with what is left to wait");
    let through = eventually("the wait is over", || Some(press()).filter(|a| a.status != 503));
    assert_eq!((through.status, through.field("location")), (303, Some("http://huduma.example/a")));
    let pass = through.pass().unwrap();
    let opened = from("203.0.113.200", &format!("Cookie: {pass}\r\n"));
    assert_eq!(opened.status, 200, "{}", opened.text());
    assert!(is_whole(&from("203.0.113.77", "")), "one answer gets the page back for all");
}
