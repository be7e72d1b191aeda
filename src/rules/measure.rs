//! Measures: a rule or limit of staff's, laid over the file for a while.
//!
//! Does not know: who may lay one, where they are kept.

use serde::{Deserialize, Serialize};

/// A measure as it is kept. Its end, reason and owner stand beside its text, never in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    pub name: String,
    /// One `[[rule]]` or `[[limit]]` in TOML.
    pub text: String,
    /// Seconds since the Unix epoch, as all times here.
    pub since: u64,
    pub until: u64,
    pub reason: String,
    pub owner: String,
    /// Who laid it or moved its end last.
    pub by: String,
    /// Laid although it was said to harm citizens or staff: it is not taken back for that.
    #[serde(default)]
    pub forced: bool,
}
