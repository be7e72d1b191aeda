//! An origin that does as it is told, and remembers what reached it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Works,
    /// Answers 500.
    Fails,
    /// Takes the request and says nothing.
    Hangs,
    /// Lets everybody wait until it is in another mode.
    Holds,
    /// Takes the request and closes.
    BreaksOff,
    /// Answers what is no HTTP.
    Nonsense,
    /// Answers 304.
    Unchanged,
    /// Half a body, then closes.
    CutsBody,
}

/// A request as it reached the origin.
#[derive(Clone, Debug)]
pub struct Reached {
    pub method: String,
    pub target: String,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reached {
    pub fn field(&self, name: &str) -> Option<String> {
        let line = self.head.lines().find(|l| l.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.map(|l| l[name.len() + 1..].trim().to_owned())
    }
}

struct State {
    mode: Mode,
    reached: Vec<Reached>,
    /// Fields that every answer carries besides its own.
    extra: String,
    title: String,
    /// Answers by target, in the place of all others: status, fields, body.
    pages: HashMap<String, (u16, String, Vec<u8>)>,
    alive: bool,
    streams: Vec<TcpStream>,
}

pub struct Origin {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Origin {
    pub fn start() -> Origin {
        Origin::start_at("127.0.0.1:0".parse().unwrap())
    }

    pub fn start_at(address: SocketAddr) -> Origin {
        let listener = super::eventually("the origin's port is free", || TcpListener::bind(address).ok());
        let address = listener.local_addr().unwrap();
        let state = State {
            mode: Mode::Works,
            reached: Vec::new(),
            extra: String::new(),
            title: "Karibu".into(),
            pages: HashMap::new(),
            alive: true,
            streams: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                {
                    let mut state = state.lock().unwrap();
                    if !state.alive {
                        return;
                    }
                    state.streams.push(stream.try_clone().unwrap());
                }
                thread::spawn(move || talk(stream, &state));
            }
        });
        Origin { address, state }
    }

    pub fn set(&self, mode: Mode) {
        self.state.lock().unwrap().mode = mode;
    }

    pub fn title(&self, title: &str) {
        self.state.lock().unwrap().title = title.to_owned();
    }

    /// Answers a target so, and with 404 whatever is not said by this.
    pub fn page(&self, target: &str, status: u16, fields: &str, body: &str) {
        let answer = (status, fields.to_owned(), body.as_bytes().to_vec());
        self.state.lock().unwrap().pages.insert(target.to_owned(), answer);
    }

    pub fn extra(&self, fields: &str) {
        self.state.lock().unwrap().extra = fields.to_owned();
    }

    pub fn reached(&self) -> Vec<Reached> {
        self.state.lock().unwrap().reached.clone()
    }

    /// What citizens sent, without boma's own fetches.
    pub fn reached_by_citizens(&self) -> Vec<Reached> {
        let own = |r: &Reached| r.field("user-agent").is_some_and(|a| a.starts_with("boma/"));
        self.reached().into_iter().filter(|r| !own(r)).collect()
    }

    /// Dies: every connection is cut and the port refuses.
    pub fn kill(self) -> SocketAddr {
        let mut state = self.state.lock().unwrap();
        state.alive = false;
        for stream in state.streams.drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        drop(state);
        let _ = TcpStream::connect(self.address);
        super::eventually("the origin's port refuses", || TcpStream::connect(self.address).err());
        self.address
    }
}

fn talk(stream: TcpStream, state: &Mutex<State>) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(reached) = read(&mut reader) {
        state.lock().unwrap().reached.push(reached.clone());
        super::eventually("the origin answers", || (state.lock().unwrap().mode != Mode::Holds).then_some(()));
        let (mode, extra, title, page) = {
            let state = state.lock().unwrap();
            let none = || (404, "Content-Type: text/plain\r\n".to_owned(), b"none".to_vec());
            let said = !state.pages.is_empty() && state.mode == Mode::Works;
            let page = said.then(|| state.pages.get(&reached.target).cloned().unwrap_or_else(none));
            (state.mode, state.extra.clone(), state.title.clone(), page)
        };
        if let Some((status, fields, body)) = page {
            let head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n{fields}{extra}\r\n", body.len());
            let sent = if reached.method == "HEAD" { &[] } else { &body[..] };
            if out.write_all(&[head.as_bytes(), sent].concat()).is_err() {
                return;
            }
            continue;
        }
        let slow = reached.target.starts_with("/slow");
        if slow {
            thread::sleep(Duration::from_millis(300));
        }
        let body = format!(
            "<!doctype html><html lang=\"sw\"><body><h1>{title}</h1><p>{} {}</p></body></html>",
            reached.method, reached.target
        );
        let sent = if reached.method == "HEAD" { "" } else { body.as_str() };
        let head = |status: &str, length: usize| {
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n{extra}\r\n"
            )
        };
        let answer = match mode {
            Mode::Works if reached.target == "/to-the-bank" => {
                "HTTP/1.1 303 See Other\r\nLocation: https://bank.example/\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            Mode::Works => head("200 OK", body.len()) + sent,
            Mode::Fails => head("500 Internal Server Error", body.len()) + sent,
            Mode::Unchanged => format!("HTTP/1.1 304 Not Modified\r\n{extra}\r\n"),
            Mode::Nonsense => "SSH-2.0-OpenSSH_9.2\r\n\r\n".into(),
            Mode::CutsBody => head("200 OK", body.len() + 100) + sent,
            Mode::Hangs | Mode::Holds => {
                thread::sleep(super::CEILING);
                return;
            }
            Mode::BreaksOff => {
                let _ = out.shutdown(std::net::Shutdown::Both);
                return;
            }
        };
        if out.write_all(answer.as_bytes()).is_err() || mode == Mode::CutsBody {
            let _ = out.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Reached> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let lower = head.to_ascii_lowercase();
    let mut body = Vec::new();
    if lower.contains("transfer-encoding: chunked") {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(length) = lower.lines().find_map(|l| l.strip_prefix("content-length:")) {
        body.resize(length.trim().parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    }
    Some(Reached { method, target, head, body })
}
