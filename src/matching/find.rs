//! Finding the pairs that are probably one person's.

use super::blocking::{Keys, Rule, blocks};
use super::model::{Model, Scorer, log_odds};
use super::pattern::{Comparer, MOST_FIELDS};
use super::records::Records;
use super::sample::ALL_PAIRS;
use super::watch::{Phase, Stopped, Watch};
use rayon::prelude::*;
use serde::Serialize;

/// Two records and the logarithm of the odds that they are one person's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    pub a: u32,
    pub b: u32,
    pub log_odds: f64,
}

/// What one rule did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RuleCount {
    /// Pairs that were compared, which no rule before has.
    pub pairs: u64,
    /// Blocks of more records than are compared with each other, and the records in them.
    pub oversized_blocks: u64,
    pub oversized_records: u64,
}

/// The most records of a block that are all compared with each other.
pub const MOST_IN_BLOCK: usize = 5_000;

/// The pairs at least as probable as `least`, in the order of their records; and what each rule did.
pub fn find(
    comparer: &Comparer,
    model: &Model,
    scorer: &Scorer,
    least: f64,
    watch: &Watch,
) -> Result<(Vec<Edge>, Vec<RuleCount>), Stopped> {
    let least = log_odds(least);
    let records = comparer.records;
    if records.all_pairs() <= ALL_PAIRS {
        return all(comparer, scorer, least, watch);
    }
    let (keys, rules) = rules(records, model);
    let mut found = Vec::new();
    let mut counts = Vec::new();
    for (n, &rule) in rules.iter().enumerate() {
        let blocks = blocks(records, &keys, rule, 1, watch)?;
        let mut count = RuleCount::default();
        let blocks: Vec<&[(u64, u32)]> =
            blocks.chunk_by(|x, y| x.0 == y.0).filter(|block| block.len() > 1).collect();
        let (small, large): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|block| block.len() <= MOST_IN_BLOCK);
        for block in large {
            count.oversized_blocks += 1;
            count.oversized_records += block.len() as u64;
        }
        watch.begin(Phase::Comparing, small.len() as u64);
        let parts: Vec<(Vec<Edge>, u64)> = small
            .par_chunks(small.len().div_ceil(4096).max(1))
            .map(|chunk| {
                let mut edges = Vec::new();
                let mut pairs = 0;
                for block in chunk {
                    compare_block(
                        comparer,
                        scorer,
                        &keys,
                        &rules[..n],
                        block,
                        least,
                        watch,
                        &mut edges,
                        &mut pairs,
                    )?;
                }
                watch.take(size_of_val(&edges[..]))?;
                watch.advance(chunk.len() as u64)?;
                Ok((edges, pairs))
            })
            .collect::<Result<_, Stopped>>()?;
        for (edges, pairs) in parts {
            found.extend(edges);
            count.pairs += pairs;
        }
        counts.push(count);
    }
    found.par_sort_unstable_by_key(|edge| (edge.a, edge.b));
    Ok((found, counts))
}

/// The rules of a model as bits of the keys they need.
pub fn rules(records: &Records, model: &Model) -> (Keys, Vec<Rule>) {
    let mut keys = Vec::new();
    let rules = model
        .blocking
        .iter()
        .map(|rule| {
            model.keys(rule).into_iter().fold(Rule(0), |bits, key| {
                let place = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                    keys.push(key);
                    keys.len() - 1
                });
                Rule(bits.0 | 1 << place)
            })
        })
        .collect();
    (Keys::new(records, keys), rules)
}

#[expect(clippy::too_many_arguments, reason = "the innermost loop, which several lists follow")]
fn compare_block(
    comparer: &Comparer,
    scorer: &Scorer,
    keys: &Keys,
    earlier: &[Rule],
    block: &[(u64, u32)],
    least: f64,
    watch: &Watch,
    edges: &mut Vec<Edge>,
    pairs: &mut u64,
) -> Result<(), Stopped> {
    let records = comparer.records;
    let mut equal = [0.0; MOST_FIELDS];
    for (n, &(_, a)) in block.iter().enumerate() {
        watch.go_on()?;
        let x = records.row(a);
        for &(_, b) in &block[n + 1..] {
            if !records.comparable(a, b) {
                continue;
            }
            let y = records.row(b);
            if !earlier.is_empty() {
                let agree = keys.agree(records, x, y);
                if earlier.iter().any(|rule| rule.holds(agree)) {
                    continue;
                }
            }
            *pairs += 1;
            let pattern = comparer.compare(x, y, &mut equal);
            let log_odds = scorer.log_odds(pattern, &equal);
            if log_odds >= least {
                edges.push(Edge { a, b, log_odds });
            }
        }
    }
    Ok(())
}

fn all(
    comparer: &Comparer,
    scorer: &Scorer,
    least: f64,
    watch: &Watch,
) -> Result<(Vec<Edge>, Vec<RuleCount>), Stopped> {
    let records = comparer.records;
    let count = records.len() as u32;
    watch.begin(Phase::Comparing, u64::from(count));
    let rows: Vec<(Vec<Edge>, u64)> = (0..count)
        .into_par_iter()
        .map(|a| {
            let mut equal = [0.0; MOST_FIELDS];
            let mut edges = Vec::new();
            let mut pairs = 0;
            for b in a + 1..count {
                if records.comparable(a, b) {
                    pairs += 1;
                    let pattern = comparer.compare(records.row(a), records.row(b), &mut equal);
                    let log_odds = scorer.log_odds(pattern, &equal);
                    if log_odds >= least {
                        edges.push(Edge { a, b, log_odds });
                    }
                }
            }
            watch.take(size_of_val(&edges[..]))?;
            watch.advance(1)?;
            Ok((edges, pairs))
        })
        .collect::<Result<_, Stopped>>()?;
    let pairs = rows.iter().map(|(_, pairs)| pairs).sum();
    let edges = rows.into_iter().flat_map(|(edges, _)| edges).collect();
    Ok((edges, vec![RuleCount { pairs, ..RuleCount::default() }]))
}
