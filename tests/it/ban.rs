//! Bans: by hand and by what a client does again and again; before TLS, kept over a restart, and never a crowd's.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::{Boma, Client, Origin, Setup, eventually, get, request};

const TRUSTING: &str = "[client]\ntrusted_proxies = [\"127.0.0.1\"]\n";

/// Asks as whoever a trusted proxy speaks for.
fn from(boma: &Boma, address: &str, path: &str, fields: &str) -> u16 {
    request(boma.at(), "GET", path, &format!("X-Forwarded-For: {address}\r\n{fields}"), "").status
}

#[test]
fn a_ban_by_hand_closes_at_once_ends_and_outlives_a_restart() {
    let origin = Origin::start();
    let boma = Setup::new().start(origin.address);
    let mut before = Client::connect(boma.at()).unwrap();
    assert_eq!(before.ask("GET", "/", "", "").unwrap().status, 200);
    let (code, said) = boma.command(&["ban", "add", "127.0.0.0/24", "--for", "1h", "--reason", "INC-42"]);
    assert_eq!(code, 0, "{said}");
    // New connections are closed before anything is read; one that was open, with its next request.
    let closed = |boma: &Boma| {
        let mut stream = TcpStream::connect(boma.at()).unwrap();
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: huduma.example\r\n\r\n");
        !matches!(stream.read(&mut [0; 64]), Ok(1..))
    };
    assert!(closed(&boma));
    assert!(before.ask("GET", "/", "", "").is_err());
    assert!(boma.metric("boma_banned_total") >= 1.0 && boma.metric("boma_bans") == 1.0);
    let (_, said) = boma.command(&["ban", "list"]);
    assert!(
        said.starts_with("127.0.0.0/24   until 20") && said.contains("staff administrator (admin)   INC-42"),
        "{said}"
    );
    let (code, said) = boma.command(&["ban", "add", "127.0.0.0/24", "--for", "1s", "--reason", "INC-43"]);
    assert!(code == 0 && said.contains("that end stays") && said.contains("boma ban remove"), "{said}");
    let later = boma.staff("GET", "/api/v1/bans", "", "").json()["bans"].clone();
    assert!(later[0]["reason"] == "INC-43" && later.as_array().unwrap().len() == 1, "{later}");
    assert!(later[0]["until"].as_u64() > later[0]["since"].as_u64().map(|s| s + 3000), "{later}");
    let boma = Boma::start(boma.kill(), &[]);
    assert!(closed(&boma), "a restart keeps it");
    assert_eq!(boma.command(&["ban", "remove", "127.0.0.0/24"]).0, 0);
    assert_eq!(get(boma.at(), "/").status, 200);
    assert_eq!(boma.command(&["ban", "add", "127.0.0.1", "--for", "1s", "--reason", "short"]).0, 0);
    eventually("it ends by itself", || (!closed(&boma)).then_some(()));
    for (arguments, code, hint) in [
        (&["ban", "add", "127.0.0.1", "--reason", "r"][..], 2, "--for"),
        (&["ban", "add", "127.0.0", "--for", "1h", "--reason", "r"], 1, "no network and no address"),
        (&["ban", "add", "127.0.0.1", "--for", "90d", "--reason", "r"], 1, "to \"30d\""),
        (&["ban", "add", "10.0.0.0/8", "--for", "1h", "--reason", "r"], 1, "--force"),
        (&["ban", "remove", "192.0.2.1"], 1, "there is no ban of 192.0.2.1/32"),
    ] {
        let (got, said) = boma.command(arguments);
        assert!(got == code && said.contains(hint), "{arguments:?}: {got} {said}");
    }
    assert_eq!(boma.command(&["ban", "add", "10.0.0.0/8", "--for", "1h", "--reason", "r", "--force"]).0, 0);
}

#[test]
fn who_exceeds_again_and_again_is_banned_behind_a_proxy_too() {
    let rules = "[[list]]\nname = \"staff\"\ncidrs = [\"198.51.100.0/24\"]\n[[limit]]\nname = \"search\"\nper = \"client\"\nrate = \"1/h\"\nburst = 1\nmatch = { path = \"/search\" }\nthen = \"deny\"\nban = \"10m\"\n[[rule]]\nname = \"probes\"\nmatch = { path = \"/wp-login.php\" }\nthen = \"deny\"\nban = \"10m\"\n";
    let origin = Origin::start();
    let boma = Setup::new().settings(TRUSTING).rules(rules).start(origin.address);
    assert_eq!(from(&boma, "192.0.2.7", "/search", ""), 200);
    // A burst within one second is one strike.
    assert!((0..100).all(|_| from(&boma, "192.0.2.7", "/search", "") == 429));
    assert_eq!(from(&boma, "192.0.2.7", "/", ""), 200);
    // Again and again, second after second; staff beside them, who never ban themselves.
    let asks = [("192.0.2.7", "/search"), ("192.0.2.9", "/wp-login.php"), ("198.51.100.9", "/wp-login.php")];
    eventually("both are banned", || {
        asks.iter().for_each(|(address, path)| assert!(from(&boma, address, path, "") >= 403));
        (boma.metric("boma_bans") == 2.0).then_some(())
    });
    assert_eq!((from(&boma, "192.0.2.7", "/", ""), from(&boma, "192.0.2.9", "/", "")), (403, 403), "nothing is served");
    assert_eq!(from(&boma, "192.0.2.8", "/", ""), 200, "the neighbour is not");
    // Nor can anybody ban them or the proxy by mistake.
    assert_eq!(from(&boma, "198.51.100.9", "/", ""), 200);
    for (net, why) in [("198.51.100.0/25", "staff"), ("127.0.0.1", "trusted proxy")] {
        let (code, said) = boma.command(&["ban", "add", net, "--for", "1h", "--reason", "r"]);
        assert!(code == 1 && said.contains(why), "{said}");
    }
    let (_, said) = boma.command(&["ban", "list"]);
    assert!(said.contains("192.0.2.7/32") && said.contains("by itself, time 1   search"), "{said}");
    let boma = Boma::start(boma.kill(), &[]);
    assert_eq!((from(&boma, "192.0.2.7", "/", ""), from(&boma, "192.0.2.8", "/", "")), (403, 200));
    assert_eq!(boma.command(&["ban", "remove", "192.0.2.7"]).0, 0);
    assert_eq!(from(&boma, "192.0.2.7", "/", ""), 200);
}

#[test]
fn a_crowd_with_passes_is_not_banned_by_one_who_exceeds() {
    let rules = "[[limit]]\nname = \"search\"\nper = \"address\"\nrate = \"1/h\"\nburst = 1\nmatch = { path = \"/search\" }\nthen = \"deny\"\nban = \"10m\"\n";
    let origin = Origin::start();
    let boma = Setup::new().settings(TRUSTING).rules(rules).start(origin.address);
    let page = || get(boma.at(), "/.well-known/boma/challenge");
    let passes: Vec<String> = (0..5).map(|_| crate::challenge::solve(boma.at(), &page())).collect();
    assert_eq!((from(&boma, "192.0.2.7", "/search", ""), from(&boma, "192.0.2.7", "/search", "")), (200, 429));
    for pass in &passes {
        assert_eq!(from(&boma, "192.0.2.7", "/", &format!("Cookie: {pass}\r\n")), 200);
    }
    // Another client, of whom no pass is seen, shows when a ban would have come.
    assert_eq!(from(&boma, "192.0.2.8", "/search", ""), 200);
    eventually("the other one is banned", || {
        assert!(from(&boma, "192.0.2.7", "/search", "") == 429 && from(&boma, "192.0.2.8", "/search", "") >= 403);
        (boma.metric("boma_bans") == 1.0).then_some(())
    });
    assert_eq!((from(&boma, "192.0.2.7", "/", ""), from(&boma, "192.0.2.8", "/", "")), (200, 403));
}
