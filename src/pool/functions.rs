//! The free functions for single closures: on the pool that the calling thread works for, or else on the global one.

use super::global::with_registry;
use crate::error::Closed;
use crate::scheduler::worker::{return_host_of_dropped_pool, with_current};
use crate::tasks::handle::JoinHandle;
use crate::tasks::spawn as tasks;

/// [`Pool::execute`](crate::Pool::execute) on the pool that the calling thread works for, or else on the [global](crate::Pool::global) one.
///
/// # Errors
/// As for the method.
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

/// [`Pool::execute_fifo`](crate::Pool::execute_fifo) on the pool that the calling thread works for, or else on the [global](crate::Pool::global) one.
///
/// # Errors
/// As for the method.
pub fn execute_fifo<F>(f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    with_registry(|registry| tasks::execute_fifo(registry, f))
}

/// [`Pool::spawn`](crate::Pool::spawn) on the pool that the calling thread works for, or else on the [global](crate::Pool::global) one.
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

/// The number of the worker that the calling thread is, in its pool; `None` if it is none.
///
/// Two threads may have one number at once: a worker that waits in a job, or has just come back from that, and the
/// [spare](crate::PoolBuilder::spares) that stands in for it. So what lies in a table by this number needs a lock or an
/// atomic, however short the access.
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

/// How many workers the pool has that the calling thread works for, or else the [global](crate::Pool::global) one,
/// which is started if need be.
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
