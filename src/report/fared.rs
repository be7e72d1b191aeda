//! How citizens fared: what is known of it, and how it is told.
//!
//! Does not know: totals.

use serde::Serialize;

use super::blocks::Block::{self, Heading, Table, Text};
use super::draft::{Pen, number, share, times};
use super::{At, HURT};
use crate::bounds;
use crate::uptime::Served;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Citizens {
    pub definition: &'static str,
    #[serde(flatten)]
    pub fared: Fared,
    pub classes: Vec<(String, Fared)>,
    /// In the minutes of the rush alone; where none is known, in those of raised protection.
    pub hard: Hard,
    /// Minutes with a posture above its foot, and such in which many citizens were turned away.
    pub minutes_risen: u64,
    pub minutes_hurt: u64,
    /// The minute with the least share served in full at once; `None`: none came, or all were.
    pub worst: Option<Worst>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hard {
    pub minutes: u64,
    /// Those of them in which no request counts as a citizen's, because nobody could be told from robots.
    pub blind: u64,
    pub fared: Fared,
    /// Of whoever had a pass, robots too.
    pub passes: Fared,
}

/// Requests by how they fared, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fared {
    /// As `status.json` has it.
    #[serde(flatten)]
    pub served: Served,
    /// Of `copies` those that were fresh, out of the cache.
    pub cached: u64,
    /// Of `delayed` those by which a check was passed, and those that were told to come again; the others were given a check.
    pub passed_check: u64,
    pub come_again: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Worst {
    pub at: At,
    #[serde(flatten)]
    pub fared: Fared,
}

/// Heads of the parts, as [`Fared::parts`] has them.
const PARTS: [&str; 7] = [
    "In full",
    "In full, out of the cache",
    "From a dated copy",
    "Passed a check first",
    "Given a check",
    "Told to come again",
    "Refused, or failed",
];
/// Parts that a table shows where they are nought as well.
const ALWAYS: [usize; 4] = [0, 2, 5, 6];

impl Fared {
    pub fn with(self, other: &Fared) -> Fared {
        Fared {
            served: self.served.with(&other.served),
            cached: self.cached + other.cached,
            passed_check: self.passed_check + other.passed_check,
            come_again: self.come_again + other.come_again,
        }
    }

    /// The best first; together they are all.
    fn parts(&self) -> [u64; 7] {
        let Served { full, copies, delayed, refused } = self.served;
        let checked = delayed.saturating_sub(self.passed_check + self.come_again);
        let copies = copies.saturating_sub(self.cached);
        [full, self.cached, copies, self.passed_check, checked, self.come_again, refused]
    }

    /// Served in full at once.
    pub fn at_once(&self) -> u64 {
        self.served.full + self.cached
    }

    /// Neither served at once nor after a check.
    pub fn turned_away(&self) -> u64 {
        self.served.refused + self.come_again
    }

    fn share(&self, n: u64) -> String {
        share(n, self.served.requests())
    }

    /// In few words. `None`: nobody came.
    pub fn in_short(&self) -> Option<String> {
        let [full, cached, copies, passed, checked, again, refused] = self.parts();
        let told = [
            (full + cached, "answered in full at once"),
            (copies, "answered from dated copies"),
            (passed + checked, "checked first"),
            (again, "told to come again"),
            (refused, "refused, or failed"),
        ];
        let told = told.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} were {what}", self.share(*n)));
        (self.served.requests() > 0).then(|| told.collect::<Vec<_>>().join(", "))
    }

    /// In one sentence with shares. `None`: nobody came.
    pub fn told(&self) -> Option<String> {
        if self.served.requests() == 0 {
            return None;
        }
        let [full, cached, copies, passed, checked, again, refused] = self.parts();
        let mut says = format!(
            "{} were answered at once ({} in full, {} from dated copies)",
            self.share(full + cached + copies),
            self.share(full + cached),
            self.share(copies)
        );
        for (n, what) in [(passed, "had to pass a check first, and passed it"), (checked, "were given a check")] {
            if n > 0 {
                says.push_str(&format!("; {} {what}", self.share(n)));
            }
        }
        if again > 0 {
            says.push_str(&format!(
                "; {} ({}) were told to come again, and whether they got in later is not counted",
                self.share(again),
                number(again)
            ));
        }
        says.push_str(&match refused {
            0 => "; none was refused or failed".to_owned(),
            n => format!("; {} ({}) were refused, or failed", self.share(n), number(n)),
        });
        Some(says)
    }

    /// What became of those that were not served in full at once.
    fn others(&self) -> String {
        let [_, _, copies, passed, checked, again, refused] = self.parts();
        let mut says = vec![format!("{} got a dated copy", number(copies))];
        for (n, what) in [(passed, "had to pass a check first, and passed it"), (checked, "were given a check")] {
            if n > 0 {
                says.push(format!("{} {what}", number(n)));
            }
        }
        says.push(format!("{} were told to come again", number(again)));
        says.push(format!("{} were refused, or failed", number(refused)));
        says.join(", ")
    }
}

impl Pen<'_> {
    pub(super) fn citizens(&self) -> Vec<Block> {
        let citizens = &self.report.citizens;
        let all = citizens.fared.parts();
        let shown: Vec<usize> = (0..PARTS.len()).filter(|part| ALWAYS.contains(part) || all[*part] > 0).collect();
        let row = |name: &str, fared: &Fared| {
            let cells = shown.iter().map(|part| {
                let n = fared.parts()[*part];
                format!("{} ({})", number(n), fared.share(n))
            });
            [name.to_owned()].into_iter().chain(cells).collect::<Vec<String>>()
        };
        let rows = citizens.classes.iter().map(|(class, fared)| row(class, fared));
        let head = ["Class of service"].into_iter().chain(shown.iter().map(|part| PARTS[*part])).collect();
        let (checks, passed) = (self.of("challenged").0, self.of("solved").0);
        vec![
            Heading("What it meant for citizens"),
            Text(format!(
                "Facts, from the totals of each minute. Counted are requests, not people, by this definition: {}",
                citizens.definition
            )),
            Table(head, rows.chain([row("all", &citizens.fared)]).collect()),
            Text(format!(
                "Told to come again is who got a place in the waiting room, or was asked to try again because the portal had no room. Whoever asks again counts again, each time. Whether and when they got in is not counted. In {} {HURT} % or more of citizens' requests were refused, failed or told to come again (where no request of a minute counts as a citizen's: of those with a pass); in {} protection was raised.",
                times(citizens.minutes_hurt, "minute"),
                times(citizens.minutes_risen, "minute")
            )),
            Text(self.hard().unwrap_or_else(|| "Protection was not raised, and not more than usual came.".into())),
            Text(format!("Worst minute for citizens, of those in which any count: {}", self.worst())),
            Text(format!(
                "Not among these figures: while protection is raised, whoever comes without a pass is not counted as a citizen before a check is passed; and before it is raised, whoever was told to come again and had no pass yet. Of all who came, citizens or not, {} requests were given a check, and {} checks were passed. How many people gave up at one is not counted.",
                number(checks),
                number(passed)
            )),
        ]
    }

    fn worst(&self) -> String {
        let citizens = &self.report.citizens;
        let Some(Worst { at, fared }) = citizens.worst else {
            return match citizens.fared.served.requests() {
                0 => "not known, because no request is known to have been a citizen's.".into(),
                _ => "none; in every minute all of their requests were served in full at once.".into(),
            };
        };
        format!(
            "that from {} ({}). {} of {} requests were served in full at once ({}); of the others {}. It is the minute with the least share served in full at once, of those with {} of citizens' requests or more where there is one.",
            self.utc(at),
            self.local(at),
            number(fared.at_once()),
            number(fared.served.requests()),
            fared.share_at_once(),
            fared.others(),
            bounds::REPORT_WORST
        )
    }

    /// For the summary.
    pub(super) fn worst_in_short(&self) -> Option<String> {
        let Worst { at, fared } = self.report.citizens.worst?;
        Some(format!(
            "In the worst minute for them, from {}, {} of {} requests were served in full at once, {} were told to come again, {} were refused, or failed.",
            self.clock(at),
            fared.share_at_once(),
            number(fared.served.requests()),
            number(fared.come_again),
            number(fared.served.refused)
        ))
    }
}

impl Fared {
    fn share_at_once(&self) -> String {
        self.share(self.at_once())
    }
}

impl Pen<'_> {
    /// How citizens fared while it was hard; where none could be told, how those did who had a pass.
    pub(super) fn hard(&self) -> Option<String> {
        let Hard { minutes, blind, fared, passes } = self.report.citizens.hard;
        if minutes == 0 {
            return None;
        }
        let long = times(minutes, "minute");
        let when =
            if self.report.traffic.rush.is_some() { "far more than usual came" } else { "protection was raised" };
        let mut says = match fared.in_short() {
            Some(told) => format!(
                "While {when} ({long}), {} requests count as citizens': {told}.",
                number(fared.served.requests())
            ),
            None => format!("While {when} ({long}), no request counts as a citizen's."),
        };
        if let Some(told) = passes.in_short().filter(|_| blind > 0) {
            says.push_str(&format!(
                " In {} of these minutes none does, because nobody could be told from robots; of all {} requests with a pass in the {long}, robots' among them and boma's own pages other than passed checks left out, {told}.",
                number(blind),
                number(passes.served.requests())
            ));
        }
        Some(says)
    }
}
