//! How citizens were served, by day: plain sums and the shares that people are told.
//!
//! Does not know: requests, who counts, what pages look like.

use serde::{Deserialize, Serialize};

/// What is counted, as `status.json` and reports say it beside their figures.
pub const DEFINITION: &str = "Requests of citizens, as far as they can be told from robots: those with a pass that is at least \
ten minutes old or came from a check or an access code, unless its holder made more requests than one visitor may or far more passes \
than usual were made in the same minute; and while a portal's posture is normal also all without such a pass that no rule, limit or ban sent \
away, and of those that were told to come again who came with some pass. Parts of pages, robots that say so, boma's own paths other than checks that were passed, what was malformed and what its sender \
gave up do not count. delayed: checked first, or told to come again; refused: got neither the service nor a copy of it.";

/// How a citizen's request fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fare {
    /// The origin's own answer.
    Full,
    /// A dated copy.
    Copies,
    /// Checked first, or sent to wait.
    Delayed,
    /// Neither the service nor a copy.
    Refused,
}

impl Fare {
    pub const ALL: [Fare; 4] = [Fare::Full, Fare::Copies, Fare::Delayed, Fare::Refused];
    pub const NAMES: [&str; 4] = ["full", "copies", "delayed", "refused"];

    pub fn as_str(self) -> &'static str {
        Fare::NAMES[self as usize]
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    pub full: u64,
    pub copies: u64,
    pub delayed: u64,
    pub refused: u64,
}

impl Served {
    pub fn add(&mut self, fare: Fare, n: u64) {
        let place = match fare {
            Fare::Full => &mut self.full,
            Fare::Copies => &mut self.copies,
            Fare::Delayed => &mut self.delayed,
            Fare::Refused => &mut self.refused,
        };
        *place = place.saturating_add(n);
    }

    pub fn all(&self) -> [u64; 4] {
        [self.full, self.copies, self.delayed, self.refused]
    }

    pub fn requests(&self) -> u64 {
        self.all().iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    pub fn with(mut self, other: &Served) -> Served {
        Fare::ALL.into_iter().zip(other.all()).for_each(|(fare, n)| self.add(fare, n));
        self
    }

    /// In thousandths, which together are a thousand: what went wrong is never rounded away. `None`: nobody came.
    pub fn shares(&self) -> Option<[u32; 4]> {
        shares(self.all())
    }
}

/// In thousandths, which together are a thousand. The worst stands last: it is what must not be hidden where roundings would
/// take more than there is. What roundings leave is the first's of those that are there. `None`: there is nothing.
pub fn shares<const N: usize>(numbers: [u64; N]) -> Option<[u32; N]> {
    let all = numbers.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
    let first = numbers.iter().position(|n| *n > 0)?;
    let share = |n: u64| if n == 0 { 0 } else { ((n as f64 * 1000.0 / all as f64).round() as u32).max(1) };
    let (mut told, mut rest) = (numbers.map(share), 1000);
    for share in told.iter_mut().rev() {
        *share = (*share).min(rest);
        rest -= *share;
    }
    told[first] += rest;
    Some(told)
}

/// One portal's day, by the portal's own calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// "2026-11-27".
    pub date: String,
    /// It is over.
    pub whole: bool,
    #[serde(flatten)]
    pub served: Served,
}

/// "99.8 %", in thousandths as [`Served::shares`] gives them.
pub fn percent(thousandths: u32) -> String {
    format!("{}.{}\u{a0}%", thousandths / 10, thousandths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_a_thousand_and_hide_nothing() {
        let shares = |full, copies, delayed, refused| Served { full, copies, delayed, refused }.shares();
        assert_eq!(shares(0, 0, 0, 0), None);
        assert_eq!(shares(7, 0, 0, 0), Some([1000, 0, 0, 0]));
        assert_eq!(shares(1_000_000, 0, 0, 1), Some([999, 0, 0, 1]), "one of a million");
        assert_eq!(shares(0, 0, 0, 9), Some([0, 0, 0, 1000]));
        assert_eq!(shares(0, 1, 1, 1_000_000), Some([0, 0, 0, 1000]), "nor is the worst made less");
        assert_eq!(shares(600, 300, 70, 30), Some([600, 300, 70, 30]));
        for n in 1..500u64 {
            let all = shares(n, n / 3, n * 7 % 13, n % 5).unwrap();
            assert_eq!(all.iter().sum::<u32>(), 1000);
        }
        assert_eq!(percent(998), "99.8\u{a0}%");
        assert_eq!(super::shares([0, 1, 1, 1, 0]), Some([0, 334, 333, 333, 0]), "nothing is a share of nobody");
        assert_eq!(super::shares([0u64; 3]), None);
    }
}
