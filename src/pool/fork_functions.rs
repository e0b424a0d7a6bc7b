//! The free functions that fork and join. They act on the pool that the calling thread works for, or else on the
//! global one.

use super::global;
use crate::error::Closed;
use crate::fork_join::broadcast::{broadcast_on, spawn_broadcast_on};
use crate::fork_join::fork;
use crate::fork_join::join::{FnContext, join_from_outside};
use crate::fork_join::scope::{
    BroadcastContext, Scope, ScopeFifo, in_place_fifo_on, in_place_on, scope_fifo_on, scope_on,
};
use crate::scheduler::worker::with_private;

/// Runs two closures, maybe at the same time, and returns both results.
///
/// The closures run on the pool that the calling thread works for, or else on the [global](crate::Pool::global) one.
///
/// The calling worker runs `a`. Meanwhile it keeps `b` for a worker that has nothing to do. If no other worker took
/// `b`, the calling worker runs `b` itself; that costs about as much as two calls, so recursion need not stop early.
/// If another worker took `b`, the calling worker helps with what `b` forks, as far as it can have some of that.
/// Otherwise it leaves its place to a [spare](crate::PoolBuilder::spares) until `b` has ended.
///
/// A worker that has nothing to do takes `b` within about 0.1 ms and a wake, however deep the fork is and whatever
/// `a` does. Both sides may therefore be long. The two sides may need each other only if another worker is free for
/// `b`, now or in time: `join` does not promise two threads.
///
/// Private stacks and their exposure on demand follow Acar, Charguéraud, Rainey: "Scheduling parallel programs by
/// work stealing with private deques" (PPoPP 2013). The way in which a worker gets its own fork back follows the THE
/// protocol of Cilk-5.
///
/// # Panics
/// Panics with the payload of the closure that panicked, and with that of `a` if both did. Both closures have always
/// ended before. The process ends if the drop of a payload that is not passed on panics, or the drop of the result of
/// the closure that did not panic. Called from outside a pool, it also panics as
/// [`Pool::install`](crate::Pool::install) does.
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

/// Runs two closures as [`join`] does, and tells each whether it runs on another thread than the caller.
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

/// Runs both closures on the current pool. Each is told whether it runs on another thread than the caller.
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

/// Runs [`join_from_outside`] on the current pool. This is a separate function, so that the frame of a fork keeps no
/// room for it.
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

/// Runs `f` on a worker, waits until everything that was spawned in the scope has ended, and returns the result of
/// `f`.
///
/// The scope belongs to the pool that the calling thread works for, or else to the [global](crate::Pool::global) one.
///
/// While the worker waits, it runs jobs of the scope. When there are none for it, a
/// [spare](crate::PoolBuilder::spares) has its place. [`Pool::scope_with`](crate::Pool::scope_with) asks for another
/// way to wait.
///
/// # Panics
/// Panics with the first panic of `f` or a spawned closure, after all of them have ended. If the drop of a later
/// payload panics, the process ends. Called from outside a pool, it also panics as
/// [`Pool::install`](crate::Pool::install) does.
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

/// Runs `f` on the calling thread, whatever thread that is, and otherwise does as [`scope`]. So `f` need not be
/// `Send`.
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

/// Runs `f` with a [`ScopeFifo`], and otherwise does as [`scope`](crate::scope()).
///
/// # Panics
/// As [`scope`](crate::scope()).
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// let order = std::sync::Mutex::new(Vec::new());
/// pool.install(|| {
///     filch::scope_fifo(|s| {
///         for n in 0..3 {
///             let order = &order;
///             s.spawn_fifo(move |_| order.lock().unwrap().push(n));
///         }
///     });
/// });
/// assert_eq!(order.into_inner().unwrap(), [0, 1, 2]);
/// # Ok::<(), filch::BuildError>(())
/// ```
pub fn scope_fifo<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    scope_fifo_on(&global::current(), f)
}

/// Runs `f` with a [`ScopeFifo`], and otherwise does as [`in_place_scope`].
///
/// # Panics
/// As [`scope`](crate::scope()).
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// let spawned = std::cell::Cell::new(0);
/// let sum = AtomicU32::new(0);
/// filch::in_place_scope_fifo(|s| {
///     for n in 1..=10 {
///         let sum = &sum;
///         s.spawn_fifo(move |_| {
///             sum.fetch_add(n, Ordering::Relaxed);
///         });
///         // This closure stays on this thread, so it may use what cannot be shared.
///         spawned.set(n);
///     }
/// });
/// assert_eq!((sum.into_inner(), spawned.get()), (55, 10));
/// ```
pub fn in_place_scope_fifo<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&ScopeFifo<'scope>) -> R,
{
    in_place_fifo_on(&global::current(), f)
}

/// Runs `f` once on every worker of the current pool, waits, and returns the results by worker number.
///
/// The current pool is the pool that the calling thread works for, or else the [global](crate::Pool::global) one. See
/// [`Pool::broadcast`](crate::Pool::broadcast).
///
/// # Panics
/// As [`Pool::broadcast`](crate::Pool::broadcast).
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// let squares = pool.install(|| filch::broadcast(|index| index * index));
/// assert_eq!(squares, [0, 1, 4]);
/// # Ok::<(), filch::BuildError>(())
/// ```
pub fn broadcast<F, R>(f: F) -> Vec<R>
where
    F: Fn(usize) -> R + Sync,
    R: Send,
{
    broadcast_on(&global::current(), |context| f(context.index()))
}

/// Runs `f` as [`broadcast`] does, and tells each call the number of workers as well.
///
/// # Panics
/// As [`Pool::broadcast`](crate::Pool::broadcast).
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// let last = pool.install(|| filch::broadcast_context(|worker| worker.index() + 1 == worker.num_threads()));
/// assert_eq!(last, [false, false, true]);
/// # Ok::<(), filch::BuildError>(())
/// ```
pub fn broadcast_context<F, R>(f: F) -> Vec<R>
where
    F: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    broadcast_on(&global::current(), f)
}

/// Has every worker of the current pool run `f` once. Does not block.
///
/// The current pool is the pool that the calling thread works for, or else the [global](crate::Pool::global) one. See
/// [`Pool::spawn_broadcast`](crate::Pool::spawn_broadcast).
///
/// # Errors
/// As [`Pool::spawn_broadcast`](crate::Pool::spawn_broadcast).
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// let (tell, told) = std::sync::mpsc::channel();
/// pool.install(|| filch::spawn_broadcast(move |context| tell.send(context.index()).unwrap()))
///     .map_err(|closed| closed.reason().to_string())?;
/// let mut indices: Vec<usize> = told.iter().collect();
/// indices.sort_unstable();
/// assert_eq!(indices, [0, 1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn_broadcast<F>(f: F) -> Result<(), Closed<F>>
where
    F: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    spawn_broadcast_on(&global::current(), f)
}
