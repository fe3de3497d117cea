//! From records to a model: which pairs to look at, what they teach, which rules find the matches.

use super::blocking::{AnyRule, Key, Keys, Rule, pairs};
use super::find;
use super::learn::{Expected, learn};
use super::model::{Blocking, Chosen, KeyModel, Model, Scorer, probability};
use super::options::Options;
use super::pattern::{Comparer, MOST_FIELDS};
use super::records::Records;
use super::sample::{self, ALL_PAIRS, Sampled, Stratum};
use super::watch::{Phase, Stopped, Watch};
use rayon::prelude::*;
use serde::Serialize;

/// What training found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub records: usize,
    /// Of these those that were read.
    pub learned_from: usize,
    /// Pairs there are.
    pub pairs: f64,
    pub fields: Vec<FieldReport>,
    /// Pairs looked at to learn, and how many are expected to be of one person in all.
    pub pairs_sampled: usize,
    pub matches_expected: f64,
    pub blocking: Vec<RuleReport>,
    /// The share of the expected matches in the sample that the rules find.
    pub recall_of_blocking: f64,
    /// Precision, recall and F1 that are expected at the threshold.
    pub expected_precision: f64,
    pub expected_recall: f64,
    /// How it does on pairs of which something is certain, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certain: Option<Certain>,
    /// Rounds of expectation maximisation, and before each the logarithm of the posterior density.
    pub rounds: usize,
    pub log_likelihood: Vec<f64>,
}

/// What a model makes of pairs that certain identifiers decide, of those in the sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Certain {
    /// Pairs with the same identifier, estimated; and the share of them at least as probable as the
    /// threshold.
    pub pairs: f64,
    pub recall: f64,
    /// Of the pairs so probable that both have an identifier the share that have the same.
    pub precision: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct FieldReport {
    pub field: String,
    pub kind: super::kind::Kind,
    /// The share of records with a value.
    pub filled: f64,
    pub distinct: usize,
    pub depends_on: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RuleReport {
    pub rule: Vec<KeyModel>,
    /// Candidate pairs that it makes, estimated.
    pub pairs: f64,
    /// The share of the expected matches that it finds and no rule before it does.
    pub adds: f64,
}

/// Pairs for each record that a rule may make to be sampled from, and all chosen rules together.
const POOL_PAIRS: f64 = 10.0;
const MAX_PAIRS: f64 = 30.0;

/// Pairs to learn from: of all rules, and random ones; in all at most, and for each record.
const SAMPLE: f64 = 2e6;
const SAMPLE_FOR_EACH: f64 = 200.0;
const RANDOM: usize = 1_000_000;
const RANDOM_FOR_EACH: usize = 100;

/// Records whose blocks are counted to tell how many pairs a rule makes.
const COUNTED: u64 = 200_000;

/// Pairs of one person for each record before anything is known.
const MATCHED_PER_RECORD: f64 = 0.1;

/// A rule is added as long as it finds this share of the matches that no other does.
const LEAST_ADDED: f64 = 0.0005;

/// Learns a model from records, or from the part `share`, above 0 and up to 1, of them that is at hand:
/// taken at random, where there are more than it takes to learn. What is counted is counted for all.
pub fn train(
    records: &Records,
    share: f64,
    options: &Options,
    watch: &Watch,
) -> Result<(Model, Report), Stopped> {
    let count = records.len() as f64 / share;
    // Pairs at hand for each pair that there is.
    let pairs_share = share * share;
    let frequencies: Vec<_> =
        (0..records.fields.len()).map(|field| records.frequencies(field)).collect();
    let comparer = Comparer::new(records, &frequencies);
    let keys = Keys::all(records);
    watch.take(comparer.bytes() + keys.bytes())?;
    let pool = pool(records, &keys, POOL_PAIRS * count * pairs_share, watch)?;
    let sampled = sample(&comparer, &keys, &pool, options.seed, watch)?;
    watch.begin(Phase::Learning, 0);
    let looks = sample::looks(&sampled);
    let expected =
        Expected { matched_per_record: MATCHED_PER_RECORD * share, records: records.len() as f64 };
    let (tables, likelihood) = learn(records, &comparer.cells, &looks, &expected, watch)?;
    let specs: Vec<_> = records.fields.iter().map(|field| field.spec.clone()).collect();
    let mut model = Model::new(&specs, &tables, frequencies, records.link_only());
    if let Some(prior) = options.prior {
        model.prior = model.prior.with_matched(prior);
    }
    let scored = score(&model, &comparer, &sampled, watch)?;
    (model.match_threshold, model.review_threshold) =
        (options.match_threshold(), options.review_threshold());
    let (expected_precision, expected_recall) = self::expected(&scored, &sampled, model.match_threshold);
    let most = options.max_pairs.map_or(MAX_PAIRS * count, |most| most as f64);
    let all_pairs = records.all_pairs() / pairs_share;
    let (mut blocking, recall_of_blocking) = match &options.blocking {
        Some(rules) => {
            model.blocking = Blocking::Given(rules.clone());
            judge(&model, records, &sampled, &scored, watch)?
        }
        None => {
            let (blocking, recall) = choose(&model, &keys, &pool, &sampled, &scored, most * pairs_share);
            let rules = blocking.iter().map(|report| report.rule.clone()).collect();
            let bounded = options.max_pairs.is_some_and(|most| all_pairs > most as f64);
            model.blocking = match bounded {
                true => Blocking::Given(rules),
                false => Blocking::Chosen(Chosen { chosen: rules }),
            };
            (blocking, recall)
        }
    };
    watch.go_on()?;
    blocking.iter_mut().for_each(|rule| rule.pairs /= pairs_share);
    let matches: f64 = scored.iter().zip(&sampled).map(|(p, pair)| p * pair.weight).sum();
    let report = Report {
        records: count.round() as usize,
        learned_from: records.len(),
        pairs: all_pairs,
        fields: (0..records.fields.len())
            .map(|field| FieldReport {
                field: specs[field].name.clone(),
                kind: specs[field].comparison.kind,
                filled: records.fill_rate(field),
                distinct: records.distinct(field),
                depends_on: model.fields[field].depends_on.clone(),
            })
            .collect(),
        pairs_sampled: sampled.len(),
        matches_expected: matches / pairs_share,
        blocking,
        recall_of_blocking,
        expected_precision,
        expected_recall,
        certain: certain(records, &sampled, &scored, model.match_threshold, pairs_share),
        rounds: likelihood.len(),
        log_likelihood: likelihood,
    };
    Ok((model, report))
}

/// Rules of one key and of two that make few enough pairs, `most_pairs`, the most selective first.
fn pool(
    records: &Records,
    keys: &Keys,
    most_pairs: f64,
    watch: &Watch,
) -> Result<Vec<Stratum>, Stopped> {
    let count = keys.keys.len();
    let mut rules: Vec<Rule> = (0..count).map(|key| Rule(1 << key)).collect();
    for one in 0..count {
        let others = (one + 1..count).filter(|&other| keys.keys[other].field != keys.keys[one].field);
        rules.extend(others.map(|other| Rule(1 << one | 1 << other)));
    }
    let counted = count_pairs(records, keys, &rules, watch)?;
    let mut pool: Vec<Stratum> = rules
        .into_iter()
        .zip(counted)
        .filter(|&(_, pairs)| pairs > 0.0 && pairs <= most_pairs)
        .map(|(rule, pairs)| Stratum { rule, pairs, one_of: 1 })
        .collect();
    pool.sort_by(|x, y| x.pairs.total_cmp(&y.pairs).then(x.rule.cmp(&y.rule)));
    let most = SAMPLE.min(SAMPLE_FOR_EACH * records.len() as f64);
    let each = most / pool.len().max(1) as f64;
    pool.iter_mut().for_each(|stratum| stratum.one_of = (stratum.pairs / each).ceil().max(1.0) as u64);
    Ok(pool)
}

/// How many pairs each rule makes, estimated.
fn count_pairs(
    records: &Records,
    keys: &Keys,
    rules: &[Rule],
    watch: &Watch,
) -> Result<Vec<f64>, Stopped> {
    let one_of = (records.len() as u64).div_ceil(COUNTED).max(1);
    watch.begin(Phase::Counting, rules.len() as u64);
    rules
        .par_iter()
        .map(|&rule| {
            let pairs = pairs(records, keys, rule, one_of, watch)?;
            watch.advance(1)?;
            Ok(pairs * one_of as f64)
        })
        .collect()
}

/// Pairs to learn from.
fn sample(
    comparer: &Comparer,
    keys: &Keys,
    pool: &[Stratum],
    seed: u64,
    watch: &Watch,
) -> Result<Vec<Sampled>, Stopped> {
    let all = comparer.records.all_pairs();
    if all <= ALL_PAIRS {
        watch.begin(Phase::Sampling, 1);
        return sample::of_all(comparer, keys, watch);
    }
    watch.begin(Phase::Sampling, pool.len() as u64);
    let rules = |pool: &[Stratum]| AnyRule::of(pool.iter().map(|stratum| stratum.rule));
    let strata: Vec<Vec<Sampled>> = pool
        .par_iter()
        .enumerate()
        .map(|(n, &stratum)| {
            let sampled = sample::of_stratum(comparer, keys, stratum, &rules(&pool[..n]), watch)?;
            watch.advance(1)?;
            Ok(sampled)
        })
        .collect::<Result<_, Stopped>>()?;
    let mut sampled: Vec<Sampled> = strata.into_iter().flatten().collect();
    let found: f64 = sampled.iter().map(|pair| pair.weight).sum();
    let random = RANDOM.min(RANDOM_FOR_EACH * comparer.records.len());
    sampled.extend(sample::of_rest(comparer, keys, &rules(pool), random, all - found, seed, watch)?);
    Ok(sampled)
}

/// How probable it is of each sampled pair that it is one person's.
fn score(
    model: &Model,
    comparer: &Comparer,
    sampled: &[Sampled],
    watch: &Watch,
) -> Result<Vec<f64>, Stopped> {
    let scorer = Scorer::new(model);
    let records = comparer.records;
    sampled
        .par_iter()
        .map(|pair| {
            watch.go_on()?;
            let mut equal = [0.0; MOST_FIELDS];
            let (a, b) = (records.row(pair.a), records.row(pair.b));
            comparer.frequencies(pair.pattern, a, b, &mut equal);
            Ok(probability(scorer.log_odds(pair.pattern, &equal)))
        })
        .collect()
}

/// The precision and the recall that are expected at a threshold.
fn expected(scored: &[f64], sampled: &[Sampled], threshold: f64) -> (f64, f64) {
    let (mut all, mut taken, mut right) = (0.0, 0.0, 0.0);
    for (p, pair) in scored.iter().zip(sampled) {
        all += p * pair.weight;
        if *p >= threshold {
            taken += pair.weight;
            right += p * pair.weight;
        }
    }
    let share = |of: f64| if of > 0.0 { right / of } else { 1.0 };
    (share(taken), share(all))
}

/// How it does on pairs of which something is certain. `pairs_share`: pairs at hand for each there is.
fn certain(
    records: &Records,
    sampled: &[Sampled],
    scored: &[f64],
    threshold: f64,
    pairs_share: f64,
) -> Option<Certain> {
    let (mut same, mut found, mut right) = (0.0, 0.0, 0.0);
    for (pair, &p) in sampled.iter().zip(scored) {
        let Some(is_same) = records.known.same_name(pair.a, pair.b) else { continue };
        let weight = |counts: bool| if counts { pair.weight } else { 0.0 };
        same += weight(is_same);
        found += weight(p >= threshold);
        right += weight(is_same && p >= threshold);
    }
    let precision = if found > 0.0 { right / found } else { 1.0 };
    (same > 0.0).then(|| Certain { pairs: same / pairs_share, recall: right / same, precision })
}

/// What the rules of a model find of the matches of the sample; and the share that all of them find.
fn judge(
    model: &Model,
    records: &Records,
    sampled: &[Sampled],
    scored: &[f64],
    watch: &Watch,
) -> Result<(Vec<RuleReport>, f64), Stopped> {
    let (keys, rules) = find::rules(records, model);
    watch.take(keys.bytes())?;
    let counted = count_pairs(records, &keys, &rules, watch)?;
    let mut missing: Vec<(u64, f64)> = sampled
        .iter()
        .zip(scored)
        .filter(|&(_, &p)| p >= model.review_threshold)
        .map(|(pair, p)| (keys.agree(keys.row(pair.a), keys.row(pair.b)), p * pair.weight))
        .collect();
    let sum = |pairs: &[(u64, f64)]| pairs.iter().map(|(_, weight)| weight).sum::<f64>();
    let all = sum(&missing);
    let share = |of: f64| if all > 0.0 { of / all } else { 0.0 };
    let reports = rules.iter().zip(counted).zip(model.blocking.iter()).map(|((rule, pairs), keys)| {
        let before = sum(&missing);
        missing.retain(|(agree, _)| !rule.holds(*agree));
        RuleReport { rule: keys.clone(), pairs, adds: share(before - sum(&missing)) }
    });
    let reports: Vec<RuleReport> = reports.collect();
    let recall = if all > 0.0 { 1.0 - share(sum(&missing)) } else { 1.0 };
    Ok((reports, recall))
}

/// Rules that find nearly all matches of the sample with few pairs; and the share they find.
fn choose(
    model: &Model,
    keys: &Keys,
    pool: &[Stratum],
    sampled: &[Sampled],
    scored: &[f64],
    most: f64,
) -> (Vec<RuleReport>, f64) {
    let mut missing: Vec<(u64, f64)> = sampled
        .iter()
        .zip(scored)
        .filter(|&(_, &p)| p >= model.review_threshold)
        .map(|(pair, p)| (pair.agree, p * pair.weight))
        .collect();
    let all: f64 = missing.iter().map(|(_, weight)| weight).sum();
    let mut left = most;
    let mut chosen: Vec<RuleReport> = Vec::new();
    let mut found = 0.0;
    loop {
        let gain = |rule: Rule| -> f64 {
            missing.iter().filter(|(agree, _)| rule.holds(*agree)).map(|(_, weight)| weight).sum()
        };
        let worth = pool
            .iter()
            .filter(|stratum| stratum.pairs <= left)
            .map(|stratum| (gain(stratum.rule), stratum))
            .filter(|&(gain, _)| gain > LEAST_ADDED * all)
            .map(|(gain, stratum)| (gain / (stratum.pairs + 0.1 * all), gain, stratum));
        let Some((_, gain, stratum)) =
            worth.max_by(|x, y| x.0.total_cmp(&y.0).then(y.2.rule.cmp(&x.2.rule)))
        else {
            break;
        };
        missing.retain(|(agree, _)| !stratum.rule.holds(*agree));
        left -= stratum.pairs;
        found += gain;
        chosen.push(RuleReport {
            rule: keys.of(stratum.rule).iter().map(|key| key_model(model, *key)).collect(),
            pairs: stratum.pairs,
            adds: gain / all,
        });
    }
    (chosen, if all > 0.0 { found / all } else { 1.0 })
}

fn key_model(model: &Model, key: Key) -> KeyModel {
    KeyModel::new(&model.fields[key.field].name, key.transform)
}
