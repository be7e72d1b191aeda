//! What must hold whatever bytes come: the bodies of the fuzz targets in `fuzz/`, as plain functions that panic where
//! a property is broken. `tests/corpus.rs` runs the kept inputs through them on every `cargo test`.
//!
//! Does not know: how inputs are made, what a broken property means to a citizen.

mod kept;
mod page;
mod wire;
mod words;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::challenge::{
    Ask, Asker, Challenge, Codes, Form, Forms, PASS_WIDTH, SEAL_WIDTH, Unsolved, Work, spell, work,
};
use crate::client::{Client, Prefix, canonical};
use crate::edge::{Field, believed};
use crate::facts::{Facts, Kind, Pass};
use crate::fault::Fault;
use crate::pages::{News, Shelf};
use crate::plan::Level;
use crate::portal::{Portal, Portals};
use crate::rules::{RuleSet, Sources};
use crate::seal::{self, Cipher, Secret};
use crate::telemetry::reading::{self, Format, Lines, Logged};
use crate::wire::{Head, Version};
use crate::words::Words;
use crate::{path, rules, settings};

pub use self::words::language_text;
pub use kept::cache_fields;
pub use page::{banner, snapshot_page};
pub use wire::{client_hello, fields, frames, http1_request, http1_response, proxy_header};

/// No clock: an input must do tomorrow what it did today.
const NOW: u64 = 1_790_000_000;

/// Any text is read to its end; faults lie within it; a set without faults gives each request one plan, whether it
/// is asked twice or read anew.
pub fn rules_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // A list's file may hold anything as well.
    let sources =
        Sources { now: NOW, list: &|_| Ok(text.to_string()), measures: &[], countries: true, asns: true, breath: None };
    let first = rules::read("rules.toml", &text, &sources);
    let again = rules::read("rules.toml", &text, &sources);
    within(&text, &first.faults);
    within(&text, &first.warnings);
    assert_eq!((&first.faults, &first.warnings), (&again.faults, &again.warnings), "faults differ");
    if !first.faults.is_empty() {
        return;
    }
    assert_eq!(first.value.text(), text, "the text that is kept");
    let plans = plans(&first.value);
    assert_eq!(plans, self::plans(&first.value), "asked twice");
    assert_eq!(plans, self::plans(&again.value), "read twice");
    let printed = rules::normal("rules.toml", &text, &sources).value;
    let third = rules::read("rules.toml", &printed, &sources);
    assert_eq!(third.faults, [], "printed: {printed}");
    assert_eq!(plans, self::plans(&third.value), "printed: {printed}");
    assert_eq!(rules::normal("rules.toml", &printed, &sources).value, printed, "printed twice");
}

/// Any text is read to its end; settings without faults are the same a second time and can be acted upon.
pub fn settings_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = || settings::read("boma.toml", &text, Path::new("/etc/boma"));
    let (first, again) = (read(), read());
    within(&text, &first.faults);
    assert_eq!(first.faults, again.faults, "faults differ");
    if !first.faults.is_empty() {
        return;
    }
    let settings = first.value;
    assert_eq!(settings, again.value, "read twice");
    assert_eq!(settings::restart_needed(&settings, &settings), Vec::<String>::new());
    assert!(!settings.listen.is_empty() && !settings.portals.is_empty(), "nothing to serve");
    let portals = Portals::new(settings.portals);
    for portal in &portals.list {
        assert!(!portal.hosts.is_empty() && !portal.origins.is_empty() && !portal.languages.is_empty());
        for host in portal.hosts.iter().filter(|h| !h.starts_with('*')) {
            let found = portals.find(host).map(|(_, p)| p.name.as_str());
            assert_eq!(found, Some(portal.name.as_str()), "whose host {host} is");
        }
    }
    // Pages are the slow part, and one portal's are made like another's.
    let _ = Shelf::new(&Words::shipped(), &portals.list[..1], vec![News::default()], NOW);
}

/// What is taken has one spelling: without dot segments, controls and backslashes, plain or encoded.
pub fn path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(clean) = path::normalise(&text) else { return };
    assert_eq!(path::normalise(&clean).as_deref(), Ok(clean.as_ref()), "a second time");
    assert!(clean.starts_with('/') && clean.len() <= text.len(), "{clean:?}");
    assert!(clean.split('/').all(|s| s != "." && s != ".."), "dot segments: {clean:?}");
    assert!(clean.bytes().all(|b| (b'!'..=b'~').contains(&b) && !b"\\?#".contains(&b)), "{clean:?}");
    for (at, _) in clean.match_indices('%') {
        let digits = clean.get(at + 1..at + 3).unwrap_or("");
        let byte = u8::from_str_radix(digits, 16).unwrap_or(0);
        assert_eq!(digits, format!("{byte:02X}"), "{clean:?}");
        assert!(byte >= 0x20 && byte != 0x7f && byte != b'\\', "encoded: {clean:?}");
        assert!(!byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte), "needlessly encoded: {clean:?}");
    }
    let matched = path::for_matching(&clean);
    assert!(!matched.contains(';') && matched.starts_with('/'), "{matched:?}");
    assert_eq!(matched.matches('/').count(), clean.matches('/').count(), "{clean:?}");
}

/// Only hops that trusted ones vouch for are believed: whatever a client writes to the left of them changes nothing.
pub fn forwarded(data: &[u8]) {
    let networks = ["10.0.0.0/8", "127.0.0.0/8", "fd00::/8"].map(|n| n.parse::<ipnet::IpNet>().expect("a network"));
    let trusts = |address: IpAddr| networks.iter().any(|n| n.contains(&address));
    let peer: IpAddr = "::ffff:10.0.0.1".parse().expect("an address");
    for field in [Field::List, Field::Forwarded] {
        let client = believed(data, field, peer, trusts);
        assert_eq!(client, canonical(client), "one spelling");
        let nobody = believed(data, field, peer, |_| false);
        let last = data.rsplit(|b| *b == b',').next().unwrap_or(data);
        assert_eq!(nobody, believed(last, field, peer, |_| false), "only the nearest hop");

        let hops: Vec<&[u8]> = data.split(|b| *b == b',').collect();
        let near = hops[hops.len().saturating_sub(32)..].join(&b","[..]);
        assert_eq!(client, believed(&near, field, peer, trusts), "hops beyond the bound");
        if !trusts(client) {
            let lie = match field {
                Field::List => b"6.6.6.6,".as_slice(),
                Field::Forwarded => b"for=6.6.6.6,",
            };
            assert_eq!(client, believed(&[lie, data].concat(), field, peer, trusts), "a lie to the left");
        }
    }
}

/// Any bytes are lines of a log, read as either format; a line that tells of a request does so again, whatever follows it.
pub fn access_log(data: &[u8]) {
    let mut lines = Lines::new(data);
    let mut read = 0;
    while let Ok(Some((line, bytes))) = lines.next_line() {
        assert!(line.len() <= bytes && !line.contains(&b'\n'), "{line:?}");
        read += bytes;
        for format in Format::ALL {
            let Ok(logged) = reading::line(format, line) else { continue };
            assert!(!logged.fact.method.is_empty() || format == Format::Json, "{logged:?}");
            let again = match format {
                Format::Json => reading::line(format, &[b" ", line, b" "].concat()),
                Format::Combined => reading::line(format, &[line, b" 0.003"].concat()),
            };
            let said = |l: &Logged| {
                format!("{:?}", (l.at, &l.fact.method, &l.fact.authority, &l.fact.path, l.fact.address, l.origin))
            };
            assert_eq!(again.as_ref().map(said), Ok(said(&logged)));
        }
    }
    assert_eq!(read, data.len(), "bytes of all lines");
    let _ = reading::detect(None, data);
}

/// Nobody has a pass by luck: of all texts one is a pass, and of all seals one was issued.
pub fn pass(data: &[u8]) {
    static DESK: LazyLock<Desk> = LazyLock::new(Desk::new);
    let Desk { challenge, pass, text, seal, work, id, codes, code } = &*DESK;
    for typed in [data, &overlay(code.as_bytes(), data)] {
        let same = spell(typed).as_ref() == Some(code);
        assert_eq!(codes.open(typed, "huduma", NOW).is_some(), same, "an access code, however it is written");
    }
    let opened = challenge.open_pass(data, NOW);
    assert_eq!(opened, (data == text).then_some(*pass), "a text");
    let altered = overlay(text, data);
    assert_eq!(challenge.open_pass(&altered, NOW), (altered == *text).then_some(*pass), "an altered pass");

    let mut lines = data.splitn(2, |b| *b == b'\n');
    let (first, rest) = (lines.next().unwrap_or(&[]), lines.next().unwrap_or(&[]));
    if first != seal {
        let refused = challenge.solve(first, rest, &ASKER, NOW);
        assert!(matches!(refused, Err(Unsolved::Forged | Unsolved::Expired)), "a seal that nobody issued");
    }
    let altered = overlay(seal, data);
    match challenge.solve(&altered, work, &ASKER, NOW) {
        Ok(pass) => assert!(altered == *seal && pass.id == *id, "an altered seal"),
        // The time of its issue is read before the seal is believed.
        Err(why) => assert!(altered != *seal && matches!(why, Unsolved::Forged | Unsolved::Expired), "{why:?}"),
    }
    // Another solution may well exist; it must give the same budget.
    match challenge.solve(seal, data, &ASKER, NOW) {
        Ok(found) => assert_eq!((found.id, found.level), (*id, 1)),
        Err(Unsolved::Early(200)) => assert!(data.is_empty()),
        Err(why) => assert_eq!(why, Unsolved::Wrong),
    }
}

/// Nobody has a form by luck: of all texts one is a sealed form. And whatever is sealed, by a boma to come or by one that
/// erred, is opened without harm, and to nothing that could not be sealed the same again.
pub fn sealed_form(data: &[u8]) {
    static FORMS: LazyLock<(Forms, Cipher, Form, Vec<u8>)> = LazyLock::new(|| {
        let secret = Secret::parse(&"5a".repeat(32)).expect("64 digits");
        let forms = Forms::new(&secret);
        let form = Form {
            tie: forms.tie(b"a seal", Some(7), 9, NOW),
            portal: "huduma".into(),
            scheme: "https".into(),
            authority: "huduma.example".into(),
            method: "POST".into(),
            target: "/login?id=1".into(),
            fields: vec![("cookie", "session=1".into()), ("user-agent", "Mozilla/5.0".into())],
            body: "name=Mama&amount=100".into(),
        };
        let text = forms.seal(&form).expect("a sealed form").into_bytes();
        (forms, secret.cipher("boma form v1"), form, text)
    });
    let (forms, cipher, form, text) = &*FORMS;
    let opened = |text: &[u8], same: bool| assert_eq!(forms.open(text), same.then(|| form.clone()), "{text:?}");
    opened(data, data == text);
    let altered = overlay(text, data);
    opened(&altered, altered == *text);

    let mut any = [&[0; Cipher::FRONT], data].concat();
    cipher.seal(&mut any).expect("randomness");
    if let Some(form) = forms.open(seal::base64(&any).as_bytes())
        && let Some(again) = forms.seal(&form)
    {
        assert_eq!(forms.open(again.as_bytes()), Some(form), "sealed again");
    }
}

/// The pages of one portal.
static SHELF: LazyLock<Shelf> =
    LazyLock::new(|| Shelf::new(&Words::shipped(), &[portal()], vec![News::default()], NOW));

/// Faults name a line that the text has, and say something.
fn within(text: &str, faults: &[Fault]) {
    let lines = text.split('\n').count();
    for fault in faults {
        assert!(fault.line as usize <= lines && !fault.message.is_empty(), "{fault:?} in {lines} lines");
    }
}

/// What a rule set says of a few unlike requests at every posture.
fn plans(set: &RuleSet) -> String {
    let client = |a: &str| a.parse().map(|a| Client::new(a, a, 64, false)).expect("an address");
    let (near, far) = (client("192.0.2.7"), client("2001:db8::7"));
    let pass = Pass::proven(7, 1, NOW, NOW + 60);
    let login = Facts {
        method: "POST",
        scheme: "https",
        host: "huduma.example",
        path: "/login;a=1",
        match_path: "/login",
        query: Some("id=1&next=%2F"),
        kind: Kind::Navigation,
        client: &near,
        pass: None,
        settled: false,
        portal: "huduma",
        route: "*",
        class: "information",
        country: Some("KE"),
        asn: None,
        known_path: true,
        services: &[],
        head: &Sample,
    };
    let page =
        Facts { method: "GET", path: "/", match_path: "/", query: None, pass: Some(pass), settled: true, ..login };
    let program = Facts { scheme: "http", host: "", kind: Kind::Program, client: &far, portal: "", ..login };
    let mut said = String::new();
    for facts in [&login, &page, &program] {
        for level in Level::ALL {
            let _ = writeln!(said, "{:?}", set.plan(facts, level, NOW));
        }
    }
    said
}

/// A browser's head.
struct Sample;

impl Sample {
    const FIELDS: [(&str, &[u8]); 5] = [
        ("host", b"huduma.example"),
        ("user-agent", b"Mozilla/5.0 (X11; Linux x86_64) curl"),
        ("accept", b"text/html"),
        ("cookie", b"session=1; lang=sw"),
        ("x-odd", b"\xff\x00"),
    ];
}

impl Head for Sample {
    fn method(&self) -> &str {
        "POST"
    }
    fn path(&self) -> &str {
        "/login;a=1"
    }
    fn query(&self) -> Option<&str> {
        Some("id=1&next=%2F")
    }
    fn authority(&self) -> Option<&str> {
        None
    }
    fn version(&self) -> Version {
        Version::Http11
    }
    fn field(&self, name: &str) -> Option<&[u8]> {
        Sample::FIELDS.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.field(name).is_some_and(test)
    }
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        Sample::FIELDS.iter().for_each(|(n, v)| visit(n, v));
    }
}

/// The challenge under a fixed secret, its one pass, and one issued seal with its solution.
const ASKER: Asker = Asker { prefix: Prefix(0), browser: 5 };

struct Desk {
    challenge: Challenge,
    pass: Pass,
    text: Vec<u8>,
    seal: Vec<u8>,
    work: Vec<u8>,
    id: u128,
    codes: Codes,
    code: String,
}

impl Desk {
    fn new() -> Desk {
        const EASY: Work = Work { bits: 8, count: 2 };
        let secret = Secret::parse(&"5a".repeat(32)).expect("64 digits");
        let challenge = Challenge::new(&secret, Duration::from_secs(12 * 3600));
        let pass = Pass::proven(7, 1, NOW, NOW + 60);
        let text = challenge.seal_pass(&pass).into_bytes();
        assert_eq!(text.len(), PASS_WIDTH);
        let mut seal = vec![0; SEAL_WIDTH];
        challenge.issue(&Ask { level: 1, work: EASY, wait: 200, browser: 5 }, NOW, &mut seal);
        let work = work(&seal, EASY).into_bytes();
        let id = challenge.solve(&seal, &work, &ASKER, NOW).expect("a solution").id;
        let codes = Codes::new(&secret);
        let code = codes.issue(Some("huduma"), NOW + 86_400).expect("a code");
        Desk { challenge, pass, text, seal, work, id, codes, code }
    }
}

/// `base` with bytes of it replaced: the first byte of `data` says where, the others by what.
fn overlay(base: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = base.to_vec();
    if let Some((at, bytes)) = data.split_first() {
        let at = usize::from(*at) % out.len();
        out[at..].iter_mut().zip(bytes).for_each(|(o, b)| *o = *b);
    }
    out
}

fn portal() -> Arc<Portal> {
    let text = "[[listen]]\naddress = \"127.0.0.1:8080\"\n[[portal]]\nname = \"huduma\"\nhosts = [\"huduma.example\"]\norigins = [\"http://127.0.0.1:3000\"]\nlanguages = [\"sw\", \"en\", \"ar\"]\ntimezone = \"Africa/Nairobi\"\n";
    let read = settings::read("boma.toml", text, Path::new("/"));
    assert_eq!(read.faults, []);
    Arc::new(read.value.portals[0].clone())
}

/// What a policy admits: of every directive its words, each once.
fn sources(csp: &str) -> Vec<Vec<BTreeSet<&str>>> {
    fn words(directive: &str) -> BTreeSet<&str> {
        directive.split_ascii_whitespace().collect()
    }
    csp.split(',').map(|policy| policy.split(';').map(words).collect()).collect()
}
