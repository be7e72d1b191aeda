//! Work for staff that takes a core for as long as it lasts steps aside for citizens.
//!
//! Does not know: what the work is.

use crate::bounds;

/// Lowers the calling thread's standing with the system, for good: without a privilege nobody may raise it again, so it is
/// for threads that do nothing for citizens.
pub fn step_aside() {
    // On Linux it is the thread's own. Where it is refused, work is as quick as ever.
    let _ = rustix::process::nice(bounds::STAFF_NICE);
}
