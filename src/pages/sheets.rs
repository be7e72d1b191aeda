//! What is served as it lies: the status page, the same in the shape of Statuspage's v2 summary, and as an Atom feed (RFC 4287).
//!
//! Does not know: who asks.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use minijinja::HtmlEscape;
use serde_json::{Value, json};

use super::news::{self, News, Shown};
use super::pack::Packed;
use super::render::{Of, Renderer};
use super::teller::Teller;
use super::text::Voice;
use crate::bounds;
use crate::incident::{Impact, Incident, State, Update};
use crate::portal::{Portal, Service};
use crate::wire::Prepared;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    Page,
    Json,
    Atom,
}

/// A sheet in one language.
pub struct Document {
    /// The page has a hole for a reference code.
    pub body: Prepared,
    pub packed: Option<Packed>,
    pub kind: &'static str,
    pub language: String,
    /// What the weak validator of RFC 9110 section 8.8.3 is made of: packed or not it says the same.
    pub mark: String,
    /// Of a page.
    pub csp: Option<String>,
}

impl Document {
    fn new(text: Prepared, kind: &'static str, language: &str, csp: Option<String>) -> Document {
        let hash = digest(&SHA256, &text.bytes);
        let mark = hash.as_ref()[..12].iter().map(|b| format!("{b:02x}")).collect();
        let packed = Packed::new(&text);
        Document { body: text, packed, kind, language: language.to_owned(), mark, csp }
    }
}

/// In the order of [`Sheet`].
pub fn all(renderer: &Renderer, of: Of<'_>, voice: &Voice, now_unix: u64) -> Vec<Document> {
    let page = renderer.status(of, voice);
    let tag = &voice.tag;
    let plain = |text: String| Prepared { bytes: text.into(), holes: Vec::new() };
    let teller = Teller::new(of.portal, voice);
    let writer = Writer { teller, news: of.news, now: now_unix };
    vec![
        Document::new(page.body, "text/html; charset=utf-8", tag, Some(page.csp)),
        Document::new(plain(writer.summary().to_string()), "application/json", tag, None),
        Document::new(plain(writer.feed(tag)), "application/atom+xml", tag, None),
    ]
}

struct Writer<'a> {
    teller: Teller<'a>,
    news: &'a News,
    /// When this was written.
    now: u64,
}

/// RFC 3339.
fn stamp(unix: u64) -> String {
    Timestamp::from_second(i64::try_from(unix).unwrap_or(i64::MAX)).unwrap_or_default().to_string()
}

impl Writer<'_> {
    fn portal(&self) -> &Portal {
        self.teller.portal
    }

    fn url(&self, path: &str) -> String {
        let host = self.portal().host.as_deref();
        host.map_or(path.to_owned(), |host| format!("https://{host}{path}"))
    }

    fn summary(&self) -> Value {
        let portal = self.portal();
        let worst = self.news.worst(portal);
        let live = || self.news.incidents.iter().filter(|s| s.incident.ended().is_none());
        let planned = |s: &&Shown| is_planned(&s.incident);
        json!({
            "page": {
                "id": portal.name, "name": portal.title, "url": self.url("/.well-known/boma/status"),
                "time_zone": portal.timezone, "updated_at": stamp(self.now),
            },
            "status": { "indicator": worst.indicator(), "description": self.teller.name(Teller::overall_key(worst)) },
            "components": self.components(),
            "incidents": live().filter(|s| !planned(s)).map(|s| self.incident(s)).collect::<Vec<_>>(),
            "scheduled_maintenances": live().filter(planned).map(|s| self.planned(s)).collect::<Vec<_>>(),
            "postmortems": self.news.incidents.iter().filter_map(|s| self.postmortem(s)).collect::<Vec<_>>(),
            "uptime": { "definition": crate::uptime::DEFINITION, "days": *self.news.days },
        })
    }

    fn components(&self) -> Vec<Value> {
        let portal = self.portal();
        if portal.services.is_empty() {
            return vec![self.component(None, 0)];
        }
        portal.services.iter().enumerate().map(|(at, s)| self.component(Some(s), at)).collect()
    }

    fn component(&self, service: Option<&Service>, at: usize) -> Value {
        let portal = self.portal();
        let name = service.map_or(portal.title.clone(), |s| self.teller.service_name(s));
        // Since when it is there nobody says: since when it is watched boma knows.
        let first = self.news.days.first().map(|day| day.date.as_str());
        json!({
            "start_date": first, "created_at": first.map_or(stamp(self.now), |date| format!("{date}T00:00:00Z")),
            "id": format!("{}-{}", portal.name, at + 1), "name": name, "status": self.news.up(service).as_str(),
            "position": at + 1, "description": null, "page_id": portal.name, "group_id": null, "group": false,
            "showcase": true, "only_show_if_degraded": false, "updated_at": stamp(self.now),
        })
    }

    fn incident(&self, shown: &Shown) -> Value {
        let (incident, page) = (&shown.incident, &self.portal().name);
        let present = incident.present();
        let at = |state: State| incident.updates.iter().find(|u| u.said.state == Some(state)).map(|u| stamp(u.at));
        let affected = self.portal().services.iter().enumerate().filter(|(_, s)| news::affects(incident, s));
        json!({
            "id": incident.id.to_string(), "name": self.teller.plain(&present.title),
            "status": incident.state().as_str(), "impact": present.impact.unwrap_or_default().as_str(),
            "created_at": stamp(incident.opened()), "started_at": stamp(incident.opened()),
            "updated_at": stamp(incident.changed()), "monitoring_at": at(State::Monitoring), "resolved_at": null, "reminder_intervals": null,
            "shortlink": self.url("/.well-known/boma/status"), "page_id": page,
            "components": affected.map(|(at, s)| self.component(Some(s), at)).collect::<Vec<_>>(),
            "incident_updates": incident.updates.iter().rev().map(|u| self.update(incident, u)).collect::<Vec<_>>(),
        })
    }

    /// Statuspage's words, but not in its summary, which tells of what is open alone.
    fn postmortem(&self, shown: &Shown) -> Option<Value> {
        let learned = shown.incident.postmortem()?;
        let mut value = self.incident(shown);
        value["resolved_at"] = shown.incident.ended().map(stamp).into();
        value["postmortem_body"] = self.teller.plain(&learned.said.text).into();
        value["postmortem_published_at"] = stamp(learned.at).into();
        Some(value)
    }

    fn update(&self, incident: &Incident, update: &Update) -> Value {
        let states = incident.updates.iter().filter(|u| u.n <= update.n);
        let state = states.filter_map(|u| u.said.state).next_back().unwrap_or(State::Investigating);
        let changed = update.corrections.last().map_or(update.at, |c| c.at);
        json!({
            "id": format!("{}-{}", incident.id, update.n), "incident_id": incident.id.to_string(),
            "status": status(incident, state), "body": self.teller.plain(&update.said.text),
            "created_at": stamp(update.at), "display_at": stamp(update.at), "updated_at": stamp(changed),
            "affected_components": null, "deliver_notifications": false, "custom_tweet": null, "tweet_id": null,
        })
    }

    /// Statuspage has a list and words of their own for what is planned.
    fn planned(&self, shown: &Shown) -> Value {
        let present = shown.incident.present();
        let mut value = self.incident(shown);
        value["status"] = match shown.incident.state() {
            State::Scheduled if shown.current => "in_progress",
            state => status(&shown.incident, state),
        }
        .into();
        value["impact"] = match present.impact {
            Some(Impact::None) => "none",
            _ => "maintenance",
        }
        .into();
        value["scheduled_for"] = stamp(present.starts.unwrap_or(shown.incident.opened())).into();
        value["scheduled_until"] = present.ends.map(stamp).into();
        value
    }

    fn feed(&self, tag: &str) -> String {
        let (portal, t) = (self.portal(), |text: &str| xml(text));
        let title = self.teller.name("status_title");
        let mut entries: Vec<(u64, String)> = Vec::new();
        for shown in &self.news.incidents {
            let incident = &shown.incident;
            entries.extend(incident.updates.iter().map(|u| (u.at, self.entry(incident, u))));
            entries.extend(incident.withdrawn.as_ref().map(|w| {
                let says = self.teller.plain(&w.reason);
                (w.at, self.written(incident, "withdrawn", (w.at, w.at), &portal.title, &says))
            }));
        }
        // Of one second the later update first.
        entries.reverse();
        entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let updated = self.news.incidents.iter().map(|s| s.incident.changed()).max().unwrap_or(self.now);
        let mut feed = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{}\">\n<id>{}</id>\n<title>{}</title>\n<updated>{}</updated>\n<author><name>{}</name></author>\n<generator>boma</generator>\n<link rel=\"self\" type=\"application/atom+xml\" href=\"{}?lang={}\"/>\n<link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n",
            t(tag),
            t(&self.tag("status")),
            t(&title),
            stamp(updated),
            t(&portal.title),
            t(&self.url("/.well-known/boma/status.atom")),
            t(tag),
            t(&self.url("/.well-known/boma/status")),
        );
        entries.into_iter().take(bounds::FEED_ENTRIES).for_each(|(_, entry)| feed.push_str(&entry));
        feed.push_str("</feed>\n");
        feed
    }

    /// An identifier that nobody else gives (RFC 4151).
    fn tag(&self, what: &str) -> String {
        let portal = self.portal();
        let host = portal.host.as_deref().unwrap_or("boma.invalid").split(':').next().unwrap_or_default();
        let name: String = portal.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("tag:{host},2026:boma/{name}/{what}")
    }

    fn entry(&self, incident: &Incident, update: &Update) -> String {
        let changed = update.corrections.last().map_or(update.at, |c| c.at);
        let mut says = self.teller.plain(&update.said.text);
        if let Some(correction) = update.corrections.last() {
            let old = self.teller.plain(&correction.before.text);
            if old != says {
                let _ = write!(says, "\n\n{} {old}", self.teller.plain_sentence("corrected", correction.at));
            }
        }
        self.written(incident, &update.n.to_string(), (update.at, changed), &self.teller.office(update), &says)
    }

    fn written(&self, incident: &Incident, n: &str, (at, changed): (u64, u64), office: &str, says: &str) -> String {
        let title = self.teller.plain(&incident.present().title);
        let id = self.tag(&format!("{}-{}/{n}", incident.opened(), incident.id));
        let link = self.url("/.well-known/boma/status");
        format!(
            "<entry>\n<id>{}</id>\n<title>{}</title>\n<published>{}</published>\n<updated>{}</updated>\n<author><name>{}</name></author>\n<link rel=\"alternate\" type=\"text/html\" href=\"{}#i{}\"/>\n<content type=\"text\">{}</content>\n</entry>\n",
            xml(&id),
            xml(&title),
            stamp(at),
            stamp(changed),
            xml(office),
            xml(&link),
            incident.id,
            xml(says),
        )
    }
}

/// What has a beginning that was told before it: it stays among what is planned until it ends.
fn is_planned(incident: &Incident) -> bool {
    incident.present().starts.is_some()
}

/// A state within Statuspage's words, which has others for what is planned.
fn status(incident: &Incident, state: State) -> &'static str {
    match state {
        _ if !is_planned(incident) => state.as_str(),
        State::Scheduled => "scheduled",
        State::Investigating | State::Identified => "in_progress",
        State::Monitoring => "verifying",
        State::Resolved | State::Postmortem => "completed",
    }
}

/// Text that XML may hold, escaped.
fn xml(text: &str) -> String {
    let held: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    HtmlEscape(&held).to_string()
}
