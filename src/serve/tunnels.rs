//! A worker's open tunnels. A posture that keeps requests from the origin ends those that it would not let begin: their
//! origin's connection is closed at once, whatever the citizen's side is at.
//!
//! Does not know: what goes through them, postures.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use slab::Slab;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::portal::Portal;
use crate::wire::{Tunnel, TunnelBox};

#[derive(Default)]
pub struct Tunnels {
    open: RefCell<Slab<Rc<Open>>>,
}

struct Open {
    portal: Arc<Portal>,
    stay_up: bool,
    /// Gone once it has been ended.
    pipe: RefCell<Option<TunnelBox>>,
    waker: RefCell<Option<Waker>>,
}

impl Tunnels {
    /// The same tunnel, to be ended from outside.
    pub fn watched(self: &Rc<Tunnels>, pipe: TunnelBox, portal: &Arc<Portal>, stay_up: bool) -> TunnelBox {
        let (pipe, waker) = (RefCell::new(Some(pipe)), RefCell::default());
        let open = Rc::new(Open { portal: portal.clone(), stay_up, pipe, waker });
        let key = self.open.borrow_mut().insert(open.clone());
        Box::pin(Watched { open, key, among: self.clone() })
    }

    /// Ends those of which it is said, by portal and by whether the route stays up.
    pub fn end(&self, ends: impl Fn(&Portal, bool) -> bool) {
        let ends = |open: &&Rc<Open>| ends(&open.portal, open.stay_up);
        let ended: Vec<Rc<Open>> = self.open.borrow().iter().map(|(_, open)| open).filter(ends).cloned().collect();
        for open in ended {
            drop(open.pipe.take());
            if let Some(waker) = open.waker.take() {
                waker.wake();
            }
        }
    }
}

struct Watched {
    open: Rc<Open>,
    key: usize,
    among: Rc<Tunnels>,
}

impl Watched {
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        ask: impl FnOnce(Pin<&mut dyn Tunnel>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut pipe = self.open.pipe.borrow_mut();
        let Some(pipe) = pipe.as_mut() else { return Poll::Ready(Err(ErrorKind::ConnectionAborted.into())) };
        let asked = ask(pipe.as_mut(), cx);
        if asked.is_pending() {
            let mut waker = self.open.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        asked
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.among.open.borrow_mut().try_remove(self.key);
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |pipe, cx| pipe.poll_read(cx, buf))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, |pipe, cx| pipe.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |pipe, cx| pipe.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |pipe, cx| pipe.poll_shutdown(cx))
    }
}
