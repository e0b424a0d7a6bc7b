//! The one pool that is not somebody's: started at its first use, as rayon's is. Nothing else is global.
//! And the free functions, which act on the pool that the calling thread works for, or else on that one.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;

use super::Pool;
use super::builder::PoolBuilder;
use crate::error::BuildError;
use crate::scheduler::registry::Shared;
use crate::scheduler::worker::{return_host_of_dropped_pool, with_current};
use crate::sync::{Arc, MODEL};
use crate::system::process;

static GLOBAL: OnceLock<Pool> = OnceLock::new();
/// Who builds it, so that of two threads that want to one waits. The lock itself is held for no longer than a look.
static BUILDING: Mutex<Option<Builder>> = Mutex::new(None);
/// That somebody is through with it.
static BUILT: Condvar = Condvar::new();

#[derive(Clone, Copy, PartialEq, Eq)]
struct Builder {
    thread: ThreadId,
    /// A forked child has none of its parent's other threads.
    generation: u32,
}

/// The right to build the global pool.
struct Turn;

impl Turn {
    /// Waits for it, without running jobs: one that runs on top of the builder could never get what it waits for.
    /// `None` if there is nothing to wait for: the pool exists, or this very thread is building it.
    fn take() -> Option<Turn> {
        let me = Builder { thread: std::thread::current().id(), generation: process::generation() };
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

pub(super) fn build(builder: PoolBuilder) -> Result<&'static Pool, BuildError> {
    if MODEL {
        panic!("under the checker there is no global pool: an execution must own all it uses");
    }
    let Some(turn) = Turn::take() else { return Err(BuildError::GlobalAlreadyBuilt) };
    let started = builder.start().map(|(pool, started)| (GLOBAL.get_or_init(|| pool), started));
    // Before any wait: on a worker that runs jobs, and they may come for the pool.
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

pub(crate) fn get() -> &'static Pool {
    if let Some(pool) = GLOBAL.get() {
        return pool;
    }
    match build(Pool::builder()) {
        Ok(pool) => pool,
        // Somebody was faster.
        Err(BuildError::GlobalAlreadyBuilt) => {
            GLOBAL.get().expect("the global pool was used by the closure that starts its threads")
        }
        Err(error) => panic!("the global pool could not be built: {error}"),
    }
}

/// The pool that the calling thread works for, or else the global one.
pub(crate) fn current() -> Shared {
    with_registry(Arc::clone)
}

pub(super) fn with_registry<R>(f: impl FnOnce(&Shared) -> R) -> R {
    return_host_of_dropped_pool();
    with_current(|worker| match worker {
        Some(worker) => f(&worker.registry),
        None => f(get().registry()),
    })
}

impl Pool {
    /// The pool that the free functions use outside any other: built by
    /// [`build_global`](PoolBuilder::build_global), or at its first use as by [`new`](Self::new). It is never
    /// shut down unless somebody does so.
    ///
    /// # Panics
    /// If it has to be built and cannot.
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
    /// As for [`build`](Self::build); and if there is a global pool already, also one that was made by its
    /// first use.
    pub fn build_global(self) -> Result<&'static Pool, BuildError> {
        build(self)
    }
}
