//! Draws by rank: the frequencies of names, towns and streets fall with a power of their rank.

use crate::dice::Dice;

/// Ranks `0..count`, the first ones drawn most often.
pub struct Ranks {
    /// Sums of the weights so far.
    until: Vec<u64>,
}

impl Ranks {
    /// Weights 1 / (rank + flat): surnames, towns, streets.
    pub fn gentle(count: usize, flat: u32) -> Self {
        Self::new(count, flat, |rank| rank)
    }

    /// Weights (rank + flat)^-3/2: given names, few of which many people have.
    pub fn steep(count: usize, flat: u32) -> Self {
        Self::new(count, flat, |rank| rank * rank.sqrt())
    }

    fn new(count: usize, flat: u32, divisor: impl Fn(f64) -> f64) -> Self {
        let mut sum = 0;
        let until = (1..=count)
            .map(|rank| {
                sum += (1e12 / divisor(rank as f64 + f64::from(flat))) as u64;
                sum
            })
            .collect();
        Ranks { until }
    }

    pub fn count(&self) -> usize {
        self.until.len()
    }

    pub fn draw(&self, dice: &mut Dice) -> usize {
        self.of(dice.bits())
    }

    /// The rank that these bits stand for.
    pub fn of(&self, bits: u64) -> usize {
        let sum = self.until.last().copied().unwrap_or_default();
        let at = ((u128::from(bits) * u128::from(sum)) >> 64) as u64;
        self.until.partition_point(|&until| until <= at)
    }

    /// The part of all draws that falls on a rank.
    pub fn share(&self, rank: usize) -> f64 {
        let before = rank.checked_sub(1).map_or(0, |before| self.until[before]);
        (self.until[rank] - before) as f64 / self.until[self.until.len() - 1] as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_shares() {
        let (ranks, mut dice) = (Ranks::gentle(1000, 20), Dice::new(1));
        let mut drawn = vec![0u32; 1000];
        for _ in 0..200_000 {
            drawn[ranks.draw(&mut dice)] += 1;
        }
        for rank in [0, 10, 100] {
            let share = f64::from(drawn[rank]) / 200_000.0;
            assert!((share / ranks.share(rank) - 1.0).abs() < 0.15, "{rank}: {share}");
        }
        assert_eq!((ranks.of(0), ranks.of(u64::MAX)), (0, 999));
    }
}
