//! The free functions that fork and join: on the pool that the calling thread works for, or else on the global one.

use super::global;
use crate::error::Closed;
use crate::fork_join::broadcast::{broadcast_on, spawn_broadcast_on};
use crate::fork_join::fork;
use crate::fork_join::join::{FnContext, join_from_outside};
use crate::fork_join::scope::{
    BroadcastContext, Scope, ScopeFifo, in_place_fifo_on, in_place_on, scope_fifo_on, scope_on,
};
use crate::scheduler::worker::with_private;

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

/// As [`scope`](crate::scope()), for a [`ScopeFifo`].
///
/// # Panics
/// As [`scope`](crate::scope()).
pub fn scope_fifo<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    scope_fifo_on(&global::current(), f)
}

/// As [`in_place_scope`], for a [`ScopeFifo`].
///
/// # Panics
/// As [`scope`](crate::scope()).
pub fn in_place_scope_fifo<'scope, F, R>(f: F) -> R
where
    F: FnOnce(&ScopeFifo<'scope>) -> R,
{
    in_place_fifo_on(&global::current(), f)
}

/// Runs `f` once on every worker of the pool that the calling thread works for, or else of the
/// [global](crate::Pool::global) one; see [`Pool::broadcast`](crate::Pool::broadcast).
///
/// # Panics
/// As the method.
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

/// As [`broadcast`], and tells each call more about it.
///
/// # Panics
/// As the method.
pub fn broadcast_context<F, R>(f: F) -> Vec<R>
where
    F: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    broadcast_on(&global::current(), f)
}

/// Has every worker of the pool that the calling thread works for, or else of the [global](crate::Pool::global) one, run
/// `f` once; see [`Pool::spawn_broadcast`](crate::Pool::spawn_broadcast).
///
/// # Errors
/// As the method.
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
