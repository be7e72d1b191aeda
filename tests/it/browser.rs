//! A real Chromium before boma: the portal, the challenge, the statement, at two widths, over TLS and plain HTTP on a
//! host name that is not loopback's own (where browsers leave out `crypto.subtle`). Screenshots lie in
//! `tests/browser/shots`.

use std::path::PathBuf;
use std::process::Command;

use boma::cli::sample;

use crate::harness::{Boma, Setup, navigate, request};

const HOST: &str = "huduma.example";

struct House {
    boma: Boma,
    portal: sample::Sample,
}

fn house() -> House {
    let portal = sample::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut setup = Setup::new()
        .settings("[[certificate]]\nchain = \"tls.pem\"\nkey = \"tls.key\"\n")
        .portal("snapshot = { start = [\"/en/\"], every = \"1s\" }\n[[portal.service]]\nname = { en = \"Business licences\", sw = \"Leseni za biashara\" }\npaths = [\"/forms/*\"]\nphone = \"+254 20 000 0000\"\noffice = \"Huduma Centre\"\nussd = \"*000#\"\n[[portal.route]]\npath = \"/style.css\"\nfallback = \"snapshot\"\n[[portal.route]]\npath = \"/switch\"\nchallenge = \"never\"\n");
    setup.listen = "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = true\n";
    let made = rcgen::generate_simple_self_signed(vec![HOST.into()]).unwrap();
    setup.folder.write("tls.pem", &made.cert.pem());
    setup.folder.write("tls.key", &made.signing_key.serialize_pem());
    House { boma: setup.start(portal.address), portal }
}

impl House {
    fn url(&self, tls: bool, path: &str) -> String {
        let door = self.boma.doors[usize::from(tls)];
        format!("{}://{HOST}:{}{path}", if tls { "https" } else { "http" }, door.port())
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
fn the_browser_sends_a_challenged_form_again_and_nothing_of_it_is_lost() {
    let house = house();
    house.boma.posture("guarded");
    let todo = serde_json::json!({ "url": house.url(false, "/forms/licence"), "post": "Duka la Mama", "solved": "Received once" });
    let seen = visit(todo, "resend-1280");
    assert!(seen["text"].as_str().unwrap().contains("Duka la Mama"), "{seen}");
}
