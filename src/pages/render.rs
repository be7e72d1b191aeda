//! From template, texts and portal to a prepared page.
//!
//! Does not know: who asks for a page.

mod code;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, Value, context};

use super::pack::Packed;
use super::text::{self, Language};
use super::{Html, Page, REFERENCE_WIDTH, SEAL_WIDTH, WAIT_WIDTH};
use crate::portal::{Portal, Service};
use crate::wire::{Hole, Prepared};

/// What pages begin with, the other ways that they list, and pages.
const TEMPLATES: [(&str, &str); 4] = [
    ("front", include_str!("assets/front.html")),
    ("ways", include_str!("assets/ways.html")),
    ("page", include_str!("assets/page.html")),
    ("code", include_str!("assets/code.html")),
];
const STYLE: &str = include_str!("assets/boma.css");
const SCRIPT: &str = include_str!("assets/challenge.js");

/// Ways out that one page lists at most: beyond it the page outgrows a first flight of packets.
const SERVICES: usize = 12;

pub struct Renderer {
    templates: Environment<'static>,
    style: String,
    script: String,
}

impl Renderer {
    pub fn new() -> Renderer {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        // The templates are part of the build; a test renders every page from them.
        TEMPLATES.into_iter().for_each(|(name, text)| drop(templates.add_template(name, text)));
        Renderer { templates, style: lines(STYLE), script: lines(SCRIPT) }
    }

    /// One page; `of` is its portal and which of the portal's languages this is.
    pub fn page(&self, of: Option<(&Portal, usize)>, language: &Language, page: Page) -> Html {
        let key = key(page);
        let send = page.sends();
        let title = of.map(|(portal, _)| portal.title.as_str());
        let lead = language.get(&format!("{key}_lead")).replace("{portal}", title.unwrap_or("boma"));
        let tag = of.map_or(language.tag, |(portal, at)| shown_tag(&portal.languages[at], language));
        let rendered = self.templates.get_template("page").and_then(|template| {
            template.render(context! {
                t => Value::from_pairs(language.texts.iter().map(|(k, v)| (k.as_str(), v.as_str()))),
                lang => tag,
                title => language.get(&format!("{key}_title")),
                lead => lead,
                note => language.get(if send && page != Page::AskForm { "send_note".into() } else { format!("{key}_note") }.as_str()),
                portal => title,
                services => of.map(|(portal, _)| ways_out(portal, language)),
                languages => of.map(|(portal, _)| choices(portal, page)),
                retry => matches!(page, Page::Statement | Page::Busy | Page::Limited),
                script => page.is_challenge(),
                send => send,
                resend => page == Page::ChallengeResend,
                done => language.get(if page == Page::ChallengeResend { "resend_done" } else { "challenge_done" }),
                by_hand => language.get(if page == Page::ChallengeResend { "resend_by_hand" } else { "challenge_by_hand" }),
                form => page.carries().then(|| mark(Hole::Form)),
                wait => mark(Hole::Wait),
                css => self.style.as_str(),
                js => self.script.as_str(),
                seal => mark(Hole::Seal),
                reference => mark(Hole::Reference),
            })
        });
        let body = prepare(lines(&rendered.unwrap_or_default()));
        Html { packed: Packed::new(&body), body, language: tag.to_owned(), csp: self.policy(page) }
    }

    fn policy(&self, page: Page) -> String {
        let style = hash(&self.style);
        let common =
            format!("default-src 'none'; style-src '{style}'; img-src data:; base-uri 'none'; frame-ancestors 'none'");
        if page.is_challenge() {
            // No form-action: Chromium asks it for every redirect after a form too, and an origin that answers with one to a
            // payment provider would be stopped here.
            return format!("{common}; script-src '{}'; worker-src blob:; connect-src 'self'", hash(&self.script));
        }
        if page.carries() { common } else { format!("{common}; form-action 'none'") }
    }
}

/// A language that is not shipped is shown in English, and says so.
fn shown_tag<'a>(wanted: &'a str, language: &'a Language) -> &'a str {
    if text::same_language(wanted, language.tag) { wanted } else { language.tag }
}

fn key(page: Page) -> &'static str {
    match page {
        Page::Challenge => "challenge",
        Page::ChallengeForm => "carried",
        Page::ChallengeResend => "resend",
        Page::AskForm => "ask",
        Page::SentForm => "sent",
        Page::Statement | Page::StatementForm => "statement",
        Page::StatementUnsure => "unsure",
        Page::Busy | Page::BusyForm => "busy",
        Page::Limited | Page::LimitedForm => "limited",
        Page::Denied => "denied",
        Page::NotFound => "not_found",
        Page::BadRequest => "bad_request",
        Page::TooLarge => "too_large",
        Page::WrongHost => "wrong_host",
    }
}

fn ways_out(portal: &Portal, language: &Language) -> Vec<Value> {
    let way = |service: &Service| {
        let own = service.name.iter().find(|(tag, _)| text::same_language(tag, language.tag));
        let (lang, name) = own.or(service.name.first())?;
        let any = service.phone.is_some() || service.office.is_some() || service.ussd.is_some();
        let tel: String =
            service.phone.as_deref().unwrap_or("").chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        any.then(|| {
            context! {
                name => name.as_str(),
                lang => lang.as_str(),
                phone => service.phone.as_deref(),
                tel => tel,
                office => service.office.as_deref(),
                ussd => service.ussd.as_deref(),
            }
        })
    };
    portal.services.iter().filter_map(way).take(SERVICES).collect()
}

/// Links to the other languages; not where following one would lose a form.
fn choices(portal: &Portal, page: Page) -> Vec<Value> {
    let keeps = !matches!(page, Page::ChallengeResend | Page::StatementUnsure | Page::SentForm) && !page.carries();
    let shown =
        portal.languages.iter().map(|tag| context! { tag => tag.as_str(), name => text::language(tag).get("name") });
    if keeps && portal.languages.len() > 1 { shown.collect() } else { Vec::new() }
}

/// What stands in a template where a hole will be; as wide as the hole, and nothing that a title could hold by
/// chance. What fills that of a form has a width of its own.
fn mark(hole: Hole) -> String {
    match hole {
        Hole::Reference => format!("{:\u{7e}^width$}", "HOLE-REFERENCE", width = REFERENCE_WIDTH),
        Hole::Seal => format!("{:\u{7e}^width$}", "HOLE-SEAL", width = SEAL_WIDTH),
        Hole::Code => code::field(),
        Hole::Wait => format!("{:\u{7e}^width$}", "W", width = WAIT_WIDTH),
        Hole::Form => "~~~HOLE-FORM~~~".into(),
    }
}

/// The marks become holes, in the order in which they lie.
fn prepare(text: String) -> Prepared {
    let mut holes = Vec::new();
    for hole in [Hole::Reference, Hole::Seal, Hole::Wait, Hole::Form, Hole::Code] {
        let mark = mark(hole);
        holes.extend(text.match_indices(&mark).map(|(at, _)| (hole, at..at + mark.len())));
    }
    holes.sort_by_key(|(_, range)| range.start);
    Prepared { bytes: text.into(), holes }
}

/// Without indentation, empty lines and lines that are only a comment.
fn lines(text: &str) -> String {
    let kept = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//"));
    kept.collect::<Vec<_>>().join("\n")
}

/// A source expression of CSP level 3 for inline text.
pub fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}
