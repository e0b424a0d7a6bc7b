//! For how long the workers of a pool had to wait for their cores, as other threads read it.

// Plain atomics and a plain lock, not the facade's: what they hold decides only where a thread may run. Under a checker
// no worker has an entry.
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sync::site::PLACED;
use crate::system::clock::Instant;
use crate::system::switches;

/// Two readings that lie closer together tell nothing: a slice of the system's takes milliseconds.
const LEAST: Duration = Duration::from_millis(8);

/// Two readings that lie further apart tell nothing of now.
const MOST: Duration = Duration::from_millis(200);

/// A worker that waits for this share of the time shares its core.
const SHARE: u32 = 4;

/// How often in a row a worker must share its core until it is worth a move.
const TIMES: u32 = 2;

/// What other threads know of one worker's thread.
#[derive(Clone, Default)]
pub(super) struct RunDelay {
    /// The thread, for as long as it is bound to a core that it may leave.
    pub(super) thread: Option<u32>,
    before: Option<(Instant, Duration)>,
    /// For how many readings in a row it has shared its core, and how long it waited in these.
    shared: (u32, Duration),
    /// When another thread let it loose, and how long it had waited; until the worker knows.
    moved: Option<(Instant, Duration)>,
}

impl RunDelay {
    /// Reads for how long the worker had to wait. Returns the time that it waited if it has shared its core for some
    /// readings in a row.
    pub(super) fn read(&mut self, now: Instant) -> Option<Duration> {
        if self.before.is_some_and(|(then, _)| now - then < LEAST) {
            return None;
        }
        let delay = self.thread.and_then(switches::run_delay);
        let before = std::mem::replace(&mut self.before, delay.map(|delay| (now, delay)));
        let ((then, before), delay) = (before?, delay?);
        let (took, waited) = (now - then, delay.saturating_sub(before));
        self.shared = match self.shared {
            (times, sum) if took <= MOST && waited * SHARE >= took => (times + 1, sum + waited),
            _ => (0, Duration::ZERO),
        };
        let (times, sum) = self.shared;
        (times >= TIMES).then_some(sum)
    }

    /// Forgets the readings: they tell nothing of what comes.
    pub(super) fn forget(&mut self) {
        self.before = None;
        self.shared = (0, Duration::ZERO);
    }

    /// Whether the last reading says that the worker shares its core.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.0 > 0
    }
}

/// For how long the workers of a pool had to wait for their cores. Who holds the lock of the readings may change the
/// binding of a worker that has an entry.
#[derive(Default)]
pub(crate) struct RunDelays {
    readings: Mutex<Vec<RunDelay>>,
    /// For each worker, whether another thread has let it loose and it does not know yet.
    moved: Box<[AtomicBool]>,
    /// Whether a thread that waits looks after the workers.
    watched: AtomicBool,
    /// Whether the last wait for the pool was a short one.
    short: AtomicBool,
    /// Whether each worker knows what became of the system's fence.
    heavy_told: AtomicBool,
}

impl RunDelays {
    pub(crate) fn new(workers: usize) -> RunDelays {
        RunDelays {
            readings: Mutex::new(vec![RunDelay::default(); workers]),
            moved: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            watched: AtomicBool::new(false),
            short: AtomicBool::new(false),
            heavy_told: AtomicBool::new(false),
        }
    }

    /// Takes the lock of the readings.
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<RunDelay>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the calling thread is worker `index` and is bound to a core that it may leave, or that it is not so any
    /// more.
    pub(super) fn note_bound(&self, readings: &mut [RunDelay], index: usize, is: bool) {
        let thread = if is { switches::thread_number() } else { None };
        readings[index] = RunDelay { thread, ..RunDelay::default() };
        self.moved[index].store(false, PLACED.get());
    }

    /// Notes that another thread has let worker `index` loose, after the worker had waited for this long.
    pub(super) fn note_moved(&self, reading: &mut RunDelay, index: usize, now: Instant, waited: Duration) {
        *reading = RunDelay { moved: Some((now, waited)), ..RunDelay::default() };
        self.moved[index].store(true, PLACED.get());
    }

    /// Whether another thread has let worker `index` loose and it does not know yet. Exact with the lock.
    pub(super) fn is_moved(&self, index: usize) -> bool {
        self.moved[index].load(PLACED.get())
    }

    /// Returns, once, when another thread let worker `index` loose and how long the worker had waited before; `None` if
    /// nobody did.
    pub(super) fn take_moved(&self, index: usize) -> Option<(Instant, Duration)> {
        if !self.is_moved(index) {
            return None;
        }
        self.moved[index].store(false, PLACED.get());
        self.lock()[index].moved.take()
    }

    /// Makes the caller the one thread that looks after the workers, unless there is one.
    pub(super) fn begin_watch(&self) -> bool {
        !self.watched.swap(true, PLACED.get())
    }

    pub(super) fn end_watch(&self) {
        self.watched.store(false, PLACED.get());
    }

    /// Notes that a thread has waited for the pool, and whether for long.
    pub(super) fn note_wait(&self, long: bool) {
        if self.short.load(PLACED.get()) == long {
            self.short.store(!long, PLACED.get());
        }
    }

    /// Whether the next wait is expected to be a long one.
    pub(super) fn expects_long(&self) -> bool {
        !self.short.load(PLACED.get())
    }

    pub(super) fn is_heavy_told(&self) -> bool {
        self.heavy_told.load(PLACED.get())
    }

    #[cfg(test)]
    pub(crate) fn forget_heavy_told(&self) {
        self.heavy_told.store(false, PLACED.get());
    }

    pub(super) fn note_heavy_told(&self) {
        self.heavy_told.store(true, PLACED.get());
    }
}
