//! The MMDB files: read at the start, when the settings name others, and when they are replaced.
//!
//! Does not know: what they say.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::change::{Applied, Rejected};
use super::files::{self, LastGood};
use super::{Desk, Office};
use crate::bounds;
use crate::fault::Fault;
use crate::places::{Database, Kind, Places};
use crate::settings::ClientSettings;

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
    /// Reads the files anew; what cannot be used leaves the old ones in use.
    pub(super) fn places(&self, desk: &mut Desk, client: &ClientSettings) -> Result<Applied, Rejected> {
        let (places, faults) = load(client, &self.last_good, false);
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
