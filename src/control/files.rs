//! Reading operators' files, writing them whole, and the copies of the last good ones.
//!
//! Does not know: what stands in them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bounds;

/// Reads a whole file of bounded size.
///
/// # Errors
/// The system's, and `InvalidData` beyond [`bounds::FILE_BYTES`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(path, bounds::FILE_BYTES)
}

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
/// The system's, and `InvalidData` beyond that.
pub fn read_up_to(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("larger than {most} bytes")));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// As [`read`], and `InvalidData` where it is no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// What tells one content of a file from another.
pub fn stamp(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Writes a file whole or not at all: a reader sees the old text or the new one. The old file's mode is kept.
///
/// # Errors
/// The system's; the old file is untouched then.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mode = fs::metadata(path).map_or(mode, |m| m.permissions().mode());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new = path.with_file_name(name);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })
}

/// Appends all of it or, where there is no room, nothing: half a line would spoil the one that comes after it.
///
/// # Errors
/// The system's; the file is as it was then.
pub fn append_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(mode).open(path)?;
    let length = file.metadata()?.len();
    file.write_all(bytes).inspect_err(|_| {
        let _ = file.set_len(length);
    })
}

/// Copies of the last good files, under the state directory.
#[derive(Clone)]
pub struct LastGood {
    /// `None`: nothing is kept and nothing is found.
    folder: Option<PathBuf>,
    /// Copies for which there was no room, by name.
    unwritten: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl LastGood {
    pub fn new(state: &Path) -> LastGood {
        LastGood { folder: Some(state.join("last-good")), unwritten: Arc::default() }
    }

    pub fn none() -> LastGood {
        LastGood { folder: None, unwritten: Arc::default() }
    }

    pub fn load(&self, name: &str) -> Option<Vec<u8>> {
        self.load_up_to(name, bounds::FILE_BYTES)
    }

    pub fn load_up_to(&self, name: &str, most: u64) -> Option<Vec<u8>> {
        read_up_to(&self.folder.as_ref()?.join(name), most).ok()
    }

    /// What copies there are.
    pub fn names(&self) -> Vec<String> {
        let found = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        found.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }

    /// When a copy was written, in seconds since the Unix epoch.
    pub fn written(&self, name: &str) -> u64 {
        let about = self.folder.as_ref().and_then(|folder| fs::metadata(folder.join(name)).ok());
        about.map_or(0, |m| m.mtime().max(0) as u64)
    }

    pub fn load_text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.load(name)?).ok()
    }

    /// Keeps a copy. Only the owner may read it: keys are among them.
    ///
    /// # Errors
    /// The system's: a read-only state directory is no reason to stop, but must be said.
    pub fn save(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // Held meanwhile, or an older copy that is only now written would lie over this one.
        let mut unwritten = self.unwritten();
        let written = self.write(name, bytes);
        unwritten.remove(name);
        let held: usize = unwritten.values().map(Vec::len).sum();
        if written.is_err() && held + bytes.len() <= bounds::LAST_GOOD_UNWRITTEN {
            unwritten.insert(name.to_owned(), bytes.to_vec());
        }
        written
    }

    /// Writes copies for which there was no room before.
    ///
    /// # Errors
    /// The system's; what is left waits on.
    pub fn catch_up(&self) -> io::Result<()> {
        let mut unwritten = self.unwritten();
        while let Some(first) = unwritten.first_entry() {
            self.write(first.key(), first.get())?;
            first.remove();
        }
        Ok(())
    }

    pub fn is_behind(&self) -> bool {
        !self.unwritten().is_empty()
    }

    fn unwritten(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self.load_up_to(name, bytes.len() as u64).as_deref() == Some(bytes) {
            return Ok(());
        }
        let Some(folder) = &self.folder else { return Ok(()) };
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        write_whole(&folder.join(name), bytes, 0o600)
    }
}
