//! A form before which a page of boma's stands: sealed into it where that can be, and known again when it comes back.
//!
//! Does not know: how forms are sealed, what becomes of those that come back.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::decide::{self, Decision};
use super::read::{self, Request};
use super::respond::{self, Filling, Made};
use super::upload::Upload;
use super::visit::Visit;
use super::wait::{self, Ride};
use super::{fallback, mint};
use crate::bounds;
use crate::challenge::{FORM_FIELDS, Form, Room};
use crate::facts::Kind;
use crate::pages::Page;
use crate::reason::Reason;
use crate::wire::{Body, BodyBox, Broken, Chunk, Head, Payload};

/// How every body begins that one of boma's own pages sends.
pub const MARK: &[u8] = b"boma-seal=";
const URLENCODED: &str = "application/x-www-form-urlencoded";
/// What browsers send forms as.
const SENT_AS: [&str; 3] = [URLENCODED, "multipart/form-data", "text/plain"];
/// A piece of a page that goes out; each is only as long in memory as its reader takes for it.
const PIECE: usize = 16 * 1024;

/// What a page of boma's sent back, whole.
pub struct Lane {
    pub bytes: Bytes,
    pub room: Room,
}

/// What comes of a request before which a check stands.
pub enum Met {
    Answered(Made),
    Back(Lane),
}

/// Seal, work and form.
pub type Parts<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

/// What a page sent, in the one order in which pages do.
pub fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let mut pairs = bytes.split(|b| *b == b'&');
    let mut next = |name: &[u8]| pairs.next().map(|pair| pair.strip_prefix(name));
    let (seal, work) = (next(MARK)??, next(b"boma-work=")??);
    let form = match next(b"boma-form=") {
        None => None,
        Some(form) => Some(form?).filter(|f| !f.is_empty()),
    };
    pairs.next().is_none().then_some((seal, work, form))
}

fn is_sent_as(head: &dyn Head, kind: &str) -> bool {
    let Some(value) = head.field("content-type") else { return false };
    let Some((name, rest)) = value.split_at_checked(kind.len()) else { return false };
    name.eq_ignore_ascii_case(kind.as_bytes()) && matches!(rest.first(), None | Some(b';' | b' ' | b'\t'))
}

/// Whether a body may be one that a page of boma's sends; only then it is worth a look.
pub fn may_be_back(visit: &Visit<'_>, head: &dyn Head, length: Option<u64>) -> bool {
    // Four characters for three bytes, and seal and work before them.
    let most = || (visit.town.settings.challenge.seal_max + bounds::FORM_HEAD_BYTES) / 3 * 4 + bounds::OWN_BODY_BYTES;
    head.method() == "POST"
        && visit.kind == Kind::Navigation
        && length.is_some_and(|n| n > 0 && n <= most() as u64)
        && is_sent_as(head, URLENCODED)
}

/// Whether a form can be sealed into a page, by its head alone.
pub fn rides(visit: &Visit<'_>, head: &dyn Head, length: Option<u64>) -> bool {
    let most = || (visit.town.settings.challenge.seal_max as u64).min(visit.route().max_body);
    head.method() == "POST"
        && visit.kind == Kind::Navigation
        && length.is_some_and(|n| n <= most())
        && SENT_AS.iter().any(|kind| is_sent_as(head, kind))
}

/// How much of an upload is waited for before it goes on: all of a form that may have to come back, where there is room to hold it
/// meanwhile.
pub fn waited_for(visit: &Visit<'_>, head: &dyn Head, length: Option<u64>) -> (usize, Option<Room>) {
    let long = length.filter(|n| *n > bounds::GATHERED_BYTES as u64 && rides(visit, head, length));
    let long = long.and_then(|n| usize::try_from(n).ok());
    match long.and_then(|n| Some((n, visit.house.forms.room(n)?))) {
        Some((n, room)) => (n, Some(room)),
        None => (bounds::GATHERED_BYTES, None),
    }
}

/// What becomes of a request that does not go on: a form is sealed into the page that it gets where that can be, and its
/// citizen is told plainly where it cannot. What is too large for that is decided before any of it is read.
pub async fn stopped(
    visit: &mut Visit<'_>,
    request: &Request,
    head: &dyn Head,
    body: BodyBox,
    decision: Decision,
) -> Met {
    let length = body.exact();
    let (rides, may_be_back) = (rides(visit, head, length), may_be_back(visit, head, length));
    let wanted = !matches!(decision, Decision::Refuse(_)) && (rides || may_be_back);
    let mut form = None;
    if let Some(room) = wanted.then(|| room(visit, length)).flatten() {
        match take_in(body, |begins| rides || begins).await {
            Ok(Some(bytes)) if may_be_back && bytes.starts_with(MARK) => return Met::Back(Lane { bytes, room }),
            Ok(bytes) => form = bytes.map(|bytes| (bytes, room)),
            Err(broken) => return Met::Answered(respond::refusal(visit, head, respond::upload_broke(broken))),
        }
    }
    Met::Answered(ended(visit, request, head, form, decision))
}

/// The answer to what does not go on; with the form that was taken in for it, where one was.
pub fn ended(
    visit: &mut Visit<'_>,
    request: &Request,
    head: &dyn Head,
    form: Option<(Bytes, Room)>,
    decision: Decision,
) -> Made {
    let unkept = if request.safe { Ride::Nothing } else { Ride::Left };
    match decision {
        Decision::Challenge(reason) if visit.kind == Kind::Navigation && !request.safe => {
            let ask = mint::ask(visit, head);
            let seal = mint::issue(visit, head, &ask);
            let form = form.map(|(bytes, room)| (sealed(visit, request, head, bytes, &seal), room));
            challenge_page(visit, head, reason, (&seal, ask.wait), form)
        }
        Decision::Challenge(reason) => respond::challenge(visit, request, head, reason),
        Decision::Limited(over) => match form.and_then(|form| kept(visit, request, head, form, false)) {
            Some((text, room)) => hold(respond::limited(visit, head, over, Ride::Form(&text)), room),
            None => respond::limited(visit, head, over, unkept),
        },
        Decision::Fallback(reason) => match form.and_then(|form| kept(visit, request, head, form, false)) {
            Some((text, room)) => hold(again_page(visit, head, (503, reason), &text), room),
            None if is_left(visit, request) => left(visit, head, (503, reason)),
            None => fallback::answer(visit, request, head, reason),
        },
        Decision::Wait(told) => match form.and_then(|form| kept(visit, request, head, form, true)) {
            Some((text, room)) => hold(wait::page(visit, head, told, Ride::Form(&text)), room),
            None => wait::page(visit, head, told, unkept),
        },
        Decision::Refuse(reason) => respond::refusal(visit, head, reason),
        // Nobody stops what may go on.
        Decision::Go(_) => respond::refusal(visit, head, Reason::BadRequest),
    }
}

/// Whether an answer says that the origin saw nothing of the request.
pub fn never_left(made: &Made) -> bool {
    matches!(made.reason, Reason::OriginRefused | Reason::Busy)
}

/// Gives a form back that did not reach its origin: in the page that is made of it there where that could keep it, or with the
/// word that it was not sent.
pub fn given_back(
    visit: &mut Visit<'_>,
    request: &Request,
    head: &dyn Head,
    form: Option<Vec<Bytes>>,
    made: Made,
) -> Made {
    let end = (made.status, made.reason);
    let found = form.and_then(|form| {
        let length = form.iter().map(Bytes::len).sum::<usize>() as u64;
        kept(visit, request, head, (form.concat().into(), room(visit, Some(length))?), false)
    });
    match found {
        Some((text, room)) => hold(again_page(visit, head, end, &text), room),
        None if is_left(visit, request) => left(visit, head, end),
        None => made,
    }
}

/// Whether what was not sent on lies in a browser still, which sends it again when its page is loaded again.
fn is_left(visit: &Visit<'_>, request: &Request) -> bool {
    visit.kind == Kind::Navigation && !request.safe
}

/// An exit's page for a form that was not sent on and could not be kept.
fn left(visit: &mut Visit<'_>, head: &dyn Head, (status, reason): (u16, Reason)) -> Made {
    mint::count(visit, "form_left");
    if matches!(reason, Reason::Posture | Reason::Closed)
        && let Some(told) = wait::stands_still(visit, head, reason)
    {
        return wait::page(visit, head, told, Ride::Left);
    }
    respond::error(visit, head, Page::Left, status, reason, None)
}

/// An exit's page with a form that was not sent on, and a button to send it again.
pub fn again_page(visit: &mut Visit<'_>, head: &dyn Head, end: (u16, Reason), text: &str) -> Made {
    let page = if matches!(end.1, Reason::Busy | Reason::Strained) { Page::BusyForm } else { Page::StatementForm };
    mint::count(visit, "form_returned");
    respond::form_page(visit, head, page, end, None, text)
}

/// The rest of what a page of boma's sent back.
pub async fn back(visit: &mut Visit<'_>, head: &dyn Head, upload: Upload) -> Met {
    let body = upload.body();
    let Some(room) = room(visit, body.exact()) else {
        return Met::Answered(respond::challenge_page(visit, head, Page::ChallengeResend, Reason::Busy));
    };
    match take_in(body, |_| true).await {
        Ok(bytes) => Met::Back(Lane { bytes: bytes.unwrap_or_default(), room }),
        Err(broken) => Met::Answered(respond::refusal(visit, head, respond::upload_broke(broken))),
    }
}

/// The text of a form that an exit must not lose, sealed so that its sender may send it again; or, where they get a place in line for
/// it, once that is theirs.
fn kept(
    visit: &Visit<'_>,
    request: &Request,
    head: &dyn Head,
    (bytes, room): (Bytes, Room),
    queued: bool,
) -> Option<(String, Room)> {
    let mut form = sealed(visit, request, head, bytes, b"");
    form.tie.queued = queued;
    Some((visit.house.forms.seal(&form)?, room))
}

/// A place for a form of this length, by the bounds of its prefix and of the house.
fn room(visit: &Visit<'_>, length: Option<u64>) -> Option<Room> {
    decide::take_own(visit, &visit.house.form_lane).ok()?;
    visit.house.forms.room(usize::try_from(length?).ok()?)
}

/// Reads a body whole; `None` where `goes_on` does not want it, which is asked once it can be seen whether a page of boma's
/// sent it.
async fn take_in(mut body: BodyBox, goes_on: impl Fn(bool) -> bool) -> Result<Option<Bytes>, Broken> {
    let reading = async {
        let mut whole = Vec::new();
        while let Some(chunk) = std::future::poll_fn(|cx| body.as_mut().poll_chunk(cx)).await {
            if let Chunk::Data(data) = chunk? {
                whole.extend_from_slice(&data);
            }
            if whole.len() >= MARK.len() && !goes_on(whole.starts_with(MARK)) {
                return Ok(None);
            }
        }
        Ok(goes_on(whole.starts_with(MARK)).then(|| whole.into()))
    };
    tokio::time::timeout(bounds::FORM_DEADLINE, reading).await.unwrap_or(Err(Broken::Idle))
}

/// The request as a form, tied to the challenge with this seal, if there is one.
fn sealed(visit: &Visit<'_>, request: &Request, head: &dyn Head, body: Bytes, seal: &[u8]) -> Form {
    let mut fields = Vec::new();
    for name in FORM_FIELDS {
        if name == "cookie" {
            fields.extend(read::foreign_cookies(head).map(|c| (name, Bytes::from(c.into_owned()))));
            continue;
        }
        head.any(name, &mut |value| {
            fields.push((name, Bytes::copy_from_slice(value)));
            false
        });
    }
    let holder = visit.pass.map(|p| p.id);
    Form {
        tie: visit.house.forms.tie(seal, holder, visit.client.prefix.0, visit.house.now().unix()),
        portal: visit.portal().name.clone(),
        scheme: request.scheme.to_owned(),
        authority: request.authority.to_string(),
        method: head.method().to_owned(),
        target: request.target.to_string(),
        fields,
        body,
    }
}

/// The page of a challenge, with the form in it where there is one that can be sealed.
pub fn challenge_page(
    visit: &mut Visit<'_>,
    head: &dyn Head,
    reason: Reason,
    (seal, wait): (&[u8], u8),
    form: Option<(Form, Room)>,
) -> Made {
    let filling = Filling { seal, wait, gzip: respond::takes_gzip(head), ..Filling::default() };
    let sealed = form.and_then(|(form, room)| Some((visit.house.forms.seal(&form)?, room)));
    let Some((text, room)) = sealed else {
        mint::count(visit, "form_left");
        return respond::challenge_again(visit, Page::ChallengeResend, reason, filling);
    };
    mint::count(visit, "form_sealed");
    let filling = Filling { form: &text, ..filling };
    hold(respond::challenge_again(visit, Page::ChallengeForm, reason, filling), room)
}

/// The page stays in the house for as long as its reader takes for it, and so does its place.
pub fn hold(mut made: Made, room: Room) -> Made {
    made.body = match made.body {
        Payload::Bytes(bytes) => Payload::Stream(Box::pin(Sheet { bytes, _room: room })),
        other => other,
    };
    made
}

struct Sheet {
    bytes: Bytes,
    _room: Room,
}

impl Body for Sheet {
    fn poll_chunk(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let length = self.bytes.len().min(PIECE);
        let piece = self.bytes.split_to(length);
        Poll::Ready((length > 0).then_some(Ok(Chunk::Data(piece))))
    }

    fn exact(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_sends_its_fields_in_one_order() {
        let cases: [(&str, Option<Parts<'_>>); 8] = [
            ("boma-seal=a&boma-work=b&boma-form=c", Some((b"a", b"b", Some(b"c")))),
            ("boma-seal=&boma-work=&boma-form=c", Some((b"", b"", Some(b"c")))),
            ("boma-seal=a&boma-work=b", Some((b"a", b"b", None))),
            ("boma-seal=a&boma-work=b&boma-form=", Some((b"a", b"b", None))),
            ("boma-seal=a", None),
            ("boma-seal=a&boma-form=c", None),
            ("boma-work=b&boma-seal=a", None),
            ("boma-seal=a&boma-work=b&boma-form=c&x", None),
        ];
        for (text, said) in cases {
            assert_eq!(parts(text.as_bytes()), said, "{text}");
        }
    }
}
