//! The page on which a citizen writes an access code: one field and a button, as it is first shown and after a wrong code.
//!
//! Does not know: codes.

use minijinja::context;

use super::super::text::Voice;
use super::super::{CODE_FIELD_WIDTH, Html};
use super::{Of, Renderer, SERVICES, called, choices, hash, looks, mark, prepare, titled, ways};
use crate::bounds;
use crate::wire::Hole;

/// What no other page has, and none is made heavier by.
const STYLE: &str = "\n#code{font:inherit;width:100%;min-height:2.75rem;padding:.5rem .75rem;border:2px solid var(--ink);border-radius:.3rem;background:var(--ground);color:var(--ink)}\
label{font-weight:700}";

impl Renderer {
    /// As it is first shown, and after a wrong code.
    pub fn code(&self, of: Option<Of<'_>>, voice: &Voice) -> [Html; 2] {
        let title = of.map(|of| of.portal.title.as_str());
        let news = of.map_or(String::new(), |of| self.line(of, voice));
        let style = self.style(of).into_owned() + STYLE;
        // An answer to the form leads to the front page.
        let csp = format!(
            "default-src 'none'; style-src '{}'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
            hash(&style)
        );
        let written = |wrong: bool, most: usize| {
            self.render(
                "code",
                context! {
                    lead => called(voice, "code_lead", title),
                    news => news.as_str(),
                    wrong => wrong,
                    portal => title,
                    services => of.map(|of| ways::out(of.portal, voice, most)),
                    languages => of.map(choices),
                    logo => looks::logo(of),
                    css => style.as_str(),
                    code => mark(Hole::Code),
                    reference => mark(Hole::Reference),
                    ..titled(voice, "code_title", title)
                },
            )
        };
        [false, true].map(|wrong| {
            let fits = |text: &String| text.len() <= bounds::PAGE_BYTES;
            let text = (1..=SERVICES).rev().map(|most| written(wrong, most)).find(fits);
            let body = prepare(text.unwrap_or_else(|| written(wrong, 0)));
            Html { packed: None, body, language: voice.tag.clone(), csp: csp.clone() }
        })
    }
}

/// What stands in the template for the field's value, with its name: nothing but spaces where there is none.
pub fn field() -> String {
    format!("{:\u{7e}^width$}", "HOLE-CODE", width = CODE_FIELD_WIDTH)
}
