//! What staff ask of snapshots: that they are taken anew, and what has changed in one.
//!
//! Does not know: HTTP, how a page is fetched.

use serde::Serialize;
use similar::TextDiff;

use super::Office;
use super::album::Album;
use super::change::{Applied, Rejected};
use crate::bounds;
use crate::snapshot::{About, Copy};

/// What differs between two versions of a page.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    pub portal: String,
    pub path: String,
    pub from: Version,
    pub to: Version,
    /// Lines in the unified form; empty where nothing differs.
    pub diff: String,
    /// There is more of it than is shown.
    pub cut: bool,
}

/// A version of a page, 1 the newest.
#[derive(Clone, Debug, Serialize)]
pub struct Version {
    pub version: usize,
    /// Seconds since the Unix epoch.
    pub taken: u64,
    pub bytes: usize,
}

impl Office {
    /// How the snapshots of each portal stand.
    pub fn all_albums(&self) -> Vec<Album> {
        let albums = self.albums();
        let town = self.house.town.load();
        let keeping = town.portals.list.iter().filter(|p| p.keeps_copies());
        let one = |name: &String| {
            let unbegun = || Album { portal: name.clone(), state: "waiting", ..Album::default() };
            albums.get(name).filter(|a| !a.portal.is_empty()).cloned().unwrap_or_else(unbegun)
        };
        keeping.map(|p| one(&p.name)).collect()
    }

    /// Lets pages be taken anew, soon: those at `paths`, or all.
    pub(super) fn refresh(&self, portal: Option<&str>, paths: &[String]) -> Result<Applied, Rejected> {
        self.knows(portal)?;
        let town = self.house.town.load();
        let meant = |name: &str| portal.is_none_or(|p| p == name);
        let portals: Vec<_> = town.portals.list.iter().filter(|p| meant(&p.name) && p.keeps_copies()).collect();
        if portals.is_empty() {
            return Err(Rejected::Unknown(
                "no snapshots are wanted: write [portal] snapshot = { start = [\"/\"] }".into(),
            ));
        }
        if let Some(spared) = portals.iter().find(|p| !self.may_crawl(p)) {
            let why = format!(
                "the posture of portal {} spares its origin: no snapshot is taken until it is lower",
                spared.name
            );
            return Err(Rejected::NotNow(why));
        }
        for path in paths {
            let known =
                portals.iter().any(|p| p.declared().contains(path) || self.house.board.find(&p.name, path).is_some());
            if !known {
                let why = format!(
                    "there is no snapshot of {path:?}, and it is not declared: `boma snapshot list` shows those that are"
                );
                return Err(Rejected::Unknown(why));
            }
        }
        let mut albums = self.albums();
        for portal in portals {
            let of = |path: &&String| {
                portal.declared().contains(*path) || self.house.board.find(&portal.name, path).is_some()
            };
            let mine: Vec<String> = paths.iter().filter(of).cloned().collect();
            if paths.is_empty() || !mine.is_empty() {
                albums.entry(portal.name.clone()).or_default().wanted = Some(mine);
            }
        }
        Ok(Applied { changed: true, ..self.unchanged() })
    }

    /// What differs between two versions of a page; by default the newest and the one before.
    ///
    /// # Errors
    /// [`Rejected::Unknown`].
    pub fn difference(
        &self,
        portal: Option<&str>,
        path: &str,
        (from, to): (usize, usize),
    ) -> Result<Difference, Rejected> {
        self.knows(portal)?;
        let town = self.house.town.load();
        let of = |name: &String| self.house.board.find(name, path).map(|page| (name.clone(), page));
        let names = town.portals.list.iter().map(|p| &p.name).filter(|name| portal.is_none_or(|p| p == *name));
        let Some((portal, page)) = names.into_iter().find_map(of) else {
            return Err(Rejected::Unknown(format!(
                "there is no snapshot of {path:?}: `boma snapshot list` shows those that are"
            )));
        };
        let version = |n: usize| {
            let found = n.checked_sub(1).and_then(|at| page.versions().get(at));
            found.ok_or_else(|| {
                Rejected::Unknown(format!("{path} has {} versions, 1 the newest", page.versions().len()))
            })
        };
        let told = |n: usize, copy: &Copy| Version { version: n, taken: copy.about.taken, bytes: copy.about.plain };
        let (old, new) = (version(from)?, version(to)?);
        let mut diff = unified(path, old, new);
        let cut = diff.len() > bounds::DIFF_BYTES;
        while diff.len() > bounds::DIFF_BYTES || !diff.is_char_boundary(diff.len()) {
            let at = (0..=bounds::DIFF_BYTES).rev().find(|at| diff.is_char_boundary(*at)).unwrap_or(0);
            diff.truncate(at);
        }
        Ok(Difference { portal, path: path.to_owned(), from: told(from, old), to: told(to, new), diff, cut })
    }
}

fn unified(path: &str, old: &Copy, new: &Copy) -> String {
    let head = |about: &About| format!("{}\n{}", about.content_type, lines(&about.fields));
    let text = |copy: &Copy| copy.plain().and_then(|p| String::from_utf8(p.to_vec()).ok());
    let (Some(before), Some(after)) = (text(old), text(new)) else {
        return if old.same(new) { String::new() } else { format!("{path}: bytes that are no text differ\n") };
    };
    let (before, after) = (format!("{}\n{before}", head(&old.about)), format!("{}\n{after}", head(&new.about)));
    let diff = TextDiff::configure().timeout(bounds::DIFF_TIME).diff_lines(&before, &after);
    diff.unified_diff()
        .header(&format!("{path} as of {}", time(old)), &format!("{path} as of {}", time(new)))
        .to_string()
}

fn lines(fields: &[(String, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

fn time(copy: &Copy) -> String {
    jiff::Timestamp::from_second(copy.about.taken as i64).unwrap_or_default().to_string()
}
