//! Tells which pool and number the calling thread has, and lets it run jobs of its pool.

pub use filch::Yield;

use crate::global::{self, on_worker};

/// Returns the largest number of threads that a pool may have.
pub fn max_num_threads() -> usize {
    filch::MAX_WORKERS
}

/// Returns how many threads the calling thread's pool has, or else the global pool.
#[inline]
pub fn current_num_threads() -> usize {
    if on_worker() { filch::current_workers() } else { global::get().workers() }
}

/// Returns the number of the calling thread in its pool, or `None` if it is in no pool.
#[inline]
pub fn current_thread_index() -> Option<usize> {
    filch::current_worker()
}

/// Returns whether the calling thread has jobs on its own deque, or `None` if it is in no pool.
#[inline]
pub fn current_thread_has_pending_tasks() -> Option<bool> {
    filch::has_pending()
}

/// Runs one job of the calling thread's pool, if there is a job. Returns `None` if the thread is in no pool.
pub fn yield_now() -> Option<Yield> {
    filch::yield_now()
}

/// Runs one job of the calling thread's own, if there is a job. Returns `None` if the thread is in no pool.
pub fn yield_local() -> Option<Yield> {
    filch::yield_local()
}
