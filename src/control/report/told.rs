//! What the record of incidents says: the incident, each statement, and whether the next one came when it was promised.
//!
//! Does not know: totals, the journal, how a report is written.

use std::sync::Arc;

use crate::incident::{Incident, State, Texts, Update};
use crate::pages;
use crate::portal::Portal;
use crate::report::{self, At, Statement};

pub(super) fn incident_of(incident: &Incident, portal: &Portal) -> report::Incident {
    let present = incident.present();
    let text = |texts: &Texts| in_english(portal, texts).map_or(String::new(), |(_, text)| text);
    let after = incident.updates.iter().rev().find(|u| u.said.state == Some(State::Postmortem));
    report::Incident {
        id: incident.id,
        title: text(&present.title),
        state: if incident.withdrawn.is_some() { "withdrawn" } else { incident.state().as_str() }.into(),
        opened: At(incident.opened()),
        ended: incident.ended().map(At),
        updates: incident.updates.len(),
        affects: present.affects.clone().unwrap_or_default(),
        data: text(&present.data),
        payments: text(&present.payments),
        postmortem: after.map_or(String::new(), |u| text(&u.said.text)),
    }
}

/// The updates of incidents within a span, or all of one incident's.
pub(super) fn statements(
    all: &[Arc<Incident>],
    of: Option<u64>,
    (from, to): (u64, u64),
    portals: &[Arc<Portal>],
) -> Vec<Statement> {
    let concerned = |i: &&Arc<Incident>| match of {
        Some(id) => i.id == id,
        None => portals.iter().any(|p| i.concerns(&p.name)),
    };
    let mut told: Vec<Statement> = Vec::new();
    for incident in all.iter().filter(concerned) {
        let mut state = State::Investigating;
        for (place, update) in incident.updates.iter().enumerate() {
            state = update.said.state.unwrap_or(state);
            if of.is_some() || (from..=to).contains(&update.at) {
                let after = incident.updates.get(place + 1).map(|u| u.at);
                let followed = after.or_else(|| incident.withdrawn.as_ref().map(|w| w.at));
                told.push(statement(incident, update, (state, followed), portals));
            }
        }
    }
    told.sort_by_key(|s| s.at);
    told
}

fn statement(
    incident: &Incident,
    update: &Update,
    (state, followed): (State, Option<u64>),
    portals: &[Arc<Portal>],
) -> Statement {
    // As it was said first: what corrected it came later.
    let said = update.corrections.first().map_or(&update.said, |c| &c.before);
    let readers = || portals.iter().filter(|p| incident.concerns(&p.name));
    let mut lacks: Vec<&str> = readers().flat_map(|p| pages::missing(p, &said.text)).collect();
    lacks.sort_unstable();
    lacks.dedup();
    let title = || readers().map(|p| p.title.as_str()).collect::<Vec<_>>().join(", ");
    let (text_in, text) = readers().next().and_then(|p| in_english(p, &said.text)).unwrap_or_default();
    let (instead, _) = readers().next().and_then(|p| pages::told(p, &said.text, None)).unwrap_or_default();
    Statement {
        incident: incident.id,
        update: update.n,
        at: At(update.at),
        state: state.as_str().into(),
        office: update.office.clone().unwrap_or_else(title),
        languages: said.text.keys().cloned().collect(),
        lacks: lacks.into_iter().map(str::to_owned).collect(),
        text,
        text_in: text_in.to_owned(),
        instead: instead.to_owned(),
        next: said.next.map(At),
        followed: followed.map(At),
        met: None,
    }
}

/// As the report is written in English; in another language where it was not said in that.
fn in_english<'t>(portal: &Portal, texts: &'t Texts) -> Option<(&'t str, String)> {
    pages::told(portal, texts, Some("en"))
}
