//! Snapshots as they are kept: of each address a manifest, which names its versions and is signed with boma's key, and each
//! version by its own signature. What was torn or changed by another hand does not fit, and is left out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::copy::Copy;
use super::{Page, bounds};
use crate::seal::{Key, Secret};

const MAC: usize = 16;

/// Signs manifests and versions.
pub struct Seals {
    manifests: Key,
    copies: Key,
}

/// What is kept of one address besides its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// By the ends of their rows' keys, the newest first.
    pub versions: Vec<String>,
    pub part: bool,
    /// Seconds since the Unix epoch.
    pub checked: u64,
}

/// A row as it goes to the store.
pub type Row = (String, Vec<u8>);

/// A page that was read back.
pub struct Kept {
    pub portal: String,
    pub address: Arc<str>,
    pub page: Page,
}

/// Keys of rows that are of no use: torn, changed, or of no manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lost {
    pub manifests: Vec<String>,
    pub copies: Vec<String>,
    /// Pages and versions that somebody would miss.
    pub damaged: usize,
}

/// The store's key of an address.
pub fn row_key(portal: &str, address: &str) -> String {
    format!("{portal}\n{address}")
}

pub fn parse_row_key(key: &str) -> Option<(&str, &str)> {
    key.split_once('\n').filter(|(_, address)| !address.contains('\n'))
}

impl Seals {
    pub fn new(secret: &Secret) -> Seals {
        Seals { manifests: secret.key("boma snapshot manifests v1"), copies: secret.key("boma snapshot copies v1") }
    }

    /// A version's row; its key ends in its signature.
    pub fn copy(&self, key: &str, copy: &Copy) -> Row {
        let row = copy.encode();
        (format!("{key}\n{}", hex(&self.copies.mac(&[key.as_bytes(), b"\n", &row]))), row)
    }

    /// The row of a page's manifest, and those of its versions.
    pub fn manifest(&self, key: &str, page: &Page) -> (Row, Vec<Row>) {
        let copies: Vec<Row> = page.versions().iter().map(|v| self.copy(key, v)).collect();
        let ends = copies.iter().map(|(k, _)| k[key.len() + 1..].to_owned());
        let manifest = Manifest { versions: ends.collect(), part: page.part, checked: page.checked() };
        (self.sign(key, &manifest), copies)
    }

    fn sign(&self, key: &str, manifest: &Manifest) -> Row {
        let json = serde_json::to_vec(manifest).unwrap_or_default();
        let mac = self.manifests.mac(&[key.as_bytes(), b"\n", &json]);
        (key.to_owned(), [&mac[..], &json].concat())
    }

    fn read(&self, key: &str, row: &[u8]) -> Option<Manifest> {
        let (mac, json) = row.split_at_checked(MAC)?;
        if !self.manifests.holds(&[key.as_bytes(), b"\n", json], mac) {
            return None;
        }
        serde_json::from_slice(json).ok()
    }

    /// Reads everything back.
    pub fn restore(&self, manifests: Vec<Row>, copies: Vec<Row>) -> (Vec<Kept>, Lost) {
        let (mut kept, mut lost) = (Vec::new(), Lost::default());
        let mut copies: HashMap<String, Vec<u8>> = copies.into_iter().collect();
        let mut used = HashSet::new();
        for (key, row) in manifests {
            let page = self.read(&key, &row).and_then(|manifest| {
                let mut versions = Vec::new();
                for end in manifest.versions.iter().take(bounds::SNAPSHOT_VERSIONS) {
                    let name = format!("{key}\n{end}");
                    match copies.remove(&name).and_then(|row| self.version(&key, end, row)) {
                        Some(version) => {
                            used.insert(name);
                            versions.push(Arc::new(version));
                        }
                        None => {
                            lost.damaged += 1;
                            lost.copies.push(name);
                        }
                    }
                }
                Page::new(versions, manifest.part, manifest.checked)
            });
            match (parse_row_key(&key), page) {
                (Some((portal, address)), Some(page)) => {
                    kept.push(Kept { portal: portal.to_owned(), address: address.into(), page });
                }
                _ => {
                    lost.damaged += 1;
                    lost.manifests.push(key);
                }
            }
        }
        // Of a write that was broken off between a version and its manifest.
        lost.copies.extend(copies.into_keys().filter(|key| !used.contains(key)));
        (kept, lost)
    }

    fn version(&self, key: &str, end: &str, row: Vec<u8>) -> Option<Copy> {
        let holds = hex(&self.copies.mac(&[key.as_bytes(), b"\n", &row])) == end;
        holds.then(|| Copy::decode(row)).flatten()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::copy::Made;
    use super::*;

    fn version(body: &str) -> Arc<Copy> {
        let made = Made {
            taken: 7,
            content_type: "text/html".into(),
            fields: vec![],
            language: None,
            forms: 0,
            policies: vec![],
            body: body.as_bytes(),
            holes: &[],
        };
        Arc::new(Copy::new(made).unwrap())
    }

    fn rows(seals: &Seals) -> (Vec<Row>, Vec<Row>) {
        let mut all = (Vec::new(), Vec::new());
        for (address, bodies) in [("/", vec!["new", "old"]), ("/a?b", vec!["a"])] {
            let page = Page::new(bodies.iter().map(|b| version(b)).collect(), address != "/", 99).unwrap();
            let (manifest, copies) = seals.manifest(&row_key("p", address), &page);
            all.0.push(manifest);
            all.1.extend(copies);
        }
        all
    }

    /// Addresses and how many versions of each came back, and what was missed.
    fn back(seals: &Seals, (manifests, copies): (Vec<Row>, Vec<Row>)) -> (Vec<(String, usize)>, usize) {
        let (kept, lost) = seals.restore(manifests, copies);
        (kept.iter().map(|k| (k.address.to_string(), k.page.versions().len())).collect(), lost.damaged)
    }

    #[test]
    fn what_was_signed_comes_back_and_what_was_touched_does_not() {
        let seals = Seals::new(&Secret::random().unwrap());
        let whole = vec![("/".to_owned(), 2), ("/a?b".to_owned(), 1)];
        assert_eq!(back(&seals, rows(&seals)), (whole.clone(), 0));
        for at in 0..rows(&seals).0[0].1.len() {
            let mut touched = rows(&seals);
            touched.0[0].1[at] ^= 1;
            assert_eq!(back(&seals, touched), (whole[1..].to_vec(), 1), "manifest, byte {at}");
        }
        for at in 0..rows(&seals).1[0].1.len() {
            let mut touched = rows(&seals);
            touched.1[0].1[at] ^= 1;
            assert_eq!(back(&seals, touched), (vec![("/".into(), 1), whole[1].clone()], 1), "version, byte {at}");
        }
        let mut swapped = rows(&seals);
        let other = swapped.1[2].1.clone();
        swapped.1[0].1 = other;
        assert_eq!(back(&seals, swapped).0[0].1, 1, "another page's version");
        let mut moved = rows(&seals);
        moved.0[1].0 = "p\n/b".into();
        assert_eq!(back(&seals, moved).0, whole[..1], "a manifest under another address");
        let other = Seals::new(&Secret::random().unwrap());
        assert_eq!(back(&other, rows(&seals)), (vec![], 2), "another boma's");
    }

    #[test]
    fn a_version_without_a_manifest_is_swept_up_and_missed_by_nobody() {
        let seals = Seals::new(&Secret::random().unwrap());
        let (manifests, mut copies) = rows(&seals);
        let orphan = seals.copy(&row_key("p", "/"), &version("newer"));
        copies.push(orphan.clone());
        let (kept, lost) = seals.restore(manifests, copies);
        assert_eq!((kept.len(), lost), (2, Lost { copies: vec![orphan.0], ..Lost::default() }));
    }
}
