//! HTTP/1 as RFC 9112 writes it, for both sides of boma: heads, framing, and a buffered connection. httparse finds
//! the parts; what it lets pass and another reader might take otherwise is refused here. Whatever is ambiguous is a
//! fault, never a guess.
//!
//! Does not know: which side it serves, what a request is for.

mod body;
mod fields;
mod framing;
mod head;
mod link;
mod write;

pub use body::{BodyFault, Decoder, Framing, Step, last_chunk, may_trail};
pub use framing::{request_framing, response_framing};
pub use head::{HeadFault, RequestHead, ResponseHead};
pub use link::{Link, Parts, lists, with_scratch};
pub use write::{chunk_prefix, date, reason_phrase, write_field};
