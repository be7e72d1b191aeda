//! The challenge and the pass: [`Challenge::check`] mints the proof that a request may go on, [`Challenge::issue`]
//! seals a puzzle without remembering it, [`Challenge::solve`] turns its solution into a pass.
//!
//! [`Forms`] seals a form into the page that stands before it.
//!
//! Nothing is kept per challenge: all that the server must know again is inside the seal. A pass takes its identity
//! from the challenge, so a solution sent twice gives one budget, not two, on every node that shares the secret.
//!
//! Does not know: pages, cookies, rules, who gets how many.

mod code;
mod form;
mod keys;
mod pass;
mod puzzle;
mod work;

use std::time::Duration;

pub use code::{CODE_WIDTH, Code, Codes, spell};
pub use form::{FIELDS as FORM_FIELDS, Form, Forms, Room, Tie, Turn};
use keys::Epochs;
pub use pass::PASS_WIDTH;
pub use puzzle::{SEAL_WIDTH, asked, work};
pub use work::{Demand, Work};

use crate::bounds;
use crate::client::Prefix;
use crate::facts::{self, Lane, Pass};
use crate::proofs::Cleared;
use crate::seal::{self, Key, Secret};

pub struct Challenge {
    keys: Epochs,
    /// A key of its own, so that a change of the seals' keys logs nobody out.
    pass_key: Key,
    lifetime: u64,
}

/// What a challenge asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The level of the pass that it gives.
    pub level: u8,
    pub work: Work,
    /// Seconds that who sends no work waits at least.
    pub wait: u8,
    /// The mark of the browser that may solve it ([`facts::browser`]).
    pub browser: u32,
}

/// Who sends a solution.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    pub prefix: Prefix,
    pub browser: u32,
}

/// Why a solution is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsolved {
    /// Not boma's seal, or altered.
    Forged,
    /// Older than [`crate::bounds::CHALLENGE_LIFE`].
    Expired,
    /// The work does not solve it.
    Wrong,
    /// It was given to another browser.
    Foreign,
    /// No work, and so many seconds of waiting are left.
    Early(u8),
}

impl Challenge {
    pub fn new(secret: &Secret, lifetime: Duration) -> Challenge {
        Challenge { keys: Epochs::new(secret), pass_key: secret.key("boma pass v1"), lifetime: lifetime.as_secs() }
    }

    /// Whether a request that needs a pass of level `needed` may go on.
    pub fn check(needed: u8, pass: Option<&Pass>) -> Option<Cleared> {
        (pass.map_or(0, |p| p.level) >= needed).then(Cleared::assertion)
    }

    /// Writes a sealed puzzle, exactly [`SEAL_WIDTH`] characters. Without randomness from the system the seal is
    /// void and solving it fails: closed, not open.
    pub fn issue(&self, ask: &Ask, now_unix: u64, out: &mut [u8]) {
        puzzle::issue(&self.keys, ask, now_unix, out);
    }

    /// Checks the work on a seal, or where there is none the wait, and makes the pass.
    ///
    /// # Errors
    /// [`Unsolved`], with nothing spent or kept.
    pub fn solve(&self, seal: &[u8], work: &[u8], asker: &Asker, now_unix: u64) -> Result<Pass, Unsolved> {
        let opened = puzzle::open(&self.keys, seal, now_unix).map_err(|why| match why {
            puzzle::Sealed::Forged => Unsolved::Forged,
            puzzle::Sealed::Expired => Unsolved::Expired,
        })?;
        if opened.browser != asker.browser {
            return Err(Unsolved::Foreign);
        }
        let lane = if work.is_empty() { Lane::Button } else { Lane::Script };
        let waited = now_unix.saturating_sub(opened.issued);
        match lane {
            Lane::Button if waited < u64::from(opened.wait) => {
                return Err(Unsolved::Early(opened.wait.saturating_sub(waited as u8)));
            }
            Lane::Script if !puzzle::solved(seal, opened.work, work) => return Err(Unsolved::Wrong),
            _ => {}
        }
        let id = u128::from_le_bytes(self.pass_key.mac(&[b"id", &opened.nonce]));
        Ok(self.made(id, opened.level, lane, opened.issued, asker, now_unix))
    }

    /// A pass of the lowest level for whoever comes while all is quiet; `None` without randomness from the system.
    pub fn quiet(&self, asker: &Asker, now_unix: u64) -> Option<Pass> {
        let mut id = [0; 16];
        seal::random(&mut id).then(|| self.made(u128::from_le_bytes(id), 0, Lane::Quiet, now_unix, asker, now_unix))
    }

    /// The pass of an access code: one for all who use it, at home everywhere, and no longer than the code.
    pub fn coded(&self, code: &Code, asker: &Asker, now_unix: u64) -> Pass {
        let made = self.made(code.id, bounds::CODE_LEVEL, Lane::Code, now_unix, asker, now_unix);
        Pass { expires: made.expires.min(code.ends), home: code.ends as u32, ..made }
    }

    fn made(&self, id: u128, level: u8, lane: Lane, born: u64, asker: &Asker, now_unix: u64) -> Pass {
        let (home, browser) = (facts::home(asker.prefix), asker.browser);
        Pass { id, level, lane, born, expires: now_unix + self.lifetime, home, browser }
    }

    /// A pass as the text of a cookie.
    pub fn seal_pass(&self, pass: &Pass) -> String {
        pass::seal(&self.pass_key, pass)
    }

    /// Opens the text of a cookie; `None` where it is not ours, altered or long out of date. It may have ended within
    /// [`crate::bounds::PASS_GRACE`].
    pub fn open_pass(&self, text: &[u8], now_unix: u64) -> Option<Pass> {
        pass::open(&self.pass_key, text, now_unix)
    }

    /// The pass with its life begun anew, once a quarter of it is used: not on every answer, so that most stay free
    /// of a cookie. It is at home from then on where it is used.
    pub fn renew(&self, pass: &Pass, prefix: Prefix, now_unix: u64) -> Option<Pass> {
        let left = pass.expires.saturating_sub(now_unix);
        let (renews, anew) = (left < self.lifetime - self.lifetime / 4, now_unix + self.lifetime);
        if pass.lane == Lane::Code {
            // What staff gave out ends when they said.
            let expires = anew.min(u64::from(pass.home));
            return (renews && expires > pass.expires).then_some(Pass { expires, ..*pass });
        }
        // Who shares a budget with others of a prefix goes on sharing that one.
        let moves = !matches!(pass.lane, Lane::Button | Lane::Shared);
        let home = if moves { facts::home(prefix) } else { pass.home };
        renews.then_some(Pass { expires: anew, home, ..*pass })
    }

    pub fn lifetime(&self) -> u64 {
        self.lifetime
    }
}

#[cfg(test)]
mod tests;
