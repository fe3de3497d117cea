//! Look-up.

use super::Answer;
use crate::pg::lookup;
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
