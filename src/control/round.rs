//! One round of the crawl through a portal's pages.
//!
//! Does not know: when a round is due.

mod moved;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Office;
use super::album::{Album, Kept, no_room};
use crate::bounds;
use crate::origin::{Fetched, Origins};
use crate::path;
use crate::plan::Reach;
use crate::portal::Portal;
use crate::snapshot::{Asked, How, Judged, Lead, Refused, Robots, Sessions, Site, judge, sitemap, wants_https};
use crate::telemetry::metrics::OutcomeLabel;

/// What no citizen needs on a bad day, and no origin should be asked for by the way.
const LARGE: [&str; 16] =
    ["zip", "gz", "tgz", "tar", "rar", "7z", "exe", "msi", "dmg", "iso", "apk", "mp3", "mp4", "avi", "mov", "webm"];

struct Want {
    address: String,
    how: How,
    /// How many links away from what is declared.
    depth: u8,
    /// How many redirects.
    hops: u8,
}

impl Want {
    fn declared(address: String) -> Want {
        Want { address, how: How::Declared, depth: 0, hops: 0 }
    }
}

/// One way through a portal's pages.
pub struct Round {
    office: Arc<Office>,
    origins: Rc<Origins>,
    portal: Arc<Portal>,
    stop: Arc<AtomicBool>,
    site: Arc<Site>,
    sessions: Arc<Sessions>,
    robots: Robots,
    /// By which pages are asked for.
    scheme: &'static str,
    /// What pages need comes before more pages, so that those that are there are whole.
    parts: VecDeque<Want>,
    pages: VecDeque<Want>,
    known: HashSet<String>,
    /// Declared pages that are redirects, and where they lead.
    moved: BTreeMap<String, String>,
    wanted: (usize, usize),
    /// In a row.
    failures: u32,
    broke_off: Option<String>,
    without_room: usize,
    /// The settings name other pages than in the round before.
    changed: bool,
}

/// What became of one answer, from the thread that looked at it.
struct Done {
    outcome: Result<Kept, Refused>,
    moved: Option<String>,
    leads: Vec<Lead>,
}

impl Round {
    pub fn new(
        office: Arc<Office>,
        origins: Rc<Origins>,
        portal: Arc<Portal>,
        stop: Arc<AtomicBool>,
        changed: bool,
    ) -> Round {
        Round {
            office,
            origins,
            site: Arc::new(Site::of(&portal)),
            sessions: Arc::new(Sessions::new(&portal.session_cookies)),
            scheme: portal.scheme,
            portal,
            stop,
            robots: Robots::default(),
            parts: VecDeque::new(),
            pages: VecDeque::new(),
            known: HashSet::new(),
            moved: BTreeMap::new(),
            wanted: (0, 0),
            failures: 0,
            broke_off: None,
            without_room: 0,
            changed,
        }
    }

    /// Whether it came to its end; `only` these addresses and what they need.
    pub async fn run(mut self, only: Option<Vec<String>>) -> bool {
        let whole = only.is_none();
        self.album(|a| {
            let (ended, unexpected, wanted) = (a.ended, std::mem::take(&mut a.unexpected), a.wanted.take());
            *a = Album { portal: a.portal.clone(), state: "taking", ended, unexpected, wanted, ..Album::default() };
        });
        let declared = only.unwrap_or_else(|| self.portal.declared());
        declared.into_iter().for_each(|address| self.want(Want::declared(address)));
        if whole && self.goes_on().await {
            self.ask_robots().await;
            self.read_sitemaps().await;
        }
        let depth = if whole { self.portal.snapshot.depth } else { 0 };
        while let Some(want) = self.parts.pop_front().or_else(|| self.pages.pop_front()) {
            if !self.goes_on().await {
                break;
            }
            self.one(want, depth).await;
        }
        self.keep_moved().await;
        let came_through = self.broke_off.is_none() && !self.stop.load(Ordering::Relaxed);
        if came_through && whole {
            self.forget();
        }
        let (now, broke_off) = (self.office.house.now().unix(), self.broke_off.take());
        self.album(|a| {
            a.state = "waiting";
            a.broke_off = broke_off;
            a.ended = if came_through && whole { Some(now) } else { a.ended };
        });
        self.say_room();
        came_through
    }

    fn album<T>(&self, change: impl FnOnce(&mut Album) -> T) -> T {
        let mut albums = self.office.albums();
        let album = albums.entry(self.portal.name.clone()).or_default();
        album.portal.clone_from(&self.portal.name);
        change(album)
    }

    /// Waits while the origin must be spared; `false` where the round is over.
    async fn goes_on(&mut self) -> bool {
        loop {
            if self.stop.load(Ordering::Relaxed) || self.broke_off.is_some() {
                return false;
            }
            let town = self.office.house.town.load_full();
            let Some(at) = town.portals.list.iter().position(|p| **p == *self.portal) else {
                self.broke_off = Some("the settings changed".into());
                return false;
            };
            let spared = !self.office.may_crawl(&self.portal);
            if !spared && !town.gates[at].is_pressed() {
                self.album(|a| a.state = "taking");
                return true;
            }
            self.album(|a| a.state = "paused");
            tokio::time::sleep(bounds::CRAWL_BEAT).await;
        }
    }

    async fn fetch(&mut self, address: &str) -> Option<Fetched> {
        let (office, town) = (self.office.clone(), self.office.house.town.load_full());
        let at = town.portals.list.iter().position(|p| p.name == self.portal.name)?;
        let began = office.house.now();
        let fetch =
            |scheme| self.origins.fetch(&self.portal, town.outbound(at), (address, scheme), bounds::SNAPSHOT_BYTES);
        let mut fetched = fetch(self.scheme).await;
        let wants = |f: &Fetched| wants_https(f.status, &f.fields, address, &self.site);
        if self.scheme == "http" && fetched.as_ref().is_ok_and(wants) {
            fetched = fetch("https").await;
            self.scheme = "https";
        }
        let took = Duration::from_nanos(office.house.now().since(began));
        let pause = (took * bounds::CRAWL_PAUSES).clamp(bounds::CRAWL_PAUSE, bounds::CRAWL_PAUSE_MOST);
        tokio::time::sleep(pause.max(self.robots.delay.unwrap_or_default())).await;
        match fetched {
            Ok(fetched) => Some(fetched),
            Err(fault) => {
                self.failed(address, format!("the origin could not be asked ({fault:?})")).await;
                None
            }
        }
    }

    async fn failed(&mut self, address: &str, why: String) {
        self.failures += 1;
        tracing::warn!(portal = self.portal.name, address, why, "no snapshot was taken; the old copy stays");
        self.count("failed");
        self.album(|a| {
            a.failed += 1;
            a.refuse(address, why.clone());
        });
        if self.failures >= bounds::CRAWL_FAILURES {
            self.broke_off = Some(format!("the origin failed {} times in a row, at last: {why}", self.failures));
            return;
        }
        let pause = bounds::CRAWL_BACKOFF * 2u32.pow(self.failures - 1);
        tokio::time::sleep(pause.min(bounds::CRAWL_BACKOFF_MOST)).await;
    }

    fn count(&self, outcome: &'static str) {
        self.office.house.metrics.snapshot_fetches.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    async fn one(&mut self, want: Want, depth: u8) {
        let Some(fetched) = self.fetch(&want.address).await else { return };
        self.album(|a| if want.how == How::Part { a.parts += 1 } else { a.pages += 1 });
        let (office, portal) = (self.office.clone(), self.portal.clone());
        let (site, sessions) = (self.site.clone(), self.sessions.clone());
        let (address, how) = (want.address.clone(), want.how);
        // Packing a large page takes a tenth of a second, and this thread has other work.
        let done =
            tokio::task::spawn_blocking(move || look(&office, &portal, (&site, &sessions), (&address, how), fetched));
        let Ok(Done { outcome, moved, leads }) = done.await else { return };
        self.tell(&want, outcome).await;
        if let Some(to) = moved {
            self.moved.insert(want.address.clone(), to.clone());
            // Who declares the way declares where it leads to.
            if want.hops < bounds::SNAPSHOT_HOPS {
                self.want(Want { address: to, how: want.how, depth: want.depth, hops: want.hops + 1 });
            }
        }
        for lead in leads {
            self.follow(&want, lead, depth);
        }
    }

    async fn tell(&mut self, want: &Want, outcome: Result<Kept, Refused>) {
        let moved = |status: u16| (301..=308).contains(&status) && status != 304;
        match outcome {
            Ok(kept) => {
                self.failures = 0;
                self.count(if kept == Kept::Unchanged { "unchanged" } else { "kept" });
                self.without_room += usize::from(kept == Kept::NoRoom);
            }
            Err(refused) if refused.is_failure() => self.failed(&want.address, refused.to_string()).await,
            Err(Refused::Status(status)) if moved(status) => self.failures = 0,
            Err(refused) => {
                self.failures = 0;
                self.count(refused.name());
                let (portal, address, why) = (&self.portal.name, &want.address, refused.to_string());
                if want.how == How::Declared {
                    tracing::warn!(portal, address, why, "no snapshot was taken; the old copy stays");
                } else {
                    tracing::debug!(portal, address, why, "no snapshot was taken");
                }
                self.album(|a| a.refuse(address, why.clone()));
            }
        }
    }

    /// Follows where an answer leads, within bounds.
    fn follow(&mut self, from: &Want, lead: Lead, depth: u8) {
        if lead.part || from.how == How::Part {
            return self.want(Want { address: lead.address, how: How::Part, depth: from.depth, hops: 0 });
        }
        let file = lead.address.rsplit('/').next().unwrap_or("");
        let large = file.rsplit_once('.').is_some_and(|(_, e)| LARGE.contains(&e.to_ascii_lowercase().as_str()));
        // Pages that differ by their query are without number.
        let taken = from.depth < depth && !lead.address.contains('?') && !large && self.robots.allow(&lead.address);
        if taken {
            self.want(Want { address: lead.address, how: How::Found, depth: from.depth + 1, hops: 0 });
        }
    }

    fn want(&mut self, want: Want) {
        let (address, how) = (&want.address, want.how);
        let path = address.split('?').next().unwrap_or(address);
        let off = !self.portal.routes.find(&path::for_matching(path)).1.fallback.has_copies();
        let own = path.starts_with("/.well-known/boma/");
        if off || own || self.known.len() >= bounds::SNAPSHOT_KNOWN || self.known.contains(address) {
            return;
        }
        let part = how == How::Part;
        let (count, most) = match part {
            true => (&mut self.wanted.1, bounds::SNAPSHOT_PARTS),
            false => (&mut self.wanted.0, self.portal.snapshot.pages),
        };
        if *count >= most {
            return;
        }
        *count += 1;
        self.known.insert(address.clone());
        let queue = if part { &mut self.parts } else { &mut self.pages };
        queue.push_back(want);
    }

    /// What the portal asks of robots. Where there is none to be had, it asks nothing.
    async fn ask_robots(&mut self) {
        const ROBOTS: &str = "/robots.txt";
        let Some(fetched) = self.fetch(ROBOTS).await else { return };
        self.failures = 0;
        let plain = fetched.fields.first("content-type").is_some_and(|t| t.starts_with(b"text/plain"));
        if fetched.status == 200 && plain && !fetched.too_large {
            self.robots = Robots::read(&fetched.body);
            // Robots ask for it on bad days too, and take a 503 for a portal that is gone.
            self.want(Want { how: How::Part, ..Want::declared(ROBOTS.to_owned()) });
        }
    }

    async fn read_sitemaps(&mut self) {
        let Some(first) = self.portal.snapshot.sitemap.clone() else { return };
        let mut maps = VecDeque::from([(first.clone(), 0)]);
        let mut read = HashSet::new();
        while let Some((address, depth)) = maps.pop_front() {
            if read.len() >= bounds::SITEMAPS || !read.insert(address.clone()) || !self.goes_on().await {
                continue;
            }
            let Some(fetched) = self.fetch(&address).await else { continue };
            let map = match fetched.status {
                200 if !fetched.too_large => sitemap::read(&fetched.body),
                _ => None,
            };
            let Some(map) = map else {
                let why = format!("it is no sitemap (status {})", fetched.status);
                tracing::warn!(portal = self.portal.name, address, why, "a sitemap cannot be read");
                self.album(|a| a.refuse(&address, why));
                continue;
            };
            self.failures = 0;
            let site = self.site.clone();
            let within = |named: &String| site.resolve(&address, named);
            if depth < bounds::SITEMAP_DEPTH {
                maps.extend(map.further.iter().filter_map(within).map(|further| (further, depth + 1)));
            }
            map.pages.iter().filter_map(within).for_each(|page| self.want(Want::declared(page)));
        }
    }

    /// After a round that came by everything: copies that it did not come by are of pages that are gone. At once where the settings
    /// changed; otherwise not before they are old, because a link may be missing for a day by mistake.
    fn forget(&self) {
        let (now, old) = (self.office.house.now().unix(), bounds::SNAPSHOT_FORGOTTEN.as_secs());
        let fresh = |checked: u64| !self.changed && now.saturating_sub(checked) < old;
        self.office.take_off(|portal, address, page| {
            portal != self.portal.name || self.known.contains(address) || fresh(page.checked())
        });
    }

    fn say_room(&self) {
        let begins = format!("snapshots of portal {}: fewer must be wanted", self.portal.name);
        self.office.house.untrouble(|t| t.contains(&begins));
        if self.without_room > 0 {
            self.office.house.trouble(no_room(&self.portal.name, self.without_room));
        }
    }
}

/// Looks at an answer, and keeps it where it is good.
fn look(
    office: &Office,
    portal: &Portal,
    (site, sessions): (&Site, &Sessions),
    (address, how): (&str, How),
    fetched: Fetched,
) -> Done {
    if fetched.too_large {
        return Done { outcome: Err(Refused::TooLarge), moved: None, leads: Vec::new() };
    }
    let path = address.split('?').next().unwrap_or(address);
    let route = portal.routes.find(&path::for_matching(path)).1;
    let plan = &portal.snapshot;
    let expect = route.expect.as_deref().or(plan.expect.as_deref());
    let now = office.house.now().unix();
    let asked = Asked { address, how, site, sessions, expect, least: plan.min_size, now };
    let Judged { copy, moved, leads } = judge(fetched.status, &fetched.fields, &fetched.body, &asked);
    let outcome = copy.map(|copy| office.keep_copy(&portal.name, &address.into(), copy, how == How::Part));
    match outcome {
        Ok(_) => office.expected(&portal.name, address, true),
        Err(Refused::Unexpected | Refused::TooSmall) if how != How::Part => {
            office.expected(&portal.name, address, false);
        }
        Err(_) => {}
    }
    Done { outcome, moved, leads }
}

impl Office {
    /// Whether boma may ask a portal's pages for itself, as the posture has it.
    pub(super) fn may_crawl(&self, portal: &Portal) -> bool {
        let law = self.house.law.load();
        let level = self.house.standing.load().level(&portal.name, self.house.now().unix());
        let effects = &law.ladder.levels[level as usize];
        effects.reach == Reach::All && !effects.pause_snapshots && !self.house.is_draining() && !self.has_handed_over()
    }
}
