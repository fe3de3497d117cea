//! Matching: models are learned from the records of sources, and applied to them.

use super::model::Prepared;
use super::records::{self, Loaded, Plan};
use super::source::{self, Source};
use super::transaction;
use super::{configuration, model, parallel, progress};
use crate::error::Error;
use crate::graph::rules::Rules;
use crate::matching::evaluate::{self, Truth};
use crate::matching::explain::{self, Explanation};
use crate::matching::model::{Blocking, FieldModel, Model, log_odds};
use crate::matching::options::Options;
use crate::matching::pattern::Comparer;
use crate::matching::people::Found;
use crate::matching::records::{FieldSpec, Records};
use crate::matching::{svg, train};
use pgrx::pg_sys;
use serde_json::{Map, Value as Json};

/// Learns a model of this name from sources (`None`: all that have a key); returns the report.
pub fn train(name: &str, sources: Option<Vec<pg_sys::Oid>>, options: &str) -> Result<Json, Error> {
    transaction::refuse_if_read_only();
    model::check_name(name)?;
    let options = Options::parse(options).map_err(|cause| Error::Options { cause })?;
    let configuration = configuration::current()?;
    progress::begin(progress::Work::Train);
    let attached = keyed(sources.as_deref())?;
    let plans: Vec<Plan> =
        attached.iter().map(|source| Plan::new(source, &configuration.rules)).collect();
    let specs = records::fields(&plans, &options.comparisons())?;
    check_blocking(&options, specs.iter().map(|spec| spec.name.as_str()))?;
    let share = records::share_to_learn_from(&plans)?;
    let mut loaded = records::load(&plans, &specs, options.link_only, share)?;
    loaded.know(&configuration.rules, &plans);
    let asked = options.clone();
    let (found, report) = parallel::run(loaded.bytes(), &mut || (), move |watch| {
        train::train(&loaded.records, share, &asked, watch)
    })?;
    if matches!(&found.blocking, Blocking::Given(rules) if rules.is_empty()) {
        return Err(Error::Options { cause: "no rule makes as few pairs as max_pairs allows".into() });
    }
    let report = serde_json::to_value(&report).unwrap_or_default();
    model::store(name, sources.as_deref(), &options, &found, &report);
    progress::end();
    Ok(report)
}

fn check_blocking<'f>(
    options: &Options,
    mut fields: impl Iterator<Item = &'f str> + Clone,
) -> Result<(), Error> {
    let parts = options.blocking.iter().flatten().flatten().flat_map(|key| key.parts());
    for (name, _) in parts {
        if !fields.clone().any(|field| field == name) {
            return Err(Error::UnknownField {
                field: name.to_owned(),
                known: fields.by_ref().map(str::to_owned).collect(),
            });
        }
    }
    Ok(())
}

/// The sources with a key; an error if one that is named has none.
pub(super) fn keyed(sources: Option<&[pg_sys::Oid]>) -> Result<Vec<Source>, Error> {
    let attached = match sources {
        None => {
            source::attached(None)?.into_iter().filter(|source| source.mapping.key.is_some()).collect()
        }
        Some(sources) => {
            let mut attached = Vec::new();
            let mut sources = sources.to_vec();
            sources.sort_unstable_by_key(|oid| oid.to_u32());
            sources.dedup();
            for oid in sources {
                attached.extend(source::attached(Some(oid))?);
            }
            attached
        }
    };
    if let Some(source) = attached.iter().find(|source| source.mapping.key.is_none()) {
        return Err(Error::NoKey { relation: source.name.clone() });
    }
    if attached.is_empty() {
        return Err(Error::NothingToMatch);
    }
    Ok(attached)
}

pub(super) fn record_type(rules: &Rules) -> String {
    rules.record_type().map_or_else(String::new, |kind| rules.type_of(kind).name.clone())
}

/// What is compared of the records of sources.
pub(super) fn specs(model: &Model, plans: &[Plan]) -> Vec<FieldSpec> {
    let slots = records::traits(plans);
    let spec = |field: &FieldModel| field.spec(slots.get(&field.name).copied().unwrap_or(1));
    model.fields.iter().map(spec).collect()
}

fn load(model: &Prepared, rules: &Rules) -> Result<Loaded, Error> {
    let attached = keyed(model.sources.as_deref())?;
    let plans: Vec<Plan> = attached.iter().map(|source| Plan::new(source, rules)).collect();
    records::load(&plans, &specs(&model.model, &plans), model.model.link_only, 1.0)
}

/// Why two records, each an object of traits, are one person's or not.
pub fn explain(a: &Map<String, Json>, b: &Map<String, Json>, name: &str) -> Result<Explanation, Error> {
    let prepared = model::current(name)?;
    let model = &prepared.model;
    let mut slots = vec![1; model.fields.len()];
    let values: Vec<Vec<Vec<String>>> =
        [a, b].iter().map(|record| values(model, record)).collect::<Result<_, _>>()?;
    for record in &values {
        for (slots, values) in slots.iter_mut().zip(record) {
            *slots = values.len().max(*slots);
        }
    }
    let specs: Vec<_> =
        model.fields.iter().zip(&slots).map(|(field, &slots)| field.spec(slots)).collect();
    let mut records = Records::new(&specs, false, configuration::current()?.nicknames());
    for record in &values {
        let padded = record.iter().zip(&slots).flat_map(|(values, &slots)| {
            (0..slots).map(move |slot| values.get(slot).map_or("", String::as_str))
        });
        records.push(padded, 0);
    }
    let comparer = Comparer::new(&records, prepared.scorer.frequencies());
    Ok(explain::explain(model, &prepared.scorer, &comparer, 0, 1))
}

/// The match weights of a model as a picture.
pub fn picture(name: &str) -> Result<String, Error> {
    Ok(svg::match_weights(&model::current(name)?.model))
}

/// The values of a record, an object of traits, for each field of a model.
pub(super) fn values(model: &Model, record: &Map<String, Json>) -> Result<Vec<Vec<String>>, Error> {
    if let Some(unknown) = record.keys().find(|name| model.field(name).is_none()) {
        return Err(Error::UnknownField {
            field: unknown.clone(),
            known: model.fields.iter().map(|field| field.name.clone()).collect(),
        });
    }
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    let of_field = |name: &str| match record.get(name) {
        Some(Json::Array(values)) => values.iter().map(text).collect(),
        Some(value) => vec![text(value)],
        None => Vec::new(),
    };
    let values: Vec<Vec<String>> = model.fields.iter().map(|field| of_field(&field.name)).collect();
    match model.fields.iter().zip(&values).find(|(_, values)| values.len() > MOST_VALUES) {
        None => Ok(values),
        Some((field, values)) => Err(Error::TooManyValues {
            field: field.name.clone(),
            found: values.len(),
            most: MOST_VALUES,
        }),
    }
}

/// The most values of a field that a record can be given with: all are compared with all.
const MOST_VALUES: usize = 16;

/// A row of an evaluation.
pub struct Evaluated {
    /// What is held against the truth: pairs, groups, or how often a probability is right.
    pub level: &'static str,
    pub threshold: f64,
    pub precision: f64,
    pub recall: Option<f64>,
    pub f1: Option<f64>,
    pub found: i64,
    pub right: i64,
    pub wanted: Option<i64>,
    /// The mean probability of the pairs of a bin.
    pub expected: Option<f64>,
}

/// Thresholds that are tried beside the model's own.
const THRESHOLDS: [f64; 9] = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];

/// Bins of probabilities.
const BINS: usize = 10;

/// From this probability on pairs are looked at.
const LEAST: f64 = 0.01;

/// Holds what a model finds against the truth, a table of pairs or of persons.
pub fn evaluate(truth: pg_sys::Oid, name: &str) -> Result<Vec<Evaluated>, Error> {
    let configuration = configuration::current()?;
    progress::begin(progress::Work::Evaluate);
    let model = model::current(name)?;
    let loaded = load(&model, &configuration.rules)?;
    let person = super::truth::read(truth, &loaded, &record_type(&configuration.rules))?;
    let side = model
        .model
        .link_only
        .then(|| (0..loaded.records.len() as u32).map(|r| loaded.records.side(r)).collect());
    let truth = Truth { person, side };
    let rows = parallel::run(loaded.bytes(), &mut || (), move |watch| {
        let found =
            Found::new(&loaded.records, &model.model, &model.scorer, LEAST, &mut |_, _| (), watch)?;
        let mut thresholds: Vec<f64> = THRESHOLDS.to_vec();
        if !thresholds.contains(&model.model.match_threshold) {
            thresholds.push(model.model.match_threshold);
        }
        thresholds.sort_by(f64::total_cmp);
        let mut rows = Vec::new();
        for &threshold in &thresholds {
            let least = log_odds(threshold);
            let score = truth.of_pairs(found.edges.iter().filter(|edge| edge.log_odds >= least));
            rows.push(Evaluated::new("pair", threshold, score));
        }
        for &threshold in &thresholds {
            let joined = found.cluster(&loaded.records, &model.scorer, threshold, watch)?;
            let groups = evaluate::groups(loaded.records.len(), found.joined(&joined));
            let score = truth.of_groups(&groups);
            rows.push(Evaluated::new("cluster", threshold, score));
        }
        let bins = truth.calibration(&found.edges, BINS);
        for (n, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.pairs > 0.0) {
            rows.push(Evaluated {
                level: "calibration",
                threshold: n as f64 / BINS as f64,
                precision: bin.right / bin.pairs,
                recall: None,
                f1: None,
                found: bin.pairs as i64,
                right: bin.right as i64,
                wanted: None,
                expected: Some(bin.expected / bin.pairs),
            });
        }
        Ok(rows)
    })?;
    progress::end();
    Ok(rows)
}

impl Evaluated {
    fn new(level: &'static str, threshold: f64, score: evaluate::Score) -> Self {
        Evaluated {
            level,
            threshold,
            precision: score.precision(),
            recall: Some(score.recall()),
            f1: Some(score.f1()),
            found: score.found as i64,
            right: score.right as i64,
            wanted: Some(score.wanted as i64),
            expected: None,
        }
    }
}
