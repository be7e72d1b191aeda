//! A plain client: what is sent stands in the test, what comes back is read to its end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// As a browser has it, which unpacks it.
    pub fn unpacked(self) -> Answer {
        match self.field("content-encoding") {
            Some("gzip") => Answer { body: boma::gzip::unpack(&self.body, 1 << 20).expect("it is gzip"), ..self },
            _ => self,
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The `boma_pass` cookie that the answer sets, as a Cookie field would carry it.
    pub fn pass(&self) -> Option<String> {
        let cookies = self.fields.iter().filter(|(n, _)| n == "set-cookie");
        cookies.map(|(_, v)| v.split(';').next().unwrap().to_owned()).find(|v| v.starts_with("boma_pass="))
    }
}

/// A connection that is kept alive.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(to: SocketAddr) -> io::Result<Client> {
        Client::over(TcpStream::connect(to)?)
    }

    /// From another of the loopback's addresses.
    pub fn connect_from(from: &str, to: SocketAddr) -> io::Result<Client> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(from.parse().map_err(io::Error::other)?, 0).into())?;
        socket.connect(&to.into())?;
        Client::over(socket.into())
    }

    fn over(stream: TcpStream) -> io::Result<Client> {
        stream.set_read_timeout(Some(super::CEILING))?;
        stream.set_nodelay(true)?;
        Ok(Client { reader: BufReader::with_capacity(64 * 1024, stream) })
    }

    pub fn send(&mut self, raw: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(raw)
    }

    /// Reads one line of what comes, without its end.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// What has come already is read away; whether the connection has been closed.
    pub fn is_closed(&mut self) -> bool {
        let stream = self.reader.get_ref();
        stream.set_nonblocking(true).unwrap();
        let closed = loop {
            match self.reader.read(&mut [0; 4096]) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(e) => break e.kind() != io::ErrorKind::WouldBlock,
            }
        };
        self.reader.get_ref().set_nonblocking(false).unwrap();
        closed
    }

    /// Reads one answer; one to HEAD has no body.
    pub fn read(&mut self, head: bool) -> io::Result<Answer> {
        let mut answer = self.head()?;
        if !head && answer.status >= 200 && !matches!(answer.status, 204 | 304) {
            answer.body = self.body(&answer)?;
        }
        Ok(answer)
    }

    /// Reads an answer's head.
    pub fn head(&mut self) -> io::Result<Answer> {
        let gone = |what: &str| io::Error::new(io::ErrorKind::UnexpectedEof, what.to_owned());
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(gone("no answer"));
        }
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| gone("no status line"))?;
        let mut fields = Vec::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(gone("the head broke off"));
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Answer { status, fields, body: Vec::new() })
    }

    fn body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if answer.field("transfer-encoding") == Some("chunked") {
            loop {
                let mut line = String::new();
                self.reader.read_line(&mut line)?;
                let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
                let mut chunk = vec![0; size + 2];
                self.reader.read_exact(&mut chunk)?;
                if size == 0 {
                    return Ok(body);
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        match answer.field("content-length") {
            Some(length) => {
                body.resize(length.parse().map_err(io::Error::other)?, 0);
                self.reader.read_exact(&mut body)?;
            }
            None => {
                self.reader.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    pub fn ask(&mut self, method: &str, path: &str, fields: &str, body: &str) -> io::Result<Answer> {
        let length = if body.is_empty() && method != "POST" && method != "PUT" {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let host = if fields.contains("Host:") { "" } else { "Host: huduma.example\r\n" };
        self.send(format!("{method} {path} HTTP/1.1\r\n{host}{fields}{length}\r\n{body}").as_bytes())?;
        self.read(method == "HEAD")
    }
}

pub fn request(to: SocketAddr, method: &str, path: &str, fields: &str, body: &str) -> Answer {
    Client::connect(to)
        .and_then(|mut c| c.ask(method, path, fields, body))
        .unwrap_or_else(|e| panic!("{method} {path}: {e}"))
}

/// As a program asks.
pub fn get(to: SocketAddr, path: &str) -> Answer {
    request(to, "GET", path, "", "")
}

/// As a browser goes to a page.
pub fn navigate(to: SocketAddr, path: &str) -> Answer {
    request(to, "GET", path, "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", "")
}

/// Traffic until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<io::Result<Answer>>>>,
}

/// Starts `clients` that each ask for the paths in turn over kept-alive connections; `fields` as in [`Client::ask`].
pub fn load(to: SocketAddr, clients: usize, paths: &[&str], fields: &str) -> Load {
    let stop = Arc::new(AtomicBool::new(false));
    let run = |_| {
        let (stop, fields) = (stop.clone(), fields.to_owned());
        let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
        std::thread::spawn(move || {
            let mut answers = Vec::new();
            let mut client = None;
            for path in paths.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let asked = match client.take() {
                    Some(client) => Ok(client),
                    None => Client::connect(to),
                };
                let answer = asked.and_then(|mut c| {
                    let answer = c.ask("GET", path, &fields, "")?;
                    if answer.field("connection") != Some("close") {
                        client = Some(c);
                    }
                    Ok(answer)
                });
                answers.push(answer);
                std::thread::sleep(Duration::from_millis(1));
            }
            answers
        })
    };
    let threads = (0..clients).map(run).collect();
    Load { stop, threads }
}

impl Load {
    pub fn stop(self) -> Vec<io::Result<Answer>> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    }
}
