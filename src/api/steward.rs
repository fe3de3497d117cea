//! What operators say, and the graph as a whole.

use super::{Answer, required};
use crate::pg::spi::id_or_null;
use crate::pg::steward as stewardship;
use crate::pg::{backfill, history, transaction, undo as undoing};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

const LINK: &str = "SELECT identity_resolve.link('email:ann@example.com', 'phone:+33612345678');";
const UNLINK: &str =
    "SELECT * FROM identity_resolve.unlink('email:ann@example.com', 'phone:+33612345678');";
const UNDO: &str = "SELECT identity_resolve.undo(42);";
const ACCEPT: &str = "SELECT identity_resolve.accept(42);";
const REJECT: &str = "SELECT identity_resolve.reject(42);";

#[pg_extern(sql = "")]
fn link(
    a: Option<&str>,
    b: Option<&str>,
    reason: Option<&str>,
    until: Option<TimestampWithTimeZone>,
) -> Answer<Option<pgrx::Uuid>> {
    let (a, b) = (required(a, "a", LINK)?, required(b, "b", LINK)?);
    Ok(stewardship::link(a, b, reason, until)?.and_then(id_or_null))
}

#[pg_extern(sql = "")]
#[allow(clippy::type_complexity)]
fn unlink(
    a: Option<&str>,
    b: Option<&str>,
    reason: Option<&str>,
    until: Option<TimestampWithTimeZone>,
) -> Result<
    TableIterator<'static, (name!(profile, Option<pgrx::Uuid>), name!(identifiers, Vec<String>))>,
    ErrorReport,
> {
    let (a, b) = (required(a, "a", UNLINK)?, required(b, "b", UNLINK)?);
    let parts = stewardship::unlink(a, b, reason, until)?;
    Ok(TableIterator::new(parts.into_iter().map(|part| (id_or_null(part.profile), part.identifiers))))
}

#[pg_extern(sql = "")]
fn undo(change: Option<i64>) -> Answer<i64> {
    Ok(undoing::undo(required(change, "change", UNDO)?)?)
}

#[pg_extern(sql = "")]
fn accept(review: Option<i64>) -> Answer<Option<pgrx::Uuid>> {
    let review = required(review, "review", ACCEPT)?;
    Ok(stewardship::decide_review(review, true)?.and_then(id_or_null))
}

#[pg_extern(sql = "")]
fn reject(review: Option<i64>) -> Answer<()> {
    stewardship::decide_review(required(review, "review", REJECT)?, false)?;
    Ok(())
}

#[pg_extern(sql = "")]
fn rebuild(fcinfo: pg_sys::FunctionCallInfo) -> Answer<()> {
    let procedure = transaction::Procedure::connect(transaction::is_atomic(fcinfo));
    Ok(backfill::rebuild(&procedure)?)
}

#[pg_extern(sql = "")]
#[allow(clippy::type_complexity)]
fn preview() -> Result<
    TableIterator<
        'static,
        (
            name!(change, String),
            name!(profile, Option<pgrx::Uuid>),
            name!(new_profile, Option<pgrx::Uuid>),
            name!(identifiers, Vec<String>),
            name!(reason, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let changes = backfill::preview()?;
    let rows: Vec<_> = changes
        .events(&mut transaction::check_for_cancel)
        .into_iter()
        .map(|event| {
            // A rebuild would give another new id.
            let new = Some(event.new).filter(|&id| !changes.is_new(id));
            let members = event.members.iter().map(|&number| changes.text(number).to_owned()).collect();
            let reason = history::reason(&changes, &event);
            (
                event.kind.word().to_owned(),
                id_or_null(event.old),
                new.and_then(id_or_null),
                members,
                reason,
            )
        })
        .collect();
    Ok(TableIterator::new(rows))
}
