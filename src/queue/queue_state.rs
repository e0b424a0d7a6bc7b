//! What users may ask a queue.

use super::core::TO_OUTSIDE;
use super::{Queue, QueueCounts};

impl<J: Send + 'static> Queue<J> {
    /// How many jobs wait, not counting those that run. More than the [capacity](Self::capacity) only if some were
    /// set aside, see [`submit`](Self::submit).
    #[must_use]
    pub fn len(&self) -> usize {
        self.handle.core.len()
    }

    /// Whether no job waits. Some may still run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handle.core.is_empty()
    }

    /// How many jobs may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.handle.core.ring.capacity()
    }

    /// Whether jobs from outside are refused: [`close`](Self::close) or [`close_when_idle`](Self::close_when_idle) was
    /// called, or the pool's shutdown began. Jobs may still wait and run, and make others.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.core.ring.tail_flags() & TO_OUTSIDE != 0
    }

    /// How many jobs were accepted so far, and what became of them.
    ///
    /// Always `accepted == waiting + running + done`. While the queue is idle, after a [`wait`](Self::wait) with nobody that
    /// submits, all are exact, and `waiting` and `running` are 0. A job that somebody has waited for by its
    /// [handle](Self::submit_with_handle) is among the `done`. Otherwise it is a reading of about now: a job that has just
    /// been taken or has just ended may still, or already, be counted as running. Costs some loads for each worker of
    /// the pool; a job costs one count that its worker has for itself.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let queue = pool.queue().name("words").build(|word: &str| assert!(!word.is_empty()))?;
    /// queue.submit_all(["work", "steal"])?;
    /// queue.wait();
    /// let counts = queue.counts();
    /// assert_eq!((counts.accepted, counts.done, counts.panicked), (2, 2, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        self.handle.core.counts()
    }

    /// Its [name](crate::QueueBuilder::name), if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.core.name()
    }
}
