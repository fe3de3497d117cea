//! Packed evidence.

use super::Answer;
use crate::pg::evidence as packed_evidence;
use pgrx::datum::Date;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern(sql = "")]
#[allow(clippy::type_complexity)]
fn evidence(
    packed: &[u8],
) -> Result<
    TableIterator<
        'static,
        (
            name!(source, Option<i32>),
            name!(channel, Option<String>),
            name!(device_type, Option<String>),
            name!(day, Option<Date>),
            name!(sightings, Option<i64>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::new(packed_evidence::counts(packed)?))
}

#[pg_extern(sql = "")]
fn evidence_sightings(packed: &[u8]) -> Answer<i64> {
    Ok(packed_evidence::summary(packed)?.map_or(0, |summary| summary.sightings as i64))
}

#[pg_extern(sql = "")]
fn evidence_first(packed: &[u8]) -> Answer<Option<Date>> {
    Ok(packed_evidence::summary(packed)?.map(|summary| packed_evidence::date(summary.first)))
}

#[pg_extern(sql = "")]
fn evidence_last(packed: &[u8]) -> Answer<Option<Date>> {
    Ok(packed_evidence::summary(packed)?.map(|summary| packed_evidence::date(summary.last)))
}

#[pg_extern(sql = "")]
fn evidence_device_type(packed: &[u8]) -> Answer<Option<&str>> {
    Ok(packed_evidence::device_type(packed)?)
}

#[pg_extern(sql = "")]
fn evidence_weight(packed: &[u8], today: Date) -> Answer<f64> {
    Ok(packed_evidence::weight(packed, today)?)
}
