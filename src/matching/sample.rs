//! A sample of pairs that stands for all: those that agree in some keys, block by block, and random
//! ones for the rest.

use super::blocking::{AnyRule, Keys, Rule, blocks};
use super::known::Label;
use super::learn::Look;
use super::pattern::{Comparer, MOST_FIELDS, Pattern};
use super::watch::{Stopped, Watch};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// Up to so many pairs in all are all looked at.
pub const ALL_PAIRS: f64 = 5e6;

/// A rule by which pairs are sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratum {
    pub rule: Rule,
    /// Pairs that it makes, estimated.
    pub pairs: f64,
    /// Of so many blocks one is taken.
    pub one_of: u64,
}

/// A pair of the sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampled {
    pub pattern: Pattern,
    /// The keys in which the two agree.
    pub agree: u64,
    pub a: u32,
    pub b: u32,
    /// How many pairs it stands for.
    pub weight: f64,
    /// What it is taken for, if that is not to be found out.
    pub label: Option<Label>,
}

/// A stream of numbers that look random: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }
}

/// Spreads a number's bits.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The sampled pairs of one stratum that no earlier one has.
pub fn of_stratum(
    comparer: &Comparer,
    keys: &Keys,
    stratum: Stratum,
    earlier: &AnyRule,
    watch: &Watch,
) -> Result<Vec<Sampled>, Stopped> {
    let records = comparer.records;
    let taken = blocks(records, keys, stratum.rule, stratum.one_of, watch)?;
    let mut sampled = Vec::new();
    let mut equal = [0.0; MOST_FIELDS];
    for block in taken.chunk_by(|x, y| x.0 == y.0) {
        let before = sampled.len();
        for (n, &(_, a)) in block.iter().enumerate() {
            watch.go_on()?;
            for &(_, b) in &block[n + 1..] {
                if !records.comparable(a, b) {
                    continue;
                }
                let (x, y) = (records.row(a), records.row(b));
                let agree = keys.agree(keys.row(a), keys.row(b));
                if earlier.holds(agree) {
                    continue;
                }
                let pattern = comparer.compare(x, y, &mut equal);
                sampled.push(Sampled {
                    pattern,
                    agree,
                    a,
                    b,
                    weight: stratum.one_of as f64,
                    label: records.known.label(a, b),
                });
            }
        }
        watch.take(size_of_val(&sampled[before..]))?;
    }
    Ok(sampled)
}

/// Random pairs are drawn by so many streams of numbers, each on any thread.
const STREAMS: usize = 64;

/// Random pairs that no rule has, standing for `rest` pairs; each stands for so many that hardly any
/// can be of one person.
pub fn of_rest(
    comparer: &Comparer,
    keys: &Keys,
    rules: &AnyRule,
    count: usize,
    rest: f64,
    seed: u64,
    watch: &Watch,
) -> Result<Vec<Sampled>, Stopped> {
    let records = comparer.records;
    let limit = records.len() as u64;
    let streams: Vec<Vec<Sampled>> = (0..STREAMS)
        .into_par_iter()
        .map(|stream| {
            let mut random = Random(mix(seed ^ mix(stream as u64 + 1)));
            let mut equal = [0.0; MOST_FIELDS];
            let mut sampled = Vec::new();
            for n in 0..count.div_ceil(STREAMS) {
                if n % 256 == 0 {
                    watch.go_on()?;
                }
                let (a, b) = (random.below(limit) as u32, random.below(limit) as u32);
                if !records.comparable(a, b) {
                    continue;
                }
                let agree = keys.agree(keys.row(a), keys.row(b));
                if rules.holds(agree) {
                    continue;
                }
                let pattern = comparer.compare(records.row(a), records.row(b), &mut equal);
                let label = records.known.label(a, b).or(Some(Label::Unrelated));
                sampled.push(Sampled { pattern, agree, a, b, weight: 0.0, label });
            }
            watch.take(size_of_val(&sampled[..]))?;
            Ok(sampled)
        })
        .collect::<Result<_, Stopped>>()?;
    let mut sampled = streams.concat();
    let weight = rest.max(0.0) / sampled.len().max(1) as f64;
    sampled.iter_mut().for_each(|pair| pair.weight = weight);
    Ok(sampled)
}

/// All pairs there are.
pub fn of_all(comparer: &Comparer, keys: &Keys, watch: &Watch) -> Result<Vec<Sampled>, Stopped> {
    let records = comparer.records;
    let count = records.len() as u32;
    let rows: Vec<Vec<Sampled>> = (0..count)
        .into_par_iter()
        .map(|a| {
            watch.go_on()?;
            let mut equal = [0.0; MOST_FIELDS];
            let others = (a + 1..count).filter(|&b| records.comparable(a, b));
            let sampled: Vec<Sampled> = others
                .map(|b| {
                    let pattern = comparer.compare(records.row(a), records.row(b), &mut equal);
                    let agree = keys.agree(keys.row(a), keys.row(b));
                    let label = records.known.label(a, b);
                    Sampled { pattern, agree, a, b, weight: 1.0, label }
                })
                .collect();
            watch.take(size_of_val(&sampled[..]))?;
            Ok(sampled)
        })
        .collect::<Result<_, Stopped>>()?;
    Ok(rows.concat())
}

/// Pairs that look the same, put together; in a fixed order.
pub fn looks(sampled: &[Sampled]) -> Vec<Look> {
    let mut by_pattern: FxHashMap<(Pattern, Option<Label>), f64> = FxHashMap::default();
    for pair in sampled {
        *by_pattern.entry((pair.pattern, pair.label)).or_default() += pair.weight;
    }
    let mut looks: Vec<Look> = by_pattern
        .into_iter()
        .map(|((pattern, label), weight)| Look { pattern, label, weight })
        .collect();
    looks.sort_unstable_by_key(|look| (look.pattern, look.label));
    looks
}
