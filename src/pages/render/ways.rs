//! Whom to ask, and what to do instead of a service: phone, code and office, each kept in one piece whatever stands around it.
//!
//! Does not know: pages, how much room they have.

use minijinja::{HtmlEscape, Value, context};

use super::super::news::Up;
use super::super::teller::named;
use super::super::text::{self, Voice};
use super::Of;
use crate::portal::{Portal, Service};

/// Whom to ask, and services that can be had in another way.
pub(super) fn out(portal: &Portal, voice: &Voice, most: usize) -> Vec<Value> {
    let helps = |s: &&Service| s.has_way() || !s.instead.is_empty();
    let services = portal.services.iter().filter(helps).filter_map(|s| of_service(s, voice, None));
    of_portal(portal, voice).chain(services).take(most).collect()
}

/// One that is no more than a number, where there is one.
pub(super) fn short(portal: &Portal, voice: &Voice) -> Vec<Value> {
    let all = portal.contact.iter().chain(&portal.services);
    let number = all.map(|s| contacts(s, voice)).find_map(|all| all.into_iter().next());
    match number {
        Some(number) => vec![context! { ways => vec![Value::from_safe_string(number)] }],
        None => out(portal, voice, 1),
    }
}

/// Whom to ask where no service is meant.
pub(super) fn of_portal<'a>(portal: &'a Portal, voice: &'a Voice) -> impl Iterator<Item = Value> {
    let name = Value::from_safe_string(voice.called(&portal.title));
    portal.contact.iter().map(move |contact| context! { name => name.clone(), ..reached(contact, voice) })
}

/// All services, and how they are; the portal where it names none.
pub(super) fn states(of: Of<'_>, voice: &Voice, most: usize) -> Vec<Value> {
    let word = |up: Up| Value::from_safe_string(voice.html(&format!("up_{}", up.as_str()), &[]));
    if of.portal.services.is_empty() {
        let name = Value::from_safe_string(voice.called(&of.portal.title));
        return vec![context! { name, up => word(of.news.up(None)) }];
    }
    let state = |service: &Service| of_service(service, voice, Some(word(of.news.up(Some(service)))));
    of.portal.services.iter().filter_map(state).take(most).collect()
}

/// A service as pages list it; `up`: how it is.
fn of_service(service: &Service, voice: &Voice, up: Option<Value>) -> Option<Value> {
    let (tag, name) = named(service, &voice.tag)?;
    let (marks, instead) = (Value::from_safe_string(voice.marks_of(tag)), instead(service, voice));
    Some(context! { name, marks, up, instead => instead.map(Value::from_safe_string), ..reached(service, voice) })
}

fn reached(service: &Service, voice: &Voice) -> Value {
    context! { ways => contacts(service, voice).into_iter().map(Value::from_safe_string).collect::<Vec<_>>() }
}

/// What people can do instead, as HTML.
pub fn instead(service: &Service, voice: &Voice) -> Option<String> {
    let all = || service.instead.iter().map(|(tag, says)| (tag, says));
    let (tag, says) = text::find(all(), &voice.tag).or_else(|| all().next().map(|(tag, says)| (tag.as_str(), says)))?;
    Some(voice.marked(tag, HtmlEscape(says).to_string()))
}

/// Phone, code and office, each with its label, as HTML. Numbers are read from the left in every language.
pub fn contacts(service: &Service, voice: &Voice) -> Vec<String> {
    let colon = HtmlEscape(voice.get("colon")).to_string();
    let labelled = |key: &str, html: String| format!("{}{colon} {html}", voice.html(key, &[]));
    let number = |html: &str| format!("<bdi dir=\"ltr\">{html}</bdi>");
    let phone = service.phone.as_deref().map(|phone| {
        let digits: String = phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        labelled("phone", number(&format!("<a href=\"tel:{digits}\">{}</a>", HtmlEscape(phone))))
    });
    let ussd = service.ussd.as_deref().map(|code| labelled("ussd", number(&HtmlEscape(code).to_string())));
    let office = service.office.as_deref().map(|o| labelled("office", format!("<bdi>{}</bdi>", HtmlEscape(o))));
    [phone, ussd, office].into_iter().flatten().collect()
}
