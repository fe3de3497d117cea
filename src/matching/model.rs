//! A model: what was learned, as a row can keep it, and how it scores a pair.

use super::blocking::{Key, MOST_KEYS, Transform};
use super::compare::{Comparison, DIFFERENT, Level, Measure};
use super::frequency::Frequencies;
use super::kind::Kind;
use super::learn::{KINDS_OF_PAIR, STATES, Tables, state};
use super::pattern::{CELLS, Cell, Cells, MOST_FIELDS, Pattern, cell};
use super::records::FieldSpec;
use crate::json::in_words;
use rustc_hash::FxHashSet;
use serde::de::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;

/// The lowest match threshold: pairs that are less probable are at odds, and join no groups.
pub const LEAST_THRESHOLD: f64 = 0.05;

/// The format of a model that this version writes and reads.
pub const FORMAT: u32 = 1;

/// What was learned of a set of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub format: u32,
    /// Whether records of one source are never compared with each other.
    pub link_only: bool,
    /// What share of all pairs of records each class is.
    pub prior: Shares,
    pub fields: Vec<FieldModel>,
    pub blocking: Blocking,
    /// From this probability on two records are linked.
    pub match_threshold: f64,
    /// From this one on a pair is put before somebody.
    pub review_threshold: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    pub matched: f64,
    pub related: f64,
    pub unrelated: f64,
}

impl Shares {
    /// The shares if so many pairs are of one person.
    pub fn with_matched(self, matched: f64) -> Self {
        let others = (1.0 - matched) / (self.related + self.unrelated);
        Shares { matched, related: self.related * others, unrelated: self.unrelated * others }
    }
}

/// What a model knows of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldModel {
    pub name: String,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Measure>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub day_first: bool,
    /// The field on whose agreement this one's depends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<String>,
    /// From different to equal.
    pub levels: Vec<LevelModel>,
    pub frequencies: Frequencies,
}

/// How probable a level is in each class of pairs: one probability, or four where it depends on
/// another field: if that is missing, differs, is alike, agrees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelModel {
    pub level: String,
    pub matched: Vec<f64>,
    pub related: Vec<f64>,
    pub unrelated: Vec<f64>,
}

/// Which pairs are compared: those that agree in all keys of one of the rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "serde_json::Value")]
pub enum Blocking {
    /// Somebody has asked for the rules.
    Given(Vec<Vec<KeyModel>>),
    /// Training has chosen them, for when there are too many pairs to compare all.
    Chosen(Chosen),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    pub chosen: Vec<Vec<KeyModel>>,
}

impl Default for Blocking {
    fn default() -> Self {
        Blocking::Chosen(Chosen::default())
    }
}

impl TryFrom<serde_json::Value> for Blocking {
    type Error = serde_json::Error;

    fn try_from(json: serde_json::Value) -> serde_json::Result<Self> {
        match json {
            json @ serde_json::Value::Object(_) => serde_json::from_value(json).map(Blocking::Chosen),
            json => serde_json::from_value(json).map(Blocking::Given),
        }
    }
}

/// The rules.
impl Deref for Blocking {
    type Target = [Vec<KeyModel>];

    fn deref(&self) -> &Self::Target {
        match self {
            Blocking::Given(rules) | Blocking::Chosen(Chosen { chosen: rules }) => rules,
        }
    }
}

impl Blocking {
    /// What is wrong with it, if anything is.
    fn check(&self) -> Result<(), String> {
        match self {
            Blocking::Given(rules) => check_rules(rules),
            Blocking::Chosen(Chosen { chosen }) if chosen.is_empty() => Ok(()),
            Blocking::Chosen(Chosen { chosen }) => check_rules(chosen),
        }
    }
}

/// A part of a blocking rule: the name of a field, or a field and what is taken of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "serde_json::Value")]
pub enum KeyModel {
    Exact(String),
    Transformed(BTreeMap<String, Transform>),
}

impl TryFrom<serde_json::Value> for KeyModel {
    type Error = serde_json::Error;

    fn try_from(json: serde_json::Value) -> serde_json::Result<Self> {
        match json {
            serde_json::Value::String(name) => Ok(KeyModel::Exact(name)),
            json @ serde_json::Value::Object(_) => {
                serde_json::from_value(json).map(KeyModel::Transformed)
            }
            _ => Err(Error::custom(
                "a key is the name of a field, or an object such as {\"city\": \"soundex\"}",
            )),
        }
    }
}

impl KeyModel {
    pub fn new(name: &str, transform: Transform) -> Self {
        match transform {
            Transform::Exact => KeyModel::Exact(name.to_owned()),
            _ => KeyModel::Transformed([(name.to_owned(), transform)].into()),
        }
    }

    /// The fields that it names, each with what is taken of it.
    pub fn parts(&self) -> Vec<(&str, Transform)> {
        match self {
            KeyModel::Exact(name) => vec![(name, Transform::Exact)],
            KeyModel::Transformed(parts) => {
                parts.iter().map(|(name, &transform)| (&**name, transform)).collect()
            }
        }
    }
}

impl FieldModel {
    pub fn comparison(&self) -> Comparison {
        Comparison { kind: self.kind, by: self.compare.clone() }
    }

    /// The field with room for so many values of a record.
    pub fn spec(&self, slots: usize) -> FieldSpec {
        FieldSpec {
            name: self.name.clone(),
            comparison: self.comparison(),
            day_first: self.day_first,
            slots,
        }
    }
}

/// What a cell says.
pub fn describe(comparison: &Comparison, cells: Cells, cell: Cell) -> String {
    let level = comparison.describe(cells.level(cell));
    match cells.class(cell) {
        Some(class) => format!("{level}, {}", ["common", "less common", "rare"][class]),
        None => level,
    }
}

impl Model {
    /// Puts what was learned into a model.
    pub fn new(
        specs: &[FieldSpec],
        tables: &Tables,
        frequencies: Vec<Frequencies>,
        link_only: bool,
    ) -> Self {
        let fields = specs.iter().zip(frequencies).enumerate().map(|(field, (spec, frequencies))| {
            let cells = tables.cells[field];
            let states = if tables.parent[field].is_some() { STATES } else { 1 };
            let level = |cell: Cell| {
                let of = |class: usize| {
                    (0..states).map(|state| tables.probability[field][state][class][cell]).collect()
                };
                LevelModel {
                    level: describe(&spec.comparison, cells, cell),
                    matched: of(0),
                    related: of(1),
                    unrelated: of(2),
                }
            };
            FieldModel {
                name: spec.name.clone(),
                kind: spec.comparison.kind,
                compare: spec.comparison.by.clone(),
                day_first: spec.day_first,
                depends_on: tables.parent[field].map(|parent| specs[parent].name.clone()),
                levels: cells.all().map(level).collect(),
                frequencies,
            }
        });
        let [matched, related, unrelated] = tables.share;
        Model {
            format: FORMAT,
            link_only,
            prior: Shares { matched, related, unrelated },
            fields: fields.collect(),
            blocking: Blocking::default(),
            match_threshold: 0.5,
            review_threshold: 0.1,
        }
    }

    /// Reads a model; the error says what is wrong with it.
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str::<serde_json::Map<_, _>>(json).map_err(|cause| in_words(&cause))?;
        let model: Model = serde_json::from_str(json).map_err(|cause| in_words(&cause))?;
        model.check()?;
        Ok(model)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("a model of format {} cannot be read, only of {FORMAT}", self.format));
        }
        if !(1..=MOST_FIELDS).contains(&self.fields.len()) {
            return Err(format!("a model has 1 to {MOST_FIELDS} fields"));
        }
        let probable = |probability: f64| (0.0..=1.0).contains(&probability);
        let Shares { matched, related, unrelated } = self.prior;
        let thresholds = [self.match_threshold, self.review_threshold];
        if ![matched, related, unrelated].into_iter().chain(thresholds).all(probable) {
            return Err("priors and thresholds are between 0 and 1".into());
        }
        check_thresholds(self.match_threshold, self.review_threshold)?;
        for (n, field) in self.fields.iter().enumerate() {
            let name = &field.name;
            if self.field(name) != Some(n) {
                return Err(format!("two fields are called \"{name}\""));
            }
            if let Some(wrong) = field.compare.as_ref().and_then(|measure| measure.check().err()) {
                return Err(format!("levels of \"{name}\" {wrong}"));
            }
            if !field.frequencies.are_probable() {
                return Err(format!("frequencies of \"{name}\" are above 0 and up to 1"));
            }
            let mut above = Some(n);
            for _ in 0..=self.fields.len() {
                above = match above.and_then(|n| self.fields[n].depends_on.as_deref()) {
                    None => None,
                    Some(parent) => Some(
                        self.field(parent).ok_or_else(|| format!("\"{name}\" depends on no field"))?,
                    ),
                };
            }
            if above.is_some() {
                return Err(format!("\"{name}\" depends on itself"));
            }
            let cells = Cells::new(field.comparison().top());
            if field.levels.len() != cells.all().len() {
                return Err(format!(
                    "field \"{name}\" has {} levels, not {}",
                    field.levels.len(),
                    cells.all().len()
                ));
            }
            let states = if field.depends_on.is_some() { STATES } else { 1 };
            for of in
                field.levels.iter().flat_map(|level| [&level.matched, &level.related, &level.unrelated])
            {
                if of.len() != states || !of.iter().copied().all(probable) {
                    return Err(format!(
                        "each level of \"{name}\" has {states} probabilities for each class"
                    ));
                }
            }
        }
        self.blocking.check()?;
        let mut parts = self.blocking.iter().flatten().flat_map(KeyModel::parts);
        if let Some((unknown, _)) = parts.find(|(name, _)| self.field(name).is_none()) {
            return Err(format!("blocking names \"{unknown}\", which is no field"));
        }
        Ok(())
    }

    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The keys of a rule.
    pub fn keys(&self, rule: &[KeyModel]) -> Vec<Key> {
        let parts = rule.iter().flat_map(KeyModel::parts);
        parts.filter_map(|(name, transform)| Some(Key { field: self.field(name)?, transform })).collect()
    }
}

/// Says what is wrong with thresholds, if anything is.
pub fn check_thresholds(matched: f64, review: f64) -> Result<(), String> {
    if matched < LEAST_THRESHOLD {
        return Err(format!("the match_threshold is at least {LEAST_THRESHOLD}, not {matched}"));
    }
    if review > matched {
        return Err(format!("the review_threshold, {review}, is above the match_threshold, {matched}"));
    }
    Ok(())
}

/// Says what is wrong with rules of blocking, if anything is.
pub fn check_rules(rules: &[Vec<KeyModel>]) -> Result<(), String> {
    if rules.is_empty()
        || rules.iter().any(|rule| rule.is_empty() || rule.iter().any(|key| key.parts().is_empty()))
    {
        return Err("blocking is a list of rules, each a list of fields".into());
    }
    let keys: FxHashSet<_> = rules.iter().flatten().flat_map(KeyModel::parts).collect();
    if keys.iter().any(|(_, transform)| matches!(transform, Transform::Prefix(0) | Transform::Suffix(0)))
    {
        return Err("a prefix or suffix in blocking has at least 1 character".into());
    }
    if keys.len() > MOST_KEYS {
        return Err(format!("blocking has {} keys, more than {MOST_KEYS}", keys.len()));
    }
    Ok(())
}

/// Scores pairs: how probable it is that the two are one person.
pub struct Scorer {
    cells: Vec<Cells>,
    parent: Vec<Option<usize>>,
    prior: [f64; KINDS_OF_PAIR],
    /// Logarithms of probabilities by field, state of the parent, class and cell.
    logarithm: Vec<[[[f64; CELLS]; KINDS_OF_PAIR]; STATES]>,
    frequencies: Vec<Frequencies>,
}

/// What the logarithms of the odds of one person can be at most, as soon as some of the fields are
/// known: against related pairs, and against unrelated ones. The odds against both are never more than
/// either.
pub struct Bounds {
    pub prior: [f64; OTHERS],
    /// By field and level, if its values are not equal and at most so much alike.
    pub up_to: Vec<[[f64; OTHERS]; CELLS]>,
    /// By field and cell, frequency apart.
    pub of_cell: Vec<[[f64; OTHERS]; CELLS]>,
    /// The fields, those first of which it says most that their values differ.
    pub order: Vec<usize>,
}

/// Classes of pairs that are not of one person: related and unrelated ones.
pub const OTHERS: usize = KINDS_OF_PAIR - 1;

/// What one field adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub field: usize,
    pub cell: Cell,
    /// By how much the logarithm of the odds rises, in all and for how common the value is.
    pub weight: f64,
    pub of_frequency: f64,
}

impl Scorer {
    pub fn new(model: &Model) -> Self {
        let cells: Vec<Cells> =
            model.fields.iter().map(|field| Cells::new(field.comparison().top())).collect();
        let parent = model
            .fields
            .iter()
            .map(|field| field.depends_on.as_deref().and_then(|name| model.field(name)));
        let logarithm = model.fields.iter().zip(&cells).map(|(field, cells)| {
            let mut logarithm = [[[0.0; CELLS]; KINDS_OF_PAIR]; STATES];
            for (level, cell) in field.levels.iter().zip(cells.all()) {
                for (class, of) in
                    [&level.matched, &level.related, &level.unrelated].into_iter().enumerate()
                {
                    for (state, of_state) in logarithm.iter_mut().enumerate() {
                        let probability = of.get(state).or(of.first()).copied().unwrap_or(1.0);
                        of_state[class][cell] = probability.max(1e-12).ln();
                    }
                }
            }
            logarithm
        });
        let Shares { matched, related, unrelated } = model.prior;
        Scorer {
            parent: parent.collect(),
            prior: [matched, related, unrelated].map(|share| share.max(1e-300).ln()),
            logarithm: logarithm.collect(),
            frequencies: model.fields.iter().map(|field| field.frequencies.clone()).collect(),
            cells,
        }
    }

    /// How common the values of each field are.
    pub fn frequencies(&self) -> &[Frequencies] {
        &self.frequencies
    }

    /// The logarithm of the odds that two records that look so are one person's; `equal` has how
    /// common the values are that are equal.
    pub fn log_odds(&self, pattern: Pattern, equal: &[f64; MOST_FIELDS]) -> f64 {
        let mut sum = self.prior;
        for field in 0..self.cells.len() {
            self.add(field, pattern, equal, &mut sum);
        }
        odds(&sum)
    }

    /// What the fields can add at most.
    pub fn bounds(&self) -> Bounds {
        let most = |cells: &mut dyn Iterator<Item = [f64; OTHERS]>| {
            cells.fold([f64::MIN; OTHERS], |most, cell| {
                std::array::from_fn(|other| most[other].max(cell[other]))
            })
        };
        let of_cell = |states: &[[[f64; CELLS]; KINDS_OF_PAIR]; STATES], cell: Cell| {
            let against = |of: &[[f64; CELLS]; KINDS_OF_PAIR]| {
                std::array::from_fn(|other| of[0][cell] - of[other + 1][cell])
            };
            most(&mut states.iter().map(against))
        };
        let of_cell: Vec<[[f64; OTHERS]; CELLS]> = self
            .logarithm
            .iter()
            .zip(&self.cells)
            .map(|(states, cells)| {
                let mut bounds = [[0.0; OTHERS]; CELLS];
                cells.all().for_each(|cell| bounds[cell] = of_cell(states, cell));
                bounds
            })
            .collect();
        let up_to: Vec<[[f64; OTHERS]; CELLS]> = of_cell
            .iter()
            .map(|bounds| {
                let up_to = |level: usize| most(&mut bounds[1..=level.max(1)].iter().copied());
                std::array::from_fn(up_to)
            })
            .collect();
        let mut order: Vec<usize> = (0..self.cells.len()).collect();
        let unrelated = OTHERS - 1;
        let says = |field: usize| {
            let level = |level: Level| up_to[field][usize::from(level)][unrelated];
            level(self.cells[field].top - 1) - level(DIFFERENT)
        };
        order.sort_by(|&x, &y| says(y).total_cmp(&says(x)));
        Bounds {
            prior: std::array::from_fn(|other| self.prior[0] - self.prior[other + 1]),
            up_to,
            of_cell,
            order,
        }
    }

    /// By how much a value's being rare or common moves the logarithm of the odds, if it is equal.
    pub fn of_frequency(&self, field: usize, cell: Cell, frequency: f64) -> f64 {
        match self.cells[field].class(cell) {
            Some(_) => -self.frequencies[field].excess(frequency).ln(),
            None => 0.0,
        }
    }

    /// Adds a field; returns how much of it comes from how common its value is.
    fn add(
        &self,
        field: usize,
        pattern: Pattern,
        equal: &[f64; MOST_FIELDS],
        sum: &mut [f64; KINDS_OF_PAIR],
    ) -> f64 {
        let found = cell(pattern, field);
        if found == 0 {
            return 0.0;
        }
        let logarithm = &self.logarithm[field][state(&self.cells, self.parent[field], pattern)];
        (0..KINDS_OF_PAIR).for_each(|class| sum[class] += logarithm[class][found]);
        let of_frequency = self.of_frequency(field, found, equal[field]);
        sum[KINDS_OF_PAIR - 1] -= of_frequency;
        of_frequency
    }

    /// The logarithm of the odds before anything is compared, and what each field adds to it in turn.
    pub fn steps(&self, pattern: Pattern, equal: &[f64; MOST_FIELDS]) -> (f64, Vec<Step>) {
        let mut sum = self.prior;
        let mut before = odds(&sum);
        let prior = before;
        let steps = (0..self.cells.len()).map(|field| {
            let of_frequency = self.add(field, pattern, equal, &mut sum);
            let after = odds(&sum);
            let weight = after - before;
            before = after;
            Step { field, cell: cell(pattern, field), weight, of_frequency }
        });
        (prior, steps.collect())
    }
}

/// The logarithm of the odds of the first class against the others.
fn odds(&[matched, related, unrelated]: &[f64; KINDS_OF_PAIR]) -> f64 {
    let (more, less) = if related > unrelated { (related, unrelated) } else { (unrelated, related) };
    matched - more - (less - more).exp().ln_1p()
}

/// The probability of which this is the logarithm of the odds.
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The logarithm of the odds of a probability; finite also where that is 0 or 1 but for rounding.
pub fn log_odds(probability: f64) -> f64 {
    let probability = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    (probability / (1.0 - probability)).ln()
}
