//! Certificates by name, for TLS 1.2 and 1.3 by rustls, taken anew without a restart.
//!
//! Does not know: where certificates are kept, sockets, requests.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate chain and its key, as their files hold them, and how the settings name them.
#[derive(Clone)]
pub struct Pem {
    pub name: String,
    pub chain: Vec<u8>,
    pub key: Vec<u8>,
}

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFault {
    pub name: String,
    pub why: String,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {}: {}", self.name, self.why)
    }
}

/// Certificates by the names they are good for; the first one for all other names.
#[derive(Debug, Default)]
pub struct Certificates {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    first: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads and checks a chain and its key.
    ///
    /// # Errors
    /// What is wrong, in words for whoever renews certificates.
    pub fn add(&mut self, pem: &Pem) -> Result<(), TlsFault> {
        let fault = |why: String| TlsFault { name: pem.name.clone(), why };
        let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&pem.chain).collect();
        let chain = chain.map_err(|e| fault(format!("the chain is no PEM ({e})")))?;
        let leaf = chain.first().ok_or_else(|| {
            fault("the chain holds no certificate: it must begin with -----BEGIN CERTIFICATE-----".into())
        })?;
        let names = names(leaf).map_err(&fault)?;
        let key = PrivateKeyDer::from_pem_slice(&pem.key)
            .map_err(|e| fault(format!("the key is no PEM private key ({e})")))?;
        let key =
            aws_lc_rs::sign::any_supported_type(&key).map_err(|e| fault(format!("the key cannot be used ({e})")))?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|_| {
            fault("the key does not belong to the certificate: chain and key are of different renewals".into())
        })?;
        let certified = Arc::new(certified);
        for name in names {
            self.by_name.entry(name).or_insert_with(|| certified.clone());
        }
        self.first.get_or_insert(certified);
        Ok(())
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let by_name = || {
            let name = name?.to_ascii_lowercase();
            let wildcard = || self.by_name.get(&format!("*.{}", name.split_once('.')?.1));
            self.by_name.get(&name).or_else(wildcard)
        };
        by_name().or(self.first.as_ref()).cloned()
    }
}

fn names(leaf: &CertificateDer<'_>) -> Result<Vec<String>, String> {
    let certificate =
        webpki::EndEntityCert::try_from(leaf).map_err(|e| format!("the first certificate cannot be read ({e:?})"))?;
    Ok(certificate.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// TLS towards origins: the roots that are believed (PEM; the system's where none are given), and boma's own
/// certificate where the origin asks for one.
///
/// # Errors
/// What is wrong, in words for whoever renews certificates.
pub fn client_config(roots: Option<&Pem>, own: Option<&Pem>) -> Result<Arc<ClientConfig>, TlsFault> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(pem) => {
            let fault = |why: String| TlsFault { name: pem.name.clone(), why };
            for root in CertificateDer::pem_slice_iter(&pem.chain) {
                let root = root.map_err(|e| fault(format!("the roots are no PEM ({e})")))?;
                store.add(root).map_err(|e| fault(format!("a root cannot be used ({e})")))?;
            }
            if store.is_empty() {
                return Err(fault("there is no certificate: it must begin with -----BEGIN CERTIFICATE-----".into()));
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let fault = |why: String| TlsFault { name: own.map_or("of origins".into(), |p| p.name.clone()), why };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| fault(e.to_string()))?
        .with_root_certificates(store);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&pem.chain).collect();
            let chain = chain.map_err(|e| fault(format!("the chain is no PEM ({e})")))?;
            let key = PrivateKeyDer::from_pem_slice(&pem.key)
                .map_err(|e| fault(format!("the key is no PEM private key ({e})")))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| fault(format!("they do not fit together ({e})")))?
        }
    };
    Ok(Arc::new(config))
}

/// The certificates in force, and the configuration that asks them.
pub struct Keyring {
    ring: Arc<Ring>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Ring(ArcSwap<Certificates>);

impl ResolvesServerCert for Ring {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().find(hello.server_name())
    }
}

/// Seeds the generator of random numbers. The first time takes some 40 ms of a core, which pass while files are read.
pub fn seed() {
    let _ = std::thread::Builder::new().name("boma-seed".into()).spawn(|| ::aws_lc_rs::rand::fill(&mut [0; 16]));
}

/// What boma speaks with citizens, the suites by SHA-256 first: processors have instructions for it, and by SHA-384 a handshake
/// costs a sixth more. All are as strong as its keys are.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite().as_str().is_some_and(|name| name.ends_with("SHA384")));
    provider
}

impl Keyring {
    /// # Errors
    /// Only where the crypto provider lacks both protocol versions, which would be a broken build.
    pub fn new(certificates: Certificates) -> Result<Keyring, rustls::Error> {
        let ring = Arc::new(Ring(ArcSwap::from_pointee(certificates)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(ring.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // All suites on offer are strong, so this costs phones without AES little; scanners and auditors want it.
        config.ignore_client_order = true;
        // One ticketer for the process: rustls's default cache holds 256 sessions behind a lock.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        // One is enough, as each connection brings another; rustls's two cost a handshake some microseconds more.
        config.send_tls13_tickets = 1;
        Ok(Keyring { ring, config: Arc::new(config) })
    }

    pub fn replace(&self, certificates: Certificates) {
        self.ring.0.store(Arc::new(certificates));
    }

    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}
