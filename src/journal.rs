//! The journal: every change that was proposed and what became of it, a line each, chained by hashes, so that nobody
//! can take out or reword what was done without it showing.
//!
//! Does not know: what a change means.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::bounds;

/// One line. Its hash covers all that stands before it, the line before included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// From 1 on, without a gap.
    pub n: u64,
    /// Seconds since the Unix epoch.
    pub at: u64,
    pub who: String,
    pub what: String,
    pub outcome: String,
    /// What it is about, as events have it; older lines do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When what was done ends by itself, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// SHA-256 of the text that was proposed, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What a report says of it later; older lines say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<serde_json::Value>,
    /// The hash of the line before; of the first line empty.
    pub prev: String,
    pub hash: String,
}

impl Line {
    fn right_hash(&self) -> String {
        let open = Line { hash: String::new(), ..self.clone() };
        sha256(&serde_json::to_vec(&open).unwrap_or_default())
    }
}

/// What is to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Note<'a> {
    pub at: u64,
    pub who: &'a str,
    pub what: &'a str,
    pub outcome: &'a str,
    pub kind: &'a str,
    pub until: Option<u64>,
    /// What was proposed, word by word.
    pub text: Option<&'a str>,
    /// At most some KiB: the line has a bound.
    pub about: Option<&'a serde_json::Value>,
}

/// Lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// The file, open at its end.
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    n: u64,
    last: String,
    /// Lines that could not be written yet, the oldest first; they get their numbers when they are.
    unwritten: VecDeque<Line>,
    /// Another process has the file.
    left: bool,
}

impl Journal {
    /// Opens `journal.jsonl` in the state directory. Never fails: what cannot be had comes back as a sentence, and
    /// changes are told by boma's own log alone then.
    pub fn open(folder: &Path) -> (Journal, Option<String>) {
        let (path, last) = (file_in(folder), String::new());
        let mut journal = Journal { path, file: None, n: 0, last, unwritten: VecDeque::new(), left: false };
        let trouble = match journal.reopen() {
            Ok(trouble) => trouble,
            Err(e) => Some(format!("the journal {} cannot be written ({e})", journal.path.display())),
        };
        (journal, trouble)
    }

    /// Opens the file again, after another process may have written to it.
    ///
    /// # Errors
    /// The system's.
    pub fn reopen(&mut self) -> io::Result<Option<String>> {
        (self.file, self.left) = (None, false);
        (self.n, self.last) = (0, String::new());
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        let mut trouble = None;
        let (end, torn) = tail(&mut file)?;
        if torn > 0 {
            // The power went while it was written: that change was never told as done.
            let whole = file.metadata()?.len() - torn;
            file.set_len(whole)?;
            trouble = Some(format!("the last line of {} was torn and is left out", self.path.display()));
        }
        if let Some(end) = end {
            let Ok(line) = serde_json::from_slice::<Line>(&end) else {
                drop(file);
                let aside = self.path.with_extension(format!("damaged-{}", sha256(&end).get(..8).unwrap_or_default()));
                fs::rename(&self.path, &aside)?;
                self.file = Some(OpenOptions::new().append(true).create(true).open(&self.path)?);
                return Ok(Some(format!("the journal was damaged; it is kept as {} and begun anew", aside.display())));
            };
            (self.n, self.last) = (line.n, line.hash);
        }
        self.file = Some(file);
        Ok(trouble)
    }

    /// Leaves the file to another process.
    pub fn close(&mut self) {
        (self.file, self.left) = (None, true);
    }

    /// Appends a line and waits until it is on disk.
    ///
    /// # Errors
    /// The system's; the line waits for [`Journal::catch_up`] then, unless as many wait already as may.
    pub fn append(&mut self, note: Note<'_>) -> io::Result<()> {
        if self.left {
            return Ok(());
        }
        let caught_up = self.catch_up();
        if self.unwritten.len() >= bounds::JOURNAL_UNWRITTEN {
            return caught_up;
        }
        self.unwritten.push_back(Line {
            n: 0,
            at: note.at,
            who: note.who.into(),
            what: cut(note.what),
            outcome: cut(note.outcome),
            kind: (!note.kind.is_empty()).then(|| note.kind.into()),
            until: note.until,
            text: note.text.map(|t| sha256(t.as_bytes())),
            about: note.about.cloned(),
            prev: String::new(),
            hash: String::new(),
        });
        caught_up.and_then(|()| self.catch_up())
    }

    /// Whether lines wait to be written.
    pub fn is_behind(&self) -> bool {
        !self.left && !self.unwritten.is_empty()
    }

    /// Writes the lines that wait.
    ///
    /// # Errors
    /// The system's; those that are left go on waiting.
    pub fn catch_up(&mut self) -> io::Result<()> {
        while let Some(line) = self.unwritten.front().filter(|_| !self.left) {
            let line = line.clone();
            self.write(line)?;
            self.unwritten.pop_front();
        }
        Ok(())
    }

    fn write(&mut self, open: Line) -> io::Result<()> {
        if self.file.is_none() {
            self.reopen()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut line = Line { n: self.n + 1, prev: self.last.clone(), ..open };
        line.hash = line.right_hash();
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        let before = file.metadata()?.len();
        if let Err(e) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            // Half a line, or one that may be lost, must not have the next one after it.
            let _ = file.set_len(before);
            return Err(e);
        }
        (self.n, self.last) = (line.n, line.hash);
        Ok(())
    }
}

/// A line stays far below [`bounds::JOURNAL_LINE_BYTES`], whatever is told in it.
fn cut(text: &str) -> String {
    text.chars().take(2000).collect()
}

impl Journal {
    /// How many lines there are, and the hash of the last one: kept elsewhere too, they show whether the end was cut off.
    pub fn end(&self) -> (u64, &str) {
        (self.n, &self.last)
    }
}

pub fn file_in(folder: &Path) -> PathBuf {
    folder.join("journal.jsonl")
}

/// The last whole line, and how many bytes of a torn one come after it.
fn tail(file: &mut File) -> io::Result<(Option<Vec<u8>>, u64)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(bounds::JOURNAL_LINE_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(bounds::JOURNAL_LINE_BYTES).read_to_end(&mut end)?;
    let whole = end.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let torn = (end.len() - whole) as u64;
    let line = end[..whole].strip_suffix(b"\n").and_then(|l| l.rsplit(|b| *b == b'\n').next());
    Ok((line.map(<[u8]>::to_vec), torn))
}

/// The lines from then to then, at most so many, and how many more there are; what is no line is left out.
///
/// # Errors
/// The system's.
pub fn read(path: &Path, (from, to): (u64, u64), most: usize) -> io::Result<(Vec<Line>, usize)> {
    let (mut found, mut more) = (Vec::new(), 0);
    let lines = BufReader::new(File::open(path)?).lines().map_while(Result::ok);
    let wanted = |line: &Line| (from..=to).contains(&line.at);
    for line in lines.filter_map(|text| serde_json::from_str::<Line>(&text).ok()).filter(wanted) {
        match found.len() < most {
            true => found.push(line),
            false => more += 1,
        }
    }
    Ok((found, more))
}

/// Checks a whole journal; how many lines it has.
///
/// # Errors
/// The first line that does not fit, and why.
pub fn verify(path: &Path) -> Result<u64, String> {
    let file = File::open(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    let (mut n, mut last) = (0, String::new());
    for (text, number) in BufReader::new(file).lines().zip(1u64..) {
        let wrong = |why: &str| Err(format!("{}:{number}: {why}", path.display()));
        let text = text.map_err(|e| format!("{}:{number}: {e}", path.display()))?;
        let Ok(line) = serde_json::from_str::<Line>(&text) else { return wrong("this is no line of a journal") };
        if line.n != n + 1 {
            return wrong("a line is missing before this one, or there is one too many");
        }
        if line.prev != last {
            return wrong("this line does not follow the one before: one of them was changed");
        }
        if line.right_hash() != line.hash {
            return wrong("this line was changed after it was written");
        }
        (n, last) = (line.n, line.hash);
    }
    Ok(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("boma-journal-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn note<'a>(at: u64, who: &'a str, what: &'a str) -> Note<'a> {
        Note { at, who, what, outcome: "applied", ..Note::default() }
    }

    fn filled(folder: &Folder) -> Vec<String> {
        let (mut journal, trouble) = Journal::open(&folder.0);
        assert_eq!(trouble, None);
        for i in 0..3 {
            let about = serde_json::json!({ "owner": "soc", "forecast": { "stricter": i, "clients": 2 } });
            let (text, about) = (Some("text"), (i == 2).then_some(&about));
            journal.append(Note { text, about, ..note(i, "staff soc", "rules") }).unwrap();
        }
        drop(journal);
        let (mut journal, _) = Journal::open(&folder.0);
        journal.append(Note { kind: "posture", until: Some(9), ..note(3, "clock", "posture expiry") }).unwrap();
        fs::read_to_string(file_in(&folder.0)).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn whatever_is_changed_afterwards_shows() {
        let folder = Folder::new("changed");
        let lines = filled(&folder);
        let path = file_in(&folder.0);
        assert_eq!(verify(&path), Ok(4));
        let (some, more) = read(&path, (1, 3), 2).unwrap();
        assert_eq!((some.iter().map(|l| l.n).collect::<Vec<_>>(), more), (vec![2, 3], 1));
        // A line of an earlier version, which says no kind, keeps its hash.
        assert!(!lines[0].contains("kind") && lines[3].contains("\"kind\":\"posture\",\"until\":9"), "{lines:?}");
        let check = |lines: Vec<String>| {
            fs::write(&path, lines.join("\n") + "\n").unwrap();
            verify(&path).unwrap_err()
        };
        let mut reworded = lines.clone();
        reworded[1] = reworded[1].replace("staff soc", "staff you");
        assert!(check(reworded).contains(":2: this line was changed"));
        let mut foretold = lines.clone();
        foretold[2] = foretold[2].replace("\"stricter\":2", "\"stricter\":1");
        assert!(foretold[2] != lines[2] && check(foretold).contains(":3: this line was changed"));
        let mut without = lines.clone();
        without.remove(1);
        assert!(check(without).contains(":2: a line is missing"));
        let mut again = lines.clone();
        let other: Line = serde_json::from_str(&lines[1]).unwrap();
        let mut forged = Line { who: "staff you".into(), ..other };
        forged.hash = forged.right_hash();
        again[1] = serde_json::to_string(&forged).unwrap();
        assert!(check(again).contains(":3: this line does not follow"), "a line with a right hash of its own");
        assert!(check(vec!["{}".into()]).contains(":1: this is no line"));
    }

    #[test]
    fn a_torn_line_is_left_out_and_the_chain_goes_on() {
        let folder = Folder::new("torn");
        let path = file_in(&folder.0);
        let lines = filled(&folder);
        fs::write(&path, lines.join("\n") + "\n{\"n\":5,\"at\":7,\"wh").unwrap();
        let (mut journal, trouble) = Journal::open(&folder.0);
        assert!(trouble.is_some_and(|t| t.contains("torn")));
        journal.append(note(9, "clock", "x")).unwrap();
        assert_eq!(verify(&path), Ok(5));
        fs::write(&path, "nonsense\n").unwrap();
        let (mut journal, trouble) = Journal::open(&folder.0);
        assert!(trouble.is_some_and(|t| t.contains("damaged")));
        journal.append(note(9, "clock", "x")).unwrap();
        assert_eq!(verify(&path), Ok(1));
    }
}
