//! A portal's own looks on its pages: colours over those of the house, and its logo.
//!
//! Does not know: what can be read, what a logo may hold.

use std::borrow::Cow;

use super::{Of, Renderer};
use crate::portal::{Looks, Palette};

/// On light ground in both schemes: it was drawn for paper.
const LOGO: &str = "header svg{display:block;max-width:100%;margin-block-end:.5rem;color:#14171a}
@media(prefers-color-scheme:dark){header svg{background:#fff;padding:.25rem;border-radius:.3rem}}";

impl Renderer {
    /// The style of a portal's pages; of the house's own where it is nobody's.
    pub(super) fn style(&self, of: Option<Of<'_>>) -> Cow<'_, str> {
        let Some(looks) = of.map(|of| &of.portal.looks).filter(|looks| **looks != Looks::default()) else {
            return Cow::Borrowed(&self.style);
        };
        let house = Looks::default();
        let mut style = self.style.clone();
        if looks.light != house.light {
            style.push_str(&format!("\n:root{{{}}}", set(&looks.light)));
        }
        // Written after those of the light scheme, which would hold in the dark one too.
        if looks.light != house.light || looks.dark != house.dark {
            style.push_str(&format!("\n@media(prefers-color-scheme:dark){{:root{{{}}}}}", set(&looks.dark)));
        }
        if !looks.logo.is_empty() {
            style.push('\n');
            style.push_str(LOGO);
        }
        Cow::Owned(style)
    }
}

fn set(palette: &Palette) -> String {
    let Palette { ground, ink, soft, accent } = palette;
    format!("--ground:{ground};--ink:{ink};--soft:{soft};--act:{accent}")
}

pub(super) fn logo(of: Option<Of<'_>>) -> &str {
    of.map_or("", |of| of.portal.looks.logo.as_str())
}
