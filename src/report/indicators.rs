//! What others can look for, as CSV (RFC 4180).
//!
//! Does not know: where it was seen.

use super::{At, Network, Report};

const HEAD: &str = "type,value,first_seen,last_seen,valid_until,sample,requests_estimate,sent_away_estimate,with_pass_estimate,asn,country,indicates,tlp\r\n";

/// Networks with whether they may be named to others, and what was asked for, by whom, and which rules decided.
pub fn csv(report: &Report) -> String {
    let mut out = HEAD.to_owned();
    let Some(seen) = &report.seen else { return out };
    let tlp = report.tlp.label();
    for network in &seen.networks {
        out.push_str(&of_network(network, &tlp));
    }
    for (kind, all) in [
        ("path", &seen.paths),
        ("user_agent", &seen.agents),
        ("ja4", &seen.fingerprints),
        ("country", &seen.countries),
        ("rule", &seen.rules),
    ] {
        for (value, requests) in all {
            out.push_str(&format!("{kind},{},,,,,{requests},,,,,no,{tlp}\r\n", cell(value)));
        }
    }
    out
}

fn of_network(network: &Network, tlp: &str) -> String {
    let Network { net, first, last, sample, requests, sent_away, with_pass, asn, country } = network;
    let stamp = |at: &At| at.timestamp().to_string();
    format!(
        "network,{},{},{},{},{sample},{requests},{sent_away},{with_pass},{},{},{},{tlp}\r\n",
        cell(net),
        stamp(first),
        stamp(last),
        network.until().map_or(String::new(), |at| stamp(&at)),
        asn.map_or(String::new(), |n| n.to_string()),
        cell(country.as_deref().unwrap_or_default()),
        if network.indicates() { "yes" } else { "no" },
    )
}

/// Quoted where it must be; and nothing that a spreadsheet would take for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}
