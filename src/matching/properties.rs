//! What must hold of matching whatever the records are: properties, tried on small random worlds of
//! people, and examples of what dates, names and chains of links must come to.

mod clusters;
mod models;
mod refresh;
mod signatures;
mod values;
mod world;

use super::blocking::Transform;
use super::cluster::cluster;
use super::compare::{Measure, Similarity};
use super::explain::{Explained, explain};
use super::find::{Edge, RuleCount, find};
use super::frequency::Frequencies;
use super::kind::Kind;
use super::model::{
    Blocking, FieldModel, KeyModel, LevelModel, Model, Scorer, Shares, log_odds, probability,
};
use super::nickname::Nicknames;
use super::options::Options;
use super::pattern::{Comparer, MOST_FIELDS};
use super::records::Records;
use super::sample::{ALL_PAIRS, Random};
use super::train::{Report, train};
use super::watch::{Phase, Stopped, Watch};
use proptest::prelude::*;
use rustc_hash::FxHashMap;
use std::f64::consts::LN_2;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};
use world::{FIELDS, Recipe, World, below, recipe, shuffle};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn neither_order_nor_threads_matter(recipe in recipe(100), seed: u64) {
        let (one, four) = (recipe.world().outcome(), recipe.world().outcome_of_another_order(seed));
        prop_assert!(one.model == four.model, "another model");
        prop_assert!(one.report == four.report, "another report");
        prop_assert!(one.edges == four.edges, "other pairs");
    }

    #[test]
    fn the_likelihood_never_falls(recipe in recipe(100)) {
        let (_, report) = learn(&recipe.world().records(), &Options::default());
        prop_assert_eq!(report.rounds, report.log_likelihood.len());
        for round in report.log_likelihood.windows(2) {
            prop_assert!(round[1] - round[0] >= -1e-9 * round[0].abs(), "{} after {}", round[1], round[0]);
        }
    }

    #[test]
    fn no_probable_pair_is_given_up(recipe in recipe(100), least in -5.0..15.0) {
        let records = recipe.world().records();
        let (model, _) = learn(&records, &Options::default());
        let judge = Judge::new(&model, &records);
        for least in [probability(least), 0.5, 0.9, 0.999] {
            let found = judge.find(least).0;
            let found: Vec<_> = found.iter().map(|edge| (edge.a, edge.b, edge.log_odds)).collect();
            let all = pairs(&records).map(|(a, b)| (a, b, judge.log_odds(a, b)));
            let expected: Vec<_> = all.filter(|&(_, _, odds)| odds >= log_odds(least)).collect();
            let missed: Vec<_> = expected.iter().filter(|pair| !found.contains(pair)).collect();
            prop_assert!(missed.is_empty(), "{missed:?} at {}", log_odds(least));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn training_finds_whom_it_counted(recipe in recipe(100)) {
        let records = recipe.world().records();
        let (model, _) = learn(&records, &Options::default());
        let judge = Judge::new(&model, &records);
        let found = judge.linked(model.match_threshold);
        let counted = pairs(&records).filter(|&(a, b)| judge.probability(a, b) >= model.match_threshold);
        let missed: Vec<_> = counted.filter(|pair| !found.contains(pair)).collect();
        prop_assert!(missed.is_empty(), "{missed:?} at {}", model.match_threshold);
    }
}

/// All that comes of a world, bit for bit.
#[derive(PartialEq)]
struct Outcome {
    model: String,
    report: String,
    /// Two records, the bits of their odds, and whether that joins them.
    edges: Vec<(u32, u32, u64, bool)>,
}

/// Where there are too many pairs to look at them all.
#[test]
fn neither_order_nor_threads_matter_to_a_sample() {
    let world = Recipe::of(1_700, 11).world();
    assert!(world.records().all_pairs() > ALL_PAIRS);
    assert!(world.outcome() == world.outcome_of_another_order(7));
}

impl World {
    fn outcome(&self) -> Outcome {
        on_threads(1, || self.outcome_here())
    }

    fn outcome_of_another_order(&self, seed: u64) -> Outcome {
        let mut other = self.clone();
        let mut dice = Random(seed);
        shuffle(&mut dice, &mut other.rows);
        shuffle(&mut dice, &mut other.fields);
        // So does whoever reads them: the names of traits come from a sorted map.
        other.fields.sort_by(|x, y| x.name.cmp(&y.name));
        on_threads(4, || other.outcome_here())
    }

    fn outcome_here(&self) -> Outcome {
        let records = self.records();
        let (model, report) = learn(&records, &Options::default());
        let judge = Judge::new(&model, &records);
        let edges = judge.find(model.review_threshold).0;
        let joined = judge.cluster(&edges);
        Outcome {
            model: serde_json::to_string(&model).unwrap(),
            report: serde_json::to_string(&report).unwrap(),
            edges: edges.iter().zip(joined).map(|(e, j)| (e.a, e.b, e.log_odds.to_bits(), j)).collect(),
        }
    }
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn learn(records: &Records, options: &Options) -> (Model, Report) {
    train(records, 1.0, options, &endless()).expect("nobody stops it")
}

/// A watch that lets work take all it wants.
fn endless() -> Watch {
    Watch::new(1 << 40)
}

/// All pairs of records that are compared.
fn pairs(records: &Records) -> impl Iterator<Item = (u32, u32)> {
    let count = records.len() as u32;
    let all = (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)));
    all.filter(|&(a, b)| records.comparable(a, b))
}

/// A model applied to records.
struct Judge<'r> {
    model: &'r Model,
    scorer: Scorer,
    comparer: Comparer<'r>,
}

impl<'r> Judge<'r> {
    fn new(model: &'r Model, records: &'r Records) -> Self {
        let frequencies: Vec<_> = model.fields.iter().map(|field| field.frequencies.clone()).collect();
        Judge { model, scorer: Scorer::new(model), comparer: Comparer::new(records, &frequencies) }
    }

    fn log_odds(&self, a: u32, b: u32) -> f64 {
        let records = self.comparer.records;
        let mut equal = [0.0; MOST_FIELDS];
        let pattern = self.comparer.compare(records.row(a), records.row(b), &mut equal);
        self.scorer.log_odds(pattern, &equal)
    }

    fn probability(&self, a: u32, b: u32) -> f64 {
        probability(self.log_odds(a, b))
    }

    fn find(&self, least: f64) -> (Vec<Edge>, Vec<RuleCount>) {
        find(&self.comparer, self.model, &self.scorer, least, &mut |_, _| (), &endless())
            .expect("nobody stops it")
    }

    /// The pairs that are at least so probable.
    fn linked(&self, least: f64) -> Vec<(u32, u32)> {
        self.find(least).0.iter().map(|edge| (edge.a, edge.b)).collect()
    }

    fn cluster(&self, edges: &[Edge]) -> Vec<bool> {
        cluster(&self.comparer, &self.scorer, edges, &endless()).expect("nobody stops it")
    }
}

/// A model for all worlds, with levels of one field's own.
static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let mut world = Recipe::of(150, 1).world();
    let city = world.fields.iter_mut().find(|field| field.name == "city").unwrap();
    city.comparison.by = Some(Measure { similarity: Similarity::Damerau, levels: vec![0.8, 0.5] });
    let (model, _) = learn(&world.records(), &Options::default());
    assert!(model.fields.iter().any(|field| field.depends_on.is_some()), "one field depends on another");
    model
});

/// Records that a model can judge.
fn records_of(world: &World, model: &Model) -> Records {
    let slots = |name: &str| FIELDS.iter().find(|field| field.0 == name).map_or(1, |field| field.2);
    let mut world = world.clone();
    world.fields = model.fields.iter().map(|field| field.spec(slots(&field.name))).collect();
    world.records()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_score_is_its_explanation_and_has_no_direction(recipe in recipe(20)) {
        let records = records_of(&recipe.world(), &MODEL);
        let judge = Judge::new(&MODEL, &records);
        for (a, b) in pairs(&records) {
            let log_odds = judge.log_odds(a, b);
            let Judge { scorer, comparer, .. } = &judge;
            let told = explain(&MODEL, scorer, comparer, a, b);
            let sum = told.prior_weight + told.fields.iter().map(|field| field.weight).sum::<f64>();
            prop_assert!((LN_2 * sum - log_odds).abs() < 1e-9, "{log_odds} is explained as {}", LN_2 * sum);
            prop_assert!((told.weight - sum).abs() < 1e-9);
            prop_assert!((told.probability - probability(log_odds)).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&probability(log_odds)));
            prop_assert_eq!(judge.log_odds(b, a), log_odds, "{} and {}", a, b);
        }
    }

    #[test]
    fn what_is_missing_says_nothing(recipe in recipe(20), field in 0..FIELDS.len()) {
        let mut world = recipe.world();
        let name = FIELDS[field].0;
        world.rows.iter_mut().step_by(2).for_each(|row| drop(row.values.insert(name, Vec::new())));
        let less = forgetting(&MODEL, field);
        let (records, without) = (records_of(&world, &MODEL), records_of(&world, &less));
        let (judge, other) = (Judge::new(&MODEL, &records), Judge::new(&less, &without));
        for (a, b) in pairs(&records) {
            let told = explain(&MODEL, &judge.scorer, &judge.comparer, a, b).fields;
            // Names in each other's place are one another's, missing or not.
            if told[field].a.is_some() && told[field].b.is_some() || told.iter().any(is_crossed) {
                continue;
            }
            prop_assert_eq!((&*told[field].level, told[field].weight), ("missing", 0.0));
            prop_assert_eq!(judge.log_odds(a, b), other.log_odds(a, b));
        }
    }
}

/// Of two phones that both records have, the one that few others have says who they are.
#[test]
fn of_several_equal_values_the_rarest_counts() {
    let level = |matched, unrelated| LevelModel {
        level: String::new(),
        matched: vec![matched],
        related: vec![unrelated],
        unrelated: vec![unrelated],
    };
    let common = [("5550100", 0.4), ("6660200", 0.02)].map(|(phone, share)| (phone.to_owned(), share));
    let phone = FieldModel {
        name: "phone".into(),
        kind: Kind::Phone,
        compare: None,
        day_first: false,
        depends_on: None,
        levels: vec![
            level(0.1, 0.8),
            level(0.1, 0.05),
            level(0.1, 0.05),
            level(0.5, 0.05),
            level(0.1, 0.03),
            level(0.1, 0.02),
        ],
        frequencies: Frequencies { common: common.into(), other: 0.001, of_class: [0.2, 0.005, 0.0005] },
    };
    let mut model = MODEL.clone();
    model.prior = Shares { matched: 0.5, related: 0.0, unrelated: 0.5 };
    model.fields = vec![phone];
    let mut records = Records::new(&[model.fields[0].spec(2)], false, Nicknames::default());
    for phones in [["5550100", "6660200"], ["6660200", "5550100"], ["6660200", ""], ["5550100", ""]] {
        records.push(phones.into_iter(), 0);
    }
    let judge = Judge::new(&model, &records);
    let (rare, common) = (judge.log_odds(0, 2), judge.log_odds(0, 3));
    assert!((rare - (0.5_f64 / 0.05 * 0.2 / 0.02).ln()).abs() < 1e-6 && common < rare);
    assert_eq!((judge.log_odds(0, 1), judge.log_odds(1, 0)), (rare, rare));
    let least = probability((rare + common) / 2.0);
    assert_eq!(judge.linked(least), [(0, 1), (0, 2), (1, 2)]);
}

fn is_crossed(field: &Explained) -> bool {
    field.level == "other name in its place"
}

/// The model without a field.
fn forgetting(model: &Model, field: usize) -> Model {
    let mut model = model.clone();
    let forgotten = model.fields.remove(field).name;
    for of in model.fields.iter_mut().filter(|of| of.depends_on.as_ref() == Some(&forgotten)) {
        of.depends_on = None;
        for level in &mut of.levels {
            for of in [&mut level.matched, &mut level.related, &mut level.unrelated] {
                of.truncate(1);
            }
        }
    }
    model
}

/// Keys that make few enough pairs, alone or with another.
const KEYS: [(&str, Transform); 20] = [
    ("birth_date", Transform::Exact),
    ("birth_date", Transform::MonthDay),
    ("birth_date", Transform::Year),
    ("email", Transform::Exact),
    ("email", Transform::User),
    ("email", Transform::Prefix(4)),
    ("first_name", Transform::Exact),
    ("first_name", Transform::Sound),
    ("first_name", Transform::Prefix(3)),
    ("last_name", Transform::Exact),
    ("last_name", Transform::Soundex),
    ("last_name", Transform::Suffix(3)),
    ("phone", Transform::Exact),
    ("phone", Transform::Prefix(5)),
    ("phone", Transform::Suffix(4)),
    ("postal_code", Transform::Exact),
    ("postal_code", Transform::Digits),
    ("street", Transform::Exact),
    ("street", Transform::FirstWord),
    ("street", Transform::LastWord),
];

#[test]
fn blocking_finds_what_a_double_loop_finds() {
    let mut dice = Random(4);
    for link_only in [false, true] {
        let people = if link_only { 2_050 } else { 1_700 };
        let world = Recipe { link_only, ..Recipe::of(people, 4) }.world();
        let records = records_of(&world, &MODEL);
        for _ in 0..2 {
            let mut model = MODEL.clone();
            let mut key = || {
                let (name, transform) = KEYS[below(&mut dice, KEYS.len())];
                KeyModel::new(name, transform)
            };
            model.blocking = Blocking::Given((0..4).map(|_| vec![key(), key()]).collect());
            let judge = Judge::new(&model, &records);
            let (edges, counts) = judge.find(0.3);
            let found: Vec<(u32, u32)> = edges.iter().map(|edge| (edge.a, edge.b)).collect();

            let agreeing = agreeing(&records, &model);
            for (rule, (pairs, count)) in model.blocking.iter().zip(agreeing.iter().zip(counts)) {
                assert_eq!(pairs.len() as u64, count.pairs, "{rule:?}");
            }
            let mut expected = agreeing.concat();
            expected.retain(|&(a, b)| judge.probability(a, b) >= 0.3);
            expected.sort_unstable();
            assert!(expected.len() > 100);
            let wrong = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            assert!(found == expected, "{} for {}: {wrong:?}", found.len(), expected.len());
        }
    }
}

/// For each rule the pairs that agree in it and in none before.
fn agreeing(records: &Records, model: &Model) -> Vec<Vec<(u32, u32)>> {
    let rules: Vec<Vec<Vec<Vec<u32>>>> = model
        .blocking
        .iter()
        .map(|rule| rule.iter().flat_map(KeyModel::parts).map(|part| numbered(records, part)).collect())
        .collect();
    let mut found = vec![Vec::new(); rules.len()];
    for (a, b) in pairs(records) {
        let agree =
            |keys: &Vec<Vec<u32>>| keys[a as usize].iter().any(|key| keys[b as usize].contains(key));
        if let Some(rule) = rules.iter().position(|keys| keys.iter().all(agree)) {
            found[rule].push((a, b));
        }
    }
    found
}

/// For each record numbers for its keys.
fn numbered(records: &Records, (name, transform): (&str, Transform)) -> Vec<Vec<u32>> {
    let field = records.fields.iter().position(|field| field.spec.name == name).unwrap();
    let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
    let mut number = |key: String| {
        let next = numbers.len() as u32;
        *numbers.entry(key).or_insert(next)
    };
    (0..records.len() as u32)
        .map(|record| {
            let codes = records.codes_of(field, records.row(record)).iter().filter(|&&code| code > 0);
            let keys = codes.filter_map(|&code| transform.of(records.dictionary(field).value(code)));
            keys.map(&mut number).collect()
        })
        .collect()
}

// Small and plain sets of records.

#[test]
fn as_few_records_as_there_are_make_a_model() {
    for count in 0..4 {
        for link_only in [false, true] {
            let mut world = Recipe { link_only, ..Recipe::of(3, 3) }.world();
            world.rows.truncate(count);
            let records = world.records();
            let (model, _) = learn(&records, &Options::default());
            let json = serde_json::to_string(&model).unwrap();
            let read = Model::parse(&json).map(|read| serde_json::to_string(&read).unwrap() == json);
            assert_eq!(read, Ok(true), "{count} records");
            Judge::new(&model, &records).find(model.match_threshold);
        }
    }
}

#[test]
fn who_is_recorded_twice_in_the_same_words_is_found() {
    for people in [40, 50, 99, 100, 101, 300] {
        let records = recorded_twice(people);
        let (model, _) = learn(&records, &Options::default());
        let expected: Vec<(u32, u32)> = (0..people).map(|person| (2 * person, 2 * person + 1)).collect();
        let found = Judge::new(&model, &records).linked(model.match_threshold);
        assert!(found == expected, "{} of {people} found at {}", found.len(), model.match_threshold);
    }
}

/// People who have nothing in common, each in two equal records.
fn recorded_twice(people: u32) -> Records {
    let mut dice = Random(5);
    let mut world = Recipe::of(1, 5).world();
    world.fields.retain(|field| field.comparison.kind != Kind::Gender);
    let mut records = Records::new(&world.fields, false, Nicknames::default());
    for _ in 0..people {
        let mut values = Vec::new();
        for field in &world.fields {
            let number = 1_000_000_000 + dice.below(8_999_999_999);
            let word: String = (0..10).map(|_| char::from(b'a' + dice.below(26) as u8)).collect();
            values.push(match field.comparison.kind {
                Kind::Date => {
                    format!("{}-{:02}-{:02}", 1900 + number % 100, 1 + number % 12, 1 + number % 28)
                }
                Kind::Phone => number.to_string(),
                _ => word,
            });
            values.extend(vec![String::new(); field.slots - 1]);
        }
        (0..2).for_each(|_| records.push(values.iter().map(String::as_str), 0));
    }
    records
}

#[test]
fn the_prior_that_was_asked_for_is_the_prior() {
    let records = Recipe::of(40, 6).world().records();
    for prior in [1e-6, 0.01, 0.5, 0.9] {
        let (model, _) = learn(&records, &Options { prior: Some(prior), ..Options::default() });
        let judge = Judge::new(&model, &records);
        let told = explain(&model, &judge.scorer, &judge.comparer, 0, 1);
        assert!((told.prior - prior).abs() < 1e-9 * prior, "{} for {prior}", told.prior);
    }
}

// Stopping.

/// How soon work stops that was told to, on cores that are busy with other tests.
const SOON: Duration = Duration::from_millis(400);
const NOW: Duration = Duration::from_millis(20);

#[test]
fn whoever_was_stopped_before_does_nothing() {
    let watch = endless();
    watch.stop();
    let small = records_of(&Recipe::of(30, 8).world(), &MODEL);
    let large = records_of(&Recipe::of(1_700, 8).world(), &MODEL);
    let judge = Judge::new(&MODEL, &small);
    let edges = judge.find(0.1).0;
    assert_eq!(cluster(&judge.comparer, &judge.scorer, &edges, &watch), Err(Stopped));
    for records in [small, large] {
        assert!(train(&records, 1.0, &Options::default(), &watch).is_err());
        let judge = Judge::new(&MODEL, &records);
        assert!(find(&judge.comparer, &MODEL, &judge.scorer, 0.5, &mut |_, _| (), &watch).is_err());
    }
}

#[test]
fn work_stops_soon_in_every_phase() {
    let world = Recipe::of(300, 9).world();
    let records = records_of(&world, &MODEL);
    let judge = Judge::new(&MODEL, &records);
    for phase in [Phase::Counting, Phase::Sampling, Phase::Learning] {
        assert_stops(phase, |watch| train(&records, 1.0, &Options::default(), watch).map(drop));
    }
    let all = |watch: &Watch| find(&judge.comparer, &MODEL, &judge.scorer, 0.0, &mut |_, _| (), watch);
    assert_stops(Phase::Comparing, |watch| all(watch).map(drop));
    let edges = all(&endless()).unwrap().0;
    assert_stops(Phase::Clustering, |watch| {
        cluster(&judge.comparer, &judge.scorer, &edges, watch).map(drop)
    });
}

/// Stops work at the beginning of a phase, and later and later after it.
fn assert_stops(phase: Phase, work: impl Fn(&Watch) -> Result<(), Stopped> + Sync) {
    for milliseconds in [0, 20, 200] {
        let watch = endless();
        let (result, told) = thread::scope(|scope| {
            let working = scope.spawn(|| work(&watch));
            while watch.look().0 != phase && !working.is_finished() {
                thread::sleep(Duration::from_micros(100));
            }
            thread::sleep(Duration::from_millis(milliseconds));
            watch.stop();
            let told = Instant::now();
            (working.join().unwrap(), told.elapsed())
        });
        assert!(told < SOON, "{told:?} after {milliseconds} ms of {phase:?}");
        // It may just have been done.
        assert!(result == Err(Stopped) || told < NOW, "{told:?} after {milliseconds} ms of {phase:?}");
    }
}

#[test]
fn without_memory_there_is_no_result() {
    let world = Recipe::of(200, 10).world();
    let records = records_of(&world, &MODEL);
    let judge = Judge::new(&MODEL, &records);
    let watch = Watch::new(1 << 10);
    assert!(
        find(&judge.comparer, &MODEL, &judge.scorer, 0.0, &mut |_, _| (), &watch).is_err()
            && watch.is_exhausted()
    );
    // Every pair is in the sample.
    let needed = records.all_pairs() as usize * size_of::<super::sample::Sampled>();
    let watch = Watch::new(needed / 2);
    assert!(train(&records, 1.0, &Options::default(), &watch).is_err() && watch.is_exhausted());
    let watch = Watch::new(10 * needed);
    assert!(train(&records, 1.0, &Options::default(), &watch).is_ok());
}
