//! `blocking`: a job says that it is about to block its thread.

use crate::scheduler::worker::with_current;

/// Runs `f`, which is about to block the thread: on a file, a lock, a device, the network. In a job, a
/// [spare](crate::PoolBuilder::spares) has the worker's place until `f` returns, so the core has something to do.
///
/// filch's own waits do this by themselves. Called on a thread that is no worker, inside another call of `blocking`, in a
/// forked child, or when no spare is to be had, it just calls `f`.
///
/// Costs some hundred nanoseconds, and up to about 15 µs while other workers are busy: not for what blocks for less. A spare
/// is woken only if there is something for it to do. The first use of a spare starts its thread.
///
/// # Panics
/// With what `f` panics with.
///
/// # Examples
/// ```
/// let pool = filch::Pool::new()?;
/// let read = pool.spawn(|| filch::blocking(|| std::fs::read_to_string("Cargo.toml")));
/// assert!(read.join()??.contains("[package]"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn blocking<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    with_current(|worker| match worker {
        Some(worker) => worker.blocking(f),
        None => f(),
    })
}
