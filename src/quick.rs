//! A hash for tables whose keys are the settings' to choose, or this house's: strangers may ask for what they like, and put nothing
//! in. It has no secret, and costs a few steps for each eight bytes.
//!
//! Does not know: what is looked up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub type Table<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

#[derive(Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        // Tables go by the highest and the lowest bits, and a product's lowest know little.
        self.0.rotate_left(20)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            self.write_u64(rest.iter().fold(rest.len() as u64, |n, byte| n << 8 | u64::from(*byte)));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u128(&mut self, n: u128) {
        self.write_u64(n as u64);
        self.write_u64((n >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn keys_that_are_much_alike_fall_apart() {
        let build = BuildHasherDefault::<Quick>::default();
        fn spread(hashes: impl Iterator<Item = u64>) -> (usize, usize) {
            let (low, high): (std::collections::HashSet<_>, std::collections::HashSet<_>) =
                hashes.map(|h| (h & 1023, h >> 57)).unzip();
            (low.len(), high.len())
        }
        let of = |key: &dyn Fn(u64) -> u64| spread((0..1024).map(key));
        let hash = |key: &str| build.hash_one(key);
        for (low, high) in [
            of(&|n| hash(&format!("portal-{n}.huduma.example"))),
            of(&|n| hash(&format!("/services/{n}/form"))),
            of(&|n| build.hash_one(u128::from(n) << 8)),
            of(&|n| build.hash_one(u128::from(n) << 64)),
        ] {
            assert!(low > 500 && high > 100, "{low} {high}");
        }
        assert_ne!(hash("a"), hash("b"));
        assert_ne!(hash("huduma.example"), hash("huduma.exampl\0"));
    }
}
