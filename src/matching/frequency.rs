//! How common values are: that two people share a rare one says more.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values of a field that a model remembers by name.
const KEPT: usize = 5_000;

/// Shares of records that have each value, of those with any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequencies {
    /// The commonest values.
    pub common: BTreeMap<String, f64>,
    /// The probability that two records share their value, if one of them has one of the others.
    pub other: f64,
    /// The same for the values of each class.
    pub of_class: [f64; CLASSES],
}

/// Classes of frequency, so that a model learns for itself how much each says.
pub const CLASSES: usize = 3;

/// The class of a frequency: at least a hundredth, at least a thousandth, rarer; the same whether it was
/// kept with 32 bits in between or not.
pub fn class(frequency: f64) -> usize {
    match frequency as f32 {
        0.01.. => 0,
        0.001.. => 1,
        _ => 2,
    }
}

impl Frequencies {
    /// From how often each value was seen.
    pub fn new<'v>(counts: impl Iterator<Item = (&'v str, u32)>) -> Self {
        let mut counts: Vec<(&str, u32)> = counts.filter(|&(_, count)| count > 0).collect();
        let filled: f64 = counts.iter().map(|&(_, count)| f64::from(count)).sum();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let (common, other) = counts.split_at(counts.len().min(KEPT));
        let of_others: f64 = other.iter().map(|&(_, count)| f64::from(count)).sum();
        let squares: f64 = other.iter().map(|&(_, count)| f64::from(count).powi(2)).sum();
        let mut of_class = [(0.0, 0.0); CLASSES];
        for &(_, count) in &counts {
            let frequency = f64::from(count) / filled;
            let (squares, sum) = &mut of_class[class(frequency)];
            *squares += frequency * frequency;
            *sum += frequency;
        }
        Frequencies {
            of_class: of_class.map(|(squares, sum)| if sum > 0.0 { squares / sum } else { 1.0 }),
            common: common
                .iter()
                .filter(|&&(_, count)| count > 1)
                .map(|&(value, count)| (value.to_owned(), f64::from(count) / filled))
                .collect(),
            other: if of_others > 0.0 { squares / of_others / filled } else { 1.0 / filled.max(1.0) },
        }
    }

    /// Whether all are probabilities of what can be.
    pub fn are_probable(&self) -> bool {
        let mut all = self.common.values().chain(&self.of_class).chain([&self.other]);
        all.all(|&frequency| frequency > 0.0 && frequency <= 1.0)
    }

    pub fn of(&self, value: &str) -> f64 {
        self.common.get(value).copied().unwrap_or(self.other)
    }

    /// How many times likelier than the average value of its class a value is shared by chance.
    pub fn excess(&self, frequency: f64) -> f64 {
        frequency / self.of_class[class(frequency)]
    }
}
