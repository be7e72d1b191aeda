//! A good client beside a flood from another address: what it waits for its answers.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use super::house::House;
use super::load::{self, Load, connect_from};
use super::{Options, median};

/// Requests a second of the good one, and the address that it comes from; the flood comes from 127.0.0.1.
const RATE: u64 = 50;
const FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

struct Seen {
    asked: usize,
    served: usize,
    waits: Vec<Duration>,
}

/// Per contender and repeat: how many of its requests were served, and the 99 % of its waits, in milliseconds.
pub fn run(house: &House, options: &Options) {
    let contenders = house.fair();
    let mut late: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    let (mut asked, mut served) = (vec![0; contenders.len()], vec![0; contenders.len()]);
    let mut ratios = Vec::new();
    for _ in 0..options.repeats {
        let mut here = Vec::new();
        for (at, contender) in contenders.iter().enumerate() {
            let seconds = options.seconds;
            let port = contender.port;
            let flood = thread::spawn(move || load::flood(Load::Plain, port, seconds + 1));
            thread::sleep(Duration::from_millis(500));
            let mut seen = ask(port, seconds);
            flood.join().expect("the flood");
            seen.waits.sort();
            let most = seen.waits.get(seen.waits.len() * 99 / 100).map_or(f64::MAX, |d| d.as_secs_f64() * 1000.0);
            here.push(most);
            late[at].push(most);
            asked[at] += seen.asked;
            served[at] += seen.served;
        }
        let (ours, peers) = here.split_last().expect("boma is one of them");
        ratios.push(ours / peers.iter().fold(f64::MAX, |best, peer| best.min(*peer)));
    }
    let (least, most) = ratios.iter().fold((f64::MAX, 0.0f64), |(l, m), r| (l.min(*r), m.max(*r)));
    for (at, contender) in contenders.iter().enumerate() {
        let told = format!("{} {:.2} ms ({} of {})", contender.name, median(&late[at]), served[at], asked[at]);
        match at + 1 == contenders.len() {
            true => println!("{:<26} {told:>34} {:>8.2} {least:>8.2} {most:>8.2}", "good client, p99", median(&ratios)),
            false => println!("{:<26} {told:>34}", "good client, p99"),
        }
    }
}

/// Asks at its times, on a connection that is kept. A request that is late is counted from when it was due.
fn ask(port: u16, seconds: u64) -> Seen {
    let mut seen = Seen { asked: 0, served: 0, waits: Vec::new() };
    let mut stream = None;
    let start = Instant::now();
    for n in 0..RATE * seconds {
        let due = start + Duration::from_millis(n * 1000 / RATE);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        seen.asked += 1;
        let answered = (|| {
            let mut open = stream.take().map_or_else(|| connect_from(FROM, port), Ok)?;
            open.write_all(b"GET /1k HTTP/1.1\r\nHost: huduma.example\r\n\r\n")?;
            let (mut room, mut came, mut is_good) = ([0; 4096], 0, false);
            while came < 1024 {
                let n = open.read(&mut room)?;
                if n == 0 || (came == 0 && !room.starts_with(b"HTTP/1.1 200")) {
                    return Ok::<_, std::io::Error>((None, is_good));
                }
                is_good = true;
                came += n;
            }
            Ok((Some(open), is_good))
        })();
        if let Ok((open, is_good)) = answered {
            stream = open;
            seen.served += usize::from(is_good);
            seen.waits.push(due.elapsed());
        } else {
            seen.waits.push(Duration::from_secs(5));
        }
    }
    seen
}
