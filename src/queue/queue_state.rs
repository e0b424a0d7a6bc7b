//! The public questions to a queue: its length, its limits, its counts and its name.

use super::core::TO_OUTSIDE;
use super::{Queue, QueueCounts};

impl<J: Send + 'static> Queue<J> {
    /// Returns how many jobs wait. Running jobs do not count.
    ///
    /// The number exceeds the [capacity](Self::capacity) only if some jobs are in the overflow: see
    /// [`submit`](Self::submit).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|_: u8| ())?;
    /// // The only worker is busy with this closure, so the jobs wait.
    /// pool.install(|| {
    ///     queue.submit_all([1, 2, 3]).unwrap();
    ///     assert_eq!(queue.len(), 3);
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.handle.core.len()
    }

    /// Returns whether no job waits. Some jobs may still run.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|_: u8| ())?;
    /// queue.submit(1)?;
    /// queue.wait();
    /// assert!(queue.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handle.core.is_empty()
    }

    /// Returns how many jobs may wait: the [capacity](crate::QueueBuilder::capacity) that the queue was built with.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().capacity(100).build(|_: u8| ())?;
    /// assert_eq!(queue.capacity(), 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.handle.core.ring.capacity()
    }

    /// Returns whether the queue refuses jobs from outside: [`close`](Self::close) or
    /// [`close_when_idle`](Self::close_when_idle) was called, or the pool's shutdown began. Jobs may still wait and
    /// run, and submit other jobs.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|_: u8| ())?;
    /// assert!(!queue.is_closed());
    /// pool.shutdown()?;
    /// assert!(queue.is_closed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.core.ring.tail_flags() & TO_OUTSIDE != 0
    }

    /// Returns how many jobs the queue has accepted so far, and what became of them.
    ///
    /// Always `accepted == waiting + running + done`. All counts are exact while the queue is idle, that is after a
    /// [`wait`](Self::wait) while nobody submits; `waiting` and `running` are 0 then. A job that somebody has waited
    /// for by its [handle](Self::submit_with_handle) is among the `done`. Otherwise the counts are a reading of about
    /// now: a job that a worker has just taken may already count as running, and a job that has just ended may still
    /// do so.
    ///
    /// A reading costs some loads for each worker of the pool. A job costs one count, which its worker keeps for
    /// itself.
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

    /// Returns the queue's [name](crate::QueueBuilder::name), if it was given one.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().name("mail").build(|_: u8| ())?;
    /// assert_eq!(queue.name(), Some("mail"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.core.name()
    }
}
