//! Certificates and keys as files, and their last good copies.
//!
//! Does not know: what a certificate is good for.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::files::{self, LastGood};
use super::start::unreadable;
use crate::certificate::{self, Pem};
use crate::fault::Fault;
use crate::portal::Portal;
use crate::settings::Certificate;

/// How boma speaks TLS with a portal's origins; `None` where none of them wants it.
///
/// # Errors
/// Which file cannot be used.
pub fn outbound_of(portal: &Portal) -> Result<Option<Arc<ClientConfig>>, Fault> {
    if !portal.origins.iter().any(|o| o.scheme.tls()) {
        return Ok(None);
    }
    let read = |path: &Path| {
        let shown = path.display().to_string();
        files::read(path).map_err(|e| unreadable(&shown, &e))
    };
    let tls = &portal.tls;
    let roots = match &tls.roots {
        Some(path) => Some(Pem { name: path.display().to_string(), chain: read(path)?, key: Vec::new() }),
        None => None,
    };
    let own = match &tls.certificate {
        Some((chain, key)) => Some(Pem { name: chain.display().to_string(), chain: read(chain)?, key: read(key)? }),
        None => None,
    };
    let help = "write PEM files in [portal.origin_tls], readable by boma's user";
    certificate::client_config(roots.as_ref(), own.as_ref())
        .map(Some)
        .map_err(|fault| Fault::whole(&fault.name, fault.why, help))
}

pub fn read_pem(certificate: &Certificate) -> Result<Pem, String> {
    let read = |path: &Path| files::read(path).map_err(|e| format!("{} cannot be read: {e}", path.display()));
    Ok(Pem {
        name: certificate.chain.display().to_string(),
        chain: read(&certificate.chain)?,
        key: read(&certificate.key)?,
    })
}

pub fn keep_pem(last_good: &LastGood, i: usize, pem: &Pem) -> Result<(), String> {
    let saved = last_good.save(&format!("certificate-{i}.chain.pem"), &pem.chain);
    let saved = saved.and_then(|()| last_good.save(&format!("certificate-{i}.key.pem"), &pem.key));
    let saved = saved.and_then(|()| last_good.save(&format!("certificate-{i}.name"), pem.name.as_bytes()));
    saved.map_err(|e| format!("no last good copy of certificate {} can be kept ({e})", pem.name))
}

/// A copy counts for the file that it was taken of, not for whatever now stands at that place in the list.
pub fn kept_pem(last_good: &LastGood, i: usize, shown: &str) -> Option<Pem> {
    let of = last_good.load_text(&format!("certificate-{i}.name"))?;
    let chain = last_good.load(&format!("certificate-{i}.chain.pem"))?;
    let key = last_good.load(&format!("certificate-{i}.key.pem"))?;
    (of == shown).then(|| Pem { name: shown.to_owned(), chain, key })
}
