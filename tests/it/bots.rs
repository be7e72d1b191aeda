//! Good bots: known by names that lead back to them, asked of a name server that the test serves, or by published networks.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use simple_dns::rdata::{A, AAAA, PTR, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use crate::harness::{Answer, Boma, Origin, Setup, eventually, request};

const GOOGLE: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// What a name server knows, and what it was asked.
#[derive(Default)]
struct Zone {
    names: HashMap<String, Vec<String>>,
    addresses: HashMap<String, Vec<IpAddr>>,
    /// It answers that it cannot say.
    fails: bool,
    asked: Vec<String>,
}

struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl NameServer {
    fn start() -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (address, zone) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(Zone::default())));
        let shared = zone.clone();
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                let answer = answer(&buffer[..n], &mut shared.lock().unwrap());
                let _ = socket.send_to(&answer, from);
            }
        });
        NameServer { address, zone }
    }

    /// The address has this name, and the name these addresses.
    fn host(&self, address: &str, name: &str, addresses: &[&str]) {
        let mut zone = self.zone.lock().unwrap();
        let reverse = match address.parse().unwrap() {
            IpAddr::V4(a) => a.octets().iter().rev().map(|b| format!("{b}.")).collect::<String>() + "in-addr.arpa",
            IpAddr::V6(a) => {
                let digits: Vec<char> =
                    a.octets().iter().flat_map(|b| format!("{b:02x}").chars().collect::<Vec<_>>()).collect();
                digits.iter().rev().map(|d| format!("{d}.")).collect::<String>() + "ip6.arpa"
            }
        };
        zone.names.entry(reverse).or_default().push(name.to_owned());
        zone.addresses.insert(name.to_owned(), addresses.iter().map(|a| a.parse().unwrap()).collect());
    }
}

fn answer(query: &[u8], zone: &mut Zone) -> Vec<u8> {
    let query = Packet::parse(query).unwrap();
    let question = query.questions[0].clone();
    let name = question.qname.to_string().to_ascii_lowercase();
    zone.asked.push(name.clone());
    let mut answer = Packet::new_reply(query.id());
    assert!(query.has_flags(PacketFlag::RECURSION_DESIRED));
    let names = zone.names.get(&name).cloned().unwrap_or_default();
    let addresses = zone.addresses.get(&name).cloned().unwrap_or_default();
    let data: Vec<RData<'_>> = match question.qtype {
        QTYPE::TYPE(TYPE::PTR) => names.iter().map(|n| RData::PTR(PTR(Name::new_unchecked(n)))).collect(),
        QTYPE::TYPE(kind) => addresses
            .iter()
            .filter_map(|a| match (a, kind) {
                (IpAddr::V4(a), TYPE::A) => Some(RData::A(A { address: u32::from(*a) })),
                (IpAddr::V6(a), TYPE::AAAA) => Some(RData::AAAA(AAAA { address: u128::from(*a) })),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    *answer.rcode_mut() = match (zone.fails, data.is_empty()) {
        (true, _) => RCODE::ServerFailure,
        (_, true) => RCODE::NameError,
        _ => RCODE::NoError,
    };
    let owner = question.qname.clone();
    answer.questions.push(question);
    if !zone.fails {
        answer.answers.extend(data.into_iter().map(|d| ResourceRecord::new(owner.clone(), CLASS::IN, 60, d)));
    }
    answer.build_bytes_vec().unwrap()
}

fn from(boma: &Boma, address: &str, agent: &str, path: &str) -> Answer {
    let fields = format!("Accept: text/html\r\nUser-Agent: {agent}\r\nX-Forwarded-For: {address}\r\n");
    request(boma.at(), "GET", path, &fields, "")
}

fn house(more: &str, bot: &str, rules: &str) -> (Origin, Setup) {
    let settings = format!(
        "{more}\n[client]\ntrusted_proxies = [\"127.0.0.1\"]\n[[bot]]\nname = \"googlebot\"\nuser_agent = \"*googlebot*\"\n{bot}\n"
    );
    (Origin::start(), Setup::new().settings(&settings).rules(rules))
}

#[test]
fn a_bot_whose_name_leads_back_is_not_challenged_and_who_only_says_so_is() {
    let ns = NameServer::start();
    ns.host("192.0.2.7", "crawl-7.googlebot.com", &["192.0.2.70", "192.0.2.7"]);
    ns.host("2001:db8::7", "crawl-six.googlebot.com", &["2001:db8::7"]);
    // Whoever has an address may write any name there, but not into that name's zone.
    ns.host("192.0.2.8", "crawl-7.googlebot.com", &["192.0.2.70", "192.0.2.7"]);
    ns.host("192.0.2.9", "googlebot.com.evil.example", &["192.0.2.9"]);
    let rules = "[[rule]]\nname = \"no\"\nmatch = { path = \"/no\" }\nthen = \"deny\"\n[[rule]]\nname = \"asks\"\nmatch = { path = \"/asks\" }\nthen = \"challenge\"\n\
[[limit]]\nname = \"few\"\nmatch = { path = \"/few\" }\nper = \"client\"\nrate = \"1/h\"\nburst = 2\nthen = \"challenge\"\n[[limit]]\nname = \"all\"\nper = \"client\"\nrate = \"1000/s\"\nburst = 10000\n";
    let (origin, setup) =
        house(&format!("[server]\nresolvers = [\"{}\"]", ns.address), "domains = [\"googlebot.com\"]", rules);
    let boma = setup.start(origin.address);
    boma.posture("attack");
    assert_eq!(from(&boma, "192.0.2.7", GOOGLE, "/").status, 503, "nobody has said yet");
    for address in ["192.0.2.7", "2001:db8::7"] {
        eventually("it is confirmed", || (from(&boma, address, GOOGLE, "/").status == 200).then_some(()));
    }
    for other in ["192.0.2.8", "192.0.2.9", "192.0.2.10"] {
        assert_eq!(from(&boma, other, GOOGLE, "/").status, 503, "{other}");
    }
    eventually("the others are looked up too", || {
        (boma.metric("boma_bot_checks_total{outcome=\"refuted\"}") >= 3.0).then_some(())
    });
    for other in ["192.0.2.8", "192.0.2.9", "192.0.2.10"] {
        assert_eq!(from(&boma, other, GOOGLE, "/").status, 503, "{other} gains nothing");
    }
    assert_eq!(from(&boma, "192.0.2.7", "Mozilla/5.0 Firefox", "/").status, 503, "nor does who does not say who it is");
    let asked = ns.zone.lock().unwrap().asked.clone();
    let once: HashSet<&String> = asked.iter().filter(|name| name.ends_with("in-addr.arpa")).collect();
    assert_eq!(asked.iter().filter(|name| name.ends_with("in-addr.arpa")).count(), once.len(), "each once: {asked:?}");
    assert!(!asked.iter().any(|name| name.contains("evil")), "another domain's names are not even looked up");

    // Whatever else holds, holds for it.
    let bot = |path| from(&boma, "192.0.2.7", GOOGLE, path);
    assert_eq!((bot("/no").status, [(); 3].map(|()| bot("/few").status)), (403, [200, 200, 429]));
    let asked = bot("/asks");
    assert_eq!((asked.status, asked.text().contains("boma-seal") || asked.text().contains("data-seal")), (429, false));
    let (_, said) =
        boma.command(&["explain", "GET", "/", "--from", "192.0.2.7", "-H", &format!("User-Agent: {GOOGLE}")]);
    assert!(said.contains("allowed") && said.contains("verified as googlebot"), "{said}");
    let (_, said) = boma.command(&["explain", "GET", "/", "--from", "192.0.2.8", "-H", "User-Agent: Googlebot"]);
    assert!(said.contains("challenged") && said.contains("calls itself googlebot and is not"), "{said}");
    let (_, said) = boma.command(&["status"]);
    assert!(said.contains("bot googlebot by names in googlebot.com"), "{said}");
    let log = eventually("the log tells it", || {
        let log = fs::read_to_string(boma.setup.file("access.log")).unwrap_or_default();
        log.contains("\"boma.bot\":\"googlebot\"").then_some(log)
    });
    let lines = log.lines().filter(|line| line.contains("\"boma.bot\""));
    assert!(lines.into_iter().all(|line| line.contains("192.0.2.7") || line.contains("2001:db8::7")), "{log}");
    assert_eq!(boma.command(&["ban", "add", "192.0.2.7", "--for", "1h", "--reason", "r"]).0, 0);
    assert_eq!(bot("/").status, 403, "and it can be banned");
}

#[test]
fn name_servers_that_fail_are_told_and_nobody_is_verified_by_them() {
    let ns = NameServer::start();
    ns.host("192.0.2.7", "crawl-7.googlebot.com", &["192.0.2.7"]);
    ns.host("192.0.2.6", "crawl-6.googlebot.com", &["192.0.2.6"]);
    ns.zone.lock().unwrap().fails = true;
    let (origin, setup) =
        house(&format!("[server]\nresolvers = [\"{}\"]", ns.address), "domains = [\"googlebot.com\"]", "");
    let boma = setup.start(origin.address);
    boma.posture("attack");
    assert_eq!(from(&boma, "192.0.2.7", GOOGLE, "/").status, 503);
    eventually("it is told", || boma.status()["troubles"].to_string().contains("no name server answers").then_some(()));
    assert_eq!(from(&boma, "192.0.2.7", GOOGLE, "/").status, 503);
    ns.zone.lock().unwrap().fails = false;
    eventually("others are verified again", || (from(&boma, "192.0.2.6", GOOGLE, "/").status == 200).then_some(()));
    assert!(!boma.status()["troubles"].to_string().contains("no name server answers"));
}

#[test]
fn published_networks_are_taken_over_live_and_a_broken_file_changes_nothing() {
    let published = |net: &str| {
        format!(
            "{{\"creationTime\": \"x\", \"prefixes\": [{{\"ipv4Prefix\": \"{net}\"}}, {{\"ipv6Prefix\": \"2001:db8:9::/48\"}}]}}"
        )
    };
    let (origin, setup) = house("", "ranges = \"google.json\"", "");
    setup.folder.write("google.json", &published("192.0.2.0/24"));
    let boma = setup.start(origin.address);
    boma.posture("attack");
    let status = |address| from(&boma, address, GOOGLE, "/").status;
    assert_eq!((status("192.0.2.7"), status("2001:db8:9::1"), status("198.51.100.7")), (200, 200, 503));
    let line = boma.status()["bots"][0].clone();
    assert!(line["networks"] == 2 && line["days"] == 0 && line["name"] == "googlebot", "{line}");
    let (_, said) = boma.command(&["status"]);
    assert!(said.contains("google.json: 2 networks, 0 days old"), "{said}");
    boma.setup.folder.write("google.json", &published("198.51.100.0/24"));
    eventually("the new file is in use", || (status("198.51.100.7") == 200).then_some(()));
    assert_eq!(status("192.0.2.7"), 503);
    boma.setup.folder.write("google.json", "<html>Not found</html>");
    eventually("a broken one is told", || {
        boma.status()["files_not_in_force"].to_string().contains("google.json").then_some(())
    });
    assert_eq!(status("198.51.100.7"), 200, "and the old one stays in use");
    let config = boma.setup.file("boma.toml");
    let settings = fs::read_to_string(&config).unwrap();
    let draft = settings.replace("google.json", "none.json").replace("title = \"Huduma\"", "title = \"Another\"");
    fs::write(&config, &draft).unwrap();
    eventually("settings that name no file are told", || {
        boma.status()["files_not_in_force"].to_string().contains("none.json").then_some(())
    });
    assert_eq!(status("198.51.100.7"), 200, "and change nothing");
    fs::write(&config, &settings).unwrap();
    let (code, said) = boma.command(&["check", "--config", config.to_str().unwrap()]);
    assert!(code == 78 && said.contains("google.json:1:1: this line is no network"), "{said}");
    let boma = Boma::start(boma.kill(), &[]);
    assert_eq!(from(&boma, "198.51.100.7", GOOGLE, "/").status, 200, "its last good copy is in use");
    assert!(boma.status()["troubles"].to_string().contains("google.json"), "{}", boma.status());
    boma.setup.folder.write("google.json", &published("192.0.2.0/24"));
    eventually("a good one is in use again", || (from(&boma, "192.0.2.7", GOOGLE, "/").status == 200).then_some(()));
    assert!(!boma.status()["troubles"].to_string().contains("google.json"), "{}", boma.status());
}
