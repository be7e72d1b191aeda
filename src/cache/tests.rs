//! The table of cases in `tests/cases/cache.txt`, and properties over generated exchanges, through the pure rules: a cache
//! that is nothing but them and a list.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::clock::{Now, SECOND};
use crate::said::Said;
use crate::wire::{Fields, Head, Version};

/// A second in 2026, where every case begins.
const START: u64 = 1_790_000_000;

#[derive(Clone, Debug, Default)]
struct Asks {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
}

impl Head for Asks {
    fn method(&self) -> &str {
        &self.method
    }
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
    fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, q)| q)
    }
    fn authority(&self) -> Option<&str> {
        None
    }
    fn version(&self) -> Version {
        Version::Http11
    }
    fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_bytes())
    }
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.fields.iter().filter(|(n, _)| n == name).any(|(_, v)| test(v.as_bytes()))
    }
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.fields.iter().for_each(|(n, v)| visit(n, v.as_bytes()));
    }
}

/// What the origin would answer; `None`: it cannot be reached.
#[derive(Clone, Debug)]
struct Would(Option<(u16, Fields, Bytes)>);

/// What a client saw.
#[derive(Debug)]
struct Saw {
    how: &'static str,
    status: u16,
    fields: Fields,
    body: Bytes,
}

/// A cache of nothing but rules.
struct Bare {
    word: Word,
    spares: bool,
    kept: HashMap<String, Vec<Arc<Kept>>>,
}

fn now(after: u64) -> Now {
    Now { mono: (7 + after) * SECOND, wall: (START + after) * SECOND }
}

impl Bare {
    fn new(word: Word) -> Bare {
        Bare { word, spares: false, kept: HashMap::new() }
    }

    fn exchange(&mut self, after: u64, asks: &Asks, would: &Would) -> Saw {
        let now = now(after);
        let asking = Asking { head: asks, encoding: None };
        let personal = asks.any("cookie", &mut |c| c.windows(4).any(|w| w == b"sid="));
        let request = Request { asking, personal, word: self.word };
        let held = if matches!(asks.method.as_str(), "GET" | "HEAD") && !is_for_the_origin(asks) {
            let list = self.kept.get(&asks.target);
            list.and_then(|l| l.iter().find(|k| k.selected.matches(&asking))).cloned()
        } else {
            None
        };
        let wish = if self.spares { Wish::of(asks).spared() } else { Wish::of(asks) };
        let given = |how, kept: &Kept| {
            let Given { status, common, mut fields, body } = give(kept, asks, now, "boma; hit");
            fields.0.extend(common.iter().flat_map(|c| c.fields.0.clone()));
            let body = if asks.method == "HEAD" { Bytes::new() } else { body };
            Saw { how, status, fields, body }
        };
        if let Some(kept) = &held {
            match reuse(kept, &wish, now) {
                Use::Fresh => return given("hit", kept),
                Use::Behind => return given("behind", kept),
                Use::Taken => return given("taken", kept),
                Use::Ask(_) => {}
            }
        }
        let nothing = |how| Saw { how, status: 504, fields: Fields::default(), body: Bytes::new() };
        if wish.only_if_cached {
            return nothing("refused");
        }
        let Would(Some((status, fields, body))) = would else {
            return match held.filter(|k| stands_in(k, now)) {
                Some(kept) => given("stale", &kept),
                None => nothing("fails"),
            };
        };
        let at = Asked { asked: now, came: now };
        let checked = held.as_ref().filter(|k| k.has_validator() && asks.method == "GET");
        let how = if checked.is_some() { "checks" } else { "asks" };
        if is_trouble(*status)
            && let Some(kept) = held.as_ref().filter(|k| stands_in(k, now))
        {
            return given("stale", kept);
        }
        if let Some(kept) = checked.filter(|kept| *status == 304 && is_about(kept, fields)) {
            let merged = merged(kept, fields, at);
            return match renewed(kept, request, &merged, at) {
                Ok(kept) => {
                    let kept = Arc::new(kept);
                    self.keep(&asks.target, kept.clone());
                    given(how, &kept)
                }
                Err(why) => {
                    if !why.is_the_requests() && !personal {
                        self.kept.remove(&asks.target);
                    }
                    Saw { how, status: kept.status, fields: merged, body: kept.body.clone() }
                }
            };
        }
        if voids(&asks.method, *status) {
            for target in named(fields, "https", "huduma.example", asks.path()).into_iter().chain([asks.target.clone()])
            {
                self.kept.remove(&target);
            }
        }
        if let Ok(draft) = judge(request, *status, fields, at) {
            self.keep(&asks.target, Arc::new(draft.whole(body.clone())));
        }
        Saw { how, status: *status, fields: fields.clone(), body: body.clone() }
    }

    fn keep(&mut self, target: &str, kept: Arc<Kept>) {
        let list = self.kept.entry(target.to_owned()).or_default();
        list.retain(|other| other.selected != kept.selected);
        list.insert(0, kept);
    }
}

/// `{n}` is the HTTP-date of n seconds after the start.
fn dated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (n, after) = after.split_once('}').unwrap_or_else(|| panic!("{text}: no }}"));
        let n: i64 = n.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        out.push_str(before);
        out.push_str(&super::time::write_date(START.checked_add_signed(n).unwrap()));
        rest = after;
    }
    out + rest
}

fn fields(parts: &[&str]) -> Vec<(String, String)> {
    let field = |part: &&str| part.split_once(':').map(|(n, v)| (n.trim().to_lowercase(), dated(v.trim())));
    parts.iter().map(|p| field(p).unwrap_or_else(|| panic!("no field: {p}"))).collect()
}

/// One line of a case: `TIME METHOD TARGET [| field]… [<< STATUS|down [| field]… [| = body]] [>> HOW [STATUS] [| check]…]`.
fn line(bare: &mut Bare, line: &str) -> Result<(), String> {
    let (rest, expected) = line.split_once(">>").unwrap_or((line, ""));
    let (request, answer) = rest.split_once("<<").unwrap_or((rest, ""));
    let parts = |text: &'static str| text.split(" | ").map(str::trim).collect::<Vec<_>>();
    let leak = |text: &str| -> &'static str { Box::leak(text.trim().to_owned().into_boxed_str()) };
    let request = parts(leak(request));
    let words: Vec<&str> = request[0].split(' ').collect();
    let [after, method, target] = words[..] else { return Err(format!("three words, not {words:?}")) };
    let asks = Asks { method: method.into(), target: target.into(), fields: fields(&request[1..]) };
    let answer = parts(leak(answer));
    let would = match answer[0] {
        "" => Would(Some((200, Fields::default(), Bytes::from_static(b"not expected")))),
        "down" => Would(None),
        status => {
            let body = answer.iter().find_map(|p| p.strip_prefix('=')).unwrap_or("hello").trim();
            let of_head: Vec<&str> = answer[1..].iter().filter(|p| !p.starts_with('=')).copied().collect();
            let mut all = Fields::default();
            fields(&of_head).into_iter().for_each(|(n, v)| all.push(n, v));
            Would(Some((status.parse().map_err(|_| format!("status {status}"))?, all, Bytes::from(body.to_owned()))))
        }
    };
    let saw = bare.exchange(after.parse().map_err(|_| format!("time {after}"))?, &asks, &would);
    let expected = parts(leak(expected));
    let mut words = expected[0].split(' ');
    let how = words.next().filter(|w| !w.is_empty()).unwrap_or("asks");
    let is =
        |what: &str, is: &str, want: &str| if is == want { Ok(()) } else { Err(format!("{what} is {is}, not {want}")) };
    is("the way", saw.how, how)?;
    if let Some(status) = words.next() {
        is("the status", &saw.status.to_string(), status)?;
    }
    for check in &expected[1..] {
        let all = |name: &str| {
            let values: Vec<_> = saw.fields.all(name).map(|v| String::from_utf8_lossy(v).into_owned()).collect();
            values.join(" + ")
        };
        match (check.strip_prefix('=').map(str::trim), check.strip_prefix('!'), check.split_once(':')) {
            (Some(body), _, _) => is("the body", &String::from_utf8_lossy(&saw.body), body)?,
            (_, Some(name), _) => is(name, &all(name), "")?,
            (_, _, Some((name, value))) => is(name, &all(name), &dated(value.trim()))?,
            _ => return Err(format!("no check: {check}")),
        }
    }
    Ok(())
}

#[test]
fn the_table_of_cases_holds() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/cache.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let (mut cases, mut faults, mut sections) = (0, Vec::new(), std::collections::BTreeSet::new());
    for case in text.split("\n## ").skip(1) {
        let mut lines = case.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#'));
        let title = lines.next().unwrap();
        let (section, said) = title.split_once(" | ").unwrap_or_else(|| panic!("{title}: no section"));
        let numbered = section
            .strip_prefix("RFC ")
            .and_then(|s| s.split_once(' '))
            .is_some_and(|(rfc, part)| rfc.parse::<u16>().is_ok() && part.starts_with(|c: char| c.is_ascii_digit()));
        assert!(numbered || section == "boma", "{title}: no section");
        sections.insert(section);
        cases += 1;
        let mut bare = Bare::new(Word::Origin);
        let mut exchanges = 0;
        for text in lines {
            match text.strip_prefix('@') {
                Some("spare") => bare.spares = true,
                Some(fill) => bare.word = Word::Fill(fill.strip_prefix("fill ").unwrap().parse().unwrap()),
                None => {
                    exchanges += 1;
                    if let Err(fault) = line(&mut bare, text) {
                        faults.push(format!("{section} | {said}\n    {text}\n    {fault}"));
                        break;
                    }
                }
            }
        }
        assert!(exchanges > 0, "{title}: nothing happens");
    }
    assert!(faults.is_empty(), "{} of {cases} cases fail:\n{}", faults.len(), faults.join("\n"));
    assert!(cases >= 200 && sections.len() >= 30, "{cases} cases of {} sections", sections.len());
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len() as u64) as usize]
    }
}

const CONTROLS: [&str; 20] = [
    "max-age=60",
    "public, max-age=60",
    "Private, max-age=60",
    "No-Store, max-age=60",
    "s-maxage=30",
    "no-cache",
    "max-age=60, stale-while-revalidate=60, stale-if-error=600",
    "max-age=0",
    "must-revalidate, max-age=20",
    "private=\"x\", max-age=60",
    "max-age=60; private",
    "public",
    "",
    "max-age=60, foo=\"private\"",
    "max-age=x",
    "no-cache=\"set-cookie\", max-age=60",
    "s-maxage=60, private",
    "max-age=60, no_store",
    "MAX-AGE=60",
    "max-age=60, max-age=1",
];

/// Citizens who sign in, and those who do not, ask an origin that answers as it likes; each answer's body says for whom it
/// was made. Whatever was made for one citizen, and not said to be public, no other sees; nor does anybody see what set a
/// cookie, or was forbidden to be kept, for a request that was not theirs.
#[test]
fn nobody_is_given_what_was_made_for_another() {
    let (mut served, mut reused) = (0, 0);
    for seed in 1..=1000u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let word = if seed % 4 == 0 { Word::Fill(30) } else { Word::Origin };
        let mut bare = Bare::new(word);
        let (mut after, mut last_age) = (0, HashMap::<String, (u64, u64)>::new());
        for turn in 0..60u64 {
            after += dice.roll(30);
            let citizen = dice.roll(4);
            let method = dice.one(&["GET", "GET", "GET", "GET", "HEAD", "POST"]);
            let mut asks =
                Asks { method: method.into(), target: dice.one(&["/", "/a", "/b?c"]).into(), fields: Vec::new() };
            let own = match citizen {
                0 => false,
                _ if dice.roll(3) == 0 => {
                    asks.fields.push(("authorization".into(), format!("Basic {citizen}")));
                    true
                }
                _ => {
                    asks.fields.push(("cookie".into(), format!("_ga=1; sid={citizen}")));
                    true
                }
            };
            // With a time filled in, only boma itself asks, as nobody.
            if own && matches!(word, Word::Fill(_)) {
                continue;
            }
            let wish = dice.one(&["", "", "", "no-cache", "max-stale", "max-age=5", "no-store", "min-fresh=9"]);
            if !wish.is_empty() {
                asks.fields.push(("cache-control".into(), wish.into()));
            }
            if dice.roll(4) == 0 {
                asks.fields.push(("if-none-match".into(), "\"t\"".into()));
            }
            let control = dice.one(&CONTROLS);
            let mut answer = Fields::default();
            answer.push("cache-control", control);
            let targeted = dice.roll(8) == 0;
            if targeted {
                answer.push(
                    "cdn-cache-control",
                    dice.one(&["max-age=60", "private", "no-store", "max-age=60, &", "public"]),
                );
            }
            let sets = dice.roll(4) == 0;
            if sets {
                answer.push("set-cookie", format!("sid={citizen}"));
            }
            match dice.roll(8) {
                0 => answer.push("vary", dice.one(&["Cookie", "*", "accept", "accept-encoding, COOKIE"])),
                1 => answer.push("etag", "\"t\""),
                _ => {}
            }
            let said = Said::of(&answer);
            let mark = if own { format!("of {citizen}") } else { "of nobody".into() };
            let shared = said.public && !said.private && !said.no_store && !sets;
            let body = format!("{turn} {mark} {}", if own && !shared { "alone" } else { "shared" });
            let status = [200, 200, 200, 304, 404, 500, 206][dice.roll(7) as usize];
            let would =
                if dice.roll(9) == 0 { Would(None) } else { Would(Some((status, answer, body.clone().into()))) };
            let saw = bare.exchange(after, &asks, &would);
            served += 1;
            if saw.how == "checks" {
                last_age.clear();
            }
            let text = String::from_utf8_lossy(&saw.body).into_owned();
            if text.is_empty() || text == body {
                continue;
            }
            reused += 1;
            assert!(!text.ends_with("alone") || text.contains(&mark), "seed {seed}, turn {turn}: {text:?} for {mark}");
            assert!(!text.ends_with("alone"), "seed {seed}, turn {turn}: {text:?} was kept at all");
            // An age belongs to a birth: until the origin is asked again, it goes up with the time and no slower.
            let age =
                saw.fields.first("age").and_then(|a| std::str::from_utf8(a).ok()).and_then(|a| a.parse::<u64>().ok());
            if let Some((at, before)) = age.and_then(|age| last_age.insert(text.clone(), (after, age))) {
                assert!(age >= Some(before + after - at), "seed {seed}, turn {turn}: {before} then {age:?}");
            }
        }
    }
    assert!(served > 40_000 && reused > 2_500, "{served} answers, {reused} of them kept ones");
}

#[test]
fn an_age_never_runs_backwards_whatever_the_wall_clock_does() {
    let mut dice = Dice(88_172_645_463_325_252);
    for _ in 0..2_000 {
        let (mut mono, mut wall) = (SECOND * dice.roll(1000), SECOND * (START + dice.roll(1000)));
        let mut answer = Fields::default();
        answer.push("cache-control", format!("max-age={}", dice.roll(1000)));
        if dice.roll(2) == 0 {
            answer.push("age", dice.roll(2000).to_string());
        }
        if dice.roll(2) == 0 {
            answer.push("date", super::time::write_date(START + dice.roll(2000)));
        }
        let asks = Asks { method: "GET".into(), target: "/".into(), fields: Vec::new() };
        let request = Request { asking: Asking { head: &asks, encoding: None }, personal: false, word: Word::Origin };
        let asked = Now { mono, wall };
        mono += dice.roll(3 * SECOND);
        let kept = judge(request, 200, &answer, Asked { asked, came: Now { mono, wall } }).unwrap().whole(Bytes::new());
        let mut last = 0;
        for _ in 0..50 {
            mono += dice.roll(5 * SECOND);
            // The wall clock is set, forwards or back.
            wall = (wall + dice.roll(7200 * SECOND)).saturating_sub(dice.roll(7200 * SECOND));
            let now = Now { mono, wall };
            let age = kept.age(now);
            assert!(age >= last, "{age} after {last}");
            assert_eq!(reuse(&kept, &Wish::default(), now) == Use::Fresh, age < kept.times.lifetime);
            last = age;
        }
    }
}

#[test]
fn what_a_thread_found_of_late_is_as_new_as_what_the_cache_has() {
    let kept = |text: &'static str, now| {
        let mut fields = Fields::default();
        fields.push("cache-control", "max-age=60");
        let asks = Asks { method: "GET".into(), target: "/".into(), fields: Vec::new() };
        let request = Request { asking: Asking { head: &asks, encoding: None }, personal: false, word: Word::Origin };
        let draft = judge(request, 200, &fields, Asked { asked: now, came: now }).unwrap();
        Arc::new(draft.whole(Bytes::from_static(text.as_bytes())))
    };
    let now = Now { mono: START * SECOND, wall: START * SECOND };
    let at = At { portal: "p", scheme: "http", authority: "a", path: "/", query: None, own: false };
    let address = Arc::new(at.address());
    let caches = [Cache::new(1 << 20, [7; 16]), Cache::new(1 << 20, [7; 16])];
    let asks = Asks { method: "GET".into(), target: "/".into(), fields: Vec::new() };
    let body = |cache: &Cache| {
        let place = cache.find(cache.key(at))?;
        Some(place.select(&Asking { head: &asks, encoding: None }, now)?.body.clone())
    };
    assert_eq!(body(&caches[0]), None);
    caches[0].put(caches[0].key(at), &address, kept("old", now), now);
    for _ in 0..20 {
        assert_eq!(body(&caches[0]).as_deref(), Some(&b"old"[..]));
        assert_eq!(body(&caches[1]), None, "another house has its own");
    }
    caches[0].put(caches[0].key(at), &address, kept("new", now), now);
    assert_eq!(body(&caches[0]).as_deref(), Some(&b"new"[..]));
    std::thread::scope(|scope| {
        scope.spawn(|| caches[0].void(&address));
    });
    assert_eq!(body(&caches[0]), None, "what another thread made void is gone here too");
    caches[0].put(caches[0].key(at), &address, kept("again", now), now);
    assert_eq!(body(&caches[0]).as_deref(), Some(&b"again"[..]));
    assert_eq!(caches[0].purge(Some("p"), &What::Path("/".into())), 1);
    assert_eq!(body(&caches[0]), None);
}
