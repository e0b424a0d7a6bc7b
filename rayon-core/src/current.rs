//! What the calling thread is, and how it lends a hand.

pub use filch::Yield;

use crate::global::{self, on_worker};

/// How many threads a pool may have.
pub fn max_num_threads() -> usize {
    filch::MAX_WORKERS
}

/// How many threads the calling thread's pool has, or else the global one.
#[inline]
pub fn current_num_threads() -> usize {
    if on_worker() { filch::current_workers() } else { global::get().workers() }
}

/// The number of the calling thread in its pool, if it is in one.
#[inline]
pub fn current_thread_index() -> Option<usize> {
    filch::current_worker()
}

/// Whether the calling thread has jobs on its own deque; `None` if it is in no pool.
#[inline]
pub fn current_thread_has_pending_tasks() -> Option<bool> {
    filch::has_pending()
}

/// Runs one job of the calling thread's pool, if there is one; `None` if the thread is in no pool.
pub fn yield_now() -> Option<Yield> {
    filch::yield_now()
}

/// Runs one job of the calling thread's own, if there is one; `None` if the thread is in no pool.
pub fn yield_local() -> Option<Yield> {
    filch::yield_local()
}
