//! Declared pages that are redirects.

use super::Round;
use crate::bounds;
use crate::control::album::Kept;
use crate::snapshot::Copy;

impl Round {
    /// Puts up redirects of declared pages that lead to a copy, each straight to its end: one that leads round in a circle, or to
    /// what there is no copy of, takes no good copy's place.
    pub(super) async fn keep_moved(&mut self) {
        for address in self.moved.keys().cloned().collect::<Vec<_>>() {
            let (office, portal) = (self.office.clone(), self.portal.name.clone());
            let board = &office.house.board;
            let further = |to: &str| {
                let now = self.moved.get(to).cloned();
                now.or_else(|| board.find(&portal, to)?.newest().about.location().map(str::to_owned))
            };
            let mut to = address.clone();
            let mut hops = 0;
            while let Some(next) = further(&to).filter(|_| hops <= bounds::SNAPSHOT_HOPS) {
                (to, hops) = (next, hops + 1);
            }
            let ends = board.find(&portal, &to).is_some_and(|page| page.newest().about.location().is_none());
            let now = office.house.now().unix();
            // An origin in trouble sends people to where it says so: a page that was there a while ago has not moved yet.
            let was_page = |page: &crate::snapshot::Page| page.newest().about.location().is_none();
            let lately = |page: &crate::snapshot::Page| page.checked() + bounds::SNAPSHOT_MOVED.as_secs() > now;
            let stays = board.find(&portal, &address).is_some_and(|page| was_page(&page) && lately(&page));
            let copy = Copy::redirect(&to, now).filter(|_| ends && to != address && !stays);
            let Some(copy) = copy else {
                let why = match stays {
                    true => format!("it leads to {to} now, and was a page itself within a day"),
                    false => format!("it leads to {to}, of which there is no copy"),
                };
                tracing::warn!(portal, address, why, "no snapshot was taken; the old copy stays");
                self.album(|a| a.refuse(&address, why));
                continue;
            };
            let kept = tokio::task::spawn_blocking(move || office.keep_copy(&portal, &address.into(), copy, false));
            if let Ok(kept) = kept.await {
                self.count(if kept == Kept::Unchanged { "unchanged" } else { "kept" });
                self.without_room += usize::from(kept == Kept::NoRoom);
            }
        }
    }
}
