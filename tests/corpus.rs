//! Every kept input of every fuzz target, run as a test.

use std::fs;
use std::path::{Path, PathBuf};

use boma::fuzzing;

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = read.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn target(name: &str) -> fn(&[u8]) {
    match name {
        "access_log" => fuzzing::access_log,
        "banner" => fuzzing::banner,
        "cache_fields" => fuzzing::cache_fields,
        "client_hello" => fuzzing::client_hello,
        "fields" => fuzzing::fields,
        "frames" => fuzzing::frames,
        "http1_request" => fuzzing::http1_request,
        "http1_response" => fuzzing::http1_response,
        "proxy_header" => fuzzing::proxy_header,
        "forwarded" => fuzzing::forwarded,
        "language_text" => fuzzing::language_text,
        "pass" => fuzzing::pass,
        "path" => fuzzing::path,
        "sealed_form" => fuzzing::sealed_form,
        "rules_text" => fuzzing::rules_text,
        "snapshot_page" => fuzzing::snapshot_page,
        "settings_text" => fuzzing::settings_text,
        _ => panic!("fuzz/corpus/{name} belongs to no target"),
    }
}

#[test]
fn every_kept_input_keeps_its_properties() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let (mut names, mut inputs) = (Vec::new(), 0);
    for folder in entries(&fuzz.join("corpus")) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let run = target(&name);
        let files = entries(&folder);
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            // Shown only where the test fails: the last line names the culprit.
            println!("{}", file.display());
            run(&fs::read(&file).unwrap());
            inputs += 1;
        }
        names.push(name);
    }
    let stem = |p: &PathBuf| p.file_stem().unwrap().to_str().unwrap().to_owned();
    let targets: Vec<String> = entries(&fuzz.join("fuzz_targets")).iter().map(stem).collect();
    assert_eq!(names, targets, "targets with inputs, and all targets");
    assert!(inputs >= 40, "{inputs} inputs");
}
