//! Similarity of texts.

use super::Answer;
use crate::error::Error;
use crate::matching::similarity;
use pgrx::prelude::*;

/// Characters of the longest text that is compared: the time grows with the product of both lengths,
/// and nothing could be cancelled meanwhile.
const LONGEST: usize = 4000;

fn compare(a: &str, b: &str, similarity: fn(&str, &str) -> f64) -> Answer<f64> {
    for text in [a, b] {
        // A text has at least as many bytes as characters.
        let length = if text.len() <= LONGEST { 0 } else { text.chars().count() };
        if length > LONGEST {
            return Err(Error::TooLong { length, most: LONGEST }.into());
        }
    }
    Ok(similarity(a, b))
}

#[pg_extern(sql = "")]
fn jaro(a: &str, b: &str) -> Answer<f64> {
    compare(a, b, similarity::jaro)
}

#[pg_extern(sql = "")]
fn jaro_winkler(a: &str, b: &str) -> Answer<f64> {
    compare(a, b, similarity::jaro_winkler)
}

#[pg_extern(sql = "")]
fn levenshtein_similarity(a: &str, b: &str) -> Answer<f64> {
    compare(a, b, similarity::levenshtein_similarity)
}

#[pg_extern(sql = "")]
fn damerau_similarity(a: &str, b: &str) -> Answer<f64> {
    compare(a, b, similarity::damerau_similarity)
}

#[pg_extern(sql = "")]
fn token_similarity(a: &str, b: &str) -> Answer<f64> {
    compare(a, b, similarity::token_similarity)
}
