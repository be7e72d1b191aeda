//! A full disk: service goes on, boma says so, and once there is room everything is kept.

use crate::harness::{Boma, Disk, Origin, Setup, eventually, navigate, within_ceiling};

const PORTAL: &str = "connect_timeout = \"500ms\"\nsnapshot = { start = [\"/\"], every = \"1s\", depth = 0 }\n\
[[portal.service]]\nname = { en = \"Pay\" }\npaths = [\"/pay\"]\nphone = \"+254 20 000 0000\"\n";
const WARNS: &str = "restart before that forgets it";

fn house(origin: &Origin) -> Setup {
    let setup = Setup::new().portal(PORTAL);
    setup.write(&origin.address.to_string());
    setup
}

fn says_so(boma: &Boma) -> bool {
    let status = boma.status();
    status["troubles"].to_string().contains("cannot be written") && status["store_keeps"] == false
}

/// A page that no packing makes small.
fn large(title: &str, seed: u64) -> String {
    let mut n = seed;
    let mut noise = String::new();
    while noise.len() < 400_000 {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.push_str(&format!("{n:016x}"));
    }
    format!("<html><body><h1>{title}</h1><p>{noise}</body></html>")
}

fn whole_again(boma: &Boma) {
    let mut last = boma.status();
    let whole = || {
        last = boma.status();
        let over = last["store_keeps"] == true && !last["troubles"].to_string().contains("cannot be");
        over.then_some(())
    };
    if within_ceiling(whole).is_none() {
        panic!(
            "everything is kept, and the trouble is over: {}\n{}\n{}",
            last,
            boma.setup.listing("state"),
            boma.log()
        );
    }
}

fn is_done(boma: &Boma, arguments: &[&str]) -> String {
    let (code, said) = boma.command(arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

/// Everything that is written in the hour of need.
fn many_changes(boma: &Boma) -> Vec<String> {
    let all: [&[&str]; 7] = [
        &["incident", "open", "--title", "en=Down", "--text", "en=We work on it", "--next", "30m"],
        &["service", "set", "Pay", "--phone", "+254 20 999 9999"],
        &[
            "measure",
            "add",
            "slow",
            "--match",
            "path = \"/slow*\"",
            "--then",
            "challenge",
            "--for",
            "2h",
            "--reason",
            "INC-1",
            "--owner",
            "soc",
        ],
        &["ban", "add", "192.0.2.0/24", "--for", "1h", "--reason", "INC-1"],
        &["ban", "remove", "198.51.100.0/24"],
        &["posture", "guarded", "--for", "2h", "--reason", "INC-1"],
        &["cache", "purge", "--all"],
    ];
    all.iter().map(|arguments| is_done(boma, arguments)).collect()
}

fn all_is_there(boma: &Boma) {
    let get = |path: &str| boma.staff("GET", path, "", "").text();
    assert!(get("/api/v1/incidents").contains("We work on it"), "{}", get("/api/v1/incidents"));
    assert!(get("/api/v1/services").contains("+254 20 999 9999"), "{}", get("/api/v1/services"));
    assert!(get("/api/v1/measures").contains("\"slow\""), "{}", get("/api/v1/measures"));
    let bans = get("/api/v1/bans");
    assert!(bans.contains("192.0.2.0/24") && !bans.contains("198.51.100.0/24"), "what was taken out stays out: {bans}");
    assert_eq!(boma.status()["postures"][0]["posture"], "guarded");
    let journal = std::fs::read_to_string(boma.setup.file("state/journal.jsonl")).unwrap();
    for what in ["incident opened", "words of huduma", "measure slow", "ban of 192.0.2.0/24 for", "posture guarded"] {
        assert!(journal.contains(what), "{what} is in the journal: {journal}");
    }
    assert!(boma::journal::verify(&boma.setup.file("state/journal.jsonl")).is_ok());
}

#[test]
fn what_changes_while_the_disk_is_full_is_kept_once_there_is_room() {
    let (one, other) = (Origin::start(), Origin::start());
    let setups = [house(&one), house(&other)];
    let ways = Disk::ways([&setups[0], &setups[1]]);
    for ((origin, setup), disk) in [one, other].into_iter().zip(setups).zip(ways) {
        origin.page("/", 200, "Content-Type: text/html\r\n", &large("Karibu", 1));
        let command = disk.command(&setup, false);
        let boma = Boma::spawn(setup, command).unwrap_or_else(|(status, log)| panic!("{status}: {log}"));
        boma.wait_for_snapshots(1);
        is_done(&boma, &["ban", "add", "198.51.100.0/24", "--for", "1h", "--reason", "before"]);
        disk.fill(Some(&boma));
        for seed in 2.. {
            origin.page("/", 200, "Content-Type: text/html\r\n", &large("Karibu tena", seed));
            std::thread::sleep(std::time::Duration::from_millis(200));
            disk.fill(Some(&boma));
            if says_so(&boma) {
                break;
            }
            assert!(seed < 300, "it never gets full: {}", boma.status());
        }
        assert!(boma.metric("boma_troubles") >= 1.0 && boma.log().contains("cannot be written"), "{}", boma.log());
        for said in many_changes(&boma) {
            assert!(said.contains(WARNS), "{said}");
        }
        let answer = boma.staff("POST", "/api/v1/bans", "", "{\"net\":\"192.0.2.9\",\"for\":\"1h\",\"reason\":\"x\"}");
        assert!(answer.json()["warnings"].to_string().contains(WARNS), "{}", answer.text());
        assert_eq!(navigate(boma.at(), "/").status, 200, "service goes on");
        disk.free(&boma);
        whole_again(&boma);
        let said = is_done(&boma, &["ban", "remove", "192.0.2.9"]);
        assert!(!said.contains(WARNS), "{said}");
        let setup = boma.kill();
        origin.kill();
        let boma = Boma::start(setup, &[]);
        all_is_there(&boma);
        boma.posture("static");
        let page = navigate(boma.at(), "/");
        assert!(page.status == 200 && page.text().contains("<h1>Karibu tena</h1>"), "the last copy: {}", page.status);
        drop(disk);
        drop(boma);
    }
}

#[test]
fn a_disk_that_is_full_at_the_start_is_used_once_there_is_room() {
    let (one, other) = (Origin::start(), Origin::start());
    let setups = [house(&one), house(&other)];
    let ways = Disk::ways([&setups[0], &setups[1]]);
    for ((origin, setup), disk) in [one, other].into_iter().zip(setups).zip(ways) {
        let command = disk.command(&setup, true);
        let boma = Boma::spawn(setup, command).unwrap_or_else(|(status, log)| panic!("{status}: {log}"));
        assert!(says_so(&boma), "{}", boma.status());
        for said in many_changes_but_one(&boma) {
            assert!(said.contains(WARNS), "{said}");
        }
        eventually("a copy is taken", || (boma.metric("boma_snapshots") >= 1.0).then_some(()));
        assert_eq!(navigate(boma.at(), "/").status, 200, "service goes on");
        disk.free(&boma);
        whole_again(&boma);
        let setup = boma.kill();
        origin.kill();
        let boma = Boma::start(setup, &[]);
        all_is_there(&boma);
        boma.posture("static");
        let page = navigate(boma.at(), "/");
        assert!(page.status == 200 && page.text().contains("Karibu"), "its key was kept as well: {}", page.text());
        let state = std::fs::read_dir(boma.setup.file("state")).unwrap();
        let names: Vec<String> = state.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert!(!names.iter().any(|n| n.contains("damaged")), "{names:?}");
        assert!(names.iter().any(|n| n == "last-good"), "{names:?}");
        assert!(boma.setup.file("state/last-good/boma.toml").exists());
        drop(disk);
        drop(boma);
    }
}

/// The same where there was no ban before.
fn many_changes_but_one(boma: &Boma) -> Vec<String> {
    is_done(boma, &["ban", "add", "198.51.100.0/24", "--for", "1h", "--reason", "before"]);
    many_changes(boma)
}

/// A disk that is mounted when boma runs already holds what nobody told it: that is not written over.
#[test]
fn a_state_directory_that_comes_late_is_taken_up() {
    let origin = Origin::start();
    let before = house(&origin).start(origin.address);
    is_done(&before, &["ban", "add", "203.0.113.0/24", "--for", "2h", "--reason", "before"]);
    is_done(&before, &["ban", "add", "192.0.2.0/24", "--for", "1d", "--reason", "before"]);
    is_done(&before, &["incident", "open", "--title", "en=Older", "--text", "en=Of before", "--next", "30m"]);
    let measure = |boma: &Boma, name: &str, path: &str| {
        let matches = format!("path = \"{path}\"");
        let more = ["--match", &matches, "--then", "challenge", "--for", "2h", "--reason", "INC-1", "--owner", "soc"];
        is_done(boma, &[&["measure", "add", name][..], &more].concat());
    };
    measure(&before, "older", "/old*");
    measure(&before, "both", "/before*");
    let kept = before.kill();
    let disk = kept.file("elsewhere");
    std::fs::rename(kept.file("state"), &disk).unwrap();
    // The place at which it is to be mounted is none yet.
    std::fs::write(kept.file("state"), "").unwrap();
    let boma = Boma::start(kept, &[]);
    assert!(says_so(&boma), "{}", boma.status());
    many_changes_but_one(&boma);
    measure(&boma, "both", "/since*");
    std::fs::remove_file(boma.setup.file("state")).unwrap();
    std::fs::rename(&disk, boma.setup.file("state")).unwrap();
    eventually("it is found, and everything is kept", || {
        let status = boma.status();
        let found = status["troubles"].to_string().contains("came after the start");
        (found && status["store_keeps"] == true && !says_so(&boma)).then_some(())
    });
    is_done(&boma, &["ban", "add", "198.51.100.9", "--for", "1h", "--reason", "since"]);
    let all = |boma: &Boma| {
        all_is_there(boma);
        let get = |path: &str| boma.staff("GET", path, "", "").text();
        let (bans, measures, incidents) = (get("/api/v1/bans"), get("/api/v1/measures"), get("/api/v1/incidents"));
        assert!(bans.contains("203.0.113.0/24"), "{bans}");
        assert!(
            measures.contains("\"older\"") && measures.contains("/since*") && !measures.contains("/before*"),
            "{measures}"
        );
        assert!(incidents.contains("Of before") && incidents.contains("We work on it"), "{incidents}");
    };
    all(&boma);
    let boma = Boma::start(boma.kill(), &[]);
    all(&boma);
    let ban = boma.staff("GET", "/api/v1/bans", "", "").json();
    let of = ban["bans"].as_array().unwrap().iter().find(|b| b["net"] == "192.0.2.0/24").unwrap().clone();
    assert_eq!(of["reason"], "before", "the longer one holds: {of}");
}
