//! From template, texts and portal to a prepared page.
//!
//! Does not know: who asks for a page.

mod bare;
mod code;
mod looks;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, Value, context};

use super::news::{News, Shown, Up};
use super::pack::Packed;
use super::teller::{Teller, named};
use super::text::{self, Language};
use super::{Html, Page, REFERENCE_WIDTH, SEAL_WIDTH, WAIT_WIDTH};
use crate::bounds;
use crate::portal::{Portal, Service};
use crate::wire::{Hole, Prepared};

/// What pages begin with, the other ways that they list, the current incidents, and pages.
const TEMPLATES: [(&str, &str); 8] = [
    ("front", include_str!("assets/front.html")),
    ("ways", include_str!("assets/ways.html")),
    ("news", include_str!("assets/news.html")),
    ("page", include_str!("assets/page.html")),
    ("story", include_str!("assets/story.html")),
    ("status", include_str!("assets/status.html")),
    ("code", include_str!("assets/code.html")),
    ("bare", include_str!("assets/bare.html")),
];
const STYLE: &str = include_str!("assets/boma.css");
const SCRIPT: &str = include_str!("assets/challenge.js");

/// Ways out that one page lists at most: beyond it the page outgrows a first flight of packets.
const SERVICES: usize = 12;
/// Updates that a page tries to hold at most.
const UPDATES: usize = 12;

/// Whose page it is: the portal, which of its languages, and what there is to tell.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    pub portal: &'a Portal,
    pub at: usize,
    pub news: &'a News,
}

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

    /// One page; without `of` it is no portal's.
    pub fn page(&self, of: Option<Of<'_>>, language: &'static Language, page: Page) -> Html {
        if page.is_bare() {
            return self.bare(of, language, page);
        }
        // Where the whole is told the line that names it would say it twice.
        let told = matches!(page, Page::Statement | Page::StatementUnsure);
        let whole = of.filter(|_| told).and_then(|of| of.news.lead().map(|shown| (of, shown)));
        let line = of.filter(|_| whole.is_none()).map_or(String::new(), |of| self.line(of, language));
        let made = |ways: usize, logo: &str| {
            let render = |updates: usize| {
                let story = whole.map_or(String::new(), |(of, shown)| self.story(of, language, shown, updates));
                self.one(of, language, page, (&line, &story), (ways, logo))
            };
            let body = prepare(match whole {
                Some((_, shown)) => fitting(shown.incident.updates.len(), render),
                None => render(0),
            });
            (Packed::new(&body), body)
        };
        // What does not fit is on the status page: services give way one by one, to the last two, and then the logo.
        let logo = looks::logo(of);
        let some = (2..=SERVICES).rev().map(|ways| (ways, logo)).chain([(2, ""), (1, "")]);
        let fits = |made: &(Option<Packed>, Prepared)| is_light(page, made);
        let (packed, body) = some.map(|(ways, logo)| made(ways, logo)).find(fits).unwrap_or_else(|| made(0, ""));
        let tag = of.map_or(language.tag, |of| shown_tag(&of.portal.languages[of.at], language));
        Html { packed, body, language: tag.to_owned(), csp: self.policy(of, page) }
    }

    /// What a page says of incidents: in a line, and as a whole.
    fn one(
        &self,
        of: Option<Of<'_>>,
        language: &Language,
        page: Page,
        (line, story): (&str, &str),
        (ways, logo): (usize, &str),
    ) -> String {
        let key = key(page);
        let send = page.sends();
        let portal = of.map(|of| of.portal);
        let title = portal.map(|p| p.title.as_str());
        let lead = language.get(&format!("{key}_lead")).replace("{portal}", title.unwrap_or("boma"));
        self.render("page", context! {
            t => texts(language),
            lang => of.map_or(language.tag, |of| shown_tag(&of.portal.languages[of.at], language)),
            title => language.get(&format!("{key}_title")),
            lead => lead,
            note => language.get(if send && page != Page::AskForm { "send_note".into() } else { format!("{key}_note") }.as_str()),
            portal => title,
            news => line,
            story => story,
            services => portal.map(|p| ways_out(p, language, ways)),
            languages => portal.filter(|_| keeps(page)).map(choices),
            status => portal.is_some() && keeps(page),
            retry => matches!(page, Page::Statement | Page::Busy | Page::Limited),
            script => page.is_challenge(),
            send => send,
            resend => page == Page::ChallengeResend,
            done => language.get(if page == Page::ChallengeResend { "resend_done" } else { "challenge_done" }),
            by_hand => language.get(if page == Page::ChallengeResend { "resend_by_hand" } else { "challenge_by_hand" }),
            form => page.carries().then(|| mark(Hole::Form)),
            wait => mark(Hole::Wait),
            logo => logo,
            css => self.style(of),
            js => self.script.as_str(),
            seal => mark(Hole::Seal),
            reference => mark(Hole::Reference),
        })
    }

    fn line(&self, of: Of<'_>, language: &'static Language) -> String {
        self.news(of, language, false)
    }

    fn news(&self, of: Of<'_>, language: &'static Language, brief: bool) -> String {
        let line = Teller::new(of.portal, language).line(of.news);
        line.map_or(String::new(), |line| self.render("news", context! { t => texts(language), line, brief }))
    }

    fn story(&self, of: Of<'_>, language: &'static Language, shown: &Shown, updates: usize) -> String {
        let story = Teller::new(of.portal, language).story(shown, updates);
        self.render("story", context! { t => texts(language), s => story })
    }

    /// The status page.
    pub fn status(&self, of: Of<'_>, language: &'static Language) -> Html {
        let teller = Teller::new(of.portal, language);
        let longest = of.news.incidents.iter().map(|s| s.incident.updates.len()).max().unwrap_or(0);
        let past: Vec<Value> = of.news.incidents.iter().filter_map(|s| teller.past(s)).collect();
        let tag = shown_tag(&of.portal.languages[of.at], language);
        let render = |updates: usize, services: usize, logo: &str| {
            let told = |current: bool| {
                let of_this = of.news.incidents.iter().filter(|s| s.current == current && s.incident.ended().is_none());
                let story = |s: &Shown| Value::from_safe_string(self.story(of, language, s, updates));
                of_this.map(story).collect::<Vec<_>>()
            };
            // What ended long ago makes room before what is said now.
            let kept = past.len().min(2 * updates - 1);
            self.render(
                "status",
                context! {
                    t => texts(language),
                    lang => tag,
                    title => language.get("status_title").replace("{portal}", &of.portal.title),
                    portal => of.portal.title.as_str(),
                    overall => teller.overall(of.news.worst(of.portal)),
                    mood => teller.mood(of.news),
                    current => told(true),
                    planned => told(false),
                    services => states(of, language, services),
                    past => past[..kept].to_vec(),
                    contact => of_portal(of.portal).collect::<Vec<_>>(),
                    uptime => super::uptime::told(of.news, language),
                    languages => choices(of.portal),
                    logo => logo,
                    css => self.style(Some(of)),
                },
            )
        };
        let (updates, most) = (longest.max(past.len() / 2 + 1), 2 * SERVICES);
        let mut whole = fitting(updates, |updates| render(updates, most, looks::logo(Some(of))));
        if whole.len() > bounds::PAGE_BYTES {
            whole = fitting(updates, |updates| render(updates, most, ""));
        }
        for services in (0..most).rev() {
            if whole.len() <= bounds::PAGE_BYTES {
                break;
            }
            whole = render(1, services, "");
        }
        let body = Prepared { bytes: whole.into(), holes: Vec::new() };
        Html { packed: Packed::new(&body), body, language: tag.to_owned(), csp: self.policy(Some(of), Page::Statement) }
    }

    fn render(&self, name: &str, with: Value) -> String {
        lines(&self.templates.get_template(name).and_then(|template| template.render(with)).unwrap_or_default())
    }

    fn policy(&self, of: Option<Of<'_>>, page: Page) -> String {
        let style = hash(&self.style(of));
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
pub fn shown_tag<'a>(wanted: &'a str, language: &'a Language) -> &'a str {
    if text::same_language(wanted, language.tag) { wanted } else { language.tag }
}

fn key(page: Page) -> &'static str {
    match page {
        Page::Challenge | Page::Bare => "challenge",
        Page::ChallengeForm | Page::BareForm => "carried",
        Page::ChallengeResend | Page::BareResend => "resend",
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

/// Whom to ask, and services that can be had in another way.
fn ways_out(portal: &Portal, language: &Language, most: usize) -> Vec<Value> {
    let has_way = |s: &&Service| s.has_way() || !s.instead.is_empty();
    let services = portal.services.iter().filter(has_way).filter_map(|s| way(s, language, None));
    of_portal(portal).chain(services).take(most).collect()
}

/// Whom to ask where no service is meant.
fn of_portal(portal: &Portal) -> impl Iterator<Item = Value> {
    portal.contact.iter().map(|contact| listed(contact, &portal.title, None, None))
}

/// All services, and how they are; the portal where it names none.
fn states(of: Of<'_>, language: &Language, most: usize) -> Vec<Value> {
    let word = |up: Up| language.get(&format!("up_{}", up.as_str()));
    if of.portal.services.is_empty() {
        return vec![context! { name => of.portal.title.as_str(), up => word(of.news.up(None)) }];
    }
    let state = |service: &Service| way(service, language, Some(word(of.news.up(Some(service)))));
    of.portal.services.iter().filter_map(state).take(most).collect()
}

/// A service as pages list it; `up`: how it is.
fn way(service: &Service, language: &Language, up: Option<&str>) -> Option<Value> {
    let (lang, name) = named(service, language)?;
    let own = service.instead.iter().find(|(tag, _)| text::same_language(tag, language.tag));
    let instead = own.or(service.instead.first()).map(|(lang, says)| context! { lang, says });
    Some(context! { instead, ..listed(service, name, Some(lang), up) })
}

fn listed(service: &Service, name: &str, lang: Option<&str>, up: Option<&str>) -> Value {
    let (phone, office, ussd) = (service.phone.as_deref(), service.office.as_deref(), service.ussd.as_deref());
    context! { name, lang, up, phone, tel => tel(service), office, ussd }
}

pub fn tel(service: &Service) -> String {
    service.phone.as_deref().unwrap_or("").chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
}

fn texts(language: &Language) -> Value {
    Value::from_pairs(language.texts.iter().map(|(k, v)| (k.as_str(), v.as_str())))
}

/// With as many updates as leave the page within a first flight of packets; with one at least.
fn fitting(updates: usize, render: impl Fn(usize) -> String) -> String {
    let mut n = updates.clamp(1, UPDATES);
    loop {
        let page = render(n);
        if n == 1 || page.len() <= bounds::PAGE_BYTES {
            return page;
        }
        n -= 1;
    }
}

/// Whether a page comes through on a slow line.
fn is_light(page: Page, (packed, body): &(Option<Packed>, Prepared)) -> bool {
    let sent = packed.as_ref().filter(|_| page.is_challenge()).map_or(0, Packed::sent);
    body.bytes.len() <= bounds::PAGE_BYTES && sent <= bounds::CHALLENGE_BYTES
}

/// Whether a page may be left for another without losing a form.
fn keeps(page: Page) -> bool {
    !matches!(page, Page::ChallengeResend | Page::BareResend | Page::StatementUnsure | Page::SentForm)
        && !page.carries()
}

/// Links to the other languages.
fn choices(portal: &Portal) -> Vec<Value> {
    let shown =
        portal.languages.iter().map(|tag| context! { tag => tag.as_str(), name => text::language(tag).get("name") });
    if portal.languages.len() > 1 { shown.collect() } else { Vec::new() }
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
