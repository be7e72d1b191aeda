//! boma beside its peers on the same work in one run: `cargo bench --bench peers`, or `-- NAME` for the rows with NAME in
//! them.
//!
//! CPU time per request (of bodies: per MiB) is the measure: user and system time of all processes of each, from the operating system's own
//! accounting, divided by the requests that were answered. All take turns; in each repeat boma's is divided by the best
//! peer's of that repeat, and median, least and most of these ratios are told: below 1 boma is cheaper. No access log is
//! written by any, but in the row that is about it. All speak TLS 1.3: Debian's nginx has to be told. Rows in which boma is
//! divided by itself say what something adds.
//! Besides: memory for each idle connection, a good client beside a flood, and how soon boma starts. Needs Debian's nginx and wrk; haproxy, varnish, h2o and nghttp2-client (h2load) where they are there,
//! and says which are not.

#[path = "../common/mod.rs"]
mod common;
mod good;
mod hands;
mod house;
mod idle;
mod load;
mod start;

use std::fs;
use std::process::exit;
use std::sync::Arc;

use common::Running;
use house::House;
use load::{Load, Ran};
use rustls::ClientConfig;

/// What is asked of each, and by whom it is answered; boma last.
pub struct Row<'h> {
    pub name: &'static str,
    pub load: Load,
    /// What a request is counted as: 1, or the MiB of its body.
    pub weighs: f64,
    /// Whether this share of answers that were no 2xx is the work that was meant.
    pub fits: fn(f64) -> bool,
    pub contenders: Vec<(&'static str, &'h Running, u16)>,
}

pub struct Options {
    pub repeats: usize,
    pub seconds: u64,
    only: Option<String>,
}

fn main() {
    let options = options();
    for tool in ["nginx", "wrk"] {
        if !house::is_there(tool) {
            eprintln!("{tool} is not installed: apt-get install nginx-light wrk");
            exit(1);
        }
    }
    let folder = std::env::temp_dir().join(format!("boma-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the bench");
    let outcome = std::panic::catch_unwind(|| {
        let house = House::start(&folder);
        println!("{:<26} {:>34} {:>8} {:>8} {:>8}", "CPU µs (requests/s)", "contender", "ratio", "least", "most");
        let wanted = |row: &Row<'_>| options.only.as_ref().is_none_or(|only| row.name.contains(only.as_str()));
        let client = hands::client(idle::roots(&folder));
        house.rows().iter().filter(|row| wanted(row)).for_each(|row| run(row, &client, &options));
        let asked_for = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
        if asked_for("idle") {
            idle::run(&house, &folder);
        }
        if asked_for("good client") {
            good::run(&house, &options);
        }
        if asked_for("start") {
            start::run(&folder);
        }
    });
    let _ = fs::remove_dir_all(&folder);
    if outcome.is_err() {
        exit(1);
    }
}

fn options() -> Options {
    let mut options = Options { repeats: 5, seconds: 4, only: None };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut at = arguments.iter();
    while let Some(argument) = at.next() {
        let mut number = || at.next().and_then(|n| n.parse::<usize>().ok()).filter(|n| *n > 0);
        match argument.as_str() {
            "--repeats" => options.repeats = number().unwrap_or(options.repeats),
            "--seconds" => options.seconds = number().unwrap_or(4) as u64,
            name if !name.starts_with('-') => options.only = Some(name.to_owned()),
            _ => {}
        }
    }
    options
}

/// One row: every contender in turn, several times over.
fn run(row: &Row<'_>, client: &Arc<ClientConfig>, options: &Options) {
    let mut cost: Vec<Vec<f64>> = vec![Vec::new(); row.contenders.len()];
    let mut speed = cost.clone();
    let mut ratios = Vec::new();
    for (_, _, port) in &row.contenders {
        load::run(row.load, client, *port, row.load.warm_up());
    }
    for _ in 0..options.repeats {
        let mut here = Vec::new();
        for (at, (name, running, port)) in row.contenders.iter().enumerate() {
            let before = running.cpu();
            let Ran { requests, refused, speed: per_second } = load::run(row.load, client, *port, options.seconds);
            let cpu = (running.cpu() - before) as f64 / requests / row.weighs;
            let share = refused / requests;
            assert!(
                (row.fits)(share),
                "{}, {name}: {:.1} % of the answers were no 2xx, which is not the work that was meant",
                row.name,
                share * 100.0
            );
            here.push(cpu);
            cost[at].push(cpu);
            speed[at].push(per_second);
        }
        let (ours, peers) = here.split_last().expect("boma is one of them");
        ratios.push(ours / peers.iter().fold(f64::MAX, |best, peer| best.min(*peer)));
    }
    for (at, (name, ..)) in row.contenders.iter().enumerate() {
        let told = format!("{name} {:.2} ({:.0})", median(&cost[at]), median(&speed[at]));
        match at + 1 == row.contenders.len() {
            true => {
                let (least, most) = ratios.iter().fold((f64::MAX, 0.0f64), |(l, m), r| (l.min(*r), m.max(*r)));
                println!("{:<26} {told:>34} {:>8.2} {least:>8.2} {most:>8.2}", row.name, median(&ratios));
            }
            false => println!("{:<26} {told:>34}", row.name),
        }
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
