//! How a queue is made: capacity, concurrency, the handler, and what makes the state that each worker keeps for it.

use std::fmt;

use crate::error::BuildError;
use crate::registry::Shared;
use crate::ring::{KICK, MAX_CAPACITY, Ring};
use crate::sync::{Arc, StdArc};

use super::core::{CoreRef, Parts, QueueSource, Service};
use super::service::Stateful;
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
    /// the worker and is dropped with the handler: see [`Queue`]. A job that panics leaves it as it was at that moment. If a
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
        Ok(Queue { handle: StdArc::new(Handle { core, source }) })
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
        self.queue.finish(move |workers| Box::new(Stateful::new(workers, make, handler)))
    }
}

impl<M> fmt::Debug for StatefulQueueBuilder<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}
