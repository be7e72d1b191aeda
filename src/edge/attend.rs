//! A connection as a task that its place in the crowd can end.
//!
//! Does not know: what is spoken on it, why it is ended.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::conn::Talking;
use super::crowd::Ticket;

/// A connection's future, which its ticket can end: first its opening, then its talking.
pub struct Attended<L> {
    ticket: Rc<Ticket>,
    work: Work,
    _leave: L,
}

type Opening = Pin<Box<dyn Future<Output = Option<Talking>>>>;

enum Work {
    Opening(Opening),
    Talking(Talking),
}

impl<L> Attended<L> {
    /// `leave` is dropped when the connection is over.
    pub fn new(ticket: Rc<Ticket>, opening: Opening, leave: L) -> Attended<L> {
        Attended { ticket, work: Work::Opening(opening), _leave: leave }
    }
}

impl<L: Unpin> Future for Attended<L> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.ticket.is_over(cx) {
            return Poll::Ready(());
        }
        loop {
            match &mut self.work {
                Work::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Some(talking) => self.work = Work::Talking(talking),
                    None => return Poll::Ready(()),
                },
                Work::Talking(talking) => return talking.as_mut().poll(cx),
            }
        }
    }
}

impl<L> Drop for Attended<L> {
    fn drop(&mut self) {
        self.ticket.leave();
    }
}
