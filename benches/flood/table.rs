//! The table, for people and as JSON. What each row means stands in `main.rs`.

use serde_json::{Map, Value, json};

use crate::link::What;
use crate::run::Outcome;
use crate::tally::percentile;

/// The shares of the asked rate, and of a core, beyond which the generator is what was measured.
const RATE_LEAST: f64 = 0.8;
const THREAD_MOST: f64 = 0.9;
/// Cores that other processes may use besides.
const OTHERS_MOST: f64 = 0.3;
/// Seconds below which it is no reference flood.
const SECONDS_LEAST: f64 = 60.0;

pub struct Row {
    pub label: &'static str,
    pub text: String,
    pub value: Value,
}

/// Why a run does not count; nothing where it does.
pub fn faults(outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    let (attack, tally) = (&outcome.attack, &outcome.tally);
    let rate = attack.sent as f64 / outcome.seconds;
    if attack.due > 0 && (attack.sent as f64) < RATE_LEAST * attack.due as f64 {
        faults.push(format!(
            "sent {rate:.0}/s of {:.0}/s ({} for want of a connection, {} because the sender was behind)",
            outcome.asked, attack.no_link, attack.behind
        ));
    }
    for (name, used) in outcome.threads.iter().filter(|(_, used)| **used > THREAD_MOST) {
        faults.push(format!("{name} used {:.0} % of a core", used * 100.0));
    }
    if outcome.others > OTHERS_MOST {
        faults.push(format!("other processes used {:.2} cores", outcome.others));
    }
    if tally.not_begun > 0 {
        faults.push(format!("{} visits of citizens were not begun", tally.not_begun));
    }
    if outcome.seconds < SECONDS_LEAST - 1.0 {
        faults.push(format!("{:.0} s are no reference flood", outcome.seconds));
    }
    faults
}

fn row(label: &'static str, text: String, value: impl Into<Value>) -> Row {
    Row { label, text, value: value.into() }
}

fn count(label: &'static str, n: u64) -> Row {
    row(label, n.to_string(), n)
}

/// A count with its share of a whole.
fn part(label: &'static str, n: u64, of: u64) -> Row {
    let share = if of > 0 { n as f64 * 100.0 / of as f64 } else { 0.0 };
    row(label, if of > 0 { format!("{n} {share:.1}%") } else { "-".into() }, json!({ "n": n, "of": of }))
}

fn each(label: &'static str, value: f64, of: u64, digits: usize) -> Row {
    if of == 0 {
        return row(label, "-".into(), Value::Null);
    }
    let value = value / of as f64;
    row(label, format!("{value:.digits$}"), value)
}

const REFUSED: [What; 4] = [What::Limited, What::NoPage, What::Denied, What::Challenge];

pub fn rows(outcome: &Outcome) -> Vec<Row> {
    let mut rows = citizens(outcome);
    rows.extend(classes(outcome));
    rows.extend(attackers(outcome));
    rows.extend(house(outcome));
    rows.extend(origin(outcome));
    rows.extend(machine(outcome));
    rows
}

fn latency(label: &'static str, values: &[u32]) -> Row {
    let mut values = values.to_vec();
    of_two(label, [0.5, 0.99].map(|share| percentile(&mut values, share)))
}

/// Median and 99 %.
fn of_two(label: &'static str, [half, most]: [Option<u32>; 2]) -> Row {
    let text = half.zip(most).map_or("-".to_owned(), |(half, most)| format!("{half}/{most}"));
    row(label, text, json!([half, most]))
}

/// A part of what the origin could have given in the flood.
fn of_capacity(label: &'static str, n: u64, outcome: &Outcome) -> Row {
    let could = outcome.can.a_second * (outcome.seconds - outcome.dead);
    let share = n as f64 / could.max(1.0);
    row(label, format!("{:.1}%", share * 100.0), share)
}

/// How citizens fared by class, and how pages in full against those of before anybody came.
fn classes(outcome: &Outcome) -> Vec<Row> {
    let [filing, information] = &outcome.tally.classes;
    let p99 = percentile(&mut outcome.tally.in_full.clone(), 0.99);
    let times = p99.zip(outcome.alone[1]).map(|(now, alone)| f64::from(now) / f64::from(alone.max(1)));
    vec![
        part("filing: pages and forms in full", filing.full, filing.asked),
        latency("  ms p50/p99", &filing.waited),
        part("information: pages in full", information.full, information.asked),
        latency("  ms p50/p99", &information.waited),
        of_two("page before anybody came, ms p50/p99", outcome.alone),
        row(
            "page in full, p99 in times of that",
            times.map_or("-".into(), |times| format!("{times:.1}")),
            times.map_or(Value::Null, Value::from),
        ),
    ]
}

/// What the origin can do, and how it fared.
fn origin(outcome: &Outcome) -> Vec<Row> {
    let sum = |of: &[[u64; 3]], i: usize| of.iter().map(|k| k[i]).sum::<u64>();
    let [asked, served, refused] = [0, 1, 2].map(|i| sum(&outcome.origin, i));
    let filing = sum(&outcome.filing, 0);
    let a_second = |label: &'static str, n: u64| {
        row(label, format!("{:.0}", n as f64 / outcome.seconds), n as f64 / outcome.seconds)
    };
    let back = outcome.back.iter().map(|back| back.map_or("not in this run".into(), |s| format!("{s:.0} s")));
    let back: Vec<String> = back.collect();
    vec![
        row("ORIGIN: can serve a second", format!("{:.0}", outcome.can.a_second), outcome.can.a_second),
        row("  its knee, at once", format!("{:.0}", outcome.can.knee), outcome.can.knee),
        count("  most that waited beyond that", outcome.deepest),
        part("  its own refusals (503)", refused, asked),
        a_second("  asked a second", asked),
        a_second("    of these filing", filing),
        a_second("    information", asked - filing),
        a_second("  served a second", served),
        a_second("    of these citizens", outcome.origin[0][1]),
        a_second("      filing", outcome.filing[0][1]),
        a_second("      information", outcome.origin[0][1] - outcome.filing[0][1]),
        row(
            "  back in full service after",
            if back.is_empty() { "-".into() } else { back.join(", ") },
            json!(outcome.back),
        ),
    ]
}

fn citizens(outcome: &Outcome) -> Vec<Row> {
    let t = &outcome.tally;
    let (pages, asked) = (&t.pages, t.pages.all());
    let got = |n: u64| outcome.received.get(&n).copied().unwrap_or(0);
    let forms = t.forms.len() as u64;
    let of_forms = |fits: &dyn Fn(&crate::tally::Form) -> bool| t.forms.iter().filter(|f| fits(f)).count() as u64;
    let met = asked + forms;
    vec![
        row("CITIZENS: requests a second", format!("{:.0}", t.requests as f64 / outcome.seconds), t.requests),
        of_capacity("served by the origin, of what it can", outcome.origin[0][1], outcome),
        count("pages asked for", asked),
        part("  served in full", pages.of(&[What::Origin]), asked),
        part("  from cache or snapshot", pages.of(&[What::Copy]), asked),
        part("  statement: no room", pages.of(&[What::Busy]), asked),
        part("  statement: origin failed", pages.of(&[What::OriginFailed]), asked),
        part("  statement: posture", pages.of(&[What::Posture]), asked),
        part("  refused by mistake", pages.of(&REFUSED), asked),
        part("  gave up in line", pages.of(&[What::Waits]), asked),
        part("  no answer", pages.of(&[What::Broken]), asked),
        part("in line on the way", t.queued, asked),
        part("challenged on the way", t.challenged, met),
        part("challenged by mistake", t.by_mistake, met),
        count("citizens", t.citizens),
        part("  challenged", t.citizens_challenged, t.citizens),
        part("  challenged by mistake", t.citizens_by_mistake, t.citizens),
        part("  refused something", t.citizens_refused, t.citizens),
        count("parts of pages asked for", t.parts.all()),
        part("  came", t.parts.of(&[What::Origin, What::Copy]), t.parts.all()),
        part("  refused by mistake", t.parts.of(&REFUSED), t.parts.all()),
        part("forms not even got to see", t.forms_missed, t.forms_missed + forms),
        count("forms sent", forms),
        part("  received, and said so", of_forms(&|f| f.last == What::Origin && got(f.number) > 0), forms),
        part("  received, not said", of_forms(&|f| f.last != What::Origin && got(f.number) > 0), forms),
        part("  lost", of_forms(&|f| got(f.number) == 0), forms),
        part("    for want of room", of_forms(&|f| got(f.number) == 0 && f.last == What::Busy), forms),
        part("  to be sent again by hand", of_forms(&|f| f.asked_again), forms),
        part("  received twice", of_forms(&|f| got(f.number) > 1), forms),
        latency("page in full, ms p50/p99", &t.in_full),
        latency("page as a copy, ms p50/p99", &t.copies),
        latency("in line, ms p50/p99", &t.line),
    ]
}

fn attackers(outcome: &Outcome) -> Vec<Row> {
    let (a, kinds, [_, with_pass, programs, others, _]) = (&outcome.attack, &outcome.attack.kinds, outcome.origin);
    let all = |i: usize| with_pass[i] + programs[i] + others[i];
    vec![
        row(
            "ATTACK: requests a second",
            format!("{:.0}", a.sent as f64 / outcome.seconds),
            a.sent as f64 / outcome.seconds,
        ),
        part("  answered within 15 s", a.answered, a.sent),
        part("  reached the origin", all(0), a.sent),
        part("    with a pass", with_pass[0], a.sent),
        part("    as programs", programs[0], a.sent),
        part("  served by the origin", all(1), a.sent),
        part("  challenged", kinds.of(&[What::Challenge]), a.sent),
        part("  over a limit (429)", kinds.of(&[What::Limited, What::NoPage]), a.sent),
        part("  denied", kinds.of(&[What::Denied]), a.sent),
        part("  no room, or a place in line", kinds.of(&[What::Busy, What::Waits]), a.sent),
        part("  copy or statement", kinds.of(&[What::Copy, What::Posture]), a.sent),
        count("passes that bots got", a.passes),
    ]
}

fn house(outcome: &Outcome) -> Vec<Row> {
    let a = &outcome.attack;
    let beyond = outcome.boma_cpu as f64 - outcome.boma_before * outcome.seconds;
    let [before, most, after] = outcome.rss.map(|kib| kib as f64 / 1024.0);
    let moves: Vec<String> = outcome.moves.iter().map(|(at, level, _)| format!("{at:.0}s {}", level.name())).collect();
    let told: Vec<Value> =
        outcome.moves.iter().map(|(at, level, why)| json!({ "at": at, "level": level.name(), "why": why })).collect();
    vec![
        each("SHIELD: CPU µs a flood request", beyond, a.sent, 1),
        each("  bytes out a flood request", a.bytes as f64, a.answered, 0),
        row(
            "  cores used",
            format!("{:.2}", outcome.boma_cpu as f64 / outcome.seconds / 1e6),
            outcome.boma_cpu as f64 / outcome.seconds / 1e6,
        ),
        row(
            "  memory MiB, before/most/after",
            format!("{before:.0}/{most:.0}/{after:.0}"),
            json!([before, most, after]),
        ),
        row("  posture", moves.join(" "), told),
    ]
}

/// Whether the run counts.
fn machine(outcome: &Outcome) -> Vec<Row> {
    let threads = outcome.threads.iter().map(|(n, used)| format!("{} {:.0}%", &n["flood-".len()..], used * 100.0));
    let threads: Vec<String> = threads.collect();
    vec![
        row("GENERATOR: share of a core", threads.join(" "), json!(outcome.threads)),
        row(
            "MACHINE: busy, cores of others",
            format!("{:.0}%, {:.2}", outcome.busy * 100.0, outcome.others),
            json!({ "busy": outcome.busy, "stolen": outcome.stolen, "others": outcome.others }),
        ),
        row("COUNTS", if faults(outcome).is_empty() { "yes".into() } else { "NO".into() }, faults(outcome)),
    ]
}

pub fn print(outcomes: &[Outcome]) {
    let all: Vec<Vec<Row>> = outcomes.iter().map(rows).collect();
    let Some(first) = all.first() else { return };
    let label = first.iter().map(|r| r.label.chars().count()).max().unwrap_or(0);
    let wide = |i: usize| {
        let cells = all[i].iter().map(|r| r.text.chars().count()).filter(|n| *n <= 20).max().unwrap_or(0);
        cells.max(outcomes[i].name.len())
    };
    let line = |name: &str, cells: &[&str]| {
        let cells = cells.iter().enumerate().map(|(i, c)| format!("  {c:>width$}", width = wide(i)));
        println!("{name:<label$}{}", cells.collect::<String>().trim_end());
    };
    line("", &outcomes.iter().map(|o| o.name.as_str()).collect::<Vec<_>>());
    for (at, head) in first.iter().enumerate() {
        let cells: Vec<&str> = all.iter().map(|rows| rows[at].text.as_str()).collect();
        if cells.iter().any(|c| c.chars().count() > 20) {
            // What does not fit in columns has lines of its own.
            println!("{}", head.label);
            outcomes.iter().zip(&cells).for_each(|(o, c)| println!("{:>label$}  {c}", o.name));
        } else {
            line(head.label, &cells);
        }
    }
    for outcome in outcomes {
        for (_, level, why) in outcome.moves.iter().filter(|(_, _, why)| !why.is_empty()) {
            println!("{}: {} because {why}", outcome.name, level.name());
        }
        for (what, value) in &outcome.checks {
            println!("{}: {what}: {value}", outcome.name);
        }
        for fault in faults(outcome) {
            println!("{}: DOES NOT COUNT: {fault}", outcome.name);
        }
        if outcome.busy > 0.95 {
            println!(
                "{}: the machine had nothing left ({:.0} % busy): generator and boma took time from each other, and latencies are the machine's",
                outcome.name,
                outcome.busy * 100.0
            );
        }
    }
}

pub fn json(outcome: &Outcome) -> Value {
    let mut group = String::new();
    let mut all: Map<String, Value> = Map::new();
    for row in rows(outcome) {
        let name = match row.label.split_once(": ") {
            Some((section, name)) if section.chars().all(char::is_uppercase) => {
                group = section.to_lowercase();
                format!("{group}: {name}")
            }
            _ => format!("{group}: {}", row.label.trim()),
        };
        // The sub-rows of pages, parts and citizens have names in common.
        let mut key = name.clone();
        let mut n = 2;
        while all.contains_key(&key) {
            key = format!("{name} ({n})");
            n += 1;
        }
        all.insert(key, row.value);
    }
    let checks: Map<String, Value> = outcome.checks.iter().cloned().collect();
    let (solutions, took) = outcome.prepared;
    json!({
        "run": outcome.name, "seconds": outcome.seconds, "asked": outcome.asked, "rows": all, "checks": checks,
        "solutions_ready": solutions, "solving_seconds": took, "solved_live": outcome.solved_live,
        "citizens_solutions_refused": outcome.tally.solutions_refused, "visits_open_at_the_end": outcome.tally.open,
        "bots_solutions_refused": outcome.attack.solutions_refused, "attack_links": outcome.attack.most_links,
    })
}
