//! How a queue is made: capacity, concurrency, the handler, and what makes the state that each worker keeps for it.

use std::fmt;

use crate::error::BuildError;
use crate::jobs::ring::{MAX_CAPACITY, NEEDS_RUNNER, Ring};
use crate::scheduler::registry::Shared;
use crate::sync::{Arc, StdArc};

use super::core::{CoreRef, Parts, Service};
use super::start::QueueSource;
use super::states::{StateEnd, Stateful};
use super::{Handle, Queue};

const DEFAULT_CAPACITY: usize = 1024;

/// Makes a [`Queue`]; from [`Pool::queue`](crate::Pool::queue).
#[must_use = "a builder does nothing until `build`"]
pub struct QueueBuilder<'p> {
    registry: &'p Shared,
    capacity: usize,
    concurrency: Option<usize>,
    name: Option<Box<str>>,
}

impl<'p> QueueBuilder<'p> {
    pub(crate) fn new(registry: &'p Shared) -> Self {
        QueueBuilder { registry, capacity: DEFAULT_CAPACITY, concurrency: None, name: None }
    }

    /// How many jobs may wait: 1 to 2^26; 1,024 if not given. The slots are allocated at once.
    pub fn capacity(mut self, jobs: usize) -> Self {
        self.capacity = jobs;
        self
    }

    /// How many jobs may run at once, at least 1; as many as the pool has workers if not given, and never
    /// more. With 1 the queue is serial: each job ends before the next begins. With one fewer than the pool has workers it
    /// leaves a worker to others.
    ///
    /// A handler that waits for another job of its own queue, by a handle, a latch or a channel, keeps its place meanwhile:
    /// once that many do, nobody is left to run those jobs, and they wait for ever.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = Some(jobs);
        self
    }

    /// What the queue is called where its panics are told: see [`PanicAt`](crate::PanicAt). None if not given; names need
    /// not differ.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Gives the handler a state that it need not share: buffers, a tokenizer, a connection.
    ///
    /// `make` is called with a worker's number, on that worker, before its first job. The state stays with
    /// the worker and is dropped with the handler: see [`Queue`]. A job that panics leaves it as it was at that moment. If a
    /// job of the queue comes to run inside another on the same worker (see [`Queue::submit`]; never with a
    /// concurrency of 1), the inner one gets a second state. While a worker waits in a job, its
    /// [spare](crate::PoolBuilder::spares) serves the queue under the same number: it takes over the worker's state, or gets a
    /// second one if that is in use. So a state is used by one thread at a time, but not always by the same one, and two
    /// states of one number may be in use at once.
    pub fn worker_state<S, M>(self, make: M) -> StatefulQueueBuilder<'p, M, S>
    where
        M: Fn(usize) -> S + Send + Sync + 'static,
        S: Send + 'static,
    {
        StatefulQueueBuilder { queue: self, make, end: None }
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
        ends: bool,
        service: impl FnOnce(usize) -> Box<dyn Service<J>>,
    ) -> Result<Queue<J>, BuildError> {
        let QueueBuilder { registry, capacity, concurrency, name } = self;
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
        let ring = Ring::new(capacity, NEEDS_RUNNER).ok_or(BuildError::OutOfMemory { capacity })?;
        let registry = Arc::clone(registry);
        let core = CoreRef::new(Parts { ring, limit, registry, service: service(workers), name });
        if ends {
            // Before the pool knows the queue: it may close at any time, and come to its end.
            core.end_states_at_end();
        }
        let source = core.registry.add_source(Box::new(QueueSource(core.clone())));
        let Some(source) = source else {
            core.close();
            return Err(BuildError::Closed);
        };
        Ok(Queue { handle: StdArc::new(Handle { core, source }) })
    }
}

impl fmt::Debug for QueueBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueBuilder")
            .field("capacity", &self.capacity)
            .field("concurrency", &self.concurrency)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Makes a [`Queue`] whose handler has a state on each worker; from [`QueueBuilder::worker_state`].
#[must_use = "a builder does nothing until `build`"]
pub struct StatefulQueueBuilder<'p, M, S> {
    queue: QueueBuilder<'p>,
    make: M,
    end: Option<StateEnd<S>>,
}

impl<M, S> StatefulQueueBuilder<'_, M, S> {
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

    /// As [`QueueBuilder::name`].
    pub fn name(mut self, name: &str) -> Self {
        self.queue = self.queue.name(name);
        self
    }

    /// Has each state handed to `end`, with its worker's number, when the queue is closed and all its jobs have ended.
    ///
    /// That is before a [`wait`](Queue::wait) that follows [`close`](Queue::close) or
    /// [`close_when_idle`](Queue::close_when_idle) returns, and before the pool's
    /// [`shutdown`](crate::Pool::shutdown) returns, which closes the queues that are open still. `end` is called on the
    /// worker's own thread, or on its [spare](crate::PoolBuilder::spares)'s, between two jobs; if that was
    /// [lent](crate::PoolBuilder::use_current_thread), when it next works for the pool, or, if it has gone, on another
    /// worker's. Each state goes there once: a worker has one, and more only if it ran jobs inside others or had a spare.
    /// What `end` panics with goes to the panic handler. In there, [`Queue::wait`] for this queue panics. In a forked child
    /// the states stay as they are.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::sync::Arc;
    ///
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let sum = Arc::new(AtomicU64::new(0));
    /// let total = Arc::clone(&sum);
    /// let queue = pool
    ///     .queue()
    ///     .worker_state(|_| 0)
    ///     .state_end(move |_, part: u64| _ = total.fetch_add(part, Ordering::Relaxed))
    ///     .build(|part, n: u64| *part += n)?;
    /// queue.submit_all(1..=10)?;
    /// queue.close();
    /// queue.wait();
    /// assert_eq!(sum.load(Ordering::Relaxed), 55);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state_end(mut self, end: impl Fn(usize, S) + Send + Sync + 'static) -> Self {
        self.end = Some(Box::new(end));
        self
    }

    /// As [`QueueBuilder::build`], with the worker's state as the handler's first argument.
    ///
    /// # Errors
    /// As for [`QueueBuilder::build`].
    pub fn build<J, H>(self, handler: H) -> Result<Queue<J>, BuildError>
    where
        J: Send + 'static,
        S: Send + 'static,
        M: Fn(usize) -> S + Send + Sync + 'static,
        H: Fn(&mut S, J) + Send + Sync + 'static,
    {
        let StatefulQueueBuilder { queue, make, end } = self;
        queue.finish(end.is_some(), move |workers| Box::new(Stateful::new(workers, make, handler, end)))
    }
}

impl<M, S> fmt::Debug for StatefulQueueBuilder<'_, M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}
