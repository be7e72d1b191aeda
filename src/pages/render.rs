//! From template, texts and portal to a prepared page.
//!
//! Does not know: who asks for a page.

mod bare;
mod code;
mod looks;
mod slim;
mod small;
mod status;
mod waiting;
pub mod ways;
mod weight;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, Value, context};

use super::news::{News, Shown};
use super::pack::Packed;
use super::teller::{Teller, Told};
use super::text::Voice;
use super::{HIDDEN, Html, MINUTES_WIDTH, PLACE_WIDTH, Page, REFERENCE_WIDTH, SEAL_WIDTH, WAIT_WIDTH};
use crate::bounds;
use crate::portal::Portal;
use crate::wire::{Hole, Prepared};
use slim::lines;
pub use weight::heavy;

/// What pages begin with, the other ways and the languages that they list, the current incidents, and pages.
pub const TEMPLATES: [(&str, &str); 10] = [
    ("front", include_str!("assets/front.html")),
    ("ways", include_str!("assets/ways.html")),
    ("languages", include_str!("assets/languages.html")),
    ("news", include_str!("assets/news.html")),
    ("page", include_str!("assets/page.html")),
    ("story", include_str!("assets/story.html")),
    ("status", include_str!("assets/status.html")),
    ("code", include_str!("assets/code.html")),
    ("bare", include_str!("assets/bare.html")),
    ("waiting", include_str!("assets/waiting.html")),
];
const STYLE: &str = include_str!("assets/boma.css");
pub const SCRIPT: &str = include_str!("assets/challenge.js");
pub const WAITING_SCRIPT: &str = include_str!("assets/waiting.js");

/// Ways out that one page lists at most: beyond it the page outgrows a first flight of packets.
const SERVICES: usize = 12;
/// Updates that a page tries to hold at most.
const UPDATES: usize = 12;

/// Whose page it is: the portal, its languages, and what there is to tell.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    pub portal: &'a Portal,
    pub voices: &'a [Voice],
    pub news: &'a News,
}

/// What a page wears: ways out, the other languages, a logo, and whether it is for a line that is near full.
struct Dress<'a> {
    services: Vec<Value>,
    languages: bool,
    logo: &'a str,
    small: bool,
}

pub struct Renderer {
    templates: Environment<'static>,
    style: String,
    script: String,
    waiting: String,
}

impl Renderer {
    pub fn new() -> Renderer {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        // The templates are part of the build; a test renders every page from them.
        TEMPLATES.into_iter().for_each(|(name, text)| drop(templates.add_template(name, text)));
        Renderer { templates, style: lines(STYLE), script: slim::script(SCRIPT), waiting: slim::script(WAITING_SCRIPT) }
    }

    /// One page; without `of` it is no portal's.
    pub fn page(&self, of: Option<Of<'_>>, voice: &Voice, page: Page) -> Html {
        if page.is_bare() {
            return self.bare(of, voice, page);
        }
        // Where the whole is told the line that names it would say it twice.
        let told = matches!(page, Page::Statement | Page::StatementUnsure);
        let whole = of.filter(|_| told).and_then(|of| of.news.lead().map(|shown| (of, shown)));
        let line = of.filter(|_| whole.is_none()).map_or(String::new(), |of| self.line(of, voice));
        let made = |ways: usize, logo: &str| {
            let render = |updates: usize| {
                let story = whole.map_or(String::new(), |(of, shown)| self.story(of, voice, shown, updates));
                let services = of.map_or(Vec::new(), |of| ways::out(of.portal, voice, ways));
                self.one(of, voice, page, (&line, &story), Dress { services, languages: true, logo, small: false })
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
        Html { packed, body, language: voice.tag.clone(), csp: self.policy(of, page) }
    }

    /// What a page says of incidents: in a line, and as a whole.
    fn one(
        &self,
        of: Option<Of<'_>>,
        voice: &Voice,
        page: Page,
        (line, story): (&str, &str),
        Dress { services, languages, logo, small }: Dress<'_>,
    ) -> String {
        let key = key(page);
        let answers = !matches!(page, Page::Statement | Page::StatementForm);
        // What is closed is not back in some minutes, and is told by the line that says so.
        let closed = of.filter(|of| !answers && of.news.is_closed());
        let shut = closed.and_then(|of| Teller::new(of.portal, voice).mood(of.news));
        let soon = !answers && closed.is_none() && of.is_none_or(|of| of.news.lead().is_none());
        let portal = of.map(|of| of.portal);
        let title = portal.map(|p| p.title.as_str());
        let (head, lead) = (format!("{key}_title"), format!("{key}_lead"));
        let resend = page == Page::ChallengeResend;
        self.render(
            "page",
            context! {
                news => if shut.is_some() { "" } else { line },
                lead => shut.unwrap_or_else(|| called(voice, &lead, title)),
                soon => soon,
                home => page == Page::NotFound,
                note => Value::from_safe_string(voice.html(&note(page), &[])),
                portal => title,
                story => story,
                services => services,
                languages => of.filter(|_| languages).map(choices),
                stays => !page.may_be_left(),
                beside => beside(page),
                checks => page.asks_to_check(),
                retry => closed.is_none() && matches!(page, Page::Statement | Page::Busy | Page::Limited),
                script => page.is_challenge(),
                send => page.sends(),
                waits => waiting::said(page, voice),
                resend => resend,
                aloud => Value::from_safe_string(voice.aloud()),
                done => voice.get(if resend { "resend_done" } else { "challenge_done" }),
                by_hand => voice.get(if resend { "resend_by_hand" } else { "challenge_by_hand" }),
                form => page.carries().then(|| mark(Hole::Form)),
                wait => mark(Hole::Wait),
                logo => logo,
                css => if small { small::style().into() } else { self.style(of) },
                js => if small { "" } else { self.script_of(page) },
                seal => mark(Hole::Seal),
                reference => mark(Hole::Reference),
                ..titled(voice, &head, title)
            },
        )
    }

    fn line(&self, of: Of<'_>, voice: &Voice) -> String {
        self.news(of, voice, Told::Whole)
    }

    fn news(&self, of: Of<'_>, voice: &Voice, told: Told) -> String {
        let line = Teller::new(of.portal, voice).line(of.news, told);
        let brief = told != Told::Whole;
        line.map_or(String::new(), |line| self.render("news", context! { line, brief, ..spoken(voice) }))
    }

    /// An incident with so many of its newest updates; with none it is its headline.
    fn story(&self, of: Of<'_>, voice: &Voice, shown: &Shown, updates: usize) -> String {
        let story = Teller::new(of.portal, voice).story(shown, updates);
        self.render("story", context! { s => story, brief => updates == 0, ..spoken(voice) })
    }

    fn render(&self, name: &str, with: Value) -> String {
        lines(&self.templates.get_template(name).and_then(|template| template.render(with)).unwrap_or_default())
    }

    fn script_of(&self, page: Page) -> &str {
        if page.waits() { &self.waiting } else { &self.script }
    }

    fn policy(&self, of: Option<Of<'_>>, page: Page) -> String {
        let style = hash(&self.style(of));
        let common =
            format!("default-src 'none'; style-src '{style}'; img-src data:; base-uri 'none'; frame-ancestors 'none'");
        if page.is_challenge() || page.waits() {
            // No form-action: Chromium asks it for every redirect after a form too, and an origin that answers with one to a
            // payment provider would be stopped here.
            return format!(
                "{common}; script-src '{}'; worker-src blob:; connect-src 'self'",
                hash(self.script_of(page))
            );
        }
        if page.carries() { common } else { format!("{common}; form-action 'none'") }
    }
}

/// What every template is given.
fn spoken(voice: &Voice) -> Value {
    context! { t => voice.html.clone(), plain => voice.plain.clone(), lang => voice.tag.as_str() }
}

/// The same, with the page's title: for the tab, and for its heading.
fn titled(voice: &Voice, key: &str, portal: Option<&str>) -> Value {
    context! {
        title => voice.get(key).replace("{portal}", portal.unwrap_or("boma")),
        title_marks => Value::from_safe_string(voice.marks(key)),
        head => called(voice, key, portal),
        ..spoken(voice)
    }
}

/// A sentence in which the portal may be called by its title.
fn called(voice: &Voice, key: &str, portal: Option<&str>) -> Value {
    let title = voice.called(portal.unwrap_or("boma"));
    Value::from_safe_string(voice.html(key, &[("{portal}", &title)]))
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
        Page::Left => "left",
        Page::Waiting | Page::WaitingForm | Page::WaitingResend => "waiting",
        Page::Denied => "denied",
        Page::NotFound => "not_found",
        Page::BadRequest => "bad_request",
        Page::TooLarge => "too_large",
        Page::WrongHost => "wrong_host",
    }
}

/// The key of what a page says in bold.
fn note(page: Page) -> String {
    match page {
        Page::WaitingForm => "send_note".into(),
        Page::WaitingResend => "waiting_resend".into(),
        page if page.sends() && page != Page::AskForm => "send_note".into(),
        page => format!("{}_note", key(page)),
    }
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

/// Has a link open beside a page that may not be left.
fn beside(page: Page) -> Value {
    Value::from_safe_string(if page.may_be_left() { String::new() } else { " target=\"_blank\"".to_owned() })
}

/// Links to the portal's languages, by their own names.
fn choices(of: Of<'_>) -> Vec<Value> {
    let shown = of.voices.iter().map(|v| context! { tag => v.tag.as_str(), name => v.name() });
    if of.voices.len() > 1 { shown.collect() } else { Vec::new() }
}

/// What stands in a template where a hole will be; as wide as the hole, and nothing that a title could hold by
/// chance. What fills that of a form has a width of its own.
pub fn mark(hole: Hole) -> String {
    match hole {
        Hole::Reference => format!("{:\u{7e}^width$}", "HOLE-REFERENCE", width = REFERENCE_WIDTH),
        Hole::Seal => format!("{:\u{7e}^width$}", "HOLE-SEAL", width = SEAL_WIDTH),
        Hole::Code => code::field(),
        Hole::Wait => format!("{:\u{7e}^width$}", "W", width = WAIT_WIDTH),
        Hole::Form => "~~~HOLE-FORM~~~".into(),
        Hole::Place => format!("{:\u{7e}^width$}", "PLACE", width = PLACE_WIDTH),
        Hole::From => format!("{:\u{7e}^width$}", "F", width = MINUTES_WIDTH),
        Hole::To => format!("{:\u{7e}^width$}", "T", width = MINUTES_WIDTH),
        Hole::Known => format!("{:\u{7e}^width$}", "K", width = HIDDEN.len()),
        Hole::Unknown => format!("{:\u{7e}^width$}", "U", width = HIDDEN.len()),
        Hole::Still => format!("{:\u{7e}^width$}", "S", width = HIDDEN.len()),
    }
}

/// The marks become holes, in the order in which they lie.
fn prepare(text: String) -> Prepared {
    let mut holes = Vec::new();
    let line = [Hole::Place, Hole::From, Hole::To, Hole::Known, Hole::Unknown, Hole::Still];
    for hole in [Hole::Reference, Hole::Seal, Hole::Wait, Hole::Form, Hole::Code].into_iter().chain(line) {
        let mark = mark(hole);
        holes.extend(text.match_indices(&mark).map(|(at, _)| (hole, at..at + mark.len())));
    }
    holes.sort_by_key(|(_, range)| range.start);
    Prepared { bytes: text.into(), holes }
}

/// A source expression of CSP level 3 for inline text.
pub fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}
