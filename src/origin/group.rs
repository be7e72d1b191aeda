//! The origins of one portal as one worker knows them: their pools, whose turn it is, and what is left for retries.
//!
//! Does not know: requests.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;

use super::dial::Tls;
use super::pool::Pool;
use super::state::{Fleet, State};
use crate::bounds;
use crate::clock::Clock;
use crate::portal::{OriginAddress, Portal};

/// The origins of one portal.
pub struct Group {
    pub pools: Vec<Rc<Pool>>,
    pub states: Vec<Arc<State>>,
    pub made_of: Arc<Portal>,
    tls: Option<Arc<ClientConfig>>,
    /// Where the next request begins its round.
    pub turn: Cell<usize>,
    /// What is left to spend on retries, in shares of one.
    retries: Cell<u32>,
}

impl Group {
    /// A reload keeps of the `old` one what did not change, with its connections.
    pub fn new(
        portal: &Arc<Portal>,
        tls: Option<&Arc<ClientConfig>>,
        old: Option<&Group>,
        fleet: &Fleet,
        clock: &Clock,
    ) -> Group {
        let same = |old: &&Group| match (&old.tls, tls) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) && old.made_of.tls == portal.tls,
            (None, None) => true,
            _ => false,
        };
        let old = old.filter(same).filter(|g| g.made_of.max_connections == portal.max_connections);
        let pool = |address: &OriginAddress| {
            let kept = old.and_then(|g| Some(g.pools[g.made_of.origins.iter().position(|o| o == address)?].clone()));
            kept.unwrap_or_else(|| {
                let state = fleet.state(&portal.name, address);
                let tls = Tls::new(portal, address, tls);
                Rc::new(Pool::new(address.clone(), tls, state, portal.max_connections, clock.clone()))
            })
        };
        let pools: Vec<Rc<Pool>> = portal.origins.iter().map(pool).collect();
        Group {
            states: pools.iter().map(|p| p.state.clone()).collect(),
            pools,
            made_of: portal.clone(),
            tls: tls.cloned(),
            turn: Cell::new(0),
            retries: Cell::new(bounds::RETRY_BURST * bounds::RETRY_SHARE),
        }
    }

    pub fn spend_retry(&self) -> bool {
        let left = self.retries.get();
        self.retries.set(left.saturating_sub(bounds::RETRY_SHARE));
        left >= bounds::RETRY_SHARE
    }

    pub fn earn_retry(&self) {
        self.retries.set((self.retries.get() + 1).min(bounds::RETRY_BURST * bounds::RETRY_SHARE));
    }
}
