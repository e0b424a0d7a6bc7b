//! The error of a shutdown.

use std::error::Error;
use std::fmt;

use crate::error::ClosedReason;

/// Why a shutdown did not end the pool.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// // A job cannot wait for the end of the pool that runs it.
/// let refused = pool.install(|| pool.shutdown());
/// assert_eq!(refused, Err(filch::ShutdownError::WouldDeadlock));
/// // A thread outside the pool can.
/// assert_eq!(pool.shutdown()?.run, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownError {
    /// A job of the pool called the shutdown, and would wait for its own end. On Windows also: the calling thread holds
    /// the loader's lock, which each thread takes at its end. It is in `DllMain`, in a static destructor of a DLL, or in
    /// the destructor of a thread-local. Nothing was changed.
    WouldDeadlock,
    /// The time is up. The pool is closed and goes on draining; another shutdown can wait for the rest.
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
                let lock = if cfg!(windows) { ", or under the loader's lock" } else { "" };
                write!(
                    f,
                    "shutdown was called by a job of the same pool, which would wait for its own end{lock}"
                )
            }
            ShutdownError::Timeout { stuck } => {
                write!(f, "the time given was up; these workers had not ended: {}", stuck.join(", "))
            }
            ShutdownError::ForkedProcess => ClosedReason::ForkedProcess.fmt(f),
        }
    }
}

impl Error for ShutdownError {}
