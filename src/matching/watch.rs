//! How far work is that other threads do, and the word to stop it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use thiserror::Error;

/// Work under way on other threads.
#[derive(Debug)]
pub struct Watch {
    stopped: AtomicBool,
    /// Bytes that may be taken, and of these still.
    bytes: usize,
    left: AtomicI64,
    phase: AtomicUsize,
    done: AtomicU64,
    total: AtomicU64,
}

/// What the work is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Reading,
    Counting,
    Sampling,
    Learning,
    Comparing,
    Clustering,
}

const PHASES: [Phase; 6] = [
    Phase::Reading,
    Phase::Counting,
    Phase::Sampling,
    Phase::Learning,
    Phase::Comparing,
    Phase::Clustering,
];

/// The work was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("stopped")]
pub struct Stopped;

impl Watch {
    /// Work that may take so many bytes.
    pub fn new(bytes: usize) -> Self {
        Watch {
            stopped: AtomicBool::new(false),
            bytes,
            left: AtomicI64::new(bytes as i64),
            phase: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
        }
    }

    /// Takes memory; where there is none left the work stops.
    pub fn take(&self, bytes: usize) -> Result<(), Stopped> {
        self.left.fetch_sub(bytes as i64, Ordering::Relaxed);
        if self.is_exhausted() { Err(Stopped) } else { self.go_on() }
    }

    /// Whether more memory was taken than there was.
    pub fn is_exhausted(&self) -> bool {
        self.left.load(Ordering::Relaxed) < 0
    }

    /// Bytes that the work would take at least: as if the phase under way went on as it began.
    pub fn needed(&self) -> usize {
        let taken = (self.bytes as i64 - self.left.load(Ordering::Relaxed)) as f64;
        let (_, done, total) = self.look();
        let share = if (1..total).contains(&done) { done as f64 / total as f64 } else { 1.0 };
        (taken / share) as usize
    }

    /// Tells the work to stop soon.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// To be asked every few microseconds' to milliseconds' work.
    pub fn go_on(&self) -> Result<(), Stopped> {
        if self.stopped.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) }
    }

    /// Begins a phase of `total` steps, 0 if that is not known.
    pub fn begin(&self, phase: Phase, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.phase.store(phase as usize, Ordering::Relaxed);
    }

    pub fn advance(&self, steps: u64) -> Result<(), Stopped> {
        self.done.fetch_add(steps, Ordering::Relaxed);
        self.go_on()
    }

    /// The phase, the steps done and those there are.
    pub fn look(&self) -> (Phase, u64, u64) {
        let phase = PHASES[self.phase.load(Ordering::Relaxed)];
        (phase, self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}
