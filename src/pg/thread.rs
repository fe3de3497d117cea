//! Threads for pure work. None of them ever calls PostgreSQL.

use super::settings;
use crate::error::Error;
use std::mem::MaybeUninit;
use std::panic::resume_unwind;
use std::ptr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Items on the way: enough that neither side idles, few enough that an error on one side ends the
/// other at once.
const WAITING: usize = 2;

/// Runs `work` on another thread, which goes on to its end whatever happens here.
pub fn spawn(work: Box<dyn FnOnce() + Send>) {
    without_signals(|| thread::spawn(work));
}

/// Threads among which rayon divides pure work.
pub struct Pool(rayon::ThreadPool);

impl Pool {
    /// Makes as many as `identity_resolve.threads` says; fails (53000) if the system does not give them.
    pub fn new() -> Result<Self, Error> {
        let count = settings::threads();
        let builder = rayon::ThreadPoolBuilder::new().num_threads(count);
        let made = without_signals(|| builder.build());
        made.map(Pool).map_err(|cause| Error::Threads { count, cause: cause.to_string() })
    }

    /// Divides `work`, which must not call PostgreSQL, among them, and waits for it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.install(work)
    }
}

/// Runs `work` on another thread, on the items that `feed` sends from this one. Returns what both
/// return, when both have ended; an error in `feed` ends `work`, as it gets no more items.
pub fn with_consumer<T: Send, W: Send, F>(
    work: impl FnOnce(Receiver<T>) -> W + Send,
    feed: impl FnOnce(SyncSender<T>) -> F,
) -> (W, F) {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let worker = without_signals(|| scope.spawn(|| work(receiver)));
        let fed = feed(sender);
        (worker.join().unwrap_or_else(|panic| resume_unwind(panic)), fed)
    })
}

/// Runs `work` on another thread, which sends items that `take` takes on this one; an error in
/// `take` ends `work`, as nobody takes its items.
pub fn with_producer<T: Send>(work: impl FnOnce(SyncSender<T>) + Send, take: impl FnOnce(Receiver<T>)) {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        without_signals(|| scope.spawn(|| work(sender)));
        take(receiver);
    });
}

/// Gives back to the system what threads have freed: of their heaps the C library keeps all.
pub fn give_memory_back() {
    // SAFETY: may be called at any time, from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Makes a thread that takes no signal: PostgreSQL's handlers belong to the main thread.
fn without_signals<T>(make: impl FnOnce() -> T) -> T {
    // SAFETY: a thread inherits the mask of the one that makes it. All signals are blocked while it
    // is made; both masks are initialised by the calls.
    let _unmask = unsafe {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        Unmask { before: before.assume_init() }
    };
    make()
}

/// Puts a mask back when dropped, even if no thread could be made.
struct Unmask {
    before: libc::sigset_t,
}

impl Drop for Unmask {
    fn drop(&mut self) {
        // SAFETY: sets the mask that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}
