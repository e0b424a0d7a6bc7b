//! How a pool is made from its options: the parts of its workers, what they share, their threads.

use std::io;

use crossbeam_utils::CachePadded;

use super::Pool;
use super::builder::PoolBuilder;
use super::worker_thread::{Starter, Threads, WorkerThread};
use crate::error::BuildError;
use crate::scheduler::peer::{Peer, WorkerParts};
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::spares::{Spares, default_beside};
use crate::scheduler::worker::{
    Worker, WorkerStart, lend_host, return_host, return_host_of_dropped_pool, with_current,
};
use crate::sync::{Arc, MODEL, defect};
use crate::system::membarrier;
use crate::system::unwind::{self, Payload};
use crate::waiting::latch::CountLatch;
use crate::waiting::sleep::Sleep;

impl Pool {
    /// A pool with one worker for each core that this process may use, bound to it; fewer if a CPU quota
    /// allows fewer.
    ///
    /// # Errors
    /// [`BuildError::Spawn`] if the system refuses a thread.
    pub fn new() -> Result<Pool, BuildError> {
        Pool::builder().build()
    }

    /// A pool made to measure.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }
}

impl PoolBuilder {
    /// Builds the pool and starts its threads. Does not wait until they run: that takes the system longer than all the
    /// rest, and whoever has a job for them need not wait for it twice. Threads of [`spawn_with`](Self::spawn_with) are
    /// waited for.
    ///
    /// # Errors
    /// [`BuildError`], with what was given and what is allowed. If the system refuses a thread, those started
    /// before it are ended and joined.
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

    /// As [`build`](Self::build), with the threads started by `f` as for [`spawn_with`](Self::spawn_with); but `f` may
    /// borrow, and may put a worker aside to run it later: nothing here waits for a thread.
    ///
    /// # Errors
    /// As for [`build`](Self::build). After an error of `f`, the pool is closed and the workers that were started
    /// leave, without being waited for; also if `f` panics, before that goes on.
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

    /// Starts the threads and waits for none: a wait may run jobs, and one of them may come for what the caller
    /// holds. The latch, if any, is what the caller is to wait for then: it opens when all run. Under a checker there is
    /// one always, so that not every model has to explore how threads come up; one that uses `build_with` does.
    pub(super) fn start(mut self) -> Result<(Pool, Option<Arc<CountLatch>>), Failed> {
        match self.spawn.take() {
            None => self.start_by(&mut Starter::Std).map(|(pool, started)| (pool, MODEL.then_some(started))),
            Some(mut f) => {
                self.start_by(&mut Starter::Host(&mut *f)).map(|(pool, started)| (pool, Some(started)))
            }
        }
    }

    fn start_by(self, starter: &mut Starter<'_>) -> Result<(Pool, Arc<CountLatch>), Failed> {
        let plan = self.plan().map_err(Failed::Refused)?;
        membarrier::prepare();
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
        }
        let mut all_parts: Vec<WorkerParts> = (0..plan.len()).map(|_| WorkerParts::new()).collect();
        if !MODEL && let Some(parts) = all_parts.first() {
            // Has crossbeam set up what all deques share, once a process. If a thread of ours came first and somebody
            // forked in that moment, no pool of the child could ever take a job.
            let _ = parts.deque.stealer().steal();
        }
        let peers = plan
            .iter()
            .zip(&all_parts)
            .enumerate()
            .map(|(index, (&asked, parts))| {
                let runs = !(host && index == 0);
                let asked = asked.filter(|_| runs);
                CachePadded::new(Peer::new(parts, format!("{name}-{index}"), asked, runs))
            })
            .collect();
        let unparkers = all_parts.iter().map(|parts| parts.parker.unparker()).collect();
        let max_spares = spares.unwrap_or_else(|| default_beside(plan.len()));
        let sleep = Sleep::new(unparkers, max_spares).with_searchers(searchers);
        let spares = Spares::new(plan.len(), max_spares, name.clone(), stack_size);
        let threads = plan.len() - usize::from(host);
        let registry: Shared = Arc::new(Registry::new(peers, sleep, hooks, help_stack, threads, spares));
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
            // Those that will never run no longer hold up the end.
            for missing in index + 1..plan.len() {
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
            // Some may be put aside, for as long as the host likes.
            Starter::Host(_) => Arc::new(CountLatch::new(0)),
        };
        Ok((Pool::assemble(registry, started, bound), running))
    }
}

/// A build that came to nothing.
pub(super) enum Failed {
    /// Before anything was done.
    Refused(BuildError),
    /// With some of the threads started; they were told to end.
    Midway { cause: Cause, registry: Shared, started: Threads },
}

pub(super) enum Cause {
    Error(BuildError),
    /// Of the host's closure.
    Panic(Payload),
}

impl Failed {
    /// Waits for the end of the threads that were started, and says, or panics with, what went wrong.
    pub(super) fn clean_up(self) -> BuildError {
        let (cause, registry, started) = match self {
            Failed::Refused(error) => return error,
            Failed::Midway { cause, registry, started } => (cause, registry, started),
        };
        let _ = registry.wait_left(None);
        started.join();
        cause.surface()
    }

    /// Says, or panics with, what went wrong, and leaves threads that the host started to end by themselves.
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
