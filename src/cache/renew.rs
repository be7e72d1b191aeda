//! A kept answer of which the origin says that it still holds (RFC 9111 sections 3.2 and 4.3.4).

use super::condition;
use super::keep::{self, Draft, Kept, Request, Unkept};
use super::time::{self, Asked};
use crate::wire::Fields;

/// What belongs to the body that is kept, not to the 304.
const OF_THE_BODY: [&str; 9] = [
    "content-length",
    "content-encoding",
    "content-range",
    "content-md5",
    "content-digest",
    "etag",
    "transfer-encoding",
    "trailer",
    "connection",
];

/// Whether a 304 speaks of this answer: by its tag, or where it has none by its date.
pub fn is_about(kept: &Kept, fields: &Fields) -> bool {
    match (fields.first("etag"), kept.etag()) {
        (Some(new), Some(old)) => condition::same(new, old),
        (Some(_), None) => false,
        (None, _) => fields.first("last-modified").is_none_or(|new| {
            let old = kept.fields().first("last-modified");
            old.is_some_and(|old| {
                old == new || time::parse_date(old).is_some_and(|at| time::parse_date(new) == Some(at))
            })
        }),
    }
}

/// The fields of a kept answer with a 304's over them.
pub fn merged(kept: &Kept, fields: &Fields, at: Asked) -> Fields {
    let mut all = kept.fields().clone();
    let counts = |name: &str| !OF_THE_BODY.contains(&name);
    all.0.retain(|(name, _)| !counts(name) || !fields.0.iter().any(|(new, _)| new == name));
    for (name, value) in fields.0.iter().filter(|(name, _)| counts(name)) {
        all.push(name.clone(), value.clone());
    }
    if fields.first("date").is_none() {
        all.set("date", time::write_date(at.came.unix()));
    }
    all
}

/// The answer anew: judged again as a whole, because what a 304 adds may forbid to keep it on.
///
/// # Errors
/// [`Unkept`].
pub fn renewed(kept: &Kept, request: Request<'_>, fields: &Fields, at: Asked) -> Result<Kept, Unkept> {
    let mut draft: Draft = keep::judge(request, kept.status, fields, at)?;
    if draft.tags.is_empty() {
        draft.tags.clone_from(&kept.tags);
    }
    Ok(draft.whole(kept.body.clone()))
}
