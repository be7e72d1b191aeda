//! One connection: the handshake under its deadline, then HTTP/1.1 or HTTP/2 by what ALPN agreed on.
//!
//! hyper-util's `auto` builder was set aside: its read deadline leaks while it waits for the preface.
//!
//! Does not know: guards.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::body::{Cut, Download, HyperHead, Upload, response};
use super::identify::identify;
use super::{Phase, Post};
use crate::bounds;
use crate::wire::Reply;

pub async fn serve(post: Post, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    if !post.tls {
        return http1(post, stream, peer, "http").await;
    }
    let handshake = TlsAcceptor::from(post.keyring.config()).accept(stream);
    let Ok(Ok(stream)) = tokio::time::timeout(bounds::HANDSHAKE_DEADLINE, handshake).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2(post, stream, peer).await;
    } else {
        http1(post, stream, peer, "https").await;
    }
}

async fn http1<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    post: Post,
    stream: S,
    peer: SocketAddr,
    scheme: &'static str,
) {
    let mut phase = post.phase.clone();
    let post = Rc::new(post);
    let service = service_fn(move |request| one(post.clone(), request, peer, scheme));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds::HEAD_DEADLINE)
        .max_headers(bounds::HEAD_FIELDS)
        .max_header_size(bounds::HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|p| *p == Phase::Draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn http2<S: AsyncRead + AsyncWrite + Unpin + 'static>(post: Post, stream: S, peer: SocketAddr) {
    let mut phase = post.phase.clone();
    let post = Rc::new(post);
    let service = service_fn(move |request| one(post.clone(), request, peer, "https"));
    let connection = http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds::H2_STREAMS)
        .initial_stream_window_size(bounds::H2_STREAM_WINDOW)
        .initial_connection_window_size(bounds::H2_CONNECTION_WINDOW)
        .max_header_list_size(bounds::HEAD_BYTES as u32)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|p| *p == Phase::Draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn one(
    post: Rc<Post>,
    request: Request<Incoming>,
    peer: SocketAddr,
    scheme: &'static str,
) -> Result<Response<Download>, Cut> {
    let (parts, incoming) = request.into_parts();
    let head = HyperHead(parts);
    let client = identify(&post.house.town.load(), peer.ip(), &head);
    match post.corridor.walk(&head, Box::pin(Upload::new(incoming)), client, scheme).await {
        Reply::Close => Err(Cut),
        Reply::Answer(answer) => {
            // After what could not be read, or was not read to its end, the two sides may differ on where they are.
            let unread = matches!(answer.status, 400 | 413) && head.0.version != http::Version::HTTP_2;
            let mut response = response(answer)?;
            if unread {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    }
}

/// hyper's HTTP/2 spawns a task per stream; they stay on this worker's thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
