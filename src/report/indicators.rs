//! Networks that others may be warned of, as CSV (RFC 4180); where there are none, its head alone.
//!
//! Does not know: where they were seen.

use super::{At, Network, Report};

const HEAD: &str =
    "type,value,first_seen,last_seen,valid_until,sample,requests_estimate,sent_away_estimate,asn,country,tlp\r\n";

pub fn csv(report: &Report) -> String {
    let tlp = report.tlp.label();
    let rows = report.seen.iter().flat_map(|seen| &seen.indicators).map(|network| row(network, &tlp));
    [HEAD.to_owned()].into_iter().chain(rows).collect()
}

fn row(network: &Network, tlp: &str) -> String {
    let Network { net, first, last, sample, requests, sent_away, asn, country, .. } = network;
    let stamp = |at: At| at.timestamp().to_string();
    format!(
        "network,{},{},{},{},{sample},{requests},{sent_away},{},{},{tlp}\r\n",
        cell(net),
        stamp(*first),
        stamp(*last),
        stamp(network.until()),
        asn.map_or(String::new(), |n| n.to_string()),
        cell(country.as_deref().unwrap_or_default()),
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
