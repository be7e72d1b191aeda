//! The attackers: as many requests a second as are asked for, whatever becomes of those before (an open loop), over as
//! many connections of the hop as it takes. Random paths and query strings, mixed user agents; one bot in twenty keeps
//! cookies and solves challenges.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::control::{Control, Phase};
use crate::link::{Answer, Link, What};
use crate::origin::{FILM, FORM, SEARCH};
use crate::people::{self, BOT_AGENT, BOTS, BROWSERS, Chance, SOLVER, TOOLS};
use crate::solver::{Solution, Solver};
use crate::tally::Kinds;

/// Connections of the hop's; what is due and finds none free is not sent, and counted.
const LINKS: usize = 10_000;
/// How often the sender looks at what is due, and how much it may be behind before it gives that up.
const BEAT: Duration = Duration::from_millis(2);
const BEHIND: f64 = 0.5;
const HOP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Of the variant `bots`.
pub const SOLVING_BOTS: u32 = 20_000;
/// Of the variant `slow`.
const SLOW_CLIENTS: u32 = 3_000;
/// Of the variant `pulse`.
const PULSE: (u64, u64) = (180, 360);

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Variant {
    /// As DESIGN.md section 7 has it
    Reference,
    /// All of it from one address, which is one of those that citizens share
    Loud,
    /// 3,000 clients that send and read slowly
    Slow,
    /// 3 minutes on, 6 off
    Pulse,
    /// 20,000 bots that hold passes from before the flood
    Bots,
}

pub struct Setup {
    pub control: Arc<Control>,
    pub solver: Arc<Solver>,
    pub port: u16,
    pub rate: f64,
    pub variant: Variant,
}

#[derive(Clone, Debug, Default)]
pub struct Attack {
    /// Due in the flood, sent, and not sent because no connection was free or the sender was behind.
    pub due: u64,
    pub sent: u64,
    pub no_link: u64,
    pub behind: u64,
    /// Of those that were sent, those that were answered.
    pub answered: u64,
    pub bytes: u64,
    pub kinds: Kinds,
    pub passes: u64,
    pub solutions_refused: u64,
    pub most_links: usize,
}

struct Swarm {
    setup: Setup,
    attack: RefCell<Attack>,
    jars: RefCell<HashMap<u32, Jar>>,
    idle: RefCell<Vec<Rc<Slot>>>,
    links: Cell<usize>,
    chance: RefCell<Chance>,
}

#[derive(Clone, Default)]
struct Jar {
    pass: Option<String>,
    session: Option<String>,
}

/// A connection that waits for work.
#[derive(Default)]
struct Slot {
    job: Cell<Option<Job>>,
    wake: Notify,
}

#[derive(Clone, Copy)]
struct Job {
    bot: u32,
    counts: bool,
}

/// Runs on a thread of its own until the run is over.
pub fn attack(setup: Setup, minted: &std::sync::atomic::AtomicU32) -> Attack {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let swarm = Rc::new(Swarm {
        setup,
        attack: RefCell::default(),
        jars: RefCell::default(),
        idle: RefCell::default(),
        links: Cell::new(0),
        chance: RefCell::new(Chance::new(7)),
    });
    LocalSet::new().block_on(&runtime, async {
        if swarm.setup.variant == Variant::Bots {
            swarm.clone().mint(minted).await;
        }
        while swarm.phase() == Phase::Warm {
            sleep(BEAT).await;
        }
        match swarm.setup.variant {
            Variant::Slow => swarm.clone().dawdle().await,
            _ => swarm.clone().send_all().await,
        }
    });
    swarm.attack.take()
}

impl Swarm {
    fn phase(&self) -> Phase {
        self.setup.control.phase()
    }

    async fn send_all(self: Rc<Swarm>) {
        let start = Instant::now();
        let mut done = 0.0;
        while self.phase() < Phase::Over {
            let on = self.setup.variant != Variant::Pulse || start.elapsed().as_secs() % (PULSE.0 + PULSE.1) < PULSE.0;
            let due = start.elapsed().as_secs_f64() * self.setup.rate;
            let counts = self.phase() == Phase::Flood;
            if !on {
                done = due;
            } else if due - done > self.setup.rate * BEHIND {
                let given_up = (due - done).floor();
                done += given_up;
                if counts {
                    let mut attack = self.attack.borrow_mut();
                    attack.due += given_up as u64;
                    attack.behind += given_up as u64;
                }
            }
            while done + 1.0 <= due {
                done += 1.0;
                self.send_one(counts);
            }
            sleep(BEAT).await;
        }
    }

    fn send_one(self: &Rc<Swarm>, counts: bool) {
        let bot = match self.setup.variant {
            // The one that shares its address with citizens.
            Variant::Loud => people::ADDRESSES,
            Variant::Bots => self.chance.borrow_mut().below(SOLVING_BOTS),
            _ => self.chance.borrow_mut().below(BOTS),
        };
        let mut attack = self.attack.borrow_mut();
        attack.due += u64::from(counts);
        let slot = match self.idle.borrow_mut().pop() {
            Some(slot) => slot,
            None if self.links.get() < LINKS => {
                self.links.set(self.links.get() + 1);
                attack.most_links = attack.most_links.max(self.links.get());
                let slot = Rc::<Slot>::default();
                tokio::task::spawn_local(self.clone().serve(slot.clone()));
                slot
            }
            None => {
                attack.no_link += u64::from(counts);
                return;
            }
        };
        attack.sent += u64::from(counts);
        slot.job.set(Some(Job { bot, counts }));
        slot.wake.notify_one();
    }

    async fn serve(self: Rc<Swarm>, slot: Rc<Slot>) {
        let mut link = None;
        loop {
            let Some(job) = slot.job.take() else {
                slot.wake.notified().await;
                continue;
            };
            let request = self.request(job.bot);
            self.setup.control.sent();
            let answer = self.ask(&mut link, &request).await;
            self.count(job, &answer);
            if let (What::Challenge, Some(_), true) = (answer.what, &answer.seal, self.solves(job.bot)) {
                self.solve(&mut link, job.bot).await;
            }
            self.idle.borrow_mut().push(slot.clone());
        }
    }

    async fn ask(&self, link: &mut Option<Link>, request: &str) -> Answer {
        for _ in 0..2 {
            let mut open = match link.take() {
                Some(open) => open,
                None => match Link::open(HOP, self.setup.port, false).await {
                    Ok(open) => open,
                    Err(_) => return Answer::broken(0),
                },
            };
            let (answer, good) = open.ask(request.as_bytes()).await;
            if answer.what == What::Broken && open.was_stale() {
                continue;
            }
            if good {
                *link = Some(open);
            }
            return answer;
        }
        Answer::broken(0)
    }

    fn count(&self, job: Job, answer: &Answer) {
        if self.solves(job.bot) {
            self.keep(job.bot, answer);
        }
        if job.counts {
            let mut attack = self.attack.borrow_mut();
            attack.answered += u64::from(answer.what != What::Broken);
            attack.bytes += answer.bytes as u64;
            attack.kinds.add(answer.what);
        }
    }

    fn solves(&self, bot: u32) -> bool {
        match self.setup.variant {
            Variant::Bots => true,
            Variant::Loud => false,
            _ => bot.is_multiple_of(SOLVER),
        }
    }

    fn keep(&self, bot: u32, answer: &Answer) {
        if answer.pass.is_none() && answer.session.is_none() {
            return;
        }
        let mut jars = self.jars.borrow_mut();
        let jar = jars.entry(bot).or_default();
        jar.pass = answer.pass.clone().or(jar.pass.take());
        jar.session = answer.session.clone().or(jar.session.take());
    }

    /// Sends a solution that was worked out beforehand; without one the bot goes on without a pass.
    async fn solve(&self, link: &mut Option<Link>, bot: u32) {
        let Some(Solution(solution)) = self.setup.solver.ready(self.agent(bot)) else { return };
        let request = format!(
            "POST /.well-known/boma/challenge HTTP/1.1\r\n{}Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\
Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{solution}",
            self.front('a', bot, self.agent(bot)),
            solution.len()
        );
        let answer = self.ask(link, &request).await;
        let mut attack = self.attack.borrow_mut();
        match answer.status {
            204 => attack.passes += 1,
            _ => attack.solutions_refused += 1,
        }
        drop(attack);
        self.keep(bot, &answer);
    }

    /// Before the flood: every bot gets a pass.
    async fn mint(self: Rc<Swarm>, minted: &std::sync::atomic::AtomicU32) {
        let next = Cell::new(0);
        let one = async || {
            let mut link = None;
            while next.get() < SOLVING_BOTS {
                let bot = next.replace(next.get() + 1);
                self.solve(&mut link, bot).await;
                minted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        };
        tokio::join!(one(), one(), one(), one(), one(), one(), one(), one());
    }

    fn agent(&self, bot: u32) -> &'static str {
        match bot {
            _ if self.setup.variant == Variant::Bots => BOT_AGENT,
            bot if !self.solves(bot) && bot % 3 == 0 => TOOLS[(bot / 3) as usize % TOOLS.len()],
            bot => BROWSERS[bot as usize % BROWSERS.len()],
        }
    }

    /// The fields that the hop writes, and the agent.
    fn front(&self, sender: char, bot: u32, agent: &str) -> String {
        format!(
            "Host: huduma.example\r\nX-Forwarded-For: {}\r\nX-Forwarded-Proto: https\r\nX-Request-Id: {sender}{bot}\r\nUser-Agent: {agent}\r\n",
            people::bot(bot)
        )
    }

    fn request(&self, bot: u32) -> String {
        let mut chance = self.chance.borrow_mut();
        let (word, number) = (chance.next(), chance.next() as u32);
        let target = match word % 10 {
            0..=2 => format!("{SEARCH}?q={word:x}"),
            3..=4 => format!("/?{number:x}={:x}", word >> 40),
            _ => format!("/{:x}/{number:x}?{:x}={:x}", word >> 48, word >> 8 & 0xfff, word >> 20 & 0xffff_ffff),
        };
        let agent = self.agent(bot);
        let program = TOOLS.contains(&agent);
        let accept = match () {
            () if program => "Accept: */*\r\n",
            // Half of those that say that they are browsers know what else browsers send.
            () if bot.is_multiple_of(2) => {
                "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
            }
            () => "Accept: text/html\r\n",
        };
        let jars = self.jars.borrow();
        let jar = jars.get(&bot);
        let cookies = jar.iter().flat_map(|j| j.pass.iter().chain(&j.session)).cloned().collect::<Vec<_>>().join("; ");
        let cookie = if cookies.is_empty() { cookies } else { format!("Cookie: {cookies}\r\n") };
        let sender = if jar.is_some_and(|j| j.pass.is_some()) {
            'p'
        } else if program {
            't'
        } else {
            'a'
        };
        format!("GET {target} HTTP/1.1\r\n{}{accept}{cookie}\r\n", self.front(sender, bot, agent))
    }

    /// The variant `slow`: a third send their head a field at a time, a third a form byte by byte, a third read a large
    /// file at 2G's speed. Who is cut off comes again.
    async fn dawdle(self: Rc<Swarm>) {
        for i in 0..SLOW_CLIENTS {
            tokio::task::spawn_local(self.clone().one_slow(i));
            sleep(Duration::from_millis(1)).await;
        }
        while self.phase() < Phase::Over {
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn one_slow(self: Rc<Swarm>, i: u32) {
        use tokio::io::AsyncWriteExt;
        while self.phase() < Phase::Over {
            let counts = self.phase() == Phase::Flood;
            let front = self.front('a', i * 10, BROWSERS[0]);
            let (head, drops, drop): (String, u32, &[u8]) = match i % 3 {
                0 => (format!("GET / HTTP/1.1\r\n{front}"), 1000, b"X-A: b\r\n"),
                1 => (format!("POST {FORM} HTTP/1.1\r\n{front}Content-Length: 1000000\r\n\r\n"), 1_000_000, b"x"),
                _ => (format!("GET {FILM} HTTP/1.1\r\n{front}Accept: text/html\r\n\r\n"), 0, b""),
            };
            let (mut bytes, mut what) = (0, What::Broken);
            if counts {
                let mut attack = self.attack.borrow_mut();
                (attack.due, attack.sent) = (attack.due + 1, attack.sent + 1);
            }
            if drops == 0 {
                if let Ok(mut link) = Link::open(HOP, self.setup.port, true).await {
                    self.setup.control.sent();
                    let (answer, _) = link.ask(head.as_bytes()).await;
                    (bytes, what) = (answer.bytes, answer.what);
                }
            } else if let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", self.setup.port)).await {
                self.setup.control.sent();
                let mut sent = stream.write_all(head.as_bytes()).await.is_ok();
                for _ in 0..drops {
                    if !sent || self.phase() >= Phase::Over {
                        break;
                    }
                    sleep(Duration::from_secs(2)).await;
                    sent = stream.write_all(drop).await.is_ok();
                }
            }
            if counts {
                let mut attack = self.attack.borrow_mut();
                attack.answered += u64::from(what != What::Broken);
                attack.bytes += bytes as u64;
                attack.kinds.add(what);
            }
            sleep(Duration::from_millis(500)).await;
        }
    }
}
