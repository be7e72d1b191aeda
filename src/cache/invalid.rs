//! What an answer to an unsafe request makes void (RFC 9111 section 4.4).

use crate::wire::Fields;

/// Whether anything is.
pub fn voids(method: &str, status: u16) -> bool {
    !crate::facts::safe(method) && (200..400).contains(&status)
}

/// The addresses besides its own that an answer names: path and query on the same origin.
pub fn named(fields: &Fields, scheme: &str, authority: &str, path: &str) -> Vec<String> {
    let all = fields.all("location").chain(fields.all("content-location"));
    all.filter_map(|v| std::str::from_utf8(v).ok()).filter_map(|v| target(v.trim(), scheme, authority, path)).collect()
}

/// A reference as path and query, where it leads to the same origin.
fn target(reference: &str, scheme: &str, authority: &str, path: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or(reference);
    let rest = match reference.split_once("://") {
        Some((s, rest)) if s.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            if !s.eq_ignore_ascii_case(scheme) {
                return None;
            }
            Some(rest)
        }
        _ => reference.strip_prefix("//"),
    };
    if let Some(rest) = rest {
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, rest) = rest.split_at(at);
        let standard = if scheme == "https" { ":443" } else { ":80" };
        let plain = |a: &str| a.strip_suffix(standard).unwrap_or(a).to_ascii_lowercase();
        let same = plain(host) == plain(authority);
        return same.then(|| if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") });
    }
    Some(match reference {
        "" => return None,
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        query if query.starts_with('?') => format!("{path}{query}"),
        relative => format!("{}{relative}", &path[..=path.rfind('/')?]),
    })
}
