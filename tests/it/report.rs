//! What is told after the end: how citizens were served by day, the draft of the report, what was learned; and whom to tell.

use std::process::Command;

use serde_json::{Value, json};

use crate::challenge::solve;
use crate::harness::{Boma, Client, Origin, Setup, eventually, get, navigate, request};

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn stamp(unix: u64) -> String {
    let done = Command::new("date").args(["-u", "-d", &format!("@{unix}"), "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn done(boma: &Boma, arguments: &[&str]) -> String {
    let (code, said) = boma.command(arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

/// A setup whose state holds the totals of two hours of which everything is known, and when they began: an hour of quiet, ten
/// minutes of attack, ten that are guarded.
fn two_known_hours(setup: Setup) -> (Setup, u64) {
    let base = now() / 60 * 60 - 7200;
    let quiet = json!({ "information": { "full": [100, 40, 90] } });
    let flood = json!({
        "information": { "full": [50, 50, 50], "challenged": [6000, 0, 0] },
        "payment": { "statement": [20, 20, 20], "full": [30, 30, 30] },
    });
    let after = json!({ "payment": { "full": [10, 10, 10] } });
    std::fs::create_dir_all(setup.file("state/totals")).unwrap();
    for n in 0..80 {
        let (posture, counts) = match n {
            0..60 => ("normal", &quiet),
            60..70 => ("attack", &flood),
            _ => ("guarded", &after),
        };
        let at = base + n * 60;
        let line = json!({ "at": at, "portal": "huduma", "posture": posture, "counts": counts });
        let day = stamp(at)[..10].to_owned();
        let path = setup.file(&format!("state/totals/{day}.jsonl"));
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, format!("{before}{line}\n")).unwrap();
    }
    (setup, base)
}

#[test]
fn each_figure_of_a_report_is_what_the_totals_hold() {
    let origin = Origin::start();
    let (setup, base) = two_known_hours(Setup::new());
    let boma = setup.start(origin.address);
    let report: Value =
        serde_json::from_str(&done(&boma, &["report", "--from", &stamp(base), "--to", "10m", "--format", "json"]))
            .unwrap();
    let traffic = &report["traffic"];
    assert_eq!((&traffic["minutes"], &traffic["requests"]), (&80.into(), &(6000 + 61_000 + 100).into()));
    assert_eq!(traffic["sent_away"], 60_000);
    assert_eq!(traffic["peak"], json!({ "at": stamp(base + 3600), "requests": 6100, "sent_away": 6000 }));
    let outcomes = traffic["outcomes"].as_array().unwrap().iter();
    let told: Vec<Value> = outcomes.map(|b| json!([b["outcome"], b["requests"], b["with_pass"]])).collect();
    assert_eq!(json!(told), json!([["full", 6900, 3300], ["challenged", 60_000, 0], ["statement", 200, 200]]));
    let citizens = &report["citizens"];
    let four = ["full", "copies", "delayed", "refused"].map(|key| citizens[key].as_u64().unwrap());
    assert_eq!(four, [5400 + 500 + 300 + 100, 0, 0, 200]);
    let fared = |full: u64, refused: u64| {
        json!({
            "full": full, "copies": 0, "delayed": 0, "refused": refused, "cached": 0, "passed_check": 0, "come_again": 0,
        })
    };
    assert_eq!(citizens["classes"][1], json!(["payment", fared(400, 200)]));
    assert_eq!((&citizens["minutes_risen"], &citizens["minutes_hurt"]), (&20.into(), &10.into()));
    let mut worst = fared(80, 20);
    worst["at"] = stamp(base + 3600).into();
    assert_eq!(citizens["worst"], worst, "of equals the first");
    let rush = json!({
        "from": stamp(base + 3600), "to": stamp(base + 4200), "minutes": 10, "requests": 61_000, "full": 800, "above": 300, "usual": 100,
        "usual_of": 50, "over": true,
    });
    assert_eq!(traffic["rush"], rush);
    assert_eq!([&traffic["began"], &traffic["ended"]], [&stamp(base), &stamp(base + 4800)]);
    let summary = report["summary"].as_str().unwrap();
    for said in ["Far more than usual came in 10 minutes, from ", " of them in its busiest minute, that from "] {
        assert!(summary.contains(said), "{said} in {summary}");
    }
    let moments = &report["moments"];
    for (key, expected) in [("onset", 3600), ("detected", 3600), ("contained", 4200), ("recovered", 4800)] {
        assert_eq!(moments[key], stamp(base + expected), "{key}");
    }
    assert_eq!(moments["first_statement"], Value::Null);
    let level = |at: usize| report["postures"][at]["level"].as_str().unwrap().to_owned();
    assert_eq!((level(0), level(1)), ("attack".into(), "guarded".into()));
    assert_eq!(report["notices"][0]["due"], stamp(base + 3600 + 86_400));
    assert_eq!(report["seen"], Value::Null, "nothing is made up");
    // The same two hours as citizens read them, a moment after the start, and after another one.
    let days = |boma: &Boma| {
        let summary = get(boma.at(), "/.well-known/boma/status.json").json();
        let days = summary["uptime"]["days"].as_array().unwrap().clone();
        ["full", "copies", "delayed", "refused"].map(|key| days.iter().map(|d| d[key].as_u64().unwrap()).sum::<u64>())
    };
    eventually("the days are told", || (days(&boma) == four).then_some(()));
    let mut boma = boma;
    boma.signal("TERM");
    assert!(boma.wait().success());
    let boma = Boma::start(boma.kill(), &[]);
    eventually("and none is counted twice", || (days(&boma) == four).then_some(()));
    let page = navigate(boma.at(), "/.well-known/boma/status?lang=en").text();
    assert!(page.contains("How people were served") && page.contains("96.9\u{a0}% of people"), "{page}");
    for (arguments, code, hint) in [
        (&["report"][..], 2, "--from"),
        (&["report", "--from", "yesterday"], 1, "2026-12-01T22:00"),
        (&["report", "--incident", "9"], 1, "there is no incident 9"),
        (&["report", "--from", "2h", "--portal", "none"], 1, "there is no portal"),
        (&["report", "--from", "90d"], 1, "longer than 14d"),
        (&["report", "--from", "1h", "--to", "2h"], 1, "ends before it begins"),
        (&["report", "--from", "1h", "--tlp", "white"], 2, "clear"),
    ] {
        let (got, said) = boma.command(arguments);
        assert!(got == code && said.contains(hint), "{arguments:?}: {got} {said}");
    }
}

#[test]
fn a_report_of_an_incident_says_who_came_who_did_what_and_what_it_rests_on() {
    let origin = Origin::start();
    let mut boma = Setup::new()
        .portal("timezone = \"Africa/Nairobi\"\n")
        .rules("[[rule]]\nname = \"no-search\"\nmatch = { path = \"/search*\" }\nthen = \"deny\"\n")
        .start(origin.address);
    boma.posture("guarded");
    done(&boma, &["incident", "open", "--template", "flood", "--next", "30m"]);
    done(
        &boma,
        &["measure", "add", "m", "--match", "path = \"/m\"", "--then", "deny", "--reason", "INC-42", "--owner", "soc"],
    );
    // A second is looked at when it is over, and each worker hands on its own.
    let rules = std::fs::read_to_string(boma.setup.file("rules.toml")).unwrap();
    let held = |boma: &Boma, n: u64| {
        eventually("the sample holds them", || {
            (boma.staff("POST", "/api/v1/rules/preview", "", &rules).json()["requests"] == n).then_some(())
        });
    };
    assert_eq!(get(boma.at(), "/once").status, 200);
    held(&boma, 1);
    for n in 0..60 {
        let mut client = Client::connect_from(&format!("127.0.9.{}", n % 6 + 1), boma.at()).unwrap();
        let agent = "User-Agent: Flood | <b>1</b>\r\nCookie: secret=value\r\n";
        assert_eq!(
            client.ask("GET", "/search/now?q=secret", &format!("Host: huduma.example\r\n{agent}"), "").unwrap().status,
            403
        );
    }
    held(&boma, 61);
    done(&boma, &["incident", "update", "--state", "identified", "--text", "en=We know the cause."]);
    done(&boma, &["measure", "remove", "m"]);
    done(&boma, &["posture", "auto"]);
    done(&boma, &["incident", "resolve"]);
    // What the last minute was made of is kept at the end of the process too.
    boma.signal("TERM");
    assert!(boma.wait().success());
    let boma = Boma::start(boma.kill(), &[]);
    let folder = boma.setup.file("after");
    let out = folder.to_str().unwrap();
    let said = done(&boma, &["report", "--incident", "1", "--tlp", "amber+strict", "--out", out]);
    assert_eq!(said.lines().count(), 6, "{said}");
    let checked = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&folder).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let of_span: Value = serde_json::from_str(&done(&boma, &["report", "--from", "1h", "--format", "json"])).unwrap();
    assert_ne!(of_span["moments"]["closed"], Value::Null, "the span's incident was resolved in it");
    let (code, again) = boma.command(&["report", "--incident", "1", "--out", out]);
    assert!(code == 2 && again.contains("is there already"), "{again}");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let report: Value = serde_json::from_str(&read("report.json")).unwrap();
    assert_eq!(report["tlp"], "TLP:AMBER+STRICT");
    assert_eq!(
        (&report["incident"]["title"], &report["incident"]["state"]),
        (&"Huduma is slow".into(), &"resolved".into())
    );
    assert_eq!(report["moments"]["detected_by"], "staff administrator (admin)");
    assert_eq!(report["moments"]["first_statement"], report["incident"]["opened"]);
    let span = [&report["from"], &report["to"]].map(|t| t.as_str().unwrap().to_owned());
    let unix = |text: &str| -> u64 {
        let done = Command::new("date").args(["-u", "-d", text, "+%s"]).output().unwrap();
        String::from_utf8(done.stdout).unwrap().trim().parse().unwrap()
    };
    let totals =
        boma.staff("GET", &format!("/api/v1/totals?from={}&to={}", unix(&span[0]), unix(&span[1])), "", "").json();
    let mut sum = 0;
    for minute in totals["minutes"].as_array().unwrap() {
        for outcomes in minute["counts"].as_object().unwrap().values() {
            sum += outcomes.as_object().unwrap().values().map(|n| n[0].as_u64().unwrap()).sum::<u64>();
        }
    }
    assert_eq!(
        (report["traffic"]["requests"].as_u64(), report["traffic"]["sent_away"].as_u64()),
        (Some(sum - report["traffic"]["own"].as_u64().unwrap()), Some(60)),
        "{totals}"
    );
    let seen = &report["seen"];
    let network = &seen["indicators"][0];
    assert_eq!(
        (&network["net"], &network["requests"], &network["sent_away"], &network["with_pass"]),
        (&"127.0.9.0/24".into(), &60.into(), &60.into(), &0.into()),
        "{seen}"
    );
    assert_eq!((&seen["paths"], &seen["made_up"]), (&json!([["/search/now", 60]]), &json!(0)), "{seen}");
    let decided = json!([{ "name": "no-search", "decided": 60, "sent_away": 60, "with_pass": 0, "citizens": 0 }]);
    assert_eq!(report["rules"], decided, "as counted");
    assert_eq!(report["remarks"], json!([]));
    let measure = &report["measures"][0];
    assert!(
        measure["name"] == "measure m" && measure["reason"] == "INC-42" && measure["until"].is_string(),
        "{measure}"
    );
    assert_eq!(measure["how_ended"], "taken out by staff administrator (admin)");
    let text = read("report.md");
    for part in [
        "No request is known to have been a citizen's.",
        "The public was told first at 20",
        " EAT",
        "We know the cause.",
        "measure m laid for: INC-42, until 20",
        "Flood \\| \\<b\\>1\\</b\\>",
        "lines, all as they were written.",
        "> _To fill in:_ by what way it came, its root cause",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let journal = std::fs::read(boma.setup.file("state/journal.jsonl")).unwrap();
    let hash = Command::new("sha256sum").arg(boma.setup.file("state/journal.jsonl")).output().unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap()[..64].to_owned();
    let evidence = report["evidence"].as_array().unwrap();
    assert!(evidence.iter().any(|e| e["sha256"] == hash && e["bytes"] == journal.len()), "{evidence:?}");
    for name in ["report.md", "report.html", "report.json", "indicators.csv", "indicators.stix.json"] {
        assert!(!read(name).contains("secret"), "{name} holds no query and no cookie");
    }
    assert!(read("report.html").contains("<div class=\"tlp\">TLP:AMBER+STRICT</div>"));
    assert!(read("indicators.csv").contains("network,127.0.9.0/24,"));
    let stix: Value = serde_json::from_str(&read("indicators.stix.json")).unwrap();
    assert_eq!(stix["objects"][2]["pattern"], "[ipv4-addr:value ISSUBSET '127.0.9.0/24']");
    assert_eq!(
        done(&boma, &["report", "--from", "1h", "--indicators", "csv"]).lines().next().unwrap().split(',').count(),
        11
    );
}

/// Made-up addresses from a network that a citizen shares, and an end that staff told too early.
#[test]
fn a_report_keeps_to_what_is_known_and_says_what_does_not_fit() {
    let rules = "[[rule]]\nname = \"made-up\"\nmatch = { path = \"/made/*\", known_path = false }\nthen = \"deny\"\n\
        [[limit]]\nname = \"few\"\nper = \"client\"\nrate = \"1/h\"\nburst = 2\nmatch = { path = \"/few\" }\nthen = \"deny\"\n";
    let origin = Origin::start();
    let mut boma = Setup::new().portal("timezone = \"Africa/Nairobi\"\n").rules(rules).start(origin.address);
    let ask = |boma: &Boma, from: u8, path: &str| {
        let mut client = Client::connect_from(&format!("127.0.0.{from}"), boma.at()).unwrap();
        let page =
            "Host: huduma.example\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
        client.ask("GET", path, page, "").unwrap()
    };
    boma.posture("attack");
    let pass = solve(boma.at(), &navigate(boma.at(), "/page"));
    boma.posture("guarded");
    done(&boma, &["incident", "open", "--title", "en=Slow", "--text", "en=We are looking into it.", "--next", "30m"]);
    let with_pass = request(boma.at(), "GET", "/page", &format!("Accept: text/html\r\nCookie: {pass}\r\n"), "");
    assert_eq!(with_pass.status, 200);
    for n in 0..80 {
        assert_eq!(ask(&boma, n % 5 + 2, &format!("/made/{n}a/b{n}")).status, 403);
    }
    let few: Vec<u16> = (0..5).map(|_| ask(&boma, 9, "/few").status).collect();
    assert_eq!(few, [200, 200, 429, 429, 429]);
    assert_eq!(navigate(boma.at(), "/.well-known/boma/status").status, 200);
    let rules = std::fs::read_to_string(boma.setup.file("rules.toml")).unwrap();
    eventually("the sample holds them", || {
        (boma.staff("POST", "/api/v1/rules/preview", "", &rules).json()["requests"] == 87).then_some(())
    });
    done(&boma, &["incident", "resolve", "--text", "en=The flood is over."]);
    boma.signal("TERM");
    assert!(boma.wait().success());
    let boma = Boma::start(boma.kill(), &[]);
    let folder = boma.setup.file("after");
    done(&boma, &["report", "--incident", "1", "--out", folder.to_str().unwrap()]);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let report: Value = serde_json::from_str(&read("report.json")).unwrap();
    let remarks: Vec<&str> = report["remarks"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    let early = "while the posture of Huduma was guarded: it was not back to normal when ";
    assert!(remarks.len() == 1 && remarks[0].contains(early), "{remarks:?}");
    let text = read("report.md");
    assert!(text.contains(remarks[0]) && read("report.html").contains(remarks[0]), "{text}");
    assert!(report["summary"].as_str().unwrap().contains("One thing does not fit together, and stands below."));
    // One figure each: what is counted is counted.
    let row = |name: &str, n: u64| json!({ "name": name, "decided": n, "sent_away": n, "with_pass": 0, "citizens": 0 });
    assert_eq!(report["rules"], json!([row("made-up", 80), row("few", 3)]));
    let limited = report["traffic"]["outcomes"].as_array().unwrap().iter().find(|o| o["outcome"] == "limited");
    assert_eq!(limited.unwrap()["requests"], 3);
    assert_eq!([&report["traffic"]["requests"], &report["traffic"]["own"]], [87, 2]);
    let seen = &report["seen"];
    let made_up = seen["made_up"].as_u64().unwrap();
    assert!((40..=87).contains(&made_up), "an estimate: {seen}");
    assert_eq!(seen["forms"], json!([["/made/*/*", made_up]]), "{seen}");
    let row = format!("| all other paths that the portal is not known to have, such as /made/\\*/\\* | {made_up} |");
    assert!(text.contains(&row), "{row} in {text}");
    // A citizen shares the network: nobody is warned of it.
    assert_eq!(seen["indicators"], json!([]), "{seen}");
    let other = &seen["other_networks"][0];
    assert_eq!(other["net"], "127.0.0.0/24", "{seen}");
    assert!(other["why"].as_str().unwrap().starts_with("requests with a pass came from there too"), "{seen}");
    assert!(text.contains("Indicators: none, so that the lists for others (CSV and STIX) are empty."), "{text}");
    assert_eq!(read("indicators.csv").lines().count(), 1);
    assert!(!read("indicators.stix.json").contains("127.0.0."));
    let clear = done(&boma, &["report", "--incident", "1", "--tlp", "clear"]);
    assert!(!clear.contains("127.0.0.0/24") && clear.contains("TLP:AMBER or stricter"), "{clear}");
    // Where the machine keeps its files, and on which port it listens, is no reader's business.
    let inside = boma.setup.file("state").parent().unwrap().display().to_string();
    for name in ["report.md", "report.html", "report.json", "indicators.csv", "indicators.stix.json"] {
        assert!(!read(name).contains(&inside) && !read(name).contains("127.0.0.1"), "{name}");
    }
    assert!(report["evidence"].as_array().unwrap().iter().any(|e| e["file"] == "journal.jsonl"));
    let statements = report["statements"].as_array().unwrap();
    assert_eq!([&statements[1]["text"], &statements[1]["text_in"]], ["The flood is over.", "en"]);
    assert_eq!(statements[0]["followed"], statements[1]["at"]);
    assert!(text.contains("| sw: shown in en | by "), "{text}");
}

#[test]
fn a_report_says_what_each_measure_was_to_do_and_what_it_did() {
    let origin = Origin::start();
    let mut boma = Setup::new().portal("timezone = \"Africa/Nairobi\"\n").rules("").start(origin.address);
    boma.posture("guarded");
    (0..20).for_each(|_| assert_eq!(get(boma.at(), "/m").status, 200));
    eventually("the sample holds them", || {
        (boma.staff("POST", "/api/v1/rules/preview", "", "").json()["requests"] == 20).then_some(())
    });
    let add = |boma: &Boma, name: &str, more: &[&str]| {
        let matched = format!("path = \"/{name}\"");
        let all = [
            "measure",
            "add",
            name,
            "--match",
            &matched,
            "--then",
            "deny",
            "--reason",
            "INC-42",
            "--owner",
            "night shift",
        ];
        done(boma, &[&all[..], more].concat());
    };
    add(&boma, "m", &[]);
    add(&boma, "n", &["--force"]);
    (0..7).for_each(|_| assert_eq!(get(boma.at(), "/m").status, 403));
    boma.setup
        .folder
        .write("new.toml", "[[rule]]\nname = \"old-app\"\nmatch = { path = \"/v1/*\" }\nthen = \"deny\"\n");
    done(&boma, &["rules", "apply", boma.setup.file("new.toml").to_str().unwrap()]);
    assert_eq!(get(boma.at(), "/other").status, 200);
    done(&boma, &["ban", "add", "192.0.2.0/24", "--for", "1h", "--reason", "INC-43"]);
    done(&boma, &["measure", "remove", "m"]);
    done(
        &boma,
        &["incident", "open", "--title", "en=Slow", "--text", "en=We are looking into it.", "--office", "Press"],
    );
    boma.signal("TERM");
    assert!(boma.wait().success());
    let boma = Boma::start(boma.kill(), &[]);
    let report: Value = serde_json::from_str(&done(&boma, &["report", "--incident", "1", "--format", "json"])).unwrap();
    let measures = report["measures"].as_array().unwrap();
    let names: Vec<&str> = measures.iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["measure m", "measure n", "ban of 192.0.2.0/24"]);
    let m = &measures[0];
    assert_eq!(m["owner"], "night shift");
    assert!(m["rule"].as_str().unwrap().contains("path = \"/m\""), "{m}");
    assert_eq!([&m["forecast"]["requests"], &m["forecast"]["stricter"], &m["forecast"]["clients"]], [20, 20, 1]);
    assert_eq!(m["did"], json!({ "decided": 7, "sent_away": 7, "with_pass": 0, "citizens": 0 }));
    assert_eq!(measures[1]["forecast"], Value::Null, "it was forced");
    assert_eq!(measures[1]["did"]["decided"], 0);
    assert_eq!([&measures[2]["did"], &measures[2]["owner"], &measures[2]["rule"]], [&Value::Null; 3]);
    // The same stands in the totals, minute by minute.
    let totals = boma.staff("GET", "/api/v1/totals", "", "").json();
    let minutes = totals["minutes"].as_array().unwrap().iter();
    assert_eq!(minutes.filter_map(|minute| minute["deeds"]["m"][0].as_u64()).sum::<u64>(), 7, "{totals}");
    let change = &report["changes"][0];
    assert_eq!(
        [&change["who"], &change["lines"][1]],
        [&json!("staff administrator (admin)"), &json!({ "in": "name = \"old-app\"" })],
        "{change}"
    );
    let statement = &report["statements"][0];
    assert_eq!([&statement["languages"], &statement["lacks"]], [&json!(["en"]), &json!(["sw"])], "{statement}");
    assert_eq!(statement["office"], "Press");
    assert!(report["notices"][0]["law"].as_str().unwrap().starts_with("Kenya") && report["notices"][0]["own"] == true);
    let text = done(&boma, &["report", "--incident", "1"]);
    for part in [
        "path = \"/m\" | of 20 requests 20 would have been treated more strictly, of 1 clients or more; 0 of the requests had a pass, those of 0 settled citizens among them | decided 7 requests, of which 7 were sent away; of these 0 with a pass, 0 citizens'",
        "none: it was forced, and nothing was reckoned | decided 0 requests; counted until ",
        "| Press | We are looking into it. (en) | not counted yet | en | sw: shown in en | none was promised |",
        "lines, all as they were written.",
        "## Words",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn what_was_learned_is_told_once_it_is_over_and_not_edited() {
    let origin = Origin::start();
    let address = origin.kill();
    let boma = Setup::new().start(address);
    done(&boma, &["incident", "open", "--template", "flood"]);
    let learned = ["incident", "postmortem", "1", "--text", "en=Too many requests came."];
    let (code, said) = boma.command(&learned);
    assert!(code == 1 && said.contains("it is not over"), "{said}");
    done(&boma, &["incident", "resolve"]);
    let resolved = boma.staff("GET", "/api/v1/incidents/1", "", "").json()["updates"][1]["at"].clone();
    assert!(done(&boma, &learned).contains("incident 1   postmortem   3 updates"));
    done(
        &boma,
        &["incident", "update", "1", "--correct", "3", "--text", &format!("en=Far too many.{}", " More.".repeat(100))],
    );
    let page = navigate(boma.at(), "/.well-known/boma/status?lang=en").text();
    assert!(page.contains("What we learned") && page.contains("Far too many."), "{page}");
    assert!(!navigate(boma.at(), "/x").text().contains("is slow"), "it is over");
    let summary = get(boma.at(), "/.well-known/boma/status.json?lang=en").json();
    assert_eq!(summary["incidents"], json!([]));
    let told = &summary["postmortems"][0];
    assert_eq!(
        (&told["status"], told["resolved_at"].as_str()),
        (&"postmortem".into(), Some(stamp(resolved.as_u64().unwrap()).as_str()))
    );
    assert!(
        told["postmortem_body"].as_str().unwrap().starts_with("Far too many.")
            && told["postmortem_published_at"].is_string()
    );
    let feed = get(boma.at(), "/.well-known/boma/status.atom?lang=en").text();
    assert!(feed.contains("Far too many.") && feed.contains("Before, it said: Too many requests came."), "{feed}");
    let (code, said) = boma.command(&["incident", "update", "1", "--text", "en=x"]);
    assert!(code == 1 && said.contains("to open it again"), "{said}");
    let (code, said) = boma.command(&["incident", "postmortem", "1", "--text", &format!("en={}", "x".repeat(1001))]);
    assert!(code == 1 && said.contains("1 to 1000"), "{said}");
    done(&boma, &["incident", "update", "1", "--state", "monitoring", "--text", "en=Again."]);
    assert_eq!(get(boma.at(), "/.well-known/boma/status.json").json()["postmortems"], json!([]));
}

#[test]
fn whom_to_tell_and_whom_to_ask_is_served_with_the_origin_dead_and_in_every_posture() {
    let origin = Origin::start();
    let at = "/.well-known/security.txt";
    let without = Setup::new().start(origin.address);
    assert_eq!(get(without.at(), at).status, 200);
    assert_eq!(origin.reached_by_citizens().last().unwrap().target, at, "where nothing is said it is the origin's");
    let address = origin.kill();
    let portal = "contact = { phone = \"+254 700 000 000\" }\nsecurity = { contact = [\"mailto:csirt@huduma.example\", \"tel:+254-20-1\"], policy = \"https://huduma.example/p\" }\n";
    let boma = Setup::new().portal(portal).start(address);
    for level in ["normal", "attack", "static", "closed"] {
        boma.posture(level);
        let told = get(boma.at(), at);
        assert_eq!((told.status, told.field("content-type")), (200, Some("text/plain; charset=utf-8")), "{level}");
        let text = told.text();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(&lines[..2], ["Contact: mailto:csirt@huduma.example", "Contact: tel:+254-20-1"], "{text}");
        let expires = lines.iter().filter_map(|l| l.strip_prefix("Expires: ")).collect::<Vec<_>>();
        assert!(expires.len() == 1 && expires[0] > stamp(now() + 20 * 86_400).as_str(), "{text}");
        assert!(expires[0] < stamp(now() + 365 * 86_400).as_str() && expires[0].ends_with("T00:00:00Z"), "{text}");
        assert_eq!(
            &lines[3..],
            [
                "Policy: https://huduma.example/p",
                "Preferred-Languages: en, sw",
                "Canonical: https://huduma.example/.well-known/security.txt",
                ""
            ],
            "{text}"
        );
        for path in ["/x", "/.well-known/boma/status", "/.well-known/boma/nothing"] {
            assert!(navigate(boma.at(), path).text().contains("<a href=\"tel:+254700000000\">"), "{level} {path}");
        }
    }
    let other = request(boma.at(), "POST", at, "", "");
    assert_eq!((other.status, other.field("allow")), (405, Some("GET, HEAD")));
    let setup = Setup::new()
        .portal("contact = {}\nsecurity = { contact = [\"csirt@huduma.example\"], policy = \"http://x\" }\n");
    setup.write("127.0.0.1:1");
    let done = Command::new(env!("CARGO_BIN_EXE_boma"))
        .args(["check", "--config"])
        .arg(setup.file("boma.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    for fault in
        ["`portal.contact` says nothing", "\"csirt@huduma.example\" is no address", "\"http://x\" is no address"]
    {
        assert!(done.status.code() == Some(78) && said.contains(fault), "{fault} in {said}");
    }
}

#[test]
fn a_flood_that_is_sent_away_does_not_make_the_portal_look_as_if_it_refused_people() {
    let origin = Origin::start();
    let rules = "[[rule]]\nname = \"no\"\nmatch = { path = \"/no\" }\nthen = \"deny\"\n";
    let mut boma = Setup::new().rules(rules).start(origin.address);
    (0..5).for_each(|_| assert_eq!(navigate(boma.at(), "/page").status, 200));
    (0..20).for_each(|_| assert_eq!(navigate(boma.at(), "/no").status, 403));
    // Parts of pages, robots that say so and boma's own paths are nobody's requests.
    let part = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\nSec-Fetch-Site: same-origin\r\n";
    assert_eq!(request(boma.at(), "GET", "/a.png", part, "").status, 200);
    assert_eq!(get(boma.at(), "/.well-known/boma/status").status, 200);
    boma.posture("attack");
    (0..20).for_each(|_| assert_eq!(navigate(boma.at(), "/page").status, 503));
    done(&boma, &["posture", "auto"]);
    origin.kill();
    assert_eq!(navigate(boma.at(), "/page").status, 503);
    boma.signal("TERM");
    assert!(boma.wait().success());
    let boma = Boma::start(boma.kill(), &[]);
    let days = eventually("the day is told", || {
        let summary = get(boma.at(), "/.well-known/boma/status.json").json();
        summary["uptime"]["days"].as_array().filter(|days| !days.is_empty()).cloned()
    });
    let sum = |key: &str| days.iter().map(|d| d[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(["full", "copies", "delayed", "refused"].map(sum), [5, 0, 0, 1], "{days:?}");
    assert!(days.iter().all(|d| d["date"].as_str().unwrap().len() == 10 && d["whole"].is_boolean()));
}
