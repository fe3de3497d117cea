//! From pairs to people: what is a group, and what is none.

use super::world::{recipe, shuffle};
use super::{Judge, MODEL, records_of};
use crate::matching::evaluate::groups;
use crate::matching::find::{Edge, MOST_IN_BLOCK};
use crate::matching::frequency::Frequencies;
use crate::matching::kind::Kind;
use crate::matching::model::{Blocking, FORMAT, FieldModel, KeyModel, LevelModel, Model, Shares};
use crate::matching::nickname::Nicknames;
use crate::matching::records::Records;
use crate::matching::sample::Random;
use proptest::prelude::*;
use std::collections::BTreeMap;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn joined_edges_make_the_groups(recipe in recipe(60), least in 0.1..0.9, seed: u64) {
        let records = records_of(&recipe.world(), &MODEL);
        let judge = Judge::new(&MODEL, &records);
        let edges = judge.find(least).0;
        let joined = judge.cluster(&edges);
        let joining: Vec<Edge> = edges.iter().zip(&joined).filter(|(_, j)| **j).map(|(e, _)| *e).collect();
        // What was refused had no part in it.
        prop_assert!(judge.cluster(&joining).iter().all(|joins| *joins));
        let touching = |record: u32| edges.iter().filter(|edge| edge.a == record || edge.b == record).count();
        for (edge, &joined) in edges.iter().zip(&joined) {
            prop_assert!(joined || touching(edge.a) > 1 || touching(edge.b) > 1, "{:?} is alone", edge);
        }
        let mut order: Vec<usize> = (0..edges.len()).collect();
        shuffle(&mut Random(seed), &mut order);
        let shuffled: Vec<Edge> = order.iter().map(|&place| edges[place]).collect();
        let again = judge.cluster(&shuffled);
        prop_assert!(order.iter().zip(again).all(|(&place, joins)| joins == joined[place]));
    }
}

/// For each record a number that its group shares.
fn connected(records: &Records, edges: &[Edge], joined: &[bool]) -> Vec<u32> {
    groups(records.len(), edges.iter().zip(joined).filter(|(_, joined)| **joined).map(|(edge, _)| edge))
}

/// A model of fields that are equal or not; each adds the first number to the logarithm of the odds if
/// it is, the second if it is not. Any two are one person's as likely as not.
fn weighing(fields: &[(&str, f64, f64)]) -> Model {
    let level = |name: &str, weight: f64| LevelModel {
        level: name.into(),
        matched: vec![0.5 * weight.min(0.0).exp()],
        related: vec![0.5],
        unrelated: vec![0.5 * (-weight.max(0.0)).exp()],
    };
    let field = |&(name, equal, different): &(&str, f64, f64)| FieldModel {
        name: name.into(),
        kind: Kind::Category,
        compare: None,
        day_first: false,
        depends_on: None,
        levels: vec![level("different", different), level("equal", equal)],
        frequencies: Frequencies { common: BTreeMap::new(), other: 1.0, of_class: [1.0; 3] },
    };
    Model {
        format: FORMAT,
        link_only: false,
        prior: Shares { matched: 0.5, related: 0.0, unrelated: 0.5 },
        fields: fields.iter().map(field).collect(),
        blocking: Default::default(),
        match_threshold: 0.5,
        review_threshold: 0.1,
    }
}

fn records_with<const FIELDS: usize>(model: &Model, rows: &[[&str; FIELDS]]) -> Records {
    let specs: Vec<_> = model.fields.iter().map(|field| field.spec(1)).collect();
    let mut records = Records::new(&specs, false, Nicknames::default());
    rows.iter().for_each(|row| records.push(row.iter().copied(), 0));
    records
}

/// The groups that records come to.
fn clustered(model: &Model, records: &Records) -> Vec<u32> {
    let judge = Judge::new(model, records);
    let edges = judge.find(model.match_threshold).0;
    connected(records, &edges, &judge.cluster(&edges))
}

const NOBODY_KNOWS: &str = "";

#[test]
fn a_chain_of_weak_links_joins_no_two_groups_at_odds() {
    let model = weighing(&[("person", 8.0, -8.0), ("clue", 2.0, 0.0), ("hint", 2.0, 0.0)]);
    let [x, y] = ["x", "y"];
    let rows = [
        [x, "", ""],
        [x, "", ""],
        [x, "1", ""],
        [NOBODY_KNOWS, "1", "2"],
        [NOBODY_KNOWS, "3", "2"],
        [y, "3", ""],
        [y, "", ""],
        [y, "", ""],
    ];
    let group = clustered(&model, &records_with(&model, &rows));
    assert_eq!((group[0], group[5]), (group[2], group[7]));
    assert_ne!(group[2], group[5], "a chain joins two people");
    // The records of the chain alone are linked to two groups, and belong to one each at most.
    assert!(
        rows.len() == group.len() && group[3] != group[4]
            || group[3] == group[0]
            || group[4] == group[7]
    );

    // With nobody at odds the same chain joins.
    let mut agreed = rows;
    (5..8).for_each(|row| agreed[row][0] = x);
    let group = clustered(&model, &records_with(&model, &agreed));
    assert!(group.iter().all(|&number| number == group[0]));
}

#[test]
fn two_records_with_nothing_against_them_are_joined() {
    let model = weighing(&[("person", 8.0, -8.0), ("clue", 0.1, 0.0)]);
    let group = clustered(&model, &records_with(&model, &[["", "1"], ["", "2"], ["", "1"], ["x", ""]]));
    assert_eq!(group, [0, 1, 0, 3]);
}

/// However many records a large group has, each one of a small one has its say.
#[test]
fn all_of_a_small_group_are_heard() {
    let model = weighing(&[("person", 8.0, -8.0), ("family", 9.0, 0.0), ("club", 1.0, 0.0)]);
    for count in [10, 199, 200, 201, 300, 333, 400] {
        let mut rows = vec![["x", "", "c"]; count];
        // One that all of the others are a little like, and which is one with somebody else.
        rows.extend([["", "f", "c"], ["y", "f", ""]]);
        let backwards: Vec<_> = rows.iter().rev().copied().collect();
        for rows in [rows, backwards] {
            let group = clustered(&model, &records_with(&model, &rows));
            assert_ne!(group[0], group[count + 1], "{count} records and two");
        }
    }
}

#[test]
fn a_block_too_large_hides_nothing_from_other_rules() {
    let mut model = weighing(&[("country", 0.1, 0.0), ("person", 8.0, -8.0)]);
    let rule = |name: &str| vec![KeyModel::Exact(name.into())];
    model.blocking = Blocking::Given(vec![rule("country"), rule("person")]);
    let people: Vec<String> = (0..=MOST_IN_BLOCK).map(|person| person.to_string()).collect();
    let mut rows: Vec<[&str; 2]> = people.iter().map(|person| ["x", person]).collect();
    rows.push(rows[7]);
    let records = records_with(&model, &rows);
    let (edges, counts) = Judge::new(&model, &records).find(0.5);
    assert_eq!((counts[0].oversized_blocks, counts[0].oversized_records), (1, rows.len() as u64));
    let found: Vec<(u32, u32)> = edges.iter().map(|edge| (edge.a, edge.b)).collect();
    assert_eq!(found, [(7, rows.len() as u32 - 1)]);
}
