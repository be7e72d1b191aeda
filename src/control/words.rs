//! Operators' files of languages: read at the start, with the settings, and when they change. Each stands by itself: one that cannot
//! be used leaves what was in use of it, and the others are taken.
//!
//! Does not know: what pages look like.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::change::{Applied, Rejected, Who};
use super::files::{self, LastGood};
use super::start::{Reading, Stamps, unreadable};
use super::{Desk, Office};
use crate::bounds;
use crate::fault::Fault;
use crate::pages::{self, Shelf};
use crate::portal::Portal;
use crate::settings::{self, Settings};
use crate::telemetry::Kind;
use crate::words::{self, Words, Written};

const COPY: &str = "lang-";

/// What the last good copy of a tag's file is called.
fn copy(tag: &str) -> String {
    format!("{COPY}{tag}.toml")
}

/// The files of a folder that are of languages, or are meant to be.
///
/// # Errors
/// The system's, where the folder cannot be read.
pub fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|e| e == "toml") {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

/// One reading of all files.
#[derive(Default)]
pub struct Heard {
    folder: Option<PathBuf>,
    written: Vec<Written>,
    /// Those that can be used: path, tag and text.
    good: Vec<(PathBuf, String, String)>,
    /// Tags of those that cannot.
    broken: Vec<String>,
    /// What stands in for these, and for what is not there though a portal speaks it.
    kept: Vec<Written>,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
    pub stamps: Stamps,
}

impl Heard {
    pub fn new(folder: Option<&Path>, kept: impl FnOnce() -> Vec<Written>) -> Heard {
        let Some(folder) = folder else { return Heard::default() };
        let mut heard = Heard { folder: Some(folder.to_owned()), kept: kept(), ..Heard::default() };
        match listed(folder) {
            Ok(paths) => paths.iter().for_each(|path| heard.hear(path)),
            Err(e) => heard.faults.push(unreadable(&folder.display().to_string(), &e)),
        }
        heard
    }

    fn hear(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let tag = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let twice = self.good.iter().any(|(_, other, _)| other.eq_ignore_ascii_case(tag));
        let (message, help) = if !words::is_tag(tag) {
            (
                "no language is called like this file".to_owned(),
                "call it by a language tag, such as so.toml or pt-BR.toml",
            )
        } else if twice {
            ("another file is of the same language".to_owned(), "keep one of them")
        } else if self.good.len() + self.broken.len() >= bounds::LANGUAGES {
            (format!("more than {} files of languages", bounds::LANGUAGES), "take out those that no portal speaks")
        } else {
            return self.read(path, &shown, tag);
        };
        self.faults.push(Fault::whole(&shown, message, help));
    }

    fn read(&mut self, path: &Path, shown: &str, tag: &str) {
        let text = match files::read_text(path) {
            Ok(text) => text,
            Err(e) => {
                self.faults.push(unreadable(shown, &e));
                return self.breaks(tag);
            }
        };
        self.stamps.push((path.to_owned(), files::stamp(text.as_bytes())));
        let read = words::read(shown, &text, tag);
        if !read.faults.is_empty() {
            self.faults.extend(read.faults);
            return self.breaks(tag);
        }
        self.warnings.extend(read.warnings);
        self.written.push(read.value);
        self.good.push((path.to_owned(), tag.to_owned(), text));
    }

    fn breaks(&mut self, tag: &str) {
        self.good.retain(|(_, other, _)| other != tag);
        self.written.retain(|w| w.tag != tag);
        self.written.extend(self.kept.iter().find(|w| w.tag == tag).cloned());
        self.broken.push(tag.to_owned());
    }

    /// The tags of which there are words, shipped ones first. `broken`: those too of which nothing can be read.
    pub fn tags(&self, broken: bool) -> Vec<String> {
        let shipped = Words::shipped();
        let own = self.written.iter().chain(&self.kept).map(|w| &w.tag);
        let mut all: Vec<String> = shipped.tags().map(str::to_owned).collect();
        for tag in own.chain(self.broken.iter().filter(|_| broken)) {
            if !all.iter().any(|t| t.eq_ignore_ascii_case(tag)) {
                all.push(tag.clone());
            }
        }
        all
    }

    /// All words, for these portals: a file by which a page would be too heavy is not used, and what a portal speaks is not
    /// lost with its file. `before`: what was weighed already.
    pub fn words(&mut self, portals: &[Portal], before: &[Written]) -> Words {
        if let Some(portal) = portals.first() {
            self.weigh(portal, before);
        }
        for tag in portals.iter().flat_map(|p| &p.languages) {
            if self.folder.is_none() || words::speak(&self.all_tags(), tag) {
                continue;
            }
            let kept = self.kept.iter().find(|w| words::speak(std::slice::from_ref(&w.tag), tag));
            let tag = kept.map_or(tag, |w| &w.tag);
            if !self.broken.contains(tag) {
                let file =
                    self.folder.iter().map(|f| f.join(format!("{tag}.toml")).display().to_string()).collect::<String>();
                let help = "put it back, or take the language out of portal.languages";
                self.faults.push(Fault::whole(&file, format!("it is not there, and a portal speaks {tag:?}"), help));
            }
            let stands_in = kept.cloned().unwrap_or_else(|| Written::empty(tag));
            self.written.push(stands_in);
        }
        Words::new(self.written.clone())
    }

    fn all_tags(&self) -> Vec<String> {
        let shipped = Words::shipped();
        shipped.tags().map(str::to_owned).chain(self.written.iter().map(|w| w.tag.clone())).collect()
    }

    fn weigh(&mut self, like: &Portal, before: &[Written]) {
        let words = Words::new(self.written.clone());
        for (path, tag, text) in self.good.clone() {
            if self.written.iter().any(|w| w.tag == tag && before.contains(w)) {
                continue;
            }
            let heavy = pages::heavy(&words, like, &tag);
            for page in &heavy {
                let (line, column) = words::place(&text, &page.key);
                let message = format!(
                    "a page with `{}` has {} bytes in this language, more than {}",
                    page.key, page.bytes, page.most
                );
                let help = "write it shorter, and what else stands on that page".to_owned();
                self.faults.push(Fault { file: path.display().to_string(), line, column, message, help });
            }
            if !heavy.is_empty() {
                self.breaks(&tag);
            }
        }
    }

    /// Keeps copies of those that can be used.
    fn keep(&self, last_good: &LastGood) -> io::Result<()> {
        self.good.iter().try_for_each(|(_, tag, text)| last_good.save(&copy(tag), text.as_bytes()))
    }
}

/// Settings, and the files of languages that they name. `hear` reads the files of a folder.
pub fn settings_with(
    (file, text, folder): (&str, &str, &Path),
    broken: bool,
    hear: impl Fn(Option<&Path>) -> Heard,
) -> (crate::fault::Read<Settings>, Heard) {
    let heard = RefCell::default();
    let spoken = |languages: Option<&Path>| {
        let all = hear(languages);
        let tags = all.tags(broken);
        heard.replace(all);
        tags
    };
    let read = settings::read_spoken(file, text, folder, &spoken);
    (read, heard.into_inner())
}

/// The last good copies.
fn copies(last_good: &LastGood) -> Vec<Written> {
    let read = |name: String| {
        let tag = name.strip_prefix(COPY)?.strip_suffix(".toml")?;
        let read = words::read_copy(&name, &last_good.load_text(&name)?, tag);
        read.faults.is_empty().then_some(read.value)
    };
    last_good.names().into_iter().filter_map(read).collect()
}

impl Reading {
    /// Reads the files of a folder, with last good copies to stand in.
    pub fn hear(strict: bool, last_good: &LastGood, folder: Option<&Path>) -> Heard {
        Heard::new(folder, || if strict { Vec::new() } else { copies(last_good) })
    }

    /// What is said, in all languages; boma serves without a file that cannot be had.
    pub fn words(&mut self, mut heard: Heard, portals: &[Portal]) -> Words {
        let words = heard.words(portals, &[]);
        self.found.read.append(&mut heard.stamps);
        self.found.warnings.append(&mut heard.warnings);
        if let Err(e) = heard.keep(&self.last_good) {
            self.found.troubles.push(format!("no last good copies of languages can be kept ({e})"));
        }
        self.made_do(heard.faults);
        words
    }
}

impl Office {
    /// Reads the files of a folder, with what is in force to stand in.
    pub(super) fn hear_languages(&self, folder: Option<&Path>) -> Heard {
        Heard::new(folder, || self.house.words.load().written().to_vec())
    }

    /// Reads the files anew.
    pub(super) fn languages(&self, desk: &mut Desk, who: &Who) -> Result<Applied, Rejected> {
        let town = self.house.town.load_full();
        let heard = self.hear_languages(town.settings.server.languages.as_deref());
        let (changed, faults, warnings) = self.take_words(desk, heard, &town.settings.portals);
        if changed {
            let now = self.house.now().unix();
            let news = town.portals.list.iter().map(|p| self.news(p, now)).collect();
            let shelf = Shelf::new(&self.house.words.load(), &self.told_portals(), news, now);
            town.shelf.store(Arc::new(shelf));
        }
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let applied = Applied { changed, warnings, ..self.unchanged() };
        if faults.is_empty() {
            return Ok(applied);
        }
        if changed {
            // What could be taken is told by itself.
            self.note(
                desk,
                who,
                (Kind::Settings, "languages, but for those with faults".into(), None),
                None,
                &Ok(applied),
            );
        }
        self.reloaded(false);
        Err(Rejected::Faults(faults))
    }

    /// Puts words in force; whether they are others, and what is wrong with files, which is said in `status`.
    pub(super) fn take_words(
        &self,
        desk: &mut Desk,
        mut heard: Heard,
        portals: &[Portal],
    ) -> (bool, Vec<Fault>, Vec<Fault>) {
        let before = self.house.words.load_full();
        let words = heard.words(portals, before.written());
        let old = self.house.town.load().settings.server.languages.clone();
        for folder in [heard.folder.as_ref(), old.as_ref()].into_iter().flatten() {
            desk.differs.retain(|d| Path::new(&d.file) != folder && Path::new(&d.file).parent() != Some(folder));
            self.settled(&folder.display().to_string());
        }
        for fault in &heard.faults {
            match desk.differs.iter_mut().find(|d| d.file == fault.file) {
                Some(differs) => differs.faults.push(fault.clone()),
                None => desk.differs.push(super::Differs { file: fault.file.clone(), faults: vec![fault.clone()] }),
            }
        }
        if let Err(e) = heard.keep(&self.last_good) {
            self.house.trouble(format!("no last good copies of languages can be kept ({e})"));
        }
        self.reloaded(heard.faults.is_empty());
        let changed = *before != words;
        if changed {
            self.house.words.store(Arc::new(words));
        }
        (changed, heard.faults, heard.warnings)
    }

    /// Files in a folder that are not in force.
    pub(super) fn refused_in(&self, folder: &Path) -> Vec<PathBuf> {
        let desk = self.desk();
        desk.differs.iter().map(|d| PathBuf::from(&d.file)).filter(|p| p.parent() == Some(folder)).collect()
    }

    /// Whether a file's text is not what is in force.
    pub(super) fn is_refused(&self, path: &Path) -> bool {
        let shown = path.display().to_string();
        self.desk().differs.iter().any(|d| d.file == shown)
    }
}
