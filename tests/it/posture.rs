//! Postures pinned by hand: by the staff door, by command, and what each does, by file.

use crate::harness::{Boma, Mode, Origin, Setup, eventually, get, navigate, request};

const ROUTES: &str =
    "snapshot = { start = [\"/\"], every = \"1s\" }\n[[portal.route]]\npath = \"/emergency\"\nstay_up = true\n";

#[test]
fn each_step_does_what_its_table_says() {
    let origin = Origin::start();
    let boma = Setup::new().portal(ROUTES).start(origin.address);
    boma.wait_for_snapshots(1);
    let post = || request(boma.at(), "POST", "/f", "Accept: text/html\r\n", "a=b").status;
    assert_eq!((navigate(boma.at(), "/x").status, post()), (200, 200));
    boma.posture("guarded");
    assert_eq!((navigate(boma.at(), "/x").status, post()), (200, 503), "unsafe methods are challenged");
    boma.posture("attack");
    assert_eq!((navigate(boma.at(), "/x").status, get(boma.at(), "/x").status), (503, 200));
    boma.posture("static");
    let reached = origin.reached_by_citizens().len();
    assert!(navigate(boma.at(), "/").text().contains("boma-banner"));
    assert_eq!(get(boma.at(), "/").status, 200, "a program gets the copy too");
    assert_eq!(get(boma.at(), "/x").field("content-type"), Some("application/problem+json"));
    assert!(navigate(boma.at(), "/x").text().contains("Sorry, the service is unavailable"));
    assert_eq!(origin.reached_by_citizens().len(), reached, "the origin is spared");
    assert_eq!(navigate(boma.at(), "/emergency").status, 200, "but for stay_up");
    boma.posture("closed");
    assert_eq!(
        [navigate(boma.at(), "/").status, navigate(boma.at(), "/emergency").status, get(boma.at(), "/").status],
        [503, 503, 503]
    );
    assert_eq!(origin.reached_by_citizens().len(), reached + 1);
    assert_eq!(boma.metric("boma_posture"), 4.0);
    assert_eq!(boma.staff("PUT", "/api/v1/posture", "", "{\"level\":\"auto\"}").status, 200);
    assert_eq!(navigate(boma.at(), "/x").status, 200);
}

#[test]
fn the_table_is_a_file_and_an_edit_shows() {
    let origin = Origin::start();
    let setup = Setup::new();
    let table = include_str!("../../config/postures.toml");
    setup.folder.write("postures.toml", table);
    // The key belongs to [server], which comes first in the file.
    setup.write(&origin.address.to_string());
    let settings = std::fs::read_to_string(setup.file("boma.toml")).unwrap();
    setup.folder.write("boma.toml", &format!("[server]\npostures = \"postures.toml\"\n{settings}"));
    let boma = Boma::start(setup, &[]);
    boma.posture("guarded");
    assert_eq!(navigate(boma.at(), "/x").status, 200);
    boma.setup.folder.write("postures.toml", &table.replace("[guarded]", "[guarded]\nneeds = { navigation = 1 }"));
    eventually("guarded now challenges pages", || (navigate(boma.at(), "/x").status == 503).then_some(()));
    boma.setup.folder.write("postures.toml", &table.replace("[guarded]", "[gaurded]"));
    eventually("a broken table is refused", || boma.log().contains("did you mean `guarded`").then_some(()));
    assert_eq!(navigate(boma.at(), "/x").status, 503, "and the old one stays");
}

#[test]
fn a_pin_has_an_end_and_a_reason() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    let put = |wish: &str| boma.staff("PUT", "/api/v1/posture", "", wish);
    for (wish, word) in [
        ("{\"level\":\"attack\",\"reason\":\"x\"}", "for"),
        ("{\"level\":\"attack\",\"for\":\"30m\"}", "reason"),
        ("{\"level\":\"atack\",\"for\":\"30m\",\"reason\":\"x\"}", "normal, guarded, attack, static, closed"),
        ("{\"level\":\"attack\",\"for\":\"31d\",\"reason\":\"x\"}", "30d"),
        ("{\"level\":\"attack\",\"for\":\"30m\",\"reason\":\"x\",\"whom\":1}", "whom"),
        ("attack", "INC-42"),
    ] {
        let answer = put(wish);
        assert!(
            answer.status == 422 && answer.json()["detail"].as_str().unwrap().contains(word),
            "{wish}: {}",
            answer.text()
        );
    }
    assert_eq!(put("{\"level\":\"attack\",\"for\":\"30m\",\"reason\":\"x\",\"portal\":\"nobody\"}").status, 404);
    assert_eq!(navigate(boma.at(), "/").status, 200, "nothing of it counted");
    let closed = "{\"level\":\"closed\",\"for\":\"1s\",\"reason\":\"INC-7\",\"portal\":\"huduma\"}";
    assert_eq!(put(closed).json()["pins"][0]["reason"], "INC-7");
    eventually("closed expires to static, with an alarm", || {
        let status = boma.status();
        (status["postures"][0]["posture"] == "static"
            && status["troubles"].to_string().contains("posture closed of portal huduma has expired"))
        .then_some(())
    });
    assert!(boma.metric("boma_troubles") >= 1.0);
}

#[test]
fn the_command_pins_shows_and_gives_back() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    let (code, said) = boma.command(&["posture", "attack", "--for", "10m", "--reason", "INC-42"]);
    assert!(code == 0 && said.contains("huduma: attack") && said.contains("Without a pass"), "{said}");
    assert_eq!(navigate(boma.at(), "/").status, 503);
    let (code, said) = boma.command(&["posture", "--format", "json"]);
    assert!(code == 0 && said.contains("\"reason\":\"INC-42\""), "{said}");
    for missing in [
        &["posture", "attack", "--for", "10m"][..],
        &["posture", "attack", "--reason", "x"],
        &["posture", "atack", "--for", "1m", "--reason", "x"],
    ] {
        assert_eq!(boma.command(missing).0, 2, "{missing:?}");
    }
    assert_eq!(boma.command(&["posture", "auto"]).0, 0);
    assert_eq!(navigate(boma.at(), "/").status, 200);
    let (code, said) = boma.command(&["status"]);
    assert!(code == 0 && said.contains("portal huduma   posture normal"), "{said}");
}

#[test]
fn the_ladder_climbs_when_the_origin_suffers_and_comes_down_in_quiet() {
    let origin = Origin::start();
    let rules = "[posture]\nlower_after = \"1s\"\nraise = { hold = \"1s\" }\n[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\nburst = 1000000\n";
    let boma = Setup::new().rules(rules).start(origin.address);
    let stands = || boma.status()["postures"][0].clone();
    origin.set(Mode::Fails);
    eventually("it climbs", || {
        (0..20).for_each(|_| assert!(get(boma.at(), "/api").status >= 429));
        (stands()["posture"] == "attack").then_some(())
    });
    let now = stands();
    assert!(now["why"].as_str().unwrap().contains("the origin fails") && now["climbed"] == "attack", "{now}");
    assert_eq!(navigate(boma.at(), "/").status, 503, "its effects hold");
    // By hand goes before.
    assert_eq!(boma.command(&["posture", "normal", "--for", "10m", "--reason", "INC-42"]).0, 0);
    assert_eq!((stands()["posture"].clone(), stands()["climbed"].clone()), ("normal".into(), "attack".into()));
    assert_eq!(boma.command(&["posture", "auto"]).0, 0);
    origin.set(Mode::Works);
    eventually("it comes down", || (stands()["posture"] == "normal").then_some(()));
    let history = boma.status()["history"].to_string();
    for step in
        ["posture guarded of huduma", "posture attack of huduma", "posture normal of huduma", "\"who\":\"ladder\""]
    {
        assert!(history.contains(step), "{step} in {history}");
    }
}
