//! The challenge as a button alone, for whom the whole page is wasted on: no script, and so small that a flood takes little of
//! the line. What does not fit is left to the status page.
//!
//! Does not know: who gets it.

use minijinja::{Value, context};

use super::super::teller::Told;
use super::super::text::{Voice, with_longest};
use super::super::{Html, Page};
use super::{Of, Packed, Renderer, beside, choices, hash, key, mark, prepare, title_chars, titled, ways_out};
use crate::bounds;
use crate::wire::Hole;

pub(super) const STYLE: &str = ":root{color-scheme:light dark}body{font:1.1em/1.5 sans-serif;margin:1em;overflow-wrap:anywhere;background:Canvas;color:CanvasText}a,button{display:inline-block;font:inherit;padding:.6em}:focus-visible{outline:3px solid}";

/// What a page holds besides its button, its reference and the incident: a way out, the other languages. From the most on.
const BESIDES: [(bool, bool); 4] = [(true, true), (false, true), (true, false), (false, false)];

impl Renderer {
    /// The first that fits is taken. What happens is said before all else, whole or else cut, and by when more is told; the status
    /// page, which every portal's page leads to, says the rest.
    pub(super) fn bare(&self, of: Option<Of<'_>>, voice: &Voice, page: Page) -> Html {
        let fits = |text: &String| text.len() <= bounds::BARE_BYTES;
        let with = |told, besides| self.bare_with(of, voice, page, (told, besides));
        let told = |told| BESIDES.into_iter().map(move |besides| with(Some(told), besides)).find(fits);
        let title = title_chars(of, voice);
        let cut = |state| {
            let cut = |besides| with_longest(title, |title| with(Some(Told { title, state }), besides), fits);
            BESIDES.into_iter().find_map(cut)
        };
        let text = told(Told::WHOLE).or_else(|| cut(true)).or_else(|| cut(false));
        let text = text.or_else(|| told(Told { title: 0, state: true })).unwrap_or_else(|| with(None, (false, false)));
        let body = prepare(text);
        Html { packed: Packed::new(&body), body, language: voice.tag.clone(), csp: policy() }
    }

    /// `told`: of the incident; `None`: nothing.
    fn bare_with(
        &self,
        of: Option<Of<'_>>,
        voice: &Voice,
        page: Page,
        (told, (way, languages)): (Option<Told>, (bool, bool)),
    ) -> String {
        let key = key(page);
        let portal = of.map(|of| of.portal.title.as_str());
        let lead = if page == Page::BareResend { "resend_by_hand".into() } else { format!("{key}_bare") };
        let first_way = |of: Of<'_>| ways_out(of.portal, voice, 1);
        self.render(
            "bare",
            context! {
                lead => voice.get(&lead).replace("{portal}", portal.unwrap_or("boma")),
                lead_marks => Value::from_safe_string(voice.marks(&lead)),
                portal => portal,
                news => of.zip(told).map_or(String::new(), |(of, told)| self.news(of, voice, told)),
                services => of.filter(|_| way).map(first_way),
                resend => page == Page::BareResend,
                form => page.carries().then(|| mark(Hole::Form)),
                languages => of.filter(|_| languages && page.may_be_left()).map(choices),
                beside => beside(page),
                css => STYLE,
                wait => mark(Hole::Wait),
                seal => mark(Hole::Seal),
                reference => mark(Hole::Reference),
                ..titled(voice, &format!("{key}_title"), portal)
            },
        )
    }
}

/// Of pages without a script.
pub(super) fn policy() -> String {
    format!("default-src 'none'; style-src '{}'; img-src data:; base-uri 'none'; frame-ancestors 'none'", hash(STYLE))
}
