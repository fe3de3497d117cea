//! Expiry of devices and contacts.

use super::{Answer, required};
use crate::error::Error;
use crate::graph::Day;
use crate::pg::expire as expiring;
use crate::pg::{spi, transaction};
use crate::source::seen_at;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

const EXAMPLE: &str = "a time, or leave it out for now()";

/// A time since 1900, in microseconds since 2000. It may lie in the future: to see what will be.
fn plausible(as_of: Option<TimestampWithTimeZone>) -> Result<i64, Error> {
    let as_of = required(as_of, "as_of", EXAMPLE)?.into_inner();
    match seen_at::of_timestamp(as_of, Day::MAX - 1) {
        Ok(_) => Ok(as_of),
        Err(_) => Err(Error::Time { argument: "as_of", value: seen_at::timestamp_text(as_of) }),
    }
}

#[pg_extern(sql = "")]
#[allow(clippy::type_complexity)]
fn expire(
    as_of: Option<TimestampWithTimeZone>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(identifier, String),
            name!(profile, Option<pgrx::Uuid>),
            name!(last_seen, Option<TimestampWithTimeZone>),
        ),
    >,
    ErrorReport,
> {
    let expired = expiring::expire(plausible(as_of)?)?;
    Ok(TableIterator::new(
        expired
            .into_iter()
            .map(|e| (e.identifier, spi::id_or_null(e.profile), Some(midnight(e.last_seen)))),
    ))
}

#[pg_extern(sql = "")]
fn expire_in_batches(
    as_of: Option<TimestampWithTimeZone>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> Answer<()> {
    let as_of = plausible(as_of)?;
    let procedure = transaction::Procedure::connect(transaction::is_atomic(fcinfo));
    Ok(expiring::expire_in_batches(as_of, &procedure)?)
}

/// The beginning of a day in UTC.
fn midnight(day: Day) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(seen_at::to_timestamp(day))
        .unwrap_or_else(|_| unreachable!("days of evidence are in range"))
}
