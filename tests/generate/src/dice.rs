//! Seeded chance.
//!
//! Draws are built here from raw 64-bit words rather than with a distribution crate, whose
//! sampling may change with its version. No transcendental function is used: their last bit
//! differs between math libraries.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of random choices, the same for the same seed and the same questions.
pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(ChaCha8Rng::seed_from_u64(seed))
    }

    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..n`; its bias is below `n` / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `permille` times in a thousand.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    pub fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len() as u64) as usize]
    }

    /// An index of `weights`, drawn in proportion to them.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut at = self.below(weights.iter().sum());
        for (index, &weight) in weights.iter().enumerate() {
            if at < weight {
                return index;
            }
            at -= weight;
        }
        unreachable!("a draw below the sum falls on one of the weights")
    }

    /// A count of at least 1 with a power-law tail of exponent 4/3, at most `cap`.
    ///
    /// The inverse of the tail is u^(-3/4), which two square roots give exactly.
    pub fn heavy_tail(&mut self, cap: u64) -> u64 {
        let unit = ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let root = unit.sqrt();
        ((1.0 / (root * root.sqrt())) as u64).min(cap)
    }
}

/// A one-to-one map of `0..range`, so that neighbours do not get neighbouring numbers. The
/// factor has no divisor in common with the ranges in use.
pub fn scatter(index: u64, range: u64) -> u64 {
    index * 48_611_123 % range
}

/// Bits that look random, the same for the same key: the last steps of SplitMix64.
pub fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}
