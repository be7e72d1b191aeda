//! The corridor: one request's way through the stages, in order (DESIGN section 2). [`Corridor::walk`] is the order
//! and nothing else: first what needs nobody's time (`enter`), then the rest.
//!
//! own paths → rules → cache → limit → challenge → admit → origin → fallback → respond → record
//!
//! Does not know: how any stage works, sockets, files.

mod back;
mod begun;
mod budget;
mod cached;
mod code;
mod copied;
mod counts;
mod decide;
mod enter;
mod errand;
pub mod explain;
mod fallback;
mod form;
mod gather;
mod holder;
mod inside;
mod kept;
mod lead;
pub mod losses;
mod mint;
mod open;
mod over;
mod own;
pub mod preview;
mod problem;
mod read;
mod record;
pub mod reference;
pub mod replay;
mod respond;
mod security;
mod switch;
mod tag;
mod trial;
mod turns;
mod upload;
mod visit;
mod vouch;
mod wait;

use std::rc::Rc;
use std::sync::Arc;

use crate::admit::Desk;
use crate::clock::Now;
use crate::force::House;
use crate::origin::{Answer, Forward, OriginFault, Origins};
use crate::proofs::{Admitted, Cleared};
use crate::reason::Reason;
use crate::telemetry::metrics::ClassLabels;
use crate::wire::{BodyBox, Head, Line};

pub use counts::Preview;
pub use enter::{Entered, Going};
pub use read::{foreign_cookies, host_of};
pub use visit::Pinned;

use decide::Decision;
use enter::said;
use kept::Look;
use open::Open;
use read::Request;
use record::Recorder;
use respond::Made;
use turns::Before;
use visit::{Pins, Visit};

/// One worker's corridor: the shared house, and what belongs to this worker alone.
pub struct Corridor {
    house: Arc<House>,
    origins: Rc<Origins>,
    desk: Rc<Desk>,
    open: Rc<Open>,
    pins: Pins,
    recorder: Recorder,
}

impl Corridor {
    pub fn new(house: Arc<House>) -> Corridor {
        let origins = Rc::new(Origins::new(house.fleet.clone(), house.clock.clone()));
        let recorder = Recorder::new(&house);
        let desk = Rc::new(Desk::new(house.clock.clone()));
        let pins = Pins::new(&house);
        Corridor { house, origins, desk, open: Rc::default(), pins, recorder }
    }

    /// Everything after the decision, for a request within another.
    async fn decided(&self, visit: &mut Visit<'_>, call: Call<'_>, body: BodyBox, decision: Decision) -> Made {
        match said(visit, call, None, decision) {
            Ok(made) => made,
            Err(decision) => self.goes(visit, call, body, (decision, None)).await,
        }
    }

    /// What goes on: to the cache's turns and to the origin, or with a form before a check.
    async fn goes(
        &self,
        visit: &mut Visit<'_>,
        call: Call<'_>,
        body: BodyBox,
        (decision, look): (Decision, Option<Look>),
    ) -> Made {
        let Call { request, head, .. } = call;
        let mut cleared = match decision {
            Decision::Go(cleared) => cleared,
            stop => return self.stopped(visit, call, body, stop).await,
        };
        if look.as_ref().and_then(Look::usable).is_none() {
            match turns::before(visit, request, head, look.as_ref()) {
                Before::Gate => {}
                Before::Answered(made) => return made,
                Before::Stopped(stop) => return self.stopped(visit, call, body, stop).await,
            }
        }
        if let Some(look) = look {
            match Box::pin(self.by_cache(visit, call, look, cleared)).await {
                Ok(made) => return made,
                Err(alone) => cleared = alone,
            }
        }
        if let Some(snapshot) = fallback::spared(visit, request, head) {
            return snapshot;
        }
        // A form that comes back is longer than the one inside it.
        let may_be_back = form::may_be_back(visit, head, body.exact());
        let most = visit.route().max_body;
        if !may_be_back && body.exact().is_some_and(|n| n > most) {
            return respond::refusal(visit, head, Reason::BodyTooLarge);
        }
        let (at_once, room) = form::waited_for(visit, head, body.exact());
        let upload = match upload::gathered(body, at_once).await {
            Ok(upload) => upload,
            Err(broken) => return respond::refusal(visit, head, respond::upload_broke(broken)),
        };
        if may_be_back && upload.starts_with(form::MARK) {
            let met = Box::pin(form::back(visit, head, upload)).await;
            return self.met(visit, call, met).await;
        }
        let form = form::rides(visit, head, upload.exact()).then(|| upload.whole()).flatten();
        let Ok(body) = upload::capped(upload.body(), most) else {
            return respond::refusal(visit, head, Reason::BodyTooLarge);
        };
        let admitted = self.admitted(visit).await;
        drop(room);
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(reason) => return self.outside(visit, call, body, reason).await,
        };
        // Behind a pointer of its own: what waits for a permit holds no room for it, and two pieces of less than a page of memory are had
        // for less than one that is larger.
        let made = Box::pin(self.origin(visit, call, body, (cleared, admitted))).await;
        if form::never_left(&made) { form::given_back(visit, request, head, form, made) } else { made }
    }

    /// Who was given no permit.
    async fn outside(&self, visit: &mut Visit<'_>, call: Call<'_>, body: BodyBox, reason: Reason) -> Made {
        if reason == Reason::Busy
            && let Some(copy) = fallback::spares_line(visit, call.request, call.head)
        {
            return copy;
        }
        let stop = wait::kept_back(visit, call.head, reason);
        self.stopped(visit, call, body, stop).await
    }

    /// What may not go on.
    async fn stopped(&self, visit: &mut Visit<'_>, call: Call<'_>, body: BodyBox, stop: Decision) -> Made {
        if call.head.method() != "POST" {
            return form::ended(visit, call.request, call.head, None, stop);
        }
        let met = Box::pin(form::stopped(visit, call.request, call.head, body, stop)).await;
        self.met(visit, call, met).await
    }

    async fn met(&self, visit: &mut Visit<'_>, call: Call<'_>, met: form::Met) -> Made {
        match met {
            form::Met::Answered(made) => made,
            form::Met::Back(lane) => Box::pin(self.back(visit, call, lane)).await,
        }
    }

    /// A permit. `Busy` where there is none, or why the posture, which may have risen meanwhile, keeps the request back.
    async fn admitted(&self, visit: &Visit<'_>) -> Result<Admitted, Reason> {
        let Ok(admitted) = self.desk.enter(visit.gate(), turns::who(visit)).await else {
            visit.signals().busy();
            let label = ClassLabels { portal: visit.portal().name.clone(), class: visit.route().class.as_str() };
            self.house.metrics.admit_refused.get_or_create(&label).inc();
            return Err(Reason::Busy);
        };
        if let Some(reason) = self.house.bars(&visit.portal().name, visit.route().stay_up, visit.now) {
            return Err(reason);
        }
        turns::took(visit);
        Ok(admitted)
    }

    async fn origin(&self, visit: &mut Visit<'_>, call: Call<'_>, body: BodyBox, proofs: (Cleared, Admitted)) -> Made {
        let sent = self.ask(visit, call, body, proofs, Manner::default()).await;
        self.came(visit, call.request, call.head, sent)
    }

    /// Sends a request to its origin, and tells the ladder how that went.
    async fn ask(
        &self,
        visit: &mut Visit<'_>,
        call: Call<'_>,
        body: BodyBox,
        proofs: (Cleared, Admitted),
        manner: Manner<'_>,
    ) -> Result<Answer, OriginFault> {
        let Call { request, head, line } = call;
        visit.unsafe_sent = !request.safe;
        let lower = kept::authority(manner.shared, request);
        let forward = Forward {
            head,
            target: &request.target,
            client: &visit.client,
            scheme: request.scheme,
            host: &lower,
            request_id: &visit.id,
            pseudonym: &self.house.pseudonym,
            cookie: read::foreign_cookies(head),
            upgrade: read::upgrade(head),
            shared: manner.shared,
            without: manner.without,
            with: manner.with,
        };
        let tls = visit.town.outbound(visit.portal.unwrap_or(0));
        let asked = self.house.now();
        let sent = self.origins.send(visit.portal(), tls, forward, body, line, proofs).await;
        let of = (visit.portal(), visit.route().stay_up);
        let mut sent = begun::begun(sent, &self.open, of).await;
        // Here, before it is known what becomes of the answer: it may be kept for others, or something older given instead.
        if let Ok(answer) = &mut sent {
            vouch::hear(visit, request, head, answer);
        }
        self.hear(visit, request, &sent, asked);
        sent
    }

    /// What the whole house learns of a good answer.
    fn told(&self, visit: &Visit<'_>, request: &Request, status: u16) {
        if (200..300).contains(&status) {
            self.house.known.note((&*visit.portal().name, &*request.match_path), visit.now.unix());
        }
    }

    /// What becomes of what came.
    fn came(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        head: &dyn Head,
        sent: Result<Answer, OriginFault>,
    ) -> Made {
        match sent {
            Ok(answer) => {
                kept::void(visit, request, head, &answer);
                self.told(visit, request, answer.status);
                if answer.status >= 500 {
                    self.recorder.origin_failed(visit, Reason::OriginError);
                    if fallback::replaces(visit, request, head) {
                        return fallback::answer(visit, request, head, Reason::OriginError);
                    }
                }
                respond::relay(visit, request, head, answer)
            }
            Err(OriginFault::Upload(broken)) => respond::refusal(visit, head, respond::upload_broke(broken)),
            Err(OriginFault::NotSwitched) => respond::refusal(visit, head, Reason::NotSwitched),
            Err(OriginFault::Full) => {
                visit.unsafe_sent = false;
                fallback::answer(visit, request, head, Reason::Busy)
            }
            Err(fault) => {
                let reason = errand::reason_of(fault);
                visit.unsafe_sent &= fault != OriginFault::Refused;
                self.recorder.origin_failed(visit, reason);
                fallback::answer(visit, request, head, reason)
            }
        }
    }

    /// Tells the ladder how the origin fared.
    fn hear(&self, visit: &Visit<'_>, request: &Request, sent: &Result<Answer, OriginFault>, asked: Now) {
        let failed = match sent {
            // What it does not know how to do says nothing of its health.
            Ok(answer) => Some(answer.status >= 500 && !matches!(answer.status, 501 | 505)),
            // Those say nothing of the origin.
            Err(OriginFault::Upload(_) | OriginFault::Full | OriginFault::NotSwitched) => None,
            Err(_) => Some(true),
        };
        if let Some(failed) = failed {
            // An upload takes the time that its client takes.
            let nanos = request.safe.then(|| self.house.now().since(asked));
            visit.signals().answered(&visit.client, failed, nanos);
            visit.gate().hear(errand::heard(visit.route(), sent, nanos.unwrap_or(0)));
        }
    }

    /// Work between requests: takes permits back from slow clients, ends what is open that the posture bars, closes idle origin
    /// connections, hands the log over.
    pub fn tick(&self) {
        self.desk.beat();
        // So that none of the law of before is held on to where nobody comes.
        drop(self.pins.law());
        let (town, now) = (self.pins.town(), self.house.now());
        town.gates.iter().for_each(|gate| gate.beat(now));
        self.open.end(now, |portal, stay_up| self.house.bars(&portal.name, stay_up, now).is_some());
        self.origins.sweep(&town.portals.list);
        self.recorder.flush();
    }
}

/// A request as it came, and the connection by which.
#[derive(Clone, Copy)]
struct Call<'a> {
    request: &'a Request,
    head: &'a dyn Head,
    line: &'a dyn Line,
}

/// How a request goes to its origin where it goes by way of the cache.
#[derive(Clone, Copy, Default)]
struct Manner<'a> {
    shared: bool,
    without: &'static [&'static str],
    with: &'a [(&'static str, Vec<u8>)],
}

#[cfg(test)]
mod tests;
