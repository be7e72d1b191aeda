//! Copies of pages: how they are taken, kept and given, and what never lands in one.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{Boma, Mode, Origin, Setup, eventually, navigate, request};
use crate::wire::scripted;

/// One client asks for everything at once.
pub const WIDE: &str = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000000/s\"\n";
const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n";
const CSS: &str = "Content-Type: text/css\r\n";
const PNG: &str = "Content-Type: image/png\r\n";
const TEXT: &str = "Content-Type: text/plain\r\n";
pub const TIMES: &str = "connect_timeout = \"500ms\"\nresponse_timeout = \"2s\"\n";

fn house(origin: &Origin, portal: &str) -> Boma {
    Setup::new().portal(&format!("{TIMES}{portal}")).rules(WIDE).start(origin.address)
}

/// Waits until a round has come to its end.
pub fn whole_round(boma: &Boma) {
    let ended = || boma.staff("GET", "/api/v1/snapshots", "", "").json()["portals"][0]["ended"].as_u64();
    eventually("a round comes to its end", ended);
}

/// The paths of which there is a copy.
pub fn copies(boma: &Boma) -> Vec<String> {
    let status = boma.status();
    let paths = status["snapshots"].as_array().unwrap().iter();
    paths.map(|s| s["path"].as_str().unwrap().to_owned()).collect()
}

/// The paths that boma asked for by itself, in order.
fn asked(origin: &Origin) -> Vec<String> {
    let own = |r: &crate::harness::Reached| r.field("user-agent").is_some_and(|a| a.contains("(snapshot)"));
    origin.reached().into_iter().filter(own).map(|r| r.target).collect()
}

pub fn a_copy(boma: &Boma, path: &str) -> crate::harness::Answer {
    let page = navigate(boma.at(), path);
    assert_eq!((page.status, page.field("cache-status")), (200, Some("boma; hit; detail=snapshot")), "{path}");
    page
}

#[test]
fn pages_are_followed_with_what_they_need_and_nothing_else_is() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<html><head><link rel=stylesheet href=\"/s.css?v=1\"><script src=/j.js></script></head><body>Karibu<a href=/a></a><a href=/old></a><a href=/hidden/x></a><a href=\"/list?page=2\"></a><a href=https://other.example/no></a><a href=/film.mp4></a><a href=/off></a><a href=/kept></a><a href=/gone></a><a rel=nofollow href=/no></a></body></html>");
    origin.page(
        "/s.css?v=1",
        200,
        CSS,
        "@import 'more.css'; @font-face{src:url(f.woff2)} p{background:url(\"/i.png?x\")}",
    );
    origin.page("/more.css", 200, CSS, "p{}");
    origin.page("/f.woff2", 200, "Content-Type: font/woff2\r\n", "wOF2");
    origin.page("/i.png?x", 200, PNG, "PNG1");
    origin.page("/j.js", 200, "Content-Type: text/javascript\r\n", "1");
    origin.page("/a", 200, HTML, "<body>A<a href=/b>b</a>");
    origin.page("/b", 200, HTML, "<body>B<a href=/c>c</a>");
    origin.page("/c", 200, HTML, "<body>C");
    origin.page("/old", 301, "Location: /new\r\n", "");
    origin.page("/new", 200, HTML, "<body>New");
    origin.page("/kept", 200, &format!("{HTML}Cache-Control: no-store\r\n"), "<body>no-store");
    origin.page("/robots.txt", 200, TEXT, "User-agent: *\nDisallow: /hidden/\n");
    let boma = house(
        &origin,
        "snapshot = { start = [\"/\"], depth = 2, every = \"1h\" }\n[[portal.route]]\npath = \"/off\"\nfallback = \"off\"\n",
    );
    whole_round(&boma);
    assert!(asked(&origin).contains(&"/gone".to_owned()));
    assert_eq!(
        copies(&boma),
        ["/", "/a", "/b", "/f.woff2", "/i.png?x", "/j.js", "/more.css", "/new", "/robots.txt", "/s.css?v=1"]
    );
    let asked = asked(&origin);
    for never in ["/c", "/hidden/x", "/list?page=2", "/film.mp4", "/off", "/no"] {
        assert!(!asked.contains(&never.to_owned()), "{never}: {asked:?}");
    }
    origin.kill();
    assert!(a_copy(&boma, "/a").text().contains("A<a href=/b>"));
    let sheet = request(boma.at(), "GET", "/s.css?v=1", "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\n", "");
    assert_eq!((sheet.status, sheet.field("content-type")), (200, Some("text/css")));
    let image = request(boma.at(), "GET", "/i.png?x", "Accept: image/avif,image/png\r\n", "");
    assert_eq!((image.status, image.text().as_str()), (200, "PNG1"));
    for none in ["/s.css", "/a?b", "/kept"] {
        assert_eq!(navigate(boma.at(), none).status, 503, "{none}");
    }
}

#[test]
fn sitemaps_name_pages_and_further_sitemaps() {
    let origin = Origin::start();
    let map = |urls: &str| format!("<urlset>{urls}</urlset>");
    origin.page("/map.xml", 200, "Content-Type: text/xml\r\n", "<sitemapindex><sitemap><loc>http://huduma.example/one.xml</loc></sitemap><sitemap><loc>/map.xml</loc></sitemap><sitemap><loc>http://other.example/two.xml</loc></sitemap></sitemapindex>");
    origin.page("/one.xml", 200, "Content-Type: text/xml\r\n", &map("<url><loc>http://huduma.example/a</loc></url><url><loc>https://huduma.example/b</loc></url><url><loc>http://other.example/c</loc></url>"));
    // A page that its sitemap names is as good as declared: PHP's own field does not keep it away.
    origin.page("/a", 200, &format!("{HTML}Cache-Control: no-store, no-cache, must-revalidate\r\n"), "<body>A");
    origin.page("/b", 200, &format!("{HTML}Cache-Control: private\r\n"), "<body>B");
    let boma = house(&origin, "snapshot = { sitemap = \"/map.xml\", every = \"1h\", depth = 0 }\n");
    whole_round(&boma);
    assert_eq!(copies(&boma), ["/a"]);
    assert_eq!(asked(&origin).iter().filter(|a| *a == "/map.xml").count(), 1);
}

#[test]
fn sessions_of_a_java_and_a_php_portal_never_land_in_a_copy() {
    for (cookie, link, field) in [
        ("JSESSIONID=6A0F3C21B4D85E97A1C0; Path=/; HttpOnly", "/next;jsessionid=6A0F3C21B4D85E97A1C0?a=1", "<p>"),
        (
            "PHPSESSID=k3v9q2m7x1c8b5n4z6l0; path=/",
            "/next?PHPSESSID=k3v9q2m7x1c8b5n4z6l0&amp;a=1",
            "<input type=\"hidden\" name=\"PHPSESSID\" value=\"k3v9q2m7x1c8b5n4z6l0\">",
        ),
        (
            "MYSID=0a1b2c3d4e5f60718293; path=/",
            "/next?a=1&amp;MYSID=0a1b2c3d4e5f60718293",
            "<input type=hidden name=csrf_token value=0a1b2c3d4e5f60718293>",
        ),
    ] {
        let origin = Origin::start();
        let id = cookie.split(['=', ';']).nth(1).unwrap();
        let php = format!(
            "{HTML}Set-Cookie: {cookie}\r\nCache-Control: no-store, no-cache, must-revalidate\r\nPragma: no-cache\r\nExpires: Thu, 19 Nov 1981 08:52:00 GMT\r\n"
        );
        origin.page("/", 200, &php, &format!("<html><body><a href=\"{link}\">next</a><form method=post action=\"{link}\">{field}<input name=q></form></body></html>"));
        // What is left in a text cannot be told from it, and is refused.
        origin.page("/told", 200, &php, &format!("<body>Your session is {id}"));
        let boma = house(
            &origin,
            "session_cookies = [\"MYSID\"]\nsnapshot = { start = [\"/\", \"/told\"], every = \"1h\" }\n",
        );
        eventually("boma says why", || boma.log().contains("repeats the value of its own cookie").then_some(()));
        boma.wait_for_snapshots(1);
        assert_eq!(copies(&boma), ["/"]);
        origin.kill();
        let page = a_copy(&boma, "/");
        assert!(!page.text().contains(id), "{}", page.text());
        assert!(page.text().contains("a=1\">next</a>"), "the link is still one: {}", page.text());
        let with = format!("/;jsessionid={id}");
        assert_eq!(navigate(boma.at(), &with).status, 200, "who has a session in the address is given the page");
        let kept = std::fs::read(boma.setup.file("state/boma.redb")).unwrap();
        assert!(!kept.windows(id.len()).any(|w| w == id.as_bytes()));
        // What lies there packed was looked at above, unpacked.
        assert_eq!(navigate(boma.at(), "/told").status, 503);
    }
}

#[test]
fn forms_of_a_copy_are_disabled_and_the_banner_says_what_to_do_instead() {
    let origin = Origin::start();
    origin.page("/pay", 200, HTML, "<!doctype html><html lang=sw><head><meta charset=utf-8></head><body class=x><form method=POST action=/pay><input name=a><button>Lipa</button></form></body></html>");
    let boma = house(
        &origin,
        "contact = { phone = \"+254 20 111\" }\n[[portal.service]]\nname = { en = \"Pay\", sw = \"Lipa\" }\npaths = [\"/pay\"]\nphone = \"+254 20 222\"\n[[portal.route]]\npath = \"/pay\"\nfallback = \"snapshot\"\n",
    );
    boma.wait_for_snapshots(1);
    origin.kill();
    let page = a_copy(&boma, "/pay").text();
    assert!(page.contains("<body class=x><style>#boma-banner"), "{page}");
    assert!(page.contains("lang=\"sw\"") && page.contains("Hii ni nakala") && page.contains("tel:+25420222"), "{page}");
    assert!(page.contains("<form inert method=POST action=/pay><input disabled name=a><button disabled>"), "{page}");
    assert!(page.contains("Fomu hii haiwezi kutumwa sasa"), "{page}");
}

#[test]
fn a_copy_goes_out_packed_or_plain_and_not_again_to_whoever_has_it() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, &format!("<body>{}", "<p>Karibu".repeat(500)));
    let boma = house(&origin, "snapshot = { start = [\"/\"] }\n");
    boma.wait_for_snapshots(1);
    origin.kill();
    let plain = a_copy(&boma, "/");
    let accept = "Accept: text/html\r\nAccept-Encoding: gzip, br\r\n";
    let packed = request(boma.at(), "GET", "/", accept, "");
    assert_eq!((packed.status, packed.field("content-encoding")), (200, Some("gzip")));
    assert!(packed.body.len() < plain.body.len() / 5, "{} of {}", packed.body.len(), plain.body.len());
    let unpacked = String::from_utf8(boma::gzip::unpack(&packed.body, 1 << 20).unwrap()).unwrap();
    assert_eq!(unpacked, plain.text().replace(&code_on(&plain.text()), &code_on(&unpacked)), "but for the code");
    let (tag, other) = (packed.field("etag").unwrap().to_owned(), plain.field("etag").unwrap().to_owned());
    assert_ne!(tag, other);
    let again = request(boma.at(), "GET", "/", &format!("{accept}If-None-Match: {tag}\r\n"), "");
    assert_eq!((again.status, again.body.len(), again.field("etag")), (304, 0, Some(tag.as_str())));
    let head = request(boma.at(), "HEAD", "/", accept, "");
    assert_eq!((head.status, head.field("content-length")), (200, packed.field("content-length")));
    assert_eq!(request(boma.at(), "POST", "/", "Accept: text/html\r\n", "a=b").status, 503);
}

/// The reference code in the banner over a copy.
fn code_on(page: &str) -> String {
    let end = page.find("</bdi></div>").unwrap_or_else(|| panic!("no code on {page}"));
    page[end - 23..end].to_owned()
}

/// What staff are told by a code, and how often the access log has it.
fn told_by(boma: &Boma, code: &str) -> (String, usize) {
    let (exit, said) = boma.command(&["explain", "--ref", code]);
    assert_eq!(exit, 0, "{said}");
    let log = std::fs::read_to_string(boma.setup.file("access.log")).unwrap_or_default();
    (said, log.matches(&format!("\"boma.reference\":\"{code}\"")).count())
}

#[test]
fn each_reader_of_a_copy_has_a_code_that_leads_staff_to_their_answer() {
    let origin = Origin::start();
    let head = "<!doctype html><link rel=stylesheet href=/a.css><body>";
    origin.page("/", 200, HTML, &format!("{head}{}", "<p>Karibu & “çüş”".repeat(3000)));
    origin.page("/a.css", 200, CSS, "body{color:red}");
    let mut setup = Setup::new().portal(&format!("{TIMES}snapshot = {{ start = [\"/\"] }}\n")).rules(WIDE);
    setup.listen = "h2c = true\n";
    let boma = setup.start(origin.address);
    boma.wait_for_snapshots(2);
    origin.kill();
    let first = a_copy(&boma, "/");
    let second = a_copy(&boma, "/");
    let codes = [&first, &second].map(|page| code_on(&page.text()));
    assert_ne!(codes[0], codes[1]);
    assert_eq!(first.text().replace(&codes[0], &codes[1]), second.text(), "nothing else differs");
    for (page, code) in [&first, &second].into_iter().zip(&codes) {
        let said = eventually("both are in the log", || Some(told_by(&boma, code)).filter(|(_, lines)| *lines == 1)).0;
        assert!(said.contains("fallback (origin.refused)") && said.contains("shown a copy of the page"), "{said}");
        assert_eq!(page.field("content-length"), Some(page.body.len().to_string().as_str()));
    }
    // Packed as well, by a reader that checks lengths and checksums.
    let accept = "Accept: text/html\r\nAccept-Encoding: gzip\r\n";
    let packed = request(boma.at(), "GET", "/", accept, "");
    std::fs::write(boma.setup.file("copy.gz"), &packed.body).unwrap();
    let done = std::process::Command::new("gzip").arg("-dc").arg(boma.setup.file("copy.gz")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    let code = code_on(&text);
    assert!(!codes.contains(&code) && text.replace(&code, &codes[0]) == first.text());
    assert_eq!(packed.field("content-length"), Some(packed.body.len().to_string().as_str()));
    let head = request(boma.at(), "HEAD", "/", accept, "");
    assert_eq!((head.status, head.body.len(), head.field("content-length")), (200, 0, packed.field("content-length")));
    let part = request(boma.at(), "GET", "/", &format!("{accept}Range: bytes=0-9\r\n"), "");
    assert_eq!((part.status, part.body.len()), (200, packed.body.len()), "it is given whole");
    // And over HTTP/2, by a client that unpacks, and fails where lengths or checksums do not fit.
    let done = std::process::Command::new("curl")
        .args([
            "-sSf",
            "--http2-prior-knowledge",
            "--compressed",
            "-H",
            "Host: huduma.example",
            "-H",
            "Accept: text/html",
        ])
        .arg(format!("http://{}/", boma.at()))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(text.replace(&code_on(&text), &codes[0]), first.text());
    // Who has it already keeps their code, and that leads to the later answer as well.
    let tag = packed.field("etag").unwrap().to_owned();
    assert!(tag.starts_with("W/\"") && tag.ends_with(&format!("-{code}\"")), "{tag}");
    let ask = |tag: &str| request(boma.at(), "GET", "/", &format!("{accept}If-None-Match: \"x\", {tag}\r\n"), "");
    let again = ask(&tag);
    assert_eq!((again.status, again.body.len(), again.field("etag")), (304, 0, Some(tag.as_str())));
    eventually("both answers are in the log", || (told_by(&boma, &code).1 == 2).then_some(()));
    // A part of a page is the same for everybody.
    let parts = [(); 2].map(|()| request(boma.at(), "GET", "/a.css", "Accept: text/css\r\n", ""));
    assert_eq!((parts[0].text(), parts[0].field("etag")), (parts[1].text(), parts[1].field("etag")));
    assert!(
        parts[0].field("etag").unwrap().starts_with('"') && !parts[0].text().contains("boma"),
        "{}",
        parts[0].text()
    );
    // Where the reason is another one a new code is given, and one that somebody made up is none.
    boma.posture("static");
    let other = ask(&tag);
    assert_eq!(other.status, 200);
    let text = String::from_utf8(boma::gzip::unpack(&other.body, 1 << 20).unwrap()).unwrap();
    let said = told_by(&boma, &code_on(&text)).0;
    assert!(said.contains("fallback (posture.static)") && said.contains("shown a copy of the page"), "{said}");
    let tag = other.field("etag").unwrap().to_owned();
    assert_eq!(ask(&tag).status, 304);
    let made_up = tag.replace(&code_on(&text), "AAAAAAAAAAAAAAAAAAAA");
    assert_eq!(ask(&made_up).status, 200);
}

#[test]
fn a_page_that_is_not_as_expected_takes_no_copys_place_and_raises_an_alarm() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<body>Karibu Huduma<a href=/a>");
    origin.page("/a", 200, HTML, "<body>Huduma, lipa");
    let boma = house(
        &origin,
        "snapshot = { start = [\"/\"], every = \"1s\", expect = \"Huduma\", min_size = \"15B\" }\n[[portal.route]]\npath = \"/a\"\nexpect = \"lipa\"\n",
    );
    boma.wait_for_snapshots(2);
    assert_eq!(boma.metric("boma_snapshot_alarms"), 0.0);
    let alarm = || {
        boma.status()["troubles"].as_array().unwrap().iter().any(|t| t.as_str().unwrap().contains("not as expected"))
    };
    for (address, bad, good) in [
        ("/", "<body>Hacked by somebody", "<body>Karibu Huduma tena<a href=/a>"),
        ("/a", "<body>Huduma, nothing", "<body>Huduma, lipa sasa"),
        ("/", "Huduma!!", "<body>Karibu Huduma sana"),
    ] {
        origin.page(address, 200, HTML, bad);
        eventually("the alarm", || alarm().then_some(()));
        assert!(boma.metric("boma_snapshot_alarms") >= 1.0);
        let journal = std::fs::read_to_string(boma.setup.file("state/journal.jsonl")).unwrap_or_default();
        assert!(journal.contains("not as expected"), "{journal}");
        origin.set(Mode::BreaksOff);
        let copy = a_copy(&boma, address).text();
        assert!(!copy.contains(bad) && copy.contains("Huduma"), "{copy}");
        origin.set(Mode::Works);
        origin.page(address, 200, HTML, good);
        eventually("the alarm is over", || (!alarm()).then_some(()));
    }
}

#[test]
fn no_page_is_asked_for_from_posture_attack_on() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<body>Karibu");
    let boma = house(&origin, "snapshot = { start = [\"/\"], every = \"1s\" }\n");
    boma.wait_for_snapshots(1);
    for level in ["attack", "static", "closed"] {
        boma.posture(level);
        // A fetch may be under way; after a beat there is none.
        let state = || boma.staff("GET", "/api/v1/status", "", "").json();
        let _ = state();
        std::thread::sleep(std::time::Duration::from_millis(700));
        let before = asked(&origin).len();
        std::thread::sleep(std::time::Duration::from_millis(2000));
        assert_eq!(asked(&origin).len(), before, "{level}");
        boma.posture("normal");
        eventually("boma asks again", || (asked(&origin).len() > before).then_some(()));
    }
}

#[test]
fn the_origin_is_asked_for_one_page_at_a_time_and_given_a_rest_where_it_fails() {
    let origin = Origin::start();
    origin.set(Mode::Fails);
    let start: Vec<String> = (0..50).map(|i| format!("\"/{i}\"")).collect();
    let boma = house(&origin, &format!("snapshot = {{ start = [{}], every = \"1h\" }}\n", start.join(", ")));
    eventually("boma gives up", || boma.log().contains("no snapshot was taken").then_some(()));
    std::thread::sleep(std::time::Duration::from_secs(3));
    let few = asked(&origin).len();
    assert!(few <= 5, "{few} fetches of a failing origin");
}

#[test]
fn staff_list_copies_take_them_anew_and_see_what_changed() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<body>\n<p>One\n<p>Same\n");
    let boma = house(&origin, "snapshot = { start = [\"/\"], every = \"1h\" }\n");
    whole_round(&boma);
    origin.page("/", 200, HTML, "<body>\n<p>Two\n<p>Same\n");
    let (code, said) = boma.command(&["snapshot", "refresh", "/"]);
    assert_eq!(code, 0, "{said}");
    let diff = eventually("there is a difference", || {
        let (code, said) = boma.command(&["snapshot", "diff", "/"]);
        (code == 0).then_some(said)
    });
    assert!(diff.contains("-<p>One\n+<p>Two\n") && diff.contains(" <p>Same\n"), "{diff}");
    let told = boma.staff("GET", "/api/v1/snapshots/diff?path=/&from=1&to=1", "", "").json();
    assert_eq!((told["diff"].as_str(), told["from"]["version"].as_u64()), (Some(""), Some(1)));
    let (code, said) = boma.command(&["snapshot", "list"]);
    assert!(code == 0 && said.contains("2 versions") && said.contains("portal huduma"), "{said}");
    let list = boma.staff("GET", "/api/v1/snapshots?portal=huduma", "", "").json();
    assert_eq!(list["snapshots"][0]["versions"].as_array().unwrap().len(), 2, "{list}");
    // Every one more is a version, up to four.
    for n in 3..8 {
        origin.page("/", 200, HTML, &format!("<body>{n}"));
        assert_eq!(boma.staff("POST", "/api/v1/snapshots/refresh", "", "").status, 200);
        let newest = || boma.staff("GET", "/api/v1/snapshots", "", "").json()["snapshots"][0]["versions"].clone();
        eventually("it is taken", || {
            (newest()[0]["bytes"] == 7 && newest().as_array().unwrap().len() == 4.min(n)).then_some(())
        });
    }
    for (path, fields, status) in [("/none", "", 404), ("/?x", "", 404)] {
        let wish = format!("{{\"paths\": [\"{path}\"]}}");
        assert_eq!(boma.staff("POST", "/api/v1/snapshots/refresh", fields, &wish).status, status, "{path}");
    }
    assert_eq!(boma.staff("GET", "/api/v1/snapshots/diff?path=/&from=9", "", "").status, 404);
    boma.posture("attack");
    let refused = boma.staff("POST", "/api/v1/snapshots/refresh", "", "{}");
    assert!(refused.status == 409 && refused.text().contains("spares its origin"), "{}", refused.text());
}

/// Pages whose every version says its number from beginning to end, so that half a one would show.
fn numbered(origin: &Origin, pages: usize, n: usize) {
    let links: String = (0..pages).map(|i| format!("<a href=/{i}></a>")).collect();
    for i in 0..pages {
        let body =
            format!("<body>begins {n}{}<p>{links}</p>ends {n}", format!("<p>page {i} version {n}</p>").repeat(200));
        origin.page(&format!("/{i}"), 200, HTML, &body);
    }
}

/// Copies are whole, whichever version they are of; how many there are.
fn are_whole(boma: &Boma, pages: usize) -> usize {
    let mut there = 0;
    for i in 0..pages {
        let page = navigate(boma.at(), &format!("/{i}"));
        let text = page.text();
        if page.status == 503 {
            continue;
        }
        assert_eq!((page.status, page.field("cache-status")), (200, Some("boma; hit; detail=snapshot")), "/{i}");
        let number = text.split("begins ").nth(1).and_then(|t| t.split('<').next()).unwrap();
        assert!(text.ends_with(&format!("ends {number}")), "/{i}: {text}");
        assert_eq!(text.matches(&format!("page {i} version {number}<")).count(), 200, "/{i}");
        there += 1;
    }
    there
}

/// Killed at random moments while copies are written: afterwards there is always a good set. `BOMA_KILLS` rounds, 4 where it is
/// not said.
#[test]
fn a_kill_at_any_moment_leaves_a_good_set() {
    const PAGES: usize = 12;
    let rounds: usize = std::env::var("BOMA_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let origin = Origin::start();
    numbered(&origin, PAGES, 0);
    let start: Vec<String> = (0..PAGES).map(|i| format!("\"/{i}\"")).collect();
    let mut boma =
        house(&origin, &format!("snapshot = {{ start = [{}], every = \"1s\", depth = 0 }}\n", start.join(", ")));
    boma.wait_for_snapshots(PAGES);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id());
    for n in 1..=rounds {
        numbered(&origin, PAGES, n);
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Until some page of this version has come, and then a moment that differs.
        let asked_before = asked(&origin).len();
        eventually("a round is under way", || (asked(&origin).len() > asked_before + 1).then_some(()));
        std::thread::sleep(std::time::Duration::from_micros((seed >> 33) % 600_000));
        let setup = boma.kill();
        boma = Boma::start(setup, &[]);
        boma.posture("static");
        assert_eq!(are_whole(&boma, PAGES), PAGES, "after kill {n}");
        let troubles = boma.status()["troubles"].to_string();
        assert!(!troubles.contains("damaged"), "after kill {n}: {troubles}");
        assert_eq!(boma.command(&["posture", "auto"]).0, 0);
    }
    println!("{rounds} kills, {PAGES} pages whole after each");
}

#[test]
fn a_damaged_store_is_moved_aside_said_and_filled_again() {
    let origin = Origin::start();
    numbered(&origin, 5, 1);
    let portal = "snapshot = { start = [\"/0\"], every = \"1h\", depth = 1 }\n";
    let boma = house(&origin, portal);
    whole_round(&boma);
    let setup = boma.kill();
    let file = setup.file("state/boma.redb");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..4096].fill(0x5a);
    std::fs::write(&file, &bytes).unwrap();
    let boma = Boma::start(setup, &[]);
    let troubles = boma.status()["troubles"].to_string();
    assert!(troubles.contains("damaged"), "{troubles}");
    boma.wait_for_snapshots(5);
    origin.kill();
    assert_eq!(are_whole(&boma, 5), 5);
}

#[test]
fn a_declared_page_that_redirects_leads_to_its_copy_with_the_origin_gone() {
    let origin = Origin::start();
    let session = "Set-Cookie: PHPSESSID=k3v9q2m7x1c8b5n4z6l0; path=/\r\nCache-Control: no-store\r\n";
    let to = |location: &str| format!("Location: {location}\r\n{session}");
    origin.page("/", 302, &to("http://huduma.example/sw/?PHPSESSID=k3v9q2m7x1c8b5n4z6l0"), "");
    // Whoever declares the way declares where it leads to: PHP's own field keeps that away no more.
    origin.page("/sw/", 200, &format!("{HTML}{session}"), "<body>Karibu<a href=/moved></a>");
    origin.page("/out", 302, "Location: https://bank.example/\r\n", "");
    origin.page("/round", 302, "Location: /round;jsessionid=AB12\r\n", "");
    origin.page("/one", 302, "Location: /two\r\n", "");
    origin.page("/two", 302, "Location: /one\r\n", "");
    origin.page("/moved", 301, "Location: /sw/\r\n", "");
    let boma = house(
        &origin,
        "session_cookies = [\"PHPSESSID\"]\nsnapshot = { start = [\"/\", \"/out\", \"/round\", \"/one\"], every = \"1h\", depth = 0 }\n",
    );
    whole_round(&boma);
    assert_eq!(copies(&boma), ["/", "/sw/"], "what leads round, or away, is none");
    let setup = boma.kill();
    origin.kill();
    let boma = Boma::start(setup, &[]);
    let moved = a_redirect(&boma, "/");
    assert_eq!(moved.field("location"), Some("/sw/"));
    assert_eq!((moved.field("cache-control"), moved.body.len()), (Some("no-store"), 0));
    assert!(moved.field("set-cookie").is_none_or(|c| !c.contains("PHPSESSID")));
    assert!(a_copy(&boma, "/sw/").text().contains("Karibu"));
    let head = request(boma.at(), "HEAD", "/", "Accept: text/html\r\n", "");
    assert_eq!((head.status, head.field("location")), (302, Some("/sw/")));
    for none in ["/out", "/round", "/one", "/two", "/moved"] {
        assert_eq!(navigate(boma.at(), none).status, 503, "{none}");
    }
}

fn a_redirect(boma: &Boma, path: &str) -> crate::harness::Answer {
    let moved = navigate(boma.at(), path);
    assert_eq!((moved.status, moved.field("cache-status")), (302, Some("boma; hit; detail=snapshot")), "{path}");
    moved
}

#[test]
fn a_redirect_of_a_moment_takes_no_good_pages_place() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<body>Karibu");
    origin.page("/busy", 200, HTML, "<body>We are busy");
    let boma = house(&origin, "snapshot = { start = [\"/\"], every = \"1h\" }\n");
    whole_round(&boma);
    origin.page("/", 302, "Location: /busy\r\n", "");
    assert_eq!(boma.staff("POST", "/api/v1/snapshots/refresh", "", "").status, 200);
    eventually("it is said", || boma.log().contains("was a page itself within a day").then_some(()));
    let boma = Boma::start(boma.kill(), &[]);
    origin.kill();
    assert!(a_copy(&boma, "/").text().contains("Karibu"));
}

#[test]
fn a_page_that_no_longer_redirects_takes_the_redirects_place() {
    let origin = Origin::start();
    origin.page("/", 302, "Location: /sw/\r\n", "");
    origin.page("/sw/", 200, HTML, "<body>Karibu");
    let boma = house(&origin, "snapshot = { start = [\"/\"], every = \"1s\", depth = 0 }\n");
    whole_round(&boma);
    origin.page("/", 200, HTML, "<body>Nyumbani");
    let times = || asked(&origin).iter().filter(|a| *a == "/").count();
    let before = times();
    eventually("it is asked for twice more", || (times() >= before + 2).then_some(()));
    origin.kill();
    assert!(a_copy(&boma, "/").text().contains("Nyumbani"));
}

#[test]
fn a_session_in_the_address_finds_the_page_and_other_parameters_do_not() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<body>Karibu");
    origin.page("/list?page=2", 200, HTML, "<body>Ukurasa");
    let map = "<urlset><url><loc>/list?page=2</loc></url></urlset>";
    origin.page("/map.xml", 200, "Content-Type: text/xml\r\n", map);
    let boma = house(
        &origin,
        "session_cookies = [\"MYSID\"]\nsnapshot = { start = [\"/\"], sitemap = \"/map.xml\", every = \"1h\", depth = 0 }\n",
    );
    boma.wait_for_snapshots(2);
    origin.kill();
    for (address, text) in [
        ("/?PHPSESSID=k3v9q2m7x1c8", "Karibu"),
        ("/?phpsessid=k3v9q2m7x1c8", "Karibu"),
        ("/?MYSID=0a1b2c3d", "Karibu"),
        ("/list?page=2&PHPSESSID=k3v9q2m7x1c8", "Ukurasa"),
        ("/list?MYSID=0a1b&page=2", "Ukurasa"),
        ("/;jsessionid=1A2B?PHPSESSID=3C", "Karibu"),
    ] {
        assert!(a_copy(&boma, address).text().contains(text), "{address}");
    }
    for none in ["/?page=2", "/?sid=1", "/list?PHPSESSID=1", "/?x=PHPSESSID=1"] {
        assert_eq!(navigate(boma.at(), none).status, 503, "{none}");
    }
}

#[test]
fn a_route_that_wants_the_statement_gets_no_copy_and_one_that_says_nothing_does() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<body>Karibu<a href=/prices/today></a><a href=/about></a>");
    origin.page("/prices/today", 200, HTML, "<body>Bei");
    origin.page("/about", 200, HTML, "<body>Kuhusu");
    let boma = house(
        &origin,
        "snapshot = { start = [\"/\"], every = \"1h\" }\n[[portal.route]]\npath = \"/prices/*\"\nfallback = \"statement\"\n[[portal.route]]\npath = \"/about\"\nclass = \"information\"\n",
    );
    whole_round(&boma);
    assert_eq!(copies(&boma), ["/", "/about"]);
    assert!(!asked(&origin).contains(&"/prices/today".to_owned()));
    origin.kill();
    a_copy(&boma, "/about");
    let statement = navigate(boma.at(), "/prices/today");
    assert_eq!(statement.status, 503);
    assert!(statement.text().contains("<h1>Sorry, the service is unavailable</h1>"));
}

#[test]
fn the_parts_of_a_page_that_came_as_a_copy_come_too_whatever_stands_before_the_origin() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<link rel=stylesheet href=/s.css><body>Karibu");
    origin.page("/s.css", 200, CSS, "p{}");
    let boma = house(&origin, "snapshot = { start = [\"/\"], every = \"1h\" }\n");
    boma.wait_for_snapshots(2);
    boma.posture("attack");
    let part = |path: &str| {
        let fields = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\nSec-Fetch-Site: same-origin\r\n";
        request(boma.at(), "GET", path, fields, "")
    };
    let (style, none) = (part("/s.css"), part("/made-up.css"));
    assert_eq!((style.status, style.text().as_str()), (200, "p{}"));
    assert_eq!((none.status, none.field("boma-reason")), (429, None), "{}", none.text());
    assert_eq!(origin.reached_by_citizens().len(), 0);
}

#[test]
fn a_copy_is_given_on_the_names_of_its_portal_and_on_none_that_may_be_another_site() {
    let origin = Origin::start();
    origin.page("/", 200, HTML, "<body>Karibu");
    let setup = Setup::new().portal(&format!("{TIMES}snapshot = {{ start = [\"/\"], every = \"1h\" }}\n")).rules(WIDE);
    setup.write(&origin.address.to_string());
    let file = std::fs::read_to_string(setup.file("boma.toml")).unwrap();
    let with = |more: &str| {
        let hosts = "hosts = [\"huduma.example\", \"www.huduma.example\", \"*.huduma.example\"]";
        file.replace("hosts = [\"huduma.example\"]", &format!("{hosts}\n{more}"))
    };
    setup.folder.write("boma.toml", &with(""));
    let boma = Boma::start(setup, &[]);
    boma.wait_for_snapshots(1);
    origin.kill();
    let at = |host: &str| request(boma.at(), "GET", "/", &format!("Host: {host}\r\nAccept: text/html\r\n"), "").status;
    assert_eq!(["huduma.example", "Huduma.Example:8080", "www.huduma.example"].map(at), [200; 3]);
    assert_eq!(at("tax.huduma.example"), 503, "what a wildcard holds");
    boma.setup.folder.write("boma.toml", &with("").replace("\"*.huduma.example\"", "\"*\""));
    eventually("a portal for all hosts is one site", || (at("tax.huduma.example") == 200).then_some(()));
}

#[test]
fn an_origin_that_wants_to_hear_of_https_gives_its_pages_to_boma_too() {
    for (listen, unsure) in [("redirect_https = true\n", 0), ("", 1)] {
        let plain = Arc::new(AtomicUsize::new(0));
        let count = plain.clone();
        let origin = scripted(move |mut stream, head| {
            let path = head.split(' ').nth(1).unwrap();
            let answer = if head.to_ascii_lowercase().contains("x-forwarded-proto: https\r\n") {
                format!("HTTP/1.1 200 OK\r\n{HTML}Content-Length: 12\r\nConnection: close\r\n\r\n<body>Karibu")
            } else {
                count.fetch_add(1, Ordering::Relaxed);
                let to = format!("Location: HTTPS://huduma.example{path}\r\n");
                format!("HTTP/1.1 301 Moved\r\n{to}Content-Length: 0\r\nConnection: close\r\n\r\n")
            };
            let _ = stream.write_all(answer.as_bytes());
        });
        let mut setup = Setup::new().portal("snapshot = { start = [\"/\", \"/a\"], every = \"1h\" }\n");
        setup.listen = listen;
        let boma = setup.start(origin);
        whole_round(&boma);
        assert_eq!(copies(&boma), ["/", "/a"], "{listen:?}");
        let plain = plain.load(Ordering::Relaxed);
        assert_eq!(plain, unsure, "how often it was asked in vain, {listen:?}");
    }
}
