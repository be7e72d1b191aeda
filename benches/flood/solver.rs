//! Who works challenges out: most beforehand, with both cores, before the clock runs; what is wanted beyond that by one
//! thread, so that the generator's share of the machine stays bounded.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use boma::challenge::{asked, work};
use tokio::sync::oneshot;

use crate::control::Control;
use crate::people;

/// Challenges that may wait for the thread.
const WAITING: usize = 256;

/// A seal and the work that solves it, as boma takes them.
pub struct Solution(pub String);

pub struct Solver {
    /// By the browser that asked: a challenge is solved by the one that it was given to.
    ready: Mutex<HashMap<&'static str, Vec<Solution>>>,
    pub live: AtomicU64,
    queue: SyncSender<(String, oneshot::Sender<Solution>)>,
}

fn solve(seal: &str) -> Solution {
    // What the page says it costs is what is paid.
    let solved = asked(seal.as_bytes()).map(|asked| work(seal.as_bytes(), asked)).unwrap_or_default();
    Solution(format!("seal={seal}&work={solved}"))
}

impl Solver {
    pub fn start() -> Solver {
        let (queue, wanted): (_, Receiver<(String, oneshot::Sender<Solution>)>) = sync_channel(WAITING);
        let run = move || {
            while let Ok((seal, answer)) = wanted.recv() {
                let _ = answer.send(solve(&seal));
            }
        };
        std::thread::Builder::new().name("flood-solver".into()).spawn(run).unwrap();
        Solver { ready: Mutex::default(), live: AtomicU64::new(0), queue }
    }

    /// Works out `n` solutions of challenges that boma on `port` gives out now to these browsers by turns.
    pub fn prepare(&self, port: u16, n: u32, agents: &[&'static str], control: &Control) {
        let left = AtomicU32::new(n);
        let next = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |l| l.checked_sub(1)).ok();
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some(i) = next() {
                        control.sent();
                        let agent = agents[i as usize % agents.len()];
                        if let Some(solution) = fetch(port, i, agent).as_deref().map(solve) {
                            self.ready.lock().unwrap().entry(agent).or_default().push(solution);
                        }
                    }
                });
            }
        });
    }

    pub fn ready(&self, agent: &str) -> Option<Solution> {
        self.ready.lock().unwrap().get_mut(agent)?.pop()
    }

    /// Works this very challenge out; `None` where too many wait.
    pub async fn live(&self, seal: &str) -> Option<Solution> {
        self.live.fetch_add(1, Ordering::Relaxed);
        let (answer, solved) = oneshot::channel();
        self.queue.try_send((seal.to_owned(), answer)).ok()?;
        solved.await.ok()
    }
}

fn fetch(port: u16, i: u32, agent: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let address = people::elsewhere(i);
    let request = format!(
        "GET /.well-known/boma/challenge HTTP/1.1\r\nHost: huduma.example\r\nX-Forwarded-For: {address}\r\nX-Forwarded-Proto: https\r\n\
User-Agent: {agent}\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nConnection: close\r\n\r\n",
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    let at = said.find("name=\"boma-seal\" value=\"")? + "name=\"boma-seal\" value=\"".len();
    said.get(at..)?.split('"').next().map(str::to_owned)
}
