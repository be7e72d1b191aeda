//! What citizens read. [`Shelf`] renders every page once per portal and language when the settings are loaded, and again
//! when what there is to tell changes; serving one is a copy of bytes with fixed-width holes filled.
//!
//! Each page is one response: style and script inside it under a strict policy, no fonts, no third party.
//!
//! Does not know: hyper, guards, why a page is shown.

mod banner;
pub mod news;
mod pack;
mod render;
mod sheets;
mod teller;
mod text;
mod uptime;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

pub use banner::{Banner, Copied, admit_banner};
pub use news::{Mood, News, Restraint, Shown};
pub use pack::{Packed, takes_gzip};
pub use render::heavy;
use render::{Of, Renderer};
pub use sheets::{Document, Sheet};
use teller::Teller;
use text::Voice;
pub use text::{Choice, choose};

use crate::incident::Texts;
use crate::incident::sms::Sms;
use crate::portal::Portal;
use crate::wire::Prepared;
use crate::words::{Words, same_language};

/// Characters of [`crate::wire::Hole::Reference`].
pub const REFERENCE_WIDTH: usize = 23;
/// Characters of [`crate::wire::Hole::Seal`].
pub const SEAL_WIDTH: usize = 96;
/// Characters of [`crate::wire::Hole::Wait`].
pub const WAIT_WIDTH: usize = 3;

/// Characters of [`crate::wire::Hole::Place`].
pub const PLACE_WIDTH: usize = 7;
/// Characters of [`crate::wire::Hole::From`] and [`crate::wire::Hole::To`].
pub const MINUTES_WIDTH: usize = 3;
/// What keeps from being shown what follows; the width of the holes for it.
pub const HIDDEN: &[u8] = b" hidden";

/// Characters of [`crate::wire::Hole::Code`].
pub const CODE_FIELD_WIDTH: usize = 38;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page {
    /// Solve, then load again.
    Challenge,
    /// A form rides along: solve, then send both.
    ChallengeForm,
    /// After an unsafe method that cannot ride: solve, then ask to send again. Never turned into a GET in silence.
    ChallengeResend,
    /// The same three as a button alone, for networks that are given many and solve none.
    Bare,
    BareForm,
    BareResend,
    /// A form that goes on when its citizen presses Send.
    AskForm,
    /// A form that was sent on already.
    SentForm,
    Statement,
    /// After an unsafe request whose fate is unknown.
    StatementUnsure,
    Busy,
    Limited,
    /// The same three with a form that was not sent on, and a button to send it again.
    StatementForm,
    BusyForm,
    LimitedForm,
    /// After an unsafe method that no exit's page could keep: it was not sent on, and its browser still has it.
    Left,
    /// A place in the line; with a form that was not sent on; after an unsafe method that cannot ride.
    Waiting,
    WaitingForm,
    WaitingResend,
    Denied,
    NotFound,
    BadRequest,
    TooLarge,
    WrongHost,
}

impl Page {
    pub const ALL: [Page; 24] = [
        Page::Challenge,
        Page::ChallengeForm,
        Page::ChallengeResend,
        Page::Bare,
        Page::BareForm,
        Page::BareResend,
        Page::AskForm,
        Page::SentForm,
        Page::Statement,
        Page::StatementUnsure,
        Page::Busy,
        Page::Limited,
        Page::StatementForm,
        Page::BusyForm,
        Page::LimitedForm,
        Page::Left,
        Page::Waiting,
        Page::WaitingForm,
        Page::WaitingResend,
        Page::Denied,
        Page::NotFound,
        Page::BadRequest,
        Page::TooLarge,
        Page::WrongHost,
    ];

    fn is_challenge(self) -> bool {
        matches!(self, Page::Challenge | Page::ChallengeForm | Page::ChallengeResend)
    }

    fn waits(self) -> bool {
        matches!(self, Page::Waiting | Page::WaitingForm | Page::WaitingResend)
    }

    /// The button alone in the place of a challenge.
    pub fn bare(self) -> Page {
        match self {
            Page::Challenge => Page::Bare,
            Page::ChallengeForm => Page::BareForm,
            Page::ChallengeResend => Page::BareResend,
            other => other,
        }
    }

    fn is_bare(self) -> bool {
        matches!(self, Page::Bare | Page::BareForm | Page::BareResend)
    }

    /// Whether it holds a form that goes on when somebody presses Send.
    pub fn sends(self) -> bool {
        matches!(self, Page::AskForm | Page::StatementForm | Page::BusyForm | Page::LimitedForm)
    }

    /// Whether it tells somebody to look whether what they sent went through.
    fn asks_to_check(self) -> bool {
        matches!(self, Page::StatementUnsure | Page::SentForm)
    }

    /// Whether another page may take its place and nothing is lost: no form lies in it, or in the browser behind it.
    fn may_be_left(self) -> bool {
        let behind = matches!(self, Page::ChallengeResend | Page::BareResend | Page::WaitingResend | Page::Left);
        !(behind || self.asks_to_check() || self.carries())
    }

    /// Whether a form rides along.
    pub fn carries(self) -> bool {
        matches!(self, Page::ChallengeForm | Page::BareForm | Page::WaitingForm) || self.sends()
    }
}

/// A page in one language, ready to serve.
#[derive(Clone, Debug, Default)]
pub struct Html {
    pub body: Prepared,
    /// The same as gzip, for whoever takes that.
    pub packed: Option<Packed>,
    pub language: String,
    /// The page's Content-Security-Policy.
    pub csp: String,
}

/// All pages of all portals.
pub struct Shelf {
    portals: Vec<Arc<Rack>>,
    plain: Arc<Vec<Html>>,
    plain_code: Arc<[Html; 2]>,
}

struct Rack {
    /// Another number for every other portal or news that pages tell.
    stamp: u64,
    portal: Arc<Portal>,
    news: News,
    /// By language.
    voices: Arc<Vec<Voice>>,
    /// By language, then by page.
    pages: Arc<Vec<Vec<Html>>>,
    small: Arc<Vec<Vec<Html>>>,
    /// By language: where an access code is written, at first and after a wrong one.
    codes: Arc<Vec<[Html; 2]>>,
    /// By language, then by sheet.
    sheets: Vec<Vec<Document>>,
}

/// Racks that were made.
static STAMPS: AtomicU64 = AtomicU64::new(1);

impl Rack {
    fn new(renderer: &Renderer, portal: &Arc<Portal>, voices: Arc<Vec<Voice>>, news: News, now_unix: u64) -> Rack {
        let of = Of { portal: portal.as_ref(), voices: &voices, news: &news };
        let page = |voice: &Voice| Page::ALL.iter().map(|p| renderer.page(Some(of), voice, *p)).collect();
        let pages: Vec<Vec<Html>> = voices.iter().map(page).collect();
        let small = |voice: &Voice| Page::ALL.iter().map(|p| renderer.small(Some(of), voice, *p)).collect();
        let small: Vec<Vec<Html>> = voices.iter().map(small).collect();
        let codes: Vec<[Html; 2]> = voices.iter().map(|voice| renderer.code(Some(of), voice)).collect();
        let sheets = voices.iter().map(|voice| sheets::all(renderer, of, voice, now_unix)).collect();
        let (pages, small, codes) = (Arc::new(pages), Arc::new(small), Arc::new(codes));
        let stamp = STAMPS.fetch_add(1, Ordering::Relaxed);
        Rack { stamp, portal: portal.clone(), voices, pages, small, codes, sheets, news }
    }

    /// The same with other sheets, where nothing that pages tell has changed.
    fn with_days(&self, renderer: &Renderer, news: News, now_unix: u64) -> Rack {
        let of = Of { portal: self.portal.as_ref(), voices: &self.voices, news: &news };
        Rack {
            stamp: self.stamp,
            portal: self.portal.clone(),
            voices: self.voices.clone(),
            pages: self.pages.clone(),
            small: self.small.clone(),
            codes: self.codes.clone(),
            sheets: self.voices.iter().map(|voice| sheets::all(renderer, of, voice, now_unix)).collect(),
            news,
        }
    }

    fn teller(&self, declared: Option<&str>) -> Teller<'_> {
        let at = declared.and_then(|tag| self.portal.languages.iter().position(|l| same_language(l, tag)));
        Teller::new(&self.portal, &self.voices[at.unwrap_or(0)])
    }

    fn tells(&self, portal: &Arc<Portal>, news: &News) -> bool {
        self.portal == *portal && self.news.incidents == news.incidents && self.news.mood == news.mood
    }
}

impl Shelf {
    /// `news` of each portal in their order.
    pub fn new(words: &Words, portals: &[Arc<Portal>], news: Vec<News>, now_unix: u64) -> Shelf {
        let renderer = Renderer::new();
        let rack = |(portal, news): (&Arc<Portal>, News)| {
            let voices = voices(words, &portal.languages);
            Arc::new(Rack::new(&renderer, portal, Arc::new(voices), news, now_unix))
        };
        let english = Voice::english(words);
        let plain = Page::ALL.iter().map(|p| renderer.page(None, &english, *p)).collect();
        let plain_code = Arc::new(renderer.code(None, &english));
        Shelf { portals: portals.iter().zip(news).map(rack).collect(), plain: Arc::new(plain), plain_code }
    }

    /// The same with other news, or portals as staff speak of them now; `None` where there is nothing new.
    pub fn with(&self, told: Vec<Arc<Portal>>, news: Vec<News>, now_unix: u64) -> Option<Shelf> {
        let all = || self.portals.iter().zip(told.iter().zip(&news));
        if all().all(|(rack, (portal, news))| rack.portal == *portal && rack.news == *news) {
            return None;
        }
        let renderer = Renderer::new();
        let rack = |(old, (portal, news)): (&Arc<Rack>, (Arc<Portal>, News))| match old.tells(&portal, &news) {
            true if old.news == news => old.clone(),
            true => Arc::new(old.with_days(&renderer, news, now_unix)),
            false => Arc::new(Rack::new(&renderer, &portal, old.voices.clone(), news, now_unix)),
        };
        let portals = self.portals.iter().zip(told.iter().cloned().zip(news.iter().cloned())).map(rack).collect();
        Some(Shelf { portals, plain: self.plain.clone(), plain_code: self.plain_code.clone() })
    }

    /// What is served as it lies, whoever asks.
    pub fn sheet(&self, portal: usize, language: usize, sheet: Sheet) -> &Document {
        &self.portals[portal].sheets[language][sheet as usize]
    }

    pub fn page(&self, portal: usize, language: usize, page: Page) -> &Html {
        &self.portals[portal].pages[language][page as usize]
    }

    /// The same page, small, for a line to citizens that is near full.
    pub fn small(&self, portal: usize, language: usize, page: Page) -> &Html {
        &self.portals[portal].small[language][page as usize]
    }

    /// Where an access code is written; `wrong`: after a wrong one.
    pub fn code(&self, portal: Option<usize>, language: usize, wrong: bool) -> &Html {
        let both = portal.map_or(&*self.plain_code, |portal| &self.portals[portal].codes[language]);
        &both[usize::from(wrong)]
    }

    /// For requests that belong to no portal.
    pub fn plain(&self, page: Page) -> &Html {
        &self.plain[page as usize]
    }

    /// The dated banner over a copy, as HTML, in the language that the page declares, else the portal's first.
    pub fn banner(&self, portal: usize, of: Copied<'_>) -> Banner {
        let rack = &self.portals[portal];
        let teller = rack.teller(of.language);
        banner::banner(&teller, of, &teller.banner(&rack.news))
    }

    /// What stands before a form of a copy, as HTML, in the same language.
    pub fn form_note(&self, portal: usize, language: Option<&str>) -> String {
        banner::note(&self.portals[portal].teller(language))
    }

    /// Another number where banner or note may say something else.
    pub fn stamp(&self, portal: usize) -> u64 {
        self.portals[portal].stamp
    }
}

/// An incident in one language, as staff look at it before it is published.
#[derive(Debug, Serialize)]
pub struct Preview {
    pub language: String,
    pub name: String,
    pub lines: Vec<String>,
    pub sms: Sms,
}

pub fn preview(words: &Words, portal: &Portal, shown: &Shown) -> Vec<Preview> {
    let one = |voice: &Voice| {
        let (teller, name) = (Teller::new(portal, voice), voice.name().to_owned());
        Preview { language: voice.tag.clone(), name, lines: teller.lines(shown), sms: teller.sms(shown) }
    };
    voices(words, &portal.languages).iter().map(one).collect()
}

fn voices(words: &Words, tags: &[String]) -> Vec<Voice> {
    (0..tags.len()).map(|at| Voice::new(words, tags, at)).collect()
}

/// A text as the portal's first readers get it.
pub fn title(portal: &Portal, texts: &Texts) -> String {
    told(portal, texts, None).map_or(String::new(), |(_, text)| text)
}

/// A text as readers of a language get it, or as the portal's first readers do, and the language that it is in then. `None`: nothing
/// is said.
pub fn told<'t>(portal: &Portal, texts: &'t Texts, tag: Option<&str>) -> Option<(&'t str, String)> {
    let first = portal.languages.first().map_or("en", String::as_str);
    teller::pick(portal, texts, tag.unwrap_or(first))
}

/// The portal's languages that a text is not in.
pub fn missing<'p>(portal: &'p Portal, texts: &Texts) -> Vec<&'p str> {
    let is_in = |tag: &str| texts.keys().any(|t| same_language(t, tag));
    portal.languages.iter().map(String::as_str).filter(|tag| !is_in(tag)).collect()
}

#[cfg(test)]
mod tests;
