//! Models as rows of the table `model`.

use super::spi;
use crate::error::Error;
use crate::matching::model::Model;
use crate::matching::options::Options;
use pgrx::{JsonB, pg_sys};
use serde_json::Value as Json;

/// A stored model.
pub struct Row {
    pub model: Model,
    /// The sources whose records it is about; `None`: all that have a key.
    pub sources: Option<Vec<pg_sys::Oid>>,
}

/// Reads the model of this name.
pub fn read(name: &str) -> Result<Row, Error> {
    let found = spi::one(
        "SELECT parameters::text, array_to_string(sources::oid[], ' ') FROM identity_resolve.model WHERE name = $1",
        &[name.into()],
        |row| (row.text(0).unwrap_or_default().to_owned(), row.text(1).map(str::to_owned)),
    );
    let Some((parameters, sources)) = found else {
        let known = spi::all("SELECT name FROM identity_resolve.model ORDER BY name", &[], |row| {
            row.text(0).unwrap_or_default().to_owned()
        });
        return Err(Error::UnknownModel { name: name.to_owned(), known });
    };
    let oids = |text: String| {
        text.split(' ').filter_map(|oid| Some(pg_sys::Oid::from(oid.parse::<u32>().ok()?))).collect()
    };
    let model = Model::parse(&parameters).map_err(|cause| Error::Model { cause })?;
    Ok(Row { model, sources: sources.map(oids) })
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
