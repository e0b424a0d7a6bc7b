//! `blocking`: a job announces that it is about to block its thread.

use crate::scheduler::worker::with_current;

/// Runs `f`, which is about to block the thread: on a file, a lock, a device or the network.
///
/// In a job, a [spare](crate::PoolBuilder::spares) has the worker's place until `f` returns, so the core stays in
/// use. The waits of this crate do so by themselves, and need no `blocking` around them.
///
/// The function just calls `f` on a thread that is no worker, on a lent thread that is in no job, inside another
/// call of `blocking`, in a forked child, and when no spare is available.
///
/// A call costs a fraction of a wake, and up to about one wake while other workers are busy. So it does not pay for
/// what blocks for a shorter time. A spare is woken only if there is something for it to do. The first use of a
/// spare starts its thread.
///
/// # Panics
/// Resumes the panic of `f`.
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
