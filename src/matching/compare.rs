//! How alike two values are, as one of a few ordered levels.

use super::kind::Kind;
use super::similarity::{self, edits_at_most, jaro_winkler, jaro_winkler_bound};
use super::value::location;
use serde::{Deserialize, Serialize};

/// A level of agreement of two values: 0 where one is missing, 1 where they differ, more the more
/// alike they are.
pub type Level = u8;

pub const MISSING: Level = 0;
pub const DIFFERENT: Level = 1;

/// How the values of a field are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub kind: Kind,
    /// Levels of one's own in place of the kind's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Measure>,
}

/// A similarity and the least of it, 0 to 1, for each level between different and equal; the highest
/// first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    pub similarity: Similarity,
    #[serde(default)]
    pub levels: Vec<f64>,
}

impl Measure {
    /// The level of two values that are not equal but so similar, 0 to 1.
    pub fn level(&self, found: f64) -> Level {
        DIFFERENT + self.levels.iter().rev().take_while(|&&least| found >= least).count() as Level
    }

    /// What is wrong with the levels, if anything is.
    pub fn check(&self) -> Result<(), String> {
        let falling = self.levels.windows(2).all(|pair| pair[0] > pair[1]);
        let inside = self.levels.iter().all(|&level| level > 0.0 && level <= 1.0);
        if falling && inside && self.levels.len() <= MOST_LEVELS {
            return Ok(());
        }
        Err(format!("are up to {MOST_LEVELS} numbers between 0 and 1, the highest first"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    Exact,
    Jaro,
    JaroWinkler,
    Levenshtein,
    Damerau,
    Token,
}

/// Levels of one's own there may be between different and equal.
pub const MOST_LEVELS: usize = 8;

impl Comparison {
    pub fn of(kind: Kind) -> Self {
        Comparison { kind, by: None }
    }

    /// Whether it is that of a kind, with the kind's levels.
    pub fn is_standard(&self, kind: Kind) -> bool {
        self.kind == kind && self.by.is_none()
    }

    /// The level of equal values.
    pub fn top(&self) -> Level {
        match &self.by {
            Some(measure) => measure.levels.len() as Level + 2,
            None => levels(self.kind).len() as Level,
        }
    }

    /// The highest level that speaks against the two being the same thing.
    pub fn weak(&self) -> Level {
        match (&self.by, self.kind) {
            (Some(measure), _) => {
                measure.levels.iter().filter(|&&least| least < 0.85).count() as Level + 1
            }
            (None, Kind::GivenName | Kind::FamilyName | Kind::FullName | Kind::Date) => 3,
            (None, Kind::Text | Kind::PostalCode) => 2,
            _ => DIFFERENT,
        }
    }

    /// What a level says.
    pub fn describe(&self, level: Level) -> String {
        match (&self.by, level) {
            (_, MISSING) => "missing".into(),
            (None, level) => levels(self.kind)[usize::from(level) - 1].into(),
            (Some(_), DIFFERENT) => "different".into(),
            (Some(measure), level) if usize::from(level) < measure.levels.len() + 2 => {
                format!("at least {}", measure.levels[measure.levels.len() + 1 - usize::from(level)])
            }
            (Some(_), _) => "equal".into(),
        }
    }

    /// The level of two canonical values that are not equal.
    pub fn level(&self, a: &str, b: &str) -> Level {
        let Some(measure) = &self.by else { return level(self.kind, a, b) };
        if measure.levels.is_empty() {
            return DIFFERENT;
        }
        measure.level(match measure.similarity {
            Similarity::Exact => 0.0,
            Similarity::Jaro => similarity::jaro(a, b),
            Similarity::JaroWinkler => similarity::jaro_winkler(a, b),
            Similarity::Levenshtein => similarity::levenshtein_similarity(a, b),
            Similarity::Damerau => similarity::damerau_similarity(a, b),
            Similarity::Token => similarity::token_similarity(a, b),
        })
    }
}

/// What the levels of a kind say, from [`DIFFERENT`] to equal.
fn levels(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::GivenName | Kind::FamilyName => &[
            "different",
            "remotely alike",
            "somewhat alike",
            "other name in its place",
            "alike",
            "initial or part",
            "nickname",
            "one edit",
            "equal",
        ],
        Kind::FullName => &[
            "different",
            "a word in common",
            "somewhat alike",
            "alike",
            "all words of one",
            "one edit",
            "equal",
        ],
        Kind::Date => &[
            "different",
            "within ten years",
            "same year",
            "two digits differ",
            "day and month swapped",
            "one digit differs",
            "equal",
        ],
        Kind::Email => &["different", "one or two edits", "equal"],
        Kind::Phone => &["different", "two digits differ", "one digit differs", "equal"],
        Kind::Id => &["different", "two characters differ", "one character differs", "equal"],
        Kind::PostalCode => &["different", "same beginning", "one character differs", "equal"],
        Kind::Text => &["different", "a word in common", "somewhat alike", "alike", "one edit", "equal"],
        Kind::Gender | Kind::Category => &["different", "equal"],
        Kind::Number => &["different", "near", "one apart", "equal"],
        Kind::Location => &["different", "within 50 km", "within 5 km", "within 500 m", "equal"],
        Kind::Set => &["different", "a word in common", "half in common", "equal"],
    }
}

/// The level of two canonical values that are not equal.
fn level(kind: Kind, a: &str, b: &str) -> Level {
    match kind {
        Kind::GivenName | Kind::FamilyName => name(a, b),
        Kind::FullName => full_name(a, b),
        Kind::Date => date(a, b),
        Kind::Email => 1 + Level::from(edits_at_most(a, b, 2).is_some()),
        Kind::Phone | Kind::Id => match edits_at_most(a, b, 2) {
            Some(..=1) => 3,
            Some(2) if a.len().min(b.len()) >= 6 => 2,
            _ => 1,
        },
        Kind::PostalCode => {
            if edits_at_most(a, b, 1).is_some() {
                3
            } else {
                let half = a.len().min(b.len()).div_ceil(2).max(2);
                let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
                if common >= half { 2 } else { 1 }
            }
        }
        Kind::Text => words(a, b),
        Kind::Gender | Kind::Category => 1,
        Kind::Number => number(a, b),
        Kind::Location => place(a, b),
        Kind::Set => {
            let (common, all) = common_words(a, b);
            match 2 * common {
                0 => 1,
                twice if twice >= all => 3,
                _ => 2,
            }
        }
    }
}

/// 4 is left to names that stand in each other's place, which takes two fields to see, and 7 to
/// nicknames, which takes a table.
pub const CROSSED: Level = 4;
pub const NICKNAME: Level = 7;

fn name(a: &str, b: &str) -> Level {
    let short = a.len().min(b.len());
    if short >= 3 && edits_at_most(a, b, 1).is_some() {
        return 8;
    }
    if is_part(a, b) || is_part(b, a) {
        return 6;
    }
    if jaro_winkler_bound(a, b) < 0.7 {
        return DIFFERENT;
    }
    match jaro_winkler(a, b) {
        0.9.. => 5,
        0.8.. => 3,
        0.7.. => 2,
        _ => DIFFERENT,
    }
}

/// Whether `a` is an initial of `b`, or one of its words, or all its words run together.
fn is_part(a: &str, b: &str) -> bool {
    if a.len() == 1 {
        return b.starts_with(a);
    }
    if !b.contains(' ') {
        return false;
    }
    b.split(' ').any(|word| word == a) || b.bytes().filter(|byte| *byte != b' ').eq(a.bytes())
}

fn full_name(a: &str, b: &str) -> Level {
    if edits_at_most(a, b, 1).is_some() {
        return 6;
    }
    let (left, right): (Vec<&str>, Vec<&str>) = (a.split(' ').collect(), b.split(' ').collect());
    let (few, many) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let mut free = many;
    let (mut same, mut near) = (0, 0);
    for word in &few {
        if let Some(at) = free.iter().position(|other| other == word) {
            free.swap_remove(at);
            same += 1;
        } else if let Some(at) = free.iter().position(|other| {
            word.len() == 1 && other.starts_with(word)
                || other.len() == 1 && word.starts_with(other)
                || edits_at_most(word, other, 1).is_some()
                || jaro_winkler(word, other) >= 0.9
        }) {
            free.swap_remove(at);
            near += 1;
        }
    }
    match (same, same + near, few.len()) {
        (same, _, all) if same == all && all >= 2 => 5,
        (_, found, all) if found == all && all >= 2 => 4,
        (_, found, all) if found + 1 == all && all >= 3 => 3,
        (1.., _, _) => 2,
        _ if jaro_winkler(a, b) >= 0.8 => 3,
        _ => 1,
    }
}

fn date(a: &str, b: &str) -> Level {
    match (eight_digits(a), eight_digits(b)) {
        (Some(a), Some(b)) => days(a, b),
        _ if edits_at_most(a, b, 1).is_some() => 6,
        _ => DIFFERENT,
    }
}

/// The digits of a date of which year, month and day are known.
pub fn eight_digits(date: &str) -> Option<[u8; 8]> {
    date.as_bytes().try_into().ok().filter(|digits: &[u8; 8]| digits.iter().all(u8::is_ascii_digit))
}

/// The level of two dates that are not equal, by their digits.
pub fn days(a: [u8; 8], b: [u8; 8]) -> Level {
    let other = a.iter().zip(&b).filter(|(x, y)| x != y).count();
    let swapped = |n: usize| a[n] != b[n] && a[n] == b[n + 1] && a[n + 1] == b[n];
    if other == 1 || other == 2 && (0..7).any(swapped) {
        return 6;
    }
    let year = a[..4] == b[..4];
    if year && a[4..6] == b[6..] && a[6..] == b[4..6] {
        return 5;
    }
    let first = a[4..] == *b"0101" || b[4..] == *b"0101";
    if other == 2 && !(year && first) {
        return 4;
    }
    if year {
        return 3;
    }
    let number =
        |digits: [u8; 8]| digits[..4].iter().fold(0, |sum, digit| 10 * sum + i32::from(digit - b'0'));
    if (number(a) - number(b)).abs() <= 10 { 2 } else { DIFFERENT }
}

fn words(a: &str, b: &str) -> Level {
    // Another number in a street is another house, one number more may be its postal code.
    let other_number = !numbers_within(a, b) && !numbers_within(b, a);
    if !other_number && edits_at_most(a, b, 1).is_some() {
        return 5;
    }
    let (common, all) = common_words(a, b);
    let alike = if jaro_winkler_bound(a, b) < 0.8 { 0.0 } else { jaro_winkler(a, b) };
    let level = match alike {
        _ if common == all => 5,
        0.92.. => 4,
        _ if all >= 3 && common * 5 >= all * 3 => 4,
        0.82.. => 3,
        _ if common * 3 >= all => 3,
        _ if common > 0 => 2,
        _ => DIFFERENT,
    };
    if other_number { level.min(2) } else { level }
}

/// Whether all words of `a` that begin with a digit are words of `b`.
fn numbers_within(a: &str, b: &str) -> bool {
    let begins = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    a.split(' ').filter(begins).all(|number| b.split(' ').any(|word| word == number))
}

/// Words that two texts have in common, and all their words; a word counts once for each text.
fn common_words(a: &str, b: &str) -> (usize, usize) {
    let (mut of_a, mut common) = (0, 0);
    for (n, word) in a.split(' ').enumerate() {
        of_a += 1;
        let before = a.split(' ').take(n).filter(|other| *other == word).count();
        common += usize::from(b.split(' ').filter(|other| *other == word).nth(before).is_some());
    }
    (common, of_a + b.split(' ').count() - common)
}

fn number(a: &str, b: &str) -> Level {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return DIFFERENT };
    let apart = (a - b).abs();
    if apart <= 1.0 {
        3
    } else if apart <= 0.05 * a.abs().max(b.abs()) && apart <= 5.0 {
        2
    } else {
        DIFFERENT
    }
}

/// The great-circle distance in kilometres (haversine formula).
pub fn kilometres((lat_a, lon_a): (f64, f64), (lat_b, lon_b): (f64, f64)) -> f64 {
    let half = |x: f64, y: f64| ((y - x).to_radians() / 2.0).sin().powi(2);
    let chord =
        half(lat_a, lat_b) + lat_a.to_radians().cos() * lat_b.to_radians().cos() * half(lon_a, lon_b);
    2.0 * 6371.0 * chord.min(1.0).sqrt().asin()
}

fn place(a: &str, b: &str) -> Level {
    let (Some(a), Some(b)) = (location(a), location(b)) else { return DIFFERENT };
    match kilometres(a, b) {
        ..0.5 => 4,
        ..5.0 => 3,
        ..50.0 => 2,
        _ => DIFFERENT,
    }
}
