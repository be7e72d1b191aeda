//! What citizens are told while the origin is dead: by one command, in their language, on every page; corrected, withdrawn,
//! overdue; as a page, as JSON and as a feed.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Answer, Boma, Origin, Setup, eventually, get, navigate, request};

const PORTAL: &str = "host = \"huduma.example\"\ntimezone = \"Africa/Nairobi\"\nconnect_timeout = \"500ms\"\n\
[[portal.service]]\nname = { en = \"Pay a licence\", sw = \"Lipia leseni\" }\npaths = [\"/pay/*\"]\nphone = \"+254 20 000 0000\"\n\
[[portal.service]]\nname = { en = \"Land\", sw = \"Ardhi\" }\npaths = [\"/land/*\"]\n";

/// A house whose origin is dead.
/// Work that begins in many years.
const PLANNED: [&str; 8] =
    ["incident", "open", "--template", "planned-work", "--starts", "2099-01-01T22:00", "--ends", "2099-01-02T04:00"];

fn house() -> Boma {
    let origin = Origin::start();
    let address = origin.kill();
    Setup::new().portal(PORTAL).start(address)
}

fn done(boma: &Boma, arguments: &[&str]) -> String {
    let (code, said) = boma.command(arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

fn status(boma: &Boma, lang: &str) -> String {
    let page = navigate(boma.at(), &format!("/.well-known/boma/status?lang={lang}"));
    assert_eq!(page.status, 200);
    page.text()
}

fn summary(boma: &Boma) -> serde_json::Value {
    get(boma.at(), "/.well-known/boma/status.json?lang=en").json()
}

#[test]
fn a_dead_origin_is_told_of_before_anybody_has_written() {
    let boma = house();
    eventually("the status page tells it", || {
        navigate(boma.at(), "/land/search?lang=en");
        status(&boma, "en").contains("Huduma often does not answer").then_some(())
    });
    assert!(!status(&boma, "en").contains("Everything works."));
    assert_eq!(summary(&boma)["status"]["indicator"], "major");
    let statement = navigate(boma.at(), "/land/search?lang=sw");
    assert!(statement.text().contains("mara nyingi haijibu"), "{}", statement.text());
    // What people write stands in its place.
    done(&boma, &["incident", "open", "--template", "origin-failure", "--next", "30m"]);
    let statement = navigate(boma.at(), "/land/search?lang=sw").text();
    assert!(!statement.contains("mara nyingi haijibu"), "{statement}");
}

#[test]
fn one_command_publishes_in_every_language_with_the_origin_dead_and_a_restart_keeps_it() {
    let boma = house();
    assert!(status(&boma, "en").contains("Everything works.") && status(&boma, "en").contains("No notices."));
    let said = done(&boma, &["incident", "open", "--template", "flood", "--next", "30m"]);
    assert!(
        said.starts_with("published\nincident 1   investigating   1 updates   Huduma is slow\n")
            && said.contains("next update by 20"),
        "{said}"
    );
    let boma = Boma::start(boma.kill(), &[]);
    for (lang, title, next, unknown) in [
        ("en", "Huduma is slow", "Next update by <time", "We do not know yet."),
        ("sw", "Huduma inafanya kazi polepole", "Taarifa ijayo kabla ya <time", "Bado hatujui."),
    ] {
        let statement = navigate(boma.at(), &format!("/other?lang={lang}"));
        assert_eq!(statement.status, 503);
        let text = statement.text();
        assert_eq!(text.matches(title).count(), 1, "told once: {text}");
        assert!(text.contains(next) && text.matches(unknown).count() == 3 && text.contains(" EAT</time>"), "{text}");
        let page = status(&boma, lang);
        assert!(page.contains(title) && page.contains(next) && page.matches(unknown).count() == 3, "{page}");
    }
    // Every other page of boma's has the line.
    for page in [
        navigate(boma.at(), "/.well-known/boma/nothing?lang=sw"),
        navigate(boma.at(), "/.well-known/boma/challenge?lang=sw"),
        request(
            boma.at(),
            "GET",
            "/%00?lang=sw",
            "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nAccept-Language: sw\r\n",
            "",
        ),
    ] {
        if page.status != 400 {
            assert!(
                page.text().contains("<aside aria-label=\"Tangazo\">")
                    && page.text().contains("Huduma inafanya kazi polepole"),
                "{}",
                page.text()
            );
        }
    }
    for level in ["attack", "static", "closed"] {
        boma.posture(level);
        let challenge = navigate(boma.at(), "/any");
        assert!(
            challenge.status == 503 && challenge.text().contains("Huduma is slow"),
            "{level}: {}",
            challenge.text()
        );
        assert!(status(&boma, "en").contains("Huduma is slow"), "{level}");
        assert_eq!(get(boma.at(), "/.well-known/boma/status.atom").status, 200, "{level}");
    }
    assert!(
        std::fs::read_to_string(boma.setup.file("state/journal.jsonl"))
            .unwrap()
            .contains("incident opened: {portal} is slow")
    );
}

#[test]
fn what_is_corrected_and_what_no_longer_holds_is_shown() {
    let boma = house();
    let open = [
        "incident",
        "open",
        "--title",
        "en=Payments are slow",
        "--text",
        "en=We look into it.",
        "--text",
        "sw=Tunalichunguza.",
        "--works",
        "en=Reading",
    ];
    let said = done(
        &boma,
        &[&open[..], &["--affects", "Lipia leseni", "--office", "Ministry of Works", "--impact", "major"]].concat(),
    );
    assert!(said.contains("not in sw") && said.contains("no next update is promised"), "{said}");
    let page = status(&boma, "sw");
    assert!(page.contains("<span lang=\"en\">Payments are slow</span>") && page.contains("Tunalichunguza."), "{page}");
    assert!(
        page.contains("Ministry of Works")
            && page.contains("<b>Lipia leseni</b>: Inafanya kazi kwa sehemu")
            && page.contains("<b>Ardhi</b>: Inafanya kazi\n"),
        "{page}"
    );
    done(
        &boma,
        &[
            "incident",
            "update",
            "--correct",
            "1",
            "--text",
            "en=We looked into it <b>.",
            "--text",
            "sw=Tunalichunguza.",
        ],
    );
    done(
        &boma,
        &[
            "incident",
            "update",
            "--state",
            "identified",
            "--next",
            "1h",
            "--text",
            "en=Known.",
            "--works",
            "en=Paying by phone",
            "--instead",
            "Land:en=Go to the office",
        ],
    );
    let page = status(&boma, "en");
    for part in [
        "We looked into it &lt;b&gt;.",
        "Corrected: <time",
        "<q>We look into it.</q>",
        "<dd>Paying by phone</dd>",
        "What still works: Reading",
        "<dd><b>Land</b>: Go to the office</dd>",
        "We know the cause",
        "<li value=\"2\">",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(page.find("Known.") < page.find("We looked into it"), "newest first");
    assert!(!status(&boma, "sw").contains("Imesahihishwa"), "in Swahili nothing was corrected");
    // Withdrawn, it leaves a note; resolved, it is among the past.
    done(&boma, &["incident", "withdraw", "1", "--text", "en=It was another portal."]);
    let page = status(&boma, "en");
    assert!(
        page.contains("Everything works.") && page.contains("Withdrawn") && page.contains("It was another portal."),
        "{page}"
    );
    assert!(!navigate(boma.at(), "/x").text().contains("Payments are slow"));
    done(&boma, &["incident", "open", "--template", "origin-failure"]);
    assert!(done(&boma, &["incident", "resolve"]).contains("incident 2   resolved"));
    let page = status(&boma, "en");
    assert!(page.contains("Huduma does not answer") && page.contains("works again. Thank you"), "{page}");
    let boma = Boma::start(boma.kill(), &[]);
    assert!(status(&boma, "en").contains("It was another portal."));
    let list = done(&boma, &["incident", "list"]);
    assert!(
        list.starts_with("incident 2   resolved   2 updates   ") && list.contains("incident 1   withdrawn"),
        "{list}"
    );
}

#[test]
fn an_update_that_does_not_come_is_told_to_staff_and_citizens() {
    let boma = house();
    done(&boma, &["incident", "open", "--template", "flood", "--next", "1s"]);
    eventually("it is overdue", || (boma.metric("boma_incident_overdue") == 1.0).then_some(()));
    eventually("the pages say so", || status(&boma, "en").contains("has not come yet").then_some(()));
    let said = done(&boma, &["status"]);
    assert!(
        said.contains("incident 1   investigating   UPDATE OVERDUE")
            && said.contains("TROUBLE: incident 1: the update that was promised by 20"),
        "{said}"
    );
    let journal = || std::fs::read_to_string(boma.setup.file("state/journal.jsonl")).unwrap();
    assert_eq!(journal().matches("is overdue").count(), 1, "{}", journal());
    done(&boma, &["incident", "update", "--next", "1h", "--text", "en=Still on it."]);
    eventually("it is not any more", || {
        (boma.metric("boma_incident_overdue") == 0.0 && boma.status()["troubles"].as_array().unwrap().is_empty())
            .then_some(())
    });
    assert_eq!(journal().matches("is overdue").count(), 1);
}

#[test]
fn until_somebody_has_written_boma_says_what_it_does_and_never_why() {
    let boma = house();
    for (level, says, indicator) in [
        ("attack", "may be slower than usual. We are protecting the service.", "minor"),
        ("static", "shows copies of its pages", "major"),
        ("closed", "has been closed for now since", "critical"),
    ] {
        boma.posture(level);
        let pages = [navigate(boma.at(), "/any").text(), status(&boma, "en")];
        assert!(pages.iter().all(|p| p.contains(says) && !p.to_lowercase().contains("attack")), "{level}: {pages:?}");
        assert_eq!(summary(&boma)["status"]["indicator"], indicator);
    }
    done(&boma, &["incident", "open", "--template", "precautionary-shutdown"]);
    let text = navigate(boma.at(), "/any").text();
    assert!(text.contains("We have closed Huduma as a precaution") && !text.contains("closed for now since"), "{text}");
    done(&boma, &["incident", "resolve"]);
    done(&boma, &["posture", "auto"]);
    assert!(status(&boma, "en").contains("Everything works."));
}

#[test]
fn a_copy_of_a_page_names_the_incident_in_its_banner() {
    let origin = Origin::start();
    let boma = Setup::new()
        .portal(PORTAL)
        .portal("[[portal.route]]\npath = \"/\"\nfallback = \"snapshot\"\n")
        .start(origin.address);
    boma.wait_for_snapshots(1);
    origin.kill();
    let banner = || {
        let page = navigate(boma.at(), "/");
        assert_eq!(page.status, 200);
        page.text().split("id=\"boma-banner\"").nth(1).unwrap().split("</div>").next().unwrap().to_owned()
    };
    assert!(banner().contains("Hii ni nakala") && !banner().contains("<b>"), "the origin's page is in Swahili");
    assert!(banner().contains("href=\"/.well-known/boma/status\""), "always a way out: {}", banner());
    done(&boma, &["incident", "open", "--template", "origin-failure"]);
    assert!(banner().contains("<br><b>Huduma haijibu</b> &#183; Taarifa ijayo kabla ya <time"), "{}", banner());
    done(&boma, &["incident", "resolve"]);
    assert!(!banner().contains("Huduma haijibu"));
}

#[test]
fn the_summary_has_statuspages_shape() {
    let boma = house();
    let keys = |v: &serde_json::Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    done(
        &boma,
        &["incident", "open", "--template", "origin-failure", "--affects", "Land", "--affects", "/pay/licence"],
    );
    done(&boma, &["incident", "update", "--state", "monitoring", "--text", "en=It is back."]);
    done(&boma, &PLANNED);
    let all = summary(&boma);
    assert_eq!(
        keys(&all),
        ["components", "incidents", "page", "postmortems", "scheduled_maintenances", "status", "uptime"]
    );
    assert_eq!(keys(&all["page"]), ["id", "name", "time_zone", "updated_at", "url"]);
    assert_eq!((&all["page"]["id"], &all["page"]["time_zone"]), (&"huduma".into(), &"Africa/Nairobi".into()));
    assert_eq!(all["page"]["url"], "https://huduma.example/.well-known/boma/status");
    assert_eq!(
        (&all["status"]["indicator"], &all["status"]["description"]),
        (&"critical".into(), &"Not everything works as it should.".into())
    );
    assert_eq!(
        all["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| (c["name"].as_str().unwrap(), c["status"].as_str().unwrap()))
            .collect::<Vec<_>>(),
        [("Pay a licence", "major_outage"), ("Land", "major_outage")]
    );
    assert_eq!(
        keys(&all["components"][0]),
        [
            "created_at",
            "description",
            "group",
            "group_id",
            "id",
            "name",
            "only_show_if_degraded",
            "page_id",
            "position",
            "showcase",
            "start_date",
            "status",
            "updated_at"
        ],
        "as Statuspage has them"
    );
    let incident = &all["incidents"][0];
    for key in [
        "id",
        "name",
        "status",
        "impact",
        "created_at",
        "updated_at",
        "monitoring_at",
        "resolved_at",
        "shortlink",
        "started_at",
        "page_id",
        "incident_updates",
        "components",
    ] {
        assert!(incident.get(key).is_some(), "{key} in {incident}");
    }
    assert_eq!(
        (&incident["status"], &incident["impact"], incident["components"].as_array().unwrap().len()),
        (&"monitoring".into(), &"critical".into(), 2)
    );
    let updates = incident["incident_updates"].as_array().unwrap();
    assert_eq!(
        (updates.len(), &updates[0]["body"], &updates[0]["status"]),
        (2, &"It is back.".into(), &"monitoring".into())
    );
    for key in ["id", "status", "body", "incident_id", "created_at", "updated_at", "display_at", "affected_components"]
    {
        assert!(updates[0].get(key).is_some(), "{key}");
    }
    let planned = &all["scheduled_maintenances"][0];
    assert_eq!((&planned["status"], &planned["impact"]), (&"scheduled".into(), &"maintenance".into()));
    assert_eq!(
        (&planned["scheduled_for"], &planned["scheduled_until"]),
        (&"2099-01-01T19:00:00Z".into(), &"2099-01-02T01:00:00Z".into())
    );
    assert!(!navigate(boma.at(), "/x").text().contains("will be closed for a while"), "it has not begun");
    assert!(
        status(&boma, "en")
            .contains("Begins: <time datetime=\"2099-01-01T22:00:00+03:00\" dir=\"ltr\">2099-01-01 22:00 EAT")
    );
}

/// What a validator of JSON Schema finds in documents, one list each, by the schema of Statuspage's summary.
fn faults(boma: &Boma, documents: &[Value]) -> Vec<Vec<String>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    boma.setup.folder.write("documents.json", &Value::from(documents).to_string());
    let mut node = Command::new("node");
    node.arg(root.join("tests/browser/schema.mjs")).arg(root.join("tests/cases/statuspage-summary.json"));
    let done = node.arg(boma.setup.file("documents.json")).output().expect("node is installed: tests/run.sh does it");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn the_summary_is_what_readers_of_statuspage_take_whatever_there_is_to_tell() {
    let boma = house();
    let mut told = vec![summary(&boma)];
    let mut after = |arguments: &[&str]| {
        done(&boma, arguments);
        told.push(summary(&boma));
    };
    after(&["posture", "closed", "--reason", "a test", "--for", "1h"]);
    after(&["incident", "open", "--template", "origin-failure", "--affects", "Land", "--next", "30m"]);
    after(&["incident", "update", "--state", "identified", "--text", "en=Known.", "--text", "sw=Tunajua."]);
    after(&["incident", "update", "--correct", "2", "--text", "en=Nearly known."]);
    after(&["incident", "resolve"]);
    after(&["incident", "update", "1", "--state", "postmortem", "--text", "en=A cable was cut."]);
    // What is planned stays so while it goes on, and until it is over.
    after(&["incident", "open", "--template", "planned-work", "--starts", "1s"]);
    after(&PLANNED);
    after(&["incident", "update", "3", "--state", "identified", "--text", "en=It has begun."]);
    after(&["incident", "update", "3", "--state", "monitoring", "--text", "en=We look whether it holds."]);
    let words = |at: usize| {
        let planned = told[at]["scheduled_maintenances"].as_array().unwrap();
        planned.iter().find(|p| p["id"] == "3").map(|p| p["status"].as_str().unwrap().to_owned())
    };
    let last = told.len() - 1;
    assert_eq!(
        [words(last - 2), words(last - 1), words(last)].map(Option::unwrap),
        ["scheduled", "in_progress", "verifying"]
    );
    told.push(get(boma.at(), "/.well-known/boma/status.json?lang=sw").json());
    for (found, document) in faults(&boma, &told).iter().zip(&told) {
        assert_eq!(found, &Vec::<String>::new(), "{document:#}");
    }
    // The validator sees what is wrong.
    let (mut words, mut less, mut more, mut time) =
        (told[2].clone(), told[2].clone(), told[2].clone(), told[2].clone());
    words["incidents"][0]["status"] = "scheduled".into();
    less["components"][0].as_object_mut().unwrap().remove("position");
    more["incidents"][0]["incident_updates"][0]["colour"] = "red".into();
    time["page"]["updated_at"] = "yesterday".into();
    let found = faults(&boma, &[words, less, more, time]);
    for (found, says) in found.iter().zip([
        "/incidents/0/status must be equal to one of the allowed values",
        "/components/0 must have required property 'position'",
        "/incidents/0/incident_updates/0 must NOT have additional properties",
        "/page/updated_at must match format \"date-time\"",
    ]) {
        assert!(found.iter().any(|f| f == says), "{says} in {found:?}");
    }
}

/// What Python's parser of XML makes of a feed: names and texts, as RFC 4287 demands them.
const ATOM: &str = r#"
import sys, xml.etree.ElementTree as E
a = '{http://www.w3.org/2005/Atom}'
import re
feed = E.fromstring(sys.stdin.buffer.read())
assert feed.tag == a + 'feed', feed.tag
stamp = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')
def one(of, name):
    found = of.findall(a + name)
    assert len(found) == 1 and found[0].text.strip(), (of.tag, name, len(found))
    return found[0].text
ids = []
for of in [feed] + feed.findall(a + 'entry'):
    ids.append(one(of, 'id'))
    one(of, 'title')
    assert stamp.match(one(of, 'updated'))
    assert of.find(a + 'author').find(a + 'name').text
    assert any(l.get('rel') == 'alternate' and l.get('href') for l in of.findall(a + 'link'))
assert len(set(ids)) == len(ids), ids
assert any(l.get('rel') == 'self' for l in feed.findall(a + 'link'))
for e in feed.findall(a + 'entry'):
    print(one(e, 'title') + '|' + one(e, 'content').replace('\n', ' ') + '|' + e.find(a + 'author').find(a + 'name').text)
"#;

fn entries(feed: &Answer) -> Vec<String> {
    let mut python = Command::new("python3")
        .args(["-c", ATOM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(&feed.body).unwrap();
    let done = python.wait_with_output().unwrap();
    assert!(done.status.success(), "{}\n{}", String::from_utf8_lossy(&done.stderr), feed.text());
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_feed_is_atom_with_an_entry_for_each_update() {
    let boma = house();
    let feed = |lang: &str| get(boma.at(), &format!("/.well-known/boma/status.atom?lang={lang}"));
    assert_eq!(entries(&feed("en")), [""; 0]);
    done(&boma, &["incident", "open", "--title", "en=A & B <slow>", "--text", "en=One & <two>", "--text", "sw=Moja"]);
    done(&boma, &["incident", "update", "--text", "en=Second", "--office", "Press & Co"]);
    done(&boma, &["incident", "update", "--correct", "2", "--text", "en=Third"]);
    done(&boma, &["incident", "withdraw", "1", "--text", "en=Not so"]);
    let english = entries(&feed("en"));
    assert_eq!(english.len(), 3);
    assert_eq!(english[0], "A & B <slow>|Not so|Huduma");
    assert!(
        english[1].starts_with("A & B <slow>|Third  Corrected: 20")
            && english[1].ends_with("Before, it said: Second|Press & Co"),
        "{english:?}"
    );
    assert_eq!(english[2], "A & B <slow>|One & <two>|Huduma");
    assert_eq!(entries(&feed("sw"))[2], "A & B <slow>|Moja|Huduma");
    assert_eq!(feed("en").field("content-type"), Some("application/atom+xml"));
}

#[test]
fn sheets_are_cached_for_moments_and_asked_for_again_by_tag() {
    let boma = house();
    for path in ["/.well-known/boma/status", "/.well-known/boma/status.json", "/.well-known/boma/status.atom"] {
        let first = get(boma.at(), path);
        assert_eq!((first.status, first.field("cache-control")), (200, Some("public, max-age=15")), "{path}");
        let tag = first.field("etag").unwrap().to_owned();
        let ask = |tag: &str| request(boma.at(), "GET", path, &format!("If-None-Match: {tag}\r\n"), "");
        let same = ask(&format!("\"x\", {tag}"));
        assert_eq!((same.status, same.body.len(), same.field("etag")), (304, 0, Some(tag.as_str())), "{path}");
        let packed = request(boma.at(), "GET", path, "Accept-Encoding: gzip\r\n", "");
        assert_eq!(packed.field("content-encoding"), Some("gzip"));
        // The page's holds its reference code.
        let what = |tag: &str| tag.split('-').next().unwrap().trim_end_matches('"').to_owned();
        assert_eq!(what(packed.field("etag").unwrap()), what(&tag), "{path}");
        assert!(packed.body.len() < first.body.len(), "{path}");
        let head = request(boma.at(), "HEAD", path, "", "");
        assert_eq!((head.status, head.body.len()), (200, 0));
        let wrong = request(boma.at(), "POST", path, "", "");
        assert_eq!((wrong.status, wrong.field("allow")), (405, Some("GET, HEAD")));
        done(&boma, &["incident", "open", "--template", "flood"]);
        assert_eq!(ask(&tag).status, 200, "{path}: it has changed");
        done(&boma, &["incident", "withdraw", &boma.status()["incidents"][0]["id"].to_string(), "--text", "en=x"]);
    }
    let page = get(boma.at(), "/.well-known/boma/status");
    assert!(page.field("content-security-policy").unwrap().contains("default-src 'none'"));
}

#[test]
fn a_preview_shows_every_language_and_publishes_nothing() {
    let boma = house();
    let said = done(&boma, &["incident", "preview", "--template", "flood"]);
    assert!(said.contains("== huduma · English (en)") && said.contains("== huduma · Kiswahili (sw)"), "{said}");
    assert!(
        said.contains("SMS, ")
            && said.contains("GSM-7: Huduma is slow. Next update by 20")
            && said.contains("Is my data safe? We do not know"),
        "{said}"
    );
    assert!(said.lines().filter(|l| !l.contains("SMS")).all(|l| l.chars().count() <= 44), "{said}");
    let long = "ë".repeat(100);
    let said = done(&boma, &["incident", "preview", "--title", &format!("en={long}"), "--text", "en=x"]);
    assert!(
        said.contains("UCS-2") && said.contains("goes out, and is paid for, as 2 messages because of ë")
            || said.contains("as 3 messages because of ë"),
        "{said}"
    );
    assert!(boma.status()["incidents"].as_array().unwrap().is_empty());
    assert!(!status(&boma, "en").contains("is slow"));
    let reply = boma.staff("POST", "/api/v1/incidents/preview", "", "{\"id\":9,\"text\":{\"en\":\"x\"}}");
    assert_eq!(reply.status, 404, "{}", reply.text());
}

#[test]
fn what_is_wrong_is_said_with_what_to_write() {
    let boma = house();
    for (arguments, code, hint) in [
        (&["incident", "open"][..], 1, "there is no title"),
        (&["incident", "open", "--template", "flod"], 2, "flood"),
        (&["incident", "open", "--text", "no language"], 2, "--text en="),
        (&["incident", "open", "--template", "flood", "--affects", "Taxes"], 1, "write one of Pay a licence, Land"),
        (&["incident", "open", "--template", "flood", "--portal", "none"], 1, "there is no portal \"none\""),
        (&["incident", "open", "--template", "planned-work"], 1, "--starts"),
        (&["incident", "update", "--text", "en=x"], 2, "0 incidents are open"),
        (&["incident", "update", "3", "--text", "en=x"], 1, "there is no incident 3"),
        (&["incident", "withdraw", "3"], 2, "--text"),
    ] {
        let (got, said) = boma.command(arguments);
        assert!(got == code && said.contains(hint), "{arguments:?}: {got} {said}");
    }
    let reply = boma.staff("POST", "/api/v1/incidents", "", "{\"txt\":{\"en\":\"x\"}}");
    assert!(
        reply.status == 422 && reply.text().contains("unknown field") && reply.text().contains("template"),
        "{}",
        reply.text()
    );
}
