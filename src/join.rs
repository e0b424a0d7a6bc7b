//! `join`: two closures, maybe at the same time. The engine is [`crate::fork`].

use crate::fork;
use crate::global;
use crate::install;
use crate::registry::Shared;
use crate::sync::Arc;
use crate::worker::{Worker, with_current, with_private};

/// What a closure of [`join_context`] is told about its call.
#[derive(Debug)]
pub struct FnContext {
    migrated: bool,
    /// Neither sent nor shared: it speaks of the thread that it was made on.
    _thread: std::marker::PhantomData<*const ()>,
}

impl FnContext {
    fn new(migrated: bool) -> FnContext {
        FnContext { migrated, _thread: std::marker::PhantomData }
    }

    /// Whether the closure runs on another thread than the one that called `join_context`. What adapts its grain
    /// to the demand splits further if so: somebody was idle.
    #[must_use]
    pub fn migrated(&self) -> bool {
        self.migrated
    }
}

/// Runs two closures, maybe at the same time, and returns both results, on the pool that the calling thread
/// works for, or else on the [global](crate::Pool::global) one.
///
/// The calling worker runs `a` and meanwhile keeps `b` for whoever has nothing to do. If nobody took it, it runs
/// `b` itself: that costs about as much as two calls, 2 ns, so recursion need not stop early. If somebody did, it
/// helps with what `b` forks, if it can have some of that, or leaves its place to a
/// [spare](crate::PoolBuilder::spares) until `b` has ended.
///
/// A worker that has nothing to do takes `b` within about 0.1 ms and a wake, however deep the fork is and whatever `a`
/// does. Both sides may therefore be long. They may need each other only if another worker is free for `b`, now or in
/// time: no two threads are promised.
///
/// Private stacks and their exposure on demand follow Acar, Charguéraud, Rainey: "Scheduling parallel programs by
/// work stealing with private deques" (PPoPP 2013), the way back to the own job Cilk-5's THE protocol.
///
/// # Panics
/// With what the closures panic with, that of `a` if both do. Both always end before. If the drop of the payload
/// that is not passed on panics, the process ends. From outside a pool, as [`Pool::install`](crate::Pool::install).
///
/// # Examples
/// ```
/// fn fib(n: u32) -> u64 {
///     if n < 2 {
///         return u64::from(n);
///     }
///     let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
///     a + b
/// }
/// assert_eq!(fib(20), 6765);
/// ```
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    join_told(|_| a(), |_| b())
}

/// As [`join`], with closures that are told whether they run on another thread than this call.
///
/// # Panics
/// As [`join`].
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// let migrated = pool.install(|| filch::join_context(|a| a.migrated(), |b| b.migrated()));
/// assert_eq!(migrated, (false, false), "there is nobody to migrate to");
/// # Ok::<(), filch::BuildError>(())
/// ```
#[inline]
pub fn join_context<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    join_told(|migrated| a(FnContext::new(migrated)), |migrated| b(FnContext::new(migrated)))
}

#[inline(always)]
fn join_told<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce(bool) -> RA + Send,
    B: FnOnce(bool) -> RB + Send,
    RA: Send,
    RB: Send,
{
    with_private(|private| match private {
        Some(private) => fork::fork(private, || a(false), b),
        None => join_from_anywhere(a, b),
    })
}

/// [`join`] on the pool of `registry`.
#[inline]
pub(crate) fn join_on<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    join_told_on(registry, |_| a(), |_| b())
}

/// [`join_context`] on the pool of `registry`.
#[inline]
pub(crate) fn join_context_on<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    join_told_on(registry, |migrated| a(FnContext::new(migrated)), |migrated| b(FnContext::new(migrated)))
}

#[inline(always)]
fn join_told_on<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
where
    A: FnOnce(bool) -> RA + Send,
    B: FnOnce(bool) -> RB + Send,
    RA: Send,
    RB: Send,
{
    let own = |worker: &&Worker| worker.inside() && Arc::ptr_eq(&worker.registry, registry);
    with_current(|worker| match worker.filter(own) {
        Some(worker) => fork::fork(&worker.stack, || a(false), b),
        None => join_from_outside(registry, a, b),
    })
}

/// As [`join_from_outside`], on the pool that is current. A function of its own, so that a fork's frame has no room for it.
#[cold]
#[inline(never)]
fn join_from_anywhere<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce(bool) -> RA + Send,
    B: FnOnce(bool) -> RB + Send,
    RA: Send,
    RB: Send,
{
    join_from_outside(&global::current(), a, b)
}

#[cold]
#[inline(never)]
fn join_from_outside<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
where
    A: FnOnce(bool) -> RA + Send,
    B: FnOnce(bool) -> RB + Send,
    RA: Send,
    RB: Send,
{
    install::on_worker(registry, None, |worker, injected| {
        fork::fork(&worker.stack, || a(injected), |migrated| b(injected || migrated))
    })
}
