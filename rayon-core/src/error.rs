//! The error of a pool that was not built, and the panic for a job that a pool refuses.

use std::error::Error;
use std::fmt;
use std::io;

use filch::Closed;

/// Says why a pool was not built. [`ThreadPoolBuilder::build`](crate::ThreadPoolBuilder::build) and similar functions
/// return it.
#[derive(Debug)]
pub struct ThreadPoolBuildError {
    kind: ErrorKind,
}

#[derive(Debug)]
pub(crate) enum ErrorKind {
    GlobalPoolAlreadyInitialized,
    CurrentThreadAlreadyInPool,
    IOError(io::Error),
}

const GLOBAL_ALREADY_INITIALIZED: &str = "The global thread pool has already been initialized.";
const THREAD_ALREADY_IN_POOL: &str = "The current thread is already part of another thread pool.";

impl ThreadPoolBuildError {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        ThreadPoolBuildError { kind }
    }

    /// Returns whether this system has no threads.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(&self.kind, ErrorKind::IOError(error) if error.kind() == io::ErrorKind::Unsupported)
    }
}

impl From<filch::BuildError> for ThreadPoolBuildError {
    fn from(error: filch::BuildError) -> Self {
        ThreadPoolBuildError::new(match error {
            filch::BuildError::AlreadyWorker => ErrorKind::CurrentThreadAlreadyInPool,
            filch::BuildError::Spawn { source, .. } => ErrorKind::IOError(source),
            // The adapter makes no other request that could be refused.
            other => ErrorKind::IOError(io::Error::other(other)),
        })
    }
}

impl Error for ThreadPoolBuildError {
    #[allow(deprecated)]
    fn description(&self) -> &str {
        match &self.kind {
            ErrorKind::GlobalPoolAlreadyInitialized => GLOBAL_ALREADY_INITIALIZED,
            ErrorKind::CurrentThreadAlreadyInPool => THREAD_ALREADY_IN_POOL,
            ErrorKind::IOError(error) => error.description(),
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            ErrorKind::GlobalPoolAlreadyInitialized | ErrorKind::CurrentThreadAlreadyInPool => None,
            ErrorKind::IOError(error) => Some(error),
        }
    }
}

impl fmt::Display for ThreadPoolBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::GlobalPoolAlreadyInitialized => GLOBAL_ALREADY_INITIALIZED.fmt(f),
            ErrorKind::CurrentThreadAlreadyInPool => THREAD_ALREADY_IN_POOL.fmt(f),
            ErrorKind::IOError(error) => error.fmt(f),
        }
    }
}

/// Panics if the pool refused the job. A pool refuses jobs only after its end, or in a forked child, where it has no
/// threads. There rayon would keep the job and never run it.
#[track_caller]
pub(crate) fn accepted<F>(result: Result<(), Closed<F>>) {
    if let Err(closed) = result {
        panic!("{closed}");
    }
}
