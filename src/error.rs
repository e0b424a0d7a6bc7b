//! What can go wrong, each with what was given and what is allowed, and the job handed back.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a pool does not take a job from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClosedReason {
    /// Its shutdown began.
    Shutdown,
    /// This process is a forked child: the pool's threads exist in its parent only.
    ForkedProcess,
}

impl fmt::Display for ClosedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClosedReason::Shutdown => "the pool is shut down: it takes jobs from its own workers only",
            ClosedReason::ForkedProcess => {
                "this process was forked from the one that built the pool and has none of its threads"
            }
        })
    }
}

/// A closure that a pool did not take, handed back.
pub struct Closed<F> {
    job: F,
    reason: ClosedReason,
}

impl<F> Closed<F> {
    pub(crate) fn new(job: F, reason: ClosedReason) -> Self {
        Closed { job, reason }
    }

    /// The closure, which did not run.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.job
    }

    /// Why it was not taken.
    pub fn reason(&self) -> ClosedReason {
        self.reason
    }
}

impl<F> fmt::Debug for Closed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Closed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<F> Error for Closed<F> {}

/// Why a [`Pool`](crate::Pool) or a [`Queue`](crate::Queue) was not built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// `workers(0)`.
    ZeroWorkers,
    /// More workers than a pool can have.
    TooManyWorkers {
        /// What was asked for.
        given: usize,
        /// The most there can be.
        max: usize,
    },
    /// More workers and spares together than a pool can have.
    TooManySpares {
        /// How many workers the pool would have.
        workers: usize,
        /// The spares that were asked for.
        spares: usize,
        /// The most there can be of both.
        max: usize,
    },
    /// `Placement::List` names a core that is absent or that this process may not use.
    CoreNotAllowed {
        /// The core named.
        core: usize,
        /// The cores that may be used.
        allowed: Vec<usize>,
    },
    /// `Placement::List` names a core twice.
    CoreListedTwice {
        /// The core named.
        core: usize,
    },
    /// `Placement::List` names no core.
    EmptyPlacement,
    /// The pool's name has a NUL byte, which the system cannot store in a thread's name.
    NameContainsNul {
        /// The name given.
        name: String,
    },
    /// `stack_size(0)`.
    ZeroStackSize,
    /// A stack size that no address space holds.
    StackSizeTooLarge {
        /// What was asked for, in bytes.
        given: usize,
        /// The most that is passed on to the system, in bytes.
        max: usize,
    },
    /// The system, or the closure of `spawn_with`, did not start this worker's thread. Those started
    /// before it were ended and joined.
    Spawn {
        /// The number of the worker.
        worker: usize,
        /// What the system said.
        source: io::Error,
    },
    /// `use_current_thread` on a thread that is a worker already.
    AlreadyWorker,
    /// The global pool exists already.
    GlobalAlreadyBuilt,
    /// `capacity(0)`.
    ZeroCapacity,
    /// A capacity that no queue can have.
    CapacityTooLarge {
        /// What was asked for, in jobs.
        given: usize,
        /// The most there can be, in jobs.
        max: usize,
    },
    /// `concurrency(0)`.
    ZeroConcurrency,
    /// The memory for the queue's slots could not be had.
    OutOfMemory {
        /// The capacity asked for, in jobs.
        capacity: usize,
    },
    /// The pool is shut down.
    Closed,
    /// This process is a forked child of the one that built the pool.
    ForkedProcess,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::ZeroWorkers => f.write_str("0 workers were given; at least 1 is needed"),
            BuildError::TooManyWorkers { given, max } => {
                write!(f, "{given} workers were given; 1 to {max} are allowed")
            }
            BuildError::TooManySpares { workers, spares, max } => {
                write!(
                    f,
                    "{workers} workers and {spares} spares were given; together at most {max} are allowed"
                )
            }
            BuildError::CoreNotAllowed { core, allowed } => {
                write!(f, "core {core} was given; this process may use {allowed:?}")
            }
            BuildError::CoreListedTwice { core } => {
                write!(f, "core {core} was given twice; each core may be listed once")
            }
            BuildError::EmptyPlacement => {
                f.write_str("an empty list of cores was given; at least 1 core is needed")
            }
            BuildError::NameContainsNul { name } => {
                write!(f, "the name {name:?} was given; a thread's name must not contain NUL")
            }
            BuildError::ZeroStackSize => {
                f.write_str("a stack size of 0 bytes was given; at least 1 is needed (the system rounds up)")
            }
            BuildError::StackSizeTooLarge { given, max } => {
                write!(f, "a stack size of {given} bytes was given; at most {max} are allowed")
            }
            BuildError::Spawn { worker, source } => {
                write!(f, "the thread of worker {worker} was not started: {source}")
            }
            BuildError::AlreadyWorker => {
                f.write_str("use_current_thread was given on a thread that is a worker; it must not be one")
            }
            BuildError::GlobalAlreadyBuilt => {
                f.write_str("the global pool exists already; it can be built once, before its first use")
            }
            BuildError::ZeroCapacity => f.write_str("a capacity of 0 jobs was given; at least 1 is needed"),
            BuildError::CapacityTooLarge { given, max } => {
                write!(f, "a capacity of {given} jobs was given; 1 to {max} are allowed")
            }
            BuildError::ZeroConcurrency => f.write_str("a concurrency of 0 was given; at least 1 is needed"),
            BuildError::OutOfMemory { capacity } => {
                write!(f, "a capacity of {capacity} jobs was given; there is not that much memory")
            }
            BuildError::Closed => f.write_str("the pool is shut down; a queue needs one that runs"),
            BuildError::ForkedProcess => ClosedReason::ForkedProcess.fmt(f),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BuildError::Spawn { source, .. } => Some(source),
            _ => None,
        }
    }
}
