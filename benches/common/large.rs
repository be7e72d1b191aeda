//! A rules file as large as a hard-pressed office may have it, made by numbers, with requests that match none, one or
//! many of its rules.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The text of a rules file, and of the lists' files that it names.
pub struct Large {
    pub rules: String,
    pub files: Vec<(String, String)>,
    inside: Vec<IpAddr>,
    patterns: [Vec<String>; 4],
}

/// How large.
#[derive(Clone, Copy)]
pub struct Size {
    pub cidrs: usize,
    pub patterns: usize,
    pub rules: usize,
}

impl Size {
    pub const LARGE: Size = Size { cidrs: 10_000, patterns: 100, rules: 200 };
    pub const SMALL: Size = Size { cidrs: 10, patterns: 10, rules: 10 };
}

/// A request as it comes in.
pub struct Asked {
    pub head: Vec<u8>,
    pub from: IpAddr,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Hits {
    None,
    One,
    Many,
}

/// The same numbers in each run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 8.1.0; TECNO KA7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/104.0.5112.97 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
];
const THENS: [&str; 4] = ["challenge", "deny", "log", "static"];
const LEVELS: [&str; 3] = ["normal", "guarded", "attack"];

impl Large {
    pub fn new(size: Size, seed: u64) -> Large {
        let mut dice = Dice::new(seed);
        let mut large = Large {
            rules: "[posture]\nauto = false\n".to_owned(),
            files: Vec::new(),
            inside: Vec::new(),
            patterns: patterns(size.patterns),
        };
        let lists = large.lists(size.cidrs, &mut dice);
        large.tables(size.rules, lists);
        large
    }

    /// Two thirds in files; how many lists there are.
    fn lists(&mut self, cidrs: usize, dice: &mut Dice) -> usize {
        let lists = (cidrs / 1000).clamp(2, 10);
        for list in 0..lists {
            let _ = writeln!(self.rules, "[[list]]\nname = \"list-{list}\"");
            let mut nets: Vec<String> = (0..cidrs / lists).map(|i| net(i, dice)).collect();
            // One that requests come from, in every other list.
            if list % 2 == 0 {
                nets.push(format!("198.18.0.0/{}", 15 + list));
            }
            if list == 1 {
                nets.push("198.51.100.0/24".into());
            }
            if list % 3 == 2 {
                let _ = writeln!(self.rules, "cidrs = [\"{}\"]", nets.join("\", \""));
            } else {
                let name = format!("list-{list}.txt");
                let _ = writeln!(self.rules, "file = \"{name}\"");
                self.files.push((name, nets.join("\n") + "\n"));
            }
        }
        self.inside = vec!["198.18.0.1".parse().unwrap()];
        lists
    }

    fn tables(&mut self, rules: usize, lists: usize) {
        let [path, agent, query, header] = &self.patterns;
        for i in 0..rules {
            // Every pattern somewhere, in unlike company.
            let at = |all: &Vec<String>| all[(i / 10 * 7 + i) % all.len()].clone();
            let list = i / 10 % lists;
            let matched = match i % 10 {
                0 => format!("path = '{}', method = \"POST\"", at(path)),
                1 => format!("path = '{}', user_agent = '{}'", at(path), at(agent)),
                2 => format!("path = '{}'", at(path)),
                3 => format!("user_agent = '{}'", at(agent)),
                4 => format!("list = \"list-{list}\", path = '{}'", at(path)),
                5 => format!("query = '{}', method = \"GET\"", at(query)),
                6 => format!("query.id = \"{i}\", pass = false"),
                7 => format!("header.referer = '{}'", at(header)),
                8 => {
                    format!("user_agent = '{}', list = {{ not = \"list-{list}\" }}", at(agent))
                }
                _ => format!("path = '{}', query = '{}'", at(path), at(query)),
            };
            let from = LEVELS[i / 10 % 3];
            if i % 20 == 14 {
                let _ = writeln!(
                    self.rules,
                    "[[limit]]\nname = \"limit-{i}\"\nper = \"client\"\nrate = \"1000000/s\"\nburst = 1000000\nmatch = {{ {matched} }}\nfrom = \"{from}\""
                );
            } else {
                let then = THENS[i % THENS.len()];
                let _ = writeln!(
                    self.rules,
                    "[[rule]]\nname = \"rule-{i}\"\nmatch = {{ {matched} }}\nthen = \"{then}\"\nfrom = \"{from}\"\nreason = \"INC-{i}\""
                );
            }
        }
    }

    /// Requests alike in what they match, unlike in everything else.
    pub fn requests(&self, hits: Hits, path_bytes: usize, count: usize) -> Vec<Asked> {
        let mut dice = Dice::new(7);
        (0..count).map(|i| self.request(hits, path_bytes, i, &mut dice)).collect()
    }

    fn request(&self, hits: Hits, path_bytes: usize, i: usize, dice: &mut Dice) -> Asked {
        let mut path = match hits {
            Hits::Many => format!("/s3/part0/part1/n{}", dice.below(1000)),
            Hits::None | Hits::One => "/huduma".to_owned(),
        };
        while path.len() < path_bytes {
            let _ = write!(path, "/{:x}", dice.next());
        }
        path.truncate(path_bytes);
        let browser = BROWSERS[i % BROWSERS.len()];
        let (method, agent, query, referer) = match hits {
            Hits::None => {
                ("GET", browser.to_owned(), format!("page={}&lang=sw", dice.below(1000)), "https://huduma.example/")
            }
            Hits::One => {
                ("GET", browser.to_owned(), format!("id=6&page={}", dice.below(1000)), "https://huduma.example/")
            }
            Hits::Many => (
                "GET",
                format!("{browser} Bot0x Bot1x bot2x Bot3x/{}", dice.below(100)),
                format!("q=term0+term1&id=6&x={}", dice.below(1000)),
                "https://site0.example/site1/",
            ),
        };
        let head = format!(
            "{method} {path}?{query} HTTP/1.1\r\nHost: huduma.example\r\nUser-Agent: {agent}\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Accept-Language: sw,en-US;q=0.7,en;q=0.3\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: {referer}\r\nCookie: session={:016x}; lang=sw\r\nSec-Fetch-Dest: document\r\n\
Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nUpgrade-Insecure-Requests: 1\r\nX-Request-Id: {i}\r\n\r\n",
            dice.next()
        );
        let from = match (hits, i % 3) {
            (Hits::Many, _) => self.inside[0],
            (_, 2) => IpAddr::V6(Ipv6Addr::from(0x2001_0db8u128 << 96 | u128::from(dice.next()))),
            _ => IpAddr::V4(Ipv4Addr::from(0xc000_0200 | dice.below(256) as u32)),
        };
        Asked { head: head.into_bytes(), from }
    }
}

/// Path, user agent, query, header: 40, 30, 15 and 15 of a hundred.
fn patterns(count: usize) -> [Vec<String>; 4] {
    let of = |share: usize, make: &dyn Fn(usize) -> String| (0..(count * share / 100).max(1)).map(make).collect();
    [
        of(40, &|i| match i % 8 {
            0..=2 => format!("/e{i}/form"),
            3..=5 => format!("/s{i}/*"),
            6 => format!("*/part{}*", i / 8),
            _ => format!("re:^/[a-z]{{1,3}}{}/[0-9]+", i),
        }),
        of(30, &|i| match i % 6 {
            0..4 => format!("*bot{i}x*"),
            4 => format!("tool-{i}/*"),
            _ => format!("re:agent[0-9]+\\.{i}"),
        }),
        of(15, &|i| match i % 3 {
            0 | 1 => format!("*term{i}*"),
            _ => format!("re:(union|select)[+ ]{i}"),
        }),
        of(15, &|i| match i % 3 {
            0 => format!("https://site{i}.example/*"),
            1 => format!("*site{i}/*"),
            _ => format!("https://exact{i}.example/"),
        }),
    ]
}

fn net(i: usize, dice: &mut Dice) -> String {
    if i.is_multiple_of(3) {
        let bits = [32, 40, 48, 56, 64][dice.below(5)];
        let address = 0x2a00u128 << 112 | u128::from(dice.next()) << 48;
        return format!("{}/{bits}", Ipv6Addr::from(address & (u128::MAX << (128 - bits))));
    }
    let bits = [16, 20, 22, 24, 24, 24, 28, 32][dice.below(8)] as u32;
    // Outside 192.0.0.0/7, where the requests come from.
    let address = (dice.next() as u32 & 0x7fff_ffff) | 0x0100_0000;
    format!("{}/{bits}", Ipv4Addr::from(address & (u32::MAX << (32 - bits))))
}
