//! A request's way, and a real site behind a real nginx, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Boma, Client, Mode, Nginx, Origin, SITE, Setup, get, request};

#[test]
fn a_request_reaches_the_origin_and_its_answer_comes_back() {
    let origin = Origin::start();
    origin.extra("X-Own: 1\r\nConnection: x-hop\r\nX-Hop: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n");
    let boma = Setup::new().start(origin.address);
    let sent = "Cookie: PHPSESSID=1; boma_pass=forged; lang=sw\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Mine: yes\r\nConnection: x-secret\r\nX-Secret: 1\r\nBoma-Pass: x\r\n";
    let answer = request(boma.at(), "GET", "/a/./b/../%61?q=%61&x", sent, "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("x-own"), Some("1"));
    assert_eq!(answer.field("x-hop"), None);
    assert_eq!(answer.fields.iter().filter(|(n, _)| n == "set-cookie").count(), 2);
    assert!(answer.field("x-request-id").is_some_and(|id| id.len() >= 16));
    let reached = origin.reached_by_citizens().pop().unwrap();
    assert_eq!(reached.target, "/a/a?q=%61&x");
    assert_eq!(reached.field("host").as_deref(), Some("huduma.example"));
    assert_eq!(reached.field("cookie").as_deref(), Some("PHPSESSID=1; lang=sw"));
    assert_eq!(reached.field("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(reached.field("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(reached.field("x-mine").as_deref(), Some("yes"));
    assert_eq!(reached.field("forwarded").as_deref(), Some("for=127.0.0.1;host=\"huduma.example\";proto=http"));
    for gone in ["x-real-ip", "x-secret", "boma-pass"] {
        assert_eq!(reached.field(gone), None, "{gone}");
    }
}

#[test]
fn bodies_go_both_ways_and_methods_stay() {
    let origin = Origin::start();
    let boma = Setup::new().portal("[[portal.route]]\npath = \"/small\"\nmax_body = \"1KiB\"\n").start(origin.address);
    let body = "x".repeat(300_000);
    assert_eq!(request(boma.at(), "POST", "/up", "", &body).status, 200);
    let mut client = Client::connect(boma.at()).unwrap();
    client.send(b"PUT /chunked HTTP/1.1\r\nHost: huduma.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").unwrap();
    assert_eq!(client.read(false).unwrap().status, 200);
    let head = client.ask("HEAD", "/x", "", "").unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    let reached = origin.reached_by_citizens();
    assert_eq!((reached[0].method.as_str(), reached[0].body.len()), ("POST", 300_000));
    assert_eq!((reached[1].method.as_str(), reached[1].body.as_slice()), ("PUT", b"abcde".as_slice()));
    assert_eq!(reached[2].method, "HEAD");
    assert_eq!(request(boma.at(), "POST", "/small", "", &body).status, 413);
    assert_eq!(origin.reached_by_citizens().len(), 3, "a body too large never reaches the origin");
}

#[test]
fn what_cannot_be_read_is_refused_and_never_forwarded() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    for (what, raw, status) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
        ("two hosts", "GET / HTTP/1.1\r\nHost: huduma.example\r\nHost: huduma.example\r\n\r\n", 400),
        ("a host with a blank", "GET / HTTP/1.1\r\nHost: huduma example\r\n\r\n", 400),
        ("another host", "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", 421),
        ("a NUL in the path", "GET /%00 HTTP/1.1\r\nHost: huduma.example\r\n\r\n", 400),
        ("a backslash", "GET /a%5Cb HTTP/1.1\r\nHost: huduma.example\r\n\r\n", 400),
        ("absolute form against Host", "GET http://other.example/ HTTP/1.1\r\nHost: huduma.example\r\n\r\n", 400),
        ("no version", "GET /\r\n\r\n", 400),
        ("a bad length", "POST / HTTP/1.1\r\nHost: huduma.example\r\nContent-Length: 1x\r\n\r\n", 400),
    ] {
        let mut client = Client::connect(boma.at()).unwrap();
        client.send(raw.as_bytes()).unwrap();
        let answer = client.read(false).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(answer.status, status, "{what}");
        if status == 400 {
            let _ = client.send(b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n");
            assert!(client.read(false).is_err(), "{what}: the connection is closed");
        }
    }
    assert_eq!(origin.reached_by_citizens().len(), 0);
    assert_eq!(get(boma.at(), "/").status, 200);
}

#[test]
fn a_cut_body_is_never_made_to_look_whole() {
    let origin = Origin::start();
    origin.set(Mode::CutsBody);
    let boma = Setup::new().start(origin.address);
    let mut client = Client::connect(boma.at()).unwrap();
    // Cut, or where nothing had gone out yet, an honest page instead.
    assert!(client.ask("GET", "/x", "", "").map_or(true, |a| a.status == 502));
}

const PAGES: usize = 500;
/// Fields in which boma's answer may differ from nginx's own.
const EXCEPTIONS: [&str; 3] = [
    "x-request-id", // every answer of boma's has one
    "date",         // the second may turn between the two
    "connection",   // belongs to one hop
];

#[test]
fn a_real_site_comes_through_byte_for_byte() {
    let mut pages: Vec<PathBuf> = fs::read_dir(SITE)
        .expect("postgresql-doc-15 is installed: tests/run.sh does it")
        .map(|e| e.unwrap().path())
        .collect();
    pages.retain(|p| p.extension().is_some_and(|e| e == "html"));
    pages.sort();
    assert!(pages.len() >= PAGES, "{} pages in {SITE}", pages.len());
    let nginx = Nginx::serve(Path::new(SITE));
    let direct_at = ([127, 0, 0, 1], nginx.port).into();
    // One client asks for everything at once: its budget is the operator's to raise.
    let setup = Setup::new().rules("[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000000/s\"\n");
    let boma: Boma = setup.start(direct_at);
    let (mut direct, mut through) = (Client::connect(direct_at).unwrap(), Client::connect(boma.at()).unwrap());
    for page in &pages[..PAGES] {
        let path = format!("/{}", page.file_name().unwrap().to_str().unwrap());
        let expected = direct.ask("GET", &path, "", "").unwrap();
        let got = through.ask("GET", &path, "", "").unwrap();
        assert_eq!(got.status, 200, "{path}");
        assert!(got.body == expected.body && got.body == fs::read(page).unwrap(), "{path}: the same bytes");
        let kept = |fields: &[(String, String)]| {
            let mut kept: Vec<_> = fields.iter().filter(|(n, _)| !EXCEPTIONS.contains(&n.as_str())).cloned().collect();
            kept.sort();
            kept
        };
        assert_eq!(kept(&got.fields), kept(&expected.fields), "{path}");
    }
}
