//! Access codes: given out by staff, written by citizens who cannot pass otherwise.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use crate::harness::{Answer, Boma, Origin, Setup, TOKEN, request};

const CHALLENGE: &str = "/.well-known/boma/challenge";
const PERSON: &str =
    "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nContent-Type: application/x-www-form-urlencoded\r\n";

fn house(settings: &str, rules: &str) -> (Origin, Boma) {
    let origin = Origin::start();
    let settings = format!("[client]\ntrusted_proxies = [\"127.0.0.1\"]\n{settings}");
    let boma = Setup::new().settings(&settings).rules(rules).start(origin.address);
    (origin, boma)
}

/// The codes that a command prints, each on a line of its own, and nothing else on standard output.
fn issue(boma: &Boma, more: &[&str]) -> Vec<String> {
    let done = Command::new(env!("CARGO_BIN_EXE_boma"))
        .args(["pass", "issue", "--for", "30d", "--reason", "INC-42"])
        .args(more)
        .env("BOMA_ADMIN", format!("http://{}", boma.admin))
        .env("BOMA_ADMIN_TOKEN", TOKEN)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn send(to: SocketAddr, from: &str, code: &str) -> Answer {
    request(to, "POST", CHALLENGE, &format!("{PERSON}X-Forwarded-For: {from}\r\n"), &format!("code={code}"))
}

fn open(to: SocketAddr, from: &str, pass: &str) -> u16 {
    request(to, "GET", "/", &format!("{PERSON}X-Forwarded-For: {from}\r\nCookie: {pass}\r\n"), "").status
}

#[test]
fn a_code_that_was_read_out_opens_the_portal() {
    let (_origin, boma) = house("", "");
    let codes = issue(&boma, &["--count", "2", "--portal", "huduma"]);
    assert!(codes.len() == 2 && codes[0] != codes[1] && codes[0].len() == 29, "{codes:?}");
    let journal = fs::read_to_string(boma.setup.file("state/journal.jsonl")).unwrap();
    assert!(journal.contains("2 access codes of huduma until") && journal.contains("INC-42"), "{journal}");
    assert!(!journal.contains(&codes[0]), "the journal holds no code");
    boma.posture("attack");

    let page = request(boma.at(), "GET", &format!("{CHALLENGE}?code"), PERSON, "");
    let text = page.text();
    assert_eq!((page.status, page.pass()), (200, None));
    assert!(
        text.contains("<label for=\"code\">Access code</label>") && text.contains("<form method=\"post\">"),
        "{text}"
    );
    assert!(!text.contains("<script") && !text.contains(" value=") && !text.contains("HOLE"), "{text}");
    assert!(page.field("content-security-policy").unwrap().contains("form-action 'self'"));
    let swahili = request(boma.at(), "GET", &format!("{CHALLENGE}?code&lang=sw"), PERSON, "");
    assert!(swahili.text().contains("Msimbo wa kuingia</label>"), "{}", swahili.text());
    let link = format!("{CHALLENGE}?code={}", codes[0].to_lowercase());
    for _ in 0..2 {
        let filled = request(boma.at(), "GET", &link, PERSON, "");
        assert_eq!((filled.status, filled.pass()), (200, None), "a link changes nothing");
        assert!(filled.text().contains(&format!(" value=\"{}\"", codes[0])), "{}", filled.text());
    }
    let odd = request(boma.at(), "GET", &format!("{CHALLENGE}?code=%22%3E%3Cscript%3E"), PERSON, "").text();
    assert!(!odd.contains("<script") && !odd.contains(" value="), "{odd}");

    // Small letters, spaces, and letters for digits.
    let read_out = codes[0].to_lowercase().replace('-', "+").replace('0', "o").replace('1', "%49");
    let answer = send(boma.at(), "203.0.113.7", &read_out);
    assert_eq!((answer.status, answer.field("location")), (303, Some("/")), "{}", answer.text());
    let cookie = answer.field("set-cookie").unwrap();
    let age: u64 = cookie.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!(age <= 13 * 3600, "a pass lives as long as others do: {cookie}");
    let pass = answer.pass().unwrap();
    assert_eq!((open(boma.at(), "203.0.113.7", &pass), open(boma.at(), "198.51.100.9", &pass)), (200, 200));
    assert_eq!(open(boma.at(), "203.0.113.7", "a=1"), 503);
}

#[test]
fn all_who_use_one_code_share_its_budget_and_a_program_may_use_it() {
    let rules = "[[limit]]\nname = \"own\"\nper = \"client\"\nrate = \"1/h\"\nburst = 3\nmatch = { path = \"/\" }\n";
    let (_origin, boma) = house("", rules);
    let codes = issue(&boma, &["--count", "2"]);
    let pass = |from, code: &str| send(boma.at(), from, code).pass().unwrap();
    let (one, two) = (pass("203.0.113.7", &codes[0]), pass("198.51.100.9", &codes[0]));
    assert_eq!(
        [&one, &two, &one, &two].map(|p| open(boma.at(), "203.0.113.7", p)),
        [200, 200, 200, 429],
        "one code, one budget"
    );
    assert_eq!(open(boma.at(), "203.0.113.7", &pass("203.0.113.7", &codes[1])), 200, "another code, another");
    boma.posture("attack");
    let program = "Content-Type: application/json\r\nUser-Agent: app/1\r\n";
    let body = format!("{{\"code\": \"{}\"}}", codes[1].replace('-', ""));
    let answer = request(boma.at(), "POST", CHALLENGE, program, &body);
    assert_eq!((answer.status, answer.json()["header"].as_str()), (200, Some("Boma-Pass")), "{}", answer.text());
    let field =
        format!("Boma-Pass: {}\r\nUser-Agent: app/2\r\nAccept: text/html\r\n", answer.json()["pass"].as_str().unwrap());
    assert_eq!(request(boma.at(), "GET", "/elsewhere", &field, "").status, 200);
    let wrong = request(boma.at(), "POST", CHALLENGE, program, "{\"code\": \"0\"}");
    assert_eq!((wrong.status, wrong.field("content-type")), (403, Some("application/problem+json")));
    assert_eq!(wrong.json()["reason"], "challenge.code");
}

#[test]
fn wrong_codes_say_so_and_after_too_many_none_is_looked_at() {
    let (_origin, boma) = house("", "");
    let code = issue(&boma, &[]).remove(0);
    let last = if code.ends_with('0') { "1" } else { "0" };
    let mistyped = format!("{}{last}", &code[..28]);
    let wrong = send(boma.at(), "203.0.113.7", &mistyped);
    let text = wrong.text();
    assert_eq!((wrong.status, wrong.pass()), (403, None));
    assert!(text.contains("role=\"alert\"") && text.contains("aria-invalid=\"true\""), "{text}");
    assert!(text.contains(&format!("value=\"{mistyped}\"")), "what was typed stands there to be compared");
    for _ in 0..19 {
        assert_eq!(send(boma.at(), "203.0.113.7", "x").status, 403);
    }
    let over = send(boma.at(), "203.0.113.7", &code);
    assert!(over.status == 429 && over.field("retry-after").is_some(), "{}", over.status);
    assert_eq!(send(boma.at(), "198.51.100.9", &code).status, 303, "others are not kept waiting");
    for _ in 0..25 {
        assert_eq!(send(boma.at(), "198.51.100.9", &code).status, 303, "and right ones do not count");
    }
}

#[test]
fn codes_end_are_for_one_portal_and_are_given_for_a_reason() {
    let (_origin, boma) = house("", "");
    for (arguments, code, said) in [
        (&["--for", "1h"][..], 2, "--reason"),
        (&["--reason", "r"], 2, "--for"),
        (&["--for", "366d", "--reason", "r"], 1, "from \"15m\" to \"365d\""),
        (&["--for", "1h", "--reason", " "], 1, "\"reason\" is missing"),
        (&["--for", "1h", "--reason", "r", "--count", "101"], 1, "from 1 to 100"),
        (&["--for", "1h", "--reason", "r", "--portal", "tax"], 1, "there is no portal \"tax\""),
    ] {
        let (got, text) = boma.command(&[&["pass", "issue"], arguments].concat());
        assert!(got == code && text.contains(said), "{arguments:?}: {got} {text}");
    }
    let journal = fs::read_to_string(boma.setup.file("state/journal.jsonl")).unwrap_or_default();
    assert!(!journal.contains("access codes") || journal.contains("rejected"), "{journal}");
}
