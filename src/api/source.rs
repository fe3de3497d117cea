//! Sources and configuration.

use super::{Answer, required};
use crate::pg::backfill as backfilling;
use crate::pg::{configuration, json, observe, queue, source, transaction, worker};
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

const ADD: &str = "SELECT identity_resolve.add_source('schema.table', '{\"identifiers\": …}');";
const SET_MODE: &str = "SELECT identity_resolve.set_mode('schema.table', 'trigger');";
const DROP: &str = "SELECT identity_resolve.drop_source('schema.table');";

#[pg_extern(sql = "")]
fn add_source(
    source: Option<pg_sys::Oid>,
    mapping: Option<AnyElement>,
    mode: Option<&str>,
) -> Answer<()> {
    let mapping = json::text(&required(mapping, "mapping", ADD)?);
    let mode = required(mode, "mode", "mode => 'manual'")?;
    Ok(source::add(required(source, "source", ADD)?, &mapping, mode)?)
}

#[pg_extern(sql = "")]
fn drop_source(source: Option<pg_sys::Oid>) -> Answer<()> {
    Ok(source::drop(required(source, "source", DROP)?)?)
}

#[pg_extern(sql = "")]
fn backfill(source: Option<pg_sys::Oid>, fcinfo: pg_sys::FunctionCallInfo) -> Answer<()> {
    let procedure = transaction::Procedure::connect(transaction::is_atomic(fcinfo));
    Ok(backfilling::backfill(source, &procedure)?)
}

#[pg_extern(sql = "")]
fn set_mode(source: Option<pg_sys::Oid>, mode: Option<&str>) -> Answer<()> {
    let source = required(source, "source", SET_MODE)?;
    Ok(source::set_mode(source, required(mode, "mode", SET_MODE)?)?)
}

#[pg_extern(sql = "")]
fn observe(fcinfo: pg_sys::FunctionCallInfo) -> Answer<()> {
    Ok(observe::observe(fcinfo)?)
}

#[pg_extern(sql = "")]
fn drain_queue(fcinfo: pg_sys::FunctionCallInfo) -> Answer<()> {
    let procedure = transaction::Procedure::connect(transaction::is_atomic(fcinfo));
    Ok(queue::drain(&procedure)?)
}

#[pg_extern(sql = "")]
fn is_listed() -> bool {
    worker::is_listed()
}

#[pg_trigger(sql = "")]
fn configuration_changed<'a>(
    _trigger: &'a PgTrigger<'a>,
) -> Answer<Option<PgHeapTuple<'a, impl WhoAllocated>>> {
    // pgrx would turn an `Err` of a trigger into a panic.
    configuration::changed().unwrap_or_else(|error| ErrorReport::from(error).report(PgLogLevel::ERROR));
    Ok(None::<PgHeapTuple<'a, pgrx::AllocatedByRust>>)
}
