//! Short queries. Many rows go through `cursor` and `copy`.

use super::cursor::{self, Row};
use pgrx::Spi;
use pgrx::datum::DatumWithOid;

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

/// Runs a statement that inserts one row and returns a number of it.
pub fn returning(statement: &str) -> i64 {
    Spi::get_one(statement).ok().flatten().unwrap_or_default()
}

/// Runs a statement that changes something; returns how many rows it touched.
pub fn run(statement: &str, args: &[DatumWithOid]) -> usize {
    Spi::connect_mut(|client| {
        client.update(statement, None, args).map(|table| table.len()).unwrap_or_default()
    })
}
