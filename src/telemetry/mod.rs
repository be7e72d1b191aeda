//! What boma tells about itself: metrics by the table in [`metrics`], and the access log, which drops and counts
//! rather than blocks.
//!
//! Does not know: what a request is, or why it ended as it did.

pub mod access;
pub mod metrics;

pub use access::{AccessLog, Line};
pub use metrics::Metrics;
