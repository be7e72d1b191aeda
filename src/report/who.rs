//! Who came and for what, as far as samples tell: estimates. Which networks others may be warned of, and why not of the others.
//!
//! Does not know: where samples are kept.

use serde::Serialize;

use super::At;
use super::blocks::Block::{self, Heading, Table, Text};
use super::draft::{Pen, number, share};
use crate::bounds;

/// What the kept samples say of who came: estimates.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    pub minutes: u64,
    pub sample: u64,
    pub requests: u64,
    /// How many networks came in one minute, at least: so many the sample held.
    pub distinct_networks: u64,
    /// Networks that others may be warned of.
    pub indicators: Vec<Network>,
    /// Some of the others, and how many of these there are by why they are none.
    pub other_networks: Vec<Other>,
    pub spared: Vec<(&'static str, u64)>,
    pub paths: Vec<(String, u64)>,
    /// Requests for other paths, which the portal is not known to have, and forms of these. `None`: nobody looked.
    pub made_up: Option<u64>,
    pub forms: Vec<(String, u64)>,
    pub agents: Vec<(String, u64)>,
    /// JA4 of their TLS.
    pub fingerprints: Vec<(String, u64)>,
    /// Of the networks that came most often in each minute.
    pub countries: Vec<(String, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    pub net: String,
    pub first: At,
    pub last: At,
    /// Requests of the sample; the other numbers are what they stand for.
    pub sample: u64,
    pub requests: u64,
    pub sent_away: u64,
    pub with_pass: u64,
    pub asn: Option<u32>,
    pub country: Option<String>,
}

/// A network that must not be named to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Other {
    #[serde(flatten)]
    pub network: Network,
    pub why: &'static str,
}

impl Network {
    /// Why it must not be named to others; `None`: it may. Much came from an indicator, most of it was sent away, and nobody with a
    /// pass came from there.
    pub fn spared(&self) -> Option<&'static str> {
        if self.with_pass > 0 {
            return Some("requests with a pass came from there too: citizens may share it");
        }
        if self.sample < bounds::INDICATOR_SAMPLE || self.sent_away < bounds::INDICATOR_SENT_AWAY {
            return Some("too little came from there, or was sent away");
        }
        (self.sent_away * 2 <= self.requests).then_some("half or more of what came from there was not sent away")
    }

    /// Until when it may be named.
    pub(super) fn until(&self) -> At {
        At(self.last.0 + bounds::INDICATOR_LASTS.as_secs())
    }
}

impl Seen {
    /// Requests for paths that are neither named nor made up.
    fn other_paths(&self) -> u64 {
        let named: u64 = self.paths.iter().map(|(_, n)| n).sum();
        self.requests.saturating_sub(named + self.made_up.unwrap_or(0))
    }

    fn form(&self) -> String {
        self.forms.first().map_or(String::new(), |(form, _)| format!(", such as {form}"))
    }

    /// What most of it asked for, in shares, for the summary. `None`: nothing stands out.
    pub fn most(&self) -> Option<String> {
        let hundredths = |n: u64| (n as f64 * 100.0 / self.requests.max(1) as f64).round() as u64;
        let made_up = self.made_up.map(|n| (format!("pages that the portal is not known to have{}", self.form()), n));
        let named = self.paths.iter().map(|(path, n)| (path.clone(), *n));
        let mut parts: Vec<(String, u64)> =
            made_up.into_iter().chain(named).filter(|(_, n)| hundredths(*n) >= bounds::REPORT_MUCH).collect();
        parts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        parts.truncate(3);
        let told: Vec<String> =
            parts.iter().map(|(what, n)| format!("about {}\u{a0}% for {what}", hundredths(*n))).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

const SENT_AWAY: &str = "Sent away";

impl Pen<'_> {
    pub(super) fn seen(&self) -> Vec<Block> {
        let heading = Heading("Who came (estimates)");
        let Some(seen) = &self.report.seen else {
            return vec![heading, Text("Not known: no sample is kept of this span.".into())];
        };
        let says = format!(
            "From a sample of {} requests in {} minutes in which protection was raised, or soon before. They stand for about {} requests; all numbers here are estimates from it, and what came to boma's own pages is not among them. In one minute requests came from {} networks or more (a network is a /24, or of IPv6 a /48).",
            number(seen.sample),
            number(seen.minutes),
            number(seen.requests),
            number(seen.distinct_networks)
        );
        let mut all = vec![heading, Text(says)];
        all.extend(self.indicators(seen));
        all.extend(self.others(seen));
        all.extend(asked(seen));
        all
    }

    fn indicators(&self, seen: &Seen) -> Vec<Block> {
        let rule = format!(
            "A network is an indicator where the sample held {} of its requests or more, standing for {} or more that were sent away, which are most of what came from there, and no request with a pass came from there.",
            bounds::INDICATOR_SAMPLE,
            bounds::INDICATOR_SENT_AWAY
        );
        if seen.indicators.is_empty() {
            let why: Vec<String> = seen.spared.iter().map(|(why, n)| format!("{} because {why}", number(*n))).collect();
            let why = if why.is_empty() { "no network is known".into() } else { why.join("; ") };
            return vec![Text(format!(
                "Indicators: none, so that the lists for others (CSV and STIX) are empty. {rule} Here, of the networks that came most often: {why}."
            ))];
        }
        let says = format!("Indicators, which the lists for others (CSV and STIX) hold. {rule}");
        let head = vec!["Network", "Sample", "Requests", SENT_AWAY, "Place", "First (UTC)", "Last (UTC)"];
        let row = |n: &Network| {
            let [net, sample, requests, sent_away] = cells(n);
            vec![net, sample, requests, sent_away, n.place(), self.utc(n.first), self.utc(n.last)]
        };
        vec![Text(says), Table(head, seen.indicators.iter().map(row).collect())]
    }

    fn others(&self, seen: &Seen) -> Vec<Block> {
        let n: u64 = seen.spared.iter().map(|(_, n)| n).sum();
        if n == 0 {
            return Vec::new();
        }
        let says = format!(
            "{} other networks are among those that came most often. They are no indicators, and stand in no list for others: whole providers share an address, and who blocks one blocks citizens.",
            number(n)
        );
        if seen.other_networks.is_empty() {
            return vec![Text(format!(
                "{says} Their addresses stand in reports that are marked TLP:AMBER or stricter."
            ))];
        }
        let head = vec!["No indicator", "Sample", "Requests", SENT_AWAY, "With a pass", "Place", "Why it is none"];
        let row = |o: &Other| {
            let [net, sample, requests, sent_away] = cells(&o.network);
            let with_pass = number(o.network.with_pass);
            vec![net, sample, requests, sent_away, with_pass, o.network.place(), o.why.into()]
        };
        let some = match seen.other_networks.len() as u64 {
            shown if shown < n => format!(" The {} that came most often:", number(shown)),
            _ => String::new(),
        };
        vec![Text(format!("{says}{some}")), Table(head, seen.other_networks.iter().map(row).collect())]
    }
}

fn cells(n: &Network) -> [String; 4] {
    [n.net.clone(), number(n.sample), number(n.requests), number(n.sent_away)]
}

impl Network {
    fn place(&self) -> String {
        let place = [self.country.clone(), self.asn.map(|a| format!("AS{a}"))];
        place.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// Paths, browsers and so on, each with its estimate.
fn asked(seen: &Seen) -> Vec<Block> {
    let named = |(name, n): &(String, u64)| vec![name.clone(), number(*n), share(*n, seen.requests)];
    let mut paths: Vec<Vec<String>> = seen.paths.iter().map(named).collect();
    let made_up = format!("all other paths that the portal is not known to have{}", seen.form());
    for (what, n) in
        [(made_up, seen.made_up.unwrap_or(0)), ("all other paths, each asked for seldom".into(), seen.other_paths())]
    {
        if n > 0 {
            paths.push(named(&(what, n)));
        }
    }
    let rows = |all: &[(String, u64)]| all.iter().map(named).collect::<Vec<_>>();
    let mut all = vec![Text(
        "Paths and browsers are given by whoever asks, citizens too, and named where the sample of a minute held them three times or more. The portal is not known to have a path that its servers have not answered with success in the last seven days; * stands for what is more than a plain word.".into(),
    )];
    for (what, rows) in [
        ("Path", paths),
        ("Browser, as it calls itself", rows(&seen.agents)),
        ("Fingerprint of its TLS (JA4)", rows(&seen.fingerprints)),
        ("Country, of the networks that came most often", rows(&seen.countries)),
    ] {
        all.push(match rows.is_empty() {
            true => Text(format!("{what}: none is known, or came often enough to be kept.")),
            false => Table(vec![what, "Requests (estimate)", "Share"], rows),
        });
    }
    all
}
