//! Why a pool did not shut down.

use std::error::Error;
use std::fmt;

use crate::error::ClosedReason;

/// Why a shutdown did not end the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownError {
    /// Called by a job of the pool, which would wait for its own end. Nothing was changed.
    WouldDeadlock,
    /// Time is up. The pool is closed and goes on draining; another shutdown can wait for the rest.
    Timeout {
        /// The names of the threads that had not ended.
        stuck: Vec<String>,
    },
    /// This process is a forked child of the one that built the pool.
    ForkedProcess,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShutdownError::WouldDeadlock => {
                f.write_str("shutdown was called by a job of the same pool, which would wait for its own end")
            }
            ShutdownError::Timeout { stuck } => {
                write!(f, "the time given was up; these workers had not ended: {}", stuck.join(", "))
            }
            ShutdownError::ForkedProcess => ClosedReason::ForkedProcess.fmt(f),
        }
    }
}

impl Error for ShutdownError {}
