//! The targets of snapshots: whatever a page holds, it is read to its end, its forms are disabled, no session is left in what is
//! kept, and it comes back as it was packed.
//!
//! Does not know: how inputs are made.

use std::sync::LazyLock;

use bytes::Bytes;

use super::{NOW, SHELF, sources};
use crate::markup::{self, Piece};
use crate::pages::{Copied, admit_banner};
use crate::portal::Portal;
use crate::snapshot::{Asked, Copy, Hole, How, Robots, Sessions, Site, judge, plain_address, sitemap, wash_page};
use crate::wire::Fields;
use crate::{bounds, path};

static SESSIONS: LazyLock<Sessions> = LazyLock::new(|| Sessions::new(&["MYSID".into()]));
static SITE: LazyLock<Site> = LazyLock::new(|| {
    let portal = super::portal();
    Site::of(&Portal { hosts: vec!["huduma.example".into()], ..Portal::clone(&portal) })
});

/// A banner is plain text to any encoding and comes once; a policy that admits it needs no second widening.
pub fn banner(data: &[u8]) {
    const MARK: &str = "id=\"boma-banner\"";
    // Any time that a clock may give.
    let mut time = [0; 8];
    time.iter_mut().zip(data).for_each(|(t, d)| *t = *d);
    let text = String::from_utf8_lossy(data);
    let of = Copied { language: Some(&text), path: &text, taken: u64::from_le_bytes(time), forms: true };
    let banner = SHELF.banner(0, of);
    let (words, code) = (banner.html, banner.code.expect("a place for a code"));
    assert_eq!(code.len(), crate::pages::REFERENCE_WIDTH);
    assert!(words.is_ascii() && words.matches(MARK).count() == 1, "{words:?}");
    assert!(SHELF.form_note(0, Some(&text)).is_ascii());
    let admitted = admit_banner(&text);
    assert_eq!(sources(&admit_banner(&admitted)), sources(&admitted), "{admitted:?}");
}

/// Any bytes as a page, as a style sheet, as a sitemap and as a robots.txt.
pub fn snapshot_page(data: &[u8]) {
    whole(data);
    let washed = wash_page(data, &SESSIONS);
    assert_eq!(washed.holes.iter().filter(|(hole, _)| *hole == Hole::Banner).count(), 1);
    assert!(washed.holes.is_sorted_by_key(|(_, at)| *at), "{:?}", washed.holes);
    assert!(washed.holes.iter().all(|(_, at)| *at <= washed.body.len()), "{:?}", washed.holes);
    whole(&washed.body);
    for piece in markup::html(&washed.body) {
        if let Piece::Start(tag) = piece
            && tag.is(&washed.body, "form")
        {
            assert!(tag.has(&washed.body, "inert"), "a form that can be sent");
        }
    }
    for kind in ["text/html", "text/css", "image/png"] {
        judged(data, kind);
    }
    if let Some(map) = sitemap::read(data) {
        assert!(map.pages.len() <= bounds::SNAPSHOT_KNOWN && map.further.len() <= bounds::SNAPSHOT_KNOWN);
    }
    let text = String::from_utf8_lossy(data);
    let _ = Robots::read(data).allow(&text);
    assert!(plain_address(&text, &[]).len() <= text.len());
    let _ = Copy::decode(data.to_vec()).map(|copy| copy.dress(|_| String::new()).unpacked());
}

/// Every byte of a page is in one piece of it, in order.
fn whole(html: &[u8]) {
    for pieces in [markup::html(html), markup::xml(html)] {
        let mut at = 0;
        for piece in pieces {
            let span = match piece {
                Piece::Text(span) | Piece::Other(span) | Piece::Raw { text: span, .. } => span,
                Piece::Start(tag) | Piece::End(tag) => tag.span,
            };
            assert!(span.start == at && span.end > at, "{span:?} after {at}");
            at = span.end;
        }
        assert_eq!(at, html.len());
    }
}

fn judged(data: &[u8], kind: &'static str) {
    let asked = Asked {
        address: "/a/b?c",
        how: How::Found,
        site: &SITE,
        sessions: &SESSIONS,
        expect: None,
        least: 1,
        now: NOW,
    };
    let mut fields = Fields::default();
    fields.push("content-type", kind);
    let judged = judge(200, &fields, &Bytes::copy_from_slice(data), &asked);
    for lead in &judged.leads {
        let path = lead.address.split('?').next().unwrap_or_default();
        assert_eq!(path::normalise(path).as_deref(), Ok(path), "{lead:?}");
        assert!(lead.address.len() <= bounds::SNAPSHOT_ADDRESS_BYTES && !lead.address.contains('#'), "{lead:?}");
    }
    let Ok(copy) = judged.copy else { return };
    let plain = copy.plain().expect("what was packed unpacks");
    assert!(kind != "text/html" || !SESSIONS.are_in(&plain), "a session is left");
    assert!(Copy::decode(copy.encode()).is_some_and(|again| again == copy), "written and read");
    let dressed = copy.dress(|_| "words".to_owned());
    let served = dressed.unpacked().expect("what was dressed unpacks");
    assert!(served.len() >= plain.len() && dressed.plain == served.len());
}
