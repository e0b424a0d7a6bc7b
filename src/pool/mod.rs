//! A pool as its users have it: made, and given jobs. Its end is in [`shutdown`].

mod build;
mod builder;
mod fork_functions;
mod fork_join;
mod functions;
mod global;
mod placement;
mod plan;
mod shutdown;
mod worker_thread;

pub use builder::PoolBuilder;
pub use fork_functions::{
    broadcast, broadcast_context, in_place_scope, in_place_scope_fifo, join, join_context, scope, scope_fifo,
    spawn_broadcast,
};
pub use functions::{current_worker, current_workers, execute, execute_fifo, spawn};
pub use placement::Placement;
pub use shutdown::{Shutdown, WorkerReport};
pub use worker_thread::WorkerThread;

use std::fmt;

use crate::error::Closed;
use crate::queue::QueueBuilder;
use crate::scheduler::registry::Shared;
use crate::scheduler::stats::{Stats, WorkerStats};
use crate::scheduler::thread::Trace;
use crate::scheduler::worker::{Wait, with_current};
use crate::sync::{Arc, Mutex};
use crate::tasks::handle::JoinHandle;
use crate::tasks::{install, spawn as tasks};
use crate::waiting::latch::CountLatch;
use worker_thread::Threads;

/// A number of worker threads, each bound to a core, that run jobs and steal them from each other.
///
/// A pool is used through `&self`; share it by reference or in an `Arc`. Dropping it
/// [shuts it down](Self::shutdown): what was accepted runs, and the threads are joined. Dropped by one of its
/// own jobs, it closes and lets its threads go: they finish what was accepted and end.
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
    /// Taken by who joins them, or lets them go.
    pub(in crate::pool) threads: Mutex<Option<Threads>>,
    /// Opens when they were.
    pub(crate) joined: CountLatch,
    /// Our threads. They are so until their thread-locals are gone, when they have long ceased to be workers.
    pub(crate) traces: Vec<Trace>,
    /// Opens when each of our threads is on its core, or was refused it.
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

    /// How many workers it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.registry.peers.len()
    }

    /// The number of the worker of this pool that the calling thread is; `None` if it is none, or another pool's.
    #[must_use]
    #[inline]
    pub fn current_worker(&self) -> Option<usize> {
        with_current(|worker| {
            worker
                .filter(|worker| Arc::ptr_eq(&worker.registry, &self.registry))
                .map(|worker| worker.number.get())
        })
    }

    /// Has a worker run `f`, and forgets it. Does not block.
    ///
    /// Closures with up to 24 bytes of captures are not allocated. Called by a job of this pool, `f` goes to
    /// the deque of its worker, whence the newest is run first and the oldest stolen first; called from
    /// elsewhere, through the injector, oldest first. What `f` panics with goes to the panic handler.
    ///
    /// # Errors
    /// `f` back, if the pool is shut down (the pool's own jobs may submit until the drain has ended) or this is
    /// a forked child.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// pool.execute(|| println!("done"))?;
    /// pool.shutdown()?;
    /// let refused = pool.execute(|| println!("not run")).unwrap_err();
    /// assert_eq!(refused.reason(), filch::ClosedReason::Shutdown);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn execute<F>(&self, f: F) -> Result<(), Closed<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        tasks::execute(&self.registry, f)
    }

    /// As [`execute`](Self::execute), but of what one worker submits so, the oldest runs first.
    ///
    /// # Errors
    /// As for [`execute`](Self::execute).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (send, order) = std::sync::mpsc::channel();
    /// pool.install(|| {
    ///     for n in 0..3 {
    ///         let send = send.clone();
    ///         pool.execute_fifo(move || send.send(n).unwrap()).unwrap();
    ///     }
    /// });
    /// drop(send);
    /// assert_eq!(order.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn execute_fifo<F>(&self, f: F) -> Result<(), Closed<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        tasks::execute_fifo(&self.registry, f)
    }

    /// Has a worker run `f`, and returns a handle to wait for what it returns or panics with. Does not block.
    ///
    /// If the pool does not take it, the handle says so. Costs an allocation that job and handle share.
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        tasks::spawn(&self.registry, f).0
    }

    /// Runs `f` on a worker of this pool, waits, and returns what it returned. `f` may borrow.
    ///
    /// A worker of this pool runs it on the spot. A worker of another pool leaves its place to a
    /// [spare](PoolBuilder::spares) of its own pool while it waits; any other thread sleeps. No allocation.
    ///
    /// # Panics
    /// With what `f` panicked with; or if the pool is shut down or this is a forked child, for which there is
    /// [`try_install`](Self::try_install).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// let words = vec!["steal", "something", "small"];
    /// let longest = pool.install(|| words.iter().max_by_key(|word| word.len()));
    /// assert_eq!(longest, Some(&"something"));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn install<F, R>(&self, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        match self.try_install(f) {
            Ok(value) => value,
            Err(closed) => panic!("{closed}"),
        }
    }

    /// As [`install`](Self::install), but hands `f` back if the pool does not take it.
    ///
    /// # Errors
    /// `f` back, if the pool is shut down or this is a forked child.
    ///
    /// # Panics
    /// With what `f` panicked with.
    pub fn try_install<F, R>(&self, f: F) -> Result<R, Closed<F>>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        install::try_install(&self.registry, None, f)
    }

    /// As [`install`](Self::install), with a say in what a worker does meanwhile: see [`Wait`].
    ///
    /// # Panics
    /// As [`install`](Self::install).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Mutex;
    ///
    /// let pool = filch::Pool::new()?;
    /// let other = filch::Pool::new()?;
    /// let total = Mutex::new(0);
    /// pool.scope(|s| {
    ///     for n in 0..100 {
    ///         let (other, total) = (&other, &total);
    ///         s.spawn(move |_| {
    ///             let mut total = total.lock().unwrap();
    ///             // With `install`, the worker might run another of these jobs here, which wants the lock.
    ///             *total += other.install_with(filch::Wait::Park, || n);
    ///         });
    ///     }
    /// });
    /// assert_eq!(total.into_inner().unwrap(), 4950);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn install_with<F, R>(&self, wait: Wait, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        match install::try_install(&self.registry, Some(wait), f) {
            Ok(value) => value,
            Err(closed) => panic!("{closed}"),
        }
    }

    /// Starts to make a bounded [`Queue`](crate::Queue) of typed jobs on this pool.
    pub fn queue(&self) -> QueueBuilder<'_> {
        QueueBuilder::new(&self.registry)
    }

    /// What the workers did so far, and where they are. Disturbs no worker; takes a lock that only waits inside jobs take.
    /// Right after `build` it waits until the threads that the pool started are on their cores.
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
                asked: peer.asked,
                pinned_to: self.registry.sleep.home(index),
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
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("workers", &self.workers()).finish_non_exhaustive()
    }
}
