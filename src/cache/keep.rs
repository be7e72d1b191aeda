//! Whether an answer may be kept for others (RFC 9111 sections 3 and 3.5), and what is kept of it.

use std::sync::Arc;

use bytes::Bytes;

use super::time::{self, Asked, Times};
use super::vary::{Asking, Selected, Varies};
use super::wish::Wish;
use super::{reuse, scan};
use crate::bounds;
use crate::clock::Now;
use crate::said::Said;
use crate::wire::{Common, Fields};

/// By whose word answers of a route are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The origin's: RFC 9111.
    Origin,
    /// Where the origin says nothing of freshness, so many seconds: boma fetched it itself, as nobody.
    Fill(u64),
}

/// The request that an answer is for.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub asking: Asking<'a>,
    /// It carries a cookie by which somebody is known.
    pub personal: bool,
    pub word: Word,
}

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unkept {
    Method,
    Status,
    NoStore,
    Private,
    SetCookie,
    VaryAlways,
    VaryCookie,
    Authorized,
    Personal,
    /// The request wants nothing of it kept.
    Asked,
    NoFreshness,
    /// A part, or an answer whose fields contradict each other.
    Partial,
    /// It holds something that tells its own visitor from others.
    Session,
    TooLarge,
    /// A piece of a page, asked for at the page's address.
    Fragment,
    /// A page packed in a way that boma cannot look into.
    Sealed,
}

impl Unkept {
    pub fn name(self) -> &'static str {
        match self {
            Unkept::Method => "method",
            Unkept::Status => "status",
            Unkept::NoStore => "no-store",
            Unkept::Private => "private",
            Unkept::SetCookie => "set-cookie",
            Unkept::VaryAlways => "vary-all",
            Unkept::VaryCookie => "vary-cookie",
            Unkept::Authorized => "authorization",
            Unkept::Personal => "cookie",
            Unkept::Asked => "request-no-store",
            Unkept::NoFreshness => "no-freshness",
            Unkept::Partial => "partial",
            Unkept::Session => "session-id",
            Unkept::TooLarge => "too-large",
            Unkept::Fragment => "fragment",
            Unkept::Sealed => "encoding",
        }
    }

    /// Whether it lies with the one request, so that another's answer may well be kept.
    pub fn is_the_requests(self) -> bool {
        matches!(
            self,
            Unkept::Method
                | Unkept::Authorized
                | Unkept::Personal
                | Unkept::Asked
                | Unkept::Partial
                | Unkept::Fragment
                | Unkept::Sealed
        )
    }
}

/// An answer that may be kept once it has come whole.
#[derive(Clone, Debug)]
pub struct Draft {
    pub status: u16,
    pub fields: Fields,
    pub said: Said,
    pub times: Times,
    pub selected: Selected,
    pub tags: Vec<String>,
}

/// An answer that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    pub status: u16,
    /// As they go out again.
    pub common: Arc<Common>,
    pub body: Bytes,
    pub said: Said,
    pub times: Times,
    pub selected: Selected,
    pub tags: Vec<String>,
}

/// Fields that hold for one transfer only, or that boma writes anew (RFC 9111 section 3.1).
const NOT_KEPT: [&str; 17] = [
    "age",
    "content-length",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
    "boma-session",
    "cache-tag",
    "surrogate-key",
    "set-cookie2",
];

/// Fields by which somebody is known besides cookies: keys of programs, and what gateways that sign people in say of them.
const CREDENTIALS: [&str; 12] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "x-access-token",
    "x-remote-user",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-auth-request-user",
    "cf-access-jwt-assertion",
];

/// Fields by which scripts ask for a piece of a page at the page's own address. Origins forget to say so in `Vary`, and
/// the piece would be given to whoever goes to the page.
const FRAGMENTS: [&str; 6] = ["x-requested-with", "x-pjax", "hx-request", "turbo-frame", "x-inertia", "rsc"];

/// Judges an answer by its head.
///
/// # Errors
/// [`Unkept`].
pub fn judge(request: Request<'_>, status: u16, fields: &Fields, at: Asked) -> Result<Draft, Unkept> {
    let times = |fields: &Fields, said: &Said| times(request.word, status, fields, said, at);
    draft(request, status, fields, at, times)
}

/// An error as those may have it who wait for the same at this moment. It is kept for nobody.
///
/// # Errors
/// [`Unkept`], where it is for one request alone.
pub fn shared_error(request: Request<'_>, status: u16, fields: &Fields, at: Asked) -> Result<Draft, Unkept> {
    draft(request, status, fields, at, |fields, _| Ok(Times::new(fields, at, (0, true))))
}

fn draft(
    request: Request<'_>,
    status: u16,
    fields: &Fields,
    at: Asked,
    times: impl Fn(&Fields, &Said) -> Result<Times, Unkept>,
) -> Result<Draft, Unkept> {
    let head = request.asking.head;
    if head.method() != "GET" {
        return Err(Unkept::Method);
    }
    if !(200..600).contains(&status) || status == 304 {
        return Err(Unkept::Status);
    }
    if matches!(status, 206 | 416) || fields.first("content-range").is_some() {
        return Err(Unkept::Partial);
    }
    let mut fields = fields.clone();
    if matches!(request.word, Word::Fill(_)) {
        fields.remove("set-cookie");
        fields.remove("set-cookie2");
    }
    if fields.first("set-cookie").is_some() || fields.first("set-cookie2").is_some() {
        return Err(Unkept::SetCookie);
    }
    let said = Said::of(&fields);
    if said.no_store {
        return Err(Unkept::NoStore);
    }
    if said.private {
        return Err(Unkept::Private);
    }
    let names = selecting(request.word, &fields)?;
    if Wish::of(head).no_store {
        return Err(Unkept::Asked);
    }
    if CREDENTIALS.iter().any(|name| head.field(name).is_some()) && !said.public {
        return Err(Unkept::Authorized);
    }
    if request.personal && !said.public {
        return Err(Unkept::Personal);
    }
    if FRAGMENTS.iter().any(|name| head.field(name).is_some() && !names.iter().any(|n| n == name)) {
        return Err(Unkept::Fragment);
    }
    if scan::is_sealed(&fields) {
        return Err(Unkept::Sealed);
    }
    let times = times(&fields, &said)?;
    if fields.all("date").count() != 1 || time::date(&fields, "date").is_none() {
        fields.set("date", time::write_date(at.came.unix()));
    }
    let tags = tags(&fields).ok_or(Unkept::TooLarge)?;
    fields.0.retain(|(name, _)| !NOT_KEPT.contains(&name.as_ref()) && !said.hidden.iter().any(|h| *h == **name));
    let selected = Selected::by(&names, &request.asking);
    Ok(Draft { status, fields, said, times, selected, tags })
}

/// The names by which an answer is selected: what `Vary` says, and what is forgotten there so often that others would get
/// what they cannot read.
fn selecting(word: Word, fields: &Fields) -> Result<Vec<String>, Unkept> {
    let mut names = match Varies::of(fields) {
        Varies::By(names) => names,
        Varies::Always => return Err(Unkept::VaryAlways),
        Varies::ByCookie => return Err(Unkept::VaryCookie),
    };
    if matches!(word, Word::Fill(_)) {
        // boma's own fetch says nothing else, so the answer is for nobody who does; and some pack it without saying so.
        if names.iter().any(|n| n != "accept-encoding") {
            return Err(Unkept::VaryAlways);
        }
        return Ok(vec!["accept-encoding".to_owned()]);
    }
    let packed = fields.first("content-encoding").is_some_and(|v| !v.trim_ascii().eq_ignore_ascii_case(b"identity"));
    let for_one = fields.first("access-control-allow-origin").is_some_and(|v| v.trim_ascii() != b"*");
    for (holds, name) in [(packed, "accept-encoding"), (for_one, "origin")] {
        if holds && !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn times(word: Word, status: u16, fields: &Fields, said: &Said, at: Asked) -> Result<Times, Unkept> {
    let understood =
        matches!(status, 200 | 203 | 204 | 300..=303 | 307 | 308 | 400 | 403..=405 | 410 | 414 | 500..=504);
    if said.must_understand && !understood {
        return Err(Unkept::Status);
    }
    let (lifetime, bad) = (time::lifetime(status, fields, said, at.came), reuse::is_trouble(status));
    let said_so = matches!(lifetime, Some((1.., false))) && !said.no_cache;
    match (word, lifetime) {
        // An error is kept only as long as it says itself: it is no copy for bad days.
        _ if bad && !said_so => Err(Unkept::Status),
        (Word::Fill(_), Some(lifetime)) if said_so => Ok(Times::new(fields, at, lifetime)),
        (Word::Fill(seconds), _) if is_unsaid(fields, said) && time::is_guessable(status) => {
            Ok(Times::from_now(at, seconds))
        }
        (Word::Fill(_), _) => Err(Unkept::NoFreshness),
        (Word::Origin, Some(lifetime)) => Ok(Times::new(fields, at, lifetime)),
        // Fresh it never is, but to be asked about again, and for bad days.
        (Word::Origin, None) if said.public || said.no_cache || time::is_guessable(status) => {
            Ok(Times::new(fields, at, (0, true)))
        }
        (Word::Origin, None) => Err(Unkept::NoFreshness),
    }
}

/// Whether an answer says nothing of its freshness, so that the operator's word fills it in.
fn is_unsaid(fields: &Fields, said: &Said) -> bool {
    let pragma = fields.all("pragma").any(|v| v.to_ascii_lowercase().windows(8).any(|w| w == b"no-cache"));
    let ages = said.max_age.or(said.s_maxage).is_some();
    !said.no_cache && !ages && !pragma && fields.first("expires").is_none()
}

/// The tags by which it can be purged; `None` where they are more than are remembered.
fn tags(fields: &Fields) -> Option<Vec<String>> {
    let commas = fields.all("cache-tag").flat_map(|v| v.split(|b| *b == b','));
    let blanks = fields.all("surrogate-key").flat_map(|v| v.split(u8::is_ascii_whitespace));
    let mut tags: Vec<String> = Vec::new();
    for tag in commas.chain(blanks).map(<[u8]>::trim_ascii).filter(|t| !t.is_empty()) {
        if tags.len() == bounds::CACHE_TAGS || tag.len() > bounds::CACHE_TAG_BYTES {
            return None;
        }
        tags.push(String::from_utf8_lossy(tag).into_owned());
    }
    Some(tags)
}

impl Draft {
    pub fn whole(self, body: Bytes) -> Kept {
        let Draft { status, fields, said, times, selected, tags } = self;
        Kept { status, common: Arc::new(Common::new(fields)), body, said, times, selected, tags }
    }
}

impl Kept {
    pub fn fields(&self) -> &Fields {
        &self.common.fields
    }

    pub fn etag(&self) -> Option<&[u8]> {
        self.fields().first("etag")
    }

    pub fn age(&self, now: Now) -> u64 {
        self.times.age(now)
    }

    /// Whether it can be asked about without fetching it anew.
    pub fn has_validator(&self) -> bool {
        self.etag().is_some() || time::date(self.fields(), "last-modified").is_some()
    }

    /// Bytes that it takes.
    pub fn weight(&self) -> usize {
        let fields: usize = self.fields().0.iter().map(|(n, v)| 80 + n.len() + v.len()).sum();
        let tags: usize = self.tags.iter().map(|t| 24 + t.len()).sum();
        512 + fields + self.common.lines.len() + self.body.len() + self.selected.weight() + tags
    }
}
