//! The machine runs short: who is turned away then, who is not, and that it ends.

use crate::harness::{Boma, Client, Origin, Setup, eventually, get, navigate, request};

const PROGRAM: &str = "Accept: application/json\r\n";
const ROUTES: &str = "[[portal.route]]\npath = \"/big/*\"\ncache = \"origin\"\n[[portal.route]]\npath = \"/pay/*\"\nclass = \"payment\"\n";

fn house(settings: &str) -> (Origin, Boma) {
    let origin = Origin::start();
    let boma = Setup::new().settings(settings).portal(ROUTES).start(origin.address);
    (origin, boma)
}

/// Resident memory in MiB.
fn resident(boma: &Boma) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", boma.child.id())).unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn strain(boma: &Boma, of: &str) -> String {
    boma.status()["strain"][of].as_str().unwrap().to_owned()
}

/// Who is turned away, and who is not.
fn strangers_wait(boma: &Boma, pass: &str) {
    let refused = request(boma.at(), "GET", "/", PROGRAM, "");
    assert_eq!((refused.status, &refused.json()["reason"]), (503, &"admit.strained".into()), "{}", refused.text());
    assert!(refused.field("retry-after").is_some());
    let page = navigate(boma.at(), "/");
    assert!(page.status == 503 && page.text().contains("<h1>"), "{}", page.text());
    let held = request(boma.at(), "GET", "/", &format!("{PROGRAM}Cookie: {pass}\r\n"), "");
    assert_eq!(held.status, 200, "who was here before is served: {}", held.text());
    assert_eq!(request(boma.at(), "POST", "/pay/back", PROGRAM, "paid=1").status, 200, "a payment's call-back is");
    assert_eq!(get(boma.at(), "/.well-known/boma/status").status, 200);
    let troubles = boma.status()["troubles"].to_string();
    assert!(troubles.contains("strangers are turned away"), "{troubles}");
}

#[test]
fn short_of_memory_strangers_wait_and_citizens_are_served_until_it_is_given_back() {
    let (origin, boma) =
        house("[server]\nmemory = \"256MiB\"\n[client]\nmemory = \"8MiB\"\n[cache]\nmemory = \"400MiB\"\n");
    let pass = navigate(boma.at(), "/").pass().unwrap();
    let mut idle = Client::connect(boma.at()).unwrap();
    assert_eq!(idle.ask("GET", "/", "", "").unwrap().status, 200);
    origin.title(&"x".repeat(1 << 20));
    origin.extra("Cache-Control: max-age=600\r\n");
    for n in 0..400 {
        if resident(&boma) >= 238 {
            break;
        }
        assert_eq!(get(boma.at(), &format!("/big/{n}")).status, 200);
    }
    origin.title("Huduma");
    origin.extra("");
    eventually("memory is scarce", || (strain(&boma, "memory") == "scarce").then_some(()));
    strangers_wait(&boma, &pass);
    assert_eq!(boma.metric("boma_strain{source=\"memory\"}"), 2.0);
    assert_eq!(get(boma.at(), "/big/0").status, 200, "what is kept costs nothing");
    eventually("a connection between requests is closed sooner", || idle.is_closed().then_some(()));
    let (code, told) = boma.command(&["cache", "purge", "--prefix", "/"]);
    assert_eq!(code, 0, "{told}");
    eventually("memory is given back", || (strain(&boma, "memory") == "none").then_some(()));
    assert_eq!(request(boma.at(), "GET", "/", PROGRAM, "").status, 200);
    assert!(!boma.status()["troubles"].to_string().contains("strained"));
}

#[test]
fn at_the_end_of_memory_the_door_is_closed_and_the_staffs_is_not() {
    let (origin, boma) =
        house("[server]\nmemory = \"256MiB\"\n[client]\nmemory = \"8MiB\"\n[cache]\nmemory = \"400MiB\"\n");
    let pass = format!("Cookie: {}\r\n", navigate(boma.at(), "/").pass().unwrap());
    origin.title(&"x".repeat(1 << 20));
    origin.extra("Cache-Control: max-age=600\r\n");
    let comes = |path: &str| Client::connect(boma.at()).and_then(|mut c| c.ask("GET", path, &pass, ""));
    let full = |n: usize| resident(&boma) >= 252 || comes(&format!("/big/{n}")).is_err();
    assert!((0..400).any(full), "memory was used: {} MiB", resident(&boma));
    eventually("nothing is left", || (strain(&boma, "memory") == "spent").then_some(()));
    let refused = boma.metric("boma_connections_refused_total");
    assert!(comes("/").is_err(), "nobody comes in, with a pass or without");
    assert!(boma.metric("boma_connections_refused_total") > refused);
    let (code, told) = boma.command(&["cache", "purge", "--prefix", "/"]);
    assert_eq!(code, 0, "{told}");
    eventually("the door is open again", || comes("/").ok().filter(|a| a.status == 200));
}

#[test]
fn near_a_full_line_strangers_wait() {
    let (origin, boma) = house("[server]\negress = \"1Mbit\"\n");
    let pass = navigate(boma.at(), "/").pass().unwrap();
    origin.title(&"x".repeat(200_000));
    let full = |_: &str| {
        let _ = request(boma.at(), "GET", "/", &format!("{PROGRAM}Cookie: {pass}\r\n"), "");
        (strain(&boma, "uplink") == "scarce").then_some(())
    };
    let page = || request(boma.at(), "GET", "/x", "Accept: text/html\r\nAccept-Encoding: gzip\r\n", "").body.len();
    boma.posture("closed");
    let whole = page();
    boma.posture("normal");
    eventually("the line is full", || full("/"));
    let small = page();
    assert!(small <= 1500 && whole > small + 500, "{small} of {whole} bytes");
    strangers_wait(&boma, &pass);
    eventually("it is over", || (strain(&boma, "uplink") == "none").then_some(()));
    assert_eq!(request(boma.at(), "GET", "/", PROGRAM, "").status, 200);
}
