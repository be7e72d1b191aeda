//! What a worker has open with origins for longer than a moment: tunnels, streams of events, and answers of which more is to come. A
//! posture that keeps requests from the origin ends those that it would not let begin: what has no end of its own at once, the others
//! after a while. Their origin's connection is closed then, whatever the citizen's side is at.
//!
//! Does not know: what goes through them, postures.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::bounds;
use crate::clock::Now;
use crate::portal::Portal;
use crate::wire::{self, Body, BodyBox, Broken, Chunk, Fields, Tunnel, TunnelBox};

#[derive(Default)]
pub struct Open {
    all: RefCell<Slab<Rc<Entry>>>,
}

/// Whose something is: its portal, and whether its route stays up.
pub type Of<'a> = (&'a Arc<Portal>, bool);

struct Entry {
    portal: Arc<Portal>,
    stay_up: bool,
    /// How long it may go on once it is to end, and since when it is.
    grace: Duration,
    since: Cell<Option<Now>>,
    what: RefCell<What>,
    waker: RefCell<Option<Waker>>,
}

enum What {
    Tunnel(TunnelBox),
    Body(BodyBox),
    Ended,
}

impl Open {
    /// The same tunnel, to be ended from outside.
    pub fn tunnel(self: &Rc<Open>, pipe: TunnelBox, of: Of<'_>) -> TunnelBox {
        Box::pin(self.watched(What::Tunnel(pipe), Duration::ZERO, of))
    }

    /// The same body, to be ended from outside; by its answer's fields at once or after a while.
    pub fn body(self: &Rc<Open>, body: BodyBox, fields: &Fields, of: Of<'_>) -> BodyBox {
        let grace =
            if wire::is_stream(fields.first("content-type")) { Duration::ZERO } else { bounds::BARRED_ANSWER_ENDS };
        Box::pin(self.watched(What::Body(body), grace, of))
    }

    fn watched(self: &Rc<Open>, what: What, grace: Duration, (portal, stay_up): Of<'_>) -> Watched {
        let (portal, what) = (portal.clone(), RefCell::new(what));
        let entry = Rc::new(Entry { portal, stay_up, grace, since: Cell::default(), what, waker: RefCell::default() });
        let key = self.all.borrow_mut().insert(entry.clone());
        Watched { entry, key, among: self.clone() }
    }

    /// Ends those whose time is over of which it is said that they are to end, by portal and by whether the route stays up. To be
    /// called with each sweep.
    pub fn end(&self, now: Now, barred: impl Fn(&Portal, bool) -> bool) {
        let ends = |entry: &&Rc<Entry>| entry.ends(barred(&entry.portal, entry.stay_up), now);
        let ended: Vec<Rc<Entry>> = self.all.borrow().iter().map(|(_, entry)| entry).filter(ends).cloned().collect();
        for entry in ended {
            drop(entry.what.replace(What::Ended));
            if let Some(waker) = entry.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Entry {
    fn ends(&self, barred: bool, now: Now) -> bool {
        let since = barred.then(|| self.since.get().unwrap_or(now));
        self.since.set(since);
        since.is_some_and(|since| Duration::from_nanos(now.since(since)) >= self.grace)
    }

    /// Whom to wake at the end.
    fn wakes(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

struct Watched {
    entry: Rc<Entry>,
    key: usize,
    among: Rc<Open>,
}

impl Watched {
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        ask: impl FnOnce(Pin<&mut dyn Tunnel>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut what = self.entry.what.borrow_mut();
        let What::Tunnel(pipe) = &mut *what else { return Poll::Ready(Err(ErrorKind::ConnectionAborted.into())) };
        self.entry.wakes(cx);
        ask(pipe.as_mut(), cx)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.among.all.borrow_mut().try_remove(self.key);
    }
}

impl Body for Watched {
    fn poll_chunk(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let mut what = self.entry.what.borrow_mut();
        let What::Body(body) = &mut *what else { return Poll::Ready(Some(Err(Broken::Barred))) };
        // Whoever waits on their client before they read on is woken as well.
        self.entry.wakes(cx);
        body.as_mut().poll_chunk(cx)
    }

    fn exact(&self) -> Option<u64> {
        match &*self.entry.what.borrow() {
            What::Body(body) => body.exact(),
            _ => None,
        }
    }

    fn ended(&self) -> bool {
        matches!(&*self.entry.what.borrow(), What::Body(body) if body.ended())
    }

    fn is_given_up(&self) -> bool {
        match &*self.entry.what.borrow() {
            What::Body(body) => body.is_given_up(),
            _ => true,
        }
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

#[cfg(test)]
mod tests {
    use super::super::tests::house;
    use super::*;

    /// Of which nothing comes.
    struct Silent;

    impl Body for Silent {
        fn poll_chunk(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
            Poll::Pending
        }

        fn exact(&self) -> Option<u64> {
            None
        }
    }

    fn is_ended(body: &mut BodyBox) -> bool {
        let polled = body.as_mut().poll_chunk(&mut Context::from_waker(Waker::noop()));
        let ended = matches!(polled, Poll::Ready(Some(Err(Broken::Barred))));
        assert_eq!(body.is_given_up(), ended);
        ended
    }

    #[test]
    fn a_stream_ends_at_once_and_a_file_after_a_while_in_which_the_posture_stays() {
        let (house, open) = (house(""), Rc::<Open>::default());
        let portal = house.town.load().portals.list[0].clone();
        let body = |kind: &'static str, stays| {
            let mut fields = Fields::default();
            fields.push("content-type", kind);
            open.body(Box::pin(Silent), &fields, (&portal, stays))
        };
        let kinds = [("text/event-stream", false), ("application/zip", false), ("text/event-stream", true)];
        let [mut events, mut file, mut stays] = kinds.map(|(kind, stays)| body(kind, stays));
        let is_static = |_: &Portal, stays: bool| !stays;
        open.end(house.now(), |_, _| false);
        assert!([&mut events, &mut file, &mut stays].into_iter().all(|body| !is_ended(body)));
        open.end(house.now(), is_static);
        assert!(is_ended(&mut events) && !is_ended(&mut file) && !is_ended(&mut stays));
        let nearly = bounds::BARRED_ANSWER_ENDS - Duration::from_secs(1);
        house.clock.advance(nearly);
        open.end(house.now(), |_, _| false);
        for _ in 0..2 {
            open.end(house.now(), is_static);
            assert!(!is_ended(&mut file), "it was let be in between");
            house.clock.advance(nearly / 2);
        }
        house.clock.advance(Duration::from_secs(2));
        open.end(house.now(), is_static);
        assert!(is_ended(&mut file) && !is_ended(&mut stays));
        drop((events, file, stays));
        assert!(open.all.borrow().is_empty());
    }
}
