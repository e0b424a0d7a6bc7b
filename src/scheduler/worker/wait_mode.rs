//! The ways in which a worker may wait, and which jobs may run on its stack meanwhile.
//!
//! | type | says |
//! |---|---|
//! | [`Wait`] | which way of waiting the user asks for |
//! | [`Help`] | which jobs a wait may run |
//! | [`Isolation`] | that every wait inside a call runs only jobs pushed since the call began |
//! | [`Nested`] | that jobs of a queue are on the stack |

/// Asks for another way of waiting than the usual one, in [`scope_with`](crate::Pool::scope_with),
/// [`install_with`](crate::Pool::install_with), [`join_with`](crate::JoinHandle::join_with) or
/// [`wait_with`](crate::CountLatch::wait_with).
///
/// Usually a worker that waits inside a job runs only jobs that it waits for, on top of that job: the job behind the
/// handle if that job has not begun, or the jobs of the scope. If it has none of these to run, a
/// [spare](crate::PoolBuilder::spares) takes its place until the wait is over. So no wait keeps another job from
/// going on.
///
/// If no spare is left, the usual wait runs other jobs of the pool. `OwnScope` and `Park` do so only when the pool
/// stands still, that is, when each worker waits in such a way or has nothing to do.
///
/// # Examples
/// ```
/// use std::sync::Mutex;
///
/// let pool = filch::Pool::builder().workers(2).build()?;
/// let total = Mutex::new(0);
/// pool.install(|| {
///     let mut total = total.lock().unwrap();
///     // While it waits here, the worker must not run another job, which might want the lock.
///     *total += pool.scope_with(filch::Wait::OwnScope, |_| pool.join(|| 1, || 2)).1;
/// });
/// assert_eq!(total.into_inner().unwrap(), 2);
/// # Ok::<(), filch::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// Runs any jobs of the pool meanwhile, on the same stack: first the worker's own, then other workers'. That
    /// saves the change to another thread where waits are long and many.
    ///
    /// A job that runs on top may wait for something that the waiting job does next: then neither goes on. A caller
    /// that holds a lock must not wait this way.
    #[default]
    Steal,
    /// Runs only jobs that it waits for, and jobs that this worker spawned since the call began: the jobs of the scope,
    /// and the jobs that these spawn. What it does not wait for, it leaves to others. A job that
    /// nobody has taken within a millisecond gets a spare to itself; if no spare is left, it runs on this worker. The same holds for every wait inside the call, and for other
    /// workers while they run a job that they took from the call.
    ///
    /// This is for a caller that holds a lock which other jobs want.
    OwnScope,
    /// Runs no job while it waits for the end. So there must be other workers or spares to run the jobs, and not all
    /// of them may be blocked on something that the caller holds. On a pool with one worker, or without spares, this
    /// is the same as `OwnScope`. Waits inside the call are as with `OwnScope`.
    Park,
}

/// Which jobs a worker may run while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Help {
    /// All jobs: the wait may be for any job of the pool.
    Any,
    /// Its own jobs, and jobs of others while its stack is [short](crate::scheduler::registry::Registry::help_stack).
    /// The jobs that it waits for run elsewhere, so they end without this worker.
    Near,
    /// Its own jobs.
    Own,
}

/// An isolated call on a worker's stack: only jobs that were pushed since the call began may run on top of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isolation {
    /// The height of the worker's deque when the call began.
    pub(super) floor: isize,
}

/// A queue of which at least one job is, or may be, on this thread's stack.
pub(crate) trait Nested {
    /// Makes room in the queue by overflow. The caller is a worker that runs one of its jobs and cannot run another.
    fn overflow_oldest(&self);

    /// The address that tells the queue from other queues.
    fn address(&self) -> usize;
}
