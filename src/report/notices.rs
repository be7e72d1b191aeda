//! By when authorities are to be told, reckoned from the moment of detection: the law of the portal's own country before others'.
//!
//! Does not know: whether a law applies.

use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use serde::Serialize;

use super::At;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    pub law: &'static str,
    pub what: &'static str,
    pub due: At,
    pub applies: &'static str,
    /// It is the law of where the portal is, by its time zone.
    pub own: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Land {
    Kenya,
    Union,
}

/// Time zones of the European Union's members.
const UNION: [&str; 28] = [
    "Europe/Vienna",
    "Europe/Brussels",
    "Europe/Sofia",
    "Europe/Zagreb",
    "Asia/Nicosia",
    "Europe/Prague",
    "Europe/Copenhagen",
    "Europe/Tallinn",
    "Europe/Helsinki",
    "Europe/Paris",
    "Europe/Berlin",
    "Europe/Athens",
    "Europe/Budapest",
    "Europe/Dublin",
    "Europe/Rome",
    "Europe/Riga",
    "Europe/Vilnius",
    "Europe/Luxembourg",
    "Europe/Malta",
    "Europe/Amsterdam",
    "Europe/Warsaw",
    "Europe/Lisbon",
    "Europe/Bucharest",
    "Europe/Bratislava",
    "Europe/Ljubljana",
    "Europe/Madrid",
    "Europe/Stockholm",
    "Atlantic/Canary",
];

/// Where a portal is, as far as its time zone tells.
fn land(zone: &str) -> Option<Land> {
    match zone {
        "Africa/Nairobi" => Some(Land::Kenya),
        zone if UNION.contains(&zone) => Some(Land::Union),
        _ => None,
    }
}

/// None where nothing was detected.
pub fn notices(detected: Option<At>, zone: &str) -> Vec<Notice> {
    let Some(detected) = detected else { return Vec::new() };
    let home = land(zone);
    let after = |from: At, span: Span| {
        let due = from.timestamp().to_zoned(TimeZone::UTC).checked_add(span).map(|t| t.timestamp().as_second());
        At(due.ok().and_then(|s| u64::try_from(s).ok()).unwrap_or(from.0))
    };
    let third_day = after(detected, 72.hours());
    let (nis2, gdpr) = ("NIS2 (EU) 2022/2555, article 23", "GDPR (EU) 2016/679, article 33");
    let kenya = "Kenya Data Protection Act 2019, section 43";
    let (misuse, systems) = (
        "Kenya Computer Misuse and Cybercrimes Act 2018, section 40",
        "whoever runs a computer system in Kenya, for an attack or another disruption",
    );
    let entities = "essential and important entities in the EU, for a significant incident";
    let breach = "a breach of personal data";
    let mut all: Vec<Notice> = [
        (Land::Union, nis2, "early warning, within 24 hours", after(detected, 24.hours()), entities),
        (Land::Union, nis2, "incident notification, within 72 hours", third_day, entities),
        (Land::Union, nis2, "final report, within a month of that notification", after(third_day, 1.month()), entities),
        (Land::Union, gdpr, "to the supervisory authority, within 72 hours", third_day, breach),
        (
            Land::Kenya,
            misuse,
            "to the National Computer and Cybercrimes Co-ordination Committee, within 24 hours",
            after(detected, 24.hours()),
            systems,
        ),
        (Land::Kenya, kenya, "to the Data Commissioner, within 72 hours", third_day, breach),
    ]
    .into_iter()
    .map(|(of, law, what, due, applies)| Notice { law, what, due, applies, own: home == Some(of) })
    .collect();
    all.sort_by_key(|notice| !notice.own);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_of_the_portals_own_country_comes_first() {
        let detected = Some(At(1_790_000_000));
        let first = |zone| {
            notices(detected, zone).iter().map(|n| (n.law.split(' ').next().unwrap(), n.own)).collect::<Vec<_>>()
        };
        assert_eq!(first("Africa/Nairobi")[..3], [("Kenya", true), ("Kenya", true), ("NIS2", false)]);
        assert_eq!(
            first("Europe/Vienna"),
            [("NIS2", true), ("NIS2", true), ("NIS2", true), ("GDPR", true), ("Kenya", false), ("Kenya", false)]
        );
        assert!(first("Europe/Tirane").iter().all(|(_, own)| !own), "Albania is in no list");
        assert_eq!(notices(detected, "UTC").len(), 6);
        let kenya = &notices(detected, "Africa/Nairobi")[..2];
        assert_eq!([kenya[0].due, kenya[1].due], [24, 72].map(|hours| At(1_790_000_000 + hours * 3600)));
        assert!(notices(None, "Africa/Nairobi").is_empty());
        assert!(UNION.iter().all(|zone| TimeZone::get(zone).is_ok()));
    }
}
