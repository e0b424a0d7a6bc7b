//! How long each worker that was woken waited for its core.

// Plain atomics and not the facade's: what they hold decides only where a thread may run. Under a checker there are
// none.
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::sync::site::PLACED;
use crate::system::clock::Instant;

/// When each worker was last woken.
pub(super) struct Lags {
    begun: Instant,
    /// In nanoseconds since `begun`. A waker writes this before it wakes the worker, which orders it for the worker.
    woken: Box<[AtomicU64]>,
}

impl Lags {
    pub(super) fn new(workers: usize) -> Lags {
        Lags { begun: Instant::now(), woken: (0..workers).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Notes that the worker is woken now. Spares have no entry.
    pub(super) fn note_woken(&self, index: usize) {
        if let Some(woken) = self.woken.get(index) {
            woken.store(self.begun.elapsed().as_nanos() as u64, PLACED.get());
        }
    }

    /// How long ago the worker was woken.
    pub(super) fn since_woken(&self, index: usize) -> Duration {
        let woken = self.woken.get(index).map_or(0, |woken| woken.load(PLACED.get()));
        self.begun.elapsed().saturating_sub(Duration::from_nanos(woken))
    }
}
