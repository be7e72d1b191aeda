//! One connection: PROXY header, TLS, then HTTP/1 or HTTP/2 by what was agreed on.
//!
//! Does not know: guards.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::crowd::{Phase, Ticket};
use super::tcp::Tcp;
use super::{Post, http1, http2, proxy};
use crate::wire::Arrival;

/// What both versions need of a connection.
pub struct Seat {
    pub post: Post,
    pub ticket: Rc<Ticket>,
    pub peer: IpAddr,
    pub arrival: Arrival,
}

pub async fn serve(post: Post, stream: TcpStream, peer: SocketAddr, ticket: Rc<Ticket>) {
    let _ = stream.set_nodelay(true);
    let first = if post.door.tls { Phase::Handshake } else { Phase::Head };
    let mut tcp = Tcp::new(stream, ticket.clone(), first);
    let mut peer = peer.ip();
    if post.door.proxy_protocol {
        match proxy::read(&mut tcp).await {
            Some(proxy::Source::Address(address)) => {
                peer = address;
                let town = post.house.town.load();
                if !ticket.speaks_for(address, town.trusts(address), &town.settings.caps) {
                    return;
                }
            }
            Some(proxy::Source::Local) => {}
            None => return,
        }
    }
    let scheme = if post.door.tls { "https" } else { "http" };
    let arrival = Arrival { scheme, redirect_https: post.door.redirect_https };
    let (tls, h2c) = (post.door.tls, post.door.h2c);
    let acceptor = tls.then(|| TlsAcceptor::from(post.keyring.config()));
    let seat = Rc::new(Seat { post, ticket, peer, arrival });
    let Some(acceptor) = acceptor else {
        if h2c && begins_as_http2(&mut tcp).await {
            return Box::pin(http2::serve(seat, tcp)).await;
        }
        return http1::serve(seat, tcp).await;
    };
    // Boxed: the handshake's state would else be part of every idle connection's future.
    let Ok(stream) = Box::pin(acceptor.accept(tcp)).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        Box::pin(http2::serve(seat, stream)).await;
    } else {
        seat.ticket.phase(Phase::Head);
        http1::serve(seat, stream).await;
    }
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
    came.unsplit(std::mem::take(&mut tcp.before));
    tcp.before = came;
    http2
}
