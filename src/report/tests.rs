//! What is written of a report whose facts are known.

use serde_json::Value;

use super::*;

fn at(text: &str) -> At {
    At(text.parse::<jiff::Timestamp>().unwrap().as_second() as u64)
}

fn network(net: &str, sent_away: u64, with_pass: u64) -> Network {
    Network {
        net: net.into(),
        first: at("2026-11-27T11:00:00Z"),
        last: at("2026-11-27T11:30:00Z"),
        sample: 50,
        requests: 1000,
        sent_away,
        with_pass,
        asn: Some(64_500),
        country: Some("KE".into()),
    }
}

/// One that is known whole, one that was forced, one that the journal and totals say nothing of, and a ban.
fn measures() -> Vec<Measure> {
    let measure = |name: &str| Measure {
        name: name.into(),
        reason: "INC-7".into(),
        by: "staff soc (analyst)".into(),
        laid: at("2026-11-27T11:03:00Z"),
        ..Measure::default()
    };
    let whole = Measure {
        rule: Some("[[rule]]\nname = \"m\"\nthen = \"deny\"\n\n[rule.match]\npath = \"/search*\"\n".into()),
        owner: Some("night shift".into()),
        forecast: Some(Forecast {
            requests: 60_000,
            stricter: 4321,
            clients: 99,
            with_pass: 12,
            ..Forecast::default()
        }),
        did: Some(Did { decided: 7654, sent_away: 7600, with_pass: 11, citizens: 2 }),
        ended: Some(at("2026-11-27T11:30:00Z")),
        how_ended: "taken out by staff soc (analyst)".into(),
        ..measure("measure m")
    };
    let forced = Measure { reason: format!("INC-8{FORCED}"), ..measure("measure n") };
    vec![whole, forced, measure("measure old"), measure("ban of 192.0.2.0/24")]
}

fn known() -> Report {
    let served = Served { full: 9500, copies: 200, delayed: 250, refused: 50 };
    let event = |actor, who: &str, what: &str| Event {
        at: at("2026-11-27T11:02:00Z"),
        actor,
        who: who.into(),
        what: what.into(),
        outcome: "applied, generation 2".into(),
        line: Some(7),
    };
    Report {
        id: "boma-huduma-20261127T110200Z".into(),
        status: "draft",
        made: at("2026-11-27T13:00:00Z"),
        by: "boma 0".into(),
        tlp: Tlp::AmberStrict,
        portals: vec![Portal {
            name: "huduma".into(),
            title: "Huduma <&>".into(),
            host: Some("huduma.example".into()),
        }],
        zone: "Africa/Nairobi".into(),
        from: at("2026-11-27T10:45:00Z"),
        to: at("2026-11-27T12:00:00Z"),
        incident: Some(Incident {
            id: 3,
            title: "Huduma is slow".into(),
            state: "resolved".into(),
            opened: at("2026-11-27T11:09:00Z"),
            ended: Some(at("2026-11-27T11:50:00Z")),
            updates: 4,
            affects: vec!["Pay".into()],
            data: "Yes.".into(),
            payments: String::new(),
            postmortem: String::new(),
        }),
        statements: vec![Statement {
            incident: 3,
            update: 1,
            at: at("2026-11-27T11:09:00Z"),
            state: "investigating".into(),
            office: "Press".into(),
            languages: vec!["en".into(), "sw".into()],
            lacks: vec!["fr".into()],
        }],
        sources: SOURCES.into(),
        moments: Moments {
            onset: Some(at("2026-11-27T11:00:00Z")),
            detected: Some(at("2026-11-27T11:02:00Z")),
            detected_by: "ladder".into(),
            first_statement: Some(at("2026-11-27T11:09:00Z")),
            contained: None,
            recovered: Some(at("2026-11-27T11:40:00Z")),
            closed: Some(at("2026-11-27T11:50:00Z")),
            hurt: false,
        },
        traffic: Traffic {
            minutes: 75,
            requests: 1_234_567,
            outcomes: [("full", 9500, 9000), ("challenged", 1_200_000, 10), ("solved", 321, 0)]
                .map(|(outcome, requests, with_pass)| Became { outcome, means: "as it says", requests, with_pass })
                .to_vec(),
            sent_away: 1_200_000,
            peak: Some(Peak { at: at("2026-11-27T11:05:00Z"), requests: 612_000, sent_away: 600_001 }),
        },
        citizens: Citizens {
            definition: crate::uptime::DEFINITION,
            served,
            classes: vec![
                ("information".into(), Served { refused: 10, ..served }),
                ("payment".into(), Served { full: 100, copies: 0, delayed: 0, refused: 40 }),
            ],
            minutes_risen: 38,
            minutes_hurt: 0,
            worst: Some(Worst {
                at: at("2026-11-27T11:06:00Z"),
                served: Served { full: 900, copies: 0, delayed: 61, refused: 39 },
            }),
        },
        postures: vec![],
        measures: measures(),
        changes: vec![RulesChange {
            version: 5,
            at: at("2026-11-27T11:04:00Z"),
            who: "staff lead (lead)".into(),
            lines: vec![Line::Out("rate = \"20/s\"".into()), Line::In("rate = \"5/s\" # | less".into())],
        }],
        timeline: vec![
            event(Actor::Boma, "ladder", "posture guarded of huduma: requests"),
            event(Actor::People, "staff soc (analyst)", "measure m for: [INC](https://evil.example) | `x`\n# y"),
        ],
        timeline_left_out: 0,
        seen: Some(Seen {
            minutes: 38,
            sample: 5000,
            requests: 1_100_000,
            networks: vec![
                network("192.0.2.0/24", 990, 0),
                network("198.51.100.0/24", 990, 3),
                network("203.0.113.0/24", 400, 0),
                network("2001:db8:1::/48", 1000, 0),
            ],
            paths: vec![("/a,\"b\"".into(), 5)],
            agents: vec![
                ("=HYPERLINK(\"x\")".into(), 7),
                ("Bot +https://www.evil.example".into(), 6),
                ("<script>alert(1)</script>".into(), 6),
            ],
            fingerprints: vec![("t13d1516h2_8daaf6152771_b186095e22b6".into(), 9)],
            countries: vec![("KE".into(), 8)],
            rules: vec![("no-search".into(), 4)],
        }),
        notices: vec![Notice {
            law: "NIS2",
            what: "within 24 hours",
            due: at("2026-11-28T11:02:00Z"),
            applies: "some",
            own: false,
        }],
        evidence: vec![],
        journal: "The journal was checked: 7 lines, all as they were written.".into(),
        not_known: vec!["How many people.".into()],
    }
}

#[test]
fn a_minister_reads_figures_that_stand_below_as_well() {
    let text = known().written(Form::Markdown);
    let summary = text.split("## Summary").nth(1).unwrap().split("\n## ").next().unwrap();
    for part in [
        "On 2026-11-27 14:02 EAT protection of Huduma \\<&\\> was raised by boma itself (ladder); it stood raised for 38 min.",
        "1,234,567 requests came, of which boma sent 1,200,000 away.",
        "in the minute from 2026-11-27 14:05 EAT, 612,000 came, and 600,001 of them were sent away.",
        "Of 10,000 requests that are known to be citizens', 97.0\u{a0}% were answered at once (95.0\u{a0}% in full, 2.0\u{a0}% from dated copies); \
         2.5\u{a0}% were made to wait, by a check or because too many came; 0.5\u{a0}% were not answered.",
        "Hardest hit was the class payment: 40 of its 140 were not answered.",
        "The worst minute for them was that from 2026-11-27 14:06 EAT: 39 of 1,000 were not answered.",
        "By the journal boma did 1 things by itself, and people did 1, of which 4 laid a measure or a ban.",
        "The public was told at 2026-11-27 14:09 EAT, 7 min later.",
        "as usual again at 2026-11-27 14:40 EAT",
    ] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
    let rest = text.split("\n## When").nth(1).unwrap();
    for part in [
        "612,000",
        "600,001",
        "1,234,567",
        "50 (0.5\u{a0}%)",
        "40 (28.6\u{a0}%)",
        "9,500 (95.0\u{a0}%)",
        "1 entry of the journal",
        "9,500 | 0.8\u{a0}% |",
        "321 | under 0.1\u{a0}% |",
        "38 min",
        "75 of the 75 minutes",
        "1,200,000 requests were given a check, and 321 checks were passed",
        "| Contained | does not apply |",
        "| Closed | 2026-11-27 11:50:00 UTC |",
        "| Updates | 4 |",
        "| What of payments? | that it is not known yet |",
        "|  | peak minute |  | totals |",
        "journal, line 7 |",
        "Worst minute for citizens, by how many of their requests were not answered: 2026-11-27 11:06:00 UTC (2026-11-27 14:06 EAT), 39 of 1,000 (3.9\u{a0}%); 900 were answered in full, 0 from a copy, 61 made to wait.",
        "|  | worst minute for citizens |  | totals |",
        "| measure m | INC-7 | staff soc (analyst) | night shift |",
        "| measure m | then = \"deny\"; match: path = \"/search\\*\" | of 60,000 requests 4,321 would have been treated more strictly, of 99 clients; 12 of them with a pass, 0 settled citizens | decided 7,654 requests, of which 7,600 were sent away; of these 11 with a pass, 2 citizens' |",
        "| measure n | not known: the journal does not hold it | none: it was forced, and nothing was reckoned | not known: no minute of the totals names it |",
        "| measure old | not known: the journal does not hold it | not known | not known: no minute of the totals names it |",
        "| ban of 192.0.2.0/24 | everything from that network: its connections are closed | not known: the journal holds none of bans | not known: what a ban closes is not counted for each ban |",
        "| incident 3, update 1 | 2026-11-27 11:09:00 UTC | 2026-11-27 14:09 EAT | investigating | Press | en, sw | fr |",
        "version 5, in force from 2026-11-27 11:04:00 UTC, by staff lead (lead).",
        "| 5 | taken out | rate = \"20/s\" |",
        "| 5 | put in | rate = \"5/s\" \\# \\| less |",
        "| t13d1516h2\\_8daaf6152771\\_b186095e22b6 | 9 |",
        "| KE | 8 |",
        "No law of the portal's own country is in this list",
        "- sent away: challenged, limited, denied or dropped",
        "TLP:AMBER+STRICT · end of the draft",
    ] {
        assert!(rest.contains(part), "{part} in {rest}");
    }
    let place = |part: &str| rest.find(part).unwrap();
    assert!(
        place("it began (an estimate)") < place("| journal, line 7 |")
            && place("| journal, line 7 |") < place("peak minute")
    );
    assert!(text.contains("| Services that it named | Pay |"), "{text}");
    assert!(rest.contains("Time to detect (from an estimate) | 2 min |"), "{rest}");
    let (boma, people) = text.split_once("## What people did").unwrap();
    assert!(boma.contains("posture guarded of huduma: requests (ladder") && people.contains("(staff soc"));
    assert!(!boma.contains("measure m for"), "each in its own place");
}

#[test]
fn what_others_wrote_is_no_markup() {
    let report = known();
    let text = report.written(Form::Markdown);
    assert!(!text.contains("https://") && !text.contains("www.") && text.contains("https\\://www\\.evil"), "{text}");
    assert!(!text.contains("[INC](") && !text.contains("\n# y") && !text.contains("<script>"), "{text}");
    for line in text.lines().filter(|l| l.starts_with('|')) {
        let cells = line.replace("\\|", "").matches('|').count();
        assert!((3..=10).contains(&cells), "{line}");
    }
    let page = report.written(Form::Html);
    assert!(
        !page.contains("<script") && page.contains("&lt;script&gt;alert(1)") && page.contains("Huduma &lt;&amp;&gt;")
    );
    assert!(
        page.contains("default-src 'none'; style-src 'sha256-") && !page.contains("http://") && !page.contains("src=")
    );
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = page.split("style-src '").nth(1).unwrap().split('\'').next().unwrap();
    use base64::Engine;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    assert_eq!(hash, format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(digest)));
    let csv = report.written(Form::Csv);
    assert!(csv.contains("user_agent,\"'=HYPERLINK(\"\"x\"\")\","), "no formula: {csv}");
    assert!(csv.contains("path,\"/a,\"\"b\"\"\",,,,,5,"), "{csv}");
    let columns = |line: &str| {
        let mut quoted = false;
        line.chars()
            .filter(|c| {
                quoted ^= *c == '"';
                *c == ',' && !quoted
            })
            .count()
    };
    assert!(csv.lines().all(|l| columns(l) == 12), "{csv}");
    assert!(csv.contains(
        "198.51.100.0/24,2026-11-27T11:00:00Z,2026-11-27T11:30:00Z,,50,1000,990,3,64500,KE,no,TLP:AMBER+STRICT"
    ));
    let indicator =
        "192.0.2.0/24,2026-11-27T11:00:00Z,2026-11-27T11:30:00Z,2026-12-27T11:30:00Z,50,1000,990,0,64500,KE,yes,";
    assert!(csv.contains(indicator), "{csv}");
}

#[test]
fn what_is_not_over_and_who_was_refused_with_a_pass_is_said_before_all_else() {
    let mut report = known();
    (report.moments.recovered, report.moments.closed, report.to) = (None, None, at("2026-11-27T11:30:00Z"));
    for (outcome, requests, with_pass) in [("waiting", 204_677, 28_808), ("denied", 83_905, 6_100)] {
        report.traffic.outcomes.push(Became { outcome, means: "as it says", requests, with_pass });
    }
    let text = report.written(Form::Markdown);
    let summary = text.split("## Summary").nth(1).unwrap().split("\n## ").next().unwrap();
    for part in [
        "it stood raised still, or again, when this span ended 28 min later.",
        "boma sent 1,200,000 away and told 204,677 to come again, because too many came at once.",
        "6,100 that held a pass were refused by a limit, a rule or a ban",
    ] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
    assert!(
        text.contains(
            "| Recovered | not known |  | totals: the posture was not back at its foot when the span ended |"
        )
    );
    assert!(
        report.written(Form::Csv).contains(",no,TLP:AMBER+STRICT\r\nrule,no-search,"),
        "{}",
        report.written(Form::Csv)
    );
}

#[test]
fn a_household_that_was_checked_twice_is_no_indicator() {
    let of = |sample, sent_away| Network { sample, requests: sent_away, sent_away, ..network("192.0.2.0/24", 0, 0) };
    let all = [(1, 1000), (4, 1000), (5, 59), (5, 60), (1000, 1000)];
    assert_eq!(all.map(|(sample, sent_away)| of(sample, sent_away).indicates()), [false, false, false, true, true]);
}

/// Required properties by STIX 2.1, sections 3.1, 4.3, 4.7, 4.14, 7.2.1 and 8.
fn holds(object: &Value, keys: &[&str]) {
    keys.iter().for_each(|key| assert!(!object[*key].is_null(), "{key} in {object}"));
}

fn is_id(id: &Value, kind: &str) -> bool {
    let Some(uuid) = id.as_str().and_then(|id| id.strip_prefix(kind)?.strip_prefix("--")) else { return false };
    let parts: Vec<&str> = uuid.split('-').collect();
    parts.iter().map(|p| p.len()).collect::<Vec<_>>() == [8, 4, 4, 4, 12]
        && uuid.chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c))
        && "45".contains(&parts[2][..1])
        && "89ab".contains(&parts[3][..1])
}

#[test]
fn the_bundle_is_stix_and_names_nobody_who_is_a_citizen_too() {
    let bundle = bundle(&known());
    assert_eq!(bundle["type"], "bundle");
    assert!(is_id(&bundle["id"], "bundle") && bundle.get("spec_version").is_none());
    let objects = bundle["objects"].as_array().unwrap();
    let kinds: Vec<&str> = objects.iter().map(|o| o["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["marking-definition", "identity", "indicator", "indicator", "report"]);
    let marking = &objects[0];
    assert_eq!(marking["id"], "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003");
    assert_eq!(
        (&marking["name"], &marking["created"]),
        (&"TLP:AMBER+STRICT".into(), &"2022-10-01T00:00:00.000Z".into())
    );
    let extension = &marking["extensions"]["extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"];
    assert_eq!(
        (&extension["extension_type"], &extension["tlp_2_0"]),
        (&"property-extension".into(), &"amber+strict".into())
    );
    assert!(marking.get("definition").is_none() && marking.get("definition_type").is_none());
    let ids: Vec<&Value> = objects.iter().map(|o| &o["id"]).collect();
    for object in &objects[1..] {
        let kind = object["type"].as_str().unwrap();
        holds(object, &["type", "spec_version", "id", "created", "modified", "object_marking_refs"]);
        assert!(is_id(&object["id"], kind) && object["spec_version"] == "2.1", "{object}");
        assert_eq!(object["object_marking_refs"][0], marking["id"], "{object}");
        for key in ["created", "modified", "valid_from", "valid_until", "published"] {
            if let Some(stamp) = object[key].as_str() {
                assert!(
                    stamp.len() == 24 && stamp.ends_with(".000Z") && stamp.parse::<jiff::Timestamp>().is_ok(),
                    "{stamp}"
                );
            }
        }
        if let Some(by) = object.get("created_by_ref") {
            assert!(ids.contains(&by), "{by}");
        }
        match kind {
            "identity" => holds(object, &["name", "identity_class"]),
            "indicator" => {
                holds(object, &["pattern", "pattern_type", "valid_from", "valid_until"]);
                assert!(object["valid_until"].as_str() > object["valid_from"].as_str(), "{object}");
            }
            _ => {
                holds(object, &["name", "published", "object_refs"]);
                assert!(object["object_refs"].as_array().unwrap().iter().all(|r| ids.contains(&r)));
            }
        }
    }
    assert_eq!(objects[2]["pattern"], "[ipv4-addr:value ISSUBSET '192.0.2.0/24']");
    assert_eq!(objects[3]["pattern"], "[ipv6-addr:value ISSUBSET '2001:db8:1::/48']");
    let again = super::bundle(&Report { made: at("2026-11-28T00:00:00Z"), ..known() });
    assert_eq!(again["objects"][2]["id"], objects[2]["id"], "the same thing in a later draft");
    let none = super::bundle(&Report { seen: None, ..known() });
    assert_eq!(none["objects"].as_array().unwrap().len(), 2, "a report without objects is none");
}

#[test]
fn each_marking_is_the_one_that_oasis_published() {
    let markings: Vec<Value> =
        Tlp::ALL.map(|tlp| super::bundle(&Report { tlp, ..known() })["objects"][0].clone()).to_vec();
    let told: Vec<String> =
        markings.iter().map(|m| format!("{} {}", m["name"].as_str().unwrap(), m["id"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            "TLP:CLEAR marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
            "TLP:GREEN marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
            "TLP:AMBER marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
            "TLP:AMBER+STRICT marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
            "TLP:RED marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
        ]
    );
}

#[test]
fn as_json_it_has_times_that_people_read_too() {
    let value: Value = serde_json::from_str(&known().written(Form::Json)).unwrap();
    assert_eq!(value["moments"]["detected"], "2026-11-27T11:02:00Z");
    assert_eq!((&value["citizens"]["refused"], &value["tlp"]), (&50.into(), &"TLP:AMBER+STRICT".into()));
    assert_eq!(value["timeline"][0]["actor"], "boma");
}
