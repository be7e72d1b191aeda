//! Everything in `boma.toml` but the portals.
//!
//! Does not know: portals.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::parts;
use super::{AccessSink, Admin, Cache, Certificate, Challenge, ClientSettings, Listen, Log, QueryLog, Server};
use crate::bounds;
use crate::fault::{At, Section};
use crate::units;

const MIB: u64 = 1 << 20;
const SEAL_MAX: usize = 64 << 10;

pub fn path(folder: &Path, text: &str) -> PathBuf {
    folder.join(text)
}

fn file(section: &Section<'_>, key: &str, example: &str, folder: &Path) -> Option<PathBuf> {
    let at = section.string(key, example)?;
    if at.value.is_empty() {
        section.fault(
            at.span,
            format!("`{key}` is empty"),
            format!("write a path, such as {key} = \"{example}\", or leave it out"),
        );
        return None;
    }
    Some(path(folder, &at.value))
}

pub fn server(top: &Section<'_>, folder: &Path) -> Server {
    let mut server = Server {
        workers: None,
        state_dir: path(folder, "state"),
        state_dir_given: false,
        rules: path(folder, "rules.toml"),
        languages: None,
        postures: None,
        drain: Duration::from_secs(30),
        secret: None,
        resolvers: Vec::new(),
        memory: None,
        egress: None,
    };
    let Some(s) = top.section("server") else { return server };
    if s.is_integer("workers") {
        server.workers = s.integer("workers", 1, 1024).map(|w| w.value as usize);
    } else if let Some(word) = s.string("workers", "auto")
        && word.value != "auto"
    {
        s.fault(
            word.span,
            format!("`server.workers` is {:?}", word.value),
            "write \"auto\" or a whole number from 1 to 1024",
        );
    }
    if let Some(state) = file(&s, "state_dir", "state", folder) {
        server.state_dir = state;
        server.state_dir_given = true;
    }
    server.rules = file(&s, "rules", "rules.toml", folder).unwrap_or(server.rules);
    server.languages = file(&s, "languages", "lang", folder);
    server.postures = file(&s, "postures", "postures.toml", folder);
    server.secret = file(&s, "secret", "secret.key", folder);
    server.resolvers = resolvers(&s);
    let memory = "\"auto\" or a size of at least 64MiB, such as \"2GiB\"";
    server.memory = amount(&s, ("memory", "auto", memory), |text| match text {
        "auto" => Some(None),
        size => units::bytes(size).filter(|n| *n >= 64 * MIB).map(Some),
    });
    let egress = "what the line carries in a second, at least \"1Mbit\": digits and one of kbit, Mbit, Gbit";
    server.egress =
        amount(&s, ("egress", "100Mbit", egress), |text| units::line_rate(text).filter(|n| *n >= 125_000).map(Some));
    server.drain = s.duration("drain", Duration::ZERO, Duration::from_secs(3600)).map_or(server.drain, |d| d.value);
    s.finish();
    server
}

/// What `read` makes of a text; it says `None` to what is wrong.
fn amount(
    s: &Section<'_>,
    (key, example, want): (&str, &str, &str),
    read: impl Fn(&str) -> Option<Option<u64>>,
) -> Option<u64> {
    let at = s.string(key, example)?;
    read(&at.value).unwrap_or_else(|| {
        s.fault(at.span, format!("`server.{key}` is {:?}", at.value), format!("write {want}"));
        None
    })
}

fn resolvers(s: &Section<'_>) -> Vec<SocketAddr> {
    let given = s.strings("resolvers", false, "127.0.0.1:53").unwrap_or_default();
    if given.len() > bounds::DNS_SERVERS {
        s.fault(s.span(), format!("more than {} resolvers", bounds::DNS_SERVERS), "write those that are asked first");
    }
    let read = |at: &At<String>| {
        let bare = at.value.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
        bare.ok().or_else(|| parts::socket(s, at))
    };
    given.iter().filter_map(read).collect()
}

pub fn listen(top: &Section<'_>, no_certificate: bool) -> Vec<Listen> {
    let mut all: Vec<Listen> = Vec::new();
    let sections = top.sections("listen");
    if sections.is_empty() {
        top.fault(
            0..0,
            "no [[listen]]: nobody could come",
            "write [[listen]] and under it address = \"127.0.0.1:8080\"",
        );
    }
    for s in sections {
        let tls = s.boolean("tls");
        if let Some(At { value: true, span }) = &tls
            && no_certificate
        {
            s.fault(
                span.clone(),
                "`tls = true` without a [[certificate]]",
                "write [[certificate]] with chain and key, or tls = false",
            );
        }
        let tls_on = tls.as_ref().is_some_and(|t| t.value);
        let flag = |key: &str, why: &str| {
            let at = s.boolean(key).filter(|at| at.value)?;
            if tls_on {
                s.fault(at.span, format!("`{key} = true` on a listener with TLS"), why);
            }
            Some(true)
        };
        let h2c = flag("h2c", "leave h2c out: over TLS, HTTP/2 is agreed on by ALPN").is_some();
        let redirect_https = flag("redirect_https", "write it at the listener without TLS").is_some();
        let proxy_protocol = s.word("proxy_protocol", &["off", "v1v2"]).is_some_and(|w| w.value == "v1v2");
        match s.string("address", "127.0.0.1:8080") {
            Some(at) => {
                if let Some(address) = parts::socket(&s, &at) {
                    if address.port() != 0 && all.iter().any(|l| l.address == address) {
                        s.fault(at.span, format!("{address} is listened on twice"), "write each address once");
                    }
                    all.push(Listen { address, tls: tls_on, h2c, redirect_https, proxy_protocol });
                }
            }
            None if !s.has("address") => {
                s.fault(s.span(), "[[listen]] without address", "write address = \"127.0.0.1:8080\"")
            }
            None => {}
        }
        s.finish();
    }
    all
}

pub fn certificates(top: &Section<'_>, folder: &Path) -> Vec<Certificate> {
    let read = |s: Section<'_>| {
        let chain = file(&s, "chain", "tls/portal.pem", folder);
        let key = file(&s, "key", "tls/portal.key", folder);
        for name in ["chain", "key"] {
            if !s.has(name) {
                s.fault(
                    s.span(),
                    format!("[[certificate]] without {name}"),
                    format!("write {name} = \"tls/portal.{}\"", if name == "chain" { "pem" } else { "key" }),
                );
            }
        }
        s.finish();
        Some(Certificate { chain: chain?, key: key? })
    };
    top.sections("certificate").into_iter().filter_map(read).collect()
}

pub fn client(top: &Section<'_>, folder: &Path) -> ClientSettings {
    let mut client = ClientSettings {
        trusted_proxies: Vec::new(),
        forwarded_header: "x-forwarded-for".into(),
        ipv6_prefix: 64,
        memory: 64 * MIB,
        country_db: None,
        asn_db: None,
    };
    let Some(s) = top.section("client") else { return client };
    let cidrs = s.strings("trusted_proxies", false, "10.0.0.0/8").unwrap_or_default();
    client.trusted_proxies = cidrs.iter().filter_map(|c| parts::cidr(&s, c)).collect();
    if let Some(name) = s.string("forwarded_header", "x-forwarded-for") {
        let token =
            !name.value.is_empty() && name.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if token {
            client.forwarded_header = name.value.to_ascii_lowercase();
        } else {
            s.fault(
                name.span,
                format!("{:?} is no field name", name.value),
                "write one name, such as \"x-forwarded-for\" or \"forwarded\"",
            );
        }
    }
    client.ipv6_prefix = s.integer("ipv6_prefix", 16, 128).map_or(64, |p| p.value as u8);
    client.memory = s.bytes("memory", MIB, 64 << 30).map_or(client.memory, |m| m.value);
    client.country_db = file(&s, "country_db", "geo/country.mmdb", folder);
    client.asn_db = file(&s, "asn_db", "geo/asn.mmdb", folder);
    s.finish();
    client
}

pub fn admin(top: &Section<'_>, folder: &Path) -> Admin {
    let mut admin = Admin { address: ([127, 0, 0, 1], 9900).into(), tokens: None };
    let Some(s) = top.section("admin") else { return admin };
    let address = s.string("address", "127.0.0.1:9900").and_then(|at| parts::socket(&s, &at));
    admin.address = address.unwrap_or(admin.address);
    admin.tokens = file(&s, "tokens", "admin-tokens.toml", folder);
    s.finish();
    admin
}

pub fn cache(top: &Section<'_>) -> Cache {
    let mut cache = Cache { memory: 256 * MIB };
    let Some(s) = top.section("cache") else { return cache };
    cache.memory = s.bytes("memory", MIB, 1 << 40).map_or(cache.memory, |m| m.value);
    s.finish();
    cache
}

pub fn challenge(top: &Section<'_>) -> Challenge {
    let mut challenge = Challenge { status: 503, pass_lifetime: Duration::from_secs(12 * 3600), seal_max: SEAL_MAX };
    let Some(s) = top.section("challenge") else { return challenge };
    challenge.status = s.integer("status", 400, 599).map_or(503, |v| v.value as u16);
    let lifetime = s.duration("pass_lifetime", Duration::from_secs(60), Duration::from_secs(30 * 86_400));
    challenge.pass_lifetime = lifetime.map_or(challenge.pass_lifetime, |d| d.value);
    challenge.seal_max = s.bytes("seal_max", 0, MIB).map_or(SEAL_MAX, |m| m.value as usize);
    s.finish();
    challenge
}

pub fn log(top: &Section<'_>, folder: &Path) -> Log {
    let mut log = Log { access: AccessSink::Stdout, combined: false, query: QueryLog::Names, refused: 1 };
    let Some(s) = top.section("log") else { return log };
    if let Some(at) = s.string("access", "stdout") {
        log.access = match at.value.as_str() {
            "stdout" => AccessSink::Stdout,
            "off" => AccessSink::Off,
            "" => {
                s.fault(at.span, "`log.access` is empty", "write \"stdout\", \"off\" or a path");
                AccessSink::Stdout
            }
            file => AccessSink::File(path(folder, file)),
        };
    }
    log.combined = s.word("format", &["json", "combined"]).is_some_and(|w| w.value == "combined");
    log.query = match s.word("query", &["names", "full", "off"]).map(|w| w.value) {
        Some("full") => QueryLog::Full,
        Some("off") => QueryLog::Off,
        _ => QueryLog::Names,
    };
    if let Some(at) = s.string("refused", "1/100") {
        match at.value.strip_prefix("1/").and_then(|n| n.parse().ok()).filter(|n| (1..=1_000_000).contains(n)) {
            Some(n) => log.refused = n,
            None => s.fault(
                at.span,
                format!("`log.refused` is {:?}", at.value),
                "write \"1/N\", N from 1 to 1000000: one line in N",
            ),
        }
    }
    s.finish();
    log
}
