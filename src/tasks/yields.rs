//! Yields: a job runs one other job in the middle of its own work.

use crate::scheduler::registry::Shared;
use crate::scheduler::worker::{Worker, with_current};
use crate::sync::Arc;

/// Says what a yield did.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// pool.install(|| {
///     let job = filch::spawn(|| 6 * 7);
///     // A closure that must look again and again lets other jobs run meanwhile.
///     while !job.is_finished() {
///         assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
///     }
///     assert_eq!(filch::yield_now(), Some(filch::Yield::Idle));
/// });
/// # Ok::<(), filch::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    /// The call ran a job.
    Executed,
    /// There was no job to run.
    Idle,
}

/// Runs one job of the pool that the calling thread works for, if there is one. The worker's newest own job comes
/// first, then jobs from anywhere else. Returns `None` on a thread that is no worker.
///
/// It is for closures that look for a change again and again. The job runs on top of the calling one. If it comes
/// to wait for what the calling job does next, neither goes on. A closure that can wait with
/// [`CountLatch`](crate::CountLatch) or [`JoinHandle::join`](crate::JoinHandle::join) avoids that.
///
/// # Examples
/// ```
/// assert_eq!(filch::yield_now(), None);
/// let pool = filch::Pool::builder().workers(1).build()?;
/// pool.install(|| {
///     filch::execute(|| ())?;
///     assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
///     assert_eq!(filch::yield_now(), Some(filch::Yield::Idle));
///     Ok::<(), filch::Closed<_>>(())
/// }).map_err(|closed| closed.reason().to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn yield_now() -> Option<Yield> {
    give_way(Worker::run_one)
}

/// Runs one job like [`yield_now`], but only a job that this worker pushed itself, or a job that only this worker
/// may run: its turn in a broadcast.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// assert_eq!(pool.install(filch::yield_local), Some(filch::Yield::Idle));
/// # Ok::<(), filch::BuildError>(())
/// ```
pub fn yield_local() -> Option<Yield> {
    give_way(Worker::run_local)
}

/// Returns whether the calling worker has jobs that it pushed itself and that no other worker took. Returns `None`
/// on a thread that is no worker.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// pool.install(|| {
///     assert_eq!(filch::has_pending(), Some(false));
///     filch::execute(|| ())?;
///     assert_eq!(filch::has_pending(), Some(true));
///     Ok::<(), filch::Closed<_>>(())
/// }).map_err(|closed| closed.reason().to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn has_pending() -> Option<bool> {
    with_current(|worker| worker.map(Worker::has_own))
}

/// Runs one job with `run` if the calling thread is a worker of the pool.
pub(crate) fn on(registry: &Shared, run: impl FnOnce(&Worker) -> bool) -> Option<Yield> {
    give_way_if(|worker| Arc::ptr_eq(&worker.registry, registry), run)
}

fn give_way(run: impl FnOnce(&Worker) -> bool) -> Option<Yield> {
    give_way_if(|_| true, run)
}

fn give_way_if(wanted: impl Fn(&Worker) -> bool, run: impl FnOnce(&Worker) -> bool) -> Option<Yield> {
    let outcome = |worker: &Worker| {
        // A lent thread outside any job delays the end of the pool while it works for the pool.
        let _hold = (!worker.inside()).then(|| worker.registry.hold());
        if run(worker) { Yield::Executed } else { Yield::Idle }
    };
    with_current(|worker| worker.filter(|worker| wanted(worker)).map(outcome))
}
