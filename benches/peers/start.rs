//! How soon boma answers after it was started, with many rules; and how large it is.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::median;
use crate::common::large::{Large, Size};
use crate::common::ports;

const TIMES: usize = 7;

/// From the start of the process to an answer of its own, median of seven.
pub fn run(folder: &Path) {
    for size in [Size::SMALL, Size { cidrs: 10_000, patterns: 100, rules: 10_000 }] {
        let took: Vec<f64> = (0..TIMES).map(|_| once(&folder.join("start"), size).as_secs_f64() * 1000.0).collect();
        println!("start, {:>6} rules {:>40.1} ms to the first answer", size.rules, median(&took));
    }
    let bytes = fs::metadata(env!("CARGO_BIN_EXE_boma")).map_or(0, |m| m.len());
    println!("the binary {:>49.1} MiB", bytes as f64 / f64::from(1 << 20));
}

fn once(folder: &Path, size: Size) -> Duration {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
    let large = Large::new(size, 1);
    large.files.iter().for_each(|(file, text)| fs::write(folder.join(file), text).unwrap());
    fs::write(folder.join("rules.toml"), &large.rules).unwrap();
    let [port, admin, origin] = ports();
    let text = format!(
        "[admin]\naddress = \"127.0.0.1:{admin}\"\n[log]\naccess = \"off\"\n[[listen]]\naddress = \"127.0.0.1:{port}\"\n\
         [[portal]]\nname = \"p\"\nhosts = [\"huduma.example\"]\norigins = [\"http://127.0.0.1:{origin}\"]\n"
    );
    fs::write(folder.join("boma.toml"), text).unwrap();
    let log = File::create(folder.join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_boma"));
    command
        .arg("run")
        .arg("--config")
        .arg(folder.join("boma.toml"))
        .env("BOMA_LOG", "error")
        .env_remove("STATE_DIRECTORY");
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(log).spawn().expect("boma starts");
    let answered = loop {
        if answers(port) {
            break Some(start.elapsed());
        }
        if start.elapsed() > Duration::from_secs(20) || child.try_wait().is_ok_and(|s| s.is_some()) {
            break None;
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    let _ = child.kill();
    let _ = child.wait();
    answered.unwrap_or_else(|| panic!("{}", fs::read_to_string(folder.join("log")).unwrap_or_default()))
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream
        .write_all(b"GET /.well-known/boma/status.json HTTP/1.1\r\nHost: huduma.example\r\nConnection: close\r\n\r\n");
    let mut said = String::new();
    stream.read_to_string(&mut said).is_ok_and(|_| said.starts_with("HTTP/1.1 200"))
}
