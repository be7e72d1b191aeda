//! The challenge as a button alone, for whom the whole page is wasted on: no script, and so small that a flood takes little of
//! the line. What does not fit is left to the status page.
//!
//! Does not know: who gets it.

use minijinja::{Value, context};

use super::super::text::Language;
use super::super::{Html, Page};
use super::{Of, Packed, Renderer, choices, hash, keeps, key, mark, prepare, shown_tag, texts, ways_out};
use crate::bounds;
use crate::wire::Hole;

const STYLE: &str = ":root{color-scheme:light dark}body{font:1.1em/1.5 sans-serif;margin:1em;overflow-wrap:anywhere}a,button{display:inline-block;font:inherit;padding:.6em}:focus-visible{outline:3px solid}";

/// What a page holds besides its button and its reference.
#[derive(Clone, Copy)]
struct Besides {
    news: bool,
    way: bool,
    languages: bool,
}

/// From the most on: the first that fits is taken. What happens is said before all else; the status page, which every portal's
/// page leads to, says the rest.
const FITTING: [(bool, bool, bool); 6] = [
    (true, true, true),
    (true, false, true),
    (true, true, false),
    (true, false, false),
    (false, true, true),
    (false, false, true),
];

impl Renderer {
    pub(super) fn bare(&self, of: Option<Of<'_>>, language: &'static Language, page: Page) -> Html {
        let fits = |text: &String| text.len() <= bounds::BARE_BYTES;
        let with = |(news, way, languages)| self.bare_with(of, language, page, Besides { news, way, languages });
        let text = FITTING.into_iter().map(with).find(fits).unwrap_or_else(|| with((false, false, false)));
        let csp = format!(
            "default-src 'none'; style-src '{}'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
            hash(STYLE)
        );
        let body = prepare(text);
        let tag = of.map_or(language.tag, |of| shown_tag(&of.portal.languages[of.at], language));
        Html { packed: Packed::new(&body), body, language: tag.to_owned(), csp }
    }

    fn bare_with(&self, of: Option<Of<'_>>, language: &'static Language, page: Page, besides: Besides) -> String {
        let key = key(page);
        let portal = of.map(|of| of.portal.title.as_str());
        let lead = if page == Page::BareResend { "resend_by_hand".into() } else { format!("{key}_bare") };
        let first_way = |of: Of<'_>| ways_out(of.portal, language).into_iter().take(1).collect::<Vec<Value>>();
        self.render(
            "bare",
            context! {
                t => texts(language),
                lang => of.map_or(language.tag, |of| shown_tag(&of.portal.languages[of.at], language)),
                title => language.get(&format!("{key}_title")),
                lead => language.get(&lead).replace("{portal}", portal.unwrap_or("boma")),
                portal => portal,
                news => of.filter(|_| besides.news).map_or(String::new(), |of| self.line(of, language)),
                services => of.filter(|_| besides.way).map(first_way),
                resend => page == Page::BareResend,
                form => page.carries().then(|| mark(Hole::Form)),
                languages => of.filter(|_| besides.languages && keeps(page)).map(|of| choices(of.portal)),
                leave => keeps(page),
                css => STYLE,
                wait => mark(Hole::Wait),
                seal => mark(Hole::Seal),
                reference => mark(Hole::Reference),
            },
        )
    }
}
