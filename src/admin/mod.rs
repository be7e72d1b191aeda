//! The staff door: probes, metrics and the API, on a thread and a listener of its own, so that it answers while the
//! front burns. [`serve`] runs it.
//!
//! `axum::serve` was set aside: it is hyper-util's `auto`, which has no head deadline.
//!
//! Does not know: citizens' requests.

mod auth;
mod bans;
mod cache;
pub mod client;
mod events;
mod explain;
mod hall;
mod incidents;
mod measures;
mod passes;
mod report;
mod routes;
mod services;
mod snapshots;
mod table;

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Notify;
use tower::ServiceExt;

pub use auth::Token;

use auth::Gate;
use hall::{Hall, Seat, Watched};

use crate::bounds;
use crate::client::canonical;
use crate::control::Office;

/// The field by which an answer shows that it is boma's.
pub const VERSION: &str = "boma-version";

/// What every handler may ask.
#[derive(Clone)]
pub struct Desk {
    office: Arc<Office>,
    gate: Arc<Gate>,
    /// How many listen to events.
    listeners: Arc<AtomicUsize>,
    /// Rung when another process has taken the door over.
    over: Arc<Notify>,
}

impl Desk {
    pub fn new(office: Arc<Office>, token: Option<Token>, over: Arc<Notify>) -> Desk {
        let gate = Arc::new(Gate::new(&office.house, token));
        Desk { office, gate, listeners: Arc::default(), over }
    }
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
    let (over, house) = (desk.over.clone(), desk.office.house.clone());
    let router = routes::router(desk);
    let hall = Rc::new(Hall::default());
    let mut sweep = tokio::time::interval(bounds::ADMIN_SWEEP);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = sweep.tick() => {
                hall.sweep(house.now().mono);
                continue;
            }
            () = over.notified() => {
                drop(listener);
                // What is under way is answered still.
                return std::future::pending().await;
            }
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(bounds::ACCEPT_PAUSE).await;
            continue;
        };
        let address = canonical(peer.ip());
        let staff = house.law.load().rules.staff().iter().any(|net| net.contains(&address));
        let Some(seat) = hall.enter(address, staff, house.now().mono) else { continue };
        let (hall, router) = (hall.clone(), router.clone());
        let stream = Watched::new(stream, seat.clone(), house.clock.clone());
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = talk(stream, &seat, router) => {}
                () = seat.must_leave() => {}
            }
            hall.leave(&seat);
        });
    }
}

/// One connection, to its end.
async fn talk(stream: Watched, seat: &Arc<Seat>, router: axum::Router) {
    let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        let (router, seat) = (router.clone(), seat.clone());
        async move {
            seat.set_busy(true);
            request.extensions_mut().insert(seat.clone());
            let answered = router.oneshot(request).await;
            seat.set_busy(false);
            answered
        }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds::ADMIN_HEAD_DEADLINE)
        .max_header_size(bounds::ADMIN_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
