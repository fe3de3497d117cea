//! Look-ups: canonical values, and whose an identifier is.

use super::configuration;
use crate::error::Error;
use crate::graph::rules::Rules;
use pgrx::datum::DatumWithOid;
use pgrx::spi::OwnedPreparedStatement;
use pgrx::{Spi, pg_sys};
use std::cell::RefCell;

/// The canonical form of a value of a type.
pub fn canonical(type_name: &str, value: &str) -> Result<String, Error> {
    canonical_value(&configuration::current()?.rules, type_name, value)
}

/// The canonical form of a value of a type, by these rules.
pub(super) fn canonical_value(rules: &Rules, type_name: &str, value: &str) -> Result<String, Error> {
    let index = rules.type_index(type_name).ok_or_else(|| Error::UnknownType {
        name: type_name.to_owned(),
        known: rules.types.iter().map(|kind| kind.name.clone()).collect(),
    })?;
    let canonical = rules.type_of(index).normalizer.canonical(value, rules.region);
    canonical.map(|text| text.into_owned()).map_err(|cause| Error::Malformed {
        type_name: type_name.to_owned(),
        value: value.to_owned(),
        cause,
    })
}

/// The type and the value of `type:value`.
pub(super) fn split(identifier: &str) -> Result<(&str, &str), Error> {
    identifier.split_once(':').ok_or_else(|| Error::NoType { identifier: identifier.to_owned() })
}

/// The canonical form of `type:value`.
pub fn canonical_identifier(identifier: &str) -> Result<String, Error> {
    let (type_name, value) = split(identifier)?;
    Ok(format!("{type_name}:{}", canonical(type_name, value)?))
}

thread_local! {
    static PLAN: RefCell<Option<OwnedPreparedStatement>> = const { RefCell::new(None) };
}

/// The profile of the canonical identifier `identifier`.
fn profile_of(identifier: &str) -> Option<pgrx::Uuid> {
    Spi::connect(|client| {
        PLAN.with_borrow_mut(|plan| {
            let plan = plan.get_or_insert_with(|| {
                let text = [pg_sys::PgOid::from(pg_sys::TEXTOID)];
                let query = "SELECT profile FROM identity_resolve.identifier WHERE identifier = $1";
                client.prepare(query, &text).expect("the table exists").keep()
            });
            let args = [DatumWithOid::from(identifier)];
            client.select(&*plan, Some(1), &args).ok()?.first().get_one().ok()?
        })
    })
}

/// The profile that `type:value` belongs to.
pub fn resolve_identifier(identifier: &str) -> Result<Option<pgrx::Uuid>, Error> {
    let (type_name, value) = split(identifier)?;
    resolve_value(type_name, value)
}

/// The profile that a value of a type belongs to.
pub fn resolve_value(type_name: &str, value: &str) -> Result<Option<pgrx::Uuid>, Error> {
    Ok(profile_of(&format!("{type_name}:{}", canonical(type_name, value)?)))
}
