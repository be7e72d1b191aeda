//! The case files under tests/cases/settings, and the shipped reference.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::*;

/// A case is the text, a line `----`, and what is said of it: `ok`, or `line:column message` and its help indented.
#[test]
fn every_case_file_is_answered_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/settings");
    let mut cases = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (toml, expected) = text.split_once("----\n").unwrap_or_else(|| panic!("{}: no line ----", path.display()));
        let got = read("boma.toml", toml, Path::new("/etc/boma"));
        let mut said = String::new();
        for fault in &got.faults {
            let _ = writeln!(said, "{}:{} {}\n    {}", fault.line, fault.column, fault.message, fault.help);
        }
        let said = if said.is_empty() { "ok\n".to_owned() } else { said };
        assert_eq!(said, expected, "{}", path.display());
        cases += 1;
    }
    assert!(cases >= 20, "{cases} cases in {}", folder.display());
}

#[test]
fn the_shipped_reference_is_good_and_says_the_defaults() {
    let reference = read("config/boma.toml", include_str!("../../config/boma.toml"), Path::new("/etc/boma"));
    assert_eq!(reference.faults, []);
    let least = "[[listen]]\naddress = \"127.0.0.1:8080\"\n[[portal]]\nname = \"huduma\"\nhosts = [\"huduma.example\"]\norigins = [\"http://127.0.0.1:3000\"]\n";
    let least = read("boma.toml", least, Path::new("/etc/boma")).value;
    let shipped = reference.value;
    let server = Server { state_dir_given: true, ..least.server.clone() };
    assert_eq!(
        (shipped.server, shipped.client, shipped.admin, shipped.challenge, shipped.log, shipped.bots),
        (server, least.client, least.admin, least.challenge, least.log, least.bots)
    );
}

#[test]
fn a_language_without_words_is_refused_by_name() {
    let text = "[server]\nlanguages = \"lang\"\n[[listen]]\naddress = \"127.0.0.1:8080\"\n[[portal]]\nname = \"p\"\nhosts = [\"p.example\"]\norigins = [\"http://127.0.0.1:3000\"]\nlanguages = [\"sw-KE\", \"so\", \"om\"]\n";
    let spoken = |folder: Option<&Path>| {
        assert_eq!(folder, Some(Path::new("/etc/boma/lang")));
        vec!["sw".to_owned(), "so".to_owned()]
    };
    let read = read_spoken("boma.toml", text, Path::new("/etc/boma"), &spoken);
    let said: Vec<String> = read.faults.iter().map(ToString::to_string).collect();
    let help = "write one of sw, so, or put om.toml into the folder that `server.languages` names";
    assert_eq!(said, [format!("boma.toml:9:29: nobody has words in \"om\"\n    {help}")]);
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_is_not() {
    let text = |admin: u16, host: &str| {
        format!(
            "[admin]\naddress = \"127.0.0.1:{admin}\"\n[[listen]]\naddress = \"127.0.0.1:8080\"\n[[portal]]\nname = \"p\"\nhosts = [\"{host}\"]\norigins = [\"http://127.0.0.1:3000\"]\n"
        )
    };
    let settings = |admin, host| read("boma.toml", &text(admin, host), Path::new("/")).value;
    assert_eq!(restart_needed(&settings(9900, "a.example"), &settings(9900, "b.example")), Vec::<String>::new());
    assert_eq!(restart_needed(&settings(9900, "a.example"), &settings(9901, "b.example")), ["admin.address"]);
}
