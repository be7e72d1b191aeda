//! The keys that seal challenges: one for each epoch of ten minutes, made from the master secret, so that nodes which
//! share the secret agree without a word.
//!
//! Does not know: what is sealed.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::bounds;
use crate::seal::{Key, Secret};

/// Epochs in which a challenge that is still good may have been issued, and the next, which begins meanwhile.
const KEPT: usize = (bounds::CHALLENGE_LIFE.as_secs() / bounds::CHALLENGE_EPOCH.as_secs()) as usize + 2;

pub struct Epochs {
    secret: Secret,
    kept: [ArcSwapOption<(u64, Key)>; KEPT],
}

impl Epochs {
    pub fn new(secret: &Secret) -> Epochs {
        Epochs { secret: secret.clone(), kept: Default::default() }
    }

    /// The key of the epoch in which this second lies.
    pub fn at(&self, unix: u64) -> Arc<(u64, Key)> {
        let epoch = unix / bounds::CHALLENGE_EPOCH.as_secs();
        let place = &self.kept[epoch as usize % KEPT];
        if let Some(kept) = place.load_full().filter(|kept| kept.0 == epoch) {
            return kept;
        }
        let made = Arc::new((epoch, self.secret.key(&format!("boma challenge seal v2, epoch {epoch}"))));
        place.store(Some(made.clone()));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_with_one_secret_agree_and_epochs_differ() {
        let secret = Secret::parse(&"5a".repeat(32)).unwrap();
        let (one, other) = (Epochs::new(&secret), Epochs::new(&secret));
        let mac = |epochs: &Epochs, at| epochs.at(at).1.mac(&[b"x"]);
        assert_eq!(mac(&one, 1_790_000_000), mac(&other, 1_790_000_001));
        assert_ne!(mac(&one, 1_790_000_000), mac(&one, 1_790_000_600));
        assert_eq!(mac(&one, 1_790_000_000), mac(&other, 1_790_000_000), "whatever came between");
    }
}
