//! The cache: answers kept for whoever asks next. The rules are arithmetic and know neither storage nor connections
//! (`wish`, `time`, `vary`, `keep`, `reuse`, `condition`, `range`, `renew`, `answer`, `invalid`, `scan`); the
//! [`Cache`] keeps what they allow (`larder`) and lets one fetch bring what many wait for (`turns`).
//!
//! RFC 9111 as a shared cache, RFC 5861, RFC 9213 (`CDN-Cache-Control`), RFC 9211. Stricter than those where a citizen's
//! data could go to another: what sets a cookie, and what was asked for with one by which somebody is known, is not kept.
//!
//! Does not know: how an answer is fetched, who may have it, routes.

mod answer;
mod condition;
mod invalid;
mod keep;
mod larder;
mod range;
mod renew;
mod reuse;
mod scan;
#[cfg(test)]
mod tests;
mod time;
mod turns;
mod vary;
mod wish;

pub use answer::{Given, give};
pub use condition::{CONDITIONS, CONDITIONS_AND_CODINGS, is_for_the_origin, validators};
pub use invalid::{named, voids};
pub use keep::{Draft, Kept, Request, Unkept, Word, judge, shared_error};
pub use larder::{Address, At, Cache, Key, Place, What};
pub use range::{Wanted, parse as parse_range};
pub use renew::{is_about, merged, renewed};
pub use reuse::{Use, Why, is_trouble, reuse, stands_in};
pub use scan::{names, tells};
pub use time::{Asked, parse_date, write_date};
pub use turns::{Joined, Landed, Leader, Waiter};
pub use vary::{Asking, Selected, Varies};
pub use wish::Wish;
