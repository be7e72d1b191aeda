//! Who asks, with what, and what they are told.
//!
//! Does not know: the line.

use super::pace::Estimate;

/// Whose place it is.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// By which a pass is known again.
    pub id: u128,
    /// What the passes have in common that anybody may have many of; `None` for a pass with a budget of its own.
    pub crowd: Option<u64>,
    /// The pass has cost nothing, so that it is worth a place in a short line only.
    pub free: bool,
    /// It is used as people read: then others wait behind it.
    pub reads: bool,
}

/// What a holder brought along: their arrival, and when the place was renewed. Sealed by boma, so it is believed.
#[derive(Clone, Copy, Debug)]
pub struct Came {
    pub minute: u32,
    pub nth: u32,
    pub renewed: u64,
}

/// A holder who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub holder: Holder,
    pub with: Option<Came>,
    /// They go in if they may; else they only look and stay.
    pub enters: bool,
    /// They stay if they may not go in: a place is made or renewed.
    pub stays: bool,
    /// A rule has them wait, and not the gate: who comes to the gate otherwise need not wait behind them.
    pub by_rule: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Turn {
    /// Their visit goes on, or begins now: then `used` says that a place was used for it.
    In {
        used: bool,
    },
    Waits(Waits),
    /// It is not their turn, and they did not want to stay.
    Out,
    /// There is no room for another place, of this holder's kind or at all; or theirs is another pass's now.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waits {
    pub minute: u32,
    pub nth: u32,
    /// How many come first, and this one: from 1. 0: it is their turn.
    pub place: u32,
    pub estimate: Option<Estimate>,
    /// Seconds until a press of the button counts.
    pub press_in: u64,
    /// Nobody is called for now.
    pub still: bool,
    /// The place was made just now.
    pub new: bool,
}

/// What a beat did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    pub called: u32,
    pub lapsed: u32,
}
