//! Changing the file of tokens: whole or not at all, by one at a time, readable by boma's user alone.
//!
//! Does not know: what is changed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::tokens::{self, Tokens};
use crate::bounds;
use crate::fault::Fault;

/// Why the file is as it was.
#[derive(Debug)]
pub enum Unchanged {
    /// It is broken as it stands, and is not written over.
    Broken(Vec<Fault>),
    Failed(String),
}

/// The tokens of a file; none where there is no file.
///
/// # Errors
/// [`Unchanged`].
pub fn load(path: &Path) -> Result<Tokens, Unchanged> {
    let shown = path.display().to_string();
    let text = match text(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Unchanged::Failed(format!("{shown} cannot be read: {e}"))),
    };
    let read = tokens::read(&shown, &text);
    if read.faults.is_empty() { Ok(read.value) } else { Err(Unchanged::Broken(read.faults)) }
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(bounds::FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Changes the file.
///
/// # Errors
/// [`Unchanged`]: the file is as it was.
pub fn change(path: &Path, alter: impl FnOnce(Tokens) -> Result<Tokens, String>) -> Result<(), Unchanged> {
    let failed = |what: &str, e: io::Error| Unchanged::Failed(format!("{what}: {e}"));
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_symlink() {
        let why = "it is a symbolic link, as a ConfigMap's files are: change its source";
        return Err(Unchanged::Failed(format!("{}: {why}", path.display())));
    }
    let lock = File::open(folder).map_err(|e| failed(&format!("{} cannot be opened", folder.display()), e))?;
    // The folder is the lock: a file of its own would be left over. Some network file systems have none; two at the
    // same moment are not worth refusing to work there.
    if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
        return Err(Unchanged::Failed("somebody else is changing it at this moment: repeat this".into()));
    }
    let tokens = alter(load(path)?).map_err(Unchanged::Failed)?;
    write(path, folder, tokens.text().as_bytes())
        .map_err(|e| failed(&format!("{} cannot be written", path.display()), e))
}

fn write(path: &Path, folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new: PathBuf = path.with_file_name(name);
    let _ = fs::remove_file(&new);
    let written = || {
        // Never into a file that is there: root may do this in a folder of boma's user, who could lay a link.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        if rustix::process::geteuid().is_root() {
            // Whoever reads it today must read it tomorrow; a new file is for whom its folder belongs to.
            let like = fs::metadata(path).or_else(|_| fs::metadata(folder))?;
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    };
    written().inspect_err(|_| drop(fs::remove_file(&new)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::staff::{Hash, Role, Token};

    fn token(name: &str) -> Token {
        Token { name: name.into(), role: Role::Lead, hash: Hash::of(name), expires: None }
    }

    #[test]
    fn it_is_written_whole_for_one_reader_and_a_broken_one_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("boma-tokens-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("tokens.toml");
        change(&path, |t| t.with(token("a"))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        change(&path, |t| t.with(token("b"))).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(&path).unwrap().all().iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(matches!(change(&path, |t| t.without("c")), Err(Unchanged::Failed(why)) if why.contains("no token")));
        // By one at a time.
        let nested = change(&path, |t| {
            assert!(matches!(change(&path, Ok), Err(Unchanged::Failed(why)) if why.contains("repeat this")));
            t.without("a")
        });
        assert!(nested.is_ok());
        let link = folder.join("link.toml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(change(&link, |t| t.with(token("c"))), Err(Unchanged::Failed(why)) if why.contains("source")));
        fs::write(&path, "[[token]]\nname = 1\n").unwrap();
        assert!(matches!(change(&path, |t| t.with(token("d"))), Err(Unchanged::Broken(faults)) if !faults.is_empty()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "[[token]]\nname = 1\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left over");
        let _ = fs::remove_dir_all(&folder);
    }
}
