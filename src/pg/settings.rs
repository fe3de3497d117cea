//! Run-time settings. What belongs to the data stands in the table `setting` instead.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::CString;
use std::time::Duration;

static GRAPH_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(4096);
static MATCH_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(2048);
static THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
static QUEUE_BATCH: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static NOTIFY_CHANNEL: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"identity_resolve"));
static CHECKPOINT_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(60);

/// Announces the settings.
pub fn define() {
    GucRegistry::define_int_guc(
        c"identity_resolve.graph_memory",
        c"Memory that a backfill may take for the graph it solves.",
        c"A backfill that needs more ends with an error and changes nothing. About 100 MB for each million identifiers and links together.",
        &GRAPH_MEMORY,
        16,
        i32::MAX / 1024,
        GucContext::Userset,
        GucFlags::UNIT_MB,
    );
    GucRegistry::define_int_guc(
        c"identity_resolve.match_memory",
        c"Memory that matching may take for records and for the pairs it finds.",
        c"What needs more ends with an error and changes nothing. About 300 MB for each million records of ten fields.",
        &MATCH_MEMORY,
        16,
        i32::MAX / 1024,
        GucContext::Userset,
        GucFlags::UNIT_MB,
    );
    GucRegistry::define_int_guc(
        c"identity_resolve.threads",
        c"Threads that read and compare records.",
        c"0 is one for each core. The result is the same with any number.",
        &THREADS,
        0,
        1024,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"identity_resolve.queue_batch",
        c"Rows that are taken from the queue in one transaction.",
        c"More is faster; less lets writers of sources in mode trigger, and whoever waits for the queue to be drained, wait for less.",
        &QUEUE_BATCH,
        1,
        1_000_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"identity_resolve.checkpoint_interval",
        c"Time after which a backfill saves what it has read.",
        c"A backfill that is cancelled or crashes resumes from there. It saves only when it is not called in a transaction block; 0 saves after each stretch of the table.",
        &CHECKPOINT_INTERVAL,
        0,
        86_400,
        GucContext::Userset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_string_guc(
        c"identity_resolve.notify_channel",
        c"Channel that is notified when profiles have joined, split or lost identifiers.",
        c"Whoever listens reads on in profile_change. Empty notifies nobody: transactions that notify commit one after the other, and cannot be prepared.",
        &NOTIFY_CHANNEL,
        GucContext::Suset,
        GucFlags::default(),
    );
}

/// The channel to notify, if any.
pub fn notify_channel() -> Option<CString> {
    NOTIFY_CHANNEL.get().filter(|name| !name.is_empty())
}

/// Rows that are taken from the queue in one transaction, about.
pub fn queue_batch() -> usize {
    QUEUE_BATCH.get() as usize
}

/// Megabytes that a graph may take.
pub fn graph_memory_mb() -> i32 {
    GRAPH_MEMORY.get()
}

/// Megabytes that matching may take.
pub fn match_memory_mb() -> i32 {
    MATCH_MEMORY.get()
}

/// Threads that read and compare records; 0 is one for each core.
pub fn threads() -> usize {
    THREADS.get() as usize
}

/// See `identity_resolve.checkpoint_interval`.
pub fn checkpoint_interval() -> Duration {
    Duration::from_secs(CHECKPOINT_INTERVAL.get() as u64)
}
