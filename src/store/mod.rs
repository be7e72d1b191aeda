//! What survives a restart: texts and bytes by table and key, in one redb file in the state directory.
//! [`open`] reads everything that is there; writes go through one thread behind a bounded queue, because a commit
//! waits for the disk and no request may.
//!
//! boma serves without it: a directory that cannot be written leaves the store read-only, a damaged file is moved
//! aside, and each is said.
//!
//! Does not know: what the tables hold.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableTable, StorageBackend, TableDefinition};

use crate::bounds;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Opens it again.
    Reclaim,
}

/// Opens `boma.redb` in `folder`, making both where they are missing. Never fails: what cannot be had is said.
pub fn open(folder: &Path, now_unix: u64) -> Opened {
    let path = folder.join("boma.redb");
    let mut troubles = Vec::new();
    match try_open(folder, &path) {
        Ok((db, rows)) => return writing(db, path, rows, troubles),
        Err(Trouble::Damaged(why)) => match move_aside(&path, now_unix) {
            Ok(aside) => {
                troubles.push(format!(
                    "the store {} was damaged ({why}); moved to {} and begun anew: snapshots are taken again",
                    path.display(),
                    aside.display()
                ));
                match try_open(folder, &path) {
                    Ok((db, rows)) => return writing(db, path, rows, troubles),
                    Err(trouble) => troubles.push(format!("no new store either: {}", trouble.text())),
                }
            }
            Err(e) => troubles.push(format!(
                "the store {} is damaged ({why}) and cannot be moved aside ({e}): nothing is kept over a restart",
                path.display()
            )),
        },
        Err(Trouble::Barred(why)) => {
            let (rows, read) = match read_only(&path) {
                Ok(rows) => (rows, "what it holds is served"),
                Err(_) => (Rows::new(), "nothing could be read from it"),
            };
            troubles.push(format!(
                "the state directory {} cannot be written ({why}): nothing is kept over a restart; {read}",
                folder.display()
            ));
            return Opened { store: Store::none(), rows, troubles };
        }
    }
    Opened { store: Store::none(), rows: Rows::new(), troubles }
}

enum Trouble {
    /// The place cannot be written, or another process holds it.
    Barred(String),
    Damaged(String),
}

impl Trouble {
    fn text(&self) -> &str {
        match self {
            Trouble::Barred(why) | Trouble::Damaged(why) => why,
        }
    }
}

impl From<redb::Error> for Trouble {
    fn from(error: redb::Error) -> Trouble {
        match error {
            redb::Error::Io(e) if !is_damage(&e) => Trouble::Barred(e.to_string()),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                Trouble::Barred("another process has it open".into())
            }
            other => Trouble::Damaged(other.to_string()),
        }
    }
}

/// redb tells a file that is no database by `InvalidData`, a torn one by `UnexpectedEof`; other I/O errors speak of
/// the place, not of the content.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn try_open(folder: &Path, path: &Path) -> Result<(Database, Rows), Trouble> {
    fs::create_dir_all(folder).map_err(|e| Trouble::Barred(e.to_string()))?;
    guarded(|| {
        let db = Database::builder().set_check_integrity_on_open(true).create(path).map_err(redb::Error::from)?;
        let rows = read_rows(&db)?;
        Ok((db, rows))
    })
}

/// redb asserts its invariants; on a file that somebody overwrote they need not hold, and that must not stop boma.
fn guarded<T>(open: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(result) => result.map_err(Trouble::from),
        Err(_) => Err(Trouble::Damaged("its structure does not hold together".into())),
    }
}

fn read_rows(db: &Database) -> Result<Rows, redb::Error> {
    let mut rows = Rows::new();
    let transaction = db.begin_write()?;
    for table in TABLES {
        let opened = transaction.open_table(table.definition())?;
        let mut all = Vec::new();
        for row in opened.iter()? {
            let (key, value) = row?;
            all.push((key.value().to_owned(), value.value().to_vec()));
        }
        rows.insert(table, all);
    }
    transaction.commit()?;
    Ok(rows)
}

/// Reads a file that may not be written, killed boma's last commit included: a copy in memory is repaired and read.
fn read_only(path: &Path) -> Result<Rows, Trouble> {
    let bytes = fs::read(path).map_err(|e| Trouble::Barred(e.to_string()))?;
    guarded(|| {
        let backend = InMemoryBackend::new();
        let filled = backend.set_len(bytes.len() as u64).and_then(|()| backend.write(0, &bytes));
        filled.map_err(|e| redb::Error::Io(io::Error::other(e.to_string())))?;
        read_rows(&Database::builder().create_with_backend(backend)?)
    })
}

fn move_aside(path: &Path, now_unix: u64) -> io::Result<PathBuf> {
    let mut aside = path.with_extension(format!("redb.damaged-{now_unix}"));
    let mut n = 1;
    while aside.exists() {
        aside = path.with_extension(format!("redb.damaged-{now_unix}-{n}"));
        n += 1;
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

fn writing(db: Database, path: PathBuf, rows: Rows, mut troubles: Vec<String>) -> Opened {
    let (jobs, queue) = sync_channel(bounds::STORE_JOBS);
    let store = Store { jobs: None, ..Store::none() };
    let shared = store.clone();
    let spawned = thread::Builder::new().name("boma-store".into()).spawn(move || write_all(db, &path, &queue, &shared));
    let jobs = match spawned {
        Ok(_) => Some(jobs),
        Err(e) => {
            troubles.push(format!("no thread for the store's writer ({e}): nothing is kept over a restart"));
            None
        }
    };
    Opened { store: Store { jobs, ..store }, rows, troubles }
}

fn write_all(db: Database, path: &Path, queue: &Receiver<Job>, store: &Store) {
    let (mut open, mut released) = (Some(db), false);
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(bounds::STORE_JOBS));
        released &= !batch.iter().any(|job| matches!(job, Job::Reclaim));
        if open.is_none() && !released {
            let opened = guarded(|| Database::open(path).map_err(redb::Error::from));
            open = opened.map_err(|trouble| store.fails(Some(trouble.text()))).ok();
        }
        let Some(db) = &open else {
            let writes = batch.iter().filter(|job| matches!(job, Job::Put(..) | Job::Remove(..))).count();
            store.lost.fetch_add(writes as u64, Ordering::Relaxed);
            // Whoever waits for a flush is let go by its end being dropped.
            continue;
        };
        match guarded(|| write(db, &batch)) {
            Ok(()) => store.fails(None),
            Err(trouble) => {
                store.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                tracing::error!(error = trouble.text(), jobs = batch.len(), "the store could not be written");
                store.fails(Some(trouble.text()));
                // After a write that failed it takes no other until it is opened anew.
                open = None;
            }
        }
        for job in batch {
            match job {
                Job::Flush(done) => drop(done.send(())),
                Job::Release(done) => {
                    (open, released) = (None, true);
                    let _ = done.send(());
                }
                _ => {}
            }
        }
    }
}

fn write(db: &Database, batch: &[Job]) -> Result<(), redb::Error> {
    let mut transaction = db.begin_write()?;
    // Costs a little on each commit; without it, the first start after a kill scans the whole file.
    transaction.set_quick_repair(true);
    for job in batch {
        match job {
            Job::Put(table, key, value) => {
                transaction.open_table(table.definition())?.insert(key.as_str(), value.as_slice())?;
            }
            Job::Remove(table, key) => {
                transaction.open_table(table.definition())?.remove(key.as_str())?;
            }
            Job::Flush(_) | Job::Release(_) | Job::Reclaim => {}
        }
    }
    transaction.commit()?;
    Ok(())
}

impl Store {
    /// A store that keeps nothing.
    pub fn none() -> Store {
        Store { jobs: None, lost: Arc::default(), failing: Arc::default() }
    }

    /// Whether what is put outlives the process.
    pub fn keeps(&self) -> bool {
        self.jobs.is_some()
    }

    /// Writes that were lost: the queue was full, or the disk refused.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Why the last write failed; `None` where it did not.
    pub fn failing(&self) -> Option<String> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
