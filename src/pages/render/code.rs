//! The page on which a citizen writes an access code: one field and a button, as it is first shown and after a wrong code.
//!
//! Does not know: codes.

use minijinja::context;

use super::super::text::Language;
use super::super::{CODE_FIELD_WIDTH, Html};
use super::{Of, Renderer, SERVICES, choices, hash, looks, mark, prepare, shown_tag, texts, ways_out};
use crate::bounds;
use crate::wire::Hole;

impl Renderer {
    /// As it is first shown, and after a wrong code.
    pub fn code(&self, of: Option<Of<'_>>, language: &'static Language) -> [Html; 2] {
        let title = of.map(|of| of.portal.title.as_str());
        let lead = language.get("code_lead").replace("{portal}", title.unwrap_or("boma"));
        let tag = of.map_or(language.tag, |of| shown_tag(&of.portal.languages[of.at], language));
        let news = of.map_or(String::new(), |of| self.line(of, language));
        // An answer to the form leads to the front page.
        let csp = format!(
            "default-src 'none'; style-src '{}'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
            hash(&self.style(of))
        );
        let written = |wrong: bool, ways: usize| {
            self.render(
                "code",
                context! {
                    t => texts(language),
                    lang => tag,
                    title => language.get("code_title"),
                    lead => lead.as_str(),
                    news => news.as_str(),
                    wrong => wrong,
                    portal => title,
                    services => of.map(|of| ways_out(of.portal, language, ways)),
                    languages => of.map(|of| choices(of.portal)),
                    logo => looks::logo(of),
                    css => self.style(of),
                    code => mark(Hole::Code),
                    reference => mark(Hole::Reference),
                },
            )
        };
        [false, true].map(|wrong| {
            let fits = |text: &String| text.len() <= bounds::PAGE_BYTES;
            let text = (1..=SERVICES).rev().map(|ways| written(wrong, ways)).find(fits);
            let body = prepare(text.unwrap_or_else(|| written(wrong, 0)));
            Html { packed: None, body, language: tag.to_owned(), csp: csp.clone() }
        })
    }
}

/// What stands in the template for the field's value, with its name: nothing but spaces where there is none.
pub fn field() -> String {
    format!("{:\u{7e}^width$}", "HOLE-CODE", width = CODE_FIELD_WIDTH)
}
