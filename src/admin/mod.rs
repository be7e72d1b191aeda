//! The staff door: probes, metrics and the API, on a thread and a listener of its own, so that it answers while the
//! front burns. [`serve`] runs it.
//!
//! `axum::serve` was set aside: it is hyper-util's `auto`, which has no head deadline.
//!
//! Does not know: citizens' requests.

mod auth;
mod bans;
pub mod client;
mod explain;
mod measures;
mod routes;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;

pub use auth::Token;

use tokio::sync::Notify;

use crate::bounds;
use crate::control::Office;

/// What every handler may ask.
#[derive(Clone)]
pub struct Desk {
    pub office: Arc<Office>,
    pub token: Option<Arc<Token>>,
    /// Rung when another process has taken the door over.
    pub over: Arc<Notify>,
}

/// Binds the staff door.
///
/// # Errors
/// The system's.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until the runtime ends, or the door is another's. Never waits for a worker.
pub async fn serve(listener: TcpListener, desk: Desk) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let over = desk.over.clone();
    let router = routes::router(desk);
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = over.notified() => {
                drop(listener);
                // What is under way is answered still.
                return std::future::pending().await;
            }
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(bounds::ACCEPT_PAUSE).await;
            continue;
        };
        if open.load(Ordering::Relaxed) >= bounds::ADMIN_CONNECTIONS {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (open, service) = (open.clone(), TowerToHyperService::new(router.clone()));
        tokio::task::spawn_local(async move {
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(bounds::ADMIN_HEAD_DEADLINE)
                .max_header_size(bounds::ADMIN_HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
