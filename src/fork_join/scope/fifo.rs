//! A scope in which the jobs that one worker spawns begin oldest first.
//!
//! A worker takes its own jobs newest first. So a spawn puts the job into a queue, and then pushes a marker job in
//! its place. The worker that runs a marker runs the oldest job of the marker's queue.
//!
//! In each scope every worker has one queue, and threads that are no workers of the pool share one more. Each queue
//! is behind a mutex, which keeps its order.
//!
//! Invariant: a queue holds as many jobs as there are markers for it that have not begun, or more.

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

/// The queues that markers refer to: one for each worker, and one for all other threads.
struct Queues(Box<[Mutex<VecDeque<Job>>]>);

impl Queues {
    fn new(workers: usize) -> Queues {
        Queues((0..=workers).map(|_| Mutex::new(VecDeque::new())).collect())
    }

    /// The queue that the calling thread uses when it spawns on the pool of `registry`.
    fn here(&self, registry: &Shared) -> usize {
        with_current(|worker| match worker {
            Some(worker) if Arc::ptr_eq(&worker.registry, registry) => worker.number.get(),
            _ => self.0.len() - 1,
        })
    }

    fn push(&self, queue: usize, job: Job) {
        lock(&self.0[queue]).push_back(job);
    }

    /// Takes the oldest job. Called once for each marker, so there is one.
    fn pop(&self, queue: usize) -> Job {
        let job = lock(&self.0[queue]).pop_front();
        job.unwrap_or_else(|| unreachable!("a token without a job"))
    }
}

/// Spawns closures that borrow, as [`Scope`](crate::Scope) does, but begins the closures that one worker spawned in
/// the order in which it spawned them.
///
/// Closures that different workers spawned have no order between them. A spawn takes the lock of the calling worker's
/// own queue.
///
/// # Examples
/// ```
/// // Lines that are to come out in the order in which they went in.
/// let pool = filch::Pool::builder().workers(1).build()?;
/// let text = std::sync::Mutex::new(String::new());
/// pool.scope_fifo(|s| {
///     for line in ["first ", "second ", "third"] {
///         let text = &text;
///         s.spawn_fifo(move |_| text.lock().unwrap().push_str(line));
///     }
/// });
/// assert_eq!(text.into_inner().unwrap(), "first second third");
/// # Ok::<(), filch::BuildError>(())
/// ```
pub struct ScopeFifo<'scope> {
    base: *const Base,
    queues: Arc<Queues>,
    /// Makes `'scope` invariant, as in `Scope`.
    marker: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

// SAFETY: the scope is a pointer to its base, which is Sync, and queues of jobs, which are Send, behind locks.
unsafe impl Send for ScopeFifo<'_> {}
// SAFETY: as for Send.
unsafe impl Sync for ScopeFifo<'_> {}

impl<'scope> ScopeFifo<'scope> {
    fn new(base: &Base) -> ScopeFifo<'scope> {
        let queues = Arc::new(Queues::new(base.registry().peers.len()));
        ScopeFifo { base: ptr::from_ref(base), queues, marker: PhantomData }
    }

    pub(in crate::fork_join) fn base(&self) -> &Base {
        // SAFETY: only the scope's body and its jobs see a scope, and the base outlives them all.
        unsafe { &*self.base }
    }

    /// Spawns `f`: a worker runs it before the scope ends, and begins it after the closures that this worker spawned
    /// before. Does not block.
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
            // SAFETY: the base lives until its count is zero, and this job is counted, once.
            unsafe { Base::run(scope.base, || f(&scope)) };
        };
        // SAFETY: what `f` borrows outlives the scope, and the scope does not end before this job.
        let job = unsafe { Job::of_scope(self.base.cast(), run) };
        let queue = self.queues.here(self.base().registry());
        self.queues.push(queue, job);
        let queues = Arc::clone(&self.queues);
        // SAFETY: the closure owns a reference count of the queues, and the job that it runs is covered above.
        self.base().spawn(unsafe { Job::of_scope(self.base.cast(), move |_| queues.pop(queue).run()) });
    }

    /// Has every worker of the pool run `f` once, before the scope ends. Does not block.
    ///
    /// As [`Scope::spawn_broadcast`](crate::Scope::spawn_broadcast): each worker runs `f` as soon as it has no more
    /// jobs of its own. `f` gets the scope and its worker's number.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let sum = AtomicUsize::new(0);
    /// pool.scope_fifo(|s| {
    ///     s.spawn_broadcast(|_, context| {
    ///         sum.fetch_add(10 + context.index(), Ordering::Relaxed);
    ///     });
    /// });
    /// assert_eq!(sum.into_inner(), 21);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
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
                // SAFETY: the base lives until its count is zero, and this job is counted, once. The `Arc` goes
                // before the job counts as ended, and with the last `Arc` the closure, which may borrow.
                unsafe {
                    Base::run(scope.base, || {
                        let f = f;
                        f(&scope, BroadcastContext::new(index, workers));
                    });
                }
            };
            // SAFETY: what `f` borrows outlives the scope, and the scope does not end before this job.
            unsafe { Job::of_scope(self.base.cast(), run) }
        });
    }
}

impl fmt::Debug for ScopeFifo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFifo").finish_non_exhaustive()
    }
}

/// Runs `f` with a new scope on a worker of the pool of `registry`, and waits for the scope's end.
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

/// Runs `f` with a new scope of the pool of `registry` on the calling thread, and waits for the scope's end.
pub(crate) fn in_place_fifo_on<'scope, F, R>(registry: &Shared, f: F) -> R
where
    F: FnOnce(&ScopeFifo<'scope>) -> R,
{
    in_place(registry, |base| f(&ScopeFifo::new(base)))
}
