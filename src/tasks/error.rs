//! The reasons for which a job has no result.

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::error::ClosedReason;

/// Says why a [`JoinHandle`](crate::JoinHandle) has no result.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// match pool.spawn(|| -> u8 { panic!("lost") }).join() {
///     Err(filch::JoinError::Panicked(payload)) => assert_eq!(payload.downcast_ref::<&str>(), Some(&"lost")),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), filch::BuildError>(())
/// ```
#[non_exhaustive]
pub enum JoinError {
    /// The job panicked with this payload.
    Panicked(Box<dyn Any + Send + 'static>),
    /// The pool was shut down before the job was spawned. The job did not run.
    Closed,
    /// This process is a forked child of the process that built the pool, and has none of the pool's threads.
    /// Either the job was spawned in the child and did not run, or it was spawned before the fork and runs in the
    /// parent.
    ForkedProcess,
}

impl JoinError {
    /// Returns whether the job panicked.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let error = pool.spawn(|| -> u8 { panic!("lost") }).join().unwrap_err();
    /// assert!(error.is_panic() && !error.is_closed());
    /// assert_eq!(error.to_string(), "the job panicked: lost");
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }

    /// Returns whether the error is [`Closed`](Self::Closed) or [`ForkedProcess`](Self::ForkedProcess): no thread
    /// runs the job for this process.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// pool.shutdown()?;
    /// // `spawn` has no error of its own: the handle says that the pool did not take the job.
    /// assert!(pool.spawn(|| 6 * 7).join().unwrap_err().is_closed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.is_panic()
    }

    /// Returns the payload of the job's panic, which can be passed to [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// If the job did not panic.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let error = pool.spawn(|| -> u8 { panic!("lost") }).join().unwrap_err();
    /// // `std::panic::resume_unwind(payload)` would go on with the panic on this thread.
    /// let payload = error.into_panic();
    /// assert_eq!(payload.downcast_ref::<&str>(), Some(&"lost"));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self {
            JoinError::Panicked(payload) => payload,
            other => panic!("into_panic on a job that did not panic: {other}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JoinError::Panicked(_) => "Panicked(..)",
            JoinError::Closed => "Closed",
            JoinError::ForkedProcess => "ForkedProcess",
        })
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(payload) => {
                let text = payload
                    .downcast_ref::<&'static str>()
                    .copied()
                    .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                match text {
                    Some(text) => write!(f, "the job panicked: {text}"),
                    None => f.write_str("the job panicked"),
                }
            }
            JoinError::Closed => ClosedReason::Shutdown.fmt(f),
            JoinError::ForkedProcess => ClosedReason::ForkedProcess.fmt(f),
        }
    }
}

impl Error for JoinError {}

impl From<ClosedReason> for JoinError {
    fn from(reason: ClosedReason) -> Self {
        match reason {
            ClosedReason::Shutdown => JoinError::Closed,
            ClosedReason::ForkedProcess => JoinError::ForkedProcess,
        }
    }
}
