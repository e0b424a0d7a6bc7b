//! The public operations that close a queue and wait for it. [`super::end`] holds the mechanism.

use std::time::Duration;

use super::Queue;
use crate::scheduler::waiter::{deadline, on_signal};
use crate::scheduler::worker::with_current;
use crate::system::clock::Instant;

impl<J: Send + 'static> Queue<J> {
    /// Closes the queue: from now on it refuses jobs. Accepted jobs still run. Closing again does nothing.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let queue = pool.queue().build(|n: u32| assert!(n > 0))?;
    /// queue.submit(1)?;
    /// queue.close();
    /// assert!(queue.submit(2).unwrap_err().is_closed());
    /// queue.wait();
    /// assert_eq!(queue.counts().done, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) {
        self.handle.core.close();
    }

    /// Refuses jobs from now on, except those that the queue's own handlers submit, and closes the queue when no job
    /// waits and none runs: at once, if that is so now.
    ///
    /// This is for work that makes work: submit the seeds, call this, and [`wait`](Self::wait).
    ///
    /// A job is a handler's own if the handler's thread submits it while the handler's job is on the stack. This
    /// includes a submission that has to wait for room, a submission in a `join` or a `scope` inside the handler, and
    /// a submission in another job that a wait inside the handler runs. Jobs that other threads submit are not the
    /// handler's own, even if the handler makes these threads submit them. The queue refuses no handler's own job
    /// before it closes.
    ///
    /// [`close`](Self::close), the drop of the last handle and the pool's shutdown have their usual effect: the first
    /// two also refuse what handlers submit.
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

    /// Waits until all jobs accepted before this call have ended. If the queue is closed, it also waits until the
    /// [end of its workers' states](crate::StatefulQueueBuilder::state_end). In a job, a
    /// [spare](crate::PoolBuilder::spares) has the worker's place meanwhile.
    ///
    /// The wait ends at a moment at which the queue is idle. So it may last as long as others keep submitting: call
    /// [`close`](Self::close) or [`close_when_idle`](Self::close_when_idle) first to wait for the end of all jobs.
    ///
    /// A handler must not wait for its own queue, nor for another job of its queue, by any means (a handle, a latch,
    /// a channel). Once as many handlers wait as the [concurrency](crate::QueueBuilder::concurrency) allows, no
    /// runner is left for the job that they wait for.
    ///
    /// # Panics
    /// In a job of this queue, which would wait for its own end, and in a forked child.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let sum = Arc::new(AtomicU64::new(0));
    /// let total = Arc::clone(&sum);
    /// let queue = pool.queue().build(move |n: u64| _ = total.fetch_add(n, Ordering::Relaxed))?;
    /// queue.submit_all(1..=10)?;
    /// // The sum is complete only after this.
    /// queue.wait();
    /// assert_eq!(sum.load(Ordering::Relaxed), 55);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// Waits as [`wait`](Self::wait) does, for at most `timeout`, and returns `true` if that wait has ended by then.
    ///
    /// A timeout of zero looks once; [`Duration::MAX`] waits for ever. A worker that runs a job when the time is up
    /// finishes that job first.
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

    /// Panics in a job of this queue, which would wait for its own end, and in a forked child.
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
