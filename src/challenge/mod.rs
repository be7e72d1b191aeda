//! The challenge and the pass: [`Challenge::check`] mints the proof that a request may go on, [`Challenge::issue`]
//! seals a puzzle without remembering it, [`Challenge::solve`] turns its solution into a pass.
//!
//! [`Forms`] seals a form into the page that stands before it.
//!
//! Nothing is kept per challenge: all that the server must know again is inside the seal. A pass takes its identity
//! from the challenge, so a solution sent twice gives one budget, not two.
//!
//! Does not know: pages, cookies, rules.

mod form;
mod puzzle;

use std::time::Duration;

pub use form::{FIELDS as FORM_FIELDS, Form, Forms, Room, Tie, Turn};
pub use puzzle::{SEAL_WIDTH, Work, work};

use crate::bounds;
use crate::facts::Pass;
use crate::proofs::Cleared;
use crate::seal::{self, Key, Secret};

/// Characters of a pass's text form.
pub const PASS_WIDTH: usize = 56;
const VERSION: u8 = 1;

pub struct Challenge {
    seal_key: Key,
    /// A key of its own, so that a change of the seals' key logs nobody out.
    pass_key: Key,
    lifetime: u64,
}

/// Why a solution is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsolved {
    /// Not boma's seal, or altered.
    Forged,
    /// Older than [`bounds::CHALLENGE_LIFE`].
    Expired,
    /// The work does not solve it.
    Wrong,
}

impl Challenge {
    pub fn new(secret: &Secret, lifetime: Duration) -> Challenge {
        Challenge {
            seal_key: secret.key("boma challenge seal v1"),
            pass_key: secret.key("boma pass v1"),
            lifetime: lifetime.as_secs(),
        }
    }

    /// Whether a request that needs a pass of level `needed` may go on.
    pub fn check(needed: u8, pass: Option<&Pass>) -> Option<Cleared> {
        (pass.map_or(0, |p| p.level) >= needed).then(Cleared::assertion)
    }

    /// Writes a sealed puzzle, exactly [`SEAL_WIDTH`] characters. Without randomness from the system the seal is
    /// void and solving it fails: closed, not open.
    pub fn issue(&self, level: u8, work: Work, now_unix: u64, out: &mut [u8]) {
        puzzle::issue(&self.seal_key, level, work, now_unix, out);
    }

    /// Checks the work on a seal and makes the pass.
    ///
    /// # Errors
    /// [`Unsolved`], with nothing spent or kept.
    pub fn solve(&self, seal: &[u8], work: &[u8], now_unix: u64) -> Result<Pass, Unsolved> {
        let opened = puzzle::open(&self.seal_key, seal).ok_or(Unsolved::Forged)?;
        let age = now_unix.checked_sub(opened.issued).ok_or(Unsolved::Forged)?;
        if age > bounds::CHALLENGE_LIFE.as_secs() {
            return Err(Unsolved::Expired);
        }
        if !puzzle::solved(seal, opened.work, work) {
            return Err(Unsolved::Wrong);
        }
        let id = u128::from_le_bytes(self.pass_key.mac(&[b"id", &opened.nonce]));
        Ok(Pass { id, level: opened.level, born: opened.issued, expires: now_unix + self.lifetime })
    }

    /// A pass as the text of a cookie.
    pub fn seal_pass(&self, pass: &Pass) -> String {
        let mut bytes = [0; 42];
        bytes[0] = VERSION;
        bytes[1] = pass.level;
        bytes[2..18].copy_from_slice(&pass.id.to_le_bytes());
        bytes[18..22].copy_from_slice(&(pass.born as u32).to_le_bytes());
        bytes[22..26].copy_from_slice(&(pass.expires as u32).to_le_bytes());
        let mac = self.pass_key.mac(&[&bytes[..26]]);
        bytes[26..].copy_from_slice(&mac);
        seal::base64(&bytes)
    }

    /// Opens the text of a cookie; `None` where it is not ours, altered or out of date.
    pub fn open_pass(&self, text: &[u8], now_unix: u64) -> Option<Pass> {
        let mut bytes = [0; 42];
        seal::unbase64(text, &mut bytes)?;
        let (body, mac) = bytes.split_at(26);
        if body[0] != VERSION || !self.pass_key.holds(&[body], mac) {
            return None;
        }
        let number = |at: usize| u64::from(u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]));
        let mut id = [0; 16];
        id.copy_from_slice(&body[2..18]);
        let pass = Pass { level: body[1], id: u128::from_le_bytes(id), born: number(18), expires: number(22) };
        (pass.expires > now_unix).then_some(pass)
    }

    /// The pass with its life begun anew, once a quarter of it is used: not on every answer, so that most stay free
    /// of a cookie.
    pub fn renew(&self, pass: &Pass, now_unix: u64) -> Option<Pass> {
        let left = pass.expires.saturating_sub(now_unix);
        (left < self.lifetime - self.lifetime / 4).then(|| Pass { expires: now_unix + self.lifetime, ..*pass })
    }

    pub fn lifetime(&self) -> u64 {
        self.lifetime
    }
}

#[cfg(test)]
mod tests;
