//! The worker: drains the queue of one database, expires its identifiers when that is due, and ends.
//!
//! Its life: the launcher starts it; it looks what there is to do; it does so in batches, each a
//! transaction of its own; when there has been nothing to do for a moment it ends, and the launcher
//! starts the next one. Between two transactions it holds nothing, so that DROP EXTENSION, ALTER
//! EXTENSION and DROP DATABASE wait for one batch at most: each transaction looks first whether
//! somebody is at that, and then leaves. What fails is written into `worker_run` and tried again
//! later, by whichever worker there is then.

use super::expire::{self, Sweep};
use super::process::{self, Activity};
use super::progress::{self, Phase, Report};
use super::{launcher, load, lock, queue, settings, spi, transaction};
use crate::error::Error;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{
    GucContext, GucFlags, GucRegistry, GucSetting, PgLogLevel, PgSqlErrorCode, PgTryBuilder, pg_guard,
    pg_sys,
};
use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// For how many naps a worker that has done something stays without work. Never as long as DROP
/// DATABASE waits for others to leave: 5 seconds.
const LINGER_NAPS: u32 = 3;
const LONGEST_LINGER: Duration = Duration::from_secs(3);

/// How long a worker rests that could not even write down what failed.
const REST: Duration = Duration::from_secs(60);

static EXPIRE_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(86_400);

/// Announces the settings.
pub fn define() {
    GucRegistry::define_int_guc(
        c"identity_resolve.expire_interval",
        c"Time after which the background worker looks again for identifiers that have expired.",
        c"It calls what expire_in_batches() calls. 0 never looks: call expire() yourself.",
        &EXPIRE_INTERVAL,
        0,
        i32::MAX / 1000,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}

/// The entry point, by which PostgreSQL starts a worker in the database whose oid is the argument.
#[pg_guard]
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn identity_resolve_worker(database: pg_sys::Datum) {
    run(pg_sys::Oid::from(database.value() as u32));
}

/// What a worker's process does.
fn run(database: pg_sys::Oid) {
    process::handle_signals();
    // SAFETY: once, in a background process; as the cluster's first superuser.
    unsafe { pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::Oid::INVALID, 0) };
    pin_settings();
    process::report(Activity::Running, "looking for work");
    let name = match transact(|| Ok(lock::try_be_the_worker().then(database_name))) {
        Ok(Some(Some(name))) => name,
        Ok(_) => return,
        Err(failure) => return rest_after(&failure, "?"),
    };
    let mut worker = Worker { database: name, ..Worker::default() };
    let mut worked_at = None;
    while launcher::is_listed(&worker.database) {
        match worker.round() {
            Round::Worked => {
                worked_at = Some(Instant::now());
                process::attend();
            }
            Round::Idle => {
                let linger = (launcher::naptime() * LINGER_NAPS).min(LONGEST_LINGER);
                if worked_at.is_none_or(|at: Instant| at.elapsed() >= linger) {
                    return;
                }
                process::report(Activity::Idle, "waiting");
                process::wait(launcher::naptime());
            }
            Round::Over => return,
        }
    }
}

/// Counts rows that were taken from the queue and dealt with, in the transaction that did so.
pub fn note_drained(rows: usize) {
    update(
        "drained = drained + $1, last_run = now(), failures = 0, retry_at = NULL",
        &[(rows as i64).into()],
    );
}

/// What a worker is in the midst of.
#[derive(Default)]
struct Worker {
    database: String,
    /// Rows drained so far.
    drained: usize,
    /// Whether the last batch found rows: the next one ends what is reported of it.
    is_draining: bool,
    sweep: Option<Sweep>,
    /// Identifiers that this sweep has expired so far.
    expired: usize,
    /// What it reports progress of, and the report of the other work that is under way.
    duty: Duty,
    suspended: Option<Report>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Duty {
    #[default]
    Drain,
    Expire,
}

/// What became of a look at what there is to do.
enum Round {
    Worked,
    Idle,
    /// The extension or the database is gone, or is about to be.
    Over,
}

impl Worker {
    /// Drains one batch and sweeps one, as far as there is something: neither keeps the other waiting.
    fn round(&mut self) -> Round {
        let due = match transact(|| Ok(Due::look())) {
            Ok(Some(due)) => due,
            Ok(None) => return Round::Over,
            Err(failure) => return self.note_failure(&failure, DRAIN_FAILED),
        };
        let drained = match due.drain && (due.is_queue_filled || due.has_failed || self.is_draining) {
            true => self.drain(due.has_failed),
            false => Round::Idle,
        };
        let expired = match drained {
            Round::Over => Round::Over,
            _ if due.expire || self.sweep.is_some() => self.expire(),
            _ => Round::Idle,
        };
        match (drained, expired) {
            (_, Round::Over) => Round::Over,
            (Round::Idle, Round::Idle) => Round::Idle,
            _ => Round::Worked,
        }
    }

    fn drain(&mut self, has_failed: bool) -> Round {
        self.turn_to(Duty::Drain);
        report("draining the queue", self.drained, "rows");
        let rows = transact(|| drain_batch(has_failed));
        self.is_draining = matches!(rows, Ok(Some(1..)));
        match rows {
            Ok(Some(0)) => Round::Idle,
            Ok(Some(rows)) => {
                self.drained += rows;
                Round::Worked
            }
            Ok(None) => Round::Over,
            Err(failure) => self.note_failure(&failure, DRAIN_FAILED),
        }
    }

    fn expire(&mut self) -> Round {
        self.turn_to(Duty::Expire);
        report("expiring", self.expired, "identifiers");
        match transact(|| sweep_batch(&mut self.sweep)) {
            Ok(Some(Some(identifiers))) => {
                self.expired += identifiers;
                Round::Worked
            }
            Ok(Some(None)) => {
                (self.sweep, self.expired) = (None, 0);
                Round::Worked
            }
            Ok(None) => Round::Over,
            Err(failure) => {
                (self.sweep, self.expired) = (None, 0);
                self.note_failure(&failure, SWEEP_FAILED)
            }
        }
    }

    /// Goes on to report the progress of a duty where it was left for the other one.
    fn turn_to(&mut self, duty: Duty) {
        if self.duty != duty {
            self.duty = duty;
            let other = progress::suspend();
            if let Some(report) = std::mem::replace(&mut self.suspended, other) {
                progress::resume(report);
            }
        }
    }

    /// Writes down what failed and when to try again.
    fn note_failure(&self, failure: &Failure, when: &str) -> Round {
        let assignments = format!(
            "last_run = now(), errors = errors + 1, last_error = $1, last_error_at = now(), {when}"
        );
        let noted = transact(|| {
            update(&assignments, &[failure.text().into()]);
            Ok(())
        });
        match noted {
            // The extension is gone: no wonder that it failed.
            Ok(None) => Round::Over,
            Ok(Some(())) => {
                failure.log(&self.database);
                Round::Idle
            }
            Err(second) => {
                failure.log(&self.database);
                rest_after(&second, &self.database);
                Round::Over
            }
        }
    }
}

/// After 1 second, then 2, 4 … 60.
const DRAIN_FAILED: &str = "failures = failures + 1,
    retry_at = now() + make_interval(secs => least(60, power(2, least(failures, 6))))";

/// Draining goes on meanwhile.
const SWEEP_FAILED: &str = "expiry_retry_at = now() + interval '1 minute'";

/// What it is time for.
struct Due {
    drain: bool,
    expire: bool,
    /// Whether the last attempt to drain failed.
    has_failed: bool,
    is_queue_filled: bool,
}

impl Due {
    fn look() -> Due {
        // The first row by its number: a scan of the table would wade through what was drained.
        let read = spi::one(
            "SELECT coalesce(r.retry_at <= now(), true),
                    $1 > 0 AND coalesce(r.expiry_retry_at <= now(), true)
                        AND coalesce(r.last_expiry <= now() - make_interval(secs => $1), true),
                    r.failures > 0,
                    coalesce(r.last_run <= now() - interval '1 minute', true),
                    (SELECT q.id FROM identity_resolve.queue AS q ORDER BY q.id LIMIT 1) IS NOT NULL
             FROM (SELECT) AS one_row
             LEFT JOIN identity_resolve.worker_run AS r ON true",
            &[EXPIRE_INTERVAL.get().into()],
            |row| std::array::from_fn(|column| row.bool(column).unwrap_or_default()),
        );
        let [drain, expire, has_failed, is_quiet, is_queue_filled] = read.unwrap_or_default();
        if is_quiet {
            // A sign of life; more often would be a write that nobody needs.
            update("last_run = now()", &[]);
        }
        Due { drain, expire, has_failed, is_queue_filled }
    }
}

fn report(doing: &str, done: usize, what: &str) {
    let text = if done > 0 { format!("{doing}: {done} {what}") } else { doing.to_owned() };
    process::report(Activity::Running, &text);
}

fn drain_batch(has_failed: bool) -> Result<usize, Error> {
    let rows = queue::drain_batch(settings::queue_batch())?;
    if rows == 0 && has_failed {
        // What failed has been drained, or removed, by somebody else.
        update("failures = 0, retry_at = NULL", &[]);
    }
    Ok(rows)
}

/// Begins a sweep, or goes on with one. Returns how many identifiers have expired; `None` when it has
/// come to its end.
fn sweep_batch(sweep: &mut Option<Sweep>) -> Result<Option<usize>, Error> {
    let Some(sweep) = sweep else {
        // SAFETY: reads the clock.
        *sweep = Some(Sweep::begin(unsafe { pg_sys::GetCurrentTimestamp() })?);
        progress::begin(progress::Work::Expire);
        progress::phase(Phase::Expiring, load::estimated_rows("identifier"), 0);
        return Ok(Some(0));
    };
    let expired = sweep.batch()?;
    if expired.is_some() {
        progress::advance(expire::BATCH);
        update("last_run = now()", &[]);
    } else {
        progress::end();
        // Its end, and not setting.expired_as_of, says when the next is due: that is ahead of a sweep
        // that was interrupted.
        update("last_run = now(), last_expiry = now(), expiry_retry_at = NULL", &[]);
    }
    Ok(expired.map(|expired| expired.len()))
}

/// Changes the one row of `worker_run`, and makes it if somebody has deleted it.
fn update(assignments: &str, args: &[DatumWithOid]) {
    let statement = format!("UPDATE identity_resolve.worker_run SET {assignments}");
    if spi::run(&statement, args) == 0 {
        spi::run("INSERT INTO identity_resolve.worker_run DEFAULT VALUES ON CONFLICT DO NOTHING", &[]);
        spi::run(&statement, args);
    }
}

/// Does `work` in a transaction of its own, which is rolled back if it fails. `None`, and nothing
/// done, if it is time to leave.
fn transact<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<Option<T>, Failure> {
    let all = || {
        // SAFETY: as a session does for a statement; no transaction is open.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
        let result = may_work().then(work).transpose().unwrap_or_else(|error| {
            ErrorReport::from(error).report(PgLogLevel::ERROR);
            unreachable!("an ERROR does not return")
        });
        // SAFETY: ends what was begun above.
        unsafe {
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(result)
    };
    let result = PgTryBuilder::new(AssertUnwindSafe(all))
        .catch_others(|error| {
            let (CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic { ereport: report, .. }) = &error;
            Err(Failure {
                sqlstate: report.sql_error_code(),
                message: report.message().to_owned(),
                detail: report.detail().map(str::to_owned),
                hint: report.hint().map(str::to_owned),
            })
        })
        .execute();
    // SAFETY: no transaction is open but, after an error, the one that failed. Statistics are how
    // autovacuum learns of the rows that draining leaves dead.
    unsafe {
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
            progress::end();
        }
        pg_sys::pgstat_report_stat(false);
    }
    result
}

/// Whether the extension is there to work with, and nobody wants the database for himself. It stays
/// so until the end of the transaction.
fn may_work() -> bool {
    const NAME: &CStr = c"identity_resolve";
    // SAFETY: look-ups in the system catalog.
    unsafe {
        if !process::try_enter(pg_sys::MyDatabaseId) {
            return false;
        }
        let extension = pg_sys::get_extension_oid(NAME.as_ptr(), true);
        if extension == pg_sys::Oid::INVALID || !process::try_keep_extension(extension) {
            return false;
        }
        // It may have been dropped before the lock was ours.
        pg_sys::AcceptInvalidationMessages();
        if pg_sys::get_extension_oid(NAME.as_ptr(), true) != extension {
            return false;
        }
    }
    // The extension may be older than its library, until ALTER EXTENSION … UPDATE.
    ["worker_run", "queue"].iter().all(|table| transaction::relation(table) != pg_sys::Oid::INVALID)
}

/// Whether the launcher is told to look after this database.
pub fn is_listed() -> bool {
    launcher::is_listed(&database_name())
}

fn database_name() -> String {
    // SAFETY: in a transaction, in a database that exists as long as we are in it.
    let name = unsafe { CStr::from_ptr(pg_sys::get_database_name(pg_sys::MyDatabaseId)) };
    name.to_string_lossy().into_owned()
}

/// What went wrong.
struct Failure {
    sqlstate: PgSqlErrorCode,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// For `worker_status`.
    fn text(&self) -> String {
        let lines = [("DETAIL", &self.detail), ("HINT", &self.hint)];
        let lines = lines.map(|(label, line)| {
            line.as_ref().map_or(String::new(), |line| format!("\n{label}: {line}"))
        });
        format!("{}{}", self.message, lines.concat())
    }

    fn log(&self, database: &str) {
        let message =
            format!("identity_resolve worker failed in database \"{database}\": {}", self.message);
        let mut report = ErrorReport::new(self.sqlstate, message, "identity_resolve");
        if let Some(detail) = &self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = &self.hint {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::LOG);
    }
}

/// Keeps a failure that cannot be written down from being met again at once.
fn rest_after(failure: &Failure, database: &str) {
    failure.log(database);
    process::report(Activity::Idle, "waiting after an error");
    let started = Instant::now();
    while started.elapsed() < REST && !matches!(transact(|| Ok(())), Ok(None)) {
        process::wait(Duration::from_secs(1));
    }
}

/// Settings of the database or of the role must not change what work means, nor stop it.
fn pin_settings() {
    let own = [
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_read_only", "off"),
        ("default_transaction_deferrable", "off"),
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
    ];
    for (name, value) in own.iter().chain(&transaction::PINNED) {
        let [name, value] = [name, value].map(|text| CString::new(*text).unwrap_or_default());
        // SAFETY: names and values that PostgreSQL knows; they are copied.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}
