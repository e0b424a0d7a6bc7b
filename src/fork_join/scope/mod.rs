//! `scope`: any number of closures that may borrow what lives longer than the scope.

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

/// A place to spawn closures that borrow: made by [`scope`](crate::scope()), which returns when all of them have ended.
///
/// A closure is spawned with [`spawn`](Self::spawn), and gets the scope in turn, to spawn more. What is spawned by
/// one worker runs newest first, as far as others do not take it, oldest first; for a fixed order there is
/// [`ScopeFifo`]. Any thread may spawn that has a reference.
pub struct Scope<'scope> {
    base: *const Base,
    /// Invariant: a scope that took closures of a longer life could hand out one of a shorter.
    marker: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

// SAFETY: a scope is a pointer to its base, which is Sync.
unsafe impl Send for Scope<'_> {}
// SAFETY: as above.
unsafe impl Sync for Scope<'_> {}

impl<'scope> Scope<'scope> {
    fn new(base: &Base) -> Scope<'scope> {
        Scope { base: ptr::from_ref(base), marker: PhantomData }
    }

    pub(super) fn base(&self) -> &Base {
        // SAFETY: a scope is only shown to its body and its jobs, and lives as long as its base.
        unsafe { &*self.base }
    }

    /// Has a worker run `f` before the scope ends. Does not block.
    ///
    /// Closures with up to 24 bytes of captures are not allocated. On a worker of the pool `f` stays private to it
    /// until another has nothing to do.
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
            // SAFETY: the base lives until its count is zero, in which this job is.
            unsafe { Base::run(scope.base, || f(&scope)) };
        };
        // SAFETY: what `f` borrows outlives the scope, which does not end before this job.
        self.base().spawn(unsafe { Job::of_scope(self.base.cast(), run) });
    }

    /// Has every worker of the pool run `f` once, told its number, before the scope ends: each as soon as it has no
    /// more jobs of its own. Does not block.
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

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

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

pub(crate) fn in_place_on<'scope, F, R>(registry: &Shared, f: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R,
{
    in_place(registry, |base| f(&Scope::new(base)))
}

/// Runs `body` with a base, on the calling thread.
pub(super) fn in_place<R>(registry: &Shared, body: impl FnOnce(&Base) -> R) -> R {
    Waiter::with(|waiter| {
        // A worker of the pool is inside a job, which the pool's end waits for.
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
