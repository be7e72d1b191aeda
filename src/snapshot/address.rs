//! Where a page's links lead: within the portal's own hosts to a path and a query, or nowhere that boma goes.

use crate::bounds;
use crate::path;
use crate::portal::{Portal, bare};

/// The hosts that a portal's own pages lie on: those that it names whole. What a wildcard holds may be another site.
#[derive(Clone, Debug)]
pub struct Site {
    hosts: Vec<String>,
}

impl Site {
    pub fn of(portal: &Portal) -> Site {
        let mut hosts: Vec<String> = portal.hosts.iter().filter(|h| !h.starts_with('*')).cloned().collect();
        // A canonical host may be written with its port.
        hosts.extend(portal.host.iter().map(|h| bare(h).to_ascii_lowercase()));
        Site { hosts }
    }

    #[cfg(test)]
    pub fn named(hosts: &[&str]) -> Site {
        Site { hosts: hosts.iter().map(|h| (*h).to_owned()).collect() }
    }

    fn holds(&self, authority: &str) -> bool {
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = bare(host).trim_end_matches('.').to_ascii_lowercase();
        self.hosts.contains(&host)
    }

    /// Where `reference` leads to from the page at `base` (path and query): path, normalised, and query as it is written. `None`
    /// where it leads off the portal, is no address of http, or is too long.
    pub fn resolve(&self, base: &str, reference: &str) -> Option<String> {
        // Browsers leave out line ends and tabs wherever they stand.
        let text: String = reference.trim().chars().filter(|c| !matches!(c, '\n' | '\r' | '\t')).collect();
        let text = text.split('#').next().unwrap_or("");
        if text.len() > bounds::SNAPSHOT_ADDRESS_BYTES {
            return None;
        }
        let rest = match scheme(text) {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
                let rest = &text[scheme.len() + 1..];
                if !rest.starts_with("//") {
                    return None;
                }
                rest
            }
            Some(_) => return None,
            None => text,
        };
        let local = match rest.strip_prefix("//") {
            Some(rest) => {
                let ends = rest.find(['/', '?']).unwrap_or(rest.len());
                self.holds(&rest[..ends]).then_some(&rest[ends..])?
            }
            None => rest,
        };
        let foreign = rest.starts_with("//");
        let (local_path, query) = local.split_once('?').map_or((local, None), |(p, q)| (p, Some(q)));
        let (base_path, base_query) = base.split_once('?').map_or((base, None), |(p, q)| (p, Some(q)));
        let (path, query) = match local_path {
            "" if foreign => ("/".to_owned(), query),
            "" => (base_path.to_owned(), query.or(base_query)),
            _ if local_path.starts_with('/') => (local_path.to_owned(), query),
            _ => (format!("{}{local_path}", &base_path[..base_path.rfind('/').map_or(0, |at| at + 1)]), query),
        };
        let path = path::normalise(&escaped(&path)).ok()?.into_owned();
        let address = match query.filter(|q| !q.is_empty()) {
            Some(query) => format!("{path}?{}", escaped(query)),
            None => path,
        };
        (address.len() <= bounds::SNAPSHOT_ADDRESS_BYTES).then_some(address)
    }
}

fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let begins = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    (begins && scheme.bytes().all(word)).then_some(scheme)
}

/// What an address may not hold is written with percent signs, as browsers do; a backslash is a slash to them.
fn escaped(text: &str) -> String {
    let plain = |b: u8| (b'!'..=b'~').contains(&b) && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'`');
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'\\' => out.push('/'),
            _ if plain(b) => out.push(char::from(b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site::named(&["huduma.example", "www.huduma.example"])
    }

    #[test]
    fn links_lead_within_the_portals_hosts_or_nowhere() {
        for (base, reference, leads) in [
            ("/a/b", "c", Some("/a/c")),
            ("/a/b?x=1", "../c?y=%61", Some("/c?y=%61")),
            ("/a/b?x=1", "#top", Some("/a/b?x=1")),
            ("/a/b?x=1", "?y", Some("/a/b?y")),
            ("/a/b", "", Some("/a/b")),
            ("/a/b", "/c/./d#e", Some("/c/d")),
            ("/a", "//huduma.example/c", Some("/c")),
            ("/a", "https://WWW.huduma.example:443/c?", Some("/c")),
            ("/a", "http://huduma.example", Some("/")),
            ("/a", "http://huduma.example?q", Some("/?q")),
            ("/a", " /b\n/c ", Some("/b/c")),
            ("/a", "/h\u{e9} b", Some("/h%C3%A9%20b")),
            ("/a", "b\\c", Some("/b/c")),
            ("/a", "1:2", Some("/1:2")),
            ("/a", "//other.example/c", None),
            ("/a", "https://huduma.example.other.example/", None),
            ("/a", "http://huduma.example@other.example/", None),
            ("/a", "http:/b", None),
            ("/a", "mailto:x@huduma.example", None),
            ("/a", "javascript:void(0)", None),
            ("/a", "data:image/png;base64,xx", None),
            ("/a", "/b%00", None),
        ] {
            assert_eq!(site().resolve(base, reference).as_deref(), leads, "{reference} from {base}");
        }
        assert_eq!(site().resolve("/", &"x".repeat(9000)), None);
    }
}
