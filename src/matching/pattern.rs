//! How alike two records are, in one number: four bits for each field.

use super::compare::{DIFFERENT, Level, MISSING};
use super::frequency::{CLASSES, Frequencies, class};
use super::model::{Bounds, OTHERS, Scorer};
use super::pool;
use super::records::Records;
use super::signature::{ROUNDING, Signature};

/// A cell for each field, the first in the lowest bits.
pub type Pattern = u64;

/// A level, where equal values are told apart by how common they are: 0 is missing.
pub type Cell = usize;

/// Cells there can be.
pub const CELLS: usize = 16;

/// Fields there can be.
pub const MOST_FIELDS: usize = 16;

pub fn cell(pattern: Pattern, field: usize) -> Cell {
    (pattern >> (4 * field) & 15) as Cell
}

/// The cells of a field's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// The level of equal values.
    pub top: Level,
    /// Whether equal values are told apart: not where there are few of them.
    classed: bool,
}

impl Cells {
    pub fn new(top: Level) -> Self {
        Cells { top, classed: top > 2 }
    }

    /// All but that of a missing value.
    pub fn all(self) -> std::ops::Range<Cell> {
        1..usize::from(self.top) + if self.classed { CLASSES } else { 1 }
    }

    pub fn of(self, level: Level, frequency: f64) -> Cell {
        usize::from(level) + if self.classed && level == self.top { class(frequency) } else { 0 }
    }

    pub fn level(self, cell: Cell) -> Level {
        (cell as Level).min(self.top)
    }

    /// Whether two values are as good as equal.
    pub fn agree(self, cell: Cell) -> bool {
        cell != usize::from(MISSING) && cell + usize::from(self.classed) >= usize::from(self.top)
    }

    /// The class of frequency that a cell is about.
    pub fn class(self, cell: Cell) -> Option<usize> {
        (self.classed && cell >= usize::from(self.top)).then(|| cell - usize::from(self.top))
    }
}

/// Makes patterns of pairs of records.
pub struct Comparer<'r> {
    pub records: &'r Records,
    pub cells: Vec<Cells>,
    /// By field and code.
    frequencies: Vec<Vec<f32>>,
    signatures: Vec<Vec<Signature>>,
}

impl<'r> Comparer<'r> {
    pub fn new(records: &'r Records, frequencies: &[Frequencies]) -> Self {
        let fields = 0..records.fields.len();
        Comparer {
            records,
            cells: records.fields.iter().map(|field| Cells::new(field.spec.comparison.top())).collect(),
            frequencies: fields
                .clone()
                .map(|field| by_code(records, field, &frequencies[field]))
                .collect(),
            signatures: fields.map(|field| signatures(records, field)).collect(),
        }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let values: usize = self.signatures.iter().map(Vec::len).sum();
        values * (size_of::<f32>() + size_of::<Signature>())
    }

    /// Whether two rows may be of one person with at least these odds (a logarithm): false only if they
    /// are not. Fields are compared one after the other until that is clear, first by what is known of
    /// their values without reading them.
    pub fn may_reach(&self, scorer: &Scorer, bounds: &Bounds, least: f64, a: &[u32], b: &[u32]) -> bool {
        let mut most = bounds.prior;
        let add = |most: &mut [f64; OTHERS], bound: [f64; OTHERS]| {
            most.iter_mut().zip(bound).for_each(|(most, bound)| *most += bound);
        };
        let of_equal = |field: usize, code: u32| {
            let frequency = f64::from(self.frequencies[field][code as usize]);
            let cell = self.cells[field].of(self.cells[field].top, frequency);
            let mut bound = bounds.of_cell[field][cell];
            bound[OTHERS - 1] += scorer.of_frequency(field, cell, frequency);
            bound
        };
        // Of fields with two values that are not equal the highest level they may have.
        let mut levels = [DIFFERENT; MOST_FIELDS];
        for (field, cells) in self.cells.iter().enumerate() {
            let (x, y) = (self.records.codes_of(field, a), self.records.codes_of(field, b));
            let highest = cells.top - 1;
            let unequal = bounds.up_to[field][usize::from(highest)];
            match (x, y) {
                ([0], [_]) | ([_], [0]) => {}
                ([x], [y]) if x == y => add(&mut most, of_equal(field, *x)),
                ([_], [_]) => {
                    levels[field] = highest;
                    add(&mut most, unequal);
                }
                _ => {
                    // One of several values may be equal, or alike.
                    let equal = shared(x, y).map(|&code| of_equal(field, code));
                    let higher =
                        |x: [f64; OTHERS], y: [f64; OTHERS]| std::array::from_fn(|n| x[n].max(y[n]));
                    add(&mut most, equal.fold(higher([0.0; OTHERS], unequal), higher));
                }
            }
        }
        if self.records.may_be_crossed(a, b) {
            return true;
        }
        let reaches = |most: &[f64; OTHERS]| most.iter().all(|&most| most >= least - ROUNDING);
        for is_read in [false, true] {
            for &field in &bounds.order {
                let before = levels[field];
                if before == DIFFERENT {
                    continue;
                }
                if !reaches(&most) {
                    return false;
                }
                let (x, y) = (self.records.codes_of(field, a)[0], self.records.codes_of(field, b)[0]);
                let known = if is_read {
                    bounds.of_cell[field][usize::from(self.records.level_of(field, x, y))]
                } else {
                    levels[field] = self.highest_level(field, x, y);
                    bounds.up_to[field][usize::from(levels[field])]
                };
                let before = bounds.up_to[field][usize::from(before)];
                add(&mut most, std::array::from_fn(|n| known[n] - before[n]));
            }
        }
        reaches(&most)
    }

    /// The highest level that two values of a field which are not equal may have.
    fn highest_level(&self, field: usize, x: u32, y: u32) -> Level {
        let of = |code: u32| &self.signatures[field][code as usize];
        Signature::highest_level(&self.records.fields[field].spec.comparison, of(x), of(y))
    }

    /// The level of two values of a field.
    fn level_of(&self, field: usize, x: u32, y: u32) -> Level {
        let are_different = x != y && x > 0 && y > 0 && self.highest_level(field, x, y) == DIFFERENT;
        if are_different { DIFFERENT } else { self.records.level_of(field, x, y) }
    }

    /// How common the value is that is equal in two rows; of several the one that says most.
    fn rarest(&self, field: usize, a: &[u32], b: &[u32]) -> f32 {
        let (x, y) = (self.records.codes_of(field, a), self.records.codes_of(field, b));
        let frequencies = shared(x, y).map(|&code| self.frequencies[field][code as usize]);
        frequencies.fold(f32::INFINITY, f32::min)
    }

    /// Whether what two rows both have is enough to tell: if all of it were equal, they would rather be of
    /// one person than not. Of two values that differ the commoner one counts: the rarer may be its
    /// misspelling.
    pub fn may_tell(&self, scorer: &Scorer, a: &[u32], b: &[u32]) -> bool {
        let (mut pattern, mut equal) = (0, [0.0; MOST_FIELDS]);
        for (field, cells) in self.cells.iter().enumerate() {
            let rarest = |row| {
                let codes = self.records.codes_of(field, row).iter().filter(|&&code| code > 0);
                codes.map(|&code| self.frequencies[field][code as usize]).reduce(f32::min)
            };
            if let (Some(x), Some(y)) = (rarest(a), rarest(b)) {
                equal[field] = f64::from(x.max(y));
                pattern |= (cells.of(cells.top, equal[field]) as Pattern) << (4 * field);
            }
        }
        scorer.log_odds(pattern, &equal) >= 0.0
    }

    /// For two rows of a known pattern: `equal` gets what [`Comparer::compare`] would give it.
    pub fn frequencies(&self, pattern: Pattern, a: &[u32], b: &[u32], equal: &mut [f64; MOST_FIELDS]) {
        for (field, cells) in self.cells.iter().enumerate() {
            if cells.level(cell(pattern, field)) == cells.top {
                equal[field] = f64::from(self.rarest(field, a, b));
            }
        }
    }

    /// The pattern of two rows; `equal` gets the frequency of each field's value where it is equal.
    pub fn compare(&self, a: &[u32], b: &[u32], equal: &mut [f64; MOST_FIELDS]) -> Pattern {
        let mut levels = [MISSING; MOST_FIELDS];
        let levels = &mut levels[..self.cells.len()];
        self.records.compare(a, b, |field, x, y| self.level_of(field, x, y), levels);
        let mut pattern = 0;
        for (field, &level) in levels.iter().enumerate() {
            let cells = self.cells[field];
            if level == cells.top {
                equal[field] = f64::from(self.rarest(field, a, b));
            }
            pattern |= (cells.of(level, equal[field]) as Pattern) << (4 * field);
        }
        pattern
    }
}

/// How common each value of a field is, by code.
fn by_code(records: &Records, field: usize, frequencies: &Frequencies) -> Vec<f32> {
    let dictionary = records.dictionary(field);
    if dictionary.len() < frequencies.common.len() {
        return dictionary.values().map(|value| frequencies.of(value) as f32).collect();
    }
    let mut by_code = vec![frequencies.other as f32; dictionary.len()];
    for (value, &frequency) in &frequencies.common {
        if let Some(code) = dictionary.find(value) {
            by_code[code as usize] = frequency as f32;
        }
    }
    by_code
}

/// The signature of each value of a field, by code.
fn signatures(records: &Records, field: usize) -> Vec<Signature> {
    let (comparison, dictionary) = (&records.fields[field].spec.comparison, records.dictionary(field));
    let signature = |code| Signature::new(comparison, dictionary.value(code), dictionary.groups(code));
    pool::map(0..dictionary.len() as u32, signature)
}

/// The values that two records have in common.
fn shared<'c>(a: &'c [u32], b: &'c [u32]) -> impl Iterator<Item = &'c u32> {
    a.iter().filter(|&&code| code > 0 && b.contains(&code))
}
