//! The errors of pools and queues. Each names what was given and what is allowed, and a refused job comes back with
//! its error.

use std::error::Error;
use std::fmt;
use std::io;

/// Says why a pool does not take a job from outside.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// pool.shutdown()?;
/// let refused = pool.execute(|| ()).unwrap_err();
/// assert_eq!(refused.reason(), filch::ClosedReason::Shutdown);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClosedReason {
    /// The pool's shutdown has begun.
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

/// A closure that a pool did not take, given back to the caller.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// pool.shutdown()?;
/// let refused = pool.execute(|| println!("not run")).unwrap_err();
/// assert_eq!(refused.to_string(), "the pool is shut down: it takes jobs from its own workers only");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Closed<F> {
    job: F,
    reason: ClosedReason,
}

impl<F> Closed<F> {
    pub(crate) fn new(job: F, reason: ClosedReason) -> Self {
        Closed { job, reason }
    }

    /// Returns the closure, which did not run.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// pool.shutdown()?;
    /// let refused = pool.try_install(|| 6 * 7).unwrap_err();
    /// // The caller may run the closure itself.
    /// assert_eq!(refused.into_inner()(), 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_inner(self) -> F {
        self.job
    }

    /// Returns the reason why the pool did not take the closure.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// pool.shutdown()?;
    /// match pool.execute(|| ()) {
    ///     Err(refused) => assert_eq!(refused.reason(), filch::ClosedReason::Shutdown),
    ///     Ok(()) => panic!("the pool is closed"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

/// Says why a [`Pool`](crate::Pool) or a [`Queue`](crate::Queue) was not built.
///
/// # Examples
/// ```
/// let error = filch::Pool::builder().workers(0).build().unwrap_err();
/// assert!(matches!(error, filch::BuildError::ZeroWorkers));
/// // The text says what was given and what is allowed.
/// assert_eq!(error.to_string(), "0 workers were given; at least 1 is needed");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// `workers(0)` was given.
    ZeroWorkers,
    /// More workers were given than a pool can have.
    TooManyWorkers {
        /// The number of workers given.
        given: usize,
        /// The largest number of workers.
        max: usize,
    },
    /// More workers and spares were given than a pool can have together.
    TooManySpares {
        /// The number of workers that the pool would have.
        workers: usize,
        /// The number of spares given.
        spares: usize,
        /// The largest sum of both.
        max: usize,
    },
    /// `Placement::List` names a core that does not exist or that this process may not use.
    CoreNotAllowed {
        /// The core that the list names.
        core: usize,
        /// The cores that this process may use.
        allowed: Vec<usize>,
    },
    /// `Placement::List` names a core twice.
    CoreListedTwice {
        /// The core that the list names.
        core: usize,
    },
    /// `Placement::List` names no core.
    EmptyPlacement,
    /// The pool's name contains a NUL byte, which the system cannot store in a thread's name.
    NameContainsNul {
        /// The name given.
        name: String,
    },
    /// `stack_size(0)` was given.
    ZeroStackSize,
    /// The stack size exceeds what any address space holds.
    StackSizeTooLarge {
        /// The size given, in bytes.
        given: usize,
        /// The largest size that is passed on to the system, in bytes.
        max: usize,
    },
    /// The thread of this worker was not started: by the system, or by the closure of `spawn_with` or `build_with`.
    /// `build` ended the workers that it had started before, and waited for their threads; `build_with` told its
    /// workers to end and did not wait.
    Spawn {
        /// The number of the worker.
        worker: usize,
        /// The error of the system or of the closure.
        source: io::Error,
    },
    /// `use_current_thread` was given on a thread that is a worker already.
    AlreadyWorker,
    /// The global pool exists already.
    GlobalAlreadyBuilt,
    /// `asymmetric_fences(true)` was given, and this system has no fence on all cores at once, or refuses it.
    NoAsymmetricFences,
    /// `capacity(0)` was given.
    ZeroCapacity,
    /// No queue can have this capacity.
    CapacityTooLarge {
        /// The capacity given, in jobs.
        given: usize,
        /// The largest capacity, in jobs.
        max: usize,
    },
    /// `concurrency(0)` was given.
    ZeroConcurrency,
    /// There is not enough memory for the queue's slots.
    OutOfMemory {
        /// The capacity given, in jobs.
        capacity: usize,
    },
    /// The pool is shut down.
    Closed,
    /// This process is a forked child of the process that built the pool.
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
            BuildError::ZeroStackSize => f.write_str(
                "a stack size of 0 bytes was given; at least 1 is needed (up to 64 KiB are rounded up)",
            ),
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
            BuildError::NoAsymmetricFences => f.write_str(
                "asymmetric_fences(true) was given; this system has no such fence, so only false is allowed",
            ),
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
