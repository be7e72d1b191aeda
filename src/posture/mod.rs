//! The posture ladder: what each step does ([`read_ladder`], a file), and where the house stands ([`Standing`]).
//!
//! Does not know: requests, who may pin a posture, signals of load.

mod ladder;
mod standing;

pub use ladder::{BUILT_IN, read_ladder};
pub use standing::{Expired, Pin, Standing};
