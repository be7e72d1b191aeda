//! Citizens of long standing: what is done to them is counted, refused, undone and told.

use std::fs;

use crate::challenge::solve;
use crate::harness::{Boma, Origin, Setup, eventually, request};

const SETTINGS: &str = "[server]\nworkers = 1\n[client]\ntrusted_proxies = [\"127.0.0.1\"]\n";
const PORTAL: &str = "session_proof = [\"/account*\"]\nsession_cookies = [\"sid\"]\n[[portal.service]]\nname = { en = \"Pay a licence\" }\npaths = [\"/pay*\"]\n[[portal.route]]\npath = \"/pay*\"\nclass = \"payment\"\n";
const RULES: &str = "[[rule]]\nname = \"gate\"\nmatch = { path = \"/gate\" }\nthen = \"challenge\"\n[[rule]]\nname = \"seen\"\nmatch = { pass = \"settled\" }\nthen = \"log\"\n";

/// More than a draft may hit without being forced.
const CITIZENS: usize = 22;

fn house() -> (Origin, Boma) {
    let origin = Origin::start();
    let boma = Setup::new().settings(SETTINGS).portal(PORTAL).rules(RULES).start(origin.address);
    (origin, boma)
}

fn from(boma: &Boma, client: usize, path: &str, pass: &str) -> crate::harness::Answer {
    let fields = format!("Accept: text/html\r\nX-Forwarded-For: 192.0.2.{client}\r\nCookie: {pass}\r\n");
    request(boma.at(), "GET", path, &fields, "")
}

/// Does it for each citizen, a few in each second: of a second only some requests are looked back upon.
fn by_and_by<T>(boma: &Boma, mut one: impl FnMut(usize) -> T) -> Vec<T> {
    let seen = || boma.staff("POST", "/api/v1/rules/preview", "", RULES).json()["with_pass"].as_u64().unwrap();
    let mut all = Vec::new();
    for few in (0..CITIZENS).collect::<Vec<_>>().chunks(6) {
        let before = seen();
        all.extend(few.iter().map(|client| one(*client)));
        eventually("a second is over", || (seen() >= before + 2 * few.len() as u64).then_some(()));
    }
    all
}

/// Citizens with passes, each of an address; signed in, as the origin shows by answering their account.
fn citizens(boma: &Boma, signed_in: bool) -> Vec<String> {
    by_and_by(boma, |client| {
        let pass = solve(boma.at(), &from(boma, client, "/gate", "none=1"));
        let first = if signed_in { "/account" } else { "/" };
        let session = format!("{pass}; sid={client}");
        assert_eq!(
            (from(boma, client, first, &session).status, from(boma, client, "/search", &pass).status),
            (200, 200)
        );
        pass
    })
}

const NO_SEARCH: &str = "[[rule]]\nname = \"no-search\"\nmatch = { path = \"/search\" }\nthen = \"deny\"\n";

#[test]
fn what_would_hit_settled_citizens_must_be_forced_by_whatever_way_it_comes() {
    let (_origin, boma) = house();
    let passes = citizens(&boma, true);
    from(&boma, 0, "/search", &passes[0]);
    let log = fs::read_to_string(boma.setup.file("access.log")).unwrap_or_default();
    assert!(
        eventually("the log is written", || {
            let log = fs::read_to_string(boma.setup.file("access.log")).unwrap_or_default();
            log.contains("\"seen\"").then_some(true)
        }),
        "rules know them: {log}"
    );
    let (_, said) = boma.command(&["explain", "GET", "/search", "--settled"]);
    assert!(said.contains("matches seen"), "{said}");
    assert!(!boma.command(&["explain", "GET", "/search", "--pass"]).1.contains("matches seen"));
    let draft = format!("{RULES}{NO_SEARCH}");
    boma.setup.folder.write("draft.toml", &draft);
    let draft_file = boma.setup.file("draft.toml");
    let apply = ["rules", "apply", draft_file.to_str().unwrap()];
    let (code, said) = boma.command(&apply);
    assert!(code == 1 && said.contains("settled citizens") && said.contains("--force"), "{said}");
    assert_eq!(from(&boma, 0, "/search", &passes[0]).status, 200, "nothing changed");
    let (code, said) = boma.command(&[&apply[..], &["--force"]].concat());
    assert!(code == 2 && said.contains("--reason"), "{said}");
    let (code, said) = boma.command(&[&apply[..], &["--force", "--reason", "INC 42"]].concat());
    assert_eq!(code, 0, "{said}");
    assert_eq!(from(&boma, 0, "/search", &passes[0]).status, 403);
    let journal = fs::read_to_string(boma.setup.file("state/journal.jsonl")).unwrap();
    assert!(journal.contains("rules, forced for: INC 42"), "{journal}");
    assert_eq!(boma.command(&["rules", "rollback"]).0, 0, "what is milder harms nobody");
    let (code, said) = boma.command(&["rules", "rollback", "2"]);
    assert!(code == 1 && said.contains("settled citizens"), "{said}");
    // By the file it is in force, and said.
    boma.setup.folder.write("rules.toml", &draft);
    eventually("the file is in force", || (from(&boma, 0, "/search", &passes[0]).status == 403).then_some(()));
    let said = boma.status()["troubles"].to_string();
    assert!(said.contains("is in force, but") && said.contains("settled citizens"), "{said}");
    boma.setup.folder.write("rules.toml", RULES);
    eventually("and no more", || (!boma.status()["troubles"].to_string().contains("is in force, but")).then_some(()));
    let ban = ["ban", "add", "192.0.2.0/24", "--for", "1h", "--reason", "r"];
    let (code, said) = boma.command(&ban);
    assert!(code == 1 && said.contains("hit 22 settled citizens, 100.0 % of those"), "{said}");
    let (code, said) = boma.command(&[&ban[..], &["--preview"]].concat());
    assert!(code == 0 && said.contains("REFUSED unless forced") && said.contains("network 192.0.2.0/24"), "{said}");
    assert_eq!(boma.status()["bans"], 0);
    assert_eq!(boma.command(&[&ban[..], &["--force"]].concat()).0, 0);
    assert_eq!(from(&boma, 0, "/", &passes[0]).status, 403);
}

#[test]
fn a_measure_that_harms_takes_itself_back_and_a_forced_one_never_does() {
    let (_origin, boma) = house();
    let add = |name, path: &str| {
        let path = format!("path = \"{path}\"");
        ["measure", "add", name, "--match", &path, "--then", "deny", "--reason", "INC-42", "--owner", "soc"]
            .map(str::to_owned)
            .to_vec()
    };
    let run = |arguments: &[String]| boma.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    // Nobody has been there yet, so nobody is seen to be harmed.
    assert_eq!(run(&add("early", "/orders")).0, 0);
    let forced = [add("meant", "/search"), vec!["--force".to_owned()]].concat();
    let passes = citizens(&boma, true);
    assert_eq!(run(&forced).0, 0);
    by_and_by(&boma, |client| {
        let answered = |path| from(&boma, client, path, &passes[client]).status;
        assert_eq!((answered("/orders"), answered("/search")), (403, 403));
    });
    eventually("the harmful one is out", || (from(&boma, 0, "/orders", &passes[0]).status == 200).then_some(()));
    assert_eq!(from(&boma, 0, "/search", &passes[0]).status, 403, "the forced one stays");
    let status = boma.status();
    assert_eq!((status["measures"].as_array().unwrap().len(), &status["measures"][0]["name"]), (1, &"meant".into()));
    let said = status["troubles"].to_string();
    assert!(said.contains("measure early was taken back by itself") && said.contains("settled citizens"), "{said}");
    assert!(status["history"].to_string().contains("measure early taken back"), "{status}");
}

#[test]
fn passes_of_this_hour_are_no_settled_citizens() {
    let (_origin, boma) = house();
    let passes = citizens(&boma, false);
    let add =
        ["measure", "add", "m", "--match", "path = \"/search\"", "--then", "deny", "--reason", "r", "--owner", "o"];
    let seen = boma.staff("POST", "/api/v1/bans/preview", "", "{\"net\":\"192.0.2.0/24\"}").json();
    assert!(seen["changed"]["with_pass"].as_u64() >= Some(22) && seen["changed"]["settled_passes"] == 0, "{seen}");
    assert_eq!(boma.command(&add).0, 0);
    by_and_by(&boma, |client| {
        let answered = || from(&boma, client, "/search", &passes[client]).status;
        assert_eq!((answered(), answered()), (403, 403));
    });
    // Each is looked at in its turn: when one that came later and harms is out, this one has been looked at.
    assert_eq!(
        boma.command(&[
            "measure",
            "add",
            "later",
            "--match",
            "path = \"/orders\"",
            "--then",
            "deny",
            "--reason",
            "r",
            "--owner",
            "o"
        ])
        .0,
        0
    );
    by_and_by(&boma, |client| {
        let session = format!("{}; sid={client}", passes[client]);
        assert_eq!(from(&boma, client, "/account", &session).status, 200);
        assert_eq!(from(&boma, client, "/orders", &session).status, 403);
    });
    eventually("the later one is out", || {
        let names = boma.status()["measures"].to_string();
        (!names.contains("later")).then_some(())
    });
    let troubles = boma.status()["troubles"].to_string();
    assert!(troubles.contains("measure later was taken back"), "{troubles}");
}

#[test]
fn a_limit_that_asks_others_for_a_pass_does_not_hit_those_who_have_one() {
    let (_origin, boma) = house();
    citizens(&boma, true);
    let limit = |then| {
        let per = ["measure", "add", "l", "--per", "portal", "--rate", "1/h", "--burst", "1", "--then", then];
        boma.command(&[&per[..], &["--reason", "r", "--owner", "o", "--match", "path = \"/search\""]].concat())
    };
    let (code, said) = limit("deny");
    assert!(code == 1 && said.contains("settled citizens"), "{said}");
    let (code, said) = limit("challenge");
    assert_eq!(code, 0, "{said}");
}

#[test]
fn what_a_posture_takes_away_is_told_before_it_is_pinned() {
    let origin = Origin::start();
    let boma = Setup::new().settings(SETTINGS).portal(PORTAL).start(origin.address);
    for i in 0..6 {
        let fields = format!("X-Forwarded-For: 192.0.2.{}\r\n", i % 2);
        assert_eq!(request(boma.at(), "POST", "/pay/notify", &fields, "ok").status, 200);
        assert_eq!(from(&boma, i, "/pay/form", "a=1").status, 200);
    }
    eventually("it can be looked back upon", || {
        let seen = boma.staff("POST", "/api/v1/posture/preview", "", "{\"level\":\"closed\"}").json();
        (seen["served"] == 12).then_some(())
    });
    let told = |level: &str| {
        let (_, said) = boma.command(&["posture", level, "--for", "10m", "--reason", "INC-42", "--format", "json"]);
        serde_json::from_str::<serde_json::Value>(&said).unwrap_or_else(|e| panic!("{e}: {said}"))["losses"].clone()
    };
    let normal = told("normal");
    assert!(normal["served"] == 12 && normal["lost"] == serde_json::json!([]), "{normal}");
    let (code, said) = boma.command(&["posture", "static", "--for", "10m", "--reason", "INC-42"]);
    assert_eq!(code, 0, "{said}");
    for line in [
        "Of 12 requests that were served in the last ten minutes",
        "lost: 6 payment call-backs and programs' messages, of 2 clients or more",
        "lost: 6 payment pages, of 6 clients",
        "12 for Pay a licence",
        "huduma: static",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    boma.posture("normal");
    let closed = told("closed");
    assert_eq!(closed["lost"][0]["requests"], 6, "{closed}");
    let wrong = boma.staff("POST", "/api/v1/posture/preview", "", "{\"level\":\"open\"}");
    assert!(wrong.status == 422 && wrong.text().contains("one of normal"), "{}", wrong.text());
}
