//! Spawns jobs that nobody waits for.

use crate::error::accepted;
use crate::global::{self, on_worker};

/// Has the pool run `func`. A thread runs the newest job that it spawned first; other threads steal the oldest. The
/// payload of a panic goes to the pool's panic handler. Without a handler the panic ends the process.
///
/// ```
/// let (done, result) = std::sync::mpsc::channel();
/// rayon_core::spawn(move || done.send(6 * 7).unwrap());
/// assert_eq!(result.recv(), Ok(42));
/// ```
pub fn spawn<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    accepted(if on_worker() { filch::execute(func) } else { global::get().execute(func) });
}

/// Has the pool run `func` as [`spawn`] does, but a thread runs the oldest job that it spawned with this function
/// first.
pub fn spawn_fifo<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    accepted(if on_worker() { filch::execute_fifo(func) } else { global::get().execute_fifo(func) });
}
