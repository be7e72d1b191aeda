//! Proofs that a guard was passed. `origin::send` takes both by value, so a request that skipped one does not
//! compile. Each is made in one place only, by the greppable `assertion`; `tests/tidy.rs` lists the places.
//!
//! Does not know: how a proof is earned.

/// The challenge stage let this request through.
#[must_use]
pub struct Cleared(());

impl Cleared {
    pub fn assertion() -> Cleared {
        Cleared(())
    }
}

/// The request holds one of its portal's permits; dropping this gives it back.
#[must_use]
pub struct Admitted {
    permit: Option<Box<dyn FnOnce()>>,
}

impl Admitted {
    /// `release` is called once, when the proof is dropped.
    pub fn assertion(release: impl FnOnce() + 'static) -> Admitted {
        Admitted { permit: Some(Box::new(release)) }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(release) = self.permit.take() {
            release();
        }
    }
}
