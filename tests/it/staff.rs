//! Tokens and roles: who comes in by the staff door, and what they may do there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Boma, Client, Origin, Setup, TOKEN, eventually, request};

const ROLES: [&str; 5] = ["viewer", "analyst", "lead", "communicator", "admin"];

fn house() -> (Origin, Setup) {
    let origin = Origin::start();
    let setup = Setup { admin: "tokens = \"admin-tokens.toml\"", ..Setup::new() };
    setup.write(&origin.address.to_string());
    (origin, setup)
}

/// `boma token …` on the house's files: exit code, standard output, standard error.
fn token(setup: &Setup, arguments: &[&str]) -> (i32, String, String) {
    let config = setup.file("boma.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_boma"));
    let done = command.arg("token").args(arguments).arg("--config").arg(config).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

fn add(setup: &Setup, name: &str, role: &str, more: &[&str]) -> String {
    let (code, out, err) = token(setup, &[&["add", "--name", name, "--role", role], more].concat());
    assert_eq!(code, 0, "{err}");
    out.trim().to_owned()
}

/// Waits until the running boma knows a token, or knows it no longer.
fn known(boma: &Boma, token: &str, known: bool) {
    eventually(&format!("the token is known: {known}"), || {
        let status = boma.as_staff(token, "GET", "/api/v1/status", "").status;
        // Who asks again and again is told to wait, and let in all the same when the token is known.
        (known == (status == 200)).then_some(())
    });
}

#[test]
fn each_role_may_what_the_description_says_and_nothing_more() {
    let (_origin, setup) = house();
    let tokens = ROLES.map(|role| add(&setup, &format!("a-{role}"), role, &[]));
    let boma = Boma::start(setup, &[]);
    let api = boma.staff("GET", "/api/v1/openapi.json", "", "").json();
    let ladder = ["viewer", "analyst", "lead"];
    let may = |role: &str, least: &str| {
        let step = |r: &str| ladder.iter().position(|l| *l == r);
        role == "admin"
            || role == least
            || least == "viewer"
            || step(role).zip(step(least)).is_some_and(|(r, l)| r >= l)
    };
    let mut refused = 0;
    for (path, methods) in api["paths"].as_object().unwrap() {
        let path = path
            .replace("{version}", "77")
            .replace("{name}", "none")
            .replace("{net}", "192.0.2.1")
            .replace("{id}", "77");
        for (method, operation) in methods.as_object().unwrap() {
            let (method, least) = (method.to_uppercase(), operation["x-role"].as_str().unwrap());
            for (role, token) in ROLES.iter().zip(&tokens) {
                let mut client = Client::connect(boma.admin).unwrap();
                let ask =
                    |auth: &str| format!("{method} {path} HTTP/1.1\r\nHost: s\r\n{auth}Content-Length: 0\r\n\r\n");
                client.send(ask(&format!("Authorization: Bearer {token}\r\n")).as_bytes()).unwrap();
                let answer = client.head().unwrap();
                let allowed = least == "none" || may(role, least);
                assert_eq!(
                    answer.status != 403,
                    allowed,
                    "{role}: {method} {path} is for {least}, got {}",
                    answer.status
                );
                assert_ne!(answer.status, 401, "{role}: {method} {path}");
                refused += u32::from(!allowed);
                let mut nobody = Client::connect(boma.admin).unwrap();
                nobody.send(ask("").as_bytes()).unwrap();
                assert_eq!(nobody.head().unwrap().status == 401, least != "none", "{method} {path} without a token");
            }
        }
    }
    assert_eq!(f64::from(refused), boma.metric("boma_admin_refused_total{outcome=\"role\"}"));
    assert_eq!(
        boma.status()["history"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|e| e["outcome"].as_str().unwrap().starts_with("applied"))
            .count(),
        0
    );
}

#[test]
fn who_did_what_is_told_and_a_refusal_says_who_may() {
    let (_origin, setup) = house();
    let (analyst, lead) =
        (add(&setup, "soc-night", "analyst", &[]), add(&setup, "soc-lead", "lead", &["--expires", "90d"]));
    let boma = Boma::start(setup, &[]);
    let pin = "{\"level\":\"attack\",\"for\":\"30m\",\"reason\":\"INC-42\"}";
    let refused = boma.as_staff(&analyst, "PUT", "/api/v1/posture", pin);
    let said = refused.json();
    assert_eq!(
        (refused.status, &said["needs"], &said["has"], &said["token"]),
        (403, &"lead".into(), &"analyst".into(), &"soc-night".into())
    );
    assert_eq!(said["detail"], "this needs the role lead; the token \"soc-night\" has analyst");
    assert!(refused.field("www-authenticate").unwrap().contains("error=\"insufficient_scope\", scope=\"lead\""));
    assert_eq!(boma.as_staff(&lead, "PUT", "/api/v1/posture", pin).status, 200);
    assert_eq!(boma.status()["pins"][0]["by"], "staff soc-lead (lead)");
    // What is laid without an owner is whose token it was.
    let measure = "{\"name\":\"m\",\"match\":{\"path\":\"/m\"},\"then\":\"deny\",\"reason\":\"INC-42\"}";
    assert_eq!(boma.as_staff(&analyst, "POST", "/api/v1/measures", measure).status, 201);
    let laid = boma.status()["measures"][0].clone();
    assert_eq!((&laid["owner"], &laid["by"]), (&"soc-night".into(), &"staff soc-night (analyst)".into()));
    // Forcing is the lead's, whatever it forces.
    let ban = "{\"net\":\"10.0.0.0/8\",\"for\":\"1h\",\"reason\":\"INC-42\",\"force\":true}";
    let forced = boma.as_staff(&analyst, "POST", "/api/v1/bans", ban);
    assert_eq!((forced.status, &forced.json()["needs"]), (403, &"lead".into()));
    let forced = boma.as_staff(
        &analyst,
        "POST",
        "/api/v1/measures",
        &measure.replace("}", ",\"force\":true}").replacen(",\"force\":true", "", 1),
    );
    assert_eq!(forced.status, 403, "{}", forced.text());
    assert_eq!(boma.as_staff(&analyst, "POST", "/api/v1/bans", &ban.replace("true", "false")).status, 409);
    assert_eq!(boma.as_staff(&lead, "POST", "/api/v1/bans", ban).status, 200);
    let journal = fs::read_to_string(boma.setup.file("state/journal.jsonl")).unwrap();
    for who in ["\"who\":\"staff soc-night (analyst)\"", "\"who\":\"staff soc-lead (lead)\""] {
        assert!(journal.contains(who), "{who} in {journal}");
    }
    assert!(!journal.contains(&analyst) && !boma.log().contains(&analyst));
}

#[test]
fn tokens_come_and_go_while_boma_runs_and_a_broken_file_changes_nothing() {
    let (_origin, setup) = house();
    let boma = Boma::start(setup, &[]);
    assert!(boma.status()["troubles"].to_string().contains("admin-tokens.toml is not there"), "{}", boma.status());
    let first = add(&boma.setup, "first", "viewer", &[]);
    known(&boma, &first, true);
    assert!(!boma.status()["troubles"].to_string().contains("admin-tokens"));
    let second = add(&boma.setup, "second", "viewer", &["--expires", "1s"]);
    let answer = eventually("the second has expired", || {
        let answer = boma.as_staff(&second, "GET", "/api/v1/status", "");
        (answer.status == 401 && answer.text().contains("has expired 20")).then_some(answer)
    });
    assert!(answer.field("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    assert!(token(&boma.setup, &["list"]).1.contains("HAS EXPIRED"));
    let file = boma.setup.file("admin-tokens.toml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let good = fs::read_to_string(&file).unwrap();
    assert!(!good.contains(&first), "only its hash is kept");
    fs::write(&file, good.replace("role = \"viewer\"", "role = \"boss\"")).unwrap();
    eventually("the broken file is refused, loudly", || {
        let refused = boma.status()["files_not_in_force"].to_string().contains("`token.role` is \\\"boss\\\"");
        (refused && boma.log().contains("change rejected")).then_some(())
    });
    known(&boma, &first, true);
    let (code, _, err) = token(&boma.setup, &["add", "--name", "third", "--role", "viewer"]);
    assert!(code == 78 && err.contains("mend it by hand"), "{code} {err}");
    // At a start the last good copy serves. Whatever is proposed is answered when all before it is on disk.
    assert_eq!(boma.staff("DELETE", "/api/v1/measures/none", "", "").status, 404);
    let boma = Boma::start(boma.kill(), &[]);
    known(&boma, &first, true);
    assert!(boma.status()["troubles"].to_string().contains("last good copy"), "{}", boma.status());
    fs::write(&file, &good).unwrap();
    eventually("it is mended", || boma.status()["files_not_in_force"].as_array().unwrap().is_empty().then_some(()));
    let (code, ..) = token(&boma.setup, &["remove", "--name", "first"]);
    assert_eq!(code, 0);
    known(&boma, &first, false);
    // Without a last good copy boma serves all the same; with --strict it does not.
    let setup = boma.kill();
    fs::remove_dir_all(setup.file("state")).unwrap();
    fs::write(&file, "[[token]]\n").unwrap();
    let mut strict = crate::harness::command(&setup);
    let (status, log) = Boma::spawn(setup, {
        strict.arg("--strict");
        strict
    })
    .err()
    .unwrap();
    assert!(status.code() == Some(78) && log.contains("[[token]] without name"), "{log}");
}

#[test]
fn boma_serves_without_a_usable_file_of_tokens_and_the_settings_may_name_another() {
    let (origin, setup) = house();
    fs::write(setup.file("admin-tokens.toml"), "[[token]]\n").unwrap();
    let boma = Boma::start(setup, &[]);
    assert_eq!(crate::harness::get(boma.at(), "/").status, 200);
    assert!(boma.status()["troubles"].to_string().contains("nobody comes in by a token of this file"));
    let other = boma.setup.file("other.toml");
    let (code, out, _) = {
        let done = Command::new(env!("CARGO_BIN_EXE_boma"))
            .args(["token", "add", "--name", "x", "--role", "viewer", "--format", "json", "--file"])
            .arg(&other)
            .output()
            .unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap(), ())
    };
    assert_eq!(code, 0);
    let made: Value = serde_json::from_str(&out).unwrap();
    let made = made["token"].as_str().unwrap();
    assert_eq!(boma.as_staff(made, "GET", "/api/v1/status", "").status, 401);
    let settings = fs::read_to_string(boma.setup.file("boma.toml")).unwrap();
    boma.setup.folder.write("boma.toml", &settings.replace("admin-tokens.toml", "other.toml"));
    known(&boma, made, true);
    assert_eq!(boma.status()["restart_needed"].as_array().unwrap().len(), 0);
    boma.setup.folder.write("boma.toml", &settings.replace("tokens = ", "# tokens = "));
    known(&boma, made, false);
    drop(origin);
}

#[test]
fn who_sends_wrong_tokens_waits_and_nobody_else_does() {
    let (_origin, setup) = house();
    let long = add(&setup, "long", "viewer", &[]);
    let boma = Boma::start(setup, &[]);
    let ask = |from: &str, token: &str| {
        let mut client = Client::connect_from(from, boma.admin).unwrap();
        client.ask("GET", "/api/v1/status", &format!("Authorization: Bearer {token}\r\n"), "").unwrap()
    };
    let first = ask("127.0.0.2", "a-token-for-test");
    assert_eq!(
        (first.status, first.field("www-authenticate")),
        (401, Some("Bearer realm=\"boma\", error=\"invalid_token\""))
    );
    let limited = eventually("it must wait", || {
        let answer = ask("127.0.0.2", "a-token-for-test");
        (answer.status == 429).then_some(answer)
    });
    assert!(limited.field("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let wrong = boma.metric("boma_admin_refused_total{outcome=\"token\"}");
    assert!((10.0..=20.0).contains(&wrong), "{wrong} were looked at");
    // A right one that could have been guessed waits with them, one that nobody guesses does not.
    assert_eq!(ask("127.0.0.2", TOKEN).status, 429);
    assert_eq!(ask("127.0.0.2", &long).status, 200);
    assert_eq!(ask("127.0.0.2", &long.replace("boma_", "boma-")).status, 429);
    assert_eq!(ask("127.0.0.3", TOKEN).status, 200, "and nobody else");
    assert_eq!(request(boma.admin, "GET", "/api/v1/status", "", "").status, 401);
}

#[test]
fn the_command_says_what_is_wrong() {
    let (_origin, setup) = house();
    add(&setup, "soc-night", "analyst", &[]);
    for (arguments, code, hint) in [
        (&["add", "--name", "soc-night", "--role", "lead"][..], 1, "already"),
        (&["add", "--name", "a b", "--role", "lead"], 1, "letters, digits"),
        (&["add", "--name", "administrator", "--role", "admin"], 1, "BOMA_ADMIN_TOKEN"),
        (&["add", "--name", "x", "--role", "boss"], 2, "viewer, analyst, lead, communicator, admin"),
        (&["add", "--name", "x", "--role", "lead", "--expires", "soon"], 2, "90d"),
        (&["add", "--name", "x"], 2, "--role"),
        (&["remove", "--name", "nobody"], 1, "there is no token \"nobody\""),
    ] {
        let (got, out, err) = token(&setup, arguments);
        assert!(got == code && err.contains(hint) && out.is_empty(), "{arguments:?}: {got} {err}");
    }
    let (_, out, _) = token(&setup, &["list", "--format", "json"]);
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&list["tokens"][0]["name"], &list["tokens"][0]["role"]), (&"soc-night".into(), &"analyst".into()));
    let settings = fs::read_to_string(setup.file("boma.toml")).unwrap();
    setup.folder.write("boma.toml", &settings.replace("tokens = ", "# tokens = "));
    let (code, _, err) = token(&setup, &["list"]);
    assert!(code == 78 && err.contains("tokens = \"admin-tokens.toml\" under [admin]"), "{err}");
}
