//! The free functions for single closures, and what the calling thread is. They act on the pool that the calling
//! thread works for, or else on the global one.

use super::global::with_registry;
use crate::error::Closed;
use crate::scheduler::worker::{return_host_of_dropped_pool, with_current};
use crate::tasks::handle::JoinHandle;
use crate::tasks::spawn as tasks;

/// Has a worker of the current pool run `f`, and forgets it. Does not block.
///
/// The current pool is the pool that the calling thread works for, or else the [global](crate::Pool::global) one. See
/// [`Pool::execute`](crate::Pool::execute).
///
/// # Errors
/// As [`Pool::execute`](crate::Pool::execute).
///
/// # Examples
/// ```
/// let pool = filch::Pool::new()?;
/// pool.install(|| filch::execute(|| println!("on the same pool")))
///     .map_err(|closed| closed.reason().to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn execute<F>(f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    with_registry(|registry| tasks::execute(registry, f))
}

/// Has a worker of the current pool run `f`, and forgets it. Does not block.
///
/// Of the closures that one worker submits by this function, the oldest runs first.
///
/// The current pool is the pool that the calling thread works for, or else the [global](crate::Pool::global) one. See
/// [`Pool::execute_fifo`](crate::Pool::execute_fifo).
///
/// # Errors
/// As [`Pool::execute_fifo`](crate::Pool::execute_fifo).
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// let (send, order) = std::sync::mpsc::channel();
/// pool.install(|| {
///     for n in 0..3 {
///         let send = send.clone();
///         filch::execute_fifo(move || send.send(n).unwrap()).unwrap();
///     }
/// });
/// drop(send);
/// assert_eq!(order.iter().collect::<Vec<_>>(), [0, 1, 2]);
/// # Ok::<(), filch::BuildError>(())
/// ```
pub fn execute_fifo<F>(f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    with_registry(|registry| tasks::execute_fifo(registry, f))
}

/// Has a worker of the current pool run `f`, and returns a handle to its result. Does not block.
///
/// The current pool is the pool that the calling thread works for, or else the [global](crate::Pool::global) one. See
/// [`Pool::spawn`](crate::Pool::spawn).
///
/// # Examples
/// ```
/// assert_eq!(filch::spawn(|| 6 * 7).join()?, 42);
/// # Ok::<(), filch::JoinError>(())
/// ```
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    with_registry(|registry| tasks::spawn(registry, f)).0
}

/// Returns the calling thread's number as a worker of its pool, or `None` if the thread is no worker.
///
/// Two threads may have the same number at the same time: a worker that waits inside a job, or has just come back
/// from the wait, and the [spare](crate::PoolBuilder::spares) that stands in for it. So an entry of a table that is
/// indexed by this number needs a lock or an atomic, however short the access.
///
/// # Examples
/// ```
/// assert_eq!(filch::current_worker(), None);
/// let pool = filch::Pool::builder().workers(1).build()?;
/// assert_eq!(pool.install(filch::current_worker), Some(0));
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use]
pub fn current_worker() -> Option<usize> {
    return_host_of_dropped_pool();
    with_current(|worker| worker.map(|worker| worker.number.get()))
}

/// Returns the number of workers of the current pool.
///
/// The current pool is the pool that the calling thread works for, or else the [global](crate::Pool::global) one. The
/// global pool is started if it does not exist yet.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// assert_eq!(pool.install(filch::current_workers), 3);
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use]
pub fn current_workers() -> usize {
    with_registry(|registry| registry.peers.len())
}
