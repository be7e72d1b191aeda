//! The one thread that writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use redb::{Database, ReadableTable};

use super::opening::{Trouble, guarded, move_aside, open_again, try_open};
use super::{Job, Opened, Rows, Store, Table};
use crate::bounds;

/// Begins to write; where the file could not be opened, once it can be.
pub(super) fn writing(
    db: Result<Database, String>,
    (path, began): (PathBuf, u64),
    rows: Rows,
    mut troubles: Vec<String>,
) -> Opened {
    let (jobs, queue) = sync_channel(bounds::STORE_JOBS);
    let store = Store { jobs: None, ..Store::none() };
    if let Err(why) = &db {
        store.fails(Some(why));
    }
    let unseen = db.is_err() && !path.exists();
    let mut writer =
        Writer { path, db: db.ok(), released: false, unseen, began, gone: BTreeSet::new(), store: store.clone() };
    let spawned = thread::Builder::new().name("boma-store".into()).spawn(move || writer.work(&queue));
    let jobs = match spawned {
        Ok(_) => Some(jobs),
        Err(e) => {
            troubles.push(format!("no thread for the store's writer ({e}): nothing is kept over a restart"));
            None
        }
    };
    Opened { store: Store { jobs, ..store }, rows, troubles }
}

struct Writer {
    path: PathBuf,
    db: Option<Database>,
    released: bool,
    /// There was no file, as where a disk is mounted late: what one holds that comes is known to nobody.
    unseen: bool,
    /// Seconds since the Unix epoch, for the names of what is moved aside.
    began: u64,
    /// Rows that are to be removed, and could not be: who holds what is there in memory knows nothing of them.
    gone: BTreeSet<(Table, String)>,
    store: Store,
}

impl Writer {
    fn work(&mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(bounds::STORE_JOBS));
            self.released &= !batch.iter().any(|job| matches!(job, Job::Reclaim));
            let again = batch.iter().any(|job| matches!(job, Job::Reclaim | Job::Again));
            if again && self.db.is_none() && !self.released {
                self.open();
            }
            match self.db.as_ref().map(|db| guarded(|| write(db, &self.gone, &batch))) {
                Some(Ok(())) => {
                    self.gone.clear();
                    self.store.fails(None);
                }
                Some(Err(trouble)) => {
                    tracing::error!(error = trouble.text(), jobs = batch.len(), "the store could not be written");
                    self.store.fails(Some(trouble.text()));
                    self.lose(&batch);
                    // After a write that failed it takes no other until it is opened anew.
                    self.db = None;
                }
                None => self.lose(&batch),
            }
            for job in batch {
                match job {
                    Job::Flush(done) => drop(done.send(())),
                    Job::Release(done) => {
                        (self.db, self.released) = (None, true);
                        let _ = done.send(());
                    }
                    _ => {}
                }
            }
        }
    }

    fn open(&mut self) {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let mut opened = match self.unseen {
            true => try_open(folder, &self.path).map(|(db, rows)| {
                *self.store.late.lock().unwrap_or_else(PoisonError::into_inner) = Some(rows);
                db
            }),
            false => open_again(folder, &self.path),
        };
        self.unseen &= opened.is_err();
        if let Err(Trouble::Damaged(why)) = &opened
            && let Ok(aside) = move_aside(&self.path, self.began)
        {
            tracing::error!(why, aside = %aside.display(), "the store was damaged, and is begun anew");
            // Whatever was in it is missed now.
            self.store.lost.fetch_add(1, Ordering::Relaxed);
            opened = open_again(folder, &self.path);
        }
        match opened {
            Ok(db) => self.db = Some(db),
            Err(trouble) => self.store.fails(Some(trouble.text())),
        }
    }

    fn lose(&mut self, batch: &[Job]) {
        let mut lost = 0;
        for job in batch {
            match job {
                Job::Put(table, key, _) => drop(self.gone.remove(&(*table, key.clone()))),
                Job::Remove(table, key) if self.gone.len() < bounds::STORE_GONE => {
                    self.gone.insert((*table, key.clone()));
                }
                Job::Remove(..) => {}
                Job::Flush(_) | Job::Release(_) | Job::Reclaim | Job::Again => continue,
            }
            lost += 1;
        }
        self.store.lost.fetch_add(lost, Ordering::Relaxed);
    }
}

fn write(db: &Database, gone: &BTreeSet<(Table, String)>, batch: &[Job]) -> Result<(), redb::Error> {
    let mut transaction = db.begin_write()?;
    // Costs a little on each commit; without it, the first start after a kill scans the whole file.
    transaction.set_quick_repair(true);
    for (table, key) in gone {
        transaction.open_table(table.definition())?.remove(key.as_str())?;
    }
    for job in batch {
        match job {
            Job::Put(table, key, value) => {
                let mut table = transaction.open_table(table.definition())?;
                // What is there already needs no room, which a disk that was full has little of.
                if table.get(key.as_str())?.is_none_or(|there| there.value() != value.as_slice()) {
                    table.insert(key.as_str(), value.as_slice())?;
                }
            }
            Job::Remove(table, key) => {
                transaction.open_table(table.definition())?.remove(key.as_str())?;
            }
            Job::Flush(_) | Job::Release(_) | Job::Reclaim | Job::Again => {}
        }
    }
    transaction.commit()?;
    Ok(())
}
