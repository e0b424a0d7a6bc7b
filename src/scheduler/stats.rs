//! The counters of a pool, and the readings of them that a user gets.
//!
//! Each worker writes its own counters with plain loads and stores, padded to cache lines of their own. So counting
//! costs no read-modify-write and no sharing. A reader sees each number somewhere between its value when the read
//! began and its value when the read ends.

use std::time::Duration;

use crate::sync::AtomicU64;
use crate::sync::site::COUNTER;

/// A number with one writer, or one that all its writers change with [`add_shared`](Self::add_shared).
#[derive(Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// Adds `n`. Only the worker that owns the counter may call this.
    #[inline(always)]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(COUNTER.get()) + n, COUNTER.get());
    }

    /// Adds `n` to a counter that several threads may write.
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, COUNTER.get());
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(COUNTER.get())
    }
}

/// The counters of one worker.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(super) run: Counter,
    pub(crate) panicked: Counter,
    pub(crate) stolen: Counter,
    /// Jobs of the pool that no user submitted: activations of queues, bundles. `run` counts them as jobs, and a
    /// reading subtracts them.
    pub(crate) activations: Counter,
    pub(crate) taken: Counter,
    pub(crate) parked: Counter,
    pub(crate) woken: Counter,
    pub(crate) let_loose: Counter,
    /// In nanoseconds.
    pub(crate) kept_waiting: Counter,
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
            let_loose: Counter::new(),
            kept_waiting: Counter::new(),
        }
    }

    /// Returns the number of jobs run, without activations.
    pub(crate) fn jobs(&self) -> u64 {
        // An activation counts here when it begins, and in `run` when it ends. `run` is read first, so the
        // difference is never too large; it may be too small, and must not go below zero.
        self.run.get().saturating_sub(self.activations.get())
    }
}

/// A reading of a pool's counters, which [`Pool::stats`](crate::Pool::stats) returns.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(2).build()?;
/// pool.install(|| ());
/// let stats = pool.stats();
/// // How many jobs wait, as a measure of the load.
/// let waiting = stats.injector_depth + stats.workers.iter().map(|worker| worker.deque_depth).sum::<usize>();
/// assert_eq!((stats.workers.len(), waiting), (2, 0));
/// # Ok::<(), filch::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// One entry for each worker, in the order of their numbers.
    pub workers: Vec<WorkerStats>,
    /// Jobs that came through the injector since the pool was built, which are the jobs submitted from outside. The
    /// jobs of a queue are not among them; the activations that serve the queue are. A job that a waiting worker or
    /// a spare puts back into the injector counts as well.
    pub injected: u64,
    /// Jobs in the injector now.
    pub injector_depth: usize,
    /// [Spares](crate::PoolBuilder::spares) that stand in for a waiting worker now, or are about to rest.
    pub spares: usize,
    /// Jobs run by spares. No worker's entry contains them.
    pub run_by_spares: u64,
    /// How many panics on spares went to the panic handler.
    pub panicked_on_spares: u64,
    /// Waits inside jobs during which a spare had the worker's place.
    pub waits: u64,
    /// Waits for which no spare was available: the worker ran other jobs on top of the waiting one, or blocked its
    /// thread in [`blocking`](fn@crate::blocking). A pool without spares does not count them.
    pub waits_helped: u64,
    /// Whether thieves may use the system's fence on all cores now: see
    /// [`PoolBuilder::asymmetric_fences`](crate::PoolBuilder::asymmetric_fences). The system takes some milliseconds
    /// to grant it to the first pool of a process; until then this is `false`.
    pub asymmetric_fences: bool,
}

impl Stats {
    /// Returns the number of jobs run by all workers and spares.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// for _ in 0..3 {
    ///     pool.execute(|| ())?;
    /// }
    /// pool.shutdown()?;
    /// assert_eq!(pool.stats().run(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn run(&self) -> u64 {
        self.workers.iter().map(|worker| worker.run).sum::<u64>() + self.run_by_spares
    }

    /// Returns the number of panics that went to the panic handler, on all workers and spares.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// pool.execute(|| panic!("no caller waits for this"))?;
    /// // This panic goes to the handle, so it does not count.
    /// assert!(pool.spawn(|| -> u8 { panic!("the handle has it") }).join().is_err());
    /// pool.shutdown()?;
    /// assert_eq!(pool.stats().panicked(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn panicked(&self) -> u64 {
        self.workers.iter().map(|worker| worker.panicked).sum::<u64>() + self.panicked_on_spares
    }
}

/// A reading of one worker's counters; part of [`Stats`].
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(2).placement(filch::Placement::Unpinned).build()?;
/// for worker in &pool.stats().workers {
///     // No core was asked for, and the worker is bound to none.
///     assert_eq!((worker.asked, worker.pinned_to), (None, None));
/// }
/// # Ok::<(), filch::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Jobs run: closures of `execute`, `spawn` and `install`, and each job of a queue.
    pub run: u64,
    /// How many panics on this worker went to the panic handler.
    pub panicked: u64,
    /// Jobs taken from another worker: from its deque, or from the private jobs in front of it.
    pub stolen: u64,
    /// How often the worker went to sleep.
    pub parked: u64,
    /// How often a sleep ended because there was a job to look for.
    pub woken: u64,
    /// Jobs in the worker's deque now, and private jobs in front of it.
    pub deque_depth: usize,
    /// The core that the placement asked for, if any. With [`Placement::Cores`](crate::Placement::Cores), the core that
    /// the worker chose when its thread started.
    pub asked: Option<usize>,
    /// The core that the worker is bound to. `None` if no core was asked for, or the system refused, or the worker is
    /// let loose now because somebody else keeps its core: see [`Placement::Cores`](crate::Placement::Cores).
    pub pinned_to: Option<usize>,
    /// How often the worker was let loose. If another thread did that during a long job, it counts once the job is over.
    pub let_loose: u64,
    /// For how long the worker waited for a core while it had something to do. Only long waits count, and only with
    /// [`Placement::Cores`](crate::Placement::Cores).
    pub kept_waiting: Duration,
}
