//! What the extension's background processes share: signals, waiting, and locks that are only tried.

use pgrx::pg_sys;
use std::ffi::{CString, c_int};
use std::time::{Duration, Instant};

// PostgreSQL's own handlers, as plain C functions; pgrx has them as Rust functions only. Its own
// handler of SIGTERM sets a flag that no query looks at.
unsafe extern "C-unwind" {
    fn die(signal: c_int);
    #[link_name = "SignalHandlerForConfigReload"]
    fn reload_configuration(signal: c_int);
}

/// Handles SIGHUP and SIGTERM as every process of the server does. SIGINT, which cancels, and
/// SIGUSR1 are handled already.
pub fn handle_signals() {
    #[cfg(not(feature = "pg18"))]
    use pg_sys::pqsignal;
    #[cfg(feature = "pg18")]
    use pg_sys::pqsignal_be as pqsignal;
    // SAFETY: once, at the start of a background process, while signals are still blocked.
    unsafe {
        pqsignal(libc::SIGHUP, Some(reload_configuration));
        pqsignal(libc::SIGTERM, Some(die));
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Does what was asked for by signal: ends here, or reads the settings anew (and says so).
pub fn attend() -> bool {
    pgrx::check_for_interrupts!();
    // SAFETY: a flag that the handler of SIGHUP sets; we are not in a transaction.
    unsafe {
        let asked = (&raw const pg_sys::ConfigReloadPending).read_volatile() != 0;
        if asked {
            (&raw mut pg_sys::ConfigReloadPending).write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
        asked
    }
}

/// Waits, and attends to signals meanwhile; less long if settings were read anew.
pub fn wait(duration: Duration) -> bool {
    let started = Instant::now();
    while !attend() {
        let left = duration.saturating_sub(started.elapsed());
        if left.is_zero() {
            return false;
        }
        let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
        let milliseconds = left.as_micros().div_ceil(1000) as _;
        // SAFETY: waits on this process's own latch, which every signal sets. Whoever reset it
        // looks at what woke it before waiting again.
        unsafe {
            pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, milliseconds, pg_sys::PG_WAIT_EXTENSION);
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
    }
    true
}

/// What a process is doing, for pg_stat_activity.
#[derive(Clone, Copy)]
pub enum Activity {
    Idle,
    Running,
}

/// Tells pg_stat_activity.
pub fn report(activity: Activity, text: &str) {
    let state = match activity {
        Activity::Idle => pg_sys::BackendState::STATE_IDLE,
        Activity::Running => pg_sys::BackendState::STATE_RUNNING,
    };
    // Names in it are without NUL.
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: the text is copied into this process's own entry.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::pgstat_report_activity(state, text.as_ptr());
    }
}

/// Takes the lock on a database that every new session takes for a moment, until the end of the
/// transaction; false if somebody who wants it for himself, such as DROP DATABASE, has it or waits.
pub fn try_enter(database: pg_sys::Oid) -> bool {
    try_lock(pg_sys::Oid::INVALID, pg_sys::DatabaseRelationId, database, pg_sys::RowExclusiveLock)
}

/// Keeps an extension from being dropped until the end of the transaction; false if it is being
/// dropped.
pub fn try_keep_extension(extension: pg_sys::Oid) -> bool {
    // SAFETY: a variable of this process.
    let database = unsafe { pg_sys::MyDatabaseId };
    try_lock(database, pg_sys::ExtensionRelationId, extension, pg_sys::AccessShareLock)
}

fn try_lock(database: pg_sys::Oid, class: pg_sys::Oid, object: pg_sys::Oid, mode: u32) -> bool {
    let tag = pg_sys::LOCKTAG {
        locktag_field1: database.to_u32(),
        locktag_field2: class.to_u32(),
        locktag_field3: object.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: in a transaction, whose end releases the lock. It does not wait.
    let result = unsafe { pg_sys::LockAcquire(&tag, mode as pg_sys::LOCKMODE, false, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
