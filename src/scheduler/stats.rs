//! What a pool counted, for those who look from outside.
//!
//! Each worker writes its own counters with plain loads and stores, padded to cache lines of their own:
//! counting costs no read-modify-write and no sharing. A reader sees each number somewhere between
//! what it was when the read began and what it is when it ends.

use crate::sync::AtomicU64;
use crate::sync::site::COUNTER;

/// A number with one writer.
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// Only its worker may call this.
    #[inline(always)]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(COUNTER.get()) + n, COUNTER.get());
    }

    /// As [`add`](Self::add), for a number that several may write.
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, COUNTER.get());
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(COUNTER.get())
    }
}

/// One worker's counters.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(super) run: Counter,
    pub(crate) panicked: Counter,
    pub(crate) stolen: Counter,
    /// Activations of queues, which `run` counts as jobs and a reader does not.
    pub(crate) activations: Counter,
    pub(crate) taken: Counter,
    pub(crate) parked: Counter,
    pub(crate) woken: Counter,
}

impl Counters {
    pub(crate) fn new() -> Counters {
        Counters {
            run: Counter::new(),
            panicked: Counter::new(),
            stolen: Counter::new(),
            activations: Counter::new(),
            taken: Counter::new(),
            parked: Counter::new(),
            woken: Counter::new(),
        }
    }

    /// Jobs run, without activations.
    pub(crate) fn jobs(&self) -> u64 {
        // An activation is counted when it begins and as run when it ends: reading it last never makes
        // the difference too large, and it must not go below zero.
        self.run.get().saturating_sub(self.activations.get())
    }
}

/// A reading of a pool's counters; see [`Pool::stats`](crate::Pool::stats).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// One entry a worker, by its number.
    pub workers: Vec<WorkerStats>,
    /// Jobs that came through the injector since the pool was built: those submitted from outside. A
    /// queue's jobs are not among them; the activations that serve it are.
    pub injected: u64,
    /// Jobs in the injector now.
    pub injector_depth: usize,
    /// [Spares](crate::PoolBuilder::spares) that stand in for a waiting worker now, or are about to rest.
    pub spares: usize,
    /// Jobs run by spares; they are in no worker's entry.
    pub run_by_spares: u64,
    /// Of these, panics that went to the panic handler.
    pub panicked_on_spares: u64,
    /// Waits inside jobs in which a spare had the worker's place.
    pub waits: u64,
    /// Waits for which no spare was to be had: the worker ran other jobs on top.
    pub waits_helped: u64,
}

impl Stats {
    /// Jobs run by all workers and spares.
    #[must_use]
    pub fn run(&self) -> u64 {
        self.workers.iter().map(|worker| worker.run).sum::<u64>() + self.run_by_spares
    }

    /// Panics that went to the panic handler.
    #[must_use]
    pub fn panicked(&self) -> u64 {
        self.workers.iter().map(|worker| worker.panicked).sum::<u64>() + self.panicked_on_spares
    }
}

/// A reading of one worker's counters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Jobs run: closures of `execute`, `spawn` and `install`, and each job of a queue.
    pub run: u64,
    /// Of these, panics that went to the panic handler.
    pub panicked: u64,
    /// Jobs taken from the deque of another worker.
    pub stolen: u64,
    /// How often it went to sleep.
    pub parked: u64,
    /// How often a sleep was ended because there was a job to look for.
    pub woken: u64,
    /// Jobs in its deque now.
    pub deque_depth: usize,
    /// The core that its placement asked for, if any.
    pub asked: Option<usize>,
    /// The core that it is bound to. `None` where none was asked for or the system refused.
    pub pinned_to: Option<usize>,
}
