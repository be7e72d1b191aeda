//! Connections to origins: how many, which may be tunnels, what is tried again and how often, how long boma waits.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{CEILING, Client, Mode, Origin, Setup, eventually, get, request};
use crate::wire::{echo, read_until};

const WIDE: &str = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\nburst = 1000000\n";

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: huduma.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Asks for a WebSocket; the connection, and the head of what came back.
fn upgrade(to: std::net::SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(CEILING)).unwrap();
    stream.write_all(UPGRADE).unwrap();
    let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).unwrap();
    (stream, head)
}

#[test]
fn an_origin_gets_no_more_connections_than_it_may_have() {
    let origin = Origin::start();
    let boma = Setup::new()
        .settings("[caps]\norigin_connections = 2\n")
        .portal("connect_timeout = \"300ms\"\n")
        .start(origin.address);
    origin.set(Mode::Hangs);
    let mut inside: Vec<Client> = (0..2).map(|_| Client::connect(boma.at()).unwrap()).collect();
    for (i, client) in inside.iter_mut().enumerate() {
        client.send(format!("GET /{i} HTTP/1.1\r\nHost: huduma.example\r\n\r\n").as_bytes()).unwrap();
        eventually("it reaches the origin", || (origin.reached_by_citizens().len() == i + 1).then_some(()));
    }
    let outside = request(boma.at(), "POST", "/third", "", "a=1");
    assert_eq!((outside.status, outside.field("proxy-status")), (503, Some("boma; error=connection_limit_reached")));
    assert_eq!(origin.reached_by_citizens().len(), 2, "it did not reach the origin");
    drop(inside);
    origin.set(Mode::Works);
    eventually("there is room again", || (get(boma.at(), "/fourth").status == 200).then_some(()));
}

#[test]
fn tunnels_hold_no_permit_and_leave_half_of_the_connections() {
    let boma = Setup::new()
        .settings("[caps]\norigin_connections = 8\n")
        .portal("max_in_flight = 2\n")
        .rules(WIDE)
        .start(echo());
    let mut open: Vec<TcpStream> = Vec::new();
    for _ in 0..4 {
        let (stream, head) = upgrade(boma.at());
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        open.push(stream);
    }
    assert_eq!(boma.status()["postures"][0]["in_flight"], 0);
    let (_, head) = upgrade(boma.at());
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    // What is said on them still comes through, and a place that is left is given to the next.
    for stream in &mut open {
        stream.write_all(b"more").unwrap();
        assert_eq!(read_until(stream, b"more"), b"hellomore");
    }
    open.pop();
    eventually("there is room for another", || upgrade(boma.at()).1.starts_with("HTTP/1.1 101").then_some(()));
}

#[test]
fn a_tunnel_that_one_side_ends_still_carries_what_the_other_says() {
    let origin = crate::wire::scripted(|mut stream, _| {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        stream.write_all(&vec![b'x'; 3_000_000]).unwrap();
        stream.write_all(&said).unwrap();
    });
    let boma = Setup::new().start(origin);
    let (mut stream, _) = upgrade(boma.at());
    stream.write_all(b"the last word").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    assert_eq!((came.len(), &came[3_000_000..]), (3_000_013, &b"the last word"[..]));
}

#[test]
fn the_last_word_of_an_origin_that_hangs_up_comes_through() {
    // What it has not read makes the system reset the connection right behind its last word.
    let origin = crate::wire::scripted(|mut stream, _| {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut said = [0; 4];
        stream.read_exact(&mut said).unwrap();
        stream.write_all(b"the last word").unwrap();
        while stream.peek(&mut [0; 1]).is_err() {}
    });
    let boma = Setup::new().start(origin);
    for _ in 0..50 {
        let (mut stream, _) = upgrade(boma.at());
        for piece in [&b"said"[..], b"more", b"and more", b"and still more"] {
            // It may have hung up before it was told all.
            let _ = stream.write_all(piece);
        }
        let came = read_until(&mut stream, b"the last word");
        assert_eq!(came, b"the last word");
    }
}

#[test]
fn a_tunnel_on_which_nothing_moves_is_closed() {
    let boma = Setup::new().settings("[deadlines]\ntunnel = \"300ms\"\n").start(echo());
    let (mut stream, head) = upgrade(boma.at());
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let mut came = Vec::new();
    if let Err(e) = stream.read_to_end(&mut came) {
        assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert_eq!(came, b"hello");
}

/// Takes a request and closes, and counts that.
fn breaks() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let address = crate::wire::scripted(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (address, count)
}

#[test]
fn retries_go_elsewhere_once_and_have_a_budget() {
    let origins: Vec<_> = (0..3).map(|_| breaks()).collect();
    let names: Vec<String> = origins.iter().map(|(address, _)| address.to_string()).collect();
    let boma = Setup::new().settings("[server]\nworkers = 1\n").rules(WIDE).start_at(&names.join("\", \"http://"));
    let asked = || origins.iter().map(|(_, count)| count.load(Ordering::Relaxed)).sum::<usize>();
    // A form goes to one of them, once.
    assert_eq!(request(boma.at(), "POST", "/pay", "", "a=1").status, 502);
    assert_eq!(asked(), 1);
    // A page may be asked for at each of them, but where all are broken boma does not make three floods of one.
    const PAGES: usize = 100;
    for _ in 0..PAGES {
        assert_eq!(get(boma.at(), "/page").status, 502);
    }
    let tries = asked() - 1;
    assert!(tries > PAGES, "{tries}: some were tried again");
    assert!(tries <= PAGES + 10 + PAGES / 5 + 1, "{tries}: at most one in five and ten more were");
}

#[test]
fn a_host_that_takes_no_connection_is_given_up_after_connect_timeout() {
    // Nobody accepts, and the queue is full: further connections hang as if the host were not there.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let listener: TcpListener = socket.into();
    let address = listener.local_addr().unwrap();
    let held: Vec<_> =
        (0..4).filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()).collect();
    assert!(held.len() < 4, "the queue is full");
    let boma = Setup::new().portal("connect_timeout = \"300ms\"\n").start(address);
    let start = Instant::now();
    let answer = get(boma.at(), "/");
    assert_eq!((answer.status, answer.field("proxy-status")), (502, Some("boma; error=connection_refused")));
    assert!(start.elapsed() >= Duration::from_millis(300) && start.elapsed() < CEILING);
    drop(held);
}

#[test]
fn who_takes_nothing_of_an_answer_is_closed_upon_and_the_origin_too() {
    let gone = Arc::new(AtomicUsize::new(0));
    let shared = gone.clone();
    let origin = crate::wire::scripted(move |mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        let piece = [b'x'; 65536];
        while stream.write_all(&piece).is_ok() {}
        shared.fetch_add(1, Ordering::Relaxed);
    });
    let boma = Setup::new().settings("[deadlines]\ndownload = \"300ms\"\n").start(origin);
    let mut stream = TcpStream::connect(boma.at()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("the origin is let go of", || (gone.load(Ordering::Relaxed) == 1).then_some(()));
    let mut came = Vec::new();
    let ended = stream.read_to_end(&mut came);
    assert!(ended.is_err() || came.len() < 100_000_000, "what was cut does not look whole");
}

#[test]
fn an_answer_that_takes_longer_than_any_deadline_comes_whole_while_it_moves() {
    let origin = crate::wire::scripted(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(120));
            let _ = stream.write_all(b"x");
        }
    });
    let boma =
        Setup::new().settings("[deadlines]\ntotal = \"1s\"\norigin_body = \"1s\"\ndownload = \"1s\"\n").start(origin);
    let answer = get(boma.at(), "/");
    assert_eq!((answer.status, answer.body.len()), (200, 20));
}
