//! The ways in which a worker may wait, and what that means for the jobs on its stack.

/// Asks for another way to wait than the usual one, in [`scope_with`](crate::Pool::scope_with),
/// [`install_with`](crate::Pool::install_with), [`join_with`](crate::JoinHandle::join_with) or
/// [`wait_with`](crate::CountLatch::wait_with).
///
/// Usually a worker that waits inside a job runs nothing on top of that job but what it waits for itself: the job behind
/// the handle if that has not begun, the jobs of the scope. Otherwise a [spare](crate::PoolBuilder::spares) has its place
/// until the wait is over. So no wait keeps another job from going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// Runs jobs of the pool meanwhile, on the same stack: its own, then others', whatever they are. That saves the
    /// change to another thread where waits are long and many. But a job that runs on top may wait for what the waiting
    /// one does next, and then neither goes on; nor must a caller that holds a lock wait so.
    #[default]
    Steal,
    /// Runs only what was spawned by this worker since the call began: the scope's jobs, and theirs. That holds for
    /// every wait inside the call, too, and for other workers in what they take of it. For a caller that holds a lock
    /// which jobs of others want.
    OwnScope,
    /// Runs nothing while it waits for the end: other workers or spares must be there for that, and not all be blocked on
    /// what the caller holds. On a pool with one worker, as `OwnScope`. Waits inside the call are as with `OwnScope`.
    Park,
}

/// Which jobs a worker may run while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Help {
    /// All: what it waits for may be any job of the pool.
    Any,
    /// Its own; those of others as long as its stack is [short](crate::scheduler::registry::Registry::help_stack). What it waits for runs elsewhere, so
    /// it comes to an end without this worker.
    Near,
    /// Its own.
    Own,
    /// None.
    Nothing,
}

/// A stretch of a worker's stack on top of which only jobs run that were pushed since it began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isolation {
    /// How high the deque was.
    pub(super) floor: isize,
}

/// A queue some of whose jobs are on this thread's stack.
pub(crate) trait Nested {
    /// Makes room in it, by a worker that runs one of its jobs and cannot run another.
    fn overflow_oldest(&self);

    /// What tells the queue from others.
    fn address(&self) -> usize;
}
