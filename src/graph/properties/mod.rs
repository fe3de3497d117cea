//! What must hold in every world: properties of the rule, tried on random small graphs.

mod identities;
mod store;
mod world;

use super::Day;
use super::reference::{self, Known, Link, Pair, Verdict};
use super::rules::Role;
use super::solver::Reason;
use proptest::prelude::*;
use std::collections::BTreeSet;
use store::{Store, Way, added};
use world::{Dice, Fact, world};

/// Random graphs that each property is tried on.
const CASES: u32 = 10_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn the_solver_agrees_with_the_reference(world in world(), other in world::configuration()) {
        let rules = world.configuration.rules();
        let mut store = Store::of(&rules, &world.facts);
        let expected = world.knowing(&rules, &world.facts, |known| known.decide());
        assert_eq!(store.verdict(), expected);

        // Another configuration, that of a rebuild, with a block list that came later.
        let mut other = world::other_decision(&world.configuration, other);
        other.blocks = true;
        let rules = other.rules();
        store.rebuild(&rules);
        let expected = world.knowing(&rules, &world.facts, |known| known.decide());
        assert_eq!(store.verdict(), expected);
    }

    #[test]
    fn neither_order_nor_batches_matter(world in world(), seed: u64) {
        let rules = world.configuration.rules();
        let at_once = Store::of(&rules, &world.facts);
        let mut dice = Dice(seed);
        let mut facts = world.facts.clone();
        dice.shuffle(&mut facts);
        let mut store = Store::default();
        let mut rest = &*facts;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(1 + dice.roll(rest.len()));
            store.change(&rules, &added(batch), Way::ALL[dice.roll(3)]);
            rest = later;
        }
        assert_eq!(store.verdict(), at_once.verdict());
        assert_eq!(store.evidence(), at_once.evidence());
        assert_eq!(store.rebuild(&rules), 0);
    }

    #[test]
    fn profiles_are_lawful(world in world()) {
        let rules = world.configuration.rules();
        let found = Store::of(&rules, &world.facts).verdict();
        for profile in found.identifiers.values().map(|found| &found.profile) {
            for fact in &world.facts {
                if let Fact::Separated((a, b)) = fact {
                    assert!(!profile.contains(a) || !profile.contains(b), "{a} and {b} are separated");
                }
            }
            for kind in &rules.types {
                let of_kind = |group: &BTreeSet<String>| {
                    group.iter().filter(|text| reference::parts(text).0 == kind.name).count()
                };
                let Some(max) = kind.max_per_profile else { continue };
                if of_kind(profile) > max as usize {
                    // What operators put together may be more, and then nothing else adds to it.
                    let forced = asserted_groups(&found, profile).iter().any(|g| of_kind(g) == of_kind(profile));
                    assert!(forced, "{profile:?} holds more than {max} of {}", kind.name);
                }
            }
        }
    }

    #[test]
    fn links_are_held_for_a_reason_and_only_then(world in world()) {
        let rules = world.configuration.rules();
        let found = Store::of(&rules, &world.facts).verdict();
        for (text, identifier) in &found.identifiers {
            assert_eq!(identifier.aside.is_none(), identifier.profile.contains(text));
            assert_eq!(&in_force_around(&found, text), &identifier.profile, "{text} and what it hangs together with");
        }
        world.knowing(&rules, &world.facts, |known| {
            for (pair, link) in &found.links {
                let reasons = reasons(known, &found, pair, link);
                assert_eq!(link.held, reasons.first().copied(), "{pair:?}: {reasons:?}");
            }
        });
    }

    #[test]
    fn taking_back_is_the_identity(world in world(), seed: u64) {
        let rules = world.configuration.rules();
        let mut dice = Dice(seed);
        let mut kept = world.facts.clone();
        let extra = kept.swap_remove(dice.roll(kept.len()));
        let before = Store::of(&rules, &kept);

        let mut store = before.clone();
        let there_and_back = [(&extra, 1), (&extra, -1)];
        if matches!(extra, Fact::Seen(_)) {
            assert_eq!(store.change(&rules, &there_and_back, Way::ALL[dice.roll(3)]), 0);
        }
        store.change(&rules, &there_and_back[..1], Way::ALL[dice.roll(3)]);
        let with_extra = store.clone();
        store.change(&rules, &there_and_back[1..], Way::ALL[dice.roll(3)]);
        assert_eq!(store.verdict(), before.verdict());
        assert_eq!(store.evidence(), before.evidence());
        if merges_only(&before, &with_extra) || merges_only(&with_extra, &before) {
            assert_eq!(store.profiles(), before.profiles());
        }

        store.change(&rules, &there_and_back[..1], Way::ALL[dice.roll(3)]);
        assert_eq!(store.verdict(), with_extra.verdict());
        assert_eq!(store.evidence(), with_extra.evidence());
    }

    #[test]
    fn reading_a_source_again_replaces_what_it_told(world in world(), seed: u64) {
        let rules = world.configuration.rules();
        let mut store = Store::of(&rules, &world.facts);
        let mut dice = Dice(seed);
        let source = dice.roll(3) as u32;
        let mut rows = Vec::new();
        let mut others = Vec::new();
        for fact in &world.facts {
            match fact {
                Fact::Seen(seen) if seen.source == source => rows.push(seen),
                _ => others.push(fact.clone()),
            }
        }
        let Some(oldest) = rows.iter().map(|seen| seen.day).min() else { return Ok(()) };
        assert_eq!(store.read_again(&rules, source, oldest, &rows), 0);

        // Some rows have changed or are gone since.
        let now: Vec<_> = rows
            .iter()
            .filter_map(|&seen| {
                let mut seen = seen.clone();
                match dice.roll(6) {
                    0 | 1 => return None,
                    2 => seen.identifiers.truncate(1),
                    _ => {}
                }
                Some(seen)
            })
            .collect();
                let oldest = now.iter().map(|seen| seen.day).min();
        // What a keyed source told is replaced whole.
        let from = if dice.roll(2) == 0 { oldest.unwrap_or(Day::MAX) } else { Day::MIN };
        store.read_again(&rules, source, from, &now.iter().collect::<Vec<_>>());
        others.extend(rows.into_iter().filter(|seen| seen.day < from).cloned().map(Fact::Seen));
        others.extend(now.iter().cloned().map(Fact::Seen));
        let expected = Store::of(&rules, &others);
        assert_eq!(store.verdict(), expected.verdict());
        assert_eq!(store.evidence(), expected.evidence());
        assert_eq!(store.read_again(&rules, source, from, &now.iter().collect::<Vec<_>>()), 0);
    }

    #[test]
    fn nothing_else_than_the_component_matters(world in world(), seed: u64) {
        let rules = world.configuration.rules();
        let mut dice = Dice(seed);
        let mut store = Store::default();
        let mut facts: Vec<(&Fact, bool)> = world.facts.iter().map(|fact| (fact, false)).collect();
                for _ in 0..12 {
            let change: Vec<_> = (0..1 + dice.roll(3)).map(|_| toggle(&mut facts, &mut dice)).collect();
            let mut whole = store.clone();
            store.change(&rules, &change, Way::Component);
            whole.change(&rules, &change, Way::Whole);
            assert_eq!(store, whole);
        }
    }
}

/// Picks a fact; it is taken back if it holds, and holds from now on if it does not.
fn toggle<'f>(facts: &mut [(&'f Fact, bool)], dice: &mut Dice) -> (&'f Fact, i64) {
    let place = dice.roll(facts.len());
    let (fact, holds) = &mut facts[place];
    *holds = !*holds;
    (fact, if *holds { 1 } else { -1 })
}

/// What hangs together with `text` by links in force that satisfy `counts`.
fn around(found: &Verdict, text: &str, counts: impl Fn(&Link) -> bool) -> BTreeSet<String> {
    let mut group = BTreeSet::from([text.to_owned()]);
    loop {
        let before = group.len();
        for ((a, b), _) in found.links.iter().filter(|(_, link)| link.held.is_none() && counts(link)) {
            if group.contains(a) || group.contains(b) {
                group.extend([a.clone(), b.clone()]);
            }
        }
        if group.len() == before {
            return group;
        }
    }
}

fn in_force_around(found: &Verdict, text: &str) -> BTreeSet<String> {
    match found.identifiers[text].aside {
        None => around(found, text, |_| true),
        Some(_) => BTreeSet::new(),
    }
}

/// The groups that asserted links alone make of a profile.
fn asserted_groups(found: &Verdict, profile: &BTreeSet<String>) -> BTreeSet<BTreeSet<String>> {
    profile.iter().map(|text| around(found, text, |link| link.asserted)).collect()
}

/// Every reason that there is in the end to hold a link, in the order in which they are shown.
fn reasons(known: &Known, found: &Verdict, (a, b): &Pair, link: &Link) -> Vec<Reason> {
    let either = |applies: &dyn Fn(&str) -> bool| applies(a) || applies(b);
    let shared = |text: &str| {
        let aside = found.identifiers[text].aside == Some(Reason::Shared);
        let may_be = [Role::Contact, Role::Device].contains(&reference::role_of(known.rules, text));
        assert!(!aside || may_be, "{text} is shared");
        aside
    };
    let (x, y) = (&found.identifiers[a].profile, &found.identifiers[b].profile);
    let apart = x != y && !link.asserted;
    let all = [
        (Reason::Blocked, either(&|text| known.is_blocked(text))),
        (Reason::Expired, either(&|text| known.is_expired(found, text))),
        (Reason::TooCommon, either(&|text| known.is_too_common(found, text))),
        (Reason::Shared, either(&|text| known.is_public(found, text) || shared(text))),
        (Reason::Separated, known.are_separated(x, y)),
        (Reason::Limit, apart && known.exceed_a_limit(x, y)),
        (Reason::Ambiguous, apart && known.are_ambiguous(found, x, y, b)),
    ];
    all.into_iter().filter(|(_, applies)| *applies).map(|(reason, _)| reason).collect()
}

/// Whether every profile of `before` is within one of `after`.
fn merges_only(before: &Store, after: &Store) -> bool {
    let (before, after) = (before.verdict(), after.verdict());
    let within = |profile: &BTreeSet<String>| {
        profile.iter().all(|text| {
            after.identifiers.get(text).is_some_and(|found| profile.is_subset(&found.profile))
        })
    };
    before.identifiers.values().all(|found| within(&found.profile))
}
