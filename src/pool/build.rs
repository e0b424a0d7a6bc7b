//! Makes a pool from its options: the parts of its workers, the registry that the workers share, and their threads.
//!
//! If a thread does not start, the workers that were never started count as lost, and the pool is closed. So the
//! threads that did start come to their end by themselves.

use std::io;

use crossbeam_utils::CachePadded;

use super::Pool;
use super::builder::PoolBuilder;
use super::worker_thread::{Starter, Threads, WorkerThread};
use crate::error::BuildError;
use crate::scheduler::peer::{Peer, WorkerParts};
use crate::scheduler::registry::{Registry, Settings, Shared};
use crate::scheduler::spares::{Spares, default_beside};
use crate::scheduler::worker::{
    Worker, WorkerStart, can_lend, lend_host, return_host, return_host_of_dropped_pool, with_current,
};
use crate::sync::{Arc, MODEL, defect};
use crate::system::heavy_fence;
use crate::system::unwind::{self, Payload};
use crate::waiting::latch::CountLatch;
use crate::waiting::sleep::Sleep;

impl Pool {
    /// Builds a pool with one worker for each core that this process may use, each bound to its core.
    ///
    /// There are fewer workers if a CPU quota allows fewer.
    ///
    /// # Errors
    /// [`BuildError::Spawn`] if the system refuses a thread.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// assert!(pool.workers() >= 1);
    /// assert_eq!(pool.install(|| 6 * 7), 42);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn new() -> Result<Pool, BuildError> {
        Pool::builder().build()
    }

    /// Returns a builder, for a pool with options of its own.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).name("decode").build()?;
    /// assert_eq!(pool.workers(), 2);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }
}

impl PoolBuilder {
    /// Builds the pool and starts its threads.
    ///
    /// The call does not wait until the threads run. The system takes longer for that than for all the rest, and a
    /// caller that has a job for the pool waits for the job anyway. Threads of [`spawn_with`](Self::spawn_with) are
    /// the exception: the call waits until each of them runs its worker.
    ///
    /// # Errors
    /// [`BuildError`], which says what was given and what is allowed. If the system refuses a thread, the threads
    /// started before it are ended and joined.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// assert_eq!(pool.install(|| 1 + 1), 2);
    ///
    /// let refused = filch::Pool::builder().workers(0).build();
    /// assert!(matches!(refused, Err(filch::BuildError::ZeroWorkers)));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn build(self) -> Result<Pool, BuildError> {
        match self.start() {
            Ok((pool, awaited)) => {
                if let Some(started) = awaited {
                    started.wait();
                }
                Ok(pool)
            }
            Err(failed) => Err(failed.clean_up()),
        }
    }

    /// Builds the pool as [`build`](Self::build) does, on threads that `f` starts.
    ///
    /// `f` does what the closure of [`spawn_with`](Self::spawn_with) does. But it may borrow, and it may put a worker
    /// aside to run it later: this call waits for no thread.
    ///
    /// # Errors
    /// As for [`build`](Self::build). After an error of `f` the pool is closed, and the workers that were started
    /// leave; the call does not wait for them. The same happens if `f` panics, before the panic goes on.
    ///
    /// # Examples
    /// ```
    /// let words = vec!["borrowed", "by", "threads"];
    /// let count = std::thread::scope(|scope| {
    ///     let pool = filch::Pool::builder().workers(2).build_with(|worker| {
    ///         scope.spawn(|| {
    ///             let _borrow = &words;
    ///             worker.run();
    ///         });
    ///         Ok(())
    ///     })?;
    ///     Ok::<_, filch::BuildError>(pool.install(|| words.len()))
    /// })?;
    /// assert_eq!(count, 3);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn build_with(self, mut f: impl FnMut(WorkerThread) -> io::Result<()>) -> Result<Pool, BuildError> {
        match self.start_by(&mut Starter::Host(&mut f)) {
            Ok((pool, _)) => Ok(pool),
            Err(failed) => Err(failed.cause()),
        }
    }

    /// Starts the threads and waits for none: a wait may run jobs, and a job may want what the caller holds. The
    /// caller waits for the returned latch, if any, later. It opens when each worker runs or is lost. Under a checker
    /// there is always a latch, so that only models that use `build_with` explore how threads come up.
    pub(super) fn start(mut self) -> Result<(Pool, Option<Arc<CountLatch>>), Failed> {
        match self.spawn.take() {
            None => self.start_by(&mut Starter::Std).map(|(pool, started)| (pool, MODEL.then_some(started))),
            Some(mut f) => {
                self.start_by(&mut Starter::Host(&mut *f)).map(|(pool, started)| (pool, Some(started)))
            }
        }
    }

    fn start_by(self, starter: &mut Starter<'_>) -> Result<(Pool, Arc<CountLatch>), Failed> {
        let (workers, cores) = self.plan().map_err(Failed::Refused)?;
        let may_use_heavy = self.asymmetric_fences != Some(false);
        if self.asymmetric_fences == Some(true) {
            if !heavy_fence::prepare_and_wait() {
                return Err(Failed::Refused(BuildError::NoAsymmetricFences));
            }
        } else if may_use_heavy && self.use_current_thread {
            // Other workers do that when they have run a job and have nothing else to do.
            heavy_fence::prepare();
        }
        let PoolBuilder {
            name,
            stack_size,
            help_stack,
            searchers,
            spares,
            hooks,
            use_current_thread: host,
            ..
        } = self;
        if host {
            return_host_of_dropped_pool();
            if with_current(|worker| worker.is_some()) {
                return Err(Failed::Refused(BuildError::AlreadyWorker));
            }
            if !can_lend() {
                let source = io::Error::other("the calling thread is at its end and cannot be lent");
                return Err(Failed::Refused(BuildError::Spawn { worker: 0, source }));
            }
        }
        let mut all_parts: Vec<WorkerParts> = (0..workers).map(|_| WorkerParts::new(may_use_heavy)).collect();
        if !MODEL && let Some(parts) = all_parts.first() {
            // The first steal in a process makes crossbeam set up what all deques share. If a worker's thread did
            // that and the process forked at that moment, no pool of the child could ever take a job. So it happens
            // here.
            let _ = parts.deque.stealer().steal();
        }
        let peer = |(index, parts)| {
            let runs = !(host && index == 0);
            CachePadded::new(Peer::new(parts, format!("{name}-{index}"), runs))
        };
        let peers = all_parts.iter().enumerate().map(peer).collect();
        let unparkers = all_parts.iter().map(|parts| parts.parker.unparker()).collect();
        let max_spares = spares.unwrap_or_else(|| default_beside(workers));
        let sleep = Sleep::new(unparkers, max_spares).with_searchers(searchers).with_lags(cores.are_soft());
        let spares = Spares::new(workers, max_spares, name.clone(), stack_size);
        let threads = workers - usize::from(host);
        if host {
            cores.spare_the_caller();
        }
        let settings = Settings { hooks, help_stack, cores, may_use_heavy };
        let registry: Shared = Arc::new(Registry::new(peers, sleep, threads, spares, settings));
        if host {
            let parts = all_parts.remove(0);
            lend_host(Worker::new(WorkerStart { index: 0, registry: Arc::clone(&registry), parts }, true));
        }
        let mut started = Threads::new(threads);
        for (offset, parts) in all_parts.into_iter().enumerate() {
            let index = offset + usize::from(host);
            let start = WorkerStart { index, registry: Arc::clone(&registry), parts };
            let cause = match unwind::catch(|| started.start(starter, start, stack_size)) {
                Ok(Ok(())) => continue,
                Ok(Err(source)) => Cause::Error(BuildError::Spawn { worker: index, source }),
                Err(payload) => Cause::Panic(payload),
            };
            // A worker that was never started must not hold up the pool's end.
            for missing in index + 1..workers {
                registry.worker_lost(missing);
            }
            if !defect("start_not_undone") {
                registry.close();
            }
            return_host(&registry);
            return Err(Failed::Midway { cause, registry, started });
        }
        let running = started.started();
        let bound = match starter {
            Starter::Std => Arc::clone(&running),
            // The host may put a worker aside for as long as it likes, so nothing may wait for its core.
            Starter::Host(_) => Arc::new(CountLatch::new(0)),
        };
        Ok((Pool::assemble(registry, started, bound), running))
    }
}

/// Why a build failed, and what it leaves behind.
pub(super) enum Failed {
    /// Refused before any thread was started.
    Refused(BuildError),
    /// Failed with some of the threads started. Their pool is closed, so they end.
    Midway { cause: Cause, registry: Shared, started: Threads },
}

/// Why a thread did not start.
pub(super) enum Cause {
    Error(BuildError),
    /// The host's closure panicked, with this payload.
    Panic(Payload),
}

impl Failed {
    /// Waits for the end of the threads that were started. Then returns the error, or resumes the panic, that ended
    /// the build.
    pub(super) fn clean_up(self) -> BuildError {
        let (cause, registry, started) = match self {
            Failed::Refused(error) => return error,
            Failed::Midway { cause, registry, started } => (cause, registry, started),
        };
        let _ = registry.wait_left(None);
        started.join();
        cause.surface()
    }

    /// Returns the error, or resumes the panic, that ended the build. Leaves the threads that the host started to end
    /// by themselves.
    fn cause(self) -> BuildError {
        match self {
            Failed::Refused(error) => error,
            Failed::Midway { cause, .. } => cause.surface(),
        }
    }
}

impl Cause {
    fn surface(self) -> BuildError {
        match self {
            Cause::Error(error) => error,
            Cause::Panic(payload) => unwind::resume(payload),
        }
    }
}
