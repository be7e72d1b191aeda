//! A request and the cache: what is fresh goes out before limits and posture; on the way to the origin stand the turns of
//! those who want the same. On a route with a time of boma's own, boma fetches for itself (`errand`); on one by the
//! origin's word the first who asks does (`lead`).
//!
//! Does not know: the rules of keeping, how the origin is reached.

use std::sync::Arc;

use super::errand::Errand;
use super::kept::{self, Look, given, hit, hit_at, note, stand_in};
use super::read::Request;
use super::respond::{self, Made};
use super::visit::Visit;
use super::{Call, Corridor, fallback, vouch, wait};
use crate::bounds;
use crate::cache::{self, Joined, Kept, Landed, Leader, Use, Word};
use crate::pages::Page;
use crate::plan::Plan;
use crate::portal::Class;
use crate::proofs::Cleared;
use crate::reason::Reason;
use crate::wire::Head;

impl Corridor {
    /// What is fresh and small, before anything is spent; in postures that spare the origin what is stale as well.
    pub(super) fn free(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        plan: &Plan<'_>,
        head: &dyn Head,
        look: &Look,
    ) -> Option<Made> {
        let kept = look.usable()?;
        visit.fresh = true;
        if !kept::is_free(visit, plan, kept) {
            return None;
        }
        if look.how == Some(Use::Behind) {
            self.fetch_behind(visit, request, look, head);
        }
        visit.free = true;
        // It has waited for nobody yet.
        let now = visit.now;
        Some(hit_at(visit, request, head, kept, now))
    }

    /// A request that may go on, by way of the cache; `Err`: nobody waits for it, and it goes alone.
    pub(super) async fn by_cache(
        &self,
        visit: &mut Visit<'_>,
        call: Call<'_>,
        mut look: Look,
        cleared: Cleared,
    ) -> Result<Made, Cleared> {
        let Call { request, head, .. } = call;
        if look.only_stands_in {
            return Ok(match fallback::spared(visit, request, head) {
                Some(snapshot) => snapshot,
                None => self.alone(visit, call, &look, cleared).await,
            });
        }
        if let Some(kept) = look.usable().cloned() {
            if look.how == Some(Use::Behind) {
                self.fetch_behind(visit, request, &look, head);
            }
            return Ok(hit(visit, request, head, &kept));
        }
        if let Some(made) = self.spares_returning(visit, request, &look, head) {
            return Ok(made);
        }
        if look.wish.only_if_cached {
            return Ok(respond::refusal(visit, head, Reason::NotCached));
        }
        if request.spared
            && visit.effects().spare_origin
            && let Some(made) = stand_in(visit, request, head, &look, Reason::Posture)
        {
            return Ok(made);
        }
        let mut leader = None;
        if shares(&look, head) {
            match self.turn(visit, request, head, &mut look).await {
                Turn::Answered(made) => return Ok(made),
                Turn::Lead(leads) => leader = Some(leads),
                Turn::Alone => {}
            }
        }
        if look.word != Word::Origin {
            note(visit, "pass");
            return Err(cleared);
        }
        Ok(self.lead(visit, call, (look, leader), cleared).await)
    }

    /// While an origin comes back information is given from what is kept, old as it is, and asked for anew behind that, so
    /// that the origin's first work is what nothing kept can do.
    fn spares_returning(&self, visit: &mut Visit<'_>, request: &Request, look: &Look, head: &dyn Head) -> Option<Made> {
        if visit.route().class != Class::Information || visit.gate().returning().is_none() {
            return None;
        }
        let made = stand_in(visit, request, head, look, Reason::Posture)?;
        if shares(look, head) {
            self.fetch_behind(visit, request, look, head);
        }
        Some(made)
    }

    /// Takes a turn with those who want the same.
    async fn turn(&self, visit: &mut Visit<'_>, request: &Request, head: &dyn Head, look: &mut Look) -> Turn {
        let mut stood = false;
        // Whose leaders give up again and again goes alone.
        for _ in 0..3 {
            if look.place.as_ref().is_some_and(|p| p.passes(visit.now)) {
                return Turn::Alone;
            }
            let joined = visit.house.cache.join(
                look.key,
                &look.address(visit, request),
                look.place.as_deref(),
                &look.asking(head),
            );
            let mut own = false;
            let waiter = match joined {
                Joined::Full => return Turn::Answered(self.failed(visit, request, head, look, Reason::Busy)),
                Joined::Wait(waiter) => waiter,
                Joined::Lead(leads) => {
                    // Somebody's may have landed between the look and this.
                    look.again(visit, head);
                    if let Some(kept) = look.usable().cloned() {
                        leads.land(Landed::Kept(kept.clone()));
                        return Turn::Answered(hit(visit, request, head, &kept));
                    }
                    if look.word == Word::Origin {
                        return Turn::Lead(leads);
                    }
                    own = true;
                    let waiter = leads.waiter();
                    self.errand(visit, request, look).go(leads);
                    waiter
                }
            };
            match tokio::time::timeout(bounds::CACHE_WAIT, waiter.landed()).await {
                Ok(Landed::Kept(kept)) if kept.selected.matches(&look.asking(head)) => {
                    note(visit, if own { "miss" } else { "collapsed" });
                    visit.from_cache = !own;
                    let how = if own { "stored" } else { "collapsed" };
                    let status = format!("boma; fwd={}; {how}", look.forwarded());
                    return Turn::Answered(given(visit, request, head, &kept, status));
                }
                Ok(Landed::Kept(_) | Landed::GaveUp) => look.again(visit, head),
                // The gate sent the other away, and might not this one; the first of them leads on, and the others wait for that.
                Ok(Landed::Failed(Reason::Busy)) if !own && !stood && vouch::standing(visit).0.has_turn() => {
                    stood = true;
                    look.again(visit, head);
                }
                Ok(Landed::Failed(reason)) => return Turn::Answered(self.failed(visit, request, head, look, reason)),
                // Nobody else's: whoever had it fetched asks for their own, and no one who only waited does.
                Ok(Landed::Trouble(_, None)) if own && !has_better(visit, request, head, look) => return Turn::Alone,
                Ok(Landed::Trouble(status, error)) => {
                    return Turn::Answered(self.troubled(visit, request, head, look, (status, error)));
                }
                Ok(Landed::NotShared) => return Turn::Alone,
                Err(_) => {
                    let stale = stand_in(visit, request, head, look, Reason::OriginHung);
                    return stale.map_or(Turn::Alone, Turn::Answered);
                }
            }
            if let Some(kept) = look.usable().cloned() {
                return Turn::Answered(hit(visit, request, head, &kept));
            }
        }
        Turn::Alone
    }

    /// Another's fetch failed, or there is no room to wait for it.
    fn failed(&self, visit: &mut Visit<'_>, request: &Request, head: &dyn Head, look: &Look, reason: Reason) -> Made {
        if !matches!(reason, Reason::Busy | Reason::Posture | Reason::Closed) {
            self.recorder.origin_failed(visit, reason);
        }
        let stale = stand_in(visit, request, head, look, reason);
        stale.unwrap_or_else(|| match reason {
            Reason::Busy => wait::turned_away(visit, request, head, reason),
            _ => fallback::answer(visit, request, head, reason),
        })
    }

    /// Another's fetch was answered with an error. Who is not given something better gets that error, with the origin's own page
    /// where it is nobody's own: to ask for it once more each would be the origin's end.
    fn troubled(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        head: &dyn Head,
        look: &Look,
        (status, error): (u16, Option<Arc<Kept>>),
    ) -> Made {
        const REASON: Reason = Reason::OriginError;
        self.recorder.origin_failed(visit, REASON);
        if let Some(stale) = stand_in(visit, request, head, look, REASON) {
            return stale;
        }
        if fallback::replaces(visit, request, head) {
            return fallback::answer(visit, request, head, REASON);
        }
        note(visit, "pass");
        match error.filter(|error| error.selected.matches(&look.asking(head))) {
            Some(error) => given(visit, request, head, &error, format!("boma; fwd={}; collapsed", look.forwarded())),
            None => respond::error(visit, head, Page::Statement, status, REASON, None),
        }
    }

    /// A fetch of boma's own for what a request wants.
    fn errand(&self, visit: &Visit<'_>, request: &Request, look: &Look) -> Errand {
        let own = look.encoding.filter(|_| look.word != Word::Origin);
        let fields = match (own, &look.kept) {
            (Some(encoding), _) => vec![("accept-encoding".to_owned(), encoding.as_bytes().to_vec())],
            (None, Some(kept)) => kept.selected.fields().map(|(n, v)| (n.to_owned(), v.to_vec())).collect(),
            (None, None) => Vec::new(),
        };
        Errand {
            house: self.house.clone(),
            town: Arc::clone(&*visit.town),
            portal: visit.portal.unwrap_or(0),
            origins: self.origins.clone(),
            desk: self.desk.clone(),
            who: super::turns::who(visit),
            key: look.key,
            address: look.address(visit, request),
            word: look.word,
            fields,
            kept: look.kept.clone(),
        }
    }

    /// Fetches anew behind an answer that is given as it is; one at a time, and not where the posture spares the origin
    /// boma's own fetches too.
    fn fetch_behind(&self, visit: &Visit<'_>, request: &Request, look: &Look, head: &dyn Head) {
        if visit.effects().reach.bars(visit.route().stay_up).is_some() {
            return;
        }
        let asking = look.asking(head);
        if let Joined::Lead(leader) =
            visit.house.cache.join(look.key, &look.address(visit, request), look.place.as_deref(), &asking)
        {
            self.errand(visit, request, look).go(leader);
        }
    }
}

/// Whether somebody is given something better than an origin's error.
fn has_better(visit: &Visit<'_>, request: &Request, head: &dyn Head, look: &Look) -> bool {
    let stands_in = look.kept.as_ref().is_some_and(|kept| cache::stands_in(kept, visit.house.now()));
    stands_in || fallback::replaces(visit, request, head)
}

/// What comes of a turn.
enum Turn {
    Answered(Made),
    /// Nobody fetches it yet.
    Lead(Leader),
    /// What comes is for one request each.
    Alone,
}

/// Whether a request's answer may be another's: nobody is known by it, and it wants the whole.
fn shares(look: &Look, head: &dyn Head) -> bool {
    let whole = head.method() == "GET" && head.field("range").is_none();
    !look.personal && !look.wish.no_store && (look.word != Word::Origin || whole)
}
