//! What citizens read. [`Shelf`] renders every page once per portal and language when the settings are loaded;
//! serving one is a copy of bytes with fixed-width holes filled.
//!
//! Each page is one response: style and script inside it under a strict policy, no fonts, no third party.
//!
//! Does not know: hyper, guards, why a page is shown.

mod banner;
mod pack;
mod render;
mod text;

use std::sync::Arc;

pub use banner::admit_banner;
pub use pack::{Packed, takes_gzip};
use render::Renderer;
use text::Language;

use crate::portal::Portal;
use crate::wire::Prepared;

/// Characters of [`crate::wire::Hole::Reference`].
pub const REFERENCE_WIDTH: usize = 20;
/// Characters of [`crate::wire::Hole::Seal`].
pub const SEAL_WIDTH: usize = 96;
/// Characters of [`crate::wire::Hole::Wait`].
pub const WAIT_WIDTH: usize = 3;

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
    Denied,
    NotFound,
    BadRequest,
    TooLarge,
    WrongHost,
}

impl Page {
    pub const ALL: [Page; 17] = [
        Page::Challenge,
        Page::ChallengeForm,
        Page::ChallengeResend,
        Page::AskForm,
        Page::SentForm,
        Page::Statement,
        Page::StatementUnsure,
        Page::Busy,
        Page::Limited,
        Page::StatementForm,
        Page::BusyForm,
        Page::LimitedForm,
        Page::Denied,
        Page::NotFound,
        Page::BadRequest,
        Page::TooLarge,
        Page::WrongHost,
    ];

    fn is_challenge(self) -> bool {
        matches!(self, Page::Challenge | Page::ChallengeForm | Page::ChallengeResend)
    }

    /// Whether it holds a form that goes on when somebody presses Send.
    pub fn sends(self) -> bool {
        matches!(self, Page::AskForm | Page::StatementForm | Page::BusyForm | Page::LimitedForm)
    }

    /// Whether a form rides along.
    pub fn carries(self) -> bool {
        self == Page::ChallengeForm || self.sends()
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
    portals: Vec<Rack>,
    plain: Vec<Html>,
    plain_code: [Html; 2],
}

struct Rack {
    portal: Arc<Portal>,
    languages: Vec<&'static Language>,
    /// By language, then by page.
    pages: Vec<Vec<Html>>,
    /// By language: where an access code is written, at first and after a wrong one.
    codes: Vec<[Html; 2]>,
}

impl Shelf {
    pub fn new(portals: &[Arc<Portal>]) -> Shelf {
        let renderer = Renderer::new();
        let rack = |portal: &Arc<Portal>| {
            let languages: Vec<_> = portal.languages.iter().map(|tag| text::language(tag)).collect();
            let page = |at: usize| {
                Page::ALL.iter().map(|p| renderer.page(Some((portal.as_ref(), at)), languages[at], *p)).collect()
            };
            let pages = (0..languages.len()).map(page).collect();
            let code = |at: usize| renderer.code(Some((portal.as_ref(), at)), languages[at]);
            let codes = (0..languages.len()).map(code).collect();
            Rack { portal: portal.clone(), languages, pages, codes }
        };
        let plain = Page::ALL.iter().map(|p| renderer.page(None, text::language("en"), *p)).collect();
        let plain_code = renderer.code(None, text::language("en"));
        Shelf { portals: portals.iter().map(rack).collect(), plain, plain_code }
    }

    /// Which of the portal's languages: `?lang=`, else by `Accept-Language` (RFC 9110 section 12.5.4, with the
    /// look-up of RFC 4647 section 3.4), else the portal's first.
    pub fn language(&self, portal: usize, query: Option<&str>, accept_language: Option<&str>) -> usize {
        let tags = &self.portals[portal].portal.languages;
        text::choose(tags, query, accept_language)
    }

    pub fn page(&self, portal: usize, language: usize, page: Page) -> &Html {
        &self.portals[portal].pages[language][page as usize]
    }

    /// Where an access code is written; `wrong`: after a wrong one.
    pub fn code(&self, portal: Option<usize>, language: usize, wrong: bool) -> &Html {
        let both = portal.map_or(&self.plain_code, |portal| &self.portals[portal].codes[language]);
        &both[usize::from(wrong)]
    }

    /// For requests that belong to no portal.
    pub fn plain(&self, page: Page) -> &Html {
        &self.plain[page as usize]
    }

    /// A snapshot's page with its dated banner, in the language that the page declares, else the portal's first;
    /// its forms are made inert.
    pub fn banner(&self, portal: usize, html: &[u8], taken_unix: u64) -> Vec<u8> {
        let rack = &self.portals[portal];
        let declared = banner::declared_language(html);
        let language = declared.and_then(|tag| rack.portal.languages.iter().position(|l| text::same_language(l, &tag)));
        banner::put(html, rack.languages[language.unwrap_or(0)], &rack.portal.timezone, taken_unix)
    }
}

#[cfg(test)]
mod tests;
