//! Threads for pure work. None of them ever calls PostgreSQL.

use std::mem::MaybeUninit;
use std::panic::resume_unwind;
use std::ptr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Items that wait for the worker: enough that neither side idles, few enough that it notices at
/// once when an error ends the feeding.
const WAITING: usize = 2;

/// Runs `task` on another thread.
pub fn spawn(task: Box<dyn FnOnce() -> Vec<u8> + Send>) -> JoinHandle<Vec<u8>> {
    without_signals(|| thread::spawn(task))
}

/// Runs `work` on another thread, on the items that `feed` sends from this one. Returns what both
/// return, when both have ended; an error in `feed` ends `work`, as it gets no more items.
pub fn with_worker<T: Send, W: Send, F>(
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

/// Makes a thread that takes no signal: PostgreSQL's handlers belong to the main thread.
fn without_signals<T>(make: impl FnOnce() -> T) -> T {
    // SAFETY: a thread inherits the mask of the one that makes it. All signals are blocked while it
    // is made, and the mask is put back at once; both masks are initialised by the calls.
    unsafe {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let made = make();
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        made
    }
}
