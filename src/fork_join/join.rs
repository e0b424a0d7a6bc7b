//! `join` and `join_context` on a given pool: two closures that may run at the same time.
//!
//! A worker that is inside a job of the pool forks at once. Any other thread has a worker of the pool do that, and
//! waits. The engine is [`crate::fork_join::fork`].

use crate::fork_join::fork;
use crate::scheduler::registry::Shared;
use crate::scheduler::worker::{Worker, with_current};
use crate::sync::Arc;
use crate::tasks::install;

/// Tells a closure of [`join_context`](crate::join_context) how it was called.
///
/// # Examples
/// ```
/// // Splits on for as long as other workers come for the halves.
/// fn sum(numbers: &[u64], splits: usize) -> u64 {
///     if splits == 0 || numbers.len() < 2 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let next = |context: filch::FnContext| if context.migrated() { 4 } else { splits - 1 };
///     let (a, b) = filch::join_context(|a| sum(left, next(a)), |b| sum(right, next(b)));
///     a + b
/// }
/// assert_eq!(sum(&[1; 1000], 4), 1000);
/// ```
#[derive(Debug)]
pub struct FnContext {
    migrated: bool,
    /// Keeps the type from being sent or shared: the answer is about the thread that the context was made on.
    _thread: std::marker::PhantomData<*const ()>,
}

impl FnContext {
    pub(crate) fn new(migrated: bool) -> FnContext {
        FnContext { migrated, _thread: std::marker::PhantomData }
    }

    /// Returns whether the closure runs on another thread than the caller of `join_context`.
    ///
    /// Code that adapts its grain to the demand splits further if so: a worker was idle.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// // The caller is no worker of the pool, so both sides run on another thread.
    /// assert_eq!(pool.join_context(|a| a.migrated(), |b| b.migrated()), (true, true));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    pub fn migrated(&self) -> bool {
        self.migrated
    }
}

/// Runs [`join`](crate::join()) on the pool of `registry`.
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

/// Runs [`join_context`](crate::join_context) on the pool of `registry`.
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

/// Runs both closures on the pool of `registry`. Each is told whether it runs on another thread than the caller.
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

/// Has a worker of the pool run the join, and waits for it. If that worker is another thread than the caller, both
/// sides count as migrated.
#[cold]
#[inline(never)]
pub(crate) fn join_from_outside<A, B, RA, RB>(registry: &Shared, a: A, b: B) -> (RA, RB)
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
