//! The pool as a user sees it: its builder, its methods and the free functions.
//!
//! [`build`] makes a pool from its options, [`run`] gives it jobs, [`shutdown`] ends it.

mod build;
mod builder;
mod builder_threads;
mod error;
mod fork_functions;
mod fork_join;
mod functions;
mod global;
mod placement;
mod plan;
mod report;
mod run;
mod shutdown;
mod worker_thread;

pub use builder::PoolBuilder;
pub use error::ShutdownError;
pub use fork_functions::{
    broadcast, broadcast_context, in_place_scope, in_place_scope_fifo, join, join_context, scope, scope_fifo,
    spawn_broadcast,
};
pub use functions::{current_worker, current_workers, execute, execute_fifo, spawn};
pub use placement::Placement;
pub use report::{Shutdown, WorkerReport};
pub use worker_thread::WorkerThread;

use std::fmt;
use std::time::Duration;

use crate::scheduler::registry::Shared;
use crate::scheduler::stats::{Stats, WorkerStats};
use crate::scheduler::thread::Trace;
use crate::scheduler::worker::with_current;
use crate::sync::{Arc, Mutex};
use crate::waiting::latch::CountLatch;
use worker_thread::Threads;

/// A set of worker threads, each bound to a core, that run jobs and steal jobs from each other.
///
/// A pool is used through `&self`: share it by reference or in an `Arc`.
///
/// Dropping a pool [shuts it down](Self::shutdown): all accepted jobs run, and the threads are joined. If one of the
/// pool's own jobs drops it, the pool closes and nothing is joined: the threads finish the accepted jobs and then
/// end.
///
/// # Examples
/// ```
/// let pool = filch::Pool::new()?;
/// pool.execute(|| println!("on worker {:?}", filch::current_worker()))?;
/// let squares = pool.spawn(|| (1..4).map(|n| n * n).sum::<u32>());
/// assert_eq!(squares.join()?, 14);
/// let report = pool.shutdown()?;
/// assert_eq!(report.run, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pool {
    pub(crate) registry: Shared,
    /// `None` once a caller took them, to join them or to let them go.
    pub(in crate::pool) threads: Mutex<Option<Threads>>,
    /// Opens when the threads were joined.
    pub(crate) joined: CountLatch,
    /// The threads that std started for this pool. A thread counts as one of them until its thread-locals are gone,
    /// long after it ceased to be a worker.
    pub(crate) traces: Vec<Trace>,
    /// Opens when each thread that std started for the pool is on its core, or was refused that core. Open from the
    /// start if the host starts the threads.
    pub(crate) bound: Arc<CountLatch>,
    pub(crate) detached: bool,
}

impl Pool {
    pub(in crate::pool) fn assemble(registry: Shared, threads: Threads, bound: Arc<CountLatch>) -> Pool {
        let traces = threads.traces();
        Pool {
            registry,
            threads: Mutex::new(Some(threads)),
            joined: CountLatch::new(1),
            traces,
            bound,
            detached: false,
        }
    }

    pub(crate) fn registry(&self) -> &Shared {
        &self.registry
    }

    /// Returns the number of workers.
    ///
    /// # Examples
    /// ```
    /// // Cut a job into one part for each worker.
    /// let pool = filch::Pool::builder().workers(3).build()?;
    /// let items: Vec<u32> = (0..10).collect();
    /// let parts = items.chunks(items.len().div_ceil(pool.workers()));
    /// assert_eq!(parts.len(), 3);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    pub fn workers(&self) -> usize {
        self.registry.peers.len()
    }

    /// Returns the number of the calling worker. `None` if the calling thread is no worker, or is a worker of another
    /// pool.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let other = filch::Pool::builder().workers(1).build()?;
    /// assert_eq!(pool.current_worker(), None);
    /// assert_eq!(pool.install(|| (pool.current_worker(), other.current_worker())), (Some(0), None));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn current_worker(&self) -> Option<usize> {
        with_current(|worker| {
            worker
                .filter(|worker| Arc::ptr_eq(&worker.registry, &self.registry))
                .map(|worker| worker.number.get())
        })
    }

    /// Returns what the workers did so far, and the core of each.
    ///
    /// The call disturbs no worker. It takes a lock that workers take only for waits inside jobs. Right after `build`
    /// it waits until the threads that the pool started are on their cores.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// pool.install(|| ());
    /// let stats = pool.stats();
    /// assert_eq!((stats.workers.len(), stats.injected), (2, 1));
    /// for (number, worker) in stats.workers.iter().enumerate() {
    ///     if worker.asked != worker.pinned_to {
    ///         eprintln!("worker {number} is not where it should be");
    ///     }
    /// }
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        if !self.registry.forked() {
            self.bound.wait();
        }
        let peers = &self.registry.peers;
        let injector_depth = self.registry.injector.len();
        let taken: u64 = self.registry.all_peers().map(|peer| peer.counters.taken.get()).sum();
        let workers = peers
            .iter()
            .enumerate()
            .map(|(index, peer)| WorkerStats {
                run: peer.counters.jobs(),
                panicked: peer.counters.panicked.get(),
                stolen: peer.counters.stolen.get(),
                parked: peer.counters.parked.get(),
                woken: peer.counters.woken.get(),
                deque_depth: peer.stealer.len() + peer.private.len(),
                asked: self.registry.cores.of(index),
                pinned_to: self.registry.sleep.home(index),
                let_loose: peer.counters.let_loose.get(),
                kept_waiting: Duration::from_nanos(peer.counters.kept_waiting.get()),
            })
            .collect();
        let spares = || self.registry.spares.peers().map(|peer| &peer.counters);
        let counts = self.registry.spares.counts();
        Stats {
            workers,
            injected: taken + injector_depth as u64,
            injector_depth,
            spares: counts.now,
            run_by_spares: spares().map(|counters| counters.jobs()).sum(),
            panicked_on_spares: spares().map(|counters| counters.panicked.get()).sum(),
            waits: counts.called,
            waits_helped: counts.refused,
            asymmetric_fences: self.registry.uses_heavy(),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("workers", &self.workers()).finish_non_exhaustive()
    }
}
