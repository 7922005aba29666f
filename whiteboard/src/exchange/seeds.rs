//! Chance, for ids, nonces and the look of strokes.

use super::index::DIGITS;

/// A stream of random numbers (SplitMix64). Good for ids that must not collide; not for secrets.
#[derive(Debug)]
pub struct Seeds(u64);

impl Seeds {
    /// A stream that starts at `seed`; the same seed gives the same stream.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of 31 bits that is not 0, as Excalidraw uses for `seed` and `versionNonce`.
    pub fn nonce(&mut self) -> u32 {
        u32::try_from(self.next() >> 33).unwrap_or(1).max(1)
    }

    /// An id of 21 letters and digits (125 bits).
    pub fn id(&mut self) -> String {
        let mut id = String::with_capacity(21);
        while id.len() < 21 {
            let mut bits = self.next();
            for _ in 0..7 {
                let digit = usize::try_from(bits % 62).unwrap_or(0);
                id.push(char::from(DIGITS[digit]));
                bits /= 62;
            }
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_differ_and_follow_the_seed() {
        let mut seeds = Seeds::new(7);
        let ids: HashSet<String> = (0..10_000).map(|_| seeds.id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 21 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        assert_eq!(Seeds::new(3).id(), Seeds::new(3).id());
        assert_ne!(Seeds::new(3).id(), Seeds::new(4).id());
    }

    #[test]
    fn nonces_are_positive_and_of_31_bits() {
        let mut seeds = Seeds::new(0);
        assert!((0..10_000).map(|_| seeds.nonce()).all(|nonce| nonce > 0 && nonce < 1 << 31));
    }
}
