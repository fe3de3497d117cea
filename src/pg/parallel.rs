//! Work of matching on threads of its own.

use super::thread::{self, Pool};
use super::{progress, settings, transaction};
use crate::error::Error;
use crate::graph::task::Task;
use crate::matching::watch::{Phase, Stopped, Watch};
use std::sync::Arc;

/// Runs `work` on threads of its own while this one listens for a cancel.
///
/// `taken`: bytes of the memory it may take that are taken already. `pulse` is called every so often,
/// and once it is done.
pub fn run<T: Send + 'static>(
    taken: usize,
    pulse: &mut dyn FnMut(),
    work: impl FnOnce(&Watch) -> Result<T, Stopped> + Send + 'static,
) -> Result<T, Error> {
    let limit_mb = settings::match_memory_mb();
    let left = ((limit_mb as usize) << 20).saturating_sub(taken);
    let watch = Arc::new(Watch::new(left));
    let _stop = StopWhenDropped(Arc::clone(&watch));
    let theirs = Arc::clone(&watch);
    let pool = Pool::new()?;
    let task = Task::begin(Some(thread::spawn), move || pool.run(|| work(&theirs)));
    let mut shown = None;
    let result = task.finish(&mut || {
        transaction::check_for_cancel();
        let (phase, done, total) = watch.look();
        if shown != Some((phase, total)) {
            shown = Some((phase, total));
            progress::phase(progress_phase(phase), total as i64, 0);
        }
        progress::reach(done as i64);
        pulse();
    });
    pulse();
    thread::give_memory_back();
    result.map_err(|Stopped| Error::MatchMemory {
        limit_mb,
        needed_mb: (taken + watch.needed()).div_ceil(1 << 20),
    })
}

/// Tells the work to stop when the one who waits for it goes away.
struct StopWhenDropped(Arc<Watch>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn progress_phase(phase: Phase) -> progress::Phase {
    match phase {
        Phase::Reading => progress::Phase::Reading,
        Phase::Counting => progress::Phase::Counting,
        Phase::Sampling => progress::Phase::Sampling,
        Phase::Learning => progress::Phase::Learning,
        Phase::Comparing => progress::Phase::Comparing,
        Phase::Clustering => progress::Phase::Clustering,
    }
}
