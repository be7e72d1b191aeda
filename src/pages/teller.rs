//! An incident told to one reader: in their language where it was written in it, else in the portal's, and says so; times
//! in the portal's zone.
//!
//! Does not know: layout.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{HtmlEscape, Value, context};

use super::news::{self, Mood, News, Restraint, Shown, Up};
use super::text::{self, Voice};
use crate::incident::sms::{self, Sms};
use crate::incident::{Incident, Said, State, Texts, Update};
use crate::portal::{Portal, Service};

/// How much a line says of an incident; by when more is told it always says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Whole,
    /// Its title, not how far it has come.
    Brief,
    /// That there is one. A title is whole or not there: what is left of a cut one may say the contrary.
    Notice,
}

pub struct Teller<'a> {
    pub portal: &'a Portal,
    pub voice: &'a Voice,
    zone: TimeZone,
}

impl<'a> Teller<'a> {
    pub fn new(portal: &'a Portal, voice: &'a Voice) -> Teller<'a> {
        let zone = TimeZone::get(&portal.timezone).unwrap_or(TimeZone::UTC);
        Teller { portal, voice, zone }
    }

    /// The text for this reader, and its tag.
    pub fn pick<'t>(&self, texts: &'t Texts) -> Option<(&'t str, String)> {
        pick(self.portal, texts, &self.voice.tag)
    }

    pub fn plain(&self, texts: &Texts) -> String {
        self.pick(texts).map_or(String::new(), |(_, text)| text)
    }

    /// As HTML, marked where it is in another language; empty where nothing is said.
    fn html(&self, texts: &Texts) -> Value {
        let Some((tag, text)) = find(self.portal, texts, &self.voice.tag) else { return Value::from(()) };
        let title = self.voice.called_in(tag, &self.portal.title);
        let html = HtmlEscape(text).to_string().replace("{portal}", &title).replace('\n', "<br>");
        Value::from_safe_string(self.voice.marked(tag, html))
    }

    /// A sentence of the language's, plain.
    pub fn name(&self, key: &str) -> String {
        self.voice.get(key).replace("{portal}", &self.portal.title)
    }

    /// The same as HTML, marked where it is in another language.
    pub fn label(&self, key: &str) -> Value {
        self.filled(key, &[])
    }

    fn filled(&self, key: &str, more: &[(&str, &str)]) -> Value {
        let title = self.voice.called(&self.portal.title);
        let holes: Vec<_> = [("{portal}", title.as_str())].into_iter().chain(more.iter().copied()).collect();
        Value::from_safe_string(self.voice.html(key, &holes))
    }

    pub fn shown_time(&self, unix: u64) -> String {
        self.zoned(unix).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    fn zoned(&self, unix: u64) -> jiff::Zoned {
        Timestamp::from_second(i64::try_from(unix).unwrap_or(i64::MAX)).unwrap_or_default().to_zoned(self.zone.clone())
    }

    fn time(&self, unix: u64) -> String {
        let machine = self.zoned(unix).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        format!("<time datetime=\"{machine}\" dir=\"ltr\">{}</time>", HtmlEscape(&self.shown_time(unix)))
    }

    /// The same in fewer bytes, without what only programs read.
    fn brief_time(&self, unix: u64) -> String {
        format!("<time dir=ltr>{}</time>", HtmlEscape(&self.shown_time(unix)))
    }

    /// A sentence of the language's with a time in it, as HTML.
    pub fn sentence(&self, key: &str, unix: u64) -> Value {
        self.filled(key, &[("{time}", &self.time(unix))])
    }

    pub fn plain_sentence(&self, key: &str, unix: u64) -> String {
        self.name(key).replace("{time}", &self.shown_time(unix))
    }

    pub fn overall_key(worst: Up) -> &'static str {
        if worst == Up::Operational { "all_well" } else { "not_well" }
    }

    fn state_key(incident: &Incident) -> String {
        match incident.withdrawn {
            Some(_) => "state_withdrawn".to_owned(),
            None => format!("state_{}", incident.state().as_str()),
        }
    }

    fn state(&self, incident: &Incident) -> Value {
        self.label(&Teller::state_key(incident))
    }

    fn next(&self, shown: &Shown) -> Option<(&'static str, u64)> {
        shown.incident.next().map(|at| (if shown.late { "next_late" } else { "next_update" }, at))
    }

    fn mood_key(mood: Mood) -> &'static str {
        match mood.what {
            Restraint::Slow => "auto_slow",
            Restraint::Failing => "auto_failing",
            Restraint::Returning => "auto_returning",
            Restraint::Copies => "auto_copies",
            Restraint::Closed => "auto_closed",
        }
    }

    pub fn mood(&self, news: &News) -> Option<Value> {
        news.mood().map(|m| self.sentence(Teller::mood_key(m), m.since))
    }

    /// What every page says: the gravest incident in a line, or boma's own sentence.
    pub fn line(&self, news: &News, told: Told) -> Option<Value> {
        let Some(shown) = news.lead() else {
            return self.mood(news).map(|mood| context! { mood });
        };
        Some(self.headline(shown, told))
    }

    fn headline(&self, shown: &Shown, told: Told) -> Value {
        let incident = &shown.incident;
        let time = |at| if told == Told::Whole { self.time(at) } else { self.brief_time(at) };
        context! {
            title => if told == Told::Notice { self.label("news_brief") } else { self.html(&incident.present().title) },
            state => (told == Told::Whole).then(|| self.state(incident)),
            next => self.next(shown).map(|(key, at)| self.filled(key, &[("{time}", &time(at))])),
        }
    }

    /// What the banner over a copy tells besides, as HTML: the news, if there are any, and the way to the status page.
    pub fn banner(&self, news: &News) -> String {
        let line = match news.lead() {
            Some(shown) => {
                let next = self.next(shown).map_or(String::new(), |(key, at)| format!(" · {}", self.sentence(key, at)));
                format!("<b>{}</b>{next}", self.html(&shown.incident.present().title))
            }
            None => self.mood(news).map_or(String::new(), |mood| mood.to_string()),
        };
        let line = if line.is_empty() { line } else { format!("<br>{line}") };
        let link = self.voice.html("status_link", &[]);
        format!("{line}<br><a href=\"/.well-known/boma/status\">{link}</a>")
    }

    /// The whole, with so many of its newest updates.
    pub fn story(&self, shown: &Shown, updates: usize) -> Value {
        let incident = &shown.incident;
        let present = incident.present();
        let planned = incident.state() == State::Scheduled || present.starts.is_some();
        let entries: Vec<Value> =
            incident.updates.iter().rev().take(updates).map(|u| self.entry(incident, u)).collect();
        let unknown = || self.label("unknown");
        let ask = |key: &str, texts: &Texts| {
            context! { ask => self.label(key), says => if texts.is_empty() { unknown() } else { self.html(texts) } }
        };
        let instead = present.instead.iter().map(|(service, says)| {
            context! { service => self.service_html(service), says => self.html(says) }
        });
        let ends = incident.ended().is_none().then_some(present.ends).flatten();
        context! {
            id => incident.id,
            head => self.headline(shown, Told::Whole),
            withdrawn => incident.withdrawn.as_ref().map(|w| self.sentence("withdrawn", w.at)),
            reason => incident.withdrawn.as_ref().map(|w| self.html(&w.reason)),
            begins => present.starts.filter(|_| planned).map(|at| self.sentence("begins", at)),
            since => (!planned).then(|| self.sentence("since", incident.opened())),
            ends => ends.map(|at| self.sentence("ends", at)),
            affects => self.affected(&present),
            works => self.html(&present.works),
            instead => instead.collect::<Vec<_>>(),
            deadlines => self.html(&present.deadlines),
            asks => asks(&present).map(|(key, texts)| ask(key, texts)).to_vec(),
            entries => entries,
            more => incident.updates.len() > updates,
        }
    }

    /// One that has ended, in short.
    pub fn past(&self, shown: &Shown) -> Option<Value> {
        let incident = &shown.incident;
        let to = incident.ended()?;
        let says = match &incident.withdrawn {
            Some(withdrawn) => self.html(&withdrawn.reason),
            None => incident.updates.last().map_or(Value::from(()), |u| self.html(&u.said.text)),
        };
        Some(context! {
            title => self.html(&incident.present().title),
            state => self.state(incident),
            from => Value::from_safe_string(self.time(incident.opened())),
            to => Value::from_safe_string(self.time(to)),
            says => says,
        })
    }

    fn affects(&self, present: &Said) -> String {
        match present.affects.as_deref() {
            None | Some([]) => self.name("affects_all"),
            Some(all) => all.iter().map(|a| self.service(a)).collect::<Vec<_>>().join(" · "),
        }
    }

    /// The same as HTML.
    fn affected(&self, present: &Said) -> Value {
        match present.affects.as_deref() {
            None | Some([]) => self.label("affects_all"),
            Some(all) => {
                let named = all.iter().map(|named| self.service_html(named).to_string());
                Value::from_safe_string(named.collect::<Vec<_>>().join(" · "))
            }
        }
    }

    /// A service's name as HTML, marked where it is in another language.
    fn service_html(&self, written: &str) -> Value {
        let found = self.portal.services.iter().find(|s| news::is(s, written));
        let (tag, name) = found.and_then(|s| named(s, &self.voice.tag)).unwrap_or((&self.voice.tag, written));
        Value::from_safe_string(self.voice.marked(tag, HtmlEscape(name).to_string()))
    }

    /// A service's name for this reader.
    fn service(&self, named: &str) -> String {
        let found = self.portal.services.iter().find(|s| news::is(s, named));
        found.map_or_else(|| named.to_owned(), |s| self.service_name(s))
    }

    pub fn service_name(&self, service: &Service) -> String {
        named(service, &self.voice.tag).map_or(String::new(), |(_, name)| name.to_owned())
    }

    /// Who says an update.
    pub fn office(&self, update: &Update) -> String {
        update.office.clone().unwrap_or_else(|| self.portal.title.clone())
    }

    fn entry(&self, incident: &Incident, update: &Update) -> Value {
        let later =
            incident.updates.iter().filter(|u| u.n > update.n).fold(Said::default(), |all, u| all.with(&u.said));
        let mut corrected = Vec::new();
        for (i, correction) in update.corrections.iter().enumerate().rev() {
            let after = update.corrections.get(i + 1).map_or(&update.said, |next| &next.before);
            let old = self.differing(&correction.before, after);
            // A word that was mended in another language only is no correction to this reader.
            if !old.is_empty() {
                corrected.push(context! { says => self.sentence("corrected", correction.at), old });
            }
        }
        context! {
            n => update.n,
            state => update.said.state.map(|s| self.label(&format!("state_{}", s.as_str()))),
            time => Value::from_safe_string(self.time(update.at)),
            office => self.office(update),
            says => self.html(&update.said.text),
            // What no longer holds stays where it was said.
            replaced => self.replaced(&update.said, &later),
            corrected => corrected,
        }
    }

    /// Texts of an update that a later one says anew.
    fn replaced(&self, said: &Said, later: &Said) -> Vec<Value> {
        let mut all = Vec::new();
        for ((key, old), (_, new)) in facts(said).into_iter().zip(facts(later)) {
            if !old.is_empty() && !new.is_empty() {
                all.push(context! { label => self.label(key), says => self.html(old) });
            }
        }
        for (service, old) in said.instead.iter().filter(|(service, _)| later.instead.contains_key(*service)) {
            all.push(context! { label => self.service_html(service), says => self.html(old) });
        }
        for (key, old, new) in [("begins", said.starts, later.starts), ("ends", said.ends, later.ends)] {
            if let (Some(old), Some(_)) = (old, new) {
                all.push(context! { says => self.sentence(key, old) });
            }
        }
        all
    }

    /// What this reader was told otherwise before.
    fn differing(&self, before: &Said, after: &Said) -> Vec<Value> {
        let told =
            |old: &Texts, new: &Texts| (!old.is_empty() && self.plain(old) != self.plain(new)).then(|| self.html(old));
        let mut all: Vec<Value> = told(&before.text, &after.text).into_iter().collect();
        all.extend(facts(before).into_iter().zip(facts(after)).filter_map(|((_, old), (_, new))| told(old, new)));
        let none = Texts::new();
        all.extend(before.instead.iter().filter_map(|(s, old)| told(old, after.instead.get(s).unwrap_or(&none))));
        for (key, old, new) in [("begins", before.starts, after.starts), ("ends", before.ends, after.ends)] {
            all.extend(old.filter(|_| old != new).map(|at| self.sentence(key, at)));
        }
        if before.affects.is_some() && before.affects != after.affects {
            all.push(self.affected(before));
        }
        all
    }

    /// The whole in plain lines, as staff look at it before it is published.
    pub fn lines(&self, shown: &Shown) -> Vec<String> {
        let incident = &shown.incident;
        let present = incident.present();
        let mut lines = vec![self.plain(&present.title), self.name(&Teller::state_key(incident))];
        lines.extend(self.next(shown).map(|(key, at)| self.plain_sentence(key, at)));
        lines.extend(present.starts.map(|at| self.plain_sentence("begins", at)));
        lines.extend(present.ends.map(|at| self.plain_sentence("ends", at)));
        lines.extend(incident.updates.last().map(|u| self.plain(&u.said.text)));
        let colon = self.voice.get("colon");
        let label = |key: &str, says: String| format!("{}{colon} {says}", self.name(key));
        lines.push(label("affects", self.affects(&present)));
        let said = [("works", &present.works), ("deadlines", &present.deadlines)];
        lines.extend(said.into_iter().filter(|(_, t)| !t.is_empty()).map(|(key, t)| label(key, self.plain(t))));
        lines.extend(present.instead.iter().map(|(s, t)| format!("{}{colon} {}", self.service(s), self.plain(t))));
        for (key, texts) in asks(&present) {
            let says = if texts.is_empty() { self.name("unknown") } else { self.plain(texts) };
            lines.push(format!("{} {says}", self.name(key)));
        }
        lines
    }

    /// What can be sent to phones: the headline, whole or not at all, and as much more as fits.
    pub fn sms(&self, shown: &Shown) -> Sms {
        let title = self.plain(&shown.incident.present().title);
        let of = |title: &str| format!("{}{} {title}", self.portal.title, self.voice.get("colon"));
        let named = if title.contains(&self.portal.title) { title.clone() } else { of(&title) };
        let ended = |text: &String| text.ends_with(['.', '!', '?']);
        let sentence = |text: String| if ended(&text) { text } else { format!("{text}.") };
        let all = [named, title, of(self.voice.get("news_brief"))].map(sentence);
        let headline = all.iter().find(|t| t.chars().count() <= sms::MOST).unwrap_or(&all[2]);
        let next = self.next(shown).map_or(String::new(), |(key, at)| self.plain_sentence(key, at) + ".");
        let next = next.replace("..", ".");
        let url = self.portal.host.as_ref().map_or(String::new(), |h| format!("https://{h}/.well-known/boma/status"));
        // A space that does not break would make a longer message of the whole.
        let spaced = |text: &str| text.replace(['\u{a0}', '\u{202f}'], " ");
        sms::fit(&[&spaced(headline), &spaced(&next), &url])
    }
}

/// What an update may say beside its text, by the keys of their labels.
fn facts(said: &Said) -> [(&'static str, &Texts); 6] {
    let [data, payments, form] = asks(said);
    [("news", &said.title), ("works", &said.works), ("deadlines", &said.deadlines), data, payments, form]
}

/// The three questions that people ask, by the keys of their labels.
fn asks(said: &Said) -> [(&'static str, &Texts); 3] {
    [("ask_data", &said.data), ("ask_payments", &said.payments), ("ask_forms", &said.form)]
}

/// A service's name in a language, else its first, and the tag of that.
pub fn named<'s>(service: &'s Service, tag: &str) -> Option<(&'s str, &'s str)> {
    let all = || service.name.iter().map(|(tag, name)| (tag, name.as_str()));
    text::find(all(), tag).or_else(|| all().next().map(|(tag, name)| (tag.as_str(), name)))
}

/// The text for readers of a language, else of the portal's, and its tag.
pub fn pick<'t>(portal: &Portal, texts: &'t Texts, tag: &str) -> Option<(&'t str, String)> {
    find(portal, texts, tag).map(|(tag, text)| (tag, text.replace("{portal}", &portal.title)))
}

/// The same as it was written.
fn find<'t>(portal: &Portal, texts: &'t Texts, tag: &str) -> Option<(&'t str, &'t String)> {
    let wanted = [tag].into_iter().chain(portal.languages.iter().map(String::as_str));
    let found = wanted.into_iter().find_map(|tag| text::find(texts.iter(), tag));
    found.or_else(|| texts.iter().next().map(|(tag, text)| (tag.as_str(), text)))
}
