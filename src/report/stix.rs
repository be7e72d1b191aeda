//! Indicators as a STIX 2.1 bundle, each object marked by TLP 2.0's own marking definitions (OASIS, extension of STIX 2.1).
//!
//! Only networks are in it: paths and browsers are citizens' as well.
//!
//! Does not know: where they were seen.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use super::{At, Network, Report, Tlp};

const TLP_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
/// The namespace of URLs (RFC 9562 section 6.6).
const URLS: [u8; 16] = [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

fn marking(tlp: Tlp) -> &'static str {
    match tlp {
        Tlp::Clear => "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
        Tlp::Green => "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        Tlp::Amber => "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
        Tlp::AmberStrict => "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
        Tlp::Red => "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    }
}

pub fn bundle(report: &Report) -> Value {
    let markings = json!([marking(report.tlp)]);
    let made = stamp(report.made);
    let owner = report.portals.first();
    let host = owner.and_then(|p| p.host.clone()).unwrap_or_else(|| "boma.invalid".into());
    let identity = id("identity", &format!("https://{host}/"));
    let mut objects = vec![
        json!({
            "type": "marking-definition", "spec_version": "2.1", "id": marking(report.tlp), "created": "2022-10-01T00:00:00.000Z",
            "name": report.tlp.label(),
            "extensions": { TLP_EXTENSION: { "extension_type": "property-extension", "tlp_2_0": report.tlp.as_str() } },
        }),
        json!({
            "type": "identity", "spec_version": "2.1", "id": identity, "created": made, "modified": made,
            "name": owner.map_or("boma", |p| &p.title), "identity_class": "organization", "object_marking_refs": markings,
        }),
    ];
    let networks = report.seen.iter().flat_map(|s| &s.indicators);
    let indicators: Vec<Value> = networks
        .map(|n| {
            let unlike = format!("https://{host}/#{}/{}", report.id, n.net);
            indicator(n, &id("indicator", &unlike), (&identity, &made, &markings))
        })
        .collect();
    if !indicators.is_empty() {
        let refs: Vec<&Value> = indicators.iter().map(|i| &i["id"]).collect();
        let report_id = id("report", &format!("https://{host}/#{}", report.id));
        let group = json!({
            "type": "report", "spec_version": "2.1", "id": report_id, "created_by_ref": identity, "created": made, "modified": made,
            "name": report.title(), "description": "Networks whose requests were mostly sent away, seen in a sample. A first draft.",
            "report_types": ["indicator"], "published": made, "object_refs": refs, "object_marking_refs": markings,
        });
        objects.extend(indicators);
        objects.push(group);
    }
    let bundle = id("bundle", &format!("https://{host}/#{}/{}", report.id, report.made.0));
    json!({ "type": "bundle", "id": bundle, "objects": objects })
}

fn indicator(network: &Network, id: &str, (identity, made, markings): (&str, &str, &Value)) -> Value {
    let kind = if network.net.contains(':') { "ipv6-addr" } else { "ipv4-addr" };
    let description = format!(
        "About {} requests between {} and {}, about {} of them sent away (estimates from a sample). No request with a pass.",
        network.requests,
        network.first.timestamp(),
        network.last.timestamp(),
        network.sent_away
    );
    json!({
        "type": "indicator", "spec_version": "2.1", "id": id, "created_by_ref": identity, "created": made, "modified": made,
        "name": format!("Network {}", network.net), "description": description, "indicator_types": ["anomalous-activity"],
        "pattern": format!("[{kind}:value ISSUBSET '{}']", network.net), "pattern_type": "stix", "pattern_version": "2.1",
        "valid_from": stamp(network.first), "valid_until": stamp(network.until()), "object_marking_refs": markings,
    })
}

/// With milliseconds, as section 3.2 of STIX 2.1 has it.
fn stamp(at: At) -> String {
    at.timestamp().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// A UUID of version 5: the same thing has the same identifier in every draft.
fn id(kind: &str, url: &str) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&URLS[..], url.as_bytes()].concat());
    let mut b: [u8; 16] = hash.as_ref()[..16].try_into().unwrap_or_default();
    b[6] = (b[6] & 0x0f) | 0x50;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b.iter().map(|b| format!("{b:02x}")).collect();
    format!("{kind}--{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
