//! The ends of a worker's waits: the pool's end, a latch, a signal, or a moment in time.

use super::{Help, Worker};
use crate::jobs::job::Job;
use crate::scheduler::registry::Registry;
use crate::system::clock::Instant;
use crate::waiting::latch::{Latch, Signal, TaskLatch};

/// The end of a wait. A worker runs jobs, searches and sleeps until it is reached.
pub(crate) trait Until {
    /// Returns whether the end is reached. If so, everything that led to the end is visible to the caller.
    fn done(&self, registry: &Registry) -> bool;

    /// Announces that the worker is about to park. The thread that reaches the end must then leave a token with the
    /// worker's parker. Returns `false` if the end is reached already.
    fn arm(&self) -> bool {
        true
    }

    /// Looks for a job.
    fn find(&self, worker: &Worker, help: Help) -> Option<Job> {
        worker.find(help)
    }

    /// Returns the number of the peer whose deque the worker searches first.
    fn hint(&self) -> Option<usize> {
        None
    }

    /// Returns the moment at which the wait gives up, if there is one.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Whether this is a wait inside a job. The pool does not end before that job has ended.
    const IN_JOB: bool = true;

    /// Whether the worker searches awake before it sleeps.
    const SEARCH: bool = true;
}

/// The end of a worker's main loop: the pool has ended.
pub(super) struct UntilEnd;

impl Until for UntilEnd {
    fn done(&self, registry: &Registry) -> bool {
        registry.sleep.snapshot().ended()
    }

    const IN_JOB: bool = false;
}

impl Until for Latch {
    fn done(&self, _: &Registry) -> bool {
        self.probe()
    }

    fn arm(&self) -> bool {
        Latch::arm(self)
    }
}

impl Until for TaskLatch {
    fn done(&self, _: &Registry) -> bool {
        self.probe()
    }

    fn arm(&self) -> bool {
        TaskLatch::arm(self)
    }

    fn hint(&self) -> Option<usize> {
        self.thief()
    }
}

/// The end of a wait for a signal, or for a moment in time. A signal wakes the worker without a call of
/// [`arm`](Until::arm).
pub(crate) struct UntilSignal<'s> {
    pub(crate) signal: &'s Signal,
    pub(crate) deadline: Option<Instant>,
}

impl Until for UntilSignal<'_> {
    fn done(&self, _: &Registry) -> bool {
        self.signal.fired() || self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// The end of a wait for a signal, or for a moment in time, that is far enough away to sleep at once.
pub(crate) struct UntilMuchLater<'s>(pub(crate) UntilSignal<'s>);

impl Until for UntilMuchLater<'_> {
    fn done(&self, registry: &Registry) -> bool {
        self.0.done(registry)
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    const SEARCH: bool = false;
}

/// The end of a wait for a moment in time, or for a job in the inbox of `worker`.
pub(super) struct UntilTime<'w> {
    pub(super) moment: Instant,
    pub(super) worker: &'w Worker,
}

impl Until for UntilTime<'_> {
    fn done(&self, _: &Registry) -> bool {
        self.moment <= Instant::now() || !self.worker.inbox_is_empty()
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.moment)
    }

    /// Takes nothing out of the inbox. The caller puts the job that is found where other workers may take it, and a
    /// job of the inbox may run on this worker only.
    fn find(&self, worker: &Worker, help: Help) -> Option<Job> {
        worker.find_shared(help)
    }

    const SEARCH: bool = false;
}
