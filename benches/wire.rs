//! What connections cost: `cargo bench --bench wire`. Memory of idle ones, of large bodies, of slow readers; slow
//! attacks and HTTP/2 abuse with a good client beside them. Resident memory is the process's own (VmRSS).
//!
//! Needs Debian's nginx as the origin, curl, and slowhttptest; rows whose tool is missing say so.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use common::{Running, ports, staff};

const GIB: u64 = 1 << 30;

fn main() {
    let folder = std::env::temp_dir().join(format!("boma-wire-{}", std::process::id()));
    fs::create_dir_all(folder.join("www")).expect("a folder for the bench");
    let only = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let wanted = |name: &str| only.as_ref().is_none_or(|o| name.contains(o.as_str()));
    let origin = Origin::start(&folder);
    for (name, row) in [
        ("idle", idle as fn(&Path, &Origin)),
        ("large", large),
        ("slow-reader", slow_reader),
        ("slow-citizen", slow_citizen),
        ("pass-holders", pass_holders),
        ("slowhttptest", slow_attacks),
        ("abuse", abuse),
        ("zero-window", zero_window),
        ("bans", bans),
    ] {
        if wanted(name) {
            row(&folder, &origin);
        }
    }
    drop(origin);
    let _ = fs::remove_dir_all(&folder);
}

/// What a refusal costs on a connection of its own: a 429, one over TLS, and a ban, which reads nothing.
fn bans(folder: &Path, origin: &Origin) {
    const N: u64 = 20_000;
    let boma = Boma::start(folder, origin, "");
    let knock = |port: u16| {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let _ = stream.write_all(b"GET /few HTTP/1.1\r\nHost: huduma.example\r\nConnection: close\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    };
    let cost = |what: &str, n: u64, one: &dyn Fn()| {
        let before = boma.cpu();
        (0..n).for_each(|_| one());
        println!(
            "refused by {what:<22} {:>7.1} µs of CPU for each of {n} connections",
            (boma.cpu() - before) as f64 / n as f64
        );
    };
    knock(boma.plain);
    cost("429", N, &|| knock(boma.plain));
    cost("429 over TLS", N / 10, &|| {
        let name = "huduma.example".try_into().unwrap();
        let client = rustls::ClientConnection::new(boma.client.clone(), name).unwrap();
        let mut stream = rustls::StreamOwned::new(client, TcpStream::connect(("127.0.0.1", boma.tls)).unwrap());
        let _ = stream.write_all(b"GET /few HTTP/1.1\r\nHost: huduma.example\r\nConnection: close\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let body = "{\"net\":\"127.0.0.1\",\"for\":\"1h\",\"reason\":\"bench\"}";
    let (status, said) = staff(boma.admin, "POST", "/api/v1/bans", body);
    assert_eq!(status, 200, "{said}");
    cost("a ban", N, &|| knock(boma.plain));
    cost("a ban, before TLS", N, &|| knock(boma.tls));
}

/// 5,000 kept-alive connections that have had one answer each.
fn idle(folder: &Path, origin: &Origin) {
    for tls in [false, true] {
        let boma = Boma::start(folder, origin, "");
        warm(&boma);
        let before = boma.rss();
        const N: usize = 5000;
        let mut plain = Vec::new();
        let mut secure = Vec::new();
        for _ in 0..N {
            if tls {
                secure.push(tls_ask(&boma));
            } else {
                let mut stream = TcpStream::connect(("127.0.0.1", boma.plain)).unwrap();
                ask(&mut stream, "/1k");
                plain.push(stream);
            }
        }
        sleep(Duration::from_secs(1));
        let grown = boma.rss().saturating_sub(before);
        println!(
            "idle keep-alive, {:<5} {N} connections: {:.2} KiB each (resident {} KiB before, {grown} KiB more)",
            if tls { "TLS" } else { "plain" },
            grown as f64 / N as f64,
            before
        );
        drop((plain, secure));
    }
}

/// 1 GiB up and down, plain and TLS, both versions; curl is the client.
fn large(folder: &Path, origin: &Origin) {
    let boma = Boma::start(folder, origin, "");
    let big = folder.join("www/big");
    fs::File::create(&big).and_then(|f| f.set_len(GIB)).unwrap();
    for (tls, version) in
        [(false, "--http1.1"), (false, "--http2-prior-knowledge"), (true, "--http1.1"), (true, "--http2")]
    {
        for up in [false, true] {
            warm(&boma);
            let before = boma.rss();
            let (scheme, port) = if tls { ("https", boma.tls) } else { ("http", boma.plain) };
            let mut curl = Command::new("curl");
            curl.args(["-sk", version, "-o", "/dev/null", "-w", "%{http_code} %{size_upload} %{size_download}"]);
            let host = if up { "sink.example" } else { "huduma.example" };
            curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]);
            if up {
                curl.arg("-T").arg(&big).args(["-X", "POST", "-H", "Expect:"]);
            }
            let path = if up { "up" } else { "big" };
            let start = Instant::now();
            let mut child =
                curl.arg(format!("{scheme}://{host}:{port}/{path}")).stdout(Stdio::piped()).spawn().unwrap();
            let mut most = before;
            while child.try_wait().unwrap().is_none() {
                most = most.max(boma.rss());
                sleep(Duration::from_millis(20));
            }
            let mut said = String::new();
            child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
            println!(
                "1 GiB {:<4} {scheme:<5} {version:<24}: {said}; resident memory {before} KiB, at most {} KiB more; {:.1} s",
                if up { "up" } else { "down" },
                most - before,
                start.elapsed().as_secs_f64()
            );
        }
    }
    let _ = fs::remove_file(big);
}

/// 200 readers that take nothing of a large answer.
fn slow_reader(folder: &Path, origin: &Origin) {
    fs::write(folder.join("www/16m"), vec![b'x'; 16 << 20]).unwrap();
    let boma = Boma::start(folder, origin, "");
    warm(&boma);
    let before = boma.rss();
    const N: usize = 200;
    let held: Vec<TcpStream> = (0..N)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", boma.plain)).unwrap();
            stream.write_all(b"GET /16m HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
            stream
        })
        .collect();
    sleep(Duration::from_secs(3));
    let grown = boma.rss().saturating_sub(before);
    println!("slow readers of 16 MiB: {:.1} KiB of boma's memory each ({N} of them)", grown as f64 / N as f64);
    drop(held);
}

/// A citizen at 2 kB/s with stalls of 20 s sends 2 MB and takes 1 MB, beside slow attacks of all three kinds from the
/// same address. Takes 23 minutes.
fn slow_citizen(folder: &Path, origin: &Origin) {
    fs::write(folder.join("www/1m"), vec![b'x'; 1_000_000]).unwrap();
    let boma = Boma::start(folder, origin, "");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let attack = scope.spawn(|| {
            for arguments in ATTACKS.iter().cycle() {
                let Some(mut attack) = slowhttptest(&boma, arguments.1) else { return };
                // It ends by itself when all its connections are closed.
                while attack.try_wait().is_ok_and(|ended| ended.is_none()) && !stop.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(200));
                }
                let _ = attack.kill();
                let _ = attack.wait();
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let up = scope.spawn(|| slow_upload(boma.plain));
        let down = scope.spawn(|| slow_download(boma.plain));
        println!("2 MB up at 2 kB/s with stalls of 20 s, beside slow attacks: {}", up.join().unwrap());
        println!("1 MB down at 2 kB/s with stalls of 20 s, beside slow attacks: {}", down.join().unwrap());
        stop.store(true, Ordering::Relaxed);
        let _ = attack.join();
    });
}

/// A second between pieces of 2 kB, and a dead spot after every sixty.
fn dawdle(piece: usize) {
    sleep(Duration::from_secs(if piece % 60 == 59 { 20 } else { 1 }));
}

fn slow_upload(port: u16) -> String {
    const N: usize = 2_000_000;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("POST /up HTTP/1.1\r\nHost: sink.example\r\nContent-Length: {N}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    for i in 0..N / 2000 {
        if stream.write_all(&[b'x'; 2000]).is_err() {
            return format!("cut after {} bytes", i * 2000);
        }
        dawdle(i);
    }
    first_line(&mut stream)
}

fn slow_download(port: u16) -> String {
    const N: usize = 1_000_000;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
    let mut stream: TcpStream = socket.into();
    stream.write_all(b"GET /1m HTTP/1.1\r\nHost: huduma.example\r\nConnection: close\r\n\r\n").unwrap();
    let (mut came, mut room, mut first, mut i) = (0, [0; 2000], String::new(), 0);
    loop {
        match stream.read(&mut room) {
            Ok(n @ 1..) => {
                if first.is_empty() {
                    first = String::from_utf8_lossy(&room[..n]).lines().next().unwrap_or("").to_owned();
                }
                came += n;
            }
            Ok(_) if came > N => return format!("{first}, whole"),
            Ok(_) => return format!("{first}, cut after {came} bytes"),
            Err(e) => return format!("{first}, {e} after {came} bytes"),
        }
        dawdle(i);
        i += 1;
    }
}

/// slowhttptest's attacks, with the seconds that each lasts at most (`-l`).
const ATTACKS: [(&str, &[&str]); 3] = [
    ("slow headers", &["-H", "-c", "4000", "-r", "1000", "-i", "5", "-l", "100"]),
    ("slow body", &["-B", "-c", "4000", "-r", "1000", "-i", "5", "-l", "140", "-s", "1000000"]),
    (
        "slow read",
        &["-X", "-c", "4000", "-r", "1000", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3", "-l", "140"],
    ),
];

/// 2,000 pass-holders with four connections each behind one address, and a slowhttptest from that same address.
fn pass_holders(folder: &Path, origin: &Origin) {
    const HOLDERS: usize = 2000;
    const EACH: usize = 4;
    let boma = Boma::start(folder, origin, "[server]\nsecret = \"secret.key\"\n");
    let secret = boma::seal::Secret::parse(&"5a".repeat(32)).unwrap();
    let challenge = boma::challenge::Challenge::new(&secret, Duration::from_secs(12 * 3600));
    let born = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let browser = boma::facts::browser(&boma::wire::NoHead);
    let pass = |id: usize| boma::facts::Pass { browser, ..boma::facts::Pass::proven(id as u128, 1, born, born + 3600) };
    let requests: Vec<Vec<u8>> = (1..=HOLDERS)
        .map(|id| {
            let pass = challenge.seal_pass(&pass(id));
            format!("GET /1k HTTP/1.1\r\nHost: huduma.example\r\nCookie: boma_pass={pass}\r\n\r\n").into_bytes()
        })
        .collect();
    let before = boma.rss();
    let attack = slowhttptest(&boma, &["-H", "-c", "4000", "-r", "1000", "-i", "5", "-l", "60"]);
    let lost = AtomicUsize::new(0);
    let asked = AtomicUsize::new(0);
    thread::scope(|scope| {
        for part in requests.chunks(HOLDERS / 4) {
            let (lost, asked) = (&lost, &asked);
            scope.spawn(move || {
                let mut held: Vec<(TcpStream, &Vec<u8>)> = Vec::new();
                for request in part.iter().flat_map(|r| std::iter::repeat_n(r, EACH)) {
                    match TcpStream::connect(("127.0.0.1", boma.plain)) {
                        Ok(stream) => held.push((stream, request)),
                        Err(_) => drop(lost.fetch_add(1, Ordering::Relaxed)),
                    }
                }
                let start = Instant::now();
                while start.elapsed() < Duration::from_secs(45) {
                    for (stream, request) in &mut held {
                        asked.fetch_add(1, Ordering::Relaxed);
                        let sent = stream.write_all(request).is_ok();
                        let (mut room, mut came) = ([0; 4096], 0);
                        while sent && came < 1024 {
                            match stream.read(&mut room) {
                                Ok(n @ 1..) => came += n,
                                _ => break,
                            }
                        }
                        lost.fetch_add(usize::from(came < 1024), Ordering::Relaxed);
                    }
                    sleep(Duration::from_secs(2));
                }
            });
        }
    });
    println!(
        "{HOLDERS} pass-holders with {EACH} connections each beside slow headers from their address: of {} requests {} lost; at most {} KiB more",
        asked.load(Ordering::Relaxed),
        lost.load(Ordering::Relaxed),
        boma.rss() - before
    );
    if let Some(mut attack) = attack {
        let _ = attack.kill();
        let _ = attack.wait();
    }
}

/// slowhttptest's three attacks with 4,000 connections; a good client beside them.
fn slow_attacks(folder: &Path, origin: &Origin) {
    fs::write(folder.join("www/1m"), vec![b'x'; 1 << 20]).unwrap();
    for (name, arguments) in ATTACKS {
        let boma = Boma::start(folder, origin, "");
        warm(&boma);
        let before = boma.rss();
        let Some(mut attack) = slowhttptest(&boma, arguments) else { return };
        let (mut most, mut asked, mut lost, mut peak) = (before, 0, 0, 0);
        let start = Instant::now();
        let mut gone = None;
        let long = if name == "slow headers" { 60 } else { 135 };
        while start.elapsed() < Duration::from_secs(long) {
            asked += 1;
            lost += usize::from(!good(&boma));
            most = most.max(boma.rss());
            let open = boma.connections();
            peak = peak.max(open);
            if gone.is_none() && peak > 1000 && open < 100 {
                gone = Some(start.elapsed().as_secs());
                break;
            }
            sleep(Duration::from_millis(100));
        }
        let gone = gone.map_or_else(|| format!("{} still there", boma.connections()), |s| format!("gone after {s} s"));
        println!(
            "{name}: of {asked} good requests beside it {lost} lost; at most {peak} connections, {gone}; resident memory {before} KiB, at most {} KiB more",
            most - before
        );
        let _ = attack.kill();
        let _ = attack.wait();
    }
}

/// HTTP/2 frames for nothing; a good client beside them.
fn abuse(folder: &Path, origin: &Origin) {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let mut bytes = vec![0, (payload.len() >> 8) as u8, payload.len() as u8, kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    };
    let head = block("/1k");
    let reset: Vec<u8> = (0..1000u32)
        .flat_map(|i| [frame(1, 5, 2 * i + 1, &head), frame(3, 0, 2 * i + 1, &[0, 0, 0, 8])].concat())
        .collect();
    let mut continuation = frame(1, 1, 1, &head);
    continuation.extend((0..1000).flat_map(|_| frame(9, 0, 1, b"\x10\x01a\x01b")));
    for (name, bytes) in [
        ("rapid reset", reset),
        ("continuation", continuation),
        ("settings", frame(4, 0, 0, &[]).repeat(5000)),
        ("ping", frame(6, 0, 0, &[0; 8]).repeat(5000)),
        ("priority", frame(2, 0, 1, b"\0\0\0\0\x0f").repeat(5000)),
        ("window update", frame(8, 0, 0, &[0, 0, 0, 1]).repeat(5000)),
        ("empty data", [frame(1, 4, 1, &head), frame(0, 0, 1, &[]).repeat(5000)].concat()),
    ] {
        let boma = Boma::start(folder, origin, "");
        warm(&boma);
        let before = boma.rss();
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(AtomicUsize::new(0));
        let attackers: Vec<_> = (0..20)
            .map(|_| {
                let (stop, ended, bytes, port) = (stop.clone(), ended.clone(), bytes.clone(), boma.plain);
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                        let _ = stream.write_all(PREFACE);
                        let mut room = [0; 4096];
                        while !stop.load(Ordering::Relaxed) {
                            let wrote = stream.write_all(&bytes);
                            if wrote.is_err() || matches!(stream.read(&mut room), Ok(0)) {
                                ended.fetch_add(1, Ordering::Relaxed);
                                break;
                            }
                        }
                    }
                })
            })
            .collect();
        let start = Instant::now();
        let (mut asked, mut lost, mut most) = (0, 0, before);
        while start.elapsed() < Duration::from_secs(5) {
            asked += 1;
            lost += usize::from(!good(&boma));
            most = most.max(boma.rss());
            sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
        attackers.into_iter().for_each(|a| a.join().unwrap());
        println!(
            "HTTP/2 {name}: of {asked} good requests beside it {lost} lost; {} attacking connections ended by boma; at most {} KiB more",
            ended.load(Ordering::Relaxed),
            most - before
        );
    }
}

/// A request's fields as HPACK literals.
fn block(path: &str) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "huduma.example")] {
        head.extend_from_slice(&[0x10, name.len() as u8]);
        head.extend_from_slice(name.as_bytes());
        head.push(value.len() as u8);
        head.extend_from_slice(value.as_bytes());
    }
    head
}

/// HTTP/2 requests whose answers are given no window; a good client beside them.
fn zero_window(folder: &Path, origin: &Origin) {
    fs::write(folder.join("www/16m"), vec![b'x'; 16 << 20]).unwrap();
    let boma = Boma::start(folder, origin, "");
    warm(&boma);
    let before = boma.rss();
    let head = block("/16m");
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0".to_vec();
    for i in 0..100u32 {
        bytes.extend_from_slice(&[0, 0, head.len() as u8, 1, 5]);
        bytes.extend_from_slice(&(2 * i + 1).to_be_bytes());
        bytes.extend_from_slice(&head);
    }
    let held: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", boma.plain)).unwrap();
            stream.write_all(&bytes).unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    let (mut asked, mut lost, mut most, mut gone) = (0, 0, before, None);
    while gone.is_none() && start.elapsed() < Duration::from_secs(240) {
        asked += 1;
        lost += usize::from(!good(&boma));
        most = most.max(boma.rss());
        if boma.connections() == 0 {
            gone = Some(start.elapsed().as_secs());
        }
        sleep(Duration::from_millis(50));
    }
    println!(
        "HTTP/2 without a window, 4,000 requests on 40 connections: of {asked} good requests beside it {lost} lost; gone after {gone:?} s; at most {} KiB more",
        most - before
    );
    drop(held);
}

fn slowhttptest(boma: &Boma, arguments: &[&str]) -> Option<Child> {
    // Uploads go to the origin that reads them, the rest to the one that has a large answer.
    let (host, path) = if arguments.contains(&"-B") { ("127.0.0.2", "up") } else { ("127.0.0.1", "1m") };
    let url = format!("http://{host}:{}/{path}", boma.plain);
    let child = Command::new("slowhttptest")
        .args(arguments)
        .args(["-u", &url])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if child.is_err() {
        println!("slowhttptest is not installed: no row");
    }
    child.ok()
}

fn good(boma: &Boma) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", boma.plain)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let _ = stream.write_all(b"GET /1k HTTP/1.1\r\nHost: huduma.example\r\nConnection: close\r\n\r\n");
    first_line(&mut stream).starts_with("HTTP/1.1 200") && uploads(boma)
}

/// A citizen's form to the portal that takes uploads.
fn uploads(boma: &Boma) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", boma.plain)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let _ = stream
        .write_all(b"POST /up HTTP/1.1\r\nHost: sink.example\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
    first_line(&mut stream).starts_with("HTTP/1.1 200")
}

fn first_line(stream: &mut TcpStream) -> String {
    let mut room = [0; 4096];
    let n = stream.read(&mut room).unwrap_or(0);
    String::from_utf8_lossy(&room[..n]).lines().next().unwrap_or("nothing").to_owned()
}

fn warm(boma: &Boma) {
    for _ in 0..200 {
        assert!(good(boma));
    }
}

fn ask(stream: &mut impl ReadWrite, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: huduma.example\r\n\r\n").as_bytes()).unwrap();
    let (mut room, mut came) = ([0; 4096], 0);
    while came < 1024 {
        let n = stream.read(&mut room).unwrap();
        assert!(n > 0, "the connection ended");
        came += n;
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A TLS connection that has had one answer; it holds its client's memory, not boma's.
fn tls_ask(boma: &Boma) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", boma.tls)).unwrap();
    let name = "huduma.example".try_into().unwrap();
    let connection = rustls::ClientConnection::new(boma.client.clone(), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    ask(&mut stream, "/1k");
    stream
}

struct Origin {
    _nginx: Running,
    port: u16,
    /// Reads uploads to their end.
    sink: u16,
}

/// An origin that reads each upload whole and says how much came.
fn sink() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    if !matches!(stream.read(&mut byte), Ok(1)) {
                        return;
                    }
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<u64>().ok());
                let (mut room, mut came, mut tail) = (vec![0; 65536], 0, Vec::new());
                while length.map_or(!tail.ends_with(b"0\r\n\r\n"), |n| came < n) {
                    let Ok(n @ 1..) = stream.read(&mut room) else { return };
                    came += n as u64;
                    tail.extend_from_slice(&room[n.saturating_sub(8)..n]);
                    tail.drain(..tail.len().saturating_sub(8));
                }
                let body = format!("{came}");
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
    port
}

impl Origin {
    fn start(folder: &Path) -> Origin {
        fs::write(folder.join("www/1k"), "x".repeat(1024)).unwrap();
        let [port] = ports();
        let place = folder.display();
        let user = if fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0) {
            "user root;"
        } else {
            ""
        };
        let text = format!(
            "{user} daemon off; error_log stderr crit; pid {place}/origin.pid; worker_processes 1;\nevents {{ worker_connections 20000; }}\n\
http {{ access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
client_max_body_size 0; keepalive_requests 1000000;\nserver {{ listen 127.0.0.1:{port} backlog=4096; root {place}/www; }} }}\n"
        );
        Origin { _nginx: common::nginx(folder, "origin", &text, port), port, sink: sink() }
    }
}

struct Boma {
    running: Running,
    plain: u16,
    tls: u16,
    admin: u16,
    client: Arc<rustls::ClientConfig>,
}

impl Boma {
    fn start(folder: &Path, origin: &Origin, more: &str) -> Boma {
        let [plain, tls, admin] = ports();
        let own = folder.join(format!("boma-{plain}"));
        fs::create_dir_all(&own).unwrap();
        let key = rcgen::generate_simple_self_signed(vec!["huduma.example".to_owned()]).unwrap();
        fs::write(own.join("c.pem"), key.cert.pem()).unwrap();
        fs::write(own.join("c.key"), key.signing_key.serialize_pem()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(key.cert.der().clone()).unwrap();
        let client =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        let text = format!(
            "[[listen]]\naddress = \"0.0.0.0:{plain}\"\nh2c = true\n[[listen]]\naddress = \"127.0.0.1:{tls}\"\ntls = true\n[[certificate]]\nchain = \"c.pem\"\nkey = \"c.key\"\n\
[admin]\naddress = \"127.0.0.1:{admin}\"\n[log]\naccess = \"off\"\n{more}[[portal]]\nname = \"p\"\nhosts = [\"huduma.example\", \"127.0.0.1\"]\norigins = [\"http://127.0.0.1:{}\"]\n\
[[portal]]\nname = \"sink\"\nhosts = [\"sink.example\", \"127.0.0.2\"]\norigins = [\"http://127.0.0.1:{}\"]\n\
[[portal.route]]\npath = \"/up\"\nmax_body = \"2GiB\"\n",
            origin.port, origin.sink
        );
        fs::write(own.join("secret.key"), "5a".repeat(32)).unwrap();
        // The ladder stands still: what is measured is the wire, not what a posture makes of it.
        let rules = "[posture]\nauto = false\n[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000000/s\"\nburst = 10000000\n\
[[limit]]\nname = \"few\"\nper = \"client\"\nrate = \"1/h\"\nburst = 1\nmatch = { path = \"/few\" }\nthen = \"deny\"\n";
        Boma { running: common::boma(&own, &text, rules, plain), plain, tls, admin, client: Arc::new(client) }
    }

    /// CPU time so far, user and system, in microseconds.
    fn cpu(&self) -> u64 {
        self.running.cpu()
    }

    /// Resident memory in KiB.
    fn rss(&self) -> u64 {
        self.running.rss()
    }

    fn connections(&self) -> usize {
        let (_, text) = staff(self.admin, "GET", "/metrics", "");
        let line = text.lines().find(|l| l.starts_with("boma_connections ")).unwrap_or("");
        line.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}
