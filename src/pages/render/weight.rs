//! Whether a language's sentences leave every page within its bounds, with a title as long as may be and an incident told.
//!
//! Does not know: files.

use std::sync::Arc;

use super::super::sheets;
use super::super::text::Voice;
use super::{Of, Packed, Page, Renderer, key};
use crate::bounds;
use crate::incident::{Author, Incident, Said, Texts};
use crate::pages::news::{News, Shown};
use crate::portal::Portal;
use crate::words::Words;

/// A page that outgrows its bound whatever gives way on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Heavy {
    /// Its longest sentence.
    pub key: String,
    /// Bytes as it is sent, and how many it may have.
    pub bytes: usize,
    pub most: usize,
}

/// Pages of a language that are too heavy; `like`: any portal, for what they need besides.
pub fn heavy(words: &Words, like: &Portal, tag: &str) -> Vec<Heavy> {
    let languages = vec![if tag == "en" { "sw" } else { "en" }.to_owned(), tag.to_owned()];
    let voices: Vec<Voice> = (0..languages.len()).map(|at| Voice::new(words, &languages, at)).collect();
    let title = "حكومة ".chars().cycle().take(bounds::TITLE_CHARS).collect();
    let portal = Portal { title, languages, services: Vec::new(), contact: None, ..like.clone() };
    let news = told(&voices[1]);
    let of = Of { portal: &portal, voices: &voices, news: &news };
    let renderer = Renderer::new();
    let mut all = Vec::new();
    for page in Page::ALL {
        let html = renderer.page(Some(of), &voices[1], page);
        let (bytes, most) = if page.is_bare() {
            (html.body.bytes.len(), bounds::BARE_BYTES)
        } else if html.body.bytes.len() <= bounds::PAGE_BYTES && page.is_challenge() {
            (html.packed.as_ref().map_or(0, Packed::sent), bounds::CHALLENGE_BYTES)
        } else {
            (html.body.bytes.len(), bounds::PAGE_BYTES)
        };
        if bytes > most {
            let key = format!("{}_{}", key(page), if page.is_bare() { "bare" } else { "lead" });
            all.push(Heavy { key, bytes, most });
        }
    }
    let others = renderer.code(Some(of), &voices[1]).map(|html| ("code_lead", html.body.bytes.len()));
    let status = sheets::all(&renderer, of, &voices[1], 0).first().map(|page| ("days_note", page.body.bytes.len()));
    let most = bounds::PAGE_BYTES;
    let too_large = others.into_iter().chain(status).filter(|(_, bytes)| *bytes > most);
    all.extend(too_large.map(|(key, bytes)| Heavy { key: key.to_owned(), bytes, most }));
    all
}

/// An incident with a title as long as may be, of letters that the page does not hold in this order.
fn told(voice: &Voice) -> News {
    let title: String = voice.get("carried_lead").chars().rev().cycle().take(bounds::INCIDENT_TITLE_CHARS).collect();
    let text = |text: &str| Texts::from([(voice.tag.clone(), text.to_owned())]);
    let said = Said { title: text(&title), text: text(&title), next: Some(3600), ..Said::default() };
    let author = Author { by: "boma".into(), office: None };
    let Ok(incident) = Incident::open(1, None, said, author, 0) else { return News::default() };
    News { incidents: vec![Shown { incident: Arc::new(incident), current: true, late: true }], ..News::default() }
}
