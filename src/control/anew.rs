//! A disk that has no room, or none yet: it is said, service goes on by what is in memory, and once there is room everything
//! that is in memory is written down anew.
//!
//! Does not know: what the rows hold.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::waiting::Kept;
use super::{Desk, Office};
use crate::bounds;
use crate::fault::Fault;
use crate::store::BARRED;

/// How the trouble begins where it was not so from the start.
const UNWRITTEN: &str = "the store cannot be written";
/// What is said of files beside the store.
pub(super) const NO_COPIES: &str = "no last good cop";
pub(super) const NO_SECRET: &str = "the secret cannot be kept";
pub(super) const NO_JOURNAL: &str = "the journal";

/// The work of writing down anew, and when it is due.
#[derive(Default)]
pub(super) struct Anew {
    work: Option<JoinHandle<bool>>,
    due: u64,
    /// Doubles with each try in vain: one reads the whole file, and may write every copy of a page.
    wait: Duration,
}

impl Office {
    /// Says that the store cannot be written; again and again all is tried anew.
    pub(super) async fn look_at_store(self: &Arc<Office>, anew: &mut Anew) {
        let now = self.house.now().mono;
        if let Some(work) = anew.work.take_if(|work| work.is_finished()) {
            let least = bounds::STORE_AGAIN;
            let done = work.await.unwrap_or(false);
            anew.wait = if done { least } else { (anew.wait * 2).clamp(least, bounds::STORE_AGAIN_MOST) };
            anew.due = now + anew.wait.as_nanos() as u64;
        }
        if self.has_handed_over() || !self.is_behind() {
            return;
        }
        if let Some(why) = self.house.store.failing()
            && !self.house.troubles().iter().any(|t| t.starts_with(UNWRITTEN) || t.starts_with(BARRED))
        {
            self.house.trouble(format!("{UNWRITTEN} ({why}): what changes now does not outlive a restart"));
        }
        if anew.work.is_none() && now >= anew.due {
            let office = self.clone();
            anew.work = Some(tokio::task::spawn_blocking(move || office.write_all_down()));
        }
    }

    /// The last word before the process ends, or leaves everything to another: what is written every second or seldomer, and a last
    /// try of all that is not on disk. Waits for the disk.
    pub fn settle(&self) {
        if !self.has_handed_over() {
            self.keep_rooms(&mut Kept::default(), true);
        }
        self.house.store.flush();
        if self.is_behind() {
            self.write_all_down();
        }
    }

    /// Whether anything that should be on disk is not.
    fn is_behind(&self) -> bool {
        self.are_changes_behind() || self.counting().is_behind()
    }

    /// Whether a change that somebody made is not.
    fn are_changes_behind(&self) -> bool {
        let journal = || self.desk().journal.as_ref().is_some_and(crate::journal::Journal::is_behind);
        self.house.store.is_behind() || self.last_good.is_behind() || journal()
    }

    /// Asks every holder for all that it holds, and writes it, small things first; whether all of it is on disk. Waits for the
    /// disk.
    fn write_all_down(&self) -> bool {
        let store = &self.house.store;
        let lost = store.lost();
        if self.has_handed_over() || !store.again() {
            return false;
        }
        if let Some(rows) = store.late() {
            self.take_up(rows);
        }
        self.catch_up_lines(&mut self.counting());
        self.keep_files();
        self.put_held(&mut self.desk());
        store.flush();
        if store.lost() > lost {
            return false;
        }
        self.put_snapshots();
        store.flush();
        if store.lost() > lost || !store.keeps() {
            return false;
        }
        store.made_good(lost);
        self.house.untrouble(|t| t.starts_with(UNWRITTEN) || t.starts_with(BARRED));
        tracing::info!("everything that is in memory is on disk");
        !self.is_behind()
    }

    /// Rows of all that is held. Under the desk's lock, so that no change passes by between reading and writing.
    fn put_held(&self, desk: &mut Desk) {
        self.put_standing();
        self.keep_generation();
        self.put_versions(desk);
        self.put_measures();
        self.put_bans();
        self.put_incidents();
        self.put_wordings();
        self.keep_baselines();
        self.keep_rooms(&mut Kept::default(), true);
        if desk.journal.as_mut().is_some_and(|journal| journal.catch_up().is_ok()) {
            self.journal_is_whole();
        }
        self.put_journal_end(desk);
    }

    /// What lies in files of its own.
    fn keep_files(&self) {
        if self.last_good.catch_up().is_ok() {
            self.house.untrouble(|t| t.starts_with(NO_COPIES));
        }
        let named = self.house.town.load().settings.server.secret.is_some();
        let path = super::start::secret_in(&self.state_dir);
        if !named && !path.exists() {
            let kept = super::files::write_whole(&path, self.house.secret.to_text().as_bytes(), 0o600);
            if kept.is_ok() {
                self.house.untrouble(|t| t.starts_with(NO_SECRET));
            }
        }
    }

    /// What staff are told of a change that a restart would forget.
    pub(super) fn unkept(&self) -> Option<Fault> {
        self.house.store.flush();
        if self.house.store.keeps() && !self.are_changes_behind() {
            return None;
        }
        let why = self.house.store.failing().map_or(String::new(), |why| format!(" ({why})"));
        let what = format!("this is in force and cannot be written down{why}: a restart before that forgets it");
        let help = "make room there (`boma status` says more): boma writes everything down by itself once it can";
        Some(Fault::whole(&self.state_dir.display().to_string(), what, help))
    }
}
