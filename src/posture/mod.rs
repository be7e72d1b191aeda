//! The posture ladder: what each step does ([`read_ladder`], a file), where the house stands ([`Standing`]), and how it
//! climbs by itself ([`Climber`]) on what it hears ([`Signals`]); and whether the origin fails citizens ([`Plight`]).
//!
//! Does not know: requests, who may pin a posture.

mod baseline;
mod climb;
mod ladder;
mod plight;
mod signals;
mod standing;

pub use baseline::Baseline;
pub use climb::Climber;
pub use ladder::{BUILT_IN, read_ladder};
pub use plight::Plight;
pub use signals::{Ears, Sample, Signals, origin_of};
pub use standing::{Expired, Pin, Standing};
