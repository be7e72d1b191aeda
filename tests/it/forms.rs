//! Forms that a check stands before: sealed into its page, and sent on once, as they were sent at first.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use boma::challenge::{Form, Forms, Tie, Work, work};
use boma::client::Prefix;
use boma::seal::Secret;

use crate::challenge::solve;
use crate::harness::{Answer, Boma, Client, Mode, Origin, Setup, eventually, get, navigate, request};

const URLENCODED: &str = "application/x-www-form-urlencoded";
const HTML: &str = "Accept: text/html\r\n";
/// What a page of boma's own says when it is sent.
const OWN: &str = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://huduma.example\r\nReferer: http://huduma.example/form\r\n";

fn post(to: SocketAddr, path: &str, fields: &str, kind: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: huduma.example\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{fields}\r\n",
        body.len()
    );
    let mut client = Client::connect(to).unwrap();
    client.send(&[head.as_bytes(), body].concat()).unwrap();
    client.read(false).unwrap()
}

/// A hidden field of a page; `None` where it has none of the name.
fn hidden(page: &Answer, name: &str) -> Option<String> {
    let text = page.text();
    let (_, rest) = text.split_once(&format!("name=\"{name}\""))?;
    let value = rest.strip_prefix(" value=\"").and_then(|v| v.split('"').next());
    Some(value.unwrap_or("").to_owned())
}

fn carried(page: &Answer) -> String {
    hidden(page, "boma-form").unwrap_or_else(|| panic!("a form rides along: {}", page.text()))
}

fn solution(seal: &str) -> String {
    let work_of = Work { bits: seal[..2].parse().unwrap(), count: seal[3..5].parse().unwrap() };
    work(seal.as_bytes(), work_of)
}

/// The page's form as a script would send it, solved.
fn solved(page: &Answer) -> String {
    let seal = hidden(page, "boma-seal").unwrap();
    format!("boma-seal={seal}&boma-work={}&boma-form={}", solution(&seal), carried(page))
}

/// The page's form as its button sends it.
fn pressed(page: &Answer) -> String {
    format!("boma-seal={}&boma-work=&boma-form={}", hidden(page, "boma-seal").unwrap(), carried(page))
}

fn back(boma: &Boma, path: &str, fields: &str, body: &str) -> Answer {
    post(boma.at(), path, fields, URLENCODED, body.as_bytes())
}

/// Forms as boma seals them, of another process that has its secret.
fn office(boma: &Boma) -> Forms {
    let text = std::fs::read_to_string(boma.setup.file("state/secret.key")).unwrap();
    Forms::new(&Secret::parse(&text).unwrap())
}

fn house() -> (Origin, Boma) {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    boma.posture("guarded");
    (origin, boma)
}

#[test]
fn a_form_rides_through_byte_for_byte() {
    let (origin, boma) = house();
    let every_byte: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    let multipart =
        [b"--x\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n", &every_byte[..], b"\r\n--x--\r\n"].concat();
    let forms: [(&str, &[u8]); 4] = [
        (URLENCODED, b"name=Mama%20Asha&amount=100&x=\xff%00+&&=;boma-seal="),
        ("multipart/form-data; boundary=x", &multipart),
        ("text/plain;charset=UTF-8", b"a=b\r\n"),
        (URLENCODED, b""),
    ];
    for (nth, (kind, body)) in forms.into_iter().enumerate() {
        let sent = "Accept: text/html, a/b;q=0.1\r\nAccept-Language: sw\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Site: same-site\r\n\
Origin: http://www.huduma.example\r\nReferer: http://www.huduma.example/start\r\nCookie: session=1; boma_pass=junk; lang=sw\r\nUser-Agent: Phone 7\r\nAuthorization: Basic YTpi\r\n";
        let page = post(boma.at(), "/form?step=2&%61", sent, kind, body);
        assert_eq!(page.status, 503);
        assert_eq!(origin.reached_by_citizens().len(), 2 * nth, "nothing has gone on yet");
        let answer = back(
            &boma,
            "/form?step=2&%61",
            &format!("{OWN}User-Agent: Phone 8\r\nCookie: other=2\r\nX-Way: here\r\n"),
            &solved(&page),
        );
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("POST /form?step=2"), "the origin's own answer: {}", answer.text());
        assert!(answer.pass().is_some(), "with the pass");
        let reached = origin.reached_by_citizens();
        assert_eq!(reached.len(), 2 * nth + 1);
        let last = &reached[2 * nth];
        assert_eq!((last.method.as_str(), last.target.as_str()), ("POST", "/form?step=2&%61"));
        assert_eq!(last.body, body);
        for (name, value) in [
            ("content-type", kind),
            ("cookie", "session=1; lang=sw"),
            ("origin", "http://www.huduma.example"),
            ("referer", "http://www.huduma.example/start"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-user", "?1"),
            ("accept", "text/html, a/b;q=0.1"),
            ("accept-language", "sw"),
            ("user-agent", "Phone 7"),
            ("authorization", "Basic YTpi"),
            ("x-way", "here"),
        ] {
            assert_eq!(last.field(name).as_deref(), Some(value), "{name}: {}", last.head);
        }
        let lines = |name: &str| last.head.lines().filter(|l| l.to_ascii_lowercase().starts_with(name)).count();
        assert_eq!([lines("cookie:"), lines("origin:"), lines("content-type:"), lines("content-length:")], [1; 4]);
        // The pass that it earned opens what comes next.
        let next = format!("{HTML}User-Agent: Phone 8\r\nCookie: {}\r\n", answer.pass().unwrap());
        assert_eq!(post(boma.at(), "/empty", &next, "application/json", b"{}").status, 200);
        assert_eq!(origin.reached_by_citizens().pop().unwrap().target, "/empty");
    }
}

/// As a browser gets it: small but for the form, which comes back as it was.
#[test]
fn a_page_with_a_form_comes_packed_to_whoever_unpacks_it() {
    let (origin, boma) = house();
    let every_byte: Vec<u8> = (0..=255).cycle().take(50_000).collect();
    let gzip = format!("{HTML}Accept-Encoding: gzip, br\r\n");
    let ask = |posture: &str| {
        boma.posture(posture);
        let page = post(boma.at(), "/form", &gzip, "multipart/form-data; boundary=x", &every_byte);
        assert_eq!((page.status, page.field("content-encoding")), (503, Some("gzip")), "{posture}");
        let sent = page.body.len();
        let page = page.unpacked();
        assert_eq!(page.field("content-length"), Some(sent.to_string().as_str()), "{posture}");
        assert!(sent - carried(&page).len() <= 6000, "{posture}: {sent} with a form of {}", carried(&page).len());
        page
    };
    let stopped = ask("static");
    assert!(stopped.text().contains("Your form has not been sent."), "{}", stopped.text());
    let page = ask("guarded");
    assert!(page.text().contains("<script>"), "the whole page: {}", page.text());
    assert_eq!(back(&boma, "/form", &format!("{OWN}Accept-Encoding: gzip\r\n"), &solved(&page)).status, 200);
    assert_eq!(origin.reached_by_citizens()[0].body, every_byte);
    // Who does not unpack gets what is small anyway.
    for plain in
        [post(boma.at(), "/form", HTML, URLENCODED, b"a=1"), navigate(boma.at(), "/.well-known/boma/challenge")]
    {
        assert!(plain.field("content-encoding").is_none() && !plain.text().contains("<script>"), "{}", plain.text());
        let form = hidden(&plain, "boma-form").map_or(0, |form| form.len());
        assert!(plain.body.len() - form <= 1500 && hidden(&plain, "boma-seal").is_some(), "{}", plain.text());
    }
}

#[test]
fn a_form_goes_once() {
    let (origin, boma) = house();
    let page = post(boma.at(), "/pay", HTML, URLENCODED, b"amount=100");
    let body = solved(&page);
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| back(&boma, "/pay", OWN, &body).status)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(together.iter().filter(|s| **s == 200).count(), 1, "{together:?}");
    assert_eq!(together.iter().filter(|s| **s == 409).count(), 3, "{together:?}");
    let again = back(&boma, "/pay", OWN, &body);
    assert_eq!(again.status, 409);
    assert!(again.text().contains("<h1>Your form has been sent already</h1>"), "{}", again.text());
    assert!(hidden(&again, "boma-form").is_none());
    assert_eq!(origin.reached_by_citizens().len(), 1);
}

#[test]
fn only_what_boma_sealed_for_this_very_address_goes() {
    let (origin, boma) = house();
    let page = post(boma.at(), "/form", HTML, URLENCODED, b"name=Mama");
    let (body, form) = (solved(&page), carried(&page));
    let end = |text: &str| body.replace(&form, text);
    let middle = form.len() / 2;
    let altered =
        format!("{}{}{}", &form[..middle], if &form[middle..=middle] == "A" { "B" } else { "A" }, &form[middle + 1..]);
    let foreign = Forms::new(&Secret::random().unwrap());
    let foreign = foreign.seal(&office(&boma).open(form.as_bytes()).unwrap()).unwrap();
    for (what, body) in [
        ("altered", end(&altered)),
        ("cut", end(&form[..form.len() - 1])),
        ("longer", end(&format!("{form}A"))),
        ("another installation's", end(&foreign)),
        ("no form", end("x")),
        ("another field", format!("{body}&x=1")),
        ("seal of another length", format!("boma-seal=x&boma-work=&boma-form={form}")),
        ("no work", format!("boma-seal=&boma-form={form}")),
    ] {
        let answer = back(&boma, "/form", OWN, &body);
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        assert!(hidden(&answer, "boma-form").is_none(), "{what}");
    }
    for (what, path, fields) in [
        ("path", "/form2", OWN.to_owned()),
        ("query", "/form?x", OWN.to_owned()),
        ("cross-site", "/form", OWN.replace("same-origin", "cross-site")),
        ("same-site", "/form", OWN.replace("same-origin", "same-site")),
        ("origin", "/form", OWN.replace("Origin: http://huduma.example", "Origin: http://evil.example")),
        ("null", "/form", OWN.replace("Origin: http://huduma.example", "Origin: null")),
        ("scheme", "/form", OWN.replace("Origin: http:", "Origin: https:")),
        ("referer", "/form", format!("{HTML}Referer: http://huduma.example.evil/\r\n")),
    ] {
        let answer = back(&boma, path, &fields, &body);
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    }
    assert_eq!(origin.reached_by_citizens().len(), 0);
    // None of all that has spent it; a browser that tells nothing of where it was sent from is believed at home.
    assert_eq!(back(&boma, "/form", HTML, &body).status, 200);
    assert_eq!(origin.reached_by_citizens()[0].body, b"name=Mama");
}

#[test]
fn a_form_goes_with_its_own_challenge_or_its_senders_pass_only() {
    let (origin, boma) = house();
    let page = post(boma.at(), "/form", HTML, URLENCODED, b"name=Mama");
    let stranger = solve(boma.at(), &post(boma.at(), "/other", HTML, URLENCODED, b""));
    let other = post(boma.at(), "/form", HTML, URLENCODED, b"name=Baba");
    let with = |pass: &str| format!("{OWN}Cookie: {pass}\r\n");
    // Another citizen's pass does not do, nor another challenge's solution.
    let asked = back(&boma, "/form", &with(&stranger), &pressed(&page));
    assert_eq!(asked.status, 503, "{}", asked.text());
    let mixed = solved(&other).replace(&carried(&other), &carried(&page));
    assert_eq!(back(&boma, "/form", OWN, &mixed).status, 400);
    assert_eq!(origin.reached_by_citizens().len(), 0);
    // Nothing is lost by it: the page that came holds the same form, before a challenge that can be solved.
    assert_eq!(back(&boma, "/form", &with(&stranger), &solved(&asked)).status, 200);
    assert_eq!(origin.reached_by_citizens()[0].body, b"name=Mama");

    // A form of one who held a pass goes with that pass.
    let office = office(&boma);
    let holder = office.open(carried(&asked).as_bytes()).unwrap();
    let pass = solve(boma.at(), &post(boma.at(), "/other", HTML, URLENCODED, b""));
    let id = boma_pass_id(&boma, &pass);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let tie = Tie { asked: true, ..office.tie(b"", Some(id), 0, now) };
    let text = office.seal(&Form { tie, ..holder }).unwrap();
    let body = format!("boma-seal=&boma-work=&boma-form={text}");
    assert_eq!(back(&boma, "/form", &format!("{HTML}Cookie: {stranger}\r\n"), &body).status, 400);
    // From a page of its own it is asked for, as another tab may have got another pass.
    assert_eq!(back(&boma, "/form", &with(&stranger), &body).status, 409);
    assert_eq!(back(&boma, "/form", OWN, &body).status, 409);
    assert_eq!(origin.reached_by_citizens().len(), 1);
    assert_eq!(back(&boma, "/form", &with(&pass), &body).status, 200);
    assert_eq!(origin.reached_by_citizens().len(), 2);
}

/// The id inside of a pass, by the secret.
pub fn boma_pass_id(boma: &Boma, pass: &str) -> u128 {
    let text = std::fs::read_to_string(boma.setup.file("state/secret.key")).unwrap();
    let secret = Secret::parse(&text).unwrap();
    let challenge = boma::challenge::Challenge::new(&secret, std::time::Duration::from_secs(3600));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    challenge.open_pass(pass.trim_start_matches("boma_pass=").as_bytes(), now).unwrap().id
}

/// Without scripts: a button, and a wait that pressing too early does not begin anew.
#[test]
fn a_form_goes_by_the_button_after_its_wait() {
    let (origin, boma) = house();
    let page = post(boma.at(), "/form", HTML, URLENCODED, b"name=Mama");
    let early = back(&boma, "/form", OWN, &pressed(&page));
    assert_eq!((early.status, early.pass()), (503, None));
    assert_eq!(hidden(&early, "boma-seal"), hidden(&page, "boma-seal"), "the same challenge");
    let sent = eventually("the wait is over", || {
        let answer = back(&boma, "/form", OWN, &pressed(&early));
        (answer.status != 503).then_some(answer)
    });
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert!(sent.pass().is_some());
    assert_eq!(origin.reached_by_citizens()[0].body, b"name=Mama");
}

#[test]
fn a_cross_site_form_stays_one() {
    let (origin, boma) = house();
    let sent = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: cross-site\r\nOrigin: https://evil.example\r\n";
    let page = post(boma.at(), "/transfer", sent, URLENCODED, b"to=eve");
    // On the way back the browser adds the citizen's cookies, which the cross-site request had not.
    let answer = back(&boma, "/transfer", &format!("{OWN}Cookie: session=citizen\r\n"), &solved(&page));
    assert_eq!(answer.status, 200);
    let reached = origin.reached_by_citizens().pop().unwrap();
    assert_eq!(reached.field("sec-fetch-site").as_deref(), Some("cross-site"));
    assert_eq!(reached.field("origin").as_deref(), Some("https://evil.example"));
    assert_eq!((reached.field("cookie"), reached.field("referer")), (None, None));
}

#[test]
fn what_cannot_ride_is_said_before_anything_is_lost() {
    let origin = Origin::start();
    let boma = Setup::new().settings("[challenge]\nseal_max = \"1KiB\"\n").start(origin.address);
    boma.posture("guarded");
    let asks_again = |page: &Answer| {
        assert_eq!(page.status, 503);
        assert!(page.text().contains("<h1>Please send your form again</h1>"), "{}", page.text());
        assert_eq!(hidden(page, "boma-form"), None);
    };
    assert!(
        hidden(&post(boma.at(), "/f", HTML, "multipart/form-data; boundary=x", &[b'x'; 1024]), "boma-form").is_some()
    );
    // Decided from the head alone: the answer is there although nothing of the body ever came.
    let ask = |fields: &str| {
        let mut client = Client::connect(boma.at()).unwrap();
        client.send(format!("POST /f HTTP/1.1\r\nHost: huduma.example\r\n{HTML}{fields}\r\n").as_bytes()).unwrap();
        client.read(false).unwrap()
    };
    asks_again(&ask("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1025\r\n"));
    asks_again(&ask("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 500000\r\n"));
    asks_again(&ask("Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n"));
    asks_again(&ask("Content-Type: application/json\r\nContent-Length: 10\r\n"));
    asks_again(&ask("Content-Length: 10\r\n"));
    // As long as a form that comes back may be, and none: its first bytes tell.
    let mut client = Client::connect(boma.at()).unwrap();
    let head = format!(
        "POST /f HTTP/1.1\r\nHost: huduma.example\r\n{HTML}Content-Type: {URLENCODED}\r\nContent-Length: 5000\r\n\r\n"
    );
    client.send(format!("{head}name=Mama+Asha").as_bytes()).unwrap();
    asks_again(&client.read(false).unwrap());
    // The next one in the same house still rides.
    let page = post(boma.at(), "/f", HTML, URLENCODED, b"name=Mama");
    assert_eq!(back(&boma, "/f", OWN, &solved(&page)).status, 200);
    assert_eq!(origin.reached_by_citizens().len(), 1);
}

#[test]
fn forms_are_bounded_per_prefix() {
    let (origin, boma) = house();
    let rides = || hidden(&post(boma.at(), "/f", HTML, URLENCODED, b"a=1"), "boma-form").is_some();
    let most = (0..2000).take_while(|_| rides()).count();
    assert!((200..2000).contains(&most), "{most} forms of one address at once");
    // Another address is not touched by it.
    let mut client = Client::connect_from("127.0.0.77", boma.at()).unwrap();
    let answer = client.ask("POST", "/f", &format!("{HTML}Content-Type: {URLENCODED}\r\n"), "a=1").unwrap();
    assert!(hidden(&answer, "boma-form").is_some());
    assert_eq!(origin.reached_by_citizens().len(), 0);
}

#[test]
fn forms_are_bounded_in_all() {
    let origin = Origin::start();
    let boma = Setup::new().settings("[challenge]\nseal_max = \"1MiB\"\n").start(origin.address);
    boma.posture("guarded");
    let rides = || hidden(&post(boma.at(), "/f", HTML, URLENCODED, &[b'a'; 400_000]), "boma-form").is_some();
    assert!(rides());
    // Who sends a large one and never goes on.
    let slow = |_| {
        let mut client = Client::connect(boma.at()).unwrap();
        let head = format!(
            "POST /f HTTP/1.1\r\nHost: huduma.example\r\n{HTML}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1048576\r\n\r\n--x"
        );
        client.send(head.as_bytes()).unwrap();
        client
    };
    let crowd: Vec<Client> = (0..30).map(slow).collect();
    let room = boma::bounds::FORMS_BYTES / (boma::bounds::FORM_WEIGHT << 20);
    eventually("as many wait as there is room for", || {
        (boma.metric("boma_http_in_flight") >= room as f64).then_some(())
    });
    // Few tries, after long waits: it is the house that is full, and not what one address may have.
    assert!((0..50).any(|_| !rides()), "the room for forms is taken");
    drop(crowd);
    eventually("it is given back", || rides().then_some(()));
}

#[test]
fn after_a_restart_the_citizen_is_asked() {
    let (origin, boma) = house();
    let pages = ["a=1", "a=2"].map(|body| post(boma.at(), "/form", HTML, URLENCODED, body.as_bytes()));
    assert_eq!(back(&boma, "/form", OWN, &solved(&pages[0])).status, 200);
    let boma = Boma::start(boma.kill(), &[]);
    for page in &pages {
        let asked = back(&boma, "/form", OWN, &solved(page));
        assert_eq!(asked.status, 409, "{}", asked.text());
        assert!(asked.text().contains("<h1>Please press Send</h1>") && asked.text().contains("<button>Send</button>"));
        assert!(!asked.field("content-security-policy").unwrap().contains("form-action"));
        assert_eq!(origin.reached_by_citizens().len(), 1, "nothing goes by itself");
        if page.body == pages[1].body {
            let pass = asked.pass().unwrap();
            let sent = back(&boma, "/form", &format!("{OWN}Cookie: {pass}\r\n"), &pressed(&asked));
            assert_eq!(sent.status, 200, "{}", sent.text());
            assert_eq!(origin.reached_by_citizens()[1].body, b"a=2");
            let twice = back(&boma, "/form", &format!("{OWN}Cookie: {pass}\r\n"), &pressed(&asked));
            assert_eq!(twice.status, 409);
        }
    }
    assert_eq!(origin.reached_by_citizens().len(), 2);
}

#[test]
fn old_forms_ask_and_older_ones_are_void() {
    let (origin, boma) = house();
    let page = post(boma.at(), "/form", HTML, URLENCODED, b"a=1");
    let office = office(&boma);
    let form = office.open(carried(&page).as_bytes()).unwrap();
    let home = Prefix::of("127.0.0.1".parse().unwrap(), 32, 64).0;
    assert_eq!(form.tie.home, home);
    let of_age = |issued: u64, born: u64| {
        let tie = Tie { issued: form.tie.issued - issued, born: form.tie.born - born, ..form.tie };
        solved(&page).replace(&carried(&page), &office.seal(&Form { tie, ..form.clone() }).unwrap())
    };
    let (hour, day) = (3600, 86_400);
    let void = back(&boma, "/form", OWN, &of_age(day + 60, day + 60));
    assert_eq!(void.status, 400);
    assert!(void.pass().is_some(), "the check was done, whatever became of the form");
    assert_eq!(back(&boma, "/form", OWN, &of_age(1, day + 60)).status, 400, "a day in all");
    let mut asked = Vec::new();
    for age in [700, 2 * hour, day - 60] {
        let page = back(&boma, "/form", OWN, &of_age(age, age));
        assert_eq!(page.status, 409, "{age}");
        assert!(page.text().contains("<h1>Please press Send</h1>"), "{}", page.text());
        let again = office.open(carried(&page).as_bytes()).unwrap();
        assert_eq!((again.body.as_ref(), again.tie.born), (&b"a=1"[..], form.tie.born - age));
        asked.push(page);
    }
    // The pass of who sent it has ended in the night, and their browser has forgotten it, or has another by now.
    let held = |issued: u64, fields: &str| {
        let tie = Tie { issued: form.tie.issued - issued, ..office.tie(b"", Some(7), 1, form.tie.issued) };
        let body = format!("boma-seal=&boma-work=&boma-form={}", office.seal(&Form { tie, ..form.clone() }).unwrap());
        back(&boma, "/form", fields, &body)
    };
    let cookie = solve(boma.at(), &post(boma.at(), "/other", HTML, URLENCODED, b""));
    let cookie = format!("Cookie: {cookie}\r\n");
    assert_eq!([held(60, HTML).status, held(14 * hour, HTML).status], [400, 409]);
    assert_eq!([held(60, OWN).status, held(14 * hour, OWN).status], [409, 409], "a page of its own is asked again");
    let silent = format!("{HTML}{cookie}");
    assert_eq!(held(14 * hour, &silent).status, 400, "a browser that says nothing is not believed with another's pass");
    let own = format!("{OWN}{cookie}");
    let second = held(14 * hour, &own);
    assert_eq!(second.status, 409, "another tab has got another pass");
    assert_eq!(origin.reached_by_citizens().len(), 0);
    let fields = format!("{OWN}Cookie: {}\r\n", asked[2].pass().unwrap());
    assert_eq!(back(&boma, "/form", &fields, &pressed(&asked[2])).status, 200, "after a night");
    for page in &asked[..2] {
        let fields = format!("{OWN}Cookie: {}\r\n", page.pass().unwrap());
        assert_eq!(back(&boma, "/form", &fields, &pressed(page)).status, 409, "one page of the form was pressed");
    }
    assert_eq!(back(&boma, "/form", OWN, &of_age(500, 500)).status, 409, "and it does not go by itself then");
    assert_eq!(origin.reached_by_citizens().len(), 1);
    assert_eq!(back(&boma, "/form", &own, &pressed(&second)).status, 200, "what is pressed goes, with the pass of now");
    assert_eq!(back(&boma, "/form", &own, &pressed(&second)).status, 409, "once");
    assert_eq!(origin.reached_by_citizens().len(), 2);
}

#[test]
fn a_page_that_was_asked_for_comes_by_one_hop_or_none() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    boma.posture("attack");
    let page = navigate(boma.at(), "/a?b=1");
    let text = page.text();
    let at = text.find("data-seal=\"").map(|at| at + 11).or(text.find("name=\"boma-seal\" value=\"").map(|at| at + 24));
    let seal = &text[at.unwrap()..at.unwrap() + 96];
    let body = format!("boma-seal={seal}&boma-work={}", solution(seal));
    let hop = back(&boma, "/a?b=1", &format!("{OWN}Cookie: a=1\r\n"), &body);
    assert_eq!((hop.status, hop.field("location")), (303, Some("http://huduma.example/a?b=1")));
    let pass = hop.pass().unwrap();
    assert_eq!(request(boma.at(), "GET", "/a?b=1", &format!("{HTML}Cookie: {pass}\r\n"), "").status, 200);
    // A phone that keeps no cookies.
    let direct = back(&boma, "/a?b=1", OWN, &body);
    assert_eq!(direct.status, 200, "{}", direct.text());
    assert!(direct.text().contains("GET /a?b=1") && direct.pass().is_some());
    let reached = origin.reached_by_citizens().pop().unwrap();
    assert_eq!((reached.method.as_str(), reached.body.len(), reached.field("content-type")), ("GET", 0, None));
    assert_eq!(reached.field("origin"), None);
    // What is not solved gets the page again, and no pass.
    let wrong = back(&boma, "/a?b=1", OWN, &format!("boma-seal={seal}&boma-work=1.2.3"));
    assert_eq!((wrong.status, wrong.pass()), (503, None));
}

#[test]
fn a_form_that_an_exit_stops_can_be_sent_again() {
    let origin = Origin::start();
    let rules = "[[limit]]\nname = \"pay\"\nmatch = { path = \"/pay\" }\nper = \"client\"\nrate = \"60/m\"\nburst = 1\nthen = \"deny\"\n";
    let boma = Setup::new().rules(rules).start(origin.address);
    let mut stopped = None;
    for _ in 0..50 {
        let answer = post(boma.at(), "/pay", HTML, URLENCODED, b"amount=1");
        if answer.status == 429 {
            stopped = Some(answer);
            break;
        }
    }
    let stopped = stopped.unwrap();
    assert!(stopped.field("retry-after").is_some() && stopped.field("ratelimit").is_some());
    assert!(stopped.text().contains("Your form has not been sent."), "{}", stopped.text());
    let before = origin.reached_by_citizens().len();
    let sent = eventually("its turn comes", || {
        let answer = back(&boma, "/pay", OWN, &pressed(&stopped));
        (answer.status == 200).then_some(answer)
    });
    assert_eq!((sent.status, origin.reached_by_citizens().len()), (200, before + 1));

    let address = origin.kill();
    let refused = post(boma.at(), "/form", HTML, "multipart/form-data; boundary=x", b"--x--\r\n");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("Your form has not been sent."), "{}", refused.text());
    let still = back(&boma, "/form", OWN, &pressed(&refused));
    assert_eq!(still.status, 503, "and as often as it takes");
    let origin = Origin::start_at(address);
    let sent = eventually("the origin is back", || {
        let answer = back(&boma, "/form", OWN, &pressed(&still));
        (answer.status == 200).then_some(answer)
    });
    assert!(sent.text().contains("POST /form"));
    assert_eq!(back(&boma, "/form", OWN, &pressed(&refused)).status, 409, "the same form, once");
    let bodies: Vec<_> = origin.reached_by_citizens().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, [b"--x--\r\n"]);
}

/// Without a single contact meanwhile, whatever else is known by then.
#[test]
fn a_form_that_a_posture_stops_is_sent_again_once_it_is_over() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let sent = "Accept: text/html\r\nAccept-Language: en\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://huduma.example\r\nReferer: http://huduma.example/start\r\nCookie: session=1; lang=sw\r\nUser-Agent: Phone 7\r\n";
    for posture in ["static", "closed"] {
        let origin = Origin::start();
        let boma = Setup::new().start(origin.address);
        boma.posture(posture);
        let stopped = post(boma.at(), "/file?step=2&%61", sent, "multipart/form-data; boundary=x", &every_byte);
        assert_eq!(stopped.status, 503, "{posture}");
        assert!(stopped.text().contains("Your form has not been sent.") && stopped.text().contains("<button>Send<"));
        let still = back(&boma, "/file?step=2&%61", OWN, &pressed(&stopped));
        assert_eq!(still.status, 503, "{posture}");
        assert_eq!(origin.reached_by_citizens().len(), 0, "{posture}");
        boma.posture("normal");
        // Another browser's fields, as a page of boma's has them: the origin is to see those of the form.
        let own = format!("{OWN}User-Agent: Phone 8\r\nCookie: other=2\r\n");
        let answer = back(&boma, "/file?step=2&%61", &own, &pressed(&still));
        assert_eq!(answer.status, 200, "{posture}: {}", answer.text());
        for page in [&stopped, &still] {
            assert_eq!(back(&boma, "/file?step=2&%61", &own, &pressed(page)).status, 409, "{posture}: once");
        }
        let reached = origin.reached_by_citizens();
        assert_eq!(reached.len(), 1, "{posture}");
        assert_eq!((reached[0].method.as_str(), reached[0].target.as_str()), ("POST", "/file?step=2&%61"));
        assert_eq!(reached[0].body, every_byte);
        for (name, value) in [
            ("content-type", "multipart/form-data; boundary=x"),
            ("content-length", "256"),
            ("cookie", "session=1; lang=sw"),
            ("referer", "http://huduma.example/start"),
            ("user-agent", "Phone 7"),
        ] {
            assert_eq!(reached[0].field(name).as_deref(), Some(value), "{posture}, {name}: {}", reached[0].head);
        }
    }
}

/// 200 kB with a file in them, and one of unknown length: no page can take these along.
fn unkept(boma: &Boma, path: &str) -> [Answer; 2] {
    let large = post(boma.at(), path, HTML, "multipart/form-data; boundary=x", &[b'x'; 200_000]);
    let mut client = Client::connect(boma.at()).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: huduma.example\r\n{HTML}Content-Type: {URLENCODED}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.send(format!("{head}3\r\na=1\r\n0\r\n\r\n").as_bytes()).unwrap();
    [large, client.read(false).unwrap()]
}

/// What a citizen reads whose form an exit stopped and no page keeps.
fn says_unsent(page: &Answer, status: u16, exit: &str) {
    let text = page.text();
    assert_eq!((page.status, hidden(page, "boma-form")), (status, None), "{exit}: {text}");
    assert!(text.contains("<h1>Your form has not been sent</h1>"), "{exit}: {text}");
    assert!(text.contains("load it again; if your browser asks whether to send the form again, say yes"), "{exit}");
    // Nothing on it asks by GET for what was posted, and no link leaves it.
    assert!(!text.contains("href=\"\"") && !text.contains("href=\"?"), "{exit}: {text}");
    assert!(text.contains("<a href=\"/.well-known/boma/status\" target=\"_blank\">"), "{exit}: {text}");
    assert!(page.field("retry-after").is_some(), "{exit}");
}

#[test]
fn a_form_that_no_exits_page_can_keep_is_said_to_be_unsent_and_how_to_send_it() {
    let origin = Origin::start();
    let rules = "[[limit]]\nname = \"pay\"\nmatch = { path = \"/pay\" }\nper = \"client\"\nrate = \"1/h\"\nburst = 1\nthen = \"deny\"\n\
[[rule]]\nname = \"shut\"\nmatch = { path = \"/shut\" }\nthen = \"static\"\n";
    let portal = "max_in_flight = 1\n[[portal.route]]\npath = \"/api/*\"\nchallenge = \"never\"\n";
    let mut setup = Setup::new().rules(rules).portal(portal);
    setup.languages = "\"en\", \"sw\"";
    let boma = setup.start(origin.address);
    assert_eq!(post(boma.at(), "/pay", HTML, URLENCODED, b"a=1").status, 200);
    for page in unkept(&boma, "/pay") {
        says_unsent(&page, 429, "over a limit");
        assert!(page.field("ratelimit").is_some());
    }
    for page in unkept(&boma, "/shut") {
        says_unsent(&page, 503, "static by a rule");
    }
    for posture in ["static", "closed"] {
        boma.posture(posture);
        for page in unkept(&boma, "/form") {
            says_unsent(&page, 503, posture);
        }
    }
    boma.posture("normal");
    origin.set(Mode::Hangs);
    let mut inside = Client::connect(boma.at()).unwrap();
    inside.send(b"GET /inside HTTP/1.1\r\nHost: huduma.example\r\n\r\n").unwrap();
    eventually("it is inside", || (origin.reached_by_citizens().len() == 2).then_some(()));
    for page in unkept(&boma, "/api/x") {
        says_unsent(&page, 503, "busy");
    }
    let sealed = post(boma.at(), "/api/x", HTML, URLENCODED, b"a=1");
    assert!(hidden(&sealed, "boma-form").is_some(), "what can be kept still is");
    drop(inside);
    origin.set(Mode::Works);
    eventually("there is room again", || (get(boma.at(), "/").status == 200).then_some(()));
    assert!(origin.reached_by_citizens().iter().skip(1).all(|r| r.method == "GET"));
    origin.kill();
    for page in unkept(&boma, "/form") {
        says_unsent(&page, 503, "refused");
    }
    for kib in [1, 20, 40, 64] {
        let page = post(boma.at(), "/form", HTML, URLENCODED, &vec![b'x'; kib * 1024]);
        assert!(page.status == 503 && hidden(&page, "boma-form").is_some(), "{kib} KiB: {}", page.text());
    }
    // Programs are told as ever, and a page that was only asked for can be asked for again.
    let program = post(boma.at(), "/form", "", "application/json", b"{}");
    assert_eq!(program.field("content-type"), Some("application/problem+json"));
    assert!(navigate(boma.at(), "/form").text().contains("href=\"\""));
}

#[test]
fn what_the_way_says_is_the_last_requests_own() {
    let origin = Origin::start();
    let boma = Setup::new().settings("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n").start(origin.address);
    boma.posture("guarded");
    let from = |address: &str| format!("X-Forwarded-For: {address}\r\n");
    let page = post(boma.at(), "/form", &format!("{HTML}{}", from("192.0.2.1")), URLENCODED, b"a=1");
    let answer = back(&boma, "/form", &format!("{OWN}{}", from("198.51.100.9")), &solved(&page));
    assert_eq!(answer.status, 200, "a network that changed meanwhile loses nothing");
    let forwarded = origin.reached_by_citizens().pop().unwrap().field("x-forwarded-for").unwrap();
    assert!(forwarded.starts_with("198.51.100.9"), "{forwarded}");
    // A browser that says nothing of where it was sent from is not believed elsewhere than at home: it is asked.
    let page = post(boma.at(), "/form", &format!("{HTML}{}", from("192.0.2.1")), URLENCODED, b"a=2");
    let asked = back(&boma, "/form", &format!("{HTML}{}", from("198.51.100.9")), &solved(&page));
    assert_eq!(asked.status, 409);
    let pressed = back(&boma, "/form", &format!("{HTML}{}", from("198.51.100.9")), &pressed(&asked));
    assert_eq!(pressed.status, 503, "the phone kept no pass: it is checked once more, with its form");
    let sent = back(&boma, "/form", &format!("{HTML}{}", from("198.51.100.9")), &solved(&pressed));
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert_eq!(origin.reached_by_citizens().pop().unwrap().body, b"a=2");
}

#[test]
fn a_form_that_meets_the_waiting_room_waits_in_its_page_and_goes_once() {
    let origin = Origin::start();
    // It asks more often than the budget of one client allows.
    let rules = "[[rule]]\nname = \"line\"\nmatch = { path = \"/file*\" }\nthen = \"queue\"\n[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\n";
    let boma = Setup::new().rules(rules).start(origin.address);
    let body = b"name=Mama%20Asha&x=\xff%00+&&=;";
    let mut page = post(boma.at(), "/file?step=2", HTML, URLENCODED, body);
    assert_eq!(page.status, 503);
    assert!(page.text().contains("Check my place and send") && page.text().contains("nothing you wrote is lost"));
    let cookies: Vec<String> = page
        .fields
        .iter()
        .filter(|(n, _)| n == "set-cookie")
        .map(|(_, v)| v.split(';').next().unwrap().to_owned())
        .collect();
    let fields = format!("{OWN}Cookie: {}\r\n", cookies.join("; "));
    let (sent, answer) = eventually("it is called", || {
        let sent = pressed(&page);
        let answer = back(&boma, "/file?step=2", &fields, &sent);
        if answer.status == 503 {
            page = answer;
            return None;
        }
        Some((sent, answer))
    });
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(back(&boma, "/file?step=2", &fields, &sent).status, 409, "once");
    let reached = origin.reached_by_citizens();
    assert_eq!(reached.len(), 1);
    assert_eq!((reached[0].method.as_str(), reached[0].target.as_str()), ("POST", "/file?step=2"));
    assert_eq!(reached[0].body, body);
    // One that is too large to be kept is said to be, before anything is lost.
    let large = post(boma.at(), "/file", HTML, URLENCODED, &[b'a'; 200_000]);
    assert_eq!((large.status, hidden(&large, "boma-form")), (503, None));
    assert!(large.text().contains("too large to be kept in this page"), "{}", large.text());
}
