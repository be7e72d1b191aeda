//! What a request asks of caches (RFC 9111 section 5.2.1).

use crate::said::{each, seconds};
use crate::wire::Head;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    pub no_store: bool,
    pub no_cache: bool,
    pub only_if_cached: bool,
    pub max_age: Option<u64>,
    pub min_fresh: Option<u64>,
    /// How long past its time a copy may be; `u64::MAX` where any will do.
    pub max_stale: Option<u64>,
}

impl Wish {
    pub fn of(head: &dyn Head) -> Wish {
        let mut wish = Wish::default();
        let mut anything = false;
        head.any("cache-control", &mut |line| {
            anything = true;
            each(line, &mut |directive| {
                let seconds = || seconds(directive.argument.as_ref());
                match directive.name.to_ascii_lowercase().as_slice() {
                    b"no-store" => wish.no_store = true,
                    b"no-cache" => wish.no_cache = true,
                    b"only-if-cached" => wish.only_if_cached = true,
                    // What cannot be read is a wish for the newest.
                    b"max-age" => wish.max_age = Some(seconds().unwrap_or(0)),
                    b"min-fresh" => wish.min_fresh = seconds(),
                    b"max-stale" if directive.argument.is_none() => wish.max_stale = Some(u64::MAX),
                    b"max-stale" => wish.max_stale = seconds(),
                    _ => {}
                }
            });
            false
        });
        if !anything {
            wish.no_cache = head.any("pragma", &mut |v| v.trim_ascii().eq_ignore_ascii_case(b"no-cache"));
        }
        wish
    }

    /// What is left of it while the origin must be spared: nobody has boma ask again for what it has.
    pub fn spared(self) -> Wish {
        Wish { no_cache: false, max_age: None, min_fresh: None, ..self }
    }
}
