//! The cache's target: whatever an answer and a request say, what forbids is obeyed, parts lie within the whole, and a copy's
//! age goes up.
//!
//! Does not know: how inputs are made.

use std::borrow::Cow;

use bytes::Bytes;

use super::NOW;
use crate::cache::{
    self, Asked, Asking, Request, Unkept, Use, Varies, Wanted, Wish, Word, give, judge, parse_date, parse_range, reuse,
};
use crate::clock::{Now, SECOND};
use crate::said::Said;
use crate::wire::{Fields, FieldsAlone, Head};

/// Lines of `name: value`.
fn lines(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let line = |l: &[u8]| {
        let at = l.iter().position(|b| *b == b':')?;
        Some((String::from_utf8_lossy(&l[..at]).to_ascii_lowercase(), l[at + 1..].trim_ascii().to_vec()))
    };
    data.split(|b| *b == b'\n').filter_map(line).collect()
}

fn at(second: u64) -> Now {
    Now { mono: (1000 + second) * SECOND, wall: (NOW + second) * SECOND }
}

/// A request and an answer as lines of fields with an empty line between.
pub fn cache_fields(data: &[u8]) {
    let cut = data.windows(2).position(|w| w == b"\n\n").unwrap_or(0);
    let fields = lines(&data[..cut]);
    let asks = FieldsAlone(&fields);
    let mut answer = Fields::default();
    lines(&data[cut..]).into_iter().for_each(|(n, v)| answer.push(Cow::Owned(n), v));
    let said = Said::of(&answer);
    assert_eq!(said, Said::of(&answer), "read twice");
    let asking = Asking { head: &asks, encoding: None };
    for word in [Word::Origin, Word::Fill(30)] {
        let request = Request { asking, personal: asks.field("cookie").is_some(), word };
        let judged = judge(request, 200, &answer, Asked { asked: at(0), came: at(1) });
        let forbidden = said.no_store || said.private || (word == Word::Origin && answer.first("set-cookie").is_some());
        let owned = request.personal || asks.field("authorization").is_some();
        assert!(!forbidden || judged.is_err(), "kept although {said:?}");
        assert!(!owned || said.public || judged.is_err(), "somebody's own is kept");
        assert!(Varies::of(&answer) != Varies::ByCookie || judged.is_err(), "kept although it varies by cookie");
        let kept = match judged {
            Ok(draft) => draft.whole(Bytes::from_static(b"0123456789")),
            Err(why) => return assert!(!why.name().is_empty() && why != Unkept::Method),
        };
        assert!(kept.fields().first("set-cookie").is_none() && kept.fields().first("age").is_none());
        assert!(parse_date(kept.fields().first("date").unwrap_or_default()).is_some(), "no date");
        assert!(kept.selected.matches(&asking) || word != Word::Origin, "it is for the request that brought it");
        let wish = Wish::of(&asks);
        let mut last = 0;
        for second in [1, 2, 30, 31, 60, 3600, 86_400, 1 << 33] {
            let age = kept.age(at(second));
            assert!(age >= last, "{age} after {last}");
            last = age;
            let how = reuse(&kept, &wish, at(second));
            assert!(how != Use::Fresh || (age < kept.times.lifetime && !said.no_cache), "{how:?} at {age}");
            let given = give(&kept, &asks, at(second), "boma; hit");
            assert!(matches!(given.status, 200 | 206 | 304 | 416) && given.body.len() <= 10, "{}", given.status);
        }
        let merged = cache::merged(&kept, &answer, Asked { asked: at(2), came: at(3) });
        assert!(merged.all("content-length").count() <= answer.all("content-length").count());
    }
    for length in [0, 1, 10, usize::MAX] {
        if let Wanted::Part(part) = parse_range(data, length) {
            assert!(part.start < part.end && part.end <= length, "{part:?} of {length}");
        }
    }
}
