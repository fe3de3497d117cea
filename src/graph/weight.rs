//! How much a link weighs: forward decay.
//!
//! Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay: A Practical Time Decay Model for Streaming
//! Systems", ICDE 2009: a sighting of `day` counts `2^((day − landmark) / half_life)`, and a link
//! the sum over its sightings. Moving the landmark scales every weight alike, so their order and
//! their shares never change because time passes.

use super::Day;

/// The base-2 logarithm of a forward-decayed weight with landmark 1970-01-01, as a fixed-point
/// number with [`Weight::FRACTION_BITS`] fractional bits.
///
/// The logarithm keeps decades of short half-lives in range, where the weight itself would
/// overflow; rounding it makes weights that are mathematically equal compare equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(i64);

impl Weight {
    const FRACTION_BITS: i32 = 32;

    /// The weight of a link without sightings: below every other.
    pub const NONE: Weight = Weight(i64::MIN);

    fn from_log2(log2: f64) -> Self {
        Weight((log2 * f64::from(Self::FRACTION_BITS).exp2()).round() as i64)
    }

    /// This weight divided by `reference`, as a plain number; 0 for [`Weight::NONE`].
    pub fn relative_to(self, reference: Weight) -> f64 {
        if self == Self::NONE {
            return 0.0;
        }
        let difference = i128::from(self.0) - i128::from(reference.0);
        (difference as f64 / f64::from(Self::FRACTION_BITS).exp2()).exp2()
    }
}

/// The decay for one half-life, with the powers of recent ages at hand.
#[derive(Clone, Debug)]
pub struct Decay {
    half_life: f64,
    powers: Vec<f64>,
}

impl Decay {
    /// Ages (in days) whose factor is looked up rather than computed.
    const TABLE: usize = 2048;

    /// A decay that halves in `half_life` days, which must be positive and finite.
    pub fn new(half_life: f64) -> Self {
        let powers = (0..Self::TABLE).map(|age| (-(age as f64) / half_life).exp2()).collect();
        Decay { half_life, powers }
    }

    fn factor(&self, age: Day) -> f64 {
        match self.powers.get(age as usize) {
            Some(factor) => *factor,
            None => (-f64::from(age) / self.half_life).exp2(),
        }
    }

    /// The weight of sightings given as `(day, count)` in ascending order of distinct days.
    ///
    /// The sum is taken relative to the last day, in day order, so that it depends on nothing but
    /// the histogram.
    pub fn weigh(&self, histogram: &[(Day, u64)]) -> Weight {
        let Some(&(last, _)) = histogram.last() else {
            return Weight::NONE;
        };
        let sum: f64 =
            histogram.iter().map(|&(day, count)| count as f64 * self.factor(last - day)).sum();
        self.at(last, sum)
    }

    /// The weight of `count` sightings on one day.
    pub fn at(&self, day: Day, count: f64) -> Weight {
        Weight::from_log2(f64::from(day) / self.half_life + count.log2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_life_halves() {
        let decay = Decay::new(90.0);
        assert_eq!(decay.weigh(&[(100, 2)]), decay.weigh(&[(190, 1)]));
        assert_eq!(decay.weigh(&[(7, 2)]), decay.weigh(&[(97, 1)]));
        assert!(decay.weigh(&[(100, 1), (190, 1)]) > decay.weigh(&[(190, 1)]));
        assert_eq!(decay.weigh(&[]), Weight::NONE);
    }

    #[test]
    fn decades_of_one_day_half_lives_stay_in_range() {
        let decay = Decay::new(1.0);
        let (old, new) = (decay.weigh(&[(-25_000, 1_000_000)]), decay.weigh(&[(25_000, 1)]));
        assert!(old < new);
        assert_eq!(old.relative_to(new), 0.0);
        assert_eq!(new.relative_to(new), 1.0);
    }
}
