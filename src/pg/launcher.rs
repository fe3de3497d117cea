//! The launcher: one process of the server that starts, again and again, a worker in each database of
//! `identity_resolve.databases`.
//!
//! A worker ends when it finds nothing to do, and so the launcher's whole life is: every
//! `identity_resolve.naptime`, start a worker in each listed database that exists and has none. No
//! worker stays in an idle database, so that DROP DATABASE need not wait for one; and whatever ends a
//! worker, the next one comes.

use super::process::{self, Activity};
use pgrx::PgSqlErrorCode::{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, ERRCODE_INVALID_CATALOG_NAME};
use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PgLogLevel, pg_guard, pg_sys};
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::time::Duration;

/// After which a launcher that ended with an error, or was terminated, is started again.
const RESTART_AFTER: Duration = Duration::from_secs(5);

static DATABASES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static NAPTIME: GucSetting<i32> = GucSetting::<i32>::new(1000);

/// Announces the settings.
pub fn define() {
    let list = GucFlags::from_bits_retain(pg_sys::GUC_LIST_INPUT as i32);
    // SAFETY: the hook does not panic.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"identity_resolve.databases",
            c"Databases in which a background worker drains queues and expires identifiers.",
            c"Their names, separated by commas; \"quoted\" if they hold a comma or a quote. It needs shared_preload_libraries = 'identity_resolve'. A database without the extension, or that does not exist yet, may be listed.",
            &DATABASES,
            GucContext::Sighup,
            list,
            Some(check_databases),
            None,
            None,
        );
    }
    GucRegistry::define_int_guc(
        c"identity_resolve.naptime",
        c"Time between two looks of the background worker into the queue of a database.",
        c"A row that is queued while the worker is at rest waits up to this long. Each look costs a new process, as it does with autovacuum.",
        &NAPTIME,
        10,
        3_600_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
}

/// See `identity_resolve.naptime`.
pub fn naptime() -> Duration {
    Duration::from_millis(NAPTIME.get() as u64)
}

/// Whether a database is in `identity_resolve.databases`.
pub fn is_listed(database: &str) -> bool {
    listed().iter().any(|listed| listed == database)
}

fn listed() -> Vec<String> {
    // Checked when it was set.
    DATABASES.get().and_then(|list| names(&list.to_string_lossy())).unwrap_or_default()
}

/// The names in a list such as `shop, "a ""b"", c"`; `None` if it is malformed.
fn names(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = list.trim();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let (name, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                (name.trim().to_owned(), after)
            }
        };
        if name.is_empty() || (!rest.starts_with('"') && name.contains('"')) {
            return None;
        }
        names.push(name);
        match after.trim_start() {
            "" => return Some(names),
            after => rest = after.strip_prefix(',')?.trim_start(),
        }
    }
}

/// The name up to the closing quote, in which `""` is a quote, and what follows it.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (piece, after) = rest.split_once('"')?;
        name.push_str(piece);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

/// Refuses a malformed list where it is set.
#[pg_guard]
unsafe extern "C-unwind" fn check_databases(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes the new value, null or a C string, and copies the detail.
    unsafe {
        let is_list = (*value).is_null() || names(&CStr::from_ptr(*value).to_string_lossy()).is_some();
        if !is_list {
            let detail = c"Write names separated by commas, such as: shop, crm.";
            pg_sys::GUC_check_errdetail_string = detail.as_ptr().cast_mut();
        }
        is_list
    }
}

/// Asks the server, as it starts, to run the launcher. It does so unless it is a standby.
pub fn register() {
    // SAFETY: variables of this process.
    let is_time =
        unsafe { pg_sys::process_shared_preload_libraries_in_progress && !pg_sys::IsBinaryUpgrade };
    if is_time {
        BackgroundWorkerBuilder::new("identity_resolve launcher")
            .set_library("identity_resolve")
            .set_function("identity_resolve_launcher")
            .enable_spi_access()
            .set_restart_time(Some(RESTART_AFTER))
            .load();
    }
}

/// The launcher's entry point, by which PostgreSQL starts it.
#[pg_guard]
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn identity_resolve_launcher(_argument: pg_sys::Datum) {
    run();
}

/// What the launcher's process does.
fn run() {
    process::handle_signals();
    // SAFETY: once, in a background process; without a database, of which it sees the shared catalogs.
    unsafe { pg_sys::BackgroundWorkerInitializeConnection(ptr::null(), ptr::null(), 0) };
    let mut launcher = Launcher::default();
    loop {
        launcher.look();
        if process::wait(naptime()) {
            launcher.told.clear();
            launcher.is_full = false;
        }
    }
}

#[derive(Default)]
struct Launcher {
    /// The last worker of each database, until it is known to have ended.
    workers: HashMap<u32, *mut pg_sys::BackgroundWorkerHandle>,
    /// Databases of which the log says already, since the last reload, why they have no worker.
    told: HashSet<String>,
    /// Whether the log says already that there is no room for a worker.
    is_full: bool,
    /// What pg_stat_activity says.
    reported: String,
}

impl Launcher {
    /// Starts the workers that are due.
    fn look(&mut self) {
        self.workers.retain(|_, worker| !free_if_ended(*worker));
        let listed = listed();
        let found = if listed.is_empty() { Vec::new() } else { databases(&listed) };
        let missing = listed.iter().filter(|name| !found.iter().any(|found| found.name == **name));
        for name in missing {
            self.tell(name, "it does not exist");
        }
        for database in found {
            match database.state {
                State::Closed => self.tell(&database.name, "it accepts no connections"),
                State::Claimed => {}
                State::Open if self.workers.contains_key(&database.oid.to_u32()) => {}
                State::Open => self.start(&database),
            }
        }
        let text = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
        let text = format!("databases: {text}");
        if self.reported != text {
            process::report(Activity::Idle, &text);
            self.reported = text;
        }
    }

    fn tell(&mut self, database: &str, why: &str) {
        if self.told.insert(database.to_owned()) {
            let message = format!("identity_resolve has no worker in database \"{database}\"");
            ErrorReport::new(ERRCODE_INVALID_CATALOG_NAME, message, "identity_resolve")
                .set_detail(format!("identity_resolve.databases names it, but {why}."))
                .report(PgLogLevel::LOG);
        }
    }

    fn start(&mut self, database: &Database) {
        let name = format!("identity_resolve worker: {}", database.name);
        let worker = BackgroundWorkerBuilder::new(&name)
            .set_type("identity_resolve worker")
            .set_library("identity_resolve")
            .set_function("identity_resolve_worker")
            .enable_spi_access()
            .set_argument(Some(pg_sys::Datum::from(database.oid)));
        let mut worker = pg_sys::BackgroundWorker::from(&worker);
        let mut handle = ptr::null_mut();
        // SAFETY: the description is copied. Outside a transaction the handle is allocated for the
        // life of this process.
        if unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle) } {
            self.workers.insert(database.oid.to_u32(), handle);
            self.is_full = false;
        } else if !std::mem::replace(&mut self.is_full, true) {
            let message = "identity_resolve finds no room for a background worker";
            ErrorReport::new(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, message, "identity_resolve")
                .set_detail(format!("Database \"{}\" waits for one.", database.name))
                .set_hint("Raise max_worker_processes.")
                .report(PgLogLevel::LOG);
        }
    }
}

/// Frees the handle of a worker that has ended.
fn free_if_ended(worker: *mut pg_sys::BackgroundWorkerHandle) -> bool {
    let mut pid = 0;
    // SAFETY: a handle that PostgreSQL gave and that was not freed yet.
    unsafe {
        let has_ended =
            pg_sys::GetBackgroundWorkerPid(worker, &mut pid) == pg_sys::BgwHandleStatus::BGWH_STOPPED;
        if has_ended {
            pg_sys::pfree(worker.cast());
        }
        has_ended
    }
}

struct Database {
    name: String,
    oid: pg_sys::Oid,
    state: State,
}

enum State {
    Open,
    /// Somebody wants it for himself, to drop or to copy it.
    Claimed,
    /// Nobody may connect.
    Closed,
}

/// Those of the listed databases that exist.
fn databases(listed: &[String]) -> Vec<Database> {
    let mut found = Vec::new();
    // SAFETY: as autovacuum's launcher does: a process without a database can scan the shared
    // catalogs' tables, but not count on their indexes. Tuples are only looked at while the scan
    // stands on them.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::GetTransactionSnapshot();
        let table = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
        let scan = pg_sys::table_beginscan_catalog(table, 0, ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let row = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            let name = CStr::from_ptr((*row).datname.data.as_ptr()).to_string_lossy().into_owned();
            if listed.contains(&name) {
                let state = match (*row).datallowconn {
                    // DROP DATABASE is at it, or was interrupted (PostgreSQL 15.4).
                    _ if (*row).datconnlimit == -2 => State::Claimed,
                    true => State::Open,
                    false => State::Closed,
                };
                found.push(Database { name, oid: (*row).oid, state });
            }
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(table, pg_sys::AccessShareLock as i32);
        for database in found.iter_mut().filter(|database| matches!(database.state, State::Open)) {
            if !process::try_enter(database.oid) {
                database.state = State::Claimed;
            }
        }
        pg_sys::CommitTransactionCommand();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn lists_of_names() {
        let list = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(names(""), list(&[]));
        assert_eq!(names("  "), list(&[]));
        assert_eq!(names("shop"), list(&["shop"]));
        assert_eq!(names(" shop ,Crm,my db "), list(&["shop", "Crm", "my db"]));
        assert_eq!(names(r#""a, ""b""" , c"#), list(&[r#"a, "b""#, "c"]));
        for malformed in ["a,", ",a", "a,,b", r#""a"#, r#""a" b"#, r#"a"b"#, r#""""#, ","] {
            assert_eq!(names(malformed), None, "{malformed}");
        }
    }
}
