//! Countries and autonomous systems, from databases that are replaced while boma runs.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use crate::harness::mmdb::{self, Value};
use crate::harness::{Boma, Origin, Setup, eventually, request};

const RULES: &str = "[[rule]]\nname = \"abroad\"\nmatch = { country = { not = [\"KE\"] }, path = \"/pay*\" }\nthen = \"deny\"\n[[rule]]\nname = \"hosters\"\nmatch = { asn = 16509 }\nthen = \"deny\"\n[[limit]]\nname = \"each\"\nper = \"asn\"\nrate = \"1/h\"\nburst = 2\nmatch = { path = \"/few\" }\nthen = \"deny\"\n";
const CLIENT: &str =
    "[client]\ntrusted_proxies = [\"127.0.0.1\"]\ncountry_db = \"country.mmdb\"\nasn_db = \"asn.mmdb\"\n";

fn country(code: &'static str) -> Value {
    Value::Map(vec![("country", Value::Map(vec![("iso_code", Value::Text(code))]))])
}

fn asn(number: u32) -> Value {
    Value::Map(vec![("autonomous_system_number", Value::Number(number))])
}

fn countries(of_second: &'static str) -> Vec<u8> {
    mmdb::write(
        "GeoLite2-Country",
        1_790_000_000,
        &[([192, 0, 2, 0], 24, country("KE")), ([198, 51, 100, 0], 24, country(of_second))],
    )
}

fn from(boma: &Boma, address: &str, path: &str) -> u16 {
    request(boma.at(), "GET", path, &format!("X-Forwarded-For: {address}\r\n"), "").status
}

#[test]
fn rules_know_where_a_client_is_and_a_replaced_database_is_taken_over() {
    let origin = Origin::start();
    let setup = Setup::new().settings(CLIENT).rules(RULES);
    fs::write(setup.file("country.mmdb"), countries("DE")).unwrap();
    let nets =
        [([198, 51, 100, 0], 25, asn(16509)), ([192, 0, 2, 0], 24, asn(36914)), ([203, 0, 113, 0], 24, asn(36914))];
    fs::write(setup.file("asn.mmdb"), mmdb::write("GeoLite2-ASN", 1_790_000_000, &nets)).unwrap();
    let boma = setup.start(origin.address);
    assert_eq!((from(&boma, "192.0.2.7", "/pay"), from(&boma, "198.51.100.200", "/pay")), (200, 403));
    assert_eq!(from(&boma, "203.0.113.9", "/pay"), 200, "of whom nothing is known, nothing is held against");
    assert_eq!((from(&boma, "198.51.100.7", "/"), from(&boma, "198.51.100.200", "/")), (403, 200));
    // A limit of a whole autonomous system, over two networks.
    assert_eq!(
        (from(&boma, "192.0.2.7", "/few"), from(&boma, "203.0.113.9", "/few"), from(&boma, "192.0.2.8", "/few")),
        (200, 200, 429)
    );
    let places = boma.status()["places"].clone();
    assert!(
        places[0]["kind"] == "country" && places[0]["built"] == 1_790_000_000u64 && places[1]["kind"] == "asn",
        "{places}"
    );
    fs::write(boma.setup.file("country.mmdb"), countries("KE")).unwrap();
    eventually("the new one is in use", || (from(&boma, "198.51.100.200", "/pay") == 200).then_some(()));
    fs::write(boma.setup.file("country.mmdb"), b"nonsense").unwrap();
    eventually("a broken one is told", || {
        boma.status()["files_not_in_force"].to_string().contains("country.mmdb").then_some(())
    });
    assert_eq!(from(&boma, "198.51.100.200", "/pay"), 200, "and the old one stays in use");
    let boma = Boma::start(boma.kill(), &[]);
    assert_eq!(from(&boma, "192.0.2.7", "/pay"), 200);
    assert!(boma.status()["troubles"].to_string().contains("country.mmdb"), "{}", boma.status());
    assert_eq!(boma.status()["places"].as_array().unwrap().len(), 2, "the last good copy is in use");
}

#[test]
fn a_database_on_a_slow_disk_holds_up_no_other_change() {
    let origin = Origin::start();
    let setup = Setup::new().settings(CLIENT).rules(RULES);
    fs::write(setup.file("country.mmdb"), countries("DE")).unwrap();
    fs::write(setup.file("asn.mmdb"), mmdb::write("GeoLite2-ASN", 1_790_000_000, &[])).unwrap();
    let boma = setup.start(origin.address);
    // A file that gives nothing for as long as it takes.
    let slow = boma.setup.file("slow.mmdb");
    assert!(Command::new("mkfifo").arg(&slow).status().unwrap().success());
    fs::rename(&slow, boma.setup.file("country.mmdb")).unwrap();
    const O_NONBLOCK: i32 = 0o4000;
    let disk = eventually("it is being read", || {
        OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(boma.setup.file("country.mmdb")).ok()
    });
    let (code, said) = boma.command(&["ban", "add", "192.0.2.7", "--for", "1h", "--reason", "INC-42"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!((from(&boma, "192.0.2.7", "/"), from(&boma, "198.51.100.200", "/pay")), (403, 403));
    drop(disk);
    eventually("an empty one is told", || {
        boma.status()["files_not_in_force"].to_string().contains("country.mmdb").then_some(())
    });
}

#[test]
fn a_rule_that_needs_a_database_which_is_not_named_is_a_fault() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    let refused = boma.staff("PUT", "/api/v1/rules", "If-Match: *\r\n", RULES);
    assert_eq!(refused.status, 422);
    for said in [
        "`rule.match.country` needs a database",
        "[client] country_db",
        "`limit.per` needs a database",
        "[client] asn_db",
    ] {
        assert!(refused.text().contains(said), "{said} in {}", refused.text());
    }
}
