//! Watching the operators' files: events say when to look, and a hash of the content decides. Events alone do not
//! do: NFS and bind mounts send none, and a Kubernetes ConfigMap changes by a symlink two folders up. So the content
//! is hashed on a slow beat as well.
//!
//! A file caught in the middle of being written may be valid, shorter TOML: it is believed only when it has stayed
//! the same for [`bounds::WATCH_SETTLE`].
//!
//! Does not know: what a text means.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};

use super::{Change, Office, Who, files};
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

/// Starts the watcher's thread.
///
/// # Errors
/// Where no thread can be had.
pub fn watch(office: Arc<Office>) -> std::io::Result<Bell> {
    let (bell, rings) = sync_channel(1);
    let bell = Bell(bell);
    let for_events = bell.clone();
    thread::Builder::new().name("boma-watch".into()).spawn(move || Watch::new(office, for_events).run(&rings))?;
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

struct Watch {
    office: Arc<Office>,
    seen: HashMap<PathBuf, Seen>,
    watcher: Option<notify::RecommendedWatcher>,
    folders: Vec<PathBuf>,
}

impl Watch {
    fn new(office: Arc<Office>, bell: Bell) -> Watch {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|e| !e.kind.is_access()) {
                bell.ring();
            }
        });
        if let Err(e) = &watcher {
            tracing::warn!(error = %e, "no events for changed files: they are looked at every {:?}", bounds::WATCH_POLL);
        }
        let mut watch = Watch { office, seen: HashMap::new(), watcher: watcher.ok(), folders: Vec::new() };
        // What is there now was read at the start; but a file that could not be used then must be proposed again
        // even if nobody touches it, in case it was replaced between the start and this look.
        for (path, _) in watch.files() {
            if let Some(hash) = content(&path) {
                watch.seen.insert(path, Seen::Done(hash));
            }
        }
        watch.propose_all();
        watch
    }

    /// The files in force, and the change that each stands for.
    fn files(&self) -> Vec<(PathBuf, Kind)> {
        let settings = self.office.house.town.load().settings.clone();
        let mut files =
            vec![(self.office.config.clone(), Kind::Settings), (settings.server.rules.clone(), Kind::Rules)];
        files.extend(settings.server.postures.iter().map(|p| (p.clone(), Kind::Postures)));
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
        let mut certificates = false;
        for (path, kind) in self.files() {
            let Some(hash) = content(&path) else { continue };
            match self.seen.get(&path) {
                Some(Seen::Done(h)) if *h == hash => {}
                Some(Seen::Settling(h)) if *h == hash => {
                    self.seen.insert(path.clone(), Seen::Done(hash));
                    if kind == Kind::Certificates {
                        certificates = true;
                    } else {
                        self.propose(&path, kind);
                    }
                }
                _ => {
                    self.seen.insert(path, Seen::Settling(hash));
                    settling = true;
                }
            }
        }
        if certificates && !settling {
            // Chain and key change one after the other: a pair that does not fit is refused and tried again with
            // the next file.
            let _ = self.office.propose(Change::Certificates, &Who::File);
        }
        settling
    }

    fn propose_all(&self) {
        for (path, kind) in self.files() {
            if kind == Kind::Rules {
                self.propose(&path, kind);
            }
        }
    }

    fn propose(&self, path: &Path, kind: Kind) {
        let Ok(text) = files::read_text(path) else { return };
        let change = match kind {
            Kind::Settings => Change::Settings(text),
            Kind::Rules => Change::RulesFile(text),
            Kind::Postures => Change::Postures(text),
            Kind::Certificates => Change::Certificates,
        };
        let _ = self.office.propose(change, &Who::File);
    }

    /// Watches the folders, not the files: editors and ConfigMaps put a new file in the old one's place.
    fn watch_folders(&mut self) {
        let folders: Vec<PathBuf> = self.files().iter().filter_map(|(p, _)| p.parent().map(Path::to_owned)).collect();
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
    Postures,
    Certificates,
}

/// A hash of a file's content. `None` where it cannot be read: in the middle of a rename there may be none.
fn content(path: &Path) -> Option<u64> {
    let bytes = files::read(path).ok()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}
