//! Threads for pure work. None of them ever calls PostgreSQL.

use std::mem::MaybeUninit;
use std::ptr;
use std::thread::{self, JoinHandle};

/// Runs `task` on a thread that takes no signal: PostgreSQL's handlers belong to the main thread.
pub fn spawn(task: Box<dyn FnOnce() -> Vec<u8> + Send>) -> JoinHandle<Vec<u8>> {
    // SAFETY: a thread inherits the mask of the one that makes it. All signals are blocked while it
    // is made, and the mask is put back at once; both masks are initialised by the calls.
    unsafe {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let handle = thread::spawn(task);
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        handle
    }
}
