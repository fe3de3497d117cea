//! The pairs of all records that are probably one person's, and the people they make.

use super::cluster::cluster;
use super::find::{Edge, RuleCount, find};
use super::model::{Model, Scorer, log_odds};
use super::pattern::Comparer;
use super::records::Records;
use super::watch::{Stopped, Watch};

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
        each_rule: &mut (dyn FnMut(usize, &[(u64, u32)]) + Send),
        watch: &Watch,
    ) -> Result<Self, Stopped> {
        let comparer = Comparer::new(records, scorer.frequencies());
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
        let comparer = Comparer::new(records, scorer.frequencies());
        let least = log_odds(threshold);
        let is_strong = |edge: &Edge| edge.log_odds >= least;
        let strong: Vec<Edge> = self.edges.iter().copied().filter(is_strong).collect();
        let mut joined = cluster(&comparer, scorer, &strong, watch)?.into_iter();
        let joins = |edge: &Edge| is_strong(edge) && joined.next() == Some(true);
        Ok(self.edges.iter().map(joins).collect())
    }

    /// The pairs that `joined` says connect people.
    pub fn joined<'f>(&'f self, joined: &'f [bool]) -> impl Iterator<Item = &'f Edge> {
        self.edges.iter().zip(joined).filter(|(_, joined)| **joined).map(|(edge, _)| edge)
    }
}
