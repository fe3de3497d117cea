//! Finding the pairs that are probably one person's.

use super::blocking::{Keys, Rule, blocks};
use super::model::{Blocking, Bounds, Model, Scorer, log_odds};
use super::pattern::{Comparer, MOST_FIELDS};
use super::records::Records;
use super::sample::ALL_PAIRS;
use super::watch::{Phase, Stopped, Watch};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
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

/// Whether all pairs are compared: there are few enough, and nobody has said which.
pub fn compares_all(model: &Model, records: &Records) -> bool {
    is_few(model, records.all_pairs())
}

/// Whether so many pairs are all compared.
pub fn is_few(model: &Model, pairs: f64) -> bool {
    matches!(model.blocking, Blocking::Chosen(_)) && pairs <= ALL_PAIRS
}

/// Looks at the blocks of a rule, by its number: blocks and records, block by block.
pub type EachRule<'f> = dyn FnMut(usize, &[(u64, u32)]) + Send + 'f;

/// The pairs at least as probable as `least`, in the order of their records; and what each rule did.
/// `each_rule` is shown the blocks of each rule.
pub fn find(
    comparer: &Comparer,
    model: &Model,
    scorer: &Scorer,
    least: f64,
    each_rule: &mut EachRule,
    watch: &Watch,
) -> Result<(Vec<Edge>, Vec<RuleCount>), Stopped> {
    let records = comparer.records;
    let finder = Finder::new(comparer, scorer, log_odds(least));
    if compares_all(model, records) {
        return all(&finder, watch);
    }
    let (keys, rules) = rules(records, model);
    watch.take(keys.bytes())?;
    let mut found = Vec::new();
    let mut counts = Vec::new();
    let mut earlier: Vec<Compared> = Vec::new();
    for (number, &rule) in rules.iter().enumerate() {
        let blocks = blocks(records, &keys, rule, 1, watch)?;
        each_rule(number, &blocks);
        let mut count = RuleCount::default();
        let blocks: Vec<&[(u64, u32)]> =
            blocks.chunk_by(|x, y| x.0 == y.0).filter(|block| block.len() > 1).collect();
        let (small, large): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|block| block.len() <= MOST_IN_BLOCK);
        count.oversized_blocks = large.len() as u64;
        count.oversized_records = large.iter().map(|block| block.len() as u64).sum();
        let now = Compared { rule, but: large.iter().map(|block| block[0].0).collect() };
        watch.begin(Phase::Comparing, small.len() as u64);
        let parts: Vec<(Vec<Edge>, u64)> = small
            .par_chunks(small.len().div_ceil(4096).max(1))
            .map(|chunk| {
                let mut edges = Vec::new();
                let mut pairs = 0;
                let rows = Rows::of(&keys, records, chunk.iter().copied().flatten());
                let mut members = chunk
                    .iter()
                    .copied()
                    .flatten()
                    .zip(rows.iter())
                    .map(|(posting, row)| Member::new(posting, row));
                for block in chunk {
                    let block: Vec<Member> = members.by_ref().take(block.len()).collect();
                    pairs += finder.compare_block(&keys, &earlier, &now, &block, watch, &mut edges)?;
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
        earlier.push(now);
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

/// A rule whose pairs were compared, but those of some blocks.
struct Compared {
    rule: Rule,
    but: FxHashSet<u64>,
}

impl Compared {
    /// Whether two records that agree in these keys were compared.
    fn has(&self, keys: &Keys, agree: u64, a: &[u32], b: &[u32]) -> bool {
        self.rule.holds(agree) && (self.but.is_empty() || self.block(keys, a, b).is_some())
    }

    /// The block in which two records are compared: the first of those that they share.
    fn block(&self, keys: &Keys, a: &[u32], b: &[u32]) -> Option<u64> {
        let mut of_a = Vec::new();
        keys.each_block(self.rule, a, |block| of_a.push(block));
        let mut first: Option<u64> = None;
        keys.each_block(self.rule, b, |block| {
            if of_a.contains(&block) && !self.but.contains(&block) {
                first = Some(first.map_or(block, |first| first.min(block)));
            }
        });
        first
    }
}

/// The rows of some records, one after the other: reading each from where it is takes the memory a
/// while, but many at a time hardly longer than one.
struct Rows {
    /// Numbers of a record that are its keys, and all of them.
    keys: usize,
    width: usize,
    rows: Vec<u32>,
}

impl Rows {
    fn of<'p>(keys: &Keys, records: &Records, postings: impl Iterator<Item = &'p (u64, u32)>) -> Self {
        let mut rows = Vec::new();
        for &(_, record) in postings {
            rows.extend_from_slice(keys.row(record));
            rows.extend_from_slice(records.row(record));
        }
        let (keys, codes) = (keys.row(0).len(), records.row(0).len());
        Rows { keys, width: keys + codes, rows }
    }

    /// The keys and the codes of each.
    fn iter(&self) -> impl Iterator<Item = (&[u32], &[u32])> {
        self.rows.chunks_exact(self.width).map(|row| row.split_at(self.keys))
    }
}

/// A record of a block.
struct Member<'r> {
    block: u64,
    record: u32,
    keys: &'r [u32],
    codes: &'r [u32],
}

impl<'r> Member<'r> {
    fn new(&(block, record): &(u64, u32), (keys, codes): (&'r [u32], &'r [u32])) -> Self {
        Member { block, record, keys, codes }
    }
}

/// What pairs are compared by.
pub struct Finder<'r> {
    comparer: &'r Comparer<'r>,
    scorer: &'r Scorer,
    bounds: Bounds,
    least: f64,
}

impl<'r> Finder<'r> {
    /// Finds pairs whose logarithm of the odds is at least `least`.
    pub fn new(comparer: &'r Comparer<'r>, scorer: &'r Scorer, least: f64) -> Self {
        Finder { comparer, scorer, bounds: scorer.bounds(), least }
    }

    /// Whether two rows of these odds (a logarithm) are to be linked, or somebody who looks at them
    /// could tell: two of which nothing but a first name is known are no question.
    pub fn is_telling(&self, model: &Model, odds: f64, a: &[u32], b: &[u32]) -> bool {
        odds >= log_odds(model.match_threshold).min(0.0) || self.comparer.may_tell(self.scorer, a, b)
    }

    /// The logarithm of the odds of two rows, if it is at least the least.
    pub fn score(&self, a: &[u32], b: &[u32]) -> Option<f64> {
        if !self.comparer.may_reach(self.scorer, &self.bounds, self.least, a, b) {
            return None;
        }
        let mut equal = [0.0; MOST_FIELDS];
        let pattern = self.comparer.compare(a, b, &mut equal);
        Some(self.scorer.log_odds(pattern, &equal)).filter(|&log_odds| log_odds >= self.least)
    }

    /// Compares the records of a block, but those that an earlier rule or another block has brought
    /// together.
    fn compare_block(
        &self,
        keys: &Keys,
        earlier: &[Compared],
        now: &Compared,
        block: &[Member],
        watch: &Watch,
        edges: &mut Vec<Edge>,
    ) -> Result<u64, Stopped> {
        let records = self.comparer.records;
        let overlaps = keys.overlap(now.rule);
        let mut pairs = 0;
        for (n, a) in block.iter().enumerate() {
            watch.go_on()?;
            for b in &block[n + 1..] {
                if !records.comparable(a.record, b.record) {
                    continue;
                }
                if overlaps && now.block(keys, a.keys, b.keys) != Some(a.block) {
                    continue;
                }
                if !earlier.is_empty() {
                    let agree = keys.agree(a.keys, b.keys);
                    if earlier.iter().any(|earlier| earlier.has(keys, agree, a.keys, b.keys)) {
                        continue;
                    }
                }
                pairs += 1;
                if let Some(log_odds) = self.score(a.codes, b.codes) {
                    edges.push(Edge { a: a.record, b: b.record, log_odds });
                }
            }
        }
        Ok(pairs)
    }
}

fn all(finder: &Finder, watch: &Watch) -> Result<(Vec<Edge>, Vec<RuleCount>), Stopped> {
    let records = finder.comparer.records;
    let count = records.len() as u32;
    watch.begin(Phase::Comparing, u64::from(count));
    let rows: Vec<(Vec<Edge>, u64)> = (0..count)
        .into_par_iter()
        .map(|a| {
            let mut edges = Vec::new();
            let mut pairs = 0;
            for b in (a + 1..count).filter(|&b| records.comparable(a, b)) {
                pairs += 1;
                if let Some(log_odds) = finder.score(records.row(a), records.row(b)) {
                    edges.push(Edge { a, b, log_odds });
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
