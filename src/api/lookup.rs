//! Look-up.

use super::Answer;
use crate::pg::{lookup, past, spi, why};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern(sql = "")]
fn canonical(type_name: &str, value: &str) -> Answer<String> {
    Ok(lookup::canonical(type_name, value)?)
}

#[pg_extern(sql = "")]
fn canonical_identifier(identifier: &str) -> Answer<String> {
    Ok(lookup::canonical_identifier(identifier)?)
}

#[pg_extern(sql = "")]
fn resolve_identifier(identifier: &str) -> Answer<Option<pgrx::Uuid>> {
    Ok(lookup::resolve_identifier(identifier)?)
}

#[pg_extern(sql = "")]
fn resolve_value(type_name: &str, value: &str) -> Answer<Option<pgrx::Uuid>> {
    Ok(lookup::resolve_value(type_name, value)?)
}

#[pg_extern(sql = "")]
fn resolve_value_at(
    type_name: &str,
    value: &str,
    at: TimestampWithTimeZone,
) -> Answer<Option<pgrx::Uuid>> {
    let profile = past::resolve(type_name, value, at)?;
    Ok(profile.map(spi::id))
}

#[pg_extern(sql = "")]
fn strongest_path(
    profile: pgrx::Uuid,
    a: i64,
    b: i64,
) -> Result<TableIterator<'static, (name!(a, i64), name!(b, i64))>, ErrorReport> {
    Ok(TableIterator::new(why::path(profile, a, b)?))
}
