//! What communicators say of services and of whom to ask, in the place of the file's words: told within a second with the
//! origin dead, kept, noted with what was said before, and taken back.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Boma, Origin, Setup, eventually, navigate};

const PORTAL: &str = "host = \"huduma.example\"\nconnect_timeout = \"500ms\"\ncontact = { phone = \"+254 700\" }\n\
[[portal.service]]\nname = { en = \"Pay a licence\", sw = \"Lipia leseni\" }\npaths = [\"/pay/*\"]\nphone = \"+254 20 000 0000\"\n\
instead = { en = \"Pay at the bank\" }\n\
[[portal.service]]\nname = { en = \"Land\", sw = \"Ardhi\" }\npaths = [\"/land/*\"]\noffice = \"Ardhi House\"\n";

/// A house whose origin is dead.
fn house(rules: &str) -> Boma {
    Setup::new().portal(PORTAL).rules(rules).start(Origin::start().kill())
}

fn done(boma: &Boma, arguments: &[&str]) -> String {
    let (code, said) = boma.command(arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

fn statement(boma: &Boma, lang: &str) -> String {
    navigate(boma.at(), &format!("/pay/x?lang={lang}")).text()
}

fn status(boma: &Boma, lang: &str) -> String {
    navigate(boma.at(), &format!("/.well-known/boma/status?lang={lang}")).text()
}

fn journal(boma: &Boma) -> Vec<Value> {
    let text = fs::read_to_string(boma.setup.file("state/journal.jsonl")).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn what_a_communicator_says_is_told_at_once_kept_noted_and_taken_back() {
    let boma = house("");
    let file = statement(&boma, "en");
    assert!(
        file.contains("Pay at the bank") && file.contains("tel:+254200000000") && file.contains("tel:+254700"),
        "{file}"
    );

    let said = done(
        &boma,
        &[
            "service",
            "set",
            "lipia leseni",
            "--phone",
            "+254 111",
            "--name",
            "en=Pay for a licence",
            "--instead",
            "en=Go to the office",
            "--instead",
            "sw=Nenda ofisini",
        ],
    );
    assert!(said.starts_with("told\nportal ") && said.contains("called (en): Pay for a licence"), "{said}");
    // Without a wait: it is told before the command ends.
    for lang in ["en", "sw"] {
        for page in [statement(&boma, lang), status(&boma, lang)] {
            let instead = if lang == "en" { "Go to the office" } else { "Nenda ofisini" };
            assert!(
                page.contains(instead) && page.contains("tel:+254111") && !page.contains("Pay at the bank"),
                "{page}"
            );
            assert!(page.contains("Ardhi House"), "the rest stays: {page}");
        }
    }
    assert!(statement(&boma, "en").contains("Pay for a licence") && statement(&boma, "sw").contains("Lipia leseni"));
    done(&boma, &["service", "set", "--contact", "--phone", "", "--ussd", "*144#"]);
    assert!(statement(&boma, "en").contains("*144#") && !statement(&boma, "en").contains("tel:+254700"));

    // Who, when, and what before and after.
    let lines = journal(&boma);
    let line = lines.iter().find(|l| l["what"].as_str().unwrap().contains("service \"Pay a licence\"")).unwrap();
    let what = line["what"].as_str().unwrap();
    for part in [
        "phone from \"+254 20 000 0000\" to \"+254 111\"",
        "instead (en) from \"Pay at the bank\" to \"Go to the office\"",
        "instead (sw) from none to \"Nenda ofisini\"",
        "name (en) from \"Pay a licence\" to \"Pay for a licence\"",
    ] {
        assert!(what.contains(part), "{what}");
    }
    assert!(line["who"].as_str().unwrap().starts_with("staff ") && line["at"].as_u64().unwrap() > 1_700_000_000);
    assert!(line["outcome"].as_str().unwrap().starts_with("applied"));

    // An incident that names the file's name means it still, and the new name too.
    done(&boma, &["incident", "open", "--template", "flood", "--next", "30m", "--affects", "Pay a licence"]);
    assert!(status(&boma, "en").contains("<dd>Pay for a licence</dd>"), "{}", status(&boma, "en"));
    let (code, _) =
        boma.command(&["incident", "update", "1", "--affects", "Pay for a licence", "--next", "30m", "--text", "en=x"]);
    assert_eq!(code, 0);

    // Over a restart, and over settings that are read anew.
    let boma = Boma::start(boma.kill(), &[]);
    assert!(statement(&boma, "en").contains("Go to the office") && statement(&boma, "en").contains("*144#"));
    let settings = fs::read_to_string(boma.setup.file("boma.toml")).unwrap();
    boma.setup.folder.write("boma.toml", &settings.replace("Ardhi House", "Ardhi Annex"));
    eventually("new settings", || statement(&boma, "en").contains("Ardhi Annex").then_some(()));
    assert!(statement(&boma, "en").contains("Go to the office"));

    let said = done(&boma, &["service", "reset", "Pay for a licence"]);
    assert!(said.starts_with("told\n"), "{said}");
    assert!(statement(&boma, "en").contains("Pay at the bank") && statement(&boma, "en").contains("*144#"));
    assert!(done(&boma, &["service", "reset", "--all"]).starts_with("told\n"));
    assert!(statement(&boma, "en").contains("tel:+254700") && !statement(&boma, "en").contains("*144#"));
    assert!(done(&boma, &["service", "reset", "--all"]).starts_with("that is what was told already"));
    let last = journal(&boma).pop().unwrap();
    assert!(
        last["what"]
            .as_str()
            .unwrap()
            .contains("as the settings have it: whom to ask: phone from none to \"+254 700\""),
        "{last}"
    );
}

#[test]
fn what_does_not_fit_changes_nothing_and_rules_go_by_the_files_names() {
    let rules = "[[rule]]\nname = \"licences\"\nmatch = { service = \"Pay a licence\" }\nthen = \"deny\"\n";
    let boma = house(rules);
    let reword = |body: Value| boma.staff("PATCH", "/api/v1/services", "", &body.to_string());
    for (body, says) in [
        (json!({ "service": "Passports", "phone": "1" }), "there is no service"),
        (json!({ "service": "Land", "name": { "en": "lipia leseni" } }), "another service is called"),
        (json!({ "service": "Land", "instead": { "en": "x".repeat(161) } }), "161 characters"),
        (json!({ "service": "Land" }), "nothing is said"),
        (json!({ "contact": true, "name": { "en": "Us" } }), "no name of its own"),
        (json!({ "phone": "1" }), "one is meant"),
        (json!({ "service": "Land", "paths": ["/x"] }), "paths"),
        (json!({ "service": "Land", "portal": "tax", "phone": "1" }), "there is no portal"),
    ] {
        let answer = reword(body.clone());
        assert!(matches!(answer.status, 404 | 422) && answer.text().contains(says), "{body}: {}", answer.text());
    }
    let answer = reword(json!({ "service": "Land", "instead": { "en": "Go there" } }));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["warnings"][0]["message"].as_str().unwrap().contains("not in sw"), "{}", answer.text());
    assert!(statement(&boma, "en").contains("Go there") && !statement(&boma, "en").contains("xxx"));
    // What is done to traffic goes by the file's names, whatever people are told.
    assert_eq!(navigate(boma.at(), "/pay/x").status, 403);
    assert_eq!(reword(json!({ "service": "Pay a licence", "name": { "en": "Licences" } })).status, 200);
    assert_eq!(navigate(boma.at(), "/pay/x").status, 403);
}
