//! Whatever is broken at start: with a last good state boma serves, and says so loudly.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::harness::{Boma, Origin, Setup, command, eventually, get, navigate, request};

const RULES: &str = "[[rule]]\nname = \"mark\"\nmatch = { path = \"/mark\" }\nthen = \"deny\"\n";
const SNAPSHOT: &str = "snapshot = { start = [\"/\"], every = \"1s\" }\n";

/// A house that ran, took its snapshot, and was killed.
fn killed(origin: &Origin) -> Setup {
    let boma = Setup::new().portal(SNAPSHOT).rules(RULES).start(origin.address);
    boma.wait_for_snapshots(1);
    eventually("the snapshot is on disk", || {
        let bytes = fs::read(boma.setup.file("state/boma.redb")).ok()?;
        bytes.windows(8).any(|w| w == b"huduma\n/").then_some(())
    });
    boma.kill()
}

/// It serves, and says a trouble that names `word` in log, metrics and status.
fn serves_and_says(boma: &Boma, word: &str) {
    assert_eq!(get(boma.at(), "/").status, 200);
    assert_eq!(get(boma.at(), "/mark").status, 403, "the last good rules hold");
    let status = boma.status();
    assert!(status["troubles"].to_string().contains(word), "{status}");
    assert!(boma.log().contains("ERROR") && boma.log().contains(word), "{}", boma.log());
    assert!(boma.metric("boma_troubles") >= 1.0);
    assert!(request(boma.admin, "GET", "/readyz?verbose", "", "").text().contains(word));
}

fn refused(setup: Setup, more: &[&str]) -> (Option<i32>, String) {
    let mut command = command(&setup);
    command.args(more);
    let (status, log) = Boma::spawn(setup, command).err().expect("it does not start");
    assert!(!log.contains("panicked"), "{log}");
    (status.code(), log)
}

#[test]
fn broken_rules_are_replaced_by_the_last_good_ones() {
    let origin = Origin::start();
    let setup = killed(&origin);
    setup.folder.write("rules.toml", &RULES.replace("deny", "denny"));
    let boma = Boma::start(setup, &[]);
    serves_and_says(&boma, "rules.toml");
    assert_eq!(boma.status()["files_not_in_force"][0]["faults"][0]["line"], 4);
    assert_eq!(boma.metric("boma_config_last_reload_successful"), 0.0);
    boma.setup.folder.write("rules.toml", &RULES.replace("/mark", "/mend"));
    eventually("the mended file is taken", || (get(boma.at(), "/mend").status == 403).then_some(()));
    assert_eq!(boma.status()["troubles"], serde_json::json!([]));
    let setup = boma.kill();
    setup.folder.write("rules.toml", "[[rule]\n");
    let (code, log) = refused(setup, &["--strict"]);
    assert!(code == Some(78) && log.contains("rules.toml:1:"), "{log}");
}

#[test]
fn broken_settings_are_replaced_by_the_last_good_ones() {
    let origin = Origin::start();
    let setup = killed(&origin);
    let text = fs::read_to_string(setup.file("boma.toml")).unwrap();
    setup.folder.write("boma.toml", &text.replace("[[portal]]", "[[portl]]"));
    let boma = Boma::start(setup, &[]);
    serves_and_says(&boma, "boma.toml");
    let setup = boma.kill();
    fs::remove_file(setup.file("boma.toml")).unwrap();
    serves_and_says(&Boma::start(setup, &[]), "boma.toml");
}

#[test]
fn with_no_last_good_state_a_broken_file_ends_with_78() {
    for (name, text, word) in [
        ("boma.toml", "[[listen]]\nadress = \"127.0.0.1:0\"\n", "did you mean `address`?"),
        ("rules.toml", "[[rule]]\nthen = \"x\"\n", "rules.toml:2:8:"),
    ] {
        let setup = Setup::new();
        setup.write("127.0.0.1:1");
        setup.folder.write(name, text);
        let (code, log) = refused(setup, &[]);
        assert!(code == Some(78) && log.contains(word), "{log}");
    }
    let setup = Setup::new();
    let (code, log) = refused(setup, &[]);
    assert!(code == Some(78) && log.contains("cannot be read"), "{log}");
}

#[test]
fn an_unreadable_certificate_is_replaced_by_the_last_good_one() {
    let origin = Origin::start();
    let mut setup = Setup::new().rules(RULES).settings("[[certificate]]\nchain = \"tls.pem\"\nkey = \"tls.key\"\n");
    setup.listen = "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = true\n";
    setup.write(&origin.address.to_string());
    let (code, log) = refused(
        Setup { folder: std::mem::replace(&mut setup.folder, crate::harness::Folder::new()), ..Setup::new() },
        &[],
    );
    assert!(code == Some(78) && log.contains("tls.pem cannot be read"), "{log}");
    let made = rcgen::generate_simple_self_signed(vec!["huduma.example".into()]).unwrap();
    setup.folder.write("tls.pem", &made.cert.pem());
    setup.folder.write("tls.key", &made.signing_key.serialize_pem());
    let setup = setup.start(origin.address).kill();
    setup.folder.write("tls.pem", "-----BEGIN CERTIFICATE-----\n");
    let boma = Boma::start(setup, &[]);
    serves_and_says(&boma, "tls.pem");
}

#[test]
fn an_origin_name_that_does_not_resolve_is_no_reason_to_stay_down() {
    let origin = Origin::start();
    let setup = killed(&origin);
    let text = fs::read_to_string(setup.file("boma.toml")).unwrap();
    setup.folder.write("boma.toml", &text.replace(&origin.address.to_string(), "origin.invalid:80"));
    let boma = Boma::start(setup, &[]);
    let page = navigate(boma.at(), "/");
    assert!(page.status == 200 && page.text().contains("boma-banner"), "the snapshot is served");
    assert_eq!(get(boma.at(), "/").status, 502);
    eventually("it is said", || boma.log().contains("does not resolve").then_some(()));
    assert!(boma.status()["troubles"].to_string().contains("origin.invalid"));
    assert!(boma.metric("boma_troubles") >= 1.0);
}

#[test]
fn a_damaged_store_is_moved_aside() {
    let origin = Origin::start();
    let setup = killed(&origin);
    let store = setup.file("state/boma.redb");
    let mut bytes = fs::read(&store).unwrap();
    let end = bytes.len();
    bytes[..end / 2].fill(0x5a);
    fs::write(&store, &bytes).unwrap();
    let boma = Boma::start(setup, &[]);
    serves_and_says(&boma, "damaged");
    let aside = fs::read_dir(boma.setup.file("state")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(aside.filter(|n| n.contains("damaged")).count(), 1);
    boma.wait_for_snapshots(1);
}

/// Tests may run as root, whom no mode stops: boma runs as another user, whose files these are not.
#[test]
fn a_state_directory_that_cannot_be_written_is_no_reason_to_stay_down() {
    let origin = Origin::start();
    let setup = killed(&origin);
    let is_root = fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m)).unwrap() == 0;
    let own = setup.file("boma");
    fs::copy(env!("CARGO_BIN_EXE_boma"), &own).unwrap();
    // Readable to all, writable to none: the state's own mode is 0700 for its keys, which would hide them too.
    let open = Command::new("chmod").args(["-R", "a=rX"]).arg(&setup.folder.0).status().unwrap();
    assert!(open.success());
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    let log = crate::harness::Folder::new();
    fs::set_permissions(&log.0, fs::Permissions::from_mode(0o777)).unwrap();
    let text = fs::read_to_string(setup.file("boma.toml")).unwrap();
    let text = text.replace("\"access.log\"", &format!("{:?}", log.0.join("access.log")));
    if !is_root {
        fs::set_permissions(&setup.folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::remove_file(setup.file("boma.toml")).unwrap();
    setup.folder.write("boma.toml", &text);
    fs::set_permissions(&setup.folder.0, fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = command(&setup);
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut as_nobody = Command::new(&own);
    as_nobody
        .args(arguments)
        .env("BOMA_ADMIN_TOKEN", crate::harness::TOKEN)
        .env_remove("STATE_DIRECTORY")
        .env("NO_COLOR", "1");
    as_nobody.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    if is_root {
        as_nobody.uid(65_534).gid(65_534);
    }
    std::mem::swap(&mut command, &mut as_nobody);
    origin.kill();
    let boma = Boma::spawn(setup, command).unwrap_or_else(|(status, log)| panic!("{status}: {log}"));
    let page = navigate(boma.at(), "/");
    assert!(
        page.status == 200 && page.text().contains("boma-banner"),
        "what the store holds is served: {}",
        boma.log()
    );
    assert!(boma.status()["troubles"].to_string().contains("cannot be written"), "{}", boma.status());
    assert_eq!(boma.status()["store_keeps"], false);
    assert!(boma.metric("boma_troubles") >= 1.0);
    let open = Command::new("chmod").args(["-R", "u+w"]).arg(&boma.setup.folder.0).status().unwrap();
    assert!(open.success());
}
