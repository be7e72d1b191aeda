//! A real site of hundreds of pages, its origin gone: byte for byte, and as a browser sees it.

use std::path::Path;

use crate::harness::{Boma, Nginx, SITE, Setup, get, request};
use crate::snapshot::{TIMES, WIDE, a_copy, copies, whole_round};

#[test]
fn a_real_site_is_there_with_its_origin_gone() {
    let nginx = Nginx::serve(Path::new(SITE));
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], nginx.port));
    let portal = format!(
        "{TIMES}snapshot = {{ start = [{}], every = \"1h\", pages = 400 }}\n",
        LOOKED_AT.map(|path| format!("\"{path}\"")).join(", ")
    );
    let boma = Setup::new().portal(&portal).rules(WIDE).start(at);
    whole_round(&boma);
    let paths = copies(&boma);
    let plain: Vec<Vec<u8>> = paths.iter().map(|p| get(at, p).body).collect();
    let alive = photographs(&boma, "alive");
    drop(nginx);
    let (mut pages, mut parts) = (0, 0);
    for (path, was) in paths.iter().zip(&plain) {
        if path.ends_with(".html") {
            let text = a_copy(&boma, path).text();
            let banner = text.find("<style>#boma-banner").unwrap();
            let ends = banner + text[banner..].find("</div>").unwrap() + "</div>".len();
            let rest = [&text.as_bytes()[..banner], &text.as_bytes()[ends..]].concat();
            assert!(rest == *was, "{path}: the same but for the banner");
            pages += 1;
        } else {
            let part = request(boma.at(), "GET", path, "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n", "");
            assert!(part.status == 200 && part.body == *was, "{path}");
            parts += 1;
        }
    }
    println!("{pages} pages and {parts} parts are there, {} bytes", plain.iter().map(Vec::len).sum::<usize>());
    assert!(pages >= 390 && parts >= 2, "{pages} pages, {parts} parts");
    assert!(paths.iter().any(|p| p.ends_with(".css")) && paths.iter().any(|p| p.ends_with(".svg")), "{paths:?}");
    let gone = photographs(&boma, "gone");
    assert_eq!((alive.0["banners"].as_u64(), gone.0["banners"].as_u64()), (Some(0), Some(LOOKED_AT.len() as u64)));
    assert_eq!(gone.0["loaded"], alive.0["loaded"], "what the pages load: {gone:?}");
    for (n, path) in LOOKED_AT.iter().enumerate() {
        assert!(gone.1[n] == alive.1[n], "{path} looks as before: target/tmp/copies-*/{n}.png");
    }
}

/// Of the real site's pages some that differ most: a list, figures, tables, listings, long prose.
const LOOKED_AT: [&str; 5] = [
    "/index.html",
    "/storage-page-layout.html",
    "/gin-implementation.html",
    "/datatype-numeric.html",
    "/sql-select.html",
];

/// What a browser sees of them, the banner taken away: a tally of what was loaded, and pictures.
fn photographs(boma: &Boma, name: &str) -> (serde_json::Value, Vec<Vec<u8>>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("copies-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    let urls = LOOKED_AT.map(|path| format!("http://huduma.example:{}{path}", boma.at().port()));
    let todo = serde_json::json!({ "host": "huduma.example", "urls": urls, "folder": folder.to_str().unwrap() });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/copies.mjs");
    let done = std::process::Command::new("node").arg(script).arg(todo.to_string()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let pictures = (0..urls.len()).map(|n| std::fs::read(folder.join(format!("{n}.png"))).unwrap()).collect();
    (serde_json::from_slice(&done.stdout).unwrap(), pictures)
}
