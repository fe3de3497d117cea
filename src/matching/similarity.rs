//! How alike two texts are, from 0 (nothing in common) to 1 (equal).
//!
//! What is compared are characters (Unicode scalar values), as they are: in lower case, without
//! accents or not, as the caller has them.
//!
//! ASCII texts of up to 64 bytes, which most names and numbers are, go by bit masks; all others by
//! crate `strsim`, with the same result.

use std::collections::BTreeSet;

/// Texts of up to so many bytes fit into a mask.
const MASK: usize = 64;

/// For each ASCII character the places where it stands in a text.
struct Places([u64; 128]);

impl Places {
    fn of(text: &[u8]) -> Self {
        let mut places = [0; 128];
        for (place, &byte) in text.iter().enumerate() {
            places[usize::from(byte)] |= 1 << place;
        }
        Places(places)
    }
}

fn fits(text: &str) -> bool {
    text.len() <= MASK && text.is_ascii()
}

/// Jaro's similarity (Journal of the American Statistical Association 84, 1989).
pub fn jaro(a: &str, b: &str) -> f64 {
    if fits(a) && fits(b) { jaro_ascii(a.as_bytes(), b.as_bytes()) } else { strsim::jaro(a, b) }
}

/// Winkler's: Jaro's, raised for a common beginning of up to four characters where it is above 0.7.
pub fn jaro_winkler(a: &str, b: &str) -> f64 {
    if !fits(a) || !fits(b) {
        return strsim::jaro_winkler(a, b);
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let jaro = jaro_ascii(a, b);
    if jaro <= 0.7 {
        return jaro;
    }
    let common = a.iter().zip(b).take(4).take_while(|(x, y)| x == y).count();
    (jaro + 0.1 * common as f64 * (1.0 - jaro)).min(1.0)
}

fn jaro_ascii(a: &[u8], b: &[u8]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return if a.len() == b.len() { 1.0 } else { 0.0 };
    }
    let places = Places::of(b);
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let (mut of_a, mut of_b) = (0u64, 0u64);
    for (i, &byte) in a.iter().enumerate() {
        let low = i.saturating_sub(reach);
        let high = i + reach + 1;
        let below_high = if high >= 64 { u64::MAX } else { (1 << high) - 1 };
        let window = if low >= 64 { 0 } else { below_high & (u64::MAX << low) };
        let free = places.0[usize::from(byte)] & window & !of_b;
        if free != 0 {
            of_b |= free & free.wrapping_neg();
            of_a |= 1 << i;
        }
    }
    let matches = of_a.count_ones();
    if matches == 0 {
        return 0.0;
    }
    let mut transposed = 0;
    let (mut x, mut y) = (of_a, of_b);
    while x != 0 {
        transposed += u32::from(a[x.trailing_zeros() as usize] != b[y.trailing_zeros() as usize]);
        x &= x - 1;
        y &= y - 1;
    }
    let matches = f64::from(matches);
    let transpositions = f64::from(transposed / 2);
    (matches / a.len() as f64 + matches / b.len() as f64 + (matches - transpositions) / matches) / 3.0
}

/// Edits (insertions, deletions, substitutions; with `transpositions`, of neighbours as well) that
/// lead from one text to the other, by the bit-parallel algorithm of Myers as Hyyrö extended it
/// ("A bit-vector algorithm for computing Levenshtein and Damerau edit distances", Nordic Journal of
/// Computing 10, 2003).
fn distance_ascii(a: &[u8], b: &[u8], transpositions: bool) -> usize {
    if a.is_empty() || b.is_empty() {
        return a.len().max(b.len());
    }
    let places = Places::of(a);
    let last = 1u64 << (a.len() - 1);
    let (mut plus, mut minus) = (u64::MAX, 0u64);
    let (mut diagonal, mut before) = (0u64, 0u64);
    let mut distance = a.len();
    for &byte in b {
        let here = places.0[usize::from(byte)];
        let swapped = if transpositions { (((!diagonal) & here) << 1) & before } else { 0 };
        diagonal = ((((here & plus).wrapping_add(plus)) ^ plus) | here | minus) | swapped;
        let up = minus | !(diagonal | plus);
        let down = diagonal & plus;
        distance += usize::from(up & last != 0);
        distance -= usize::from(down & last != 0);
        let up = (up << 1) | 1;
        let down = down << 1;
        plus = down | !(diagonal | up);
        minus = up & diagonal;
        before = here;
    }
    distance
}

/// Levenshtein's distance: how many characters to insert, delete or replace.
pub fn levenshtein(a: &str, b: &str) -> usize {
    match fits(a) && fits(b) {
        true => distance_ascii(a.as_bytes(), b.as_bytes(), false),
        false => strsim::levenshtein(a, b),
    }
}

/// Damerau's distance (optimal string alignment): neighbours that are swapped are one edit.
pub fn damerau(a: &str, b: &str) -> usize {
    match fits(a) && fits(b) {
        true => distance_ascii(a.as_bytes(), b.as_bytes(), true),
        false => strsim::osa_distance(a, b),
    }
}

/// Damerau's distance if it is at most `most`.
pub fn edits_at_most(a: &str, b: &str, most: usize) -> Option<usize> {
    if a.is_ascii() && b.is_ascii() && a.len().abs_diff(b.len()) > most {
        return None;
    }
    Some(damerau(a, b)).filter(|&edits| edits <= most)
}

/// What [`jaro_winkler`] of two texts can be at most, by their lengths.
pub fn jaro_winkler_bound(a: &str, b: &str) -> f64 {
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    if long == 0 || !a.is_ascii() || !b.is_ascii() {
        return 1.0;
    }
    let jaro = (2.0 + short as f64 / long as f64) / 3.0;
    jaro + 0.4 * (1.0 - jaro)
}

/// 1 less the share of the longer text's characters that must be edited.
pub fn levenshtein_similarity(a: &str, b: &str) -> f64 {
    share_kept(a, b, levenshtein(a, b))
}

/// Like [`levenshtein_similarity`], where swapped neighbours are one edit.
pub fn damerau_similarity(a: &str, b: &str) -> f64 {
    share_kept(a, b, damerau(a, b))
}

fn share_kept(a: &str, b: &str, edits: usize) -> f64 {
    match a.chars().count().max(b.chars().count()) {
        0 => 1.0,
        longest => 1.0 - edits as f64 / longest as f64,
    }
}

/// Jaccard's similarity of the sets of words (runs of letters and digits): common ones ÷ all.
pub fn token_similarity(a: &str, b: &str) -> f64 {
    let words = |text: &'_ str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let (a, b) = (words(a), words(b));
    let all = a.union(&b).count();
    if all == 0 { 1.0 } else { a.intersection(&b).count() as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Short texts of few letters, which have much in common; longer ones; any Unicode.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-d]{0,12}",
            2 => "[a-zA-Z0-9 .-]{0,70}",
            1 => "[a-zà-öα-ω漢字🦀]{0,12}",
            1 => ".{0,80}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn agrees_with_strsim(a in text(), b in text()) {
            prop_assert!((jaro(&a, &b) - strsim::jaro(&a, &b)).abs() < 1e-12);
            prop_assert!((jaro_winkler(&a, &b) - strsim::jaro_winkler(&a, &b)).abs() < 1e-12);
            prop_assert_eq!(levenshtein(&a, &b), strsim::levenshtein(&a, &b));
            prop_assert_eq!(damerau(&a, &b), strsim::osa_distance(&a, &b));
            let normalized = strsim::normalized_levenshtein(&a, &b);
            prop_assert!((levenshtein_similarity(&a, &b) - normalized).abs() < 1e-12);
        }

        #[test]
        fn is_symmetric_and_in_range(a in text(), b in text()) {
            for similarity in [jaro, jaro_winkler, levenshtein_similarity, damerau_similarity, token_similarity] {
                let found = similarity(&a, &b);
                prop_assert!((0.0..=1.0).contains(&found), "{found}");
                prop_assert!((found - similarity(&b, &a)).abs() < 1e-12);
                prop_assert_eq!(similarity(&a, &a), 1.0);
            }
        }
    }

    #[test]
    fn known_values() {
        assert!((jaro_winkler("martha", "marhta") - 0.961_111).abs() < 1e-6);
        assert!((jaro_winkler("dixon", "dicksonx") - 0.813_333).abs() < 1e-6);
        assert_eq!(levenshtein("kitten", "sitting"), 3);
        assert_eq!((damerau("ca", "ac"), damerau("ca", "abc")), (1, 3));
        assert_eq!(token_similarity("12, High Street", "High Street 14"), 0.5);
    }
}
