//! What boma tells about itself: metrics by the table in [`metrics`], the access log, which drops and counts rather than
//! blocks, a sample of the last ten minutes, totals of each minute, what minutes under an attack were made of, the [`feed`] of what changes, and readers of access logs.
//!
//! Does not know: what a request is, or why it ended as it did.

pub mod access;
pub mod feed;
pub mod metrics;
pub mod reading;
pub mod recent;
pub mod seen;
pub mod sketch;
pub mod totals;

pub use access::{AccessLog, Line};
pub use feed::{Feed, Kind};
pub use metrics::Metrics;
pub use recent::{Fact, Fate, Recent, Sampler};
pub use totals::{Outcome, Registers, Totals};
