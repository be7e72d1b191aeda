//! What the benches share: servers as child processes, ended by their own handles, with their CPU time and memory by
//! the operating system's own accounting; and boma's staff door.

// Each bench is a crate of its own and uses its part of this.
#![allow(dead_code)]

pub mod large;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const TOKEN: &str = "a-token-for-the-bench";

/// A server that a bench started.
pub struct Running(Child);

impl Running {
    /// Starts it, and waits until it listens on `port`.
    pub fn start(command: &mut Command, port: u16) -> Running {
        let running = Running(command.stdout(Stdio::null()).spawn().expect("the server starts"));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "nothing listens on {port}");
            sleep(Duration::from_millis(20));
        }
        running
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// User and system time of the process and its children, in microseconds.
    pub fn cpu(&self) -> u64 {
        let own = self.0.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let children = children.split_whitespace().map(|pid| cpu(&format!("/proc/{pid}/stat"))).sum::<u64>();
        cpu(&format!("/proc/{own}/stat")) + children
    }

    /// Resident memory of the process itself in KiB.
    pub fn rss(&self) -> u64 {
        rss(&format!("/proc/{}/status", self.0.id()))
    }

    /// The same with its children's. What they share counts for each: to tell growth by, not size.
    pub fn rss_of_all(&self) -> u64 {
        let own = self.0.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        self.rss() + children.split_whitespace().map(|pid| rss(&format!("/proc/{pid}/status"))).sum::<u64>()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // TERM, so that nginx's master ends its workers too.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let start = Instant::now();
        while self.0.try_wait().is_ok_and(|s| s.is_none()) && start.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rss(status: &str) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// User and system time in a `stat` file of /proc, in microseconds: the kernel counts in hundredths of a second, on
/// every architecture that Linux has.
pub fn cpu(stat: &str) -> u64 {
    let text = fs::read_to_string(stat).unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2);
    fields.filter_map(|f| f.parse::<u64>().ok()).sum::<u64>() * 10_000
}

pub fn nginx(folder: &Path, name: &str, text: &str, port: u16) -> Running {
    let file = folder.join(format!("{name}.conf"));
    fs::write(&file, text).unwrap();
    Running::start(Command::new("nginx").arg("-p").arg(folder).arg("-c").arg(file), port)
}

/// The boma that this bench was built with, on files in `folder`; `port` is one that its settings listen on.
pub fn boma(folder: &Path, settings: &str, rules: &str, port: u16) -> Running {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("boma.toml"), settings).unwrap();
    fs::write(folder.join("rules.toml"), rules).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_boma"));
    command.arg("run").arg("--config").arg(folder.join("boma.toml"));
    command.env("BOMA_LOG", "error").env("BOMA_ADMIN_TOKEN", TOKEN).env_remove("STATE_DIRECTORY");
    Running::start(&mut command, port)
}

/// `boma demo` of this build before `origin`, believing hops of this machine.
pub fn demo(port: u16, admin: u16, origin: u16) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boma"));
    command.args(["demo", "--trust", "127.0.0.0/8", "--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--admin", &format!("127.0.0.1:{admin}"), "--portal", &format!("http://127.0.0.1:{origin}")]);
    command.env("BOMA_ADMIN_TOKEN", TOKEN);
    Running::start(&mut command, port)
}

/// Asks the staff door on `port`: status and body.
pub fn staff(port: u16, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut said = String::new();
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return (0, said) };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.read_to_string(&mut said);
    let status = said.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, said.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// Free ports, no two alike.
pub fn ports<const N: usize>() -> [u16; N] {
    let held: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|i| held[i].local_addr().unwrap().port())
}
