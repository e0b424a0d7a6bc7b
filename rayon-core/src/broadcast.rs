//! Runs the same job on each thread.

pub use filch::BroadcastContext;

use crate::error::accepted;
use crate::global::{self, on_worker};
use crate::pool::finish_own;

/// Runs `op` once on each thread of the calling thread's pool, or else of the global pool, as
/// [`ThreadPool::broadcast`](crate::ThreadPool::broadcast) does.
///
/// ```
/// let threads = rayon_core::broadcast(|context| context.num_threads());
/// assert!(threads.iter().all(|&number| number == threads.len()));
/// ```
pub fn broadcast<OP, R>(op: OP) -> Vec<R>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    if on_worker() {
        finish_own();
        filch::broadcast_context(op)
    } else {
        global::get().broadcast_context(op)
    }
}

/// Has each thread of the pool call `op` once, as [`broadcast`] does, and does not wait. A panic of `op` is treated
/// as in [`spawn`](crate::spawn()).
pub fn spawn_broadcast<OP>(op: OP)
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    accepted(if on_worker() { filch::spawn_broadcast(op) } else { global::get().spawn_broadcast(op) });
}
