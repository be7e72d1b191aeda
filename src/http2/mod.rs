//! HTTP/2 pieces that both sides of boma need, over the h2 crate: field maps, bodies in and out, and a stream as a
//! byte pipe for RFC 8441.
//!
//! Does not know: connections, which side it serves.

mod body;
mod pipe;

pub use body::{Inbound, Sender, map};
pub use pipe::Pipe;
