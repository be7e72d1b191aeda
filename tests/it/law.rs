//! Rules changed while traffic runs.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::harness::{Boma, Origin, Setup, eventually, get, load, request};

/// Rules that deny `/probe-N` for one N, so that a version in force shows itself in an answer.
fn version(n: u32) -> String {
    let wide = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000000/s\"\n";
    format!(
        "{wide}[[rule]]\nname = \"version-{n}\"\nmatch = {{ path = \"/probe-{n}\" }}\nthen = \"deny\"\n{}",
        "# filling\n".repeat(50)
    )
}

#[test]
fn twenty_rewrites_under_load_lose_no_request_and_broken_ones_are_refused() {
    let origin = Origin::start();
    let boma = Setup::new().rules(&version(0)).start(origin.address);
    let path = boma.setup.file("rules.toml");
    let quick = load(boma.at(), 3, &["/a", "/b?x=1"], "");
    let slow = load(boma.at(), 2, &["/slow"], "");
    let mut good = 0;
    for n in 1..=20 {
        let broken = n % 4 == 0;
        let text = if broken { version(n).replace("then = \"deny\"", "then = \"denny\"") } else { version(n) };
        let generation = boma.metric("boma_rules_generation");
        let rejected = boma.metric("boma_rules_rejected_total");
        let mut apart = Duration::ZERO;
        if n % 3 == 0 {
            // In place and in two halves, as a careless editor writes; the first half is valid TOML by itself.
            let mut file = fs::File::create(&path).unwrap();
            let half = text.find("[[rule]]").unwrap();
            file.write_all(&text.as_bytes()[..half]).unwrap();
            file.sync_all().unwrap();
            let begun = Instant::now();
            std::thread::sleep(Duration::from_millis(60));
            file.write_all(&text.as_bytes()[half..]).unwrap();
            apart = begun.elapsed();
        } else {
            let new = path.with_extension("new");
            fs::write(&new, &text).unwrap();
            fs::rename(&new, &path).unwrap();
        }
        if broken {
            eventually("the broken version is refused", || {
                (boma.metric("boma_rules_rejected_total") > rejected).then_some(())
            });
            let status = boma.status();
            let fault = &status["files_not_in_force"][0]["faults"][0];
            assert_eq!(fault["line"], 8, "{status}");
            assert!(fault["help"].as_str().unwrap().contains("did you mean"), "{status}");
            assert_eq!(boma.metric("boma_rules_generation"), generation, "the old rules stay");
            assert_eq!(boma.metric("boma_config_last_reload_successful"), 0.0);
            assert_eq!(get(boma.at(), &format!("/probe-{}", n - 1)).status, 403, "and answer");
        } else {
            good += 1;
            eventually("the good version answers", || {
                (get(boma.at(), &format!("/probe-{n}")).status == 403).then_some(())
            });
            // On a machine too busy to write both halves in time the first is a version of its own.
            if apart < boma::bounds::WATCH_SETTLE {
                assert_eq!(boma.metric("boma_rules_generation"), generation + 1.0, "no half of it was ever in force");
            }
            assert_eq!(boma.status()["files_not_in_force"].as_array().unwrap().len(), 0);
        }
    }
    assert_eq!(good, 15);
    let mut answers = quick.stop();
    answers.extend(slow.stop());
    assert!(answers.len() > 500, "{} requests", answers.len());
    for answer in &answers {
        assert_eq!(answer.as_ref().expect("no request fails").status, 200);
    }
    assert!(boma.log().contains("rules.toml:8:8: `rule.then` is \"denny\""), "{}", boma.log());
}

#[test]
fn a_reload_refills_no_bucket() {
    let limit = |more: &str| {
        format!(
            "[[limit]]\nname = \"slow\"\nper = \"client\"\nrate = \"1/h\"\nburst = 3\nthen = \"deny\"\nmatch = {{ path = \"/s\" }}\n{more}"
        )
    };
    let origin = Origin::start();
    let boma = Setup::new().rules(&limit("")).start(origin.address);
    let statuses: Vec<u16> = (0..4).map(|_| get(boma.at(), "/s").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    boma.setup
        .folder
        .write("rules.toml", &limit("[[rule]]\nname = \"x\"\nmatch = { path = \"/probe\" }\nthen = \"deny\"\n"));
    eventually("the new rules answer", || (get(boma.at(), "/probe").status == 403).then_some(()));
    assert_eq!(get(boma.at(), "/s").status, 429);
}

#[test]
fn verdicts_are_answered_by_severity() {
    let rule = |name: &str, path: &str, then: &str| {
        format!("[[rule]]\nname = \"{name}\"\nmatch = {{ path = \"{path}\" }}\nthen = \"{then}\"\n")
    };
    let rules = rule("log", "/*", "log")
        + &rule("static", "/s*", "static")
        + &rule("deny", "/sd*", "deny")
        + &rule("drop", "/sdx*", "drop")
        + "[[list]]\nname = \"me\"\ncidrs = [\"127.0.0.0/8\"]\n[[rule]]\nname = \"allow\"\nmatch = { path = \"*-allowed\", list = \"me\" }\nthen = \"allow\"\n";
    let origin = Origin::start();
    let boma = Setup::new().rules(&rules).start(origin.address);
    assert_eq!(get(boma.at(), "/").status, 200);
    assert_eq!(get(boma.at(), "/s").status, 503);
    assert_eq!(get(boma.at(), "/sd").status, 403);
    assert_eq!(get(boma.at(), "/sd-allowed").status, 200, "allow beats deny");
    let dropped = |path: &str| crate::harness::Client::connect(boma.at()).unwrap().ask("GET", path, "", "").is_err();
    assert!(dropped("/sdx"), "no answer");
    assert!(dropped("/sdx-allowed"), "drop beats allow");
    let denied = request(boma.at(), "GET", "/sd", "Accept: text/html\r\n", "");
    assert!(denied.text().contains("Reference:") && !denied.text().contains("deny"), "a code, and no rule's name");
}

#[test]
fn a_lists_file_is_reloaded_by_itself_and_a_broken_one_changes_nothing() {
    let origin = Origin::start();
    let setup = Setup::new()
        .settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n")
        .rules("[[list]]\nname = \"bad\"\nfile = \"bad.txt\"\n[[rule]]\nname = \"no\"\nmatch = { list = \"bad\" }\nthen = \"deny\"\n");
    let many = (0..20_000).map(|i| format!("10.{}.{}.{}\n", i >> 16, i >> 8 & 255, i & 255)).collect::<String>();
    setup.folder.write("bad.txt", &(many.clone() + "192.0.2.0/24 # the first\n"));
    let boma = setup.start(origin.address);
    let from = |address: &str| request(boma.at(), "GET", "/", &format!("X-Forwarded-For: {address}\r\n"), "").status;
    assert_eq!((from("192.0.2.9"), from("10.0.1.2"), from("198.51.100.7")), (403, 403, 200));
    boma.setup.folder.write("bad.txt", &(many + "198.51.100.0/24\n"));
    eventually("the new list is in force", || (from("198.51.100.7") == 403).then_some(()));
    assert_eq!(from("192.0.2.9"), 200);
    boma.setup.folder.write("bad.txt", "192.0.2.0/24\nnonsense\n");
    eventually("the fault is said", || {
        boma.status()["files_not_in_force"].to_string().contains("this line is no network").then_some(())
    });
    assert_eq!((from("198.51.100.7"), from("192.0.2.9")), (403, 200), "the old list holds");
    // A start with the broken list takes the last good one, and says so.
    let boma = Boma::start(boma.kill(), &[]);
    let from = |address: &str| request(boma.at(), "GET", "/", &format!("X-Forwarded-For: {address}\r\n"), "").status;
    assert_eq!((from("198.51.100.7"), from("192.0.2.9")), (403, 200));
    assert!(boma.status()["troubles"].to_string().contains("bad.txt"), "{}", boma.status());
}

#[test]
fn a_rules_file_that_is_gone_is_told_and_what_was_in_force_stays() {
    let origin = Origin::start();
    let rules = "[[rule]]\nname = \"no\"\nmatch = { path = \"/no\" }\nthen = \"deny\"\n";
    let boma = Setup::new().rules(rules).start(origin.address);
    let path = boma.setup.file("rules.toml");
    fs::remove_file(&path).unwrap();
    eventually("it is told", || {
        boma.status()["files_not_in_force"].to_string().contains("cannot be read").then_some(())
    });
    assert_eq!((get(boma.at(), "/no").status, boma.metric("boma_config_last_reload_successful")), (403, 0.0));
    fs::write(&path, rules).unwrap();
    eventually("and taken back", || (boma.status()["files_not_in_force"] == serde_json::json!([])).then_some(()));
    assert_eq!(boma.metric("boma_config_last_reload_successful"), 1.0);
    // A link, as a ConfigMap has it, is not replaced by a file.
    fs::rename(&path, boma.setup.file("data.toml")).unwrap();
    std::os::unix::fs::symlink("data.toml", &path).unwrap();
    let refused = boma.staff("PUT", "/api/v1/rules", "If-Match: *\r\n", "");
    assert!(refused.status == 409 && refused.text().contains("symbolic link"), "{}", refused.text());
    assert!(path.is_symlink());
}

/// Whoever watches the files sees each version a moment after staff put it in force, and must not put it back in force
/// after the next.
#[test]
fn changes_by_staff_in_a_row_are_not_undone_by_what_the_file_held_before() {
    let origin = Origin::start();
    let many = |n: u32| {
        let rule = |i| format!("[[rule]]\nname = \"r{i}\"\nmatch = {{ path = \"/{i}\" }}\nthen = \"log\"\n");
        (0..2000).map(rule).chain([version(n)]).collect::<String>()
    };
    let boma = Setup::new().rules(&many(0)).start(origin.address);
    let mut generation = boma.metric("boma_rules_generation");
    for n in 1..=24 {
        // Now and then when the file has just stayed the same for long enough to be believed.
        std::thread::sleep(Duration::from_millis(u64::from(n % 6) * 20));
        let put = boma.staff("PUT", "/api/v1/rules", "If-Match: *\r\n", &many(n));
        assert_eq!(put.status, 200, "{}", put.text());
        generation += 1.0;
        assert_eq!(put.json()["generation"].as_f64(), Some(generation), "change {n} and no other");
        assert_eq!(get(boma.at(), &format!("/probe-{n}")).status, 403);
    }
}
