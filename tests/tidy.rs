//! The house's rules as tests: floors, sizes, words, and who may mint a proof. It reads text, so it can be fooled on
//! purpose, never by accident.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, lowest first. Imports go down only; rooms on one floor do not import each other, but for the shared
/// vocabulary of floors 0 and 1, which is one language.
const FLOORS: [&[&str]; 8] = [
    &["bounds", "clock"],
    &[
        "apart", "bot", "client", "facts", "fault", "gzip", "held", "http1", "http2", "incident", "known", "markup",
        "path", "pen", "plan", "portal", "proofs", "quick", "reason", "said", "seal", "strain", "units", "uptime",
        "wire", "words",
    ],
    &[
        "admit",
        "ban",
        "bots",
        "cache",
        "certificate",
        "challenge",
        "habit",
        "journal",
        "limit",
        "origin",
        "pages",
        "places",
        "posture",
        "report",
        "rules",
        "settings",
        "settled",
        "snapshot",
        "staff",
        "store",
        "takeover",
        "telemetry",
        "waiting",
    ],
    &["force"],
    &["control", "serve"],
    &["admin", "edge"],
    &["app", "fuzzing"],
    &["cli"],
];
const LINES: usize = 400;
const FUNCTION_LINES: usize = 70;
/// The only places that may say that a guard was passed.
const MINTERS: [(&str, &str); 2] = [("Cleared::assertion", "challenge"), ("Admitted::assertion", "admit")];

struct File {
    path: PathBuf,
    room: String,
    /// Without tests and without comments, line by line, numbered from 1.
    code: Vec<(usize, String)>,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<File> {
    fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, all);
            } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_some_and(|n| n != "tests.rs") {
                all.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    paths.sort();
    assert!(paths.len() > 50, "{} files", paths.len());
    let file = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let first = path.strip_prefix(&src).unwrap().components().next().unwrap();
        let room = Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned();
        let before_tests = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        let plain = |line: &str| line.split("//").next().unwrap().to_owned();
        let code = before_tests
            .lines()
            .enumerate()
            .map(|(i, l)| (i + 1, if l.trim_start().starts_with("//") { String::new() } else { plain(l) }))
            .collect();
        File { path, room, code, text }
    };
    paths.into_iter().map(file).collect()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Fails with every finding at once.
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn imports_go_down_only() {
    let mut findings = Vec::new();
    for file in files().iter().filter(|f| !matches!(f.room.as_str(), "lib" | "main")) {
        let Some(own) = floor(&file.room) else {
            findings.push(format!("{} stands on no floor", file.path.display()));
            continue;
        };
        let text: String = file.code.iter().map(|(_, l)| format!("{l}\n")).collect();
        for named in imports(&text) {
            let Some(other) = floor(&named) else { continue };
            let inside = named == file.room || (own <= 1 && other <= own);
            if !inside && other >= own {
                findings.push(format!("{}: floor {own} imports {named} of floor {other}", file.path.display()));
            }
        }
    }
    none(findings);
}

/// First names after `crate::`, those in braces too.
fn imports(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let parts: Vec<&str> = match rest.strip_prefix('{') {
            Some(inside) => inside.split('}').next().unwrap().split(',').collect(),
            None => vec![rest],
        };
        let name =
            |p: &str| p.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
        all.extend(parts.into_iter().map(name).filter(|n| !n.is_empty()));
    }
    all
}

#[test]
fn files_and_functions_stay_readable() {
    let mut findings = Vec::new();
    for file in files() {
        if file.code.len() > LINES {
            findings.push(format!(
                "{} has {} lines before its tests, more than {LINES}",
                file.path.display(),
                file.code.len()
            ));
        }
        let mut began: Option<(usize, usize, String)> = None;
        for (number, line) in &file.code {
            let indent = line.len() - line.trim_start().len();
            let starts = line
                .trim_start()
                .trim_start_matches("pub ")
                .trim_start_matches("pub(super) ")
                .trim_start_matches("const ")
                .trim_start_matches("async ");
            if starts.starts_with("fn ") && began.is_none() && !line.trim_end().ends_with(';') {
                began = Some((*number, indent, starts.split('(').next().unwrap().to_owned()));
            }
            if let Some((first, depth, name)) = &began
                && indent == *depth
                && (line.trim() == "}" || (number == first && line.trim_end().ends_with('}')))
            {
                if number - first + 1 > FUNCTION_LINES {
                    findings.push(format!("{}:{first}: {name} has {} lines", file.path.display(), number - first + 1));
                }
                began = None;
            }
        }
    }
    none(findings);
}

#[test]
fn every_file_says_what_it_is_and_every_room_what_it_does_not_know() {
    let mut findings = Vec::new();
    for file in files() {
        if !file.text.starts_with("//! ") {
            findings.push(format!("{} does not open with //!", file.path.display()));
        }
        let door = file.path.ends_with("mod.rs") || file.path.parent() == Some(&root().join("src"));
        if door && !matches!(file.room.as_str(), "lib" | "main") && !file.text.contains("//! Does not know:") {
            findings.push(format!("{} does not say what it does not know", file.path.display()));
        }
    }
    none(findings);
}

#[test]
fn words_that_belong_to_one_place_stay_there() {
    let mut findings = Vec::new();
    let bans: [(&str, &[&str], &str); 10] = [
        ("Instant::now", &["clock"], "time is handed in"),
        ("SystemTime::now", &["clock"], "time is handed in"),
        ("std::env::", &["cli", "main"], "the environment is read at the door"),
        (".unwrap()", &[], "what comes from outside is never unwrapped"),
        (".expect(", &[], "what comes from outside is never expected"),
        ("panic!(", &[], "nothing from outside ends the process"),
        ("todo!(", &[], "nothing half done lands"),
        ("unimplemented!(", &[], "nothing half done lands"),
        ("hyper::", &["admin", "fuzzing"], "HTTP's speakers stay behind the seam"),
        ("http::", &["edge", "http2", "origin", "admin", "fuzzing"], "HTTP's types stay behind the seam"),
    ];
    for file in files().iter().filter(|f| f.room != "fuzzing") {
        for (number, line) in &file.code {
            for (word, rooms, why) in &bans {
                let found = line.match_indices(word).any(|(at, _)| {
                    *word != "http::" || !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                if found && !rooms.contains(&file.room.as_str()) {
                    findings.push(format!("{}:{number}: {word} ({why})", file.path.display()));
                }
            }
            for (mint, room) in MINTERS {
                if line.contains(mint) && file.room != room {
                    findings.push(format!("{}:{number}: {mint} outside of {room}", file.path.display()));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut missing = Vec::new();
    let mut rooms: BTreeMap<String, ()> = BTreeMap::new();
    files().into_iter().filter(|f| !matches!(f.room.as_str(), "lib" | "main")).for_each(|f| {
        rooms.insert(f.room, ());
    });
    for room in rooms.keys() {
        if !map.contains(&format!("`{room}")) {
            missing.push(format!("ARCHITECTURE.md does not name {room}"));
        }
    }
    none(missing);
}
