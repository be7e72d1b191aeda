//! Measures: at once in force, gone by themselves, kept over a restart; the rules' history; the journal.

use std::fs;

use crate::harness::{Boma, Origin, Setup, eventually, get};

const RULES: &str = "[[list]]\nname = \"offices\"\ncidrs = [\"192.0.2.0/24\"]\n[[rule]]\nname = \"old\"\nmatch = { path = \"/old*\" }\nthen = \"deny\"\n";
const JSON: &str = "Content-Type: application/json\r\n";

fn house() -> (Origin, Boma) {
    let origin = Origin::start();
    let boma = Setup::new().rules(RULES).start(origin.address);
    (origin, boma)
}

#[test]
fn a_measure_holds_at_once_is_listed_and_is_taken_out_again() {
    let (_origin, boma) = house();
    assert_eq!(get(boma.at(), "/search").status, 200);
    let add = ["measure", "add", "no-search", "--match", "path = \"/search*\"", "--then", "deny"];
    let why = ["--reason", "INC-42", "--owner", "soc"];
    let (code, said) = boma.command(&[&add[..], &why, &["--for", "2h"]].concat());
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("no-search   ends in 1 h 59 min   owner soc   INC-42") || said.contains("ends in 2 h 0 min"),
        "{said}"
    );
    assert_eq!((get(boma.at(), "/search").status, get(boma.at(), "/").status), (403, 200));
    assert!(boma.log().contains("change applied"), "{}", boma.log());
    let limit = [
        "measure",
        "add",
        "slow-pay",
        "--match",
        "path = \"/pay\"",
        "--per",
        "client",
        "--rate",
        "1/h",
        "--burst",
        "1",
        "--then",
        "deny",
    ];
    assert_eq!(boma.command(&[&limit[..], &why].concat()).0, 0);
    assert_eq!((get(boma.at(), "/pay").status, get(boma.at(), "/pay").status), (200, 429));
    let status = boma.status();
    let left = |i: usize| status["measures"][i]["left"].as_u64().unwrap();
    assert_eq!(status["measures"][0]["name"], "no-search", "the one that ends next comes first");
    assert!(left(0) <= 7200 && left(1) <= 4 * 3600 && left(1) > 3 * 3600, "the standard is four hours: {status}");
    assert_eq!(boma.command(&["measure", "extend", "no-search", "--for", "3d"]).0, 0);
    assert!(boma.status()["measures"][1]["left"].as_u64().unwrap() > 2 * 86_400);
    assert_eq!(boma.command(&["measure", "remove", "no-search"]).0, 0);
    assert_eq!(get(boma.at(), "/search").status, 200);
    assert!(fs::read_to_string(boma.setup.file("rules.toml")).unwrap() == RULES, "the file is untouched");
    // What does not fit is said, and nothing changes.
    for (arguments, code, hint) in [
        (&["measure", "add", "x", "--match", "path = \"/\"", "--then", "deny", "--owner", "soc"][..], 2, "--reason"),
        (&[&add[..], &why, &["--for", "8d"]].concat(), 1, "belongs into rules.toml"),
        (
            &["measure", "add", "old", "--match", "path = \"/\"", "--then", "deny", "--reason", "r", "--owner", "o"],
            1,
            "is the name of another rule",
        ),
        (
            &["measure", "add", "y", "--match", "list = \"ofices\"", "--then", "deny", "--reason", "r", "--owner", "o"],
            1,
            "did you mean \"offices\"?",
        ),
        (
            &["measure", "add", "y", "--match", "path = ", "--then", "deny", "--reason", "r", "--owner", "o"],
            2,
            "single quotes",
        ),
        (&["measure", "remove", "no-search"], 1, "there is no measure"),
        (&["measure", "extend", "none"], 1, "there is no measure"),
        (&["measure", "extend", "slow-pay", "--for", "1m"], 1, "it ends later than that already"),
    ] {
        let (got, said) = boma.command(arguments);
        assert!(got == code && said.contains(hint), "{arguments:?}: {got} {said}");
    }
    assert_eq!(boma.status()["measures"].as_array().unwrap().len(), 1);
}

#[test]
fn a_measure_ends_by_itself_and_survives_restarts_until_then() {
    let (_origin, boma) = house();
    let body = |name: &str, lasts: &str| {
        format!(
            "{{\"name\":\"{name}\",\"match\":{{\"path\":\"/{name}*\"}},\"then\":\"deny\",\"for\":\"{lasts}\",\"reason\":\"INC-42\",\"owner\":\"soc\"}}"
        )
    };
    assert_eq!(boma.staff("POST", "/api/v1/measures", JSON, &body("long", "1h")).status, 201);
    assert_eq!(boma.staff("POST", "/api/v1/measures", JSON, &body("short", "1s")).status, 201);
    eventually("the short one has ended", || (get(boma.at(), "/short").status == 200).then_some(()));
    eventually("and is out of the list", || (boma.status()["measures"].as_array().unwrap().len() == 1).then_some(()));
    eventually("and its end is told", || {
        boma.status()["history"].to_string().contains("end of measure short").then_some(())
    });
    // A rules file that leaves a measure no room is refused, and says which.
    let rules = fs::read_to_string(boma.setup.file("rules.toml")).unwrap();
    let clash = rules.replace("\"old\"", "\"long\"");
    let refused = boma.staff("PUT", "/api/v1/rules", "If-Match: *\r\n", &clash);
    assert!(refused.status == 422 && refused.text().contains("measure long"), "{}", refused.text());
    // Saved as a file it is refused likewise, and tried again when the measure is gone.
    assert_eq!(boma.staff("POST", "/api/v1/measures", JSON, &body("gone", "1h")).status, 201);
    boma.setup.folder.write("rules.toml", &rules.replace("\"old\"", "\"gone\"").replace("/old*", "/newer*"));
    eventually("it is refused", || {
        boma.status()["files_not_in_force"].to_string().contains("measure gone").then_some(())
    });
    assert_eq!(boma.staff("DELETE", "/api/v1/measures/gone", "", "").status, 200);
    eventually("it is in force", || (get(boma.at(), "/newer").status == 403).then_some(()));
    // A change of the file leaves the measure over it.
    let changed = rules.replace("/old*", "/older*");
    assert_eq!(boma.staff("PUT", "/api/v1/rules", "If-Match: *\r\n", &changed).status, 200);
    assert_eq!(
        (get(boma.at(), "/older").status, get(boma.at(), "/old").status, get(boma.at(), "/long").status),
        (403, 200, 403)
    );
    let until = boma.status()["measures"][0]["until"].clone();
    let generation = |boma: &Boma| boma.status()["rules_generation"].as_u64().unwrap();
    let before = generation(&boma);
    let boma = Boma::start(boma.kill(), &[]);
    assert!(generation(&boma) > before, "what was read before the restart is not what is in force");
    assert_eq!(get(boma.at(), "/long").status, 403);
    assert_eq!(boma.status()["measures"][0]["until"], until, "its end has not moved");
    // One that does not fit the file any more must not keep boma down.
    let setup = boma.kill();
    setup.folder.write("rules.toml", &clash);
    let boma = Boma::start(setup, &[]);
    assert!(boma.status()["troubles"].to_string().contains("measure long of before the restart"), "{}", boma.status());
    assert_eq!(get(boma.at(), "/old").status, 403, "the file's own rule of that name holds");
}

#[test]
fn earlier_rules_are_listed_compared_and_brought_back() {
    let (_origin, boma) = house();
    let path = boma.setup.file("rules.toml");
    fs::write(&path, RULES.replace("/old*", "/new*")).unwrap();
    eventually("the file is in force", || (get(boma.at(), "/new").status == 403).then_some(()));
    let (code, said) = boma.command(&["rules", "history"]);
    assert!(code == 0 && said.lines().count() == 2 && said.lines().next().unwrap().ends_with("in force"), "{said}");
    let (code, said) = boma.command(&["rules", "diff"]);
    assert!(code == 0 && said.contains("-match = { path = \"/old*\" }\n+match = { path = \"/new*\" }"), "{said}");
    assert_eq!(boma.command(&["rules", "rollback"]).0, 0);
    assert_eq!((get(boma.at(), "/old").status, get(boma.at(), "/new").status), (403, 200));
    assert_eq!(fs::read_to_string(&path).unwrap(), RULES, "the file stays the truth");
    let boma = Boma::start(boma.kill(), &[]);
    let (_, said) = boma.command(&["rules", "history"]);
    assert_eq!(said.lines().count(), 3, "versions outlive a restart:\n{said}");
    assert_eq!(boma.command(&["rules", "rollback", "2"]).0, 0);
    assert_eq!(get(boma.at(), "/new").status, 403);
    let (code, said) = boma.command(&["rules", "rollback", "77"]);
    assert!(code == 1 && said.contains("no version 77"), "{said}");
}

#[test]
fn the_journal_tells_every_change_and_shows_what_was_altered() {
    let (_origin, boma) = house();
    let add =
        ["measure", "add", "m", "--match", "path = \"/m\"", "--then", "deny", "--reason", "INC-42", "--owner", "soc"];
    assert_eq!(boma.command(&add).0, 0);
    assert_eq!(boma.command(&add).0, 1, "there is one of that name");
    boma.posture("guarded");
    let state = boma.setup.file("state");
    let state = state.to_str().unwrap();
    let (code, said) = boma.command(&["journal", "verify", state]);
    assert!(code == 0 && said.contains("3 lines"), "{said}");
    let file = boma.setup.file("state/journal.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    for told in [
        "measure m for: INC-42",
        "applied, generation 2",
        "rejected, 1 faults",
        "staff administrator",
        "posture guarded",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    fs::write(&file, text.replace("INC-42", "INC-43")).unwrap();
    let (code, said) = boma.command(&["journal", "verify", state]);
    assert!(code == 1 && said.contains(":1: this line was changed"), "{said}");
}
