//! The machine runs short: who is turned away then, who is not, and that it ends.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use boma::bounds;

use crate::harness::{Boma, Client, Mode, Origin, Setup, command, eventually, get, navigate, request};

const PROGRAM: &str = "Accept: application/json\r\n";
const ROUTES: &str = "[[portal.route]]\npath = \"/big/*\"\ncache = \"origin\"\n[[portal.route]]\npath = \"/pay/*\"\nclass = \"payment\"\n";

fn house(settings: &str) -> (Origin, Boma) {
    let origin = Origin::start();
    let boma = Setup::new().settings(settings).portal(ROUTES).start(origin.address);
    (origin, boma)
}

/// Resident memory in MiB.
fn resident(boma: &Boma) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", boma.child.id())).unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn strain(boma: &Boma, of: &str) -> String {
    boma.status()["strain"][of].as_str().unwrap().to_owned()
}

/// Who is turned away, and who is not.
fn strangers_wait(boma: &Boma, pass: &str) {
    let refused = request(boma.at(), "GET", "/", PROGRAM, "");
    assert_eq!((refused.status, &refused.json()["reason"]), (503, &"admit.strained".into()), "{}", refused.text());
    assert!(refused.field("retry-after").is_some());
    let page = navigate(boma.at(), "/");
    assert!(page.status == 503 && page.text().contains("<h1>"), "{}", page.text());
    let held = request(boma.at(), "GET", "/", &format!("{PROGRAM}Cookie: {pass}\r\n"), "");
    assert_eq!(held.status, 200, "who was here before is served: {}", held.text());
    assert_eq!(request(boma.at(), "POST", "/pay/back", PROGRAM, "paid=1").status, 200, "a payment's call-back is");
    assert_eq!(get(boma.at(), "/.well-known/boma/status").status, 200);
    let troubles = boma.status()["troubles"].to_string();
    assert!(troubles.contains("strangers are turned away"), "{troubles}");
}

#[test]
fn short_of_memory_strangers_wait_and_citizens_are_served_until_it_is_given_back() {
    let (origin, boma) =
        house("[server]\nmemory = \"256MiB\"\n[client]\nmemory = \"8MiB\"\n[cache]\nmemory = \"400MiB\"\n");
    let pass = navigate(boma.at(), "/").pass().unwrap();
    let mut idle = Client::connect(boma.at()).unwrap();
    assert_eq!(idle.ask("GET", "/", "", "").unwrap().status, 200);
    origin.title(&"x".repeat(1 << 20));
    origin.extra("Cache-Control: max-age=600\r\n");
    for n in 0..400 {
        if resident(&boma) >= 238 {
            break;
        }
        assert_eq!(get(boma.at(), &format!("/big/{n}")).status, 200);
    }
    origin.title("Huduma");
    origin.extra("");
    eventually("memory is scarce", || (strain(&boma, "memory") == "scarce").then_some(()));
    strangers_wait(&boma, &pass);
    assert_eq!(boma.metric("boma_strain{source=\"memory\"}"), 2.0);
    assert_eq!(get(boma.at(), "/big/0").status, 200, "what is kept costs nothing");
    eventually("a connection between requests is closed sooner", || idle.is_closed().then_some(()));
    let (code, told) = boma.command(&["cache", "purge", "--prefix", "/"]);
    assert_eq!(code, 0, "{told}");
    eventually("memory is given back", || (strain(&boma, "memory") == "none").then_some(()));
    assert_eq!(request(boma.at(), "GET", "/", PROGRAM, "").status, 200);
    assert!(!boma.status()["troubles"].to_string().contains("strained"));
}

#[test]
fn at_the_end_of_memory_the_door_is_closed_and_the_staffs_is_not() {
    let (origin, boma) =
        house("[server]\nmemory = \"256MiB\"\n[client]\nmemory = \"8MiB\"\n[cache]\nmemory = \"400MiB\"\n");
    let pass = format!("Cookie: {}\r\n", navigate(boma.at(), "/").pass().unwrap());
    origin.title(&"x".repeat(1 << 20));
    origin.extra("Cache-Control: max-age=600\r\n");
    let comes = |path: &str| Client::connect(boma.at()).and_then(|mut c| c.ask("GET", path, &pass, ""));
    let full = |n: usize| resident(&boma) >= 252 || comes(&format!("/big/{n}")).is_err();
    assert!((0..400).any(full), "memory was used: {} MiB", resident(&boma));
    eventually("nothing is left", || (strain(&boma, "memory") == "spent").then_some(()));
    let refused = boma.metric("boma_connections_refused_total");
    assert!(comes("/").is_err(), "nobody comes in, with a pass or without");
    assert!(boma.metric("boma_connections_refused_total") > refused);
    let (code, told) = boma.command(&["cache", "purge", "--prefix", "/"]);
    assert_eq!(code, 0, "{told}");
    eventually("the door is open again", || comes("/").ok().filter(|a| a.status == 200));
}

#[test]
fn near_a_full_line_strangers_wait() {
    let (origin, boma) = house("[server]\negress = \"1Mbit\"\n");
    let pass = navigate(boma.at(), "/").pass().unwrap();
    origin.title(&"x".repeat(200_000));
    let full = |_: &str| {
        let _ = request(boma.at(), "GET", "/", &format!("{PROGRAM}Cookie: {pass}\r\n"), "");
        (strain(&boma, "uplink") == "scarce").then_some(())
    };
    let page = || request(boma.at(), "GET", "/x", "Accept: text/html\r\nAccept-Encoding: gzip\r\n", "").body.len();
    boma.posture("closed");
    let whole = page();
    boma.posture("normal");
    eventually("the line is full", || full("/"));
    let small = page();
    assert!(small <= 1500 && whole > small + 500, "{small} of {whole} bytes");
    strangers_wait(&boma, &pass);
    eventually("it is over", || (strain(&boma, "uplink") == "none").then_some(()));
    assert_eq!(request(boma.at(), "GET", "/", PROGRAM, "").status, 200);
}

/// A boma that may open so many descriptors and no more.
fn with_descriptors(setup: Setup, most: usize) -> Boma {
    let plain = command(&setup);
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -n {most} && exec \"$0\" \"$@\""));
    limited.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.stdout(Stdio::null()).stderr(Stdio::piped());
    Boma::spawn(setup, limited).unwrap_or_else(|(status, log)| panic!("boma did not start ({status}):\n{log}"))
}

#[test]
fn short_of_descriptors_strangers_wait_and_who_is_here_and_staff_are_served() {
    const MOST: usize = 100;
    let origin = Origin::start();
    let setup = Setup::new().portal(&format!("max_in_flight = 500\n{ROUTES}"));
    setup.write(&origin.address.to_string());
    let boma = with_descriptors(setup, bounds::DESCRIPTORS_KEPT + MOST);
    let pass = navigate(boma.at(), "/").pass().unwrap();
    let own = format!("{PROGRAM}Cookie: {pass}\r\n");
    let mut reader = Client::connect(boma.at()).unwrap();
    assert_eq!(reader.ask("GET", "/", &own, "").unwrap().status, 200);
    // Strangers hold nearly all of them, each with a request that is not answered.
    origin.set(Mode::Hangs);
    let before = origin.reached_by_citizens().len();
    let strangers = |count: usize| -> Vec<Client> {
        let one = |_| {
            let mut client = Client::connect_from("127.0.0.9", boma.at()).unwrap();
            client.send(b"GET /held HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
            client
        };
        (0..count).map(one).collect()
    };
    let held = strangers(MOST - 4);
    eventually("they are with the origin", || {
        (origin.reached_by_citizens().len() == before + held.len()).then_some(())
    });
    origin.set(Mode::Works);
    eventually("connections are scarce", || {
        // Who goes on reading keeps their connection.
        assert_eq!(reader.ask("GET", "/", &own, "").unwrap().status, 200);
        (strain(&boma, "connections") == "scarce").then_some(())
    });
    strangers_wait(&boma, &pass);
    assert_eq!(boma.metric("boma_strain{source=\"connections\"}"), 2.0);
    assert_eq!(reader.ask("GET", "/", &own, "").unwrap().status, 200, "who is connected is served");
    // The house is full, with some who say nothing, and there is room all the same for who has a pass.
    origin.set(Mode::Holds);
    reader.send(format!("GET /mine HTTP/1.1\r\nHost: huduma.example\r\n{own}\r\n").as_bytes()).unwrap();
    let asked = |path: &str| origin.reached_by_citizens().iter().any(|r| r.target == path).then_some(());
    eventually("it is with the origin", || asked("/mine"));
    let silent: Vec<Client> = (0..10).map(|_| Client::connect_from("127.0.0.9", boma.at()).unwrap()).collect();
    eventually("it is full", || (boma.metric("boma_connections") == MOST as f64).then_some(()));
    let comes = |path: &str| Client::connect(boma.at()).and_then(|mut c| c.ask("GET", path, &own, "")).ok();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| eventually("who has a pass comes in", || comes("/came")));
        eventually("theirs is with the origin", || asked("/came"));
        origin.set(Mode::Works);
        assert_eq!(asking.join().unwrap().status, 200);
    });
    assert_eq!(reader.read(false).unwrap().status, 200, "what was under way comes to its end");
    let (code, told) = boma.command(&["status"]);
    assert!(code == 0 && told.contains("strangers are turned away"), "{told}");
    drop((held, silent));
    eventually("there is room again", || (strain(&boma, "connections") == "none").then_some(()));
    assert_eq!(request(boma.at(), "GET", "/", PROGRAM, "").status, 200);
    assert!(!boma.status()["troubles"].to_string().contains("strained"));
}

/// A machine on which boma gets a fifth of a second of every one.
fn starved<R>(boma: &Boma, work: impl FnOnce() -> R) -> R {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                boma.signal("STOP");
                std::thread::sleep(Duration::from_millis(800));
                boma.signal("CONT");
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|why| std::panic::resume_unwind(why))
    })
}

#[test]
fn short_of_the_processor_strangers_wait_until_there_is_enough_of_it() {
    let (_origin, boma) = house("");
    let pass = navigate(boma.at(), "/").pass().unwrap();
    assert_eq!(request(boma.at(), "GET", "/", PROGRAM, "").status, 200, "a stranger, while there is enough");
    starved(&boma, || {
        eventually("the processor is scarce", || (strain(&boma, "cpu") == "scarce").then_some(()));
        strangers_wait(&boma, &pass);
        assert_eq!(boma.metric("boma_strain{source=\"cpu\"}"), 2.0);
    });
    eventually("it is over", || (strain(&boma, "cpu") == "none").then_some(()));
    assert_eq!(request(boma.at(), "GET", "/", PROGRAM, "").status, 200);
    assert!(!boma.status()["troubles"].to_string().contains("strained"));
}
