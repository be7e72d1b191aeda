//! The MMDB files: read at the start, when the settings name others, and when they are replaced.
//!
//! Does not know: what they say.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::change::{Applied, Change, Rejected};
use super::files::{self, LastGood};
use super::{Desk, Office};
use crate::bounds;
use crate::fault::Fault;
use crate::places::{Database, Kind, Places};
use crate::settings::{self, ClientSettings};

/// What tells one version of a large file from another, without reading it.
pub fn stamp(path: &Path) -> std::io::Result<u64> {
    let about = std::fs::metadata(path)?;
    Ok(files::stamp(format!("{} {} {} {}", about.ino(), about.size(), about.mtime(), about.mtime_nsec()).as_bytes()))
}

/// The files that the settings name.
pub fn named(client: &ClientSettings) -> impl Iterator<Item = (Kind, &PathBuf)> {
    let both = [(Kind::Country, client.country_db.as_ref()), (Kind::Asn, client.asn_db.as_ref())];
    both.into_iter().filter_map(|(kind, path)| Some((kind, path?)))
}

fn read(kind: Kind, path: &Path) -> Result<(Database, Vec<u8>), Fault> {
    let shown = path.display().to_string();
    let help = "name a database in MaxMind's MMDB format in [client], readable by boma's user";
    let bytes = files::read_up_to(path, bounds::PLACES_BYTES).map_err(|e| super::start::unreadable(&shown, &e))?;
    let database =
        Database::new(path.to_owned(), bytes.clone(), kind).map_err(|why| Fault::whole(&shown, why, help))?;
    Ok((database, bytes))
}

fn copy(kind: Kind) -> &'static str {
    match kind {
        Kind::Country => "country.mmdb",
        Kind::Asn => "asn.mmdb",
    }
}

fn put(places: &mut Places, kind: Kind, database: Database) {
    match kind {
        Kind::Country => places.country = Some(database),
        Kind::Asn => places.asn = Some(database),
    }
}

/// Files that were read before it was the turn of what wanted them.
pub struct Loaded {
    paths: [Option<PathBuf>; 2],
    places: Places,
    faults: Vec<Fault>,
}

fn paths(client: &ClientSettings) -> [Option<PathBuf>; 2] {
    [client.country_db.clone(), client.asn_db.clone()]
}

/// Reads all files that the settings name, each replaced by its last good copy where it cannot be used; and what is wrong.
pub fn load(client: &ClientSettings, last_good: &LastGood, fall_back: bool) -> (Places, Vec<Fault>) {
    let (mut places, mut faults) = (Places::default(), Vec::new());
    for (kind, path) in named(client) {
        match read(kind, path) {
            Ok((database, bytes)) => {
                // Where no copy can be kept, that is said of the rules and settings already.
                let _ = last_good.save(copy(kind), &bytes);
                put(&mut places, kind, database);
            }
            Err(fault) => {
                faults.push(fault);
                let kept = fall_back.then(|| last_good.load_up_to(copy(kind), bounds::PLACES_BYTES)).flatten();
                if let Some(Ok(database)) = kept.map(|bytes| Database::new(path.clone(), bytes, kind)) {
                    put(&mut places, kind, database);
                }
            }
        }
    }
    (places, faults)
}

impl Office {
    /// Reads the files that a change is about, if it is about any: half a gigabyte on a slow disk is nothing that other changes
    /// should wait for.
    pub(super) fn read_places(&self, change: &Change) -> Option<Loaded> {
        let old = self.house.town.load().settings.client.clone();
        let client = match change {
            Change::Places => old,
            Change::Settings(text) => {
                let folder = self.config.parent().unwrap_or(Path::new("/"));
                let read = settings::read(&self.config.display().to_string(), text, folder);
                let other = read.faults.is_empty() && paths(&read.value.client) != paths(&old);
                other.then_some(read.value.client)?
            }
            _ => return None,
        };
        let (places, faults) = load(&client, &self.last_good, false);
        Some(Loaded { paths: paths(&client), places, faults })
    }

    /// Takes over what was read; what cannot be used leaves the old files in use.
    pub(super) fn places(
        &self,
        desk: &mut Desk,
        client: &ClientSettings,
        loaded: Option<Loaded>,
    ) -> Result<Applied, Rejected> {
        // The settings may have changed while they were read.
        let loaded = loaded.filter(|l| l.paths == paths(client)).map(|l| (l.places, l.faults));
        let (places, faults) = loaded.unwrap_or_else(|| load(client, &self.last_good, false));
        if !faults.is_empty() {
            let path = faults[0].file.clone();
            return Err(self.refused(desk, &path, faults));
        }
        named(client).for_each(|(_, path)| {
            let path = path.display().to_string();
            desk.same(&path);
            self.settled(&path);
        });
        self.house.places.store(Arc::new(places));
        self.reloaded(true);
        Ok(Applied { changed: true, ..self.unchanged() })
    }
}
