//! How right matching is, where somebody knows the truth.

use super::find::Edge;
use super::model::probability;
use rustc_hash::FxHashMap;

/// Right and wrong pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Pairs that were found, of these the right ones, and all right ones there are.
    pub found: f64,
    pub right: f64,
    pub wanted: f64,
}

impl Score {
    /// The share of what was found that is right; 1 if nothing was found.
    pub fn precision(self) -> f64 {
        if self.found > 0.0 { self.right / self.found } else { 1.0 }
    }

    /// The share of what is right that was found; 1 if nothing is.
    pub fn recall(self) -> f64 {
        if self.wanted > 0.0 { self.right / self.wanted } else { 1.0 }
    }

    /// Twice the right ones ÷ (found + wanted).
    pub fn f1(self) -> f64 {
        let all = self.found + self.wanted;
        if all > 0.0 { 2.0 * self.right / all } else { 1.0 }
    }
}

/// Who is who: for each record a number for the person, if that is known; and its side where only
/// records of different sides are compared.
pub struct Truth {
    pub person: Vec<Option<u32>>,
    pub side: Option<Vec<u16>>,
}

impl Truth {
    fn is_known(&self, record: u32) -> bool {
        self.person[record as usize].is_some()
    }

    /// Whether two records are known to be one person's.
    pub fn same(&self, a: u32, b: u32) -> bool {
        self.is_known(a) && self.person[a as usize] == self.person[b as usize]
    }

    /// Pairs of known records that are in one group, as `group` has it.
    fn pairs(&self, group: impl Fn(u32) -> (u64, u64)) -> f64 {
        let mut groups: FxHashMap<(u64, u64), FxHashMap<u16, f64>> = FxHashMap::default();
        for record in (0..self.person.len() as u32).filter(|&record| self.is_known(record)) {
            let side = self.side.as_ref().map_or(0, |side| side[record as usize]);
            *groups.entry(group(record)).or_default().entry(side).or_default() += 1.0;
        }
        let pairs = |count: f64| count * (count - 1.0) / 2.0;
        groups
            .values()
            .map(|sides| {
                let within: f64 =
                    if self.side.is_some() { sides.values().copied().map(pairs).sum() } else { 0.0 };
                pairs(sides.values().sum()) - within
            })
            .sum()
    }

    fn person(&self, record: u32) -> u64 {
        self.person[record as usize].map_or(0, |person| u64::from(person) + 1)
    }

    /// Pairs of records that are one person's.
    pub fn wanted(&self) -> f64 {
        self.pairs(|record| (self.person(record), 0))
    }

    /// How right the pairs are.
    pub fn of_pairs<'e>(&self, edges: impl Iterator<Item = &'e Edge>) -> Score {
        let known = edges.filter(|edge| self.is_known(edge.a) && self.is_known(edge.b));
        let mut score = Score { wanted: self.wanted(), ..Score::default() };
        for edge in known {
            score.found += 1.0;
            score.right += f64::from(u8::from(self.same(edge.a, edge.b)));
        }
        score
    }

    /// How right groups of records are: all pairs in each.
    pub fn of_groups(&self, group: &[u32]) -> Score {
        let of = |record: u32| u64::from(group[record as usize]);
        Score {
            found: self.pairs(|record| (of(record), 0)),
            right: self.pairs(|record| (of(record), self.person(record))),
            wanted: self.wanted(),
        }
    }

    /// For each of `bins` equal parts of the probabilities: the pairs, their mean probability, and the
    /// share of them that is right.
    pub fn calibration(&self, edges: &[Edge], bins: usize) -> Vec<Bin> {
        let mut found = vec![Bin::default(); bins];
        for edge in edges.iter().filter(|edge| self.is_known(edge.a) && self.is_known(edge.b)) {
            let probability = probability(edge.log_odds);
            let bin = &mut found[((probability * bins as f64) as usize).min(bins - 1)];
            bin.pairs += 1.0;
            bin.expected += probability;
            bin.right += f64::from(u8::from(self.same(edge.a, edge.b)));
        }
        found
    }
}

/// Pairs of about the same probability.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    pub pairs: f64,
    /// Right ones, as the probabilities say, and as it is.
    pub expected: f64,
    pub right: f64,
}

/// Groups of records that are connected by edges: for each record a number that its group shares.
pub fn groups<'e>(records: usize, edges: impl Iterator<Item = &'e Edge>) -> Vec<u32> {
    let mut parent: Vec<u32> = (0..records as u32).collect();
    for edge in edges {
        let (a, b) = (root(&mut parent, edge.a), root(&mut parent, edge.b));
        parent[a.max(b) as usize] = a.min(b);
    }
    (0..records as u32).map(|record| root(&mut parent, record)).collect()
}

fn root(parent: &mut [u32], mut record: u32) -> u32 {
    while parent[record as usize] != record {
        parent[record as usize] = parent[parent[record as usize] as usize];
        record = parent[record as usize];
    }
    record
}
