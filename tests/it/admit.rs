//! Permits: one request more than `max_in_flight` does not reach the origin.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::frames::{Conn, END_HEADERS, END_STREAM, HEADERS, SETTINGS, block, frame};
use crate::harness::{Client, Mode, Origin, Setup, eventually, get, navigate};
use crate::wire::scripted;

/// Sends 64 MiB on `/big`, more than the buffers of all systems on the way, and a word on anything else.
fn bulky() -> SocketAddr {
    scripted(|mut stream, head| {
        let big = head.starts_with("GET /big");
        let length = if big { 64 << 20 } else { 2 };
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        let piece = [b'x'; 65536];
        let mut left = length;
        while left > 0 {
            let n = left.min(piece.len());
            if stream.write_all(&piece[..n]).is_err() {
                return;
            }
            left -= n;
        }
    })
}

#[test]
fn one_more_than_max_in_flight_stays_outside() {
    let origin = Origin::start();
    let boma = Setup::new().portal("max_in_flight = 3\n").start(origin.address);
    origin.set(Mode::Hangs);
    let mut inside: Vec<Client> = (0..3).map(|_| Client::connect(boma.at()).unwrap()).collect();
    for (i, client) in inside.iter_mut().enumerate() {
        client.send(format!("GET /{i} HTTP/1.1\r\nHost: huduma.example\r\n\r\n").as_bytes()).unwrap();
        eventually("it reaches the origin", || (origin.reached_by_citizens().len() == i + 1).then_some(()));
    }
    let outside = get(boma.at(), "/fourth");
    assert_eq!((outside.status, outside.field("proxy-status")), (503, Some("boma; error=connection_limit_reached")));
    assert!(outside.field("retry-after").is_some());
    assert!(navigate(boma.at(), "/fourth").text().contains("Please wait for your turn"));
    assert_eq!(origin.reached_by_citizens().len(), 3, "it did not reach the origin");
    assert_eq!(boma.status()["postures"][0]["in_flight"], 3);
    // Who leaves gives the place back.
    origin.set(Mode::Works);
    inside.clear();
    origin.set(Mode::Works);
    eventually("there is room again", || (get(boma.at(), "/fifth").status == 200).then_some(()));
}

#[test]
fn forms_sent_byte_by_byte_keep_nobody_out() {
    let origin = Origin::start();
    let boma = Setup::new().portal("max_in_flight = 2\n").start(origin.address);
    let slow: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = Client::connect(boma.at()).unwrap();
            client.send(b"POST /form HTTP/1.1\r\nHost: huduma.example\r\nContent-Length: 4096\r\n\r\na=").unwrap();
            client
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(get(boma.at(), "/").status, 200);
    }
    assert!(origin.reached_by_citizens().iter().all(|r| r.method == "GET"));
    drop(slow);
}

#[test]
fn slow_readers_keep_half_of_the_permits_and_no_more() {
    let boma = Setup::new().portal("max_in_flight = 8\n").start(bulky());
    let slow: Vec<TcpStream> = (0..24)
        .map(|_| {
            let mut stream = TcpStream::connect(boma.at()).unwrap();
            stream.write_all(b"GET /big HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
            stream
        })
        .collect();
    eventually("slow readers made room", || (boma.status()["postures"][0]["in_flight"] == 4).then_some(()));
    for _ in 0..20 {
        assert_eq!(get(boma.at(), "/").status, 200);
    }
    // Once nobody waits for a place, the others may go on.
    eventually("half of them go on", || (boma.status()["postures"][0]["in_flight"] == 4).then_some(()));
    drop(slow);
}

#[test]
fn streams_without_a_window_keep_half_of_the_permits_and_no_more() {
    let setup = Setup { listen: "h2c = true", ..Setup::new() };
    let boma = setup.portal("max_in_flight = 8\n").start(bulky());
    let mut conn = Conn::raw(boma.at());
    let nothing = [0, 4, 0, 0, 0, 0];
    conn.send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, &nothing)].concat());
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/big"), (":authority", "huduma.example")];
    for stream in 0..8 {
        conn.send(&frame(HEADERS, END_STREAM | END_HEADERS, 2 * stream + 1, &block(&fields)));
    }
    eventually("streams made room", || (boma.status()["postures"][0]["in_flight"] == 4).then_some(()));
    for _ in 0..20 {
        assert_eq!(get(boma.at(), "/").status, 200);
    }
    drop(conn);
}

#[test]
fn slow_uploads_keep_half_of_the_permits_and_no_more() {
    let origin = Origin::start();
    let boma = Setup::new().portal("max_in_flight = 8\n").start(origin.address);
    let slow: Vec<Client> = (0..8)
        .map(|_| {
            let mut client = Client::connect(boma.at()).unwrap();
            let head = "POST /form HTTP/1.1\r\nHost: huduma.example\r\nContent-Length: 400000\r\n\r\n";
            client.send(&[head.as_bytes(), &[b'x'; 20_000]].concat()).unwrap();
            client
        })
        .collect();
    eventually("slow uploads made room", || (boma.status()["postures"][0]["in_flight"] == 4).then_some(()));
    assert_eq!(get(boma.at(), "/").status, 200);
    drop(slow);
}

/// Has so many processes, each 40 ms at one request.
fn processes(count: usize) -> SocketAddr {
    let free = Arc::new((Mutex::new(count), Condvar::new()));
    scripted(move |mut stream, _| {
        let (left, freed) = &*free;
        let mut left = freed.wait_while(left.lock().unwrap(), |n| *n == 0).unwrap();
        *left -= 1;
        drop(left);
        std::thread::sleep(Duration::from_millis(40));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        *free.0.lock().unwrap() += 1;
        freed.notify_one();
    })
}

#[test]
fn filing_is_served_beside_a_flood_of_information_and_the_limit_finds_the_knee() {
    const WIDE: &str = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\nburst = 1000000\n";
    let route = "[[portal.route]]\npath = \"/file/*\"\nclass = \"filing\"\n";
    let boma = Setup::new().portal(route).rules(WIDE).start(processes(4));
    let status = || boma.status()["postures"][0].clone();
    assert_eq!((&status()["adaptive"], &status()["max_in_flight"]), (&true.into(), &100.into()));
    for _ in 0..60 {
        assert_eq!(get(boma.at(), "/quiet").status, 200);
        assert_eq!(get(boma.at(), "/file/quiet").status, 200);
    }
    let over = Arc::new(AtomicBool::new(false));
    let flood: Vec<_> = (0..60)
        .map(|n| {
            let (over, at) = (over.clone(), boma.at());
            std::thread::spawn(move || {
                let mut statuses = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    statuses.push(get(at, &format!("/information/{n}")).status);
                    // Who is sent away comes again, but does not spin.
                    std::thread::sleep(Duration::from_millis(20));
                }
                statuses
            })
        })
        .collect();
    eventually("the limit comes down", || (status()["max_in_flight"].as_u64()? <= 24).then_some(()));
    let filed: Vec<u16> = (0..100).map(|n| get(boma.at(), &format!("/file/{n}")).status).collect();
    let now = status();
    over.store(true, Ordering::Relaxed);
    let informed: Vec<u16> = flood.into_iter().flat_map(|f| f.join().unwrap()).collect();
    let served = |statuses: &[u16]| statuses.iter().filter(|s| **s == 200).count();
    assert!(served(&filed) >= 95, "{} of 100", served(&filed));
    assert!(served(&informed) >= 100 && served(&informed) < informed.len(), "some are sent away, none starves");
    // Twice that would still be a good answer where the machine has other things to do.
    assert!((3..=48).contains(&now["max_in_flight"].as_u64().unwrap()), "{now}");
}

#[test]
fn an_origin_that_died_comes_back_in_steps_cache_first_and_a_relapse_steps_back() {
    const WIDE: &str = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\nburst = 1000000\n";
    let kept = "max_in_flight = 40\n[[portal.route]]\npath = \"/kept\"\ncache = \"1s\"\n";
    let origin = Origin::start();
    let boma = Setup::new().portal(kept).rules(WIDE).start(origin.address);
    let step = || boma.status()["postures"][0]["recovering"].clone();
    (0..30).for_each(|_| assert_eq!(get(boma.at(), "/").status, 200));
    assert_eq!(get(boma.at(), "/kept").status, 200);
    assert!(step().is_null());
    let address = origin.kill();
    eventually("it is seen that the origin is dead", || {
        (0..20).for_each(|_| assert_eq!(get(boma.at(), "/").status, 502));
        (step() == 5).then_some(())
    });
    assert_eq!(boma.status()["postures"][0]["max_in_flight"], 2, "a twentieth of forty");
    eventually("what is kept stands before the origin once it is stale", || {
        let stale = get(boma.at(), "/kept");
        assert_eq!(stale.status, 200);
        stale.field("cache-status").is_some_and(|s| s.contains("detail=spared")).then_some(())
    });

    let origin = Origin::start_at(address);
    let mut seen = Vec::new();
    let mut ask = |until: u64, mode: Option<Mode>| {
        eventually(&format!("step {until}"), || {
            (0..20).for_each(|_| drop(get(boma.at(), "/")));
            let now = step();
            if seen.last() != Some(&now) {
                seen.push(now.clone());
            }
            now.as_u64().map_or(until == 100, |percent| percent == until).then(|| mode.map(|m| origin.set(m)))
        });
    };
    ask(25, Some(Mode::Fails));
    ask(10, Some(Mode::Works));
    eventually("people are told", || {
        get(boma.at(), "/.well-known/boma/status").text().contains("is coming back").then_some(())
    });
    ask(50, None);
    eventually("it is back", || {
        (0..20).for_each(|_| assert_eq!(get(boma.at(), "/").status, 200));
        step().is_null().then_some(())
    });
    let percents: Vec<u64> = seen.iter().filter_map(|s| s.as_u64()).collect();
    assert!(percents.starts_with(&[5, 10, 25]) && percents.last() == Some(&50), "{percents:?}");
    assert_eq!(boma.status()["postures"][0]["max_in_flight"], 40);
}

#[test]
fn while_an_origin_hangs_three_at_a_time_try_it_and_the_others_are_answered_at_once() {
    let origin = Origin::start();
    let boma = Setup::new().portal("response_timeout = \"300ms\"\n").start(origin.address);
    origin.set(Mode::Hangs);
    eventually("its circuit opens", || {
        let statuses: Vec<u16> = (0..5).map(|_| get(boma.at(), "/").status).collect();
        (statuses == [504; 5]).then_some(())
    });
    let before = origin.reached_by_citizens().len();
    let asking: Vec<_> = (0..24)
        .map(|n| {
            let at = boma.at();
            std::thread::spawn(move || get(at, &format!("/{n}")).status)
        })
        .collect();
    let statuses: Vec<u16> = asking.into_iter().map(|a| a.join().unwrap()).collect();
    assert!(statuses.iter().all(|s| matches!(s, 502..=504)), "{statuses:?}");
    assert!(origin.reached_by_citizens().len() - before <= 12, "few of them reached it");
    origin.set(Mode::Works);
    eventually("it is back", || (get(boma.at(), "/").status == 200).then_some(()));
}
