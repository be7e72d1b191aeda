//! What survives a restart: texts and bytes by table and key, in one redb file in the state directory.
//! [`open`] reads everything that is there; writes go through one thread behind a bounded queue, because a commit
//! waits for the disk and no request may.
//!
//! boma serves without it: a directory that cannot be written leaves the store read-only, a damaged file is moved
//! aside, and each is said. What could not be written is lost here, and counted: whoever holds it in memory puts it anew once
//! [`Store::again`] finds that there is room, and says so by [`Store::made_good`].
//!
//! Does not know: what the tables hold.

mod opening;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use redb::TableDefinition;

pub use opening::{BARRED, open};

const TABLES: [Table; 10] = [
    Table::Snapshots,
    Table::Copies,
    Table::Standing,
    Table::Measures,
    Table::Versions,
    Table::Bans,
    Table::Baselines,
    Table::Incidents,
    Table::Wordings,
    Table::Waiting,
];

/// The tables there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What is kept of which page.
    Snapshots,
    /// The pages themselves, by version.
    Copies,
    Standing,
    Measures,
    /// Earlier texts of the rules.
    Versions,
    Bans,
    /// What is usual for each portal.
    Baselines,
    /// What staff told citizens.
    Incidents,
    /// What they say of services, by portal.
    Wordings,
    /// The waiting rooms: how many came minute by minute, places, and which of them were used.
    Waiting,
}

impl Table {
    fn definition(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        TableDefinition::new(match self {
            Table::Snapshots => "snapshots",
            Table::Copies => "copies",
            Table::Standing => "standing",
            Table::Measures => "measures",
            Table::Versions => "versions",
            Table::Bans => "bans",
            Table::Baselines => "baselines",
            Table::Incidents => "incidents",
            Table::Wordings => "wordings",
            Table::Waiting => "waiting",
        })
    }
}

/// All rows of all tables, as they stood when the store was opened.
pub type Rows = HashMap<Table, Vec<(String, Vec<u8>)>>;

/// A handle for writing; cheap to clone.
#[derive(Clone)]
pub struct Store {
    jobs: Option<SyncSender<Job>>,
    lost: Arc<AtomicU64>,
    /// How many of the lost ones nobody misses any more.
    good: Arc<AtomicU64>,
    /// Rows of a file that was not there at the start.
    late: Arc<Mutex<Option<Rows>>>,
    failing: Arc<Mutex<Option<String>>>,
}

/// What opening found.
pub struct Opened {
    pub store: Store,
    pub rows: Rows,
    /// Sentences for log, metrics and status: why nothing is kept, what was moved where.
    pub troubles: Vec<String>,
}

enum Job {
    Put(Table, String, Vec<u8>),
    Remove(Table, String),
    /// Answers when all before it is on disk.
    Flush(SyncSender<()>),
    /// Closes the file, so that another process can open it; answers when that is so.
    Release(SyncSender<()>),
    /// Opens it again after that.
    Reclaim,
    /// Opens it again where a write failed.
    Again,
}

impl Store {
    /// A store that keeps nothing.
    pub fn none() -> Store {
        Store { jobs: None, lost: Arc::default(), good: Arc::default(), late: Arc::default(), failing: Arc::default() }
    }

    /// Whether what is put outlives the process.
    pub fn keeps(&self) -> bool {
        self.jobs.is_some() && self.failing().is_none()
    }

    /// Whether anything that was put is not on disk, and will be once it is put anew.
    pub fn is_behind(&self) -> bool {
        self.jobs.is_some() && (self.failing().is_some() || self.lost() > self.good.load(Ordering::Relaxed))
    }

    /// Everything was put anew since so many were lost.
    pub fn made_good(&self, lost: u64) {
        self.good.fetch_max(lost, Ordering::Relaxed);
    }

    /// Writes that were lost: the queue was full, or the disk refused.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Why the last write failed; `None` where it did not.
    pub fn failing(&self) -> Option<String> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a file held that was not there when the store was opened, and is now: once, for whoever puts it beside what came since.
    pub fn late(&self) -> Option<Rows> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fails(&self, why: Option<&str>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    /// The same for what must not be lost: waits where the queue is full. Not for a worker's thread.
    pub fn put_surely(&self, table: Table, key: &str, value: Vec<u8>) {
        self.send_surely(Job::Put(table, key.to_owned(), value));
    }

    /// As [`Store::put_surely`].
    pub fn remove_surely(&self, table: Table, key: &str) {
        self.send_surely(Job::Remove(table, key.to_owned()));
    }

    fn send_surely(&self, job: Job) {
        if let Some(jobs) = &self.jobs
            && jobs.send(job).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn put(&self, table: Table, key: &str, value: Vec<u8>) {
        self.send(Job::Put(table, key.to_owned(), value));
    }

    pub fn remove(&self, table: Table, key: &str) {
        self.send(Job::Remove(table, key.to_owned()));
    }

    /// Waits until everything put so far is on disk. Not for a worker's thread.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if let Some(jobs) = &self.jobs
            && jobs.send(Job::Flush(done)).is_ok()
        {
            let _ = wait.recv();
        }
    }

    /// Closes the file for another process; what is put from now on is lost, unless [`Store::reclaim`] comes first.
    pub fn release(&self) {
        let (done, wait) = sync_channel(1);
        if let Some(jobs) = &self.jobs
            && jobs.send(Job::Release(done)).is_ok()
        {
            let _ = wait.recv();
        }
    }

    pub fn reclaim(&self) {
        self.send(Job::Reclaim);
    }

    /// Opens it again where a write failed; whether it can be written. Not for a worker's thread.
    pub fn again(&self) -> bool {
        self.send_surely(Job::Again);
        self.flush();
        self.keeps()
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs
            && jobs.try_send(job).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("boma-store-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn kept(opened: &Opened) -> Vec<(String, Vec<u8>)> {
        opened.rows.get(&Table::Snapshots).cloned().unwrap_or_default()
    }

    #[test]
    fn what_is_put_is_there_again() {
        let folder = folder("again");
        let opened = open(&folder, 1);
        assert_eq!(opened.troubles, Vec::<String>::new());
        opened.store.put(Table::Snapshots, "a", b"1".to_vec());
        opened.store.put(Table::Snapshots, "b", b"2".to_vec());
        opened.store.remove(Table::Snapshots, "a");
        opened.store.flush();
        // Two processes must not share it: the second serves, and keeps nothing.
        let second = open(&folder, 1);
        assert!(second.troubles[0].contains("another process"), "{:?}", second.troubles);
        assert!(!second.store.keeps());
        let bytes = fs::read(folder.join("boma.redb")).unwrap();
        let copy = super::tests::folder("copy");
        fs::create_dir_all(&copy).unwrap();
        fs::write(copy.join("boma.redb"), bytes).unwrap();
        assert_eq!(kept(&open(&copy, 1)), [("b".to_owned(), b"2".to_vec())], "as after a kill");
    }

    #[test]
    fn a_damaged_file_is_moved_aside() {
        for (name, content) in
            [("noise", vec![0x5a; 70_000]), ("short", b"redb".to_vec()), ("text", b"hello\n".to_vec())]
        {
            let folder = folder(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("boma.redb"), &content).unwrap();
            let opened = open(&folder, 77);
            assert!(opened.troubles[0].contains("damaged-77"), "{name}: {:?}", opened.troubles);
            assert!(opened.store.keeps(), "{name}");
            assert_eq!(fs::read(folder.join("boma.redb.damaged-77")).unwrap(), content, "{name}");
        }
    }

    #[test]
    fn what_could_not_be_written_is_owed_until_it_is_put_again() {
        let folder = folder("owed");
        let opened = open(&folder, 88);
        let store = &opened.store;
        store.put(Table::Bans, "stays", b"1".to_vec());
        store.put(Table::Bans, "goes", b"2".to_vec());
        store.flush();
        assert!(store.keeps() && !store.is_behind());
        store.release();
        store.put(Table::Bans, "new", b"3".to_vec());
        store.put(Table::Bans, "short", b"4".to_vec());
        store.remove(Table::Bans, "short");
        store.remove(Table::Bans, "goes");
        store.flush();
        let lost = store.lost();
        assert!(lost == 4 && store.is_behind());
        store.reclaim();
        // Whoever holds it puts it again; of what is gone nobody knows any more.
        store.put(Table::Bans, "new", b"3".to_vec());
        store.flush();
        store.made_good(lost);
        assert!(store.keeps() && !store.is_behind());
        store.release();
        let again = open(&folder, 88);
        let row = |key: &str, value: &[u8]| (key.to_owned(), value.to_vec());
        assert_eq!(again.rows[&Table::Bans], [row("new", b"3"), row("stays", b"1")]);
        again.store.release();
        // A file that is damaged meanwhile is begun anew, and all of it is owed.
        fs::write(folder.join("boma.redb"), vec![0x5a; 70_000]).unwrap();
        store.reclaim();
        store.flush();
        assert!(store.keeps() && store.is_behind());
        assert!(folder.join("boma.redb.damaged-88").exists());
    }

    #[test]
    fn a_file_torn_in_the_middle_does_not_stop_the_start() {
        let folder = folder("torn");
        let opened = open(&folder, 1);
        for i in 0..200 {
            opened.store.put(Table::Snapshots, &format!("k{i}"), vec![7; 5_000]);
        }
        opened.store.flush();
        let mut bytes = fs::read(folder.join("boma.redb")).unwrap();
        let (from, to) = (bytes.len() / 4, bytes.len() / 2);
        bytes[from..to].fill(0xff);
        let torn = super::tests::folder("torn-copy");
        fs::create_dir_all(&torn).unwrap();
        fs::write(torn.join("boma.redb"), &bytes).unwrap();
        let opened = open(&torn, 5);
        assert!(opened.store.keeps(), "{:?}", opened.troubles);
        opened.store.put(Table::Snapshots, "after", vec![1]);
        opened.store.flush();
    }
}
