//! The sample portal of `boma demo`: a toy origin with a few pages in Swahili and English, a search, a form, a slow
//! page, and a switch that makes it fail. Plain threads, so that nothing of boma's own is needed to run it.
//!
//! Does not know: boma.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::path::form_decoded;

/// Connections served at once; a browser opens six, boma as many as it has requests.
const CONNECTIONS: usize = 256;
const HEAD_BYTES: u64 = 16 * 1024;
const BODY_BYTES: usize = 64 * 1024;
const IDLE: Duration = Duration::from_secs(30);
const SLOW: Duration = Duration::from_secs(3);

/// A running sample portal.
pub struct Sample {
    pub address: SocketAddr,
    stopping: Arc<AtomicBool>,
}

/// How the portal behaves, by its switch.
#[derive(Default)]
struct Switch {
    fails: AtomicBool,
    hangs_up: AtomicBool,
    open: AtomicUsize,
}

/// Starts the portal.
///
/// # Errors
/// The system's: a port in use.
pub fn start(address: SocketAddr) -> io::Result<Sample> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let stopping = Arc::new(AtomicBool::new(false));
    let stop = stopping.clone();
    thread::Builder::new().name("sample".into()).spawn(move || accept(&listener, &stop))?;
    Ok(Sample { address, stopping })
}

impl Sample {
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, stopping: &AtomicBool) {
    let switch = Arc::new(Switch::default());
    for stream in listener.incoming().flatten() {
        if stopping.load(Ordering::Relaxed) {
            return;
        }
        if switch.open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            switch.open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let mine = switch.clone();
        let spawned = thread::Builder::new().spawn(move || {
            let _ = talk(stream, &mine);
            mine.open.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            switch.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    body: String,
}

fn talk(stream: TcpStream, switch: &Switch) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        if switch.hangs_up.load(Ordering::Relaxed) && request.path != "/switch" {
            return Ok(());
        }
        let (status, kind, body) = answer(&request, switch);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-cache\r\nServer: sample\r\n\r\n",
            body.len()
        );
        let body = if request.method == "HEAD" { "" } else { body.as_str() };
        out.write_all(format!("{head}{body}").as_bytes())?;
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut head = String::new();
    let mut limited = reader.by_ref().take(HEAD_BYTES);
    while !head.ends_with("\r\n\r\n") {
        if limited.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let mut words = head.lines().next().unwrap_or("").split(' ');
    let (method, target) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("/"));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let length = head
        .lines()
        .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse::<usize>()));
    let length = length.and_then(Result::ok).unwrap_or(0).min(BODY_BYTES);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (path, query) = (path.to_owned(), query.to_owned());
    Ok(Some(Request { method, path, query, body: String::from_utf8_lossy(&body).into_owned() }))
}

type Answer = (&'static str, &'static str, String);

const HTML: &str = "text/html; charset=utf-8";

fn answer(request: &Request, switch: &Switch) -> Answer {
    if request.path == "/switch" {
        return ("200 OK", HTML, switch_page(request, switch));
    }
    if switch.fails.load(Ordering::Relaxed) {
        return (
            "500 Internal Server Error",
            "text/plain; charset=utf-8",
            "The sample portal has been told to fail.\n".into(),
        );
    }
    match request.path.as_str() {
        "/" => ("200 OK", HTML, page("sw", "Karibu Huduma", SWAHILI)),
        "/en/" => ("200 OK", HTML, page("en", "Welcome to Huduma", ENGLISH)),
        "/services" => ("200 OK", HTML, page("en", "Services", SERVICES)),
        "/search" => ("200 OK", HTML, page("en", "Search", &search(&request.query))),
        "/forms/licence" => ("200 OK", HTML, page("en", "Business licence", &form(request))),
        "/slow" => {
            thread::sleep(SLOW);
            ("200 OK", HTML, page("en", "A slow page", "<p>This page took three seconds.</p>"))
        }
        "/style.css" => ("200 OK", "text/css; charset=utf-8", STYLE.into()),
        "/api/hours" => (
            "200 OK",
            "application/json",
            "{\"open\":\"08:00\",\"close\":\"17:00\",\"zone\":\"Africa/Nairobi\"}\n".into(),
        ),
        "/healthz" => ("200 OK", "text/plain", "ok\n".into()),
        "/robots.txt" => ("200 OK", "text/plain", "User-agent: *\nDisallow: /search\n".into()),
        _ => ("404 Not Found", HTML, page("en", "No such page", "<p>There is no page at this address.</p>")),
    }
}

const STYLE: &str = "body{margin:0;font:1.05rem/1.55 system-ui,sans-serif;color:#1b1f23;background:#fff}\
header{background:#0b5c4a;color:#fff;padding:1rem}header a{color:#fff;margin-inline-end:1rem}\
main,footer{max-width:44rem;margin:0 auto;padding:1rem}footer{color:#555}\
input,button{font:inherit;padding:.5rem .75rem;min-height:44px}button{background:#0b5c4a;color:#fff;border:0;border-radius:.25rem}\
label{display:block;margin:.75rem 0 .25rem}";

const SWAHILI: &str = "<p>Huduma za kaunti mahali pamoja.</p><ul><li><a href=\"/forms/licence\">Omba leseni ya biashara</a></li>\
<li><a href=\"/search\">Tafuta</a></li><li><a href=\"/services\">Huduma zote</a></li><li><a href=\"/slow\">Ukurasa wa polepole</a></li></ul>";

const ENGLISH: &str = "<p>The county's services in one place.</p><ul><li><a href=\"/forms/licence\">Apply for a business licence</a></li>\
<li><a href=\"/search\">Search</a></li><li><a href=\"/services\">All services</a></li><li><a href=\"/slow\">A slow page</a></li></ul>";

const SERVICES: &str =
    "<ul><li>Business licences</li><li>Land searches</li><li>Parking permits</li><li>Market stalls</li></ul>";

fn page(lang: &str, title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
<title>{title} · Huduma Demo</title><link rel=\"stylesheet\" href=\"/style.css\"><link rel=\"icon\" href=\"data:,\"></head>\n<body><header><strong>Huduma Demo</strong>\
<nav><a href=\"/\" lang=\"sw\">Kiswahili</a><a href=\"/en/\">English</a><a href=\"/services\">Services</a><a href=\"/switch\">Switch</a></nav></header>\n\
<main><h1>{title}</h1>{body}</main>\n<footer><p>A sample portal for trying boma; no real service stands behind it.</p></footer></body></html>\n"
    )
}

fn search(query: &str) -> String {
    let asked = form_decoded(query.strip_prefix("q=").unwrap_or("").split('&').next().unwrap_or(""));
    let asked = escape(&asked);
    let found = if asked.is_empty() {
        String::new()
    } else {
        format!("<p>Nothing was found for <em>{asked}</em>; this is a sample.</p>")
    };
    format!(
        "<form action=\"/search\"><label for=\"q\">Search for</label><input id=\"q\" name=\"q\" value=\"{asked}\"> <button>Search</button></form>{found}"
    )
}

fn form(request: &Request) -> String {
    if request.method == "POST" {
        let name = request.body.split('&').find_map(|p| p.strip_prefix("name=")).map(form_decoded).unwrap_or_default();
        return format!("<p>Received once: an application for <strong>{}</strong>.</p>", escape(&name));
    }
    "<form method=\"post\" action=\"/forms/licence\"><label for=\"name\">Name of the business</label>\
<input id=\"name\" name=\"name\" required> <button>Send</button></form>"
        .into()
}

fn switch_page(request: &Request, switch: &Switch) -> String {
    if request.method == "POST" {
        switch.fails.store(request.body.contains("do=fail"), Ordering::Relaxed);
        switch.hangs_up.store(request.body.contains("do=hang"), Ordering::Relaxed);
    }
    let now = match (switch.fails.load(Ordering::Relaxed), switch.hangs_up.load(Ordering::Relaxed)) {
        (true, _) => "answers every request with an error",
        (_, true) => "hangs up on every request",
        _ => "works",
    };
    let button = |what: &str, label: &str| format!("<button name=\"do\" value=\"{what}\">{label}</button> ");
    let buttons = button("work", "Work") + &button("fail", "Fail") + &button("hang", "Hang up");
    page(
        "en",
        "The switch",
        &format!("<p>The portal {now}.</p><form method=\"post\" action=\"/switch\">{buttons}</form>"),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(to: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn it_serves_takes_a_form_and_fails_when_told() {
        let sample = start("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = sample.address;
        assert!(ask(to, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").contains("<html lang=\"sw\">"));
        let posted = ask(to, "POST /forms/licence HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\nname=%3CMama+");
        assert!(posted.contains("<strong>&lt;Mama </strong>"), "{posted}");
        ask(to, "POST /switch HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\ndo=fail");
        assert!(ask(to, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 500 "));
        ask(to, "POST /switch HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\ndo=hang");
        assert_eq!(ask(to, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "");
        sample.stop();
    }
}
