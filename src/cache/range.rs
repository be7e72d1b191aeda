//! Parts of a kept answer (RFC 9110 section 14).

use std::ops::Range;

use super::condition;
use super::keep::Kept;
use crate::said::digits;
use crate::wire::Head;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    Part(Range<usize>),
    /// Nothing of it lies within.
    Nothing,
}

/// What of a kept answer a request wants. Several parts at once are answered with the whole, as section 14.2 allows.
pub fn wanted(head: &dyn Head, kept: &Kept) -> Wanted {
    if head.method() != "GET" || kept.status != 200 || head.count("range") != 1 {
        return Wanted::Whole;
    }
    let Some(value) = head.field("range") else { return Wanted::Whole };
    match parse(value, kept.body.len()) {
        Wanted::Whole => Wanted::Whole,
        other if condition::range_holds(head, kept) => other,
        _ => Wanted::Whole,
    }
}

/// One range of bytes of something that is `length` long.
pub fn parse(value: &[u8], length: usize) -> Wanted {
    let value = value.trim_ascii();
    let Some((unit, set)) = value.split_at_checked(6) else { return Wanted::Whole };
    if !unit.eq_ignore_ascii_case(b"bytes=") || set.contains(&b',') {
        return Wanted::Whole;
    }
    let set = set.trim_ascii();
    let Some(dash) = set.iter().position(|b| *b == b'-') else { return Wanted::Whole };
    let (first, last) = (&set[..dash], &set[dash + 1..]);
    let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let range = match (digits(first).map(whole), digits(last).map(whole)) {
        // Of nothing the last bytes are nothing, which is the whole.
        (None, Some(1..)) if first.is_empty() && length == 0 => return Wanted::Whole,
        (None, Some(n)) if first.is_empty() => length.saturating_sub(n)..length,
        (Some(from), None) if last.is_empty() => from..length,
        (Some(from), Some(to)) if from <= to => from..to.saturating_add(1).min(length),
        _ => return Wanted::Whole,
    };
    if range.start >= range.end { Wanted::Nothing } else { Wanted::Part(range) }
}
