//! How users submit to a queue. The way of a job from here is in [`super::submit`].

use std::time::Duration;

use super::submit::Patience;
use super::{Queue, SubmitError};
use crate::tasks::handle::{self, JoinHandle};

impl<J: Send + 'static> Queue<J> {
    /// Puts a job in, waiting while the queue is full.
    ///
    /// A thread outside any pool sleeps while it waits; where the jobs take long it may come back up to half a millisecond
    /// after the first place is free, for several at once. In a job, a [spare](crate::PoolBuilder::spares) has the worker's
    /// place meanwhile, so that the queue's runners go on. Without a spare the worker runs pending jobs on top: of this
    /// queue first, where its concurrency allows one more; of others until 16 such waits are on its stack.
    ///
    /// A handler may submit to its own queue, or to one whose handler submits to its own. Where all workers that may
    /// make room in a queue wait for room themselves, in each other's queues or their own, the last of them sets the
    /// oldest job of such a queue aside, beyond the capacity, and that job runs next when its turn comes. So this
    /// does not deadlock, and a concurrency of 1 means one after the other, in order, all the same; but a handler
    /// that submits more than there is room for, again and again, fills memory. Such a circle may go through
    /// several pools; one through a thread that is no worker is not seen.
    ///
    /// Costs about 10 ns while there is room. All that happened before is visible to the handler.
    ///
    /// # Errors
    /// The job back, if the queue is closed or its pool shut down (jobs of the pool's own workers are taken
    /// until the drain has ended), or in a forked child.
    #[inline]
    pub fn submit(&self, job: J) -> Result<(), SubmitError<J>> {
        self.handle.core.submit(job)
    }

    /// Puts a job in if there is room now.
    ///
    /// # Errors
    /// The job back: as for [`submit`](Self::submit), or because the queue is full.
    #[inline]
    pub fn try_submit(&self, job: J) -> Result<(), SubmitError<J>> {
        self.handle.core.submit_with(job, None, Patience::None, ())
    }

    /// As [`submit`](Self::submit), but gives up after `timeout`. A timeout of zero tries once;
    /// [`Duration::MAX`] waits for ever. A worker that makes room by running a job finishes that job first.
    ///
    /// # Errors
    /// The job back: as for [`submit`](Self::submit), or because the time is up.
    pub fn submit_timeout(&self, job: J, timeout: Duration) -> Result<(), SubmitError<J>> {
        self.handle.core.submit_with(job, None, Patience::Of(timeout), ())
    }

    /// Puts all `jobs` in, in order, waiting while the queue is full, and returns how many there were.
    ///
    /// A job is taken from the iterator only when the one before it was accepted.
    ///
    /// # Errors
    /// The first job that was not accepted; those before it were. Pass `&mut iterator` to keep the rest.
    pub fn submit_all<I>(&self, jobs: I) -> Result<usize, SubmitError<J>>
    where
        I: IntoIterator<Item = J>,
    {
        self.handle.core.submit_all(jobs)
    }

    /// As [`submit`](Self::submit), with a handle that ends when the handler has returned for this job. One allocation.
    ///
    /// If the handler panics on the job, the handle has the panic, and the panic handler is not told; unless the handle was
    /// dropped before: then as for other jobs.
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
