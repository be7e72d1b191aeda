//! What is written of a report whose facts are known.

use serde_json::Value;

use super::*;
use crate::uptime::Served;

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
    let fared = Fared {
        served: Served { full: 9400, copies: 300, delayed: 250, refused: 50 },
        cached: 100,
        passed_check: 140,
        come_again: 110,
    };
    let of = |net: &str, with_pass, sent_away| {
        let network = network(net, sent_away, with_pass);
        Other { why: network.spared().unwrap(), network }
    };
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
            posture: "normal".into(),
        }],
        zone: "Africa/Nairobi".into(),
        from: at("2026-11-27T10:45:00Z"),
        to: at("2026-11-27T12:00:00Z"),
        summary: String::new(),
        remarks: vec![],
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
            text: "We are looking into it.".into(),
            text_in: "en".into(),
            instead: "en".into(),
            next: Some(at("2026-11-27T11:39:00Z")),
            followed: Some(at("2026-11-27T11:30:00Z")),
            met: Some(Fared {
                served: Served { full: 41, copies: 20, delayed: 39, refused: 0 },
                cached: 10,
                passed_check: 9,
                come_again: 30,
            }),
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
            hurt_until: None,
        },
        traffic: Traffic {
            minutes: 75,
            began: Some(at("2026-11-27T10:45:00Z")),
            ended: Some(at("2026-11-27T12:00:00Z")),
            requests: 1_234_567,
            own: 4321,
            outcomes: [("full", 9500, 9000), ("challenged", 1_200_000, 10), ("solved", 321, 0), ("own", 4000, 0)]
                .map(|(outcome, requests, with_pass)| Became { outcome, means: "as it says", requests, with_pass })
                .to_vec(),
            sent_away: 1_200_000,
            peak: Some(Peak { at: at("2026-11-27T11:05:00Z"), requests: 612_000, sent_away: 600_001 }),
            rush: Some(Rush {
                from: at("2026-11-27T11:00:00Z"),
                to: at("2026-11-27T11:35:00Z"),
                minutes: 30,
                requests: 1_200_000,
                full: 6000,
                above: 900,
                usual: Some(300),
                usual_of: 50,
                over: true,
            }),
        },
        rules: vec![
            Decided { name: "budget".into(), did: Did { decided: 3919, sent_away: 3900, with_pass: 7, citizens: 0 } },
            Decided { name: "…".into(), did: Did { decided: 12, ..Did::default() } },
        ],
        citizens: Citizens {
            definition: crate::uptime::DEFINITION,
            fared,
            classes: vec![
                ("information".into(), Fared { served: Served { refused: 10, ..fared.served }, ..fared }),
                (
                    "payment".into(),
                    Fared { served: Served { full: 100, copies: 0, delayed: 0, refused: 40 }, ..Fared::default() },
                ),
            ],
            hard: Hard {
                minutes: 40,
                blind: 12,
                fared: Fared {
                    served: Served { full: 800, copies: 100, delayed: 0, refused: 100 },
                    ..Fared::default()
                },
                passes: Fared {
                    served: Served { full: 5000, copies: 0, delayed: 2000, refused: 3000 },
                    come_again: 2000,
                    ..Fared::default()
                },
            },
            minutes_risen: 38,
            minutes_hurt: 0,
            worst: Some(Worst {
                at: at("2026-11-27T11:06:00Z"),
                fared: Fared {
                    served: Served { full: 900, copies: 0, delayed: 61, refused: 39 },
                    cached: 0,
                    passed_check: 20,
                    come_again: 41,
                },
            }),
        },
        postures: vec![],
        turns: [("guarded", "no room"), ("attack", "no room"), ("normal", "calm")]
            .into_iter()
            .zip(["2026-11-27T11:02:00Z", "2026-11-27T11:03:00Z", "2026-11-27T11:40:00Z"])
            .map(|((level, why), when)| Turn {
                at: at(when),
                level: level.into(),
                portal: Some("huduma".into()),
                raised: level != "normal",
                who: "ladder".into(),
                why: why.into(),
            })
            .collect(),
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
            distinct_networks: 233,
            indicators: vec![network("192.0.2.0/24", 990, 0), network("2001:db8:1::/48", 1000, 0)],
            other_networks: vec![of("198.51.100.0/24", 3, 990), of("203.0.113.0/24", 0, 400)],
            spared: vec![
                ("requests with a pass came from there too: citizens may share it", 30),
                ("half or more of what came from there was not sent away", 1),
            ],
            paths: vec![("/search".into(), 352_000), ("/a,\"b\"".into(), 5)],
            made_up: Some(528_000),
            forms: vec![("/*/*".into(), 500_000)],
            agents: vec![
                ("=HYPERLINK(\"x\")".into(), 7),
                ("Bot +https://www.evil.example".into(), 6),
                ("<script>alert(1)</script>".into(), 6),
            ],
            fingerprints: vec![("t13d1516h2_8daaf6152771_b186095e22b6".into(), 9)],
            countries: vec![("KE".into(), 8)],
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
    .told()
}

/// The part of a report under a heading.
fn part(report: &Report, heading: &str) -> String {
    let text = report.written(Form::Markdown);
    let after = text.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("no {heading} in {text}")).1;
    after.split("\n## ").next().unwrap().to_owned()
}

#[test]
fn a_minister_reads_figures_that_stand_below_as_well() {
    let report = known();
    let text = report.written(Form::Markdown);
    let summary = part(&report, "Summary");
    for part in [
        "On 2026-11-27 14:02 EAT protection of Huduma \\<&\\> was raised by boma itself (no room); it stood raised for 38 min, until 14:40 EAT.",
        "1,234,567 requests came in the span of this report, 612,000 of them in its busiest minute, that from 14:05 EAT. Far more than \
         usual came in 30 minutes, from 14:00 EAT to 14:35 EAT: 1,200,000 requests.",
        "While far more than usual came (40 minutes), 1,000 requests count as citizens': 80.0\u{a0}% were answered \
         in full at once, 10.0\u{a0}% were answered from dated copies, 10.0\u{a0}% were refused, or failed. In 12 of these minutes none \
         does, because nobody could be told from robots; of all 10,000 requests with a pass in the 40 minutes, robots' among them and boma's own pages other than passed checks left out, \
         50.0\u{a0}% were answered in full at once, 20.0\u{a0}% were told to come again, 30.0\u{a0}% were refused, or failed. People are not counted.",
        "The public was told first at 14:09 EAT, 7 min after protection was raised.",
        "| When? | It began at about 2026-11-27 14:00 EAT (an estimate). Protection was raised at 2026-11-27 14:02 EAT by boma itself. The \
         busiest minute was that from 2026-11-27 14:05 EAT.",
        "Protection was back to normal at 2026-11-27 14:40 EAT. The incident was closed at 2026-11-27 14:50 EAT. |",
        "| How long? | Protection stood raised for 38 min. Far more requests than usual came for 35 minutes, in 30 of them, from 14:00 EAT \
         to 14:35 EAT.",
        "| How much? | 1,234,567 requests came to the portal; 612,000 in the busiest minute, which is 10,200 a second on average. Of these \
         1,200,000 were given a check first, 9,500 were answered in full. In the 30 minutes in which far more than usual came it was \
         1,200,000 requests, of which 6,000 (0.5\u{a0}%) were answered in full. By a sample, about 48\u{a0}% for pages that the portal is not \
         known to have, such as /\\*/\\*, about 32\u{a0}% for /search. They came from 233 networks or more, citizens' among them. |",
        "| Who was hurt? | How many people were hurt is not known: boma counts requests. While far more than usual came (40 minutes), 1,000",
        "In the whole span, its quiet minutes too, of 10,000 requests that count as citizens', \
         97.0\u{a0}% were answered at once (95.0\u{a0}% in full, 2.0\u{a0}% from dated copies); 1.4\u{a0}% had to pass a check first, \
         and passed it; 1.1\u{a0}% (110) were told to come again, and whether they got in later is not counted; 0.5\u{a0}% (50) were \
         refused, or failed. Hardest hit was the class payment: of its 140 requests 40 were refused, failed or told to come again.",
        "In the worst minute for them, from 14:06 EAT, 90.0\u{a0}% of 1,000 requests were served in full at once, 41 were told to come again, \
         39 were refused, or failed.",
        "| What was done? | Boma itself set the posture to guarded at 14:02:00 EAT, attack at 14:03:00 EAT, normal at 14:40:00 EAT. Measure m was laid at 14:03 EAT by staff soc (analyst) for INC-7: it sent away 7,600 requests, of them 11 with a pass; it ended at \
         14:30 EAT, taken out by staff soc (analyst). Measure n was laid at 14:03 EAT by staff soc (analyst) for INC-8 (forced): what it \
         did is not counted; its end is not within the span.",
        "Staff laid 1 ban. The rules file was changed 1 time; put in: rate = \"5/s\"",
        "Whether measures ended the rush, or whoever sent it, is not known.",
        "The public was told first at 2026-11-27 14:09 EAT, 7 min after protection was raised; statements: investigating at 14:09 EAT. |",
        "| How does it stand? | Back to normal since 2026-11-27 14:40 EAT, as far as this span goes. The incident is resolved. One thing does not fit together: The incident was closed at",
    ] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
    assert!(text.find("## Summary").unwrap() < 100, "before all else");
    let rest = text.split("\n## When").nth(1).unwrap();
    for part in [
        "612,000",
        "600,001",
        "1,234,567",
        "50 (0.5\u{a0}%)",
        "40 (28.6\u{a0}%)",
        "| all | 9,400 (94.0\u{a0}%) | 100 (1.0\u{a0}%) | 200 (2.0\u{a0}%) | 140 (1.4\u{a0}%) | 110 (1.1\u{a0}%) | 50 (0.5\u{a0}%) |",
        "1 entry of the journal",
        "9,500 | 0.8\u{a0}% |",
        "321 | under 0.1\u{a0}% |",
        "38 min",
        "the first that is counted began at 2026-11-27 10:45:00 UTC, the last ended at 2026-11-27 12:00:00 UTC",
        "75 of these minutes have any",
        "1,234,567 requests came to the portal, and 4,321 to boma's own pages",
        "The rush is the 30 minutes with more than 900 requests, three times the median of 50 minutes before (300).",
        "1,200,000 requests were given a check, and 321 checks were passed",
        "| Contained | does not apply |",
        "| Closed | 2026-11-27 11:50:00 UTC |",
        "| Updates | 4 |",
        "| What of payments? | that it is not known yet |",
        "|  | peak minute |  | totals |",
        "journal, line 7 |",
        "Worst minute for citizens, of those in which any count: that from 2026-11-27 11:06:00 UTC (2026-11-27 14:06 EAT). 900 of 1,000 requests were served in full at once (90.0\u{a0}%); \
         of the others 0 got a dated copy, 20 had to pass a check first, and passed it, 41 were told to come again, 39 were refused, or failed.",
        "|  | worst minute for citizens |  | totals |",
        "| measure m | INC-7 | staff soc (analyst) | night shift |",
        "| measure m | then = \"deny\"; match: path = \"/search\\*\" | of 60,000 requests 4,321 would have been treated more strictly, of 99 clients or more; 12 of the requests had a pass, those of 0 settled citizens among them | decided 7,654 requests, of which 7,600 were sent away; of these 11 with a pass, 2 citizens' |",
        "| measure n | not known: the journal does not hold it | none: it was forced, and nothing was reckoned | not known: no minute of the totals names it |",
        "| measure old | not known: the journal does not hold it | not known | not known: no minute of the totals names it |",
        "| ban of 192.0.2.0/24 | everything from that network: its connections are closed | not known: the journal holds none of bans | not known: what a ban closes is not counted for each ban |",
        "| budget | 3,919 | 3,900 | 7 | 0 |",
        "| all others | 12 | 0 | 0 | 0 |",
        "| incident 3, update 1: investigating | 2026-11-27 11:09:00 UTC | 2026-11-27 14:09 EAT | Press | We are looking into it. (en) | of 100 requests 51.0\u{a0}% were answered in full at once, 10.0\u{a0}% were answered from dated copies, 9.0\u{a0}% were checked first, 30.0\u{a0}% were told to come again | en, sw | fr: shown in en | by 14:39 EAT; came at 14:30 EAT |",
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
    assert_eq!(
        csv.lines().collect::<Vec<_>>(),
        [
            "type,value,first_seen,last_seen,valid_until,sample,requests_estimate,sent_away_estimate,asn,country,tlp",
            "network,192.0.2.0/24,2026-11-27T11:00:00Z,2026-11-27T11:30:00Z,2026-12-27T11:30:00Z,50,1000,990,64500,KE,TLP:AMBER+STRICT",
            "network,2001:db8:1::/48,2026-11-27T11:00:00Z,2026-11-27T11:30:00Z,2026-12-27T11:30:00Z,50,1000,1000,64500,KE,TLP:AMBER+STRICT",
        ],
        "indicators alone"
    );
}

#[test]
fn who_is_no_indicator_is_in_no_list_for_others_and_the_report_says_why() {
    let mut report = known();
    let came = part(&report, "Who came (estimates)");
    for row in [
        "| 192.0.2.0/24 | 50 | 1,000 | 990 | KE AS64500 |",
        "31 other networks are among those that came most often. They are no indicators",
        "| 198.51.100.0/24 | 50 | 1,000 | 990 | 3 | KE AS64500 | requests with a pass came from there too: citizens may share it |",
        "| 203.0.113.0/24 | 50 | 1,000 | 400 | 0 | KE AS64500 | half or more of what came from there was not sent away |",
    ] {
        assert!(came.contains(row), "{row} in {came}");
    }
    let seen = report.seen.as_mut().unwrap();
    (seen.indicators, seen.other_networks) = (vec![], vec![]);
    let came = part(&report, "Who came (estimates)");
    let why = "Indicators: none, so that the lists for others (CSV and STIX) are empty.";
    let which = "of the networks that came most often: 30 because requests with a pass came from there too: citizens may share it; 1 because half or more";
    assert!(came.contains(why) && came.contains(which), "{came}");
    assert!(came.contains("Their addresses stand in reports that are marked TLP:AMBER or stricter."), "{came}");
    let csv = report.written(Form::Csv);
    assert!(csv.lines().count() == 1 && csv.starts_with("type,value,"), "its head alone: {csv}");
    let stix = report.written(Form::Stix);
    assert!(!stix.contains("198.51.100.") && !stix.contains("indicator--"), "{stix}");
}

#[test]
fn paths_that_nobody_has_are_a_row_and_the_rows_are_all_that_came() {
    let mut report = known();
    let came = part(&report, "Who came (estimates)");
    for row in [
        "| /search | 352,000 | 32.0\u{a0}% |",
        "| all other paths that the portal is not known to have, such as /\\*/\\* | 528,000 | 48.0\u{a0}% |",
        "| all other paths, each asked for seldom | 219,995 | 20.0\u{a0}% |",
    ] {
        assert!(came.contains(row), "{row} in {came}");
    }
    // As an earlier version kept it.
    let seen = report.seen.as_mut().unwrap();
    (seen.made_up, seen.forms) = (None, vec![]);
    let came = part(&report, "Who came (estimates)");
    assert!(came.contains("| all other paths, each asked for seldom | 747,995 | 68.0\u{a0}% |"), "{came}");
    assert!(!came.contains("such as /"), "{came}");
    assert_eq!(report.seen.unwrap().most().unwrap(), "about 32\u{a0}% for /search");
}

#[test]
fn an_end_that_was_told_before_it_was_one_is_remarked_plainly() {
    let step =
        |from: &str, to: &str| Step { portal: "huduma".into(), level: "attack".into(), from: at(from), to: at(to) };
    let remarked = |change: &dyn Fn(&mut Report)| {
        let mut report = known();
        report.measures.clear();
        change(&mut report);
        let report = report.told();
        let text = report.written(Form::Markdown);
        let written = report.remarks.iter().all(|r| text.contains(&r.replace('<', "\\<").replace('>', "\\>")));
        let json: Value = serde_json::from_str(&report.written(Form::Json)).unwrap();
        assert!(written && json["remarks"] == serde_json::json!(report.remarks), "{:?}", report.remarks);
        assert_eq!(text.contains("## What does not fit together"), !report.remarks.is_empty());
        assert_eq!(report.summary.contains("not fit together"), !report.remarks.is_empty(), "{}", report.summary);
        let stands = text.lines().find(|l| l.starts_with("| How does it stand?")).unwrap();
        assert_eq!(stands.contains("not fit together"), !report.remarks.is_empty(), "{stands}");
        report.remarks
    };
    assert_eq!(remarked(&|_| ()), [""; 0]);
    // Closed at 11:50.
    let later = remarked(&|r| {
        r.postures = vec![step("2026-11-27T11:02:00Z", "2026-11-27T11:58:00Z")];
        r.moments.recovered = Some(at("2026-11-27T11:58:00Z"));
    });
    assert_eq!(
        later,
        [
            "The incident was closed at 2026-11-27 14:50:00 EAT, while the posture of Huduma <&> was attack: it was raised until 2026-11-27 14:58:00 EAT."
        ]
    );
    let before = remarked(&|r| r.postures = vec![step("2026-11-27T11:02:00Z", "2026-11-27T11:50:00Z")]);
    assert_eq!(before, [""; 0], "the minute in which it was closed may have been the last");
    // Closed in the minute that the report is of: no totals hold it yet.
    let now = remarked(&|r| {
        (r.to, r.made) = (at("2026-11-27T11:50:03Z"), at("2026-11-27T11:50:03Z"));
        (r.traffic.ended, r.moments.recovered) = (Some(at("2026-11-27T11:50:00Z")), None);
        r.postures = vec![step("2026-11-27T11:02:00Z", "2026-11-27T11:50:00Z")];
        r.portals[0].posture = "attack".into();
    });
    assert!(
        now.len() == 1 && now[0].ends_with("was attack: it was not back to normal when this was drawn up."),
        "{now:?}"
    );
    let hurt = remarked(&|r| r.moments.hurt_until = Some(at("2026-11-27T11:55:00Z")));
    assert!(hurt.iter().any(|r| r.contains("turned away after that")), "{hurt:?}");
    let went_on = "until 2026-11-27 14:55:00 EAT minutes came in which 5 % or more of citizens' requests were refused, failed or told to come again.";
    assert!(hurt.iter().any(|r| r.contains(went_on)), "{hurt:?}");
    let open = remarked(&|r| r.moments.closed = None);
    assert!(open.len() == 1 && open[0].contains("an incident was not closed"), "{open:?}");
    let left =
        remarked(&|r| r.measures = vec![Measure { until: Some(at("2026-11-27T15:00:00Z")), ..measures()[0].clone() }]);
    assert_eq!(left, [""; 0], "it was taken out at 11:30");
    let left = remarked(&|r| r.measures = vec![Measure { ended: None, ..measures()[0].clone() }]);
    assert_eq!(left, ["The incident was closed at 2026-11-27 14:50:00 EAT, while this was still in force: measure m."]);
}

#[test]
fn a_promised_update_that_came_late_or_never_is_told() {
    let told = |next: Option<&str>, followed: Option<&str>, state: &str| {
        let mut report = known();
        report.measures.clear();
        let statement = &mut report.statements[0];
        (statement.next, statement.followed) = (next.map(at), followed.map(at));
        statement.state = state.into();
        let report = report.told();
        let row = part(&report, "What citizens were told");
        let row = row.lines().find(|l| l.starts_with("| incident 3, update 1")).unwrap();
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap().to_owned();
        (report.remarks.join("; "), cell)
    };
    let due = Some("2026-11-27T11:39:00Z");
    let (remark, cell) = told(due, Some("2026-11-27T11:39:00Z"), "investigating");
    assert_eq!((&*remark, &*cell), ("", "by 14:39 EAT; came at 14:39 EAT"));
    let (remark, cell) = told(due, Some("2026-11-27T11:50:00Z"), "investigating");
    let late = "A next update was promised by 2026-11-27 14:39:00 EAT (incident 3, update 1); it came 11 min late, at 2026-11-27 14:50:00 EAT.";
    assert_eq!((&*remark, &*cell), (late, "by 14:39 EAT; came late, at 14:50 EAT"));
    let (remark, cell) = told(due, None, "investigating");
    let never = "A next update was promised by 2026-11-27 14:39:00 EAT (incident 3, update 1); none came.";
    assert_eq!((&*remark, &*cell), (never, "by 14:39 EAT; none came"));
    let (remark, cell) = told(Some("2026-11-27T14:00:00Z"), None, "investigating");
    assert_eq!((&*remark, &*cell), ("", "by 17:00 EAT; it was not due yet when this was drawn up"));
    assert_eq!(told(None, None, "monitoring").1, "none was promised");
    assert_eq!(told(None, None, "resolved").1, "none was due");
}

#[test]
fn a_statement_stands_beside_what_citizens_met_when_they_read_it() {
    let mut report = known();
    let met = "of 100 requests 51.0\u{a0}% were answered in full at once, 10.0\u{a0}% were answered from dated copies, 9.0\u{a0}% were checked first, \
               30.0\u{a0}% were told to come again";
    let told = part(&report, "What citizens were told");
    assert!(told.contains(&format!("We are looking into it. (en) | {met} |")), "{told}");
    for (met, says) in [(None, "not counted yet"), (Some(Fared::default()), "nobody who could be told from robots")] {
        report.statements[0].met = met;
        assert!(part(&report, "What citizens were told").contains(&format!("(en) | {says} |")));
    }
}

#[test]
fn that_all_were_served_is_said_only_where_they_were() {
    let mut report = known();
    report.citizens.worst = None;
    report.citizens.fared = Fared { served: Served { full: 70, ..Served::default() }, ..Fared::default() };
    let all = part(&report, "What it meant for citizens");
    assert!(all.contains(
        "Worst minute for citizens, of those in which any count: none; in every minute all of their requests were served in full at once."
    ));
    report.citizens.fared = Fared::default();
    let nobody = part(&report, "What it meant for citizens");
    assert!(
        nobody.contains("Worst minute for citizens, of those in which any count: not known, because no request is known to have been a citizen's.")
    );
    report.citizens.hard = Hard::default();
    assert!(report.told().summary.contains("No request is known to have been a citizen's."));
    let waiting =
        Fared { served: Served { full: 1, delayed: 3, ..Served::default() }, come_again: 3, ..Fared::default() };
    assert_eq!(
        waiting.told().unwrap(),
        "25.0\u{a0}% were answered at once (25.0\u{a0}% in full, 0.0\u{a0}% from dated copies); 75.0\u{a0}% (3) were told to come again, \
         and whether they got in later is not counted; none was refused or failed"
    );
}

#[test]
fn what_is_not_over_and_who_was_refused_with_a_pass_is_said_before_all_else() {
    let mut report = known();
    (report.moments.recovered, report.moments.closed, report.to) = (None, None, at("2026-11-27T11:30:00Z"));
    (report.moments.hurt_until, report.moments.onset) = (Some(at("2026-11-27T11:30:00Z")), None);
    report.traffic.rush =
        report.traffic.rush.map(|rush| Rush { minutes: 35, usual: None, above: 153_000, over: false, ..rush });
    for (outcome, requests, with_pass) in [("waiting", 204_677, 28_808), ("denied", 83_905, 6_100)] {
        report.traffic.outcomes.push(Became { outcome, means: "as it says", requests, with_pass });
    }
    report.traffic.ended = Some(at("2026-11-27T11:29:00Z"));
    report.measures[2].laid = at("2026-11-27T11:29:10Z");
    let report = report.told();
    let (text, summary) = (report.written(Form::Markdown), part(&report, "Summary"));
    for part in [
        "(no room); when it came down is not known: the span ended 28 min later.",
        "Protection stood raised for 28 min or longer. Far more requests than usual came for 35 minutes, from 14:00 EAT to 14:35 EAT or longer: no calm followed before the span ended.",
        "When it began is not known.",
        "The last minute in which citizens were turned away in numbers ended at 2026-11-27 14:30 EAT. When protection came down is not known: the span ended before. |",
        "| How does it stand? | Not known: the span ended while protection was raised.",
        "83,905 were refused by a limit, a rule or a ban, 204,677 were told to come again, because too many came at once",
        "it sent away 7,600 requests, of them 11 with a pass until 14:29 EAT, as far as counted; it ended at 14:30 EAT",
        "Who was given a check and did not pass it is not among them. Of those that were refused by a limit, a rule or a ban 6,100 held a pass",
        "These figures end at 2026-11-27 14:29:00 EAT; what came in the last 1 min of the span is not counted yet.",
    ] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
    for part in [
        "| measure old | not known: the journal does not hold it | not known | not known: no minute is counted since it was laid |",
        "| Recovered | not known |  | totals: the posture was raised in the last minute of the span that is counted |",
        "| Contained | not known to be |  | totals: there was such a minute in which 5 % or more of citizens' requests were refused, failed or told to come again until 14:30 EAT, and less than 5 min of calm is counted since |",
        "How much is usual is not known, because hardly a minute before is counted: the rush is the 35 minutes with more than 153,000 requests, a quarter of what came in its busiest.",
        "Of those that were refused by a limit, a rule or a ban 6,100 held a pass: some of them may have been people's.",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_household_that_was_checked_twice_is_no_indicator() {
    let of = |sample, sent_away| Network { sample, requests: sent_away, sent_away, ..network("192.0.2.0/24", 0, 0) };
    let all = [(1, 1000), (4, 1000), (5, 59), (5, 60), (1000, 1000)];
    assert_eq!(
        all.map(|(sample, sent_away)| of(sample, sent_away).spared().is_none()),
        [false, false, false, true, true]
    );
}

#[test]
fn a_posture_that_has_just_come_down_is_not_told_as_raised() {
    let mut report = known();
    (report.moments.recovered, report.to) = (None, at("2026-11-27T11:41:00Z"));
    report.made = report.to;
    let told = |posture: &str, mut report: Report| {
        report.portals[0].posture = posture.into();
        report.told().summary
    };
    let quiet = told("normal", report.clone());
    assert!(quiet.contains("it stood raised for 38 min, until 14:40 EAT."), "by the journal: {quiet}");
    let when = part(&report, "When");
    assert!(
        when.contains("| Recovered | 2026-11-27 11:40:00 UTC |") && when.contains("| journal: the posture"),
        "{when}"
    );
    report.turns.clear();
    let quiet = told("normal", report.clone());
    assert!(quiet.contains("it was back to normal when this was drawn up, 39 min later."), "{quiet}");
    assert!(!quiet.contains("raised when"), "{quiet}");
    let raised = told("guarded", report.clone());
    assert!(raised.contains("it was raised (guarded) when this was drawn up, 39 min later."), "{raised}");
    let stands = part(&Report { portals: vec![raised_portal()], ..report.clone() }, "Summary");
    assert!(stands.contains("Protection was raised (guarded) when this was drawn up."), "{stands}");
    report.made = at("2026-11-27T13:00:00Z");
    let later = told("normal", report);
    assert!(later.contains("when it came down is not known"), "where it stands now says nothing of then: {later}");
}

fn raised_portal() -> Portal {
    Portal { posture: "guarded".into(), ..known().portals[0].clone() }
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
