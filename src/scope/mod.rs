//! `scope`: any number of closures that may borrow what lives longer than the scope.

mod base;
mod fifo;

pub(crate) use base::Base;
pub use fifo::{ScopeFifo, in_place_scope_fifo, scope_fifo};
pub(crate) use fifo::{in_place_fifo_on, scope_fifo_on};

use std::fmt;
use std::marker::PhantomData;
use std::ptr;

use crate::broadcast::BroadcastContext;
use crate::global;
use crate::install;
use crate::job::Job;
use crate::registry::Shared;
use crate::sync::Arc;
use crate::wait::Waiter;
use crate::worker::Wait;

/// A place to spawn closures that borrow: made by [`scope`], which returns when all of them have ended.
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

    pub(crate) fn base(&self) -> &Base {
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

    pub(crate) fn spawn_on_workers<F>(&self, except: Option<usize>, f: F)
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

/// Runs `f` on a worker and waits until all that it spawned has ended, on the pool that the calling thread works
/// for, or else on the [global](crate::Pool::global) one.
///
/// While it waits, the worker runs jobs of the scope. When it has none, a [spare](crate::PoolBuilder::spares) has its place,
/// unless it is to wait in [another way](crate::Pool::scope_with).
///
/// # Panics
/// With the first panic of `f` or a spawned closure, after all have ended. If the drop of a later payload panics,
/// the process ends. From outside a pool, as [`Pool::install`](crate::Pool::install).
///
/// # Examples
/// ```
/// let words = ["steal", "something", "small"];
/// let mut lengths = [0; 3];
/// filch::scope(|s| {
///     for (length, word) in lengths.iter_mut().zip(&words) {
///         s.spawn(move |_| *length = word.len());
///     }
/// });
/// assert_eq!(lengths, [5, 9, 5]);
/// ```
pub fn scope<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    scope_on(&global::current(), None, f)
}

/// As [`scope`], but runs `f` on the calling thread, whatever that is; it need not be `Send` then.
///
/// A thread outside the pool sleeps while it waits.
///
/// # Panics
/// As [`scope`].
///
/// # Examples
/// ```
/// let mut sum = 0;
/// filch::in_place_scope(|s| s.spawn(|_| sum = (1..=10).sum::<u32>()));
/// assert_eq!(sum, 55);
/// ```
pub fn in_place_scope<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R,
{
    in_place_on(&global::current(), f)
}

pub(crate) fn scope_on<'scope, F, R>(registry: &Shared, wait: Option<Wait>, f: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    install::on_worker(registry, wait, |worker, _| {
        let body = |base: &Base| f(&Scope::new(base));
        worker.apart(wait, || Base::enter(registry, &Waiter::Worker(worker), wait, body))
    })
}

pub(crate) fn in_place_on<'scope, F, R>(registry: &Shared, f: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R,
{
    in_place(registry, |base| f(&Scope::new(base)))
}

/// Runs `body` with a base, on the calling thread.
pub(crate) fn in_place<R>(registry: &Shared, body: impl FnOnce(&Base) -> R) -> R {
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
