//! When an origin lets it be known that it knows who is asking: by answering a path that only those who are signed in see,
//! or by the field `Boma-Session: proven`, which is for boma and goes no further.
//!
//! Does not know: what that is worth.

use crate::admit::Standing;
use crate::facts::{Kind, Pass};
use crate::origin::{Answer, SESSION_FIELD};
use crate::plan::Level;
use crate::portal::Portal;
use crate::posture::origin_of;
use crate::wire::Head;

use super::mint;
use super::read::{self, Request};
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

/// How well boma knows who asks, for the order in which a full gate lets people in; and how many pages they had of late.
pub fn standing(visit: &Visit<'_>) -> (Standing, u8) {
    let (house, now) = (visit.house, visit.now.unix());
    let habit = known(visit).map(|pass| house.habits.look(pass.id, now)).unwrap_or_default();
    let tells = visit.usual().tells();
    // Where reading says nothing, whose turn it is goes ahead of all others.
    let their_turn = if tells { Standing::Newcomer } else { Standing::Reader };
    // The first pages are everybody's, where they are the portal's own and no made-up addresses: whose browser has a page's parts
    // from an earlier visit shows nothing until the page has one that is new to it.
    let is_first = visit.first || (known(visit).is_some() && visit.spared && visit.exact && !habit.is_judged());
    // A page without its parts is not read, and asked for again: they come as their page came.
    let is_part = || visit.kind == Kind::Subresource && visit.exact && habit.is_here();
    let standing = match known(visit) {
        Some(pass) if house.settled.is_vouched(pass.id, now) => Standing::Proven,
        Some(_) if tells && habit.reads() && visit.called => Standing::Reader,
        // Whoever has waited for their turn has it.
        _ if visit.called && (is_first || !tells) => their_turn,
        _ if visit.called => Standing::Called,
        None if visit.unheard => Standing::Suspect,
        None if is_first => Standing::Newcomer,
        None => Standing::Unknown,
        Some(pass) if house.settled.is_over(pass.id, now) => Standing::Suspect,
        Some(_) if tells && habit.reads() => Standing::Reader,
        Some(_) if is_first || is_part() => their_turn,
        Some(pass) if !pass.vouches(now) => Standing::Unknown,
        Some(pass) if house.settled.is_ordinary(pass, now) => Standing::Pass,
        Some(_) => Standing::Suspect,
    };
    (standing, habit.took)
}

/// Whether this is taken for one of a person's first pages, or a part of one, although there is no pass that counts, as before the
/// posture asks for one: it is a page of the portal's own, and its prefix has not had many of late, or its pass is used as people use
/// theirs. A flood of made-up addresses comes after these; one that asks for what people ask for shares with them until the posture rises.
pub fn is_first(visit: &Visit<'_>) -> bool {
    if !visit.exact || known(visit).is_some() {
        return false;
    }
    let is_page = visit.kind == Kind::Navigation && visit.spared;
    let Some(pass) = &visit.pass else { return is_page && mint::has_room(visit, &visit.house.first) };
    let habit = visit.house.habits.look(pass.id, visit.now.unix());
    (is_page && (!habit.is_judged() || habit.reads())) || (visit.kind == Kind::Subresource && habit.is_here())
}

/// A pass that is worth a look at how it is used: one that says something of its holder; and in a posture that is raised any. While
/// all is quiet a crowd is people, each with a pass that cost nothing, and only who came first counts.
pub fn known<'v>(visit: &'v Visit<'_>) -> Option<&'v Pass> {
    if visit.level >= Level::Guarded { visit.pass.as_ref() } else { visit.vouched() }
}

/// Whether such a pass is used as people read, where that says anything.
pub fn reads(visit: &Visit<'_>) -> bool {
    let of = |pass: &Pass| visit.house.habits.look(pass.id, visit.now.unix()).reads();
    visit.usual().tells() && known(visit).is_some_and(of)
}

/// Whether somebody shows that they are signed in.
pub fn has_session(portal: &Portal, head: &dyn Head) -> bool {
    session(portal, head).is_some()
}

/// How the names of cookies begin by which statistics, campaigns and their consent are kept: nearly everybody brings one.
const STATISTICS: [&str; 18] = [
    "_ga",
    "_gid",
    "_gcl_",
    "_dc_gtm_",
    "__utm",
    "_pk_",
    "_hj",
    "_fbp",
    "_fbc",
    "_clck",
    "_clsk",
    "mtm_",
    "amp_",
    "ajs_",
    "ai_",
    "nmstat",
    "cookieconsent",
    "cookie_consent",
];

/// Whether a portal that does not say by which cookies it knows people may know somebody by one of theirs: by any that is neither
/// boma's nor of statistics, nor `given` to whoever comes.
pub fn may_have_session(portal: &Portal, head: &dyn Head, given: &[String]) -> bool {
    let may_tell = |pair: &[u8]| {
        let name = pair.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
        let begins = |with: &&str| name.get(..with.len()).is_some_and(|n| n.eq_ignore_ascii_case(with.as_bytes()));
        !name.is_empty() && !STATISTICS.iter().any(begins) && !given.iter().any(|n| n.as_bytes() == name)
    };
    portal.session_cookies.is_empty()
        && read::foreign_cookies(head).is_some_and(|cookies| cookies.split(|b| *b == b';').any(may_tell))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds;
    use crate::client::Client;
    use crate::force::House;
    use crate::serve::tests::house;
    use crate::wire::Arrival;

    /// Somebody with a pass before a crowded gate, for whom there is a copy.
    fn visit(house: &House, pass: u128) -> Visit<'_> {
        let from = "192.0.2.1".parse().unwrap();
        let client = Client::new(from, from, 64, false);
        let mut visit = Visit::open(house, String::new(), client, Arrival { scheme: "https", redirect_https: false });
        visit.portal = Some(0);
        visit.level = Level::Attack;
        visit.pass = Some(Pass::proven(pass, 1, visit.now.unix(), u64::MAX));
        (visit.spared, visit.exact) = (true, true);
        visit
    }

    #[test]
    fn who_reads_comes_first_where_citizens_read_and_elsewhere_everybody_with_the_first_page() {
        let house = house("");
        let visit = |pass| visit(&house, pass);
        let (habits, now) = (&house.habits, visit(1).now.unix());
        for pass in [1, 2] {
            (0..2).for_each(|_| habits.part(pass, now));
        }
        habits.took(2, now);
        (0..3).for_each(|_| habits.took(4, now));
        let all = || [1, 2, 3, 4].map(|pass| standing(&visit(pass)));
        let (ahead, newcomer, known) = (Standing::Reader, Standing::Newcomer, Standing::Pass);
        assert_eq!(all(), [(ahead, 0), (ahead, 1), (ahead, 0), (known, 3)], "nothing is known of readers");
        (0..100).for_each(|_| visit(1).usual().judged(true));
        assert_eq!(all(), [(ahead, 0), (ahead, 1), (newcomer, 0), (known, 3)]);
        let made_up = Visit { exact: false, ..visit(3) };
        assert_eq!(standing(&made_up).0, known, "a first page is one that the portal has");
        let part = |pass| Visit { kind: Kind::Subresource, spared: false, ..visit(pass) };
        assert_eq!([standing(&part(3)).0, standing(&part(4)).0], [known, newcomer], "a part comes with a page");
        let of_nothing = Visit { exact: false, ..part(4) };
        assert_eq!(standing(&of_nothing).0, known, "a part is one that the portal has");
        let called = |pass| standing(&Visit { called: true, ..visit(pass) }).0;
        assert_eq!([called(1), called(4)], [ahead, Standing::Called], "who has waited has their turn");
        (0..2).for_each(|_| habits.took(3, now));
        assert_eq!(standing(&visit(3)), (newcomer, 2), "three pages may have no new part");
    }

    #[test]
    fn before_anybody_is_challenged_pages_of_the_portal_s_own_come_before_made_up_ones() {
        let house = house("");
        let stands = |visit: Visit<'_>| {
            let first = is_first(&visit);
            standing(&Visit { first, ..visit }).0
        };
        let (newcomer, unknown) = (Standing::Newcomer, Standing::Unknown);
        let without = || Visit { pass: None, level: Level::Guarded, kind: Kind::Navigation, ..visit(&house, 1) };
        assert_eq!(stands(without()), newcomer);
        assert_eq!(stands(Visit { exact: false, ..without() }), unknown, "a made-up address");
        assert_eq!(stands(Visit { kind: Kind::Subresource, ..without() }), unknown, "whose part it is nobody knows");
        let all = (0..2 * bounds::QUIET).filter(|_| stands(without()) == newcomer).count() as u32;
        assert_eq!(all, bounds::QUIET - 1, "of a prefix so many");
        house.clock.advance(bounds::QUIET_EVERY);
        assert_eq!([stands(without()), stands(without())], [newcomer, unknown]);

        // While all is quiet passes cost nothing, and say something only by how they are used.
        let now = visit(&house, 1).now.unix();
        let quiet = |pass| Visit {
            level: Level::Normal,
            kind: Kind::Navigation,
            pass: Some(Pass::proven(pass, 0, now, u64::MAX)),
            ..visit(&house, 1)
        };
        let part = |pass| Visit { kind: Kind::Subresource, ..quiet(pass) };
        assert_eq!([stands(quiet(7)), stands(part(7))], [newcomer, unknown]);
        (0..3).for_each(|_| house.habits.took(7, now));
        assert_eq!([stands(quiet(7)), stands(part(7))], [unknown, newcomer], "its parts come as its pages came");
        (0..2).for_each(|_| house.habits.part(7, now));
        assert_eq!(stands(quiet(7)), newcomer, "it reads");
    }
}
