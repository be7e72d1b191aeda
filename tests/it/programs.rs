//! Programs, scripts and whatever else is no person at a page: what README.md tells their developers holds, and none of them
//! is ever answered with HTML of boma's, in any posture, over any version.

use std::net::SocketAddr;
use std::sync::Arc;

use boma::challenge::{asked, work};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::harness::{Answer, Boma, Mode, Origin, Setup, request};

const CHALLENGE: &str = "/.well-known/boma/challenge";
const RULES: &str = "[[rule]]\nname = \"asks\"\nmatch = { path = \"/asks*\" }\nthen = \"challenge\"\n\
[[rule]]\nname = \"no\"\nmatch = { path = \"/no*\" }\nthen = \"deny\"\n\
[[rule]]\nname = \"still\"\nmatch = { path = \"/still*\" }\nthen = \"static\"\n\
[[limit]]\nname = \"own\"\nmatch = { path = \"/own*\" }\nper = \"client\"\nrate = \"1/h\"\nburst = 1\nthen = \"challenge\"\n\
[[limit]]\nname = \"all\"\nmatch = { path = \"/all*\" }\nper = \"portal\"\nrate = \"1/h\"\nburst = 1\nthen = \"challenge\"\n\
[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000/s\"\nburst = 10000\n";
const PATHS: [&str; 9] =
    ["/", "/asks/x", "/no", "/still", "/own", "/all", "/robots.txt", "/.well-known/boma/none", "/%00"];

/// What asks: a name, its method, and its fields.
type Sender = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const ASKERS: [Sender; 9] = [
    ("api client", "GET", &[("accept", "application/json")]),
    ("api client that takes anything", "POST", &[("accept", "*/*"), ("content-type", "application/json")]),
    ("nothing at all", "GET", &[]),
    ("fetch", "GET", &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("accept", "*/*")]),
    (
        "fetch that says it takes pages",
        "POST",
        &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("accept", "text/html")],
    ),
    ("image", "GET", &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image"), ("accept", "image/*,*/*;q=0.8")]),
    (
        "preflight",
        "OPTIONS",
        &[("origin", "https://a.example"), ("access-control-request-method", "PUT"), ("sec-fetch-mode", "cors")],
    ),
    ("gRPC", "POST", &[("content-type", "application/grpc"), ("te", "trailers")]),
    ("HEAD of an api client", "HEAD", &[("accept", "application/json")]),
];

/// Status, content type, body.
type Got = (u16, String, String);

fn over_http1(to: SocketAddr, method: &str, path: &str, fields: &[(&str, &str)]) -> Got {
    let fields: String = fields.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let answer = request(to, method, path, &fields, if method == "POST" { "x" } else { "" });
    (answer.status, answer.field("content-type").unwrap_or_default().to_owned(), answer.text())
}

/// Over HTTP/2 and TLS, all on one connection.
fn over_http2(to: SocketAddr, certificate: &CertificateDer<'static>, all: &[Sender]) -> Vec<Got> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(to).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect("huduma.example".try_into().unwrap(), stream).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut got = Vec::new();
        for (method, path, fields) in all {
            let mut builder = http::Request::builder().method(*method).uri(format!("https://huduma.example{path}"));
            for (name, value) in *fields {
                builder = builder.header(*name, *value);
            }
            let (response, _) = client.send_request(builder.body(()).unwrap(), true).unwrap();
            let response = response.await.unwrap();
            let status = response.status().as_u16();
            let kind = response.headers().get("content-type").map_or("", |v| v.to_str().unwrap()).to_owned();
            let (mut body, mut text) = (response.into_body(), Vec::new());
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                let _ = body.flow_control().release_capacity(data.len());
                text.extend_from_slice(&data);
            }
            got.push((status, kind, String::from_utf8(text).unwrap()));
        }
        got
    })
}

/// The origin here answers everything with a page of its own: what is not that must be no page.
fn no_page(what: &str, path: &str, level: &str, (status, kind, text): &Got) {
    let of_origin = text.contains("<h1>Karibu</h1>") || (*status == 200 && text.is_empty());
    assert!(of_origin || !kind.contains("html"), "{what} {path} in {level}: {status} {kind}\n{text}");
    assert!(of_origin || !text.contains('<'), "{what} {path} in {level}: {text}");
}

#[test]
fn whatever_is_no_person_at_a_page_never_gets_one() {
    let origin = Origin::start();
    let mut setup = Setup::new();
    let pair = rcgen::generate_simple_self_signed(vec!["huduma.example".to_owned()]).unwrap();
    setup.folder.write("a.pem", &pair.cert.pem());
    setup.folder.write("a.key", &pair.signing_key.serialize_pem());
    setup = setup.settings(
        "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = true\n[[certificate]]\nchain = \"a.pem\"\nkey = \"a.key\"\n",
    );
    let boma = setup.rules(RULES).start(origin.address);
    let certificate = CertificateDer::from_pem_slice(pair.cert.pem().as_bytes()).unwrap();
    let mut refused = 0;
    for level in ["normal", "guarded", "attack", "static", "closed"] {
        boma.posture(level);
        let mut all = Vec::new();
        for (what, method, fields) in ASKERS {
            for path in PATHS {
                let got = over_http1(boma.doors[0], method, path, fields);
                refused += usize::from(got.0 >= 400);
                no_page(what, path, level, &got);
                all.push((method, path, fields));
            }
        }
        for ((method, path, fields), got) in all.iter().zip(over_http2(boma.doors[1], &certificate, &all)) {
            no_page(&format!("{method} {fields:?} over h2"), path, level, &got);
        }
    }
    assert!(refused > 200, "{refused} of {} were refused over HTTP/1", 5 * ASKERS.len() * PATHS.len());
}

#[test]
fn a_websocket_that_is_stopped_is_told_so_without_a_page() {
    let origin = Origin::start();
    let boma = Setup::new().rules(RULES).start(origin.address);
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-Fetch-Mode: websocket\r\nSec-Fetch-Dest: websocket\r\n";
    for (level, path, status) in
        [("normal", "/asks", 429), ("attack", "/", 429), ("static", "/", 503), ("closed", "/", 503)]
    {
        boma.posture(level);
        let answer = request(boma.at(), "GET", path, upgrade, "");
        let kind = answer.field("content-type");
        assert_eq!((answer.status, kind), (status, Some("application/problem+json")), "{level} {path}");
    }
}

/// What README.md says to developers of programs, step by step.
#[test]
fn the_documented_way_of_a_program_leads_to_the_origin() {
    let origin = Origin::start();
    let boma = Setup::new().rules(RULES).start(origin.address);
    let agent = "User-Agent: HudumaApp/7.1\r\nAccept: application/json\r\n";
    let ask = |method: &str, path: &str, more: &str, body: &str| {
        request(boma.at(), method, path, &format!("{agent}{more}"), body)
    };
    let stopped = ask("GET", "/asks/api", "", "");
    let (problem, wait) = (stopped.json(), stopped.field("retry-after").map(str::to_owned));
    assert_eq!((stopped.status, stopped.field("content-type")), (503, Some("application/problem+json")));
    for member in ["type", "title", "status", "reason", "request_id", "reference", "retry_after", "challenge_url"] {
        assert!(!problem[member].is_null(), "{member}: {problem}");
    }
    assert_eq!(Some(problem["retry_after"].to_string()), wait);
    let address = problem["challenge_url"].as_str().unwrap().strip_prefix("http://huduma.example").unwrap().to_owned();
    let puzzle = ask("GET", &address, "", "").json();
    assert_eq!(puzzle["algorithm"], "boma-sha256-v1");
    for member in ["seal", "bits", "count", "level", "wait", "expires_in"] {
        assert!(!puzzle[member].is_null(), "{member}: {puzzle}");
    }
    let seal = puzzle["seal"].as_str().unwrap();
    let solution = format!("{{\"seal\": \"{seal}\", \"work\": \"{}\"}}", by_the_book(&puzzle));
    let json = "Content-Type: application/json\r\n";
    let solved = ask("POST", &address, json, &solution);
    let pass = solved.json();
    assert_eq!((solved.status, pass["header"].as_str()), (200, Some("Boma-Pass")), "{}", solved.text());
    for member in ["pass", "level", "expires", "expires_in"] {
        assert!(!pass[member].is_null(), "{member}: {pass}");
    }
    let field = format!("Boma-Pass: {}\r\n", pass["pass"].as_str().unwrap());
    assert_eq!(ask("GET", "/asks/api", &field, "").status, 200);
    assert_eq!(origin.reached_by_citizens().last().unwrap().field("boma-pass"), None, "it stays with boma");
    let update = format!("{field}User-Agent: HudumaApp/8.0\r\n");
    assert_eq!(request(boma.at(), "GET", "/asks/api", &update, "").status, 200, "an update is no other program");
    let other = format!("{field}User-Agent: curl/8\r\n");
    assert_eq!(request(boma.at(), "GET", "/asks/api", &other, "").status, 503, "another program is");
    let wrong = ask("POST", &address, json, &format!("{{\"seal\": \"{seal}\", \"work\": \"1\"}}"));
    assert!(wrong.status >= 400 && wrong.json()["reason"] == "challenge.failed", "{}", wrong.text());
    ask("GET", "/own/api", "", "");
    let over = ask("GET", "/own/api", "", "");
    assert_eq!((over.status, over.json()["reason"].as_str()), (429, Some("limit.over")));
    assert!(
        over.field("ratelimit").is_some()
            && over.field("ratelimit-policy").is_some()
            && over.field("retry-after").is_some()
    );
}

/// The work, as the README describes it and nothing else.
fn by_the_book(puzzle: &serde_json::Value) -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    let (seal, bits, count) =
        (puzzle["seal"].as_str().unwrap(), puzzle["bits"].as_u64().unwrap() as u32, puzzle["count"].as_u64().unwrap());
    let fits = |i: u64, c: u64| {
        let hash = digest(&SHA256, format!("{seal}.{i}.{c}").as_bytes());
        u64::from_be_bytes(hash.as_ref()[..8].try_into().unwrap()).leading_zeros() >= bits
    };
    let found: Vec<String> = (0..count).map(|i| (0..).find(|c| fits(i, *c)).unwrap().to_string()).collect();
    let work_of_boma = work(seal.as_bytes(), asked(seal.as_bytes()).unwrap());
    assert_eq!(found.join("."), work_of_boma);
    found.join(".")
}

/// A bank, a card scheme, a sign-in by SAML sends people back by a POST from its own site: over TLS the cookie comes along.
#[test]
fn a_return_by_post_from_another_site_keeps_its_pass() {
    let origin = Origin::start();
    let boma = Setup::new()
        .settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n")
        .portal("pass_domain = \"huduma.example\"\n")
        .start(origin.address);
    let person = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nX-Forwarded-Proto: https\r\n";
    boma.posture("attack");
    let puzzle = request(boma.at(), "GET", CHALLENGE, "Accept: application/json\r\n", "").json();
    let solution = format!("seal={}&work={}", puzzle["seal"].as_str().unwrap(), by_the_book(&puzzle));
    let solved: Answer = request(boma.at(), "POST", CHALLENGE, person, &solution);
    let cookie = solved.field("set-cookie").unwrap();
    for part in ["Secure", "SameSite=None", "HttpOnly", "Domain=huduma.example"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    let back = format!(
        "{person}Sec-Fetch-Site: cross-site\r\nOrigin: https://bank.example\r\nContent-Type: application/x-www-form-urlencoded\r\nCookie: {}\r\n",
        solved.pass().unwrap()
    );
    assert_eq!(request(boma.at(), "POST", "/pay/return", &back, "paid=yes").status, 200);
    let reached = origin.reached_by_citizens().pop().unwrap();
    assert_eq!(
        (reached.body.as_slice(), reached.field("sec-fetch-site").as_deref()),
        (&b"paid=yes"[..], Some("cross-site"))
    );
}

/// The settled, by the word of the origin itself.
#[test]
fn an_origin_vouches_for_a_session_and_its_word_goes_no_further() {
    let origin = Origin::start();
    let rules =
        "[[rule]]\nname = \"seen\"\nmatch = { path = \"/seen\", pass = { not = \"settled\" } }\nthen = \"deny\"\n";
    let settings = "[client]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let boma =
        Setup::new().settings(settings).portal("session_cookies = [\"sid\"]\n").rules(rules).start(origin.address);
    let go = |boma: &Boma, path: &str, cookies: &str| {
        let fields =
            format!("Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nCookie: {cookies}\r\nBoma-Session: proven\r\n");
        request(boma.at(), "GET", path, &fields, "")
    };
    let pass =
        || request(boma.at(), "GET", "/", "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n", "").pass().unwrap();
    let passes: Vec<String> = (0..6).map(|_| pass()).collect();
    assert_eq!(go(&boma, "/seen", &passes[0]).status, 403, "a client's own word is nobody's");
    assert_eq!(origin.reached_by_citizens().iter().filter(|r| r.field("boma-session").is_some()).count(), 0);
    origin.extra("Boma-Session: Proven\r\n");
    let said = go(&boma, "/login", &format!("{}; sid=7", passes[0]));
    assert_eq!((said.status, said.field("boma-session")), (200, None));
    assert_eq!(go(&boma, "/seen", &passes[0]).status, 200, "it is settled now");
    for pass in &passes[1..] {
        go(&boma, "/login", &format!("{pass}; sid=7"));
    }
    let settled = |pass: &String| go(&boma, "/seen", pass).status == 200;
    origin.extra("");
    assert_eq!(passes.iter().filter(|p| settled(p)).count(), 4, "one session vouches for a few passes");
    let new = pass();
    origin.extra("Boma-Session: expired\r\n");
    assert_eq!(go(&boma, "/login", &new).field("boma-session"), None, "whatever it says");
    assert!(!settled(&new));
    origin.extra("Boma-Session: proven\r\n");
    go(&boma, "/login", &new);
    origin.extra("");
    assert!(settled(&new), "without a session the pass alone");
    origin.extra("Boma-Session: proven\r\n");
    let nobody = request(boma.at(), "GET", "/", "", "");
    assert_eq!((nobody.status, nobody.field("boma-session")), (200, None), "without a pass it is taken off too");
    origin.set(Mode::Fails);
    assert_eq!(get_program(&boma).field("boma-session"), None, "and off an error");
}

/// An answer that others get out of the cache was one person's all the same: whom the origin knew by it is known from then on, and
/// nobody else is.
#[test]
fn an_origins_word_is_heard_of_an_answer_that_is_kept_and_is_not_kept_with_it() {
    const PROVEN: &str = "Boma-Session: proven\r\n";
    let origin = Origin::start();
    let rules =
        "[[rule]]\nname = \"seen\"\nmatch = { path = \"/seen\", pass = { not = \"settled\" } }\nthen = \"deny\"\n";
    let portal = "session_cookies = [\"sid\"]\n[[portal.route]]\npath = \"/news*\"\ncache = \"origin\"\n[[portal.route]]\npath = \"/filled\"\ncache = \"30s\"\n";
    let boma = Setup::new().portal(portal).rules(rules).start(origin.address);
    let html = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n";
    let go = |path: &str, cookies: &str| {
        let answer = request(boma.at(), "GET", path, &format!("{html}Cookie: {cookies}\r\n"), "");
        assert_eq!(answer.field("boma-session"), None, "{path}");
        answer
    };
    let pass = || request(boma.at(), "GET", "/", html, "").pass().unwrap();
    let (first, second, third, fourth, fifth) = (pass(), pass(), pass(), pass(), pass());
    let is_settled = |pass: &str| {
        origin.extra("");
        go("/seen", pass).status == 200
    };
    let cached = |answer: &Answer, says: &str| {
        let status = answer.field("cache-status").unwrap_or_default();
        assert!(answer.status == 200 && status.contains(says), "{} {status}", answer.status);
    };

    origin.extra(&format!("Cache-Control: max-age=60\r\n{PROVEN}"));
    cached(&go("/news", &first), "stored");
    cached(&go("/news", &second), "hit");
    assert!(is_settled(&first), "it was their answer");
    assert!(!is_settled(&second), "this was another's");

    // What is stale holds still, as the origin says to somebody whom it knows.
    origin.extra("Cache-Control: max-age=60\r\nAge: 100\r\nETag: \"a\"\r\n");
    cached(&go("/news/old", &second), "stored");
    for (pass, session, more) in [(&third, "; sid=1", "Set-Cookie: sid=2\r\n"), (&fourth, "", "")] {
        origin.extra(&format!("Cache-Control: max-age=60\r\nETag: \"a\"\r\n{PROVEN}{more}"));
        origin.set(Mode::Unchanged);
        cached(&go("/news/old", &format!("{pass}{session}")), "fwd-status=304");
        origin.set(Mode::Works);
        assert!(is_settled(pass), "{more}");
    }

    // boma asked for itself: whoever is given what came of it was known to nobody.
    origin.extra(PROVEN);
    for (pass, says) in [(&fifth, "stored"), (&second, "hit")] {
        cached(&go("/filled", pass), says);
        assert!(!is_settled(pass), "{says}");
    }
}

fn get_program(boma: &Boma) -> Answer {
    let answer = request(boma.at(), "GET", "/", "", "");
    assert_eq!(answer.status, 500, "{}", answer.text());
    answer
}
