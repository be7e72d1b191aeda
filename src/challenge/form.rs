//! Forms on their way through a check: a whole POST, sealed into the page that stands before it, and opened again when that
//! is done. Nothing is kept of it here but, for ten minutes, that it was sent on.
//!
//! Does not know: pages, requests, where a form goes.

use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};

use crate::bounds;
use crate::seal::{self, Cipher, Key, Secret};

/// What tells the origin who sent a form and how: of these fields it gets those of the form, never those of the request
/// that brings it back.
pub const FIELDS: [&str; 15] = [
    "accept",
    "accept-language",
    "authorization",
    "content-encoding",
    "content-language",
    "content-type",
    "cookie",
    "origin",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-storage-access",
    "sec-fetch-user",
    "user-agent",
];
const VERSION: u8 = 1;

/// What holds a form to the visit in which it was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tie {
    /// By which it is known again; stays when it is sealed anew.
    pub id: u128,
    /// When it was first sealed, and when for the last time; seconds since the Unix epoch.
    pub born: u64,
    pub issued: u64,
    /// The process that knows whether it was sent on.
    pub desk: u64,
    /// The citizen was asked to press Send, and this is what they press.
    pub asked: bool,
    /// It was sealed into the page of a place in line: for as long as its holder stands there it is not old.
    pub queued: bool,
    /// The challenge whose solution has it sent on; 0: none was demanded.
    pub challenge: u128,
    /// The pass that its sender held already; 0: none.
    pub holder: u128,
    /// The sender's prefix.
    pub home: u128,
}

/// A form, with all that the origin is to see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub tie: Tie,
    pub portal: String,
    pub scheme: String,
    pub authority: String,
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names are of [`FIELDS`].
    pub fields: Vec<(&'static str, Bytes)>,
    pub body: Bytes,
}

impl Tie {
    /// Whether it may be sent on for whoever brings it: by the pass that its own challenge has just earned, or by what its
    /// sender had already. Any other pass does not do: somebody's own form must not go out in a stranger's visit.
    pub fn lets(&self, earned_by: Option<u128>, pass: Option<u128>, home: u128) -> bool {
        let same = |a: u128, b: u128| seal::same(&a.to_le_bytes(), &b.to_le_bytes());
        if self.challenge != 0 && earned_by.is_some_and(|c| same(c, self.challenge)) {
            return true;
        }
        match self.holder {
            0 => self.challenge == 0 && self.home == home,
            holder => pass.is_some_and(|p| same(p, holder)),
        }
    }
}

/// Whether a form may be sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It was not yet; from now on it counts as sent.
    First,
    Again,
    /// Who could know is gone, or remembers too many others.
    Unknown,
}

/// Seals forms, and knows which were sent on.
pub struct Forms {
    cipher: Cipher,
    names: Key,
    desk: u64,
    spent: Mutex<Spent>,
    held: Arc<AtomicUsize>,
}

impl Forms {
    pub fn new(secret: &Secret) -> Forms {
        let mut desk = [0; 8];
        seal::random(&mut desk);
        Forms {
            cipher: secret.cipher("boma form v1"),
            names: secret.key("boma form challenge v1"),
            desk: u64::from_le_bytes(desk),
            spent: Mutex::default(),
            held: Arc::default(),
        }
    }

    /// A form's tie, new: to the challenge with this seal, if there is one.
    pub fn tie(&self, challenge: &[u8], holder: Option<u128>, home: u128, now_unix: u64) -> Tie {
        let mut id = [0; 16];
        seal::random(&mut id);
        let challenge = self.name(challenge);
        let (id, holder) = (u128::from_le_bytes(id), holder.unwrap_or(0));
        Tie {
            id,
            born: now_unix,
            issued: now_unix,
            desk: self.desk,
            asked: false,
            queued: false,
            challenge,
            holder,
            home,
        }
    }

    /// By which a challenge is known again; 0 where there is none.
    pub fn name(&self, seal: &[u8]) -> u128 {
        if seal.is_empty() { 0 } else { u128::from_le_bytes(self.names.mac(&[seal])).max(1) }
    }

    /// The form as text of `A-Za-z0-9-_`; `None` where its head is too large, or the system has no randomness.
    pub fn seal(&self, form: &Form) -> Option<String> {
        let mut out = Vec::with_capacity(Cipher::FRONT + 512 + form.body.len() + Cipher::BACK);
        out.resize(Cipher::FRONT, 0);
        let tie = &form.tie;
        out.extend_from_slice(&[VERSION, u8::from(tie.asked) | u8::from(tie.queued) << 1]);
        out.extend_from_slice(&(tie.born as u32).to_le_bytes());
        out.extend_from_slice(&(tie.issued as u32).to_le_bytes());
        out.extend_from_slice(&tie.desk.to_le_bytes());
        for number in [tie.id, tie.challenge, tie.holder, tie.home] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for text in [&form.portal, &form.scheme, &form.authority, &form.method, &form.target] {
            put(&mut out, text.as_bytes());
        }
        out.push(u8::try_from(form.fields.len()).ok()?);
        for (name, value) in &form.fields {
            out.push(FIELDS.iter().position(|f| f == name)? as u8);
            put(&mut out, value);
        }
        if out.len() > bounds::FORM_HEAD_BYTES {
            return None;
        }
        out.extend_from_slice(&form.body);
        self.cipher.seal(&mut out)?;
        Some(seal::base64(&out))
    }

    /// What [`Forms::seal`] sealed, and nothing else, whoever holds the same secret.
    pub fn open(&self, text: &[u8]) -> Option<Form> {
        let mut sealed = vec![0; text.len() / 4 * 3 + [0, 0, 1, 2][text.len() % 4]];
        seal::unbase64(text, &mut sealed)?;
        let plain = self.cipher.open(&mut sealed)?.len();
        let mut rest = Bytes::from(sealed).slice(Cipher::FRONT..Cipher::FRONT + plain);
        let [version, flags] = [rest.try_get_u8().ok()?, rest.try_get_u8().ok()?];
        let [born, issued] = [rest.try_get_u32_le().ok()?, rest.try_get_u32_le().ok()?].map(u64::from);
        let desk = rest.try_get_u64_le().ok()?;
        let mut number = || rest.try_get_u128_le().ok();
        let [id, challenge, holder, home] = [number()?, number()?, number()?, number()?];
        let (asked, queued) = (flags & 1 == 1, flags & 2 == 2);
        let tie = Tie { id, born, issued, desk, asked, queued, challenge, holder, home };
        let mut text = || String::from_utf8(take(&mut rest)?.into()).ok();
        let [portal, scheme, authority, method, target] = [text()?, text()?, text()?, text()?, text()?];
        let mut fields = Vec::new();
        for _ in 0..rest.try_get_u8().ok()? {
            let name = *FIELDS.get(usize::from(rest.try_get_u8().ok()?))?;
            fields.push((name, take(&mut rest)?));
        }
        (version == VERSION).then_some(Form { tie, portal, scheme, authority, method, target, fields, body: rest })
    }

    /// The form's tie for a page that asks to press Send, which whoever holds `holder`, or has come from `home`, may send. It
    /// is the same form still: of all pages that ask for it one is pressed.
    pub fn asks(&self, tie: &Tie, holder: Option<u128>, home: u128, now_unix: u64) -> Tie {
        Tie { id: tie.id, born: tie.born, asked: true, ..self.tie(b"", holder, home, now_unix) }
    }

    /// Whether it was sent on of late.
    pub fn is_spent(&self, tie: &Tie, now_unix: u64) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.turn_over(now_unix);
        spent.young.contains(&tie.id) || spent.old.contains(&tie.id)
    }

    /// Takes a form's turn.
    pub fn turn(&self, tie: &Tie, now_unix: u64) -> Turn {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.turn_over(now_unix);
        if spent.young.contains(&tie.id) || spent.old.contains(&tie.id) {
            return Turn::Again;
        }
        // Who was asked has said what nobody else knew; but goes by nothing that is not noted.
        let most = if tie.asked { 2 * bounds::FORMS_SPENT } else { bounds::FORMS_SPENT };
        if (!tie.asked && tie.desk != self.desk) || spent.young.len() >= most {
            return Turn::Unknown;
        }
        spent.young.insert(tie.id);
        Turn::First
    }

    /// The form never left after all.
    pub fn take_back(&self, tie: &Tie) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if !spent.young.remove(&tie.id) {
            spent.old.remove(&tie.id);
        }
    }

    /// Room for a form of this length, until what is returned is dropped; `None` where too many are held.
    pub fn room(&self, length: usize) -> Option<Room> {
        let bytes = length.checked_mul(bounds::FORM_WEIGHT)?;
        let fits = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= bounds::FORMS_BYTES);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Room { held: self.held.clone(), bytes })
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// Forms that were sent on, in two generations of [`bounds::FORM_LIFE`]: none is forgotten while it could still go by itself.
#[derive(Default)]
struct Spent {
    young: HashSet<u128>,
    old: HashSet<u128>,
    since: u64,
}

impl Spent {
    fn turn_over(&mut self, now_unix: u64) {
        let life = bounds::FORM_LIFE.as_secs() + 1;
        let age = now_unix.saturating_sub(self.since);
        if age < life {
            return;
        }
        self.old = mem::take(&mut self.young);
        if age >= 2 * life {
            self.old = HashSet::new();
        }
        self.since = now_unix;
    }
}

/// A form's place among those that are held.
pub struct Room {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take(rest: &mut Bytes) -> Option<Bytes> {
    let length = rest.try_get_u32_le().ok()? as usize;
    (length <= rest.len()).then(|| rest.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;

    fn secret() -> Secret {
        Secret::parse(&"5a".repeat(32)).unwrap()
    }

    fn form(forms: &Forms, body: &[u8]) -> Form {
        Form {
            tie: forms.tie(b"a seal", Some(7), 9, NOW),
            portal: "huduma".into(),
            scheme: "https".into(),
            authority: "huduma.example".into(),
            method: "POST".into(),
            target: "/file?x=%2F&y".into(),
            fields: vec![("cookie", "session=1".into()), ("user-agent", Bytes::from_static(b"\xff\x01 x"))],
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn a_form_opens_as_it_was_sealed_wherever_the_secret_is_known() {
        let forms = Forms::new(&secret());
        let every_byte: Vec<u8> = (0..=255).collect();
        for length in [0, 1, 2, 3, 255, 256, 65_536] {
            let body: Vec<u8> = every_byte.iter().copied().cycle().take(length).collect();
            let sealed = form(&forms, &body);
            let text = forms.seal(&sealed).unwrap();
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            assert_eq!(forms.open(text.as_bytes()), Some(sealed.clone()), "{length}");
            assert_eq!(Forms::new(&secret()).open(text.as_bytes()), Some(sealed.clone()), "another process");
            assert_eq!(Forms::new(&Secret::random().unwrap()).open(text.as_bytes()), None, "another installation");
            assert_ne!(forms.seal(&sealed).unwrap(), text, "never twice the same text");
        }
    }

    /// Any change of a character, any cut and any addition; and texts that nobody sealed.
    #[test]
    fn nothing_but_a_sealed_form_opens() {
        let forms = Forms::new(&secret());
        let text = forms.seal(&form(&forms, b"name=Mama&amount=100")).unwrap().into_bytes();
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \0\xff";
        for at in 0..text.len() {
            for digit in digits.iter().filter(|d| **d != text[at]) {
                let mut altered = text.clone();
                altered[at] = *digit;
                assert_eq!(forms.open(&altered), None, "{at} {digit}");
            }
            assert_eq!(forms.open(&text[..at]), None, "cut at {at}");
            assert_eq!(forms.open(&text[at + 1..]), None, "begun at {at}");
            let mut longer = text.clone();
            longer.insert(at, b'A');
            assert_eq!(forms.open(&longer), None, "one more at {at}");
        }
        let mut random = vec![0; 4000];
        for length in 0..300 {
            seal::random(&mut random);
            assert_eq!(forms.open(seal::base64(&random[..length]).as_bytes()), None);
            assert_eq!(forms.open(&random[..length]), None);
        }
    }

    #[test]
    fn a_head_too_large_is_not_sealed() {
        let forms = Forms::new(&secret());
        let mut large = form(&forms, b"");
        large.fields.push(("cookie", Bytes::from(vec![b'x'; bounds::FORM_HEAD_BYTES])));
        assert_eq!(forms.seal(&large), None);
    }

    #[test]
    fn only_its_own_challenge_or_its_senders_pass_lets_a_form_go() {
        let forms = Forms::new(&secret());
        let [own, other] = [forms.name(b"a seal"), forms.name(b"another")];
        let held = forms.tie(b"a seal", Some(7), 9, NOW);
        assert!(held.lets(Some(own), None, 1) && held.lets(None, Some(7), 1) && held.lets(Some(other), Some(7), 1));
        assert!(!held.lets(Some(other), Some(8), 9) && !held.lets(None, None, 9) && !held.lets(None, Some(8), 9));
        let bare = forms.tie(b"a seal", None, 9, NOW);
        assert!(bare.lets(Some(own), None, 1));
        assert!(!bare.lets(None, None, 9) && !bare.lets(None, Some(7), 9) && !bare.lets(Some(other), Some(7), 9));
        let free = forms.tie(b"", None, 9, NOW);
        assert!(free.lets(None, None, 9) && free.lets(Some(other), Some(3), 9));
        assert!(!free.lets(None, Some(3), 1) && !free.lets(Some(0), None, 1) && !free.lets(Some(other), None, 1));
    }

    #[test]
    fn a_form_has_one_turn_and_who_cannot_know_asks() {
        let forms = Forms::new(&secret());
        let tie = forms.tie(b"a seal", None, 9, NOW);
        assert_eq!(forms.turn(&tie, NOW), Turn::First);
        for later in [0, 1, 599, 600] {
            assert_eq!(forms.turn(&tie, NOW + later), Turn::Again, "{later}");
        }
        let next = forms.tie(b"a seal", None, 9, NOW + 590);
        assert_eq!(forms.turn(&next, NOW + 600), Turn::First);
        assert_eq!(forms.turn(&next, NOW + 1190), Turn::Again, "over a turn of generations");
        forms.take_back(&next);
        assert_eq!(forms.turn(&next, NOW + 1190), Turn::First, "it never left");

        let restarted = Forms::new(&secret());
        let fresh = forms.tie(b"a seal", None, 9, NOW);
        assert_eq!(restarted.turn(&fresh, NOW), Turn::Unknown);
        assert_eq!(restarted.turn(&fresh, NOW), Turn::Unknown, "asking spends nothing");
        let asked = restarted.asks(&fresh, None, 9, NOW);
        assert_eq!((asked.born, asked.challenge), (fresh.born, 0));
        assert_eq!([(); 2].map(|()| restarted.turn(&asked, NOW)), [Turn::First, Turn::Again]);
    }

    /// Through all of the day that a form is kept: whichever of its pages is pressed, the others do not send it again.
    #[test]
    fn of_several_pages_that_ask_for_a_form_one_sends_it() {
        let forms = Forms::new(&secret());
        let born = forms.tie(b"a seal", None, 9, NOW);
        for age in [bounds::FORM_LIFE.as_secs() + 1, 3600, 12 * 3600, bounds::FORM_KEPT.as_secs()] {
            let pages = [(); 3].map(|()| forms.asks(&born, None, 9, NOW + age));
            assert!(pages.iter().all(|page| page.born == NOW && page.issued == NOW + age));
            assert_eq!(pages.map(|page| forms.turn(&page, NOW + age + 5)), [Turn::First, Turn::Again, Turn::Again]);
            // For as long as one of them goes by itself.
            let last = age + bounds::FORM_LIFE.as_secs();
            assert_eq!(pages.map(|page| forms.turn(&page, NOW + last)), [Turn::Again; 3], "{age}");
        }
    }

    #[test]
    fn a_full_memory_asks_and_lets_go_who_pressed() {
        let forms = Forms::new(&secret());
        for _ in 0..bounds::FORMS_SPENT {
            assert_eq!(forms.turn(&forms.tie(b"", None, 9, NOW), NOW), Turn::First);
        }
        let tie = forms.tie(b"", None, 9, NOW);
        assert_eq!(forms.turn(&tie, NOW), Turn::Unknown);
        let asked = forms.asks(&tie, None, 9, NOW);
        assert_eq!([(); 2].map(|()| forms.turn(&asked, NOW)), [Turn::First, Turn::Again], "once all the same");
        let asks = || forms.asks(&forms.tie(b"", None, 9, NOW), None, 9, NOW);
        assert!((1..bounds::FORMS_SPENT).all(|_| forms.turn(&asks(), NOW) == Turn::First));
        assert_eq!(forms.turn(&asks(), NOW), Turn::Unknown, "and what cannot be noted is asked for again");
        let other = forms.tie(b"", None, 9, NOW + 700);
        assert_eq!(forms.turn(&other, NOW + 700), Turn::First, "ten minutes later there is room");
    }

    #[test]
    fn room_is_bounded_and_given_back() {
        let forms = Forms::new(&secret());
        let largest = bounds::FORMS_BYTES / bounds::FORM_WEIGHT;
        let all = forms.room(largest).unwrap();
        assert!(forms.room(largest).is_none() && forms.room(usize::MAX).is_none());
        drop(all);
        assert_eq!(forms.held(), 0);
        assert!(forms.room(largest).is_some());
    }
}
