//! How a queue is made: capacity, concurrency, the handler, and what state each worker keeps for it.

use std::fmt;

use crate::error::BuildError;
use crate::registry::Shared;
use crate::ring::{KICK, MAX_CAPACITY, Ring};
use crate::sync::{Arc, Mutex, lock};
use crate::worker::Worker;

use super::core::{CoreRef, Parts, QueueSource, Service};
use super::{Handle, Queue};

const DEFAULT_CAPACITY: usize = 1024;

/// Makes a [`Queue`]; from [`Pool::queue`](crate::Pool::queue).
#[must_use = "a builder does nothing until `build`"]
pub struct QueueBuilder<'p> {
    registry: &'p Shared,
    capacity: usize,
    concurrency: Option<usize>,
}

impl<'p> QueueBuilder<'p> {
    pub(crate) fn new(registry: &'p Shared) -> Self {
        QueueBuilder { registry, capacity: DEFAULT_CAPACITY, concurrency: None }
    }

    /// How many jobs may wait: 1 to 2^26; 1,024 if not given. The slots are allocated at once.
    pub fn capacity(mut self, jobs: usize) -> Self {
        self.capacity = jobs;
        self
    }

    /// How many jobs may run at once, at least 1; as many as the pool has workers if not given, and never
    /// more. With 1 the queue is serial: each job ends before the next begins.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = Some(jobs);
        self
    }

    /// Gives the handler a state that it need not share: buffers, a tokenizer, a connection.
    ///
    /// `make` is called with a worker's number, on that worker, before its first job. The state stays with
    /// the worker and is dropped with the queue. A job that panics leaves it as it was at that moment. If a
    /// job of the queue comes to run inside another on the same worker (see [`Queue::submit`]; never with a
    /// concurrency of 1), the inner one gets a second state.
    pub fn worker_state<S, M>(self, make: M) -> StatefulQueueBuilder<'p, M>
    where
        M: Fn(usize) -> S + Send + Sync + 'static,
        S: Send + 'static,
    {
        StatefulQueueBuilder { queue: self, make }
    }

    /// Builds the queue. `handler` is called once for each job.
    ///
    /// # Errors
    /// [`BuildError`] for a capacity or a concurrency that is out of range, a pool that is shut down, or a
    /// forked child.
    pub fn build<J, H>(self, handler: H) -> Result<Queue<J>, BuildError>
    where
        J: Send + 'static,
        H: Fn(J) + Send + Sync + 'static,
    {
        self.worker_state(|_| ()).build(move |(): &mut (), job| handler(job))
    }

    fn finish<J: Send + 'static>(
        self,
        service: impl FnOnce(usize) -> Box<dyn Service<J>>,
    ) -> Result<Queue<J>, BuildError> {
        let QueueBuilder { registry, capacity, concurrency } = self;
        if registry.forked() {
            return Err(BuildError::ForkedProcess);
        }
        match capacity {
            0 => return Err(BuildError::ZeroCapacity),
            given if given > MAX_CAPACITY => {
                return Err(BuildError::CapacityTooLarge { given, max: MAX_CAPACITY });
            }
            _ => {}
        }
        let workers = registry.peers.len();
        let limit = concurrency.map_or(workers, |jobs| jobs.min(workers));
        if limit == 0 {
            return Err(BuildError::ZeroConcurrency);
        }
        // No runner yet, so the first push is to start one.
        let ring = Ring::new(capacity, KICK).ok_or(BuildError::OutOfMemory { capacity })?;
        let core =
            CoreRef::new(Parts { ring, limit, registry: Arc::clone(registry), service: service(workers) });
        let source = registry.add_source(Box::new(QueueSource(core.clone()))).ok_or(BuildError::Closed)?;
        Ok(Queue { handle: Arc::new(Handle { core, source }) })
    }
}

impl fmt::Debug for QueueBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueBuilder")
            .field("capacity", &self.capacity)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// Makes a [`Queue`] whose handler has a state on each worker; from [`QueueBuilder::worker_state`].
#[must_use = "a builder does nothing until `build`"]
pub struct StatefulQueueBuilder<'p, M> {
    queue: QueueBuilder<'p>,
    make: M,
}

impl<M> StatefulQueueBuilder<'_, M> {
    /// As [`QueueBuilder::capacity`].
    pub fn capacity(mut self, jobs: usize) -> Self {
        self.queue = self.queue.capacity(jobs);
        self
    }

    /// As [`QueueBuilder::concurrency`].
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.queue = self.queue.concurrency(jobs);
        self
    }

    /// As [`QueueBuilder::build`], with the worker's state as the handler's first argument.
    ///
    /// # Errors
    /// As for [`QueueBuilder::build`].
    pub fn build<J, S, H>(self, handler: H) -> Result<Queue<J>, BuildError>
    where
        J: Send + 'static,
        S: Send + 'static,
        M: Fn(usize) -> S + Send + Sync + 'static,
        H: Fn(&mut S, J) + Send + Sync + 'static,
    {
        let make = self.make;
        self.queue.finish(move |workers| {
            let states = (0..workers).map(|_| Mutex::new(Vec::new())).collect();
            Box::new(Stateful { make, handler, states })
        })
    }
}

impl<M> fmt::Debug for StatefulQueueBuilder<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}

/// A handler and the states that its workers left between activations.
///
/// A mutex a worker, locked twice an activation and by that worker only: it says in safe code that the
/// state moves with the runner.
struct Stateful<M, H, S> {
    make: M,
    handler: H,
    states: Box<[Mutex<Vec<S>>]>,
}

impl<M, H, S> Stateful<M, H, S>
where
    M: Fn(usize) -> S,
{
    /// Calls `f` with the place for a state of `worker` that nobody else uses, empty until the first job.
    /// What is in it at the end is kept, even if `f` unwinds.
    fn with_state<R>(&self, worker: &Worker, f: impl FnOnce(&mut Option<S>) -> R) -> R {
        struct Keep<'s, S>(&'s Mutex<Vec<S>>, Option<S>);
        impl<S> Drop for Keep<'_, S> {
            fn drop(&mut self) {
                lock(self.0).extend(self.1.take());
            }
        }
        let place = &self.states[worker.number.get()];
        let kept = lock(place).pop();
        f(&mut Keep(place, kept).1)
    }

    /// Runs one job. The state is made here, so that a panic of its maker counts as the job's.
    fn run<J>(&self, state: &mut Option<S>, worker: &Worker, job: J)
    where
        H: Fn(&mut S, J),
    {
        (self.handler)(state.get_or_insert_with(|| (self.make)(worker.number.get())), job);
    }
}

impl<J, S, M, H> Service<J> for Stateful<M, H, S>
where
    J: Send + 'static,
    S: Send + 'static,
    M: Fn(usize) -> S + Send + Sync + 'static,
    H: Fn(&mut S, J) + Send + Sync + 'static,
{
    fn activate(&self, core: &CoreRef<J>, worker: &Worker) {
        self.with_state(worker, |state| core.serve(worker, |job| self.run(state, worker, job)));
    }

    fn run_one(&self, core: &CoreRef<J>, worker: &Worker) -> bool {
        self.with_state(worker, |state| core.pop_and_run(worker, &mut |job| self.run(state, worker, job)))
    }
}
