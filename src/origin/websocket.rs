//! WebSocket's handshake (RFC 6455 section 4), as far as HTTP/1.1 and HTTP/2 have it differently (RFC 8441 section 5).
//!
//! Does not know: frames, connections.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Whose key stands in the request.
pub enum Key<'a> {
    /// The client's, which checks the answer to it itself.
    Client(&'a [u8]),
    /// boma's, for a client whose version of HTTP has none.
    Own(String),
}

impl Key<'_> {
    pub fn own() -> Self {
        let mut nonce = [0; 16];
        crate::seal::random(&mut nonce);
        Key::Own(STANDARD.encode(nonce))
    }

    /// Whether a server's `Sec-WebSocket-Accept` fits, as far as that is for boma to say.
    pub fn is_accepted(&self, answer: Option<&[u8]>) -> bool {
        match self {
            Key::Client(_) => true,
            Key::Own(key) => answer == Some(accept(key.as_bytes()).as_bytes()),
        }
    }
}

/// What shows that a server took a key for what it is (RFC 6455 section 4.2.2).
pub fn accept(key: &[u8]) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accept_is_what_the_rfc_says() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let own = Key::own();
        let Key::Own(key) = &own else { panic!("not boma's own") };
        assert!(own.is_accepted(Some(accept(key.as_bytes()).as_bytes())));
        assert!(!own.is_accepted(Some(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) && !own.is_accepted(None));
    }
}
