//! What the origin can do where nobody presses it: measured in each run, before all others come.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::link::{Link, What};
use crate::origin::PAGES;
use crate::people::{self, BROWSERS};
use crate::tally::percentile;

/// How long each number of connections asks.
const STEP: Duration = Duration::from_secs(1);
/// Twice as many that get so much more are still below the knee.
const MORE: f64 = 1.05;
const MOST: usize = 4096;
/// Pages of the unloaded time, and how many at once.
const SAMPLES: usize = 200;
const AT_ONCE: usize = 4;
const HOP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// What the origin gives to whoever asks it itself.
#[derive(Clone, Copy, Default)]
pub struct Can {
    /// Answers a second, at the most.
    pub a_second: f64,
    /// As many at once as make that, by Little's law: more of them only wait.
    pub knee: f64,
}

/// Asks the origin itself, by one connection, two, four and so on, until twice as many get no more.
pub fn can(port: u16) -> Can {
    let (mut can, mut one) = (Can::default(), 0.0);
    let mut at_once = 1;
    while at_once <= MOST {
        let (rate, mean) = run(async move { step(port, at_once).await });
        if at_once == 1 {
            one = mean;
        }
        let grows = rate > can.a_second * MORE;
        can.a_second = can.a_second.max(rate);
        if !grows {
            break;
        }
        at_once *= 2;
    }
    can.knee = can.a_second * one;
    can
}

/// Answers a second, and the mean seconds of each.
async fn step(port: u16, at_once: usize) -> (f64, f64) {
    let start = Instant::now();
    let ask = || async move {
        let (mut answers, mut waited) = (0, 0.0);
        let Ok(mut link) = Link::open(HOP, port, false).await else { return (0, 0.0) };
        // Whoever begins in time is waited for, or the last of them would be left out.
        while start.elapsed() < STEP {
            let (answer, good) = link.ask(b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n").await;
            if answer.what == What::Origin {
                answers += 1;
                waited += answer.waited.as_secs_f64();
            }
            if !good {
                break;
            }
        }
        (answers, waited)
    };
    let (answers, waited) = together(at_once, ask).await;
    (f64::from(answers) / start.elapsed().as_secs_f64(), waited / f64::from(answers.max(1)))
}

async fn together<F: Future<Output = (u32, f64)> + 'static>(n: usize, ask: impl Fn() -> F) -> (u32, f64) {
    let all: Vec<_> = (0..n).map(|_| tokio::task::spawn_local(ask())).collect();
    let mut sum = (0, 0.0);
    for one in all {
        let (answers, waited) = one.await.unwrap();
        sum = (sum.0 + answers, sum.1 + waited);
    }
    sum
}

/// Milliseconds until pages in full by way of whatever stands before the origin, a few at once: the median and 99 %.
pub fn alone(port: u16) -> [Option<u32>; 2] {
    let mut values = run(async move {
        let all: Vec<_> = (0..AT_ONCE).map(|n| tokio::task::spawn_local(reads(port, n))).collect();
        let mut values = Vec::new();
        for one in all {
            values.extend(one.await.unwrap());
        }
        values
    });
    [0.5, 0.99].map(|share| percentile(&mut values, share))
}

async fn reads(port: u16, reader: usize) -> Vec<u32> {
    let Ok(mut link) = Link::open(HOP, port, false).await else { return Vec::new() };
    let mut values = Vec::new();
    for n in 0..SAMPLES / AT_ONCE {
        let (path, from) = (PAGES[n % PAGES.len()], people::elsewhere((n * AT_ONCE + reader) as u32));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: huduma.example\r\nX-Forwarded-For: {from}\r\nX-Forwarded-Proto: https\r\nX-Request-Id: w{n}\r\n\
User-Agent: {}\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n",
            BROWSERS[0]
        );
        let (answer, good) = link.ask(request.as_bytes()).await;
        if answer.what == What::Origin {
            values.push(answer.waited.as_millis() as u32);
        }
        if !good {
            break;
        }
    }
    values
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work)
}
