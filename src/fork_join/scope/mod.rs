//! `scope`: any number of closures, which may borrow what lives longer than the scope.
//!
//! | part | content |
//! |---|---|
//! | [`Base`] | the count of jobs that have not ended, and the first panic |
//! | [`Scope`] | jobs newest first, from the workers' own stacks |
//! | [`ScopeFifo`] | jobs oldest first, by a queue for each worker |
//! | [`BroadcastContext`] | what a closure that every worker runs is told |
//!
//! The base lies on the stack of the thread that opens the scope. Invariant: that frame stays until the count is
//! zero, so a job may use the base, and borrow what outlives it, until the job counts as ended.

mod base;
mod context;
mod fifo;

pub(crate) use base::Base;
pub use context::BroadcastContext;
pub use fifo::ScopeFifo;
pub(crate) use fifo::{in_place_fifo_on, scope_fifo_on};

use std::fmt;
use std::marker::PhantomData;
use std::ptr;

use crate::jobs::job::Job;
use crate::scheduler::registry::Shared;
use crate::scheduler::waiter::Waiter;
use crate::scheduler::worker::Wait;
use crate::sync::Arc;
use crate::tasks::install;

/// Spawns closures that borrow. [`scope`](crate::scope()) makes a `Scope`, and returns when all of its closures have
/// ended.
///
/// [`spawn`](Self::spawn) spawns a closure. The closure gets a reference to the scope, to spawn more. The closures
/// that one worker spawns run on that worker newest first; other workers steal them oldest first. For a fixed order
/// there is [`ScopeFifo`]. Any thread that has a reference to the scope may spawn.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// // A tree whose size is not known beforehand: each node spawns its children.
/// fn visit<'scope>(scope: &filch::Scope<'scope>, children: usize, nodes: &'scope AtomicUsize) {
///     nodes.fetch_add(1, Ordering::Relaxed);
///     for _ in 0..children {
///         scope.spawn(move |scope| visit(scope, children - 1, nodes));
///     }
/// }
/// let nodes = AtomicUsize::new(0);
/// filch::scope(|scope| visit(scope, 3, &nodes));
/// assert_eq!(nodes.into_inner(), 16);
/// ```
pub struct Scope<'scope> {
    base: *const Base,
    /// Makes `'scope` invariant. Otherwise a scope could be passed off as one of a shorter life, and would take
    /// closures whose borrows end before the scope.
    marker: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

// SAFETY: a scope is a pointer to its base, which is Sync.
unsafe impl Send for Scope<'_> {}
// SAFETY: as for Send.
unsafe impl Sync for Scope<'_> {}

impl<'scope> Scope<'scope> {
    fn new(base: &Base) -> Scope<'scope> {
        Scope { base: ptr::from_ref(base), marker: PhantomData }
    }

    pub(super) fn base(&self) -> &Base {
        // SAFETY: only the scope's body and its jobs see a scope, and the base outlives them all.
        unsafe { &*self.base }
    }

    /// Spawns `f`: a worker runs it before the scope ends. Does not block.
    ///
    /// A closure with up to 24 bytes of captures costs no allocation. Spawned on a worker of the pool, `f` stays
    /// private to that worker until another worker has nothing to do.
    ///
    /// # Examples
    /// ```
    /// let mut counts = [0; 4];
    /// filch::scope(|s| {
    ///     for (n, count) in counts.iter_mut().enumerate() {
    ///         s.spawn(move |_| *count = n * n);
    ///     }
    /// });
    /// assert_eq!(counts, [0, 1, 4, 9]);
    /// ```
    #[inline]
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        let run = move |base: *const ()| {
            let scope = Scope { base: base.cast(), marker: PhantomData };
            // SAFETY: the base lives until its count is zero, and this job is counted, once.
            unsafe { Base::run(scope.base, || f(&scope)) };
        };
        // SAFETY: what `f` borrows outlives the scope, and the scope does not end before this job.
        self.base().spawn(unsafe { Job::of_scope(self.base.cast(), run) });
    }

    /// Has every worker of the pool run `f` once, before the scope ends. Does not block.
    ///
    /// Each worker runs `f` as soon as it has no more jobs of its own. `f` gets the scope and its worker's number.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let sum = AtomicUsize::new(0);
    /// pool.scope(|s| {
    ///     s.spawn_broadcast(|_, context| {
    ///         sum.fetch_add(10 + context.index(), Ordering::Relaxed);
    ///     });
    /// });
    /// assert_eq!(sum.into_inner(), 21);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn spawn_broadcast<F>(&self, f: F)
    where
        F: Fn(&Scope<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        self.spawn_on_workers(None, f);
    }

    /// Has every worker of the pool but `except` run `f` once.
    pub(super) fn spawn_on_workers<F>(&self, except: Option<usize>, f: F)
    where
        F: Fn(&Scope<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let f = Arc::new(f);
        let workers = self.base().registry().peers.len();
        self.base().spawn_on_workers(except, |index| {
            let f = Arc::clone(&f);
            let run = move |base: *const ()| {
                let scope = Scope { base: base.cast(), marker: PhantomData };
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

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// Runs `f` with a new scope on a worker of the pool of `registry`, and waits for the scope's end as `wait` says.
pub(crate) fn scope_on<'scope, F, R>(registry: &Shared, wait: Option<Wait>, f: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    install::on_worker(registry, wait, |worker, _| {
        let body = |base: &Base| f(&Scope::new(base));
        worker.isolated_if(wait, || Base::enter(registry, &Waiter::Worker(worker), wait, body))
    })
}

/// Runs `f` with a new scope of the pool of `registry` on the calling thread, and waits for the scope's end.
pub(crate) fn in_place_on<'scope, F, R>(registry: &Shared, f: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R,
{
    in_place(registry, |base| f(&Scope::new(base)))
}

/// Runs `body` with a new base on the calling thread, and waits for the end of what it spawned.
pub(super) fn in_place<R>(registry: &Shared, body: impl FnOnce(&Base) -> R) -> R {
    Waiter::with(|waiter| {
        // A worker that is inside a job of the pool needs no entry: the pool does not end before that job.
        let inside = match &waiter {
            Waiter::Worker(worker) => worker.inside() && Arc::ptr_eq(&worker.registry, registry),
            Waiter::Thread(_) => false,
        };
        let _entry = (!inside).then(|| match registry.enter() {
            Ok(entry) => entry,
            Err(reason) => panic!("{reason}"),
        });
        Base::enter(registry, &waiter, None, body)
    })
}
