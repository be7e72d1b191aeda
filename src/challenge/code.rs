//! Access codes: what staff read out on the phone to people who cannot pass otherwise. A code holds its end, a number and a
//! seal, and nothing is kept of it; so one cannot be taken back before its end, and an end comes soon.
//!
//! Twenty-five characters of Crockford's base 32, 125 bits: 20 of the end, 25 of the number, 80 of the seal, which also binds
//! the portal. Nobody guesses 80 bits; what a reader makes of O, I and L, of spaces and small letters, is forgiven.
//!
//! Does not know: who gives codes out, what a wrong one leads to.

use crate::seal::{self, Key, Secret};

/// Characters of a code as it is spelled: five groups of five.
pub const CODE_WIDTH: usize = 29;
const SYMBOLS: usize = 25;
const GROUP: usize = 5;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 2026-01-01; ends count from there in quarters of an hour, and reach to 2055.
const EPOCH: u64 = 1_767_225_600;
const QUARTER: u64 = 900;
const SEAL_BYTES: usize = 10;

pub struct Codes {
    key: Key,
}

/// A code, opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Of the pass that all have who use it.
    pub id: u128,
    /// Seconds since the Unix epoch.
    pub ends: u64,
}

impl Codes {
    pub fn new(secret: &Secret) -> Codes {
        Codes { key: secret.key("boma access code v1") }
    }

    /// A new code for one portal, or for all, that ends at `ends` or up to a quarter of an hour later; `None` where that is
    /// not within reach, and without randomness from the system.
    pub fn issue(&self, portal: Option<&str>, ends: u64) -> Option<String> {
        let quarters = u32::try_from(ends.checked_sub(EPOCH)?.div_ceil(QUARTER)).ok().filter(|q| *q < 1 << 20)?;
        let mut number = [0; 4];
        seal::random(&mut number).then_some(())?;
        let payload = u64::from(quarters) << 25 | u64::from(u32::from_le_bytes(number) >> 7);
        let mut bytes = [0; 16];
        bytes[6..].copy_from_slice(&self.seal(payload, portal));
        Some(spelled(u128::from(payload) << 80 | u128::from_be_bytes(bytes)))
    }

    /// Opens what somebody typed; `None` where it is no code of this house's for this portal, or has ended.
    pub fn open(&self, typed: &[u8], portal: &str, now_unix: u64) -> Option<Code> {
        let symbols = symbols(typed)?;
        let (payload, given) = ((symbols >> 80) as u64, &symbols.to_be_bytes()[6..]);
        // Both are looked at, whatever comes of the first.
        let here = seal::same(&self.seal(payload, Some(portal)), given);
        let anywhere = seal::same(&self.seal(payload, None), given);
        let ends = EPOCH + (payload >> 25) * QUARTER;
        let owner: &[u8] = if anywhere { b"all" } else { portal.as_bytes() };
        let id = u128::from_le_bytes(self.key.mac(&[b"id", &payload.to_le_bytes(), owner]));
        ((here | anywhere) && ends > now_unix).then_some(Code { id, ends })
    }

    fn seal(&self, payload: u64, portal: Option<&str>) -> [u8; SEAL_BYTES] {
        let (kind, name) = portal.map_or((b"all", ""), |name| (b"one", name));
        let mac = self.key.mac(&[kind, &payload.to_le_bytes(), name.as_bytes()]);
        std::array::from_fn(|i| mac[i])
    }
}

/// What somebody typed, as codes are spelled; `None` where it cannot be one.
pub fn spell(typed: &[u8]) -> Option<String> {
    symbols(typed).map(spelled)
}

fn spelled(code: u128) -> String {
    let symbol = |i: usize| char::from(ALPHABET[(code >> (5 * (SYMBOLS - 1 - i))) as usize & 31]);
    let groups = (0..SYMBOLS / GROUP).map(|g| (0..GROUP).map(|i| symbol(g * GROUP + i)).collect::<String>());
    groups.collect::<Vec<_>>().join("-")
}

fn symbols(typed: &[u8]) -> Option<u128> {
    let (mut code, mut count) = (0u128, 0);
    for byte in typed {
        let symbol = match byte.to_ascii_uppercase() {
            b' ' | b'-' | b'_' | b'.' | b'\t' | b'\r' | b'\n' => continue,
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        let value = ALPHABET.iter().position(|s| *s == symbol)?;
        count += 1;
        if count > SYMBOLS {
            return None;
        }
        code = code << 5 | value as u128;
    }
    (count == SYMBOLS).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;

    fn codes() -> Codes {
        Codes::new(&Secret::parse(&"5a".repeat(32)).unwrap())
    }

    #[test]
    fn a_code_is_read_however_it_is_written_and_ends_when_it_says() {
        let codes = codes();
        let code = codes.issue(Some("huduma"), NOW + 86_400).unwrap();
        assert_eq!(code.len(), CODE_WIDTH);
        assert!(code.split('-').all(|g| g.len() == 5) && !code.contains(['O', 'I', 'L', 'U']));
        let opened = codes.open(code.as_bytes(), "huduma", NOW).unwrap();
        assert!((NOW + 86_400..NOW + 86_400 + QUARTER).contains(&opened.ends), "{opened:?}");
        let read_out = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        let bare = code.replace('-', "").replace('1', "I");
        for typed in [read_out.as_str(), &bare, &format!(" {code}\r\n")] {
            assert_eq!(codes.open(typed.as_bytes(), "huduma", NOW), Some(opened), "{typed}");
            assert_eq!(spell(typed.as_bytes()).as_ref(), Some(&code));
        }
        assert_eq!(codes.open(code.as_bytes(), "huduma", opened.ends), None, "it has ended");
        assert_eq!(codes.open(code.as_bytes(), "tax", NOW), None, "another portal's");
        let other = Codes::new(&Secret::parse(&"5b".repeat(32)).unwrap());
        assert_eq!(other.open(code.as_bytes(), "huduma", NOW), None, "another house's");
    }

    #[test]
    fn one_for_all_portals_has_one_budget_and_two_codes_have_two() {
        let codes = codes();
        let all = codes.issue(None, NOW + 86_400).unwrap();
        let (here, there) = (codes.open(all.as_bytes(), "huduma", NOW), codes.open(all.as_bytes(), "tax", NOW));
        assert!(here.is_some() && here == there);
        let two = codes.issue(None, NOW + 86_400).unwrap();
        assert_ne!(codes.open(two.as_bytes(), "huduma", NOW).unwrap().id, here.unwrap().id);
        assert_eq!((codes.issue(None, EPOCH - 1), codes.issue(None, EPOCH + (1 << 20) * QUARTER)), (None, None));
    }

    #[test]
    fn nothing_but_a_code_is_one() {
        let codes = codes();
        let code = codes.issue(Some("huduma"), NOW + 86_400).unwrap();
        for at in (0..CODE_WIDTH).filter(|at| code.as_bytes()[*at] != b'-') {
            for symbol in ALPHABET.iter().filter(|s| **s != code.as_bytes()[at]) {
                let mut other = code.clone().into_bytes();
                other[at] = *symbol;
                assert_eq!(codes.open(&other, "huduma", NOW), None, "{}", String::from_utf8_lossy(&other));
            }
        }
        for typed in
            ["", "-", &code[1..], &format!("{code}0"), &code.replace(&code[..1], "U"), "é", &"0".repeat(10_000)]
        {
            assert_eq!(codes.open(typed.as_bytes(), "huduma", NOW), None, "{typed}");
        }
        assert_eq!(spell(b"1234"), None);
    }
}
