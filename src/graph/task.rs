//! Work that may run on another thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Runs work on another thread. How one must be made, the caller knows.
pub type Spawn = fn(Box<dyn FnOnce() + Send>);

/// Work under way, or done.
///
/// (The mutex only makes it possible to share what holds a task.)
pub struct Task<T>(Mutex<Receiver<T>>);

impl<T: Send + 'static> Task<T> {
    /// Begins `work`: elsewhere if that is possible, else here and now.
    pub fn begin(spawn: Option<Spawn>, work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(1);
        let work = move || {
            // Nobody waits for it any more if the work was cancelled.
            let _ = sender.send(work());
        };
        match spawn {
            Some(spawn) => spawn(Box::new(work)),
            None => work(),
        }
        Task(Mutex::new(receiver))
    }

    /// Waits for the result, giving the caller a moment every so often.
    pub fn finish(self, pulse: &mut dyn FnMut()) -> T {
        let receiver = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        loop {
            match receiver.recv_timeout(Duration::from_millis(20)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => pulse(),
                Err(RecvTimeoutError::Disconnected) => panic!("the work on another thread failed"),
            }
        }
    }
}
