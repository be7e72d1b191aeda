//! The portals of `boma.toml`, their routes and services.
//!
//! Does not know: the rest of the file.

use std::path::Path;
use std::time::Duration;

use super::{contacts, looks, parts, routes};
use crate::bounds;
use crate::fault::{At, Section};
use crate::portal::{Fallback, OriginTls, Portal, Routes, Service, SnapshotPlan, Texts};
use crate::words;

const DAY: Duration = Duration::from_secs(86_400);

/// `spoken`: the tags of which there are words; `None`: whatever a portal speaks is taken.
pub fn portals(top: &Section<'_>, folder: &Path, spoken: Option<&[String]>) -> Vec<Portal> {
    let sections = top.sections("portal");
    if sections.is_empty() {
        top.fault(
            0..0,
            "no [[portal]]: there is nothing to stand before",
            "write [[portal]] with name, hosts and origins",
        );
    }
    let mut all: Vec<Portal> = Vec::new();
    for s in sections {
        let name = s.string("name", "huduma");
        if let Some(At { value, span }) = &name {
            let fine = !value.is_empty()
                && value.len() <= 64
                && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            if !fine {
                s.fault(
                    span.clone(),
                    format!("{value:?} is no name for a portal"),
                    "write letters, digits, -, _ or ., at most 64",
                );
            }
            if all.iter().any(|p| p.name == *value) {
                s.fault(span.clone(), format!("two portals are named {value:?}"), "give each its own name");
            }
        }
        let portal = portal(&s, name.map(|n| n.value).unwrap_or_default(), &all, (folder, spoken));
        s.finish();
        all.push(portal);
    }
    all
}

fn portal(s: &Section<'_>, name: String, others: &[Portal], (folder, spoken): (&Path, Option<&[String]>)) -> Portal {
    for key in ["name", "hosts", "origins"] {
        if !s.has(key) {
            s.fault(s.span(), format!("[[portal]] without {key}"), format!("write {key}"));
        }
    }
    let hosts = hosts(s, others);
    let host = canonical(s, &hosts);
    let title = title(s).unwrap_or_else(|| name.clone());
    let origins = s.strings("origins", false, "http://127.0.0.1:3000").unwrap_or_default();
    if s.has("origins") && origins.is_empty() {
        s.fault(s.span(), "`portal.origins` names none", "write origins = [\"http://127.0.0.1:3000\"]");
    }
    let second = Duration::from_millis(1);
    let routes = routes::routes(s);
    let snapshot = snapshot(s);
    let wants = !snapshot.start.is_empty()
        || snapshot.sitemap.is_some()
        || routes.iter().any(|r| r.fallback == Fallback::Snapshot && !r.path.ends_with('*'));
    if wants && host.is_none() && !hosts.is_empty() {
        s.fault(
            s.span(),
            "this portal keeps snapshots but has no host to ask for",
            "write host = \"huduma.example\": the name that boma's own fetches ask for",
        );
    }
    Portal {
        title,
        looks: looks::looks(s),
        timezone: timezone(s),
        languages: languages(s, spoken),
        origins: origins.iter().filter_map(|o| parts::origin(s, o)).collect(),
        scheme: "http",
        canonical_host_header: s
            .word("host_header", &["preserve", "canonical"])
            .is_some_and(|w| w.value == "canonical"),
        connect_timeout: s.duration("connect_timeout", second, DAY).map_or(Duration::from_secs(2), |d| d.value),
        response_timeout: s.duration("response_timeout", second, DAY).map_or(Duration::from_secs(60), |d| d.value),
        health: health(s),
        tls: origin_tls(s, folder),
        body_timeout: Duration::from_secs(60),
        stream_timeout: Duration::from_secs(600),
        max_connections: 1024,
        max_in_flight: max_in_flight(s),
        pass_domain: pass_domain(s, &hosts),
        services: services(s),
        contact: contacts::contact(s),
        security: contacts::security(s),
        session_proof: paths(s, "session_proof", "/account*"),
        session_cookies: session_cookies(s),
        routes: Routes::new(routes),
        snapshot,
        host,
        hosts,
        name,
    }
}

fn title(s: &Section<'_>) -> Option<String> {
    let at = s.string("title", "Huduma")?;
    let (length, most) = (at.value.chars().count(), bounds::TITLE_CHARS);
    if length > most {
        let help = format!("write {most} at most: it stands on every page, the smallest too");
        s.fault(at.span, format!("`portal.title` has {length} characters"), help);
    }
    Some(at.value)
}

fn health(s: &Section<'_>) -> Option<String> {
    let at = s.string("health", "/healthz")?;
    let (path, query) = at.value.split_once('?').map_or((at.value.as_str(), None), |(p, q)| (p, Some(q)));
    let fine = query.is_none_or(|q| q.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'#'));
    match crate::path::normalise(path) {
        Ok(path) if fine => Some(query.map_or_else(|| path.clone().into_owned(), |q| format!("{path}?{q}"))),
        _ => {
            s.fault(at.span, format!("{:?} is no path", at.value), "write a path such as health = \"/healthz\"");
            None
        }
    }
}

/// How boma shows itself to origins by TLS, and whom it believes.
fn origin_tls(s: &Section<'_>, folder: &Path) -> OriginTls {
    let mut tls = OriginTls::default();
    let Some(t) = s.section("origin_tls") else { return tls };
    let file = |key: &str, example: &str| t.string(key, example).map(|at| folder.join(at.value));
    tls.roots = file("roots", "tls/origin-roots.pem");
    let (chain, key) = (file("chain", "tls/boma.pem"), file("key", "tls/boma.key"));
    if t.has("chain") != t.has("key") {
        t.fault(t.span(), "`origin_tls` with only one of chain and key", "write both, or neither");
    }
    tls.certificate = chain.zip(key);
    if let Some(at) = t.string("name", "origin.internal") {
        if parts::is_host(&at.value) || at.value.parse::<std::net::IpAddr>().is_ok() {
            tls.name = Some(at.value.to_ascii_lowercase());
        } else {
            t.fault(at.span, format!("{:?} is no host", at.value), "write the name in the origin's certificate");
        }
    }
    t.finish();
    tls
}

fn hosts(s: &Section<'_>, others: &[Portal]) -> Vec<String> {
    let mut hosts = Vec::new();
    let written = s.strings("hosts", false, "huduma.example");
    if written.as_ref().is_some_and(Vec::is_empty) {
        s.fault(s.span(), "`portal.hosts` names none", "write hosts = [\"huduma.example\"], or [\"*\"] for all");
    }
    for at in written.unwrap_or_default() {
        let Some(host) = parts::host_pattern(s, &at) else { continue };
        if let Some(other) = others.iter().find(|p| p.hosts.contains(&host)) {
            s.fault(
                at.span,
                format!("host {host:?} belongs to portal {:?} already", other.name),
                "name each host in one portal",
            );
        } else if hosts.contains(&host) {
            s.fault(at.span, format!("host {host:?} is named twice"), "write it once");
        } else {
            hosts.push(host);
        }
    }
    hosts
}

/// The host for boma's own fetches: written, else the first exact one.
fn canonical(s: &Section<'_>, hosts: &[String]) -> Option<String> {
    if let Some(at) = s.string("host", "huduma.example") {
        let host = at.value.to_ascii_lowercase();
        if parts::is_host(host.rsplit_once(':').map_or(host.as_str(), |(h, _)| h)) {
            return Some(host);
        }
        s.fault(at.span, format!("{:?} is no host", at.value), "write one name, such as \"huduma.example\"");
    }
    hosts.iter().find(|h| !h.starts_with('*')).cloned()
}

fn timezone(s: &Section<'_>) -> String {
    let Some(at) = s.string("timezone", "Africa/Nairobi") else { return "UTC".into() };
    if jiff::tz::TimeZone::get(&at.value).is_err() {
        s.fault(
            at.span,
            format!("{:?} is no time zone", at.value),
            "write a name of the IANA database, such as \"Africa/Nairobi\" or \"Europe/Tirane\"",
        );
    }
    at.value
}

fn languages(s: &Section<'_>, spoken: Option<&[String]>) -> Vec<String> {
    let Some(written) = s.strings("languages", false, "en") else { return vec!["en".into()] };
    if written.is_empty() {
        s.fault(s.span(), "`portal.languages` names none", "write languages = [\"en\"]; the first is the default");
    }
    for at in &written {
        if !words::is_tag(&at.value) {
            s.fault(
                at.span.clone(),
                format!("{:?} is no language tag", at.value),
                "write such as \"sw\", \"en\" or \"pt-BR\"",
            );
        } else if let Some(all) = spoken
            && !words::speak(all, &at.value)
        {
            let help = format!(
                "write one of {}, or put {}.toml into the folder that `server.languages` names",
                all.join(", "),
                at.value
            );
            s.fault(at.span.clone(), format!("nobody has words in {:?}", at.value), help);
        }
    }
    written.into_iter().map(|at| at.value).collect()
}

fn max_in_flight(s: &Section<'_>) -> Option<u32> {
    if s.is_integer("max_in_flight") {
        return s.integer("max_in_flight", 1, 1_000_000).map(|n| n.value as u32);
    }
    if let Some(at) = s.string("max_in_flight", "adaptive")
        && at.value != "adaptive"
    {
        s.fault(
            at.span,
            format!("`portal.max_in_flight` is {:?}", at.value),
            "write \"adaptive\" or a whole number from 1 to 1000000",
        );
    }
    None
}

fn pass_domain(s: &Section<'_>, hosts: &[String]) -> Option<String> {
    let at = s.string("pass_domain", "huduma.example")?;
    let domain = at.value.trim_start_matches('.').to_ascii_lowercase();
    let inside = |host: &String| {
        let host = host.strip_prefix("*.").unwrap_or(host);
        host == domain || host.ends_with(&format!(".{domain}"))
    };
    if !parts::is_host(&domain) || !hosts.iter().all(inside) {
        s.fault(
            at.span,
            format!("{:?} does not hold every host of the portal", at.value),
            "write the domain that all its hosts lie in, or leave it out",
        );
        return None;
    }
    Some(domain)
}

fn snapshot(s: &Section<'_>) -> SnapshotPlan {
    let mut plan = SnapshotPlan::default();
    let Some(t) = s.section("snapshot") else { return plan };
    let start = t.strings("start", true, "/").unwrap_or_default();
    plan.start = start.iter().filter_map(|p| parts::path_pattern(&t, p, false)).collect();
    plan.every = t.duration("every", Duration::from_secs(1), DAY).map_or(plan.every, |d| d.value);
    plan.pages = t.integer("pages", 1, bounds::SNAPSHOTS_PER_PORTAL as u64).map_or(plan.pages, |n| n.value as usize);
    plan.depth = t.integer("depth", 0, bounds::SNAPSHOT_DEPTH).map_or(plan.depth, |n| n.value as u8);
    plan.min_size = t.bytes("min_size", 1, bounds::SNAPSHOT_BYTES as u64).map_or(plan.min_size, |b| b.value as usize);
    plan.expect = parts::expected(&t);
    plan.sitemap = t.string("sitemap", "/sitemap.xml").and_then(|at| {
        let path = at.value.split('?').next().unwrap_or("").to_owned();
        parts::path_pattern(&t, &At { value: path, span: at.span.clone() }, false).map(|path| {
            let query = at.value.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
            format!("{path}{query}")
        })
    });
    t.finish();
    plan
}

fn services(s: &Section<'_>) -> Vec<Service> {
    let read = |t: Section<'_>| {
        let text = |key: &str, example: &str| t.string(key, example).map(|at| at.value);
        let service = Service {
            name: names(&t),
            paths: paths(&t, "paths", "/pay/*"),
            phone: text("phone", "+254 20 000 0000"),
            office: text("office", "Huduma Centre, ground floor"),
            ussd: text("ussd", "*123#"),
            instead: instead(&t),
            known_as: Vec::new(),
        };
        if service.paths.is_empty() {
            t.fault(t.span(), "[[portal.service]] without paths", "write paths = [\"/pay/*\"]");
        }
        t.finish();
        service
    };
    s.sections("service").into_iter().map(read).collect()
}

fn session_cookies(s: &Section<'_>) -> Vec<String> {
    let given = s.strings("session_cookies", false, "PHPSESSID").unwrap_or_default();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    for at in given.iter().filter(|at| at.value.is_empty() || !at.value.bytes().all(token)) {
        s.fault(
            at.span.clone(),
            format!("{:?} is no cookie's name", at.value),
            "write such as session_cookies = [\"PHPSESSID\"]",
        );
    }
    given.into_iter().map(|at| at.value).collect()
}

fn paths(t: &Section<'_>, key: &str, example: &str) -> Vec<String> {
    let given = t.strings(key, true, example).unwrap_or_default();
    given.iter().filter_map(|p| parts::path_pattern(t, p, true)).collect()
}

fn texts(t: &Section<'_>, name: &str, example: &str, most: usize) -> Texts {
    let mut texts = Texts::new();
    let Some(table) = t.section(name) else { return texts };
    for key in table.keys() {
        if !words::is_tag(&key.value) {
            table.fault(
                key.span.clone(),
                format!("{:?} is no language tag", key.value),
                format!("write such as {name} = {{ en = {example:?} }}"),
            );
        }
        let Some(text) = table.string(&key.value, example) else { continue };
        let length = text.value.chars().count();
        if length > most {
            table.fault(text.span, format!("`{name}` has {length} characters"), format!("write {most} at most"));
        }
        texts.push((key.value, text.value));
    }
    texts
}

fn instead(t: &Section<'_>) -> Texts {
    texts(t, "instead", "Pay at the bank", bounds::INCIDENT_INSTEAD_CHARS)
}

fn names(t: &Section<'_>) -> Texts {
    let names = texts(t, "name", "Pay a licence", bounds::SERVICE_NAME_CHARS);
    if names.is_empty() {
        t.fault(t.span(), "[[portal.service]] without a name", "write name = { en = \"Pay a licence\" }");
    }
    names
}
