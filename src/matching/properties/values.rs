//! Values: any text is read and compared without a fault; dates and names as people err in them.

use crate::matching::blocking::Transform;
use crate::matching::compare::{Comparison, Level, MISSING, Measure, Similarity};
use crate::matching::kind::Kind;
use crate::matching::nickname::Nicknames;
use crate::matching::records::{FieldSpec, Records};
use crate::matching::text::{fold, is_void};
use crate::matching::value::{canonical, day_first};
use proptest::prelude::*;

pub(super) const KINDS: [Kind; 14] = [
    Kind::GivenName,
    Kind::FamilyName,
    Kind::FullName,
    Kind::Date,
    Kind::Email,
    Kind::Phone,
    Kind::Id,
    Kind::PostalCode,
    Kind::Text,
    Kind::Gender,
    Kind::Category,
    Kind::Number,
    Kind::Location,
    Kind::Set,
];

pub(super) const SIMILARITIES: [Similarity; 6] = [
    Similarity::Exact,
    Similarity::Jaro,
    Similarity::JaroWinkler,
    Similarity::Levenshtein,
    Similarity::Damerau,
    Similarity::Token,
];

const TRANSFORMS: [Transform; 15] = [
    Transform::Exact,
    Transform::Prefix(0),
    Transform::Prefix(3),
    Transform::Prefix(255),
    Transform::Suffix(0),
    Transform::Suffix(3),
    Transform::Suffix(255),
    Transform::Soundex,
    Transform::Sound,
    Transform::Year,
    Transform::MonthDay,
    Transform::User,
    Transform::FirstWord,
    Transform::LastWord,
    Transform::Digits,
];

/// Any text, and such as looks like a date, a number, a place, an address, a name.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "(?s).{0,40}",
        2 => "[0-9]{1,4}[-/. T]?[0-9]{1,2}[-/. T]?[0-9]{1,4}",
        2 => "-?[0-9.e]{0,9}(, ?-?[0-9.]{0,9})?",
        1 => "[a-c0-9]{0,3}@?[a-c.]{0,4}",
        4 => "[a-d]{1,4}( [a-d]{1,4}){0,3}",
        1 => "[à-ÿ\u{300}-\u{305}字漢🦀\u{fdfa}İßﬁ]{0,8}",
        1 => select_word(),
        1 => ("(?s).{1,12}", Just(10_240)).prop_map(|(text, bytes)| text.repeat(bytes / text.len())),
    ]
}

fn select_word() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "NaN",
        "inf,inf",
        "NaN,NaN",
        "-0",
        "1e308",
        "1e999",
        "90,180",
        "0x10",
        "null",
        "T",
        "--",
        "//",
        "..",
        "@",
        "2000-01-01T00:00:00Z",
        "\u{0}",
        "\u{feff}",
        "0000-00-00",
        "9999-99-99",
        "00/00/0000",
        "+1",
        "١٢٣٤",
    ])
    .prop_map(str::to_owned)
}

/// Comparisons of every kind, and by every similarity.
fn comparisons() -> Vec<Comparison> {
    let own = |similarity| Measure { similarity, levels: vec![0.9, 0.7, 0.5] };
    let own = SIMILARITIES.map(|similarity| Comparison { kind: Kind::Text, by: Some(own(similarity)) });
    KINDS.map(Comparison::of).into_iter().chain(own).collect()
}

/// The levels of two values by each comparison.
fn levels(comparisons: &[Comparison], a: &str, b: &str, nicknames: Nicknames) -> Vec<Level> {
    let specs: Vec<FieldSpec> = comparisons
        .iter()
        .map(|comparison| FieldSpec {
            name: String::new(),
            comparison: comparison.clone(),
            day_first: false,
            slots: 1,
        })
        .collect();
    let mut records = Records::new(&specs, false, nicknames);
    [a, b].iter().for_each(|value| records.push(comparisons.iter().map(|_| *value), 0));
    let mut levels = vec![MISSING; specs.len()];
    let level_of = |field, x, y| records.level_of(field, x, y);
    records.compare(records.row(0), records.row(1), level_of, &mut levels);
    levels
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_two_texts_have_a_level(a in text(), b in text()) {
        let comparisons = comparisons();
        let there = levels(&comparisons, &a, &b, Nicknames::default());
        let back = levels(&comparisons, &b, &a, Nicknames::default());
        for (comparison, (there, back)) in comparisons.iter().zip(there.into_iter().zip(back)) {
            prop_assert_eq!(there, back, "{:?}", comparison);
            let (a, b) = (canonical(comparison.kind, &a, false), canonical(comparison.kind, &b, false));
            prop_assert_eq!(there == MISSING, a.is_none() || b.is_none(), "{:?}", comparison);
            prop_assert_eq!(there == comparison.top(), a.is_some() && a == b, "{:?}", comparison);
            comparison.describe(there);
        }
    }

    #[test]
    fn any_text_is_read(text in text(), first: bool) {
        for kind in KINDS {
            let Some(value) = canonical(kind, &text, first) else { continue };
            prop_assert!(!value.is_empty());
            for key in TRANSFORMS.map(|transform| transform.of(&value)) {
                prop_assert_ne!(key.as_deref(), Some(""));
            }
        }
        prop_assert!(!is_void(&text) || canonical(Kind::Text, &text, first).is_none());
        let _ = day_first([&*text].into_iter());
        let _ = Kind::of_values([&*text].into_iter(), 1, 1);
    }
}

/// What a comparison says of two values.
fn says(kind: Kind, a: &str, b: &str) -> String {
    let mut nicknames = Nicknames::default();
    for (name, nickname) in
        [("robert", "bob"), ("robert", "bobby"), ("william", "bill"), ("william", "will")]
    {
        nicknames.add(name, nickname);
    }
    let comparison = Comparison::of(kind);
    let levels = levels(std::slice::from_ref(&comparison), a, b, nicknames);
    comparison.describe(levels[0])
}

#[test]
fn dates_as_people_err_in_them() {
    for (a, b, says_of_them) in [
        ("1980-05-12", "1980-05-12", "equal"),
        ("1980-05-12", "1980-05-12 00:00:00", "equal"),
        ("1980-05-12", "05/12/1980", "equal"),
        ("1980-05-12", "19800512", "equal"),
        ("1980-05-12", "1980-05-13", "one digit differs"),
        ("1980-05-12", "1990-05-12", "one digit differs"),
        ("1980-05-12", "1908-05-12", "one digit differs"),
        ("1980-05-12", "1980-12-05", "day and month swapped"),
        ("1980-01-10", "1980-10-01", "day and month swapped"),
        ("1980-05-25", "1980-25-05", "day and month swapped"),
        ("1980-05-12", "1981-05-13", "two digits differ"),
        ("1980-05-12", "1980-01-01", "same year"),
        ("1980-02-03", "1980-01-01", "same year"),
        ("1980-05-12", "1980-11-30", "same year"),
        ("1980-05-12", "1984-11-30", "within ten years"),
        ("1980-05-12", "1955-11-30", "different"),
        ("1980-05-12", "n/a", "missing"),
        ("1980-05-12", "0000-00-00", "missing"),
    ] {
        assert_eq!(says(Kind::Date, a, b), says_of_them, "{a} and {b}");
        assert_eq!(says(Kind::Date, b, a), says_of_them, "{b} and {a}");
    }
}

#[test]
fn the_order_of_day_and_month_is_told_by_the_dates() {
    for (dates, first) in [
        (&["01/02/2000", "25/12/2000"][..], true),
        (&["01/02/2000", "12/25/2000"], false),
        (&["01/02/2000", "12/25/2000", "25/12/2000", "31/12/2000"], true),
        (&["01/02/2000"], false),
        (&["01.02.2000"], true),
        (&["12.25.2000"], false),
        (&["2000-12-25", "2000-25-12", "25"], false),
        (&[], false),
    ] {
        assert_eq!(day_first(dates.iter().copied()), first, "{dates:?}");
    }
    assert_eq!(canonical(Kind::Date, "01/02/2000", true).as_deref(), Some("20000201"));
    assert_eq!(canonical(Kind::Date, "01/02/2000", false).as_deref(), Some("20000102"));
    assert_eq!(canonical(Kind::Date, "2000-01-02", true).as_deref(), Some("20000102"));
}

#[test]
fn given_names_as_people_are_called() {
    for (a, b, says_of_them) in [
        ("Robert", "ROBERT ", "equal"),
        ("José", "Jose", "equal"),
        ("Robert", "Roberta", "one edit"),
        ("Robert", "Rboert", "one edit"),
        ("Robert", "Bob", "nickname"),
        ("Bobby", "Robert", "nickname"),
        ("Bill", "Will", "one edit"),
        ("Bill", "William", "nickname"),
        ("Robert", "R.", "initial or part"),
        ("Anna Maria", "Maria", "initial or part"),
        ("Anna-Maria", "Annamaria", "one edit"),
        ("Bob", "William", "different"),
        ("Robert", "-", "missing"),
    ] {
        assert_eq!(says(Kind::GivenName, a, b), says_of_them, "{a} and {b}");
        assert_eq!(says(Kind::GivenName, b, a), says_of_them, "{b} and {a}");
    }
    assert_eq!(says(Kind::FamilyName, "Robert", "Bob"), "different");
    assert_eq!(fold("José"), "jose");
}

#[test]
fn names_in_each_others_place() {
    let comparisons = [Comparison::of(Kind::GivenName), Comparison::of(Kind::FamilyName)];
    let crossed = ("other name in its place".to_owned(), "missing".to_owned());
    for (a, b, expected) in [
        (["Martin", "Thomas"], ["Thomas", "Martin"], true),
        (["Martin", "Thomas"], ["Thomas", "Mertin"], true),
        (["Martin", "Thomas"], ["Thomas", ""], true),
        (["Martin", ""], ["", "Martin"], true),
        (["Martin", "Thomas"], ["Thomas", "Keller"], false),
        (["Martin", "Martin"], ["Martin", "Thomas"], false),
        (["Martin", "Thomas"], ["Martin", "Keller"], false),
        (["Martin", ""], ["Thomas", ""], false),
        (["", ""], ["", ""], false),
    ] {
        for (a, b) in [(a, b), (b, a)] {
            let specs =
                ["given", "family"].iter().zip(&comparisons).map(|(name, comparison)| FieldSpec {
                    name: (*name).into(),
                    comparison: comparison.clone(),
                    day_first: false,
                    slots: 1,
                });
            let mut records = Records::new(&specs.collect::<Vec<_>>(), false, Nicknames::default());
            [a, b].iter().for_each(|values| records.push(values.iter().copied(), 0));
            let mut levels = [MISSING; 2];
            let level_of = |field, x, y| records.level_of(field, x, y);
            records.compare(records.row(0), records.row(1), level_of, &mut levels);
            let says = (comparisons[0].describe(levels[0]), comparisons[1].describe(levels[1]));
            assert_eq!(says == crossed, expected, "{a:?} and {b:?}: {says:?}");
        }
    }
}
