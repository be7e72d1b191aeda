//! Who asks the origin for many: what may be kept of its answer is kept, and those who wait hear of it.
//!
//! Does not know: the rules of keeping, who waits.

use std::sync::Arc;

use bytes::Bytes;

use super::errand::reason_of;
use super::gather::{Gathering, Spilt};
use super::kept::{Look, given, note, stand_in};
use super::read::Request;
use super::respond::{self, Made};
use super::visit::Visit;
use super::{Call, Corridor, Manner, mint, read, wait};
use crate::bounds;
use crate::cache::{self, Address, Asked, Kept, Key, Landed, Leader, Unkept, Use, Wish};
use crate::force::House;
use crate::origin::{Answer, Came, OriginFault};
use crate::proofs::Cleared;
use crate::reason::Reason;
use crate::wire::{Broken, Empty, Fields, Head, Payload};

impl Corridor {
    /// Asks the origin, and keeps what may be kept of its answer.
    pub(super) async fn lead(
        &self,
        visit: &mut Visit<'_>,
        call: Call<'_>,
        (mut look, leader): (Look, Option<Leader>),
        cleared: Cleared,
    ) -> Made {
        let Call { request, head, .. } = call;
        if leader.is_none() {
            // For one alone it comes as they wrote it.
            look.encoding = None;
        }
        let admitted = match self.admitted(visit).await {
            Ok(admitted) => admitted,
            Err(reason) => {
                land(leader, Landed::Failed(reason));
                let stale = stand_in(visit, request, head, &look, reason);
                return stale.unwrap_or_else(|| wait::turned_away(visit, request, head, reason));
            }
        };
        // Where boma asks about what it has, or wants the whole, the client's own conditions wait for the answer.
        let asks_about = look.kept.clone().filter(|k| k.has_validator() && head.method() == "GET");
        let mut with = asks_about.as_deref().map(cache::validators).unwrap_or_default();
        let mut without = if leader.is_some() || asks_about.is_some() { &cache::CONDITIONS[..] } else { &[] };
        if let Some(encoding) = look.encoding {
            without = &cache::CONDITIONS_AND_CODINGS;
            with.push(("accept-encoding", encoding.as_bytes().to_vec()));
        }
        let asked = self.house.now();
        let manner = Manner { shared: true, without, with: &with };
        let sent = self.ask(visit, call, Box::pin(Empty), (cleared, admitted), manner).await;
        let at = Asked { asked, came: self.house.now() };
        let trouble = trouble(&sent);
        if let Some(reason) = trouble
            && let Some(made) = stand_in(visit, request, head, &look, reason)
        {
            if reason != Reason::Busy {
                self.recorder.origin_failed(visit, reason);
            }
            let status = sent.as_ref().map(|answer| answer.status);
            land(leader, status.map_or(Landed::Failed(reason), |status| Landed::Trouble(status, None)));
            return made;
        }
        match sent {
            Ok(answer) => {
                let led = Led { look, leader, asks_about, at };
                self.answered(visit, request, head, led, answer).await
            }
            Err(fault) => {
                land(leader, Landed::Failed(trouble.unwrap_or(Reason::OriginBroke)));
                self.came(visit, request, head, Err(fault))
            }
        }
    }

    /// Asks the origin for one request alone, of which nothing is kept; where it fails, what is kept stands in.
    pub(super) async fn alone(&self, visit: &mut Visit<'_>, call: Call<'_>, look: &Look, cleared: Cleared) -> Made {
        let Call { request, head, .. } = call;
        let admitted = match self.admitted(visit).await {
            Ok(admitted) => admitted,
            Err(reason) => return wait::turned_away(visit, request, head, reason),
        };
        let sent = self.ask(visit, call, Box::pin(Empty), (cleared, admitted), Manner::default()).await;
        if let Some(reason) = trouble(&sent)
            && let Some(made) = stand_in(visit, request, head, look, reason)
        {
            if reason != Reason::Busy {
                self.recorder.origin_failed(visit, reason);
            }
            return made;
        }
        self.came(visit, request, head, sent)
    }

    /// Judges what came.
    async fn answered(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        head: &dyn Head,
        led: Led,
        answer: Answer,
    ) -> Made {
        let came = cache::Request { asking: led.look.asking(head), personal: led.look.personal, word: led.look.word };
        if let (304, Some(kept)) = (answer.status, &led.asks_about) {
            let kept = kept.clone();
            if cache::is_about(&kept, &answer.fields) {
                return self.renewed(visit, request, head, led, (&kept, came), &answer);
            }
            // It holds, but what else the answer says is of something else (RFC 9111 section 4.3.4).
            land(led.leader, Landed::NotShared);
            note(visit, "revalidated");
            let status = format!("boma; fwd={}; fwd-status=304", led.look.forwarded());
            return given(visit, request, head, &kept, status);
        }
        let judged = cache::judge(came, answer.status, &answer.fields, led.at);
        let longest = self.house.cache.largest as u64;
        match (judged, &answer.body) {
            (Err(why), _) if led.leader.is_some() && cache::is_trouble(answer.status) => {
                let shared = cache::shared_error(came, answer.status, &answer.fields, led.at);
                self.failed_for_all(visit, request, head, led, (answer, why, shared.ok()))
            }
            (Err(why), _) => self.unkept(visit, request, head, led, answer, why),
            (Ok(_), Came::Body(body)) if body.exact().is_some_and(|n| n > longest) => {
                self.unkept(visit, request, head, led, answer, Unkept::TooLarge)
            }
            (Ok(draft), _) => self.gather(visit, request, head, led, (draft, answer)).await,
        }
    }

    /// Passes an answer on while it is gathered.
    async fn gather(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        head: &dyn Head,
        led: Led,
        (draft, answer): (cache::Draft, Answer),
    ) -> Made {
        let Answer { status, mut fields, body } = answer;
        let Came::Body(body) = body else { return respond::refusal(visit, head, Reason::NotSwitched) };
        let forwarded = led.look.forwarded();
        // Fields that are not given out of a cache belong to whoever brought them.
        let whole = draft.said.hidden.is_empty();
        let gathering = Gathering::new(&self.house, body);
        let keeper = Keeper {
            house: self.house.clone(),
            names: visit.portal().session_cookies.clone(),
            key: led.look.key,
            address: led.look.address(visit, request),
            draft,
            leader: led.leader,
        };
        note(visit, "miss");
        match gathering.at_once().await {
            Some(Ok(bytes)) => {
                if let Some(kept) = keeper.keep(bytes).filter(|_| whole) {
                    self.told(visit, request, status);
                    return given(visit, request, head, &kept, format!("boma; fwd={forwarded}; stored"));
                }
            }
            Some(Err(spilt)) => keeper.spilt(spilt),
            None => {
                let pot = gathering.clone();
                tokio::task::spawn_local(async move {
                    match pot.whole().await {
                        Ok(whole) => drop(keeper.keep(whole)),
                        Err(spilt) => keeper.spilt(spilt),
                    }
                });
            }
        }
        fields.remove("cache-tag");
        fields.remove("surrogate-key");
        fields.push("cache-status", format!("boma; fwd={forwarded}"));
        self.came(visit, request, head, Ok(Answer { status, fields, body: Came::Body(gathering.reader()) }))
    }

    /// An answer that is for one request alone.
    fn unkept(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        head: &dyn Head,
        led: Led,
        mut answer: Answer,
        why: Unkept,
    ) -> Made {
        let look = &led.look;
        if led.leader.is_some() && !why.is_the_requests() {
            self.house.cache.pass(look.key, &look.address(visit, request), self.house.now());
        }
        note(visit, "pass");
        answer.fields.push("cache-status", format!("boma; fwd={}; detail={}", look.forwarded(), why.name()));
        land(led.leader, Landed::NotShared);
        self.came(visit, request, head, Ok(answer))
    }

    /// An error goes to who asked as it comes, and to those who wait by its status: with its page, where that is small and nobody's
    /// own.
    fn failed_for_all(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        head: &dyn Head,
        led: Led,
        (answer, why, shared): (Answer, Unkept, Option<cache::Draft>),
    ) -> Made {
        let Answer { status, mut fields, body } = answer;
        note(visit, "pass");
        fields.push("cache-status", format!("boma; fwd={}; detail={}", led.look.forwarded(), why.name()));
        let body = match (shared, body) {
            (Some(draft), Came::Body(body)) if body.exact().is_some_and(|n| n <= bounds::CACHE_ERROR_BYTES) => {
                let gathering = Gathering::new(&self.house, body);
                let (pot, names) = (gathering.clone(), visit.portal().session_cookies.clone());
                let asker = asker(visit, head);
                let mut draft = draft;
                draft.fields.0.retain(|(_, value)| !cache::names(&Fields::default(), value, &asker));
                tokio::task::spawn_local(async move {
                    let tells = |body: &Bytes| {
                        cache::tells(&draft.fields, body, &[], &names) || cache::names(&draft.fields, body, &asker)
                    };
                    let whole = pot.whole().await.ok().filter(|body| !tells(body));
                    let error = whole.map(|body| Arc::new(draft.whole(body)));
                    land(led.leader, Landed::Trouble(status, error));
                });
                Came::Body(gathering.reader())
            }
            (_, body) => {
                land(led.leader, Landed::Trouble(status, None));
                body
            }
        };
        self.came(visit, request, head, Ok(Answer { status, fields, body }))
    }

    /// The origin says that what is kept still holds.
    fn renewed(
        &self,
        visit: &mut Visit<'_>,
        request: &Request,
        head: &dyn Head,
        led: Led,
        (kept, came): (&Kept, cache::Request<'_>),
        answer: &Answer,
    ) -> Made {
        let Led { look, leader, at, .. } = led;
        note(visit, "revalidated");
        self.told(visit, request, kept.status);
        let (now, address) = (self.house.now(), look.address(visit, request));
        let status = format!("boma; fwd={}; fwd-status=304", look.forwarded());
        let merged = cache::merged(kept, &answer.fields, at);
        let (made, landed) = match cache::renewed(kept, came, &merged, at) {
            Ok(new) => {
                let new = Arc::new(new);
                self.house.cache.put_for(leader.as_ref(), look.key, &address, new.clone(), now);
                let fresh = cache::reuse(&new, &Wish::default(), now) == Use::Fresh;
                if leader.is_some() && !fresh {
                    self.house.cache.pass(look.key, &address, now);
                }
                let made = given(visit, request, head, &new, status);
                (made, if fresh { Landed::Kept(new) } else { Landed::NotShared })
            }
            Err(why) => {
                // What it says to one who is known says nothing of the others'.
                if !why.is_the_requests() && !look.personal {
                    self.house.cache.void(&address);
                }
                let mut fields = merged;
                fields.push("cache-status", status);
                mint::keep(visit, request, head, kept.status, &mut fields);
                let body = Payload::Bytes(kept.body.clone());
                let made =
                    Made { status: kept.status, common: None, fields, body, reason: Reason::Served, close: false };
                (made, Landed::NotShared)
            }
        };
        land(leader, landed);
        made
    }
}

/// What an error page may say of whoever asked, by which nobody else is to be known.
fn asker(visit: &Visit<'_>, head: &dyn Head) -> Vec<Vec<u8>> {
    let mut texts = vec![visit.client.address.to_string().into_bytes(), visit.id.clone().into_bytes()];
    for name in ["user-agent", "referer"] {
        texts.extend(head.field(name).map(<[u8]>::to_vec));
    }
    let cookies = read::foreign_cookies(head).unwrap_or_default();
    let value = |pair: &[u8]| pair.splitn(2, |b| *b == b'=').nth(1).unwrap_or_default().trim_ascii().to_vec();
    texts.extend(cookies.split(|b| *b == b';').map(value));
    // Shorter ones stand in any page.
    texts.retain(|text| text.len() >= bounds::CACHE_NAMES_BYTES);
    texts
}

/// Why something older helps more than what came.
fn trouble(sent: &Result<Answer, OriginFault>) -> Option<Reason> {
    match sent {
        Ok(answer) => cache::is_trouble(answer.status).then_some(Reason::OriginError),
        Err(OriginFault::NotSwitched | OriginFault::Upload(_)) => None,
        Err(fault) => Some(reason_of(*fault)),
    }
}

/// A request that was sent for many, or may be of use to them.
struct Led {
    look: Look,
    leader: Option<Leader>,
    /// What the origin was asked about.
    asks_about: Option<Arc<Kept>>,
    at: Asked,
}

/// Keeps an answer once it has come whole.
struct Keeper {
    house: Arc<House>,
    names: Vec<String>,
    key: Key,
    address: Arc<Address>,
    draft: cache::Draft,
    leader: Option<Leader>,
}

impl Keeper {
    fn keep(self, body: Bytes) -> Option<Arc<Kept>> {
        let Keeper { house, names, key, address, draft, leader } = self;
        let now = house.now();
        if cache::tells(&draft.fields, &body, &[], &names) {
            house.cache.pass(key, &address, now);
            land(leader, Landed::NotShared);
            return None;
        }
        let kept = Arc::new(draft.whole(body));
        house.cache.put_for(leader.as_ref(), key, &address, kept.clone(), now);
        let fresh = cache::reuse(&kept, &Wish::default(), now) == Use::Fresh;
        if leader.is_some() && !fresh {
            house.cache.pass(key, &address, now);
        }
        land(leader, if fresh { Landed::Kept(kept.clone()) } else { Landed::NotShared });
        Some(kept)
    }

    fn spilt(self, spilt: Spilt) {
        let landed = match spilt {
            Spilt::TooLarge => {
                self.house.cache.pass(self.key, &self.address, self.house.now());
                Landed::NotShared
            }
            Spilt::Broke(Broken::Barred) => Landed::Failed(Reason::Posture),
            Spilt::Broke(_) => Landed::Failed(Reason::OriginBroke),
        };
        land(self.leader, landed);
    }
}

fn land(leader: Option<Leader>, landed: Landed) {
    if let Some(leader) = leader {
        leader.land(landed);
    }
}
