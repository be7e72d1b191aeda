//! Signals, drain, ports, TLS, and settings that change while boma runs.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::harness::{Boma, Client, Folder, Origin, Setup, eventually, get, load, navigate};

#[test]
fn term_lets_what_is_under_way_finish_and_ends_with_0() {
    let origin = Origin::start();
    let mut boma = Setup::new().start(origin.address);
    let mut idle = Client::connect(boma.at()).unwrap();
    idle.ask("GET", "/", "", "").unwrap();
    let mut busy = Client::connect(boma.at()).unwrap();
    busy.send(b"GET /slow HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("it is with the origin", || {
        origin.reached_by_citizens().iter().any(|r| r.target == "/slow").then_some(())
    });
    boma.signal("TERM");
    assert_eq!(busy.read(false).unwrap().status, 200, "what is under way finishes");
    assert_eq!(boma.wait().code(), Some(0));
    assert!(Client::connect(boma.at()).is_err());
}

#[test]
fn a_second_signal_ends_at_once() {
    let origin = Origin::start();
    let mut boma = Setup::new().start(origin.address);
    origin.set(crate::harness::Mode::Hangs);
    let mut busy = Client::connect(boma.at()).unwrap();
    busy.send(b"GET /x HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("it is with the origin", || (!origin.reached_by_citizens().is_empty()).then_some(()));
    boma.signal("INT");
    eventually("it drains", || boma.log().contains("draining").then_some(()));
    assert!(boma.child.try_wait().unwrap().is_none(), "the drain waits for the request");
    boma.signal("INT");
    assert_eq!(boma.wait().code(), Some(0));
}

#[test]
fn usr1_opens_the_log_anew_and_hup_reads_the_files() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    get(boma.at(), "/before");
    let (log, old) = (boma.setup.file("access.log"), boma.setup.file("access.log.1"));
    eventually("the line is written", || fs::read_to_string(&log).ok().filter(|t| t.contains("/before")));
    fs::rename(&log, &old).unwrap();
    boma.signal("USR1");
    eventually("lines go to the new file", || {
        get(boma.at(), "/after");
        fs::read_to_string(&log).ok().filter(|t| t.contains("/after"))
    });
    boma.setup.folder.write("rules.toml", "[[rule]]\nname = \"r\"\nmatch = { path = \"/probe\" }\nthen = \"deny\"\n");
    boma.signal("HUP");
    eventually("the rules are in force", || (get(boma.at(), "/probe").status == 403).then_some(()));
}

#[test]
fn a_port_in_use_is_named_and_ends_with_1() {
    let origin = Origin::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup::new();
    setup.write(&origin.address.to_string());
    let text = fs::read_to_string(setup.file("boma.toml")).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    setup.folder.write("boma.toml", &text.replacen("127.0.0.1:0", &address, 1));
    let command = crate::harness::command(&setup);
    let (status, log) = Boma::spawn(setup, command).err().expect("it does not start");
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains(&address) && log.contains("another process has this port") && !log.contains("panicked"),
        "{log}"
    );
}

#[test]
fn portals_change_while_boma_runs_and_what_needs_a_restart_is_named() {
    let (origin, other) = (Origin::start(), Origin::start());
    other.title("Mpya");
    let boma = Setup::new().start(origin.address);
    let text = fs::read_to_string(boma.setup.file("boma.toml")).unwrap();
    let changed =
        text.replace(&origin.address.to_string(), &other.address.to_string()).replace("access.log", "other.log");
    boma.setup.folder.write("boma.toml", &changed);
    eventually("the new origin answers", || get(boma.at(), "/").text().contains("Mpya").then_some(()));
    assert_eq!(boma.status()["restart_needed"], serde_json::json!(["log"]));
    boma.setup.folder.write("boma.toml", &changed.replace("hosts =", "host =\nhosts ="));
    eventually("a broken file is refused", || (boma.metric("boma_config_last_reload_successful") == 0.0).then_some(()));
    assert_eq!(get(boma.at(), "/").status, 200);
    boma.setup.folder.write("boma.toml", &text);
    eventually("the first origin is back", || get(boma.at(), "/").text().contains("Karibu").then_some(()));
    assert_eq!(boma.status()["restart_needed"], serde_json::json!([]));
}

#[test]
fn check_names_every_fault_and_ends_with_78() {
    let check = |setup: &Setup, more: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_boma"))
            .arg("check")
            .arg("--config")
            .arg(setup.file("boma.toml"))
            .args(more)
            .output()
            .unwrap();
        (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
    };
    let setup = Setup::new()
        .portal("tiitle = \"x\"\n")
        .rules("[[rule]]\nname = \"r\"\nmatch = { path = \"/x\" }\nthen = \"denny\"\n");
    setup.write("127.0.0.1:1");
    let (code, said) = check(&setup, &[]);
    assert_eq!(code, 78);
    assert!(
        said.contains("unknown key `portal.tiitle`")
            && said.contains("did you mean `title`?")
            && said.contains("rules.toml:4:8:"),
        "{said}"
    );
    let (code, said) = check(&setup, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, json["faults"].as_array().unwrap().len()), (78, 2), "{said}");
    let setup = Setup::new();
    setup.write("127.0.0.1:1");
    assert_eq!(check(&setup, &[]).0, 0);
}

#[test]
fn tls_serves_both_versions_of_http_and_takes_a_new_certificate() {
    let origin = Origin::start();
    let mut setup = Setup::new().settings("[[certificate]]\nchain = \"tls.pem\"\nkey = \"tls.key\"\n");
    setup.listen = "tls = true\n[[listen]]\naddress = \"127.0.0.1:0\"\n";
    let write = |setup: &Setup| {
        let made = rcgen::generate_simple_self_signed(vec!["huduma.example".into()]).unwrap();
        setup.folder.write("tls.key", &made.signing_key.serialize_pem());
        setup.folder.write("tls.pem", &made.cert.pem());
        made.cert.pem()
    };
    let first = write(&setup);
    let boma = setup.start(origin.address);
    let curl = |version: &str, pem: &str| {
        boma.setup.folder.write("trusted.pem", pem);
        let door = format!("huduma.example:{}:127.0.0.1", boma.at().port());
        let url = format!("https://huduma.example:{}/", boma.at().port());
        let trusted = boma.setup.file("trusted.pem");
        let done = Command::new("curl")
            .args(["-s", version, "--resolve", &door, "--cacert"])
            .arg(trusted)
            .args(["-w", " %{http_version} %{http_code}", "-o", "/dev/null", &url])
            .output();
        String::from_utf8(done.expect("curl is installed: tests/run.sh does it").stdout).unwrap()
    };
    assert_eq!(curl("--http2", &first), " 2 200");
    assert_eq!(curl("--http1.1", &first), " 1.1 200");
    let reached = origin.reached_by_citizens();
    assert_eq!(reached.last().unwrap().field("x-forwarded-proto").as_deref(), Some("https"));
    let second = write(&boma.setup);
    eventually("the new certificate is served", || (curl("--http1.1", &second) == " 1.1 200").then_some(()));
    boma.setup.folder.write("tls.key", "nothing");
    eventually("a broken one is refused", || (boma.metric("boma_config_last_reload_successful") == 0.0).then_some(()));
    assert_eq!(curl("--http2", &second), " 2 200", "the old one stays");
    let plain = boma.doors[1];
    assert_eq!(navigate(plain, "/").status, 200);
}

#[test]
fn a_second_boma_takes_over_and_no_connection_is_refused() {
    let origin = Origin::start();
    let wide = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\nburst = 1000000\n";
    let mut first = Setup::new().rules(wide).start(origin.address);
    first.posture("guarded");
    let at = first.at();
    // Each request on a connection of its own: a refused one would be seen.
    let traffic = load(at, 4, &["/a", "/b"], "Connection: close\r\n");
    let setup = Setup { folder: Folder(first.setup.folder.0.clone()), ..Setup::new() };
    let mut second = Boma::start(setup, &["--takeover"]);
    assert_eq!((second.at(), second.admin), (at, first.admin), "the same sockets");
    assert!(first.wait().success(), "the first one drains and ends:\n{}", first.log());
    for _ in 0..50 {
        assert_eq!(get(at, "/c").status, 200);
    }
    let answers = traffic.stop();
    assert!(answers.len() > 20);
    let lost: Vec<_> = answers.iter().filter(|a| !matches!(a, Ok(a) if a.status == 200)).collect();
    assert!(lost.is_empty(), "{} of {}: {lost:?}", lost.len(), answers.len());
    assert_eq!(second.status()["postures"][0]["posture"], "guarded", "{}", second.status());
    assert!(second.status()["troubles"].as_array().is_none_or(Vec::is_empty), "{}", second.status());
    // Both have counted, the first one to the end of its drain.
    second.signal("TERM");
    assert!(second.wait().success());
    let third = Boma::start(second.kill(), &[]);
    let kept = third.staff("GET", "/api/v1/totals", "", "").json();
    let of = |m: &serde_json::Value| m["counts"]["information"]["full"][0].as_u64().unwrap_or(0);
    let sum: u64 = kept["minutes"].as_array().unwrap().iter().map(of).sum();
    assert_eq!(sum, answers.len() as u64 + 50, "{kept}");
    // Without anybody to take over from it just starts.
    let alone = Setup::new();
    alone.write(&origin.address.to_string());
    assert_eq!(get(Boma::start(alone, &["--takeover"]).at(), "/d").status, 200);
}

#[test]
fn sockets_that_systemd_holds_are_served() {
    let origin = Origin::start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Setup::new();
    setup.write(&origin.address.to_string());
    let text = std::fs::read_to_string(setup.file("boma.toml")).unwrap();
    setup.folder.write("boma.toml", &text.replacen("127.0.0.1:0", &port.to_string(), 1));
    let mut child = std::process::Command::new("systemd-socket-activate")
        .args(["-l", &port.to_string(), "--setenv=BOMA_LOG=error", env!("CARGO_BIN_EXE_boma"), "run", "--config"])
        .arg(setup.file("boma.toml"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let answer = eventually("the socket is served", || {
        let mut client = Client::connect(port).ok()?;
        client.ask("GET", "/a", "", "").ok()
    });
    let _ = std::process::Command::new("kill").arg(child.id().to_string()).status();
    let _ = child.wait();
    assert_eq!(answer.status, 200);
}
