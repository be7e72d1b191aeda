//! boma beside nginx on the same work in one run: `cargo bench --bench peers`.
//!
//! CPU time per request is the measure: user and system time of all processes of each, from the operating system's
//! own accounting, divided by the requests that wrk counted. The two take turns, and the ratio is made pair by pair.
//! Needs Debian's nginx and wrk.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio, exit};

use common::{Running, nginx, ports};

const CONNECTIONS: u32 = 32;

struct Options {
    repeats: usize,
    seconds: u64,
}

fn main() {
    let options = options();
    for tool in ["nginx", "wrk"] {
        if Command::new(tool).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            eprintln!("{tool} is not installed: apt-get install nginx-light wrk");
            exit(1);
        }
    }
    let folder = std::env::temp_dir().join(format!("boma-bench-{}", std::process::id()));
    fs::create_dir_all(folder.join("www")).expect("a folder for the bench");
    let outcome = std::panic::catch_unwind(|| rows(&folder, &options));
    let _ = fs::remove_dir_all(&folder);
    if outcome.is_err() {
        exit(1);
    }
}

fn options() -> Options {
    let mut options = Options { repeats: 5, seconds: 4 };
    let arguments: Vec<String> = std::env::args().collect();
    for pair in arguments.windows(2) {
        match (pair[0].as_str(), pair[1].parse::<usize>()) {
            ("--repeats", Ok(n)) => options.repeats = n.max(1),
            ("--seconds", Ok(n)) => options.seconds = n.max(1) as u64,
            _ => {}
        }
    }
    options
}

fn rows(folder: &Path, options: &Options) {
    fs::write(folder.join("www/1k"), "x".repeat(1024)).unwrap();
    let [origin, peer, peer_flood, through, through_admin, flood, flood_admin] = ports();
    let place = folder.display();
    let base = "daemon off; error_log stderr crit; pid";
    let user = if fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0) {
        "user root;"
    } else {
        ""
    };
    let http = format!(
        "events {{ worker_connections 4096; }}\nhttp {{ access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s; keepalive_requests 100000000;"
    );
    let origin_file = format!(
        "{user} {base} {place}/origin.pid; worker_processes 1;\n{http}\nserver {{ listen 127.0.0.1:{origin}; root {place}/www; open_file_cache max=10; }} }}\n"
    );
    let peer_file = format!(
        "{user} {base} {place}/peer.pid; worker_processes 2;\n{http}\nlimit_req_zone $binary_remote_addr zone=z:10m rate=1r/s; limit_req_status 429;\n\
upstream o {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 100000000; }}\n\
server {{ listen 127.0.0.1:{peer}; location / {{ proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}\n\
server {{ listen 127.0.0.1:{peer_flood}; limit_req zone=z; location / {{ proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n"
    );
    let _origin = nginx(folder, "origin", &origin_file, origin);
    let nginx_peer = nginx(folder, "peer", &peer_file, peer);
    let wide = "[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"1000000/s\"\nburst = 10000000\n";
    let strict = "[[limit]]\nname = \"strict\"\nper = \"client\"\nrate = \"1/s\"\nburst = 1\nthen = \"deny\"\n";
    let boma_through = boma(folder, "through", through, through_admin, origin, wide);
    let boma_flood = boma(folder, "flood", flood, flood_admin, origin, strict);

    println!(
        "{:<22} {:>12} {:>12} {:>8} {:>8} {:>8} {:>12} {:>12}",
        "CPU µs per request", "nginx", "boma", "ratio", "least", "most", "nginx req/s", "boma req/s"
    );
    row("pass-through, 1 KiB", options, (&nginx_peer, peer), (&boma_through, through), |refused| refused == 0.0);
    row("429 under flood", options, (&nginx_peer, peer_flood), (&boma_flood, flood), |refused| refused > 0.99);
}

/// One line of the table; `fits` judges the share of answers that were no 2xx.
fn row(name: &str, options: &Options, nginx: (&Running, u16), boma: (&Running, u16), fits: fn(f64) -> bool) {
    let (mut theirs, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut their_speed, mut our_speed) = (Vec::new(), Vec::new());
    wrk(nginx.1, 1);
    wrk(boma.1, 1);
    for _ in 0..options.repeats {
        let one = |(running, port): (&Running, u16)| {
            let before = running.cpu();
            let (requests, refused, speed) = wrk(port, options.seconds);
            let cpu = running.cpu() - before;
            let share = refused / requests;
            assert!(
                fits(share),
                "{name}: {:.1} % of the answers were no 2xx, which is not the work that was meant",
                share * 100.0
            );
            (cpu as f64 / requests, speed)
        };
        let ((a, sa), (b, sb)) = (one(nginx), one(boma));
        theirs.push(a);
        ours.push(b);
        ratios.push(b / a);
        their_speed.push(sa);
        our_speed.push(sb);
    }
    let (least, most) = ratios.iter().fold((f64::MAX, 0.0f64), |(l, m), r| (l.min(*r), m.max(*r)));
    println!(
        "{name:<22} {:>12.2} {:>12.2} {:>8.2} {least:>8.2} {most:>8.2} {:>12.0} {:>12.0}",
        median(theirs),
        median(ours),
        median(ratios),
        median(their_speed),
        median(our_speed)
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Requests, those of them that were no 2xx, and requests per second.
fn wrk(port: u16, seconds: u64) -> (f64, f64, f64) {
    let url = format!("http://127.0.0.1:{port}/1k");
    let done = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "-H", "Host: huduma.example", &url])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let number =
        |line: &str, at: usize| line.split_whitespace().nth(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    let find = |word: &str| text.lines().find(|l| l.contains(word)).unwrap_or("");
    let requests = number(find("requests in"), 0);
    let refused = find("Non-2xx").rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
    assert!(requests > 0.0, "wrk counted nothing:\n{text}");
    assert!(!text.contains("Socket errors"), "connections failed:\n{text}");
    (requests, refused, number(find("Requests/sec"), 1))
}

fn boma(folder: &Path, name: &str, port: u16, admin: u16, origin: u16, rules: &str) -> Running {
    let settings = format!(
        "[server]\nworkers = 2\n[[listen]]\naddress = \"127.0.0.1:{port}\"\n[admin]\naddress = \"127.0.0.1:{admin}\"\n[log]\naccess = \"off\"\n\
[[portal]]\nname = \"p\"\nhosts = [\"huduma.example\"]\norigins = [\"http://127.0.0.1:{origin}\"]\nmax_in_flight = 1000\n"
    );
    common::boma(&folder.join(name), &settings, rules, port)
}
