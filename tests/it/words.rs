//! Operators' languages: added, replaced and broken while boma runs, over a restart, and in `boma check`.

use std::fs;
use std::process::Command;

use crate::harness::{Boma, Origin, Setup, command, eventually, navigate, request};

const FOLDER: &str = "[server]\nlanguages = \"lang\"\n";
const SOMALI: &str = "name = \"Soomaali\"\ndir = \"ltr\"\nall_well = \"Wax walba way shaqeeyaan.\"\ntry_again = \"Isku day mar kale\"\npartial = true\n";
const STATUS: &str = "/.well-known/boma/status";

/// A house that speaks Swahili and another language, with that one's file.
fn setup(other: &str, text: &str) -> Setup {
    let mut setup = Setup::new().settings(FOLDER);
    setup.languages = "\"sw\", \"so\"";
    fs::create_dir(setup.file("lang")).unwrap();
    setup.folder.write(&format!("lang/{other}.toml"), text);
    setup
}

fn page(boma: &Boma, path: &str, lang: &str) -> String {
    navigate(boma.at(), &format!("{path}?lang={lang}")).text()
}

#[test]
fn a_language_that_was_chosen_stays_chosen_and_is_nobody_elses_business() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    boma.posture("closed");
    let english = "Accept: text/html\r\nAccept-Language: en\r\n";
    let statement = |path: &str, more: &str| request(boma.at(), "GET", path, &format!("{english}{more}"), "");
    assert!(statement("/", "").text().contains("<html lang=\"en\""));
    let chosen = statement("/?lang=sw", "");
    assert!(chosen.text().contains("<html lang=\"sw\""));
    let cookie = chosen.field("set-cookie").and_then(|c| c.split(';').next()).unwrap().to_owned();
    assert_eq!(cookie, "boma_lang=sw");
    let kept = format!("Cookie: session=1; {cookie}\r\n");
    assert!(statement("/", &kept).text().contains("<html lang=\"sw\""));
    let status = statement(STATUS, &kept);
    assert!(
        status.text().contains("<html lang=\"sw\"") && status.field("cache-control").unwrap().starts_with("private")
    );
    assert!(statement(STATUS, "").field("cache-control").unwrap().starts_with("public"));
    boma.posture("normal");
    assert_eq!(statement("/mine", &kept).status, 200);
    let reached = origin.reached();
    let mine = reached.iter().find(|r| r.target == "/mine").unwrap();
    assert_eq!(mine.field("cookie").as_deref(), Some("session=1"));
}

#[test]
fn the_switch_leads_back_to_the_page_as_it_was_asked_for_and_no_origin_hears_of_it() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    boma.posture("closed");
    let english = "Accept: text/html\r\nAccept-Language: en\r\n";
    let ask = |path: &str, more: &str| request(boma.at(), "GET", path, &format!("{english}{more}"), "");
    let page = ask("/pay?bill=123&to=%2Fx", "").text();
    let link = page.split("href=\"").find(|a| a.contains("hreflang=\"sw\"")).unwrap().split('"').next().unwrap();
    let switch = |referer: &str| ask(link, &format!("Referer: {referer}\r\n"));
    let back = switch("http://huduma.example/pay?bill=123&to=%2Fx");
    assert_eq!((back.status, back.field("location")), (303, Some("http://huduma.example/pay?bill=123&to=%2Fx")));
    assert_eq!(back.field("cache-control"), Some("no-store"));
    let kept = format!("Cookie: {}\r\n", back.field("set-cookie").unwrap().split(';').next().unwrap());
    assert!(ask("/pay?bill=123&to=%2Fx", &kept).text().contains("<html lang=\"sw\""));
    // From a page that holds a form it leads to the status page: the form's address is not asked for.
    let beside = ask(&format!("{link}&status"), "Referer: http://huduma.example/pay?bill=123\r\n");
    assert_eq!((beside.status, beside.field("location")), (303, Some(STATUS)));
    assert!(beside.field("set-cookie").unwrap().starts_with("boma_lang=sw"));
    for elsewhere in ["http://elsewhere.example/pay", "http://huduma.example.elsewhere.example/", "x", ""] {
        assert_eq!(switch(elsewhere).field("location"), Some("/"), "{elsewhere}");
    }
    assert_eq!(
        switch("http://huduma.example//x.example/").field("location"),
        Some("http://huduma.example//x.example/")
    );
    assert_eq!(ask("/.well-known/boma/lang?lang=xx", "").status, 404);
    assert_eq!(request(boma.at(), "POST", link, english, "").status, 405);
    boma.posture("normal");
    assert_eq!(ask("/pay?bill=123&to=%2Fx", &kept).status, 200);
    assert_eq!(origin.reached_by_citizens()[0].target, "/pay?bill=123&to=%2Fx");
}

/// Files that are not in force, with their faults.
fn refused(boma: &Boma) -> String {
    boma.status()["files_not_in_force"].to_string()
}

fn check(setup: &Setup) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_boma"))
        .arg("check")
        .arg("--config")
        .arg(setup.file("boma.toml"))
        .output()
        .unwrap();
    (done.status.code(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

#[test]
fn an_operators_language_is_on_the_pages_and_what_it_lacks_is_marked() {
    let origin = Origin::start();
    let boma = setup("so", SOMALI).start(origin.address);
    let status = page(&boma, STATUS, "so");
    assert!(status.contains("<html lang=\"so\">") && status.contains("Wax walba way shaqeeyaan."), "{status}");
    assert!(
        status.contains("<h2><span lang=\"sw\">Huduma</span></h2>"),
        "the portal's first language stands in: {status}"
    );
    let switch = "<a href=\"?lang=so\" lang=\"so\" hreflang=\"so\">Soomaali</a>";
    assert!(status.contains(switch) && page(&boma, STATUS, "sw").contains(switch), "{status}");
    assert!(boma.log().contains("sentences are not here: access_code, affects"), "{}", boma.log());
    // A shipped language says it otherwise, and what stands over it is not marked.
    boma.setup.folder.write("lang/sw.toml", "all_well = \"Kila kitu ni sawa.\"\n");
    let swahili =
        eventually("it is said", || Some(page(&boma, STATUS, "sw")).filter(|p| p.contains("Kila kitu ni sawa.")));
    assert!(swahili.contains("<h2>Huduma</h2>"), "{swahili}");
    boma.setup.folder.write("lang/so.toml", &SOMALI.replace("Wax walba", "Waxa oo dhan"));
    eventually("new words are said", || page(&boma, STATUS, "so").contains("Waxa oo dhan way").then_some(()));
    fs::remove_file(boma.setup.file("lang/sw.toml")).unwrap();
    eventually("the shipped words are back", || (!page(&boma, STATUS, "sw").contains("ni sawa.")).then_some(()));
    assert_eq!(refused(&boma), "[]");
}

#[test]
fn a_broken_file_leaves_the_words_in_force_now_and_over_a_restart() {
    let origin = Origin::start();
    let boma = setup("so", SOMALI).start(origin.address);
    let broken = format!("{SOMALI}begins = \"Bilow\"\ngoon = \"x\"\nphone = \"<b>Taleefan</b>\"\n");
    boma.setup.folder.write("lang/so.toml", &broken);
    boma.setup.folder.write("lang/fr.toml", "all_well = \"Tout va bien.\"\n");
    let said = eventually("it is refused", || Some(refused(&boma)).filter(|r| r.contains("so.toml")));
    for fault in ["\"line\":6,\"message\":\"`begins` is without {time}", "unknown key `goon`", "`phone` holds markup"] {
        assert!(said.contains(fault), "{fault} in {said}");
    }
    assert!(!said.contains("fr.toml"), "the other is taken: {said}");
    assert_eq!(boma.metric("boma_config_last_reload_successful"), 0.0);
    assert!(page(&boma, STATUS, "so").contains("Wax walba way shaqeeyaan."));
    let (code, checked) = check(&boma.setup);
    assert_eq!(code, Some(78));
    assert!(
        checked.contains("so.toml:6:10: `begins` is without {time}") && checked.contains("so.toml:7:1:"),
        "{checked}"
    );

    let boma = Boma::start(boma.kill(), &[]);
    assert!(page(&boma, STATUS, "so").contains("Wax walba way shaqeeyaan."), "the last good copy is in force");
    let status = boma.status();
    assert!(status["troubles"].to_string().contains("so.toml:6:10") && refused(&boma).contains("`begins`"), "{status}");
    assert!(boma.log().contains("ERROR") && boma.metric("boma_troubles") >= 1.0);
    boma.setup.folder.write("lang/so.toml", &SOMALI.replace("Wax walba", "Waxa oo dhan"));
    eventually("the mended file is taken", || page(&boma, STATUS, "so").contains("Waxa oo dhan way").then_some(()));
    assert_eq!((refused(&boma), boma.status()["troubles"].to_string()), ("[]".to_owned(), "[]".to_owned()));
    // Gone, and a portal speaks it.
    fs::remove_file(boma.setup.file("lang/so.toml")).unwrap();
    eventually("it is missed", || refused(&boma).contains("it is not there, and a portal speaks").then_some(()));
    assert!(page(&boma, STATUS, "so").contains("Waxa oo dhan way"));

    let setup = boma.kill();
    setup.folder.write("lang/so.toml", &broken);
    let mut strict = command(&setup);
    strict.arg("--strict");
    let (status, log) = Boma::spawn(setup, strict).err().expect("it does not start");
    assert!(status.code() == Some(78) && log.contains("so.toml:6:10"), "{log}");
}

/// Prepared statements are words like all others: an operator's language has them, and a file is refused by the line that is wrong.
#[test]
fn an_operators_language_tells_prepared_statements_and_is_refused_where_one_is_missing_or_malformed() {
    let origin = Origin::start();
    let english = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/lang/en.toml")).unwrap();
    let whole = english.replace("name = \"English\"", "name = \"Soomaali\"");
    let whole = whole.replace("{portal} is slow", "{portal} wuu gaabis yahay");
    let whole =
        whole.replace("{portal} works again. Thank you for your patience.", "{portal} way shaqaynaysaa mar kale.");
    let boma = setup("so", &whole).start(origin.address);
    origin.kill();
    let done = |arguments: &[&str]| {
        let (code, said) = boma.command(arguments);
        assert_eq!(code, 0, "{said}");
        said
    };
    let preview = done(&["incident", "preview", "--template", "flood"]);
    assert!(preview.contains("Soomaali (so)\n  Huduma wuu gaabis yahay") && preview.contains("SMS"), "{preview}");
    let opened = done(&["incident", "open", "--template", "flood", "--next", "30m"]);
    assert!(!opened.contains("readers of these get another language"), "{opened}");
    assert!(page(&boma, STATUS, "so").contains("<h2 id=\"i1\">Huduma wuu gaabis yahay</h2>"));
    assert!(page(&boma, STATUS, "sw").contains("Huduma inafanya kazi polepole"), "the shipped words beside it");
    done(&["incident", "resolve"]);
    assert!(page(&boma, STATUS, "so").contains("Huduma way shaqaynaysaa mar kale."));
    // What a file must hold, and the last good one stays.
    let key = "template_planned_work_text";
    let line = 1 + whole.lines().position(|l| l.starts_with(key)).unwrap();
    let entry = format!("{}\n", whole.lines().nth(line - 1).unwrap());
    for (with, place, fault) in [
        (String::new(), (line - 1, 1), format!("here is missing: {key}")),
        (format!("{key} = \"Waan ka shaqayn doonaa.\"\n"), (line, 30), format!("`{key}` is without {{portal}}")),
        (format!("{key} = \"{{portal}} {}\"\n", "x".repeat(500)), (line, 30), format!("`{key}` has 509 characters")),
        (format!("{entry}template_tea_text = \"x\"\n"), (line + 1, 1), "unknown key `template_tea_text`".to_owned()),
    ] {
        boma.setup.folder.write("lang/so.toml", &whole.replace(&entry, &with));
        let (code, said) = check(&boma.setup);
        let fault = format!("so.toml:{}:{}: {fault}", place.0, place.1);
        assert!(code == Some(78) && said.contains(&fault), "{fault} in {said}");
    }
    eventually("it is refused", || refused(&boma).contains("template_tea_text").then_some(()));
    assert!(done(&["incident", "preview", "--template", "flood"]).contains("Huduma wuu gaabis yahay"));
    // In part: who reads it gets the portal's first language for what is not there.
    boma.setup.folder.write("lang/so.toml", &format!("partial = true\n{}", whole.replace(&entry, "")));
    let (code, said) = check(&boma.setup);
    assert!(code == Some(0) && said.contains(&format!("sentences are not here: {key}")), "{said}");
    eventually("it is in force", || (refused(&boma) == "[]").then_some(()));
    let said = done(&["incident", "open", "--template", "planned-work", "--starts", "1h", "--ends", "2h"]);
    assert!(said.contains("not in so: readers of these get another language"), "{said}");
    let planned = page(&boma, STATUS, "so");
    assert!(planned.contains("<span lang=\"sw\">Tutakuwa tunafanya kazi"), "{planned}");
}

#[test]
fn a_broken_file_without_a_copy_keeps_no_portal_down() {
    let origin = Origin::start();
    let boma = setup("so", "name = 5\n").start(origin.address);
    let status = page(&boma, STATUS, "so");
    assert!(status.contains("<html lang=\"so\">") && status.contains("<span lang=\"sw\">"), "{status}");
    assert!(refused(&boma).contains("`name` is 5"), "{}", refused(&boma));
}

#[test]
fn a_language_that_nobody_has_is_refused_by_name_until_its_file_comes() {
    let origin = Origin::start();
    let setup = setup("so", SOMALI);
    let boma = setup.start(origin.address);
    let text = fs::read_to_string(boma.setup.file("boma.toml")).unwrap();
    boma.setup.folder.write("boma.toml", &text.replace("[\"sw\", \"so\"]", "[\"sw\", \"so\", \"om\"]"));
    let said = eventually("it is refused", || Some(refused(&boma)).filter(|r| r.contains("nobody has words in")));
    assert!(said.contains("write one of en, sw, fr, sq, ar, so, or put om.toml into the folder"), "{said}");
    let (code, checked) = check(&boma.setup);
    assert!(code == Some(78) && checked.contains("nobody has words in \"om\""), "{checked}");
    boma.setup.folder.write("lang/om.toml", "name = \"Afaan Oromoo\"\ndir = \"ltr\"\npartial = true\n");
    eventually("the settings are taken", || page(&boma, STATUS, "om").contains("<html lang=\"om\">").then_some(()));
    assert_eq!(refused(&boma), "[]");
    assert_eq!(check(&boma.setup).0, Some(0));
}

#[test]
fn names_and_weights_are_looked_at_too() {
    let long = "ا".repeat(340);
    let setup = setup("so", SOMALI);
    setup.folder.write("lang/swahili.toml", "");
    setup.folder.write(
        "lang/fa.toml",
        &format!("name = \"فارسی\"\ndir = \"rtl\"\nchallenge_bare = \"{{portal}}{long}\"\npartial = true\n"),
    );
    setup.folder.write("lang/.hidden.toml", "x");
    setup.folder.write("lang/README.txt", "x");
    setup.write("127.0.0.1:9");
    let (code, said) = check(&setup);
    assert_eq!(code, Some(78));
    for fault in
        ["swahili.toml: no language is called like this file", "fa.toml:3:1: a page with `challenge_bare` has "]
    {
        assert!(said.contains(fault), "{fault} in {said}");
    }
    assert!(said.contains("more than 1500\n    write it shorter") && !said.contains("hidden"), "{said}");
}
