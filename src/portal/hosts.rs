//! Which portal a host is of.

use std::sync::Arc;

use super::Portal;
use crate::quick::Table;

/// A host without its port.
pub fn bare(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => authority,
    }
}

/// All portals, found by host.
#[derive(Debug, Default)]
pub struct Portals {
    pub list: Vec<Arc<Portal>>,
    exact: Table<String, usize>,
    /// `.suffix`, longest first.
    wildcards: Vec<(String, usize)>,
    any: Option<usize>,
}

impl Portals {
    pub fn new(list: Vec<Portal>) -> Portals {
        let mut portals = Portals::default();
        for (i, portal) in list.iter().enumerate() {
            for host in &portal.hosts {
                if host == "*" {
                    portals.any.get_or_insert(i);
                } else if let Some(suffix) = host.strip_prefix('*') {
                    portals.wildcards.push((suffix.to_owned(), i));
                } else {
                    portals.exact.entry(host.clone()).or_insert(i);
                }
            }
        }
        portals.wildcards.sort_by_key(|(s, _)| std::cmp::Reverse(s.len()));
        portals.list = list.into_iter().map(Arc::new).collect();
        portals
    }

    /// The portal of a host (lower case, without port), and its number.
    pub fn find(&self, host: &str) -> Option<(usize, &Arc<Portal>)> {
        let wildcard = || {
            let found = self.wildcards.iter().find(|(s, _)| host.len() > s.len() && host.ends_with(s.as_str()));
            found.map(|(_, i)| *i)
        };
        let at = self.exact.get(host).copied().or_else(wildcard).or(self.any)?;
        Some((at, &self.list[at]))
    }
}
