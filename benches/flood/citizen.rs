//! Citizens, as browsers: they keep cookies, send fetch metadata, take a page's parts over three connections, keep those
//! in their cache, think, fill forms in, and work a challenge out when they meet one. What becomes of them is counted.

use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

use crate::control::{Control, Level, Phase};
use crate::link::{Answer, Link, ROUND_TRIP, What};
use crate::origin::{COMMON, FORM, PAGES, PARTS, RECEIPT};
use crate::people::{self, BROWSERS, Chance};
use crate::solver::{Solution, Solver};
use crate::tally::{Form, Tally};

/// Requests of one visit on average where all is well; measured.
pub const REQUESTS_PER_VISIT: f64 = 12.7;
/// Visits at once: more than this are not begun, and counted.
const VISITS: u32 = 6_000;
/// Seconds of thought between pages, and over a form.
const THINK: f64 = 6.0;
const FILL_IN: f64 = 10.0;
/// How long a phone works on a challenge, and an old one on 2G.
const WORKS: Duration = Duration::from_millis(300);
const WORKS_SLOWLY: Duration = Duration::from_millis(1500);
/// Challenges in a row after which a citizen gives up.
const ROUNDS: u32 = 3;
/// A form that was answered with "try again" is tried once more, after at most this long.
const AGAIN: Duration = Duration::from_secs(10);
/// How long after the flood's end citizens may take to end what they began.
const ENDING: Duration = Duration::from_secs(45);
/// How long a citizen stays in line, and how soon after its page a call can be followed.
const LINE_PATIENCE: Duration = Duration::from_secs(120);
const PRESS: Duration = Duration::from_secs(6);
/// Connections of one browser.
const LINKS: usize = 3;
const HOP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

pub struct Setup {
    pub control: Arc<Control>,
    pub solver: Arc<Solver>,
    pub port: u16,
    /// Requests a second.
    pub rate: f64,
}

struct Town {
    setup: Setup,
    tally: RefCell<Tally>,
    visits: Cell<u32>,
    requests: Cell<u64>,
}

/// Runs on a thread of its own until the flood is over and all have ended what they began.
pub fn live(setup: Setup) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let town = Rc::new(Town { setup, tally: RefCell::default(), visits: Cell::new(0), requests: Cell::new(0) });
    LocalSet::new().block_on(&runtime, come(town.clone()));
    let mut tally = town.tally.take();
    tally.open = u64::from(town.visits.get());
    tally
}

async fn come(town: Rc<Town>) {
    let mut chance = Chance::new(1);
    let mut visits = JoinSet::new();
    let between = REQUESTS_PER_VISIT / town.setup.rate.max(0.1);
    let mut next = Instant::now();
    for n in 0.. {
        while town.setup.control.phase() < Phase::Ending && Instant::now() < next {
            sleep((next - Instant::now()).min(Duration::from_millis(200))).await;
        }
        if town.setup.control.phase() >= Phase::Ending {
            break;
        }
        next += Duration::from_secs_f64(chance.around(between));
        if town.visits.get() < VISITS {
            visits.spawn_local(visit(town.clone(), n));
        } else {
            town.tally.borrow_mut().not_begun += 1;
        }
        while visits.try_join_next().is_some() {}
    }
    let _ = tokio::time::timeout(ENDING, async { while visits.join_next().await.is_some() {} }).await;
}

struct Citizen {
    town: Rc<Town>,
    address: Ipv4Addr,
    agent: &'static str,
    slow: bool,
    chance: RefCell<Chance>,
    pass: RefCell<Option<String>>,
    session: RefCell<Option<String>>,
    place: RefCell<Option<String>>,
    /// It has worked a challenge out in this visit.
    solved: Cell<bool>,
    /// By their places in [`PARTS`].
    parts_kept: Cell<u32>,
    links: [RefCell<Option<Link>>; LINKS],
    /// What happened in wishes that count.
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    counts: bool,
    challenged: bool,
    by_mistake: bool,
    refused: bool,
}

async fn visit(town: Rc<Town>, n: u32) {
    town.visits.set(town.visits.get() + 1);
    let mut chance = Chance::new(u64::from(n) << 20);
    let citizen = Citizen {
        address: people::citizen(n, &mut chance),
        agent: BROWSERS[chance.below(BROWSERS.len() as u32) as usize],
        slow: n.is_multiple_of(5),
        // Every second one has been here before.
        parts_kept: Cell::new(if n % 4 < 2 { (1 << COMMON) - 1 } else { 0 }),
        chance: RefCell::new(chance),
        pass: RefCell::default(),
        session: RefCell::default(),
        place: RefCell::default(),
        solved: Cell::new(false),
        links: std::array::from_fn(|_| RefCell::new(None)),
        seen: RefCell::default(),
        town: town.clone(),
    };
    citizen.walk().await;
    town.visits.set(town.visits.get() - 1);
    let seen = citizen.seen.take();
    if seen.counts {
        let mut tally = town.tally.borrow_mut();
        tally.citizens += 1;
        tally.citizens_challenged += u64::from(seen.challenged);
        tally.citizens_by_mistake += u64::from(seen.by_mistake);
        tally.citizens_refused += u64::from(seen.refused);
    }
}

impl Citizen {
    async fn walk(&self) {
        let pages = 2 + self.chance.borrow_mut().below(3);
        for i in 0..pages {
            let page = if i == 0 { self.chance.borrow_mut().below(3) } else { self.chance.borrow_mut().below(6) };
            self.view(page as usize).await;
            self.think(THINK).await;
            if self.over() {
                return;
            }
        }
        if self.chance.borrow_mut().below(2) == 0 {
            let got = self.wish(FORM).await;
            self.think(FILL_IN).await;
            // Who did not get the form has nothing to send.
            if got == What::Origin && !self.over() {
                self.send_form().await;
            }
        }
    }

    fn over(&self) -> bool {
        self.town.setup.control.phase() >= Phase::Ending
    }

    async fn think(&self, mean: f64) {
        let long = Duration::from_secs_f64(0.5 + self.chance.borrow_mut().around(mean));
        let start = Instant::now();
        while start.elapsed() < long && !self.over() {
            sleep(Duration::from_millis(250)).await;
        }
    }

    fn counts(&self) -> bool {
        let counts = self.town.setup.control.phase() == Phase::Flood;
        self.seen.borrow_mut().counts |= counts;
        counts
    }

    /// A page and the parts of it that are not in the browser's cache.
    async fn view(&self, page: usize) {
        let got = self.wish(PAGES[page]).await;
        if !matches!(got, What::Origin | What::Copy) {
            return;
        }
        let own = COMMON + 2 * page;
        let wanted = (0..COMMON).chain(own..own + 2).filter(|i| self.parts_kept.get() & 1 << i == 0).collect();
        let wanted: RefCell<Vec<usize>> = RefCell::new(wanted);
        let take = async |link: usize| {
            loop {
                let Some(part) = wanted.borrow_mut().pop() else { return };
                self.part(link, part).await;
            }
        };
        tokio::join!(take(0), take(1), take(2));
    }

    async fn part(&self, link: usize, part: usize) {
        let (path, kind, _) = PARTS[part];
        let counts = self.counts();
        let fields = format!(
            "Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: {kind}\r\n"
        );
        let answer = self.ask(link, "GET", path, &fields, "").await;
        if matches!(answer.what, What::Origin | What::Copy) {
            self.parts_kept.set(self.parts_kept.get() | 1 << part);
        }
        if counts {
            let refused = matches!(answer.what, What::Limited | What::NoPage | What::Denied | What::Challenge);
            self.seen.borrow_mut().refused |= refused;
            self.town.tally.borrow_mut().parts.add(answer.what);
        }
    }

    /// Goes to a page, through a challenge where there is one.
    async fn wish(&self, path: &str) -> What {
        let counts = self.counts();
        let mut told = Told::default();
        let answer = self.navigate("GET", path, "", counts, &mut told).await;
        if counts {
            let mut tally = self.town.tally.borrow_mut();
            tally.pages.add(answer.what);
            if told.queued > Duration::ZERO {
                tally.queued += 1;
                if matches!(answer.what, What::Origin | What::Copy) {
                    tally.line.push(told.queued.as_millis() as u32);
                }
            }
            let waited = told.waited.as_millis() as u32;
            tally.of_class(path, answer.what, waited);
            match answer.what {
                What::Origin => tally.in_full.push(waited),
                What::Copy => tally.copies.push(waited),
                _ => {}
            }
            tally.forms_missed += u64::from(path == FORM && answer.what != What::Origin);
            self.note(&told, answer.what, &mut tally);
            tally.happened(self.town.setup.control.second(), &answer);
        }
        answer.what
    }

    fn note(&self, told: &Told, last: What, tally: &mut Tally) {
        tally.challenged += u64::from(told.challenges > 0);
        tally.by_mistake += u64::from(told.by_mistake);
        let mut seen = self.seen.borrow_mut();
        seen.challenged |= told.challenges > 0;
        seen.by_mistake |= told.by_mistake;
        // A challenge at the end is one that could not be got past.
        seen.refused |= matches!(last, What::Limited | What::NoPage | What::Denied | What::Challenge);
    }

    async fn send_form(&self) {
        let counts = self.counts();
        let number = self.chance.borrow_mut().next() >> 1;
        let body = format!("form={number}&name=Mama+Mboga+Traders&plot=LR+209%2F4711&note={}", "x".repeat(200));
        let mut told = Told::default();
        let mut answer = self.navigate("POST", FORM, &body, counts, &mut told).await;
        // Where it is said that nothing was done, people try again; where it is not known they are told not to.
        if matches!(answer.what, What::Busy | What::Limited | What::Posture) {
            let wait = Duration::from_secs(answer.retry_after.max(1)).min(AGAIN);
            sleep(wait).await;
            answer = self.navigate("POST", FORM, &body, counts, &mut told).await;
        }
        if counts {
            let mut tally = self.town.tally.borrow_mut();
            let form = Form { number, last: answer.what, asked_again: told.by_hand };
            tally.forms.push(form);
            tally.of_class(FORM, answer.what, told.waited.as_millis() as u32);
            self.note(&told, answer.what, &mut tally);
            tally.happened(self.town.setup.control.second(), &answer);
        }
        if answer.what == What::Origin && !self.over() {
            self.wish(RECEIPT).await;
        }
    }

    async fn navigate(&self, method: &str, path: &str, body: &str, counts: bool, told: &mut Told) -> Answer {
        let form = if method == "POST" { "Content-Type: application/x-www-form-urlencoded\r\n" } else { "" };
        let fields = format!(
            "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-User: ?1\r\n{form}"
        );
        let mut body = body.to_owned();
        loop {
            let levels = self.town.setup.control.levels();
            let mut answer = self.ask(0, method, path, &fields, &body).await;
            told.waited += answer.waited;
            if answer.what == What::Waits {
                if !self.in_line(path, told).await {
                    return answer;
                }
                if let Some(form) = answer.form.take() {
                    body = format!("boma-seal=&boma-work=&boma-form={form}");
                }
                continue;
            }
            let (What::Challenge, Some(seal)) = (answer.what, answer.seal.take()) else { return answer };
            told.challenges += 1;
            let had_solved = self.solved.get();
            let taken = match answer.form.take() {
                _ if told.challenges > ROUNDS => false,
                // The page sends the form with its own challenge's solution, in one request.
                Some(form) => match self.ridden(&seal, &form).await {
                    Some(whole) => {
                        body = whole;
                        true
                    }
                    None => false,
                },
                None => {
                    told.by_hand |= method == "POST";
                    self.solve(&seal, told).await
                }
            };
            // By now it is known where the posture stood.
            let expected = levels.iter().chain(&self.town.setup.control.levels()).any(|l| demanded(*l, method));
            told.by_mistake |= counts && (had_solved || !expected);
            if !taken {
                return answer;
            }
        }
    }

    /// Asks for the place as the page's script does, until it is called; whether it is.
    async fn in_line(&self, path: &str, told: &mut Told) -> bool {
        const SCRIPT: &str =
            "Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";
        let (start, where_to) = (Instant::now(), format!("/.well-known/boma/place?at={path}"));
        let mut wait = 3;
        while told.queued < LINE_PATIENCE && !self.over() {
            sleep(Duration::from_secs(wait)).await;
            let answer = self.ask(0, "GET", &where_to, SCRIPT, "").await;
            if answer.called {
                sleep(PRESS.saturating_sub(start.elapsed())).await;
                told.queued += start.elapsed();
                return true;
            }
            wait = answer.retry_after.clamp(1, 30);
            if start.elapsed() > LINE_PATIENCE {
                break;
            }
        }
        told.queued += start.elapsed();
        false
    }

    /// What a page sends in which a form rides along.
    async fn ridden(&self, seal: &str, form: &str) -> Option<String> {
        sleep(if self.slow { WORKS_SLOWLY } else { WORKS }).await;
        let Solution(text) = self.town.setup.solver.live(seal).await?;
        self.solved.set(true);
        Some(format!("boma-{}&boma-form={form}", text.replacen("&work=", "&boma-work=", 1)))
    }

    /// Works a challenge out; whether boma took it.
    async fn solve(&self, seal: &str, told: &mut Told) -> bool {
        let solver = &self.town.setup.solver;
        sleep(if self.slow { WORKS_SLOWLY } else { WORKS }).await;
        let mut solutions = Vec::new();
        solutions.extend(solver.ready(self.agent));
        // Where one that was made beforehand is not taken, this very challenge is worked out.
        for beforehand in [true, false] {
            let solution = match solutions.pop() {
                Some(Solution(text)) if beforehand => text,
                _ => match solver.live(seal).await {
                    Some(Solution(text)) => text,
                    None => return false,
                },
            };
            let fields = "Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nContent-Type: application/x-www-form-urlencoded\r\n";
            let answer = self.ask(0, "POST", "/.well-known/boma/challenge", fields, &solution).await;
            told.waited += answer.waited;
            if answer.status == 204 && self.pass.borrow().is_some() {
                self.solved.set(true);
                return true;
            }
        }
        self.town.tally.borrow_mut().solutions_refused += 1;
        false
    }

    async fn ask(&self, link: usize, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let request = self.request(method, path, fields, body);
        // Nobody else uses this link meanwhile: one request at a time on each.
        let mut held = self.links[link].take();
        if self.slow {
            sleep(ROUND_TRIP).await;
        }
        for _ in 0..2 {
            let mut open = match held.take() {
                Some(open) => open,
                None => match Link::open(HOP, self.town.setup.port, self.slow).await {
                    Ok(open) => open,
                    Err(_) => return Answer::broken(0),
                },
            };
            if !path.starts_with("/.well-known/boma/") {
                self.town.setup.control.sent();
            }
            open.reads_forms = method == "POST";
            let (mut answer, good) = open.ask(request.as_bytes()).await;
            if answer.what == What::Broken && open.was_stale() {
                continue;
            }
            if good {
                self.links[link].replace(Some(open));
            }
            if let Some(pass) = answer.pass.take() {
                *self.pass.borrow_mut() = Some(pass);
            }
            if let Some(place) = answer.place.take() {
                *self.place.borrow_mut() = Some(place);
            }
            if let Some(session) = answer.session.take() {
                *self.session.borrow_mut() = Some(session);
            }
            return answer;
        }
        Answer::broken(0)
    }

    fn request(&self, method: &str, path: &str, fields: &str, body: &str) -> String {
        let town = &self.town;
        let id = town.requests.get();
        town.requests.set(id + 1);
        if town.setup.control.phase() == Phase::Flood {
            town.tally.borrow_mut().requests += 1;
        }
        let (session, pass, place) = (self.session.borrow(), self.pass.borrow(), self.place.borrow());
        let cookies: Vec<&str> = [&session, &pass, &place].into_iter().filter_map(|c| c.as_deref()).collect();
        let cookie = if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let length = if method == "POST" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        format!(
            "{method} {path} HTTP/1.1\r\nHost: huduma.example\r\nX-Forwarded-For: {}\r\nX-Forwarded-Proto: https\r\nX-Request-Id: c{id}\r\n\
User-Agent: {}\r\nAccept-Language: sw,en;q=0.7\r\nAccept-Encoding: gzip\r\n{fields}{cookie}{length}\r\n{body}",
            self.address, self.agent
        )
    }
}

/// What happened on the way to a page.
#[derive(Default)]
struct Told {
    challenges: u32,
    by_mistake: bool,
    /// Something had to be sent again by hand.
    by_hand: bool,
    /// For boma and the origin, not for the line or the thinking.
    waited: Duration,
    /// In the waiting room.
    queued: Duration,
}

/// Whether a posture itself demands a pass of a person who has none (config/postures.toml).
fn demanded(level: Level, method: &str) -> bool {
    match level {
        Level::Attack => true,
        Level::Guarded => method == "POST",
        Level::Normal | Level::Static | Level::Closed => false,
    }
}
