//! How users close a queue and wait for it. What happens then is in [`super::end`].

use std::time::{Duration, Instant};

use super::Queue;
use crate::scheduler::waiter::{deadline, on_signal};
use crate::scheduler::worker::with_current;

impl<J: Send + 'static> Queue<J> {
    /// Refuses jobs from now on. What was accepted runs. Closing again does nothing.
    pub fn close(&self) {
        self.handle.core.close();
    }

    /// Refuses jobs from now on, but for those that the queue's own handlers submit, and closes the queue when nothing waits
    /// and nothing runs: at once, if that is so now. For work that makes work: submit the seeds, call this, and
    /// [`wait`](Self::wait).
    ///
    /// A handler's own is what its thread submits while the job is on its stack, also when it has to wait for room, in
    /// a `join` or a `scope` inside the handler, or in another job that is run by a wait in there. What other threads
    /// submit is not, also if a handler has them do so. None of a handler's jobs is refused before the close.
    /// [`close`](Self::close), the drop of the last handle and the pool's shutdown do what they do all the same: the
    /// first two refuse also what handlers submit.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, OnceLock};
    ///
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let own: Arc<OnceLock<filch::Queue<u32>>> = Arc::default();
    /// let queue = pool.queue().build({
    ///     let own = Arc::downgrade(&own);
    ///     move |depth| {
    ///         if depth > 0 {
    ///             let own = own.upgrade().expect("it is waited for");
    ///             let queue = own.get().expect("it was set before the first job");
    ///             queue.submit_all([depth - 1, depth - 1]).expect("open for its own");
    ///         }
    ///     }
    /// })?;
    /// own.set(queue.clone()).expect("once");
    /// queue.submit(3)?;
    /// queue.close_when_idle();
    /// queue.wait();
    /// assert_eq!(queue.counts().done, 1 + 2 + 4 + 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_when_idle(&self) {
        self.handle.core.close_when_idle();
    }

    /// Waits until all jobs accepted before this call have ended; if the queue is closed, also until its workers' states
    /// [have](crate::StatefulQueueBuilder::state_end). In a job, a [spare](crate::PoolBuilder::spares) has the
    /// worker's place meanwhile.
    ///
    /// It waits for a moment at which the queue is idle, so as long as others keep submitting it may last;
    /// [`close`](Self::close) or [`close_when_idle`](Self::close_when_idle) first to wait for the end.
    ///
    /// A handler must not wait for its own queue, nor for another job of it, by whatever means (a handle, a latch, a
    /// channel): once as many do as the [concurrency](crate::QueueBuilder::concurrency) allows, nobody is left to run that job.
    ///
    /// # Panics
    /// In a job of this queue, which would wait for its own end, and in a forked child.
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// As [`wait`](Self::wait), for `timeout` at most; `true` if that has ended. A timeout of
    /// zero looks once; [`Duration::MAX`] waits for ever. A worker that runs a job when time is up finishes that job first.
    ///
    /// # Panics
    /// As [`wait`](Self::wait), also with a timeout of zero.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc::{Receiver, channel};
    /// use std::time::Duration;
    ///
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|release: Receiver<()>| drop(release.recv()))?;
    /// let (release, blocked) = channel();
    /// queue.submit(blocked)?;
    /// assert!(!queue.wait_timeout(Duration::from_millis(1)));
    /// drop(release);
    /// assert!(queue.wait_timeout(Duration::MAX));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        if timeout.is_zero() {
            self.assert_may_wait();
            return self.handle.core.is_at_rest();
        }
        self.wait_until(deadline(timeout))
    }

    /// Panics where a wait would be for the caller's own end, and in a forked child.
    fn assert_may_wait(&self) {
        let core = &self.handle.core;
        assert!(!core.registry.forked(), "{}", crate::ClosedReason::ForkedProcess);
        let own = with_current(|worker| worker.is_some_and(|worker| worker.is_of_queue(core.address())));
        assert!(!own, "wait was called by a job of the same queue, which would wait for its own end");
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        self.assert_may_wait();
        let core = &self.handle.core;
        on_signal(deadline, None, |wake| core.enter_idle(wake), |ticket| core.idle.waiters.remove(ticket))
    }
}
