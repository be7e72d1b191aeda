//! The one record of a visit: metrics and access log, once per request, at the end of its answer.
//!
//! Does not know: how an answer was decided.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::admit::Heard;
use crate::client::{Client, Fingerprint};
use crate::clock::{Now, SECOND};
use crate::facts::Kind;
use crate::force::House;
use crate::held::Held;
use crate::limit::Entered;
use crate::pen;
use crate::plan::quota_id;
use crate::quick::Table;
use crate::reason::{Blame, Reason};
use crate::seal;
use crate::telemetry::access::Batch;
use crate::telemetry::metrics::{FailureLabels, RequestLabels, Requests};
use crate::telemetry::{Fact, Fate, Line, Outcome, Sampler};
use crate::wire::{Answer, Body, BodyBox, Broken, Chunk, Head, Payload, Reply};

use super::read;
use super::respond::Made;
use super::visit::{Pinned, Visit};

/// One worker's recorder.
pub struct Recorder {
    /// Of this worker's requests, which need not count it with all others'.
    house: Pinned<House>,
    batch: Rc<Batch>,
    sampler: Sampler,
    /// Handles of counters by what labels them, so that no label is built on the hot path.
    counters: RefCell<Counters>,
    /// Random start of this worker's request ids, and how many it has given.
    start: String,
    given: Cell<u64>,
}

#[derive(Default)]
struct Counters {
    edition: u64,
    handles: Table<u128, Requests>,
}

impl Recorder {
    pub fn new(house: &Arc<House>) -> Recorder {
        let mut start = [0; 8];
        seal::random(&mut start);
        let seed = u64::from_le_bytes(start);
        let mut start = String::with_capacity(16);
        pen::hex(&mut start, seed, 16);
        Recorder {
            house: Rc::new(house.clone()),
            batch: Rc::new(house.access.batch()),
            sampler: Sampler::new(house.workers(), seed),
            counters: RefCell::default(),
            start,
            given: Cell::new(0),
        }
    }

    /// A trusted peer's request id, where it is fit for a log; else a new one.
    pub fn next_id(&self, head: &dyn Head, client: &Client) -> String {
        let fit = |id: &&str| {
            (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if client.peer_trusted
            && let Some(id) = head.text("x-request-id").filter(fit)
        {
            return id.to_owned();
        }
        let n = self.given.get();
        self.given.set(n + 1);
        let mut id = String::with_capacity(24);
        id.push_str(&self.start);
        pen::hex(&mut id, n, 8);
        id
    }

    /// A request is being answered.
    pub fn in_flight(&self) -> InFlight {
        self.house.metrics.in_flight.inc();
        InFlight { house: self.house.clone(), entered: Vec::new() }
    }

    pub fn origin_failed(&self, visit: &Visit<'_>, reason: Reason) {
        let labels = FailureLabels { portal: visit.portal().name.clone(), reason: reason.row().name };
        self.house.metrics.origin_failures.get_or_create(&labels).inc();
    }

    pub fn flush(&self) {
        self.batch.flush();
        self.sampler.flush(&self.house.recent, self.house.now().unix());
    }

    /// Sends an answer off; it is recorded when its body has gone out, or at once where that is prepared.
    pub fn send(&self, visit: &mut Visit<'_>, head: &dyn Head, mut made: Made, in_flight: InFlight) -> Reply {
        self.count(visit, made.status, made.reason);
        // Only what the origin said of itself: who is refused already is not punished for it.
        if matches!(made.reason, Reason::Served | Reason::OriginError) {
            visit.tallies.iter().for_each(|t| self.house.limits.answered(t, made.status, self.house.now().mono));
        }
        // Rules hardly hold on boma's own paths: they would only stand in the way of what previews are for.
        if visit.portal.is_some() && !visit.path.starts_with(read::OWN) {
            let fact = || {
                let fact = Fact::of(head, read::scheme(visit, head), &visit.host, &visit.client, visit.pass);
                fact.with(self.fate(visit, &made))
            };
            self.sampler.offer(&self.house.recent, visit.now.unix(), visit.vouched().is_some(), fact);
        }
        let line = self.line(visit, head, &made);
        let mut record = Record {
            batch: self.batch.clone(),
            line,
            opened: visit.now,
            ended: None,
            bytes: 0,
            // An upload's breaking off is not the origin's doing.
            origin: visit.portal.filter(|_| made.reason == Reason::Served && !visit.unsafe_sent && !visit.from_cache),
            in_flight,
        };
        if made.close {
            drop(record);
            return Reply::Close;
        }
        made.fields.push("x-request-id", std::mem::take(&mut visit.id));
        let mut made_at = None;
        let body = match made.body {
            Payload::Bytes(bytes) => {
                made_at = Some(self.house.now());
                record.ended = made_at;
                record.bytes = if head.method() == "HEAD" { 0 } else { bytes.len() as u64 };
                Payload::Bytes(bytes)
            }
            Payload::Stream(body) => Payload::Stream(Box::pin(Recorded { body, record })),
            // Recorded at its beginning: a tunnel may stay open for days.
            Payload::Tunnel(tunnel) => {
                let entered = std::mem::take(&mut record.in_flight.entered);
                Payload::Tunnel(Box::pin(Held::new(tunnel, entered)))
            }
        };
        let Made { status, common, fields, .. } = made;
        Reply::Answer(Answer { made: made_at, status, common, fields, body })
    }

    fn fate(&self, visit: &Visit<'_>, made: &Made) -> Fate {
        const MILLI: u64 = SECOND / 1000;
        let came = visit.now.wall / MILLI;
        let limited = matches!(made.reason, Reason::OverLimit | Reason::ChallengeLimit);
        Fate {
            came,
            answered: came + self.house.now().since(visit.now) / MILLI,
            origin: (matches!(made.reason, Reason::Served | Reason::OriginError) && !visit.from_cache)
                .then_some(made.status),
            free: visit.free,
            limit: visit.rule.as_deref().filter(|_| limited).map(quota_id),
            sent_away: matches!(made.reason.row().verdict, "challenged" | "limited" | "denied" | "dropped"),
        }
    }

    fn count(&self, visit: &Visit<'_>, status: u16, reason: Reason) {
        let mut counters = self.counters.borrow_mut();
        if counters.edition != visit.town.edition {
            *counters = Counters { edition: visit.town.edition, handles: Table::default() };
        }
        let place = (visit.portal.map_or(0, |p| p as u128 + 1) << 64) | (visit.route as u128) << 32;
        let key = place | u128::from(status) << 8 | reason as u128;
        let new = || {
            let portal = visit.portal.map(|p| &visit.town.portals.list[p]);
            let labels = RequestLabels {
                portal: portal.map_or(String::new(), |p| p.name.clone()),
                route: portal.map_or(String::new(), |p| p.routes.all()[visit.route].path.clone()),
                code: status,
                action: reason.row().verdict,
            };
            self.house.metrics.requests.get_or_create_owned(&labels)
        };
        counters.handles.entry(key).or_insert_with(new).inc();
        if let Some(portal) = visit.portal {
            let outcome = outcome(visit, status, reason);
            let citizens = is_citizens(visit, outcome);
            let of = (visit.vouched().is_some(), citizens);
            visit.town.totals[portal].count(visit.route().class, outcome, of, visit.rule.as_deref());
        }
    }

    fn line(&self, visit: &Visit<'_>, head: &dyn Head, made: &Made) -> Option<String> {
        if !self.batch.is_on() || self.sampled_out(visit, made.reason) {
            return None;
        }
        let row = made.reason.row();
        Some(self.batch.begin(&Line {
            at: visit.now.wall,
            client: visit.client.address,
            peer: visit.client.peer,
            method: head.method(),
            scheme: read::scheme(visit, head),
            host: &visit.host,
            path: &visit.path,
            query: head.query(),
            version: head.version().as_str(),
            fingerprint: visit.client.fingerprint.as_ref().map(Fingerprint::as_str),
            user_agent: head.field("user-agent"),
            referrer: head.field("referer"),
            kind: visit.kind.as_str(),
            id: &visit.id,
            status: made.status,
            portal: visit.portal.map_or("", |p| &visit.town.portals.list[p].name),
            verdict: row.verdict,
            reason: row.name,
            rule: visit.rule.as_deref(),
            noted: &visit.noted,
            posture: visit.level.as_str(),
            cache: visit.cache,
            pass: visit.pass.map(|p| p.level),
            bot: visit.bot(),
            reference: visit.reference.as_deref(),
        }))
    }

    /// From the postures that say so, only one in N lines of refused requests is written.
    fn sampled_out(&self, visit: &Visit<'_>, reason: Reason) -> bool {
        let one_in = u64::from(visit.town.settings.log.refused.max(1));
        let refused = reason.row().verdict != "allowed";
        refused && visit.effects().sample_refused && one_in > 1 && !self.given.get().is_multiple_of(one_in)
    }
}

/// As a citizen would tell it.
fn outcome(visit: &Visit<'_>, status: u16, reason: Reason) -> Outcome {
    match (reason, reason.row().verdict) {
        (Reason::Solved, _) => Outcome::Solved,
        (Reason::Own | Reason::OwnNotFound | Reason::Unsolved | Reason::ToHttps, _) => Outcome::Own,
        (Reason::WrongCode | Reason::FormVoid | Reason::FormSent, _) => Outcome::Own,
        (Reason::ClientGone, _) => Outcome::Gone,
        _ if visit.cache == Some("snapshot") => Outcome::Copy,
        _ if visit.from_cache => Outcome::Cache,
        (Reason::Busy | Reason::Strained | Reason::WaitFull | Reason::WaitRule, _) => Outcome::Waiting,
        // What it does not know how to do says nothing of its health.
        (Reason::Served, _) if status >= 500 && !matches!(status, 501 | 505) => Outcome::Failed,
        (_, "allowed") => Outcome::Full,
        (_, "challenged") => Outcome::Challenged,
        (_, "limited") => Outcome::Limited,
        (_, "dropped") => Outcome::Dropped,
        (_, "denied") if reason.row().blame == Blame::Client => Outcome::Faulty,
        (_, "denied") => Outcome::Denied,
        _ => Outcome::Statement,
    }
}

/// Whether a citizen's ([`crate::uptime::DEFINITION`]). A flood that is sent away must not make the portal look as if it
/// refused people; while all is quiet there is none, and most people have no pass yet. Who has none and is told to come again may
/// be either: of those the first seconds of a flood are full, and who is a person comes again with the pass that the page gave them.
fn is_citizens(visit: &Visit<'_>, outcome: Outcome) -> bool {
    if visit.kind == Kind::Subresource || visit.claim.is_some() {
        return false;
    }
    let sent_away = matches!(outcome, Outcome::Challenged | Outcome::Limited | Outcome::Denied | Outcome::Dropped);
    match visit.vouched() {
        Some(pass) => visit.house.settled.is_ordinary(pass, visit.now.unix()),
        None => visit.effects().quiet && !sent_away && (outcome != Outcome::Waiting || visit.pass.is_some()),
    }
}

/// A visit under way. Where it is dropped before its answer the client has left, or was sent away: that too is
/// recorded, as `client.gone`.
pub struct Unanswered<'a> {
    pub recorder: &'a Recorder,
    pub visit: Box<Visit<'a>>,
    pub head: &'a dyn Head,
    pub in_flight: Option<InFlight>,
}

impl Unanswered<'_> {
    pub fn answer(mut self, made: Made) -> Reply {
        match self.in_flight.take() {
            Some(mut in_flight) => {
                in_flight.entered = std::mem::take(&mut self.visit.entered);
                self.recorder.send(&mut self.visit, self.head, made, in_flight)
            }
            None => Reply::Close,
        }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(in_flight) = self.in_flight.take() {
            let status = Reason::ClientGone.row().status;
            self.recorder.send(&mut self.visit, self.head, Made::empty(status, Reason::ClientGone), in_flight);
        }
    }
}

/// Counts a request as being answered for as long as it lives; a client that leaves in the middle ends it too.
pub struct InFlight {
    house: Pinned<House>,
    /// Concurrency limits that it counts in.
    pub(super) entered: Vec<Entered>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.house.metrics.in_flight.dec();
    }
}

/// Written when it is dropped, however the answer ended.
struct Record {
    batch: Rc<Batch>,
    line: Option<String>,
    opened: Now,
    /// Where it ends at once.
    ended: Option<Now>,
    bytes: u64,
    /// Number of the portal whose origin sends the body.
    origin: Option<usize>,
    in_flight: InFlight,
}

impl Record {
    /// The origin's answer ends in the middle.
    fn breaks(&mut self) {
        let (Some(at), house) = (self.origin.take(), &self.in_flight.house) else { return };
        let town = house.town.load();
        if let (Some(portal), Some(gate)) = (town.portals.list.get(at), town.gates.get(at)) {
            let labels = FailureLabels { portal: portal.name.clone(), reason: Reason::OriginBroke.row().name };
            house.metrics.origin_failures.get_or_create(&labels).inc();
            gate.hear(Heard::Failed);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let house = &self.in_flight.house;
        let nanos = self.ended.unwrap_or_else(|| house.now()).since(self.opened);
        house.metrics.duration.observe(nanos);
        if let Some(line) = &self.line {
            self.batch.end(line, self.bytes, nanos);
        }
    }
}

struct Recorded {
    body: BodyBox,
    record: Record,
}

impl Body for Recorded {
    fn poll_chunk(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broken>>> {
        let chunk = ready!(self.body.as_mut().poll_chunk(cx));
        match &chunk {
            Some(Ok(Chunk::Data(data))) => self.record.bytes += data.len() as u64,
            Some(Err(broken)) if *broken != Broken::Barred => self.record.breaks(),
            _ => {}
        }
        Poll::Ready(chunk)
    }

    fn exact(&self) -> Option<u64> {
        self.body.exact()
    }

    fn ended(&self) -> bool {
        self.body.ended()
    }

    fn is_given_up(&self) -> bool {
        self.body.is_given_up()
    }
}
