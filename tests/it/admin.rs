//! The staff door.

use std::time::Instant;

use serde_json::Value;

use crate::harness::{Boma, CEILING, Client, Origin, Setup, TOKEN, eventually, get, request};

#[test]
fn probes_and_metrics_are_open_and_the_rest_is_not() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    get(boma.at(), "/");
    for path in ["/livez", "/readyz", "/readyz?verbose", "/metrics"] {
        assert_eq!(request(boma.admin, "GET", path, "", "").status, 200, "{path}");
    }
    assert!(
        request(boma.admin, "GET", "/metrics", "", "")
            .text()
            .contains("boma_http_requests_total{portal=\"huduma\",route=\"*\",code=\"200\",action=\"allowed\"} 1")
    );
    for path in ["/api/v1/status", "/api/v1/posture", "/api/v1/rules"] {
        let without = request(boma.admin, "GET", path, "", "");
        assert_eq!((without.status, without.field("www-authenticate")), (401, Some("Bearer realm=\"boma\"")), "{path}");
        assert_eq!(request(boma.admin, "GET", path, "Authorization: Bearer a-token-for-test\r\n", "").status, 401);
        assert_eq!(boma.staff("GET", path, "", "").status, 200, "{path}");
        assert_eq!(boma.staff("DELETE", path, "", "").status, 405);
    }
    assert_eq!(request(boma.admin, "GET", "/nothing", "", "").status, 404);
    let status = boma.status();
    assert_eq!(status["not_built"], serde_json::json!([]), "every key of the contract is built");
}

/// The description's operations: method, path and what is said of it.
fn operations(api: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, methods) in api["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    assert!(all.len() > 20);
    all
}

#[test]
fn no_get_changes_anything_head_is_get_without_a_body_and_nothing_is_kept_by_caches() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    boma.posture("guarded");
    let api = boma.staff("GET", "/api/v1/openapi.json", "", "").json();
    let before = boma.status();
    for (_, path, _) in operations(&api).iter().filter(|(method, ..)| method == "GET") {
        let path = path.replace("{version}", "1");
        let auth = format!("Authorization: Bearer {TOKEN}\r\n");
        let answers = ["GET", "HEAD"].map(|method| {
            let mut client = Client::connect(boma.admin).unwrap();
            client
                .send(format!("{method} {path} HTTP/1.1\r\nHost: staff\r\n{auth}Connection: close\r\n\r\n").as_bytes())
                .unwrap();
            let answer = client.head().unwrap();
            if method == "HEAD" {
                assert_eq!(client.line().unwrap(), "", "HEAD {path} has no body");
            }
            answer
        });
        for answer in &answers {
            assert_eq!(answer.field("cache-control"), Some("no-store"), "{path}");
            assert_eq!(answer.field("boma-version"), Some(env!("CARGO_PKG_VERSION")), "{path}");
        }
        let same = |name: &str| answers[0].field(name) == answers[1].field(name);
        assert!(answers[0].status == answers[1].status && same("content-type") && same("etag"), "{path}");
    }
    let after = boma.status();
    for key in ["history", "pins", "measures", "rules_generation", "troubles"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    for wrong in ["/nothing", "/api/v1/nothing", "/api/v1/rules/history/x", "/api/v1/explain"] {
        let answer = boma.staff("GET", wrong, "", "");
        assert!((400..=404).contains(&answer.status), "{wrong}: {}", answer.status);
        let fields = (answer.field("content-type"), answer.field("cache-control"));
        assert_eq!(fields, (Some("application/problem+json"), Some("no-store")), "{wrong}");
        assert!(!answer.json()["detail"].as_str().unwrap().is_empty(), "{wrong}");
    }
}

/// Whether a value is as its schema says; what is not, in words.
fn unlike(api: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return unlike(api, api.pointer(&reference[1..]).unwrap(), value, at, wrong);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |t: &Value| t == kind || (t == "number" && kind == "integer");
    let types = &schema["type"];
    if !(types.is_null() || fits(types) || types.as_array().is_some_and(|all| all.iter().any(fits))) {
        wrong.push(format!("{at} is {kind}, described as {types}"));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        wrong.push(format!("{at} is {value}, none of {}", schema["enum"]));
    }
    if let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                wrong.push(format!("{at}.{name} is missing"));
            }
        }
        for (name, value) in fields {
            match properties.get(name) {
                Some(schema) => unlike(api, schema, value, &format!("{at}.{name}"), wrong),
                None => wrong.push(format!("{at}.{name} is not described")),
            }
        }
    }
    for (i, value) in value.as_array().into_iter().flatten().enumerate() {
        unlike(api, &schema["items"], value, &format!("{at}[{i}]"), wrong);
    }
}

#[test]
fn what_the_door_answers_is_what_it_says_of_itself() {
    let origin = Origin::start();
    let boma = Setup::new()
        .rules("[[rule]]\nname = \"a\"\nmatch = { path = \"/a\" }\nthen = \"deny\"\n")
        .start(origin.address);
    (0..5).for_each(|_| assert_eq!(get(boma.at(), "/").status, 200));
    boma.setup.folder.write("rules.toml", "broken");
    eventually("the broken file is refused", || {
        (!boma.status()["files_not_in_force"].as_array().unwrap().is_empty()).then_some(())
    });
    let api = boma.staff("GET", "/api/v1/openapi.json", "", "").json();
    let measure = |name: &str, then: &str| {
        format!(
            "{{\"name\":\"{name}\",\"match\":{{\"path\":\"/m*\"}},\"then\":\"{then}\",\"reason\":\"INC-42\",\"for\":\"901s\"}}"
        )
    };
    let (pin, again) =
        ("{\"level\":\"attack\",\"for\":\"30m\",\"reason\":\"INC-42\",\"then\":\"guarded\"}", "{\"level\":\"auto\"}");
    let ban = "{\"net\":\"192.0.2.0/24\",\"for\":\"1h\",\"reason\":\"INC-42\"}";
    let good = measure("m", "deny");
    let calls = [
        ("GET", "/api/v1/status", "", 200),
        ("PUT", "/api/v1/posture", pin, 200),
        ("PUT", "/api/v1/posture", "{\"level\":\"attack\"}", 422),
        ("PUT", "/api/v1/posture", "{\"level\":\"attack\",\"for\":\"1m\",\"reason\":\"r\",\"portal\":\"none\"}", 404),
        ("GET", "/api/v1/posture", "", 200),
        ("POST", "/api/v1/measures/preview", &good, 200),
        ("POST", "/api/v1/measures", &good, 201),
        ("POST", "/api/v1/measures", &good, 422),
        ("POST", "/api/v1/measures", &measure("n", "denny"), 422),
        ("POST", "/api/v1/measures", "{}", 422),
        ("GET", "/api/v1/measures", "", 200),
        ("PATCH", "/api/v1/measures/m", "{\"for\":\"2h\"}", 200),
        ("POST", "/api/v1/bans", ban, 200),
        ("POST", "/api/v1/bans", &ban.replace("/24", "/8"), 409),
        ("GET", "/api/v1/bans", "", 200),
        ("DELETE", "/api/v1/bans/192.0.2.0/24", "", 200),
        ("DELETE", "/api/v1/bans/192.0.2.0/24", "", 404),
        ("POST", "/api/v1/explain", "{\"method\":\"GET\",\"url\":\"/a\"}", 200),
        ("POST", "/api/v1/explain", "{\"method\":\"GET\"}", 422),
        ("GET", "/api/v1/explain?ref=none", "", 404),
        ("GET", "/api/v1/rules", "", 200),
        ("PUT", "/api/v1/rules", "x", 428),
        ("POST", "/api/v1/rules/preview", "", 200),
        ("GET", "/api/v1/rules/history", "", 200),
        ("GET", "/api/v1/rules/history/1", "", 200),
        ("GET", "/api/v1/rules/history/77", "", 404),
        ("POST", "/api/v1/rules/rollback", "{\"version\":77}", 404),
        ("DELETE", "/api/v1/measures/m", "", 200),
        ("GET", "/api/v1/status", "", 200),
        ("PUT", "/api/v1/posture", again, 200),
        ("GET", "/readyz?verbose", "", 200),
    ];
    let described = operations(&api);
    for (method, path, body, status) in calls {
        let answer = boma.staff(method, path, "", body);
        let called = format!("{method} {path} {body}");
        assert_eq!(answer.status, status, "{called}: {}", answer.text());
        let matches = |pattern: &str| {
            let pattern = pattern.replace("{version}", "{}").replace("{name}", "{}").replace("{net}", "{}");
            let bare = path.split('?').next().unwrap();
            match pattern.strip_suffix("{}") {
                Some(prefix) => bare.starts_with(prefix) && !matches!(&bare[prefix.len()..], "preview"),
                None => bare == pattern,
            }
        };
        let (_, _, operation) = described.iter().find(|(m, p, _)| m == method && matches(p)).unwrap();
        let mut response = &operation["responses"][status.to_string()];
        if let Some(reference) = response["$ref"].as_str() {
            response = api.pointer(&reference[1..]).unwrap();
        }
        let kind = answer.field("content-type").unwrap().split(';').next().unwrap().to_owned();
        let content = &response["content"][&kind];
        assert!(content.is_object(), "{called}: {status} as {kind} is not described: {response}");
        if kind.ends_with("json") {
            let mut wrong = Vec::new();
            unlike(&api, &content["schema"], &answer.json(), "answer", &mut wrong);
            assert!(wrong.is_empty(), "{called}: {wrong:#?}");
        }
    }
}

/// Asks on a connection of its own from one of the loopback's addresses.
fn from(boma: &Boma, address: &str, path: &str) -> Option<u16> {
    let mut client = Client::connect_from(address, boma.admin).ok()?;
    let auth = format!("Host: staff\r\nAuthorization: Bearer {TOKEN}\r\n");
    client.ask("GET", path, &auth, "").ok().map(|a| a.status)
}

#[test]
fn staff_find_a_place_at_a_full_door_and_listeners_make_room_too() {
    let origin = Origin::start();
    let rules = "[[list]]\nname = \"staff\"\ncidrs = [\"127.0.0.3\"]\n";
    let boma = Setup::new().rules(rules).start(origin.address);
    let listen = |address: &str| {
        let mut client = Client::connect_from(address, boma.admin).unwrap();
        client
            .send(format!("GET /api/v1/events HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").as_bytes())
            .unwrap();
        assert_eq!(client.head().unwrap().status, 200);
        client
    };
    let mut of_staff = listen("127.0.0.3");
    let mut others: Vec<Client> = (0..30).map(|_| listen("127.0.0.2")).collect();
    let mut idle: Vec<Client> = (0..400).map(|_| Client::connect_from("127.0.0.2", boma.admin).unwrap()).collect();
    let start = Instant::now();
    assert_eq!(from(&boma, "127.0.0.3", "/api/v1/status"), Some(200));
    assert!(start.elapsed() < CEILING, "{:?}", start.elapsed());
    assert_eq!(from(&boma, "127.0.0.4", "/livez"), Some(200), "one address does not fill the door for others");
    let open = eventually("the places of others are bounded", || {
        let open = idle.iter_mut().chain(&mut others).filter_map(|c| (!c.is_closed()).then_some(())).count();
        (open <= 192).then_some(open)
    });
    assert!(open >= 100, "and only as many make room as must: {open}");
    assert!(others.iter_mut().all(|c| !c.is_closed()), "who showed a token goes after the idle");
    // Sixty-four places more are the staff's own, and beyond those anybody else makes room for them.
    let mut staff: Vec<Client> = (0..255).map(|_| Client::connect_from("127.0.0.3", boma.admin).unwrap()).collect();
    assert_eq!(from(&boma, "127.0.0.3", "/livez"), Some(200));
    assert!(others.iter_mut().all(Client::is_closed), "listeners too");
    let left = staff.iter_mut().filter_map(|c| (!c.is_closed()).then_some(())).count();
    assert!(left >= 254 && !of_staff.is_closed(), "of their own the idle go first: {left}");
}

#[test]
fn rules_are_replaced_with_if_match_or_not_at_all() {
    let origin = Origin::start();
    let old = "[[rule]]\nname = \"a\"\nmatch = { path = \"/a\" }\nthen = \"deny\"\n";
    let new = old.replace("/a", "/b");
    let boma = Setup::new().rules(old).start(origin.address);
    let read = boma.staff("GET", "/api/v1/rules", "", "");
    assert_eq!((read.text().as_str(), read.field("content-type")), (old, Some("application/toml")));
    let tag = read.field("etag").unwrap().to_owned();
    assert_eq!(boma.staff("PUT", "/api/v1/rules", "", &new).status, 428);
    assert_eq!(boma.staff("PUT", "/api/v1/rules", "If-Match: \"999\"\r\n", &new).status, 412);
    let broken = boma.staff(
        "PUT",
        "/api/v1/rules",
        &format!("If-Match: {tag}\r\n"),
        "[[rule]]\nname = \"b\"\nthen = \"denny\"\nmatch = { path = \"/b\" }\n",
    );
    assert_eq!(broken.status, 422);
    let fault = &broken.json()["faults"][0];
    assert_eq!((&fault["line"], &fault["column"]), (&3.into(), &8.into()), "{}", broken.text());
    assert!(
        fault["file"].as_str().unwrap().ends_with("rules.toml")
            && fault["message"].is_string()
            && fault["help"].is_string()
    );
    assert_eq!((get(boma.at(), "/a").status, get(boma.at(), "/b").status), (403, 200), "the old rules stay");
    let applied = boma.staff("PUT", "/api/v1/rules", &format!("If-Match: {tag}\r\n"), &new);
    assert_eq!(applied.status, 200, "{}", applied.text());
    assert_ne!(applied.field("etag"), Some(tag.as_str()));
    assert_eq!((get(boma.at(), "/a").status, get(boma.at(), "/b").status), (200, 403));
    assert_eq!(std::fs::read_to_string(boma.setup.file("rules.toml")).unwrap(), new, "the file stays the truth");
    assert_eq!(boma.staff("PUT", "/api/v1/rules", &format!("If-Match: {tag}\r\n"), old).status, 412);
}
