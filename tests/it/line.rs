//! Ten thousand people in one line, and boma restarted under them: asked to end, killed while they wait, killed while they are let in.

use std::collections::HashMap;
use std::io;

use crate::harness::{Answer, Boma, Client, Origin, Setup, eventually};

const PEOPLE: usize = 10_000;
/// Who comes when all others have come back.
const LATE: usize = 20;
const ROADS: usize = 8;

const RULES: &str = "[posture]\nauto = false\n[[rule]]\nname = \"line\"\nmatch = { path = \"/file*\" }\nthen = \"queue\"\n[[limit]]\nname = \"wide\"\nper = \"client\"\nrate = \"100000/s\"\n";
const HTML: &str = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
const SCRIPT: &str = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin\r\n";
const CHALLENGE: &str = "/.well-known/boma/challenge";

/// Somebody with an address and a browser of their own; by `nth` they came.
struct Person {
    nth: usize,
    seal: String,
    cookies: HashMap<String, String>,
}

impl Person {
    fn new(nth: usize) -> Person {
        Person { nth, seal: String::new(), cookies: HashMap::new() }
    }

    /// Networks of their own, so that nobody shares a budget.
    fn address(&self) -> String {
        format!("{}.{}.{}.7", 20 + self.nth / 65536, self.nth / 256 % 256, self.nth % 256)
    }

    fn page(&self) -> String {
        format!("/file?n={}", self.nth)
    }
}

/// One of the connections that a proxy keeps open to boma.
struct Road {
    boma: std::net::SocketAddr,
    client: Option<Client>,
}

impl Road {
    fn to(boma: &Boma) -> Road {
        Road { boma: boma.at(), client: None }
    }

    fn ask(&mut self, person: &mut Person, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let cookies: Vec<String> = person.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let fields = format!("{fields}X-Forwarded-For: {}\r\nCookie: {}\r\n", person.address(), cookies.join("; "));
        let answer = self.sent(method, path, &fields, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        for (_, value) in answer.fields.iter().filter(|(n, _)| n == "set-cookie") {
            let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
            person.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    fn sent(&mut self, method: &str, path: &str, fields: &str, body: &str) -> io::Result<Answer> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.boma)?,
        };
        let answer = client.ask(method, path, fields, body)?;
        if answer.field("connection") != Some("close") {
            self.client = Some(client);
        }
        Ok(answer)
    }

    /// Asks as the page's script does, which renews the place: how many come first, and 0 where it is their turn.
    fn polls(&mut self, person: &mut Person) -> u64 {
        let answer = self.ask(person, "GET", "/.well-known/boma/place?at=%2Ffile", SCRIPT, "");
        let told = answer.json();
        match told["state"].as_str() {
            Some("called") => 0,
            Some("waiting" | "still") => told["place"].as_u64().unwrap(),
            other => panic!("{} has lost their place: {other:?}, {}", person.nth, answer.text()),
        }
    }

    fn arrives(&mut self, person: &mut Person) {
        let answer = self.ask(person, "GET", &person.page(), HTML, "");
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(person.cookies.contains_key("boma_place"), "{} has a place: {}", person.nth, answer.text());
    }
}

/// Has everybody do something over some roads at once, the last of them first; what came of it, in the order of arrival.
fn all<R: Send>(
    boma: &Boma,
    people: &mut [Person],
    work: impl Fn(&mut Road, Vec<&mut Person>) -> Vec<R> + Sync,
) -> Vec<R> {
    let mut lists: Vec<Vec<&mut Person>> = (0..ROADS).map(|_| Vec::new()).collect();
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); ROADS];
    for (at, person) in people.iter_mut().enumerate().rev() {
        lists[at % ROADS].push(person);
        order[at % ROADS].push(at);
    }
    let work = &work;
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let one = |list| scope.spawn(move || work(&mut Road::to(boma), list));
        let running: Vec<_> = lists.into_iter().map(one).collect();
        let done = running.into_iter().map(|thread| thread.join().unwrap());
        done.zip(order).flat_map(|(done, order)| order.into_iter().zip(done)).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, done)| done).collect()
}

fn each<R: Send>(boma: &Boma, people: &mut [Person], work: impl Fn(&mut Road, &mut Person) -> R + Sync) -> Vec<R> {
    all(boma, people, |road, list| list.into_iter().map(|person| work(road, person)).collect())
}

/// Everybody gets a pass by the button of who has no scripts.
fn get_passes(boma: &Boma, people: &mut [Person]) {
    each(boma, people, |road, person| {
        let fields = format!("{SCRIPT}Accept: application/json\r\n");
        let challenge = road.ask(person, "GET", CHALLENGE, &fields, "").json();
        person.seal = challenge["seal"].as_str().unwrap().to_owned();
    });
    each(boma, people, |road, person| {
        let body = format!("seal={}&work=", person.seal);
        eventually("the button counts", || {
            (road.ask(person, "POST", CHALLENGE, SCRIPT, &body).status == 204).then_some(())
        });
        assert!(person.cookies.contains_key("boma_pass"));
    });
}

/// They come one by one, by several roads in turn.
fn arrive(boma: &Boma, people: &mut [Person]) {
    let mut roads: Vec<Road> = (0..ROADS).map(|_| Road::to(boma)).collect();
    people.iter_mut().enumerate().for_each(|(n, person)| roads[n % ROADS].arrives(person));
}

/// The origin shows what it can take in, so that the line need not feel for it.
fn warm(boma: &Boma) {
    std::thread::scope(|scope| {
        for _ in 0..ROADS {
            scope.spawn(|| {
                let mut road = Road::to(boma);
                (0..700).for_each(|_| assert_eq!(road.sent("GET", "/other", "", "").unwrap().status, 200));
            });
        }
    });
}

/// All who are called go in. Asked from the last to the first, so that whoever is called makes all called who came before.
fn go_in(boma: &Boma, waiting: &mut Vec<Person>) -> usize {
    let called = all(boma, waiting, |road, list| {
        let mut later = None;
        let is_called = |person: &mut Person| {
            let called = road.polls(person) == 0;
            assert!(called || later.is_none(), "{later:?} is called before {}", person.nth);
            later = later.or(called.then_some(person.nth));
            called
        };
        list.into_iter().map(is_called).collect()
    });
    let mut at = called.iter();
    let (mut called, rest): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|_| *at.next().unwrap());
    *waiting = rest;
    each(boma, &mut called, |road, person| {
        eventually("the button lets in", || {
            let page = road.ask(person, "GET", &person.page(), HTML, "");
            (page.status == 200 && page.text().contains("Karibu")).then_some(())
        });
    });
    called.len()
}

/// SIGKILL when all that was told to the store is on disk: whatever is proposed is answered after that.
fn killed_when_written(boma: Boma) -> Boma {
    assert_eq!(boma.staff("DELETE", "/api/v1/measures/none", "", "").status, 404);
    Boma::start(boma.kill(), &[])
}

#[test]
fn ten_thousand_keep_their_order_whatever_becomes_of_boma() {
    let origin = Origin::start();
    let settings = "[client]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let mut boma = Setup::new().settings(settings).portal("max_in_flight = 64\n").rules(RULES).start(origin.address);
    let mut people: Vec<Person> = (0..PEOPLE + LATE).map(Person::new).collect();
    get_passes(&boma, &mut people);

    // Half of them come, boma is ended as a service manager does it, and the others come.
    arrive(&boma, &mut people[..PEOPLE / 2]);
    boma.signal("TERM");
    assert!(boma.wait().success(), "{}", boma.log());
    boma = Boma::start(boma.kill(), &[]);
    each(&boma, &mut people[..PEOPLE / 2], |road, person| road.polls(person));
    arrive(&boma, &mut people[PEOPLE / 2..PEOPLE]);

    // Killed in the moment in which the last has come: what is on disk is some seconds old. They come back, the last of them first.
    boma = Boma::start(boma.kill(), &[]);
    each(&boma, &mut people[..PEOPLE], |road, person| road.polls(person));
    arrive(&boma, &mut people[PEOPLE..]);
    boma.posture("static");
    eventually("the line stands", || boma.status()["waiting"][0]["still"].as_bool()?.then_some(()));
    let places = each(&boma, &mut people, |road, person| road.polls(person));
    let called = places.iter().take_while(|place| **place == 0).count();
    for (nth, place) in places.iter().enumerate() {
        let wanted = (nth + 1).saturating_sub(called) as u64;
        assert_eq!(*place, wanted, "{nth} stands behind whoever came before, and nobody else: {called} are called");
    }
    assert!(called < PEOPLE / 2, "they wait: {called} are called");

    // They are let in as fast as the origin bears it, and boma is killed in the middle of that.
    boma.posture("normal");
    warm(&boma);
    let (mut let_in, mut killed) = (0, false);
    while let_in < PEOPLE + LATE {
        if !killed && let_in > PEOPLE / 2 {
            boma = killed_when_written(boma);
            killed = true;
            warm(&boma);
        }
        let_in += eventually("some are called", || Some(go_in(&boma, &mut people)).filter(|n| *n > 0));
    }
    assert!(killed);
    let mut times = vec![0; PEOPLE + LATE];
    for reached in origin.reached_by_citizens().iter().filter(|r| r.target.starts_with("/file")) {
        times[reached.target.rsplit('=').next().unwrap().parse::<usize>().unwrap()] += 1;
    }
    assert!(times.iter().all(|n| *n == 1), "once each");
    let room = boma.status()["waiting"][0].clone();
    let [waiting, called, visiting] = ["waiting", "called", "visiting"].map(|what| room[what].as_u64().unwrap());
    assert_eq!((waiting, called, visiting), (0, 0, (PEOPLE + LATE) as u64), "nobody has a second place");
}
