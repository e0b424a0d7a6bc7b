//! The public operations that submit jobs to a queue. [`super::submit`] holds the mechanism.

use std::time::Duration;

use super::submit::Patience;
use super::{Queue, SubmitError};
use crate::tasks::handle::{self, JoinHandle};

impl<J: Send + 'static> Queue<J> {
    /// Submits a job, and waits while the queue is full.
    ///
    /// A thread outside any pool sleeps while it waits. Where the jobs take long, it may come back up to half a
    /// millisecond after the first place is free, and then finds several free places, if no other producer has taken them.
    /// The same holds for a job. In a job, a
    /// [spare](crate::PoolBuilder::spares) has the worker's place meanwhile, so that the queue's runners go on.
    /// Without a spare, the worker runs pending jobs on top of the waiting job: jobs of this queue first, where its
    /// concurrency allows one more; other jobs until 16 waits for room are on its stack.
    ///
    /// A handler may submit to its own queue, or to a queue whose handler submits back to the first. The waits may
    /// then form a cycle: all workers that may make room in a queue wait for room themselves, in each other's queues
    /// or in their own. Then the last of them moves the oldest job of a queue in the cycle to that queue's overflow,
    /// beyond the capacity, and the moved job runs next, in its turn. So the cycle does not deadlock, and with a
    /// concurrency of 1 the jobs still run one after the other, in order. But a handler that submits more than there
    /// is room for, again and again, fills memory. A cycle may go through several pools; a cycle through a thread
    /// that is no worker is not detected.
    ///
    /// While there is room, a submission costs about one atomic exchange and the copy of the job, and no allocation.
    /// All that happened before the call is visible to the handler.
    ///
    /// # Errors
    /// The job back, if the queue is closed or its pool is shut down (a pool that shuts down takes jobs from its own
    /// workers until the drain has ended), or in a forked child.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (write, written) = std::sync::mpsc::channel();
    /// let queue = pool.queue().capacity(1).concurrency(1).build(move |n: u32| write.send(n).unwrap())?;
    /// for n in 1..=3 {
    ///     // A producer that is faster than the handler is held back here.
    ///     queue.submit(n)?;
    /// }
    /// queue.wait();
    /// assert_eq!(written.try_iter().sum::<u32>(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn submit(&self, job: J) -> Result<(), SubmitError<J>> {
        self.handle.core.submit(job)
    }

    /// Submits a job if there is room now. Does not wait.
    ///
    /// # Errors
    /// The job back: as for [`submit`](Self::submit), or because the queue is full.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().capacity(1).build(|request: &'static str| assert!(!request.is_empty()))?;
    /// // The only worker is busy with this closure, so nothing makes room: the second request is shed.
    /// let shed = pool.install(|| ["first", "second"].into_iter().find_map(|job| queue.try_submit(job).err()));
    /// assert_eq!(shed.map(|refused| refused.into_inner()), Some("second"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_submit(&self, job: J) -> Result<(), SubmitError<J>> {
        self.handle.core.submit_with(job, None, Patience::None, ())
    }

    /// Submits a job as [`submit`](Self::submit) does, but waits for room for at most `timeout`.
    ///
    /// A timeout of zero tries once; [`Duration::MAX`] waits for ever. A worker that makes room by running a job
    /// finishes that job first.
    ///
    /// # Errors
    /// The job back: as for [`submit`](Self::submit), or because the time is up.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().capacity(1).build(|request: &'static str| assert!(!request.is_empty()))?;
    /// let patience = Duration::ZERO;
    /// // The only worker is busy with this closure, so nothing makes room.
    /// let submit = |request| queue.submit_timeout(request, patience).err();
    /// let late = pool.install(|| ["first", "second"].into_iter().find_map(submit));
    /// assert!(late.is_some_and(|refused| refused.is_timeout()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_timeout(&self, job: J, timeout: Duration) -> Result<(), SubmitError<J>> {
        self.handle.core.submit_with(job, None, Patience::Of(timeout), ())
    }

    /// Submits all `jobs`, in order, waits while the queue is full, and returns how many jobs there were.
    ///
    /// It takes a job from the iterator only when the queue has accepted the job before.
    ///
    /// # Errors
    /// The first job that the queue did not accept; it accepted the jobs before. Pass `&mut iterator` to keep the
    /// rest.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|n: u32| assert!(n > 0))?;
    /// assert_eq!(queue.submit_all(1..=100)?, 100);
    /// queue.close();
    /// // After a refusal the iterator still has the jobs behind the refused one.
    /// let mut late = vec![101, 102, 103].into_iter();
    /// assert_eq!(queue.submit_all(&mut late).unwrap_err().into_inner(), 101);
    /// assert_eq!(late.as_slice(), [102, 103]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_all<I>(&self, jobs: I) -> Result<usize, SubmitError<J>>
    where
        I: IntoIterator<Item = J>,
    {
        self.handle.core.submit_all(jobs)
    }

    /// Submits a job as [`submit`](Self::submit) does, and returns a handle that ends when the handler has returned
    /// from this job. Costs one allocation.
    ///
    /// If the handler panics on the job, the handle gets the panic, and the panic handler is not told. If the handle
    /// was dropped before, the panic goes to the panic handler, as for other jobs.
    ///
    /// # Errors
    /// The job back, as for [`submit`](Self::submit).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let queue = pool.queue().build(|n: u32| assert!(n < 10, "too large"))?;
    /// let (small, large) = (queue.submit_with_handle(1)?, queue.submit_with_handle(100)?);
    /// assert!(small.join().is_ok());
    /// assert_eq!(large.join().unwrap_err().to_string(), "the job panicked: too large");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_with_handle(&self, job: J) -> Result<JoinHandle<()>, SubmitError<J>> {
        let core = &self.handle.core;
        let (promise, handle) = handle::promise(core.registry.generation());
        core.submit_with(job, Some(promise), Patience::Endless, handle)
    }
}
