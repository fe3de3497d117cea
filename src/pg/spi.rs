//! Short queries. Many rows go through `cursor` and `copy`.

use super::cursor::{self, Row};
use pgrx::datum::DatumWithOid;
use pgrx::{JsonB, Spi};
use serde_json::Value as Json;
use uuid::Uuid;

/// A profile id as an argument or a result.
pub fn id(profile: Uuid) -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(*profile.as_bytes())
}

/// The same; null for the nil id, which is nobody's.
pub fn id_or_null(profile: Uuid) -> Option<pgrx::Uuid> {
    (!profile.is_nil()).then(|| id(profile))
}

/// The first row of a query that only reads, as `read` sees it.
pub fn one<T>(query: &str, args: &[DatumWithOid], read: impl FnOnce(&Row) -> T) -> Option<T> {
    let mut read = Some(read);
    let mut result = None;
    cursor::stream(query, args, |row| {
        if let Some(read) = read.take() {
            result = Some(read(row));
        }
    });
    result
}

/// All rows of a query that only reads.
pub fn all<T>(query: &str, args: &[DatumWithOid], mut read: impl FnMut(&Row) -> T) -> Vec<T> {
    let mut rows = Vec::new();
    cursor::stream(query, args, |row| rows.push(read(row)));
    rows
}

/// Runs a statement that changes something and returns JSON, if it returns a row.
pub fn returning_json(statement: &str, args: &[DatumWithOid]) -> Option<Json> {
    Spi::connect_mut(|client| {
        let rows = client.update(statement, None, args).ok()?;
        rows.first().get_one::<JsonB>().ok()?.map(|JsonB(json)| json)
    })
}

/// Runs a statement that changes something; returns how many rows it touched.
pub fn run(statement: &str, args: &[DatumWithOid]) -> usize {
    Spi::connect_mut(|client| {
        client.update(statement, None, args).map(|table| table.len()).unwrap_or_default()
    })
}
