//! Learning how often two records of one person, of two that are related, and of two that have nothing
//! to do with each other agree in each field.
//!
//! The model is a mixture of three classes of pairs: *matched* (one person), *related* (two people who
//! share a home, a name, an address) and *unrelated*. Within a class each field's agreement depends on
//! no other field, or on whether one other field agrees: a city on the postal code, a gender on the
//! first name (a dependence tree: Chow and Liu, IEEE Transactions on Information Theory 14, 1968). All
//! is estimated by expectation maximisation (Dempster, Laird, Rubin, Journal of the Royal Statistical
//! Society B 39, 1977; for record linkage Winkler 1988), on all pairs or on a sample of them whose
//! weights make it stand for all.

use super::compare::Level;
use super::kind::Kind;
use super::known::Label;
use super::pattern::{CELLS, Cells, Pattern, cell};
use super::records::Records;
use super::watch::{Stopped, Watch};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What two records of a pair are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Matched,
    Related,
    Unrelated,
}

pub const KINDS_OF_PAIR: usize = 3;

/// What the field on which another depends says: it is missing (or there is none), differs, is alike,
/// agrees.
pub const STATES: usize = 4;

/// Pairs that look alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub pattern: Pattern,
    /// What is known of them.
    pub label: Option<Label>,
    /// How many pairs they are or stand for.
    pub weight: f64,
}

/// Probabilities of all cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Tables {
    pub cells: Vec<Cells>,
    /// The share of each class in all pairs.
    pub share: [f64; KINDS_OF_PAIR],
    /// For each field that on which it depends.
    pub parent: Vec<Option<usize>>,
    /// By field, state of its parent, class and cell.
    pub probability: Vec<[[[f64; CELLS]; KINDS_OF_PAIR]; STATES]>,
    bounds: Vec<Bounds>,
}

/// What keeps the classes what they are: how often, 0 to 1, a field may disagree in pairs of one
/// person, and must in pairs of related ones.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    /// The highest level that is a disagreement.
    weak: Level,
    most_of_matched: f64,
    least_of_related: f64,
    most_of_related: f64,
}

impl Bounds {
    fn new(records: &Records, field: usize) -> Self {
        let spec = &records.fields[field].spec;
        let comparison = &spec.comparison;
        // Only a known name tells that a date is that of birth, a number the person's.
        let of_person = Kind::of_trait(&spec.name) == Some(comparison.kind);
        let (most_of_matched, least_of_related) = match comparison.kind {
            Kind::GivenName => (0.2, 0.7),
            // That of both names together says more than that of one.
            Kind::FullName => (0.3, 0.9),
            Kind::Date | Kind::Id if of_person => (0.3, 0.7),
            Kind::Date | Kind::Id => (1.0, 0.0),
            Kind::FamilyName => (0.3, 0.0),
            Kind::Gender | Kind::Category => (1.0, 0.0),
            _ => (0.7, 0.0),
        };
        let most_of_related = match comparison.kind {
            Kind::FamilyName => 0.5,
            _ if is_of_household(records, field) => 0.3,
            _ => 1.0,
        };
        Bounds { weak: comparison.weak(), most_of_matched, least_of_related, most_of_related }
    }

    /// The bounds if related pairs disagree at least so often in what tells people apart.
    fn apart(self, least: f64) -> Self {
        match self.least_of_related {
            0.0 => self,
            of_kind => Bounds { least_of_related: of_kind.max(least), ..self },
        }
    }

    /// Of the probabilities within the bounds those nearest to what was found: the constrained maximum
    /// of the likelihood.
    fn keep(self, class: usize, cells: Cells, probabilities: &mut [f64; CELLS]) {
        let weak = 1..=usize::from(self.weak);
        let found: f64 = weak.clone().map(|cell| probabilities[cell]).sum();
        let kept = match class {
            0 => found.min(self.most_of_matched),
            1 => found.clamp(self.least_of_related, self.most_of_related),
            _ => return,
        };
        if kept == found || found <= 0.0 || found >= 1.0 {
            return;
        }
        for cell in cells.all() {
            probabilities[cell] *=
                if weak.contains(&cell) { kept / found } else { (1.0 - kept) / (1.0 - found) };
        }
    }
}

/// How many pairs' worth each class's expected probabilities count beside what is seen.
const PRIOR_WEIGHT: [f64; KINDS_OF_PAIR] = [5.0, 1.0, 1.0];

/// How many pairs' worth a field's probabilities as such count in those given another field.
const PARENT_WEIGHT: f64 = 20.0;

/// The least that a dependence must say in all, in nats, to be taken in; how many pairs must agree in
/// both fields; and how many times more of them than by chance.
const LEAST_INFORMATION: f64 = 30.0;
const LEAST_PAIRS: f64 = 20.0;
const LEAST_LIFT: f64 = 1.25;

/// The probability of what no pair shows, in all classes.
const UNSEEN: f64 = 1e-9;

/// Most rounds of estimation, and the gain in the likelihood of a pair below which no more are made.
const ROUNDS: usize = 100;
const LEAST_GAIN: f64 = 1e-7;

/// From where the estimation starts.
struct Start {
    /// How many of the classes, the first ones, stay what is expected of them until the others have
    /// found their pairs.
    kept: usize,
    /// How often, until then, related pairs disagree at least in what tells people apart.
    apart: f64,
}

/// As each way up may end at another peak, the highest is taken (Biernacki, Celeux, Govaert,
/// Computational Statistics & Data Analysis 41, 2003): related pairs that are free at once can take all
/// matches where little tells the two apart, and those that are not can be lost to the matches.
const STARTS: [Start; 3] =
    [Start { kept: 1, apart: 0.0 }, Start { kept: 2, apart: 0.0 }, Start { kept: 1, apart: 0.95 }];

/// What is expected before anything is seen.
pub struct Expected {
    /// Matched pairs for each record.
    pub matched_per_record: f64,
    pub records: f64,
}

/// Learns from pairs.
pub fn learn(
    records: &Records,
    cells: &[Cells],
    looks: &[Look],
    expected: &Expected,
    watch: &Watch,
) -> Result<(Tables, Vec<f64>), Stopped> {
    let all: f64 = looks.iter().map(|look| look.weight).sum();
    let share = (expected.matched_per_record * expected.records / all.max(1.0)).min(0.2);
    let fields = cells.len();
    let unrelated = marginals(cells, looks);
    let matched: Vec<[f64; CELLS]> =
        (0..fields).map(|field| of_one_person(records, cells, field)).collect();
    let related = (0..fields)
        .map(|field| if is_of_household(records, field) { matched[field] } else { unrelated[field] })
        .collect();
    let base = [matched, related, unrelated];
    let expected = Tables {
        cells: cells.to_vec(),
        bounds: (0..fields).map(|field| Bounds::new(records, field)).collect(),
        share: [share, share, 1.0 - 2.0 * share],
        parent: vec![None; fields],
        probability: (0..fields)
            .map(|field| [std::array::from_fn(|class| base[class][field]); STATES])
            .collect(),
    };
    let climbed: Vec<(f64, Tables)> = STARTS
        .into_par_iter()
        .map(|Start { kept, apart }| {
            let mut tables = expected.clone();
            tables.bounds.iter_mut().for_each(|bounds| *bounds = bounds.apart(apart));
            tables.fit(looks, &base, kept, watch)?;
            tables.bounds.clone_from(&expected.bounds);
            let density = tables.fit(looks, &base, 0, watch)?.last().copied();
            Ok((density.unwrap_or(f64::MIN), tables))
        })
        .collect::<Result<_, Stopped>>()?;
    let highest = climbed.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best });
    let mut tables = highest.map_or(expected, |(_, tables)| tables);
    tables.parent = tables.dependences(looks, records.crossable());
    let likelihood = tables.fit(looks, &base, 0, watch)?;
    tables.let_unseen_say_nothing(looks);
    Ok((tables, likelihood))
}

/// How often the cells of each field occur in all pairs.
fn marginals(cells: &[Cells], looks: &[Look]) -> Vec<[f64; CELLS]> {
    let mut found = vec![[0.0; CELLS]; cells.len()];
    for look in looks {
        for (field, found) in found.iter_mut().enumerate() {
            found[cell(look.pattern, field)] += look.weight;
        }
    }
    for (found, cells) in found.iter_mut().zip(cells) {
        found[0] = 0.0;
        cells.all().for_each(|cell| found[cell] += 0.5);
        normalize(found, *cells);
    }
    found
}

fn normalize(probabilities: &mut [f64; CELLS], cells: Cells) {
    let sum: f64 = cells.all().map(|cell| probabilities[cell]).sum();
    cells.all().for_each(|cell| probabilities[cell] /= sum);
}

/// What is expected of two records of one person: mostly equal, values as common as they are.
fn of_one_person(records: &Records, cells: &[Cells], field: usize) -> [f64; CELLS] {
    let cells = cells[field];
    let top = usize::from(cells.top);
    let mut expected = [0.0; CELLS];
    if cells.class(top).is_none() {
        expected[1] = 0.25;
        expected[top] += 0.75;
        return expected;
    }
    for (class, share) in records.class_shares(field).into_iter().enumerate() {
        expected[top + class] = 0.75 * share;
    }
    expected[1] = 0.10;
    (2..top).for_each(|level| expected[level] = 0.15 / (top - 2) as f64);
    expected
}

/// Whether a field is what people of one household share: not the same as whole towns do.
fn is_of_household(records: &Records, field: usize) -> bool {
    let kind = records.fields[field].spec.comparison.kind;
    kind.is_of_household() && records.distinct(field) * 10 > records.len() || kind == Kind::FamilyName
}

/// What a field's parent says in a pattern.
pub fn state(cells: &[Cells], parent: Option<usize>, pattern: Pattern) -> usize {
    let Some(parent) = parent else { return 0 };
    match cell(pattern, parent) {
        0 => 0,
        1 => 1,
        found if cells[parent].agree(found) => 3,
        _ => 2,
    }
}

/// Whether a pair of which this is certain may be of a class.
fn allows(label: Label, class: usize) -> bool {
    let is_matched = class == Class::Matched as usize;
    match label {
        Label::Matched => is_matched,
        Label::Apart => !is_matched,
        Label::Unrelated => class == Class::Unrelated as usize,
    }
}

impl Tables {
    fn state(&self, field: usize, pattern: Pattern) -> usize {
        state(&self.cells, self.parent[field], pattern)
    }

    /// The probability of a pattern together with each class.
    fn joint(&self, pattern: Pattern) -> [f64; KINDS_OF_PAIR] {
        let mut joint = self.share;
        for (field, probability) in self.probability.iter().enumerate() {
            let cell = cell(pattern, field);
            if cell > 0 {
                let probability = &probability[self.state(field, pattern)];
                (0..KINDS_OF_PAIR).for_each(|class| joint[class] *= probability[class][cell]);
            }
        }
        joint
    }

    /// How probable each class is for pairs that look so, and the logarithm of the look's probability.
    fn posterior(&self, look: &Look) -> ([f64; KINDS_OF_PAIR], f64) {
        let mut joint = self.joint(look.pattern);
        if let Some(label) = look.label {
            for class in (0..KINDS_OF_PAIR).filter(|&class| !allows(label, class)) {
                joint[class] = 0.0;
            }
        }
        let sum: f64 = joint.iter().sum();
        if sum <= 0.0 {
            return ([0.0, 0.0, 1.0], f64::MIN_POSITIVE.ln());
        }
        (joint.map(|probability| probability / sum), sum.ln())
    }

    /// Makes the probabilities those under which the looks are likeliest, but those of the first `kept`
    /// classes, which stay what they are; returns the logarithm of the posterior density (up to a
    /// constant, a pair) before each round, which never falls.
    fn fit(
        &mut self,
        looks: &[Look],
        base: &[Vec<[f64; CELLS]>; KINDS_OF_PAIR],
        kept: usize,
        watch: &Watch,
    ) -> Result<Vec<f64>, Stopped> {
        let all: f64 = looks.iter().map(|look| look.weight).sum();
        let mut likelihoods: Vec<f64> = Vec::new();
        for _ in 0..ROUNDS {
            let mut found = vec![[[[0.0; CELLS]; KINDS_OF_PAIR]; STATES]; self.cells.len()];
            let mut share = [0.0; KINDS_OF_PAIR];
            let mut likelihood = 0.0;
            for (n, look) in looks.iter().enumerate() {
                if n % 4096 == 0 {
                    watch.go_on()?;
                }
                let (posterior, logarithm) = self.posterior(look);
                likelihood += look.weight * logarithm;
                for class in 0..KINDS_OF_PAIR {
                    let weight = posterior[class] * look.weight;
                    share[class] += weight;
                    if weight > 0.0 {
                        for (field, found) in found.iter_mut().enumerate() {
                            let cell = cell(look.pattern, field);
                            found[self.state(field, look.pattern)][class][cell] += weight;
                        }
                    }
                }
            }
            likelihood += self.log_prior(base);
            let gain = likelihoods.last().map_or(f64::INFINITY, |last| likelihood - last);
            likelihoods.push(likelihood);
            if gain < LEAST_GAIN * all.min(1e6) {
                break;
            }
            self.maximize(&found, share, all, base, kept);
        }
        Ok(likelihoods)
    }

    fn log_prior(&self, base: &[Vec<[f64; CELLS]>; KINDS_OF_PAIR]) -> f64 {
        let mut sum = 0.0;
        for (field, cells) in self.cells.iter().enumerate() {
            for class in 0..KINDS_OF_PAIR {
                for (state, of_state) in self.probability[field].iter().enumerate() {
                    let weight = match (self.parent[field], state) {
                        (None, 0) => PRIOR_WEIGHT[class],
                        (None, _) => continue,
                        (Some(_), _) => PARENT_WEIGHT,
                    };
                    for cell in cells.all() {
                        sum +=
                            weight * base[class][field][cell] * of_state[class][cell].max(1e-300).ln();
                    }
                }
            }
        }
        sum
    }

    /// The probabilities that fit best what was found.
    fn maximize(
        &mut self,
        found: &[[[[f64; CELLS]; KINDS_OF_PAIR]; STATES]],
        share: [f64; KINDS_OF_PAIR],
        all: f64,
        base: &[Vec<[f64; CELLS]>; KINDS_OF_PAIR],
        kept: usize,
    ) {
        self.share = share.map(|share| (share / all).max(1e-15));
        for (field, &cells) in self.cells.iter().enumerate() {
            for class in kept..KINDS_OF_PAIR {
                for (state, found) in found[field].iter().enumerate() {
                    let weight = match self.parent[field] {
                        None => PRIOR_WEIGHT[class],
                        Some(_) => PARENT_WEIGHT,
                    };
                    let mut probabilities = [0.0; CELLS];
                    for cell in cells.all() {
                        probabilities[cell] = found[class][cell] + weight * base[class][field][cell];
                    }
                    normalize(&mut probabilities, cells);
                    self.bounds[field].keep(class, cells, &mut probabilities);
                    self.probability[field][state][class] = probabilities;
                }
            }
        }
    }

    /// Lets what no pair shows speak neither for nor against.
    fn let_unseen_say_nothing(&mut self, looks: &[Look]) {
        for (field, probability) in self.probability.iter_mut().enumerate() {
            let mut seen = [false; CELLS];
            looks.iter().for_each(|look| seen[cell(look.pattern, field)] = true);
            for cell in self.cells[field].all().filter(|&cell| !seen[cell]) {
                probability.iter_mut().flatten().for_each(|of_class| of_class[cell] = UNSEEN);
            }
        }
    }

    /// On which other field each depends, among pairs that are not of one person: the tree that says
    /// most, of dependences that say enough.
    fn dependences(&self, looks: &[Look], crossable: Option<(usize, usize)>) -> Vec<Option<usize>> {
        let fields = self.cells.len();
        let apart: Vec<(Pattern, f64)> = looks
            .iter()
            .map(|look| {
                (look.pattern, (1.0 - self.posterior(look).0[Class::Matched as usize]) * look.weight)
            })
            .collect();
        let agree =
            |pattern: Pattern, field: usize| usize::from(self.cells[field].agree(cell(pattern, field)));
        let mut edges = Vec::new();
        for one in 0..fields {
            for other in one + 1..fields {
                // Where they are crossed one of them is taken for missing.
                if crossable.is_some_and(|(x, y)| (x.min(y), x.max(y)) == (one, other)) {
                    continue;
                }
                let mut table = [[0.0; 2]; 2];
                for &(pattern, weight) in &apart {
                    if cell(pattern, one) > 0 && cell(pattern, other) > 0 {
                        table[agree(pattern, one)][agree(pattern, other)] += weight;
                    }
                }
                let information = information(&table);
                let all: f64 = table.iter().flatten().sum();
                let expected = (table[1][0] + table[1][1]) * (table[0][1] + table[1][1]) / all.max(1.0);
                if information >= LEAST_INFORMATION
                    && table[1][1] >= LEAST_PAIRS
                    && table[1][1] >= LEAST_LIFT * expected
                {
                    edges.push((information, one, other));
                }
            }
        }
        edges.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
        let agreeing = |field: usize| -> f64 {
            apart
                .iter()
                .filter(|(pattern, _)| agree(*pattern, field) == 1)
                .map(|(_, weight)| weight)
                .sum()
        };
        let mut roots: Vec<(f64, usize)> = (0..fields).map(|field| (agreeing(field), field)).collect();
        roots.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        tree(fields, &edges, &roots.into_iter().map(|(_, field)| field).collect::<Vec<_>>())
    }
}

/// What two yes-or-no questions say of each other, in nats, times the answers.
fn information(table: &[[f64; 2]; 2]) -> f64 {
    let all: f64 = table.iter().flatten().sum();
    let mut sum = 0.0;
    for x in 0..2 {
        for y in 0..2 {
            let expected = (table[x][0] + table[x][1]) * (table[0][y] + table[1][y]) / all.max(1.0);
            if table[x][y] > 0.0 && expected > 0.0 {
                sum += table[x][y] * (table[x][y] / expected).ln();
            }
        }
    }
    sum
}

/// The spanning forest of the strongest edges, with the first of `roots` in each tree on top.
fn tree(fields: usize, edges: &[(f64, usize, usize)], roots: &[usize]) -> Vec<Option<usize>> {
    let mut group: Vec<usize> = (0..fields).collect();
    let mut beside = vec![Vec::new(); fields];
    for &(_, one, other) in edges {
        let (from, to) = (group[other], group[one]);
        if from != to {
            group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            beside[one].push(other);
            beside[other].push(one);
        }
    }
    let mut parent = vec![None; fields];
    let mut seen = vec![false; fields];
    for &root in roots {
        let mut open = vec![root];
        while let Some(field) = open.pop() {
            if std::mem::replace(&mut seen[field], true) {
                continue;
            }
            for &next in beside[field].iter().filter(|&&next| !seen[next]) {
                parent[next] = Some(field);
                open.push(next);
            }
        }
    }
    parent
}
