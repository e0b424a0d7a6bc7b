//! A scope whose jobs run oldest first.
//!
//! The workers' own stacks are newest first. So a job goes to a queue, and a token to the stack: whoever comes to
//! a token runs the oldest job of that queue. One queue a worker, behind a mutex: in order is what it must be.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;

use super::{Base, BroadcastContext, in_place};
use crate::jobs::job::Job;
use crate::scheduler::registry::Shared;
use crate::scheduler::waiter::Waiter;
use crate::scheduler::worker::with_current;
use crate::sync::{Arc, Mutex, lock};
use crate::tasks::install;

/// What tokens stand for: one queue a worker, and one for other threads.
struct Queues(Box<[Mutex<VecDeque<Job>>]>);

impl Queues {
    fn new(workers: usize) -> Queues {
        Queues((0..=workers).map(|_| Mutex::new(VecDeque::new())).collect())
    }

    /// The queue of the calling thread, as one that spawns on `registry`.
    fn here(&self, registry: &Shared) -> usize {
        with_current(|worker| match worker {
            Some(worker) if Arc::ptr_eq(&worker.registry, registry) => worker.number.get(),
            _ => self.0.len() - 1,
        })
    }

    fn push(&self, queue: usize, job: Job) {
        lock(&self.0[queue]).push_back(job);
    }

    fn pop(&self, queue: usize) -> Job {
        let job = lock(&self.0[queue]).pop_front();
        job.unwrap_or_else(|| unreachable!("a token without a job"))
    }
}

/// As [`Scope`](crate::Scope), but what one worker spawns begins in the order in which it was spawned.
///
/// What several workers spawn is in no order between them. A spawn costs a lock of the worker's own queue.
pub struct ScopeFifo<'scope> {
    base: *const Base,
    queues: Arc<Queues>,
    /// Invariant, as in `Scope`.
    marker: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

// SAFETY: a pointer to a base, which is Sync, and queues behind locks.
unsafe impl Send for ScopeFifo<'_> {}
// SAFETY: as above.
unsafe impl Sync for ScopeFifo<'_> {}

impl<'scope> ScopeFifo<'scope> {
    fn new(base: &Base) -> ScopeFifo<'scope> {
        let queues = Arc::new(Queues::new(base.registry().peers.len()));
        ScopeFifo { base: ptr::from_ref(base), queues, marker: PhantomData }
    }

    pub(in crate::fork_join) fn base(&self) -> &Base {
        // SAFETY: a scope is only shown to its body and its jobs, and lives as long as its base.
        unsafe { &*self.base }
    }

    /// Has a worker run `f` before the scope ends, after what this worker spawned before. Does not block.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let order = std::sync::Mutex::new(Vec::new());
    /// pool.scope_fifo(|s| {
    ///     for n in 0..3 {
    ///         let order = &order;
    ///         s.spawn_fifo(move |_| order.lock().unwrap().push(n));
    ///     }
    /// });
    /// assert_eq!(order.into_inner().unwrap(), [0, 1, 2]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn spawn_fifo<F>(&self, f: F)
    where
        F: FnOnce(&ScopeFifo<'scope>) + Send + 'scope,
    {
        let scope_queues = Arc::clone(&self.queues);
        let run = move |base: *const ()| {
            let scope = ScopeFifo { base: base.cast(), queues: scope_queues, marker: PhantomData };
            // SAFETY: the base lives until its count is zero, in which this job is.
            unsafe { Base::run(scope.base, || f(&scope)) };
        };
        // SAFETY: what `f` borrows outlives the scope, which does not end before this job.
        let job = unsafe { Job::of_scope(self.base.cast(), run) };
        let queue = self.queues.here(self.base().registry());
        self.queues.push(queue, job);
        let queues = Arc::clone(&self.queues);
        // SAFETY: the queues are shared, and borrow nothing.
        self.base().spawn(unsafe { Job::of_scope(self.base.cast(), move |_| queues.pop(queue).run()) });
    }

    /// As [`Scope::spawn_broadcast`](crate::Scope::spawn_broadcast).
    pub fn spawn_broadcast<F>(&self, f: F)
    where
        F: Fn(&ScopeFifo<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let f = Arc::new(f);
        let workers = self.base().registry().peers.len();
        self.base().spawn_on_workers(None, |index| {
            let f = Arc::clone(&f);
            let queues = Arc::clone(&self.queues);
            let run = move |base: *const ()| {
                let scope = ScopeFifo { base: base.cast(), queues, marker: PhantomData };
                // SAFETY: the base lives until its count is zero, in which this job is. The `Arc`, and with it what
                // `f` borrows, goes before the job counts as ended.
                unsafe {
                    Base::run(scope.base, || {
                        let f = f;
                        f(&scope, BroadcastContext::new(index, workers));
                    });
                }
            };
            // SAFETY: what `f` borrows outlives the scope, which does not end before this job.
            unsafe { Job::of_scope(self.base.cast(), run) }
        });
    }
}

impl fmt::Debug for ScopeFifo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFifo").finish_non_exhaustive()
    }
}

pub(crate) fn scope_fifo_on<'scope, F, R>(registry: &Shared, f: F) -> R
where
    F: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    install::on_worker(registry, None, |worker, _| {
        let body = |base: &Base| f(&ScopeFifo::new(base));
        Base::enter(registry, &Waiter::Worker(worker), None, body)
    })
}

pub(crate) fn in_place_fifo_on<'scope, F, R>(registry: &Shared, f: F) -> R
where
    F: FnOnce(&ScopeFifo<'scope>) -> R,
{
    in_place(registry, |base| f(&ScopeFifo::new(base)))
}
