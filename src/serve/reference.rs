//! Reference codes: what a citizen reads out on the phone. Sealed, and each describes itself, so staff can read it
//! hours later without any table of them.
//!
//! Layout of the 12 bytes: a 5-byte tag, then 7 bytes under a key stream made from the tag: seconds since the Unix
//! epoch (4), the reason and what was shown (6 bits and 2), a random mark that finds the log line (2).
//!
//! Does not know: pages.

use crate::reason::Reason;
use crate::seal::Key;

/// Letters and digits of a code, and how many stand together, as people read them out.
const DIGITS: usize = 20;
const GROUP: usize = 5;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const TAG: usize = 5;

/// Bits of the byte that says why; the others say what was shown.
const REASON_BITS: u32 = 6;
const _: () = assert!(Reason::ALL.len() <= 1 << REASON_BITS);

/// What somebody read a code from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A page of boma's, or its answer to a program.
    Page,
    /// The banner over a copy.
    Copy,
    /// The status page.
    Status,
}

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    pub unix: u32,
    pub reason: u8,
    pub shown: Shown,
    pub mark: u16,
}

impl Reference {
    pub fn reason(&self) -> Option<Reason> {
        Reason::ALL.get(usize::from(self.reason)).copied()
    }
}

pub fn seal(key: &Key, reference: Reference) -> String {
    let mut plain = [0; 7];
    plain[..4].copy_from_slice(&reference.unix.to_be_bytes());
    plain[4] = reference.reason | (reference.shown as u8) << REASON_BITS;
    plain[5..].copy_from_slice(&reference.mark.to_be_bytes());
    let tag = key.mac(&[b"tag", &plain]);
    let mut bytes = [0; 12];
    bytes[..TAG].copy_from_slice(&tag[..TAG]);
    let stream = key.mac(&[b"stream", &bytes[..TAG]]);
    for (i, byte) in plain.iter().enumerate() {
        bytes[TAG + i] = byte ^ stream[i];
    }
    to_text(&bytes)
}

/// Reads a code; letter case, spaces and hyphens do not matter. `None` where it is not one of ours.
pub fn open(key: &Key, text: &str) -> Option<Reference> {
    let bytes = from_text(text)?;
    let (tag, sealed) = bytes.split_at(TAG);
    let stream = key.mac(&[b"stream", tag]);
    let mut plain = [0; 7];
    for (i, byte) in sealed.iter().enumerate() {
        plain[i] = byte ^ stream[i];
    }
    let right = crate::seal::same(&key.mac(&[b"tag", &plain])[..TAG], tag);
    let unix = u32::from_be_bytes([plain[0], plain[1], plain[2], plain[3]]);
    let shown = match plain[4] >> REASON_BITS {
        1 => Shown::Copy,
        2 => Shown::Status,
        _ => Shown::Page,
    };
    let (reason, mark) = (plain[4] & !(!0 << REASON_BITS), u16::from_be_bytes([plain[5], plain[6]]));
    right.then_some(Reference { unix, reason, shown, mark })
}

fn to_text(bytes: &[u8; 12]) -> String {
    let mut wide = [0; 16];
    wide[4..].copy_from_slice(bytes);
    let number = u128::from_be_bytes(wide) << 4;
    let mut text = String::with_capacity(DIGITS + DIGITS / GROUP - 1);
    for i in (0..DIGITS).rev() {
        text.push(char::from(ALPHABET[(number >> (5 * i) & 31) as usize]));
        if i > 0 && i % GROUP == 0 {
            text.push('-');
        }
    }
    text
}

fn from_text(text: &str) -> Option<[u8; 12]> {
    let mut number: u128 = 0;
    let mut digits = 0;
    for c in text.bytes().filter(|b| !matches!(b, b' ' | b'-')) {
        digits += 1;
        if digits > DIGITS {
            return None;
        }
        number = number << 5 | ALPHABET.iter().position(|a| *a == c.to_ascii_uppercase())? as u128;
    }
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&(number >> 4).to_be_bytes()[4..]);
    (digits == DIGITS && number & 15 == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Secret;

    #[test]
    fn a_code_reads_back_however_it_is_said_and_no_other_does() {
        let key = Secret::parse(&"5a".repeat(32)).unwrap().key("boma reference v1");
        let reason = Reason::Denied as u8;
        let reference = Reference { unix: 1_790_000_000, reason, shown: Shown::Page, mark: 513 };
        let code = seal(&key, reference);
        let groups: Vec<&str> = code.split('-').collect();
        assert_eq!(groups.iter().map(|g| g.len()).collect::<Vec<_>>(), [5; 4], "as it can be read out: {code}");
        let run = code.replace('-', "");
        assert_eq!(open(&key, &run), Some(reference), "as an older page has it");
        let said = format!("{}-{} {}", &run[..5].to_lowercase(), &run[5..12], &run[12..]);
        assert_eq!(open(&key, &said), Some(reference));
        assert_eq!(reference.reason(), Some(Reason::Denied));
        for reason in Reason::ALL {
            for shown in [Shown::Page, Shown::Copy, Shown::Status] {
                let other = Reference { reason: reason as u8, shown, ..reference };
                assert_eq!(open(&key, &seal(&key, other)), Some(other));
            }
        }
        let other = Secret::parse(&"5b".repeat(32)).unwrap().key("boma reference v1");
        assert_eq!(open(&other, &code), None);
        for bad in ["", "A", &code[1..], &format!("{code}A"), "ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ", "AAAAAAAAAAAAAAAAAAAA"]
        {
            assert_eq!(open(&key, bad), None, "{bad}");
        }
    }
}
