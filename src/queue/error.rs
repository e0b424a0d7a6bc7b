//! The reasons why a queue refuses a job.
//!
//! [`SubmitError`] is the public form, with the job handed back. [`Refusal`] is the internal form, while the job is
//! still in its producer's parcel: the calls in between do not pass a large job up by copies.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::jobs::ring::{Parcel, Refused};

/// The reason why a [`Queue`](crate::Queue) did not take a job, with the job handed back.
///
/// # Examples
/// ```
/// use filch::{CountLatch, Pool, SubmitError};
/// use std::sync::Arc;
///
/// let pool = Pool::builder().workers(1).build()?;
/// let gate = Arc::new(CountLatch::new(1));
/// let queue = pool.queue().capacity(1).build({
///     let gate = Arc::clone(&gate);
///     move |_job: u8| gate.wait()
/// })?;
/// let refused = (0..3).find_map(|job| queue.try_submit(job).err()).expect("one runs, one waits");
/// assert_eq!(refused.to_string(), "the queue is full: it holds 1 job, its capacity");
/// match refused {
///     SubmitError::Full(no_room) => assert_eq!(no_room.capacity, 1),
///     other => panic!("{other}"),
/// }
/// gate.count_down();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError<J> {
    /// The queue holds as many jobs as its capacity allows.
    Full(NoRoom<J>),
    /// The queue was closed, or its pool was shut down.
    Closed(J),
    /// The queue stayed full for the whole time given.
    Timeout(NoRoom<J>),
    /// This process is a forked child of the one that built the pool.
    ForkedProcess(J),
}

/// A job for which a [`Queue`](crate::Queue) had no room, with the queue's capacity and the time allowed.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// let queue = pool.queue().capacity(1).build(|_: u8| ())?;
/// // The only worker is busy with this closure, so nothing makes room.
/// let refused = pool.install(|| (0..2).find_map(|job| queue.try_submit(job).err())).expect("one waits");
/// let filch::SubmitError::Full(no_room) = refused else { panic!("not full") };
/// assert_eq!((no_room.job, no_room.capacity), (1, 1));
/// assert!(no_room.timeout.is_zero());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(PartialEq, Eq)]
#[non_exhaustive]
pub struct NoRoom<J> {
    /// The job, which will not run.
    pub job: J,
    /// How many jobs may wait in the queue.
    pub capacity: usize,
    /// How long the call was allowed to wait for room: zero for one try.
    pub timeout: Duration,
}

/// A [`SubmitError`] without the job, which still lies in its producer's parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Full,
    Closed,
    ForkedProcess,
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Refusal::Full,
            Refused::Closed => Refusal::Closed,
        }
    }
}

impl Refusal {
    /// Takes the job out of `parcel` and returns the error, as an `Err`. `capacity` is the queue's; `timeout` is how
    /// long the call was allowed to wait for room, and `None` if it was given no timeout.
    #[cold]
    #[inline(never)]
    pub(super) fn with<J, N, R>(
        self,
        parcel: &mut Parcel<J, N>,
        capacity: usize,
        timeout: Option<Duration>,
    ) -> Result<R, SubmitError<J>> {
        match (self, timeout) {
            (Refusal::Full, None) => {
                let timeout = Duration::ZERO;
                Err(SubmitError::Full(NoRoom { job: parcel.open(), capacity, timeout }))
            }
            (Refusal::Full, Some(timeout)) => {
                Err(SubmitError::Timeout(NoRoom { job: parcel.open(), capacity, timeout }))
            }
            (Refusal::Closed, _) => Err(SubmitError::Closed(parcel.open())),
            (Refusal::ForkedProcess, _) => Err(SubmitError::ForkedProcess(parcel.open())),
        }
    }
}

impl<J> SubmitError<J> {
    /// Returns the job, which will not run.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|_: String| ())?;
    /// queue.close();
    /// let job = queue.submit("late".to_owned()).unwrap_err().into_inner();
    /// assert_eq!(job, "late");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> J {
        match self {
            SubmitError::Full(NoRoom { job, .. })
            | SubmitError::Timeout(NoRoom { job, .. })
            | SubmitError::Closed(job)
            | SubmitError::ForkedProcess(job) => job,
        }
    }

    /// Returns whether the reason is [`Full`](Self::Full).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().capacity(1).build(|_: u8| ())?;
    /// // The only worker is busy with this closure, so nothing makes room.
    /// let refused = pool.install(|| (0..2).find_map(|job| queue.try_submit(job).err())).expect("one waits");
    /// assert!(refused.is_full());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, SubmitError::Full(_))
    }

    /// Returns whether the reason is [`Closed`](Self::Closed).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|_: u8| ())?;
    /// queue.close();
    /// assert!(queue.submit(1).unwrap_err().is_closed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, SubmitError::Closed(_))
    }

    /// Returns whether the reason is a [`Timeout`](Self::Timeout).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().capacity(1).build(|_: u8| ())?;
    /// // The only worker is busy with this closure, so nothing makes room.
    /// let submit = |job| queue.submit_timeout(job, Duration::ZERO);
    /// let refused = pool.install(|| (0..2).find_map(|job| submit(job).err())).expect("one waits");
    /// assert!(refused.is_timeout());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, SubmitError::Timeout(_))
    }
}

/// Leaves the job out: `J` need not be `Debug`.
impl<J> fmt::Debug for SubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubmitError::Full(no_room) => f.debug_tuple("Full").field(no_room).finish(),
            SubmitError::Timeout(no_room) => f.debug_tuple("Timeout").field(no_room).finish(),
            SubmitError::Closed(_) => f.debug_tuple("Closed").finish_non_exhaustive(),
            SubmitError::ForkedProcess(_) => f.debug_tuple("ForkedProcess").finish_non_exhaustive(),
        }
    }
}

/// Leaves the job out: `J` need not be `Debug`.
impl<J> fmt::Debug for NoRoom<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("NoRoom");
        fields.field("capacity", &self.capacity).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<J> fmt::Display for SubmitError<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubmitError::Full(NoRoom { capacity, .. }) => {
                let jobs = if *capacity == 1 { "job" } else { "jobs" };
                write!(f, "the queue is full: it holds {capacity} {jobs}, its capacity")
            }
            SubmitError::Timeout(NoRoom { capacity, timeout, .. }) => {
                write!(f, "the queue, of capacity {capacity}, stayed full for the {timeout:?} that were given")
            }
            SubmitError::Closed(_) => f.write_str("the queue is closed, or its pool is shut down"),
            SubmitError::ForkedProcess(_) => f.write_str(
                "this process was forked from the one that built the pool and has none of its threads",
            ),
        }
    }
}

impl<J> Error for SubmitError<J> {}
