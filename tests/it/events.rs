//! What changes, as it happens: the stream, and the command that prints it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::harness::{Boma, CEILING, Client, Origin, Setup, TOKEN, eventually, get};

const JSON: &str = "Content-Type: application/json\r\n";

/// A listener: whole events as they come.
struct Listener(Client);

impl Listener {
    fn ask(boma: &Boma, token: &str, last: &str) -> (u16, Listener) {
        let last = if last.is_empty() { String::new() } else { format!("Last-Event-ID: {last}\r\n") };
        // Wrong tokens make an address wait: each token comes from its own.
        let from = if token == TOKEN { "127.0.0.1" } else { "127.0.0.5" };
        let mut client = Client::connect_from(from, boma.admin).unwrap();
        let ask = format!("GET /api/v1/events HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {token}\r\n{last}\r\n");
        client.send(ask.as_bytes()).unwrap();
        let head = client.head().unwrap();
        let stream = head.field("content-type") == Some("text/event-stream");
        assert_eq!(stream, head.status == 200);
        (head.status, Listener(client))
    }

    fn new(boma: &Boma, last: &str) -> Listener {
        let (status, listener) = Listener::ask(boma, TOKEN, last);
        assert_eq!(status, 200);
        listener
    }

    /// The next event: its name, its id and its data; `None` at the stream's end.
    fn next(&mut self) -> Option<(String, String, Value)> {
        let (mut event, mut id, mut data) = (String::new(), String::new(), Value::Null);
        loop {
            let line = self.0.line().ok()?;
            match line.split_once(": ") {
                Some(("event", text)) => event = text.into(),
                Some(("id", text)) => id = text.into(),
                Some(("data", text)) => data = serde_json::from_str(text).unwrap(),
                // A chunk's size, a comment, an end of one.
                _ => {}
            }
            if line == "0" {
                return None;
            }
            if line.is_empty() && !data.is_null() {
                return Some((event, id, data));
            }
        }
    }

    /// Waits for an event whose words hold these; its id.
    fn wait(&mut self, kind: &str, what: &str, outcome: &str) -> (String, Value) {
        let mut passed = Vec::new();
        while let Some((event, id, data)) = self.next() {
            let fits = |key: &str, text: &str| data[key].as_str().is_some_and(|t| t.contains(text));
            if event == kind && fits("what", what) && fits("outcome", outcome) {
                assert_eq!((&data["kind"], &data["id"]), (&kind.into(), &id.as_str().into()));
                return (id, data);
            }
            passed.push(data.to_string());
        }
        panic!("the stream ended without {kind} {what} {outcome}; it had {passed:#?}");
    }
}

#[test]
fn everything_that_changes_is_told_in_order_and_can_be_heard_again() {
    let origin = Origin::start();
    let rules = "[[limit]]\nname = \"search\"\nper = \"client\"\nrate = \"1/h\"\nburst = 1\nmatch = { path = \"/search\" }\nthen = \"deny\"\nban = \"10m\"\n";
    let boma =
        Setup::new().settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n").rules(rules).start(origin.address);
    let mut listener = Listener::new(&boma, "");
    let done = |method: &str, path: &str, body: &str| {
        let answer = boma.staff(method, path, JSON, body);
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
    };
    done("PUT", "/api/v1/posture", "{\"level\":\"guarded\",\"for\":\"1s\",\"reason\":\"INC-42\"}");
    let (_, pinned) = listener.wait("posture", "posture guarded for: INC-42", "applied");
    assert_eq!(pinned["who"], "staff administrator (admin)");
    listener.wait("posture", "posture guarded has expired; now auto", "applied");
    // A measure: laid, about to end, extended, taken out; another ends by itself.
    let measure = |name: &str, lasts: &str| {
        format!(
            "{{\"name\":\"{name}\",\"match\":{{\"path\":\"/{name}\"}},\"then\":\"deny\",\"for\":\"{lasts}\",\"reason\":\"INC-42\"}}"
        )
    };
    // It tells how much it was used.
    let asked = |n: u64| {
        (0..n).for_each(|_| drop(get(boma.at(), "/long")));
        eventually("it is looked back upon", || {
            let seen = boma.staff("POST", "/api/v1/rules/preview", "", rules).json();
            (seen["requests"].as_u64() >= Some(n)).then_some(())
        });
    };
    asked(3);
    done("POST", "/api/v1/measures", &measure("long", "901s"));
    let (laid, _) = listener.wait("measure", "measure long for: INC-42", "applied");
    listener.wait("trouble", "measure long ends in 15 minutes; it matched 3 requests", "holds");
    done("PATCH", "/api/v1/measures/long", "{\"for\":\"2h\"}");
    listener.wait("measure", "a later end of measure long", "applied");
    listener.wait("trouble", "measure long ends in 15 minutes", "over");
    done("POST", "/api/v1/measures", &measure("short", "1s"));
    listener.wait("measure", "end of measure short", "applied");
    assert_eq!(boma.staff("POST", "/api/v1/measures", JSON, &measure("long", "1h")).status, 422);
    listener.wait("measure", "measure long", "rejected");
    done("DELETE", "/api/v1/measures/long", "");
    listener.wait("measure", "measure long taken out", "applied");
    // Bans, by hand and by themselves.
    done("POST", "/api/v1/bans", "{\"net\":\"192.0.2.0/24\",\"for\":\"1h\",\"reason\":\"INC-42\"}");
    listener.wait("ban", "ban of 192.0.2.0/24 for: INC-42", "applied");
    done("DELETE", "/api/v1/bans/192.0.2.0/24", "");
    listener.wait("ban", "ban of 192.0.2.0/24 taken out", "applied");
    let asks = || crate::harness::request(boma.at(), "GET", "/search", "X-Forwarded-For: 192.0.2.7\r\n", "").status;
    eventually("it is banned", || (asks() == 403).then_some(()));
    let (_, banned) = listener.wait("ban", "ban of 192.0.2.7/32 by search", "applied");
    assert_eq!(banned["who"], "rules");
    // Rules, good and bad.
    boma.setup.folder.write("rules.toml", &rules.replace("burst = 1", "burst = 2"));
    let (_, saved) = listener.wait("rules", "rules", "applied, generation");
    assert_eq!(saved["who"], "file");
    boma.setup.folder.write("rules.toml", "nonsense");
    let (last, _) = listener.wait("rules", "rules", "rejected");
    // Who comes back hears what came since, in order and each once.
    let mut again = Listener::new(&boma, &laid);
    let mut ids = Vec::new();
    let (mut seen, end) = (String::new(), last);
    while seen != end {
        let (event, id, data) = again.next().unwrap();
        assert!(event != "gap" && data["at"].as_u64().is_some_and(|at| at > 1_700_000_000), "{data}");
        seen = id;
        ids.push(seen.rsplit('-').next().unwrap().parse::<u64>().unwrap());
    }
    let first = laid.rsplit('-').next().unwrap().parse::<u64>().unwrap() + 1;
    assert_eq!(ids, (first..first + ids.len() as u64).collect::<Vec<_>>());
    let (event, _, data) = Listener::new(&boma, "boma-another-1").next().unwrap();
    assert_eq!((event.as_str(), &data["missed"]), ("gap", &Value::Null), "of another run nobody knows");
}

#[test]
fn a_stream_ends_on_drain_and_with_its_token_and_there_are_not_too_many() {
    let origin = Origin::start();
    let setup = Setup { admin: "tokens = \"admin-tokens.toml\"", ..Setup::new() };
    let mut boma = setup.start(origin.address);
    let token = |arguments: &[&str]| {
        let config = boma.setup.file("boma.toml");
        let done =
            Command::new(env!("CARGO_BIN_EXE_boma")).arg("token").args(arguments).arg("--config").arg(config).output();
        String::from_utf8(done.unwrap().stdout).unwrap().trim().to_owned()
    };
    let made = token(&["add", "--name", "soc-night", "--role", "viewer"]);
    let mut hers = eventually("her token is known", || {
        let (status, listener) = Listener::ask(&boma, &made, "");
        (status == 200).then_some(listener)
    });
    let mut all: Vec<Listener> = (0..63).map(|_| Listener::new(&boma, "")).collect();
    let (status, _) = Listener::ask(&boma, TOKEN, "");
    assert_eq!(status, 503, "sixty-four listen already");
    token(&["remove", "--name", "soc-night"]);
    let end = std::iter::from_fn(|| hers.next()).find(|(event, ..)| event == "end").unwrap();
    assert!(end.2["why"].as_str().unwrap().contains("token"), "{end:?}");
    assert!(hers.next().is_none());
    all.push(eventually("her place is free", || {
        let (status, listener) = Listener::ask(&boma, TOKEN, "");
        (status == 200).then_some(listener)
    }));
    boma.signal("TERM");
    for mut listener in all {
        let end = std::iter::from_fn(|| listener.next()).find(|(event, ..)| event == "end");
        assert!(end.is_some_and(|(_, _, data)| data["why"].as_str().unwrap().contains("drains")));
    }
    assert!(boma.wait().success());
}

/// `boma events`, and its lines.
struct Watching(Child, Receiver<String>);

impl Watching {
    fn start(boma: &Boma, arguments: &[&str]) -> Watching {
        let mut child = Command::new(env!("CARGO_BIN_EXE_boma"))
            .arg("events")
            .args(arguments)
            .env("BOMA_ADMIN", format!("http://{}", boma.admin))
            .env("BOMA_ADMIN_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let other = send.clone();
        std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|l| send.send(l)));
        std::thread::spawn(move || BufReader::new(err).lines().map_while(Result::ok).try_for_each(|l| other.send(l)));
        Watching(child, lines)
    }

    fn line(&self, words: &str) -> String {
        loop {
            let line = self.1.recv_timeout(CEILING).unwrap_or_else(|e| panic!("{e}: no line with {words}"));
            if line.contains(words) {
                return line;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_command_prints_a_line_for_each_change() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    assert_eq!(get(boma.at(), "/").status, 200);
    let people = Watching::start(&boma, &[]);
    people.line("listening to http://127.0.0.1");
    boma.posture("guarded");
    let line = people.line("posture guarded");
    assert!(
        line.starts_with("20")
            && line.ends_with(
                "posture    staff administrator (admin)   posture guarded for: a test   applied, generation 1"
            ),
        "{line}"
    );
    // What was told before is heard by whoever names an event before it.
    let programs = Watching::start(&boma, &["--format", "json", "--after", "boma-another-1"]);
    let gap: Value = serde_json::from_str(&programs.line("gap")).unwrap();
    assert_eq!(gap["kind"], "gap");
    let event: Value = serde_json::from_str(&programs.line("posture guarded")).unwrap();
    assert_eq!((&event["kind"], &event["who"]), (&"posture".into(), &"staff administrator (admin)".into()));
    drop(boma);
    people.line("asking again");
}
