//! Why a model takes two records for one person's, or not: field by field.

use super::model::{Model, Scorer, describe, probability};
use super::pattern::{Comparer, MOST_FIELDS};
use serde::Serialize;
use std::f64::consts::LN_2;

/// How the belief in a match comes about. It begins with the prior; each field in turn moves it by its
/// weight, given the fields before it; the sum tells the probability. All weights are in bits: one
/// doubles the odds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// That two records taken at random are one person's.
    pub prior: f64,
    pub prior_weight: f64,
    pub fields: Vec<Explained>,
    /// The sum of all weights.
    pub weight: f64,
    pub probability: f64,
}

/// What one field adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    pub field: String,
    /// The values as they are compared.
    pub a: Option<String>,
    pub b: Option<String>,
    pub level: String,
    /// By how much it moves the belief, in all and for how common the value is.
    pub weight: f64,
    pub frequency_weight: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<String>,
}

/// Explains a pair of records.
pub fn explain(model: &Model, scorer: &Scorer, comparer: &Comparer, a: u32, b: u32) -> Explanation {
    let records = comparer.records;
    let mut equal = [0.0; MOST_FIELDS];
    let pattern = comparer.compare(records.row(a), records.row(b), &mut equal);
    let (prior, steps) = scorer.steps(pattern, &equal);
    let sum = prior + steps.iter().map(|step| step.weight).sum::<f64>();
    let value = |field, record| records.value(field, record).map(str::to_owned);
    let fields = steps.into_iter().map(|step| {
        let field = &model.fields[step.field];
        let (a, b) = (value(step.field, a), value(step.field, b));
        Explained {
            field: field.name.clone(),
            level: match (&a, &b, step.cell) {
                // Names in each other's place.
                (Some(_), Some(_), 0) => "see the other name".into(),
                _ => describe(&field.comparison(), comparer.cells[step.field], step.cell),
            },
            a,
            b,
            weight: step.weight / LN_2,
            frequency_weight: step.of_frequency / LN_2,
            depends_on: field.depends_on.clone(),
        }
    });
    Explanation {
        prior: probability(prior),
        prior_weight: prior / LN_2,
        fields: fields.collect(),
        weight: sum / LN_2,
        probability: probability(sum),
    }
}
