//! The one secret of an installation, the keys made from it, and the text forms of what they seal.
//!
//! Does not know: where the secret is kept, what is sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The master secret. Nodes that share it accept each other's passes.
#[derive(Clone)]
pub struct Secret([u8; Secret::BYTES]);

impl Secret {
    pub const BYTES: usize = 32;

    /// A new secret from the system's generator; `None` only where that fails.
    pub fn random() -> Option<Secret> {
        let mut bytes = [0; Secret::BYTES];
        rand::fill(&mut bytes).ok()?;
        Some(Secret(bytes))
    }

    /// A secret from its file's text: 64 hexadecimal digits, white space around them ignored.
    pub fn parse(text: &str) -> Option<Secret> {
        let text = text.trim();
        if text.len() != 2 * Secret::BYTES || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; Secret::BYTES];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Secret(bytes))
    }

    pub fn to_text(&self) -> String {
        let mut text: String = self.0.iter().map(|b| format!("{b:02x}")).collect();
        text.push('\n');
        text
    }

    /// The key for one purpose (HKDF-Expand of RFC 5869 with one block: the secret is uniform already).
    pub fn key(&self, purpose: &str) -> Key {
        let master = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut info = purpose.as_bytes().to_vec();
        info.push(1);
        Key(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&master, &info).as_ref()))
    }
}

/// A key for one purpose.
pub struct Key(hmac::Key);

impl Key {
    /// HMAC-SHA256, cut to 128 bits.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 16];
        out.copy_from_slice(&context.sign().as_ref()[..16]);
        out
    }

    /// Whether `mac` is the one of `parts`, in constant time.
    pub fn holds(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.mac(parts), mac).is_ok()
    }
}

/// Encrypts what only this installation may read again.
pub struct Cipher(hmac::Key);

impl Secret {
    /// The cipher for one purpose.
    pub fn cipher(&self, purpose: &str) -> Cipher {
        Cipher(self.key(purpose).0)
    }
}

impl Cipher {
    /// Bytes that stand before what is encrypted, and behind it.
    pub const FRONT: usize = Cipher::SALT + NONCE_LEN;
    pub const BACK: usize = 16;
    const SALT: usize = 16;

    /// Encrypts what stands behind the first [`Cipher::FRONT`] bytes, in its place; `None` without randomness from the system.
    pub fn seal(&self, text: &mut Vec<u8>) -> Option<()> {
        let (front, plain) = text.split_at_mut_checked(Cipher::FRONT)?;
        rand::fill(front).ok()?;
        let (key, nonce) = self.of(front)?;
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), plain).ok()?;
        text.extend_from_slice(tag.as_ref());
        Some(())
    }

    /// Decrypts in its place what [`Cipher::seal`] made; `None` for everything else.
    pub fn open<'t>(&self, text: &'t mut [u8]) -> Option<&'t mut [u8]> {
        let (front, sealed) = text.split_at_mut_checked(Cipher::FRONT)?;
        let (key, nonce) = self.of(front)?;
        key.open_in_place(nonce, Aad::empty(), sealed).ok()
    }

    /// Each text has a key of its own, made from a part of its random bytes: with one key for all, two texts of a long flood
    /// could have drawn the same nonce, which is only 96 bits.
    fn of(&self, front: &[u8]) -> Option<(LessSafeKey, Nonce)> {
        let (salt, nonce) = front.split_at_checked(Cipher::SALT)?;
        let key = UnboundKey::new(&AES_256_GCM, hmac::sign(&self.0, salt).as_ref()).ok()?;
        Some((LessSafeKey::new(key), Nonce::try_assume_unique_for_key(nonce).ok()?))
    }
}

/// Fills `out` with random bytes; `false` where the system gives none.
pub fn random(out: &mut [u8]) -> bool {
    rand::fill(out).is_ok()
}

pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

pub fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Encodes into `out`, which has the exact length.
pub fn base64_into(bytes: &[u8], out: &mut [u8]) {
    // A wrong length leaves what was there, which opens nothing.
    let _ = URL_SAFE_NO_PAD.encode_slice(bytes, out);
}

/// Decodes into `out`; `None` unless the text gives exactly its length.
pub fn unbase64(text: &[u8], out: &mut [u8]) -> Option<()> {
    // Three characters carry two bytes and a rest, so the exact length is fixed: refuse others before decoding.
    if text.len() != out.len().div_ceil(3) * 4 - [0, 2, 1][out.len() % 3] {
        return None;
    }
    (URL_SAFE_NO_PAD.decode_slice(text, out).ok()? == out.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_its_file_and_keys_differ_by_purpose() {
        let secret = Secret::random().unwrap();
        let again = Secret::parse(&secret.to_text()).unwrap();
        let mac = secret.key("pass").mac(&[b"a", b"b"]);
        assert!(again.key("pass").holds(&[b"ab"], &mac));
        assert!(!again.key("seal").holds(&[b"ab"], &mac));
        assert!(Secret::parse("abc").is_none());
        assert!(Secret::parse(&"g".repeat(64)).is_none());
    }

    #[test]
    fn what_is_encrypted_opens_under_its_own_secret_and_purpose_only() {
        let secret = Secret::random().unwrap();
        let cipher = secret.cipher("form");
        let mut text = [&[0; Cipher::FRONT][..], b"name=Mama"].concat();
        cipher.seal(&mut text).unwrap();
        assert_eq!(text.len(), Cipher::FRONT + 9 + Cipher::BACK);
        assert!(!text.windows(4).any(|w| w == b"name"));
        assert_eq!(cipher.open(&mut text.clone()).unwrap(), b"name=Mama");
        assert!(secret.cipher("else").open(&mut text.clone()).is_none());
        assert!(Secret::random().unwrap().cipher("form").open(&mut text.clone()).is_none());
        for at in 0..text.len() {
            let mut altered = text.clone();
            altered[at] ^= 1;
            assert!(cipher.open(&mut altered).is_none(), "byte {at}");
            assert!(cipher.open(&mut text[..at].to_vec()).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn base64_has_one_length() {
        for n in 1..70 {
            let bytes = vec![0xa5; n];
            let text = base64(&bytes);
            let mut out = vec![0; n];
            assert!(unbase64(text.as_bytes(), &mut out).is_some(), "{n}");
            assert_eq!(out, bytes);
            assert!(unbase64(&text.as_bytes()[1..], &mut out).is_none());
        }
    }
}
