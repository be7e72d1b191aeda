//! Where addresses are: countries and autonomous systems, from the operator's MMDB files (MaxMind's format; DB-IP and IPinfo
//! write it too). Files are read whole, so that a replaced one never changes under a request.
//!
//! Does not know: rules, who reloads.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use maxminddb::{PathElement, Reader};
use serde::{Deserialize, Serialize};

/// What a file says of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Country,
    Asn,
}

/// A country's two letters (ISO 3166-1), upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    pub fn parse(text: &str) -> Option<Country> {
        let bytes: [u8; 2] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphabetic).then(|| Country(bytes.map(|b| b.to_ascii_uppercase())))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file, read.
pub struct Database {
    path: PathBuf,
    reader: Reader<Vec<u8>>,
}

impl Database {
    /// # Errors
    /// Why it is none, in words.
    pub fn new(path: PathBuf, bytes: Vec<u8>, kind: Kind) -> Result<Database, String> {
        let reader = Reader::from_source(bytes).map_err(|e| format!("no MMDB file: {e}"))?;
        let what = &reader.metadata().database_type;
        let other = match kind {
            Kind::Country => what.contains("ASN") || what.contains("ISP"),
            Kind::Asn => what.contains("Country") || what.contains("City"),
        };
        if other {
            return Err(format!("an MMDB file of type {what:?}, which says nothing of this"));
        }
        Ok(Database { path, reader })
    }

    fn text<T: for<'a> Deserialize<'a>>(&self, address: IpAddr, path: &[&str]) -> Option<T> {
        let path: Vec<PathElement<'_>> = path.iter().map(|key| PathElement::Key(key)).collect();
        // A path of another shape is an error to the library, and no more than nothing to us.
        self.reader.lookup(address).ok()?.decode_path(&path).ok()?
    }
}

/// Both files, where the operator has them.
#[derive(Default)]
pub struct Places {
    pub country: Option<Database>,
    pub asn: Option<Database>,
}

/// How old a file is, for people.
#[derive(Clone, Debug, Serialize)]
pub struct Age {
    pub kind: Kind,
    pub file: String,
    /// When it was built, in seconds since the Unix epoch.
    pub built: u64,
    pub days: u64,
}

impl Places {
    /// `None`: not known.
    pub fn country(&self, address: IpAddr) -> Option<Country> {
        let database = self.country.as_ref()?;
        let paths: [&[&str]; 3] = [&["country", "iso_code"], &["country_code"], &["country"]];
        paths.into_iter().find_map(|path| Country::parse(&database.text::<String>(address, path)?))
    }

    /// `None`: not known.
    pub fn asn(&self, address: IpAddr) -> Option<u32> {
        let database = self.asn.as_ref()?;
        let number = database.text::<u32>(address, &["autonomous_system_number"]);
        number.or_else(|| database.text::<String>(address, &["asn"])?.trim_start_matches("AS").parse().ok())
    }

    pub fn ages(&self, now_unix: u64) -> Vec<Age> {
        let both = [(Kind::Country, &self.country), (Kind::Asn, &self.asn)];
        let age = |(kind, database): (Kind, &Option<Database>)| {
            let database = database.as_ref()?;
            let built = database.reader.metadata().build_epoch;
            let file = database.path.display().to_string();
            Some(Age { kind, file, built, days: now_unix.saturating_sub(built) / 86_400 })
        };
        both.into_iter().filter_map(age).collect()
    }
}
