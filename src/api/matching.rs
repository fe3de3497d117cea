//! Similarity of texts, and matching.

use super::{Answer, required};
use crate::error::Error;
use crate::matching::model::Model;
use crate::matching::{similarity, svg};
use crate::pg::matching::Evaluated;
use crate::pg::{json, match_run, matching, search, transaction};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, JsonB};

const RECORD: &str = "'{\"first_name\": \"Ann\", \"last_name\": \"Lee\"}'";
const MODEL: &str = "'default'";
const OPTIONS: &str = "'{}'";
const TRUTH: &str = "SELECT * FROM identity_resolve.evaluate('schema.table');";

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

#[pg_extern(sql = "")]
fn train(
    model: Option<&str>,
    sources: Option<Vec<Option<pg_sys::Oid>>>,
    options: Option<AnyElement>,
) -> Answer<JsonB> {
    let options = json::text(&required(options, "options", OPTIONS)?);
    let sources = sources.map(|sources| sources.into_iter().flatten().collect());
    Ok(JsonB(matching::train(required(model, "model", MODEL)?, sources, &options)?))
}

#[pg_extern(sql = "", name = "match")]
fn match_records(model: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) -> Answer<()> {
    let procedure = transaction::Procedure::connect(transaction::is_atomic(fcinfo));
    Ok(match_run::run(required(model, "model", MODEL)?, &procedure)?)
}

#[pg_extern(sql = "")]
fn score(a: Option<AnyElement>, b: Option<AnyElement>, model: Option<&str>) -> Answer<f64> {
    Ok(explained(a, b, model)?.probability)
}

#[pg_extern(sql = "")]
fn explain(a: Option<AnyElement>, b: Option<AnyElement>, model: Option<&str>) -> Answer<JsonB> {
    Ok(JsonB(serde_json::to_value(explained(a, b, model)?).unwrap_or_default()))
}

#[pg_extern(sql = "")]
fn explain_svg(a: Option<AnyElement>, b: Option<AnyElement>, model: Option<&str>) -> Answer<String> {
    Ok(svg::waterfall(&explained(a, b, model)?))
}

#[pg_extern(sql = "")]
fn model_svg(model: Option<&str>) -> Answer<String> {
    Ok(matching::picture(required(model, "model", MODEL)?)?)
}

fn explained(
    a: Option<AnyElement>,
    b: Option<AnyElement>,
    model: Option<&str>,
) -> Answer<crate::matching::explain::Explanation> {
    let a = json::object(&required(a, "a", RECORD)?, "a", RECORD)?;
    let b = json::object(&required(b, "b", RECORD)?, "b", RECORD)?;
    Ok(matching::explain(&a, &b, required(model, "model", MODEL)?)?)
}

#[pg_extern(sql = "")]
fn check_model(parameters: AnyElement) -> Answer<bool> {
    Model::parse(&json::text(&parameters)).map_err(|cause| Error::Model { cause })?;
    Ok(true)
}

#[pg_extern(sql = "")]
#[allow(clippy::type_complexity)]
fn search(
    traits: Option<AnyElement>,
    model: Option<&str>,
    limit_to: Option<i32>,
) -> Result<
    TableIterator<
        'static,
        (name!(profile, pgrx::Uuid), name!(probability, f64), name!(identifier, String)),
    >,
    ErrorReport,
> {
    let traits = json::object(&required(traits, "traits", RECORD)?, "traits", RECORD)?;
    let limit = required(limit_to, "limit_to", "10")?;
    let hits = search::search(&traits, required(model, "model", MODEL)?, limit)?;
    let row = |hit: search::Hit| (hit.profile, hit.probability, hit.identifier);
    Ok(TableIterator::new(hits.into_iter().map(row)))
}

#[pg_extern(sql = "")]
#[allow(clippy::type_complexity)]
fn evaluate(
    truth: Option<pg_sys::Oid>,
    model: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(level, &'static str),
            name!(threshold, f64),
            name!(precision, f64),
            name!(recall, Option<f64>),
            name!(f1, Option<f64>),
            name!(found, i64),
            name!(correct, i64),
            name!(wanted, Option<i64>),
            name!(expected, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    let rows = matching::evaluate(required(truth, "truth", TRUTH)?, required(model, "model", MODEL)?)?;
    Ok(TableIterator::new(rows.into_iter().map(|row| {
        let Evaluated { level, threshold, precision, recall, f1, found, right, wanted, expected } = row;
        (level, threshold, precision, recall, f1, found, right, wanted, expected)
    })))
}
