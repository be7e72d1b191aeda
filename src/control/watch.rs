//! Watching the operators' files: events say when to look, and a hash of the content decides. Events alone do not
//! do: NFS and bind mounts send none, and a Kubernetes ConfigMap changes by a symlink two folders up. So the content
//! is hashed on a slow beat as well.
//!
//! A file caught in the middle of being written may be valid, shorter TOML: it is believed only when it has stayed
//! the same for [`bounds::WATCH_SETTLE`].
//!
//! Does not know: what a text means.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};

use super::start::Stamps;
use super::{Change, Office, Who, files, places, step_aside, words as languages};
use crate::bounds;

/// Wakes the watcher: HUP, or the house that closes.
#[derive(Clone)]
pub struct Bell(SyncSender<()>);

impl Bell {
    /// Look at all files now.
    pub fn ring(&self) {
        // A full queue means that a look is due anyway.
        let _ = self.0.try_send(());
    }
}

/// Starts the watcher's thread; `read` is what the start has read.
///
/// # Errors
/// Where no thread can be had.
pub fn watch(office: Arc<Office>, read: Stamps) -> std::io::Result<Bell> {
    let (bell, rings) = sync_channel(1);
    let bell = Bell(bell);
    let for_events = bell.clone();
    thread::Builder::new().name("boma-watch".into()).spawn(move || {
        step_aside();
        Watch::new(office, read, for_events).run(&rings);
    })?;
    Ok(bell)
}

/// What is known of one file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Proposed, or there when boma started.
    Done(u64),
    /// Changed, and not yet believed.
    Settling(u64),
}

/// What is known of all files.
struct Files(HashMap<PathBuf, Seen>);

impl Files {
    fn new(read: Stamps) -> Files {
        Files(read.into_iter().map(|(path, stamp)| (path, Seen::Done(stamp))).collect())
    }

    /// Looks at a file's content.
    fn look(&mut self, path: &Path, stamp: u64) -> Look {
        let (now, look) = match self.0.get(path) {
            Some(Seen::Done(s)) if *s == stamp => return Look::Known,
            Some(Seen::Settling(s)) if *s == stamp => (Seen::Done(stamp), Look::Changed),
            _ => (Seen::Settling(stamp), Look::Settling),
        };
        self.0.insert(path.to_owned(), now);
        look
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Known,
    Settling,
    Changed,
}

struct Watch {
    office: Arc<Office>,
    files: Files,
    watcher: Option<notify::RecommendedWatcher>,
    folders: Vec<PathBuf>,
    /// Certificates, lists or languages changed, and what they belong to is to be read once nothing settles any more.
    certificates: bool,
    lists: bool,
    languages: bool,
}

impl Watch {
    fn new(office: Arc<Office>, read: Stamps, bell: Bell) -> Watch {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|e| !e.kind.is_access()) {
                bell.ring();
            }
        });
        if let Err(e) = &watcher {
            tracing::warn!(error = %e, "no events for changed files: they are looked at every {:?}", bounds::WATCH_POLL);
        }
        let mut watch = Watch {
            office,
            files: Files::new(read),
            watcher: watcher.ok(),
            folders: Vec::new(),
            certificates: false,
            lists: false,
            languages: false,
        };
        // What was not there at the start has been said.
        for (path, _) in watch.paths() {
            if let Err(e) = files::read(&path) {
                watch.files.0.entry(path).or_insert_with(|| Seen::Done(missing(&e)));
            }
        }
        watch
    }

    /// The files in force, and the change that each stands for.
    fn paths(&self) -> Vec<(PathBuf, Kind)> {
        let settings = self.office.house.town.load().settings.clone();
        let mut files =
            vec![(self.office.config.clone(), Kind::Settings), (settings.server.rules.clone(), Kind::Rules)];
        let law = self.office.house.law.load();
        let beside = settings.server.rules.parent().unwrap_or(Path::new("/"));
        files.extend(law.rules.files().iter().map(|(list, _)| (beside.join(list), Kind::Lists)));
        files.extend(places::named(&settings.client).map(|(_, path)| (path.clone(), Kind::Places)));
        files.extend(settings.bots.iter().filter_map(|b| Some((b.ranges.clone()?, Kind::Bots))));
        if let Some(folder) = &settings.server.languages {
            // Those that are there, and those that were.
            let words = self.office.house.words.load();
            let mut all = languages::listed(folder).unwrap_or_default();
            all.extend(words.written().iter().map(|w| folder.join(format!("{}.toml", w.tag))));
            all.extend(self.office.refused_in(folder));
            all.sort();
            all.dedup();
            files.extend(all.into_iter().map(|path| (path, Kind::Languages)));
        }
        files.extend(settings.server.postures.iter().map(|p| (p.clone(), Kind::Postures)));
        files.extend(settings.admin.tokens.iter().map(|p| (p.clone(), Kind::Tokens)));
        for certificate in &settings.certificates {
            files.push((certificate.chain.clone(), Kind::Certificates));
            files.push((certificate.key.clone(), Kind::Certificates));
        }
        files
    }

    fn run(mut self, rings: &Receiver<()>) {
        loop {
            self.watch_folders();
            let settling = self.look();
            let wait = if settling { bounds::WATCH_SETTLE } else { bounds::WATCH_POLL };
            match rings.recv_timeout(wait) {
                Ok(()) if settling => {
                    // Somebody is writing: give them their time from now.
                    thread::sleep(bounds::WATCH_SETTLE);
                    let _ = rings.try_recv();
                }
                Ok(()) => thread::sleep(Duration::from_millis(5)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks at every file once; whether one is settling.
    fn look(&mut self) -> bool {
        let mut settling = false;
        for (path, kind) in self.paths() {
            let stamp = match kind {
                // Too large to be read again and again.
                Kind::Places => places::stamp(&path),
                _ => files::read(&path).map(|bytes| files::stamp(&bytes)),
            };
            // In the middle of a rename there may be none: it settles like any other state.
            let stamp = stamp.unwrap_or_else(|e| missing(&e));
            match self.files.look(&path, stamp) {
                Look::Known => {}
                Look::Settling => settling = true,
                Look::Changed if kind == Kind::Certificates => self.certificates = true,
                Look::Changed if kind == Kind::Lists => self.lists = true,
                Look::Changed if kind == Kind::Languages => self.languages = true,
                Look::Changed => self.propose(&path, kind),
            }
        }
        if !settling && std::mem::take(&mut self.certificates) {
            // Chain and key change one after the other: a pair that does not fit is refused and tried again with
            // the next file.
            let _ = self.office.propose(Change::Certificates, &Who::File);
        }
        if !settling && std::mem::take(&mut self.lists) {
            let _ = self.office.propose(Change::Lists, &Who::File);
        }
        if !settling && std::mem::take(&mut self.languages) {
            let _ = self.office.propose(Change::Languages, &Who::File);
            // Settings that name a language may have waited for its file.
            if self.office.is_refused(&self.office.config) {
                self.files.0.remove(&self.office.config);
                settling = true;
            }
        }
        settling
    }

    fn propose(&self, path: &Path, kind: Kind) {
        let change = match kind {
            Kind::Lists => Ok(Change::Lists),
            Kind::Languages => Ok(Change::Languages),
            Kind::Places => Ok(Change::Places),
            Kind::Bots => Ok(Change::Bots),
            Kind::Certificates => Ok(Change::Certificates),
            Kind::Settings => files::read_text(path).map(Change::Settings),
            Kind::Rules => files::read_text(path).map(Change::RulesFile),
            Kind::Postures => files::read_text(path).map(Change::Postures),
            Kind::Tokens => files::read_text(path).map(Change::Tokens),
        };
        match change {
            Ok(change) => drop(self.office.propose(change, &Who::File)),
            Err(e) => self.office.cannot_read(path, &e),
        }
    }

    /// Watches the folders, not the files: editors and ConfigMaps put a new file in the old one's place.
    fn watch_folders(&mut self) {
        let languages = self.office.house.town.load().settings.server.languages.clone();
        let beside = self.paths().into_iter().filter_map(|(p, _)| p.parent().map(Path::to_owned));
        let folders: Vec<PathBuf> = beside.chain(languages).collect();
        let Some(watcher) = &mut self.watcher else { return };
        for folder in folders {
            if !self.folders.contains(&folder) {
                if let Err(e) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    tracing::warn!(error = %e, folder = %folder.display(), "no events for this folder; its files are looked at on a beat");
                }
                self.folders.push(folder);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Settings,
    Rules,
    Lists,
    Languages,
    Places,
    Bots,
    Postures,
    Tokens,
    Certificates,
}

/// The stamp of a file that cannot be read.
fn missing(error: &std::io::Error) -> u64 {
    files::stamp(format!("{:?}", error.kind()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Given, start};

    #[test]
    fn what_changes_while_boma_starts_is_a_change() {
        let folder = std::env::temp_dir().join(format!("boma-watch-{}", std::process::id()));
        let config = folder.join("boma.toml");
        std::fs::create_dir_all(&folder).unwrap();
        let text = "[[listen]]\naddress = \"127.0.0.1:0\"\n[[portal]]\nname = \"p\"\nhosts = [\"p\"]\ntitle = \"P\"\norigins = [\"http://127.0.0.1:1\"]\n";
        std::fs::write(&config, text).unwrap();
        let given = Given { config: config.clone(), strict: false, state_dir: None, state_environment: None };
        let started = start(&given, 0).unwrap_or_else(|faults| panic!("{faults:?}"));
        let mut files = Files::new(started.read);
        let now = |text: &str| files::stamp(text.as_bytes());
        assert_eq!(files.look(&started.config, now(text)), Look::Known);
        assert_eq!(files.look(&started.config, now("other")), Look::Settling);
        assert_eq!(files.look(&started.config, now("others")), Look::Settling);
        assert_eq!(files.look(&started.config, now("others")), Look::Changed);
        assert_eq!(files.look(&started.config, now("others")), Look::Known);
        // A file that was not there at the start is one as well.
        assert_eq!(files.look(&started.settings.server.rules, now("")), Look::Settling);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
