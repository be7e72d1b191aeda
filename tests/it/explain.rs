//! `boma explain` and the real way agree, and a citizen's reference code is read.

use std::fmt::Write as _;

use serde_json::json;

use crate::harness::{Origin, Setup, navigate, request};
use crate::laws::{Dice, ask, fields_of, law};

const RULES: &str = "[[list]]\nname = \"offices\"\ncidrs = [\"192.0.2.0/24\"]\n\
[[rule]]\nname = \"no\"\nmatch = { path = \"/no*\" }\nthen = \"deny\"\nreason = \"INC-7\"\nowner = \"soc\"\n\
[[rule]]\nname = \"check\"\nmatch = { path = \"/pay*\", method = \"POST\" }\nthen = \"challenge\"\nfrom = \"guarded\"\n\
[[rule]]\nname = \"offices-in\"\nmatch = { list = \"offices\" }\nthen = \"allow\"\n\
[[rule]]\nname = \"seen\"\nmatch = { user_agent = \"*curl*\" }\nthen = \"static\"\nshadow = true\n\
[[rule]]\nname = \"quiet\"\nmatch = { path = \"/quiet\" }\nthen = \"static\"\n\
[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000/s\"\nburst = 10000\n";

#[test]
fn explain_says_what_the_real_way_does() {
    let origin = Origin::start();
    let boma = Setup::new()
        .settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n")
        .portal("[[portal.route]]\npath = \"/api/*\"\nchallenge = \"never\"\nstay_up = true\n")
        .rules(RULES)
        .start(origin.address);
    let kinds = [
        ("navigation", "Accept: text/html\r\n", "{\"accept\": \"text/html\"}"),
        (
            "program",
            "Accept: application/json\r\nUser-Agent: curl/8\r\n",
            "{\"accept\": \"application/json\", \"user-agent\": \"curl/8\"}",
        ),
        (
            "background",
            "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n",
            "{\"sec-fetch-mode\": \"cors\", \"sec-fetch-dest\": \"empty\"}",
        ),
    ];
    let mut asked = 0;
    for level in ["normal", "guarded", "attack", "static", "closed"] {
        boma.posture(level);
        for (kind, fields, json) in kinds {
            for (method, path) in [
                ("GET", "/"),
                ("GET", "/no/x"),
                ("POST", "/pay"),
                ("GET", "/pay"),
                ("GET", "/quiet"),
                ("GET", "/api/a"),
                ("GET", "/robots.txt"),
                ("GET", "/a/../no"),
                ("GET", "/%00"),
                ("GET", "/.well-known/boma/live"),
            ] {
                for from in ["192.0.2.9", "198.51.100.7"] {
                    let real =
                        request(boma.at(), method, path, &format!("X-Forwarded-For: {from}\r\n{fields}"), "").status;
                    let body = format!(
                        "{{\"method\": \"{method}\", \"url\": \"http://huduma.example{path}\", \"fields\": {json}, \"from\": \"{from}\"}}"
                    );
                    let said = boma.staff("POST", "/api/v1/explain", "Content-Type: application/json\r\n", &body);
                    assert_eq!(said.status, 200, "{}", said.text());
                    let said = said.json();
                    let status = match said["status"].as_u64().unwrap() {
                        0 => 200,
                        _ if path.ends_with("/live") => 204,
                        status => status,
                    };
                    assert_eq!(u64::from(real), status, "{level} {kind} {method} {path} from {from}: {said}");
                    asked += 1;
                }
            }
        }
    }
    assert_eq!(asked, 300);
}

#[test]
fn the_command_lists_all_that_matches_and_why_some_of_it_is_idle() {
    let origin = Origin::start();
    let boma = Setup::new().rules(RULES).start(origin.address);
    let (code, said) =
        boma.command(&["explain", "POST", "/pay?x=1", "-H", "User-Agent: curl/8", "--from", "192.0.2.9"]);
    assert_eq!(code, 0, "{said}");
    for line in [
        "allowed: the origin's own status   (served, by offices-in)",
        "matches check: challenge   but it holds in a higher posture only",
        "matches offices-in: allow",
        "matches seen: static   but it is in shadow",
        "counts on: wide",
        "portal huduma   route *   class information",
    ] {
        assert!(said.contains(line), "{line} in:\n{said}");
    }
    let (_, said) = boma.command(&["explain", "GET", "https://huduma.example/no", "--from", "198.51.100.7"]);
    assert!(
        said.contains("denied: 403   (rules.deny, by no)")
            && said.contains("matches no: deny   reason INC-7   owner soc"),
        "{said}"
    );
    let (_, said) = boma.command(&[
        "explain",
        "POST",
        "/pay",
        "--from",
        "198.51.100.7",
        "--posture",
        "guarded",
        "--format",
        "json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&json["reason"], &json["status"]), (&"challenge.rule".into(), &503.into()));
    let (_, said) =
        boma.command(&["explain", "POST", "/pay", "--from", "198.51.100.7", "--posture", "guarded", "--pass"]);
    assert!(said.starts_with("allowed"), "{said}");
    let (_, said) = boma.command(&["explain", "GET", "https://other.example/"]);
    assert!(said.starts_with("denied: 421   (read.wrong_host)"), "{said}");
    assert_eq!(boma.command(&["explain", "GET"]).0, 2);
    assert_eq!(boma.command(&["explain", "GET", "/", "--posture", "atack"]).0, 1);
    // A code as a citizen reads it out.
    let page = navigate(boma.at(), "/no").text();
    let code = crate::harness::eventually("the line is written", || {
        let log = std::fs::read_to_string(boma.setup.file("access.log")).ok()?;
        let at = log.find("boma.reference\":\"")? + 17;
        Some(log[at..at + 23].to_owned())
    });
    assert!(page.contains(&code[..5]), "the page shows it");
    let (exit, said) = boma.command(&["explain", "--ref", &code.to_lowercase()]);
    assert!(exit == 0 && said.contains("denied (rules.deny)") && said.contains(&code), "{said}");
    let (exit, said) = boma.command(&["explain", "--ref", "AAAAAAAAAAAAAAAAAAAA"]);
    assert!(exit == 1 && said.contains("no reference code"), "{said}");
}

#[test]
fn the_status_page_has_a_code_that_staff_can_look_up() {
    let origin = Origin::start();
    let boma = Setup::new().rules(RULES).start(origin.address);
    let ask = |more: &str| request(boma.at(), "GET", "/.well-known/boma/status", more, "");
    let code_on = |page: &str| page.split("<code>").nth(1).unwrap()[..23].to_owned();
    let (first, second) = (ask(""), ask(""));
    let (code, other) = (code_on(&first.text()), code_on(&second.text()));
    assert_ne!(code, other);
    assert_eq!(first.text().replace(&code, &other), second.text(), "nothing else differs");
    let packed = ask("Accept-Encoding: gzip\r\n");
    let text = String::from_utf8(boma::gzip::unpack(&packed.body, 1 << 20).unwrap()).unwrap();
    assert_eq!(text.replace(&code_on(&text), &code), first.text());
    for page in [&first, &packed] {
        assert_eq!(page.field("content-length"), Some(page.body.len().to_string().as_str()));
    }
    let again = ask(&format!("If-None-Match: {}\r\n", first.field("etag").unwrap()));
    assert_eq!((again.status, again.field("etag")), (304, first.field("etag")));
    let (exit, said) = boma.command(&["explain", "--ref", &code.to_lowercase()]);
    assert!(exit == 0 && said.contains("allowed (own)") && said.contains("was shown the status page"), "{said}");
    crate::harness::eventually("both answers are in the log by it", || {
        let log = std::fs::read_to_string(boma.setup.file("access.log")).ok()?;
        (log.matches(&code).count() == 2).then_some(())
    });
    // What programs read is the same for all of them.
    let sheets = [(); 2].map(|()| request(boma.at(), "GET", "/.well-known/boma/status.json", "", ""));
    assert_eq!((sheets[0].text(), sheets[0].field("etag")), (sheets[1].text(), sheets[1].field("etag")));
}

/// Random laws, random requests: the answer is the one that was explained.
#[test]
fn explain_and_the_real_way_agree_whatever_the_law() {
    let origin = Origin::start();
    let boma = Setup::new()
        .settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n")
        .portal("[[portal.route]]\npath = \"/api/*\"\nchallenge = \"never\"\n")
        .rules("")
        .start(origin.address);
    let mut statuses = std::collections::BTreeSet::new();
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        // Limits have no say in an explanation.
        let rules = law(&mut dice, 10, 0, false).concat();
        let etag = boma.staff("GET", "/api/v1/rules", "", "").field("etag").unwrap().to_owned();
        let put = boma.staff(
            "PUT",
            "/api/v1/rules",
            &format!("If-Match: {etag}\r\nContent-Type: application/toml\r\n"),
            &rules,
        );
        assert_eq!(put.status, 200, "{}", put.text());
        boma.posture(dice.one(&["normal", "guarded", "attack", "static"]));
        for _ in 0..40 {
            let ask = ask(&mut dice);
            let (mut fields, mut named) = (format!("X-Forwarded-For: {}\r\n", ask.from), serde_json::Map::new());
            let all = ask.fields.iter().map(|(n, v)| (*n, v.as_str())).chain(fields_of(ask.kind).iter().copied());
            for (name, value) in all {
                let _ = write!(fields, "{name}: {value}\r\n");
                named.insert(name.into(), json!(value));
            }
            let url = format!("http://{}{}", ask.host, ask.target);
            let body = json!({ "method": ask.method, "url": url, "fields": named, "from": ask.from }).to_string();
            let said = boma.staff("POST", "/api/v1/explain", "Content-Type: application/json\r\n", &body).json();
            let status = match said["status"].as_u64().unwrap() {
                0 => 200,
                status => status,
            };
            let real = request(boma.at(), ask.method, &ask.target, &fields, "").status;
            assert_eq!(u64::from(real), status, "seed {seed}: {ask:?}: {said}\n{rules}");
            statuses.insert(real);
        }
    }
    assert!([200, 403, 429, 503].iter().all(|s| statuses.contains(s)), "{statuses:?}");
}
