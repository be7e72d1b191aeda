//! The one place that maps a reason to status, fields and body. HTML goes to a navigation, `application/problem+json`
//! (RFC 9457) to everybody else, gRPC gets its own status.
//!
//! Does not know: guards, the origin's connections.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::facts::Kind;
use crate::origin::{Answer, Came};
use crate::pages::{self, Choice, Html, Page, Sheet};
use crate::pen::{self, Values};
use crate::reason::Reason;
use crate::waiting::Waits;
use crate::wire::{Broken, Common, Fields, Head, Hole, Payload, Version};
use crate::{bounds, clock};

use super::decide::OverLimit;
use super::mint;
use super::problem::problem;
use super::read::{OWN, Request};
use super::reference::{self, Reference, Shown};
use super::tag;
use super::visit::Visit;
use super::wait::{self, Ride};

/// An answer in the making, and why it is what it is.
pub struct Made {
    pub status: u16,
    /// Fields that it shares with other answers.
    pub common: Option<Arc<Common>>,
    pub fields: Fields,
    pub body: Payload,
    pub reason: Reason,
    /// End the connection without an answer.
    pub close: bool,
}

impl Made {
    pub fn empty(status: u16, reason: Reason) -> Made {
        Made {
            status,
            common: None,
            fields: Fields::default(),
            body: Payload::Bytes(Bytes::new()),
            reason,
            close: false,
        }
    }
}

/// What a broken upload is answered with.
pub fn upload_broke(broken: Broken) -> Reason {
    match broken {
        Broken::TooLarge => Reason::BodyTooLarge,
        Broken::Malformed => Reason::BadRequest,
        Broken::Idle => Reason::BodyStalled,
        Broken::Gone | Broken::Barred => Reason::ClientGone,
    }
}

/// Over HTTP/2 any success in answer to an extended CONNECT opens the tunnel (RFC 8441 section 5), so an answer of
/// another kind must not be one.
pub fn unmistaken(visit: &mut Visit<'_>, head: &dyn Head, made: Made) -> Made {
    let success = (200..300).contains(&made.status) && !matches!(made.body, Payload::Tunnel(_));
    if success && head.version() == Version::Http2 && head.upgrade().is_some() {
        return refusal(visit, head, Reason::NotSwitched);
    }
    made
}

/// The same address by https.
pub fn to_https(request: &Request) -> Made {
    let mut made = Made::empty(308, Reason::ToHttps);
    made.fields.push("location", format!("https://{}{}", request.host, request.target));
    made.fields.push("cache-control", "no-store");
    made
}

/// The origin's answer, passed on.
pub fn relay(visit: &Visit<'_>, request: &Request, head: &dyn Head, answer: Answer) -> Made {
    let Answer { status, mut fields, body } = answer;
    let body = match body {
        Came::Body(body) => Payload::Stream(body),
        Came::Tunnel(tunnel) => Payload::Tunnel(tunnel),
    };
    // An origin that names requests itself would give the answer two names.
    fields.remove("x-request-id");
    mint::keep(visit, request, head, status, &mut fields);
    Made { status, common: None, fields, body, reason: Reason::Served, close: false }
}

/// A sheet as it lies, with a code where it has a place for one; without its body to whoever has it (RFC 9110 section 13.1.2).
pub fn sheet(visit: &mut Visit<'_>, head: &dyn Head, sheet: Sheet) -> Made {
    let town = visit.town.clone();
    let shelf = town.shelf.load();
    let document = shelf.sheet(visit.portal.unwrap_or(0), visit.language, sheet);
    let tagged = match document.body.holes.is_empty() {
        true => tag::plain(head, &document.mark, true),
        false => tag::coded(visit, head, &document.mark, (Reason::Own, Shown::Status)),
    };
    let mut made = Made::empty(if tagged.known { 304 } else { 200 }, Reason::Own);
    let fields = &mut made.fields;
    fields.push("etag", tagged.tag);
    // Whose cookie chose the language, has it for themselves.
    let shared = if visit.choice == Choice::Cookie { "private" } else { "public" };
    fields.push("cache-control", format!("{shared}, max-age={}", bounds::STATUS_AGE.as_secs()));
    fields.push("vary", "accept-language, accept-encoding");
    // Everybody may read it, other sites' pages too.
    fields.push("access-control-allow-origin", "*");
    if tagged.known {
        return made;
    }
    fields.push("content-type", document.kind);
    fields.push("content-language", document.language.clone());
    fields.push("x-content-type-options", "nosniff");
    if let Some(csp) = &document.csp {
        fields.push("content-security-policy", csp.clone());
    }
    let code = tagged.code.unwrap_or_default();
    let fill = |_, out: &mut [u8]| copy(code.as_bytes(), out);
    made.body = Payload::Bytes(match document.packed.as_ref().filter(|_| takes_gzip(head)) {
        Some(packed) => {
            fields.push("content-encoding", "gzip");
            packed.fill(b"", fill)
        }
        None => document.body.fill(b"", fill),
    });
    made
}

/// A refusal that nothing helps against but another request.
pub fn refusal(visit: &mut Visit<'_>, head: &dyn Head, reason: Reason) -> Made {
    if matches!(reason, Reason::Dropped | Reason::Banned) && !visit.client.peer_trusted {
        return Made { close: true, ..Made::empty(0, reason) };
    }
    let page = match reason {
        Reason::OwnNotFound => Page::NotFound,
        Reason::Denied | Reason::Dropped | Reason::Banned => Page::Denied,
        Reason::BodyTooLarge | Reason::HeadTooLarge => Page::TooLarge,
        Reason::WrongHost => Page::WrongHost,
        Reason::NeedsPass => Page::Limited,
        _ => Page::BadRequest,
    };
    let status = reason.row().status;
    error(visit, head, page, status, reason, None)
}

/// Over a limit: 429, and when to come back; with the form that must not be lost by it, where there is one.
pub fn limited(visit: &mut Visit<'_>, head: &dyn Head, over: OverLimit, ride: Ride<'_>) -> Made {
    let seconds = over.wait.div_ceil(clock::SECOND).max(1);
    let mut made = match ride {
        Ride::Form(form) => form_page(visit, head, Page::LimitedForm, (429, Reason::OverLimit), Some(seconds), form),
        Ride::Left => error(visit, head, Page::Left, 429, Reason::OverLimit, Some(seconds)),
        Ride::Nothing => error(visit, head, Page::Limited, 429, Reason::OverLimit, Some(seconds)),
    };
    let (name, mut values) = (printable(&over.limit), Values::default());
    values.text("\"").text(&name).text("\";q=").number(over.burst.into());
    match over.window {
        Some(window) => values.text(";w=").number(window),
        None => values.text(";qu=\"concurrent-requests\""),
    };
    made.fields.push("ratelimit-policy", values.take());
    made.fields.push("ratelimit", values.text("\"").text(&name).text("\";r=0;t=").number(seconds).take());
    made
}

/// A page that holds a form and a button to send it.
pub fn form_page(
    visit: &mut Visit<'_>,
    head: &dyn Head,
    page: Page,
    (status, reason): (u16, Reason),
    wait: Option<u64>,
    form: &str,
) -> Made {
    let retry = retry_after(visit, reason, wait);
    html(visit, page, (status, reason), retry, Filling { form, gzip: takes_gzip(head), ..Filling::default() })
}

/// What stands inside a structured-field string (RFC 9651 section 3.3.3): names with anything else than printable ASCII are cut
/// to it.
fn printable(name: &str) -> Cow<'_, str> {
    let plain = |b: u8| (b.is_ascii_graphic() || b == b' ') && !matches!(b, b'"' | b'\\');
    if name.bytes().all(plain) {
        return Cow::Borrowed(name);
    }
    name.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
        .collect()
}

/// A challenge, in the form that this kind of request can take.
pub fn challenge(visit: &mut Visit<'_>, request: &Request, head: &dyn Head, reason: Reason) -> Made {
    match visit.kind {
        Kind::Navigation => {
            let page = if request.safe { Page::Challenge } else { Page::ChallengeResend };
            challenge_page(visit, head, page, reason)
        }
        Kind::Subresource | Kind::Background => error(visit, head, Page::Limited, 429, Reason::NeedsPass, None),
        Kind::Program => {
            let url = format!("{}://{}{OWN}challenge", request.scheme, request.authority);
            let status = visit.town.settings.challenge.status;
            let more = format!(",\"challenge_url\":{}", serde_json::Value::from(url));
            problem(visit, head, status, reason, retry_after(visit, reason, None), &more)
        }
    }
}

pub fn challenge_page(visit: &mut Visit<'_>, head: &dyn Head, page: Page, reason: Reason) -> Made {
    let ask = mint::ask(visit, head);
    let seal = mint::issue(visit, head, &ask);
    challenge_again(
        visit,
        page,
        reason,
        Filling { seal: &seal, wait: ask.wait, gzip: takes_gzip(head), ..Filling::default() },
    )
}

/// The page of a challenge that was issued already.
pub fn challenge_again(visit: &mut Visit<'_>, page: Page, reason: Reason, filling: Filling<'_>) -> Made {
    let status = visit.town.settings.challenge.status;
    let retry = retry_after(visit, reason, None);
    let bare = visit.unheard || (!filling.gzip && is_heavy(visit, page));
    let page = if bare { page.bare() } else { page };
    html(visit, page, (status, reason), retry, filling)
}

/// Whether a challenge is too much for whoever does not unpack it; browsers all do.
fn is_heavy(visit: &Visit<'_>, page: Page) -> bool {
    let shelf = visit.town.shelf.load();
    let shown = visit.portal.map_or_else(|| shelf.plain(page), |portal| shelf.page(portal, visit.language, page));
    shown.body.bytes.len() > bounds::CHALLENGE_BYTES
}

/// An error of boma's own: the page to a navigation, problem+json to all others.
pub fn error(
    visit: &mut Visit<'_>,
    head: &dyn Head,
    page: Page,
    status: u16,
    reason: Reason,
    wait: Option<u64>,
) -> Made {
    let retry = retry_after(visit, reason, wait);
    match visit.kind {
        Kind::Navigation => {
            html(visit, page, (status, reason), retry, Filling { gzip: takes_gzip(head), ..Filling::default() })
        }
        _ => problem(visit, head, status, reason, retry, ""),
    }
}

/// Seconds for `Retry-After`, up to a fifth more or less, so that a crowd does not come back at once.
pub fn retry_after(visit: &Visit<'_>, reason: Reason, wait: Option<u64>) -> Option<u64> {
    let base = wait.unwrap_or(u64::from(reason.row().retry_after));
    let spread = base / 5;
    let jitter = if spread == 0 { 0 } else { mark(visit) % (2 * spread + 1) };
    // Never earlier than the limit itself allows.
    let least = if wait.is_some() { base } else { base - spread };
    (base > 0).then_some(least + jitter)
}

/// A number that differs from request to request.
fn mark(visit: &Visit<'_>) -> u64 {
    visit.id.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)) >> 8
}

pub fn common(reason: Reason, status: u16, retry: Option<u64>) -> Made {
    let mut made = Made { fields: Fields::with_capacity(12), ..Made::empty(status, reason) };
    let error = reason.row().proxy_status;
    if !error.is_empty() {
        made.fields.push("proxy-status", error);
    }
    if let Some(seconds) = retry {
        made.fields.push("retry-after", pen::number(seconds));
    }
    made.fields.push("cache-control", "no-store");
    made
}

/// What a page is filled with besides its reference, and how it is sent.
#[derive(Clone, Copy, Default)]
pub struct Filling<'a> {
    pub seal: &'a [u8],
    /// Seconds that are left before the button may be pressed.
    pub wait: u8,
    pub gzip: bool,
    /// A sealed form that rides along.
    pub form: &'a str,
    /// A place in the line.
    pub waits: Option<&'a Waits>,
}

pub fn takes_gzip(head: &dyn Head) -> bool {
    head.any("accept-encoding", &mut pages::takes_gzip)
}

pub fn html(
    visit: &mut Visit<'_>,
    page: Page,
    (status, reason): (u16, Reason),
    retry: Option<u64>,
    filling: Filling<'_>,
) -> Made {
    let town = visit.town.clone();
    let shelf = town.shelf.load();
    let shown: &Html = match visit.portal {
        Some(portal) if visit.house.pulse.is_line_full() => shelf.small(portal, visit.language, page),
        Some(portal) => shelf.page(portal, visit.language, page),
        None => shelf.plain(page),
    };
    let code = reference(visit, reason);
    let mut made = common(reason, status, retry);
    let fill = |hole, out: &mut [u8]| match hole {
        Hole::Reference => copy(code.as_bytes(), out),
        Hole::Seal => copy(filling.seal, out),
        Hole::Wait => {
            let digit = |over: u8| if filling.wait >= over { b'0' + filling.wait / over % 10 } else { b' ' };
            copy(&[digit(100), digit(10), b'0' + filling.wait % 10], out);
        }
        Hole::Form | Hole::Code => {}
        hole => wait::fill(filling.waits, hole, out),
    };
    made.body = Payload::Bytes(match shown.packed.as_ref().filter(|_| filling.gzip) {
        Some(packed) => {
            made.fields.push("content-encoding", "gzip");
            packed.fill(filling.form.as_bytes(), fill)
        }
        None => shown.body.fill(filling.form.as_bytes(), fill),
    });
    dress(&mut made, shown);
    if visit.choice == Choice::Query {
        made.fields.push("set-cookie", mint::language_cookie(visit));
    }
    made
}

/// The fields of a page.
pub fn dress(made: &mut Made, shown: &Html) {
    made.fields.push("content-type", "text/html; charset=utf-8");
    made.fields.push("content-language", shown.language.clone());
    made.fields.push("content-security-policy", shown.csp.clone());
    made.fields.push("x-content-type-options", "nosniff");
    made.fields.push("referrer-policy", "same-origin");
    made.fields.push("vary", "accept-language, accept-encoding, cookie");
}

pub fn copy(from: &[u8], to: &mut [u8]) {
    if from.len() == to.len() {
        to.copy_from_slice(from);
    }
}

pub fn reference(visit: &mut Visit<'_>, reason: Reason) -> String {
    reference_of(visit, reason, Shown::Page)
}

pub fn reference_of(visit: &mut Visit<'_>, reason: Reason, shown: Shown) -> String {
    let plain = Reference { unix: visit.now.unix() as u32, reason: reason as u8, shown, mark: mark(visit) as u16 };
    let code = reference::seal(&visit.house.references, plain);
    visit.reference = Some(code.clone());
    code
}
