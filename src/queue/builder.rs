//! How a queue is made: capacity, concurrency, the handler, and what state each worker keeps for it.

use std::fmt;

use crate::error::BuildError;
use crate::registry::Shared;
use crate::ring::{KICK, MAX_CAPACITY, Ring};
use crate::sync::{Arc, Mutex, lock};
use crate::unwind::{self, Payload};
use crate::worker::Worker;

use super::core::{CoreRef, Parcel, Parts, QueueSource, Service};
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
    /// the worker and is dropped with the queue. A job that panics leaves it as it was at that moment. If a
    /// job of the queue comes to run inside another on the same worker (see [`Queue::submit`]; never with a
    /// concurrency of 1), the inner one gets a second state.
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
        let ring = Ring::new(capacity, KICK).ok_or(BuildError::OutOfMemory { capacity })?;
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
        Ok(Queue { handle: Arc::new(Handle { core, source }) })
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

/// Called with a worker's number and a state of it.
pub(super) type StateEnd<S> = Box<dyn Fn(usize, S) + Send + Sync>;

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
    /// worker's own thread, between two jobs; if that was
    /// [lent](crate::PoolBuilder::use_current_thread), when it next works for the pool, or, if it has gone, on another
    /// worker's. Each state goes there once: a worker has one, and more only if it ran jobs inside others. What `end` panics
    /// with goes to the panic handler. In there, [`Queue::wait`] for this queue panics. In a forked child the states stay as
    /// they are.
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
        queue.finish(end.is_some(), move |workers| {
            let places = (0..workers).map(|_| Mutex::new(Place { idle: Vec::new(), in_use: 0 })).collect();
            Box::new(Stateful { make, handler, end, places })
        })
    }
}

impl<M, S> fmt::Debug for StatefulQueueBuilder<'_, M, S> {
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
    end: Option<StateEnd<S>>,
    places: Box<[Mutex<Place<S>>]>,
}

/// The states of a worker.
struct Place<S> {
    /// Those that no runner uses.
    idle: Vec<S>,
    /// How many runners have come for one and not gone, with one or none.
    in_use: usize,
}

impl<M, H, S> Stateful<M, H, S>
where
    M: Fn(usize) -> S,
{
    /// Calls `f` with the place for a state of `worker` that nobody else uses, empty until the first job.
    /// What is in it at the end is kept, even if `f` unwinds.
    fn with_state<R>(&self, worker: &Worker, f: impl FnOnce(&mut Option<S>) -> R) -> R {
        struct Keep<'s, S>(&'s Mutex<Place<S>>, Option<S>);
        impl<S> Drop for Keep<'_, S> {
            fn drop(&mut self) {
                let mut place = lock(self.0);
                place.in_use -= 1;
                place.idle.extend(self.1.take());
            }
        }
        let place = &self.places[worker.index];
        let kept = {
            let mut place = lock(place);
            place.in_use += 1;
            place.idle.pop()
        };
        f(&mut Keep(place, kept).1)
    }

    /// Runs one job. The state is made here, so that a panic of its maker counts as the job's.
    #[inline(always)]
    fn run<J>(&self, state: &mut Option<S>, worker: &Worker, job: &mut Parcel<J>)
    where
        H: Fn(&mut S, J),
    {
        (self.handler)(state.get_or_insert_with(|| (self.make)(worker.index)), job.open());
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

    fn owners(&self) -> Vec<usize> {
        let owns = |place: &Mutex<Place<S>>| {
            let place = lock(place);
            place.in_use > 0 || !place.idle.is_empty()
        };
        (0..self.places.len()).filter(|&owner| owns(&self.places[owner])).collect()
    }

    fn end_states(&self, owner: usize, unheard: &dyn Fn(Payload)) {
        let next = || lock(&self.places[owner]).idle.pop();
        while let Some(end) = &self.end
            && let Some(state) = next()
        {
            if let Err(payload) = unwind::catch(|| end(owner, state)) {
                unheard(payload);
            }
        }
    }
}
