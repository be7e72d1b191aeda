//! Pages for bad days. [`judge`] says whether a page that boma fetched may be kept, [`Board`] holds the good ones
//! ready to serve.
//!
//! A snapshot is fetched without cookies, so it holds nobody's session; what an answer sets for its own visitor is
//! left out, and a page that repeats such a value is refused.
//!
//! Does not know: how a page is fetched, where rows are kept, how the banner looks.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::wire::{Fields, repeats_cookie};

/// A page as the origin gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub about: About,
    pub body: Bytes,
}

/// All that is kept of an answer's head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Seconds since the Unix epoch.
    pub taken: u64,
    pub content_type: String,
    /// Language, policy and disposition fields, as they came.
    pub fields: Vec<(String, String)>,
}

impl About {
    pub fn is_html(&self) -> bool {
        let media = self.content_type.split(';').next().unwrap_or("").trim();
        media.eq_ignore_ascii_case("text/html") || media.eq_ignore_ascii_case("application/xhtml+xml")
    }
}

/// Why a page is not kept. The good copy that is there stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Status(u16),
    Empty,
    TooLarge,
    /// Compressed although identity was asked for: a banner could not be put into it.
    Encoded,
    /// The answer says that it is somebody's own.
    Private,
    /// The page repeats the value of a cookie that came with it: a session would be handed to everybody.
    RepeatsCookie,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Status(status) => write!(f, "the origin answered {status}"),
            Refused::Empty => f.write_str("the page is empty"),
            Refused::TooLarge => write!(f, "the page is larger than {} bytes", bounds::SNAPSHOT_BYTES),
            Refused::Encoded => f.write_str("the page came compressed although it was asked for plain"),
            Refused::Private => f.write_str("the answer says that it is private or not to be stored"),
            Refused::RepeatsCookie => f.write_str("the page repeats the value of its own cookie"),
        }
    }
}

/// Fields that are kept beside the body.
const KEPT: [&str; 6] = [
    "content-language",
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "content-disposition",
];

/// Judges a fetched page.
///
/// # Errors
/// [`Refused`], and whatever was kept before stays.
pub fn judge(status: u16, fields: &Fields, body: Bytes, now_unix: u64) -> Result<Snapshot, Refused> {
    if status != 200 {
        return Err(Refused::Status(status));
    }
    if body.is_empty() {
        return Err(Refused::Empty);
    }
    if body.len() > bounds::SNAPSHOT_BYTES {
        return Err(Refused::TooLarge);
    }
    let text = |name: &str| fields.first(name).and_then(|v| std::str::from_utf8(v).ok());
    if text("content-encoding").is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
        return Err(Refused::Encoded);
    }
    let private = |v: &[u8]| {
        let v = String::from_utf8_lossy(v).to_ascii_lowercase();
        v.split(',').any(|d| matches!(d.split('=').next().unwrap_or("").trim(), "private" | "no-store"))
    };
    if fields.all("cache-control").any(private) {
        return Err(Refused::Private);
    }
    if fields.all("set-cookie").any(|cookie| repeats_cookie(&body, cookie)) {
        return Err(Refused::RepeatsCookie);
    }
    let kept = |(name, value): &(std::borrow::Cow<'static, str>, Bytes)| {
        let value = std::str::from_utf8(value).ok()?;
        KEPT.contains(&name.as_ref()).then(|| (name.to_string(), value.to_owned()))
    };
    let about = About {
        taken: now_unix,
        content_type: text("content-type").unwrap_or("application/octet-stream").to_owned(),
        fields: fields.0.iter().filter_map(kept).collect(),
    };
    Ok(Snapshot { about, body })
}

/// Writes a snapshot as the store keeps it: a line of JSON, then the body.
pub fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let mut row = serde_json::to_vec(&snapshot.about).unwrap_or_default();
    row.push(b'\n');
    row.extend_from_slice(&snapshot.body);
    row
}

/// Reads what [`encode`] wrote; `None` where it is anything else.
pub fn decode(row: Vec<u8>) -> Option<Snapshot> {
    let line = row.iter().position(|b| *b == b'\n')?;
    let about = serde_json::from_slice(&row[..line]).ok()?;
    Some(Snapshot { about, body: Bytes::from(row).slice(line + 1..) })
}

/// The store's key of a page.
pub fn row_key(portal: &str, path: &str) -> String {
    format!("{portal}\n{path}")
}

pub fn parse_row_key(key: &str) -> Option<(&str, &str)> {
    key.split_once('\n')
}

/// A snapshot with its banner in it, ready to serve.
#[derive(Clone, Debug)]
pub struct Page {
    pub snapshot: Snapshot,
    pub served: Bytes,
    /// The page's own policy, widened by the banner's style.
    pub policy: Option<String>,
}

/// All snapshots, by portal and exact path.
#[derive(Default)]
pub struct Board {
    pages: ArcSwap<Pages>,
}

type Pages = HashMap<String, HashMap<String, Arc<Page>>>;

impl Board {
    pub fn find(&self, portal: &str, path: &str) -> Option<Arc<Page>> {
        self.pages.load().get(portal)?.get(path).cloned()
    }

    /// Puts pages of one portal up; `false` where the bounds leave no room for one of them.
    pub fn put(&self, portal: &str, pages: Vec<(String, Page)>) -> bool {
        let mut all = Pages::clone(&self.pages.load());
        let mut whole = true;
        for (path, page) in pages {
            let mine = all.entry(portal.to_owned()).or_default();
            let old = mine.get(&path).map_or(0, |p| weight(p));
            let room = mine.len() < bounds::SNAPSHOTS_PER_PORTAL || mine.contains_key(&path);
            let bytes: usize = all.values().flat_map(HashMap::values).map(|p| weight(p)).sum();
            if room && bytes - old + weight(&page) <= bounds::SNAPSHOTS_BYTES {
                all.entry(portal.to_owned()).or_default().insert(path, Arc::new(page));
            } else {
                whole = false;
            }
        }
        self.pages.store(Arc::new(all));
        whole
    }

    /// Takes down what `keep` (portal, path) does not want any more; gives what was taken down.
    pub fn retain(&self, keep: impl Fn(&str, &str) -> bool) -> Vec<(String, String)> {
        let mut all = Pages::clone(&self.pages.load());
        let mut gone = Vec::new();
        for (portal, pages) in &mut all {
            pages.retain(|path, _| {
                let keep = keep(portal, path);
                if !keep {
                    gone.push((portal.clone(), path.clone()));
                }
                keep
            });
        }
        if !gone.is_empty() {
            self.pages.store(Arc::new(all));
        }
        gone
    }

    /// Every page: portal, path, when it was taken, bytes.
    pub fn list(&self) -> Vec<(String, String, u64, usize)> {
        let pages = self.pages.load();
        let mut list: Vec<_> = pages
            .iter()
            .flat_map(|(portal, pages)| {
                pages
                    .iter()
                    .map(|(path, p)| (portal.clone(), path.clone(), p.snapshot.about.taken, p.snapshot.body.len()))
            })
            .collect();
        list.sort();
        list
    }

    /// All snapshots as they were taken, for dressing them anew.
    pub fn snapshots(&self) -> Vec<(String, String, Snapshot)> {
        let pages = self.pages.load();
        let mine = |(portal, pages): (&String, &HashMap<String, Arc<Page>>)| {
            pages.iter().map(|(path, p)| (portal.clone(), path.clone(), p.snapshot.clone())).collect::<Vec<_>>()
        };
        pages.iter().flat_map(mine).collect()
    }

    pub fn len(&self) -> usize {
        self.pages.load().values().map(HashMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn weight(page: &Page) -> usize {
    page.snapshot.body.len() + page.served.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> Fields {
        let mut fields = Fields::default();
        pairs.iter().for_each(|(n, v)| fields.push(*n, *v));
        fields
    }

    fn page(body: &'static str, pairs: &[(&'static str, &'static str)]) -> Result<Snapshot, Refused> {
        judge(200, &fields(pairs), Bytes::from_static(body.as_bytes()), 99)
    }

    #[test]
    fn only_a_good_page_that_is_nobodys_is_kept() {
        assert!(page("<p>x", &[("content-type", "text/html")]).is_ok());
        for status in [201, 204, 301, 404, 500, 503] {
            assert_eq!(judge(status, &Fields::default(), Bytes::from_static(b"x"), 1), Err(Refused::Status(status)));
        }
        assert_eq!(page("", &[]), Err(Refused::Empty));
        assert_eq!(page("x", &[("content-encoding", "gzip")]), Err(Refused::Encoded));
        assert_eq!(page("x", &[("cache-control", "max-age=0, Private")]), Err(Refused::Private));
        assert_eq!(page("x", &[("cache-control", "No-Store")]), Err(Refused::Private));
        assert!(page("x", &[("cache-control", "no-cache")]).is_ok());
        let own = [("set-cookie", "PHPSESSID=abcdef0123456789; path=/; HttpOnly")];
        assert_eq!(page("<a href=/x?s=abcdef0123456789>", &own), Err(Refused::RepeatsCookie));
        assert!(page("<a href=/x>", &own).is_ok());
        assert!(page("<html lang=sw>", &[("set-cookie", "lang=sw")]).is_ok());
    }

    #[test]
    fn no_cookie_is_kept_and_a_row_reads_back() {
        let taken =
            page("body\nmore", &[("content-type", "text/html"), ("content-language", "sw"), ("set-cookie", "a=b")])
                .unwrap();
        assert_eq!(taken.about.fields, [("content-language".to_owned(), "sw".to_owned())]);
        assert_eq!(decode(encode(&taken)), Some(taken));
        assert_eq!(decode(b"no row".to_vec()), None);
        assert_eq!(decode(b"{}\nx".to_vec()), None);
    }

    #[test]
    fn the_board_is_bounded_and_forgets_what_is_not_wanted() {
        let board = Board::default();
        let big = Bytes::from(vec![b'x'; bounds::SNAPSHOT_BYTES]);
        let snapshot = judge(200, &Fields::default(), big.clone(), 5).unwrap();
        let page = |s: &Snapshot| Page { snapshot: s.clone(), served: big.clone(), policy: None };
        let fits = bounds::SNAPSHOTS_BYTES / (2 * bounds::SNAPSHOT_BYTES);
        for i in 0..fits {
            assert!(board.put("p", vec![(format!("/{i}"), page(&snapshot))]), "{i} of {fits}");
        }
        assert!(!board.put("p", vec![("/more".into(), page(&snapshot))]));
        assert!(board.put("p", vec![("/0".into(), page(&snapshot))]), "a newer copy takes the old one's room");
        assert!(
            board.find("p", "/0").is_some() && board.find("p", "/more").is_none() && board.find("q", "/0").is_none()
        );
        board.retain(|_, path| path == "/1");
        assert_eq!(board.len(), 1);
    }
}
