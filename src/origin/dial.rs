//! A new connection: the name's addresses, TCP, and TLS with the origin's certificate checked.
//!
//! Does not know: pools, requests.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::within;
use crate::bounds;
use crate::clock::{Clock, Now};
use crate::portal::{OriginAddress, Portal};

/// A byte stream to an origin.
pub enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Whether nothing has come and the other side is still there. The system is asked itself: the runtime may not
    /// have heard yet, and an answer that nobody asked for would be taken for the next one.
    pub fn is_quiet(&self) -> bool {
        let stream = match self {
            Transport::Plain(stream) => stream,
            Transport::Tls(stream) => stream.get_ref().0,
        };
        let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
        matches!(rustix::net::recv(stream, &mut [0; 1], flags), Err(rustix::io::Errno::AGAIN))
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Transport::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Transport::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Transport::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Transport::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Transport::Plain(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Transport::Tls(s) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Transport::Plain(s) => Pin::new(s).poll_flush(cx),
            Transport::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Transport::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Transport::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

/// TLS towards one origin.
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// `None` where the origin is spoken to without TLS, or its name is none that a certificate could bear.
    pub fn new(portal: &Portal, address: &OriginAddress, config: Option<&Arc<ClientConfig>>) -> Option<Tls> {
        let mut config = ClientConfig::clone(config.filter(|_| address.scheme.tls())?);
        config.alpn_protocols = vec![if address.scheme.http2() { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let name = portal.tls.name.clone().unwrap_or_else(|| address.host.clone());
        Some(Tls { connector: Arc::new(config).into(), name: ServerName::try_from(name).ok()? })
    }
}

/// Where an origin's name leads, asked anew every [`bounds::RESOLVE_FRESH`].
pub struct Dialler {
    address: OriginAddress,
    tls: Option<Tls>,
    resolved: RefCell<Option<Resolved>>,
    clock: Clock,
}

struct Resolved {
    addresses: Vec<SocketAddr>,
    at: Now,
}

impl Dialler {
    pub fn new(address: OriginAddress, tls: Option<Tls>, clock: Clock) -> Dialler {
        Dialler { address, tls, resolved: RefCell::default(), clock }
    }

    /// `None` where nobody took the connection, or who took it could not prove to be the origin.
    pub async fn dial(&self) -> Option<Transport> {
        let mut stream = None;
        for address in self.addresses(self.clock.now()).await {
            if let Ok(connected) = TcpStream::connect(address).await {
                stream = Some(connected);
                break;
            }
        }
        let stream = stream?;
        let _ = stream.set_nodelay(true);
        if !self.address.scheme.tls() {
            return Some(Transport::Plain(stream));
        }
        let tls = self.tls.as_ref()?;
        match tls.connector.connect(tls.name.clone(), stream).await {
            Ok(stream) => Some(Transport::Tls(Box::new(stream))),
            Err(error) => {
                tracing::warn!(origin = self.address.authority(), %error, "no TLS with this origin");
                None
            }
        }
    }

    /// Addresses of the origin's name. Where asking again fails, the last good ones stay in use: a broken resolver
    /// must not take down a portal whose origin is where it was.
    async fn addresses(&self, now: Now) -> Vec<SocketAddr> {
        if let Some(address) = self.address.literal() {
            return vec![address];
        }
        if let Some(resolved) = &*self.resolved.borrow()
            && now.since(resolved.at) < bounds::RESOLVE_FRESH.as_nanos() as u64
            && !resolved.addresses.is_empty()
        {
            return resolved.addresses.clone();
        }
        let found = look_up(&self.address).await;
        let mut resolved = self.resolved.borrow_mut();
        match found {
            Some(addresses) if !addresses.is_empty() => {
                *resolved = Some(Resolved { addresses: addresses.clone(), at: now });
                addresses
            }
            _ => resolved.as_ref().map(|r| r.addresses.clone()).unwrap_or_default(),
        }
    }
}

pub async fn look_up(address: &OriginAddress) -> Option<Vec<SocketAddr>> {
    let ask = tokio::net::lookup_host((address.host.as_str(), address.port));
    match within(bounds::RESOLVE_DEADLINE, ask).await {
        Some(Ok(found)) => Some(found.collect()),
        _ => None,
    }
}
