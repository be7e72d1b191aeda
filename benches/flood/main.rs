//! The reference flood (`cargo bench --bench flood`): what every claim about attacks is shown against.
//!
//! An origin that serves 200 requests/s and no more, of which 480 may wait (as behind a listen backlog of 511) before it
//! answers 503; 400/s of citizens; 30,000 attacking addresses at 10,000/s in all,
//! half of them in the citizens' own networks; boma as it is built, in between. All senders come by a trusted loopback
//! hop that names them in `X-Forwarded-For`. Citizens are alone for `--warm` seconds, in posture normal; then the posture
//! is pinned (or not: `auto`) and the flood begins in the same moment, so those who were in the middle of a form are.
//!
//! What counts is what begins within `--seconds` from then. Rows:
//!
//! * requests a second: all of citizens', by them. Where pages fail, their parts are not asked for, and it falls.
//! * pages asked for: navigations of citizens by GET, each until its last answer: a challenge on the way is worked out and
//!   the page loaded again, as the browser does; nothing else is tried twice. *Served in full*: the origin's answer.
//!   *From cache or snapshot*: boma's copy. *Statement*: boma's 503, for want of room, because the origin failed, or by the
//!   posture. *Refused by mistake*: 429, 403, or a challenge that could not be got past; whoever is refused here is no
//!   attacker. *No answer*: none within 15 s, or half of one.
//! * challenged on the way: pages and forms that met a challenge. *By mistake*: although the citizen had worked one out in
//!   this visit already, or in a posture that does not demand one of this request (then a limit did that neighbours had used
//!   up). The posture is asked for four times a second; where it moves, either side counts as its demand.
//! * citizens: visits with at least one page in the flood, and of those, with at least one such thing. *Refused
//!   something*: a page, a form or a part of a page.
//! * parts of pages: style sheets, scripts, images; browsers keep them, half of the citizens have some from before.
//! * forms: every second visit ends with one. *Not even got to see*: the page with the form did not come in full. *Sent*:
//!   POST of a form that the citizen had open. *Received* is the origin's own word, *said so* that its answer came
//!   back. *Lost*: the origin never got it. *To be sent again by hand*: a challenge stood in its way, and the page asks the
//!   citizen to send the form again (which they do, here). Where boma says that nothing was done they try once more.
//! * in line: pages before which there was a place in the waiting room. A citizen keeps it, asks as the page's script does,
//!   and stays for two minutes; *gave up* after that, or at the end of the run. The line's own time is a row of its own.
//! * page in full, as a copy: milliseconds from the request to the answer's first byte, all rounds of a challenge added up,
//!   without the line's own slowness and without the time that working a challenge out takes; median and 99 %.
//! * attack: sent; *answered within 15 s*; *reached the origin* by the origin's own count (with a pass; as
//!   programs, that is, as `curl` and its like), *served* in one of its slots; the rest by boma's answer. *Passes that bots got*: one bot in twenty solves, with solutions worked out beforehand.
//! * CPU µs a flood request: boma's user and system time in the flood, less what it took for citizens alone in the ten
//!   seconds before, for each attacking request. *Bytes out*: head and body, for each that was answered. *Memory*:
//!   resident, just before the flood, the most in it, ten seconds after all is over. *Posture*: when it moved, from the
//!   flood's beginning.
//! * filing, information: the same pages and forms by the class of their routes; the forms are filing.
//! * page before anybody came: the same pages, four at once, by way of what stands before the origin and before citizens come; and the
//!   99 % of the flood in times of its.
//! * origin: asked and served for everybody, boma's own fetches too. *Can serve*: what it gave before to whoever asked it directly, by
//!   one connection, two, four and so on, until twice as many got no more. *Knee*: as many at once as make that, by what one request alone
//!   takes (Little's law). *Served by the origin, of what it can*: citizens' share of that in the seconds in which it was alive.
//!   *Back in full service*: from the end of `--dies` until it served in two seconds 95 % of what it did in the ten before it died.
//! * counts: not where the generator is what was measured: less than 80 % of what was due was sent, one of its threads
//!   used more than 90 % of a core, other processes used 0.3 cores, citizens stayed out, or it was shorter than 60 s. Generator, origin and boma share
//!   the machine; where it has nothing left that is said.
//!
//! Without boma's cache 400/s of citizens are twice what the origin can serve: see the run without a flood.

#[path = "../common/mod.rs"]
mod common;

mod attacker;
mod checks;
mod citizen;
mod control;
mod house;
mod link;
mod origin;
mod peers;
mod people;
mod plot;
mod probe;
mod run;
mod solver;
mod table;
mod tally;

use std::ops::Range;
use std::path::PathBuf;

use attacker::Variant;
use clap::Parser;
use control::Level;
use house::Shield;
use run::Plan;

const RUNS: [&str; 7] = ["none", "normal", "guarded", "attack", "static", "closed", "auto"];
const PEERS: [&str; 2] = ["nginx", "haproxy"];

#[derive(Parser)]
#[command(about = "The reference flood: boma between citizens, attackers and an origin that can serve 200 requests/s")]
pub struct Options {
    /// Of normal, guarded, attack, static, closed, auto (the ladder by itself), none (no flood), and nginx or haproxy in
    /// boma's place: one, or several with commas between them, one after the other, a fresh house each
    #[arg(long, value_delimiter = ',', default_value = "auto", value_parser = [&RUNS[..], &PEERS].concat())]
    posture: Vec<String>,
    /// All of boma's, none first
    #[arg(long)]
    table: bool,
    #[arg(long, default_value = "reference")]
    variant: Variant,
    /// How long the flood lasts; the variant pulse wants 1080 or more
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=7200))]
    seconds: u64,
    /// How long citizens are alone before it
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(10..=600))]
    warm: u64,
    /// Attacking requests a second; 0: no flood
    #[arg(long, default_value_t = 10_000.0)]
    rate: f64,
    /// Citizens' requests a second, where all is well
    #[arg(long, default_value_t = 400.0)]
    citizens: f64,
    /// Requests a second that the origin can serve
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    capacity: u32,
    /// How many may wait at the origin before it answers 503
    #[arg(long, default_value_t = 480)]
    queue: u32,
    /// Rules to try; none: boma's own budgets and ladder
    #[arg(long)]
    rules: Option<PathBuf>,
    /// A file with more keys of the portal, such as max_in_flight = 100
    #[arg(long)]
    portal: Option<PathBuf>,
    /// Where boma writes its access log, to look into; else it goes to nowhere, formatted all the same
    #[arg(long)]
    log: Option<PathBuf>,
    /// Before `boma demo` as it comes, instead of settings that fit the flood's portal
    #[arg(long, conflicts_with_all = ["rules", "portal", "log"])]
    demo: bool,
    /// Keep the flood on for so many minutes, then ask what a preview still sees
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=120))]
    preview_after: Option<u64>,
    /// Minutes between the bots' passes and the flood, in the variant bots
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60))]
    age: u64,
    /// Seconds of the flood in which the origin is dead, such as 15-30,45-60
    #[arg(long, value_delimiter = ',', value_parser = span)]
    dies: Vec<Range<u64>>,
    /// A file for a picture (SVG): what became of citizens' pages and forms, second by second
    #[arg(long)]
    plot: Option<PathBuf>,
    /// text or json
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
    /// Cargo says this to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn seconds(&self) -> u64 {
        self.preview_after.map_or(self.seconds, |minutes| minutes * 60)
    }

    fn rules_text(&self) -> String {
        text_of(self.rules.as_ref())
    }

    fn portal_text(&self) -> String {
        text_of(self.portal.as_ref())
    }

    fn plans(&self) -> Vec<Plan> {
        let plan = |name: &str| {
            let of = |name: &str, posture, rate, shield| Plan { name: name.into(), posture, rate, shield };
            match name {
                "none" => of("no flood", Some(Level::Normal), 0.0, Shield::Boma),
                "nginx" => of(name, Some(Level::Normal), self.rate, Shield::Nginx),
                "haproxy" => of(name, Some(Level::Normal), self.rate, Shield::Haproxy),
                name => of(name, Level::named(name), self.rate, Shield::Boma),
            }
        };
        if self.table { RUNS.map(plan).into() } else { self.posture.iter().map(|p| plan(p)).collect() }
    }
}

/// `15-30`: from the fifteenth second on, up to the thirtieth.
fn span(text: &str) -> Result<Range<u64>, String> {
    let read = || {
        let (from, to) = text.split_once('-')?;
        Some(from.parse().ok()?..to.parse().ok()?)
    };
    read().filter(|r: &Range<u64>| !r.is_empty()).ok_or(format!("{text:?} is no span: write 15-30"))
}

fn text_of(file: Option<&PathBuf>) -> String {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).unwrap_or_else(|e| {
            eprintln!("{}: {e}", path.display());
            std::process::exit(2);
        })
    };
    file.map(read).unwrap_or_default()
}

fn main() {
    let options = Options::parse();
    let mut outcomes = Vec::new();
    for plan in options.plans() {
        if options.format == "text" {
            println!("{}: about {} s", plan.name, options.warm + 60 * options.age + options.seconds() + 55);
        }
        outcomes.push(run::run(&plan, &options));
    }
    if let Some(path) = &options.plot {
        std::fs::write(path, plot::plot(&outcomes, &options.dies)).expect("the picture is written");
    }
    match options.format.as_str() {
        "json" => println!("{}", serde_json::Value::from_iter(outcomes.iter().map(table::json))),
        _ => table::print(&outcomes),
    }
}
