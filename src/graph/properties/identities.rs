//! Stable ids, over random histories of facts that come and go and configurations that change.

use super::store::{Identifier, Store, Way};
use super::world::{self, Dice, Fact, World, world};
use super::{CASES, merges_only, toggle};
use crate::graph::NO_DAY;
use crate::graph::rules::Rules;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn ids_stay_with_their_people(world in world(), other in world::configuration(), seed: u64) {
        let other = world::other_decision(&world.configuration, other);
        let mut rules = [world.configuration.rules(), other.rules()];
        let mut dice = Dice(seed);
        let mut store = Store::default();
        let mut history = History::default();
        let mut facts: Vec<(&Fact, bool)> = world.facts.iter().map(|fact| (fact, false)).collect();
        for _ in 0..8 {
            let before = store.clone();
            if dice.roll(6) == 0 {
                rules.reverse();
                store.rebuild(&rules[0]);
            } else {
                let change: Vec<_> = (0..1 + dice.roll(4)).map(|_| toggle(&mut facts, &mut dice)).collect();
                store.change(&rules[0], &change, Way::ALL[dice.roll(3)]);
            }
            history.advance(&before, &store);
            assert_eq!(store.rebuild(&rules[0]), 0, "nothing changes by itself");
        }
    }

    #[test]
    fn words_that_are_taken_back_leave_no_trace(world in world(), seed: u64) {
        take_back_a_word(&world, &world.configuration.rules(), &mut Dice(seed));
    }

    #[test]
    fn undoing_gives_ids_back(world in world(), seed: u64) {
        let rules = world.configuration.rules();
        undo(&world, &rules, &mut Dice(seed));
    }
}

/// What an operator says, and takes back at once, leaves no trace.
fn take_back_a_word(world: &World, rules: &Rules, dice: &mut Dice) {
    let mut store = Store::default();
    let mut facts: Vec<(&Fact, bool)> = world.facts.iter().map(|fact| (fact, false)).collect();
    for _ in 0..4 {
        let change: Vec<_> = (0..1 + dice.roll(4)).map(|_| toggle(&mut facts, dice)).collect();
        store.change(rules, &change, Way::ALL[dice.roll(3)]);
    }
    let known: Vec<String> = store.identifiers.values().map(|row| row.text.clone()).collect();
    if known.len() < 2 {
        return;
    }
    for _ in 0..4 {
        let (a, b) = (&known[dice.roll(known.len())], &known[dice.roll(known.len())]);
        let pair = (a.min(b).clone(), a.max(b).clone());
        if a == b || store.must_links.contains(&pair) || store.separations.contains(&pair) {
            continue;
        }
        let fact = match dice.roll(2) {
            0 => Fact::Asserted(pair),
            _ => Fact::Separated(pair),
        };
        let before = store.clone();
        store.change(rules, &[(&fact, 1)], Way::ALL[dice.roll(3)]);
        let homes = store.moved.clone();
        store.change_from(rules, &[(&fact, -1)], Way::ALL[dice.roll(3)], &homes);
        assert_eq!(store.verdict(), before.verdict(), "{fact:?}");
        assert_eq!(store.profiles(), before.profiles(), "{fact:?}");
    }
}

/// Takes some facts away and adds them again: what only came apart, or only came together, and is
/// then as it was, has the ids that it had.
fn undo(world: &World, rules: &Rules, dice: &mut Dice) {
    let (kept, extra): (Vec<&Fact>, Vec<&Fact>) = world.facts.iter().partition(|_| dice.roll(4) > 0);
    let all = |facts: &[&Fact]| facts.iter().map(|&fact| fact.clone()).collect::<Vec<_>>();
    let times = |times: i64| -> Vec<(&Fact, i64)> { extra.iter().map(|&fact| (fact, times)).collect() };
    for (mut store, there, back) in [
        (Store::of(rules, &world.facts), times(-1), times(1)),
        (Store::of(rules, &all(&kept)), times(1), times(-1)),
    ] {
        let before = store.clone();
        store.change(rules, &there, Way::ALL[dice.roll(3)]);
        // A profile of which nothing is left does not come back.
        let kept = before.identifiers.keys().all(|row| store.identifiers.contains_key(row));
        let plain = kept && (merges_only(&before, &store) || merges_only(&store, &before));
        store.change(rules, &back, Way::ALL[dice.roll(3)]);
        assert_eq!(store.verdict(), before.verdict());
        if plain {
            assert_eq!(store.profiles(), before.profiles());
        }
    }
}

/// Every id ever handed out.
#[derive(Default)]
struct History {
    /// All identifiers (rows) that ever had it.
    holders: BTreeMap<Uuid, BTreeSet<i64>>,
    /// The rows that had it when it was last retired.
    last: BTreeMap<Uuid, BTreeSet<i64>>,
}

/// The rows that have each id.
fn holders(store: &Store) -> BTreeMap<Uuid, BTreeSet<i64>> {
    let mut holders = BTreeMap::<Uuid, BTreeSet<i64>>::new();
    for (&id, row) in &store.identifiers {
        if !row.profile.is_nil() {
            holders.entry(row.profile).or_default().insert(id);
        }
    }
    holders
}

impl History {
    /// Checks the ids of `after`, which came from `before` in one step.
    fn advance(&mut self, before: &Store, after: &Store) {
        let (old, new) = (holders(before), holders(after));
        self.check_one_id_for_each_person(after, &new);
        self.check_known_ids(&old, &new);
        self.check_merges(before, after, &old, &new);
        self.check_splits(before, after, &old);
        self.check_retired_ids(after, &old, &new);
        for (id, members) in new {
            self.holders.entry(id).or_default().extend(members);
        }
    }

    fn check_one_id_for_each_person(&self, after: &Store, new: &BTreeMap<Uuid, BTreeSet<i64>>) {
        let verdict = after.verdict();
        for (id, members) in new {
            let first = &after.identifiers[members.first().unwrap()].text;
            let texts = members.iter().map(|row| after.identifiers[row].text.clone()).collect();
            assert_eq!(super::in_force_around(&verdict, first), texts, "{id} is one group's");
        }
    }

    fn check_known_ids(&self, old: &BTreeMap<Uuid, BTreeSet<i64>>, new: &BTreeMap<Uuid, BTreeSet<i64>>) {
        for (id, members) in new {
            match self.holders.get(id) {
                Some(ever) => assert!(!ever.is_disjoint(members), "{id} is given to others"),
                None => {
                    let latest = self.holders.keys().max();
                    assert!(latest.is_none_or(|latest| latest < id), "{id} is younger than all before");
                    let had = old.values().any(|had| had.is_subset(members) && !had.is_empty());
                    assert!(!had, "a group that holds all of a profile needs no new id");
                }
            }
        }
    }

    /// An id whose remaining members are all in one group: that group's id is it or an older one.
    fn check_merges(
        &self,
        before: &Store,
        after: &Store,
        old: &BTreeMap<Uuid, BTreeSet<i64>>,
        new: &BTreeMap<Uuid, BTreeSet<i64>>,
    ) {
        for (id, had) in old {
            let parts = parts(after, had);
            let (1, Some(now)) = (parts.len(), parts.keys().next()) else {
                continue;
            };
            assert!(now <= id, "{id} went over into the younger {now}");
            let one_of_theirs = new[now]
                .iter()
                .any(|row| before.identifiers.get(row).is_some_and(|r| r.profile == *now));
            assert!(one_of_theirs, "{now} takes over from {id} and was nobody's there");
        }
    }

    /// An id whose members came apart, none of them into a group that gets a retired id back.
    fn check_splits(&self, before: &Store, after: &Store, old: &BTreeMap<Uuid, BTreeSet<i64>>) {
        let mut retired = BTreeMap::<Uuid, BTreeSet<i64>>::new();
        for (id, row) in &before.former {
            retired.entry(*id).or_default().insert(*row);
        }
        let regrouped: BTreeSet<i64> = retired
            .values()
            .filter(|members| parts(after, members).len() == 1)
            .flatten()
            .copied()
            .collect();
        for (id, had) in old.iter().filter(|(_, had)| had.is_disjoint(&regrouped)) {
            let parts = parts(after, had);
            let oldest = |part: &BTreeSet<i64>| {
                // What was never seen is youngest.
                let age = |row: &Identifier| (row.last_seen == NO_DAY, row.first_seen, row.text.clone());
                part.iter().map(|row| age(&after.identifiers[row])).min()
            };
            let mut parts: Vec<_> = parts.iter().collect();
            parts.sort_by_key(|(_, part)| (std::cmp::Reverse(part.len()), oldest(part)));
            for (other, _) in parts.into_iter().take_while(|(other, _)| *other != id) {
                assert!(other < id, "{id} stays with the largest part that has no older id");
            }
        }
    }

    /// Retired ids lead to what is left of those that had them last.
    fn check_retired_ids(
        &mut self,
        after: &Store,
        old: &BTreeMap<Uuid, BTreeSet<i64>>,
        new: &BTreeMap<Uuid, BTreeSet<i64>>,
    ) {
        for (id, had) in old {
            if !new.contains_key(id) {
                self.last.insert(*id, had.clone());
            }
        }
        self.last.retain(|id, _| !new.contains_key(id));
        for members in self.last.values_mut() {
            members.retain(|row| after.identifiers.contains_key(row));
        }
        let expected: BTreeSet<(Uuid, i64)> =
            self.last.iter().flat_map(|(id, members)| members.iter().map(|row| (*id, *row))).collect();
        assert_eq!(after.former, expected);
    }
}

/// The profiles that `rows` belong to now, and who of them belongs to each.
fn parts(after: &Store, rows: &BTreeSet<i64>) -> BTreeMap<Uuid, BTreeSet<i64>> {
    let mut parts = BTreeMap::<Uuid, BTreeSet<i64>>::new();
    for row in rows {
        let profile = after.identifiers.get(row).map_or(Uuid::nil(), |found| found.profile);
        if !profile.is_nil() {
            parts.entry(profile).or_default().insert(*row);
        }
    }
    parts
}
