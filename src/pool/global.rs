//! The global pool, and the pool that a free function acts on.
//!
//! The global pool is the only pool that no user owns. It starts at its first use, as rayon's does, unless
//! `build_global` has built it. Nothing else is global. A free function acts on the pool that the calling thread
//! works for, or else on the global pool.
//!
//! | `GLOBAL` | `BUILDING` | a thread that needs the pool |
//! |---|---|---|
//! | empty | `None` | builds it |
//! | empty | a live thread | waits until that thread is through, then looks again |
//! | empty | the same thread | gets an error or a panic: the thread needs the pool that it is about to build |
//! | empty | a thread of the parent process | builds it: a forked child has none of its parent's other threads |
//! | the pool | any | uses it |
//!
//! Invariant: at most one thread of a process builds at a time, and `GLOBAL` is set at most once.

use std::io;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use super::Pool;
use super::builder::PoolBuilder;
use crate::error::BuildError;
use crate::scheduler::registry::Shared;
use crate::scheduler::worker::{return_host_of_dropped_pool, with_current};
use crate::sync::{Arc, MODEL};
use crate::system::process;
use crate::system::thread_id::{self, ThreadNumber};

static GLOBAL: OnceLock<Pool> = OnceLock::new();
/// The thread that builds the pool. A second thread that needs the pool waits for it. A thread holds the lock only
/// for a look.
static BUILDING: Mutex<Option<Builder>> = Mutex::new(None);
/// Signals that a builder is through, with or without success.
static BUILT: Condvar = Condvar::new();

/// A thread that builds the global pool.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Builder {
    thread: ThreadNumber,
    /// The generation of the thread's process. A forked child has none of its parent's other threads, so it does not
    /// wait for them.
    generation: u32,
}

/// The right to build the global pool.
struct Turn;

impl Turn {
    /// Waits until no other thread builds, and takes the right. Returns `None` if the pool exists, or if the calling
    /// thread itself is building it.
    ///
    /// The wait runs no jobs: a job that runs on top of the builder could never get the pool that it waits for.
    fn take() -> Option<Turn> {
        let me = Builder { thread: thread_id::current(), generation: process::generation() };
        let mut building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if GLOBAL.get().is_some() {
                return None;
            }
            match *building {
                Some(builder) if builder == me => return None,
                Some(builder) if builder.generation == me.generation => {
                    building = BUILT.wait(building).unwrap_or_else(PoisonError::into_inner);
                }
                _ => {
                    *building = Some(me);
                    return Some(Turn);
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *BUILDING.lock().unwrap_or_else(PoisonError::into_inner) = None;
        BUILT.notify_all();
    }
}

/// Builds the global pool from `builder`, unless the pool exists.
pub(super) fn build(builder: PoolBuilder) -> Result<&'static Pool, BuildError> {
    if MODEL {
        panic!("under the checker there is no global pool: an execution must own all it uses");
    }
    let Some(turn) = Turn::take() else { return Err(BuildError::GlobalAlreadyBuilt) };
    let started = builder.start().map(|(pool, started)| (GLOBAL.get_or_init(|| pool), started));
    // The turn ends before the wait below: a worker that waits may run jobs, and these may need the global pool.
    drop(turn);
    match started {
        Ok((pool, started)) => {
            if let Some(started) = started {
                started.wait();
            }
            Ok(pool)
        }
        Err(failed) => Err(failed.clean_up()),
    }
}

/// Returns the global pool, and builds it first if need be.
pub(crate) fn get() -> &'static Pool {
    if let Some(pool) = GLOBAL.get() {
        return pool;
    }
    let alone = |error: BuildError| match error {
        // On a system without threads, as on the web, most of the free functions still work on the calling thread.
        BuildError::Spawn { ref source, .. } if source.kind() == io::ErrorKind::Unsupported => {
            build(Pool::builder().workers(1).use_current_thread()).map_err(|_| error)
        }
        error => Err(error),
    };
    match build(Pool::builder()).or_else(alone) {
        Ok(pool) => pool,
        // Another thread was faster, or this thread is inside the build.
        Err(BuildError::GlobalAlreadyBuilt) => {
            GLOBAL.get().expect("the global pool was used by the closure that starts its threads")
        }
        Err(error) => panic!("the global pool could not be built: {error}"),
    }
}

/// Returns the pool that the calling thread works for, or else the global one.
pub(crate) fn current() -> Shared {
    with_registry(Arc::clone)
}

/// Calls `f` with the pool that the calling thread works for, or else with the global one.
pub(super) fn with_registry<R>(f: impl FnOnce(&Shared) -> R) -> R {
    return_host_of_dropped_pool();
    with_current(|worker| match worker {
        Some(worker) => f(&worker.registry),
        None => f(get().registry()),
    })
}

impl Pool {
    /// Returns the global pool, which the free functions use on a thread that works for no pool.
    ///
    /// [`build_global`](PoolBuilder::build_global) builds it; otherwise its first use does, as [`new`](Self::new)
    /// would. It is never shut down unless a caller does that.
    ///
    /// # Panics
    /// Panics if the pool does not exist yet and cannot be built.
    ///
    /// # Examples
    /// ```
    /// let sum = filch::Pool::global().install(|| (1..=10).sum::<u32>());
    /// assert_eq!(sum, 55);
    /// ```
    #[must_use]
    pub fn global() -> &'static Pool {
        get()
    }
}

impl PoolBuilder {
    /// Builds the pool and makes it the [global](Pool::global) one.
    ///
    /// # Errors
    /// As [`build`](Self::build). Also [`BuildError::GlobalAlreadyBuilt`] if there is a global pool already, be it
    /// one that its first use built.
    ///
    /// # Examples
    /// ```
    /// // Early in `main`, before anything uses the global pool.
    /// filch::Pool::builder().workers(2).build_global()?;
    /// assert_eq!(filch::current_workers(), 2);
    /// let again = filch::Pool::builder().build_global();
    /// assert!(matches!(again, Err(filch::BuildError::GlobalAlreadyBuilt)));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn build_global(self) -> Result<&'static Pool, BuildError> {
        build(self)
    }
}
