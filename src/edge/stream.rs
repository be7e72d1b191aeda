//! The head of a request over HTTP/2.
//!
//! Does not know: what becomes of it.

use http::HeaderValue;
use http::request::Parts;

use crate::wire::{Head, Version};

/// A request's head as h2 parsed it.
pub struct StreamHead {
    pub parts: Parts,
    protocol: Option<String>,
    /// The lengths of the fields' names, as bits: most names that are asked for are not there, and cost no hash.
    lengths: u64,
}

impl StreamHead {
    pub fn new(parts: Parts) -> StreamHead {
        let protocol = parts.extensions.get::<h2::ext::Protocol>().map(|p| p.as_str().to_owned());
        let lengths = parts.headers.keys().fold(0, |bits, name| bits | 1 << (name.as_str().len() & 63));
        StreamHead { parts, protocol, lengths }
    }

    fn may_have(&self, name: &str) -> bool {
        self.lengths >> (name.len() & 63) & 1 == 1
    }

    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }
}

impl Head for StreamHead {
    /// An extended CONNECT stands for the GET that HTTP/1.1 would have sent.
    fn method(&self) -> &str {
        if self.protocol.is_some() { "GET" } else { self.parts.method.as_str() }
    }

    fn path(&self) -> &str {
        self.parts.uri.path()
    }

    fn query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    fn authority(&self) -> Option<&str> {
        self.parts.uri.authority().map(|a| a.as_str())
    }

    fn version(&self) -> Version {
        Version::Http2
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        if self.may_have(name) { self.parts.headers.get(name).map(HeaderValue::as_bytes) } else { None }
    }

    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.may_have(name) && self.parts.headers.get_all(name).iter().any(|v| test(v.as_bytes()))
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.parts.headers {
            visit(name.as_str(), value.as_bytes());
        }
    }

    fn upgrade(&self) -> Option<&str> {
        self.protocol()
    }
}
