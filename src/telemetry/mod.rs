//! What boma tells about itself: metrics by the table in [`metrics`], the access log, which drops and counts rather than
//! blocks, a sample of the last ten minutes, and readers of what stands in access logs.
//!
//! Does not know: what a request is, or why it ended as it did.

pub mod access;
pub mod metrics;
pub mod reading;
pub mod recent;
pub mod sketch;

pub use access::{AccessLog, Line};
pub use metrics::Metrics;
pub use recent::{Fact, Recent, Sampler};
