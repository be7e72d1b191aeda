//! How commands fail and end: for people and for programs, and when nobody reads on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Boma, Folder, Origin, Setup, TOKEN};

fn run(admin: &str, arguments: &[&str]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_boma"))
        .args(arguments)
        .env("BOMA_ADMIN", admin)
        .env("BOMA_ADMIN_TOKEN", TOKEN)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[test]
fn a_demo_that_is_asked_for_what_cannot_be_says_so_and_leaves_nothing() {
    let folder = Folder::new();
    for (token, arguments, code, hint) in [
        ("short", &[][..], 78, "BOMA_ADMIN_TOKEN has fewer than 8 characters"),
        (TOKEN, &["--portal", "nonsense"], 78, "is no origin address"),
        (TOKEN, &["--trust", "10.0.0.0/33"], 78, "is no network"),
        (TOKEN, &["--portal", "http://127.0.0.1:1", "--origin", "127.0.0.1:0"], 2, "cannot be used with"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_boma"));
        command.arg("demo").args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(arguments);
        let done = command.env("BOMA_ADMIN_TOKEN", token).env("TMPDIR", &folder.0).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(code) && said.contains(hint), "{arguments:?}: {:?} {said}", done.status);
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

fn house() -> (Origin, Boma, String) {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    let admin = format!("http://{}", boma.admin);
    (origin, boma, admin)
}

#[test]
fn a_failure_is_json_where_json_is_asked_for() {
    let (_origin, _boma, admin) = house();
    let nowhere = "http://127.0.0.1:1";
    for (admin, arguments, code, hint) in [
        (admin.as_str(), &["measure", "remove", "none"][..], 1, "there is no measure"),
        (&admin, &["posture", "attack", "--for", "1m"], 2, "--reason"),
        (&admin, &["ban", "add", "127.0.0", "--for", "1h", "--reason", "r"], 1, "no network"),
        (&admin, &["measure", "add", "m", "--then", "denny", "--match", "path = \"/\"", "--reason", "r"], 1, "then"),
        (&admin, &["measure", "add"], 2, "--reason"),
        (&admin, &["rules", "preview", "/nowhere.toml"], 1, "cannot be read"),
        (nowhere, &["status"], 1, "cannot be asked"),
        (nowhere, &["events"], 1, "cannot be asked"),
        ("here", &["status"], 1, "http://127.0.0.1:9900"),
        (nowhere, &["token", "list", "--config", "/nowhere.toml"], 78, "cannot be read"),
    ] {
        let (got, out, err) = run(admin, &[arguments, &["--format", "json"]].concat());
        let told: Value = serde_json::from_str(&err).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {err}"));
        assert!(
            got == code && told["error"].as_str().unwrap().contains(hint) && out.is_empty(),
            "{arguments:?}: {got} {err}"
        );
        let (plain, _, err) = run(admin, arguments);
        assert!(plain == code && err.contains(hint) && !err.starts_with('{'), "{arguments:?}: {plain} {err}");
    }
    let (code, out, err) = run(&admin, &["status", "--format", "json"]);
    assert!(code == 0 && serde_json::from_str::<Value>(&out).is_ok() && err.is_empty());
    assert_eq!(run(&admin, &["--help"]).0, 0);
}

#[test]
fn a_closed_pipe_ends_a_command_without_a_word() {
    let (_origin, boma, admin) = house();
    boma.setup.folder.write("long.toml", &"# a long file of rules\n".repeat(100_000));
    let file = boma.setup.file("long.toml");
    let (code, _, err) = run(&admin, &["rules", "apply", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    for arguments in
        [&["rules", "show"][..], &["status"], &["posture"], &["rules", "show", "--format", "json"], &["--help"]]
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_boma"))
            .args(arguments)
            .env("BOMA_ADMIN", &admin)
            .env("BOMA_ADMIN_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As `head -0` does.
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let code = child.wait().unwrap().code();
        assert!(err.is_empty() && (code == Some(141) || arguments == ["--help"]), "{arguments:?}: {code:?} {err}");
    }
}

#[test]
fn what_is_not_bomas_staff_door_is_told_apart() {
    let (_origin, boma, admin) = house();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let body = "{\"version\":\"another's\",\"portals\":[]}";
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let citizens = format!("http://{}", boma.at());
    for arguments in
        [&["status"][..], &["posture"], &["measure", "list"], &["rules", "show"], &["events"], &["explain", "GET", "/"]]
    {
        for door in [&other, &citizens] {
            let (code, out, err) = run(door, arguments);
            assert!(
                code == 1 && out.is_empty() && err.contains("is not boma's staff door"),
                "{door} {arguments:?}: {code} {out} {err}"
            );
        }
    }
    assert_eq!(run(&admin, &["status"]).0, 0);
}

#[test]
fn posture_says_why_a_portal_stands_where_it_does() {
    let (_origin, boma, admin) = house();
    let shown = || run(&admin, &["posture"]).1;
    assert!(shown().starts_with("huduma: normal\n  by itself normal"), "{}", shown());
    let pin = ["posture", "attack", "--for", "10m", "--reason", "INC-42", "--then", "guarded"];
    assert_eq!(run(&admin, &pin).0, 0);
    let text = shown();
    assert!(
        text.starts_with("huduma: attack\n  all portals pinned to attack by staff administrator (admin) until 20")
            && text.contains("Z, then guarded: INC-42\n  by itself it would be normal"),
        "{text}"
    );
    let own = ["posture", "closed", "--for", "1s", "--reason", "INC-43", "--portal", "huduma"];
    assert_eq!(run(&admin, &own).0, 0);
    crate::harness::eventually("its own pin ends, and what follows stays", || {
        shown()
            .contains("huduma: static\n  pinned to static by clock until somebody changes it: closed expired")
            .then_some(())
    });
    assert_eq!(boma.status()["pins"].as_array().unwrap().len(), 2);
}
