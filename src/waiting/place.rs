//! A place as text: what its cookie holds.
//!
//! Does not know: cookies, the line.

use crate::portal::Class;
use crate::seal::{self, Key, Secret};

const VERSION: u8 = 1;
const BODY: usize = 38;
const BYTES: usize = BODY + 16;

/// Where somebody stands, as they carry it with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub class: Class,
    /// The pass that it belongs to.
    pub holder: u128,
    /// The minute of arrival since the Unix epoch, and the how-many-eth in it.
    pub minute: u32,
    pub nth: u32,
    /// When it was last renewed, in seconds since the Unix epoch.
    pub renewed: u64,
}

/// Seals places, so that nobody makes or moves one.
pub struct Seals(Key);

impl Seals {
    pub fn new(secret: &Secret) -> Seals {
        Seals(secret.key("boma place v1"))
    }

    /// As text of `A-Za-z0-9-_`, good for this portal only.
    pub fn seal(&self, portal: &str, place: &Place) -> String {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1] = place.class as u8;
        bytes[2..18].copy_from_slice(&place.holder.to_le_bytes());
        bytes[18..22].copy_from_slice(&place.minute.to_le_bytes());
        bytes[22..26].copy_from_slice(&place.nth.to_le_bytes());
        bytes[26..34].copy_from_slice(&place.renewed.to_le_bytes());
        let mac = self.0.mac(&[portal.as_bytes(), b"\n", &bytes[..BODY]]);
        bytes[BODY..].copy_from_slice(&mac);
        seal::base64(&bytes)
    }

    /// `None` where it is not ours, of another portal, or altered.
    pub fn open(&self, portal: &str, text: &[u8]) -> Option<Place> {
        let mut bytes = [0; BYTES];
        seal::unbase64(text, &mut bytes)?;
        let (body, mac) = bytes.split_at(BODY);
        if body[0] != VERSION || !self.0.holds(&[portal.as_bytes(), b"\n", body], mac) {
            return None;
        }
        let number = |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        let mut holder = [0; 16];
        holder.copy_from_slice(&body[2..18]);
        Some(Place {
            class: *Class::ALL.get(usize::from(body[1]))?,
            holder: u128::from_le_bytes(holder),
            minute: number(18),
            nth: number(22),
            renewed: u64::from(number(26)) | u64::from(number(30)) << 32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_opens_as_it_was_sealed_and_nothing_else_does() {
        let seals = Seals::new(&Secret::parse(&"5a".repeat(32)).unwrap());
        let place =
            Place { class: Class::Filing, holder: 7 << 100, minute: 29_833_333, nth: 4, renewed: 1_790_000_000 };
        let text = seals.seal("huduma", &place);
        assert_eq!(seals.open("huduma", text.as_bytes()), Some(place));
        assert_eq!(seals.open("tax", text.as_bytes()), None, "another portal's line");
        let other = Seals::new(&Secret::random().unwrap());
        assert_eq!(other.open("huduma", text.as_bytes()), None);
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(seals.open("huduma", &altered), None, "{at}");
        }
        assert_eq!(seals.open("huduma", b""), None);
    }
}
