//! WebSockets between two versions of HTTP (RFC 8441), and what is no tunnel.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use crate::frames::{Came, Conn, DATA, END_HEADERS, END_STREAM, HEADERS, block, frame};
use crate::harness::{CEILING, Client, Mode, Origin, Setup, eventually, get};
use crate::wire::{read_until, scripted};

/// An HTTP/2 origin that takes its time to say what it can do, and echoes what tunnels carry.
fn http2_echo(takes_tunnels: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    let mut builder = h2::server::Builder::new();
                    if takes_tunnels {
                        builder.enable_connect_protocol();
                    }
                    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        tokio::spawn(http2_stream(request, respond));
                    }
                });
            }
        });
    });
    address
}

async fn http2_stream(request: http::Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
    let (parts, mut body) = request.into_parts();
    assert!(!parts.headers.contains_key("sec-websocket-key") && !parts.headers.contains_key("upgrade"));
    let tunnel = parts.extensions.get::<h2::ext::Protocol>().is_some();
    let mut stream = respond.send_response(http::Response::new(()), !tunnel).unwrap();
    while let (true, Some(Ok(data))) = (tunnel, body.data().await) {
        let _ = body.flow_control().release_capacity(data.len());
        if stream.send_data(data, false).is_err() {
            return;
        }
    }
}

/// Asks for a WebSocket over HTTP/1.1; the connection, and the head of what came.
fn upgrade(to: SocketAddr) -> (TcpStream, String) {
    upgrade_at(to, "/ws")
}

fn upgrade_at(to: SocketAddr, path: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(CEILING)).unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: huduma.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").as_bytes())
        .unwrap();
    let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).unwrap();
    (stream, head)
}

/// Asks for a tunnel over HTTP/2 on stream 1; its status.
fn connect(conn: &mut Conn, protocol: &str, path: &str) -> Result<String, String> {
    let fields = [
        (":method", "CONNECT"),
        (":protocol", protocol),
        (":scheme", "http"),
        (":path", path),
        (":authority", "huduma.example"),
        ("sec-websocket-version", "13"),
    ];
    conn.send(&frame(HEADERS, END_HEADERS, 1, &block(&fields)));
    conn.until("status", |c| match c {
        Came::Status(1, status) => Some(status.clone()),
        Came::Reset(1, code) => Some(format!("reset {code}")),
        _ => None,
    })
}

#[test]
fn the_first_websocket_to_an_http2_origin_is_served_and_proves_itself() {
    let boma = Setup { listen: "h2c = true", ..Setup::new() }
        .start_at(&format!("127.0.0.1:1\", \"h2c://{}", http2_echo(true)));
    let (mut stream, head) = upgrade(boma.at());
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    stream.write_all(b"jambo").unwrap();
    let mut came = [0; 5];
    stream.read_exact(&mut came).unwrap();
    assert_eq!(&came, b"jambo");
    let mut conn = Conn::open(boma.at());
    assert_eq!(connect(&mut conn, "websocket", "/ws").as_deref(), Ok("200"));
    conn.send(&frame(DATA, 0, 1, b"jambo"));
    let echoed = conn.until("echo", |c| if let Came::Data(1, n, _) = c { Some(*n) } else { None });
    assert_eq!(echoed, Ok(5));
}

#[test]
fn an_origin_that_takes_no_tunnels_is_none_the_worse_for_it() {
    let boma = Setup { listen: "h2c = true", ..Setup::new() }
        .rules("[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\nburst = 1000000\n")
        .start_at(&format!("127.0.0.1:1\", \"h2c://{}", http2_echo(false)));
    for _ in 0..20 {
        let (_, head) = upgrade(boma.at());
        assert!(head.starts_with("HTTP/1.1 502 ") && head.contains("error=http_upgrade_failed"), "{head}");
    }
    assert_eq!(get(boma.at(), "/").status, 200);
}

#[test]
fn no_other_success_looks_like_a_tunnel() {
    let origin = Origin::start();
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start(origin.address);
    let asked = |protocol, path| connect(&mut Conn::open(boma.at()), protocol, path);
    assert_eq!(asked("websocket", "/page").as_deref(), Ok("502"), "the origin answered 200");
    assert_eq!(asked("websocket", "/.well-known/boma/live").as_deref(), Ok("502"), "boma answered 204");
    assert_eq!(asked("connect-udp", "/page").as_deref(), Ok("501"));
    assert_eq!(origin.reached_by_citizens().len(), 1, "an unknown protocol does not reach the origin");
}

#[test]
fn an_origin_that_does_not_know_websocket_opens_no_tunnel() {
    let origin = scripted(|mut stream, _| {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
    });
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start(origin);
    let mut conn = Conn::open(boma.at());
    assert_eq!(connect(&mut conn, "websocket", "/ws").as_deref(), Ok("502"), "its answer is to another key");
}

#[test]
fn a_tunnel_whose_origin_breaks_off_is_broken_off() {
    let origin = scripted(|mut stream, sent| {
        let accept = crate::wire::accept(&sent);
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\nbye"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    });
    let boma = Setup { listen: "h2c = true", ..Setup::new() }.start(origin);
    for _ in 0..20 {
        let mut conn = Conn::open(boma.at());
        // The break may come before the first word.
        let Ok(status) = connect(&mut conn, "websocket", "/ws") else { panic!("no answer") };
        if status != "200" {
            continue;
        }
        let end = conn.until("reset", |c| if let Came::Reset(1, code) = c { Some(*code) } else { None });
        assert_eq!(end, Ok(8), "CANCEL");
    }
}

/// A WebSocket origin that echoes, and how many of its tunnels are open.
fn counted_echo() -> (SocketAddr, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let count = open.clone();
    let address = scripted(move |mut stream, sent| {
        let accept = crate::wire::accept(&sent);
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        let mut room = [0; 1024];
        while let Ok(n @ 1..) = stream.read(&mut room) {
            if stream.write_all(&room[..n]).is_err() {
                break;
            }
        }
        count.fetch_sub(1, Ordering::SeqCst);
    });
    (address, open)
}

/// Says a word through a tunnel and hears it back.
fn is_open(stream: &mut TcpStream) {
    stream.write_all(b"jambo").unwrap();
    let mut came = [0; 5];
    stream.read_exact(&mut came).unwrap();
    assert_eq!(&came, b"jambo");
}

/// Waits until the other side ends a connection on which nothing more comes.
fn is_ended(stream: &mut TcpStream) {
    match stream.read(&mut [0; 16]) {
        Ok(0) => {}
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_posture_that_keeps_requests_from_the_origin_ends_what_is_open() {
    let (origin, open) = counted_echo();
    let boma = Setup { listen: "h2c = true", ..Setup::new() }
        .portal("[[portal.route]]\npath = \"/stays\"\nstay_up = true\n")
        .start(origin);
    let [(mut ends, _), (mut stays, _)] = ["/ws", "/stays"].map(|path| upgrade_at(boma.at(), path));
    let mut conn = Conn::open(boma.at());
    assert_eq!(connect(&mut conn, "websocket", "/ws").as_deref(), Ok("200"));
    [&mut ends, &mut stays].into_iter().for_each(is_open);
    boma.posture("attack");
    assert_eq!(open.load(Ordering::SeqCst), 3);
    boma.posture("static");
    eventually("the origin has the one that stays", || (open.load(Ordering::SeqCst) == 1).then_some(()));
    is_ended(&mut ends);
    let reset = conn.until("reset", |c| if let Came::Reset(1, code) = c { Some(*code) } else { None });
    assert_eq!(reset, Ok(8), "CANCEL");
    is_open(&mut stays);
    boma.posture("closed");
    eventually("the origin is left alone", || (open.load(Ordering::SeqCst) == 0).then_some(()));
    is_ended(&mut stays);
}

/// An origin whose answers take long: events that never come, events without end, and a file that comes in small pieces. It
/// tells the paths of those that are open.
fn lasting() -> (SocketAddr, impl Fn() -> Vec<String>) {
    let open = Arc::new(Mutex::new(Vec::<String>::new()));
    let now = open.clone();
    let address = scripted(move |mut stream, head| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let is_file = path == "/file";
        let more = if is_file {
            "Content-Type: application/zip\r\nContent-Length: 100000000"
        } else {
            "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked"
        };
        let piece: &[u8] = if is_file { b"zzzzzzzzzzzzzzz\n" } else { b"9\r\ndata: 1\n\n\r\n" };
        open.lock().unwrap().push(path.clone());
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{more}\r\n\r\n");
        let _ = stream.write_all(piece);
        let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
        loop {
            let is_open = match stream.read(&mut [0; 64]) {
                Ok(n) => n > 0,
                Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            };
            let speaks = path != "/silent";
            if !is_open || (speaks && stream.write_all(piece).is_err()) {
                break;
            }
        }
        let mut open = open.lock().unwrap();
        let at = open.iter().position(|p| *p == path).unwrap();
        open.remove(at);
    });
    let sorted = move || {
        let mut open = now.lock().unwrap().clone();
        open.sort();
        open
    };
    (address, sorted)
}

#[test]
fn a_posture_that_keeps_requests_from_the_origin_ends_streams_and_lets_files_come() {
    let (origin, open) = lasting();
    let boma = Setup { listen: "h2c = true", ..Setup::new() }
        .portal("[[portal.route]]\npath = \"/stays\"\nstay_up = true\n[[portal.route]]\npath = \"/kept\"\ncache = \"origin\"\n")
        .start(origin);
    let paths = ["/silent", "/chatty", "/kept", "/stays", "/file"];
    let [mut silent, mut chatty, mut kept, mut stays, mut file] = paths.map(|path| {
        let mut client = Client::connect(boma.at()).unwrap();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: huduma.example\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(client.head().unwrap().status, 200, "{path}");
        client
    });
    let mut conn = Conn::open(boma.at());
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/silent"), (":authority", "huduma.example")];
    conn.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&fields)));
    let status = conn.until("status", |c| if let Came::Status(1, status) = c { Some(status.clone()) } else { None });
    assert_eq!(status.as_deref(), Ok("200"));
    boma.posture("attack");
    assert_eq!(open(), ["/chatty", "/file", "/kept", "/silent", "/silent", "/stays"]);
    boma.posture("static");
    eventually("the origin has what stays, and the file", || (open() == ["/file", "/stays"]).then_some(()));
    for client in [&mut silent, &mut chatty, &mut kept] {
        eventually("it is ended here too", || client.is_closed().then_some(()));
    }
    let reset = conn.until("reset", |c| if let Came::Reset(1, code) = c { Some(*code) } else { None });
    assert!(reset.is_ok(), "{reset:?}");
    boma.posture("closed");
    eventually("only the file comes", || (open() == ["/file"]).then_some(()));
    eventually("it is ended here too", || stays.is_closed().then_some(()));
    assert!(!file.is_closed(), "and what was on its way already is read away");
    for _ in 0..20 {
        assert!(file.line().unwrap().starts_with('z'), "the file goes on");
    }
    let metrics = get(boma.admin, "/metrics").text();
    assert!(!metrics.contains("boma_origin_failures_total{"), "it is not the origin that broke off: {metrics}");
}

#[test]
fn who_waited_at_the_gate_while_the_posture_rose_stays_outside() {
    let origin = Origin::start();
    let boma = Setup::new()
        .portal("max_in_flight = 1\n[[portal.route]]\npath = \"/api/*\"\nchallenge = \"never\"\n[[portal.route]]\npath = \"/kept/*\"\nchallenge = \"never\"\ncache = \"origin\"\n[[portal.route]]\npath = \"/filled/*\"\nchallenge = \"never\"\ncache = \"30s\"\n")
        .start(origin.address);
    for path in ["/api/2", "/kept/2", "/filled/2"] {
        origin.set(Mode::Holds);
        let mut clients = [Client::connect(boma.at()).unwrap(), Client::connect(boma.at()).unwrap()];
        let before = origin.reached().len();
        for (client, path) in clients.iter_mut().zip(["/api/1", path]) {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: huduma.example\r\n\r\n").as_bytes()).unwrap();
            eventually("one is inside", || (origin.reached().len() == before + 1).then_some(()));
        }
        let waiting = || boma.metric("boma_admit_waiting{portal=\"huduma\",class=\"information\"}") == 1.0;
        eventually("one waits", || waiting().then_some(()));
        boma.posture("static");
        origin.set(Mode::Works);
        let [inside, outside] = clients.map(|mut client| client.read(false).unwrap());
        assert_eq!((inside.status, outside.status), (200, 503), "{path}: {}", outside.text());
        assert_eq!(outside.json()["reason"], "posture.static", "{path}");
        assert_eq!(origin.reached().len(), before + 1, "{path}");
        assert_eq!(boma.staff("PUT", "/api/v1/posture", "", "{\"level\":\"auto\"}").status, 200);
    }
}
