//! Models as rows of the table `model`, and in memory as long as their rows stay as they are.

use super::spi;
use crate::error::Error;
use crate::matching::model::{Model, Scorer};
use crate::matching::options::Options;
use pgrx::{JsonB, pg_sys};
use serde_json::Value as Json;
use std::cell::RefCell;
use std::sync::Arc;

/// A stored model, ready to score.
pub struct Prepared {
    pub model: Model,
    pub scorer: Scorer,
    /// The sources whose records it is about; `None`: all that have a key.
    pub sources: Option<Vec<pg_sys::Oid>>,
    /// A number for the parameters.
    pub digest: i64,
}

/// Models that a backend keeps.
const KEPT: usize = 8;

/// What was read of a version of a row.
struct Kept {
    name: String,
    /// Where the row stands and what wrote it, by which PL/pgSQL, too, tells whether a function has
    /// changed: no other version of the row has both, and one that is rolled back is seen no more.
    version: String,
    prepared: Arc<Prepared>,
}

thread_local! {
    /// The one that was used last comes first.
    static CACHE: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// The model of this name, as the query at hand sees it.
pub fn current(name: &str) -> Result<Arc<Prepared>, Error> {
    let version = spi::one(
        "SELECT concat(ctid, xmin) FROM identity_resolve.model WHERE name = $1",
        &[name.into()],
        |row| row.text(0).unwrap_or_default().to_owned(),
    );
    let kept = CACHE.with_borrow_mut(|cache| {
        let place = cache.iter().position(|kept| kept.name == name)?;
        Some(cache.remove(place)).filter(|kept| version.as_ref() == Some(&kept.version))
    });
    let kept = match (kept, version) {
        (Some(kept), _) => kept,
        (None, Some(version)) => {
            Kept { name: name.to_owned(), version, prepared: Arc::new(read(name)?) }
        }
        (None, None) => return Err(unknown(name)),
    };
    let prepared = Arc::clone(&kept.prepared);
    CACHE.with_borrow_mut(|cache| {
        cache.truncate(KEPT - 1);
        cache.insert(0, kept);
    });
    Ok(prepared)
}

fn read(name: &str) -> Result<Prepared, Error> {
    let found = spi::one(
        "SELECT parameters::text, array_to_string(sources::oid[], ' '), hashtextextended(parameters::text, 0)
         FROM identity_resolve.model WHERE name = $1",
        &[name.into()],
        |row| {
            let (parameters, sources) = (row.text(0).unwrap_or_default(), row.text(1));
            (parameters.to_owned(), sources.map(str::to_owned), row.int8(2).unwrap_or_default())
        },
    );
    let (parameters, sources, digest) = found.ok_or_else(|| unknown(name))?;
    let oids = |text: String| {
        text.split(' ').filter_map(|oid| Some(pg_sys::Oid::from(oid.parse::<u32>().ok()?))).collect()
    };
    let model = Model::parse(&parameters).map_err(|cause| Error::Model { cause })?;
    Ok(Prepared { scorer: Scorer::new(&model), model, sources: sources.map(oids), digest })
}

fn unknown(name: &str) -> Error {
    let known = spi::all("SELECT name FROM identity_resolve.model ORDER BY name", &[], |row| {
        row.text(0).unwrap_or_default().to_owned()
    });
    Error::UnknownModel { name: name.to_owned(), known }
}

/// Characters of the longest name, which an index can hold.
const LONGEST_NAME: usize = 200;

/// Refuses a name that no model can have.
pub fn check_name(name: &str) -> Result<(), Error> {
    let length = if name.trim().is_empty() { 0 } else { name.chars().count() };
    match length {
        1..=LONGEST_NAME => Ok(()),
        _ => Err(Error::ModelName { length, most: LONGEST_NAME }),
    }
}

/// Stores what was learned as the next version of the model of this name.
pub fn store(
    name: &str,
    sources: Option<&[pg_sys::Oid]>,
    options: &Options,
    model: &Model,
    report: &Json,
) {
    let json = |value: serde_json::Result<Json>| JsonB(value.unwrap_or_default());
    spi::run(
        "INSERT INTO identity_resolve.model AS m (name, sources, specification, parameters, report)
         VALUES ($1, $2::oid[]::regclass[], $3, $4, $5)
         ON CONFLICT (name) DO UPDATE SET version = m.version + 1, sources = excluded.sources,
             specification = excluded.specification, parameters = excluded.parameters, report = excluded.report,
             trained_at = now(), matched_at = NULL, match_report = NULL",
        &[
            name.into(),
            sources.map(<[pg_sys::Oid]>::to_vec).into(),
            json(serde_json::to_value(options)).into(),
            json(serde_json::to_value(model)).into(),
            JsonB(report.clone()).into(),
        ],
    );
}

/// Notes when the model was applied, and what came of it.
pub fn note_match(name: &str, report: &Json) {
    spi::run(
        "UPDATE identity_resolve.model SET matched_at = now(), match_report = $2 WHERE name = $1",
        &[name.into(), JsonB(report.clone()).into()],
    );
}
