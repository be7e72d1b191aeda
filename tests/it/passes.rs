//! Passes as citizens have them: on several networks and nodes, in the middle of a form, beside thousands.

use std::net::SocketAddr;

use boma::challenge::{asked, work};

use crate::challenge::solve;
use crate::harness::{Answer, Origin, Setup, navigate, request};

const NAVIGATION: &str = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
const BACKGROUND: &str = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";

fn behind_a_hop() -> Setup {
    Setup::new().settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n")
}

fn from(to: SocketAddr, address: &str, pass: &str, path: &str) -> Answer {
    let fields = format!("{NAVIGATION}X-Forwarded-For: {address}\r\nCookie: {pass}\r\n");
    request(to, "GET", path, &fields, "")
}

fn program(to: SocketAddr, method: &str, fields: &str, body: &str) -> Answer {
    request(to, method, "/.well-known/boma/challenge", &format!("Accept: application/json\r\n{fields}"), body)
}

/// A pass as a program gets it, behind this address: the value of a Cookie field.
fn earn(to: SocketAddr, address: &str) -> String {
    let hop = format!("X-Forwarded-For: {address}\r\n");
    let seal = program(to, "GET", &hop, "").json()["seal"].as_str().unwrap().to_owned();
    let solved = work(seal.as_bytes(), asked(seal.as_bytes()).unwrap());
    let answer = program(to, "POST", &hop, &format!("seal={seal}&work={solved}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.pass().unwrap()
}

#[test]
fn who_was_here_before_the_attack_finishes_their_form() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    let page = navigate(boma.at(), "/form");
    let pass = page.pass().expect("a quiet pass with the first page");
    assert_eq!((page.status, page.field("cache-control")), (200, Some("private")));
    assert_eq!(request(boma.at(), "GET", "/api", BACKGROUND, "").pass(), None, "with pages alone");
    boma.posture("attack");
    let with = format!("Cookie: {pass}\r\n");
    let background = request(boma.at(), "GET", "/api/draft", &format!("{BACKGROUND}{with}"), "");
    let sent = request(boma.at(), "POST", "/form", &format!("{NAVIGATION}{with}"), "name=Duka");
    assert_eq!((background.status, sent.status), (200, 200), "{}", sent.text());
    assert_eq!(request(boma.at(), "POST", "/form", NAVIGATION, "name=Duka").status, 503, "but nobody else");
    let next = request(boma.at(), "GET", "/other", &format!("{NAVIGATION}{with}"), "");
    assert_eq!(next.status, 503, "and another page is challenged");
    assert_eq!(navigate(boma.at(), "/x").pass(), None, "nobody gets a quiet pass now");
}

#[test]
fn a_quiet_pass_is_no_proof() {
    let origin = Origin::start();
    let rules = "[[rule]]\nname = \"r\"\nmatch = { path = \"/ruled\", pass = false }\nthen = \"challenge\"\n";
    let boma = Setup::new().rules(rules).start(origin.address);
    let quiet = navigate(boma.at(), "/").pass().unwrap();
    assert_eq!(
        from(boma.at(), "127.0.0.1", &quiet, "/ruled").status,
        503,
        "rules mean those who have proven something"
    );
    origin.extra("Cache-Control: public, max-age=60\r\n");
    assert_eq!(navigate(boma.at(), "/").pass(), None, "what shared caches keep sets none");
}

#[test]
fn a_pass_goes_with_its_holder_from_network_to_network() {
    let origin = Origin::start();
    let boma = behind_a_hop().start(origin.address);
    boma.posture("attack");
    let pass = earn(boma.at(), "203.0.113.7");
    for i in 0..100 {
        let address = ["203.0.113.7", "2001:db8::7"][i % 2];
        let answer = from(boma.at(), address, &pass, &format!("/{i}"));
        assert!(matches!(answer.status, 200 | 429), "{i}: never challenged again: {}", answer.status);
    }
    let other = earn(boma.at(), "203.0.113.8");
    for address in ["203.0.113.8", "198.51.100.9", "192.0.2.1", "2001:db8:1::1", "2001:db8:2::1"] {
        assert_eq!(from(boma.at(), address, &other, "/").status, 200, "{address}");
    }
    let stolen = format!("{NAVIGATION}User-Agent: another\r\nX-Forwarded-For: 203.0.113.8\r\nCookie: {other}\r\n");
    assert_eq!(request(boma.at(), "GET", "/", &stolen, "").status, 503, "it is of one browser");
}

#[test]
fn nodes_that_share_a_secret_share_passes() {
    let origin = Origin::start();
    let node = || {
        let setup = Setup::new().settings("[server]\nsecret = \"secret.key\"\n");
        setup.folder.write("secret.key", &"5a".repeat(32));
        let boma = setup.start(origin.address);
        boma.posture("attack");
        boma
    };
    let (one, other) = (node(), node());
    let pass = solve(one.at(), &navigate(one.at(), "/"));
    assert_eq!(from(other.at(), "127.0.0.1", &pass, "/").status, 200);
}

#[test]
fn passes_that_are_made_in_masses_share_one_budget() {
    let origin = Origin::start();
    let boma = behind_a_hop().start(origin.address);
    let mint = |n: usize, address: &str| -> Vec<String> { (0..n).map(|_| earn(boma.at(), address)).collect() };
    boma.posture("attack");
    // More than a prefix gets budgets for, made in whatever time it takes.
    let passes = mint(260, "203.0.113.7");
    let served = |passes: &[String]| {
        let each = |pass: &String| (0..8).filter(|_| from(boma.at(), "203.0.113.7", pass, "/").status == 200).count();
        passes.iter().map(each).sum::<usize>()
    };
    let (first, last) = (served(&passes[..20]), served(&passes[240..]));
    assert_eq!(first, 160, "the first have a budget each");
    println!("of 160 requests of the last twenty passes {last} are served");
    let neighbour = earn(boma.at(), "203.0.113.99");
    assert_eq!(from(boma.at(), "203.0.113.99", &neighbour, "/").status, 200, "a neighbour is not harmed");
}

#[test]
fn programs_get_a_pass_by_json() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    boma.posture("attack");
    let given = program(boma.at(), "GET", "", "");
    assert_eq!((given.status, given.field("cache-control")), (200, Some("no-store")));
    let given = given.json();
    let (bits, count) = (given["bits"].as_u64().unwrap(), given["count"].as_u64().unwrap());
    assert!(given["algorithm"] == "boma-sha256-v1" && given["level"] == 1 && given["expires_in"] == 1800, "{given}");
    let seal = given["seal"].as_str().unwrap();
    let solved = work(seal.as_bytes(), boma::challenge::Work { bits: bits as u8, count: count as u8 });
    let send = |body: String| program(boma.at(), "POST", "Content-Type: application/json\r\n", &body);
    let answer = send(format!("{{\"seal\":\"{seal}\",\"work\":\"{solved}\"}}"));
    let pass = answer.json();
    assert!(answer.status == 200 && pass["level"] == 1 && pass["header"] == "Boma-Pass", "{pass}");
    let with = format!("Accept: text/html\r\nBoma-Pass: {}\r\n", pass["pass"].as_str().unwrap());
    assert_eq!(request(boma.at(), "GET", "/a", &with, "").status, 200);
    for (wrong, status) in [
        ("{}", 400),
        ("[1]", 400),
        ("", 400),
        ("{\"seal\":7}", 400),
        ("{\"seal\":\"x\",\"work\":\"1\"}", 403),
        ("{\"seal\":\"\\u0000\"}", 403),
    ] {
        let refused = send(wrong.to_owned());
        assert_eq!((refused.status, refused.pass()), (status, None), "{wrong}");
        assert_eq!(refused.field("content-type"), Some("application/problem+json"));
    }
}
