//! The origin: a portal that serves so many requests a second, whatever they are, and no more. It has slots, each of
//! which a request holds for a tenth of a second, and a queue before them; whoever finds that full gets 503 at once. So
//! with too much to do it gets slow, and then it fails.
//!
//! It knows the senders by the request id that the trusted hop gave, see [`SENDERS`].

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const SERVICE: Duration = Duration::from_millis(100);

/// Pages that every citizen may see; each has parts of its own.
pub const PAGES: [&str; 6] = ["/", "/services", "/services/land", "/services/tax", "/help", "/news"];
/// How the paths of the class `filing` begin.
pub const FILING: &str = "/forms/";
pub const FORM: &str = "/forms/licence";
pub const RECEIPT: &str = "/forms/licence/received";
pub const SEARCH: &str = "/search";
/// A large file, for those who read slowly.
pub const FILM: &str = "/files/film";
/// Parts of every page, and of each page two more.
pub const PARTS: [(&str, &str, usize); 18] = [
    ("/assets/site.css", "style", 9_000),
    ("/assets/site.js", "script", 22_000),
    ("/assets/logo.svg", "image", 4_000),
    ("/assets/arms.png", "image", 12_000),
    ("/assets/font.woff2", "font", 24_000),
    ("/assets/icons.svg", "image", 7_000),
    ("/assets/front-1.jpg", "image", 18_000),
    ("/assets/front-2.jpg", "image", 15_000),
    ("/assets/services.css", "style", 3_000),
    ("/assets/services.jpg", "image", 14_000),
    ("/assets/land.js", "script", 8_000),
    ("/assets/land.jpg", "image", 13_000),
    ("/assets/tax.js", "script", 8_000),
    ("/assets/tax.jpg", "image", 12_000),
    ("/assets/help.css", "style", 3_000),
    ("/assets/help.svg", "image", 5_000),
    ("/assets/news-1.jpg", "image", 16_000),
    ("/assets/news-2.jpg", "image", 16_000),
];
/// How many of them every page has.
pub const COMMON: usize = 6;
const PAGE_BYTES: usize = 12_000;

/// Requests of one kind of sender.
#[derive(Default)]
pub struct Counts {
    pub asked: AtomicU64,
    pub served: AtomicU64,
    pub refused: AtomicU64,
}

impl Counts {
    pub fn now(&self) -> [u64; 3] {
        [&self.asked, &self.served, &self.refused].map(|n| n.load(Ordering::Relaxed))
    }
}

/// How the ids of their requests begin: citizens, bots that hold a pass, bots that are programs by what they send, all
/// other bots. boma's own fetches have none, and come last.
pub const SENDERS: [u8; 4] = *b"cpta";
pub const KINDS: usize = SENDERS.len() + 1;

#[derive(Default)]
pub struct Ledger {
    pub senders: [Counts; KINDS],
    /// Of these what was asked of the class `filing`.
    pub filing: [Counts; KINDS],
    /// How many wait for a slot, and the most that did since it was last set to nothing.
    pub waiting: AtomicU64,
    pub deepest: AtomicU64,
    /// Forms by their numbers, and how often each came.
    pub forms: Mutex<HashMap<u64, u32>>,
}

pub struct Origin {
    pub port: u16,
    pub ledger: Arc<Ledger>,
    /// It refuses everybody, and has dropped those whom it had.
    pub down: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Desk {
    down: Arc<AtomicBool>,
    ledger: Arc<Ledger>,
    slots: Semaphore,
    at_once: u64,
    room: u64,
    inside: AtomicU64,
    answers: Answers,
}

impl Origin {
    pub fn start(capacity: u32, queue: u32) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ledger, [stop, down]) = (Arc::<Ledger>::default(), [(); 2].map(|()| Arc::new(AtomicBool::new(false))));
        let slots = (f64::from(capacity) * SERVICE.as_secs_f64()).round().max(1.0) as usize;
        let desk = Arc::new(Desk {
            down: down.clone(),
            ledger: ledger.clone(),
            slots: Semaphore::new(slots),
            at_once: slots as u64,
            room: slots as u64 + u64::from(queue),
            inside: AtomicU64::new(0),
            answers: Answers::new(),
        });
        let stopped = stop.clone();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while !stopped.load(Ordering::Relaxed) {
                    let Ok(accepted) = tokio::time::timeout(SERVICE, listener.accept()).await else { continue };
                    if let Ok((stream, _)) = accepted
                        && !desk.down.load(Ordering::Relaxed)
                    {
                        tokio::spawn(talk(stream, desk.clone()));
                    }
                }
            });
        };
        let thread = std::thread::Builder::new().name("flood-origin".into()).spawn(run).unwrap();
        Origin { port, ledger, down, stop, thread: Some(thread) }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Request {
    get: bool,
    path: String,
    sender: u8,
    has_session: bool,
    length: usize,
    head: usize,
}

fn read(bytes: &[u8]) -> Option<Request> {
    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut room);
    let httparse::Status::Complete(head) = request.parse(bytes).ok()? else { return None };
    let field = |name: &str| request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
    let number = |v: &[u8]| std::str::from_utf8(v).ok()?.parse().ok();
    Some(Request {
        get: request.method != Some("POST"),
        path: request.path?.split('?').next()?.to_owned(),
        sender: field("x-request-id").and_then(|v| v.first().copied()).unwrap_or(0),
        has_session: field("cookie").is_some(),
        length: field("content-length").and_then(number).unwrap_or(0),
        head,
    })
}

async fn talk(mut stream: TcpStream, desk: Arc<Desk>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    loop {
        let request = match read(&buffer) {
            Some(request) if buffer.len() >= request.head + request.length => request,
            _ => match stream.read_buf(&mut buffer).await {
                Ok(1..) if !desk.down.load(Ordering::Relaxed) => continue,
                _ => return,
            },
        };
        let body = &buffer[request.head..request.head + request.length];
        let form = body.strip_prefix(b"form=").and_then(|b| b.split(|c| *c == b'&').next());
        let form = form.and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
        buffer.drain(..request.head + request.length);
        let answer = desk.serve(&request, form).await;
        if desk.down.load(Ordering::Relaxed) {
            return;
        }
        let written = match answer {
            Some((head, body)) => {
                let whole = [head.as_bytes(), body].concat();
                stream.write_all(&whole).await
            }
            None => stream.write_all(FULL).await,
        };
        if written.is_err() {
            return;
        }
    }
}

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 22\r\nContent-Type: text/plain\r\n\r\nno worker free, sorry\r\n";

impl Desk {
    fn waits(&self, inside: u64) {
        let waiting = inside.saturating_sub(self.at_once);
        self.ledger.waiting.store(waiting, Ordering::Relaxed);
        self.ledger.deepest.fetch_max(waiting, Ordering::Relaxed);
    }

    async fn serve(&self, request: &Request, form: Option<u64>) -> Option<(String, &[u8])> {
        let ledger = &self.ledger;
        let sender = SENDERS.iter().position(|s| *s == request.sender).unwrap_or(KINDS - 1);
        let mut counts = vec![&ledger.senders[sender]];
        counts.extend(request.path.starts_with(FILING).then(|| &ledger.filing[sender]));
        let count = |of: fn(&Counts) -> &AtomicU64| {
            counts.iter().for_each(|counts| {
                of(counts).fetch_add(1, Ordering::Relaxed);
            });
        };
        count(|c| &c.asked);
        let inside = self.inside.fetch_add(1, Ordering::Relaxed);
        if inside >= self.room {
            self.inside.fetch_sub(1, Ordering::Relaxed);
            count(|c| &c.refused);
            return None;
        }
        self.waits(inside + 1);
        if let Ok(_slot) = self.slots.acquire().await {
            tokio::time::sleep(SERVICE).await;
        }
        self.waits(self.inside.fetch_sub(1, Ordering::Relaxed) - 1);
        count(|c| &c.served);
        if let Some(form) = form {
            *ledger.forms.lock().unwrap().entry(form).or_default() += 1;
        }
        Some(self.answers.to(request))
    }
}

/// Bodies made once.
struct Answers {
    page: Vec<u8>,
    filler: Vec<u8>,
}

impl Answers {
    fn new() -> Answers {
        let mut page = b"<!doctype html>\n<html lang=\"en\"><head><title>Huduma</title><link rel=\"stylesheet\" href=\"/assets/site.css\"></head><body><main>".to_vec();
        while page.len() < PAGE_BYTES {
            page.extend_from_slice(b"<p>Services of the county, in one place, for everybody who has a phone.</p>\n");
        }
        page.extend_from_slice(b"</main></body></html>\n");
        Answers { page, filler: vec![b'x'; 1 << 20] }
    }

    fn to(&self, request: &Request) -> (String, &[u8]) {
        let head = |status: &str, kind: &str, more: &str, body: &[u8]| {
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nServer: origin\r\n{more}\r\n",
                body.len()
            )
        };
        let path = request.path.as_str();
        if let Some((_, kind, size)) = PARTS.iter().find(|p| p.0 == path) {
            let body = &self.filler[..*size];
            let kind = match *kind {
                "style" => "text/css",
                "script" => "text/javascript",
                "font" => "font/woff2",
                _ => "image/png",
            };
            return (head("200 OK", kind, "Cache-Control: public, max-age=3600\r\n", body), body);
        }
        if path == FILM {
            return (head("200 OK", "video/mp4", "", &self.filler), &self.filler);
        }
        let mut more = "Cache-Control: no-cache\r\n".to_owned();
        if !request.has_session {
            more.push_str("Set-Cookie: PHPSESSID=q7m2v9c4k1x8z5b3; Path=/; HttpOnly\r\n");
        }
        if path == FORM && !request.get {
            more.push_str(&format!("Location: {RECEIPT}\r\n"));
            return (head("303 See Other", "text/html", &more, b""), b"");
        }
        let known = PAGES.contains(&path) || [FORM, RECEIPT, SEARCH].contains(&path);
        let status = if known { "200 OK" } else { "404 Not Found" };
        (head(status, "text/html; charset=utf-8", &more, &self.page), &self.page)
    }
}
