//! One decision for each statement.
//!
//! A statement may fire the trigger function several times: an upsert for what it inserts and for what
//! it updates, one that writes two sources for each, a cascade for each row. If each call took its
//! locks for itself, two such statements could wait for each other. So rows are kept until the
//! outermost statement ends, and are brought into the graph together. (Not in the statement by which
//! a session loads this library, which is under way when the hook is set; nor in COPY, which fires
//! once, and at the end of a transaction, for deferred triggers.)

use super::configuration::Configuration;
use super::watch::Watched;
use super::{live, observe, transaction};
use crate::error::Error;
use crate::source::batch::Batch;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, pg_guard, pg_sys};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::rc::Rc;

thread_local! {
    /// How many statements, one inside the triggers of the other, are firing their AFTER triggers.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
    static PREVIOUS: Cell<pg_sys::ExecutorFinish_hook_type> = const { Cell::new(None) };
}

/// Rows of one call of the trigger function.
struct Kept {
    watched: Rc<Watched>,
    batch: Batch,
    /// How many rows this and all before it have.
    rows: usize,
    /// The subtransaction that they go with.
    subtransaction: pg_sys::SubTransactionId,
    /// The role that the trigger function runs as.
    role: pg_sys::Oid,
}

/// Sets the hook; once for each backend.
pub fn define() {
    // SAFETY: called while the library is loaded; the callbacks live as long as the backend.
    unsafe {
        PREVIOUS.set(pg_sys::ExecutorFinish_hook);
        pg_sys::ExecutorFinish_hook = Some(finish);
        pg_sys::RegisterXactCallback(Some(transaction_ended), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_ended), std::ptr::null_mut());
    }
}

/// Brings rows into the graph when the outermost statement ends, or now if none is known.
pub fn keep(configuration: &Configuration, watched: &Rc<Watched>, batch: Batch) -> Result<(), Error> {
    if DEPTH.get() == 0 {
        return observe::apply(configuration, &[(watched, &batch)], false);
    }
    // SAFETY: read variables of this backend.
    let (subtransaction, role) = unsafe { (pg_sys::GetCurrentSubTransactionId(), pg_sys::GetUserId()) };
    let rows = KEPT.with_borrow_mut(|kept| {
        let before = kept.last().map_or(0, |last| last.rows);
        let rows = before + batch.len();
        kept.push(Kept { watched: Rc::clone(watched), batch, rows, subtransaction, role });
        rows
    });
    // A cascade may go on for millions of rows.
    if rows >= Batch::ROWS { apply_kept(true) } else { Ok(()) }
}

/// `many`: there is more to come.
fn apply_kept(many: bool) -> Result<(), Error> {
    let kept = KEPT.take();
    let Some(role) = kept.first().map(|kept| kept.role) else { return Ok(()) };
    transaction::as_role(role, || {
        let configuration = live::begin()?;
        let batches: Vec<(&Watched, &Batch)> =
            kept.iter().map(|kept| (&*kept.watched, &kept.batch)).collect();
        observe::apply(&configuration, &batches, many)
    })
}

/// Counts a statement as long as it fires its triggers, also if one fails.
struct Nested;

impl Nested {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Nested
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn finish(query: *mut pg_sys::QueryDesc) {
    {
        let _nested = Nested::enter();
        // SAFETY: what PostgreSQL would call without this hook. An error of the hook before ours is
        // turned into a panic here, and back into an error where this function returns.
        unsafe {
            match PREVIOUS.get() {
                Some(previous) => pg_sys::ffi::pg_guard_ffi_boundary(|| previous(query)),
                None => pg_sys::standard_ExecutorFinish(query),
            }
        }
    }
    if DEPTH.get() == 0
        && KEPT.with_borrow(|kept| !kept.is_empty())
        && let Err(error) = apply_kept(false)
    {
        ErrorReport::from(error).report(PgLogLevel::ERROR);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction_ended(event: pg_sys::XactEvent::Type, _arg: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        KEPT.take();
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn subtransaction_ended(
    event: pg_sys::SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _arg: *mut c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB};
    KEPT.with_borrow_mut(|kept| match event {
        SUBXACT_EVENT_ABORT_SUB => kept.retain(|kept| kept.subtransaction != subtransaction),
        SUBXACT_EVENT_COMMIT_SUB => kept
            .iter_mut()
            .filter(|kept| kept.subtransaction == subtransaction)
            .for_each(|kept| kept.subtransaction = parent),
        _ => {}
    });
}
