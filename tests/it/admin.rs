//! The staff door.

use crate::harness::{Origin, Setup, get, request};

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
    assert!(status["not_built"].as_array().unwrap().iter().any(|k| k == "admin.tokens"), "{status}");
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
