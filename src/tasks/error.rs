//! Why a job has no result.

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::error::ClosedReason;

/// Why a [`JoinHandle`](crate::JoinHandle) has no result.
#[non_exhaustive]
pub enum JoinError {
    /// The job panicked; this is what the panic carried.
    Panicked(Box<dyn Any + Send + 'static>),
    /// The pool was shut down before the job was spawned; it did not run.
    Closed,
    /// This process is a forked child of the one that built the pool, which has no threads here. The job was
    /// spawned here and did not run; or it was spawned before the fork, and runs in the parent.
    ForkedProcess,
}

impl JoinError {
    /// Whether the job panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }

    /// Whether it is [`Closed`](Self::Closed) or [`ForkedProcess`](Self::ForkedProcess): there is nobody to run the
    /// job for this process.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.is_panic()
    }

    /// The payload of the job's panic, fit for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// If the job did not panic.
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
