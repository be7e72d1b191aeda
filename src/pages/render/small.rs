//! Pages for a line that is near full: no script, one way out, and whatever else has room.
//!
//! Does not know: how full the line is.

use super::super::teller::Told;
use super::super::text::Voice;
use super::super::{Html, Page};
use super::{Dress, Of, Packed, Renderer, bare, prepare, ways};
use crate::bounds;

/// What a small page holds of that which may give way.
pub(super) struct Less {
    pub told: Told,
    way: Way,
    pub languages: bool,
}

enum Way {
    Whole,
    Number,
    None,
}

const fn less(told: Told, way: Way, languages: bool) -> Less {
    Less { told, way, languages }
}

/// From the most on. Whoever is told of an incident is told by when more follows, and everybody is given a way out, before all else;
/// the status page, which every page leads to, has the rest.
pub(super) const LESS: [Less; 8] = [
    less(Told::Whole, Way::Whole, true),
    less(Told::Brief, Way::Whole, true),
    less(Told::Brief, Way::Number, true),
    less(Told::Brief, Way::Whole, false),
    less(Told::Brief, Way::Number, false),
    less(Told::Notice, Way::Number, true),
    less(Told::Notice, Way::Number, false),
    less(Told::Notice, Way::None, false),
];

/// Links that are pressed like buttons, which a button alone has none of.
const ACT: &str = ".act{display:inline-block;padding:.6em}@media print{.act{display:none}}";

pub(super) fn style() -> String {
    format!("{}{ACT}", bare::STYLE)
}

impl Less {
    pub(super) fn ways(&self, of: Of<'_>, voice: &Voice) -> Vec<minijinja::Value> {
        match self.way {
            Way::Whole => ways::out(of.portal, voice, 1),
            Way::Number => ways::short(of.portal, voice),
            Way::None => Vec::new(),
        }
    }
}

impl Renderer {
    /// A page as it is small as it is sent; a challenge is a button alone there.
    pub fn small(&self, of: Option<Of<'_>>, voice: &Voice, page: Page) -> Html {
        if page.is_challenge() || page.is_bare() {
            return self.bare(of, voice, page.bare());
        }
        let most = if page.waits() { bounds::SMALL_LINE_BYTES } else { bounds::BARE_BYTES };
        let made = |less: &Less| {
            let line = of.map_or(String::new(), |of| self.news(of, voice, less.told));
            let services = of.map_or(Vec::new(), |of| less.ways(of, voice));
            let dress = Dress { services, languages: less.languages, logo: "", small: true };
            let body = prepare(self.one(of, voice, page, (&line, ""), dress));
            (Packed::new(&body), body)
        };
        let fits = |(packed, _): &(Option<Packed>, _)| packed.as_ref().is_some_and(|p| p.sent() <= most);
        let [.., least] = &LESS;
        let (packed, body) = LESS.iter().map(made).find(fits).unwrap_or_else(|| made(least));
        Html { packed, body, language: voice.tag.clone(), csp: bare::policy(&style()) }
    }
}
