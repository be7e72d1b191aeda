//! A fetch of boma's own for the cache, on a task of its own: whoever waits for it may leave. It says nothing but what
//! tells answers at its address apart, so that nobody can put into it what others are given.
//!
//! Does not know: requests, what is made of an answer.

use std::rc::Rc;
use std::sync::Arc;

use super::gather::{Gathering, Spilt};
use crate::admit::{Desk, Heard, Who};
use crate::bounds;
use crate::cache::{self, Address, Asked, Asking, Kept, Key, Landed, Leader, Request, Unkept, Use, Wish, Word};
use crate::force::{House, Town};
use crate::origin::{Answer, Came, OriginFault, Origins, Own};
use crate::portal::Route;
use crate::reason::Reason;
use crate::wire::{Fields, FieldsAlone};

pub struct Errand {
    pub house: Arc<House>,
    pub town: Arc<Town>,
    pub portal: usize,
    pub origins: Rc<Origins>,
    pub desk: Rc<Desk>,
    pub who: Who,
    pub key: Key,
    pub address: Arc<Address>,
    pub word: Word,
    /// What the fetch says of itself.
    pub fields: Vec<(String, Vec<u8>)>,
    /// What is kept already, to be asked about.
    pub kept: Option<Arc<Kept>>,
}

impl Errand {
    pub fn go(self, leader: Leader) {
        tokio::task::spawn_local(async move {
            let landed = match tokio::time::timeout(bounds::OWN_FETCH_DEADLINE, self.fetch(&leader)).await {
                Ok(landed) => landed,
                Err(_) => Landed::Failed(Reason::OriginHung),
            };
            leader.land(landed);
        });
    }

    async fn fetch(&self, leader: &Leader) -> Landed {
        let Ok(admitted) = self.desk.enter(&self.town.gates[self.portal], self.who).await else {
            return Landed::Failed(Reason::Busy);
        };
        let portal = &self.town.portals.list[self.portal];
        let route = portal.routes.find(&crate::path::for_matching(&self.address.path)).1;
        if let Some(reason) = self.house.bars(&portal.name, route.stay_up, self.house.now()) {
            return Landed::Failed(reason);
        }
        let mut fields = self.fields.clone();
        let conditions = self.kept.as_deref().filter(|k| k.has_validator()).map(cache::validators);
        fields.extend(conditions.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)));
        let Address { scheme, authority, path, query, .. } = &*self.address;
        let target = query.as_ref().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let host = portal.host.as_deref().filter(|_| portal.canonical_host_header).unwrap_or(authority);
        let own = Own { target: &target, host, scheme, pseudonym: &self.house.pseudonym, fields: &fields };
        let asked = self.house.now();
        let sent = self.origins.fill(portal, self.town.outbound(self.portal), own, admitted).await;
        self.town.gates[self.portal].hear(heard(route, &sent, self.house.now().since(asked)));
        match sent {
            Ok(answer) => self.came(answer, Asked { asked, came: self.house.now() }, leader).await,
            Err(fault) => Landed::Failed(reason_of(fault)),
        }
    }

    async fn came(&self, answer: Answer, at: Asked, leader: &Leader) -> Landed {
        let head = FieldsAlone(&self.fields);
        let request = Request { asking: Asking { head: &head, encoding: None }, personal: false, word: self.word };
        if cache::is_trouble(answer.status) {
            return Landed::Trouble(answer.status, self.error(answer, request, at).await);
        }
        let Answer { status, mut fields, body } = answer;
        let cookies: Vec<Vec<u8>> = fields.all("set-cookie").map(<[u8]>::to_vec).collect();
        if status == 304
            && let Some(kept) = self.kept.as_ref().filter(|kept| cache::is_about(kept, &fields))
        {
            fields.remove("set-cookie");
            let merged = cache::merged(kept, &fields, at);
            return match cache::renewed(kept, request, &merged, at) {
                Ok(kept) => self.keep(kept, leader),
                Err(_) => self.pass(),
            };
        }
        if self.sends_to_another_name(status, &fields) {
            return self.pass();
        }
        let draft = match cache::judge(request, status, &fields, at) {
            Ok(draft) => draft,
            Err(_) => return self.pass(),
        };
        let Came::Body(body) = body else { return Landed::NotShared };
        if body.exact().is_some_and(|n| n > self.house.cache.largest as u64) {
            return self.pass();
        }
        match Gathering::new(&self.house, body).whole().await {
            Ok(body) => {
                let names = &self.town.portals.list[self.portal].session_cookies;
                if cache::tells(&draft.fields, &body, &cookies, names) {
                    tracing::debug!(path = self.address.path, why = Unkept::Session.name(), "not kept");
                    return self.pass();
                }
                self.keep(draft.whole(body), leader)
            }
            Err(Spilt::TooLarge) => self.pass(),
            Err(Spilt::Broke(_)) => Landed::Failed(Reason::OriginBroke),
        }
    }

    /// Whether an origin sends from one of the portal's names to another: to who came by that one it would be a circle.
    fn sends_to_another_name(&self, status: u16, fields: &Fields) -> bool {
        let portal = &self.town.portals.list[self.portal];
        let location = fields.first("location").map(String::from_utf8_lossy).filter(|_| (300..400).contains(&status));
        let rest = location.as_deref().and_then(|l| l.split_once("//").filter(|(scheme, _)| !scheme.contains('/')));
        let Some((_, rest)) = rest else { return false };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.split(':').next().unwrap_or_default().to_ascii_lowercase();
        host != self.address.authority && portal.hosts.contains(&host)
    }

    /// An error that all are given who wait, where it is small and tells nothing of anybody.
    async fn error(&self, answer: Answer, request: Request<'_>, at: Asked) -> Option<Arc<Kept>> {
        let Answer { status, fields, body: Came::Body(body) } = answer else { return None };
        let draft = cache::shared_error(request, status, &fields, at).ok()?;
        if body.exact().is_some_and(|n| n > bounds::CACHE_ERROR_BYTES) {
            return None;
        }
        let body = Gathering::new(&self.house, body).whole().await.ok()?;
        if body.len() as u64 > bounds::CACHE_ERROR_BYTES {
            return None;
        }
        let cookies: Vec<Vec<u8>> = fields.all("set-cookie").map(<[u8]>::to_vec).collect();
        let names = &self.town.portals.list[self.portal].session_cookies;
        let tells = cache::tells(&draft.fields, &body, &cookies, names);
        (!tells).then(|| Arc::new(draft.whole(body)))
    }

    fn keep(&self, kept: Kept, leader: &Leader) -> Landed {
        let now = self.house.now();
        let kept = Arc::new(kept);
        self.house.cache.put_for(Some(leader), self.key, &self.address, kept.clone(), now);
        if cache::reuse(&kept, &Wish::default(), now) == Use::Fresh { Landed::Kept(kept) } else { Landed::NotShared }
    }

    /// Its answers are for one request each.
    fn pass(&self) -> Landed {
        self.house.cache.pass(self.key, &self.address, self.house.now());
        Landed::NotShared
    }
}

/// What the gate learns of an answer: those of one route and sort take as long as each other.
pub fn heard(route: &Route, sent: &Result<Answer, OriginFault>, nanos: u64) -> Heard {
    match sent {
        Ok(answer) => match answer.status {
            429 | 503 | 504 => Heard::Pushed,
            500..=599 => Heard::Failed,
            status => {
                let mix = |sum: usize, byte: u8| (sum ^ usize::from(byte)).wrapping_mul(0x0100_0193);
                let kind = route.path.bytes().chain([(status / 100) as u8]).fold(0x811c_9dc5, mix);
                Heard::Answer { kind: kind ^ (kind >> 16), nanos }
            }
        },
        Err(OriginFault::Hung) => Heard::Pushed,
        Err(_) => Heard::Failed,
    }
}

/// A fault by its name.
pub fn reason_of(fault: OriginFault) -> Reason {
    match fault {
        OriginFault::Refused => Reason::OriginRefused,
        OriginFault::Full => Reason::Busy,
        OriginFault::Nonsense => Reason::OriginNonsense,
        OriginFault::Hung => Reason::OriginHung,
        OriginFault::NotSwitched => Reason::NotSwitched,
        OriginFault::Broke | OriginFault::Upload(_) => Reason::OriginBroke,
    }
}
