//! A picture of what became of citizens' pages and forms, second by second, a panel for each run: the columns are stacked, the lines
//! are what the origin served, what it can serve, and how many waited there.

use std::fmt::Write as _;
use std::ops::Range;

use crate::run::Outcome;
use crate::tally::FATES;

const WIDE: f64 = 900.0;
const HIGH: f64 = 150.0;
const LEFT: f64 = 50.0;
const PANEL: f64 = 200.0;
const FATE: [(&str, &str); FATES] = [
    ("in full", "#2a7f3f"),
    ("as a copy", "#8cc49a"),
    ("told what is going on", "#e0b040"),
    ("refused", "#c05020"),
    ("error or no answer", "#303030"),
];

const LINES: [(&str, &str); 3] =
    [("served by the origin", "#1040c0"), ("what it can serve", "#70a0ff"), ("waiting at the origin", "#b020b0")];

pub fn plot(outcomes: &[Outcome], dies: &[Range<u64>]) -> String {
    let tall = 60.0 + PANEL * outcomes.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{tall}\" font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        w = LEFT + WIDE + 20.0
    );
    for (n, (name, colour)) in FATE.iter().enumerate() {
        let x = LEFT + 170.0 * n as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"8\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"18\">{name}</text>",
            x + 16.0
        );
    }
    for (n, (name, colour)) in LINES.iter().enumerate() {
        let x = LEFT + 170.0 * n as f64;
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{}\" y1=\"32\" y2=\"32\" stroke=\"{colour}\"/><text x=\"{}\" y=\"36\">{name}</text>",
            x + 12.0,
            x + 16.0
        );
    }
    for (n, outcome) in outcomes.iter().enumerate() {
        panel(&mut svg, outcome, dies, 60.0 + PANEL * n as f64);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, outcome: &Outcome, dies: &[Range<u64>], top: f64) {
    let seconds = outcome.seconds.ceil().max(1.0) as usize;
    let fates: Vec<[u32; FATES]> =
        (0..seconds).map(|s| outcome.tally.fates.get(outcome.began + s).copied().unwrap_or_default()).collect();
    let served: Vec<(f64, f64)> =
        outcome.served.windows(5).map(|w| (w[4].0, (w[4].1 - w[0].1) as f64 / (w[4].0 - w[0].0).max(0.001))).collect();
    let sums = fates.iter().map(|f| f64::from(f.iter().sum::<u32>()));
    let most = sums.chain(served.iter().map(|s| s.1)).fold(10.0, f64::max);
    let most = outcome.waited.iter().map(|(_, n)| *n as f64).fold(most.max(outcome.can.a_second), f64::max);
    let (x, y) = (|s: f64| LEFT + WIDE * s / seconds as f64, |n: f64| top + HIGH - HIGH * n / most);
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text><text x=\"4\" y=\"{}\">{most:.0}/s</text><text x=\"4\" y=\"{}\">0</text>",
        top - 4.0,
        outcome.name,
        top + 10.0,
        top + HIGH
    );
    for dead in dies {
        let (from, to) = (x(dead.start as f64), x((dead.end as f64).min(seconds as f64)));
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{HIGH}\" fill=\"#f3d6d6\"/>",
            to - from
        );
    }
    for (s, fate) in fates.iter().enumerate() {
        let mut below = 0.0;
        for (n, (_, colour)) in fate.iter().zip(FATE) {
            let above = below + f64::from(*n);
            if above > below {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                    x(s as f64),
                    y(above),
                    WIDE / seconds as f64 * 0.9,
                    y(below) - y(above)
                );
            }
            below = above;
        }
    }
    let line: String = served.iter().map(|(at, n)| format!("{:.1},{:.1} ", x(*at), y(*n))).collect();
    let waited: String = outcome.waited.iter().map(|(at, n)| format!("{:.1},{:.1} ", x(*at), y(*n as f64))).collect();
    let can = format!("{LEFT},{0:.1} {1},{0:.1}", y(outcome.can.a_second), LEFT + WIDE);
    for (points, (_, colour)) in [line, can, waited].iter().zip(LINES) {
        let _ = writeln!(svg, "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\"/>");
    }
    // When it was in full service again.
    for at in dies.iter().zip(&outcome.back).filter_map(|(dead, back)| Some(dead.end as f64 + (*back)?)) {
        let _ = writeln!(
            svg,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{top}\" y2=\"{1}\" stroke=\"#2a7f3f\" stroke-dasharray=\"4 3\"/>",
            x(at),
            top + HIGH
        );
    }
    for (at, level, _) in &outcome.moves {
        let _ = writeln!(
            svg,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{top}\" y2=\"{1}\" stroke=\"#888\"/><text x=\"{0:.1}\" y=\"{2}\">{3}</text>",
            x(*at),
            top + HIGH,
            top + HIGH + 14.0,
            level.name()
        );
    }
}
