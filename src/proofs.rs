//! Proofs that a guard was passed. `origin::send` takes both by value, so a request that skipped one does not
//! compile. Each is made in one place only, by the greppable `assertion`; `tests/tidy.rs` lists the places.
//!
//! Does not know: how a proof is earned.

use std::rc::Rc;
use std::task::{Context, Waker};

/// The challenge stage let this request through.
#[must_use]
pub struct Cleared(());

impl Cleared {
    pub fn assertion() -> Cleared {
        Cleared(())
    }
}

/// One of a portal's permits, as its holder sees it.
pub trait Permit {
    /// The holder waits on its client; it is woken where the permit is taken back meanwhile.
    fn waits(&self, waker: &Waker);
    /// The holder waits on nobody, or on the origin.
    fn moves(&self);
    /// Whether it was taken back: what holds it must end.
    fn is_taken(&self) -> bool;
    /// The holder is gone; called once.
    fn leave(&self);
}

/// The request holds one of its portal's permits; dropping this gives it back.
#[must_use]
pub struct Admitted(Rc<dyn Permit>);

impl Admitted {
    pub fn assertion(permit: Rc<dyn Permit>) -> Admitted {
        Admitted(permit)
    }

    /// See [`Permit::waits`].
    pub fn waits(&self, cx: &mut Context<'_>) {
        self.0.waits(cx.waker());
    }

    /// See [`Permit::moves`].
    pub fn moves(&self) {
        self.0.moves();
    }

    /// See [`Permit::is_taken`].
    pub fn is_taken(&self) -> bool {
        self.0.is_taken()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.leave();
    }
}
