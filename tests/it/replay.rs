//! Drafts tried on access logs: boma's own, and other servers'.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Boma, Origin, Setup, eventually, navigate, request};

const SETTINGS: &str = "[server]\nworkers = 1\n[client]\ntrusted_proxies = [\"127.0.0.1\"]\n";
const RULES: &str = "[[list]]\nname = \"staff\"\ncidrs = [\"198.51.100.0/24\"]\n[[rule]]\nname = \"old\"\nmatch = { path = \"/old\" }\nthen = \"deny\"\n[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000/s\"\nburst = 10000\n";

/// Runs `boma replay` on a file beside the settings, `input` on its standard input: exit code, output, errors.
fn replay(setup: &Setup, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_boma"))
        .arg("replay")
        .args(arguments)
        .current_dir(&setup.folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

fn replayed(setup: &Setup, arguments: &[&str], input: &str) -> Value {
    let (code, said, errors) = replay(setup, &[arguments, &["--format", "json"]].concat(), input);
    assert_eq!((code, errors.as_str()), (0, ""), "{said}");
    serde_json::from_str(&said).unwrap()
}

/// Files alone, for which no boma runs.
fn files(rules: &str, portal: &str) -> Setup {
    let setup = Setup::new().portal(portal).rules(rules);
    setup.write("127.0.0.1:9");
    setup
}

/// Searches of three clients, denials, staff, people and programs, other hosts and boma's own paths.
fn traffic(boma: &Boma) {
    for i in 0..6 {
        let fields = format!("X-Forwarded-For: 192.0.2.{}\r\nUser-Agent: a\r\nCookie: lang=sw\r\n", i % 3);
        assert_eq!(request(boma.at(), "GET", &format!("/search?q={i}"), &fields, "").status, 200);
    }
    for from in ["192.0.2.1", "203.0.113.9"] {
        assert_eq!(request(boma.at(), "GET", "/old", &format!("X-Forwarded-For: {from}\r\n"), "").status, 403);
    }
    request(boma.at(), "GET", "/a/../intern;v=1", "X-Forwarded-For: 198.51.100.7\r\n", "");
    request(boma.at(), "POST", "/form", "X-Forwarded-For: 2001:db8::7\r\nX-Forwarded-Proto: https\r\n", "a=1");
    navigate(boma.at(), "/page");
    request(boma.at(), "GET", "/x", "Host: other.example\r\n", "");
    request(boma.at(), "GET", "/.well-known/boma/live", "", "");
}

#[test]
fn a_log_says_of_a_draft_what_the_preview_says() {
    let origin = Origin::start();
    let boma = Setup::new().settings(SETTINGS).rules(RULES).start(origin.address);
    traffic(&boma);
    eventually("all of it can be looked back upon", || {
        (boma.staff("POST", "/api/v1/rules/preview", "", RULES).json()["requests"] == 11).then_some(())
    });
    eventually("all lines are written", || {
        let text = fs::read_to_string(boma.setup.file("access.log")).unwrap_or_default();
        (text.lines().count() == 13 && text.ends_with('\n')).then_some(())
    });
    let draft = RULES.replace("path = \"/old\"", "path = \"/search*\", user_agent = \"a\", query = true")
        + "[[rule]]\nname = \"never\"\nmatch = { path = \"/never\" }\nthen = \"drop\"\n\
           [[rule]]\nname = \"people\"\nmatch = { kind = \"navigation\", path = { not = \"/search*\" } }\nthen = \"challenge\"\n\
           [[rule]]\nname = \"inside\"\nmatch = { path = \"/intern\" }\nthen = \"static\"\n\
           [[rule]]\nname = \"plain\"\nmatch = { scheme = \"https\", method = \"POST\" }\nthen = \"deny\"\n";
    boma.setup.folder.write("draft.toml", &draft);
    let live = boma.staff("POST", "/api/v1/rules/preview", "", &draft).json();
    assert_eq!((&live["changed"]["stricter"], &live["changed"]["milder"]), (&json!(9), &json!(2)), "{live}");
    let found = replayed(&boma.setup, &["access.log", "--rules", "draft.toml"], "");
    for key in ["requests", "with_pass", "verdicts", "idle"] {
        assert_eq!(found[key], live[key], "{key}: {found}");
    }
    let changed = live["changed"].as_object().unwrap();
    for (key, value) in changed.iter().filter(|(key, _)| *key != "paths") {
        assert_eq!(&found["changed"][key], value, "{key}: {found}");
    }
    assert_eq!(found["changed"]["paths"][0], live["changed"]["paths"][0]);
    assert_eq!(found["left_out"], json!({ "no_request": 0, "own_paths": 1, "no_portal": 1 }));
    assert_eq!(
        (&found["log"]["format"], &found["log"]["lines"], &found["clients"]),
        (&json!("json"), &json!(13), &json!(7))
    );
    assert!(found["not_judged"].as_array().unwrap().is_empty(), "{found}");

    // What the log does not hold is told, and takes no part.
    boma.setup.folder.write(
        "blind.toml",
        &(RULES.to_owned()
            + "[[rule]]\nname = \"sw\"\nmatch = { cookie.lang = \"sw\" }\nthen = \"drop\"\n\
               [[rule]]\nname = \"no-tag\"\nmatch = { header.x-tag = { not = \"1\" }, query.q = \"1\" }\nthen = \"deny\"\n\
               [[limit]]\nname = \"keys\"\nper = \"header:x-key\"\nrate = \"1/h\"\n"),
    );
    let blind = replayed(&boma.setup, &["access.log", "--rules", "blind.toml"], "");
    assert_eq!(blind["changed"]["stricter"], 0, "{blind}");
    assert_eq!(
        blind["not_judged"],
        json!([
            { "name": "keys", "fields": ["header.x-key"] },
            { "name": "no-tag", "fields": ["header.x-tag", "query.q"] },
            { "name": "sw", "fields": ["cookie.lang"] },
        ])
    );
    let (code, said, _) = replay(&boma.setup, &["access.log", "--rules", "draft.toml"], "");
    assert_eq!(code, 0);
    for line in [
        "access.log: 13 lines (json)",
        "1 lines left out: for boma's own paths",
        "11 requests of 7 clients, 0 with a pass",
        "with draft.toml in posture normal: denied 7, allowed 2, challenged 1, fallback 1",
        "sent away or challenged 9 that were not, of 6 clients",
        "let through 2 that were not",
        "never matched nothing",
        "fields the log does not hold: values of query, header.* but user-agent and referer, cookie.*",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
}

/// A line of Apache's, `seconds` after midnight.
fn line(seconds: u32, client: &str, request: &str, status: u16, agent: &str) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{client} - - [14/Nov/2023:{h:02}:{m:02}:{s:02} +0000] \"{request}\" {status} 42 \"-\" \"{agent}\"\n")
}

#[test]
fn limits_run_in_the_logs_own_time() {
    let setup = files(
        "[[limit]]\nname = \"search\"\nper = \"client\"\nrate = \"1/m\"\nburst = 2\nthen = \"deny\"\nmatch = { path = \"/search\" }\n\
         [[limit]]\nname = \"guesses\"\nper = \"address\"\nrate = \"1/h\"\nburst = 2\nthen = \"deny\"\ncount = { status = 404 }\nmatch = { path = \"/g*\" }\n\
         [[limit]]\nname = \"quiet\"\nper = \"network\"\nrate = \"1/h\"\nburst = 3\nshadow = true\nmatch = { path = \"/search\" }\n\
         [[limit]]\nname = \"at-once\"\nper = \"client\"\nconcurrent = 1\n",
        "",
    );
    let mut log = String::new();
    // Three at once are one too many; a minute brings one back. One line is 40 s late.
    for at in [0, 0, 0, 60, 20, 61] {
        log += &line(at, "192.0.2.7", "GET /search?q=1 HTTP/1.1", 200, "curl/8");
    }
    log += &line(61, "192.0.2.8", "GET /search HTTP/1.1", 200, "curl/8");
    for (at, status) in [(62, 404), (63, 200), (64, 404), (65, 404), (66, 200)] {
        log += &line(at, "192.0.2.9", "GET /g HTTP/1.1", status, "curl/8");
    }
    setup.folder.write("apache.log", &log);
    let found = replayed(&setup, &["apache.log"], "");
    let limit = |name: &str| found["limits"].as_array().unwrap().iter().find(|l| l["name"] == name).cloned().unwrap();
    let told = |name: &str| {
        let l = limit(name);
        [l["matched"].clone(), l["over"].clone(), l["keys"].clone()].map(|n| n.as_u64().unwrap())
    };
    assert_eq!(told("search"), [7, 3, 1], "{found}");
    assert_eq!(limit("search")["clients"], json!([["192.0.2.7", 3]]));
    assert_eq!(told("guesses"), [5, 2, 1], "the third 404 and what came then");
    assert_eq!(told("quiet"), [7, 1, 1], "only who got that far counts in it");
    assert_eq!(found["verdicts"], json!({ "allowed": 7, "limited": 5 }));
    assert_eq!((&found["late"], &found["latest"], &found["compared"]), (&json!(1), &json!(40), &json!(false)));
    assert_eq!(found["not_judged"], json!([{ "name": "at-once", "fields": ["concurrent"] }]));
    assert_eq!(found["left_out"]["no_portal"], 0);
    let (_, said, _) = replay(&setup, &["apache.log"], "");
    for told in [
        "apache.log: 12 lines (combined), 2023-11-14T00:00:00Z to 2023-11-14T00:01:06Z (1 min)",
        "1 lines out of order, by 40 s at most",
        "limit search: 7 requests count, 3 over it, of 1 clients: 192.0.2.7 3",
        "cannot be judged, and took no part: at-once (concurrent)",
        "assumed: every request was for huduma.example",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
}

#[test]
fn who_is_banned_in_a_replay_stays_away() {
    let rule = "[[rule]]\nname = \"traps\"\nmatch = { path = \"/wp-*\" }\nthen = \"deny\"\nban = \"10m\"\n";
    let setup = files(rule, "");
    let log: String = (0..20)
        .map(|i| line(i, "192.0.2.7", "GET /wp-login.php HTTP/1.1", 404, "x"))
        .chain((0..30).map(|i| line(20 + 30 * i, "192.0.2.7", "GET / HTTP/1.1", 200, "x")))
        .collect();
    let found = replayed(&setup, &["-", "--log-format", "combined"], &log);
    let number = |verdict: &str| found["verdicts"][verdict].as_u64().unwrap();
    assert_eq!(number("denied"), 10, "{found}");
    assert!((28..=30).contains(&number("dropped")), "ten minutes of the ban: {found}");
}

#[test]
fn postures_hosts_and_odd_lines() {
    let setup = files(
        "[[rule]]\nname = \"tax\"\nmatch = { host = \"tax.example\" }\nthen = \"deny\"\n",
        "[[portal]]\nname = \"tax\"\nhosts = [\"tax.example\"]\norigins = [\"http://127.0.0.1:9\"]\n",
    );
    let browser = "Mozilla/5.0 (X11) \\\"odd\\\" \\xff";
    let log = line(0, "192.0.2.7", "GET /page HTTP/1.1", 200, browser)
        + &line(1, "192.0.2.7", "GET /a.css HTTP/1.1", 200, browser)
        + &line(2, "2001:db8::7", "GET /api HTTP/1.1", 200, "okhttp/4")
        + &line(3, "192.0.2.7", "-", 408, "-")
        + &line(4, "192.0.2.7", "GET /%00 HTTP/1.1", 400, "-")
        + "what is this\n\nand this\nand that\nand more\n";
    setup.folder.write("nginx.log", &log);
    let attack = replayed(&setup, &["nginx.log", "--posture", "attack"], "");
    assert_eq!(attack["verdicts"], json!({ "challenged": 2, "allowed": 1 }));
    assert_eq!(attack["left_out"], json!({ "no_request": 1, "own_paths": 0, "no_portal": 1 }));
    assert_eq!(attack["not_judged"], json!([{ "name": "tax", "fields": ["host"] }]));
    assert_eq!((&attack["log"]["lines"], &attack["log"]["unreadable"]), (&json!(10), &json!(4)));
    let first = attack["log"]["first_unreadable"].as_array().unwrap();
    assert!(first.len() == 3 && first[1].as_str().unwrap().starts_with("line 8: no address"), "{first:?}");
    let said = replayed(&setup, &["nginx.log", "--host", "tax.example"], "");
    assert_eq!((&said["verdicts"], &said["not_judged"]), (&json!({ "denied": 3 }), &json!([])));
    // The same with the host before each line.
    let vhost: String = log
        .lines()
        .map(|l| if l.contains(" - - ") { format!("tax.example:443 {l}\n") } else { format!("{l}\n") })
        .collect();
    setup.folder.write("vhost.log", &vhost);
    assert_eq!(replayed(&setup, &["vhost.log"], "")["verdicts"], json!({ "denied": 3 }));
    let (code, _, errors) = replay(&setup, &["nginx.log", "--host", "elsewhere.example"], "");
    assert!(
        code == 2
            && errors.contains("no portal has the host \"elsewhere.example\": there are huduma.example, tax.example"),
        "{errors}"
    );
}

#[test]
fn what_cannot_be_replayed_says_what_to_write_instead() {
    let setup = files("", "");
    setup.folder.write("none.log", "hello\nworld\n");
    setup.folder.write("empty.log", "");
    setup.folder.write("bad.toml", "[[rule]]\n");
    setup.folder.write("good.log", &line(0, "192.0.2.7", "GET / HTTP/1.1", 200, "x"));
    fs::write(setup.file("packed.log.gz"), b"\x1f\x8b\x08\x00").unwrap();
    for (arguments, code, said) in [
        (
            &["none.log"][..],
            1,
            "nothing in the first 2 lines of none.log can be read as an access log: write a log of boma's own",
        ),
        (&["none.log"], 1, "as json: no JSON line"),
        (&["empty.log"], 1, "empty.log is empty"),
        (&["missing.log"], 1, "missing.log cannot be read: No such file"),
        (&["packed.log.gz"], 1, "zcat packed.log.gz | boma replay -"),
        (&["good.log", "--log-format", "json"], 1, "as json: no JSON line"),
        (&["good.log", "--rules", "bad.toml"], 78, "`rule.match` is missing"),
        (&["good.log", "--rules", "missing.toml"], 78, "missing.toml: cannot be read"),
        (&["good.log", "--config", "missing.toml"], 78, "missing.toml: cannot be read"),
        (&["good.log", "--posture", "high"], 2, "possible values: normal"),
        (&[], 2, "ACCESS_LOG"),
    ] {
        let (got, out, errors) = replay(&setup, arguments, "");
        assert!(got == code && errors.contains(said), "{arguments:?}: {got} {errors}");
        assert_eq!(out, "", "{arguments:?}");
    }
}
