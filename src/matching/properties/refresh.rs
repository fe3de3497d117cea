//! A run over what has come since the last one comes to what a run over everything comes to.

use super::world::{Row, World, below, nicknames, recipe};
use super::{MODEL, endless, on_threads};
use crate::matching::blocking::Transform;
use crate::matching::index::{Stored, name_hash};
use crate::matching::model::{Blocking, KeyModel, Model, Scorer, probability};
use crate::matching::people::compare_all;
use crate::matching::records::{FieldSpec, Records};
use crate::matching::refresh::{Arrived, Halt, Means, News, Refreshed, refresh};
use crate::matching::sample::Random;
use proptest::prelude::*;
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pairs by the keys of their records, the lesser first, with the bits of their probability.
type Pairs = BTreeMap<(String, String), u64>;

/// What a run says: pairs that are linked, and pairs in doubt.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    links: Pairs,
    reviews: Pairs,
}

fn pair(a: &str, b: &str) -> (String, String) {
    if a < b { (a.into(), b.into()) } else { (b.into(), a.into()) }
}

/// A model that says which pairs to compare.
fn model() -> Model {
    let key = |name: &str, transform| KeyModel::new(name, transform);
    let blocking = Blocking::Given(vec![
        vec![key("last_name", Transform::Sound)],
        vec![key("phone", Transform::Exact)],
        vec![key("birth_date", Transform::Year), key("gender", Transform::Exact)],
    ]);
    Model { blocking, match_threshold: 0.5, review_threshold: 0.1, ..MODEL.clone() }
}

/// What is kept, as a table would.
#[derive(Default)]
struct Table(BTreeMap<(i32, i64), Vec<u8>>);

impl Table {
    fn stored(&self, fields: &[FieldSpec]) -> Stored {
        let pages = self.0.iter().map(|(&(part, first), content)| (part, first, content[..].into()));
        Stored::new(fields.iter().map(|field| field.slots).sum(), pages.rev().collect())
    }
}

/// Sources whose rows come, go and change.
struct Sources<'w> {
    fields: &'w [FieldSpec],
    names: Vec<String>,
    model: &'w Model,
    scorer: Scorer,
    rows: BTreeMap<String, Row>,
}

impl Sources<'_> {
    /// Compares all.
    fn full(&self) -> (Said, Table) {
        let mut rows: Vec<&Row> = self.rows.values().collect();
        rows.sort_by_key(|row| (name_hash(&self.names[usize::from(row.side)], &row.name), &row.name));
        let mut records = Records::new(self.fields, self.model.link_only, nicknames());
        rows.iter().for_each(|row| records.push(row.values_of(self.fields), row.side));
        let mut table = Table::default();
        let mut keep = |pages: Vec<_>| {
            for page in pages {
                let page: crate::matching::index::Page = page;
                table.0.insert((page.part, page.first), page.content);
            }
        };
        let key = |record: u32| &*rows[record as usize].name;
        let people =
            compare_all(&records, &self.names, key, self.model, &self.scorer, &mut keep, &endless())
                .expect("nobody stops it");
        let named = |edge: &crate::matching::find::Edge| {
            (pair(key(edge.a), key(edge.b)), probability(edge.log_odds).to_bits())
        };
        let links = people.pairs.iter().filter(|pair| pair.joined).map(|pair| named(&pair.edge));
        let said = Said { links: links.collect(), reviews: people.doubtful().map(named).collect() };
        (said, table)
    }

    /// Compares what has arrived, and applies what comes of it.
    fn refresh(
        &self,
        arrived: &BTreeSet<String>,
        some_are_gone: bool,
        table: &mut Table,
        said: &mut Said,
    ) -> Result<(), Halt> {
        let arrived = arrived.iter().filter_map(|name| self.rows.get(name)).map(|row| Arrived {
            side: row.side,
            key: row.name.clone(),
            row: 0,
            values: row.values_of(self.fields).map(str::to_owned).collect(),
        });
        let hash = |row: &Row| name_hash(&self.names[usize::from(row.side)], &row.name);
        let present: FxHashSet<u64> = self.rows.values().map(hash).collect();
        let news = News { arrived: arrived.collect(), present: some_are_gone.then_some(present) };
        let means = Means {
            model: self.model,
            scorer: &self.scorer,
            specs: self.fields,
            nicknames: &Arc::new(nicknames()),
            sources: &self.names,
        };
        let stored = table.stored(self.fields);
        let found = refresh(&means, &stored, &news, |_| true, &endless())?;
        let Refreshed { links, reviews, scope, pages, .. } = found;
        for ((_, a), (_, b), probability) in &links {
            if probability.is_none() {
                said.links.remove(&pair(a, b));
            }
        }
        for ((_, a), (_, b), probability) in &links {
            said.links.extend(probability.map(|p| (pair(a, b), p.to_bits())));
        }
        let scope: BTreeSet<&str> = scope.iter().map(|(_, key)| &**key).collect();
        said.reviews.retain(|(a, b), _| !scope.contains(&**a) && !scope.contains(&**b));
        said.reviews.extend(reviews.iter().map(|((_, a), (_, b), p)| (pair(a, b), p.to_bits())));
        table.0.retain(|(part, _), _| part % 2 == 0);
        for page in pages {
            table.0.insert((page.part, page.first), page.content);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_comes_since_comes_to_the_same(recipe in recipe(60), seed: u64, link_only: bool) {
        let world = recipe.world();
        let model = Model { link_only, ..model() };
        on_threads(2, || by_and_by(&world, &model, seed))?;
    }
}

fn by_and_by(world: &World, model: &Model, seed: u64) -> Result<(), TestCaseError> {
    let fields: Vec<FieldSpec> = MODEL
        .fields
        .iter()
        .map(|field| field.spec(super::FIELDS.iter().find(|of| of.0 == field.name).map_or(1, |of| of.2)))
        .collect();
    let mut dice = Random(seed);
    let rows: Vec<&Row> = world.rows.iter().collect();
    let names = vec!["a/".into(), "b/".into(), "c/".into()];
    let scorer = Scorer::new(model);
    let mut sources = Sources { fields: &fields, names, model, scorer, rows: BTreeMap::new() };
    for row in &rows {
        if dice.below(2) == 0 {
            sources.rows.insert(row.name.clone(), (*row).clone());
        }
    }
    let (mut said, mut table) = sources.full();
    for _ in 0..5 {
        let mut arrived = BTreeSet::new();
        let some_are_gone = dice.below(2) == 0;
        for row in &rows {
            let is_there = sources.rows.contains_key(&row.name);
            match dice.below(8) {
                // It comes, or is written once more as it is.
                0 => {
                    let old = sources.rows.get(&row.name).cloned();
                    sources.rows.insert(row.name.clone(), old.unwrap_or_else(|| (*row).clone()));
                    arrived.insert(row.name.clone());
                }
                // It becomes somebody else's.
                1 if is_there => {
                    let values = rows[below(&mut dice, rows.len())].values.clone();
                    sources.rows.insert(row.name.clone(), Row { values, ..(*row).clone() });
                    arrived.insert(row.name.clone());
                }
                2 if some_are_gone => {
                    sources.rows.remove(&row.name);
                    arrived.remove(&row.name);
                }
                _ => {}
            }
        }
        prop_assert_eq!(sources.refresh(&arrived, some_are_gone, &mut table, &mut said), Ok(()));
        let (all, _) = sources.full();
        prop_assert_eq!(&said.links, &all.links);
        prop_assert_eq!(&said.reviews, &all.reviews);
    }
    Ok(())
}
