//! The challenge as a button alone, for whom the whole page is wasted on: no script, and so small that a flood takes little of
//! the line. What does not fit is left to the status page.
//!
//! Does not know: who gets it.

use minijinja::{Value, context};

use super::super::teller::Told;
use super::super::text::Voice;
use super::super::{Html, Page};
use super::small::{LESS, Less};
use super::{Of, Packed, Renderer, beside, choices, hash, key, mark, prepare, titled};
use crate::bounds;
use crate::wire::Hole;

pub(super) const STYLE: &str = ":root{color-scheme:light dark;background:Canvas}body{font:1.1em/1.5 sans-serif;margin:1em;overflow-wrap:anywhere}button,nav a{font:inherit;padding:.6em}button,nav a,b,bdi,span[dir]{display:inline-block}time{white-space:nowrap}:focus-visible{outline:3px solid}@media print{form{display:none}}";

impl Renderer {
    /// The first that fits is taken; packed it has room for more than as it stands.
    pub(super) fn bare(&self, of: Option<Of<'_>>, voice: &Voice, page: Page) -> Html {
        let made = |less: &Less| prepare(self.bare_with(of, voice, page, Some(less)));
        let plain = LESS.iter().map(made).find(|page| page.bytes.len() <= bounds::BARE_BYTES);
        let packed = LESS.iter().filter_map(|less| Packed::new(&made(less))).find(|p| p.sent() <= bounds::BARE_BYTES);
        let body = plain.unwrap_or_else(|| prepare(self.bare_with(of, voice, page, None)));
        Html { packed: packed.or_else(|| Packed::new(&body)), body, language: voice.tag.clone(), csp: policy(STYLE) }
    }

    /// `less`: what it holds besides its button and its reference; `None`: nothing.
    fn bare_with(&self, of: Option<Of<'_>>, voice: &Voice, page: Page, less: Option<&Less>) -> String {
        let key = key(page);
        let portal = of.map(|of| of.portal.title.as_str());
        let lead = format!("{key}_bare");
        let title = voice.called(portal.unwrap_or("boma"));
        let marks = |key| Value::from_safe_string(voice.marks(key));
        let has = of.zip(less);
        let page = self.render(
            "bare",
            context! {
                lead => Value::from_safe_string(voice.inside(&lead, &[("{portal}", &title)])),
                lead_marks => marks(&lead),
                status_marks => marks("status_link"),
                reference_marks => marks("reference"),
                portal => portal,
                // Where there is the least room the tab is called by what to do alone.
                tab => portal.filter(|_| less.is_some_and(|less| less.told != Told::Notice)),
                news => has.map_or(String::new(), |(of, less)| self.news(of, voice, less.told)),
                services => has.map(|(of, less)| less.ways(of, voice)),
                resend => page == Page::BareResend,
                form => page.carries().then(|| mark(Hole::Form)),
                languages => has.filter(|(_, less)| less.languages).map(|(of, _)| choices(of)),
                stays => !page.may_be_left(),
                beside => beside(page),
                css => STYLE,
                wait => mark(Hole::Wait),
                seal => mark(Hole::Seal),
                reference => mark(Hole::Reference),
                ..titled(voice, &format!("{key}_title"), portal)
            },
        );
        page.replace(">\n<", "><")
    }
}

/// Of pages without a script.
pub(super) fn policy(style: &str) -> String {
    format!("default-src 'none'; style-src '{}'; img-src data:; base-uri 'none'; frame-ancestors 'none'", hash(style))
}
