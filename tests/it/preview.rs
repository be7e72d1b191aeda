//! Look before you leap: what a draft would have done to the requests that really came.

use std::fs;

use crate::harness::{Boma, Origin, Setup, eventually, request};

const SETTINGS: &str = "[server]\nworkers = 1\n[client]\ntrusted_proxies = [\"127.0.0.1\"]\n";
const RULES: &str = "[[list]]\nname = \"staff\"\ncidrs = [\"198.51.100.0/24\"]\n[[rule]]\nname = \"old\"\nmatch = { path = \"/old\" }\nthen = \"deny\"\n[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000/s\"\nburst = 10000\n";

/// Nine requests: six for a search, of three clients; two that are denied; one of staff.
fn traffic(boma: &Boma) {
    let from = |address: &str, path: &str| {
        let fields = format!("X-Forwarded-For: {address}\r\nUser-Agent: a\r\nCookie: secret=1; boma_pass=x\r\n");
        request(boma.at(), "GET", path, &fields, "").status
    };
    for i in 0..6 {
        assert_eq!(from(&format!("192.0.2.{}", i % 3), &format!("/search?q={i}")), 200);
    }
    assert_eq!((from("192.0.2.1", "/old"), from("203.0.113.9", "/old")), (403, 403));
    assert_eq!(from("198.51.100.7", "/intern"), 200);
    // Nor a solution that is none: rules do not stand before it.
    let own = request(boma.at(), "POST", "/.well-known/boma/challenge", "Accept: text/html\r\n", "seal=x&work=y");
    assert_eq!(own.status, 403);
    // A second is looked at when it is over.
    let rules = fs::read_to_string(boma.setup.file("rules.toml")).unwrap();
    eventually("all of it can be looked back upon", || {
        (boma.staff("POST", "/api/v1/rules/preview", "", &rules).json()["requests"] == 9).then_some(())
    });
}

#[test]
fn a_draft_is_tried_on_what_came_and_changes_nothing() {
    let origin = Origin::start();
    let boma = Setup::new().settings(SETTINGS).rules(RULES).start(origin.address);
    traffic(&boma);
    let draft = RULES.replace("path = \"/old\"", "path = \"/search*\", user_agent = \"a\"")
        + "[[rule]]\nname = \"never\"\nmatch = { path = \"/never\" }\nthen = \"drop\"\n";
    let seen = boma.staff("POST", "/api/v1/rules/preview", "", &draft).json();
    let changed = &seen["changed"];
    assert_eq!(
        (&changed["stricter"], &changed["milder"], &changed["clients"]),
        (&6.into(), &2.into(), &3.into()),
        "{seen}"
    );
    assert_eq!(changed["paths"], serde_json::json!([["/search", 6]]));
    assert_eq!(changed["networks"], serde_json::json!([["192.0.2.0/24", 6]]));
    assert_eq!((&seen["verdicts"]["denied"], &seen["verdicts"]["allowed"]), (&6.into(), &3.into()));
    let few = "[[limit]]\nname = \"few\"\nper = \"client\"\nrate = \"1/h\"\nburst = 1\nmatch = { path = [\"/search*\", \"/old\"] }\n";
    let limited = boma.staff("POST", "/api/v1/rules/preview", "", &format!("{RULES}{few}")).json();
    let limit = &limited["limits"][0];
    assert_eq!(
        (&limit["name"], &limit["matched"], &limit["over"], &limit["keys"]),
        (&"few".into(), &6.into(), &2.into(), &3.into()),
        "what is denied before does not count: {limited}"
    );
    assert_eq!(seen["idle"], serde_json::json!(["never"]));
    assert!(seen["harm"].is_null());
    boma.setup.folder.write("few.toml", &format!("{RULES}{few}"));
    let (_, said) = boma.command(&["rules", "preview", boma.setup.file("few.toml").to_str().unwrap()]);
    assert!(said.contains("limit few: 6 requests count"), "{said}");
    boma.setup.folder.write("draft.toml", &draft);
    let (code, said) = boma.command(&["rules", "preview", boma.setup.file("draft.toml").to_str().unwrap()]);
    assert!(code == 0 && said.contains("of 9 requests in the last ten minutes"), "{said}");
    for line in [
        "sent away or challenged 6 that were not, of 3 clients",
        "let through 2",
        "path /search: 6",
        "never matched nothing",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    let broken = boma.staff("POST", "/api/v1/rules/preview", "", "[[rule]]\n");
    assert!(broken.status == 422 && broken.text().contains("`rule.match` is missing"));
    assert_eq!(boma.status()["rules_generation"], 1, "nothing is in force");
}

#[test]
fn a_measure_that_would_hit_staff_must_be_forced() {
    let origin = Origin::start();
    let boma = Setup::new().settings(SETTINGS).rules(RULES).start(origin.address);
    traffic(&boma);
    let add = [
        "measure",
        "add",
        "m",
        "--match",
        "path = [\"/search*\", \"/intern\"]",
        "--then",
        "deny",
        "--reason",
        "r",
        "--owner",
        "soc",
    ];
    let (code, said) = boma.command(&[&add[..], &["--preview"]].concat());
    assert!(
        code == 0 && said.contains("sent away or challenged 7") && said.contains("REFUSED unless forced"),
        "{said}"
    );
    assert!(boma.status()["measures"].as_array().unwrap().is_empty(), "only looked at");
    let (code, said) = boma.command(&add);
    assert!(code == 1 && said.contains("staff's own networks") && said.contains("--force"), "{said}");
    assert!(boma.status()["measures"].as_array().unwrap().is_empty());
    assert_eq!(boma.command(&[&add[..], &["--force"]].concat()).0, 0);
    assert_eq!(boma.status()["measures"][0]["name"], "m");
}
