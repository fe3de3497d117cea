//! The functions of the SQL surface, a few lines each. Volatility, rights and comments stand in
//! `sql/functions.sql`.

mod device;
mod evidence;
mod graph;
mod health;
mod lookup;
mod matching;
mod source;
mod steward;

use crate::error::Error;
use pgrx::pg_sys::panic::ErrorReport;

/// What a function gives: a value, or an error with SQLSTATE, DETAIL and HINT.
type Answer<T> = Result<T, ErrorReport>;

fn required<T>(value: Option<T>, argument: &'static str, example: &'static str) -> Result<T, Error> {
    value.ok_or(Error::Null { argument, example })
}
