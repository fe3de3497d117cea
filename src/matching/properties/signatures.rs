//! Signatures: two values are never more alike than theirs say.

use super::values::{KINDS, SIMILARITIES};
use crate::matching::compare::{Comparison, Measure};
use crate::matching::nickname::Nicknames;
use crate::matching::records::{FieldSpec, Records};
use crate::matching::signature::Signature;
use proptest::prelude::*;

/// What is written in all kinds of fields, often alike.
fn raw() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-d]{1,8}",
        4 => "[1-3]{0,2}[a-c]{0,2}( [a-c]{1,3}| [1-3]{1,2}){0,4}",
        3 => "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-2])",
        2 => "[0-9]{4,12}",
        2 => "(Will|Bill|William|Mina|Anna) ?(Will|Bill)?",
        1 => "[a-c.]{1,6}@[a-c.]{2,5}",
        1 => "-?[0-9]{1,2}.[0-9]{1,2}(,-?[0-9]{1,2}.[0-9]{1,2})?",
        1 => "[a-zA-Z0-9 .'-]{0,90}",
        1 => "[a-zà-öα-ω漢字🦀]{0,12}",
        1 => ".{0,300}",
    ]
}

/// Two of which the second may be the first with a few other characters.
fn two() -> impl Strategy<Value = (String, String)> {
    let edited = (raw(), any::<(prop::sample::Index, char)>()).prop_map(|(text, (place, new))| {
        let mut edited: Vec<char> = text.chars().collect();
        let place = place.index(edited.len() + 1);
        edited.insert(place, new);
        edited.truncate(text.chars().count().max(1));
        (text, edited.into_iter().collect())
    });
    prop_oneof![2 => (raw(), raw()), 1 => edited]
}

fn measure() -> impl Strategy<Value = Measure> {
    let levels = prop::collection::vec(0.01..=1.0, 0..5).prop_map(|mut levels: Vec<f64>| {
        levels.sort_by(|x, y| y.total_cmp(x));
        levels
    });
    (prop::sample::select(&SIMILARITIES[..]), levels)
        .prop_map(|(similarity, levels)| Measure { similarity, levels })
}

fn comparison() -> impl Strategy<Value = Comparison> {
    (prop::sample::select(&KINDS[..]), prop::option::weighted(0.3, measure()))
        .prop_map(|(kind, by)| Comparison { kind, by })
}

/// Records of one field.
fn records(comparison: &Comparison, values: [&str; 2]) -> Records {
    let mut nicknames = Nicknames::default();
    [("william", "bill"), ("william", "will"), ("wilhelmina", "will"), ("wilhelmina", "mina")]
        .into_iter()
        .for_each(|(name, nickname)| nicknames.add(name, nickname));
    let name = String::from("field");
    let spec = FieldSpec { name, comparison: comparison.clone(), day_first: false, slots: 1 };
    let mut records = Records::new(&[spec], false, nicknames);
    values.into_iter().for_each(|value| records.push([value].into_iter(), 0));
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200_000))]

    #[test]
    fn no_two_values_are_more_alike((a, b) in two(), comparison in comparison()) {
        let records = records(&comparison, [&a, &b]);
        let (x, y) = (records.row(0)[0], records.row(1)[0]);
        if x == y || x == 0 || y == 0 {
            return Ok(());
        }
        let dictionary = records.dictionary(0);
        let of = |code| Signature::new(&comparison, dictionary.value(code), dictionary.groups(code));
        let most = Signature::highest_level(&comparison, &of(x), &of(y));
        let level = records.level_of(0, x, y);
        prop_assert!((level..comparison.top()).contains(&most), "{most}, not {level}");
    }
}
