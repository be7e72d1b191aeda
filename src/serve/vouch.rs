//! When an origin lets it be known that it knows who is asking: by answering a path that only those who are signed in see,
//! or by the field `Boma-Session: proven`, which is for boma and goes no further.
//!
//! Does not know: what that is worth.

use crate::admit::Standing;
use crate::origin::{Answer, SESSION_FIELD};
use crate::portal::Portal;
use crate::posture::origin_of;
use crate::wire::Head;

use super::read::Request;
use super::visit::Visit;

/// Hears what an answer says of its request's session, and takes the field off.
pub fn hear(visit: &Visit<'_>, request: &Request, head: &dyn Head, answer: &mut Answer) {
    let proven = match answer.fields.first(SESSION_FIELD) {
        Some(word) => {
            let proven = word.trim_ascii().eq_ignore_ascii_case(b"proven");
            answer.fields.remove(SESSION_FIELD);
            proven
        }
        None => false,
    };
    let Some(pass) = visit.pass else { return };
    let portal = visit.portal();
    let answered = || {
        let read = matches!(head.method(), "GET" | "HEAD") && (200..300).contains(&answer.status);
        read && portal.proves_session(&request.match_path)
    };
    if !proven && !answered() {
        return;
    }
    let (settled, now) = (&visit.house.settled, visit.now.unix());
    match session(portal, head) {
        Some(session) => settled.vouched_for(pass.id, &session, now),
        // Whoever has just signed in has a session only from this answer on.
        None if proven => settled.vouched_alone(pass.id, origin_of(&visit.client), now),
        None => {}
    }
}

/// How well boma knows who asks, for the order in which a full gate lets people in.
pub fn standing(visit: &Visit<'_>) -> Standing {
    let (settled, now) = (&visit.house.settled, visit.now.unix());
    match visit.vouched() {
        Some(pass) if settled.is_vouched(pass.id, now) => Standing::Proven,
        Some(pass) if !settled.is_ordinary(pass, now) => Standing::Suspect,
        Some(_) => Standing::Pass,
        None if visit.unheard => Standing::Suspect,
        None => Standing::Unknown,
    }
}

/// Whether somebody shows that they are signed in.
pub fn has_session(portal: &Portal, head: &dyn Head) -> bool {
    session(portal, head).is_some()
}

/// What shows who is signed in: the portal's session cookies, or credentials.
fn session(portal: &Portal, head: &dyn Head) -> Option<Vec<u8>> {
    let mut session = head.field("authorization").unwrap_or_default().to_vec();
    head.any("cookie", &mut |value| {
        for pair in value.split(|b| *b == b';').map(<[u8]>::trim_ascii) {
            let name = pair.split(|b| *b == b'=').next().unwrap_or_default();
            if portal.session_cookies.iter().any(|c| c.as_bytes() == name) {
                session.extend_from_slice(pair);
            }
        }
        false
    });
    (!session.is_empty()).then_some(session)
}
