//! The access log: a line for every exit, with the verdict and its reason.

use std::collections::HashMap;
use std::fs;

use crate::harness::{Boma, Client, Mode, Origin, Setup, eventually, get, navigate, request};

#[test]
fn every_exit_is_a_line_with_verdict_and_reason() {
    let origin = Origin::start();
    let rules = "[[rule]]\nname = \"no-x\"\nmatch = { path = \"/denied\" }\nthen = \"deny\"\n[[rule]]\nname = \"gone\"\nmatch = { path = \"/dropped\" }\nthen = \"drop\"\n\
[[rule]]\nname = \"asks\"\nmatch = { path = \"/asked\" }\nthen = \"challenge\"\n[[rule]]\nname = \"tells\"\nmatch = { path = \"/a\" }\nthen = \"log\"\n\
[[limit]]\nname = \"slow\"\nper = \"client\"\nrate = \"1/h\"\nthen = \"deny\"\nmatch = { path = \"/limited*\" }\n";
    let boma = Setup::new().rules(rules).start(origin.address);
    request(
        boma.at(),
        "GET",
        "/a?id=12345678",
        "User-Agent: a \"test\"\r\nReferer: https://huduma.example/p?id=1\r\n",
        "",
    );
    get(boma.at(), "/limited-not-yet");
    get(boma.at(), "/limited");
    let denied = navigate(boma.at(), "/denied");
    navigate(boma.at(), "/asked");
    assert!(Client::connect(boma.at()).unwrap().ask("GET", "/dropped", "", "").is_err());
    request(boma.at(), "GET", "/elsewhere", "Host: other.example\r\n", "");
    get(boma.at(), "/%00");
    origin.kill();
    get(boma.at(), "/dead");
    let lines = eventually("all lines are written", || {
        let text = fs::read_to_string(boma.setup.file("access.log")).unwrap_or_default();
        (text.lines().count() >= 9 && text.ends_with('\n')).then_some(text)
    });
    assert!(!lines.contains("12345678"), "no value of a query is written");
    let rows: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let by: HashMap<&str, &serde_json::Value> = rows.iter().map(|r| (r["url.path"].as_str().unwrap(), r)).collect();
    for (path, status, verdict, reason, rule) in [
        ("/a", 200, "allowed", "served", None),
        ("/limited", 429, "limited", "limit.over", Some("slow")),
        ("/denied", 403, "denied", "rules.deny", Some("no-x")),
        ("/asked", 503, "challenged", "challenge.rule", Some("asks")),
        ("/dropped", 0, "dropped", "rules.drop", Some("gone")),
        ("/elsewhere", 421, "denied", "read.wrong_host", None),
        ("/%00", 400, "denied", "read.bad_request", None),
        ("/dead", 502, "fallback", "origin.refused", None),
    ] {
        let row = by[path];
        assert_eq!(row["http.response.status_code"], status, "{row}");
        assert_eq!(
            (row["boma.verdict"].as_str(), row["boma.reason"].as_str(), row["boma.rule"].as_str()),
            (Some(verdict), Some(reason), rule),
            "{row}"
        );
        assert_eq!((row["client.ip"].as_str(), row["boma.posture"].as_str()), (Some("127.0.0.1"), Some("normal")));
    }
    assert_eq!(by["/a"]["boma.noted"][0], "tells");
    assert_eq!(
        (by["/a"]["url.query"].as_str(), by["/a"]["user_agent.original"].as_str()),
        (Some("id"), Some("a \"test\""))
    );
    assert_eq!(by["/a"]["http.request.referrer"], "https://huduma.example/p");
    assert!(
        denied.text().contains(by["/denied"]["boma.reference"].as_str().unwrap()),
        "the code on the page finds its line"
    );
}

#[test]
fn who_leaves_before_the_answer_leaves_a_line() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    origin.set(Mode::Hangs);
    let mut client = Client::connect(boma.at()).unwrap();
    client.send(b"GET /slow HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("it reaches the origin", || (!origin.reached_by_citizens().is_empty()).then_some(()));
    drop(client);
    let line = eventually("a line is written", || {
        let text = fs::read_to_string(boma.setup.file("access.log")).unwrap_or_default();
        text.ends_with('\n').then_some(text)
    });
    let row: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((row["url.path"].as_str(), row["boma.reason"].as_str()), (Some("/slow"), Some("client.gone")), "{row}");
    assert_eq!(row["http.response.status_code"], 499);
    assert_eq!(boma.metric("boma_http_in_flight"), 0.0);
}

#[test]
fn what_became_of_each_minutes_requests_is_kept_by_class_outcome_and_portal() {
    let origin = Origin::start();
    let route = "[[portal.route]]\npath = \"/pay*\"\nclass = \"payment\"\n";
    let rules = "[[rule]]\nname = \"no\"\nmatch = { path = \"/no\" }\nthen = \"deny\"\n";
    let mut boma = Setup::new().portal(route).rules(rules).start(origin.address);
    // The keeper looks about once a second which minute it is.
    eventually("a posture is noted", || {
        boma.posture("guarded");
        (boma.status()["postures"][0]["posture"] == "guarded").then_some(())
    });
    std::thread::scope(|s| (0..3).for_each(|_| drop(s.spawn(|| assert_eq!(get(boma.at(), "/pay/now").status, 200)))));
    assert_eq!((get(boma.at(), "/no").status, get(boma.at(), "/").status), (403, 200));
    boma.signal("TERM");
    assert!(boma.wait().success());
    let boma = Boma::start(boma.kill(), &[]);
    let kept = boma.staff("GET", "/api/v1/totals", "", "").json();
    let sum = |class: &str, outcome: &str| -> u64 {
        let of = |m: &serde_json::Value| m["counts"][class][outcome][0].as_u64().unwrap_or(0);
        kept["minutes"].as_array().unwrap().iter().map(of).sum()
    };
    assert_eq!((sum("payment", "full"), sum("information", "denied"), sum("information", "full")), (3, 1, 1), "{kept}");
    assert_eq!(kept["minutes"][0]["portal"], "huduma");
    let none = boma.staff("GET", "/api/v1/totals?from=0&to=60", "", "").json();
    assert_eq!(none["minutes"], serde_json::json!([]));
}
