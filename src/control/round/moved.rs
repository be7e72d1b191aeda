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
            let copy = Copy::redirect(&to, office.house.now().unix()).filter(|_| ends && to != address);
            let Some(copy) = copy else {
                let why = format!("it leads to {to}, of which there is no copy");
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
