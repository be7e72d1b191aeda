//! The page on which a citizen writes an access code: one field and a button, as it is first shown and after a wrong code.
//!
//! Does not know: codes.

use minijinja::{Value, context};

use super::super::text::Language;
use super::super::{CODE_FIELD_WIDTH, Html};
use super::{Renderer, choices, hash, lines, mark, prepare, shown_tag, ways_out};
use crate::pages::Page;
use crate::portal::Portal;
use crate::wire::Hole;

impl Renderer {
    /// As it is first shown, and after a wrong code.
    pub fn code(&self, of: Option<(&Portal, usize)>, language: &Language) -> [Html; 2] {
        let title = of.map(|(portal, _)| portal.title.as_str());
        let lead = language.get("code_lead").replace("{portal}", title.unwrap_or("boma"));
        let tag = of.map_or(language.tag, |(portal, at)| shown_tag(&portal.languages[at], language));
        // An answer to the form leads to the front page.
        let csp = format!(
            "default-src 'none'; style-src '{}'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
            hash(&self.style)
        );
        [false, true].map(|wrong| {
            let rendered = self.templates.get_template("code").and_then(|template| {
                template.render(context! {
                    t => Value::from_pairs(language.texts.iter().map(|(k, v)| (k.as_str(), v.as_str()))),
                    lang => tag,
                    title => language.get("code_title"),
                    lead => lead.as_str(),
                    wrong => wrong,
                    portal => title,
                    services => of.map(|(portal, _)| ways_out(portal, language)),
                    languages => of.map(|(portal, _)| choices(portal, Page::NotFound)),
                    css => self.style.as_str(),
                    code => mark(Hole::Code),
                    reference => mark(Hole::Reference),
                })
            });
            let body = prepare(lines(&rendered.unwrap_or_default()));
            Html { packed: None, body, language: tag.to_owned(), csp: csp.clone() }
        })
    }
}

/// What stands in the template for the field's value, with its name: nothing but spaces where there is none.
pub fn field() -> String {
    format!("{:\u{7e}^width$}", "HOLE-CODE", width = CODE_FIELD_WIDTH)
}
