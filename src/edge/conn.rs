//! One connection: PROXY header, TLS, then HTTP/1 or HTTP/2 by what was agreed on.
//!
//! Does not know: guards.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::crowd::{Phase, Ticket};
use super::tcp::Tcp;
use super::{Post, hello, http1, http2, proxy};
use crate::client::Fingerprint;
use crate::wire::Arrival;

/// What both versions need of a connection.
pub struct Seat {
    pub post: Rc<Post>,
    pub ticket: Rc<Ticket>,
    pub peer: IpAddr,
    /// Of the peer's TLS.
    pub fingerprint: Option<Fingerprint>,
}

impl Seat {
    pub fn arrival(&self) -> Arrival {
        let door = &self.post.door;
        Arrival { scheme: if door.tls { "https" } else { "http" }, redirect_https: door.redirect_https }
    }
}

/// What a connection does once it is known what it speaks.
pub type Talking = Pin<Box<dyn Future<Output = ()>>>;

/// Opens a connection as far as its protocol; `None` where it ends before that. What this needs is given back before
/// the talking begins, so an idle connection holds none of it.
pub async fn open(post: Rc<Post>, stream: TcpStream, peer: SocketAddr, ticket: Rc<Ticket>) -> Option<Talking> {
    let first = if post.door.tls { Phase::Handshake } else { Phase::Head };
    let mut tcp = Tcp::new(stream, ticket.clone(), first);
    let mut peer = peer.ip();
    if post.door.proxy_protocol
        && let proxy::Source::Address(address) = proxy::read(&mut tcp).await?
    {
        peer = address;
        let town = post.house.town.load();
        if !town.trusts(address) && post.house.bans.holds(address, post.house.now().unix()) {
            post.house.metrics.banned.inc();
            return None;
        }
        if !ticket.speaks_for(address, town.trusts(address), &town.settings.caps) {
            return None;
        }
    }
    let (tls, h2c) = (post.door.tls, post.door.h2c);
    let acceptor = tls.then(|| TlsAcceptor::from(post.keyring.config()));
    let fingerprint = if tls { hello::fingerprint(&mut tcp).await } else { None };
    let seat = Rc::new(Seat { post, ticket, peer, fingerprint });
    let Some(acceptor) = acceptor else {
        if h2c && begins_as_http2(&mut tcp).await {
            return Some(Box::pin(http2::serve(seat, tcp)));
        }
        return Some(Box::pin(http1::serve(seat, tcp)));
    };
    let stream = acceptor.accept(tcp).await.ok()?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return Some(Box::pin(http2::serve(seat, stream)));
    }
    seat.ticket.phase(Phase::Head);
    Some(Box::pin(http1::serve(seat, stream)))
}

/// A future on the heap, made there: futures are large, and to make one elsewhere first is to copy it.
pub fn in_place<F>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    let room = Box::new_uninit();
    Box::into_pin(Box::write(room, make()))
}

/// Whether the client begins with HTTP/2's preface (RFC 9113 section 3.4); what came is read again.
async fn begins_as_http2(tcp: &mut Tcp) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut came = BytesMut::new();
    let http2 = loop {
        let like = came.iter().zip(PREFACE).all(|(a, b)| a == b);
        if !like || came.len() >= PREFACE.len() {
            break like;
        }
        let mut room = [0; 256];
        match tokio::io::AsyncReadExt::read(tcp, &mut room).await {
            Ok(n @ 1..) => came.extend_from_slice(&room[..n]),
            _ => break false,
        }
    };
    tcp.put_back(came);
    http2
}
