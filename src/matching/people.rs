//! The pairs of all records that are probably one person's, and the people they make.

use super::cluster::cluster;
use super::evaluate::groups;
use super::find::{EachRule, Edge, Finder, RuleCount, find};
use super::index::{self, KeptPair, Page, Part, block_number};
use super::model::{Model, Scorer, log_odds};
use super::pattern::Comparer;
use super::records::Records;
use super::watch::{Stopped, Watch};
use rayon::prelude::*;

/// Pairs that are found.
pub struct Found {
    /// In the order of their records.
    pub edges: Vec<Edge>,
    pub counts: Vec<RuleCount>,
}

impl Found {
    /// The pairs at least as probable as `least`. `each_rule` as [`find`] has it.
    pub fn new(
        records: &Records,
        model: &Model,
        scorer: &Scorer,
        least: f64,
        each_rule: &mut EachRule,
        watch: &Watch,
    ) -> Result<Self, Stopped> {
        let comparer = Comparer::new(records, scorer.frequencies());
        watch.take(comparer.bytes())?;
        let (edges, counts) = find(&comparer, model, scorer, least, each_rule, watch)?;
        Ok(Found { edges, counts })
    }

    /// For each pair whether it connects people: of those at least as probable as `threshold`.
    pub fn cluster(
        &self,
        records: &Records,
        scorer: &Scorer,
        threshold: f64,
        watch: &Watch,
    ) -> Result<Vec<bool>, Stopped> {
        self.cluster_by(&Comparer::new(records, scorer.frequencies()), scorer, threshold, watch)
    }

    fn cluster_by(
        &self,
        comparer: &Comparer,
        scorer: &Scorer,
        threshold: f64,
        watch: &Watch,
    ) -> Result<Vec<bool>, Stopped> {
        let least = log_odds(threshold);
        let is_strong = |edge: &Edge| edge.log_odds >= least;
        let strong: Vec<Edge> = self.edges.iter().copied().filter(is_strong).collect();
        let mut joined = cluster(comparer, scorer, &strong, watch)?.into_iter();
        let joins = |edge: &Edge| is_strong(edge) && joined.next() == Some(true);
        Ok(self.edges.iter().map(joins).collect())
    }

    /// The pairs that `joined` says connect people.
    pub fn joined<'f>(&'f self, joined: &'f [bool]) -> impl Iterator<Item = &'f Edge> {
        self.edges.iter().zip(joined).filter(|(_, joined)| **joined).map(|(edge, _)| edge)
    }
}

/// What comes of comparing all records.
pub struct People {
    /// Probable pairs, and which of them join.
    pub pairs: Vec<KeptPair>,
    /// For each record a number that its group shares.
    pub groups: Vec<u32>,
    pub counts: Vec<RuleCount>,
}

impl People {
    /// The pairs that do not join, of records that nothing else joins.
    pub fn doubtful(&self) -> impl Iterator<Item = &Edge> {
        let apart = |edge: &Edge| self.groups[edge.a as usize] != self.groups[edge.b as usize];
        self.pairs.iter().filter(move |pair| !pair.joined && apart(&pair.edge)).map(|pair| &pair.edge)
    }
}

/// Records whose pages are made at a time; a multiple of those in a page.
const TOGETHER: u32 = 1 << 16;

/// Compares all records. `sources`: what names begin with, by side; `key`: the rest of a record's name.
/// Pages of what is to be kept for the next run go to `keep` as they come.
pub fn compare_all<'k>(
    records: &Records,
    sources: &[String],
    key: impl Fn(u32) -> &'k str + Sync,
    model: &Model,
    scorer: &Scorer,
    keep: &mut (impl FnMut(Vec<Page>) + Send),
    watch: &Watch,
) -> Result<People, Stopped> {
    let count = records.len() as u32;
    for first in (0..count).step_by(TOGETHER as usize) {
        keep(index::record_pages(records, first..count.min(first + TOGETHER), 0, &key));
    }
    let mut keep_postings = |list: usize, postings: &[(u64, u32)]| {
        keep(index::posting_pages(Part::Postings { list, is_new: false }, postings, block_number));
    };
    let mut names = index::names(records, sources, &key);
    names.par_sort_unstable();
    keep_postings(model.blocking.len(), &names);
    drop(names);
    let comparer = Comparer::new(records, scorer.frequencies());
    watch.take(comparer.bytes())?;
    let (edges, counts) =
        find(&comparer, model, scorer, model.review_threshold, &mut keep_postings, watch)?;
    let mut found = Found { edges, counts };
    let finder = Finder::new(&comparer, scorer, log_odds(model.review_threshold));
    let row = |record| records.row(record);
    found.edges.retain(|edge| finder.is_telling(model, edge.log_odds, row(edge.a), row(edge.b)));
    let joined = found.cluster_by(&comparer, scorer, model.match_threshold, watch)?;
    let groups = groups(records.len(), found.joined(&joined));
    let Found { edges, counts } = found;
    let pairs: Vec<KeptPair> =
        edges.into_iter().zip(joined).map(|(edge, joined)| KeptPair { edge, joined }).collect();
    keep(index::edge_pages(&pairs));
    Ok(People { pairs, groups, counts })
}
