//! The head of a request that came inside another one: a form on its way on, or the address that a check stood before.
//!
//! Does not know: how it came there, what becomes of it.

use bytes::Bytes;

use crate::challenge::FORM_FIELDS;
use crate::wire::{Head, Version};

/// A request that came inside another one. Who sent it, from where and what it is, it says itself; how it came, the other.
pub struct Inside<'a> {
    pub outer: &'a dyn Head,
    pub method: &'a str,
    pub fields: &'a [(&'static str, Bytes)],
}

impl Inside<'_> {
    /// Of a GET nobody's word is kept: what described the form goes, and the browser's own fields are its own.
    fn is_own(&self, name: &str) -> bool {
        match self.method {
            "GET" => name == "origin" || name.starts_with("content-"),
            _ => FORM_FIELDS.contains(&name) || name.starts_with("content-") || name.starts_with("sec-fetch-"),
        }
    }
}

impl Head for Inside<'_> {
    fn method(&self) -> &str {
        self.method
    }
    fn path(&self) -> &str {
        self.outer.path()
    }
    fn query(&self) -> Option<&str> {
        self.outer.query()
    }
    fn authority(&self) -> Option<&str> {
        self.outer.authority()
    }
    fn version(&self) -> Version {
        self.outer.version()
    }
    fn field(&self, name: &str) -> Option<&[u8]> {
        if !self.is_own(name) {
            return self.outer.field(name);
        }
        self.fields.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_ref())
    }
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        if !self.is_own(name) {
            return self.outer.any(name, test);
        }
        self.fields.iter().filter(|(n, _)| *n == name).any(|(_, v)| test(v))
    }
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.outer.each(&mut |name, value| {
            if !self.is_own(name) {
                visit(name, value);
            }
        });
        self.fields.iter().for_each(|(name, value)| visit(name, value));
    }
}
