//! The builders of a queue: its capacity, its concurrency, its handler, and the state that each worker keeps for it.

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

/// Builds a [`Queue`] with the options given; [`Pool::queue`](crate::Pool::queue) creates the builder.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(2).build()?;
/// // Thumbnails may take half of this pool: the other worker is left to other jobs.
/// let builder = pool.queue().name("thumbnails").capacity(100).concurrency(1);
/// let queue = builder.build(|path: String| assert!(path.ends_with(".png")))?;
/// queue.submit("cat.png".to_owned())?;
/// queue.wait();
/// assert_eq!((queue.name(), queue.capacity(), queue.counts().done), (Some("thumbnails"), 100, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// Sets the capacity.
    ///
    /// How many jobs may wait: 1 to 2^26; 1,024 if not given. [`build`](Self::build) allocates all slots at once.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// // At most 16 lines wait; a faster producer is held back.
    /// let queue = pool.queue().capacity(16).build(|line: String| drop(line))?;
    /// assert_eq!(queue.capacity(), 16);
    /// assert!(pool.queue().capacity(0).build(|_: u8| ()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn capacity(mut self, jobs: usize) -> Self {
        self.capacity = jobs;
        self
    }

    /// Sets how many jobs may run at once: at least 1.
    ///
    /// If not given, this is the number of the pool's workers; a larger number counts as that number. With 1, the
    /// queue is serial: each job ends before the next begins. With one fewer than the pool has workers, the queue
    /// leaves a worker to other jobs.
    ///
    /// A handler that waits for another job of its own queue, by a handle, a latch or a channel, still counts as
    /// running meanwhile. Once as many handlers wait as may run at once, no runner is left for the jobs that they
    /// wait for, and they wait for ever.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let (log, order) = std::sync::mpsc::channel();
    /// // Serial: the log shows the jobs in the order of their submission.
    /// let queue = pool.queue().concurrency(1).build(move |n: u32| log.send(n).unwrap())?;
    /// queue.submit_all(0..3)?;
    /// queue.wait();
    /// assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = Some(jobs);
        self
    }

    /// Sets the name with which the queue's panics are reported: see [`PanicAt`](crate::PanicAt).
    ///
    /// If not given, the queue has no name. Several queues may have the same name.
    ///
    /// # Examples
    /// ```
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = filch::Pool::builder().workers(1);
    /// let pool = pool.on_panic(move |_, at| tell.send(at.queue().map(str::to_owned)).unwrap()).build()?;
    /// let queue = pool.queue().name("mail").build(|n: u32| assert!(n > 0))?;
    /// queue.submit(0)?;
    /// queue.wait();
    /// assert_eq!(told.try_recv()?.as_deref(), Some("mail"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Gives the handler a state for each worker, which it need not share: buffers, a tokenizer, a connection.
    ///
    /// The queue calls `make` with a worker's number, on that worker, before the worker's first job. The state stays
    /// with the worker and is dropped with the handler: see [`Queue`]. A job that panics leaves the state as it was
    /// at that moment.
    ///
    /// If a job of the queue comes to run inside another one on the same worker (see [`Queue::submit`]; never with a
    /// concurrency of 1), the inner job gets a second state. While a worker waits in a job, its
    /// [spare](crate::PoolBuilder::spares) serves the queue under the worker's number: the spare takes over the
    /// worker's state, or gets a second state if the first one is in use. So one thread at a time uses a state, but
    /// not always the same thread, and two states with the same number may be in use at once.
    ///
    /// # Examples
    /// ```
    /// use std::fmt::Write;
    ///
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// // Each worker formats into its own buffer: no lock, and no allocation for each job.
    /// let queue = pool.queue().worker_state(|_worker| String::new()).build(|buffer: &mut String, n: u32| {
    ///     buffer.clear();
    ///     write!(buffer, "{n}").unwrap();
    /// })?;
    /// queue.submit_all(0..100)?;
    /// queue.wait();
    /// assert_eq!((queue.counts().done, queue.counts().panicked), (100, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn worker_state<S, M>(self, make: M) -> StatefulQueueBuilder<'p, M, S>
    where
        M: Fn(usize) -> S + Send + Sync + 'static,
        S: Send + 'static,
    {
        StatefulQueueBuilder { queue: self, make, end: None }
    }

    /// Builds the queue, which calls `handler` once for each job.
    ///
    /// # Errors
    /// [`BuildError`] for a capacity or a concurrency that is out of range, a capacity that does not fit in memory, a
    /// pool that is shut down, or a forked child.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|n: u32| assert!(n > 0))?;
    /// queue.submit(1)?;
    /// pool.shutdown()?;
    /// assert!(matches!(pool.queue().build(|_: u32| ()), Err(filch::BuildError::Closed)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
        // The queue has no runner yet: the first push must start one.
        let ring = Ring::new(capacity, NEEDS_RUNNER).ok_or(BuildError::OutOfMemory { capacity })?;
        let registry = Arc::clone(registry);
        let core = CoreRef::new(Parts { ring, limit, registry, service: service(workers), name });
        if ends {
            // First, because a pool that knows the queue may close it, and reach its end, at any time.
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

/// Builds a [`Queue`] whose handler has a state on each worker; [`QueueBuilder::worker_state`] creates the builder.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(2).build()?;
/// let builder = pool.queue().worker_state(|worker| format!("connection {worker}"));
/// let queue = builder.capacity(10).build(|connection, n: u8| assert!(n > 0, "{connection} failed"))?;
/// queue.submit_all([1, 2])?;
/// queue.wait();
/// assert_eq!((queue.counts().done, queue.counts().panicked), (2, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct StatefulQueueBuilder<'p, M, S> {
    queue: QueueBuilder<'p>,
    make: M,
    end: Option<StateEnd<S>>,
}

impl<M, S> StatefulQueueBuilder<'_, M, S> {
    /// Sets the capacity, as [`QueueBuilder::capacity`] does.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().worker_state(|_| 0).capacity(8).build(|sum: &mut u64, n: u64| *sum += n)?;
    /// assert_eq!(queue.capacity(), 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn capacity(mut self, jobs: usize) -> Self {
        self.queue = self.queue.capacity(jobs);
        self
    }

    /// Sets how many jobs may run at once, as [`QueueBuilder::concurrency`] does.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let builder = pool.queue().worker_state(|_| 0).concurrency(0);
    /// assert!(matches!(builder.build(|sum: &mut u64, n: u64| *sum += n), Err(filch::BuildError::ZeroConcurrency)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.queue = self.queue.concurrency(jobs);
        self
    }

    /// Sets the name, as [`QueueBuilder::name`] does.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().worker_state(|_| 0).name("sums").build(|sum: &mut u64, n: u64| *sum += n)?;
    /// assert_eq!(queue.name(), Some("sums"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(mut self, name: &str) -> Self {
        self.queue = self.queue.name(name);
        self
    }

    /// Hands each state to `end`, with the worker's number, when the queue is closed and all its jobs have ended.
    ///
    /// If not given, the states are only dropped: see [`Queue`].
    ///
    /// This happens before a [`wait`](Queue::wait) that follows [`close`](Queue::close) or
    /// [`close_when_idle`](Queue::close_when_idle) returns, and before the pool's
    /// [`shutdown`](crate::Pool::shutdown), which closes the queues that are still open, returns. The worker's own
    /// thread calls `end` between two jobs, or its [spare](crate::PoolBuilder::spares)'s thread does. A
    /// [lent](crate::PoolBuilder::use_current_thread) thread calls it when it next works for the pool; if that thread
    /// is gone, another worker's thread calls it.
    ///
    /// `end` gets each state once. A worker has one state, and more only if it ran jobs inside others or had a spare.
    /// The panics of `end` go to the panic handler. Inside `end`, [`Queue::wait`] for this queue panics. In a forked
    /// child the states stay as they are.
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

    /// Builds the queue, as [`QueueBuilder::build`] does, with the worker's state as the handler's first argument.
    ///
    /// # Errors
    /// As for [`QueueBuilder::build`].
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let queue = pool.queue().worker_state(|_| 0).build(move |sum: &mut u32, n: u32| {
    ///     *sum += n;
    ///     tell.send(*sum).unwrap();
    /// })?;
    /// queue.submit_all([1, 2, 3])?;
    /// queue.wait();
    /// // One worker, one state.
    /// assert_eq!(told.try_iter().collect::<Vec<_>>(), [1, 3, 6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
