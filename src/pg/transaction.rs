//! Transactions, snapshots, locks and the search_path.

use super::spi;
use crate::error::Error;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, pg_sys};
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Rows between two looks whether the work was cancelled.
pub const PULSE: usize = 1000;

/// Whether a function was called where it may not commit: in a transaction block or by a function.
pub fn is_atomic(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: PostgreSQL passes a valid call info, and CALL a context of type CallContext.
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_CallContext {
            return true;
        }
        (*context.cast::<pg_sys::CallContext>()).atomic
    }
}

/// A connection to SPI in which a procedure may commit.
pub struct Procedure {
    atomic: bool,
}

impl Procedure {
    /// Connects; `atomic` as [`is_atomic`] found.
    pub fn connect(atomic: bool) -> Self {
        let options = if atomic { 0 } else { pg_sys::SPI_OPT_NONATOMIC };
        // SAFETY: `Drop` (or, after an error, the end of the transaction) disconnects.
        unsafe { pg_sys::SPI_connect_ext(options as i32) };
        Procedure { atomic }
    }

    /// Whether [`Procedure::commit`] may be called.
    pub fn may_commit(&self) -> bool {
        !self.atomic
    }

    /// Ends the transaction and begins another.
    pub fn commit(&self) {
        // SAFETY: the innermost SPI connection is ours and not atomic, and no snapshot of ours is
        // pushed: `with_snapshot` has popped it.
        unsafe {
            pg_sys::SPI_commit();
            pg_sys::EnsurePortalSnapshotExists();
        }
    }
}

impl Drop for Procedure {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: connected in `connect`. After an error the transaction's end disconnects.
            unsafe { pg_sys::SPI_finish() };
        }
    }
}

/// Runs `work` under one snapshot that sees all that has been committed, and this transaction's
/// own changes. Under REPEATABLE READ and SERIALIZABLE it is the transaction's.
pub fn with_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: pushed and popped in pairs; after an error the transaction's end pops.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let result = work();
        pg_sys::PopActiveSnapshot();
        result
    }
}

/// The oid of a table of this extension.
pub fn relation(name: &str) -> pg_sys::Oid {
    let name = CString::new(name).expect("names of this extension hold no NUL");
    // SAFETY: plain look-ups in the system catalog.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"identity_resolve".as_ptr(), false);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    }
}

/// Fails (25006) where nothing may be written: on a standby and in a read-only transaction.
pub fn refuse_if_read_only() {
    // SAFETY: they report an error or do nothing.
    unsafe {
        pg_sys::PreventCommandDuringRecovery(c"changing the identity graph".as_ptr());
        pg_sys::PreventCommandIfReadOnly(c"changing the identity graph".as_ptr());
    }
}

/// Does `work` in a subtransaction, which is rolled back if it returns false or fails.
pub fn attempt(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: as PL/pgSQL does for a block with an exception handler: the subtransaction is ended
    // in one way or the other, and the memory context and the resource owner are put back. The error
    // state has been taken from PostgreSQL when an error unwinds to here.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = catch_unwind(AssertUnwindSafe(work));
        pg_sys::MemoryContextSwitchTo(context);
        if matches!(result, Ok(true)) {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result.unwrap_or_else(|error| resume_unwind(error))
    }
}

/// What ended a piece of work.
pub struct Failure {
    /// SQLSTATE.
    pub code: PgSqlErrorCode,
    pub message: String,
    /// It is one of our own errors, and about what was worked on.
    ours: bool,
}

impl Failure {
    /// Whether it came from what was worked on, and not from the server, from an operator or from
    /// other transactions: then trying again is no use.
    pub fn is_about_data(&self) -> bool {
        let class = unpacked(self.code);
        self.ours || !["08", "25", "40", "53", "55", "57", "58", "F0"].contains(&&class[..2])
    }

    /// Its SQLSTATE as text.
    pub fn sqlstate(&self) -> String {
        unpacked(self.code)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::Consumption { sqlstate: failure.code as i32, message: failure.message }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let ours = !matches!(error, Error::Serialization | Error::Consumption { .. });
        let message = format!("{error}: {} {}", error.detail(), error.hint());
        Failure { code: super::error::sqlstate(&error), message, ours }
    }
}

/// The five characters of an SQLSTATE: six bits each.
fn unpacked(code: PgSqlErrorCode) -> String {
    let bits = code as i32 as u32;
    (0..5).map(|i| char::from((bits >> (6 * i) & 0x3f) as u8 + b'0')).collect()
}

/// Does `work` in a subtransaction, which is rolled back if it fails.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Failure> {
    let mut result = None;
    let done = PgTryBuilder::new(AssertUnwindSafe(|| {
        attempt(|| {
            let worked = work().map_err(Failure::from);
            let done = worked.is_ok();
            result = Some(worked);
            done
        });
        None
    }))
    .catch_others(|cause| match cause {
        CaughtError::PostgresError(error)
        | CaughtError::ErrorReport(error)
        | CaughtError::RustPanic { ereport: error, .. } => {
            let message = error.message().to_owned();
            Some(Failure { code: error.sql_error_code(), message, ours: false })
        }
    })
    .execute();
    match (done, result) {
        (Some(failure), _) => Err(failure),
        (None, Some(result)) => result,
        (None, None) => unreachable!("work neither failed nor ended"),
    }
}

/// Runs `work` under a snapshot that sees all that is committed now, whatever the isolation level.
pub fn with_latest_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: pushed and popped in pairs; after an error the transaction's end pops. A parallel
    // worker may not take a snapshot of its own, and has its leader's.
    unsafe {
        if pg_sys::IsInParallelMode() {
            return work();
        }
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        let result = work();
        pg_sys::PopActiveSnapshot();
        result
    }
}

/// How many transactions that have written anything have ended since the server started.
pub fn completions() -> u64 {
    // SAFETY: reads a snapshot that the next one replaces.
    unsafe { (*pg_sys::GetLatestSnapshot()).snapXactCompletionCount }
}

/// When this transaction began, in microseconds since 2000.
pub fn now() -> i64 {
    // SAFETY: reads a variable of this backend.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// The time, in microseconds since 2000.
pub fn clock() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Waits until no other transaction changes the graph, and keeps others from it until the end of
/// this one. Readers are not disturbed. Under REPEATABLE READ and SERIALIZABLE it fails (40001) if
/// anything has been committed since the transaction's snapshot.
pub fn lock_graph() {
    refuse_if_read_only();
    spi::run(
        "LOCK TABLE identity_resolve.identifier, identity_resolve.link, identity_resolve.separation
         IN SHARE ROW EXCLUSIVE MODE",
        &[],
    );
    // SAFETY: both snapshots are read before another is taken.
    let is_old = unsafe {
        let seen = pg_sys::GetTransactionSnapshot();
        let (xmax, count) = ((*seen).xmax, (*seen).xcnt);
        let latest = pg_sys::GetLatestSnapshot();
        uses_one_snapshot() && ((*latest).xmax, (*latest).xcnt) != (xmax, count)
    };
    if is_old {
        ErrorReport::from(Error::Serialization).report(PgLogLevel::ERROR);
    }
}

/// Whether this transaction reads all under one snapshot: REPEATABLE READ and SERIALIZABLE.
pub fn uses_one_snapshot() -> bool {
    // SAFETY: reads a variable of this backend.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// Settings on which it depends what a name means, how a value looks as text, and what is read.
pub const PINNED: [(&str, &str); 6] = [
    ("search_path", "pg_catalog, pg_temp"),
    ("datestyle", "ISO, YMD"),
    ("timezone", "UTC"),
    ("intervalstyle", "postgres"),
    ("extra_float_digits", "1"),
    // A row that a policy hides would look deleted; with this it is an error.
    ("row_security", "off"),
];

/// Pins settings for a procedure, which cannot have a SET clause as it commits. Until the end of
/// the transaction, or until dropped.
pub struct PinnedSettings {
    before: Vec<String>,
}

impl PinnedSettings {
    /// Pins them.
    pub fn pin() -> Self {
        let current = |&(name, _): &(&str, &str)| {
            spi::one("SELECT pg_catalog.current_setting($1)", &[name.into()], |row| {
                row.text(0).unwrap_or_default().to_owned()
            })
        };
        let before = PINNED.iter().map(|pinned| current(pinned).unwrap_or_default()).collect();
        let pinned = PinnedSettings { before };
        pinned.renew();
        pinned
    }

    /// Pins them again after a commit, which has ended the pin.
    pub fn renew(&self) {
        PINNED.iter().for_each(|&(name, value)| set(name, value));
    }
}

impl Drop for PinnedSettings {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            PINNED.iter().zip(&self.before).for_each(|((name, _), value)| set(name, value));
        }
    }
}

/// Runs `work` as a function of `role` with SECURITY DEFINER and a pinned search_path would.
pub fn as_role<T>(role: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    // SAFETY: as fmgr_security_definer does; after an error the (sub)transaction's end undoes both.
    unsafe {
        let (mut caller, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut caller, &mut context);
        let definer = context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        pg_sys::SetUserIdAndSecContext(role, definer);
        let level = pg_sys::NewGUCNestLevel();
        pin(PINNED[0]);
        let result = work();
        pg_sys::AtEOXact_GUC(true, level);
        pg_sys::SetUserIdAndSecContext(caller, context);
        result
    }
}

/// Pins a setting at the current nest level.
fn pin((name, value): (&str, &str)) {
    let text = |text: &str| CString::new(text).unwrap_or_default();
    // SAFETY: both strings outlive the call.
    unsafe {
        pg_sys::set_config_option(
            text(name).as_ptr(),
            text(value).as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// Runs `work` with the settings pinned on which it depends how a value looks as text.
pub fn with_pinned_text<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: as a function with SET clauses does; after an error the (sub)transaction's end undoes
    // the settings.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        PINNED.into_iter().for_each(pin);
        let result = work();
        pg_sys::AtEOXact_GUC(true, level);
        result
    }
}

/// Sets a setting until the end of the transaction.
fn set(name: &str, value: &str) {
    spi::one("SELECT pg_catalog.set_config($1, $2, true)", &[name.into(), value.into()], |_| ());
}

/// Ends the work with an error if it was cancelled.
pub fn check_for_cancel() {
    pgrx::check_for_interrupts!();
}
