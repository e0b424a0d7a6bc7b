//! The one pool that is not somebody's: started at its first use, as rayon's is. Nothing else is global.
//! And the free functions, which act on the pool that the calling thread works for, or else on that one.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;

use crate::builder::PoolBuilder;
use crate::error::{BuildError, Closed};
use crate::handle::JoinHandle;
use crate::pool::Pool;
use crate::process;
use crate::registry::Shared;
use crate::spawn::{self};
use crate::sync::MODEL;
use crate::worker::{return_abandoned_host, with_current};

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

pub(crate) fn build(builder: PoolBuilder) -> Result<&'static Pool, BuildError> {
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
    with_registry(crate::sync::Arc::clone)
}

fn with_registry<R>(f: impl FnOnce(&Shared) -> R) -> R {
    return_abandoned_host();
    with_current(|worker| match worker {
        Some(worker) => f(&worker.registry),
        None => f(get().registry()),
    })
}

/// [`Pool::execute`] on the pool that the calling thread works for, or else on the [global](Pool::global) one.
///
/// # Errors
/// As for the method.
///
/// # Examples
/// ```
/// let pool = filch::Pool::new()?;
/// pool.install(|| filch::execute(|| println!("on the same pool")))
///     .map_err(|closed| closed.reason().to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn execute<F>(f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    with_registry(|registry| spawn::execute(registry, f))
}

/// [`Pool::execute_fifo`] on the pool that the calling thread works for, or else on the [global](Pool::global) one.
///
/// # Errors
/// As for the method.
pub fn execute_fifo<F>(f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    with_registry(|registry| spawn::execute_fifo(registry, f))
}

/// [`Pool::spawn`] on the pool that the calling thread works for, or else on the [global](Pool::global) one.
///
/// # Examples
/// ```
/// assert_eq!(filch::spawn(|| 6 * 7).join()?, 42);
/// # Ok::<(), filch::JoinError>(())
/// ```
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    with_registry(|registry| spawn::spawn(registry, f)).0
}

/// The number of the worker that the calling thread is, in its pool; `None` if it is none.
///
/// Two threads may have one number at once: a worker that waits in a job, or has just come back from that, and the
/// [spare](crate::PoolBuilder::spares) that stands in for it. So what lies in a table by this number needs a lock or an
/// atomic, however short the access.
///
/// # Examples
/// ```
/// assert_eq!(filch::current_worker(), None);
/// let pool = filch::Pool::builder().workers(1).build()?;
/// assert_eq!(pool.install(filch::current_worker), Some(0));
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use]
pub fn current_worker() -> Option<usize> {
    return_abandoned_host();
    with_current(|worker| worker.map(|worker| worker.number.get()))
}

/// How many workers the pool has that the calling thread works for, or else the [global](Pool::global) one,
/// which is started if need be.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// assert_eq!(pool.install(filch::current_workers), 3);
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use]
pub fn current_workers() -> usize {
    with_registry(|registry| registry.peers.len())
}
