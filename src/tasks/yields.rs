//! Giving way: one job in the middle of another.

use crate::scheduler::registry::Shared;
use crate::scheduler::worker::{Worker, with_current};
use crate::sync::Arc;

/// What became of giving way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    /// A job was run.
    Executed,
    /// There was none.
    Idle,
}

/// Runs one job of the pool that the calling thread works for, if there is one: its own newest, or else from
/// wherever it finds one. `None` on a thread that is no worker.
///
/// For closures that wait for something by asking again and again. The job runs on top of the calling one: if it comes to wait
/// for what the calling one does next, neither goes on. A closure that can wait by [`CountLatch`](crate::CountLatch) or
/// [`JoinHandle::join`](crate::JoinHandle::join) has no such trouble.
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

/// As [`yield_now`], but runs only a job that this worker pushed itself, or one that only it may run: its turn in a
/// broadcast.
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

/// Whether the calling worker has jobs that it pushed itself and nobody took; `None` on a thread that is no worker.
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

/// Gives way if the calling thread is a worker of that pool.
pub(crate) fn on(registry: &Shared, run: impl FnOnce(&Worker) -> bool) -> Option<Yield> {
    give_way_if(|worker| Arc::ptr_eq(&worker.registry, registry), run)
}

fn give_way(run: impl FnOnce(&Worker) -> bool) -> Option<Yield> {
    give_way_if(|_| true, run)
}

fn give_way_if(wanted: impl Fn(&Worker) -> bool, run: impl FnOnce(&Worker) -> bool) -> Option<Yield> {
    let outcome = |worker: &Worker| {
        // A lent thread outside any job delays the end of the pool while it works for it.
        let _hold = (!worker.inside()).then(|| worker.registry.hold());
        if run(worker) { Yield::Executed } else { Yield::Idle }
    };
    with_current(|worker| worker.filter(|worker| wanted(worker)).map(outcome))
}
