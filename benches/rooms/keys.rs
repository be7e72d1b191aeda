//! Ten million keys against the bounded table of buckets.

pub fn keys() {}
