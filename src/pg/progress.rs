//! Progress of long work, for other sessions to read: the view `progress`.
//!
//! PostgreSQL reports the progress of its own commands in a slot that each backend has in shared
//! memory, and lets no extension add a kind. We report in the slot for COPY, which both reading a
//! table and writing one are, marked by [`MARK`]: it needs no shared_preload_libraries, and is
//! cleared by PostgreSQL itself when the work fails.

use pgrx::pg_sys;
use std::cell::Cell;

/// Tells our reports from those of COPY; the view looks for it.
const MARK: i64 = 0x6567_7265_7366_7772;

/// Where our parameters begin among the slot's 20; COPY itself uses the first six.
const FIRST: i32 = 10;

/// What is being done. The view knows them by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Work {
    /// Sources are read, or let go.
    Backfill = 1,
    /// Queued rows are brought into the graph.
    DrainQueue = 2,
    /// A sweep looks for what has expired.
    Expire = 3,
    /// Today's configuration is applied to what is stored.
    Rebuild = 4,
    /// What a rebuild would change is worked out.
    Preview = 5,
    /// A model is learned.
    Train = 6,
    /// Records are compared.
    Match = 7,
    /// What a model finds is held against the truth.
    Evaluate = 8,
}

/// A stage of it. The view knows them by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Phase {
    Reading = 1,
    Loading = 2,
    Solving = 3,
    Writing = 4,
    // 5 is what PostgreSQL itself reports while it builds indexes.
    Draining = 6,
    Expiring = 7,
    /// Pairs that blocking rules make are counted.
    Counting = 8,
    Sampling = 9,
    Learning = 10,
    Comparing = 11,
    Clustering = 12,
}

/// A report under way.
#[derive(Clone, Copy)]
pub struct Report {
    work: i64,
    phase: i64,
    done: i64,
    total: i64,
    started: i64,
    phase_started: i64,
    source: u32,
}

thread_local! {
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static REPORT: Cell<Report> = const {
        Cell::new(Report { work: 0, phase: 0, done: 0, total: 0, started: 0, phase_started: 0, source: 0 })
    };
}

/// Begins to report.
pub fn begin(work: Work) {
    ACTIVE.set(true);
    let (work, now) = (work as i64, now());
    REPORT.set(Report {
        work,
        phase: 0,
        done: 0,
        total: 0,
        started: now,
        phase_started: now,
        source: 0,
    });
}

/// Begins a phase with `total` rows to do (0: unknown), on the source of this oid (0: on none).
pub fn phase(phase: Phase, total: i64, source: u32) {
    let report = REPORT.get();
    REPORT.set(Report { phase: phase as i64, done: 0, total, phase_started: now(), source, ..report });
    publish();
}

/// Counts rows that are done.
pub fn advance(rows: i64) {
    let mut report = REPORT.get();
    report.done += rows;
    report.total = if report.total > 0 { report.total.max(report.done) } else { 0 };
    REPORT.set(report);
    publish();
}

/// Says how many rows are done.
pub fn reach(done: i64) {
    let report = REPORT.get();
    REPORT.set(Report { done, ..report });
    publish();
}

/// Whether a report is under way.
pub fn is_active() -> bool {
    ACTIVE.get()
}

/// Ends the report for now; `None` if there is none.
pub fn suspend() -> Option<Report> {
    ACTIVE.get().then(|| {
        end();
        REPORT.get()
    })
}

/// Goes on with a report.
pub fn resume(report: Report) {
    ACTIVE.set(true);
    REPORT.set(report);
    publish();
}

/// Ends the report.
pub fn end() {
    ACTIVE.set(false);
    // SAFETY: clears this backend's own slot.
    unsafe { pg_sys::pgstat_progress_end_command() };
}

fn publish() {
    if !ACTIVE.get() {
        return;
    }
    let r = REPORT.get();
    let source = i64::from(r.source);
    let values = [MARK, r.phase, r.done, r.total, r.started, r.phase_started, source, r.work];
    let places: [i32; 8] = std::array::from_fn(|i| FIRST + i as i32);
    // SAFETY: writes to this backend's own slot; both arrays have the stated length. Starting
    // the command again is how the slot is taken back from a COPY of ours.
    unsafe {
        pg_sys::pgstat_progress_start_command(
            pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY,
            pg_sys::Oid::from(r.source),
        );
        pg_sys::pgstat_progress_update_multi_param(8, places.as_ptr(), values.as_ptr());
    }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}
