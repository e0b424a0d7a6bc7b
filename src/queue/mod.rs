//! The bounded, typed queue: the Go seed's channel of jobs, its workers and its `WaitGroup` in one.

mod builder;
pub(crate) mod core;
mod counts;
mod end;
mod error;
mod full;
mod idle;
mod overflow;
mod pace;
pub(crate) mod parcel;
mod room_waiters;
mod run_job;
mod runner;
pub(crate) mod runner_counts;
mod standby;
mod start;
mod states;
mod submit;
mod time_slice;
mod weak;

pub use builder::{QueueBuilder, StatefulQueueBuilder};
pub use counts::QueueCounts;
pub use error::{NoRoom, SubmitError};
pub use weak::WeakQueue;

use std::fmt;
use std::time::{Duration, Instant};

use self::core::{CoreRef, TO_OUTSIDE};
use self::submit::Patience;
use crate::scheduler::waiter::{deadline, on_signal};
use crate::scheduler::worker::with_current;
use crate::sync::StdArc;
use crate::tasks::handle::{self, JoinHandle};
use crate::waiting::numbered::Number;

/// A bounded queue of jobs of one type, served by one handler on the workers of a pool.
///
/// Made by [`Pool::queue`](crate::Pool::queue). Values go through a ring of the given capacity: nothing is
/// allocated for a job. At most `concurrency` jobs run at once, and jobs begin in the order in which they
/// were accepted; with a concurrency of 1 they run strictly one after the other. A job that panics goes to
/// the pool's panic handler and those behind it run all the same.
///
/// Handles are cheap to clone. Dropping the last one closes the queue; what was accepted still runs.
///
/// The handler and its [states](QueueBuilder::worker_state) are dropped when the last handle has gone and the last job has
/// ended; or else when the pool has ended, by its last worker or by who shuts it down, although there are handles still. A
/// handler that submits to its own queue does so by a [`WeakQueue`]; one that holds a `Queue` of its own keeps it open, and
/// itself, until the pool has ended.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
///
/// let pool = filch::Pool::builder().workers(3).build()?;
/// let sum = Arc::new(AtomicU64::new(0));
/// let queue = pool.queue().capacity(10).build({
///     let sum = Arc::clone(&sum);
///     move |n: u64| {
///         sum.fetch_add(n, Ordering::Relaxed);
///     }
/// })?;
/// for n in 1..=10 {
///     queue.submit(n)?;
/// }
/// queue.close();
/// queue.wait();
/// assert_eq!(sum.load(Ordering::Relaxed), 55);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<J> {
    handle: StdArc<Handle<J>>,
}

/// Held by all clones of a [`Queue`], and not by its runners: when it goes, nobody can submit any more.
struct Handle<J> {
    core: CoreRef<J>,
    /// The queue's number among the sources of its pool.
    source: Number,
}

impl<J> Drop for Handle<J> {
    fn drop(&mut self) {
        self.core.close();
        self.core.registry.remove_source(self.source);
    }
}

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
    /// [have](StatefulQueueBuilder::state_end). In a job, a [spare](crate::PoolBuilder::spares) has the
    /// worker's place meanwhile.
    ///
    /// It waits for a moment at which the queue is idle, so as long as others keep submitting it may last;
    /// [`close`](Self::close) or [`close_when_idle`](Self::close_when_idle) first to wait for the end.
    ///
    /// A handler must not wait for its own queue, nor for another job of it, by whatever means (a handle, a latch, a
    /// channel): once as many do as the [concurrency](QueueBuilder::concurrency) allows, nobody is left to run that job.
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

    /// Its [name](QueueBuilder::name), if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.handle.core.name()
    }
}

impl<J> Clone for Queue<J> {
    fn clone(&self) -> Self {
        Queue { handle: StdArc::clone(&self.handle) }
    }
}

impl<J: Send + 'static> fmt::Debug for Queue<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.name())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("concurrency", &self.handle.core.limit)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
