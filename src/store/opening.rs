//! Opens the file: makes it where it is missing, moves it aside where it is damaged, reads it where it may not be written.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableTable, StorageBackend};

use super::writer::writing;
use super::{Opened, Rows, Store, TABLES};

/// How the sentence begins that says that nothing is kept.
pub const BARRED: &str = "the state directory";

/// Opens `boma.redb` in `folder`, making both where they are missing. Never fails: what cannot be had is said.
pub fn open(folder: &Path, now_unix: u64) -> Opened {
    let path = folder.join("boma.redb");
    let mut troubles = Vec::new();
    match try_open(folder, &path) {
        Ok((db, rows)) => return writing(Ok(db), (path, now_unix), rows, troubles),
        Err(Trouble::Damaged(why)) => match move_aside(&path, now_unix) {
            Ok(aside) => {
                troubles.push(format!(
                    "the store {} was damaged ({why}); moved to {} and begun anew: snapshots are taken again",
                    path.display(),
                    aside.display()
                ));
                match try_open(folder, &path) {
                    Ok((db, rows)) => return writing(Ok(db), (path, now_unix), rows, troubles),
                    Err(trouble) => {
                        troubles.push(barred(folder, trouble.text()));
                        return writing(Err(trouble.text().to_owned()), (path, now_unix), Rows::new(), troubles);
                    }
                }
            }
            Err(e) => troubles.push(format!(
                "the store {} is damaged ({why}) and cannot be moved aside ({e}): nothing is kept over a restart",
                path.display()
            )),
        },
        Err(Trouble::Barred(why)) => {
            let rows = if path.exists() { read_only(&path).ok() } else { Some(Rows::new()) };
            let read = if rows.is_some() { "what it holds is served" } else { "nothing could be read from it" };
            troubles.push(format!("{}; {read}", barred(folder, &why)));
            // What could not be read must not be written over once it can be.
            return match rows {
                Some(rows) => writing(Err(why), (path, now_unix), rows, troubles),
                None => Opened { store: Store::none(), rows: Rows::new(), troubles },
            };
        }
        Err(Trouble::Held) => {
            troubles.push(barred(folder, Trouble::Held.text()));
            let rows = read_only(&path).unwrap_or_default();
            return Opened { store: Store::none(), rows, troubles };
        }
    }
    Opened { store: Store::none(), rows: Rows::new(), troubles }
}

fn barred(folder: &Path, why: &str) -> String {
    format!("{BARRED} {} cannot be written ({why}): nothing is kept over a restart", folder.display())
}

pub(super) enum Trouble {
    /// The place cannot be written, as things stand.
    Barred(String),
    /// Another process has it open, and what that one keeps is newer.
    Held,
    Damaged(String),
}

impl Trouble {
    pub(super) fn text(&self) -> &str {
        match self {
            Trouble::Barred(why) | Trouble::Damaged(why) => why,
            Trouble::Held => "another process has it open",
        }
    }
}

impl From<redb::Error> for Trouble {
    fn from(error: redb::Error) -> Trouble {
        match error {
            redb::Error::Io(e) if !is_damage(&e) => Trouble::Barred(e.to_string()),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Trouble::Held,
            other => Trouble::Damaged(other.to_string()),
        }
    }
}

/// redb tells a file that is no database by `InvalidData`, a torn one by `UnexpectedEof`; other I/O errors speak of
/// the place, not of the content.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

pub(super) fn try_open(folder: &Path, path: &Path) -> Result<(Database, Rows), Trouble> {
    open_with(folder, path, read_rows)
}

/// The file alone: what is in it is in memory, or newer there.
pub(super) fn open_again(folder: &Path, path: &Path) -> Result<Database, Trouble> {
    open_with(folder, path, |_| Ok(())).map(|(db, ())| db)
}

fn open_with<T>(
    folder: &Path,
    path: &Path,
    read: impl FnOnce(&Database) -> Result<T, redb::Error>,
) -> Result<(Database, T), Trouble> {
    fs::create_dir_all(folder).map_err(|e| Trouble::Barred(e.to_string()))?;
    let is_new = !path.exists();
    let opened = guarded(|| {
        let db = Database::builder().set_check_integrity_on_open(true).create(path).map_err(redb::Error::from)?;
        let rows = read(&db)?;
        Ok((db, rows))
    });
    if is_new && opened.is_err() {
        // Half of a new file would be taken for a damaged one.
        let _ = fs::remove_file(path);
    }
    opened
}

/// redb asserts its invariants; on a file that somebody overwrote they need not hold, and that must not stop boma.
pub(super) fn guarded<T>(open: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Trouble> {
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

pub(super) fn move_aside(path: &Path, now_unix: u64) -> io::Result<PathBuf> {
    let mut aside = path.with_extension(format!("redb.damaged-{now_unix}"));
    let mut n = 1;
    while aside.exists() {
        aside = path.with_extension(format!("redb.damaged-{now_unix}-{n}"));
        n += 1;
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}
