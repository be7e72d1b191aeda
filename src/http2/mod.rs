//! HTTP/2 pieces that both sides of boma need, over the h2 crate: field maps, bodies in and out, and a stream as a
//! byte pipe for RFC 8441.
//!
//! Does not know: connections, which side it serves.

mod body;
mod pipe;

use std::cell::Cell;
use std::rc::Rc;

/// How many pieces went out as they were handed over, not cut by the other side's window.
pub type Pieces = Rc<Cell<u32>>;

pub use body::{Inbound, Sender, append, map, put};
pub use pipe::Pipe;
