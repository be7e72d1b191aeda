//! A real Chromium before boma: the portal, the challenge, the statement, at two widths, over TLS and plain HTTP on a
//! host name that is not loopback's own (where browsers leave out `crypto.subtle`). Screenshots lie in
//! `tests/browser/shots`.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use boma::cli::sample;

use crate::harness::{Boma, Origin, Setup, eventually, navigate, request};

const HOST: &str = "huduma.example";

struct House {
    boma: Boma,
    portal: sample::Sample,
}

/// Two doors, the second with TLS.
fn doors(settings: &str) -> Setup {
    let more = "[[certificate]]\nchain = \"tls.pem\"\nkey = \"tls.key\"\n";
    let mut setup = Setup::new().settings(settings).settings(more);
    setup.listen = "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = true\n";
    setup.languages = "\"en\", \"sw\", \"fr\", \"sq\", \"ar\"";
    let made = rcgen::generate_simple_self_signed(vec![HOST.into()]).unwrap();
    setup.folder.write("tls.pem", &made.cert.pem());
    setup.folder.write("tls.key", &made.signing_key.serialize_pem());
    setup
}

fn house() -> House {
    house_with("")
}

fn house_with(settings: &str) -> House {
    let portal = sample::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let setup = doors(settings)
        .portal("snapshot = { start = [\"/en/\"], every = \"1s\" }\n[[portal.service]]\nname = { en = \"Business licences\", sw = \"Leseni za biashara\" }\npaths = [\"/forms/*\"]\nphone = \"+254 20 000 0000\"\noffice = \"Huduma Centre\"\nussd = \"*000#\"\n[[portal.route]]\npath = \"/style.css\"\nfallback = \"snapshot\"\n[[portal.route]]\npath = \"/switch\"\nchallenge = \"never\"\n");
    House { boma: setup.start(portal.address), portal }
}

fn url(boma: &Boma, tls: bool, path: &str) -> String {
    format!("{}://{HOST}:{}{path}", if tls { "https" } else { "http" }, boma.doors[usize::from(tls)].port())
}

impl House {
    fn url(&self, tls: bool, path: &str) -> String {
        url(&self.boma, tls, path)
    }

    fn switch(&self, to: &str) {
        let answer = request(self.boma.at(), "POST", "/switch", "", &format!("do={to}"));
        assert_eq!(answer.status, 200);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        std::mem::replace(&mut self.portal, sample::start("127.0.0.1:0".parse().unwrap()).unwrap()).stop();
    }
}

fn shot(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser/shots");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(format!("{name}.png"))
}

/// Plays a scene of `tests/browser/citizens.mjs` before this boma.
fn scene(name: &str, boma: &Boma) -> serde_json::Value {
    scene_with(name, boma, serde_json::Value::Null)
}

fn scene_with(name: &str, boma: &Boma, code: serde_json::Value) -> serde_json::Value {
    let shots = shot(name).parent().unwrap().to_owned();
    let house = serde_json::json!({
        "plain": url(boma, false, ""), "tls": url(boma, true, ""), "host": HOST, "shots": shots.to_str().unwrap(),
        "languages": ["en", "sw", "fr", "sq", "ar"], "code": code,
    });
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser/citizens.mjs");
    let done = Command::new("node").arg(script).arg(name).arg(house.to_string()).output().unwrap();
    assert!(done.status.success(), "{name}: {}\n{}", String::from_utf8_lossy(&done.stderr), boma.log());
    let seen = serde_json::from_slice(&done.stdout).unwrap();
    println!("{name}: {seen}");
    seen
}

fn visit(mut todo: serde_json::Value, name: &str) -> serde_json::Value {
    todo["host"] = HOST.into();
    let path = shot(name);
    let _ = std::fs::remove_file(&path);
    todo["shot"] = path.to_str().unwrap().into();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser/visit.mjs");
    let done = Command::new("node")
        .arg(script)
        .arg(todo.to_string())
        .output()
        .expect("node is installed: tests/run.sh does it");
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    assert!(std::fs::metadata(&path).unwrap().len() > 1000, "{name} was photographed");
    let seen: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(seen["problems"], serde_json::json!([]), "{name}: no error on the console");
    assert_eq!(seen["overflow"], false, "{name}: nothing is wider than the window");
    seen
}

#[test]
fn the_browser_sees_portal_and_statement_at_both_widths() {
    let house = house();
    house.boma.wait_for_snapshots(2);
    for width in [1280, 360] {
        let portal =
            visit(serde_json::json!({ "url": house.url(false, "/en/"), "width": width }), &format!("portal-{width}"));
        assert!(portal["status"] == 200 && portal["title"].as_str().unwrap().contains("Welcome to Huduma"), "{portal}");
    }
    house.switch("hang");
    for width in [1280, 360] {
        let statement = visit(
            serde_json::json!({ "url": house.url(false, "/search"), "width": width }),
            &format!("statement-{width}"),
        );
        assert!(
            statement["status"] == 503
                && statement["text"].as_str().unwrap().contains("Sorry, the service is unavailable"),
            "{statement}"
        );
        let swahili = visit(
            serde_json::json!({ "url": house.url(true, "/search"), "width": width, "locale": "sw-KE" }),
            &format!("statement-sw-{width}"),
        );
        assert!(swahili["text"].as_str().unwrap().contains("Samahani, huduma haipatikani"), "{swahili}");
        let copy =
            visit(serde_json::json!({ "url": house.url(false, "/en/"), "width": width }), &format!("snapshot-{width}"));
        assert!(
            copy["status"] == 200 && copy["text"].as_str().unwrap().contains("This is a copy of the page from"),
            "{copy}"
        );
    }
    house.switch("work");
    assert_eq!(navigate(house.boma.at(), "/search").status, 200);
}

#[test]
fn the_browser_passes_the_challenge_over_tls_and_plain_http_loading_nothing_else() {
    let house = house();
    house.boma.posture("attack");
    for (tls, width) in [(false, 1280), (false, 360), (true, 1280), (true, 360)] {
        let url = house.url(tls, "/en/");
        let todo = serde_json::json!({ "url": url, "width": width, "solved": "Welcome to Huduma", "hold": true });
        let seen = visit(todo, &format!("challenge-{}-{width}", if tls { "tls" } else { "plain" }));
        assert_eq!((&seen["status"], &seen["secure"]), (&503.into(), &tls.into()), "{seen}");
        let before: Vec<&str> = seen["before"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r.as_str().unwrap())
            .filter(|r| !r.contains("data:"))
            .collect();
        let solution = format!("POST {}", house.url(tls, "/.well-known/boma/challenge"));
        assert_eq!(before, [format!("GET {url}"), solution], "no other address until it is solved");
        let pass = &seen["cookies"][0];
        let same_site = if tls { "None" } else { "Lax" };
        assert!(
            pass["name"] == "boma_pass"
                && pass["secure"] == tls
                && pass["httpOnly"] == true
                && pass["sameSite"] == same_site,
            "{pass}"
        );
        println!("challenge passed in {} ms (tls {tls}, width {width})", seen["waited"]);
    }
}

#[test]
fn the_browser_is_checked_with_its_form_and_sends_it_once() {
    let house = house();
    house.boma.posture("guarded");
    let todo = serde_json::json!({ "url": house.url(false, "/forms/licence"), "post": "Duka la Mama", "solved": "Received once" });
    let seen = visit(todo, "carried-1280");
    assert!(seen["text"].as_str().unwrap().contains("Duka la Mama"), "{seen}");
}

#[test]
fn every_browser_finds_a_way_through_the_challenge() {
    let house = house();
    house.boma.posture("attack");
    for name in ["ways", "mishaps", "slow"] {
        scene(name, &house.boma);
    }
}

#[test]
fn without_scripts_or_cookies_there_is_a_button_and_one_hop() {
    let house = house();
    house.boma.posture("attack");
    scene("scriptless", &house.boma);
    scene("cookieless", &house.boma);
}

/// Plays a scene of one person before a line that stands still from when they have a place until they have seen it.
fn in_line(name: &str) -> serde_json::Value {
    let origin = Origin::start();
    origin.page(
        "/file",
        200,
        "Content-Type: text/html\r\n",
        "<!doctype html><title>form</title><link rel=icon href=data:,><h1>The form</h1>",
    );
    let rules = "[[rule]]\nname = \"line\"\nmatch = { path = \"/file\" }\nthen = \"queue\"\n";
    let boma = doors("").portal("max_in_flight = 1\n").rules(rules).start(origin.address);
    let seen = shot(name).with_file_name(format!("{name}-seen"));
    let _ = std::fs::remove_file(&seen);
    std::thread::scope(|house| {
        let person = house.spawn(|| scene(name, &boma));
        let waits = || boma.status()["waiting"].as_array().is_some_and(|rooms| !rooms.is_empty());
        eventually("somebody waits", || waits().then_some(()));
        boma.posture("static");
        eventually("they have seen the line", || (seen.exists() || person.is_finished()).then_some(()));
        boma.posture("normal");
        person.join().unwrap()
    })
}

#[test]
fn a_place_in_line_is_kept_through_a_dead_network_and_the_page_opens_by_itself() {
    let seen = in_line("room");
    assert_ne!(seen["lost"], "");
}

#[test]
fn without_scripts_the_line_is_asked_by_hand() {
    let seen = in_line("room_by_hand");
    assert!(seen["presses"].as_u64() >= Some(2), "{seen}");
}

#[test]
fn many_tabs_and_many_networks_are_one_citizen() {
    let house = house_with("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    house.boma.posture("attack");
    scene("tabs", &house.boma);
    scene("networks", &house.boma);
}

#[test]
fn a_pass_in_use_lives_on() {
    let house = house_with("[challenge]\npass_lifetime = \"60s\"\n");
    house.boma.posture("attack");
    scene("renewal", &house.boma);
}

#[test]
fn whoever_comes_back_from_a_bank_keeps_their_pass() {
    let origin = Origin::start();
    let boma = doors("").start(origin.address);
    boma.posture("attack");
    scene("bank", &boma);
    let reached = origin.reached_by_citizens();
    let paid: Vec<_> = reached.iter().filter(|r| r.method == "POST").collect();
    assert_eq!(paid.len(), 1);
    assert_eq!(paid[0].body, b"receipt=R+1%2F2");
    assert_eq!(paid[0].field("sec-fetch-site").as_deref(), Some("cross-site"));
}

#[test]
fn forms_ride_through_the_challenge_byte_for_byte() {
    let origin = Origin::start();
    let boma = doors("").start(origin.address);
    boma.posture("guarded");
    scene("forms", &boma);
    let reached = origin.reached_by_citizens();
    let sent: Vec<_> = reached.iter().filter(|r| r.method == "POST").collect();
    assert_eq!(
        sent.iter().map(|r| r.target.as_str()).collect::<Vec<_>>(),
        ["/form?a=1", "/file", "/to-the-bank", "/large"]
    );
    assert_eq!(
        String::from_utf8_lossy(&sent[0].body),
        "text=Duka+la+Mama%0D%0A50+%25+%26+%22zaidi%22+%2B+%C3%B1&do=send",
        "as it was written"
    );
    let kind = sent[1].field("content-type").unwrap();
    let mark = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let mut file = format!(
        "--{mark}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nMama\r\n--{mark}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cheti %221%22.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    file.extend((0..1024).map(|i| i as u8));
    file.extend(format!("\r\n--{mark}--\r\n").bytes());
    assert_eq!(sent[1].body, file);
    assert_eq!(sent[2].body, b"sum=100");
    assert!(sent[3].body.windows(200_000).any(|w| w == "boma".repeat(50_000).as_bytes()));

    scene("scriptless_forms", &boma);
    let reached = origin.reached_by_citizens();
    let sent: Vec<_> = reached.iter().filter(|r| r.method == "POST").skip(4).collect();
    assert_eq!(sent.iter().map(|r| r.target.as_str()).collect::<Vec<_>>(), ["/form", "/large"]);
    assert_eq!(sent[0].body, b"name=Mama");
    assert!(sent[1].body.len() > 200_000);
}

#[test]
fn without_scripts_what_an_exit_stops_is_sent_again_and_arrives_once() {
    let origin = Origin::start();
    let rules = "[[limit]]\nname = \"pay\"\nmatch = { path = \"/pay\" }\nper = \"client\"\nrate = \"20/m\"\nburst = 1\nthen = \"deny\"\n";
    let boma = doors("").rules(rules).start(origin.address);
    scene("scriptless_exits", &boma);
    let paid: Vec<_> = origin.reached_by_citizens().into_iter().filter(|r| r.target == "/pay").collect();
    assert_eq!(paid.iter().map(|r| r.method.as_str()).collect::<Vec<_>>(), ["POST"; 3]);
    assert_eq!(String::from_utf8_lossy(&paid[0].body), "text=Duka");
    assert_eq!(
        String::from_utf8_lossy(&paid[1].body),
        "text=Duka+la+Mama%0D%0A50+%25+%26+%22zaidi%22+%2B+%C3%B1",
        "as it was written"
    );
    assert!(paid[2].body.windows(200_000).any(|w| w == "boma".repeat(50_000).as_bytes()));
}

#[test]
fn without_scripts_the_switch_of_languages_keeps_the_page() {
    let origin = Origin::start();
    let boma = doors("").start(origin.address);
    for posture in ["static", "attack"] {
        boma.posture(posture);
        scene("switches", &boma);
    }
    assert_eq!(origin.reached_by_citizens().len(), 0);
}

#[test]
fn axe_finds_nothing_on_the_challenge() {
    let house = house();
    house.boma.posture("attack");
    scene("axe", &house.boma);
}

#[test]
fn a_code_opens_the_portal_without_scripts_in_every_language() {
    let house = house();
    house.boma.posture("attack");
    let given = house.boma.staff("POST", "/api/v1/passes", "", "{\"for\": \"1h\", \"reason\": \"a test\"}");
    assert_eq!(given.status, 201, "{}", given.text());
    scene_with("code", &house.boma, given.json()["codes"][0].clone());
}

#[test]
fn axe_finds_nothing_where_a_code_is_written() {
    let house = house();
    scene("code_axe", &house.boma);
}

/// The origin is dead before boma starts, and nothing was ever told.
#[test]
fn one_command_brings_a_statement_to_a_phone_in_two_languages_within_half_a_minute_with_the_origin_dead() {
    let boma = doors("").start(Origin::start().kill());
    assert_eq!(boma.status()["incidents"].as_array().unwrap().len(), 0);
    let begun = Instant::now();
    let (code, said) = boma.command(&["incident", "open", "--template", "origin-failure"]);
    assert_eq!(code, 0, "{said}");
    let told = serde_json::json!([
        ["en", "Huduma does not answer", "We know about it and are looking for the cause."],
        ["sw", "Huduma haijibu", "Tunajua na tunatafuta chanzo."],
    ]);
    scene_with("phone", &boma, told);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    println!("from the command to the last screen: {took:?}");
}

#[test]
fn axe_finds_nothing_on_what_is_told_of_an_incident() {
    let house = house();
    house.switch("hang");
    house.boma.posture("static");
    let open = [
        "incident",
        "open",
        "--template",
        "origin-failure",
        "--instead",
        "Business licences:en=Go to the office",
        "--works",
        "en=Reading",
    ];
    for arguments in [
        &open[..],
        &["incident", "update", "--next", "1h", "--text", "en=Known.", "--text", "sw=Tunajua."],
        &["incident", "update", "--correct", "1", "--text", "en=Put right.", "--text", "sw=Sahihi."],
    ] {
        let (code, said) = house.boma.command(arguments);
        assert_eq!(code, 0, "{said}");
    }
    scene("told", &house.boma);
}
